#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# setup.sh [part...] - fetch what building, testing and the guest lab need
#
# Parts: packages 6.12 6.1 7.2 kselftest coccinelle vng (default: all of them, in
# this order), and debug kcsan, which are built and take minutes. Idempotent: a part
# that is complete costs milliseconds and says nothing. Debian packages are
# installed with apt, as root or through sudo; everything else is unpacked in
# the cache (see common.sh) and the system is not touched. Newer suites come
# through private apt folders whose source lists are derived from this
# machine's own.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

BUILD_PACKAGES="gcc make bc xz-utils kmod pahole libmnl-dev iproute2 dkms
	clang libclang-rt-dev lld llvm sparse coccinelle lcov shellcheck codespell perl
	flex bison libelf-dev"
LAB_PACKAGES="qemu-system-x86 busybox-static cpio zstd conntrack conntrackd
	nftables tcpdump ethtool iputils-ping socat jq procps keepalived
	python3 python3-requests python3-argcomplete python3-pkg-resources
	file udev util-linux"

say()
{
	echo "setup: $*"
}

# Bump the revision of a part when what it unpacks changes.
part_done()
{
	[ "$(cat "$1/.part" 2>/dev/null)" = "$2" ]
}

# --- Debian packages ---------------------------------------------------------

missing_packages()
{
	local have p

	# dpkg-query fails when it does not know one of the names; what it
	# knows is printed all the same.
	# shellcheck disable=SC2086,SC2016
	have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' \
		$BUILD_PACKAGES $LAB_PACKAGES 2>/dev/null |
		sed -n 's/^installed //p' || :)
	for p in $BUILD_PACKAGES $LAB_PACKAGES; do
		grep -qxF "$p" <<<"$have" || echo "$p"
	done
}

setup_packages()
{
	local need

	need=$(missing_packages | tr '\n' ' ')
	[ -n "$need" ] || return 0
	say "apt-get install $need"
	as_root apt-get update -q=2
	# dkms would otherwise autoinstall into, and the initramfs hooks
	# rebuild, things nobody asked for: no recommends, no questions.
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -q=2 --no-install-recommends $need >/dev/null
}

# --- private apt folders -----------------------------------------------------

# The machine's own Debian sources as one-line entries for SUITE: same
# mirrors, same security mirror, the suite changed.
apt_sources()
{
	local suite=$1 uri release component key

	key=/usr/share/keyrings/debian-archive-keyring.gpg
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' | sort -u |
	while read -r uri release component; do
		case $component,$release in
		main,bookworm | main,bookworm-security | main,bookworm-backports) ;;
		*) continue ;;
		esac
		echo "deb [signed-by=$key] $uri ${release/bookworm/$suite} main"
		if [ "$suite,$release" = trixie,bookworm ]; then
			echo "deb [signed-by=$key] $uri trixie-backports main"
		fi
	done | sort -u
}

# Run an apt tool in the private folder of SUITE. The empty status file makes
# apt resolve as if nothing were installed.
apt_in()
{
	local suite=$1 tool=$2 d

	d=$CACHE/apt/$suite
	shift 2
	"$tool" -q=2 -o Dir::Etc::sourcelist="$d/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferencesparts=/dev/null \
		-o Dir::Etc::preferences=/dev/null \
		-o Dir::State="$d" -o Dir::State::lists="$d/lists" \
		-o Dir::State::status="$d/status" \
		-o Dir::Cache="$d" -o Dir::Cache::archives="$d/archives" \
		-o APT::Sandbox::User=root -o Acquire::Languages=none \
		-o Acquire::Retries=3 \
		-o Debug::NoLocking=true "$@"
}

# Once a run and suite: lists as new as the mirror has.
apt_refresh()
{
	local suite=$1 d=$CACHE/apt/$1

	[ -z "${refreshed[$suite]:-}" ] || return 0
	mkdir -p "$d"/{lists,archives}/partial
	chmod 700 "$d"
	: >"$d/status"
	apt_sources "$suite" >"$d/sources.list"
	# Without lists (they are cleared in many images) apt names no source.
	[ -s "$d/sources.list" ] || {
		as_root apt-get update -q=2
		apt_sources "$suite" >"$d/sources.list"
	}
	[ -s "$d/sources.list" ] ||
		die "no Debian bookworm entry in this machine's apt sources"
	apt_in "$suite" apt-get update
	refreshed[$suite]=1
}
declare -A refreshed

# Fetch and unpack packages of SUITE into DIR.
apt_unpack()
{
	local suite=$1 dir=$2 tmp deb

	shift 2
	tmp=$(mktemp -d "$CACHE/fetch.XXXXXX")
	(cd "$tmp" && apt_in "$suite" apt-get download "$@")
	for deb in "$tmp"/*.deb; do
		# dpkg -x would replace the usr-merge links of a root.
		dpkg --fsys-tarfile "$deb" |
			tar -x --keep-directory-symlink -C "$dir"
	done
	rm -rf "$tmp"
}

# --- kernels -----------------------------------------------------------------

# Newest release of a kernel series that has both an image and headers.
newest_release()
{
	local suite=$1 pattern=$2 names

	names=$(apt_in "$suite" apt-cache pkgnames linux-)
	{
		sed -n "s/^linux-image-\($pattern\)\$/\1/p" <<<"$names"
		sed -n "s/^linux-headers-\($pattern\)\$/\1/p" <<<"$names"
	} | sort -V | uniq -d | tail -n 1
}

# The headers of a release with all that building a module reads from them.
header_packages()
{
	local suite=$1 kver=$2

	echo "linux-headers-$kver"
	apt_in "$suite" apt-cache depends "linux-headers-$kver" |
		sed -n 's/^ *Depends: \(linux-headers-.*-common\|linux-kbuild-.*\)$/\1/p'
}

# Debian's header trees name their common half and themselves absolutely.
relocate_headers()
{
	local root=$1 kver=$2

	sed -i "s#/usr/src/#$root/usr/src/#" \
		"$root/usr/src/linux-headers-$kver/Makefile"
	ln -sfn "root/usr/src/linux-headers-$kver" "${root%/*}/headers"
}

# Image and modules, from the old (/boot, /lib) or the new layout (/usr/lib).
place_image()
{
	local dir=$1 kver=$2 from

	from=$dir/root/usr/lib/modules/$kver
	[ -d "$from" ] || from=$dir/root/lib/modules/$kver
	if [ -f "$dir/root/boot/vmlinuz-$kver" ]; then
		mv "$dir/root/boot/vmlinuz-$kver" "$dir/vmlinuz"
	else
		mv "$from/vmlinuz" "$dir/vmlinuz"
	fi
	mkdir -p "$dir/lib/modules"
	rm -f "$from/build" "$from/source"
	mv "$from" "$dir/lib/modules/$kver"
	/sbin/depmod -b "$dir" "$kver"
	ln -s ../../../headers "$dir/lib/modules/$kver/build"
}

setup_bookworm_kernel()
{
	local v=$1 pattern=$2 dir kver

	dir=$(kernel_dir "$v")
	part_done "$dir" 1 && return 0
	apt_refresh bookworm
	kver=$(newest_release bookworm "$pattern")
	[ -n "$kver" ] || die "apt offers no Linux $v"
	say "Linux $v: $kver, image and headers, into $dir"
	rm -rf "$dir"
	mkdir -p "$dir/root"
	# shellcheck disable=SC2046
	apt_unpack bookworm "$dir/root" "linux-image-$kver" \
		$(header_packages bookworm "$kver")
	place_image "$dir" "$kver"
	relocate_headers "$dir/root" "$kver"
	echo "$kver" >"$dir/kver"
	echo 1 >"$dir/.part"
}

# --- the trixie root and Linux 7.2 -------------------------------------------

# gcc-12 rejects the flags of the 7.2 headers and their host tools want a newer
# libc: they are used inside a trixie root, which is unpacked, not installed.
setup_trixie()
{
	local kver=$1 root=$CACHE/trixie names

	names=$(apt_in trixie apt-get install --simulate -y \
		--no-install-recommends "linux-headers-$kver" gcc-14 binutils make bash dash \
		coreutils sed grep mawk findutils diffutils kmod gzip |
		sed -n 's/^Inst \([^ ]*\) .*/\1/p')
	say "gcc-14 and the $kver headers, a trixie root in $root"
	rm -rf "$root"
	mkdir -p "$root"
	# base-files, first in the alphabet, brings the usr-merge links.
	# shellcheck disable=SC2086
	apt_unpack trixie "$root" $names
	ln -sf mawk "$root/usr/bin/awk"
	ln -sf dash "$root/usr/bin/sh"
	mkdir -p "$root"/{build,dev,proc,tmp}
}

setup_7_2()
{
	local dir kver

	dir=$(kernel_dir 7.2)
	part_done "$dir" 1 && return 0
	apt_refresh trixie
	kver=$(newest_release trixie '7\.2\.[^ ]*[0-9]-amd64')
	[ -n "$kver" ] || die "trixie-backports offers no Linux 7.2"
	setup_trixie "$kver"
	say "Linux 7.2: $kver, image, into $dir"
	rm -rf "$dir"
	mkdir -p "$dir/root"
	apt_unpack trixie "$dir/root" "linux-binary-$kver" \
		"linux-modules-$kver" "linux-base-$kver"
	place_image "$dir" "$kver"
	ln -s "$CACHE/trixie/usr/src/linux-headers-$kver" "$dir/headers"
	echo "$kver" >"$dir/kver"
	echo 1 >"$dir/.part"
}

# --- debug kernels ------------------------------------------------------------

# Fetch Debian's source package into DIR, and leave only the tarball in it
fetch_source()
{
	local dir=$1 version=$2 base=linux-source-6.12

	(cd "$dir" && apt_in bookworm apt-get download "$base${version:+=$version}")
	dpkg --fsys-tarfile "$dir"/*.deb |
		tar -xO "./usr/src/$base.tar.xz" >"$dir/src.tar.xz"
	rm "$dir"/*.deb
}

# Built once for what goes into it: configuration, version of the source,
# compiler. What is there is taken as long as these are the same, without
# asking the mirror for a newer source.
kernel_is_built()
{
	part_done "$(kernel_dir "$1")" \
		"$("$LAB_DIR/kernel.sh" key "$1" "${2:-none}")"
}

newest_source()
{
	apt_refresh bookworm
	apt_in bookworm apt-cache show --no-all-versions linux-source-6.12 |
		sed -n 's/^Version: //p'
}

# Takes minutes, so the lock of all parts is only held for the fetching: who
# wants another part need not wait for this one. Called without it.
setup_built_kernel()
{
	local name=$1 dir version

	dir=$(kernel_dir "$name")
	kernel_is_built "$name" "$(cat "$dir/source" 2>/dev/null)" && return 0
	exec 7>"$CACHE/.lock-$name"
	flock 7
	work=$CACHE/build-$name
	rm -rf "$work"
	mkdir -p "$work"
	flock 8
	version=$(newest_source)
	[ -n "$version" ] || die "apt offers no linux-source-6.12"
	if ! kernel_is_built "$name" "$version"; then
		say "Linux $name: built from $version, minutes, into $dir"
		fetch_source "$work" "$version"
		flock -u 8
		build_kernel "$name" "$version"
	fi
	rm -rf "$work"
	work=
	exec 7>&-
}

# From and in $work
build_kernel()
{
	local name=$1 dir

	dir=$(kernel_dir "$name")
	tar -xJf "$work/src.tar.xz" -C "$work"
	"$LAB_DIR/kernel.sh" build "$name" "$work/linux-source-6.12" \
		"$work/objects" "$work/out"
	echo "$2" >"$work/out/source"
	"$LAB_DIR/kernel.sh" key "$name" "$2" >"$work/out/.part"
	mkdir -p "${dir%/*}"
	rm -rf "$dir"
	mv "$work/out" "$dir"
}

# --- files of the kernel tree that are used but not ours -----------------------

# From Debian's source package: checkpatch with its word lists, and the shell
# library that the kernel's own network selftests source. NAME:PATH pairs say
# where each member goes.
setup_kselftest()
{
	local tmp pair members="" base=linux-source-6.12

	part_done "$CACHE/kselftest" 1 && return 0
	say "checkpatch and the kselftest shell library, from $base"
	apt_refresh bookworm
	tmp=$(mktemp -d "$CACHE/fetch.XXXXXX")
	set -- checkpatch/checkpatch.pl:scripts/checkpatch.pl \
		checkpatch/spelling.txt:scripts/spelling.txt \
		checkpatch/const_structs.checkpatch:scripts/const_structs.checkpatch \
		kselftest/lib.sh:tools/testing/selftests/net/lib.sh \
		kselftest/ktap_helpers.sh:tools/testing/selftests/kselftest/ktap_helpers.sh
	for pair; do
		members="$members $base/${pair#*:}"
	done
	fetch_source "$tmp" ""
	# shellcheck disable=SC2086
	tar -xJf "$tmp/src.tar.xz" -C "$tmp" --occurrence=1 $members
	rm -rf "$CACHE/kselftest" "$CACHE/checkpatch"
	for pair; do
		install -D "$tmp/$base/${pair#*:}" "$CACHE/${pair%%:*}"
	done
	rm -rf "$tmp"
	echo 1 >"$CACHE/kselftest/.part"
}

# The semantic patches of coccicheck, by themselves
setup_coccinelle()
{
	local tmp from=linux-source-6.12/scripts/coccinelle

	part_done "$CACHE/coccinelle" 1 && return 0
	say "the kernel's semantic patches, from linux-source-6.12"
	apt_refresh bookworm
	tmp=$(mktemp -d "$CACHE/fetch.XXXXXX")
	fetch_source "$tmp" ""
	tar -xJf "$tmp/src.tar.xz" -C "$tmp" "$from"
	rm -rf "$CACHE/coccinelle"
	mv "$tmp/$from" "$CACHE/coccinelle"
	rm -rf "$tmp"
	echo 1 >"$CACHE/coccinelle/.part"
}

# --- virtme-ng ------------------------------------------------------------------

# Debian 12 has no package; trixie's is plain Python and runs on bookworm's.
# Unpacked, not installed: deleting the folder removes it.
setup_vng()
{
	local dir=$CACHE/virtme-ng

	part_done "$dir" 1 && return 0
	say "virtme-ng, unpacked in $dir"
	apt_refresh trixie
	rm -rf "$dir"
	mkdir -p "$dir"
	apt_unpack trixie "$dir" virtme-ng
	echo 1 >"$dir/.part"
}

# Half a kernel is only there while the lock is not ours.
work=
clean_up()
{
	if [ -n "$work" ]; then
		rm -rf "$work"
	else
		rm -rf "$CACHE"/fetch.*
	fi
}

main()
{
	local part

	. /etc/os-release
	[ "${VERSION_CODENAME:-}" = bookworm ] ||
		die "written for Debian 12, this is ${PRETTY_NAME:-unknown}"
	mkdir -p "$CACHE"
	# One at a time: the second finds everything in place.
	exec 8>"$CACHE/.lock"
	flock 8
	trap clean_up EXIT
	[ $# -gt 0 ] || set -- packages 6.12 6.1 7.2 kselftest coccinelle vng
	for part in "$@"; do
		case $part in
		packages) setup_packages ;;
		6.12) setup_bookworm_kernel 6.12 '6\.12\.[^ ]*[0-9]-amd64' ;;
		6.1) setup_bookworm_kernel 6.1 '6\.1\.0-[0-9]*-amd64' ;;
		7.2) setup_7_2 ;;
		debug | kcsan)
			flock -u 8
			setup_built_kernel "$part"
			flock 8
			;;
		kselftest) setup_kselftest ;;
		coccinelle) setup_coccinelle ;;
		vng) setup_vng ;;
		*) die "unknown part: $part" ;;
		esac
	done
}

main "$@"
