#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# nfsync beside the others that listen to conntrack, hold its packets back or
# read its protocol: what they see and what we see is the same with both as
# with one.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      nfsync0, conntrack -E,
#   +----+  +----+----+   +--+--+   +----+----+  +----+         a flowtable
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      nfsync0, a raw socket
#                  .3 lan +-----+ wan .3

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

FIRST=20000		# source ports, each phase has its own
PACE=()			# options of the flow in a phase

# listen NS: conntrack -E in the background, once it listens
listen()
{
	spawn "$1" conntrack -E -p tcp
	ln -sf "$OUT" "$TMP/events.$1"
	wait_for "$WAIT" listens "$1"
}

# listens NS: somebody has joined a group of netfilter's
listens()
{
	in_ns "$1" cat /proc/net/netlink |
		awk '$2 == 12 && $4 !~ /^0*$/ { found = 1 } END { exit !found }'
}

unlisten()
{
	kill "$PID"
	wait "$PID" 2> "$TMP/said"
}

# ends NS PORT
ends()
{
	grep -qE "DESTROY.* sport=$2 " "$TMP/events.$1"
}

# phase NAME NS...: a connection from beginning to end, and what the listener
# of each NS has seen of it, to $TMP/seen.NAME.NS
phase()
{
	local name=$1 ns
	shift
	FIRST=$((FIRST + 1))
	check "$name: connection" flow_cl -p $FIRST "${PACE[@]}"
	in_ns "$fw1" conntrack -D -p tcp --sport $FIRST > "$TMP/said" 2>&1
	for ns; do
		check "$name: end seen on $ns" wait_for "$WAIT" ends "$ns" \
			$FIRST
		grep -E " sport=$FIRST " "$TMP/events.$ns" |
			sed -E "s/sport=[0-9]+//g; s/dport=$FIRST//g;
				s/ portid=.*//;
				s/(\[[A-Z]+\] tcp +6) [0-9]+ /\1 /; s/ +/ /g" |
			grep -v CLOSE_WAIT > "$TMP/seen.$name.$ns"
	done
}

# The slot with us in it gives what the slot without us gave
test_listeners_see_the_same_before_during_after()
{
	local name

	check "listener" listen "$fw1"
	phase before "$fw1"
	expect "events" "$(wc -l < "$TMP/seen.before.$fw1")" ge 6
	check "a NEW" grep -q 'NEW.*SYN_SENT' "$TMP/seen.before.$fw1"
	check "a DESTROY" grep -q 'DESTROY' "$TMP/seen.before.$fw1"
	check "pair" nfsync_pair
	phase during "$fw1"
	check "was told" wait_stat "$fw1" tx_ins 1
	check "was told of the end" wait_stat "$fw1" tx_del_c 1
	nfsync_down "$fw1"
	phase after "$fw1"
	check "again" nfsync_up "$fw1"
	check "running" wait_running "$fw1"
	phase again "$fw1"
	for name in during after again; do
		diff "$TMP/seen.before.$fw1" "$TMP/seen.$name.$fw1" \
			> "$TMP/diff" || {
			sed 's/^/# /' "$TMP/diff"
			fail "other events $name nfsync"
		}
	done
	unlisten
}

# What a peer's word creates, changes and ends is an event like any other
test_listeners_see_what_is_imported()
{
	check "listener" listen "$fw2"
	# its INS leaves before its FIN, on the fastest machine as well
	PACE=(-w 500 -r 2)
	phase imported "$fw2"
	PACE=()
	check "a NEW" grep -q 'NEW' "$TMP/seen.imported.$fw2"
	check "an UPDATE" grep -q 'UPDATE' "$TMP/seen.imported.$fw2"
	check "a DESTROY" grep -q 'DESTROY' "$TMP/seen.imported.$fw2"
	unlisten
}

# works WHAT: a new connection is told, and the slot was never found empty.
# Not by conntrack, whose use would load ctnetlink.
works()
{
	local what=$1 ins

	ins=$(stat_get "$fw2" imp_created)
	FIRST=$((FIRST + 1))
	check "$what: connection" flow_cl -p $FIRST
	check "$what: told" wait_stat "$fw2" imp_created $((ins + 1))
	expect "$what: slot repairs" "$(stat_get "$fw1" slot_repair)" eq 0
}

unload_ctnetlink()
{
	wait_for "$WAIT" rmmod nf_conntrack_netlink 2> "$TMP/said"
}

warnings()
{
	dmesg | grep -c WARNING
}

# ctnetlink warns when the slot is taken as it loads, and takes it out of our
# hands as it goes
test_ctnetlink_comes_and_goes()
{
	local warnings i

	warnings=$(warnings)
	works "loaded before us"
	for i in 1 2; do
		check "unload $i" unload_ctnetlink
		works "unloaded $i"
		check "load $i" modprobe nf_conntrack_netlink
		works "loaded after us $i"
		check "listener $i" listen "$fw1"
		phase "load$i" "$fw1"
		expect "events $i" "$(wc -l < "$TMP/seen.load$i.$fw1")" \
			eq "$(wc -l < "$TMP/seen.before.$fw1")"
		unlisten
	done
	expect "warnings" "$(warnings)" eq "$warnings"
}

# Each order of loading and unloading both
test_every_order_of_modules()
{
	local warnings

	warnings=$(warnings)
	nfsync_down "$fw1"
	nfsync_down "$fw2"
	check "ctnetlink goes" unload_ctnetlink
	check "nfsync goes" rmmod nfsync
	check "nfsync comes" modprobe nfsync
	check "pair without ctnetlink" nfsync_pair
	works "without ctnetlink"
	check "ctnetlink comes" modprobe nf_conntrack_netlink
	works "with ctnetlink"
	nfsync_down "$fw1"
	nfsync_down "$fw2"
	check "nfsync goes first" rmmod nfsync
	check "listener" listen "$fw1"
	phase alone "$fw1"
	expect "events without nfsync" "$(wc -l < "$TMP/seen.alone.$fw1")" \
		eq "$(wc -l < "$TMP/seen.before.$fw1")"
	unlisten
	check "ctnetlink goes last" unload_ctnetlink
	check "both come" modprobe -a nf_conntrack_netlink nfsync
	check "pair with ctnetlink" nfsync_pair
	works "both"
	expect "warnings" "$(warnings)" eq "$warnings"
}

sysctl_events()
{
	in_ns "$fw1" cat /proc/sys/net/netfilter/nf_conntrack_events
}

set_events()
{
	in_ns "$fw1" sysctl -qw net.netfilter.nf_conntrack_events="$1"
}

# 2 is "when somebody listens", and somebody does; 0 and 1 are the admin's
test_sysctl_of_events()
{
	local ins

	nfsync_down "$fw1"
	expect "at first" "$(sysctl_events)" eq 2
	check "up" nfsync_up "$fw1"
	expect "while up" "$(sysctl_events)" eq 1
	check "down" ip -n "$fw1" link set "$DEV" down
	expect "restored" "$(sysctl_events)" eq 2
	check "up" ip -n "$fw1" link set "$DEV" up
	set_events 0
	nfsync_down "$fw1"
	expect "changed meanwhile, so left" "$(sysctl_events)" eq 0
	check "up with 0" nfsync_up "$fw1"
	expect "left alone" "$(sysctl_events)" eq 0
	check "said so" grep -q 'nf_conntrack_events is 0' <(dmesg)
	check "running" wait_running "$fw1"
	ins=$(stat_get "$fw2" imp_created)
	FIRST=$((FIRST + 1))
	check "connection" flow_cl -p $FIRST
	check "told without events" wait_stat "$fw2" imp_created $((ins + 1))
	in_ns "$fw1" conntrack -D -p tcp --sport $FIRST > "$TMP/said" 2>&1
	check "its end is found by the walk" wait_for "$WAIT" gone $FIRST
	nfsync_down "$fw1"
	set_events 1
	check "up with 1" nfsync_up "$fw1"
	expect "as it was" "$(sysctl_events)" eq 1
	nfsync_down "$fw1"
	expect "as it was" "$(sysctl_events)" eq 1
	set_events 2
	check "up" nfsync_up "$fw1"
	check "running" wait_running "$fw1"
}

gone()
{
	[ "$(ct_list "$fw2" -p tcp --sport "$1" | wc -l)" -eq 0 ]
}

is_offloaded()
{
	ct_list "$fw1" -p tcp --sport "$1" | grep -q OFFLOAD
}

is_established()
{
	ct_list "$fw2" -p tcp --sport "$1" | grep -q ESTABLISHED
}

flowtable_text()
{
	cat <<-EOF
	add table inet ft
	add flowtable inet ft fast { hook ingress priority 0; devices = { lan, wan }; }
	add chain inet ft forward { type filter hook forward priority -1; }
	add rule inet ft forward meta l4proto tcp ct state established flow add @fast
	EOF
}

# Its packets pass no hook any more, and its windows go far beyond what the
# peers were told before. They have to hear of that, or they would refuse it.
test_flowtable()
{
	local port bytes

	FIRST=$((FIRST + 1))
	port=$FIRST
	rm -f "$TMP/up"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -p "$port" -r 0 \
		-U 200000 -D 200000 -S "$TMP/up" \
		-T $((600 * NFSYNC_SLOW))
	check "connection" wait_file "$TMP/up"
	check "on the standby" wait_for "$WAIT" is_established "$port"
	if ! flowtable_text | ruleset_add "$fw1" 2> "$TMP/said"; then
		skip "no flowtable here"
		return
	fi
	check "offloaded" wait_for "$WAIT" is_offloaded "$port"
	bytes=$(wan_bytes)
	check "moves on" wait_for "$WAIT" moved_on $((bytes + $(scaled 5000000)))
	check "still offloaded" is_offloaded "$port"
	check "still on the standby" is_established "$port"
	# the sync link first: what is offloaded falls back when lan goes
	check "sync link" ip -n "$fw1" link set sync down
	fw_off "$fw1"
	check "gateway moves" move_gateway "$fw2"
	kill -USR1 "$PID"
	check "the standby carries it on to its end" wait "$PID"
	expect "invalid packets" "$(invalid_count "$fw2")" eq 0
	fw_on "$fw1"
	check "gateway returns" move_gateway "$fw1"
	printf '@%s\nnft delete table inet ft\n' "$fw1" | netlab
	check "running again" wait_running "$fw1"
}

wan_bytes()
{
	in_ns "$fw1" cat /sys/class/net/wan/statistics/tx_bytes
}

moved_on()
{
	local now
	now=$(wan_bytes)
	echo "$now bytes, wanted $1"
	[ "$now" -ge "$1" ]
}

# A program that reads protocol 240 by a raw socket gets its copies, and the
# kernel's receiver misses nothing
test_raw_socket_gets_copies()
{
	local out

	check "running" wait_running "$fw2"
	spawn "$fw2" rawrecv 2 60
	out=$OUT
	check "listens" wait_for "$WAIT" grep -q listening "$out"
	works "with a raw socket"
	works "with a raw socket again"
	check "copies" wait "$PID"
	expect "from the peer" "$(grep -c "from $FW1_SYNC .* ttl 255 version 6" \
		"$out")" eq 2
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
run_tests test_listeners_see_the_same_before_during_after \
	test_listeners_see_what_is_imported test_ctnetlink_comes_and_goes \
	test_every_order_of_modules test_sysctl_of_events test_flowtable \
	test_raw_socket_gets_copies
