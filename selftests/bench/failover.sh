#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# failover.sh [KERNEL] - how long a takeover takes, and what it loses
#
# fw1 dies under keepalived and CONNS (10,000) connections, four more of which
# transfer all the time. Prints what passed between its death and the first
# packet that fw2 forwards, which is for the most part VRRP's three seconds and
# some, and how the connections ended. Nothing is asserted.

set -uo pipefail
# shellcheck source=../lab/common.sh
. "$(dirname "$0")/../lab/common.sh"

KERNEL=${1:-6.12}
CONNS=${CONNS:-10000}
make -s -C "$TOP_DIR/selftests/bin" || exit 1
OUT=$TOP_DIR/build/$KERNEL/bench-failover.txt
mkdir -p "${OUT%/*}"

echo "booting (a few minutes) ..." >&2
MEM=4G "$LAB_DIR/boot.sh" -t "${GUEST_TIMEOUT:-1800}" "$KERNEL" \
	"export NFSYNC_CONNS=$CONNS" \
	"ONLY='the_master|dead_master|every_connection';" \
	"/selftests/keepalived.sh" > "$OUT"
status=$?
grep -E '^# (first packet|conns=|FAIL)|^not ok' "$OUT"
[ "$status" -eq 0 ] || die "the guest failed, see $OUT"
