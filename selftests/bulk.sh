#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The transfer that a node gets when it joins: of any size, beside traffic, for
# several at once, with something lost of it, and from one that dies.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all entries and traffic
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+---+  +----+----+    .2
#                |   sync |swsync| sync  |
#                |     +--+------+--+    |
#                |   +-+-+        +-+-+  |
#                |   |fw3|        |fw2|--+      fw2 joins, in one test fw3 too
#                |   +---+        +-+-+ wan .3
#                +------------------+
#                             .3 lan
#
# The sync link is a switch here, so that a node can go without its peer
# losing the carrier. Entries made by hand are UDP flows from 10.1.0.0/16 to
# port 9 of sv.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

MANY=10000
HOSTID=0x0a0b0c0d

# seed_entries NS N [PORT [MARK]]: those of another source port are others
seed_entries()
{
	in_ns "$1" ctmany "${@:2}"
}

# ct_by_hand NS OPTIONS...: conntrack, its words only on failure
ct_by_hand()
{
	in_ns "$1" conntrack "${@:2}" > "$TMP/hand" 2>&1 || {
		tail -n 1 "$TMP/hand"
		return 1
	}
}

empty()
{
	ct_by_hand "$1" -F
	count_is "$1" 0
}

# afresh N: fw1 alone, with so many entries; the others without a device, and
# empty
afresh()
{
	local ns

	for ns in "$fw2" "$fw3"; do
		ip -n "$ns" link del "$DEV" 2> "$TMP/del"
	done
	ip -n "$fw1" link show "$DEV" > "$TMP/said" 2>&1 ||
		nfsync_up "$fw1" hostid $HOSTID || fail "fw1 up"
	for ns in "$fw1" "$fw2" "$fw3"; do
		check "$ns is empty" wait_for "$WAIT" empty "$ns"
	done
	[ "$1" -eq 0 ] || check "entries" seed_entries "$fw1" "$1"
	expect "entries of fw1" "$(ct_count "$fw1")" eq "$1"
	verdict "$fw1" alone
	check "quiet" wait_quiet "$fw1"
}

joins()
{
	local began

	began=$(now_ms)
	check "$1 up" nfsync_up "$1"
	# 100,000 states take a while in a guest that shares its processors
	check "$1 in sync" wait_for $((WAIT * 3)) verdict_is "$1" in-sync
	took "in sync" "$began"
}

# The verdict is a promise, nothing is told twice, and all who ask hear of a
# beginning and an end.
transfer_of()
{
	local told bus runs

	afresh "$1"
	told=$(stat_get "$fw1" tx_upd)
	bus=$(stat_get "$fw1" tx_bus)
	joins "$fw2"
	expect "entries on fw2 at once" "$(ct_count "$fw2")" eq "$1"
	check "quiet" wait_quiet "$fw1" "$fw2"
	runs=$(($(stat_get "$fw1" tx_bus) - bus))
	expect "STARTs and ENDs" $runs ge 2
	expect "STARTs without END" $((runs % 2)) eq 0
	expect "states told, each once a transfer" \
		$(($(stat_get "$fw1" tx_upd) - told)) eq $(($1 * runs / 2))
	expect "STARTs and ENDs heard" "$(stat_get "$fw2" rx_bus)" eq "$runs"
	expect "transfers that lost something" \
		"$(stat_get "$fw2" bulk_torn)" eq 0
	check "same tables" wait_same_tables
	verdict "$fw1" in-sync
	# before the next test makes the devices anew
	[ "$RET" -eq "$ksft_pass" ] || dump
}

test_0_states()
{
	transfer_of 0
}

test_1_state()
{
	transfer_of 1
}

test_5_states()
{
	transfer_of 5
}

test_6_states()
{
	transfer_of 6
}

test_1000_states()
{
	transfer_of 1000
}

test_100000_states()
{
	local max

	[ "$NFSYNC_SLOW" -eq 1 ] || { skip "too many for a slow kernel"; return; }
	max=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
	sysctl -qw net.netfilter.nf_conntrack_max=1000000
	transfer_of 100000
	afresh 0
	sysctl -qw net.netfilter.nf_conntrack_max="$max"
}

# table_holds N: as many entries as any node may have
table_holds()
{
	echo "$1" > /proc/sys/net/netfilter/nf_conntrack_max
}

# own_entries NS N: of flows that nobody is told of, to port 10
own_entries()
{
	seq "$2" | sed 's/.*/-I -s 127.0.0.1 -d 127.0.0.2 -p udp --sport & --dport 10 -t 900 -u SEEN_REPLY,ASSURED/' \
		> "$TMP/own"
	in_ns "$1" conntrack -R "$TMP/own" > "$TMP/add" 2>&1
}

# The entries of fw1 are those of fw2 but for fw2's own
same_but_own()
{
	ct_list "$fw1" > "$TMP/fw1.ct"
	ct_list "$fw2" -p udp --dport 9 > "$TMP/fw2.ct"
	diff "$TMP/fw1.ct" "$TMP/fw2.ct"
}

# A node with entries of its own has no room for all of the others': what it
# lacks it does not hold, and it says so until there is room.
test_no_room()
{
	local max

	max=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
	afresh 1000
	check "entries of fw2" own_entries "$fw2" 500
	table_holds 1200
	check "fw2 up" nfsync_up "$fw2"
	verdict "$fw2" not-in-sync
	expect "refused" "$(stat_get "$fw2" imp_full)" ge 300
	expect "entries of fw2" "$(ct_count "$fw2")" eq 1200
	check "not running" not running "$fw2"
	table_holds "$max"
	verdict "$fw2" in-sync
	expect "entries of fw2" "$(ct_count "$fw2")" eq 1500
	check "same tables" wait_for "$WAIT" same_but_own
	# and when it has served: a new one that it can't take
	table_holds 1500
	check "one more" seed_entries "$fw1" 1 3000
	verdict "$fw2" healing
	check "still running" running "$fw2"
	table_holds "$max"
	verdict "$fw2" in-sync
	check "same tables" wait_for "$WAIT" same_but_own
	expect "entries of fw1" "$(ct_count "$fw1")" eq 1001
}

# changes: some of the entries go, others go and come again with a mark
changes()
{
	local port

	for port in 2001 2002 2003; do
		ct_by_hand "$fw1" -D -p udp --sport $port || return
		ct_by_hand "$fw1" -D -p udp --sport $((port + 1000)) || return
		seed_entries "$fw1" 200 $((port + 1000)) $port || return
	done
}

# The changes begin before the transfer, and go on when it is over
test_changes_during_a_transfer()
{
	local port flow held changed

	afresh $MANY
	for port in 2001 2002 2003 3001 3002 3003; do
		check "entries" seed_entries "$fw1" 200 $port
	done
	rm -f "$TMP/up"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -n 50 -w 20 -r 0 -S "$TMP/up"
	held=$PID
	check "connections" wait_file "$TMP/up"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -n 300 -R 50 -e
	flow=$PID
	changes &
	changed=$!
	joins "$fw2"
	check "changes" wait $changed
	check "short connections" wait "$flow"
	kill -USR1 "$held"
	check "long connections" wait "$held"
	check "quiet" wait_quiet "$fw1" "$fw2"
	check "same tables" wait_same_tables
	for port in 2001 2002 2003; do
		expect "deleted ones on fw2" \
			"$(ct_count "$fw2" -p udp --sport $port)" eq 0
		expect "marked ones on fw2" \
			"$(ct_count "$fw2" -p udp --mark $port)" eq 200
	done
	expect "made by hand on fw2" "$(ct_count "$fw2" -p udp)" \
		eq $((MANY + 600))
}

# Whoever asks late is not served by what is told already. It may as well hear
# the START of one that joins itself and has nothing; that is no authority.
test_third_node_in_the_middle()
{
	local asked late

	afresh $MANY
	asked=$(stat_get "$fw1" rx_upd_req)
	late=$(stat_get "$fw1" bulk_limited)
	check "fw2 up" nfsync_up "$fw2"
	check "transfer begins" wait_stat "$fw2" imp_created 1
	joins "$fw3"
	expect "entries on fw3 at once" "$(ct_count "$fw3")" eq $MANY
	verdict "$fw2" in-sync
	expect "entries on fw2" "$(ct_count "$fw2")" eq $MANY
	echo "# $(($(stat_get "$fw1" rx_upd_req) - asked)) requests," \
		"$(($(stat_get "$fw1" bulk_limited) - late)) in the middle"
	check "fw1 and fw2 have the same" wait_same_tables
	check "fw1 and fw3 have the same" same_tables "$fw3"
	nfsync_down "$fw3"
}

# Many ask while one is served: they share the next, and each START has its
# END behind it (B-28)
test_flood_of_requests()
{
	local bus asked late

	afresh $MANY
	bus=$(stat_get "$fw1" tx_bus)
	asked=$(stat_get "$fw1" rx_upd_req)
	late=$(stat_get "$fw1" bulk_limited)
	in_ns "$fw3" rawsync -i sync -s 10.0.9.3 -n 200 \
		upd_req,id=0,creator=0 || fail "rawsync"
	check "all are heard" wait_stat "$fw1" rx_upd_req $((asked + 200))
	expect "in the middle of a transfer" \
		$(($(stat_get "$fw1" bulk_limited) - late)) ge 1
	check "START and END, twice" wait_stat "$fw1" tx_bus $((bus + 4))
	check "quiet" wait_quiet "$fw1"
	bus=$(($(stat_get "$fw1" tx_bus) - bus))
	echo "# $((bus / 2)) transfers for 200 requests"
	expect "STARTs without END" $((bus % 2)) eq 0
	expect "transfers" $((bus / 2)) le 40
	# who asked was taken for a BSD, and would be missed for a minute
	nfsync_down "$fw1"
}

# lost_once WHAT: fw2 loses one frame of the transfer that it joins by
lost_once()
{
	local bus

	afresh 1000
	bus=$(stat_get "$fw1" tx_bus)
	lose "$fw2" "$1" once
	joins "$fw2"
	check "$1 was lost" wait_lost "$fw2" 1
	lose_nothing "$fw2"
	expect "entries on fw2" "$(ct_count "$fw2")" eq 1000
	expect "told again" $(($(stat_get "$fw1" tx_bus) - bus)) ge 4
	check "same tables" wait_same_tables
}

test_start_lost()
{
	lost_once start
}

test_end_lost()
{
	lost_once end
}

test_states_lost()
{
	lost_once update
	expect "torn" "$(stat_get "$fw2" bulk_torn)" ge 1
}

# The other way round: nobody hears the first request
test_request_lost()
{
	afresh 1000
	lose "$fw1" request once
	joins "$fw2"
	check "the request was lost" wait_lost "$fw1" 1
	lose_nothing "$fw1"
	expect "requests" "$(stat_get "$fw2" tx_upd_req)" ge 2
	expect "entries on fw2" "$(ct_count "$fw2")" eq 1000
}

# begins_and_dies COMMAND...: fw1 does so while fw2 receives; who is left says that it is
# alone, and with what it has. The END is lost, so that it cannot be over.
begins_and_dies()
{
	afresh $MANY
	lose "$fw2" end
	check "fw2 up" nfsync_up "$fw2"
	check "transfer begins" wait_stat "$fw2" imp_created 1
	"$@" || fail "$*"
	check "not in sync with half of it" not verdict_is "$fw2" in-sync
	echo "# $(ct_count "$fw2") of $MANY had come"
	verdict "$fw2" alone
}

# all_is_back: fw1 is there again and had more than fw2 got
all_is_back()
{
	lose_nothing "$fw2"
	verdict "$fw1" in-sync
	verdict "$fw2" in-sync
	check "quiet" wait_quiet "$fw1" "$fw2"
	check "all on fw2" wait_states "$fw2" $MANY
	expect "entries of fw1" "$(ct_count "$fw1")" eq $MANY
	check "same tables" wait_same_tables
}

test_responder_ends_in_the_middle()
{
	begins_and_dies nfsync_down "$fw1"
	check "fw1 up" nfsync_up "$fw1" hostid $HOSTID
	all_is_back
}

# It says no good-bye: fw2 hears nothing and knows of no reason
test_responder_silent_in_the_middle()
{
	begins_and_dies ip -n "$sw" link set fw1sync down
	check "fw1 is there" ip -n "$sw" link set fw1sync up
	all_is_back
}

# in_sync_with N: fw1 and fw2, entries of fw1
in_sync_with()
{
	afresh "$1"
	joins "$fw2"
	verdict "$fw1" in-sync
	check "quiet" wait_quiet "$fw1" "$fw2"
}

# A DEL that never comes leaves an entry that nobody tells of any more
test_lost_deletion_is_swept()
{
	in_sync_with 1000
	check "entries" ct_add "$fw1" 1 10
	check "on fw2" wait_states "$fw2" 1010
	lose "$fw2" delete
	check "delete" ct_by_hand "$fw1" -D -p udp -s "$CL4"
	check "the DELs are lost" wait_lost "$fw2" 1
	lose_nothing "$fw2"
	check "gone from fw2" wait_states "$fw2" 1000
	expect "swept" "$(stat_get "$fw2" swept)" ge 1
	expect "lost frames" "$(stat_get "$fw2" rx_lost)" ge 1
	verdict "$fw2" in-sync
	check "same tables" wait_same_tables
}

# Entries of fw2's own making, which moved to fw1 and were deleted there: fw1 is
# no authority on them, but it remembers.
test_lost_deletion_of_the_others()
{
	local flow

	in_sync_with 1000
	check "gateway to fw2" move_gateway "$fw2"
	rm -f "$TMP/up"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -u -n 10 -w 50 -r 0 -S "$TMP/up"
	flow=$PID
	check "flows" wait_file "$TMP/up"
	check "on fw1" wait_states "$fw1" 1010
	check "gateway to fw1" move_gateway "$fw1"
	check "packets by fw1" wait_for "$WAIT" lan_beyond "$fw1" \
		$(($(lan_packets "$fw1") + 100))
	kill "$flow"
	wait "$flow" 2> "$TMP/killed"
	check "quiet" wait_quiet "$fw1" "$fw2"
	lose "$fw2" all
	check "delete" ct_by_hand "$fw1" -D -p udp -s "$CL4"
	check "the DELs are lost" wait_lost "$fw2" 1
	expect "entries on fw2" "$(ct_count "$fw2")" eq 1010
	lose_nothing "$fw2"
	check "gone from fw2" wait_states "$fw2" 1000
	check "quiet" wait_quiet "$fw1" "$fw2"
	expect "entries of fw1" "$(ct_count "$fw1")" eq 1000
	verdict "$fw2" in-sync
	check "same tables" wait_same_tables
}

# Whatever is lost: new ones, changed ones
test_lost_news_are_healed()
{
	in_sync_with 1000
	lose "$fw2" all
	check "entries" ct_add "$fw1" 1 100
	check "marks" seed_entries "$fw1" 1000 1000 5
	check "quiet" wait_quiet "$fw1"
	check "news are lost" wait_lost "$fw2" 2
	expect "entries on fw2" "$(ct_count "$fw2")" eq 1000
	lose_nothing "$fw2"
	check "all on fw2" wait_states "$fw2" 1100
	verdict "$fw2" in-sync
	check "same tables" wait_same_tables
	expect "marked" "$(ct_count "$fw2" -p udp --mark 5)" eq 1000
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
switch_sync || skip_all "no switch for the sync link"
run_tests test_0_states test_1_state test_5_states test_6_states \
	test_1000_states test_100000_states test_no_room \
	test_changes_during_a_transfer test_third_node_in_the_middle \
	test_flood_of_requests test_start_lost test_end_lost test_states_lost \
	test_request_lost test_responder_ends_in_the_middle \
	test_responder_silent_in_the_middle test_lost_deletion_is_swept \
	test_lost_deletion_of_the_others test_lost_news_are_healed
