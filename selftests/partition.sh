#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The two nodes lose each other while both have traffic, and find each other
# again: what ended on either has ended, what began on either is on both, what
# lived goes on. Then nodes reboot: both at once, and one under a new name.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      IPv4, nfsync0
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      X      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      IPv6 while it lasts, nfsync0
#                  .3 lan +-----+ wan .3
#
# Flows have source ports by what becomes of them: 31000 end meanwhile, 32000
# live, 33000 begin meanwhile; the same plus 10000 for IPv6.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=peers.sh
. "$(dirname "$0")/peers.sh"

# time_wait SECONDS NS...: so long stays what closed
time_wait()
{
	local seconds=$1 ns
	shift
	for ns in "$@"; do
		echo "@$ns"
		echo "sysctl net.netfilter.nf_conntrack_tcp_timeout_time_wait=$seconds"
		echo "sysctl net.netfilter.nf_conntrack_tcp_timeout_close=$seconds"
	done | netlab
}

# ipv6_by fw1|fw2: both hosts send IPv6 there
ipv6_by()
{
	local digit=fe

	[ "$1" = fw1 ] || digit=3
	cat <<-EOS | netlab
	@$cl
	ip route replace default via fd00:1::$digit
	@$sv
	ip route replace default via fd00:2::$digit
	EOS
}

# births NS: every entry that is made there from now on, in $BIRTHS. One that
# came back and went again would not show in a table.
births()
{
	spawn "$1" conntrack -E -e NEW -p tcp
	BIRTHS=$OUT BIRTH_PID=$PID
	check "events" ct_events "$1"
}

# conntrack -E says nothing when it listens: entries are made until it shows one
ct_events()
{
	local i

	for ((i = 0; i < WAIT * 10; i++)); do
		in_ns "$1" conntrack -I -s 10.0.1.2 -d 10.0.2.2 -p tcp \
			--sport $((39000 + i)) --dport 9 -t 1 --state SYN_SENT \
			> "$TMP/born" 2>&1
		grep -q 'sport=39' "$BIRTHS" && return 0
		sleep 0.1
	done
	return 1
}

# reborn FIRST LAST: entries of these ports that were made since births
reborn()
{
	kill "$BIRTH_PID"
	mawk -v first="$1" -v last="$2" '
	match($0, /sport=[0-9]+/) {
		port = substr($0, RSTART + 6, RLENGTH - 6) + 0
		n += port >= first && port <= last
	}
	END { print n + 0 }' "$BIRTHS"
}

# The case that conntrackd and pfsync are known for: who was away comes back
# with flows that ended on the other node, and brings them back to life.
test_ended_on_fw2_while_fw1_was_down()
{
	start_empty
	time_wait 1 "$fw2"
	flows ending -n 20 -H -p 31000
	flows living -n 20 -H -p 32000
	check "on fw2" wait_ports "$fw2" 31000 32999 40 \
		-p tcp --state ESTABLISHED
	check "fw2 takes over" take_over "$fw2"
	verdict "$fw2" alone
	flows_end ending
	check "ended on fw2" wait_ports "$fw2" 31000 31999 0
	flows new -n 20 -H -p 33000
	expect "stale on fw1" "$(ports_in "$fw1" 31000 31999)" eq 20
	births "$fw2"
	check "fw1 returns" fw_on "$fw1"
	both_in_sync
	healed "ended while fw1 was down"
	expect "ended, on fw1" "$(ports_in "$fw1" 31000 31999)" eq 0
	expect "ended, on fw2" "$(ports_in "$fw2" 31000 31999)" eq 0
	expect "came back to life on fw2" "$(reborn 31000 31999)" eq 0
	expect "living and new, on fw1" "$(ports_in "$fw1" 32000 33999 \
		-p tcp --state ESTABLISHED)" eq 40
	check "gateway returns" move_gateway "$fw1"
	time_wait 120 "$fw2"
	flows_end living new
	healed "at the end"
	expect "invalid on fw1" "$(invalid_count "$fw1")" eq 0
}

# The same for flows that somebody deletes on fw2 after they moved there
test_deleted_on_fw2_while_fw1_was_down()
{
	start_empty
	flows doomed -n 20 -r 0 -w 100 -p 31000
	flows living -n 20 -H -p 32000
	check "on fw2" wait_ports "$fw2" 31000 32999 40 \
		-p tcp --state ESTABLISHED
	check "fw2 takes over" take_over "$fw2"
	# until all of them have moved there: their rounds go on
	check "packets by fw2" wait_for "$WAIT" lan_beyond "$fw2" \
		$(($(lan_packets "$fw2") + 200))
	kill "${CLIENT[doomed]}"
	wait "${CLIENT[doomed]}" 2> "$TMP/killed"
	check "closed by cl" wait_for "$WAIT" closed 31000 31999
	check "deleted on fw2" wait_for "$WAIT" gone "$fw2" 31000 31999
	births "$fw2"
	check "fw1 returns" fw_on "$fw1"
	both_in_sync
	healed "deleted while fw1 was down"
	expect "deleted, on fw1" "$(ports_in "$fw1" 31000 31999)" eq 0
	expect "came back to life on fw2" "$(reborn 31000 31999)" eq 0
	check "gateway returns" move_gateway "$fw1"
	flows_end living
}

# closed FIRST LAST: cl has no connection from these ports that could go on
closed()
{
	in_ns "$cl" ss -Htn state connected exclude time-wait \
		"( sport >= :$1 and sport <= :$2 )" > "$TMP/open"
	[ ! -s "$TMP/open" ]
}

# gone NS FIRST LAST: whatever is left of them is deleted, are they gone?
gone()
{
	local port

	ports_are "$1" "$2" "$3" 0 && return
	for port in $(ct_list "$1" -p tcp | mawk -v first="$2" -v last="$3" '
		match($0, /sport=[0-9]+/) {
			port = substr($0, RSTART + 6, RLENGTH - 6) + 0
			if (port >= first && port <= last)
				print port
		}'); do
		ct_del "$1" -p tcp --sport "$port"
	done
	return 1
}

# A part of the traffic on each node, and neither knows of the other's. All six
# kinds at once; those of IPv6 move to fw2 with the cut.
test_partition_with_traffic_on_both_sides()
{
	local invalid

	start_empty
	time_wait 1 "$fw1" "$fw2"
	flows ending4 -n 20 -H -p 31000
	flows living4 -n 20 -H -p 32000
	flows busy4 -n 10 -r 0 -w 100 -p 32100
	flows ending6 "$SV6" -n 20 -H -p 41000
	flows living6 "$SV6" -n 20 -H -p 42000
	flows busy6 "$SV6" -n 10 -r 0 -w 100 -p 42100
	check "on fw2" wait_ports "$fw2" 31000 42999 100 \
		-p tcp --state ESTABLISHED
	lose "$fw1" all
	lose "$fw2" all
	check "ipv6 by fw2" ipv6_by fw2
	verdict "$fw1" alone
	verdict "$fw2" alone
	# while the hosts moved one after the other, each node saw one direction
	# and could not be told the other
	invalid=$(invalid_count "$fw1")
	flows_end ending4 ending6
	flows new4 -n 20 -H -p 33000
	flows new6 "$SV6" -n 20 -H -p 43000
	check "entries" ct_add "$fw1" 34000 20
	check "entries" ct_add "$fw2" 44000 20
	check "ended on fw1" wait_ports "$fw1" 31000 31999 0
	check "ended on fw2" wait_ports "$fw2" 41000 41999 0
	expect "stale on fw2" "$(ports_in "$fw2" 31000 31999)" eq 20
	expect "stale on fw1" "$(ports_in "$fw1" 41000 41999)" eq 20
	births "$fw2"
	lose_nothing "$fw1" "$fw2"
	both_in_sync
	# the busy ones stay established, so that tables can be the same
	healed "partition"
	expect "ended, on fw1" "$(ports_in "$fw1" 31000 31999)" eq 0
	expect "ended, on fw2" "$(ports_in "$fw2" 31000 31999)" eq 0
	expect "ended, on fw1" "$(ports_in "$fw1" 41000 41999)" eq 0
	expect "ended, on fw2" "$(ports_in "$fw2" 41000 41999)" eq 0
	expect "came back to life on fw2" "$(reborn 41000 41999)" eq 0
	expect "living and new, on fw1" "$(ports_in "$fw1" 42000 43999 \
		-p tcp --state ESTABLISHED)" eq 50
	expect "living and new, on fw2" "$(ports_in "$fw2" 32000 33999 \
		-p tcp --state ESTABLISHED)" eq 50
	expect "by hand" "$(ports_in "$fw1" 44000 44999)" eq 20
	expect "by hand" "$(ports_in "$fw2" 34000 34999)" eq 20
	check "ipv6 by fw1" ipv6_by fw1
	flows_end busy4 busy6 living4 living6 new4 new6
	time_wait 120 "$fw1" "$fw2"
	healed "at the end"
	expect "invalid on fw1" $(($(invalid_count "$fw1") - invalid)) eq 0
}

# fw2 still has the connections that the ports had before, when it hears of the
# next ones, and must neither mix them up nor tell fw1 that they have ended. Of
# each it hears of the next one or of the end first, whichever way it falls.
test_ports_used_again()
{
	local one two ended

	start_empty
	one=$(invalid_count "$fw1") two=$(invalid_count "$fw2")
	time_wait 120 "$fw1" "$fw2"
	flow_cl -n 20 -p 35000 -a || fail "connections"
	check "ended on fw2" wait_ports "$fw2" 35000 35999 20 \
		-p tcp --state CLOSE
	lose "$fw1" all
	lose "$fw2" all
	verdict "$fw2" alone
	flows again -n 20 -r 0 -w 100 -p 35000
	check "on fw1" wait_ports "$fw1" 35000 35999 20 \
		-p tcp --state ESTABLISHED
	expect "before them, on fw2" "$(ports_in "$fw2" 35000 35999 \
		-p tcp --state CLOSE)" eq 20
	ended=$(ended_on "$fw2")
	lose_nothing "$fw1" "$fw2"
	both_in_sync
	healed "ports used again"
	expect "on fw2" "$(ports_in "$fw2" 35000 35999 \
		-p tcp --state ESTABLISHED)" eq 20
	expect "ended on fw2" $(($(ended_on "$fw2") - ended)) eq 20
	echo "# later ones, on fw2: $(stat_get "$fw2" imp_later)"
	check "fw2 gets the gateway" move_gateway "$fw2"
	flows_end again
	healed "at the end"
	expect "invalid on fw1" "$(invalid_count "$fw1")" eq "$one"
	expect "invalid on fw2" "$(invalid_count "$fw2")" eq "$two"
	check "gateway returns" move_gateway "$fw1"
}

# Nobody is there to ask: each begins with what it has, and they tell each other
test_both_restart_at_once()
{
	start_empty
	flows living -n 30 -H -p 32000
	check "on fw2" wait_ports "$fw2" 32000 32999 30
	nfsync_down "$fw1"
	nfsync_down "$fw2"
	check "entries" ct_add "$fw1" 34000 20
	check "entries" ct_add "$fw2" 44000 20
	nfsync_up "$fw1" && nfsync_up "$fw2"
	check "fw1 running" wait_running "$fw1"
	check "fw2 running" wait_running "$fw2"
	healed "both restart"
	both_in_sync
	expect "by hand" "$(ports_in "$fw1" 44000 44999)" eq 20
	expect "by hand" "$(ports_in "$fw2" 34000 34999)" eq 20
	flows_end living
	healed "at the end"
}

test_both_reboot_at_once()
{
	local ns

	start_empty
	check "entries" ct_add "$fw1" 34000 20
	check "on fw2" wait_states "$fw2" 20
	for ns in "$fw1" "$fw2"; do
		nfsync_down "$ns"
		ct_flush "$ns"
	done
	nfsync_up "$fw1" && nfsync_up "$fw2"
	check "fw1 running" wait_running "$fw1"
	check "fw2 running" wait_running "$fw2"
	both_in_sync
	expect "entries on fw1" "$(ct_count "$fw1")" eq 0
	expect "entries on fw2" "$(ct_count "$fw2")" eq 0
	flows living -n 10 -H -p 32000
	check "on fw2" wait_ports "$fw2" 32000 32999 10 \
		-p tcp --state ESTABLISHED
	flows_end living
	healed "after both rebooted"
}

# What fw1 created goes on under the name it had then; fw1 has no more say in
# it than any other node, and no less.
test_peer_reboots_under_a_new_name()
{
	start_empty
	ip -n "$fw1" link set "$DEV" down
	ip -n "$fw1" link set "$DEV" type pfsync hostid 0x0a0a0a0a
	ip -n "$fw1" link set "$DEV" up
	both_in_sync
	flows living -n 30 -H -p 32000
	flows ending -n 20 -H -p 31000
	check "on fw2" wait_ports "$fw2" 31000 32999 50 \
		-p tcp --state ESTABLISHED
	nfsync_down "$fw1"
	ct_flush "$fw1"
	expect "entries on fw2" "$(ports_in "$fw2" 31000 32999)" eq 50
	check "fw1 up" nfsync_up "$fw1" hostid 0x0b0b0b0b
	check "fw1 running" wait_running "$fw1"
	expect "entries on fw1 at once" "$(ports_in "$fw1" 31000 32999 \
		-p tcp --state ESTABLISHED)" eq 50
	healed "a new name"
	both_in_sync
	time_wait 1 "$fw1"
	flows_end ending
	check "ended on fw1" wait_ports "$fw1" 31000 31999 0
	check "ended on fw2" wait_ports "$fw2" 31000 31999 0
	flows new -n 10 -H -p 33000
	time_wait 120 "$fw1"
	flows_end living new
	healed "at the end"
	expect "living and new, on fw2" \
		"$(ports_in "$fw2" 32000 33999 -p tcp)" eq 40
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
nfsync_pair || skip_all "nfsync does not come up"
run_tests test_ended_on_fw2_while_fw1_was_down \
	test_deleted_on_fw2_while_fw1_was_down \
	test_partition_with_traffic_on_both_sides test_ports_used_again \
	test_both_restart_at_once \
	test_both_reboot_at_once test_peer_reboots_under_a_new_name
