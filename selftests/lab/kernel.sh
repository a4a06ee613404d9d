#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel.sh key NAME VERSION - what the kernel NAME is made of, as one hash
# kernel.sh build NAME SOURCE WORK OUT - configure and build it
#
# NAME is a file kconfig/NAME.config, which with kconfig/base.config goes on
# top of tinyconfig. SOURCE is an unpacked kernel tree, WORK a folder for 500
# MB of objects, OUT receives vmlinuz, kver, config, headers and lib/modules,
# as every kernel of the lab has them. setup.sh calls this and keeps the result.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

# Raise it when the same configuration is built in another way.
REVISION=1

fragments()
{
	local name

	for name in base "$1"; do
		[ -f "$LAB_DIR/kconfig/$name.config" ] ||
			die "no kconfig/$name.config"
		echo "$LAB_DIR/kconfig/$name.config"
	done
}

# Comments are not part of it.
key()
{
	{
		fragments "$1" | xargs sed '/^#/d; /^$/d'
		echo "$2 $REVISION"
		gcc --version | head -n 1
	} | sha256sum | cut -c1-16
}

# Options that the fragments ask for and the configuration lacks: kconfig drops
# what is unknown or misses a dependency without a word.
missing_options()
{
	local config=$1 line

	shift
	# of an option that is in both, the last one counts
	sed -n '/^CONFIG_/p' "$@" |
		awk -F= '{ last[$1] = $0 } END { for (o in last) print last[o] }' |
		sort |
	while read -r line; do
		case $line in
		*=n) ! grep -q "^${line%=n}=" "$config" || echo "$line" ;;
		*) grep -qxF "$line" "$config" || echo "$line" ;;
		esac
	done
}

configure()
{
	local name=$1 lost files

	mapfile -t files < <(fragments "$name")
	"${MAKE_IT[@]}" tinyconfig >"$WORK/log" 2>&1
	"$SOURCE/scripts/kconfig/merge_config.sh" -m -Q -O "$WORK" \
		"$WORK/.config" "${files[@]}" >>"$WORK/log" 2>&1
	"${MAKE_IT[@]}" olddefconfig >>"$WORK/log" 2>&1
	lost=$(missing_options "$WORK/.config" "${files[@]}")
	[ -z "$lost" ] || die "not in the configuration of $name: ${lost//$'\n'/ }"
}

# install OUT: image, modules, and headers that modules can be built with
install_kernel()
{
	local out=$1 kver

	kver=$(cat "$WORK/include/config/kernel.release")
	mkdir -p "$out"
	cp "$WORK/arch/x86/boot/bzImage" "$out/vmlinuz"
	cp "$WORK/.config" "$out/config"
	"${MAKE_IT[@]}" modules_install INSTALL_MOD_PATH="$out" \
		INSTALL_MOD_STRIP=1 DEPMOD=true
	rm -f "$out/lib/modules/$kver"/{build,source}
	/sbin/depmod -b "$out" "$kver"
	# shellcheck disable=SC2016
	"${MAKE_IT[@]}" run-command KBUILD_RUN_COMMAND="\$(srctree)/scripts/package/install-extmod-build $out/headers"
	echo "$kver" >"$out/kver"
}

build()
{
	local name=$1 out=$4

	SOURCE=$2 WORK=$3
	mkdir -p "$WORK"
	MAKE_IT=(make -s -C "$SOURCE" "O=$WORK")
	configure "$name"
	[ -z "${NFSYNC_CONFIG_ONLY:-}" ] || return 0
	"${MAKE_IT[@]}" -j"$(nproc)" bzImage modules >>"$WORK/log" 2>&1 || {
		tail -n 40 "$WORK/log" >&2
		die "the kernel $name does not build"
	}
	install_kernel "$out"
}

case ${1:-} in
key) key "$2" "$3" ;;
build) build "$2" "$3" "$4" "$5" ;;
*) die "usage: kernel.sh key|build ..." ;;
esac
