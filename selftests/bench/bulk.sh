#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bulk.sh [KERNEL] - what a bulk transfer costs, next to conntrackd, as a table
#
# Boots a guest that counts instructions (bench/bulk-cost.sh runs in it).
# STATES picks the sizes of nfsync's tables, PEER_STATES conntrackd's, which
# takes a minute for 10,000. Time is that of a processor that does one
# instruction a nanosecond, for both nodes. Nothing is asserted.

set -uo pipefail
# shellcheck source=../lab/common.sh
. "$(dirname "$0")/../lab/common.sh"

KERNEL=${1:-6.12}
STATES=${STATES:-10000 100000}
STALL_STATES=${STALL_STATES:-10000}
PEER_STATES=${PEER_STATES:-10000}
make -s -C "$TOP_DIR/selftests/bin" || exit 1
OUT=$TOP_DIR/build/$KERNEL/bench-bulk.txt
mkdir -p "${OUT%/*}"

WORK=()
for n in $STATES; do
	WORK+=("told:$n" "nfsync:$n")
done
for n in $STALL_STATES; do
	WORK+=("stall:$n")
done
for n in $PEER_STATES; do
	WORK+=("conntrackd:$n" "commit:$n")
done
echo "booting (a few minutes) ..." >&2
ICOUNT=1 SMP=1 "$LAB_DIR/boot.sh" -t "${GUEST_TIMEOUT:-3600}" "$KERNEL" \
	"/selftests/bench/bulk-cost.sh ${WORK[*]}" | tee "$OUT" >&2 || exit 1

mawk '
BEGIN {
	label["nfsync"] = "nfsync"
	label["conntrackd"] = "conntrackd, live"
	label["commit"] = "conntrackd, commit"
}
$1 == "bulk" {
	v[$2, $3, $4] = $5
	if ($2 in label && !(($2, $3) in seen)) {
		seen[$2, $3] = 1
		row[++rows] = $2 SUBSEP $3
	}
	if ($2 == "stall" && $4 ~ /stall_us/)
		stall[++stalls] = sprintf("%s states, longest answer %s: %d us",
			$3, $4 ~ /before/ ? "before" : "during it", $5)
}
END {
	printf "%-18s %8s %9s %9s %20s %18s %6s\n", "", "states", "arrived",
		"ms", "instructions a state", "of them receiving", "bytes"
	for (i = 1; i <= rows; i++) {
		split(row[i], k, SUBSEP)
		all = v[k[1], k[2], "instructions"]
		told = v["told", k[2], "instructions"]
		printf "%-18s %8d %9d %9d %20d %18s %6d\n", label[k[1]], k[2],
			v[k[1], k[2], "arrived"], v[k[1], k[2], "ms"], all,
			k[1] == "nfsync" && told ? all - told : "-",
			v[k[1], k[2], "bytes"]
	}
	for (i = 1; i <= stalls; i++)
		print stall[i]
}' "$OUT"
