#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# States of TCP, UDP and ICMP flows, over IPv4 and IPv6, appear on the standby
# while they live; by the group and by a unicast peer.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all traffic, nfsync0
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      no traffic, nfsync0
#                  .3 lan +-----+ wan .3

. "$(dirname "$0")/lib.sh"

# held_flows WHAT FLOW...: open, compare the tables while all of it lives, close
held_flows()
{
	local what=$1 pid
	shift
	rm -f "$TMP/up"
	spawn "$cl" "$@" -S "$TMP/up"
	pid=$PID
	check "$what: flows open" wait_file "$TMP/up"
	check "$what: same tables" wait_same_tables
	expect "$what: states" "$(ct_count "$fw2")" ge 10
	kill -USR1 "$pid"
	check "$what: flows end well" wait "$pid"
	check "$what: same tables after the end" wait_same_tables
}

test_tcp_ipv4()
{
	held_flows tcp4 flow client "$SV4" "$FLOW_PORT" -n 10 -H
}

test_tcp_ipv6()
{
	held_flows tcp6 flow client "$SV6" "$FLOW_PORT" -n 10 -H
}

test_udp_ipv4()
{
	held_flows udp4 flow client "$SV4" "$FLOW_PORT" -u -n 10 -H
}

test_udp_ipv6()
{
	held_flows udp6 flow client "$SV6" "$FLOW_PORT" -u -n 10 -H
}

test_icmp()
{
	check "ping" ping_cl "$SV4" 3
	check "ping over ipv6" ping_cl "$SV6" 3
	check "both on fw2" wait_for "$WAIT" pings_are "$fw2" 2
	check "same tables" wait_same_tables
}

pings_are()
{
	[ "$(ct_list "$1" | grep -c '^icmp')" -eq "$2" ]
}

test_nothing_is_sent_back()
{
	expect "states created by the standby" "$(stat_get "$fw2" tx_ins)" eq 0
	# two frames of fw1 may overtake each other, on two processors: of ten
	# flows, which move at once
	expect "updates sent by the standby" "$(updates "$fw2")" le 20
	expect "stale on fw1" "$(stat_get "$fw1" stale)" le 20
	expect "stale on fw2" "$(stat_get "$fw2" stale)" le 20
}

test_local_flows_stay()
{
	check "ping to the firewall itself" ping_cl 10.0.1.1
	check "quiet" wait_quiet "$fw1"
	expect "local flows on fw2" \
		"$(ct_list "$fw2" | grep -c 'dst=10\.0\.1\.1 ')" eq 0
}

test_unicast_peer()
{
	nfsync_down "$fw1"
	nfsync_down "$fw2"
	in_ns "$fw1" conntrack -F 2> "$TMP/flush"
	in_ns "$fw2" conntrack -F 2> "$TMP/flush"
	check "fw1 up" nfsync_up "$fw1" syncpeer "$FW2_SYNC"
	check "fw2 up" nfsync_up "$fw2" syncpeer "$FW1_SYNC"
	check "fw1 running" wait_running "$fw1"
	check "fw2 running" wait_running "$fw2"
	held_flows unicast flow client "$SV4" "$FLOW_PORT" -n 10 -H
	expect "frames to the group" "$(stat_get "$fw2" badauth)" eq 0
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
nfsync_pair || skip_all "nfsync does not come up"
run_tests test_tcp_ipv4 test_tcp_ipv6 test_udp_ipv4 test_udp_ipv6 test_icmp \
	test_nothing_is_sent_back test_local_flows_stay test_unicast_peer
