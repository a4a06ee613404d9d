#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Flows that are older than the device are synchronised like any other, and a
# node that comes late, or again, gets all that the other holds.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all traffic
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      no traffic
#                  .3 lan +-----+ wan .3
#
# nfsync0 comes and goes on both. Every flow is idle while it does; at the end
# of a test it is told to move once more and must end well.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

N=$(scaled 500)

# idle_flows N [FAMILY=4]: open, then still; PID is the client
idle_flows()
{
	local to=$SV4

	[ "${2:-4}" = 4 ] || to=$SV6
	rm -f "$TMP/up"
	spawn "$cl" flow client "$to" "$FLOW_PORT" -n "$1" -H \
		-T $((600 * NFSYNC_SLOW)) -S "$TMP/up"
	check "$1 flows open" wait_file "$TMP/up" $((WAIT * 3))
}

end_flows()
{
	kill -USR1 "$PID"
	check "flows move again and end well" wait "$PID"
}

is_established()
{
	local now

	now=$(ct_count "$1" -p tcp --state ESTABLISHED)
	echo "$now established in $1, wanted $2"
	[ "$now" -eq "$2" ]
}

wait_established()
{
	wait_for "$WAIT" is_established "$1" "$2"
}

has_none_of()
{
	local now

	now=$(ct_count "$1" -p tcp --state "$2")
	echo "$now of $2 in $1"
	[ "$now" -eq 0 ]
}

# without_devices: both down, both tables empty
without_devices()
{
	local ns

	for ns in "$fw1" "$fw2"; do
		ip -n "$ns" link del "$DEV" 2> "$TMP/del"
		in_ns "$ns" conntrack -F > "$TMP/flush" 2>&1
		check "$ns empty" wait_states "$ns" 0
	done
}

# Nobody listens to events when these begin, so they have no event extension:
# what happens to them is seen by packets, and their end by the slow walk.
test_flows_older_than_the_device()
{
	without_devices
	idle_flows "$N"
	expect "entries on fw1" "$(ct_count "$fw1")" eq "$N"
	check "nfsync" nfsync_pair
	check "all on fw2" wait_established "$fw2" "$N"
	check "same tables" wait_same_tables
}

test_their_changes_and_ends()
{
	end_flows
	check "ends seen on fw2" wait_for "$WAIT" \
		has_none_of "$fw2" ESTABLISHED
	check "same tables" wait_same_tables
	expect "entries on fw2" "$(ct_count "$fw2")" eq "$N"
	# they go on fw1 alone: fw2's have two minutes, and only hear of it
	in_ns "$fw1" conntrack -F > "$TMP/flush" 2>&1
	check "gone from fw2" wait_states "$fw2" 0
	expect "deleted on fw2" "$(stat_get "$fw2" imp_deleted)" ge "$N"
}

test_down_and_up_joins_again()
{
	without_devices
	check "nfsync" nfsync_pair
	idle_flows 20
	check "on fw2" wait_established "$fw2" 20
	ip -n "$fw1" link set "$DEV" down
	end_flows
	idle_flows 30
	check "quiet" wait_quiet "$fw2"
	expect "established on fw2, still the old" \
		"$(ct_count "$fw2" -p tcp --state ESTABLISHED)" eq 20
	ip -n "$fw1" link set "$DEV" up
	check "running" wait_running "$fw1"
	check "all on fw2" wait_established "$fw2" 30
	check "same tables" wait_same_tables
	end_flows
}

# Both families. The verdict is a promise: when it says so, all of it is here.
test_late_node_gets_all()
{
	local first

	without_devices
	check "fw1 up" nfsync_up "$fw1"
	idle_flows 100 6
	first=$PID
	idle_flows "$N"
	check "fw2 up" nfsync_up "$fw2"
	check "running" wait_running "$fw2"
	expect "entries on fw2 at once" "$(ct_count "$fw2")" eq $((N + 100))
	check "same tables" wait_same_tables
	end_flows
	PID=$first
	end_flows
}

# fw1 forgets everything. The strict rules let none of the flows pass unless
# it all comes back, with the right windows.
test_rebooted_node_gets_all_back()
{
	local before

	without_devices
	check "nfsync" nfsync_pair
	idle_flows "$N"
	check "on fw2" wait_established "$fw2" "$N"
	nfsync_down "$fw1"
	in_ns "$fw1" conntrack -F > "$TMP/flush" 2>&1
	check "fw1 has nothing" wait_states "$fw1" 0
	expect "entries on fw2" "$(ct_count "$fw2")" eq "$N"
	before=$(invalid_count "$fw1")
	check "fw1 up" nfsync_up "$fw1"
	check "running" wait_running "$fw1"
	expect "entries on fw1 at once" "$(ct_count "$fw1")" eq "$N"
	check "same tables" wait_same_tables
	end_flows
	expect "invalid on fw1" "$(invalid_count "$fw1")" eq "$before"
	check "ends seen on fw2" wait_for "$WAIT" \
		has_none_of "$fw2" ESTABLISHED
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
closed_stay "$fw1" "$fw2" || skip_all "no timeouts"
run_tests test_flows_older_than_the_device test_their_changes_and_ends \
	test_down_and_up_joins_again test_late_node_gets_all \
	test_rebooted_node_gets_all_back
