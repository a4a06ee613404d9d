#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# demo.sh [KERNEL] - the takeover of selftests/demo.sh, in a guest of its own

set -uo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

KERNEL=${1:-6.12}
make -s -C "$TOP_DIR/selftests/bin" || exit 1
mkdir -p "$TOP_DIR/build/$KERNEL"
LOG=$TOP_DIR/build/$KERNEL/demo-console.log
echo "Booting a guest with Linux $KERNEL (console: ${LOG#"$TOP_DIR"/}) ..."
"$LAB_DIR/boot.sh" -t "${GUEST_TIMEOUT:-600}" -l "$LOG" "$KERNEL" \
	"/selftests/demo.sh"
STATUS=$?
case $STATUS in
0) echo "demo: a firewall was taken away, and nobody noticed." ;;
90) echo "demo: FAILED, the guest's kernel complained (see above)." ;;
*) echo "demo: FAILED with status $STATUS." ;;
esac
exit $STATUS
