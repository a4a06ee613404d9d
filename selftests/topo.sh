#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The topology of lib.sh itself, without nfsync: what the other tests build
# on must be true before they can say anything.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

test_forwards_by_the_gateway()
{
	check "tcp" flow_cl -n 5
	check "tcp over ipv6" flow_cl6 -n 5
	check "udp" flow_cl -u -n 5
	check "ping" ping_cl
	check "ping over ipv6" ping_cl "$SV6"
	expect "entries on fw1" "$(ct_count "$fw1")" ge 17
	expect "entries on fw2" "$(ct_count "$fw2")" eq 0
	expect "invalid on fw1" "$(invalid_count "$fw1")" eq 0
}

# Without synchronised states a takeover must lose the connection, else the
# rules would not be strict and the takeover test could not fail.
test_takeover_without_states_is_refused()
{
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -n 3 -r 0 -T 12 -S "$TMP/up"
	check "connections" wait_file "$TMP/up"
	check "gateway moves" take_over "$fw2"
	check "new connections" flow_cl -n 3
	wait "$PID"
	check "old ones fail" grep -q 'ok=0 failed=3' "$OUT"
	expect "refused by fw2" $(($(invalid_count "$fw2") +
		$(refused_count "$fw2"))) gt 0
	fw_on "$fw1"
	check "gateway returns" move_gateway "$fw1"
	check "new connections by fw1" flow_cl -n 3
}

test_split_paths_cross_both_firewalls()
{
	local before

	split_paths
	before=$(ct_count "$fw1")
	check "no connection without states" not flow_cl -T 2
	expect "entries on fw1" "$(ct_count "$fw1")" gt "$before"
	unsplit_paths
	check "connections as before" flow_cl -n 3
}

test_syn_flood_fills_a_plain_table()
{
	blackhole 9
	check "flood" in_ns "$cl" synflood -n 500 10.0.1.77 "$SV4" 9
	check "flood over ipv6" in_ns "$cl" synflood -n 500 fd00:1::77 "$SV6" 9
	expect "half-open entries" "$(ct_list "$fw1" -p tcp --dport 9 |
		wc -l)" ge 900
}

# forge OFFSET: an ACK beside what the live connection says
forge()
{
	in_ns "$cl" segment -i lan -S "$1" "$CL4" 30000 "$SV4" "$FLOW_PORT" ||
		fail "segment at $1"
}

test_forged_segment_is_invalid()
{
	local before

	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -p 30000 -r 0 -w 5 \
		-S "$TMP/live"
	check "connection" wait_file "$TMP/live"
	before=$(invalid_count "$fw1")
	forge +0
	expect "invalid after a right segment" "$(invalid_count "$fw1")" \
		eq "$before"
	forge +100000000
	check "a wrong one is invalid" wait_for 5 more_invalid "$before"
	kill -USR1 "$PID"
	check "the connection ends well" wait "$PID"
}

more_invalid()
{
	[ "$(invalid_count "$fw1")" -gt "$1" ]
}

test_raw_frames_cross_the_sync_link()
{
	check "tcpdump" sniff "$fw2" sync -c 2 ip proto 240
	check "group" in_ns "$fw1" rawsync -i sync upd_req,id=0,creator=0
	check "unicast" in_ns "$fw1" rawsync -i sync -d "$FW2_SYNC" -t 3 \
		ins,id=1,src=10.0.1.2,dst=10.0.2.2,sport=1,dport=2
	check "both seen" wait "$PID"
	check "to the group" grep -q '> 224.0.0.240:  ip-proto-240 36' "$OUT"
	check "to the peer" grep -q "> $FW2_SYNC:  ip-proto-240 288" "$OUT"
}

topo_up || skip_all "the topology cannot be set up here"
run_tests test_forwards_by_the_gateway \
	test_takeover_without_states_is_refused \
	test_split_paths_cross_both_firewalls \
	test_syn_flood_fills_a_plain_table \
	test_forged_segment_is_invalid \
	test_raw_frames_cross_the_sync_link
