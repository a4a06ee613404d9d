#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every flow is seen half by each node: what cl sends passes fw1, what sv sends
# passes fw2, and both are strict. Connections open and close at several delays
# of the sync link, transfers run, paths part and come together again, both
# nodes make the same flow, and no first packet is lost.
#
#                  .1 lan +-----+ wan .1
#                +->>>>>>-+ fw1 +->>>>>>-+      what cl sends, nfsync0
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      X      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +-<<<<<<-+ fw2 +-<<<<<<-+      what sv sends, nfsync0
#                  .3 lan +-----+ wan .3
#
# X: netem on both sync devices, so that all news are late by so much.
# On both: nf_conntrack_tcp_be_liberal=0, tcp_loose=0, ct state invalid drop,
# new connections only by a SYN from lan, and defer on.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=peers.sh
. "$(dirname "$0")/peers.sh"

PATIENCE=$((200 * NFSYNC_SLOW))	# s, for what takes a few
MSS=1400		# at least this much is in a full segment
SYNS=0			# that cl had sent again when the test began
declare -A SEEN=()	# counters of both nodes then

# delay TIME: that all sync frames take, both ways; 0 for none
delay()
{
	[ "$1" = 0 ] || check "netem" shape netem delay "$1" limit 10000
}

# begin DELAY: with empty tables and parted paths
begin()
{
	start_empty
	delay "$1"
	check "paths part" split_paths
	mark
}

mark()
{
	local name

	SYNS=$(tcp_ext "$cl" TCPSynRetrans)
	forget_bad "$fw1" "$fw2"
	for name in deferred defer_ack defer_timeout defer_flood early \
		early_news early_timeout; do
		SEEN[$name]=$(both_stats $name 2> "$TMP/stats")
	done
}

# since COUNTER: of both nodes since then
since()
{
	echo $(($(both_stats "$1") - SEEN[$1]))
}

# tell: how packets were held since then
tell()
{
	local name

	for name in "${!SEEN[@]}"; do
		echo -n "$name $(since "$name") "
	done | sed 's/^/# /'
	echo
}

# all_well: since then nobody refused anything, and cl had to say nothing twice, but
# while a processor was away
all_well()
{
	local late

	late=$(may_be_late)
	nothing_bad "$fw1" "$fw2"
	expect "SYNs sent again" \
		$(($(tcp_ext "$cl" TCPSynRetrans) - SYNS)) le $((10 + late))
	[ "$RET" -eq "$ksft_pass" ] || tell
}

# none_in_vain: so much for what was held
none_in_vain()
{
	expect "ran into the ceiling" "$(since defer_timeout)" \
		le "$(may_be_late)"
}

# ---- connections ----

# handshakes DELAY: short connections over both families, which transfer a
# little; every fifth does not even do that. Each has a port of its own: cl would
# use that of one which was reset again, and the two are one entry.
handshakes()
{
	local n ns began resets some=(-c 10 -q 4 -T "$PATIENCE")

	n=$(scaled "$HANDSHAKES" 20)
	begin "$1"
	resets=$(host_resets)
	began=$(now_ms)
	check "tcp" flow_cl -n $((n * 2)) -p $PORT "${some[@]}"
	check "tcp over ipv6" flow_cl6 -n $((n * 2)) -p $PORT "${some[@]}"
	check "connect and close" flow_cl -n "$n" -p $((PORT + n)) -e "${some[@]}"
	PORT=$((PORT + n * 2))
	took "$((n * 5)) connections at $1" "$began"
	check "quiet" wait_quiet "$fw1" "$fw2"
	resets=$(($(host_resets) - resets))
	echo "# resets: $resets"
	expect "resets" $resets le $((n * 5 / 20))
	for ns in "$fw1" "$fw2"; do
		ended_well "$ns" $((n * 5)) $resets
	done
	all_well
	none_in_vain
	expect "not held" "$(since defer_flood)" eq 0
}

HANDSHAKES=500
PORT=10000

test_handshakes_without_delay()
{
	handshakes 0
}

test_handshakes_at_200_us()
{
	handshakes 200us
}

test_handshakes_at_1_ms()
{
	handshakes 1ms
}

test_handshakes_at_5_ms()
{
	handshakes 5ms
}

# ---- transfers ----

# on_hosts SYSCTL=VALUE...: how cl and sv speak TCP
on_hosts()
{
	local ns

	for ns in "$cl" "$sv"; do
		echo "@$ns"
		printf 'sysctl net.ipv4.%s\n' "$@"
	done | netlab
}

# As on a wire: a packet is a segment, so that conntrack sees each
no_large_segments()
{
	in_ns "$cl" ethtool -K lan tso off gso off gro off &&
		in_ns "$sv" ethtool -K wan tso off gso off gro off
}

sync_frames()
{
	echo $(($(sent_but_hellos "$fw1") + $(sent_but_hellos "$fw2")))
}

# transfer COMMAND N: so many flows share BYTES each way; they compare sums
transfer()
{
	local bytes frames segments

	bytes=$(($(scaled 4000000 100000) / $2))
	segments=$((2 * bytes * $2 / MSS))
	frames=$(sync_frames)
	check "$*" "$1" -n "$2" -U $bytes -D $bytes -T $PATIENCE
	check "quiet" wait_quiet "$fw1" "$fw2"
	frames=$(($(sync_frames) - frames))
	echo "# $1, $2 at once: $frames sync frames, $segments segments"
	expect "ten times the sync frames" $((10 * frames)) lt $segments
}

# transfers DELAY SYSCTL=VALUE...
transfers()
{
	local n

	begin "$1"
	check "$*" on_hosts "${@:2}"
	for n in 1 20; do
		transfer flow_cl $n
		transfer flow_cl6 $n
	done
	all_well
}

# transfers_with SYSCTL=VALUE: with it, and then as it was
transfers_with()
{
	transfers 200us "$1=0"
	transfers 1ms "$1=0"
	on_hosts "$1=1"
}

test_transfers()
{
	transfers 200us tcp_sack=1
	transfers 1ms tcp_sack=1
}

test_transfers_without_window_scaling()
{
	transfers_with tcp_window_scaling
}

test_transfers_without_timestamps()
{
	transfers_with tcp_timestamps
}

test_transfers_without_sack()
{
	transfers_with tcp_sack
}

# ---- the paths move ----

# by_both N: until so many packets passed each node
by_both()
{
	check "what cl sends" wait_packets "$fw1" lan "$1"
	check "what sv sends" wait_packets "$fw2" wan "$1"
}

by_fw1()
{
	check "what cl sends" wait_packets "$fw1" lan "$1"
	check "what sv sends" wait_packets "$fw1" wan "$1"
}

test_paths_part_and_come_together()
{
	local n

	n=$(scaled 3000 100)
	begin 200us
	check "paths are one" unsplit_paths
	flows busy4 -n 5 -r 0 -U 100000 -D 100000
	flows busy6 "$SV6" -n 5 -r 0 -U 100000 -D 100000
	by_fw1 "$n"
	check "paths part" split_paths
	by_both "$n"
	flows late -n 5 -r 0 -U 1000 -D 1000
	check "paths are one" unsplit_paths
	by_fw1 "$n"
	flows_end busy4 busy6 late
	check "same tables" wait_same_tables
	all_well
}

# last_urgent SINCE: ms from then until nothing has been told at once for a
# while, in which there is traffic
last_urgent()
{
	local since=$1 last=$1 before='' now

	while [ $(($(now_ms) - last)) -lt $((1500 * NFSYNC_SLOW)) ] &&
		[ $(($(now_ms) - since)) -lt $((20000 * NFSYNC_SLOW)) ]; do
		now=$(both_stats urgent)
		[ "$now" = "$before" ] || last=$(now_ms)
		before=$now
		sleep 0.05
	done
	echo $((last - since))
}

# The flows go on slowly: not even their windows are a reason to tell at once
test_haste_ends_with_the_reason()
{
	local began packets ms

	begin 200us
	flows slow -n 5 -r 0 -w 20 -U 3000 -D 3000
	check "haste" wait_stat "$fw1" urgent $(($(stat_get "$fw1" urgent) + 20))
	check "paths are one" unsplit_paths
	began=$(now_ms)
	packets=$(lan_packets "$fw1")
	ms=$(last_urgent "$began")
	echo "# something was told at once for $ms ms, in which" \
		"$(($(lan_packets "$fw1") - packets)) packets came from cl"
	# two seconds; how late a guest looks is not judged, but that it ends
	expect "ms of haste" "$ms" lt $((10000 * NFSYNC_SLOW))
	check "traffic" wait_packets "$fw1" lan 50
	flows_end slow
	all_well
}

# ---- one flow, two ids ----

N_CROSSED=20

# crossed_flows: cl asks by fw1 until it has them all, then by fw2. The answers
# come back the same way; cl's path moves first, for nobody lets sv begin.
crossed_flows()
{
	check "paths by fw1" paths_by 1 1
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -u -n $N_CROSSED \
		-p 30000 -r 0 -w 20 -T $((600 * NFSYNC_SLOW))
	CROSSED=$PID
	check "made by fw1" wait_states "$fw1" $N_CROSSED
	check "paths by fw2" paths_by 3 3
	check "made by fw2" wait_states "$fw2" $N_CROSSED
}

requests()
{
	echo "$(both_stats tx_upd_req) $(both_stats rx_upd_req)"
}

# no_requests: while some packets pass fw2, and for as long as it takes to find
# out that something is missing (two hellos) and to ask for it
no_requests()
{
	local asked ns

	asked=$(requests)
	wait_packets "$fw2" wan 100
	for ns in "$fw1" "$fw2"; do
		wait_stat "$ns" rx_hello $(($(stat_get "$ns" rx_hello) + 4))
	done
	echo "requests sent and heard: $(requests), were $asked"
	[ "$(requests)" = "$asked" ]
}

# settles: both have each flow once, and have no more questions
settles()
{
	local asked ns

	both_in_sync
	check "no more requests" wait_for "$WAIT" no_requests
	asked=$(requests)
	check "paths part" split_paths
	by_both "$(scaled 500 100)"
	expect_same "requests" "$(requests)" "$asked"
	for ns in "$fw1" "$fw2"; do
		expect "flows on $ns" "$(ct_count "$ns" -p udp)" eq $N_CROSSED
	done
	kill -USR1 "$CROSSED"
	check "flows end well" wait "$CROSSED"
	check "same tables" wait_same_tables
}

aliases()
{
	echo $(($(both_stats imp_alias) + $(both_stats imp_adopted)))
}

# Both tell the other of each flow while the other's word is on its way
test_crossed_on_their_way()
{
	local known

	begin 0
	known=$(aliases)
	# longer than the path takes to move, shorter than a peer may be silent
	delay $((NFSYNC_SLOW > 1 ? 2000 * NFSYNC_SLOW : 3500))ms
	crossed_flows
	check "known under two names" wait_for "$WAIT" aliases_at_least \
		$((known + N_CROSSED))
	# nothing is lost: what is on its way arrives
	delay 1us
	settles
}

aliases_at_least()
{
	local now

	now=$(aliases)
	echo "$now aliases, wanted $1"
	[ "$now" -ge "$1" ]
}

# Neither hears anything of the other's until both have made all
test_crossed_by_loss()
{
	local known

	begin 0
	known=$(aliases)
	lose "$fw1" all
	lose "$fw2" all
	crossed_flows
	check "lost" wait_lost "$fw1" 1
	check "lost" wait_lost "$fw2" 1
	lose_nothing "$fw1" "$fw2"
	check "known under two names" wait_for "$WAIT" aliases_at_least \
		$((known + N_CROSSED))
	settles
}

# ---- first packets ----

# pings N ADDRESS: each is a flow of its own; how many came back
pings()
{
	# shellcheck disable=SC2016 # for the other shell
	in_ns "$cl" bash -c 'for ((i = 0; i < $1; i++)); do
		ping -c 1 -W 2 "$2"
	done' - "$@" | grep -c 'bytes from'
}

# first_packets DELAY: nobody has to ask again
first_packets()
{
	local n=20 how

	begin "$1"
	expect "pings" "$(pings $n "$SV4")" eq $n
	expect "pings over ipv6" "$(pings $n "$SV6")" eq $n
	# who was not looked after for 200 ms asks again as well
	for how in flow_cl flow_cl6; do
		$how -u -n "$(scaled 500 20)" -c 5 > "$TMP/udp" ||
			fail "udp by $how"
		expect "udp by $how: lost" \
			"$(sed -n 's/.* lost=\([0-9]*\).*/\1/p' "$TMP/udp")" \
			le $((5 + $(may_be_late)))
	done
	all_well
	none_in_vain
}

test_first_packets_without_delay()
{
	first_packets 0
}

test_first_packets_at_1_ms()
{
	first_packets 1ms
}

test_first_packets_at_5_ms()
{
	first_packets 5ms
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
nfsync_pair defer on defertime $CEILING || skip_all "nfsync does not come up"
watch_processors || skip_all "nobody looks at the processors"
closed_stay "$fw1" "$fw2" || skip_all "no timeouts"
ended_stay "$fw1" "$fw2" || skip_all "no timeouts"
# a node asks for what is about to expire there, and such requests are not of
# those that are counted here
long_timeout udp_timeout "$fw1" "$fw2" || skip_all "no timeouts"
long_timeout udp_timeout_stream "$fw1" "$fw2" || skip_all "no timeouts"
no_large_segments || skip_all "no way to switch segmentation off"
run_tests test_handshakes_without_delay test_handshakes_at_200_us \
	test_handshakes_at_1_ms test_handshakes_at_5_ms test_transfers \
	test_transfers_without_window_scaling \
	test_transfers_without_timestamps test_transfers_without_sack \
	test_paths_part_and_come_together test_haste_ends_with_the_reason \
	test_crossed_on_their_way test_crossed_by_loss \
	test_first_packets_without_delay test_first_packets_at_1_ms \
	test_first_packets_at_5_ms
