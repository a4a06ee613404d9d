#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# asym.sh [KERNEL] - what a connection over both firewalls at once (forward by
# fw1, back by fw2) is worth next to one that has one firewall, as a table and
# as a plot (build/bench/asym.svg); nfsync next to conntrackd
#
# Boots a guest that counts instructions (bench/asym-cost.sh runs in it, and
# says what is measured how). Both sorts of paths and all MODES (of "nfsync ftfw
# notrack ftfw-strict") come from that one run; time is that of one processor
# for all of it, hosts included, at an instruction a nanosecond. DELAYS, in ms
# one way, are those of the sync link. REPORT=1: from the last run's numbers.
# Nothing is asserted; goals are told beside the numbers.

set -uo pipefail
# shellcheck source=../lab/common.sh
. "$(dirname "$0")/../lab/common.sh"

KERNEL=${1:-6.12}
MODES=${MODES:-nfsync ftfw notrack ftfw-strict}
DELAYS=${DELAYS:-0 0.2 1}
BENCH=$TOP_DIR/selftests/bench
OUT=$TOP_DIR/build/$KERNEL/bench-asym.txt
SVG=$TOP_DIR/build/bench/asym.svg
mkdir -p "${OUT%/*}" "${SVG%/*}"

run_guest()
{
	make -s -C "$TOP_DIR/selftests/bin" || return 1
	echo "booting (some minutes) ..." >&2
	ICOUNT=1 SMP=${SMP:-1} "$LAB_DIR/boot.sh" \
		-t "${GUEST_TIMEOUT:-3600}" "$KERNEL" \
		"DELAYS='$DELAYS' /selftests/bench/asym-cost.sh $MODES" > "$OUT"
}

# report WHAT(table|plot)
report()
{
	mawk -v list_modes="$MODES" -v list_delays="$DELAYS" \
		-f "$BENCH/asym.awk" -f "$BENCH/asym-$1.awk" "$OUT"
}

[ -n "${REPORT:-}" ] || run_guest || die "the guest failed, see $OUT"
report table
report plot > "$SVG"
echo
echo "plot: ${SVG#"$TOP_DIR/"}"
