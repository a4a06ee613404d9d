#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh [part...] - run every check, the quick ones first
#
# The debug kernels of the last parts are built meanwhile, with what the others
# leave of the processors. "debug-all" and "leaks" run only when they are named:
# they take hours.
#
# CHECK_SECONDS=N: after that time no more guest is started. Its tests are
# counted as skipped. Those that still run have eight minutes.
#
# Each part prints KTAP, which goes to stdout and to build/check/PART.log.
# The last line is "N passed, N failed, N skipped"; the exit status is 1 when
# something failed, or when a part ended badly or without a result, whatever
# its results say. A part that fails does not keep the others from running.

set -uo pipefail
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

LOGS=$TOP_DIR/build/check
FUZZ_SECONDS=${FUZZ_SECONDS:-60}
# The same frames and requests each time; others by hand
export FUZZ_SEED=${FUZZ_SEED:-1}
# On the other stock kernels: what their compat/ makes different. The rest of the
# short ones comes last, where CHECK_SECONDS may end it.
OTHERS="link basic nat update delete mtu"
# With an audit after each test
POINTS="update delete flush"
# Alone, since both processors of its guest turn round most of the time. It takes
# up to 15 minutes, and is not begun in the last so many seconds
INTERLEAVE_LAST=500
# The long tests begin none in the last so many seconds, and those on the debug
# kernel in the last so many, so that on a slow machine each has a share of the
# time; "rest-long" are those that were not begun
LONG_LAST=1000
DEBUG_LAST=400
# On the debug kernel, of all tests: the machines from inside, what guided fuzzers
# find, and whatever comes and goes meanwhile, memory too
DEBUG="kunit stress unload fuzzcover basic update badinput flush"
# What is concurrent: both nodes at work, and things that go meanwhile
RACES="takeover basic delete unload"
# What makes and ends much, and in what way it can end
LEAKS="basic delete unload"
PARTS="lint unit matrix install fuzz dkms guest-6.12 guest-6.1 guest-7.2 vng long"
PARTS+=" debug kcsan points interleave rest-long rest-7.2 rest-6.1"

# make without its own chatter, so that what remains is KTAP.
quiet_make()
{
	make -s --no-print-directory -C "$TOP_DIR" "$@"
}

# in_guest RUNNER KERNEL [TEST...]: build what the guest needs, then run it
in_guest()
{
	local runner=$1 kernel=$2

	shift
	if ! quiet_make guest KERNEL="$kernel" >"$LOGS/build.log" 2>&1; then
		tail -n 40 "$LOGS/build.log" | sed 's/^/# /'
		return 1
	fi
	"$LAB_DIR/$runner" "$@"
}

# with_points TEST...: on 6.12, by a module that has them
with_points()
{
	local built=$TOP_DIR/build/points

	if ! NFSYNC_INJECT=y "$LAB_DIR/module.sh" 6.12 "$built" \
		>"$LOGS/build.log" 2>&1; then
		tail -n 40 "$LOGS/build.log" | sed 's/^/# /'
		return 1
	fi
	NFSYNC_BUILT=$built "$LAB_DIR/guest.sh" 6.12 "$@"
}

# tests short|long: of which kind they are
tests()
{
	quiet_make -C selftests "list-$1"
}

# rest: of the short ones those that OTHERS leaves out
rest()
{
	local test

	for test in $(tests short); do
		[[ " $OTHERS " == *" $test "* ]] || echo "$test"
	done
}

# without_last SECONDS COMMAND...: with so much less time
without_last()
{
	local last=$1

	shift
	DEADLINE=${DEADLINE:+$((DEADLINE - last))} "$@"
}

# rest_long: what the long part had no time for
rest_long()
{
	local tests

	tests=$(awk '/# SKIP no time left$/ { print $3 }' "$LOGS/long.log")
	if [ -z "$tests" ]; then
		echo "1..0"
		return
	fi
	# shellcheck disable=SC2086
	in_guest guest.sh 6.12 $tests
}

# What each part is.
run_part()
{
	# shellcheck disable=SC2086,SC2046
	case $1 in
	lint) "$LAB_DIR/lint.sh" ;;
	unit) quiet_make -j"$(nproc)" check-unit ;;
	matrix) "$LAB_DIR/matrix.sh" ;;
	fuzz) quiet_make check-fuzz SECONDS="$FUZZ_SECONDS" ;;
	dkms) "$LAB_DIR/dkms.sh" ;;
	install) "$LAB_DIR/install.sh" ;;
	guest-6.12) in_guest guest.sh 6.12 $(tests short) ;;
	long) without_last $LONG_LAST in_guest guest.sh 6.12 $(tests long) ;;
	rest-long) rest_long ;;
	guest-*) in_guest guest.sh "${1#guest-}" $OTHERS ;;
	rest-*) in_guest guest.sh "${1#rest-}" $(rest) ;;
	interleave) without_last $INTERLEAVE_LAST with_points interleave ;;
	points) with_points $POINTS ;;
	debug) without_last $DEBUG_LAST in_guest guest.sh debug $DEBUG ;;
	debug-all) in_guest guest.sh debug ;;
	leaks) KMEMLEAK=on in_guest guest.sh debug $LEAKS ;;
	kcsan) SMP=2 in_guest guest.sh kcsan $RACES ;;
	vng) in_guest vng.sh 6.12 link ;;
	*) die "unknown part: $1" ;;
	esac
}

# Counts of one part's log; a bad ending that no result tells is a failure.
count_part()
{
	local log=$1 status=$2 p f s

	read -r p f s < <(awk -f "$LAB_DIR/ktap-count.awk" "$log")
	awk -f "$LAB_DIR/ktap-count.awk" "$log" | sed 1d
	if [ "$status" != 0 ] && [ "$f" = 0 ]; then
		echo "# ended with status $status although nothing failed"
		f=1
	fi
	passed=$((passed + p))
	failed=$((failed + f))
	skipped=$((skipped + s))
	echo "# $p passed, $f failed, $s skipped"
	[ "$f" = 0 ] || failures="$failures $part"
}

# build_ahead PART...: the kernels that they need. Guests wait for much of their
# time; a build that failed is tried again by the part, which tells of it.
build_ahead()
{
	local part kernels=""

	for part; do
		case $part in
		debug* | leaks) kernels+=" debug" ;;
		kcsan) kernels+=" kcsan" ;;
		esac
	done
	[ -n "$kernels" ] || return 0
	# shellcheck disable=SC2086
	chrt -i 0 "$LAB_DIR/setup.sh" $kernels > "$LOGS/kernels.log" 2>&1 &
	trap 'kill $(jobs -p) 2> /dev/null' EXIT
}

main()
{
	local part status began passed=0 failed=0 skipped=0 failures=""

	mkdir -p "$LOGS"
	# shellcheck disable=SC2086
	[ $# -gt 0 ] || set -- $PARTS
	if [ -n "${CHECK_SECONDS:-}" ]; then
		export DEADLINE=$(($(date +%s) + CHECK_SECONDS))
		export ALL_END=$((DEADLINE + 480))
	fi
	build_ahead "$@"
	for part; do
		began=$SECONDS
		echo "# ==== $part"
		run_part "$part" </dev/null 2>&1 | tee "$LOGS/$part.log"
		status=${PIPESTATUS[0]}
		count_part "$LOGS/$part.log" "$status"
		echo "# ==== $part took $((SECONDS - began)) s"
	done
	[ -z "$failures" ] || echo "# failures in:$failures"
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
}

main "$@"
