#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dkms.sh [KERNEL] - dkms add, build, install and remove, as KTAP
#
# Runs the top Makefile's own install-dkms and uninstall-dkms, at the real
# paths, in a mount namespace where /usr/src, /var/lib/dkms and /lib/modules
# are scratch folders: the machine's stay as they are. Needs root.

set -uo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

KERNEL=${1:-6.12}
[ "$KERNEL" != --inside ] || KERNEL=$2
KVER=$(kernel_release "$KERNEL") || die "no Linux $KERNEL: run setup.sh"
LOG=$TOP_DIR/build/dkms.log
PART=dkms

# The stock modules as hard links: depmod replaces its files, it does not
# write into them.
scratch()
{
	local w=$1

	mkdir -p "$w/src" "$w/dkms" "$w/modules"
	cp -rl "$(kernel_dir "$KERNEL")/lib/modules/$KVER" "$w/modules/" \
		2>/dev/null ||
		cp -r "$(kernel_dir "$KERNEL")/lib/modules/$KVER" "$w/modules/"
	ln -sfn "$(realpath "$(kernel_dir "$KERNEL")/headers")" \
		"$w/modules/$KVER/build"
	mount --bind "$w/src" /usr/src
	mount --bind "$w/dkms" /var/lib/dkms
	mount --bind "$w/modules" /lib/modules
}

# says WORDS COMMAND...: its output, which goes to the log, has the words
says()
{
	local words=$1 out

	shift
	out=$("$@")
	echo "$out"
	grep -qF "$words" <<<"$out"
}

nothing_left()
{
	[ -z "$(find /usr/src /var/lib/dkms /lib/modules -name '*nfsync*' \
		-print | tee /dev/stderr)" ]
}

inside()
{
	scratch "$1"
	cd "$TOP_DIR" || exit 1
	echo "KTAP version 1"
	echo "1..6"
	check "add, build, install" make install-dkms KVER="$KVER"
	check "status says installed" \
		says ": installed" dkms status -m nfsync -k "$KVER"
	check "modprobe finds the module" \
		says '/updates/dkms/nfsync.ko' modprobe -S "$KVER" -D nfsync
	check "the module depends on nf_conntrack" \
		says 'nf_conntrack' modinfo -k "$KVER" -F depends nfsync
	check "remove" make uninstall-dkms KVER="$KVER"
	check "remove leaves nothing" nothing_left
	exit $CHECKS_FAILED
}

main()
{
	local work made="" status

	mkdir -p "$TOP_DIR/build"
	if [ "$(id -u)" != 0 ]; then
		exec sudo NFSYNC_CACHE="$CACHE" "$0" "$KERNEL"
	fi
	: >"$LOG"
	# A machine without a kernel of its own lacks the mount point.
	[ -d /lib/modules ] || { mkdir /lib/modules && made=1; }
	work=$(mktemp -d "$CACHE/dkms.XXXXXX")
	unshare --mount "$0" --inside "$KERNEL" "$work"
	status=$?
	rm -rf "$work"
	[ -z "$made" ] || rmdir /lib/modules
	return $status
}

if [ "${1:-}" = --inside ]; then
	inside "$3"
else
	main
fi
