#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What changes on fw1 is known on fw2 in time: windows within what an importer
# allows for, timeouts before half of them is over, states, marks and status
# within the flush interval, and no more messages than that takes.
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
# winwatch (selftests/bin) compares what arrives on fw2's sync with what
# arrives on fw1's lan and wan.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PORT=30000

# watched FLOW...: one connection, every message about it; see seen
watched()
{
	local pid

	PORT=$((PORT + 1))
	rm -f "$TMP/watch"
	spawn "$cl" winwatch -S "$TMP/watch" "$fw1" "$fw2" "$PORT"
	pid=$PID WATCHED=$OUT
	check "winwatch" wait_file "$TMP/watch"
	check "transfer" "$@" -p "$PORT"
	check "quiet" wait_quiet "$fw1"
	kill -USR1 "$pid"
	check "winwatch ends well" wait "$pid"
	echo "# $(tr '\n' ' ' < "$WATCHED")"
	expect "packets missed by winwatch" "$(seen lost)" eq 0
	expect "messages that told more than was true" "$(seen ahead)" eq 0
}

# seen NAME: a number that winwatch found
seen()
{
	sed -n "s/^$1=//p" "$WATCHED"
}

# mostly_within SHARE "DIRECTION..." FLOW...: no more than a SHAREth of its packets
# were beyond the slack. One flush that comes late while the window grows is enough
# for that; of three transfers one has none.
mostly_within()
{
	local share=$1 directions=$2 tries d bad
	shift 2

	for tries in 1 2 3; do
		watched "$@"
		bad=
		for d in $directions; do
			[ "$(seen "over$d")" -le $(($(seen packets) / share)) ] ||
				bad="$bad $(seen "over$d") in direction $d"
		done
		[ -n "$bad" ] || return 0
	done
	fail "packets beyond the slack:$bad, $tries times"
}

# A quarter of a window or more passes in a flush interval, so that it takes
# both the lazy and the urgent way; pauses let one CPU do two nodes' work.
test_windows_of_a_paced_transfer()
{
	mostly_within 50 "0 1" flow_cl -U 24000 -D 24000 -r 100 -w 4
	expect "messages" "$(seen messages)" ge 10
}

# Nothing but windows moved: what was not worth telling is within a quarter
test_windows_at_rest()
{
	local pid flow

	for PORT in 30050 30051 30052; do
		rm -f "$TMP/watch" "$TMP/up"
		spawn "$cl" winwatch -S "$TMP/watch" "$fw1" "$fw2" "$PORT"
		pid=$PID WATCHED=$OUT
		check "winwatch" wait_file "$TMP/watch"
		spawn "$cl" flow client "$SV4" "$FLOW_PORT" -p "$PORT" -H \
			-U $((PORT % 10 * 70000 + 3000)) -D 50000 -S "$TMP/up"
		flow=$PID
		check "connection" wait_file "$TMP/up"
		check "quiet" wait_quiet "$fw1"
		kill -USR1 "$pid"
		check "winwatch ends well" wait "$pid"
		kill -USR1 "$flow"
		check "connection ends well" wait "$flow"
		echo "# $(tr '\n' ' ' < "$WATCHED")"
		expect "messages that told more than was true" \
			"$(seen ahead)" eq 0
		expect "lag from cl" "$(seen rest0)" le 260
		expect "lag from sv" "$(seen rest1)" le 260
	done
	PORT=30060
}

test_windows_of_bulk_transfers()
{
	mostly_within 20 0 flow_cl -U "$(scaled 20000000)"
	expect "messages" "$(seen messages)" lt $(($(seen packets) / 4))
	mostly_within 20 1 flow_cl6 -D "$(scaled 20000000)"
	expect "messages" "$(seen messages)" lt $(($(seen packets) / 4))
}

# Told with the reply, and its end: each within one interval, which a busy
# host may make longer but nothing makes shorter.
test_flush_interval()
{
	local before

	watched flow_cl -w 300 -r 2
	expect "told" "$(seen first_ms)" ge 0
	expect "FIN told" "$(seen fin_ms)" ge 0
	ip -n "$fw1" link set "$DEV" type pfsync flush 800
	before=$(stat_get "$fw1" timeouts)
	watched flow_cl -w 1500 -r 2
	# never earlier; how much later is the machine's business
	expect "told after" "$(seen first_ms)" ge 700
	expect "FIN told after" "$(seen fin_ms)" ge 700
	expect "by the timer" "$(($(stat_get "$fw1" timeouts) - before))" ge 2
	ip -n "$fw1" link set "$DEV" type pfsync flush 10
}

# Many things in one interval are one packet
test_flush_interval_gathers()
{
	local before told began seconds

	ip -n "$fw1" link set "$DEV" type pfsync flush 1000
	check "quiet" wait_quiet "$fw1"
	told=$(stat_get "$fw1" tx_ins)
	before=$(sent_but_hellos "$fw1")
	began=$(now_ms)
	check "connections" flow_cl -n 20 -a
	seconds=$((($(now_ms) - began) / 1000))
	check "told" wait_stat "$fw1" tx_ins $((told + 20))
	check "quiet" wait_quiet "$fw1"
	expect "packets for 20 connections" \
		$(($(sent_but_hellos "$fw1") - before)) le $((16 + 2 * seconds))
	ip -n "$fw1" link set "$DEV" type pfsync flush 10
}

test_maxupd_flushes_early()
{
	ip -n "$fw1" link set "$DEV" type pfsync flush 1000 maxupd 0
	watched flow_cl -r 30 -w 60
	expect "told after, no limit" "$(seen first_ms)" ge 800
	ip -n "$fw1" link set "$DEV" type pfsync flush 1000 maxupd 4
	watched flow_cl -r 30 -w 60
	# the timer is never earlier than a second
	expect "told after, limit 4" "$(seen first_ms)" lt 1000
	ip -n "$fw1" link set "$DEV" type pfsync flush 10 maxupd 128
}

# seconds_left NS PATTERN: of the first entry that matches, 0 without one
seconds_left()
{
	in_ns "$1" conntrack -L -p udp 2> "$TMP/left" |
		mawk -v want="$2" '$0 ~ want { print $3; found = 1; exit }
			END { if (!found) print 0 }'
}

udp_timeouts()
{
	local ns

	for ns in "$fw1" "$fw2"; do
		echo "@$ns"
		echo "sysctl net.netfilter.nf_conntrack_udp_timeout=$1"
		echo "sysctl net.netfilter.nf_conntrack_udp_timeout_stream=$1"
	done | netlab
}

# What fw2 asks for in the last ten seconds refreshes as well.
# A stream of 5 packets a second. Half is 6 s; 1 for rounding down, and more than
# 4 for a slow host.
test_timeout_is_refreshed()
{
	local end least=99 left told

	udp_timeouts 12
	rm -f "$TMP/up"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -u -p 31000 -r 0 -w 200 \
		-S "$TMP/up"
	check "stream" wait_file "$TMP/up"
	check "on fw2" wait_for "$WAIT" has_entry "$fw2" sport=31000
	told=$(updates "$fw1")
	for ((end = SECONDS + 26; SECONDS < end;)); do
		left=$(seconds_left "$fw2" sport=31000)
		[ "$left" -ge "$least" ] || least=$left
	done
	expect "least time left on fw2" "$least" ge 1
	told=$(($(updates "$fw1") - told))
	expect "updates of 26 s, more than two times the timeout" "$told" ge 3
	expect "updates of 26 s, not one for every packet" "$told" le 15
	kill -USR1 "$PID"
	check "stream ends well" wait "$PID"
	udp_timeouts 120
}

has_entry()
{
	local ns=$1
	shift
	ct_list "$ns" | grep -E -- "$*"
}

test_assured_and_reply()
{
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -u -p 31001 -r 0 -w 100
	check "answered" wait_for "$WAIT" has_entry "$fw2" sport=31001
	check "assured on fw2" wait_for "$WAIT" has_entry "$fw2" \
		"sport=31001.*ASSURED"
	check "same tables" wait_same_tables
	kill -USR1 "$PID"
	check "stream ends well" wait "$PID"
}

# Again until it does: conntrack -U stops at an entry that expires meanwhile
mark_arrives()
{
	in_ns "$fw1" conntrack -U -s "$CL4" -m "$1" 2>&1
	has_entry "$fw2" "sport=31002.*mark=$1"
}

test_mark()
{
	local told

	rm -f "$TMP/up"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -p 31002 -r 0 -w 100 \
		-S "$TMP/up"
	check "connection" wait_file "$TMP/up"
	check "on fw2" wait_for "$WAIT" has_entry "$fw2" sport=31002
	check "mark of netlink" wait_for "$WAIT" mark_arrives 77
	ruleset_add "$fw1" <<-EOF
	add table inet marks
	add chain inet marks forward { type filter hook forward priority 10; }
	add rule inet marks forward tcp sport 31002 ct mark set 88
	EOF
	check "mark of a rule" wait_for "$WAIT" has_entry "$fw2" \
		"sport=31002.*mark=88"
	ruleset_add "$fw1" <<-EOF
	delete table inet marks
	EOF
	# where its packets pass it is known better than where they do not
	told=$(stat_get "$fw2" tx_upd)
	in_ns "$fw2" conntrack -U -s "$CL4" -p tcp -m 99 > "$TMP/mark" 2>&1
	check "told by fw2" wait_stat "$fw2" tx_upd $((told + 1))
	check "mark of fw1 again" wait_for "$WAIT" has_entry "$fw2" \
		"sport=31002.*mark=88"
	check "mark on fw1" has_entry "$fw1" "sport=31002.*mark=88"
	kill -USR1 "$PID"
	check "connection ends well" wait "$PID"
}

# The client's FIN arrives nowhere and comes only once: conntrack takes the
# second one for a later step.
test_tcp_states()
{
	rm -f "$TMP/up"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -p 31003 -H -S "$TMP/up"
	check "connection" wait_file "$TMP/up"
	check "established" wait_for "$WAIT" has_entry "$fw2" \
		"ESTABLISHED.*sport=31003"
	ruleset_add "$sv" <<-EOF
	add table inet deaf
	add chain inet deaf input { type filter hook input priority 0; }
	add rule inet deaf input tcp sport 31003 drop
	EOF
	ruleset_add "$cl" <<-EOF
	add table inet once
	add chain inet once output { type filter hook output priority 0; }
	add rule inet once output tcp sport 31003 tcp flags & fin == fin limit rate over 1/hour burst 1 packets drop
	EOF
	kill "$PID"
	check "fin wait" wait_for "$WAIT" has_entry "$fw2" \
		"FIN_WAIT.*sport=31003"
	check "same tables" wait_same_tables
	ruleset_flush "$sv"
	ruleset_flush "$cl"
	check "time wait" wait_for "$WAIT" has_entry "$fw2" \
		"TIME_WAIT.*sport=31003"
	check "same tables" wait_same_tables
}

# Two frames of fw1 may leave by two processors and arrive the other way round; what
# the older one says is then answered, once
test_hardly_anything_came_back()
{
	local few

	few=$((5 + $(stat_get "$fw1" tx_upd_c) / 50))
	expect "updates sent by fw2" "$(stat_get "$fw2" tx_upd_c)" le "$few"
	expect "stale on fw1" "$(stat_get "$fw1" stale)" le "$few"
	expect "stale on fw2" "$(stat_get "$fw2" stale)" le "$few"
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
nfsync_pair || skip_all "nfsync does not come up"
# no entry of one test ends while another looks
closed_stay "$fw1" "$fw2" || skip_all "no timeouts"
ended_stay "$fw1" "$fw2" || skip_all "no timeouts"
run_tests test_windows_of_a_paced_transfer test_windows_of_bulk_transfers \
	test_windows_at_rest test_flush_interval \
	test_flush_interval_gathers test_maxupd_flushes_early \
	test_timeout_is_refreshed test_assured_and_reply test_mark \
	test_tcp_states test_hardly_anything_came_back
