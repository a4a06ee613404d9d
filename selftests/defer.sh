#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# With "defer on" the first packet of a connection leaves fw1 when fw2 knows
# the connection, or when one of the other reasons has come: each of them, and
# that no packet is lost, sent twice, or held where it should not be.
#
#                  .1 lan +-----+ wan .1 and wan.100
#                +--------+ fw1 +--------+      all traffic, nfsync0
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      nfsync0, answers, or says what
#                  .3 lan +-----+ wan .3        rawsync says
#
#   and for what is bridged in fw1:      cl +--+ br9 in fw1 +--+ sv
#                                        .3        .1         .2
#                                     10.0.101.0/24, fw1's bridge br9
#
# A ping that comes back once says that its request was sent once.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

LONG=10000		# ms, a ceiling that nothing waits for
SHORT=500		# ms, one that does, after a look at what is held
RELEASES="defer_ack defer_heard defer_del defer_more defer_timeout defer_limit
	defer_down defer_link defer_netdev defer_netns"

declare -A BEFORE

set_link()
{
	ip -n "$fw1" link set "$DEV" type pfsync "$@"
}

# counters: fw1's, one reading, into the table $1
counters()
{
	local -n into=$1
	local name value

	while read -r name value; do
		# shellcheck disable=SC2034 # the caller's table
		into[${name%:}]=$value
	done < <(in_ns "$fw1" ethtool -S "$DEV" | tail -n +2)
}

# mark: what has been counted by now
mark()
{
	BEFORE=()
	counters BEFORE
}

# since COUNTER: how often since mark
since()
{
	echo $(($(stat_get "$fw1" "$1") - BEFORE[$1]))
}

# changed: what has been counted since mark, for who has to find out why
changed()
{
	local name
	local -A now

	counters now
	for name in "${!now[@]}"; do
		[ "${now[$name]}" = "${BEFORE[$name]}" ] ||
			echo "#   $name +$((now[$name] - BEFORE[$name]))"
	done
}

# only REASON N: N packets were held and left, all of them for that reason
only()
{
	local name sum=0
	local -A now

	counters now
	for name in $RELEASES; do
		sum=$((sum + now[$name] - BEFORE[$name]))
	done
	[ $((now[$1] - BEFORE[$1])) -eq "$2" ] || changed
	expect "held" $((now[deferred] - BEFORE[deferred])) eq "$2"
	expect "left by $1" $((now[$1] - BEFORE[$1])) eq "$2"
	expect "left at all" "$sum" eq "$2"
}

# with_peer COMMAND...: once more, and marked anew, where a packet found nobody to
# wait for: a hello of fw2 that is late by half a second is no peer
with_peer()
{
	local tries

	for tries in 1 2 3; do
		mark
		"$@"
		[ "$(since defer_nopeer)" -gt 0 ] || return 0
	done
	echo "# fw2 was late three times"
}

# A ping in the background, held when this returns
held_ping()
{
	with_peer start_ping "${1:-$SV4}"
	expect "held" "$(since deferred)" ge 1
}

start_ping()
{
	spawn "$cl" ping -c 1 -W 20 "$1"
	PING=$PID PINGED=$OUT
	check "held or not" wait_for "$WAIT" met_defer
}

met_defer()
{
	local now

	now=$(($(since deferred) + $(since defer_nopeer)))
	echo "$now packets came by"
	[ "$now" -ge 1 ]
}

# came_once PID OUT N: that ping has ended, with N answers, and each once
came_once()
{
	[ -z "$1" ] || wait "$1"
	expect "answers" "$(grep -c 'bytes from' "$2")" eq "$3"
	expect "twice" "$(grep -c 'DUP!' "$2")" eq 0
}

# pinged ADDRESS [options]: in the foreground
pinged()
{
	local to=$1
	shift
	with_peer pings "$TMP/pinged" -c 1 "$@" "$to"
	came_once "" "$TMP/pinged" 1
}

# pings FILE OPTIONS...: what ping says goes there
pings()
{
	in_ns "$cl" ping -W 20 "${@:2}" > "$1" 2>&1
}

# ms: how long the last pinged took
ms()
{
	sed -n 's/.*time=\([0-9]*\).*/\1/p' "$TMP/pinged"
}

# waits_for ADDRESS: nobody answers, so it waits for the ceiling
waits_for()
{
	check "ceiling" set_link defertime $SHORT
	deaf
	held_ping "$1"
	came_once "$PING" "$PINGED" 1
	only defer_timeout 1
}

# deaf: fw2 hears nothing, so it answers nothing; it still says hello
deaf()
{
	check "fw2 deaf" lose "$fw2" all
}

hearing()
{
	check "fw2 hears again" lose_nothing "$fw2"
	verdict "$fw2" in-sync
	verdict "$fw1" in-sync
}

# ---- by the answer ----

# order_of FLOW...: where on fw1 things pass, in the order in which they do
order_of()
{
	local pid

	PORT=$((PORT + 1))
	set -- "${@/PORT/$PORT}"
	sniff "$fw1" any "(ip proto 240 and (ip[56] = 13 or ip[56] = 2)) or" \
		"((ip or ip6) and not ip proto 240 and" \
		"(tcp[tcpflags] = tcp-syn or udp or icmp[icmptype] = icmp-echo" \
		"or ip6[53] = 2 or ip6[40] = 128))"
	pid=$PID
	check "$*" "$@"
	wait_for "$WAIT" grep -q 'wan *Out' "$OUT"
	kill "$pid"
	wait "$pid" 2> "$TMP/killed"
	# M: it came in, to a group
	ORDER=$(grep -aoE '(lan|wan|sync) +(In|Out|M) ' "$OUT" | tr -s ' ' |
		tr '\n' ',')
}

PORT=30000

# in_order FLOW...: in, told, acknowledged, out. PORT is another one each time.
in_order()
{
	with_peer order_of "$@"
	[[ $ORDER =~ ^lan\ In\ ,sync\ Out\ ,sync\ M\ ,wan\ Out\ , ]] ||
		fail "order of $*: $ORDER"
	only defer_ack 1
}

test_told_before_it_leaves()
{
	check "long ceiling" set_link defertime $LONG
	in_order flow_cl -p PORT
	in_order flow_cl6 -p PORT
	in_order flow_cl -u -p PORT
	in_order ping_cl "$SV4"
	in_order ping_cl "$SV6"
}

test_many_flows()
{
	local n

	n=$(scaled 200 20)
	check "long ceiling" set_link defertime $LONG
	mark
	check "tcp" flow_cl -n "$n" -c 20
	check "tcp over ipv6" flow_cl6 -n "$n" -c 20
	check "udp" flow_cl -u -n "$n" -c 20
	# a port of a flow that was is no new flow; a late hello is no peer
	expect "held or not" $(($(since deferred) + $(since defer_nopeer))) \
		ge $((3 * n * 9 / 10))
	expect "released by the answer" "$(since defer_ack)" \
		ge $(($(since deferred) * 9 / 10))
	expect "ran into the ceiling" "$(since defer_timeout)" eq 0
	check "same tables" wait_same_tables
	expect "invalid on fw1" "$(invalid_count "$fw1")" eq 0
}

# Told, not judged: what holding costs, in a guest where all is slow
test_latency()
{
	local how ms i

	for how in off on; do
		check "defer $how" set_link defer $how
		for ((i = 0; i < 15; i++)); do
			in_ns "$cl" ping -c 1 -W 20 "$SV4"
		done | sed -n 's/.*time=\([0-9.]*\).*/\1/p' | sort -n > "$TMP/ms"
		ms=$(sed -n 8p "$TMP/ms")
		echo "# defer $how: median of a first answer $ms ms"
	done
}

test_fragments()
{
	pinged "$SV4" -s 4000
	only defer_ack 1
	pinged "$SV6" -s 4000
	only defer_ack 1
}

test_translated_once()
{
	ruleset_add "$fw1" <<-EOF
	table ip shift {
		chain post {
			type nat hook postrouting priority srcnat
			oifname "wan" snat to 10.0.2.254
		}
	}
	EOF
	with_peer check "tcp" flow_cl -n 10
	only defer_ack 10
	expect "translated on fw1" "$(ct_count "$fw1" --src-nat -p tcp)" ge 10
	check "same tables" wait_same_tables
	printf '@%s\nnft delete table ip shift\n' "$fw1" | netlab
}

# ---- by other reasons ----

# id_of_next: of the state that fw1 makes next
id_of_next()
{
	local id

	check "ceiling" set_link defertime $SHORT
	with_peer sniffed_ping
	came_once "" "$TMP/pinged" 1
	only defer_timeout 1
	check "long ceiling" set_link defertime $LONG
	check "told" wait_for "$WAIT" grep -q '0x0030' "$OUT"
	id=$(dump_bytes "$OUT" 60 8)
	NEXT=$(printf '0x%x' $((16#$id + 1)))
}

# With what fw1 tells of it in $OUT
sniffed_ping()
{
	sniff "$fw2" sync -x -c 1 "ip proto 240 and ip[56] = 13"
	pings "$TMP/pinged" -c 1 "$SV4"
}

# by_message ITEM REASON: fw2 says it, many times a second, of a state that is
# there in a moment
by_message()
{
	id_of_next
	spawn "$fw2" bash -c "while rawsync -i sync -s $FW2_SYNC \
		'$1,id=$NEXT,creator=0x11111111'; do sleep 0.02; done"
	pinged "$SV4"
	kill "$PID"
	wait "$PID" 2> "$TMP/killed"
	only "$2" 1
}

test_by_messages()
{
	check "long ceiling" set_link defertime $LONG
	deaf
	by_message ins_ack defer_ack
	by_message upd_c defer_heard
	by_message del_c defer_del
	# too early this one would make a state of its own, in our name
	id_of_next
	held_ping
	in_ns "$fw2" rawsync -i sync -s "$FW2_SYNC" "upd,id=$NEXT,$(
		)creator=0x11111111,proto=1,src=10.0.1.2,dst=10.0.2.2,$(
		)state=1/0,expire=30" || fail "rawsync"
	came_once "$PING" "$PINGED" 1
	only defer_heard 1
	hearing
}

# dump_bytes FILE OFFSET N: of the frame in a hex dump
dump_bytes()
{
	sed -n 's/^\t0x[0-9a-f]*: *//p' "$1" | tr -d ' \n' |
		cut -c$((2 * $2 + 1))-$((2 * ($2 + $3)))
}

three_pings()
{
	sniff "$sv" wan "icmp[icmptype] = icmp-echo"
	pings "$TMP/pinged" -c 3 -i 0.01 "$SV4"
}

test_by_a_further_packet()
{
	check "long ceiling" set_link defertime $LONG
	deaf
	with_peer three_pings
	came_once "" "$TMP/pinged" 3
	only defer_more 1
	check "all arrived" wait_for "$WAIT" grep -q 'seq 3' "$OUT"
	expect_same "order" "$(grep -oE 'seq [0-9]' "$OUT" | tr '\n' ' ')" \
		"seq 1 seq 2 seq 3 "
	hearing
}

test_by_the_ceiling()
{
	check "ceiling" set_link defertime 100
	deaf
	pinged "$SV4"
	only defer_timeout 1
	expect "waited" "$(ms)" ge 99
	pinged "$SV6"
	only defer_timeout 1
	expect "waited" "$(ms)" ge 99
	hearing
}

# An answer that comes after the ceiling is no news. It is asked for while the
# packet waits, so that has to be longer than a slow guest takes to say so.
test_late_peer()
{
	check "ceiling" set_link defertime 100
	check "netem" in_ns "$fw2" tc qdisc add dev sync root netem delay 300ms
	pinged "$SV4"
	only defer_timeout 1
	check "the answer came" wait_stat "$fw1" rx_ins_ack \
		$((BEFORE[rx_ins_ack] + 1))
	only defer_timeout 1
	# what it still has would go with it: a hello is missed then
	check "no delay" tc -n "$fw2" qdisc change dev sync root netem delay 1us
	check "a hello" wait_stat "$fw1" rx_hello \
		$(($(stat_get "$fw1" rx_hello) + 1))
	in_ns "$fw2" tc qdisc del dev sync root
}

slices()
{
	local range

	range=$(cat /sys/devices/system/cpu/possible)
	echo $((${range##*-} + 1))
}

# As many released as held
all_left()
{
	local name sum=0
	local -A now

	counters now
	for name in $RELEASES; do
		sum=$((sum + now[$name]))
	done
	echo "${now[deferred]} held, $sum released"
	[ "${now[deferred]}" -eq "$sum" ]
}

# One more than a slice may hold pushes its oldest out; a whole limit of them
# within a ceiling is a flood, of which the rest is not held
test_by_the_limit()
{
	local n=60 limit=4 all held flood nopeer pushed

	all=$(slices)
	check "small limit" set_link defertime $SHORT deferlimit $limit
	deaf
	mark
	check "udp" flow_cl -u -n $n -p 31000
	check "all left" wait_for "$WAIT" all_left
	held=$(since deferred)
	flood=$(since defer_flood)
	nopeer=$(since defer_nopeer)
	pushed=$(since defer_limit)
	echo "# $all slices: $held held, $pushed pushed out, $flood not held," \
		"of $nopeer fw2 was late"
	expect "held or not" $((held + flood + nopeer)) eq $n
	expect "held" "$held" ge $((limit + 1))
	expect "pushed out" "$pushed" ge 1
	expect "not held" "$flood" ge 1
	hearing
	check "limit" set_link deferlimit 128
}

# Nobody will acknowledge what is not there any more. The answer finds no entry:
# that the request has left is seen where it arrives.
test_when_its_entry_ends()
{
	local sniffed

	check "long ceiling" set_link defertime $LONG
	deaf
	sniff "$sv" wan "icmp[icmptype] = icmp-echo or ip6[40] = 128"
	sniffed=$OUT
	held_ping
	check "deleted" in_ns "$fw1" conntrack -D -p icmp
	check "arrived" wait_for "$WAIT" grep -q 'IP .*echo request' "$sniffed"
	only defer_del 1
	kill "$PING"
	held_ping "$SV6"
	check "all deleted" in_ns "$fw1" conntrack -F
	check "arrived" wait_for "$WAIT" grep -q 'IP6 .*echo request' "$sniffed"
	only defer_del 1
	kill "$PING"
	hearing
}

test_when_the_interface_goes_down()
{
	check "long ceiling" set_link defertime $LONG
	deaf
	held_ping
	check "down" ip -n "$fw1" link set "$DEV" down
	came_once "$PING" "$PINGED" 1
	only defer_down 1
	check "up" ip -n "$fw1" link set "$DEV" up
	hearing
}

test_when_it_is_switched_off()
{
	check "long ceiling" set_link defertime $LONG
	deaf
	held_ping
	check "off" set_link defer off
	came_once "$PING" "$PINGED" 1
	only defer_down 1
	pinged "$SV4"
	expect "held" "$(since deferred)" eq 0
	check "on" set_link defer on
	hearing
}

test_when_the_sync_link_goes()
{
	check "long ceiling" set_link defertime $LONG
	deaf
	held_ping
	check "sync down" ip -n "$fw1" link set sync down
	came_once "$PING" "$PINGED" 1
	only defer_link 1
	pinged "$SV4"
	expect "held" "$(since deferred)" eq 0
	check "sync up" ip -n "$fw1" link set sync up
	hearing
}

# It leaves while the device can still send
test_when_its_device_goes_down()
{
	local sniffed

	check "long ceiling" set_link defertime $LONG
	deaf
	sniff "$sv" wan "icmp[icmptype] = icmp-echo"
	sniffed=$OUT
	held_ping
	check "wan down" ip -n "$fw1" link set wan down
	check "arrived" wait_for "$WAIT" grep -q 'echo request' "$sniffed"
	check "counted" wait_stat "$fw1" defer_netdev \
		$((BEFORE[defer_netdev] + 1))
	check "wan up" ip -n "$fw1" link set wan up
	wait "$PING"
	only defer_netdev 1
	expect "requests" "$(grep -c 'echo request' "$sniffed")" eq 1
	hearing
}

# Its device is deleted: nothing waits for it, and nothing keeps it
test_when_its_device_is_deleted()
{
	cat <<-EOF | netlab
	@$fw1
	ip link add gone type veth peer name gone netns $sv
	ip addr add 10.0.102.1/24 dev gone
	ip link set gone up
	@$sv
	ip addr add 10.0.102.2/24 dev gone
	ip link set gone up
	EOF
	check "long ceiling" set_link defertime $LONG
	deaf
	held_ping 10.0.102.2
	check "deleted" ip -n "$fw1" link del gone
	check "counted" wait_stat "$fw1" defer_netdev \
		$((BEFORE[defer_netdev] + 1))
	wait "$PING"
	only defer_netdev 1
	hearing
}

# ---- without a peer ----

test_no_peer()
{
	check "long ceiling" set_link defertime $LONG
	nfsync_down "$fw2"
	verdict "$fw1" alone
	pinged "$SV4"
	expect "held" "$(since deferred)" eq 0
	expect "nobody to wait for" "$(since defer_nopeer)" eq 1
	check "fw2 up" nfsync_up "$fw2" defer on hostid 0x22222222
	verdict "$fw1" in-sync
	pinged "$SV4"
	only defer_ack 1
}

# Not even a hello: no later than two intervals
test_silent_peer()
{
	check "fw2 mute" lose "$fw1" all
	mark
	check "noticed" wait_for "$WAIT" nopeer_counted
	pinged "$SV4"
	expect "held" "$(since deferred)" eq 0
	check "fw2 speaks" lose_nothing "$fw1"
	verdict "$fw1" in-sync
	# the pings by which it was noticed
	check "none waits" wait_for "$WAIT" all_left
}

nopeer_counted()
{
	ping_cl "$SV4"
	[ "$(since defer_nopeer)" -ge 1 ]
}

# ---- by other paths ----

test_vlan()
{
	cat <<-EOF | netlab
	@$fw1
	ip link add link wan name wan.100 type vlan id 100
	ip addr add 10.0.100.1/24 dev wan.100
	ip addr add fd00:100::1/64 dev wan.100 nodad
	ip link set wan.100 up
	@$sv
	ip link add link wan name wan.100 type vlan id 100
	ip addr add 10.0.100.2/24 dev wan.100
	ip addr add fd00:100::2/64 dev wan.100 nodad
	ip link set wan.100 up
	EOF
	pinged 10.0.100.2
	only defer_ack 1
	pinged fd00:100::2
	only defer_ack 1
	waits_for 10.0.100.2
	hearing
	check "long ceiling" set_link defertime $LONG
	ip -n "$fw1" link del wan.100
}

bridge_up()
{
	cat <<-EOF | netlab
	@$fw1
	ip link add br9 type bridge forward_delay 0 stp_state 0 mcast_snooping 0
	ip addr add 10.0.101.1/24 dev br9
	ip link set br9 up
	ip link add b1 type veth peer name b1 netns $sv
	ip link set b1 master br9 up
	ip link add b2 type veth peer name b2 netns $cl
	ip link set b2 master br9 up
	@$sv
	ip addr add 10.0.101.2/24 dev b1
	ip link set b1 up
	@$cl
	ip link set b2 up
	EOF
}

# From lan by a route into the bridge
test_routed_into_a_bridge()
{
	check "bridge" bridge_up
	pinged 10.0.101.2
	only defer_ack 1
	waits_for 10.0.101.2
	hearing
	check "long ceiling" set_link defertime $LONG
}

# From port to port: conntrack sees it by br_netfilter
test_bridged()
{
	modprobe br_netfilter 2> "$TMP/modprobe" || {
		skip "no br_netfilter"
		return
	}
	cat <<-EOF | netlab
	@$fw1
	sysctl net.bridge.bridge-nf-call-iptables=1
	nft add rule inet lab forward iifname br9 accept
	@$cl
	ip addr add 10.0.101.3/24 dev b2
	EOF
	# not the first that the bridge has to flood
	check "neighbours" ping_cl 10.0.101.2
	pinged 10.0.101.2
	only defer_ack 1
	waits_for 10.0.101.2
	check "long ceiling" set_link defertime $LONG
	held_ping 10.0.101.2
	check "the module goes" rmmod br_netfilter
	came_once "$PING" "$PINGED" 1
	only defer_down 1
	hearing
}

# Neither for many nor for the firewall itself
test_what_is_never_held()
{
	mark
	check "fw1 itself" ping_cl 10.0.1.1
	in_ns "$fw1" ping -c 1 -W 20 "$SV4" > "$TMP/pinged" || fail "from fw1"
	printf '@%s\nsysctl net.ipv4.conf.all.bc_forwarding=1\n%s\n' "$fw1" \
		"sysctl net.ipv4.conf.lan.bc_forwarding=1" | netlab
	in_ns "$cl" ping -c 1 -W 1 10.0.2.255 > "$TMP/pinged"
	expect "held" "$(since deferred)" eq 0
}

# ---- the paths of the two directions differ ----

test_split_handshakes()
{
	local n

	n=$(scaled 100 10)
	check "ceiling" set_link defertime $LONG
	check "split" split_paths
	mark
	check "tcp" flow_cl -n "$n" -c 5
	# of ports that the host chooses some come twice
	check "udp" flow_cl -u -n "$n" -c 5 -p 21000
	check "together again" unsplit_paths
	expect "held or not" $(($(since deferred) + $(since defer_nopeer))) \
		ge $((2 * n))
	expect "held" "$(since deferred)" ge "$n"
	expect "ran into the ceiling" "$(since defer_timeout)" eq 0
	echo "# invalid: fw1 $(invalid_count "$fw1"), fw2 $(invalid_count \
		"$fw2"); refused: fw2 $(refused_count "$fw2")"
}

# A SYN that found nobody to wait for was told to nobody, and its answer is let go
# by nobody who did not hear of it. It is told when it is said again.
test_not_held_and_said_again()
{
	check "ceiling" set_link defertime $LONG
	check "fw2 mute" lose "$fw1" all
	mark
	check "noticed" wait_for "$WAIT" nopeer_counted
	check "split" split_paths
	mark
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -p 31500 -r 1 -T 60
	check "not held" wait_stat "$fw1" defer_nopeer \
		$((BEFORE[defer_nopeer] + 1))
	check "fw2 speaks" lose_nothing "$fw1"
	check "it connects" wait "$PID"
	check "together again" unsplit_paths
	verdict "$fw1" in-sync
}

# ---- the end ----

# A namespace ends while a packet is held. That its end is over is seen by that
# of another one, which waits for it.
test_namespace_ends()
{
	check "long ceiling" set_link defertime $LONG
	deaf
	held_ping
	check "deleted" ip netns del "$fw1"
	wait "$PING"
	ip netns add "$fw1-next"
	ip -n "$fw1-next" link add mark9 type veth peer name mark9 netns "$sw"
	ip netns del "$fw1-next"
	check "its end is over" wait_for "$WAIT" not ip -n "$sw" link show mark9
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
if ! nfsync_up "$fw1" defer on hostid 0x11111111 ||
	! nfsync_up "$fw2" defer on hostid 0x22222222 ||
	! wait_running "$fw1" || ! wait_running "$fw2"; then
	skip_all "nfsync does not come up"
fi
verdict "$fw1" in-sync
verdict "$fw2" in-sync
run_tests test_told_before_it_leaves test_many_flows test_latency \
	test_fragments test_translated_once test_by_messages \
	test_by_a_further_packet test_by_the_ceiling test_late_peer \
	test_by_the_limit test_when_its_entry_ends \
	test_when_the_interface_goes_down \
	test_when_it_is_switched_off test_when_the_sync_link_goes \
	test_when_its_device_goes_down test_when_its_device_is_deleted \
	test_no_peer test_silent_peer test_vlan test_routed_into_a_bridge \
	test_bridged test_what_is_never_held test_split_handshakes \
	test_not_held_and_said_again test_namespace_ends
