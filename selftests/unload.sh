#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The device, its namespace and the module go while traffic runs and messages
# are queued. Nothing stays behind: no entry, no module reference, no
# namespace; the traffic does not notice; and what comes back has all states.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      nfsync0, all traffic
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      nfsync0
#                  .3 lan +-----+ wan .3
#
#   and for the namespaces that go:    +--------+ sync  +------+
#                                      | doomed +-------+ cl   | rawsync
#                                      +--------+       +------+

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

ROUNDS=$(scaled 10 3)
HELD=20

# start_traffic: connections that stay and move, and ones that come and go
start_traffic()
{
	rm -f "$TMP/held"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -n $HELD -r 0 -w 500 \
		-T $((600 * NFSYNC_SLOW)) -S "$TMP/held"
	HOLDER=$PID
	wait_file "$TMP/held" || return 1
	spawn "$cl" flow client "$SV4" $((FLOW_PORT + 1)) -n 1000000 -c 4 \
		-R 10 -T $((600 * NFSYNC_SLOW))
	COMER=$PID
}

# Ends well only if not one byte of it was lost
stop_traffic()
{
	kill "$COMER"
	kill -USR1 "$HOLDER"
	check "connections have survived it all" wait "$HOLDER"
}

has_held()
{
	local now
	now=$(in_ns "$1" conntrack -L -p tcp --dport "$FLOW_PORT" \
		--state ESTABLISHED 2> "$TMP/said" | wc -l)
	echo "$now of $HELD held connections in $1"
	[ "$now" -ge $HELD ]
}

module_refs()
{
	cat /sys/module/nfsync/refcnt
}

# both COMMANDS...: each line in both namespaces, by one process
both()
{
	local ns

	for ns in "$fw1" "$fw2"; do
		echo "@$ns"
		printf 'ip %s\n' "$@"
	done | netlab
}

# come: devices on both, messages queued on one, states learned on the other
come()
{
	both "link add $DEV type pfsync syncdev sync flush 100" \
		"link set $DEV up" &&
		wait_stat "$fw2" states 1
}

# joined: fw2 begins with nothing and has all of it in the end
joined()
{
	check "up on both" nfsync_pair flush 100
	check "standby has the states" wait_for "$WAIT" has_held "$fw2"
}

# forget NS: the namespace's entries can all go, so nobody holds one
forget()
{
	check "entries of $1 are free" wait_for "$WAIT" empty "$1"
}

# More than once: the kernel leaves the group in two messages
empty()
{
	in_ns "$1" conntrack -F 2> "$TMP/said"
	count_is "$1" 0
}

test_link_del_under_traffic()
{
	local i

	for ((i = 0; i < ROUNDS; i++)); do
		come || fail "up, round $i"
		both "link del $DEV" || fail "del, round $i"
		[ "$RET" = "$ksft_pass" ] || return 1
	done
	expect "module references" "$(module_refs)" eq 0
	forget "$fw2"
	joined
}

test_link_down_under_traffic()
{
	local i

	for ((i = 0; i < ROUNDS; i++)); do
		both "link set $DEV down" || fail "down, round $i"
		both "link set $DEV up" || fail "up, round $i"
		check "states are back" wait_stat "$fw2" states 1
		[ "$RET" = "$ksft_pass" ] || return 1
	done
	both "link set $DEV down"
	expect "states" "$(stat_get "$fw2" states)" eq 0
	forget "$fw2"
	both "link del $DEV"
	joined
}

# The devices of both nodes go along with it
test_rmmod_under_traffic()
{
	local i

	nfsync_down "$fw1"
	nfsync_down "$fw2"
	for ((i = 0; i < ROUNDS; i++)); do
		come || fail "up, round $i"
		expect "module references" "$(module_refs)" eq 0
		rmmod nfsync || fail "rmmod, round $i"
		check "no device" not ip -n "$fw1" link show "$DEV" \
			2> "$TMP/said"
		modprobe nfsync || fail "modprobe, round $i"
		[ "$RET" = "$ksft_pass" ] || return 1
	done
	forget "$fw2"
	joined
}

# Nothing was lost on the way, for packets flow as without nfsync
test_traffic_did_not_notice()
{
	nfsync_down "$fw1"
	nfsync_down "$fw2"
	stop_traffic
	expect "invalid" "$(invalid_count "$fw1")" eq 0
}

# doomed_up N: a namespace with nfsync0, N learned states, and all of them
# queued: updates that are asked for, answers to stale ones, acks, requests
doomed_up()
{
	local i items=() asks=()

	{
		cat <<-EOF2
		@$DOOMED
		ip link set lo up
		ip link add sync type veth peer name doomed netns $cl
		ip addr add 10.7.0.2/24 dev sync
		ip link set sync up
		@$cl
		ip addr add 10.7.0.1/24 dev doomed
		ip link set doomed up
		EOF2
	} | netlab || return 1
	NAMESPACES+=("$DOOMED")
	nfsync_up "$DOOMED" flush 1000 || return 1
	wait_running "$DOOMED" || return 1
	for ((i = 1; i <= $1; i++)); do
		items+=("+ins,id=$i,src=10.8.0.1,dst=10.9.0.1,sport=$i,dport=80,flags=0x0010")
		asks+=("+upd_c,id=$i,seqlo=1" "+upd_c,id=$((i + 10000))")
	done
	for ((i = 0; i < $1; i += 100)); do
		in_ns "$cl" rawsync -i doomed -s 10.7.0.1 -F 1400 \
			"${items[@]:i:100}"
	done
	check "states" wait_stat "$DOOMED" states "$1"
	in_ns "$cl" rawsync -i doomed -s 10.7.0.1 -F 1400 "${asks[@]:0:200}"
	check "stale ones" wait_stat "$DOOMED" stale 50
}

# The namespace's table is only gone when its last entry is, and the module
# can only go when the namespace is: with one reference too many rmmod would
# wait for ever, and so would whoever makes or ends a namespace.
test_netns_del_with_queued_messages()
{
	local i

	for ((i = 0; i < ROUNDS; i++)); do
		DOOMED=doomed$i-$$
		doomed_up 200 || fail "doomed namespace"
		expect "entries" "$(ct_count "$DOOMED")" ge 200
		ip netns del "$DOOMED" || fail "netns del"
		[ "$RET" = "$ksft_pass" ] || return 1
	done
	check "module goes" timeout $((60 * NFSYNC_SLOW)) rmmod nfsync
	check "and comes" modprobe nfsync
}

# Both firewalls, one after the other, with all that is on its way
test_netns_del_under_traffic()
{
	start_traffic || fail "traffic"
	joined
	expect "told" "$(stat_get "$fw1" states)" ge $HELD
	ip netns del "$fw1" || fail "netns del"
	verdict "$fw2" alone
	expect "states of the standby" "$(stat_get "$fw2" states)" ge $HELD
	ip netns del "$fw2" || fail "netns del"
	kill_spawned
	check "module goes" timeout $((60 * NFSYNC_SLOW)) rmmod nfsync
	topo_down
	check "conntrack goes" wait_for "$WAIT" unload_conntrack
	check "all comes back" modprobe -a nf_conntrack nfsync
}

# All that stands on it first; what is built in or not there does not matter
unload_conntrack()
{
	modprobe -q -r nf_conntrack_netlink nft_flow_offload nf_flow_table_inet \
		nf_flow_table nft_chain_nat nft_nat nft_masq nft_redir nft_ct \
		nf_nat_ftp nf_conntrack_ftp nf_nat nf_conntrack \
		2> "$TMP/said"
	[ ! -d /sys/module/nf_conntrack ] && return 0
	echo "nf_conntrack is used by $(ls /sys/module/nf_conntrack/holders)"
	return 1
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
start_traffic || skip_all "no traffic"
run_tests test_link_del_under_traffic test_link_down_under_traffic \
	test_rmmod_under_traffic test_traffic_did_not_notice \
	test_netns_del_with_queued_messages test_netns_del_under_traffic
