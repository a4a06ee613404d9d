#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tests of selftests/unit and selftests/kunit inside of the kernel, by KUnit
# in a module of their own. Each of their results is one here. Skipped where
# the kernel has no KUnit or the module is not there.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

MODULE=nfsync_kunit

# What KUnit said from here on, without the time
log_since()
{
	dmesg | sed "1,/$1/d" | sed -E 's/^\[[^]]*\] ?//'
}

# Suites are at the left, a test is a parameter of its suite's one case. What
# stands in front of a result belongs to it. TYPE NAME, and "# note" lines.
results()
{
	mawk '
	/^    # Subtest:/ { print "begin", $NF; next }
	/^ *KTAP version|^ *1\.\.|# Subtest:|# module:|^    (not )?ok / { next }
	/^        (not )?ok [0-9]+ / {
		type = $1 == "ok" ? "pass" : "fail"
		if ($0 ~ /# SKIP/)
			type = "skip"
		name = $0
		sub(/^ *(not )?ok [0-9]+ -? ?/, "", name)
		print type, name
		next
	}
	/^(not )?ok [0-9]+ / {
		name = $NF
		print "suite", name
		next
	}
	/^ / { sub(/^ *(# *)?/, ""); print "#", $0 }'
}

# Results of a suite come before its own, which names it
report()
{
	local type name lines=()

	while read -r type name; do
		case $type in
		begin) ;;
		suite)
			tell_suite "$name" "${lines[@]}"
			lines=()
			;;
		*) lines+=("$type $name") ;;
		esac
	done
	tell_suite unfinished "${lines[@]}"
}

tell_suite()
{
	local suite=$1 line notes=()

	shift
	for line; do
		case $line in
		"# "*) notes+=("$line") ;;
		"fail "*)
			[ ${#notes[@]} -eq 0 ] || printf '%s\n' "${notes[@]}"
			ktap_test_fail "$suite: ${line#* }"
			;;
		"skip "*) ktap_test_skip "$suite: ${line#* }" ;;
		*) ktap_test_pass "$suite: ${line#* }" ;;
		esac
		[[ $line == "# "* ]] || notes=()
	done
}

modprobe -n "$MODULE" 2> /dev/null || skip_for "no module $MODULE"
modprobe -q kunit || [ -d /sys/module/kunit ] ||
	skip_for "this kernel has no KUnit"
modprobe -q nf_conntrack
MARK="kunit-selftest $$ $RANDOM"
echo "$MARK" > /dev/kmsg
modprobe "$MODULE" || skip_all "$MODULE cannot be loaded"
rmmod "$MODULE" || skip_all "$MODULE cannot be unloaded"
log_since "$MARK" | results > "$TMP/results"
ktap_print_header
ktap_set_plan $(($(grep -cE '^(pass|fail|skip) ' "$TMP/results") + 1))
report < "$TMP/results"
began=$(grep -c '^begin ' "$TMP/results")
if [ "$began" -gt 0 ] &&
	[ "$began" = "$(grep -c '^suite ' "$TMP/results")" ]; then
	ktap_test_pass "every suite has ended"
else
	ktap_test_fail "every suite has ended"
fi
ktap_finished
