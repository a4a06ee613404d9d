#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A node reboots in the middle of traffic that goes by the other one: device
# gone, table empty, device there again, under its old host id or a new one.
# Each time the traffic then moves to the node that has just come back, which
# lets nothing pass that it did not get told of.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      traffic, and then fw2 reboots;
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      traffic, and then fw1 reboots
#                  .3 lan +-----+ wan .3

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ROUNDS=5
HELD=40
declare -A ID

# start_traffic: connections that stay and move all the time
start_traffic()
{
	rm -f "$TMP/held"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -n $HELD -r 0 -w 100 \
		-T $((900 * NFSYNC_SLOW)) -S "$TMP/held"
	HOLDER=$PID
	wait_file "$TMP/held"
}

# start_comers: ones that come and go, and end by themselves
start_comers()
{
	spawn "$cl" flow client "$SV4" $((FLOW_PORT + 1)) -n 100 -R 50 -r 2 \
		-T $((600 * NFSYNC_SLOW))
	COMER=$PID
}

empty()
{
	in_ns "$1" conntrack -F > "$TMP/flush" 2>&1
	count_is "$1" 0
}

other_of()
{
	if [ "$1" = "$fw1" ]; then
		echo "$fw2"
	else
		echo "$fw1"
	fi
}

in_sync()
{
	verdict "$fw1" in-sync
	verdict "$fw2" in-sync
}

# reboot NS HOSTID: as far as nfsync and conntrack are concerned
reboot()
{
	nfsync_down "$1" || fail "$1 down"
	check "$1 is empty" wait_for "$WAIT" empty "$1"
	ID[$1]=$2
	nfsync_up "$1" hostid "$2" || fail "$1 up"
}

# round I NS HOSTID: NS reboots beside the traffic, which then moves there
round()
{
	local began now

	start_comers
	began=$(now_ms)
	reboot "$2" "$3"
	verdict "$2" in-sync
	now=$(in_ns "$2" conntrack -L -p tcp --dport "$FLOW_PORT" \
		--state ESTABLISHED 2> "$TMP/said" | wc -l)
	took "round $1: in sync with $now of $HELD" "$began"
	expect "held connections at once" "$now" eq $HELD
	check "connections beside it" wait "$COMER"
	in_sync
	check "round $1: same tables" wait_same_tables
	check "round $1: gateway moves" move_gateway "$2"
	check "round $1: a connection by $2" flow_cl
	check "connections live" kill -0 "$HOLDER"
}

no_invalid()
{
	expect "invalid on fw1" "$(invalid_count "$fw1")" eq 0
	expect "invalid on fw2" "$(invalid_count "$fw2")" eq 0
}

test_same_hostid()
{
	local i node

	for ((i = 0; i < ROUNDS; i++)); do
		node=$(other_of "$GATEWAY")
		round $i "$node" "${ID[$node]}"
		[ "$RET" = "$ksft_pass" ] || return 1
	done
	no_invalid
}

test_another_hostid()
{
	local i

	for ((i = 0; i < ROUNDS; i++)); do
		round $i "$(other_of "$GATEWAY")" $((0x30000000 + i))
		[ "$RET" = "$ksft_pass" ] || return 1
	done
	no_invalid
}

# Both have the same module here, so that both devices go: entries stay, but
# those of the node without traffic, which starts with nothing.
test_module_reload()
{
	local i node

	[ -n "$UNLOAD" ] || { skip "somebody else has the module"; return; }
	for ((i = 0; i < 3; i++)); do
		node=$(other_of "$GATEWAY")
		start_comers
		rmmod nfsync || fail "rmmod"
		check "$node is empty" wait_for "$WAIT" empty "$node"
		modprobe nfsync || fail "modprobe"
		nfsync_up "$fw1" hostid "${ID[$fw1]}" || fail "fw1 up"
		nfsync_up "$fw2" hostid "${ID[$fw2]}" || fail "fw2 up"
		in_sync
		check "connections beside it" wait "$COMER"
		check "same tables" wait_same_tables
		check "gateway moves" move_gateway "$node"
		check "a connection by $node" flow_cl
		[ "$RET" = "$ksft_pass" ] || return 1
	done
	no_invalid
}

# Not one byte of what began before all this is missing
test_connections_have_survived()
{
	kill -USR1 "$HOLDER"
	check "they end well" wait "$HOLDER"
	check "same tables" wait_same_tables
	no_invalid
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
ID=([$fw1]=0x11111111 [$fw2]=0x22222222)
nfsync_up "$fw1" hostid 0x11111111 || skip_all "nfsync does not come up"
nfsync_up "$fw2" hostid 0x22222222 || skip_all "nfsync does not come up"
start_traffic || skip_all "no traffic"
run_tests test_same_hostid test_another_hostid test_module_reload \
	test_connections_have_survived
