#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two nodes that forward at the same time and translate to one address: no port
# is given out twice, answers find their way by either node, and a connection
# that both translated ends in one entry.
#
#    .2 +----+                .1 +-----+ .1, OUT4
#       | cl +--+ lan        +---+ fw1 +---+           cl by fw1, share 0/2
#       +----+  +---------+  |   +--+--+   |  +---------+  +----+
#               | bridge  +--+      | sync +--+ bridge  +--+ sv |
#       +-----+ |  swlan  +--+      |      +--+  swwan  |  +----+
#       | cl2 +-+---------+  |   +--+--+   |  +---------+     .2
#   .12 +-----+              +---+ fw2 +---+           cl2 by fw2, share 1/2
#                             .3 +-----+ .3
#
# Both translate what goes to sv to OUT4, which fw1 has: all answers come by
# fw1. The ports of cl and cl2 are of one small range, so that both nodes would
# often choose the same.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

OUT4=$GW_WAN4
CL2_4=10.0.1.12

second_client()
{
	cl2=${cl/cl-/cl2-}
	NAMESPACES+=("$cl2")
	{
		ns_text "$cl2"
		cat <<-EOF2
		@$sw
		ip link add cl2lan type veth peer name lan netns $cl2
		ip link set cl2lan master swlan up
		@$cl2
		ip addr add $CL2_4/24 dev lan
		ip link set lan up
		ip route add default via 10.0.1.3
		@$cl
		ip route replace default via 10.0.1.1
		EOF2
	} | netlab
}

translate()
{
	ruleset_add "$1" <<-EOF2
	add table inet tr
	add chain inet tr post { type nat hook postrouting priority 100; }
	add rule inet tr post oifname wan meta nfproto ipv4 snat ip to $OUT4
	EOF2
}

# An emulated guest may be late: what is held is to wait for its answer here
pair_with_shares()
{
	nfsync_up "$fw1" defer on defertime 2000 natshare 0/2 &&
		nfsync_up "$fw2" defer on defertime 2000 natshare 1/2 &&
		wait_running "$fw1" && wait_running "$fw2"
}

# ports_of NS CLIENT: that its connections have at OUT4
ports_of()
{
	ct_list "$1" -s "$2" | sed -n "s/.* dst=$OUT4 sport=[0-9]* dport=\([0-9]*\).*/\1/p"
}

# share_is NS CLIENT SHARE: of all its connections
share_is()
{
	local others

	others=$(ports_of "$1" "$2" | awk -v share="$3" '
		$1 % 2 != share { n++ } END { print n + 0 }')
	expect "ports of $2 that are not of share $3" "$others" eq 0
}

# clients OPTIONS...: the same from both at a time
clients()
{
	local pid

	spawn "$cl2" flow client "$SV4" "$FLOW_PORT" \
		-T $((600 * NFSYNC_SLOW)) "$@"
	pid=$PID
	check "cl" flow_cl "$@"
	check "cl2" wait "$pid"
}

# entries_are NS CLIENT N AGAIN: it has one of each of its connections, but for
# those whose port was used again
entries_are()
{
	local now

	now=$(ports_of "$1" "$2" | wc -l)
	expect "entries of $2" "$now" le "$3"
	expect "entries of $2" "$now" ge $(($3 - $4))
}

# A client takes a port again whose connection sv has reset, or that ended a
# minute ago; the other node ends an entry then
test_no_port_twice()
{
	local n resets ended1 ended2

	n=$(scaled 5000)
	resets=$(tcp_resets "$sv")
	ended1=$(ended_on "$fw1")
	ended2=$(ended_on "$fw2")
	clients -n "$n" -c 16 -r 1
	check "quiet" wait_quiet "$fw1" "$fw2"
	resets=$(($(tcp_resets "$sv") - resets))
	[ "$RET" -eq "$ksft_pass" ] || dump
	expect "conflicts" "$(both_stats imp_conflict)" eq 0
	expect "resets" $resets le $((n / 20))
	entries_are "$fw2" "$CL4" "$n" \
		$((resets + $(ended_on "$fw2") - ended2))
	entries_are "$fw1" "$CL2_4" "$n" \
		$((resets + $(ended_on "$fw1") - ended1))
	share_is "$fw2" "$CL4" 0
	share_is "$fw1" "$CL2_4" 1
	expect "invalid at fw1" "$(invalid_count "$fw1")" eq 0
	expect "invalid at fw2" "$(invalid_count "$fw2")" eq 0
	check "same tables" wait_same_tables
	echo "# ports changed: $(stat_get "$fw1" natshare) by fw1," \
		"$(stat_get "$fw2" natshare) by fw2; $resets resets"
}

# given NS FROM: who has the one port that there is, of which state
given()
{
	ct_list "$1" -p tcp --reply-port-dst $GIVEN --sport "$2" | grep -c "$3"
}

has_given()
{
	[ "$(given "$@")" -eq 1 ]
}

GIVEN=901	# nobody has it yet: for the clients' ports NAT looks above 1023
OVER=' \(TIME_WAIT\|CLOSE\) '	# a host may have reset it, see ended_well

# NAT takes a port from a connection that has ended, where there is no other, if
# the numbers of the new one are beyond the old one's: of the clients' ports
# every other is as good as that. fw1 mostly hears of the new one before the end,
# for that has no haste.
test_a_port_is_given_out_again()
{
	local first=36001 port ended

	check "one port" in_ns "$fw2" nft insert rule inet tr post oifname wan \
		ip protocol tcp snat ip to $OUT4:$GIVEN
	ended=$(ended_on "$fw1")
	in_ns "$cl2" flow client "$SV4" "$FLOW_PORT" -r 1 -p $first > "$TMP/flow" ||
		fail "the first"
	check "on fw1" wait_for "$WAIT" has_given "$fw1" $first "$OVER"
	for ((port = first + 1; port < first + 40; port++)); do
		timeout $((5 * NFSYNC_SLOW)) ip netns exec "$cl2" \
			flow client "$SV4" "$FLOW_PORT" -r 1 -p $port \
			> "$TMP/flow" && break
	done
	cat "$TMP/flow"
	check "on fw1" wait_for "$WAIT" has_given "$fw1" $port "$OVER"
	expect "of the first, on fw1" "$(given "$fw1" $first '')" eq 0
	expect "that ended" $(($(ended_on "$fw1") - ended)) eq 1
	check "quiet" wait_quiet "$fw1" "$fw2"
	check "same tables" wait_same_tables
	in_ns "$fw2" nft flush chain inet tr post && translate "$fw2"
}

test_udp_and_pings()
{
	local ns

	clients -u -n 50 -r 2
	for ns in "$cl" "$cl2"; do
		check "pings" in_ns "$ns" ping -q -c 5 -i 0.01 -W 5 "$SV4" \
			> "$TMP/ping"
	done
	share_is "$fw2" "$CL4" 0
	share_is "$fw1" "$CL2_4" 1
	expect "conflicts" "$(both_stats imp_conflict)" eq 0
	check "same tables" wait_same_tables
}

# Another share from now on; what has a port keeps it
test_shares_change()
{
	check "flush" ct_flush "$fw1"
	check "flush" ct_flush "$fw2"
	check "empty" wait_states "$fw1" 0
	check "empty" wait_states "$fw2" 0
	check "shares" ip -n "$fw1" link set "$DEV" type pfsync natshare 3/16
	check "flows" flow_cl -n 50 -r 1
	expect "entries" "$(ports_of "$fw1" "$CL4" | wc -l)" eq 50
	expect "not of share 3" "$(ports_of "$fw1" "$CL4" |
		awk '$1 % 16 != 3' | wc -l)" eq 0
	check "shares" ip -n "$fw1" link set "$DEV" type pfsync natshare 0/2
	check "flows" flow_cl -n 50 -r 1
	expect "of share 0" "$(ports_of "$fw1" "$CL4" |
		awk '$1 % 2 == 0' | wc -l)" eq 50
}

# The module of NAT can't go while its function is in use
test_nat_stays()
{
	local ns

	! rmmod nf_nat 2> "$TMP/rmmod" || fail "nf_nat could be unloaded"
	for ns in "$fw1" "$fw2"; do
		check "no shares" ip -n "$ns" link set "$DEV" type pfsync natshare none
		expect_same "natshare" "$(attribute "$ns" natshare)" none
	done
	check "flows" flow_cl -n 5 -r 1
	check "shares" ip -n "$fw1" link set "$DEV" type pfsync natshare 0/2
	check "shares" ip -n "$fw2" link set "$DEV" type pfsync natshare 1/2
}

# sends_udp NS: packets that nobody answers, until NS has its entry and told it
sends_udp()
{
	local told

	told=$(stat_get "$1" tx_ins)
	spawn "$cl" flow client "$SV4" 9 -u -n 1 -p 7777
	wait_for "$WAIT" has_udp "$1" && wait_stat "$1" tx_ins $((told + 1))
}

# no_more: of what sends_udp sends. A packet by the new path would be told there
# before it is waited for.
no_more()
{
	kill "$PID"
	wait "$PID" 2> "$TMP/wait" || :
}

has_udp()
{
	[ -n "$(ct_list "$1" -p udp --sport 7777)" ]
}

path_by()
{
	printf '@%s\nip route replace default via 10.0.1.%s\n' "$cl" "$1" |
		netlab
}

one_entry()
{
	local ns

	for ns in "$fw1" "$fw2"; do
		ct_list "$ns" -p udp --sport 7777
	done > "$TMP/both"
	cat "$TMP/both"
	[ "$(wc -l < "$TMP/both")" -eq 2 ] &&
		[ "$(sort -u "$TMP/both" | wc -l)" -eq 1 ]
}

# Neither hears of the other's until both have told theirs
test_one_connection_translated_twice()
{
	local ns gave

	gave=$(both_stats imp_yielded)
	for ns in "$fw1" "$fw2"; do
		in_ns "$ns" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=300
	done
	lose "$fw1" all
	lose "$fw2" all
	check "by fw1" sends_udp "$fw1"
	no_more
	check "path" path_by 3
	check "by fw2" sends_udp "$fw2"
	no_more
	check "path" path_by 1
	lose_nothing "$fw1" "$fw2"
	check "one entry" wait_for "$WAIT" one_entry
	expect "that gave way" $(($(both_stats imp_yielded) - gave)) eq 1
	check "quiet" wait_quiet "$fw1" "$fw2"
	check "same tables" wait_same_tables
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
second_client || skip_all "no second client"
for ns in "$fw1" "$fw2"; do
	translate "$ns" || skip_all "no NAT here"
done
# they are counted when the last of them is made
ended_stay "$fw1" "$fw2" || skip_all "no timeouts"
for ns in "$cl" "$cl2"; do
	in_ns "$ns" sysctl -qw "net.ipv4.ip_local_port_range=20000 35999"
done
closed_stay "$fw1" "$fw2" || skip_all "no timeouts"
blackhole 9
pair_with_shares || skip_all "nfsync does not come up"
run_tests test_no_port_twice test_a_port_is_given_out_again test_udp_and_pings \
	test_shares_change test_nat_stays test_one_connection_translated_twice
