#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# matrix.sh - build the module every way it must build, as KTAP
#
# Kernels of three series with W=1, sparse with endian checks, clang: each
# from scratch, each without one warning. Logs are in build/matrix/.

set -uo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

# Debian's kernels are configured for gcc, and its headers name gcc. For clang
# the settings that stand for flags clang 14 lacks are taken back; what comes
# out is for the warnings' sake and is not loaded anywhere.
CLANG="LLVM=1 CC=clang LD=ld.lld CONFIG_CC_IS_GCC= CONFIG_CC_IS_CLANG=y"
CLANG+=" CONFIG_MITIGATION_RETHUNK= CONFIG_MITIGATION_SLS="
CLANG+=" CONFIG_FTRACE_MCOUNT_USE_CC= CONFIG_DEBUG_INFO_BTF_MODULES="
CLANG+=" CONFIG_GCC_VERSION=0 CONFIG_CLANG_VERSION=140006"
CLANG+=" CONFIG_CC_IMPLICIT_FALLTHROUGH=-Wimplicit-fallthrough"
CLANG+=" CONFIG_CC_HAS_AUTO_VAR_INIT_ZERO_ENABLER=y"
# autoconf.h still says that the compiler has named address spaces.
CLANG+=" KCFLAGS=-Wno-duplicate-decl-specifier"

# NAME KERNEL MAKE-ARGUMENTS
builds()
{
	cat <<-END
	gcc-6.12 6.12 W=1
	gcc-6.1 6.1 W=1
	gcc-7.2 7.2 W=1
	inject-6.12 6.12 W=1 C=2 CF=-D__CHECK_ENDIAN__ NFSYNC_INJECT=y
	inject-6.1 6.1 W=1 NFSYNC_INJECT=y
	inject-7.2 7.2 W=1 NFSYNC_INJECT=y
	sparse-6.12 6.12 C=2 CF=-D__CHECK_ENDIAN__
	sparse-6.1 6.1 C=2 CF=-D__CHECK_ENDIAN__
	clang-6.12 6.12 W=1 $CLANG
	END
}

# What kbuild says of every external module: the stock headers of 6.1 come
# without vmlinux, and the compiler is rarely the very package that built the
# kernel.
NOISE='Skipping BTF generation|the compiler differs from|The kernel was built'
NOISE+='|You are using:'

build_one()
{
	local name=$1 kernel=$2 out=$TOP_DIR/build/matrix/$1

	shift 2
	rm -rf "$out"
	mkdir -p "$out"
	"$LAB_DIR/module.sh" "$kernel" "$out" "$@" >"$out/log" 2>"$out/err"
	local status=$?
	grep -vE "$NOISE" "$out/err" >"$out/warnings"
	[ $status = 0 ] && [ ! -s "$out/warnings" ] &&
		[ -s "$out/nfsync.ko" ] && { [[ $name == inject* ]] || plain "$out"; }
}

# plain OUT: nothing that only tests have is in there
plain()
{
	! nm "$1/nfsync.ko" | grep -E 'nfsync_(inject|audit)_' >>"$1/warnings"
}

main()
{
	local name kernel args nr=0 failed=0

	echo "KTAP version 1"
	echo "1..$(builds | wc -l)"
	while read -r name kernel args; do
		nr=$((nr + 1))
		# shellcheck disable=SC2086
		if build_one "$name" "$kernel" $args </dev/null; then
			echo "ok $nr matrix: $name"
		else
			head -n 60 "$TOP_DIR/build/matrix/$name/warnings" |
				sed 's/^/# /'
			echo "not ok $nr matrix: $name"
			failed=1
		fi
	done < <(builds)
	return $failed
}

main
