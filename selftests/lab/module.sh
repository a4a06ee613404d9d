#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# module.sh KERNEL OUT [make arguments] - build the module for a lab kernel
#
# KERNEL is 6.1, 6.12, 7.2, debug or kcsan. The sources are copied to OUT/src
# and built there, so that kernels and compilers do not clobber each other; the
# result is OUT/nfsync.ko, and for a kernel that has KUnit OUT/nfsync_kunit.ko as
# well, built in OUT/kunit. Only one build at a time uses OUT.
#
# NFSYNC_INJECT=y in the environment compiles the injection points and the audit
# in, which the debug kernel's module has anyhow (n: not there either). That one
# tells KCOV as well which places a task comes by.

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

[ $# -ge 2 ] || die "usage: module.sh KERNEL OUT [make arguments]"
kernel=$1 out=$2
shift 2
if [ "$kernel" = debug ]; then
	: "${NFSYNC_INJECT:=y}"
	set -- KCOV_INSTRUMENT=y "$@"
fi
set -- "-j$(nproc)" "NFSYNC_INJECT=${NFSYNC_INJECT:-}" "$@"
[ -s "$CACHE/kernels/$kernel/kver" ] ||
	die "no Linux $kernel in $CACHE: run selftests/lab/setup.sh $kernel"

KUNIT_DIRS="selftests/unit selftests/kunit"

# sources DIR...
sources()
{
	find "$@" -name '*.mod.c' -prune -o \
		\( -name '*.[ch]' -o -name 'Kbuild*' \) -print
}

# sync_sources TREE DIR...: copy what differs, drop what is gone, so that make
# sees only real changes
sync_sources()
{
	local f tree=$1

	shift
	mkdir -p "${@/#/$tree/}"
	while read -r f; do
		cmp -s "$TOP_DIR/$f" "$tree/$f" ||
			install -D -m 644 "$TOP_DIR/$f" "$tree/$f"
	done < <(cd "$TOP_DIR" && sources "$@")
	while read -r f; do
		[ -e "$TOP_DIR/$f" ] || rm "$tree/$f"
	done < <(cd "$tree" && sources "$@")
}

has_kunit()
{
	grep -qsx 'CONFIG_KUNIT=[ym]' \
		"$(kernel_dir "$kernel")/headers/include/config/auto.conf"
}

place()
{
	cp "$1" "$out/${1##*/}.new"
	mv "$out/${1##*/}.new" "$out/${1##*/}"
}

mkdir -p "$out"
out=$(realpath "$out")
exec 9>"$out/.lock"
flock 9
sync_sources "$out/src" kmod include
if [ "$kernel" = 7.2 ]; then
	"$LAB_DIR/trixie-make.sh" "$out/src" kmod "$@" modules
else
	make -C "$(kernel_dir "$kernel")/headers" M="$out/src/kmod" \
		"$@" modules
fi
place "$out/src/kmod/nfsync.ko"
if has_kunit; then
	# shellcheck disable=SC2086
	sync_sources "$out/kunit" kmod include $KUNIT_DIRS
	make -C "$(kernel_dir "$kernel")/headers" \
		M="$out/kunit/selftests/kunit" "$@" modules
	place "$out/kunit/selftests/kunit/nfsync_kunit.ko"
fi
