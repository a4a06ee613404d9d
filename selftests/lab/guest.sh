#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# guest.sh KERNEL [TEST...] - run kselftests (all without TEST) in one guest
#
# Prints one KTAP stream; the last result is the guest's own: a console
# without splats, and an end as it should be. GUEST_TIMEOUT, SMP, MEM, ONLY
# and NFSYNC_SLOW are passed on; the console is kept in build/KERNEL.
# KERNEL is one of the stock kernels, or debug or kcsan, which are slow: tests
# wait longer in them and have less of what they have many of.

set -uo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# number_of LOG: of the last result line
number_of()
{
	grep -aoE '^(not )?ok [0-9]+' "$1" | tail -n 1 | grep -oE '[0-9]+$' ||
		echo 0
}

[ $# -ge 1 ] || die "usage: guest.sh KERNEL [TEST...]"
KERNEL=$1
shift
[ $# -gt 0 ] || read -ra TESTS < <(make -s -C "$TOP_DIR/selftests" list)
[ $# -eq 0 ] || TESTS=("$@")
make -s -C "$TOP_DIR/selftests/bin" || exit 1
BUILT=$TOP_DIR/build/$KERNEL
mkdir -p "$BUILT"
case $KERNEL in
debug) : "${NFSYNC_SLOW:=10}" ;;
kcsan) : "${NFSYNC_SLOW:=5}" ;;
*) : "${NFSYNC_SLOW:=1}" ;;
esac
OUT=$(mktemp)
trap 'rm -f "$OUT"' EXIT

"$LAB_DIR/boot.sh" -t "${GUEST_TIMEOUT:-3600}" -l "$BUILT/console.log" \
	"$KERNEL" "export NFSYNC_NO_PLAN=1 NFSYNC_SLOW=$NFSYNC_SLOW" \
	"ONLY='${ONLY:-}';" "/selftests/run.sh ${TESTS[*]}" | tee "$OUT"
STATUS=$?
LAST=$(($(number_of "$OUT") + 1))
# 1 is "a test failed", which the lines above have said already
if [ "$STATUS" -le 1 ]; then
	echo "ok $LAST guest: console of $KERNEL is clean"
else
	echo "not ok $LAST guest: console of $KERNEL is clean (boot.sh: $STATUS)"
fi
echo "1..$LAST"
[ "$STATUS" -eq 0 ]
