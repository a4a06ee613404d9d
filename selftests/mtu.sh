#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# No frame is longer than the lesser MTU of device and sync device, whatever
# the two are and while they shrink; and all states get through even where
# only one of them fits a frame.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      nfsync0, all traffic at first
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |    nft counts lengths
#   +----+  | swlan   |      |      |  swwan  |  +----+    on both ends of
#    .2     +----+----+   +--+--+   +----+----+    .2      the sync link
#                +--------+ fw2 +--------+      nfsync0
#                  .3 lan +-----+ wan .3

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

STATES=300
# A full state in a frame of its own: IP, header, subheader, state
ALONE=308

# watch_lengths MTU: count the sync packets that come in on either firewall:
# those that are longer, those that a state more would have made longer
watch_lengths()
{
	local ns fill

	# a frame has room for what is left of 292 bytes, or is not full
	fill=$(($1 > 600 ? $1 - 292 : ALONE - 1))
	for ns in "$fw1" "$fw2"; do
		echo "@$ns"
		sed 's/^/nft /' <<-EOF2
		table ip mtu
		delete table ip mtu
		table ip mtu {
			counter seen { }
			counter full { }
			counter long { }
			chain in {
				type filter hook prerouting priority -400
				iifname "sync" meta l4proto 240 counter name seen
				iifname "sync" meta l4proto 240 meta length > $fill counter name full
				iifname "sync" meta l4proto 240 meta length > $1 counter name long
			}
		}
		EOF2
	done | netlab
}

# counted NS COUNTER
counted()
{
	rule_count "$1" "$2" ip mtu
}

# set_mtu DEVICE_MTU SYNCDEV_MTU
set_mtu()
{
	cat <<-EOF | netlab
	@$fw1
	ip link set sync mtu $2
	ip link set $DEV mtu $1
	@$fw2
	ip link set sync mtu $2
	ip link set $DEV mtu $1
	EOF
}

# join NS: forget everything there and get it back from the peer
join()
{
	ip -n "$1" link set "$DEV" down
	in_ns "$1" conntrack -F 2> "$TMP/flush"
	expect "states of $1 before it joins" "$(ct_count "$1")" lt 10
	ip -n "$1" link set "$DEV" up
	check "$1 is in sync" wait_running "$1"
	check "$1 has all states" wait_for "$WAIT" has_states "$1"
}

has_states()
{
	local now

	now=$(in_ns "$1" conntrack -L -p udp 2> "$TMP/said" | wc -l)
	echo "$now states in $1, wanted $STATES"
	[ "$now" -eq $STATES ]
}

# fits LESSER DEVICE_MTU SYNCDEV_MTU: all states, each way, in frames that are
# full and not longer
fits()
{
	local ns

	set_mtu "$2" "$3" || fail "mtu $2 over $3"
	watch_lengths "$1" || fail "counters"
	join "$fw2"
	join "$fw1"
	for ns in "$fw1" "$fw2"; do
		expect "packets to $ns" "$(counted "$ns" seen)" gt 2
		expect "full packets to $ns" "$(counted "$ns" full)" gt 0
		expect "packets to $ns longer than $1" \
			"$(counted "$ns" long)" eq 0
		expect "refused by IP" "$(stat_get "$ns" oerrors)" eq 0
		expect "repaired lengths" "$(stat_get "$ns" len_repair)" eq 0
	done
}

# Without entries that last, a slow machine would be the reason for what fails
test_states_reach_the_peer()
{
	check "flows" flow_cl -u -n $STATES
	check "first node" wait_for "$WAIT" has_states "$fw1"
	check "second node" wait_for "$WAIT" has_states "$fw2"
}

test_device_308()
{
	fits 308 308 1500
	expect "states in a frame of 308" "$(counted "$fw2" full)" ge $STATES
}

# One state with its trailer behind a number fills it to the last byte
test_device_348()
{
	fits 348 348 1500
}

test_device_576()
{
	fits 576 576 1500
}

test_device_1500()
{
	fits 1500 1500 1500
}

test_device_9000()
{
	fits 9000 9000 9000
}

test_syncdev_576_below_device_9000()
{
	fits 576 9000 576
}

test_syncdev_308_below_device_1500()
{
	fits 308 1500 308
}

test_device_1500_on_syncdev_9000()
{
	fits 1500 1500 9000
}

# What is longer than a block of memory is sent in pieces of one
test_device_65535()
{
	local ns

	# a timer in the middle of the walk would leave nothing to fill one with
	for ns in "$fw1" "$fw2"; do
		ip -n "$ns" link set "$DEV" type pfsync flush 1000
	done
	fits 32808 65535 65535
	for ns in "$fw1" "$fw2"; do
		ip -n "$ns" link set "$DEV" type pfsync flush 10
	done
}

# start_empty: both nodes, without entries
start_empty()
{
	local ns

	for ns in "$fw1" "$fw2"; do
		ip -n "$ns" link set "$DEV" down
		in_ns "$ns" conntrack -F 2> "$TMP/flush"
	done
	for ns in "$fw1" "$fw2"; do
		ip -n "$ns" link set "$DEV" up
	done
	check "both run" wait_running "$fw1"
	check "both run" wait_running "$fw2"
}

# Fewer states than a long frame holds wait for the flush that comes in a
# second; when it comes they have to leave one by one. Where it came before the
# MTU shrank they left in a long frame: a slow machine may try again.
shrinks_while_full()
{
	local dev=$1 try

	ip -n "$fw1" link set "$DEV" type pfsync flush 1000
	for ((try = 0; try < 10; try++)); do
		set_mtu 9000 9000
		start_empty
		check "quiet" wait_quiet "$fw1"
		watch_lengths 308
		check "flows" flow_cl -u -n 25
		ip -n "$fw1" link set "$dev" mtu 308 || fail "mtu 308"
		check "all arrive" wait_for "$WAIT" all_arrived
		[ "$(counted "$fw2" long)" -gt 0 ] || break
	done
	expect "longer packets" "$(counted "$fw2" long)" eq 0
	expect "full packets" "$(counted "$fw2" full)" ge 25
	expect "repaired lengths" "$(stat_get "$fw1" len_repair)" eq 0
	expect "repaired queues" "$(stat_get "$fw1" queue_repair)" eq 0
	ip -n "$fw1" link set "$DEV" type pfsync flush 10
}

all_arrived()
{
	[ "$(in_ns "$fw2" conntrack -L -p udp 2> "$TMP/said" | wc -l)" -eq 25 ]
}

test_device_shrinks_while_queues_are_full()
{
	shrinks_while_full "$DEV"
}

test_syncdev_shrinks_while_queues_are_full()
{
	shrinks_while_full sync
}

test_device_below_308_is_refused()
{
	set_mtu 308 1500
	refused minimum ip -n "$fw1" link set "$DEV" mtu 307
	refused minimum ip -n "$fw1" link set "$DEV" mtu 68
	expect "mtu" "$(in_ns "$fw1" cat "/sys/class/net/$DEV/mtu")" eq 308
}

# No room for one state: as good as no link, and back when there is room
test_syncdev_below_308_is_no_link()
{
	local sent

	set_mtu 1500 1500
	verdict "$fw1" in-sync
	ip -n "$fw1" link set sync mtu 307
	# though it still hears the other one
	verdict "$fw1" alone
	check "goes on without" wait_running "$fw1"
	sent=$(stat_get "$fw1" opackets)
	check "flow" flow_cl -u -n 2
	check "quiet" wait_quiet "$fw1"
	expect "sent without a link" "$(stat_get "$fw1" opackets)" eq "$sent"
	# what fw2 sends is too long for anything less
	ip -n "$fw1" link set sync mtu 1500
	verdict "$fw1" in-sync
}

need_nfsync
need_plugin
topo_up mtu=9000 || skip_all "the topology cannot be set up here"
for ns in "$fw1" "$fw2"; do
	echo "@$ns"
	echo sysctl net.netfilter.nf_conntrack_udp_timeout=3000
	echo sysctl net.netfilter.nf_conntrack_udp_timeout_stream=3000
done | netlab
nfsync_pair || skip_all "nfsync does not come up"
run_tests test_states_reach_the_peer test_device_308 test_device_348 \
	test_device_576 test_device_1500 test_device_9000 \
	test_syncdev_576_below_device_9000 \
	test_syncdev_308_below_device_1500 \
	test_device_1500_on_syncdev_9000 test_device_65535 \
	test_device_shrinks_while_queues_are_full \
	test_syncdev_shrinks_while_queues_are_full \
	test_device_below_308_is_refused test_syncdev_below_308_is_no_link
