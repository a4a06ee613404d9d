#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Requests by the thousand to make and change a device, right ones and wrong
# ones: what has to be refused is, with a text, and changes nothing; what is
# accepted is shown by the device then, and nothing else has changed
# (fuzzlink.c). Afterwards the node is as good as before.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all traffic, nfsync0, fuzzlink
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      nfsync0
#                  .3 lan +-----+ wan .3
#
#   FUZZ_SECONDS  how long it goes on, each time (20)
#   FUZZ_SEED     what brings a run back (it is told)

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=peers.sh
. "$(dirname "$0")/peers.sh"
# shellcheck source=objects.sh
. "$(dirname "$0")/objects.sh"

: "${FUZZ_SECONDS:=20}"
: "${FUZZ_SEED:=$((RANDOM << 15 | RANDOM))}"

# fuzz FUZZLINK_OPTIONS...
fuzz()
{
	in_ns "$fw1" fuzzlink -S "$FUZZ_SEED" -d sync -d lan -b lo \
		-a "$FW2_SYNC" -a 10.0.9.77 -a 10.7.0.1 -B "$FW1_SYNC" \
		-B 10.0.9.255 -B 127.0.0.1 -B 224.0.0.1 -B 255.255.255.255 \
		"$@" "$DEV" > "$TMP/fuzz"
	local status=$?
	tail -n 40 "$TMP/fuzz" | sed 's/^/# /'
	return $status
}

# fuzzed N: as many requests were accepted, and as many refused
fuzzed()
{
	local accepted refused

	[[ "$(tail -n 1 "$TMP/fuzz")" =~ ([0-9]+)\ accepted,\ ([0-9]+)\ refused ]]
	accepted=${BASH_REMATCH[1]:-0} refused=${BASH_REMATCH[2]:-0}
	expect "accepted" "$accepted" ge "$1"
	expect "refused" "$refused" ge "$1"
}

# Its own check of that is what this test rests on: a device that is not what
# fuzzlink thinks makes it say so
test_fuzzlink_notices()
{
	nfsync_down "$fw1"
	in_ns "$fw1" fuzzlink -S 1 -n 50 -b sync -B "$FW2_SYNC" "$DEV" \
		> "$TMP/fuzz" && fail "what it thinks is refused was not"
	check "says so" grep -q ': was accepted:' "$TMP/fuzz"
}

test_changes()
{
	check "as expected" fuzz -t "$FUZZ_SECONDS"
	fuzzed 20
}

# Entries come, are told and end meanwhile, packets wait
test_changes_under_traffic()
{
	local comer

	spawn "$cl" flow client "$SV4" $((FLOW_PORT + 1)) -n 1000000 -c 4 \
		-R 20 -T $((1000 + FUZZ_SECONDS))
	comer=$PID
	flows live -n 5 -r 0 -w 100
	check "as expected" fuzz -t "$FUZZ_SECONDS" -f 1000000
	fuzzed 20
	kill "$comer"
	flows_end live
}

test_all_is_well_afterwards()
{
	ip -n "$fw1" link del "$DEV" 2> "$TMP/said"
	check "up" nfsync_up "$fw1"
	start_empty
	flows last -n 5 -H -p 21000
	healed "in the end"
	flows_end last
}

test_nothing_is_left()
{
	all_is_gone
}

need_nfsync
need_plugin
objects_before
modprobe -q nf_nat
topo_up || skip_all "the topology cannot be set up here"
nfsync_pair || skip_all "nfsync does not come up"
echo "# FUZZ_SEED=$FUZZ_SEED"
run_tests test_fuzzlink_notices test_changes test_changes_under_traffic \
	test_all_is_well_afterwards test_nothing_is_left
