#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The sync link flaps, works in one direction only, swallows what is long, or
# has no room, while connections open, transfer, close and are deleted. Nobody
# claims to be in sync meanwhile; when it is over both tables become equal, and
# no connection has noticed anything.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all traffic, nfsync0
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      X      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      no traffic, nfsync0
#                  .3 lan +-----+ wan .3
#
# X: nft where a node does not hear, tc on both sync devices where there is no
# room. How long it took is told and not judged.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=peers.sh
. "$(dirname "$0")/peers.sh"

# flap N: the link goes and comes, on either side
flap()
{
	local i ns

	for ((i = 0; i < $1; i++)); do
		ns=$fw1
		[ $((i % 2)) = 0 ] || ns=$fw2
		ip -n "$ns" link set sync down
		sleep 0.$((RANDOM % 9))
		ip -n "$ns" link set sync up
		sleep 0.$((RANDOM % 9))
	done
}

test_link_flaps()
{
	local pid

	before
	flap 10 &
	pid=$!
	SPAWNED+=("$pid")
	traffic
	wait "$pid"
	healed "10 flaps"
	both_in_sync
	holds
	flows_end idle
	healed "10 flaps, at the end"
	echo "# 10 flaps: $(faults)"
}

# lasting WHAT: what a node missed, it gets when the fault is over
lasting()
{
	heal_link
	healed "$1"
	holds
	both_in_sync
	flows_end idle
	healed "$1, at the end"
	echo "# $1: $(faults)"
}

# fw1 hears a peer all the time and does not know that it speaks to nobody
test_one_way_link_to_fw1()
{
	before
	check "fw2 deaf" lose "$fw2" all
	traffic
	verdict "$fw2" alone
	expect "deleted entries on fw2, still" \
		"$(ports_in "$fw2" 20000 20099)" eq 40
	expect "frames not heard" "$(lost "$fw2")" gt 0
	lasting "one-way link"
}

test_one_way_link_to_fw2()
{
	before
	check "fw1 deaf" lose "$fw1" all
	traffic
	verdict "$fw1" alone
	healed "one-way link, what fw2 hears"
	lasting "one-way link, the other way"
}

# Greetings pass and states do not: nobody may call that in sync
test_mtu_black_hole()
{
	local torn

	before
	torn=$(stat_get "$fw2" bulk_torn)
	check "black hole" lose_long "$fw2" 400
	traffic
	check "transfers fail" wait_stat "$fw2" bulk_torn $((torn + 2))
	expect "frames swallowed" "$(lost "$fw2")" gt 0
	verdict "$fw2" healing
	# it served before and is still the best there is
	check "running" running "$fw2"
	lasting "MTU black hole"
}

test_joining_through_a_black_hole()
{
	start_empty
	flows idle -n $N_IDLE -H -p 22000
	check "other entries" ct_add "$fw1" 24000 30
	nfsync_down "$fw2"
	ct_flush "$fw2"
	check "black hole" lose_long "$fw2" 400
	check "fw2 up" nfsync_up "$fw2"
	verdict "$fw2" not-in-sync
	check "transfers fail" wait_stat "$fw2" bulk_torn 3
	verdict "$fw2" not-in-sync
	check "not running" not running "$fw2"
	lasting "joining through a black hole"
}

# Other traffic takes what room there is: most frames do not leave
test_saturated_link()
{
	local lost ping

	before
	lost=$(both_stats rx_lost)
	check "narrow" shape tbf rate 128kbit burst 3000 limit 6000
	spawn "$fw1" ping -q -i 0.005 -s 1000 "$FW2_SYNC"
	ping=$PID
	traffic
	kill "$ping"
	lasting "saturated link"
	expect "lost frames" "$(both_stats rx_lost)" gt "$lost"
}

# jump SECONDS: the time of day, for all
jump()
{
	date -s "@$(($(date +%s) + $1))" > "$TMP/date"
}

# Not the link, but as bad for whoever believes in the time of day: it goes on
# by a day, then back by two, and a node joins with ids of an earlier date
test_clock_jumps()
{
	[ -n "${NFSYNC_GUEST:-}" ] || { skip "would set this clock"; return; }
	before
	check "a day on" jump 86400
	traffic
	check "two days back" jump -172800
	nfsync_down "$fw2"
	check "fw2 up" nfsync_up "$fw2"
	verdict "$fw2" in-sync
	nfsync_down "$fw1"
	check "fw1 up" nfsync_up "$fw1"
	lasting "clock jumps"
	check "as it was" jump 86400
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
nfsync_pair || skip_all "nfsync does not come up"
run_tests test_link_flaps test_one_way_link_to_fw1 test_one_way_link_to_fw2 \
	test_mtu_black_hole test_joining_through_a_black_hole \
	test_saturated_link test_clock_jumps
