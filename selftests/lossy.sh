#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The sync link loses, doubles, reorders and delays frames, flaps, works in one
# direction only, swallows what is long, and has no room, while connections
# open, transfer, close and are deleted. When the traffic rests both tables
# become equal, with the fault still there where anything passes at all, and no
# connection has noticed anything.
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
# X: tc on both sync devices, or nft where a node is deaf. How long it took is
# told and not judged.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=peers.sh
. "$(dirname "$0")/peers.sh"

N_IDLE=30

# Counters of both nodes that tell how bad it was
faults()
{
	local ns name

	for ns in "$fw1" "$fw2"; do
		for name in rx_lost rx_twice rx_late bulk_torn swept; do
			printf '%s=%s ' "$name" "$(stat_get "$ns" $name)"
		done
		printf '%s' "${ns:+| }"
	done
}

both_stats()
{
	echo $(($(stat_get "$fw1" "$1") + $(stat_get "$fw2" "$1")))
}

# What is there before the fault: an entry of these ends under it
before()
{
	start_empty
	check "entries" ct_add "$fw1" 20000 40 9
	flows old -n 10 -H -p 21000
	check "on fw2" wait_states "$fw2" 50
}

# All that can happen to a flow, under the fault; $N_IDLE stay open and idle
traffic()
{
	flows idle -n $N_IDLE -H -p 22000
	flows busy "$SV6" -n 5 -r 0 -U 20000 -D 20000
	check "entries" ct_add "$fw1" 23000 60
	check "old entries deleted" ct_del "$fw1" --mark 9
	check "connections open and close" flow_cl -n 100 -c 20 -e -q 4
	check "connections with an RST" flow_cl -n 10 -a
	check "udp" flow_cl -u -n 20
	check "ping" ping_cl "$SV4" 2
	flows_end old
	check "new entries deleted" ct_del "$fw1" -p udp --dport 9
	check "other entries" ct_add "$fw1" 24000 30
	flows_end busy
}

# What must be there when both tables are equal
holds()
{
	expect "idle connections on fw2" "$(ports_in "$fw2" 22000 22099 \
		-p tcp --state ESTABLISHED)" eq $N_IDLE
	expect "deleted entries" "$(ports_in "$fw2" 20000 20099)" eq 0
	expect "deleted entries" "$(ports_in "$fw2" 23000 23099)" eq 0
	expect "new entries" "$(ports_in "$fw2" 24000 24099)" eq 30
	# nobody may have ended them on fw1
	expect "idle connections on fw1" "$(ports_in "$fw1" 22000 22099 \
		-p tcp --state ESTABLISHED)" eq $N_IDLE
}

# under WHAT OPTIONS...: of netem; the fault lasts until both tables are equal,
# and for another change or two
under()
{
	local what=$1
	shift

	before
	check "netem" shape netem "$@" limit 10000
	traffic
	healed "$what"
	holds
	flows_end idle
	healed "$what, at the end"
	echo "# $what: $(faults)"
	heal_link
	both_in_sync
	expect "invalid on fw1" "$(invalid_count "$fw1")" eq 0
}

test_loss_of_1_percent()
{
	under "1 % loss" loss 1%
}

test_loss_of_10_percent()
{
	local lost

	lost=$(both_stats rx_lost)
	under "10 % loss" loss 10%
	expect "lost frames" "$(both_stats rx_lost)" gt "$lost"
}

test_loss_of_30_percent()
{
	local lost

	lost=$(both_stats rx_lost)
	under "30 % loss" loss 30%
	expect "lost frames" "$(both_stats rx_lost)" gt "$lost"
}

test_duplication()
{
	local twice

	twice=$(both_stats rx_twice)
	under "10 % twice" duplicate 10%
	expect "doubled frames" "$(both_stats rx_twice)" gt "$twice"
}

test_reordering()
{
	under "half of it reordered" delay 20ms reorder 50% 50%
}

test_jitter()
{
	under "50 ms jitter" delay 60ms 50ms
}

test_everything_at_once()
{
	under "all of it" loss 5% duplicate 5% delay 30ms 20ms
}

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

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
nfsync_pair || skip_all "nfsync does not come up"
run_tests test_loss_of_1_percent test_loss_of_10_percent \
	test_loss_of_30_percent test_duplication test_reordering test_jitter \
	test_everything_at_once test_link_flaps test_one_way_link_to_fw1 \
	test_one_way_link_to_fw2 test_mtu_black_hole \
	test_joining_through_a_black_hole test_saturated_link
