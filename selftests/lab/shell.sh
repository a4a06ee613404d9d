#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# shell.sh [KERNEL] - a guest with the topology up, to play in
#
# The functions of selftests/lib.sh are there (nfsync_pair, flow_cl, ct_list,
# move_gateway, ...), and so are $cl $sw $fw1 $fw2 $sv. "exit" ends the guest.

set -uo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

[ -t 0 ] || die "needs a terminal"
KERNEL=${1:-6.12}
make -s -C "$TOP_DIR/selftests/bin" || exit 1
LOG=$TOP_DIR/build/$KERNEL/shell-console.log
mkdir -p "${LOG%/*}"
SAVED=$(stty -g)
trap 'stty "$SAVED"' EXIT
stty raw -echo
"$LAB_DIR/boot.sh" -i -l "$LOG" "$KERNEL" \
	"cat > /root/.bashrc <<'EOF'
. /selftests/lib.sh
need_nfsync
topo_up && nfsync_pair
PS1='guest# '
cat <<TEXT
Namespaces: cl=\$cl fw1=\$fw1 fw2=\$fw2 sv=\$sv
  in_ns \\\$fw2 conntrack -L       flow_cl -n 10      ping_cl
  ip -n \\\$fw2 -d -s link show nfsync0
  take_over \\\$fw2
Kernel messages: dmesg. End: exit.
TEXT
EOF
bash --rcfile /root/.bashrc -i"
