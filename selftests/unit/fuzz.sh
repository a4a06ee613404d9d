#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Fuzz each NAME (fuzz_NAME.c) for SECONDS, starting from corpus/NAME; one
# KTAP test each.  What the fuzzer finds goes to a temporary copy; an input
# that fails is kept in the build folder and named.
# usage: fuzz.sh SECONDS NAME...
set -u

here=$(dirname "$(readlink -f "$0")")
build=$(readlink -f "$here/../..")/build/unit/fuzz
seconds=$1
shift

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail=0
nr=0

# The runtime is a package of its own, which a machine may not have.
no_runtime()
{
	echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' >"$tmp/probe.c"
	! "${FUZZ_CC:-clang}" -fsanitize=fuzzer,address,undefined \
		-o "$tmp/probe" "$tmp/probe.c" >"$tmp/probe.log" 2>&1
}

# fuzz NAME: everything it says is a diagnostic of the test's result line
fuzz()
{
	local bin=$build/fuzz_$1

	make -s -C "$here" "$bin" || return
	mkdir -p "$tmp/$1" "$build/crash"
	cp "$here/corpus/$1"/* "$tmp/$1/" || return
	"$bin" -max_total_time="$seconds" -timeout=10 -max_len=4096 \
		-verbosity=0 -print_final_stats=1 \
		-artifact_prefix="$build/crash/$1-" "$tmp/$1"
}

printf 'KTAP version 1\n1..%d\n' $#
if no_runtime; then
	for name; do
		nr=$((nr + 1))
		echo "ok $nr fuzz_$name # SKIP no clang with libFuzzer"
	done
	exit 0
fi
for name; do
	nr=$((nr + 1))
	fuzz "$name" 2>&1 | sed 's/^/# /'
	if [ "${PIPESTATUS[0]}" -eq 0 ]; then
		echo "ok $nr fuzz_$name"
	else
		fail=1
		echo "not ok $nr fuzz_$name"
	fi
done
exit $fail
