#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# 100,000 SYNs that nobody answers fill fw1's table, and cost the sync link
# and fw2's table nothing; connections that mean it are synchronised as ever.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all traffic, nfsync0
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      no traffic, nfsync0
#                  .3 lan +-----+ wan .3
#
# sv says nothing at all about port 9, to which the SYNs go.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

FLOOD=$(scaled 50000)	# of each family
FEW=10			# frames or states that something else may cost

raise_limit()
{
	local file=/proc/sys/net/netfilter/nf_conntrack_max old

	old=$(cat $file)
	[ "$old" -ge 300000 ] && return
	on_exit eval "echo $old > $file"
	echo 300000 > $file
}

sync_cost()
{
	local name sum=0

	for name in "$@"; do
		sum=$((sum + $(stat_get "$fw1" "$name")))
	done
	echo "$sum"
}

test_flood_costs_the_peer_nothing()
{
	local frames told states

	check "quiet" wait_quiet "$fw1"
	frames=$(sent_but_hellos "$fw1")
	told=$(sync_cost tx_ins tx_upd tx_upd_c tx_del_c)
	states=$(ct_count "$fw2")
	check "flood" in_ns "$cl" synflood -n "$FLOOD" 10.0.1.77 "$SV4" 9
	check "flood over ipv6" in_ns "$cl" synflood -n "$FLOOD" fd00:1::77 \
		"$SV6" 9
	check "quiet" wait_quiet "$fw1"
	# some are lost on their way, on a host that has no time
	expect "half-open entries on fw1" "$(ct_count "$fw1")" ge \
		$((FLOOD + FLOOD / 2))
	expect "frames" $(($(sent_but_hellos "$fw1") - frames)) le "$FEW"
	expect "messages" $(($(sync_cost tx_ins tx_upd tx_upd_c tx_del_c) -
		told)) le "$FEW"
	expect "states on fw2" "$(ct_count "$fw2")" eq "$states"
	expect "sync states on fw1" "$(stat_get "$fw1" states)" le "$FEW"
}

# Forgotten without a word as well
test_their_end_costs_nothing()
{
	local frames

	frames=$(sent_but_hellos "$fw1")
	in_ns "$fw1" conntrack -F > "$TMP/flush" 2>&1
	check "gone" wait_states "$fw1" 0
	check "quiet" wait_quiet "$fw1"
	expect "frames" $(($(sent_but_hellos "$fw1") - frames)) le "$FEW"
}

test_connections_during_a_flood()
{
	local flood

	in_ns "$fw2" conntrack -F > "$TMP/flush" 2>&1
	check "fw2 begins empty" wait_states "$fw2" 0
	spawn "$cl" synflood -n 1000000 -r "$(scaled 2000)" 10.0.1.78 "$SV4" 9
	flood=$PID
	rm -f "$TMP/up"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -n 50 -H -S "$TMP/up"
	check "connections" wait_file "$TMP/up"
	check "all of them on fw2" wait_states "$fw2" 50
	expect "established on fw2" \
		"$(ct_count "$fw2" -p tcp --state ESTABLISHED)" eq 50
	check "the flood was still on" kill -0 "$flood"
	kill -USR1 "$PID"
	check "connections end well" wait "$PID"
	kill "$flood"
	wait "$flood" 2> "$TMP/killed" || :
	expect "states on fw2" "$(ct_count "$fw2")" eq 50
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
raise_limit
nfsync_pair || skip_all "nfsync does not come up"
blackhole 9
run_tests test_flood_costs_the_peer_nothing test_their_end_costs_nothing \
	test_connections_during_a_flood
