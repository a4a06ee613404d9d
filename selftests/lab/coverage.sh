#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# coverage.sh [TEST...] - which lines of kmod/ the kselftests run
#
# Builds the module, and with it its tests inside of the kernel, for the debug
# kernel with gcov, runs the tests (all without TEST) and prints their KTAP,
# with a table by file behind it. All of it is in build/coverage: html/ line by
# line, all.info for lcov, TEST.info of each test. KEEP=1 keeps what earlier
# runs counted and adds to it, as long as the module is the same.

set -uo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

OUT=$TOP_DIR/build/coverage
LCOV="lcov -q --rc lcov_branch_coverage=1"

# What the compiler wrote beside each object goes beside what the guest counted
companions()
{
	local gcda gcno

	find "$1" -name '*.gcda' | while read -r gcda; do
		gcno=${gcda%.gcda}.gcno
		cp "${gcno#"$1"}" "$gcno" || return 1
	done
}

# capture TREE: lines of our files, into TREE/info. The module's files are
# compiled in two places: into itself and into its tests.
capture()
{
	$LCOV --capture --directory "$1" --output-file "$1/all" \
		--base-directory "$(kernel_dir debug)/headers" \
		--ignore-errors source,graph || return
	$LCOV --extract "$1/all" "$OUT/module/*/kmod/*" \
		--output-file "$1/ours" || return
	sed "s,^SF:.*/kmod/,SF:$TOP_DIR/kmod/," "$1/ours" > "$1/info"
}

# to_info TEST: from what its guest counted
to_info()
{
	local test=$1 tree=$OUT/tree

	rm -rf "$tree"
	mkdir -p "$tree"
	if [ -s "$OUT/$test.tgz" ] && tar -xzf "$OUT/$test.tgz" -C "$tree" &&
		companions "$tree" && capture "$tree" > "$tree/log" 2>&1; then
		mv "$tree/info" "$OUT/$test.info"
		rm -rf "$tree"
		return
	fi
	echo "# coverage: nothing from $test"
	sed 's/^/# /' "$tree/log" 2> /dev/null
	return 1
}

merge()
{
	local info args=()

	for info in "$OUT"/*.info; do
		[ "$info" = "$OUT/all.info" ] || args+=(-a "$info")
	done
	[ ${#args[@]} -gt 0 ] || return 1
	$LCOV "${args[@]}" --output-file "$OUT/all.info"
}

# A line for each file, the least covered first
table()
{
	awk -F '[:,]' '
	function percent(hit, of) { return of ? 100 * hit / of : 100 }
	/^SF:/ { name = $2; sub(".*/kmod/", "", name) }
	/^LF:/ { lines = $2; all_lines += $2 }
	/^LH:/ { hit = $2; all_hit += $2 }
	/^BRF:/ { branches = $2; all_branches += $2 }
	/^BRH:/ { taken = $2; all_taken += $2 }
	/^end_of_record/ {
		printf "%-14s %5d of %5d %5.1f %%  %5d of %5d %5.1f %%\n",
		       name, hit, lines, percent(hit, lines),
		       taken, branches, percent(taken, branches) | "sort -k 5n"
		branches = taken = 0
	}
	END {
		close("sort -k 5n")
		printf "%-14s %5d of %5d %5.1f %%  %5d of %5d %5.1f %%\n",
		       "all", all_hit, all_lines, percent(all_hit, all_lines),
		       all_taken, all_branches,
		       percent(all_taken, all_branches)
	}' "$OUT/all.info" | sed 's/^/# /'
}

main()
{
	local test status

	[ $# -gt 0 ] ||
		read -ra tests < <(make -s -C "$TOP_DIR/selftests" list)
	[ $# -eq 0 ] || tests=("$@")
	mkdir -p "$OUT"
	rm -rf "$OUT"/html "$OUT"/all.info
	[ -n "${KEEP:-}" ] || rm -f "$OUT"/*.{tgz,info}
	"$LAB_DIR/module.sh" debug "$OUT/module" GCOV_PROFILE=y \
		> "$OUT/build.log" 2>&1 || die "see build/coverage/build.log"
	COVERAGE_DIR=$OUT NFSYNC_BUILT=$OUT/module \
		"$LAB_DIR/guest.sh" debug "${tests[@]}"
	status=$?
	for test in "${tests[@]}"; do
		to_info "$test" || status=1
	done
	merge || exit 1
	echo "# file          lines                   branches"
	table
	genhtml -q --branch-coverage --output-directory "$OUT/html" \
		--prefix "$TOP_DIR" "$OUT/all.info" || status=1
	echo "# line by line: $OUT/html/index.html"
	return $status
}

main "$@"
