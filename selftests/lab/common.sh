# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by the setup and build scripts: where the checkout is, where fetched things are
# kept, and the helpers that setup.sh and trixie.sh share.
#
# Layout of the cache (outside the checkout, safe to delete at any time):
#   kernels/<v>/kver                  the kernel release, one line; v is 6.1, 6.12,
#                                     7.2 (stock) or debug, kcsan (built)
#   kernels/<v>/vmlinuz               the image
#   kernels/<v>/lib/modules/<kver>/   its modules, depmod run
#   kernels/<v>/headers               usable as KDIR
#   kselftest/                        lib.sh and ktap_helpers.sh of the kernel
#   checkpatch/                       checkpatch.pl and its word lists
#   coccinelle/                       the semantic patches of the kernel
#   trixie/                           root with gcc-14 for the 7.2 headers
#   virtme-ng/                        virtme-ng, unpacked
#   apt/<suite>/                      private apt folders

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP_DIR=$(cd "$LAB_DIR/../.." && pwd)
CACHE=${NFSYNC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nfsync}
KERNELS="6.12 6.1 7.2"
export LAB_DIR TOP_DIR CACHE KERNELS

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# Run a command as root, whoever we are.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

kernel_dir()
{
	echo "$CACHE/kernels/$1"
}

kernel_release()
{
	cat "$CACHE/kernels/$1/kver"
}

# Everything that is ours, by its path from the top: tracked, or new and not
# ignored. Without git (a release tarball) everything but build/.
tree_files()
{
	(cd "$TOP_DIR" &&
		{ git ls-files -co --exclude-standard 2>/dev/null ||
			find . -path ./build -prune -o -type f -printf '%P\n'; } |
		while read -r f; do
			[ ! -f "$f" ] || echo "$f"
		done | sort)
}

# check NAME COMMAND...: one KTAP result of the part that PART names. Output
# goes to LOG, its end is shown when the command fails. CHECKS counts them,
# CHECKS_FAILED says whether one failed.
# shellcheck disable=SC2034 # the parts read them
CHECKS=0
CHECKS_FAILED=0
check()
{
	local name=$1

	shift
	CHECKS=$((CHECKS + 1))
	echo "--- $name" >>"$LOG"
	if "$@" >>"$LOG" 2>&1 </dev/null; then
		echo "ok $CHECKS $PART: $name"
	else
		tail -n 20 "$LOG" | sed 's/^/# /'
		echo "not ok $CHECKS $PART: $name"
		# shellcheck disable=SC2034
		CHECKS_FAILED=1
	fi
}
