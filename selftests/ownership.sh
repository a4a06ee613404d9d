#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Who decides when a flow ends: the node that its packets pass. What another
# one believes, by its own clock or because somebody said so, ends no flow that
# is alive; and what an owner that has gone left behind lives as long as it
# would have.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all traffic, nfsync0
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      nfsync0, short timeouts,
#                  .3 lan +-----+ wan .3        rawsync

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=peers.sh
. "$(dirname "$0")/peers.sh"

HOSTID=0x0a0b0c0d	# of fw1
OTHER=0x33333333	# a node that is none: its frames are made by hand

# time_left NS [conntrack options]: of the entry that has least
time_left()
{
	local ns=$1
	shift
	in_ns "$ns" conntrack -L "$@" 2> "$TMP/said" |
		sort -n -k 3 | mawk 'NR == 1 { print $3 }'
}

time_left_beyond()
{
	local now

	now=$(time_left "$1" "${@:3}")
	echo "the shortest entry in $1 has ${now:-nothing} s, wanted more than $2"
	[ "${now:-0}" -gt "$2" ]
}

short_timeouts()
{
	local name

	echo "@$1"
	for name in tcp_timeout_established udp_timeout udp_timeout_stream; do
		echo "sysctl net.netfilter.nf_conntrack_$name=$2"
	done
}

# What is told of an entry is its owner's time and not the standby's. An entry
# of fw2's own, that lives as long as its timeouts say, is the clock.
test_standby_with_shorter_timeouts()
{
	start_empty
	short_timeouts "$fw2" 6 | netlab
	flows idle -n 5 -H -p 31000
	check "udp" ct_add "$fw1" 34000 5 0 SEEN_REPLY,ASSURED
	check "on fw2" wait_states "$fw2" 10
	expect "time left on fw2" "$(time_left "$fw2")" gt 500
	check "clock" ct_add "$fw2" 45000 1 0 UNSET 12
	check "the clock runs out" wait_ports "$fw2" 45000 45000 0
	expect "entries on fw2" "$(ct_list "$fw2" | wc -l)" eq 10
	flows_end idle
	{
		short_timeouts "$fw2" 180
		echo "sysctl net.netfilter.nf_conntrack_tcp_timeout_established=432000"
	} | netlab
}

# shorten NS SECONDS [OPTIONS]: so long every entry of cl's lives from now on
shorten()
{
	in_ns "$1" conntrack -U -s "$CL4" -t "$2" "${@:3}" > "$TMP/short" 2>&1
}

test_near_its_end_on_the_standby()
{
	local asked

	start_empty
	flows idle -n 5 -H -p 31000
	check "udp" ct_add "$fw1" 34000 5 0 SEEN_REPLY,ASSURED
	check "on fw2" wait_states "$fw2" 10
	check "quiet" wait_quiet "$fw1" "$fw2"
	asked=$(stat_get "$fw2" expire_asked)
	check "shortened" shorten "$fw2" 9
	check "fw2 asks" wait_stat "$fw2" expire_asked $((asked + 10))
	check "and gets the owner's time" wait_for "$WAIT" \
		time_left_beyond "$fw2" 100
	expect "entries on fw2" "$(ct_list "$fw2" | wc -l)" eq 10
	expect "entries on fw1" "$(ct_list "$fw1" | wc -l)" eq 10
	flows_end idle
	healed "near its end"
}

# next_id OPTIONS...: a flow called "live", and the id it is told by
next_id()
{
	local dump

	sniff "$fw2" sync -x -s 0 "src $FW1_SYNC and ip proto 240" || return 1
	dump=$PID SNIFFED=$OUT
	flows live "$@"
	check "told" wait_for "$WAIT" told_of
	kill "$dump"
	ID=$(<"$TMP/id")
	echo "# its id is $ID"
}

# told_of: is there an INS among the frames? Its first message's id to $TMP/id
told_of()
{
	mawk '
	function num(at, n,   i, v) {
		for (i = 0; i < n; i++)
			v = v * 16 + index("0123456789abcdef",
				substr(hex, at + i, 1)) - 1
		return v
	}
	function look(   at, words, count) {
		# IP header and ours, 20 bytes each
		for (at = 81; at + 8 <= length(hex); at += 8 + words * 8 * count) {
			words = num(at + 2, 2)
			count = num(at + 4, 4)
			if (num(at, 2) == 13 && !found) {
				print "0x" substr(hex, at + 8, 16)
				found = 1
			}
		}
		hex = ""
	}
	/^[^\t]/ { look() }
	/^\t0x/ { for (i = 2; i <= NF; i++) hex = hex $i }
	END { look(); exit !found }' "$SNIFFED" > "$TMP/id"
}

# del ID CREATOR [NUMBER]: fw2 says that it has ended; in a frame with that
# number a Linux node, in one without a BSD
del()
{
	local frame=() number

	printf -v number %08x "${3:-0}"
	[ $# -lt 3 ] ||
		frame=("raw,action=0x80,hex=${OTHER#0x}00000001$number")
	in_ns "$fw2" rawsync -i sync -s "$FW2_SYNC" "${frame[@]}" \
		"del_c,id=$1,creator=$2"
}

# del_refused WHAT ARGUMENTS: of del, and fw1 answers with its view
del_refused()
{
	local what=$1 refused told
	shift
	refused=$(stat_get "$fw1" del_refused)
	told=$(stat_get "$fw1" tx_upd)
	del "$@"
	check "$what refused" wait_stat "$fw1" del_refused $((refused + 1))
	check "$what answered" wait_stat "$fw1" tx_upd $((told + 1))
	expect "$what: on fw1" "$(ports_in "$fw1" 31000 31000)" eq 1
	expect "$what: on fw2" "$(ports_in "$fw2" 31000 31000)" eq 1
}

test_foreign_del_of_a_live_flow()
{
	start_empty
	check "flow" next_id -r 0 -w 50 -p 31000
	del_refused "DEL_C of a Linux node" "$ID" "$HOSTID" 1
	del_refused "DEL_C of a BSD" "$ID" "$HOSTID"
	flows_end live
	healed "foreign DEL"
}

# The same for a flow that fw1 has from a peer and forwards now
test_foreign_del_of_a_flow_learned()
{
	local ins=id=77,creator=$OTHER,proto=17,state=2/2,expire=30

	ins+=,src=$CL4,dst=$SV4,sport=31000,dport=$FLOW_PORT
	start_empty
	in_ns "$fw2" rawsync -i sync -s "$FW2_SYNC" "ins,$ins"
	check "learned" wait_ports "$fw1" 31000 31000 1
	flows live -u -r 0 -w 50 -p 31000
	check "on fw2" wait_ports "$fw2" 31000 31000 1
	# the numbered one makes fw1 ask for all, and what fw2 tells counts as news
	del_refused "DEL_C of a BSD" 77 "$OTHER"
	del_refused "DEL_C of a Linux node" 77 "$OTHER" 500
	flows_end live
	healed "foreign DEL of a flow learned"
}

# One that is idle and that nobody defends is ended by who may
test_foreign_del_of_an_idle_flow()
{
	local refused

	start_empty
	check "flow" next_id -H -p 31000
	refused=$(stat_get "$fw1" del_refused)
	# idle is who had no packet for two seconds: this is refused until then
	check "DEL_C of a Linux node is obeyed" wait_for "$WAIT" \
		del_obeyed "$ID" "$HOSTID"
	expect "refusals" "$(stat_get "$fw1" del_refused)" ge "$refused"
	# its FIN is of a connection that nobody knows, and not to come again later
	printf '@%s\nsysctl net.ipv4.tcp_orphan_retries=1\n' "$cl" | netlab
	kill "${CLIENT[live]}"
	wait "${CLIENT[live]}" 2> "$TMP/killed" || return 0
}

# One that is over on both, however lately it had packets, is not defended:
# fw2 would only learn it once more
test_foreign_del_of_a_connection_that_is_over()
{
	local refused

	start_empty
	check "flow" next_id -r 0 -w 50 -p 31000
	flows_end live
	check "over on fw1" wait_ports "$fw1" 31000 31000 1 \
		-p tcp --state TIME_WAIT
	refused=$(stat_get "$fw1" del_refused)
	check "DEL_C of a Linux node is obeyed" wait_for "$WAIT" \
		del_obeyed "$ID" "$HOSTID"
	expect "refusals" "$(stat_get "$fw1" del_refused)" eq "$refused"
}

NUMBER=1000

del_obeyed()
{
	NUMBER=$((NUMBER + 1))
	del "$1" "$2" "$NUMBER"
	ports_are "$fw1" 31000 31000 0
}

# fw1's device goes, and nobody can be asked any more
test_owner_gone()
{
	start_empty
	flows idle -n 10 -H -p 31100
	check "udp" ct_add "$fw1" 34000 10 0 SEEN_REPLY,ASSURED
	check "on fw2" wait_states "$fw2" 20
	nfsync_down "$fw1"
	verdict "$fw2" alone
	check "clock" ct_add "$fw2" 45000 1 0 UNSET 12
	check "the clock runs out" wait_ports "$fw2" 45000 45000 0
	expect "entries on fw2" "$(ct_list "$fw2" | wc -l)" eq 20
	check "shortened" shorten "$fw2" 8 -p udp
	check "they end in their time" wait_ports "$fw2" 34000 34999 0
	expect "the others stay" "$(ports_in "$fw2" 31100 31999 \
		-p tcp --state ESTABLISHED)" eq 10
	expect "their time" "$(time_left "$fw2" -p tcp)" gt 400000
	check "fw2 takes over" move_gateway "$fw2"
	flows_end idle
	expect "invalid on fw2" "$(invalid_count "$fw2")" eq 0
	check "fw1 up" nfsync_up "$fw1" hostid "$HOSTID"
	both_in_sync
	check "gateway returns" move_gateway "$fw1"
	healed "owner back"
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
nfsync_pair_by_name "$HOSTID" || skip_all "nfsync does not come up"
run_tests test_standby_with_shorter_timeouts \
	test_near_its_end_on_the_standby test_foreign_del_of_a_live_flow \
	test_foreign_del_of_a_flow_learned \
	test_foreign_del_of_a_connection_that_is_over \
	test_foreign_del_of_an_idle_flow test_owner_gone
