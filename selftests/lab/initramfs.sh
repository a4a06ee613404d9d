#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# initramfs.sh KERNEL OUT - a root file system for the guest
#
# Real tools with the libraries they need, the networking modules of that
# kernel, nfsync and the selftests. The part that seldom changes (tools and
# modules) is kept in the cache; ours is appended to it as a second archive.
# busybox only serves to switch the guest off: the shell in Debian's busybox
# prefers its own applets over programs, and its ip knows no namespaces.

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

TOOLS="bash cat chmod cmp comm cp cut date dd dmesg dirname basename base64 df diff du env
expr false find free grep gzip head id kill ln ls mkdir mkfifo mktemp mount mv nproc od
paste pgrep pidof pkill printf ps readlink realpath rm rmdir sed seq sleep sort stat stty sync tac tail
taskset tee timeout touch tr true umount uname uniq unshare nsenter wc which
xargs setsid md5sum sha256sum kmod ip bridge tc ss nft conntrack conntrackd
ethtool tcpdump ping sysctl mawk jq keepalived"

# Present in the guest when the kernel has them; dependencies come along.
MODULES="crc32c_generic libcrc32c nf_conntrack nf_conntrack_netlink nf_nat
nf_tables nft_ct nft_nat nft_chain_nat nft_masq nft_redir nft_log nft_limit
nft_objref nft_reject_inet nft_hash nft_fib_inet nft_flow_offload nf_flow_table
nf_flow_table_inet nf_conntrack_ftp nf_nat_ftp nfnetlink_log nf_log_syslog
veth bridge br_netfilter dummy tun 8021q vrf macvlan vxlan sch_netem sch_ingress
sch_tbf cls_matchall cls_flower act_mirred act_gact act_ct kunit"

declare -A MODPATH=()

# tool_paths: the tools of the list that this machine has
tool_paths()
{
	local tool path

	for tool in $TOOLS; do
		path=$(type -P "$tool") && echo "$path"
	done
	return 0
}

# copy FILE...: into $ROOT under the path it is looked for, following links
copy()
{
	local file

	for file in "$@"; do
		[ -e "$ROOT$file" ] && continue
		mkdir -p "$ROOT${file%/*}"
		cp -L "$file" "$ROOT$file"
	done
}

copy_tools()
{
	local paths

	mapfile -t paths < <(tool_paths)
	copy "${paths[@]}" "$(type -P busybox)"
	mapfile -t paths < <(ldd "${paths[@]}" 2>/dev/null |
		grep -oE '/[^ :)]+' | grep -E '\.so(\.|$)' | sort -u)
	copy "${paths[@]}"
	ln -sf mawk "$ROOT/usr/bin/awk"
	ln -sf bash "$ROOT/usr/bin/sh"
	local name
	for name in modprobe insmod rmmod lsmod modinfo depmod; do
		ln -sf "$(type -P kmod)" "$ROOT/usr/sbin/$name"
	done
}

index_modules()
{
	local path name

	while read -r path; do
		name=${path##*/}
		name=${name%%.ko*}
		MODPATH[${name//-/_}]=$path
	done < <(find "$KDIR/lib/modules/$KVER" -name '*.ko*')
}

# add_module NAME: with what it depends on; silent when built in or unknown
add_module()
{
	local path=${MODPATH[${1//-/_}]-} dest dep

	[ -n "$path" ] || return 0
	dest=$ROOT/usr${path#"$KDIR"}
	[ -e "${dest%.xz}" ] && return 0
	mkdir -p "${dest%/*}"
	cp "$path" "$dest"
	[ "${dest%.xz}" = "$dest" ] || xz -df "$dest"
	for dep in $(modinfo -F depends "${dest%.xz}" | tr , ' '); do
		add_module "$dep"
	done
}

copy_modules()
{
	local mod

	index_modules
	for mod in $MODULES; do
		add_module "$mod"
	done
	cp "$KDIR/lib/modules/$KVER"/modules.{order,builtin,builtin.modinfo} \
		"$ROOT/usr/lib/modules/$KVER/" 2>/dev/null || true
}

skeleton()
{
	local dir

	mkdir -p "$ROOT"/{proc,sys,dev,run,tmp,etc,root,var,mnt}
	mkdir -p "$ROOT"/usr/{bin,sbin,lib,lib64}
	for dir in bin sbin lib lib64; do
		ln -s "usr/$dir" "$ROOT/$dir"
	done
	ln -s ../run "$ROOT/var/run"
	ln -s ../run/lock "$ROOT/var/lock"
	ln -s ../tmp "$ROOT/var/log"
	echo 'root:x:0:0::/root:/bin/bash' > "$ROOT/etc/passwd"
	echo 'root:x:0:' > "$ROOT/etc/group"
	cp /etc/protocols /etc/services /etc/ethertypes "$ROOT/etc/" \
		2>/dev/null || true
	ln -s /proc/mounts "$ROOT/etc/mtab"
}

pack()
{
	(cd "$ROOT" && find . -mindepth 1 | cpio -o -H newc --quiet -R 0:0)
}

base_key()
{
	local paths

	mapfile -t paths < <(tool_paths)
	{
		stat -L -c '%n %s %Y' "${paths[@]}" "$KDIR/vmlinuz"
		sha256sum < "$0"
	} | sha256sum | cut -c1-16
}

# One at a time, and who waited for another has nothing left to do: the other
# would remove what is not finished.
need_base()
{
	mkdir -p "$CACHE/initramfs"
	(
		flock 9
		if [ ! -f "$BASE/cpio" ]; then
			build_base
		fi
	) 9> "$CACHE/initramfs/lock"
}

build_base()
{
	ROOT=$(mktemp -d)
	skeleton
	copy_tools
	copy_modules
	rm -rf "$CACHE/initramfs/$KVER"-*
	mkdir -p "$BASE.$$"
	pack > "$BASE.$$/cpio"
	mv "$ROOT/usr/lib/modules" "$BASE.$$/"
	mv -T "$BASE.$$" "$BASE"
	rm -rf "$ROOT"
}

# The folder in which Debian's ip looks for plugins is the one of its
# libraries: the multiarch folder.
plugin_dir()
{
	local lib

	lib=$(ldd "$(type -P ip)" | grep -oE '/[^ ]*libmnl[^ ]*' | head -n 1)
	echo "/usr/lib/$(basename "$(dirname "$lib")")/ip"
}

first_of()
{
	local file

	for file in "$@"; do
		[ -e "$file" ] && echo "$file" && return 0
	done
	return 0
}

# index_ours KO...: our modules and the index of all modules that knows them
index_ours()
{
	local dir=usr/lib/modules/$KVER tree ko

	tree=$(mktemp -d)
	mkdir -p "$tree/usr/lib" "$ROOT/$dir/extra"
	ln -s usr/lib "$tree/lib"
	cp -al "$BASE/modules" "$tree/usr/lib/"
	mkdir -p "$tree/$dir/extra"
	for ko in "$@"; do
		[ -e "$ko" ] || continue
		strip -g -o "$tree/$dir/extra/${ko##*/}" "$ko"
		cp "$tree/$dir/extra/${ko##*/}" "$ROOT/$dir/extra/"
	done
	depmod -b "$tree" "$KVER"
	cp "$tree/$dir"/modules.* "$ROOT/$dir/"
	rm -rf "$tree"
}

build_ours()
{
	local ko plugin dest built

	ROOT=$(mktemp -d)
	mkdir -p "$ROOT$(plugin_dir)" "$ROOT/kselftest"
	built=${NFSYNC_BUILT:-$TOP_DIR/build/$KERNEL}
	ko=$(first_of "${NFSYNC_KO:-/nonexistent}" "$built/nfsync.ko")
	index_ours "$ko" "$built/nfsync_kunit.ko"
	plugin=$(first_of "${NFSYNC_PLUGIN:-/nonexistent}" "$TOP_DIR/build/ip/link_pfsync.so" \
		"$TOP_DIR/build/link_pfsync.so" "$TOP_DIR/tools/ip/link_pfsync.so")
	if [ -n "$plugin" ]; then
		cp "$plugin" "$ROOT$(plugin_dir)/link_pfsync.so"
	fi
	dest=$ROOT/selftests
	mkdir -p "$dest/bin"
	cp "$TOP_DIR/selftests"/{*.sh,*.awk,settings} "$dest/"
	cp -r "$TOP_DIR/selftests/bench" "$dest/"
	# tests run what the documentation shows, from where they find it
	mkdir -p "$ROOT/Documentation"
	cp -r "$TOP_DIR/Documentation/examples" "$ROOT/Documentation/"
	find "$TOP_DIR/selftests/bin" -maxdepth 1 -type f -perm -u+x \
		-exec cp -t "$dest/bin" {} +
	cp "$CACHE"/kselftest/* "$ROOT/kselftest/"
	cp "$LAB_DIR/init" "$ROOT/init"
	pack
	rm -rf "$ROOT"
}

[ $# -eq 2 ] || die "usage: initramfs.sh KERNEL OUT"
KERNEL=$1
OUT=$2
KDIR=$(kernel_dir "$KERNEL")
KVER=$(kernel_release "$KERNEL")
BASE=$CACHE/initramfs/$KVER-$(base_key)
need_base
mkdir -p "$(dirname "$OUT")"
{ cat "$BASE/cpio"; build_ours; } > "$OUT.$$"
mv "$OUT.$$" "$OUT"
