#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# keepalived, the real one, decides by IFF_RUNNING of nfsync0 who has the
# gateway's addresses. Its configuration is the one in Documentation/examples,
# with only its variables changed, so what is shown there is what runs here.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      nfsync0, keepalived
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      nfsync0, keepalived
#                  .3 lan +-----+ wan .3
#
#   VRRP over lan and over wan: 10.0.1.254 fd00:1::fe, 10.0.2.254 fd00:2::fe
#
# The same connections live through all tests, under the strict rules, and end
# well in the last one.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

EXAMPLE=$SELFTESTS/../Documentation/examples/keepalived/keepalived.conf
LIMIT=$((WAIT * 3))	# of waits for VRRP, which counts in seconds
CLIENTS=()
declare -A LOG=()	# of a namespace's keepalived
declare -A NAME=()	# of its node, as the example has it
declare -A BAD=()	# what was refused there so far
IDLE=${NFSYNC_CONNS:-4}	# connections over IPv4 that only have to be there
FLOWS=$((IDLE + 8))

# ---- keepalived ----

# ka_conf nopreempt|preempt: the example, for our interfaces and addresses
ka_conf()
{
	sed -e "s|^\$LAN_IF=.*|\$LAN_IF=lan|" \
		-e "s|^\$WAN_IF=.*|\$WAN_IF=wan|" \
		-e "s|^\$LAN_IP4=.*|\$LAN_IP4=$GW_LAN4/24|" \
		-e "s|^\$LAN_IP6=.*|\$LAN_IP6=$GW_LAN6/64|" \
		-e "s|^\$WAN_IP4=.*|\$WAN_IP4=$GW_WAN4/24|" \
		-e "s|^\$WAN_IP6=.*|\$WAN_IP6=$GW_WAN6/64|" \
		-e "s|^\$PREEMPT=.*|\$PREEMPT=$1|" \
		"$EXAMPLE" > "$TMP/keepalived.conf"
}

# ka_start NS
ka_start()
{
	local name=${NAME[$1]}

	rm -f "$TMP/$name.pid" "$TMP/$name.vrrp.pid"
	spawn "$1" keepalived -n -l -G -D -P -f "$TMP/keepalived.conf" \
		-i "$name" -p "$TMP/$name.pid" -r "$TMP/$name.vrrp.pid" \
		-c "$TMP/$name.checkers.pid" -b "$TMP/$name.bfd.pid"
	LOG[$1]=$OUT
	# a node begins in one of these, by its nfsync0
	wait_for "$LIMIT" grep -qiE 'entering (backup|fault) state' "$OUT"
}

# ka_stop NS: as at a shutdown; says goodbye and gives its addresses back
ka_stop()
{
	local pid

	pid=$(< "$TMP/${NAME[$1]}.pid")
	kill "$pid"
	wait "$pid"
}

# ka_kill NS: so that it can neither say goodbye nor tidy up. The parent would
# start another child, and a child is told by the kernel when its parent dies.
ka_kill()
{
	local parent child

	parent=$(< "$TMP/${NAME[$1]}.pid")
	child=$(< "$TMP/${NAME[$1]}.vrrp.pid")
	kill -STOP "$parent"
	kill -KILL "$child"
	kill -KILL "$parent"
	wait "$parent" 2> "$TMP/killed"
}

# addresses NS: how many of the gateway's four it has
addresses()
{
	ip -n "$1" -o address | grep -cE " ($GW_LAN4|$GW_WAN4|$GW_LAN6|$GW_WAN6)/"
}

# state_is NS STATE: the last thing that its keepalived said
state_is()
{
	local now

	now=$(grep -ioE 'entering [a-z]+ state' "${LOG[$1]}" | tail -n 1)
	echo "keepalived of ${NAME[$1]}: $now, wanted $2"
	[ "${now,,}" = "entering $2 state" ]
}

other()
{
	if [ "$1" = "$fw1" ]; then
		echo "$fw2"
	else
		echo "$fw1"
	fi
}

# has_all NS: it has the addresses, and the other one has none
has_all()
{
	local mine theirs

	mine=$(addresses "$1")
	theirs=$(addresses "$(other "$1")")
	echo "addresses: ${NAME[$1]} $mine, the other $theirs"
	[ "$mine" = 4 ] && [ "$theirs" = 0 ]
}

has_none()
{
	local mine

	mine=$(addresses "$1")
	echo "addresses: ${NAME[$1]} $mine"
	[ "$mine" = 0 ]
}

takes_all()
{
	local mine

	mine=$(addresses "$1")
	echo "addresses: ${NAME[$1]} $mine"
	[ "$mine" = 4 ]
}

# ---- what passes ----

# Counted beside the strict rules: adverts heard, packets forwarded.
counters_text()
{
	sed 's/^/nft /' <<-EOF
	table inet ka {
		counter adverts { }
		counter forwarded { }
		chain in {
			type filter hook input priority filter
			ip protocol 112 counter name adverts
		}
		chain forward {
			type filter hook forward priority filter + 10
			counter name forwarded
		}
	}
	EOF
}

count_beyond()
{
	local now

	now=$(rule_count "$1" "$2" inet ka)
	echo "$2 in ${NAME[$1]}: $now, wanted $3"
	[ "$now" -ge "$3" ]
}

# wait_more NS COUNTER N: until it counted N more
wait_more()
{
	local now

	now=$(rule_count "$1" "$2" inet ka)
	wait_for "$LIMIT" count_beyond "$1" "$2" $((now + $3))
}

# clients WHAT ADDRESS N OPTIONS...: N connections in the background
clients()
{
	local what=$1 to=$2 n=$3
	shift 3

	spawn "$cl" flow client "$to" "$FLOW_PORT" -n "$n" \
		-T $((1500 * NFSYNC_SLOW)) -S "$TMP/$what" "$@"
	CLIENTS+=("$PID")
	check "$what" wait_file "$TMP/$what" "$LIMIT"
}

# quietly COMMAND...: what it says only if it fails
quietly()
{
	"$@" > "$TMP/quietly" 2>&1 || { sed 's/^/# /' "$TMP/quietly"; return 1; }
}

bad_packets()
{
	echo "$(invalid_count "$1") $(refused_count "$1")" \
		"$(ct_stat "$1" invalid)"
}

nothing_bad()
{
	local ns

	for ns in "$fw1" "$fw2"; do
		expect_same "invalid, refused on ${NAME[$ns]}" \
			"$(bad_packets "$ns")" "${BAD[$ns]:-0 0 0}"
	done
}

# note_bad: what was refused up to now is known. Where the addresses move from
# one living node to another, both forward for some milliseconds, each one half
# of a flow, and an answer may be faster than the news of its question.
note_bad()
{
	local ns now

	for ns in "$fw1" "$fw2"; do
		now=$(bad_packets "$ns")
		[ "$now" = "${BAD[$ns]:-0 0 0}" ] ||
			echo "# invalid, refused on ${NAME[$ns]}: $now"
		BAD[$ns]=$now
	done
}

# serves NS [moved]: all addresses are there and nowhere else, running
# connections and new ones pass, nothing is refused anywhere. With "moved" only
# what comes after the first packets counts: who retransmits gets through.
serves()
{
	check "${NAME[$1]} is master" wait_for "$LIMIT" has_all "$1"
	if [ "${2:-}" = moved ]; then
		check "traffic moves to ${NAME[$1]}" wait_more "$1" forwarded 200
		note_bad
	fi
	check "traffic by ${NAME[$1]}" wait_more "$1" forwarded 500
	check "new connections by ${NAME[$1]}" quietly flow_cl -n 3
	check "new connections by ${NAME[$1]}, ipv6" quietly flow_cl6 -n 3
	nothing_bad
}

# first_packet_after TIME: print how long after it the first packet left fw2.
# Not a test: it is VRRP's interval, and how busy the machine is.
first_packet_after()
{
	local line

	wait_for "$LIMIT" grep -qE '^[0-9]+\.[0-9]+ ' "$SNIFFED" || return
	line=$(grep -m 1 -E '^[0-9]+\.[0-9]+ ' "$SNIFFED")
	echo "$1 ${line%% *}" | mawk '{
		printf "# first packet by fw2 %d ms after fw1 was gone\n",
			($2 - $1) * 1000 }'
}

# ---- slow joining ----

# hold NS: what a bulk transfer consists of does not reach it: no frame with a
# whole state in it, no BUS and no total (10, 0x82), be it the first section
# or the second after one that names the frame (0x80, 16 bytes). Small frames
# do, so it knows that a peer is there.
hold()
{
	ruleset_add "$1" <<-EOF
	table ip hold {
		chain in {
			type filter hook input priority filter
			ip protocol 240 meta length > 330 drop
			ip protocol 240 @nh,320,8 { 0x0a, 0x82 } drop
			ip protocol 240 @nh,320,8 0x80 @nh,448,8 { 0x0a, 0x82 } drop
		}
	}
	EOF
}

release()
{
	ruleset_add "$1" <<-EOF
	delete table ip hold
	EOF
}

verdict_is()
{
	local now

	[[ "$(ip -n "$1" -d link show "$DEV")" =~ verdict\ ([a-z-]+) ]]
	now=${BASH_REMATCH[1]}
	echo "verdict of ${NAME[$1]}: $now, wanted $2"
	[ "$now" = "$2" ]
}

# reboot NS: down and up again, with nothing in memory; returns before it is
# in sync
reboot()
{
	ka_stop "$1"
	fw_off "$1"
	nfsync_down "$1"
	in_ns "$1" conntrack -F > "$TMP/flushed" 2>&1
	fw_on "$1"
}

# ---- the tests ----

test_the_master_has_the_addresses()
{
	ka_conf nopreempt
	check "keepalived on fw1" ka_start "$fw1"
	check "fw1 is master" wait_for "$LIMIT" has_all "$fw1"
	check "keepalived on fw2" ka_start "$fw2"
	clients busy4 "$SV4" 2 -r 0 -U 20000 -D 20000 -w 5
	clients busy6 "$SV6" 2 -r 0 -U 20000 -D 20000 -w 5
	clients idle4 "$SV4" "$IDLE" -H -R 1000
	clients idle6 "$SV6" 4 -H
	serves "$fw1"
	# longer than a backup waits for a master
	check "fw2 hears fw1" wait_more "$fw2" adverts 10
	serves "$fw1"
}

# Pulled on one side, the other moves too, and nfsync0 has not changed
test_one_cable_moves_both_sides()
{
	ip -n "$fw1" link set lan down
	serves "$fw2" moved
	ip -n "$fw1" link set lan up
	check "fw1 stands by" wait_for "$LIMIT" state_is "$fw1" backup
	check "fw1 hears fw2" wait_more "$fw1" adverts 10
	serves "$fw2"
}

test_killed_keepalived()
{
	ka_kill "$fw2"
	check "fw1 takes over" wait_for "$LIMIT" takes_all "$fw1"
	check "traffic moves to fw1" wait_more "$fw1" forwarded 200
	note_bad
	check "traffic by fw1" wait_more "$fw1" forwarded 500
	nothing_bad
	# it finds its own addresses there, and is not the master
	check "keepalived again on fw2" ka_start "$fw2"
	serves "$fw1"
}

test_dead_master()
{
	local died ping

	check "tcpdump" sniff "$fw2" wan -tt -c 1 -Q out src "$CL4"
	SNIFFED=$OUT
	# the connections wait longer and longer before they try again
	spawn "$cl" ping -q -i 0.1 "$SV4"
	ping=$PID
	died=$(date +%s.%N)
	fw_off "$fw1"
	check "fw2 takes over" wait_for "$LIMIT" takes_all "$fw2"
	check "first packet" first_packet_after "$died"
	kill "$ping"
	serves "$fw2"
}

# nopreempt: it has the higher priority, gets in sync and stands by
test_returned_node_stands_by()
{
	fw_on "$fw1"
	check "fw1 in sync" wait_for "$LIMIT" verdict_is "$fw1" in-sync
	check "fw1 hears fw2" wait_more "$fw1" adverts 10
	serves "$fw2"
}

# The highest priority and preemption do not help a node that does not hold
# the states
test_rebooted_node_waits_until_in_sync()
{
	ka_stop "$fw1"
	ka_stop "$fw2"
	ka_conf preempt
	check "keepalived on fw2" ka_start "$fw2"
	check "fw2 is master" wait_for "$LIMIT" has_all "$fw2"
	check "keepalived on fw1" ka_start "$fw1"
	serves "$fw1" moved

	reboot "$fw1"
	serves "$fw2" moved
	hold "$fw1"
	check "nfsync on fw1" nfsync_up "$fw1"
	check "keepalived on fw1" ka_start "$fw1"
	check "not in sync" wait_for "$LIMIT" verdict_is "$fw1" not-in-sync
	check "fw1 hears fw2" wait_more "$fw1" adverts 20
	check "fw1 is in fault" quietly state_is "$fw1" fault
	check "not in sync yet" quietly verdict_is "$fw1" not-in-sync
	expect "states on fw1" "$(ct_list "$fw1" -p tcp | wc -l)" lt $FLOWS
	serves "$fw2"

	release "$fw1"
	serves "$fw1" moved
	check "fw1 in sync" quietly verdict_is "$fw1" in-sync
}

# An upgrade of the module: the device goes and another one comes. On the
# standby keepalived need not know; who serves gives the addresses away first,
# for what it forwards without nfsync0 nobody hears of.
test_upgrade()
{
	nfsync_down "$fw2"
	check "fw2 in fault" wait_for "$LIMIT" state_is "$fw2" fault
	serves "$fw1"
	check "nfsync on fw2" nfsync_up "$fw2"
	check "fw2 in sync" wait_for "$LIMIT" verdict_is "$fw2" in-sync
	check "fw2 stands by" wait_for "$LIMIT" state_is "$fw2" backup
	serves "$fw1"

	ka_stop "$fw1"
	serves "$fw2" moved
	nfsync_down "$fw1"
	check "keepalived on fw1" ka_start "$fw1"
	check "fw1 in fault" quietly state_is "$fw1" fault
	check "nfsync on fw1" nfsync_up "$fw1"
	serves "$fw1" moved
	check "fw1 in sync" quietly verdict_is "$fw1" in-sync
}

# Who serves goes on, and stays the only one
test_pulled_sync_cable()
{
	ip -n "$fw1" link set sync down
	check "fw1 alone" wait_for "$LIMIT" verdict_is "$fw1" alone
	check "fw2 hears fw1" wait_more "$fw2" adverts 10
	serves "$fw1"
	ip -n "$fw1" link set sync up
	check "fw1 in sync" wait_for "$LIMIT" verdict_is "$fw1" in-sync
	check "fw2 in sync" wait_for "$LIMIT" verdict_is "$fw2" in-sync
	serves "$fw1"
}

test_every_connection_ends_well()
{
	local pid

	kill -USR1 "${CLIENTS[@]}"
	for pid in "${CLIENTS[@]}"; do
		check "connections of $pid" wait "$pid"
	done
	sed -n 's/^flow: /# /p' "$TMP"/out.*
	CLIENTS=()
	nothing_bad
}

# Some of the states, or none, is better than no gateway: the only node there
# is serves. The peer falls silent as behind a switch, the carrier stays.
test_last_node_serves_without_states()
{
	reboot "$fw2"
	hold "$fw2"
	check "nfsync on fw2" nfsync_up "$fw2"
	check "keepalived on fw2" ka_start "$fw2"
	check "not in sync" wait_for "$LIMIT" verdict_is "$fw2" not-in-sync
	fw_dies "$fw1"
	check "fw2 alone" wait_for "$LIMIT" verdict_is "$fw2" alone
	check "fw2 takes over" wait_for "$LIMIT" takes_all "$fw2"
	check "new connections" quietly flow_cl -n 3
}

# fw_dies NS: nothing comes from it any more, but its cables have carrier
fw_dies()
{
	ruleset_add "$1" <<-EOF
	table netdev dead {
		chain lan { type filter hook egress device lan priority 0; policy drop; }
		chain wan { type filter hook egress device wan priority 0; policy drop; }
		chain sync { type filter hook egress device sync priority 0; policy drop; }
	}
	EOF
}

command -v keepalived > /dev/null || skip_all "no keepalived"
[ -r "$EXAMPLE" ] || skip_all "no $EXAMPLE"
need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
NAME[$fw1]=fw1 NAME[$fw2]=fw2
{
	ungateway_text "$fw1" 1
	for ns in "$fw1" "$fw2"; do
		echo "@$ns"
		counters_text
	done
} | netlab || skip_all "the gateway's addresses cannot be freed"
nfsync_pair || skip_all "nfsync does not come up"
run_tests test_the_master_has_the_addresses test_one_cable_moves_both_sides \
	test_killed_keepalived test_dead_master test_returned_node_stands_by \
	test_rebooted_node_waits_until_in_sync test_upgrade \
	test_pulled_sync_cable test_every_connection_ends_well \
	test_last_node_serves_without_states
