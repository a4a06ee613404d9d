#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What ends on fw1 ends on fw2, however it ends and however many there are;
# what merely ends on fw2 says nothing to fw1.
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
# Entries made by hand (conntrack -R) are UDP flows from cl's port N to port 9
# of sv, with 600 s to live.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

HOSTID=0x0a0b0c0d

# set_timeouts SECONDS NS...: of everything that ends by itself
set_timeouts()
{
	local seconds=$1 ns name
	shift
	for ns in "$@"; do
		echo "@$ns"
		for name in tcp_timeout_time_wait tcp_timeout_close \
			udp_timeout udp_timeout_stream icmp_timeout \
			icmpv6_timeout; do
			echo "sysctl net.netfilter.nf_conntrack_$name=$seconds"
		done
	done | netlab
}

# ct_live NS SECONDS: so long lives every entry of cl's from now on
ct_live()
{
	in_ns "$1" conntrack -U -s "$CL4" -t "$2" > "$TMP/live4" 2>&1
	in_ns "$1" conntrack -U -s "$CL6" -t "$2" > "$TMP/live6" 2>&1
	grep -hoE '[0-9]+ flow entries have been updated' "$TMP"/live[46] |
		mawk '{ n += $1 } END { print n + 0 }'
}

# is_short NS: has every entry of cl's three seconds left? conntrack gives up
# at the first one that ends under its hands
is_short()
{
	local n

	n=$(ct_live "$1" 3)
	ct_list "$1" > "$TMP/reap"
	echo "# $n updated of $(wc -l < "$TMP/reap")"
	tail -qn 1 "$TMP"/live[46] | sed 's/^/#   /'
	[ "$n" -ge "$(wc -l < "$TMP/reap")" ]
}

# Conntrack buries its dead when somebody meets them; a listing does, and of
# all namespaces.
is_reaped()
{
	ct_list "$1" > "$TMP/reap"
	count_is "$1" 0
}

start_empty()
{
	check "fw1 begins empty" empty "$fw1"
	check "fw2 begins empty" empty "$fw2"
}

empty()
{
	ct_flush "$1"
	wait_states "$1" 0
}

test_close_and_expiry()
{
	local before

	start_empty
	before=$(stat_get "$fw2" imp_deleted)
	set_timeouts 600 "$fw1"
	check "tcp" flow_cl -n 20 -e
	check "tcp over ipv6" flow_cl6 -n 20 -e
	check "tcp with rst" flow_cl -n 20 -a
	check "udp" flow_cl -u -n 20
	check "udp over ipv6" flow_cl6 -u -n 20
	check "ping" ping_cl "$SV4" 2
	check "ping over ipv6" ping_cl "$SV6" 2
	check "quiet" wait_quiet "$fw1"
	# those of fw2 have ten minutes left: what it loses it was told to lose
	expect "entries on fw1" "$(ct_list "$fw1" | wc -l)" eq 102
	check "about to expire" wait_for "$WAIT" is_short "$fw1"
	check "expired on fw1" wait_for "$WAIT" is_reaped "$fw1"
	check "gone from fw2" wait_states "$fw2" 0
	expect "deleted on fw2" $(($(stat_get "$fw2" imp_deleted) - before)) \
		eq 102
	set_timeouts 60 "$fw1"
}

test_delete_by_hand()
{
	start_empty
	check "entries" ct_add "$fw1" 1 10
	check "on fw2" wait_states "$fw2" 10
	check "delete one" ct_del "$fw1" -p udp --sport 3
	check "nine left" wait_states "$fw2" 9
	expect "that one" "$(ct_count "$fw2" -p udp --sport 3)" eq 0
	check "delete the others" ct_del "$fw1" -p udp
	check "none left" wait_states "$fw2" 0
}

# many N: made by hand, all told, flushed, none survives on either side
many()
{
	start_empty
	check "entries" ct_add "$fw1" 1 "$1"
	check "$1 on fw2" wait_states "$fw2" "$1"
	ct_flush "$fw1"
	check "none survives" wait_states "$fw2" 0
	expect "sync states on fw1" "$(ct_count "$fw1")" eq 0
}

test_flush_of_2000()
{
	many "$(scaled 2000)"
}

test_flush_of_50000()
{
	many "$(scaled 50000)"
}

test_2000_connections_close()
{
	start_empty
	set_timeouts 2 "$fw1"
	check "connections" flow_cl -n "$(scaled 2000)" -c 50 -e
	check "expired on fw1" wait_for "$WAIT" is_reaped "$fw1"
	check "gone from fw2" wait_states "$fw2" 0
	set_timeouts 60 "$fw1"
}

# clr [VALUES]: a CLR as fw1 would send it
clr()
{
	in_ns "$fw1" rawsync -i sync "clr,creator=$1${2:+,$2}"
}

test_clr()
{
	start_empty
	check "entries" ct_add "$fw1" 1 300
	check "on fw2" wait_states "$fw2" 300
	check "clr of nobody" clr 0x12345678
	check "clr of one interface" clr "$HOSTID" ifname=eth7
	check "both seen" wait_stat "$fw2" rx_clr 2
	expect "still there" "$(ct_count "$fw2")" eq 300
	check "clr" clr "$HOSTID"
	check "none left on fw2" wait_states "$fw2" 0
	expect "left on fw1" "$(ct_count "$fw1")" eq 300
	expect "deletions told by fw2" "$(stat_get "$fw2" tx_del_c)" eq 0
}

# B-18: who merely learned of a flow has no say in its end
test_standby_expires_quietly()
{
	local before

	start_empty
	rm -f "$TMP/up"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -n 5 -H -S "$TMP/up"
	check "connections" wait_file "$TMP/up"
	check "on fw2" wait_states "$fw2" 5
	check "quiet" wait_quiet "$fw1" "$fw2"
	before=$(stat_get "$fw2" tx_del_c)
	expect "entries on fw2" "$(ct_list "$fw2" | wc -l)" eq 5
	# as long as it hears fw1 it asks before it lets one go
	check "no link" ip -n "$fw2" link set sync down
	check "about to expire" wait_for "$WAIT" is_short "$fw2"
	check "expired on fw2" wait_for "$WAIT" is_reaped "$fw2"
	expect "quiet ends" "$(stat_get "$fw2" expire_quiet)" ge 5
	check "link" ip -n "$fw2" link set sync up
	check "back on fw2" wait_states "$fw2" 5
	expect "deletions told" "$(stat_get "$fw2" tx_del_c)" eq "$before"
	expect "left on fw1" "$(ct_count "$fw1")" eq 5
	kill -USR1 "$PID"
	check "connections go on and end well" wait "$PID"
	check "on fw2 with their end" wait_states "$fw2" 5
}

# B-19: one packet tells the end of the old flow and the new one
test_port_reused_in_one_batch()
{
	local frames

	start_empty
	ip -n "$fw1" link set "$DEV" type pfsync flush 500
	check "entries" ct_add "$fw1" 1 3 17
	check "on fw2" wait_states "$fw2" 3
	check "quiet" wait_quiet "$fw1"
	frames=$(stat_get "$fw1" opackets)
	check "delete" ct_del "$fw1" -p udp --sport 2
	check "again" ct_add "$fw1" 2 1 23
	check "delete and insert told" wait_stat "$fw1" opackets \
		$((frames + 1))
	check "quiet" wait_quiet "$fw1"
	expect "the new one is on fw2" \
		"$(ct_count "$fw2" -p udp --sport 2 --mark 23)" eq 1
	expect "states on fw2" "$(ct_count "$fw2")" eq 3
	# the new one is known by its new id
	check "delete" ct_del "$fw1" -p udp --sport 2
	check "the new one ends too" wait_states "$fw2" 2
	ip -n "$fw1" link set "$DEV" type pfsync flush 10
}

# stays_open PORT: the connection from there is alive on fw2, and nothing else
stays_open()
{
	rm -f "$TMP/up"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -p "$1" -H -S "$TMP/up"
	check "last connection" wait_file "$TMP/up"
	check "quiet" wait_quiet "$fw1"
	expect "states on fw2" "$(ct_count "$fw2")" eq 1
	expect "established" \
		"$(ct_count "$fw2" -p tcp --state ESTABLISHED)" eq 1
	kill -USR1 "$PID"
	check "it ends well" wait "$PID"
}

test_tcp_port_reused()
{
	local i

	start_empty
	for ((i = 0; i < 5; i++)); do
		check "connection $i" flow_cl -p 30000 -a
	done
	stays_open 30000
}

# An ack comes behind the RST that it was sent in front of, and sv answers it with
# one of its own: conntrack lets the next connection begin in the same entry
test_tcp_begins_again_in_its_entry()
{
	local before line

	start_empty
	sniff "$cl" lan -S "tcp[tcpflags] & tcp-rst != 0 and tcp src port 30001"
	line=$OUT
	check "connection" flow_cl -p 30001 -a
	check "its RST" wait_for "$WAIT" grep -q 'Flags \[R' "$line"
	[[ "$(grep 'Flags \[R' "$line")" =~ \ seq\ ([0-9]+),\ ack\ ([0-9]+) ]]
	before=$(lan_packets "$fw1")
	in_ns "$cl" segment -S "${BASH_REMATCH[1]}" -A "${BASH_REMATCH[2]}" \
		"$CL4" 30001 "$SV4" "$FLOW_PORT" > "$TMP/segment" || fail "ack"
	check "ack arrives" wait_for "$WAIT" lan_beyond "$fw1" $((before + 1))
	check "closed" wait_states "$fw1" 1
	stays_open 30001
}

test_nothing_is_left()
{
	local before

	start_empty
	before=$(stat_get "$fw2" ipackets)
	check "ping" ping_cl
	check "a state" wait_states "$fw2" 1
	expect "frames" "$(stat_get "$fw2" ipackets)" gt "$before"
	expect "queue repairs" "$(stat_get "$fw1" queue_repair)" eq 0
	expect "length repairs" "$(stat_get "$fw1" len_repair)" eq 0
}

raise_limit()
{
	local file=/proc/sys/net/netfilter/nf_conntrack_max old

	old=$(cat $file)
	[ "$old" -ge 300000 ] && return
	on_exit eval "echo $old > $file"
	echo 300000 > $file
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
raise_limit
nfsync_pair_by_name "$HOSTID" || skip_all "nfsync does not come up"
run_tests test_close_and_expiry test_delete_by_hand test_flush_of_2000 \
	test_flush_of_50000 test_2000_connections_close test_clr \
	test_standby_expires_quietly test_port_reused_in_one_batch \
	test_tcp_port_reused test_tcp_begins_again_in_its_entry \
	test_nothing_is_left
