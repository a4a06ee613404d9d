#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A table that is emptied by hand (conntrack -F) is told in one message and not
# by the end of each entry; what moves is told anew; an emptied standby harms
# nobody and gets back what lives. CLR of a peer removes what it names.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all traffic, nfsync0
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      no traffic, nfsync0
#                  .3 lan +-----+ wan .3        rawsync

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=peers.sh
. "$(dirname "$0")/peers.sh"

HOSTID=0x0a0b0c0d	# of fw1
N=2000

test_flush_of_idle_entries()
{
	local clr del

	start_empty
	check "entries" ct_add "$fw1" 20000 $N
	check "on fw2" wait_states "$fw2" $N
	check "quiet" wait_quiet "$fw1"
	clr=$(stat_get "$fw1" tx_clr)
	del=$(stat_get "$fw1" tx_del_c)
	# news of a flush wait for its end, for 100 intervals at most: enough
	# for the slowest guest
	ip -n "$fw1" link set "$DEV" type pfsync flush 500
	ct_flush "$fw1"
	check "fw2 is empty" wait_states "$fw2" 0
	check "quiet" wait_quiet "$fw1"
	ip -n "$fw1" link set "$DEV" type pfsync flush 10
	expect "CLRs" "$(($(stat_get "$fw1" tx_clr) - clr))" ge 1
	expect "deletions told one by one" \
		"$(($(stat_get "$fw1" tx_del_c) - del))" le $((N / 10))
	echo "# $(($(stat_get "$fw1" tx_clr) - clr)) CLR," \
		"$(($(stat_get "$fw1" tx_del_c) - del)) DEL_C"
	expect "entries on fw1" "$(ct_count "$fw1")" eq 0
}

# A CLR only speaks for what its sender created or moved
test_flush_of_what_two_nodes_created()
{
	local clr

	start_empty
	check "entries" ct_add "$fw1" 20000 200
	check "entries" ct_add "$fw2" 40000 200
	check "on fw2" wait_states "$fw2" 400
	check "on fw1" wait_states "$fw1" 400
	check "quiet" wait_quiet "$fw1" "$fw2"
	clr=$(stat_get "$fw1" tx_clr)
	ip -n "$fw1" link set "$DEV" type pfsync flush 500
	ct_flush "$fw1"
	# fw1 has no say in what it merely learned of
	check "its own are gone from fw2" wait_ports "$fw2" 20000 29999 0
	ip -n "$fw1" link set "$DEV" type pfsync flush 10
	expect "CLRs" "$(($(stat_get "$fw1" tx_clr) - clr))" ge 1
	expect "those of fw2 stay there" \
		"$(ports_in "$fw2" 40000 49999)" eq 200
	ct_flush "$fw2"
	healed "flush of both"
}

# UDP, as the rules refuse TCP that nobody knows; what was flushed and moves is
# new on both
test_flush_under_traffic()
{
	start_empty
	check "entries" ct_add "$fw1" 20000 $N
	flows busy -u -n 20 -r 0 -w 20 -p 32000
	check "on fw2" wait_states "$fw2" $((N + 20))
	ct_flush "$fw1"
	flows new -n 10 -H -p 33000
	check "flushed entries gone from fw2" wait_ports "$fw2" 20000 29999 0
	check "busy flows are back" wait_ports "$fw1" 32000 32999 20
	healed "flush under traffic"
	expect "new flows on fw2" "$(ports_in "$fw2" 33000 33999 \
		-p tcp --state ESTABLISHED)" eq 10
	expect "busy flows on fw2" "$(ports_in "$fw2" 32000 32999)" eq 20
	flows_end busy new
	healed "at the end"
}

test_flush_again_and_again()
{
	local i

	start_empty
	flows busy -u -n 10 -r 0 -w 20 -p 32000
	for ((i = 0; i < 5; i++)); do
		check "entries" ct_add "$fw1" 20000 200
		ct_flush "$fw1"
	done
	check "entries" ct_add "$fw1" 21000 50
	check "busy flows are back" wait_ports "$fw1" 32000 32999 10
	healed "five flushes"
	expect "flushed" "$(ports_in "$fw2" 20000 20999)" eq 0
	expect "the last ones" "$(ports_in "$fw2" 21000 21999)" eq 50
	flows_end busy
}

test_flush_of_the_standby()
{
	local clr del

	start_empty
	check "entries" ct_add "$fw1" 20000 100
	flows idle -n 10 -H -p 31000
	flows busy -n 10 -r 0 -w 20 -U 20000 -D 20000 -p 32000
	check "on fw2" wait_states "$fw2" 120
	clr=$(stat_get "$fw2" tx_clr)
	del=$(stat_get "$fw2" tx_del_c)
	ct_flush "$fw2"
	check "what moves comes back" wait_ports "$fw2" 32000 32999 10 \
		-p tcp --state ESTABLISHED
	expect "entries on fw1" "$(ct_list "$fw1" | wc -l)" eq 120
	expect "CLRs of fw2" "$(stat_get "$fw2" tx_clr)" eq "$clr"
	expect "deletions told by fw2" "$(stat_get "$fw2" tx_del_c)" eq "$del"
	flows_end idle
	check "what was idle comes back" wait_ports "$fw2" 31000 31999 10
	flows_end busy
}

# raw ITEM...: a frame of the other node's kind, to fw2
raw()
{
	in_ns "$fw1" rawsync -i sync -s "$FW1_SYNC" "$@"
}

# learned ID CREATOR PORT: a state of that node, on fw2
learned()
{
	raw "ins,id=$1,creator=$2,src=$CL4,dst=$SV4,sport=$3,dport=80"
}

test_clr()
{
	local i seen told

	start_empty
	for ((i = 0; i < 3; i++)); do
		learned $i 0x77777777 $((20000 + i))
		learned $i 0x88888888 $((30000 + i))
	done
	check "entries" ct_add "$fw1" 40000 3
	check "on fw2" wait_states "$fw2" 9
	seen=$(stat_get "$fw2" rx_clr)
	told=$(stat_get "$fw2" tx_del_c)
	raw clr,creator=0x12345678
	# states float: none of them is of an interface
	raw clr,creator=0x77777777,ifname=eth7
	check "seen" wait_stat "$fw2" rx_clr $((seen + 2))
	raw clr,creator=0x77777777
	check "those of the first" wait_ports "$fw2" 20000 29999 0
	# whatever the first two did, it is done by now
	expect "all others" "$(ct_count "$fw2")" eq 6
	raw clr,creator=0x88888888,ifname=all
	check "those of the second" wait_ports "$fw2" 30000 39999 0
	expect "all others" "$(ct_count "$fw2")" eq 3
	raw "clr,creator=$HOSTID"
	check "those of fw1" wait_states "$fw2" 0
	expect "on fw1" "$(ct_count "$fw1")" eq 3
	expect "deletions told by fw2" "$(stat_get "$fw2" tx_del_c)" eq "$told"
}

# Somebody tells fw1 to forget what it forwards right now
test_clr_of_live_flows()
{
	local refused

	start_empty
	flows busy -n 10 -r 0 -w 20 -p 32000
	check "entries" ct_add "$fw1" 20000 50
	check "on fw2" wait_states "$fw2" 60
	refused=$(stat_get "$fw1" del_refused)
	in_ns "$fw2" rawsync -i sync -s "$FW2_SYNC" "clr,creator=$HOSTID"
	check "refused" wait_stat "$fw1" del_refused $((refused + 10))
	flows_end busy
	expect "invalid on fw1" "$(invalid_count "$fw1")" eq 0
}

# fw1 was active: what it created and fw2 has now is none of its business, whether
# it moves in this very moment or not
test_flush_where_the_flows_were()
{
	local clr

	start_empty
	flows moved -n 20 -r 0 -w 4000 -p 31000
	check "on fw2" wait_ports "$fw2" 31000 31999 20 \
		-p tcp --state ESTABLISHED
	check "fw2 gets the gateway" move_gateway "$fw2"
	check "they move there" wait_packets "$fw2" lan 80
	check "entries" ct_add "$fw1" 20000 100
	check "on fw2" wait_states "$fw2" 120
	check "quiet" wait_quiet "$fw1" "$fw2"
	clr=$(stat_get "$fw1" tx_clr)
	ct_flush "$fw1"
	check "its own are gone from fw2" wait_ports "$fw2" 20000 29999 0
	expect "those that moved" "$(ports_in "$fw2" 31000 31999 \
		-p tcp --state ESTABLISHED)" eq 20
	expect "CLRs" "$(stat_get "$fw1" tx_clr)" eq "$clr"
	flows_end moved
	healed "flush where the flows were"
	expect "invalid on fw2" "$(invalid_count "$fw2")" eq 0
	check "gateway returns" move_gateway "$fw1"
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
nfsync_pair_by_name "$HOSTID" || skip_all "nfsync does not come up"
run_tests test_flush_of_idle_entries test_flush_of_what_two_nodes_created \
	test_flush_under_traffic test_flush_again_and_again \
	test_flush_of_the_standby test_clr test_clr_of_live_flows \
	test_flush_where_the_flows_were
