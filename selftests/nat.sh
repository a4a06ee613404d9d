#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Translated flows: the same entries on fw2, in source, destination and both;
# after a takeover fw2 goes on translating them, and gives new flows no port
# that an old one has.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all traffic, nfsync0
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      nfsync0, takes over
#                  .3 lan +-----+ wan .3
#
# What cl sends to the gateway's own address at these ports goes to sv:
#	7000 and 7001 (-> 5000)		destination translated
#	7100				source and destination
# and to sv itself:
#	5000 (tcp, udp, ping)		source: the gateway's address
#	5001				source: one of 24 ports
#	5002				masqueraded: fw1's own address
#	5003				not translated

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

OUT4=10.0.2.254 OUT6=fd00:2::fe
PORTS=24

nat_rules()
{
	cat <<-EOF
	add table inet tr
	add chain inet tr pre { type nat hook prerouting priority -100; }
	add chain inet tr post { type nat hook postrouting priority 100; }
	add rule inet tr pre ip daddr $GW_LAN4 tcp dport { 7000, 7100 } dnat ip to $SV4:5000
	add rule inet tr pre ip daddr $GW_LAN4 udp dport 7001 dnat ip to $SV4:5000
	add rule inet tr pre ip6 daddr $GW_LAN6 tcp dport { 7000, 7100 } dnat ip6 to [$SV6]:5000
	add rule inet tr post meta l4proto tcp ct original proto-dst 7100 oifname wan meta nfproto ipv4 snat ip to $OUT4
	add rule inet tr post meta l4proto tcp ct original proto-dst 7100 oifname wan meta nfproto ipv6 snat ip6 to $OUT6
	add rule inet tr post oifname wan ip daddr $SV4 tcp dport 5001 snat ip to $OUT4:20000-$((20000 + PORTS - 1))
	add rule inet tr post oifname wan tcp dport 5002 masquerade
	add rule inet tr post oifname wan tcp dport 5003 accept
	add rule inet tr post oifname wan ct status dnat accept
	add rule inet tr post oifname wan meta nfproto ipv4 snat ip to $OUT4
	add rule inet tr post oifname wan meta nfproto ipv6 snat ip6 to $OUT6
	add table inet seen
	add chain inet seen forward { type filter hook forward priority 10; }
	add rule inet seen forward ct status snat counter comment "snat"
	add rule inet seen forward ct status dnat counter comment "dnat"
	EOF
}

# held N WHAT CLIENT...: open N flows, compare the tables, with N on fw2 that
# match WHAT, and end them
held()
{
	local n=$1 what=$2 pid
	shift 2

	rm -f "$TMP/up"
	spawn "$cl" "$@" -n "$n" -H -S "$TMP/up"
	pid=$PID
	check "$what: flows open" wait_file "$TMP/up"
	check "$what: same tables" wait_same_tables
	expect "$what: on fw2" "$(ct_list "$fw2" | grep -cE "$what")" eq "$n"
	kill -USR1 "$pid"
	check "$what: flows end well" wait "$pid"
	check "$what: same tables after the end" wait_same_tables
}

test_snat()
{
	held 5 "tcp .*dport=5000 src=$SV4 dst=$OUT4 sport=5000" \
		flow client "$SV4" 5000
	held 5 "udp .*dport=5000 src=$SV4 dst=$OUT4 sport=5000" \
		flow client "$SV4" 5000 -u
	held 5 "tcp .*dport=5000 src=$SV6 dst=$OUT6 sport=5000" \
		flow client "$SV6" 5000
	check "ping" ping_cl
	check "ping over ipv6" ping_cl "$SV6"
	check "same tables" wait_same_tables
	expect "pings on fw2" "$(ct_list "$fw2" |
		grep -cE "^icmp.* dst=($OUT4|$OUT6) ")" eq 2
}

test_snat_to_a_range_of_ports()
{
	held 5 "dport=5001 src=$SV4 dst=$OUT4 sport=5001 dport=200[0-9][0-9]" \
		flow client "$SV4" 5001
}

test_masquerade()
{
	held 5 "tcp .*dport=5002 src=$SV4 dst=10.0.2.1 sport=5002" \
		flow client "$SV4" 5002
	# of its own addresses, IPv6 chooses as it sees fit
	held 5 "tcp .*dport=5002 src=$SV6 dst=(fd00:2::1|$OUT6) sport=5002" \
		flow client "$SV6" 5002
}

test_dnat()
{
	held 5 "tcp .*dst=$GW_LAN4 .*dport=7000 src=$SV4 dst=$CL4 sport=5000" \
		flow client "$GW_LAN4" 7000
	held 5 "udp .*dst=$GW_LAN4 .*dport=7001 src=$SV4 dst=$CL4 sport=5000" \
		flow client "$GW_LAN4" 7001 -u
	held 5 "tcp .*dst=$GW_LAN6 .*dport=7000 src=$SV6 dst=$CL6 sport=5000" \
		flow client "$GW_LAN6" 7000
}

test_both()
{
	held 5 "tcp .*dst=$GW_LAN4 .*dport=7100 src=$SV4 dst=$OUT4 sport=5000" \
		flow client "$GW_LAN4" 7100
	held 5 "tcp .*dst=$GW_LAN6 .*dport=7100 src=$SV6 dst=$OUT6 sport=5000" \
		flow client "$GW_LAN6" 7100
}

test_not_translated()
{
	held 5 "tcp .*dport=5003 src=$SV4 dst=$CL4 sport=5003" \
		flow client "$SV4" 5003
}

# status_count NS snat|dnat: packets of flows with that status bit
status_count()
{
	in_ns "$1" nft -a list chain inet seen forward |
		sed -nE "s/.*packets ([0-9]+) .*\"$2\".*/\1/p"
}

status_beyond()
{
	local now

	now=$(status_count "$1" "$2")
	echo "$now packets with status $2, wanted $3"
	[ "$now" -ge "$3" ]
}

# busy PORT ADDRESS...: connections that transfer until they are told
busy()
{
	local port=$1 to=$2
	shift 2

	rm -f "$TMP/up"
	spawn "$cl" flow client "$to" "$port" -n 10 -r 0 -w 100 -S "$TMP/up" \
		-T $((600 * NFSYNC_SLOW)) "$@"
	CLIENTS+=("$PID")
	check "connections to port $port" wait_file "$TMP/up"
}

snat_ports()
{
	ct_list "$1" -p tcp --state ESTABLISHED |
		sed -nE "s/.*dport=5001 .*dport=(20[0-9]+) .*/\1/p" | sort
}

test_takeover()
{
	local pid now
	CLIENTS=()

	in_ns "$fw1" conntrack -F > "$TMP/flush" 2>&1
	check "fw2 begins empty" wait_states "$fw2" 0
	busy 5000 "$SV4"
	busy 5000 "$SV4" -u
	busy 5000 "$SV6"
	busy 5001 "$SV4"
	busy 7000 "$GW_LAN4"
	busy 7000 "$GW_LAN6"
	busy 7100 "$GW_LAN4"
	busy 7100 "$GW_LAN6"
	busy 5003 "$SV4"
	check "all on fw2" wait_states "$fw2" 90
	expect_same "ports on fw2" "$(snat_ports "$fw2")" \
		"$(snat_ports "$fw1")"
	fw_off "$fw1"
	check "gateway moves" move_gateway "$fw2"
	check "they go on with status snat" wait_for "$WAIT" \
		status_beyond "$fw2" snat 50
	check "they go on with status dnat" wait_for "$WAIT" \
		status_beyond "$fw2" dnat 50
	# the old ones have 10 of 24 ports: 14 are left for as many new ones
	busy 5001 "$SV4" -n 14
	now=$(snat_ports "$fw2")
	expect "ports in use" "$(wc -l <<< "$now")" eq "$PORTS"
	expect "ports in use once" "$(uniq <<< "$now" | wc -l)" eq "$PORTS"
	kill -USR1 "${CLIENTS[@]}"
	for pid in "${CLIENTS[@]}"; do
		check "connections of $pid end well" wait "$pid"
	done
	expect "invalid on fw2" "$(invalid_count "$fw2")" eq 0
	expect "refused on fw2" "$(refused_count "$fw2")" eq 0
	expect "conflicts" "$(stat_get "$fw2" imp_conflict)" eq 0
	fw_on "$fw1"
	check "fw1 in sync" wait_running "$fw1"
	check "gateway returns" move_gateway "$fw1"
	check "same tables" wait_same_tables
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
for ns in "$fw1" "$fw2"; do
	nat_rules | ruleset_add "$ns" || skip_all "no NAT here"
done
nfsync_pair || skip_all "nfsync does not come up"
run_tests test_snat test_snat_to_a_range_of_ports test_masquerade test_dnat \
	test_both test_not_translated test_takeover
