#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# trixie-make.sh TREE SUBDIR [make arguments] - kbuild TREE/SUBDIR for Linux 7.2
#
# Runs make inside the trixie root that setup.sh unpacked, in a mount (and for
# users a user) namespace of its own, with TREE at /build: nothing is left
# mounted, and the output belongs to whoever asked.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

[ $# -ge 2 ] || die "usage: trixie-make.sh TREE SUBDIR [make arguments]"
root=$CACHE/trixie
tree=$(realpath "$1")
subdir=$2
shift 2
kver=$(kernel_release 7.2) || die "no Linux 7.2: run selftests/lab/setup.sh 7.2"

map=()
[ "$(id -u)" = 0 ] || map=(--map-root-user)
# shellcheck disable=SC2016
exec unshare --mount "${map[@]}" bash -ec '
	root=$1 tree=$2
	shift 2
	mount --bind "$tree" "$root/build"
	mount --rbind /dev "$root/dev"
	mount --rbind /proc "$root/proc"
	exec chroot "$root" /usr/bin/env -i PATH=/usr/bin HOME=/tmp LC_ALL=C \
		make "$@"
' trixie "$root" "$tree" -C "/usr/src/linux-headers-$kver" \
	M="/build/$subdir" "$@"
