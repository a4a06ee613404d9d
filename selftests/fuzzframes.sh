#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Frames by the ten thousand that nobody should send, to a node that forwards
# live connections beside a peer that is in its right mind. Each is counted
# once, under the reason that an independent judge has for it (fuzzjudge.c);
# what is refused changes nothing; what is not may change entries, and nothing
# else.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all traffic, nfsync0
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      nfsync0, fuzzsync
#                  .3 lan +-----+ wan .3
#
#   FUZZ_SECONDS  how long it goes on, of frames that may be good (20)
#   FUZZ_SEED     what brings a run back (it is told)

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=peers.sh
. "$(dirname "$0")/peers.sh"
# shellcheck source=objects.sh
. "$(dirname "$0")/objects.sh"
# shellcheck source=frames.sh
. "$(dirname "$0")/frames.sh"

N=$(scaled 3000 500)

# fuzz WHAT REASON FUZZSYNC_OPTIONS...: send, and compare the counters
fuzz()
{
	local what=$1 reason=$2
	shift 2
	snap before
	in_ns "$fw2" fuzzsync -i sync -s "$FW2_SYNC" -h $OWN -S "$FUZZ_SEED" \
		-r "$TMP/recorded" "$@" > "$TMP/report" 2> "$TMP/said"
	check "$what: fuzzsync" grep -q '^sent' "$TMP/report" || return
	check "$what: counters" wait_for 20 counted "$reason"
	echo "# $what: $(tail -n 1 "$TMP/said"): $(tail -n 1 "$TMP/wait")"
}

# What a real peer sends: numbers, hello, a transfer with its states
record()
{
	spawn "$fw1" rawrecv -x 1000 600
	wait_for "$WAIT" grep -q listening "$OUT" || return 1
	in_ns "$fw1" rawsync -i sync -s "$FW1_SYNC" upd_req,id=0,creator=0
	wait_for "$WAIT" grep -q '82080001.*0a030001' "$OUT" || return 1
	wait_for "$WAIT" grep -qE '0e4[28]00' "$OUT" || return 1
	kill "$PID"
	cp "$OUT" "$TMP/recorded"
	echo "# $(wc -l < "$OUT") frames recorded"
}

# The live connections and whatever else is there
remember()
{
	ct_list "$fw1" > "$TMP/table"
}

unchanged()
{
	ct_list "$fw1" > "$TMP/table.now"
	diff "$TMP/table" "$TMP/table.now"
}

# both_speak_to PEER_OF_FW1 PEER_OF_FW2
both_speak_to()
{
	ip -n "$fw1" link set "$DEV" type pfsync syncpeer "$1" &&
		ip -n "$fw2" link set "$DEV" type pfsync syncpeer "$2" &&
		both_in_sync
}

test_frames_from_elsewhere_change_nothing()
{
	remember
	fuzz "TTL 254" badttl -n "$N" -T 254
	fuzz "TTL 1" badttl -n "$N" -T 1 -s 10.0.9.77
	fuzz "own address" rx_own -n "$N" -s "$FW1_SYNC" -d "$FW1_SYNC"
	fuzz "other interface" badif -n "$N" -i lan -s 10.0.1.3 -d 10.0.1.1
	check "unicast" both_speak_to "$FW2_SYNC" "$FW1_SYNC"
	fuzz "other sender" badauth -n "$N" -s 10.0.9.77 -d "$FW1_SYNC"
	check "same table" unchanged
	check "live connections" kill -0 "${CLIENT[live]}"
}

test_frames_to_a_device_that_is_down_change_nothing()
{
	check "down" ip -n "$fw1" link set "$DEV" down
	remember
	fuzz "device down" rx_down -n "$N" -d "$FW1_SYNC"
	check "same table" unchanged
	check "up" ip -n "$fw1" link set "$DEV" up
	check "group" both_speak_to 224.0.0.240 224.0.0.240
}

test_malformed_frames_change_nothing()
{
	both_in_sync
	remember
	fuzz "malformed" "" -n $((N * 3)) -b
	check "same table" unchanged
	verdict "$fw1" in-sync
	flows_end live
}

# Somebody on the wire can do what he likes with connections (README); with the
# node he can not
test_frames_of_no_number()
{
	coming_and_going
	fuzz "no number" "" -u -t $((FUZZ_SECONDS / 2))
	check "up" has_flag "$fw1" UP
	kill "$COMER"
}

test_any_frames()
{
	local ns

	coming_and_going
	for ns in "$fw1" "$fw2"; do
		ip -n "$ns" link set "$DEV" type pfsync defer on local on \
			natshare "$([ "$ns" = "$fw1" ] && echo 0/2 || echo 1/2)"
	done
	fuzz "any" "" -a -f 1000000 -t $((FUZZ_SECONDS - FUZZ_SECONDS / 2))
	check "up" has_flag "$fw1" UP
	kill "$COMER"
}

# What was made up has been told, asked for and denied: that comes to an end
test_both_come_to_rest()
{
	check "quiet" wait_quiet "$fw1" "$fw2"
	echo "# $(stat_get "$fw1" states) states on fw1," \
		"$(stat_get "$fw2" states) on fw2"
}

test_all_is_well_afterwards()
{
	well_afterwards
}

test_nothing_is_left()
{
	all_is_gone
}

need_nfsync
need_plugin
objects_before
topo_up || skip_all "the topology cannot be set up here"
printf '@%s\nsysctl net.ipv4.conf.all.accept_local=1\n' "$fw1" | netlab
printf '@%s\nsysctl net.ipv4.conf.sync.accept_local=1\n' "$fw1" | netlab
nfsync_pair_by_name $OWN || skip_all "nfsync does not come up"
flows live -n 10 -r 0 -w 100 || skip_all "no traffic"
wait_states "$fw2" 10
record || skip_all "a transfer cannot be recorded"
echo "# FUZZ_SEED=$FUZZ_SEED"
run_tests test_frames_from_elsewhere_change_nothing \
	test_frames_to_a_device_that_is_down_change_nothing \
	test_malformed_frames_change_nothing test_frames_of_no_number \
	test_any_frames test_both_come_to_rest test_all_is_well_afterwards \
	test_nothing_is_left
