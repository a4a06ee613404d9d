#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh TEST... - run kselftests one after another, print one KTAP stream
#
# Every result line of a test becomes "ok N TEST: name". After each test two
# things are checked that the test itself cannot see: that the kernel log has
# no splat since it began, and that it left nothing behind (namespaces, the
# module, a reference that keeps the module or a namespace from going). Where
# the kernel can look for lost memory, it does so in the end.

cd "$(dirname "$0")" || exit 1

SPLAT='BUG:|WARNING:|KASAN|KCSAN|KFENCE|UBSAN|possible (circular|recursive)'
SPLAT+='|suspicious RCU|unreferenced object|Oops|refcount_t'
SPLAT+='|waiting for .* to become free|INFO: task|INFO: rcu|rcu.*stall'
SPLAT+='|general protection|inconsistent lock|sleeping function'
SPLAT+='|enqueued on deprecated'

: "${NFSYNC_SLOW:=1}"
TIMEOUT=${TEST_TIMEOUT:-$(($(sed -n 's/^timeout=//p' settings) * NFSYNC_SLOW))}
NUMBER=0
FAILED=0

# result "ok"|"not ok" NAME [DIRECTIVE]
result()
{
	NUMBER=$((NUMBER + 1))
	[ "$1" = ok ] || FAILED=$((FAILED + 1))
	echo "$1 $NUMBER $2${3:+ # $3}"
}

# pass_on TEST: renumber the test's results; PLANNED and SEEN remember how
# many there should be and are
pass_on()
{
	local line pattern='^(ok|not ok) [0-9]+ *-? *([^#]*[^# ]) *(# *(.*))?$'

	PLANNED=
	SEEN=0
	while IFS= read -r line; do
		if [[ $line =~ ^1\.\.([0-9]+)(.*SKIP\ ?(.*))?$ ]]; then
			PLANNED=${BASH_REMATCH[1]}
			SKIPPED=${BASH_REMATCH[3]}
		elif [[ $line =~ $pattern ]]; then
			SEEN=$((SEEN + 1))
			result "${BASH_REMATCH[1]}" "$1: ${BASH_REMATCH[2]}" \
				"${BASH_REMATCH[4]}"
		elif [[ $line != "TAP version"* && $line != "KTAP version"* ]]; then
			echo "# ${line#\# }"
		fi
	done
}

mark_log()
{
	MARK="nfsync-selftest $1 $$ $RANDOM"
	echo "$MARK" > /dev/kmsg
}

log_since_mark()
{
	dmesg | sed "1,/$MARK/d" | awk -f kcsan.awk
}

check_log()
{
	if log_since_mark | grep -qE "$SPLAT"; then
		log_since_mark | grep -E -A 30 "$SPLAT" | sed 's/^/# /'
		result "not ok" "$1: kernel log"
	else
		result ok "$1: kernel log"
	fi
}

# unload: rmmod waits for namespaces that are being taken down, so that one
# with a leaked reference shows here, by rmmod not coming back
unload()
{
	local pid i

	[ -d /sys/module/nfsync ] || return 0
	rmmod nfsync &
	pid=$!
	for ((i = 0; i < 300 * NFSYNC_SLOW; i++)); do
		kill -0 $pid 2> /dev/null || break
		sleep 0.1
	done
	if kill -0 $pid 2> /dev/null; then
		echo "# rmmod nfsync hangs"
		return 1
	fi
	wait $pid
}

check_leftovers()
{
	local left

	left=$(comm -13 <(echo "$NAMESPACES") <(ip netns list | sort))
	if [ -n "$left" ]; then
		echo "# namespaces left: $left"
		result "not ok" "$1: nothing left behind"
	elif [ -z "$MODULE" ] && [ -d /sys/module/nfsync ]; then
		echo "# the module is still loaded"
		unload
		result "not ok" "$1: nothing left behind"
	else
		result ok "$1: nothing left behind"
	fi
}

run_test()
{
	local test=${1%.sh} status out

	if [ ! -x "./$test.sh" ]; then
		result "not ok" "$test: no such test"
		return
	fi
	out=$(mktemp)
	MODULE=
	[ ! -d /sys/module/nfsync ] || MODULE=1
	NAMESPACES=$(ip netns list | sort)
	SKIPPED=
	mark_log "$test"
	echo "# $test"
	# Not by a pipe from the test itself: what it leaves running would
	# hold the pipe open for ever.
	timeout -k 10 "$TIMEOUT" "./$test.sh" > "$out" 2>&1
	status=$?
	pass_on "$test" < "$out"
	rm -f "$out"
	if [ $status -eq 4 ] || [ "$PLANNED" = 0 ]; then
		result ok "$test" "SKIP $SKIPPED"
	elif [ $status -eq 124 ] || [ $status -eq 137 ]; then
		result "not ok" "$test: time-out after $TIMEOUT s"
	elif [ "$PLANNED" != "$SEEN" ]; then
		result "not ok" "$test: ${PLANNED:-nothing} planned, $SEEN run"
	fi
	check_log "$test"
	check_leftovers "$test"
}

# What the kernel lost: nothing points to it, two looks after another and five
# seconds after it was allocated. The module may be gone, its memory is not.
check_leaks()
{
	local file=/sys/kernel/debug/kmemleak out

	[ -e $file ] || return 0
	! grep -qw kmemleak=off /proc/cmdline || return 0
	out=$(mktemp)
	if ! { echo scan > $file && sleep 6 && echo scan > $file; }; then
		echo "# kmemleak has given up"
		result "not ok" "kmemleak: nothing is lost"
		return
	fi
	cat $file > "$out"
	sed 's/^/# /' "$out"
	if [ -s "$out" ]; then
		result "not ok" "kmemleak: nothing is lost"
	else
		result ok "kmemleak: nothing is lost"
	fi
	rm -f "$out"
}

[ $# -gt 0 ] || { echo "usage: run.sh TEST..." >&2; exit 2; }
echo "TAP version 13"
for test in "$@"; do
	run_test "$test"
done
check_leaks
[ -n "${NFSYNC_NO_PLAN:-}" ] || echo "1..$NUMBER"
[ "$FAILED" -eq 0 ]
