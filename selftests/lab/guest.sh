#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# guest.sh KERNEL [TEST...] - run kselftests (all without TEST) in guests
#
# Each test has a guest of its own, JOBS of them at a time. Prints one KTAP
# stream in the order of the tests; the last result of each is its guest's: a
# console without splats, and an end as it should be. GUEST_TIMEOUT (of one
# test), SMP, MEM, ONLY, NFSYNC_SLOW and what begins with FUZZ_ or STRESS_ are
# passed on; the consoles are kept in build/KERNEL. COVERAGE_DIR gets TEST.tgz
# with the .gcda of each (coverage.sh), NFSYNC_BUILT is where the modules are
# (build/KERNEL). KERNEL is one of the stock kernels, or debug or kcsan, which
# are slow: tests wait longer in them and have less of what they have many of.

set -uo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

# knobs: those of the tests that run for as long as one likes, as assignments
knobs()
{
	local name

	for name in "${!FUZZ_@}" "${!STRESS_@}"; do
		printf '%s=%q ' "$name" "${!name}"
	done
}

# limit: seconds that a guest may take which starts now. One that hangs in the
# end of a check is to fail while somebody still looks; a second try gets a minute
# in any case.
limit()
{
	local limit=$GUEST_TIMEOUT left

	left=$((${ALL_END:-9999999999} - $(date +%s)))
	left=$((left > 60 ? left : 60))
	echo $((limit < left ? limit : left))
}

# one_guest TEST: its results to OUT/TEST.log and its status to OUT/TEST.status
one_guest()
{
	local test=$1 began=$SECONDS status tries limit

	if [ "$(date +%s)" -ge "${DEADLINE:-9999999999}" ]; then
		echo "ok 1 $test # SKIP no time left" > "$OUT/$test.log"
		echo skipped > "$OUT/$test.status"
		return
	fi
	for tries in 1 2 3; do
		limit=$(limit)
		COVERAGE=${COVERAGE_DIR:+$COVERAGE_DIR/$test.tgz} \
			"$LAB_DIR/boot.sh" -t "$limit" \
			-l "$BUILT/$test.console" "$KERNEL" \
			"export NFSYNC_NO_PLAN=1 NFSYNC_SLOW=$NFSYNC_SLOW" \
			"ONLY='${ONLY:-}' TEST_TIMEOUT=$((limit - 30))" \
			"$(knobs);" "/selftests/run.sh $test" \
			> "$OUT/$test.log" 2>&1
		status=$?
		[ "$status" -eq 93 ] || break
	done
	[ "$tries" -eq 1 ] || echo "# guest: the emulator was at fault in" \
		"$test, try $tries counts" >> "$OUT/$test.log"
	echo "# guest: $test took $((SECONDS - began)) s" >> "$OUT/$test.log"
	echo "$status" > "$OUT/$test.status"
}

# run_guests: JOBS at a time, in the order of the tests
run_guests()
{
	local test

	for test in "${TESTS[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do
			wait -n
		done
		one_guest "$test" &
	done
	wait
}

# number_results: those of stdin go on from LAST, which lives in a file
number_results()
{
	awk -v n="$(cat "$OUT/last")" -v last="$OUT/last" '
		/^TAP version/ { next }
		/^(not )?ok [0-9]+/ { sub(/ok [0-9]+/, "ok " ++n) }
		{ print }
		END { print n > last }'
}

# report TEST: once it has ended. Status 1 is "a test failed", which the lines
# above it have said already.
report()
{
	local test=$1 status

	while [ ! -s "$OUT/$test.status" ]; do
		sleep 0.2
	done
	status=$(cat "$OUT/$test.status")
	{
		cat "$OUT/$test.log"
		if [ "$status" = skipped ]; then
			:
		elif [ "$status" -le 1 ]; then
			echo "ok 1 $test: console of $KERNEL is clean"
		else
			echo "not ok 1 $test: console of $KERNEL is clean" \
				"(boot.sh: $status)"
		fi
	} | number_results
	case $status in
	0 | skipped) ;;
	*) FAILED=1 ;;
	esac
}

[ $# -ge 1 ] || die "usage: guest.sh KERNEL [TEST...]"
KERNEL=$1
shift
[ $# -gt 0 ] || read -ra TESTS < <(make -s -C "$TOP_DIR/selftests" list)
[ $# -eq 0 ] || TESTS=("$@")
make -s -C "$TOP_DIR/selftests/bin" || exit 1
BUILT=$TOP_DIR/build/$KERNEL
mkdir -p "$BUILT"
: "${GUEST_TIMEOUT:=1800}"
case $KERNEL in
debug) : "${NFSYNC_SLOW:=10}" ;;
kcsan) : "${NFSYNC_SLOW:=5}" ;;
*) : "${NFSYNC_SLOW:=1}" ;;
esac
# A guest has two processors, and waits for half of its time
: "${JOBS:=$(nproc)}"
OUT=$(mktemp -d)
# What runs when we are stopped are the guests: they go with us
trap 'kill $(jobs -rp) 2> /dev/null; rm -rf "$OUT"' EXIT
FAILED=0
echo 0 > "$OUT/last"
# The first would make the archives of the lab while the second reads them
"$LAB_DIR/initramfs.sh" "$KERNEL" "$OUT/initrd" || exit 1
rm -f "$OUT/initrd"

echo "TAP version 13"
run_guests &
for test in "${TESTS[@]}"; do
	report "$test"
done
echo "1..$(cat "$OUT/last")"
exit $FAILED
