#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# install.sh [KERNEL] - build, install and uninstall as a user would, as KTAP
#
# Works on a copy of the tree in build/install, into a DESTDIR beside it.

set -uo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

KERNEL=${1:-6.12}
KVER=$(kernel_release "$KERNEL") || die "no Linux $KERNEL: run setup.sh"
WORK=$TOP_DIR/build/install
DEST=$WORK/dest
PLUGINS=$DEST/usr/lib/$(gcc -print-multiarch)/ip
LOG=$WORK/log
PART=install

copy_tree()
{
	rm -rf "$WORK"
	mkdir -p "$WORK/src"
	tree_files | (cd "$TOP_DIR" && xargs -d '\n' cp --parents -t "$WORK/src")
}

in_copy()
{
	make -C "$WORK/src" KVER="$KVER" DESTDIR="$DEST" \
		KDIR="$(kernel_dir "$KERNEL")/headers" "$@"
}

files()
{
	(cd "$1" && find . -type f | sort)
}

module_there()
{
	ls -l "$DEST/lib/modules/$KVER/updates"/nfsync.ko*
}

man_pages_there()
{
	local page

	for page in "$WORK"/src/Documentation/*.[1-9]; do
		page=${page##*/}
		[ -s "$DEST/usr/share/man/man${page##*.}/$page" ] || return 1
	done
}

# ip finds the plugin there, loads it, and the plugin knows itself.
ip_knows_pfsync()
{
	local out

	out=$(IP_LIB_DIR=$PLUGINS ip link help pfsync 2>&1)
	echo "$out"
	grep -q syncdev <<<"$out"
}

# What depmod and modules_install leave is the kernel's, not ours.
nothing_left()
{
	[ -z "$(find "$DEST" -type f ! -name 'modules.*' | tee /dev/stderr)" ]
}

clean_cleans()
{
	in_copy clean && diff <(echo "$before") <(files "$WORK/src")
}

copy_tree
before=$(files "$WORK/src")
echo "KTAP version 1"
echo "1..8"
check "make" in_copy
check "make install" in_copy install
check "the module is in updates" module_there
check "ip loads the plugin from its own folder" ip_knows_pfsync
check "the man pages are there" man_pages_there
check "make uninstall" in_copy uninstall
check "uninstall leaves nothing" nothing_left
check "make clean leaves the tree as it was" clean_cleans
exit $CHECKS_FAILED
