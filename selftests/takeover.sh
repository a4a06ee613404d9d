#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fw1 is removed under load, fw2 goes on with every connection, fw1 returns
# and goes on with all of them again, and paths move on and back. Nothing is lost
# and nothing invalid, while the rules and conntrack are as strict as they can
# be; and what is forged stays out.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all traffic, nfsync0;
#   +----+  +----+----+   +--+--+   +----+----+  +----+     then removed
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      nfsync0; then all traffic
#                  .3 lan +-----+ wan .3
#
# On both: nf_conntrack_tcp_be_liberal=0, tcp_loose=0, ct state invalid drop,
# and new connections only by a SYN from lan.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

N=$(scaled 50)		# of each of four kinds,
FEW=$(scaled 10)	# and of two more: 220 connections
ALL=$((4 * N + 2 * FEW))
declare -A CLIENTS=()
PORT=30100
TALKER=''
end0=0 max0=0 win0=0 end1=0 win1=0	# of watched_idle

# clients WHAT N ADDRESS OPTIONS...: N connections in the background
clients()
{
	local what=$1 n=$2 to=$3
	shift 3

	spawn "$cl" flow client "$to" "$FLOW_PORT" -n "$n" \
		-T $((400 * NFSYNC_SLOW)) -S "$TMP/$what" "$@"
	CLIENTS[$what]=$PID
}

# bad_packets NS: what conntrack or the rules called invalid or unwanted
bad_packets()
{
	echo "$(invalid_count "$1") $(refused_count "$1")" \
		"$(ct_stat "$1" invalid)"
}

no_bad_packets()
{
	expect_same "invalid on fw1" "$(bad_packets "$fw1")" "0 0 0"
	expect_same "invalid on fw2" "$(bad_packets "$fw2")" "0 0 0"
}

# wait_traffic NS N: until N more packets came to it from cl
wait_traffic()
{
	wait_packets "$1" lan "$2"
}

# Who types moves less in an hour than what a node has to tell of, and who
# pauses is not under way when a node comes
test_220_connections()
{
	local what

	clients busy4 "$N" "$SV4" -r 0 -U 20000 -D 20000
	clients busy6 "$N" "$SV6" -r 0 -U 20000 -D 20000
	clients idle4 "$N" "$SV4" -H
	clients idle6 "$N" "$SV6" -H
	clients types "$FEW" "$SV4" -r 0 -w 50
	clients pauses "$FEW" "$SV6" -r 0 -w 3000 -U 2000 -D 2000
	for what in "${!CLIENTS[@]}"; do
		check "$what" wait_file "$TMP/$what" $((WAIT * 3))
	done
	check "on fw2" wait_states "$fw2" "$ALL"
	no_bad_packets
}

test_fw2_takes_over()
{
	fw_off "$fw1"
	check "gateway moves" move_gateway "$fw2"
	check "traffic by fw2" wait_traffic "$fw2" "$(scaled 3000)"
	check "new connections by fw2" flow_cl -n 3
	check "new connections by fw2, ipv6" flow_cl6 -n 3
	no_bad_packets
}

test_fw1_takes_back()
{
	fw1_takes_back
	expect_same "invalid on fw1" "$(bad_packets "$fw1")" "0 0 0"
	check "new connections by fw1" flow_cl -n 3
}

# paths_move NS...: to each in turn, and flows of every kind move there, by less
# than what is told as well
paths_move()
{
	local ns

	for ns in "$@"; do
		check "gateway moves" move_gateway "$ns"
		sleep 4
		check "traffic" wait_traffic "$ns" "$(scaled 1000)"
		no_bad_packets
	done
}

# A node may have forwarded them itself a moment before it hears that they are
# elsewhere
test_paths_move_there_and_back()
{
	paths_move "$fw2" "$fw1" "$fw2"
}

# And it may be new, and have entries of its own of what passes elsewhere
test_paths_move_to_a_new_device()
{
	check "nfsync0 of fw1 goes" nfsync_down "$fw1"
	check "nfsync0 on fw1" nfsync_up "$fw1"
	check "fw1 in sync" wait_for "$((WAIT * 2))" verdict_is "$fw1" in-sync
	paths_move "$fw2" "$fw1"
}

# What fw1 forwards after that is told to nobody
test_fw2_takes_over_long_after_the_last_word()
{
	local doubted

	doubted=$(stat_get "$fw2" doubted)
	check "nfsync0 of fw1 goes" nfsync_down "$fw1"
	fw2_takes_over_in_doubt $((doubted + 2 * N))
	check "nfsync0 on fw1" nfsync_up "$fw1"
	fw1_takes_back
}

test_fw2_takes_over_long_after_the_link_broke()
{
	local doubted

	doubted=$(stat_get "$fw2" doubted)
	ip -n "$fw1" link set sync down
	# the idle ones too, which passed fw2 last: nobody told when they moved
	fw2_takes_over_in_doubt $((doubted + ALL))
	ip -n "$fw1" link set sync up
	fw1_takes_back
}

# fw2_takes_over_in_doubt N: as soon as it doubted so many flows
fw2_takes_over_in_doubt()
{
	check "fw2 does not trust what it was told" wait_stat "$fw2" doubted "$1"
	check "traffic by fw1" wait_traffic "$fw1" "$(scaled 3000)"
	fw_off "$fw1"
	check "gateway moves" move_gateway "$fw2"
	check "traffic by fw2" wait_traffic "$fw2" "$(scaled 3000)"
	expect_same "invalid on fw2" "$(bad_packets "$fw2")" "0 0 0"
}

fw1_returns()
{
	fw_on "$fw1"
	check "fw1 in sync" wait_for "$((WAIT * 2))" verdict_is "$fw1" in-sync
	check "fw2 in sync" wait_for "$((WAIT * 2))" verdict_is "$fw2" in-sync
	check "gateway returns" move_gateway "$fw1"
}

fw1_takes_back()
{
	fw1_returns
	check "traffic by fw1" wait_traffic "$fw1" "$(scaled 3000)"
	expect_same "invalid on fw2" "$(bad_packets "$fw2")" "0 0 0"
}

# talks_by NS N: the paths move there, and who talks goes on until N packets came,
# and pauses
talks_by()
{
	check "gateway moves" move_gateway "$1"
	kill -CONT "$TALKER"
	check "it goes on" wait_traffic "$1" "$2"
	kill -STOP "$TALKER"
}

# fw2 gets a connection while nobody hears of it, which is silent when fw1 comes
# back. It moves by fw1 until that knows all of it, by fw2 too little to be told
# of, and by fw1 again.
test_a_pause_as_fw1_returns()
{
	local bad

	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -r 0 -w 50 -U 2000 -D 2000 \
		-T $((400 * NFSYNC_SLOW)) -S "$TMP/talker"
	TALKER=$PID
	check "connection" wait_file "$TMP/talker"
	bad="$(bad_packets "$fw1") $(bad_packets "$fw2")"
	fw_off "$fw1"
	talks_by "$fw2" 20
	sleep 4		# past what counts as just now
	fw1_returns
	talks_by "$fw1" 400
	talks_by "$fw2" 4
	talks_by "$fw1" 40
	expect_same "invalid" "$(bad_packets "$fw1") $(bad_packets "$fw2")" \
		"$bad"
	kill -USR1 "$TALKER"
	kill -CONT "$TALKER"
	check "it ends well" wait "$TALKER"
}

has_ended()
{
	! grep -q '^State:.[^Z]' "/proc/$1/status" 2> "$TMP/status"
}

test_every_connection_ends_well()
{
	local what

	kill -USR1 "${CLIENTS[@]}"
	for what in "${!CLIENTS[@]}"; do
		check "$what" wait_for $((WAIT * 2)) has_ended "${CLIENTS[$what]}"
		check "$what" wait "${CLIENTS[$what]}"
	done
	# in the middle of the traffic it took up again what it had itself; a
	# packet that another overtook may be refused, and is sent again
	expect "invalid on fw1" "$(ct_stat "$fw1" invalid)" le 5
	expect_same "invalid on fw2" "$(bad_packets "$fw2")" "0 0 0"
}

# watched_idle PORT: a connection that moved some and is idle now,
# with its true numbers in end0, max0, win0, end1, ...; CLIENT holds it
watched_idle()
{
	local port=$1 watch out name

	rm -f "$TMP/watch" "$TMP/up"
	spawn "$cl" winwatch -S "$TMP/watch" "$fw1" "$fw2" "$port"
	watch=$PID out=$OUT
	check "winwatch" wait_file "$TMP/watch"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -p "$port" -H \
		-U 30000 -D 30000 -S "$TMP/up"
	CLIENT=$PID
	check "connection" wait_file "$TMP/up"
	check "quiet" wait_quiet "$fw1"
	kill -USR1 "$watch"
	check "winwatch ends well" wait "$watch"
	# a mark has everything told, so that what fw2 knows is exact
	check "told" wait_for "$WAIT" mark_arrives "$port"
	for name in end0 max0 win0 end1 win1; do
		printf -v "$name" '%s' "$(sed -n "s/^$name=//p" "$out")"
	done
}

# Again until it does: conntrack -U stops at an entry that expires meanwhile.
# With -p tcp it would also make the connection liberal.
mark_arrives()
{
	in_ns "$fw1" conntrack -U -s "$CL4" -m "$1" 2>&1
	ct_list "$fw2" --mark "$1" | grep "sport=$1"
}

# forge PORT SEQ ACK: by cl, one byte; is it invalid on fw2?
forge()
{
	local before after

	before=$(invalid_count "$fw2")
	after=$(lan_packets "$fw2")
	in_ns "$cl" segment -S $(($2 % 4294967296)) -A $(($3 % 4294967296)) \
		-l 1 "$CL4" "$1" "$SV4" "$FLOW_PORT" > "$TMP/forged" ||
		fail "segment"
	check "segment arrives" wait_for "$WAIT" lan_beyond "$fw2" \
		$((after + 1))
	[ "$(invalid_count "$fw2")" -gt "$before" ]
}

# forged WHAT PORT HOW SEQ ACK: HOW is invalid or accepted. fw2 has seen no
# packet of the connection, then it sees this one.
forged()
{
	local what=$1 how=invalid
	forge "$2" "$4" "$5" || how=accepted
	expect_same "$what" "$how" "$3"
}

# prepare MODE: window of fw2; an idle connection at $PORT, then by fw2
prepare()
{
	check "gateway is fw1" move_gateway "$fw1"
	ip -n "$fw2" link set "$DEV" type pfsync window "$1"
	PORT=$((PORT + 1))
	watched_idle $PORT
	check "gateway is fw2" move_gateway "$fw2"
}

finish()
{
	kill "$CLIENT"
	wait "$CLIENT" 2> "$TMP/killed" || :
}

test_forged_segments_bounded()
{
	prepare bounded
	forged "data 4 windows too far" "$PORT" invalid \
		$((max0 + win1 * 4)) "$end1"
	forged "ack of a window of data never sent" "$PORT" invalid \
		"$end0" $((end1 + win0))
	forged "ack within the slack" "$PORT" accepted \
		"$end0" $((end1 + win0 / 4))
	finish
	prepare bounded
	forged "data within the slack" "$PORT" accepted \
		$((max0 + win1 * 3 / 2)) "$end1"
	finish
	prepare bounded
	forged "what continues the connection" "$PORT" accepted \
		"$end0" "$end1"
	finish
}

test_forged_segments_strict()
{
	prepare strict
	forged "data 1.5 windows too far" "$PORT" invalid \
		$((max0 + win1 * 3 / 2)) "$end1"
	forged "ack within a slack that is not there" "$PORT" invalid \
		"$end0" $((end1 + win0 / 4))
	forged "what continues the connection" "$PORT" accepted \
		"$end0" "$end1"
	finish
}

test_forged_segments_liberal()
{
	prepare liberal
	forged "data 4 windows too far" "$PORT" accepted \
		$((max0 + win1 * 4)) "$end1"
	forged "ack of a window of data never sent" "$PORT" accepted \
		"$end0" $((end1 + win0))
	finish
	ip -n "$fw2" link set "$DEV" type pfsync window bounded
	check "gateway is fw1" move_gateway "$fw1"
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
nfsync_pair || skip_all "nfsync does not come up"
run_tests test_220_connections test_fw2_takes_over test_fw1_takes_back \
	test_paths_move_there_and_back test_paths_move_to_a_new_device \
	test_fw2_takes_over_long_after_the_last_word \
	test_fw2_takes_over_long_after_the_link_broke \
	test_every_connection_ends_well test_a_pause_as_fw1_returns \
	test_forged_segments_bounded test_forged_segments_strict \
	test_forged_segments_liberal
