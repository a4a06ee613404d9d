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
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -n 3 -r 0 -T 3 -S "$TMP/up"
	check "connections" wait_file "$TMP/up"
	fw_off "$fw1"
	check "gateway moves" move_gateway "$fw2"
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

topo_up || skip_all "the topology cannot be set up here"
run_tests test_forwards_by_the_gateway \
	test_takeover_without_states_is_refused \
	test_split_paths_cross_both_firewalls
