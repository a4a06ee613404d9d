#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# quick.sh [KERNEL] - what nfsync costs, next to conntrackd, as a table
#
# Boots a guest that counts instructions (bench/cost.sh runs in it). The
# numbers do not depend on the host or its load; RUNS=3 repeats with another
# kernel command line each and shows the lowest and highest, since an
# unrelated string there moves them by up to 0.3 %. MODES picks some of
# "none active nfsync conntrackd". Nothing is asserted.

set -uo pipefail
# shellcheck source=../lab/common.sh
. "$(dirname "$0")/../lab/common.sh"

KERNEL=${1:-6.12}
RUNS=${RUNS:-1}
MODES=${MODES:-none active nfsync conntrackd}
make -s -C "$TOP_DIR/selftests/bin" || exit 1
OUT=$TOP_DIR/build/$KERNEL/bench.txt
mkdir -p "${OUT%/*}"
: > "$OUT"

for ((run = 1; run <= RUNS; run++)); do
	echo "run $run of $RUNS (a few minutes) ..." >&2
	ICOUNT=1 SMP=1 "$LAB_DIR/boot.sh" -t "${GUEST_TIMEOUT:-3600}" \
		-a "lab.seed=$run" "$KERNEL" \
		"/selftests/bench/cost.sh $MODES" | tee -a "$OUT" >&2 || exit 1
done

# Lowest and highest of each number; what is added to "none"; the ratio to
# what conntrackd adds.
mawk -v modes="$MODES" '
$1 == "bench" {
	key = $2 "," $3
	if (!(key in low) || $4 < low[key])
		low[key] = $4
	if (!(key in high) || $4 > high[key])
		high[key] = $4
}
function cell(mode, what,   key) {
	key = mode "," what
	if (!(key in low))
		return "-"
	return low[key] == high[key] ? low[key] "" : low[key] "-" high[key]
}
function added(mode, what,   key, base) {
	key = mode "," what
	base = "none," what
	if (mode == "none" || !(key in low) || !(base in low))
		return "-"
	return sprintf("%+d", low[key] - low[base])
}
function ratio(what,   mine, theirs) {
	mine = low["nfsync," what] - low["none," what]
	theirs = low["conntrackd," what] - low["none," what]
	if (mine <= 0 || theirs <= 0 || !(("conntrackd," what) in low))
		return ""
	return sprintf("conntrackd adds %.1f times as much", theirs / mine)
}
function table(what, title,   i) {
	printf "\n%s\n", title
	for (i = 1; i <= n; i++)
		printf "  %-12s %16s %12s\n", mode[i], cell(mode[i], what),
			added(mode[i], what)
	printf "  %s\n", ratio(what)
}
END {
	n = split(modes, mode, " ")
	table("tcp6", "instructions, TCP connection of six packets (and added)")
	table("tcp", "instructions, TCP connection with a request and a reply")
	table("udp", "instructions, UDP request and reply")
	table("packet", "instructions, packet of an established connection")
	printf "\nsync cable, per six-packet connection at 2,000 a second\n"
	printf "  %-12s %10s %10s %10s %10s %12s\n", "", "packets",
		"bytes", "back", "bytes", "peer states"
	for (i = 1; i <= n; i++)
		if (mode[i] != "none")
			printf "  %-12s %10s %10s %10s %10s %12s\n", mode[i],
				cell(mode[i], "out_packets"),
				cell(mode[i], "out_bytes"),
				cell(mode[i], "back_packets"),
				cell(mode[i], "back_bytes"),
				cell(mode[i], "peer_states")
}' "$OUT"
