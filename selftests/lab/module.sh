#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# module.sh KERNEL OUT [make arguments] - build the module for a lab kernel
#
# KERNEL is 6.1, 6.12, 7.2, debug or kcsan. The sources are copied to OUT/src
# and built there, so that kernels and compilers do not clobber each other; the
# result is OUT/nfsync.ko. Only one build at a time uses OUT.
#
# NFSYNC_INJECT=y in the environment compiles the injection points and the audit
# in, which the debug kernel's module has anyhow (n: not there either).

set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

[ $# -ge 2 ] || die "usage: module.sh KERNEL OUT [make arguments]"
kernel=$1 out=$2
shift 2
[ "$kernel" != debug ] || : "${NFSYNC_INJECT:=y}"
set -- "NFSYNC_INJECT=${NFSYNC_INJECT:-}" "$@"
[ -s "$CACHE/kernels/$kernel/kver" ] ||
	die "no Linux $kernel in $CACHE: run selftests/lab/setup.sh $kernel"

sources()
{
	find kmod include -name '*.mod.c' -prune -o \
		\( -name '*.[ch]' -o -name 'Kbuild*' \) -print
}

# Copy what differs, drop what is gone: make sees only real changes.
sync_sources()
{
	local f

	while read -r f; do
		cmp -s "$TOP_DIR/$f" "$out/src/$f" ||
			install -D -m 644 "$TOP_DIR/$f" "$out/src/$f"
	done < <(cd "$TOP_DIR" && sources)
	while read -r f; do
		[ -e "$TOP_DIR/$f" ] || rm "$out/src/$f"
	done < <(cd "$out/src" && sources)
}

mkdir -p "$out/src/kmod" "$out/src/include"
out=$(realpath "$out")
exec 9>"$out/.lock"
flock 9
sync_sources
if [ "$kernel" = 7.2 ]; then
	"$LAB_DIR/trixie-make.sh" "$out/src" kmod "$@" modules
else
	make -C "$(kernel_dir "$kernel")/headers" M="$out/src/kmod" \
		"$@" modules
fi
cp "$out/src/kmod/nfsync.ko" "$out/nfsync.ko.new"
mv "$out/nfsync.ko.new" "$out/nfsync.ko"
