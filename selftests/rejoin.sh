#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "ip link set nfsync0 down" takes nothing from anybody: entries stay, here and
# on the peer, and connections go on. Up again, the nodes agree: nothing twice,
# and what ended meanwhile stays ended.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all traffic, nfsync0
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      no traffic, nfsync0
#                  .3 lan +-----+ wan .3

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ROUNDS=5
HELD=30

up()
{
	ip -n "$1" link set "$DEV" up || fail "$1 up"
}

down()
{
	ip -n "$1" link set "$DEV" down || fail "$1 down"
}

in_sync()
{
	verdict "$fw1" in-sync
	verdict "$fw2" in-sync
}

# hold PORT: connections that stay; PID is their client
hold()
{
	rm -f "$TMP/up"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -n $HELD -H -p "$1" \
		-T $((600 * NFSYNC_SLOW)) -S "$TMP/up"
	check "connections" wait_file "$TMP/up"
}

# let_go PID: they move once more and end
let_go()
{
	kill -USR1 "$1"
	check "connections have survived" wait "$1"
}

# delete NS PORT: one entry of ct_add's
delete()
{
	in_ns "$1" conntrack -D -p udp --sport "$2" > "$TMP/del" 2>&1 ||
		fail "delete of $2: $(tail -n 1 "$TMP/del")"
}

empty()
{
	in_ns "$1" conntrack -F > "$TMP/flush" 2>&1
	count_is "$1" 0
}

# afresh: both empty and in sync, with connections and 20 entries made by hand
afresh()
{
	local ns

	down "$fw1"
	down "$fw2"
	for ns in "$fw1" "$fw2"; do
		check "$ns is empty" wait_for "$WAIT" empty "$ns"
	done
	up "$fw1"
	up "$fw2"
	in_sync
	hold "$1"
	check "entries" ct_add "$fw1" 1 20
	check "all on fw2" wait_states "$fw2" $((HELD + 20))
	check "same tables" wait_same_tables
	check "quiet" wait_quiet "$fw1" "$fw2"
}

# nothing_twice: entries and states are as many as they were
nothing_twice()
{
	check "quiet" wait_quiet "$fw1" "$fw2"
	check "same tables" wait_same_tables
	expect "entries of fw1" "$(ct_count "$fw1")" eq "$1"
	expect "entries of fw2" "$(ct_count "$fw2")" eq "$1"
	expect "states of fw1" "$(stat_get "$fw1" states)" eq "$1"
	expect "states of fw2" "$(stat_get "$fw2" states)" eq "$1"
}

# goes_down NS OTHER: nothing changes by it, and nothing by coming back
goes_down()
{
	local deleted n=$((HELD + 20))

	deleted=$(stat_get "$2" imp_deleted)
	down "$1"
	verdict "$2" alone
	expect_same "verdict" "$(attribute "$1" verdict)" down
	check "quiet" wait_quiet "$2"
	expect "entries here" "$(ct_count "$1")" eq $n
	expect "entries there" "$(ct_count "$2")" eq $n
	expect "states there" "$(stat_get "$2" states)" eq $n
	expect "deleted there" "$(stat_get "$2" imp_deleted)" eq "$deleted"
	up "$1"
	in_sync
	nothing_twice $n
	expect "swept here" "$(stat_get "$1" swept)" eq 0
}

test_active_goes_down()
{
	local held

	afresh 20000
	held=$PID
	goes_down "$fw1" "$fw2"
	let_go "$held"
}

test_standby_goes_down()
{
	local held

	afresh 20100
	held=$PID
	goes_down "$fw2" "$fw1"
	let_go "$held"
}

# lives_on: 20 connections begin and 20 end while a device is down, an entry
# is made and one deleted
lives_on()
{
	check "connections" flow_cl -n 20 -e -p 21000
	let_go "$1"
	check "one more entry" ct_add "$fw1" 50 1
	delete "$fw1" 7
	# the DEL that is queued has the last hold of the entry
	check "entries of fw1" wait_for "$WAIT" count_is "$fw1" \
		$((HELD + 20 + 20))
}

# What came is there for both, and what ended has ended. The one that was
# deleted comes back: a node that was away can't tell it from one that began
# here meanwhile, and too many are better than one too few.
caught_up()
{
	in_sync
	check "all on fw2" wait_states "$fw2" $((HELD + 20 + 21))
	nothing_twice $((HELD + 20 + 21))
	expect "ended ones on fw2" \
		"$(ct_count "$fw2" -p tcp --state ESTABLISHED)" eq 0
	expect "new one on fw2" "$(ct_count "$fw2" -p udp --sport 50)" eq 1
}

test_standby_missed_something()
{
	afresh 20200
	down "$fw2"
	lives_on "$PID"
	up "$fw2"
	caught_up
}

test_active_was_down_meanwhile()
{
	afresh 20300
	down "$fw1"
	lives_on "$PID"
	up "$fw1"
	caught_up
}

# What is made or deleted on the standby by hand counts as well
test_deleted_on_both_sides()
{
	local held

	afresh 20400
	held=$PID
	down "$fw2"
	delete "$fw1" 3
	check "entries" ct_add "$fw1" 60 2
	check "others on the standby" ct_add "$fw2" 70 2
	up "$fw2"
	in_sync
	# the deleted one comes back, see caught_up
	nothing_twice $((HELD + 20 + 4))
	delete "$fw1" 60
	delete "$fw2" 71
	nothing_twice $((HELD + 20 + 2))
	let_go "$held"
}

# rounds NS: down and up while connections move, come and end
rounds()
{
	local i began held comer

	rm -f "$TMP/up"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -n $HELD -r 0 -w 50 \
		-T $((600 * NFSYNC_SLOW)) -S "$TMP/up"
	held=$PID
	check "connections" wait_file "$TMP/up"
	for ((i = 0; i < ROUNDS; i++)); do
		spawn "$cl" flow client "$SV4" $((FLOW_PORT + 1)) -n 60 -R 40 -r 2
		comer=$PID
		began=$(now_ms)
		down "$1"
		up "$1"
		in_sync
		took "round $i: in sync" "$began"
		check "connections of round $i" wait "$comer"
		[ "$RET" = "$ksft_pass" ] || break
	done
	check "same tables" wait_same_tables
	kill -USR1 "$held"
	check "connections have survived" wait "$held"
	check "same tables after the end" wait_same_tables
	expect "states of both" "$(stat_get "$fw1" states)" \
		eq "$(stat_get "$fw2" states)"
}

test_standby_five_times_under_traffic()
{
	rounds "$fw2"
}

test_active_five_times_under_traffic()
{
	rounds "$fw1"
}

# Now by the node that has only heard of them
test_connections_move_to_who_rejoined()
{
	local held before

	afresh 20500
	held=$PID
	down "$fw2"
	up "$fw2"
	in_sync
	before=$(invalid_count "$fw2")
	check "gateway moves" move_gateway "$fw2"
	let_go "$held"
	expect "invalid on fw2" "$(invalid_count "$fw2")" eq "$before"
	check "gateway moves back" move_gateway "$fw1"
}

# Conntrack leaves an entry that has expired where it is until it comes by. It is
# not told, and not as one that has all of its time.
test_what_has_expired_is_over()
{
	local held

	afresh 20600
	held=$PID
	down "$fw2"
	verdict "$fw1" alone
	check "entries" ct_add "$fw1" 23000 20 0 SEEN_REPLY 1
	# they have a second; who looked whether they are over would collect them
	sleep 2
	up "$fw2"
	in_sync
	expect "entries of fw2" "$(ct_count "$fw2")" eq $((HELD + 20))
	expect "states of fw2" "$(stat_get "$fw2" states)" eq $((HELD + 20))
	let_go "$held"
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
nfsync_pair || skip_all "nfsync does not come up"
closed_stay "$fw1" "$fw2" || skip_all "no timeouts"
ended_stay "$fw1" "$fw2" || skip_all "no timeouts"
run_tests test_active_goes_down test_standby_goes_down \
	test_standby_missed_something test_active_was_down_meanwhile \
	test_deleted_on_both_sides test_standby_five_times_under_traffic \
	test_active_five_times_under_traffic \
	test_connections_move_to_who_rejoined \
	test_what_has_expired_is_over
