#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# lint.sh - style, spelling and house rules over the whole tree, as KTAP

set -uo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
cd "$TOP_DIR" || exit 1

ALL=$(tree_files)
C_FILES=$(grep -E '\.[ch]$' <<<"$ALL")
KERNEL_STYLE=$(grep -E '^(kmod|include|tools)/' <<<"$C_FILES")
SHELL_FILES=$(while read -r f; do
	case $f in
	*.sh) echo "$f" ;;
	*.*) ;;
	*) head -n 1 "$f" | grep -aq '^#!.*sh$' && echo "$f" ;;
	esac
done <<<"$ALL")

# FILE_PATH_CHANGES, MAINTAINERS: not a patch against a kernel tree.
# CONFIG_DESCRIPTION: counts help lines, ours are counted by readers.
# AVOID_EXTERNS: the plugin declares what ip(8) exports and no header offers.
# MACRO_ARG_REUSE, MACRO_ARG_PRECEDENCE: fires on X-macro tables, whose
#   arguments are names.
# MACRO_ARG_UNUSED: same tables; each user takes the columns it needs.
# COMPLEX_MACRO: same tables; their bodies are lists and cannot be enclosed.
# PREFER_DEFINED_ATTRIBUTE_MACRO: seen only where such a macro is defined.
IGNORE=FILE_PATH_CHANGES,CONFIG_DESCRIPTION,AVOID_EXTERNS
IGNORE+=,MACRO_ARG_REUSE,MACRO_ARG_PRECEDENCE,MACRO_ARG_UNUSED
IGNORE+=,COMPLEX_MACRO,PREFER_DEFINED_ATTRIBUTE_MACRO

lint_checkpatch()
{
	local status

	# shellcheck disable=SC2086
	"$CACHE/checkpatch/checkpatch.pl" --no-tree --strict --terse \
		--no-summary --show-types --ignore "$IGNORE" -f $KERNEL_STYLE
	status=$?
	rm -f .checkpatch-camelcase.*
	return $status
}

# Which of the kernel's semantic patches are left out:
# check_bq27xxx_data is about the tables of one driver.
# badzero is written in OCaml, and Debian's coccinelle brings no compiler; that
#   a pointer is compared with 0 is what sparse says too.
NOT_FOR_US="api/check_bq27xxx_data null/badzero"

semantic_patches()
{
	# shellcheck disable=SC2086
	(cd "$CACHE/coccinelle" && find . -name '*.cocci' -printf '%P\n') |
		grep -vxFf <(printf '%s.cocci\n' $NOT_FOR_US) | sort
}

# semantic_patch PATCH: coccicheck's mode "report", with the options that the
# patch names. What it says is a finding, but for what spatch says of the patch.
semantic_patch()
{
	local patch=$CACHE/coccinelle/$1 out status

	# shellcheck disable=SC2046
	out=$(spatch -D report --very-quiet --no-show-diff \
		$(sed -n 's,^// *Options: *,,p' "$patch") \
		--cocci-file "$patch" --dir kmod 2>&1)
	status=$?
	out=$(grep -v '^warning: line ' <<<"$out")
	[ $status != 0 ] || [ -n "$out" ] || return 0
	printf '%s (status %d):\n%s\n' "$1" $status "$out"
	return 1
}

# A second of one processor each
lint_coccicheck()
{
	export -f semantic_patch
	# shellcheck disable=SC2016
	semantic_patches | xargs -P "$(nproc)" -I '{}' \
		bash -c 'semantic_patch "$1"' _ '{}'
}

# SC2119 takes every function with optional arguments for a slip, SC2317 every
# one that is called by a name in a variable.
lint_shellcheck()
{
	# shellcheck disable=SC2086
	shellcheck -x -P SCRIPTDIR -e SC2119,SC2317 $SHELL_FILES
}

# Words that are right here and that codespell takes for slips: names of the
# protocols, of iproute2 and of nft.
lint_codespell()
{
	# shellcheck disable=SC2086
	codespell -q 3 -L ine,ser,ot,tre,fo,nd,te,ue,sie,ans,ba,ure,parm $ALL
}

# The licence of a file is on its first line, or on the second when the first
# says how to run it. Test vectors and corpora are data and cannot carry one.
lint_spdx()
{
	local f bad=0

	while read -r f; do
		case $f in
		COPYING | LICENSES/* | */corpus/* | */vectors/*) continue ;;
		esac
		head -n 2 "$f" | grep -aq 'SPDX-License-Identifier: ' && continue
		echo "$f: no SPDX line"
		bad=1
	done <<<"$ALL"
	return $bad
}

lint_version_tests()
{
	# shellcheck disable=SC2046
	! grep -nE 'LINUX_VERSION_CODE|KERNEL_VERSION\(|RHEL_RELEASE' \
		$(grep -E '^(kmod|tools|include)/' <<<"$ALL" |
			grep -v '^kmod/compat/') /dev/null
}

# A function's body is what stands between braces in the first column.
lint_function_length()
{
	# shellcheck disable=SC2086
	awk '/^{/ { start = FNR }
	     /^}/ && start {
		if (FNR - start - 1 > 80) {
			print FILENAME ":" start ": " FNR - start - 1 " lines"
			bad = 1
		}
		start = 0
	     }
	     END { exit bad }' $C_FILES
}

# What is compared is monotonic (INV-10). The time of day goes where conntrack
# has it too, and into the first id.
lint_clocks()
{
	# shellcheck disable=SC2046
	! grep -nE 'ktime_get_(real|clocktai)|do_gettimeofday|get_seconds\(' \
		$(grep '^kmod/' <<<"$C_FILES") |
		grep -vE 'ts->start|ktime_get_real_ts64\(&now\)|ktime_get_seconds'
}

# What is not finished is not landed.
lint_markers()
{
	# shellcheck disable=SC2086
	! grep -nwE 'TO''DO|FIX''ME|X''XX' $ALL
}

lint_whitespace()
{
	# shellcheck disable=SC2046
	! grep -nIE '[[:blank:]]+$' \
		$(grep -vE '/(corpus|vectors)/|\.patch$' <<<"$ALL")
}

CHECKS="checkpatch coccicheck shellcheck codespell spdx version_tests function_length
	clocks markers whitespace"

run_checks()
{
	local check out line nr=0 failed=0

	echo "KTAP version 1"
	# shellcheck disable=SC2086
	echo "1..$(wc -w <<<"$CHECKS")"
	for check in $CHECKS; do
		nr=$((nr + 1))
		if out=$("lint_$check" 2>&1); then
			echo "ok $nr lint: $check"
		else
			while IFS= read -r line; do
				echo "# $line"
			done <<<"$out"
			echo "not ok $nr lint: $check"
			failed=1
		fi
	done
	return $failed
}

run_checks
