#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Three firewalls on one sync segment, all of them strict. What cl sends passes
# one of them, what sv sends another, in turn each pair; connections open,
# transfer and close, no packet is invalid, and in the end all three know the
# same. Then the paths move from pair to pair under busy connections.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      |sync  | bridge  +--+ sv |
#   +----+  | swlan   |   +--+---+  |  swwan  |  +----+
#    .2     +--+-+----+   |swsync|  +----+-+--+    .2
#              | |        +-+--+-+       | |
#              | |     sync |  | sync    | |
#              | |  .3 +----++ |         | |
#              | +-----+ fw2 +-----------+ |
#              |       +-----+ | .3        |
#              |    .5      +--+--+ .5     |
#              +------------+ fw3 +--------+
#                           +-----+
#
# On all: nfsync0 to the group with defer on, nf_conntrack_tcp_be_liberal=0,
# tcp_loose=0, ct state invalid drop.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=peers.sh
. "$(dirname "$0")/peers.sh"

FIREWALLS=()
FIRST=9000	# port of the flows of a test

# begin FORWARD BACK: empty tables; by the last digits of their addresses
begin()
{
	local ns

	for ns in "${FIREWALLS[@]}"; do
		verdict "$ns" in-sync
	done
	check "all are empty" wait_for "$WAIT" all_empty
	check "paths" paths_by "$1" "$2"
	forget_bad "${FIREWALLS[@]}"
}

all_empty()
{
	local ns

	for ns in "${FIREWALLS[@]}"; do
		ct_flush "$ns"
	done
	for ns in "${FIREWALLS[@]}"; do
		count_is "$ns" 0 || return
	done
}

# by FORWARD BACK: whatever flows may do, over these. Each has a port of its own:
# of those that a host chooses some come twice.
by()
{
	local n bytes syns

	FIRST=$((FIRST + 1000))
	n=$(scaled 300 20)
	bytes=$(scaled 1000000 50000)
	begin "$1" "$2"
	syns=$(tcp_ext "$cl" TCPSynRetrans)
	check "tcp" flow_cl -n "$n" -c 10 -q 4 -p $FIRST
	check "tcp over ipv6" flow_cl6 -n "$n" -c 10 -q 4 -p $FIRST
	check "udp" flow_cl -u -n "$n" -c 5 -p $FIRST
	check "transfers" flow_cl -n 4 -U "$bytes" -D "$bytes" \
		-p $((FIRST + 500))
	check "transfers over ipv6" flow_cl6 -n 4 -U "$bytes" -D "$bytes" \
		-p $((FIRST + 500))
	expect "SYNs sent again" $(($(tcp_ext "$cl" TCPSynRetrans) - syns)) \
		le $((10 + $(may_be_late)))
	all_know "$((3 * n + 8))"
}

# all_know N: so many flows, all three the same, and no packet was invalid
all_know()
{
	local ns

	check "quiet" wait_quiet "${FIREWALLS[@]}"
	for ns in "${FIREWALLS[@]}"; do
		expect "flows on $ns" "$(ct_count "$ns")" eq "$1"
	done
	check "same tables" wait_same_tables "$fw1" "$fw2"
	check "same tables" wait_same_tables "$fw2" "$fw3"
	nothing_bad "${FIREWALLS[@]}"
}

test_forward_by_fw1_and_back_by_fw2()
{
	by 1 3
}

test_forward_by_fw2_and_back_by_fw3()
{
	by 3 5
}

test_forward_by_fw3_and_back_by_fw1()
{
	by 5 1
}

# The answers come by whoever hears of it last; the other one is quick to say
# that it knows
test_back_by_the_slowest()
{
	check "netem" tc -n "$sw" qdisc add dev fw2sync root netem delay 5ms
	by 1 3
	tc -n "$sw" qdisc del dev fw2sync root
}

# name_of DIGIT: the firewall whose addresses end with it
name_of()
{
	echo "${FIREWALLS[$(($1 / 2))]}"
}

# Busy flows, whose forward and back paths go from one pair of firewalls to
# the next; each node is now on the forward path, now on the back path, on none
# and on both
test_paths_wander()
{
	local n ns forward back resets

	n=$(scaled 500 100)
	begin 1 3
	flows busy4 -n 10 -r 0 -U 100000 -D 100000
	flows busy6 "$SV6" -n 10 -r 0 -U 100000 -D 100000
	while read -r forward back; do
		check "paths" paths_by "$forward" "$back"
		check "what cl sends" wait_packets "$(name_of "$forward")" lan "$n"
		check "what sv sends" wait_packets "$(name_of "$back")" wan "$n"
	done <<< "$(wander)"
	resets=$(host_resets)
	flows_end busy4 busy6
	all_know 20
	for ns in "${FIREWALLS[@]}"; do
		ended_well "$ns" 20 $(($(host_resets) - resets))
	done
}

# wander: pairs of paths; from each pair of two to each other, and by way of
# one
wander()
{
	cat <<-EOF
	1 3
	3 5
	5 1
	3 1
	1 5
	5 3
	5 5
	1 3
	3 1
	5 1
	1 1
	1 5
	3 5
	5 3
	1 3
	EOF
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
switch_sync || skip_all "no switch for the sync link"
third_legs || skip_all "no third firewall"
FIREWALLS=("$fw1" "$fw2" "$fw3")
watch_processors || skip_all "nobody looks at the processors"
closed_stay "${FIREWALLS[@]}" || skip_all "no timeouts"
ended_stay "${FIREWALLS[@]}" || skip_all "no timeouts"
long_timeout udp_timeout "${FIREWALLS[@]}" || skip_all "no timeouts"
for node in "${FIREWALLS[@]}"; do
	nfsync_up "$node" defer on defertime $CEILING ||
		skip_all "nfsync does not come up"
done
run_tests test_forward_by_fw1_and_back_by_fw2 \
	test_forward_by_fw2_and_back_by_fw3 \
	test_forward_by_fw3_and_back_by_fw1 test_back_by_the_slowest \
	test_paths_wander
