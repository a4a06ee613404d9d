# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Where the lab's things are; sourced by the lab's scripts.

LAB=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
SELFTESTS=$(dirname "$LAB")
TOP=$(dirname "$SELFTESTS")
CACHE=${NFSYNC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nfsync}

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# kernel_dir VERSION: folder with vmlinuz, kver and lib/modules
kernel_dir()
{
	local dir=$CACHE/kernels/$1

	[ -s "$dir/vmlinuz" ] && [ -s "$dir/kver" ] ||
		die "no kernel $1 in $CACHE/kernels: run selftests/lab/setup.sh"
	echo "$dir"
}
