#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the nfsync kselftests share. A test sources this, sets the topology up,
# names its test functions and ends with run_tests:
#
#	. "$(dirname "$0")/lib.sh"
#	test_tcp() { flow_cl -n 10 && wait_states "$fw2" 10; }
#	need_nfsync; topo_up; nfsync_pair; run_tests test_tcp
#
# The topology, all in namespaces of random names ($cl $sw $fw1 $fw2 $sv):
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+
#                  .3 lan +-----+ wan .3
#
#   cl side  10.0.1.0/24 fd00:1::/64     sv side  10.0.2.0/24 fd00:2::/64
#   sync     10.0.9.1 fw1, 10.0.9.2 fw2
#   gateway  10.0.1.254, 10.0.2.254, fd00:1::fe, fd00:2::fe with a MAC of its
#            own, on fw1 at first; move_gateway moves all of it
#
# Functions return non-zero on failure; check, expect and fail note it for the
# running test. Nothing here sleeps for a fixed time: waits poll a condition.

# shellcheck disable=SC2034 # constants are for the tests
SELFTESTS=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
PATH=$SELFTESTS/bin:$PATH
export LANG=C

ksft_pass=0
ksft_fail=1
ksft_skip=4

# Where the kernel's own helpers (ktap_helpers.sh, lib.sh) are.
ksft_dir()
{
	local dir

	for dir in "${KSFT_LIB:-}" /kselftest "$SELFTESTS/../kselftest" \
		"$SELFTESTS/../../kselftest" \
		"${NFSYNC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nfsync}/kselftest"; do
		if [ -n "$dir" ] && [ -r "$dir/ktap_helpers.sh" ]; then
			echo "$dir"
			return 0
		fi
	done
	return 1
}

# skip_for WHY: end the test here, for want of what no distribution's kernel has
skip_for()
{
	echo "TAP version 13"
	echo "1..0 # SKIP $*"
	exit $ksft_skip
}

# skip_all WHY: end the test here. The lab's guests have all that a test needs,
# so there it is a failure.
skip_all()
{
	[ -n "${NFSYNC_GUEST:-}" ] || skip_for "$@"
	echo "TAP version 13"
	echo "1..1"
	echo "not ok 1 $*"
	exit $ksft_fail
}

if ! KSFT=$(ksft_dir); then
	skip_all "no ktap_helpers.sh: set KSFT_LIB to a folder that holds" \
		"ktap_helpers.sh and lib.sh of a kernel tree's selftests," \
		"or run selftests/lab/setup.sh kselftest"
fi
[ "$(id -u)" = 0 ] || skip_all "needs root"
# shellcheck source=/dev/null
. "$KSFT/ktap_helpers.sh"
for KSFT_NET in "$KSFT/lib.sh" "$KSFT/../net/lib.sh"; do
	# shellcheck source=/dev/null
	[ -r "$KSFT_NET" ] && . "$KSFT_NET" && break
done
command -v loopy_wait > /dev/null || skip_all "no net/lib.sh beside $KSFT"
set +e

# Emulated and debug kernels: wait_for multiplies its limit by this, scaled
# divides by it.
: "${NFSYNC_SLOW:=1}"
: "${WAIT:=60}"

# scaled N [LEAST]: as many where speed is normal, fewer on a slow kernel
scaled()
{
	local n=$(($1 / NFSYNC_SLOW)) least=${2:-1}

	echo $((n > least ? n : least))
}

FLOW_PORT=5000		# the server has this and the next three
DEV=nfsync0
CL4=10.0.1.2 SV4=10.0.2.2 CL6=fd00:1::2 SV6=fd00:2::2
FW1_SYNC=10.0.9.1 FW2_SYNC=10.0.9.2
GW_LAN4=10.0.1.254 GW_WAN4=10.0.2.254 GW_LAN6=fd00:1::fe GW_WAN6=fd00:2::fe
GW_LAN_MAC=02:00:00:00:01:fe GW_WAN_MAC=02:00:00:00:02:fe

# ---- cleaning up ----

CLEANUP=()
TMP=$(mktemp -d)
SPAWNED=()
NAMESPACES=()
cl='' sw='' fw1='' fw2='' fw3='' sv=''

# on_exit COMMAND...: run at the end, last one first
on_exit()
{
	CLEANUP+=("$(printf '%q ' "$@")")
}

kill_spawned()
{
	[ ${#SPAWNED[@]} -gt 0 ] || return 0
	# one that a test has stopped hears of it when it goes on
	kill "${SPAWNED[@]}" 2> /dev/null
	kill -CONT "${SPAWNED[@]}" 2> /dev/null
	wait "${SPAWNED[@]}" 2> /dev/null
	SPAWNED=()
}

clean_up()
{
	local i

	trap - EXIT INT TERM
	for ((i = ${#CLEANUP[@]} - 1; i >= 0; i--)); do
		eval "${CLEANUP[i]}"
	done
	topo_down
	rm -rf "$TMP"
	[ -z "$UNLOAD" ] || rmmod nfsync
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# ---- waiting ----

# now_ms: for times that are reported and never judged
now_ms()
{
	echo $((${EPOCHREALTIME/./} / 1000))
}

# took WHAT SINCE
took()
{
	echo "# $1: $(($(now_ms) - $2)) ms"
}

# wait_for SECONDS COMMAND...: until it succeeds; its last output on failure
wait_for()
{
	local limit=$1
	shift
	loopy_wait "sleep 0.05" "$((limit * 1000 * NFSYNC_SLOW))" "$@" \
		> "$TMP/wait" || { sed 's/^/# /' "$TMP/wait"; return 1; }
}

not()
{
	! "$@"
}

operstate_is()
{
	local now

	# not by jq: its start takes a second in a busy emulated guest
	[[ "$(ip -n "$1" -o link show "${3:-$DEV}")" =~ \ state\ ([A-Z]+) ]]
	now=${BASH_REMATCH[1]}
	echo "$3 operstate $now, wanted $2"
	[ "${now,,}" = "$2" ]
}

count_is()
{
	local now

	now=$(ct_count "$1")
	echo "$now states in $1, wanted $2"
	[ "$now" -eq "$2" ]
}

stat_at_least()
{
	local now

	now=$(stat_get "$1" "$2")
	echo "$2 is $now, wanted $3"
	[ "$now" -ge "$3" ]
}

# wait_running NS: carrier, and no longer dormant: the node holds the states
wait_running()
{
	wait_for "$WAIT" operstate_is "$1" up
}

# wait_states NS N: until the namespace's conntrack table has N entries
wait_states()
{
	wait_for "$WAIT" count_is "$1" "$2"
}

# wait_stat NS COUNTER N: until the counter is N or more
wait_stat()
{
	wait_for "$WAIT" stat_at_least "$1" "$2" "$3"
}

# wait_file FILE
wait_file()
{
	wait_for "${2:-$WAIT}" test -e "$1"
}

# sent_but_hellos NS: packets, without those that only say "I am here"
sent_but_hellos()
{
	in_ns "$1" ethtool -S "$DEV" | awk '
		$1 == "opackets:" { sent += $2 }
		$1 == "tx_hello:" { sent -= $2 }
		END { print NR ? sent : "no-counters" }'
}

# rx_packets NS DEV: that came in there
rx_packets()
{
	in_ns "$1" cat /proc/net/dev | mawk -v dev="$2:" '$1 == dev { print $3 }'
}

rx_beyond()
{
	local now

	now=$(rx_packets "$1" "$2")
	echo "$now packets from $2 in $1, wanted $3"
	[ "$now" -ge "$3" ]
}

# wait_packets NS DEV N: until N more came in there
wait_packets()
{
	local now

	now=$(rx_packets "$1" "$2")
	wait_for $((WAIT * 2)) rx_beyond "$1" "$2" $((now + $3))
}

# lan_packets NS: that came to it from cl
lan_packets()
{
	rx_packets "$1" lan
}

lan_beyond()
{
	rx_beyond "$1" lan "$2"
}

# three_flushes NS...: the longest of theirs, and a tenth of a second at least
three_flushes()
{
	local ns

	for ns in "$@"; do
		attribute "$ns" flush
	done | mawk '$1 + 0 > max { max = $1 + 0 }
		END { printf "%.1f", (max > 33 ? 3 * max / 1000 : 0.1) }'
}

# wait_quiet NS...: until the counters of sent packets stand still for three
# flush intervals, so that what is there now will not change by itself
wait_quiet()
{
	local before after pause ns tries

	pause=$(three_flushes "$@")
	for ((tries = 0; tries < WAIT * NFSYNC_SLOW * 10; tries++)); do
		before=$(for ns in "$@"; do sent_but_hellos "$ns"; done)
		sleep "$pause"
		after=$(for ns in "$@"; do sent_but_hellos "$ns"; done)
		[ "$before" = "$after" ] && return 0
	done
	echo "# still sending after $tries looks"
	return 1
}

# ---- the topology ----

# What every namespace wants: no address detection delays, nothing that
# sends by itself.
ns_text()
{
	cat <<-EOF
	@$1
	sysctl net.ipv6.conf.default.accept_dad=0
	sysctl net.ipv6.conf.default.accept_ra=0
	sysctl net.ipv6.conf.default.router_solicitations=0
	sysctl net.ipv6.conf.default.keep_addr_on_down=1
	sysctl net.ipv4.conf.default.rp_filter=0
	sysctl net.ipv4.conf.all.rp_filter=0
	sysctl net.ipv4.conf.all.send_redirects=0
	sysctl net.ipv4.conf.default.send_redirects=0
	ip link set lo up
	EOF
}

# The bridges and the cables from them to everybody's namespace.
switch_text()
{
	local side

	echo "@$sw"
	for side in lan wan; do
		cat <<-EOF
		ip link add sw$side type bridge forward_delay 0 stp_state 0 mcast_snooping 0
		ip link set sw$side up
		EOF
	done
	legs_text cl:lan fw1:lan fw2:lan sv:wan fw1:wan fw2:wan
}

# legs_text NAME:SIDE...: cables from the switches
legs_text()
{
	local ns side

	for ns in "$@"; do
		side=${ns#*:}
		ns=${ns%:*}
		cat <<-EOF
		ip link add $ns$side type veth peer name $side netns ${!ns}
		ip link set $ns$side master sw$side up
		EOF
	done
}

# host_text NS IFACE SIDE GATEWAYSIDE
host_text()
{
	cat <<-EOF
	@$1
	ip link set $2 address 02:00:00:00:0$3:02
	ip addr add 10.0.$3.2/24 dev $2
	ip addr add fd00:$3::2/64 dev $2 nodad
	ip link set $2 up
	ip route add default via 10.0.$3.254
	ip route add default via fd00:$3::fe
	EOF
}

# fw_text NS NUMBER (1, 3 or of a third one 5: the last digit of its addresses)
fw_text()
{
	cat <<-EOF
	@$1
	sysctl net.ipv4.ip_forward=1
	sysctl net.ipv6.conf.all.forwarding=1
	sysctl net.ipv4.conf.all.arp_notify=1
	sysctl net.ipv6.conf.all.ndisc_notify=1
	sysctl net.netfilter.nf_conntrack_tcp_be_liberal=0
	sysctl net.netfilter.nf_conntrack_tcp_loose=0
	sysctl net.netfilter.nf_conntrack_log_invalid=0
	ip link set lan address 02:00:00:00:01:0$2
	ip link set wan address 02:00:00:00:02:0$2
	ip addr add 10.0.1.$2/24 dev lan
	ip addr add 10.0.2.$2/24 dev wan
	ip addr add fd00:1::$2/64 dev lan nodad
	ip addr add fd00:2::$2/64 dev wan nodad
	ip link set lan up
	ip link set wan up
	EOF
}

sync_text()
{
	cat <<-EOF
	@$fw1
	ip link add sync mtu $1 type veth peer name sync mtu $1 netns $fw2
	sysctl net.ipv6.conf.sync.addr_gen_mode=1
	ip addr add $FW1_SYNC/24 dev sync
	ip link set sync up
	@$fw2
	sysctl net.ipv6.conf.sync.addr_gen_mode=1
	ip addr add $FW2_SYNC/24 dev sync
	ip link set sync up
	EOF
}

# Gateway addresses and MAC to the namespace
gateway_text()
{
	cat <<-EOF
	@$1
	ip link set lan address $GW_LAN_MAC
	ip link set wan address $GW_WAN_MAC
	ip addr add $GW_LAN4/24 dev lan
	ip addr add $GW_WAN4/24 dev wan
	ip addr add $GW_LAN6/64 dev lan nodad
	ip addr add $GW_WAN6/64 dev wan nodad
	EOF
}

ungateway_text()
{
	cat <<-EOF
	@$1
	ip addr del $GW_LAN4/24 dev lan
	ip addr del $GW_WAN4/24 dev wan
	ip addr del $GW_LAN6/64 dev lan
	ip addr del $GW_WAN6/64 dev wan
	ip link set lan address 02:00:00:00:01:0$2
	ip link set wan address 02:00:00:00:02:0$2
	EOF
}

# The usual rules of a careful firewall, both families.
strict_text()
{
	sed 's/^/nft /' <<-EOF
	table inet lab
	delete table inet lab
	table inet lab {
		counter invalid { }
		counter refused { }
		chain in_raw {
			type filter hook prerouting priority raw
			iifname "sync" notrack
			meta l4proto { 2, 240 } notrack
		}
		chain out_raw {
			type filter hook output priority raw
			oifname "sync" notrack
			meta l4proto { 2, 240 } notrack
		}
		chain forward {
			type filter hook forward priority filter; policy drop
			ct state invalid counter name invalid drop
			ct state established,related accept
			iifname "lan" tcp flags & (fin|syn|rst|ack) == syn ct state new accept
			iifname "lan" meta l4proto { udp, icmp, ipv6-icmp } ct state new accept
			ct status dnat ct state new accept
			# a probe for a gateway that has not arrived yet
			icmpv6 type { 133-137 } drop
			counter name refused
		}
	}
	EOF
}

# ruleset_strict NS...: drop what conntrack calls invalid, counted; accept
# established; new only from lan and only what may open a connection
ruleset_strict()
{
	local ns

	for ns in "$@"; do
		echo "@$ns"
		strict_text
	done | netlab
}

# ruleset_add NS: more nft text from stdin
ruleset_add()
{
	{ echo "@$1"; sed 's/^/nft /'; } | netlab
}

ruleset_flush()
{
	printf '@%s\nnft flush ruleset\n' "$1" | netlab
}

name_namespaces()
{
	local ns tail

	tail=$(printf '%04x' $((RANDOM)))$$
	for ns in cl sw fw1 fw2 sv; do
		printf -v "$ns" '%s-%s' "$ns" "$tail"
		NAMESPACES+=("${!ns}")
	done
}

# topo_up [mtu=1500] [server=1] [rules=strict|none]
topo_up()
{
	local mtu=1500 server=1 rules=strict ns

	[ $# -eq 0 ] || local "$@"
	# whether they came as modules or were built in is all the same
	modprobe -aq nf_conntrack nf_tables veth bridge 2> /dev/null
	if [ ! -e /proc/sys/net/netfilter/nf_conntrack_max ]; then
		echo "# this kernel has no conntrack"
		return 1
	fi
	name_namespaces
	{
		# defaults only concern interfaces that come after them
		for ns in "${NAMESPACES[@]}"; do
			ns_text "$ns"
		done
		switch_text
		host_text "$cl" lan 1
		host_text "$sv" wan 2
		fw_text "$fw1" 1
		fw_text "$fw2" 3
		sync_text "$mtu"
		gateway_text "$fw1"
	} | netlab || return 1
	GATEWAY=$fw1
	DEAD=
	if [ "$rules" = strict ]; then
		ruleset_strict "$fw1" "$fw2" || return 1
	fi
	[ "$server" = 0 ] || start_server
}

# switch_sync: in place of the cable between fw1 and fw2, and with fw3 on it,
# which has no other cable
switch_sync()
{
	local ns digit=0

	fw3=${fw2/fw2/fw3}
	NAMESPACES+=("$fw3")
	{
		ns_text "$fw3"
		cat <<-EOF
		@$fw1
		ip link del sync
		@$sw
		ip link add swsync type bridge forward_delay 0 stp_state 0 mcast_snooping 0
		ip link set swsync up
		EOF
		for ns in fw1 fw2 fw3; do
			digit=$((digit + 1))
			echo "@$sw"
			legs_text $ns:sync
			cat <<-EOF
			@${!ns}
			sysctl net.ipv6.conf.sync.addr_gen_mode=1
			ip addr add 10.0.9.$digit/24 dev sync
			ip link set sync up
			EOF
		done
	} | netlab && ruleset_strict "$fw3"
}

# third_legs: fw3 gets the cables that make it a firewall, as .5
third_legs()
{
	{
		echo "@$sw"
		legs_text fw3:lan fw3:wan
		fw_text "$fw3" 5
	} | netlab
}

topo_down()
{
	kill_spawned
	[ ${#NAMESPACES[@]} -gt 0 ] || return 0
	printf 'netns del %s\n' "${NAMESPACES[@]}" | ip -force -b - 2> /dev/null
	NAMESPACES=()
}

start_server()
{
	spawn "$sv" flow server "$FLOW_PORT" 4
	wait_for "$WAIT" server_listens
}

server_listens()
{
	[ -n "$(ip netns exec "$sv" ss -Hltn "sport = $FLOW_PORT")" ]
}

gateway_digit()
{
	if [ "$1" = "$fw1" ]; then
		echo 1
	else
		echo 3
	fi
}

# move_gateway NS: the virtual gateway's addresses and MAC move there; one
# gratuitous ARP and neighbour advertisement tell the switches
move_gateway()
{
	[ "$GATEWAY" != "$1" ] || return 0
	{
		ungateway_text "$GATEWAY" "$(gateway_digit "$GATEWAY")"
		gateway_text "$1"
	} | netlab || return 1
	GATEWAY=$1
}

cables_text()
{
	echo "@$1"
	printf "ip link set %s $2\n" lan wan sync
}

# take_over NS: all cables of the node that has the gateway are pulled, and
# nothing is said to anybody; NS gets the gateway. As fast as it goes: the
# dead node keeps its addresses until fw_on.
take_over()
{
	{
		cables_text "$GATEWAY" down
		gateway_text "$1"
	} | netlab || return 1
	DEAD=$GATEWAY
	GATEWAY=$1
}

# fw_off NS: all its cables are pulled
fw_off()
{
	cables_text "$1" down | netlab
}

# fw_on NS: plug them in again; the gateway stays where it is
fw_on()
{
	{
		[ "$DEAD" != "$1" ] || ungateway_text "$1" "$(gateway_digit "$1")"
		cables_text "$1" up
	} | netlab || return 1
	DEAD=
}

# paths_by FORWARD BACK: from cl by the one, from sv by the other, by the last
# digits of their addresses
paths_by()
{
	cat <<-EOF | netlab
	@$cl
	ip route replace default via 10.0.1.$1
	ip route replace default via fd00:1::$1
	@$sv
	ip route replace default via 10.0.2.$2
	ip route replace default via fd00:2::$2
	EOF
}

# split_paths: from cl by fw1, from sv by fw2; so every flow is seen half by
# each node
split_paths()
{
	paths_by 1 3
}

unsplit_paths()
{
	cat <<-EOF | netlab
	@$cl
	ip route replace default via $GW_LAN4
	ip route replace default via $GW_LAN6
	@$sv
	ip route replace default via $GW_WAN4
	ip route replace default via $GW_WAN6
	EOF
}

# ---- running things ----

# in_ns NS COMMAND...
in_ns()
{
	local ns=$1
	shift
	ip netns exec "$ns" "$@"
}

# spawn NS COMMAND...: in the background; PID is its process, OUT its output
spawn()
{
	local ns=$1
	shift
	OUT=$TMP/out.${#SPAWNED[@]}.$RANDOM
	ip netns exec "$ns" "$@" > "$OUT" 2>&1 &
	PID=$!
	SPAWNED+=("$PID")
}

# sniff NS DEV [tcpdump options and filter]: a capture as text in $OUT, by
# process $PID; returns once it listens
sniff()
{
	local ns=$1 dev=$2
	shift 2
	spawn "$ns" tcpdump -Z root -nn -l -i "$dev" "$@"
	wait_for "$WAIT" grep -q 'listening on' "$OUT"
}

# blackhole PORT: the server's side says nothing at all about that port
blackhole()
{
	ruleset_add "$sv" <<-EOF
	add table inet hole
	add chain inet hole input { type filter hook input priority 0; }
	add rule inet hole input meta l4proto { tcp, udp } th dport $1 drop
	EOF
}

# flow_cl [options]: TCP (or with -u UDP) flows from cl to sv over IPv4
flow_cl()
{
	in_ns "$cl" flow client "$SV4" "$FLOW_PORT" \
		-T $((600 * NFSYNC_SLOW)) "$@"
}

flow_cl6()
{
	in_ns "$cl" flow client "$SV6" "$FLOW_PORT" \
		-T $((600 * NFSYNC_SLOW)) "$@"
}

ping_cl()
{
	in_ns "$cl" ping -q -c "${2:-1}" -i 0.01 -W 2 "${1:-$SV4}" > /dev/null
}

# ---- nfsync ----

UNLOAD=

# Files of a module that was built with NFSYNC_INJECT=y
AUDIT=/sys/kernel/debug/nfsync
INJECT=$AUDIT/inject

# no_violation: of what must always be true; nothing to say without the file
no_violation()
{
	[ -r "$AUDIT/audit" ] || return 0
	cat "$AUDIT/audit" > "$TMP/audit"
	sed 's/^/# audit: /' "$TMP/audit"
	[ ! -s "$TMP/audit" ]
}

# need_nfsync: load the module, or skip the whole script
need_nfsync()
{
	[ -d /sys/module/nfsync ] && return 0
	if ! modprobe nfsync 2> "$TMP/modprobe"; then
		skip_all "no nfsync module: $(tr '\n' ' ' < "$TMP/modprobe")"
	fi
	UNLOAD=1
}

# need_inject: the module was built with the places to stop at, or skip; only
# who asks for them has them, so that a guest may lack them as well
need_inject()
{
	[ -d "$INJECT" ] || skip_for "the module has no injection points"
}

# need_plugin: ip must know the options of the kind
need_plugin()
{
	ip link help pfsync 2>&1 | grep -q syncdev ||
		skip_all "ip has no plugin for kind pfsync"
}

# nfsync_up NS [link options]
nfsync_up()
{
	local ns=$1
	shift
	ip -n "$ns" link add "$DEV" type pfsync syncdev sync "$@" &&
		ip -n "$ns" link set "$DEV" up
}

nfsync_down()
{
	ip -n "$1" link del "$DEV"
}

# nfsync_pair [link options]: on both firewalls, until both hold the states
nfsync_pair()
{
	nfsync_up "$fw1" "$@" && nfsync_up "$fw2" "$@" &&
		wait_running "$fw1" && wait_running "$fw2"
}

# nfsync_pair_by_name HOSTID: of fw1, for a test that speaks in its name
nfsync_pair_by_name()
{
	nfsync_up "$fw1" hostid "$1" && nfsync_up "$fw2" &&
		wait_running "$fw1" && wait_running "$fw2"
}

# The action of a frame's first section behind the one that numbers it
lossy_action()
{
	case $1 in
	all) ;;
	request) echo "@th,288,8 5" ;;
	delete) echo "@th,288,8 7" ;;
	start) echo "@th,288,8 10" ;;
	insert) echo "@th,288,8 13" ;;
	update) echo "@th,288,8 14" ;;
	hello) echo "@th,288,8 0x81" ;;
	end) echo "@th,288,8 0x82" ;;
	*) return 1 ;;
	esac
}

# lose_matching NS MATCH: frames that match are lost on their way into NS, and
# counted
lose_matching()
{
	ruleset_add "$1" <<-EOF
	table inet lossy
	delete table inet lossy
	table inet lossy {
		counter lost { }
		chain in {
			type filter hook prerouting priority -400
			iifname "sync" meta l4proto 240 $2 counter name lost drop
		}
	}
	EOF
}

# lose NS WHAT [once]: frames are lost on their way into NS, and counted: all
# of them, or those of one kind; or just one of these
lose()
{
	local what limit=

	what=$(lossy_action "$2") || return 1
	[ -z "${3:-}" ] || limit="limit rate 1/day burst 1 packets"
	lose_matching "$1" "$what $limit"
}

# lose_nothing NS...: any more
lose_nothing()
{
	local ns

	for ns in "$@"; do
		printf '@%s\nnft delete table inet lossy\n' "$ns"
	done | netlab
}

lost_at_least()
{
	local now

	now=$(rule_count "$1" lost inet lossy)
	echo "$now frames lost on their way to $1, wanted $2"
	[ "$now" -ge "$2" ]
}

# wait_lost NS N
wait_lost()
{
	wait_for "$WAIT" lost_at_least "$1" "$2"
}

# said NS: what is told of the link kind, without its peers, which have a line
# each
said()
{
	local text

	text=$(ip -n "$1" -d -o link show "$DEV")
	text=${text#* pfsync }
	echo "${text%%\\*}"
}

# attribute NS NAME: its value, "none" when it is not shown
attribute()
{
	if [[ " $(said "$1")" =~ \ $2\ ([^ ]+) ]]; then
		echo "${BASH_REMATCH[1]}"
	else
		echo none
	fi
}

verdict_is()
{
	local now

	now=$(attribute "$1" verdict)
	echo "verdict $now, wanted $2"
	[ "$now" = "$2" ]
}

# verdict NS VERDICT: within the time that a node may take to find it out
verdict()
{
	check "$1: verdict $2" wait_for "$WAIT" verdict_is "$1" "$2"
}

# has_flag NS FLAG: between the angle brackets
has_flag()
{
	[[ "$(ip -n "$1" -o link show "$DEV")" =~ [\<,]$2[,\>] ]]
}

# IFF_RUNNING: ip hides it, and says NO-CARRIER of a device that is up without
running()
{
	has_flag "$1" UP && ! has_flag "$1" NO-CARRIER
}

# ct_list NS [conntrack options]: the table, sorted, without what changes by
# itself (time left, counters, use)
ct_list()
{
	local ns=$1 family
	shift
	for family in ipv4 ipv6; do
		in_ns "$ns" conntrack -L -f $family "$@" 2> /dev/null
	done | awk '{
		if ($3 ~ /^[0-9]+$/)
			$3 = ""
		gsub(/ (packets|bytes|use)=[0-9]+/, "")
		gsub(/ +/, " ")
		print
	}' | sort
}

# same_tables [NS...]: do they, or fw2, list what fw1 lists? Prints where not.
same_tables()
{
	local ns

	ct_list "$fw1" > "$TMP/fw1.ct"
	for ns in "${@:-$fw2}"; do
		ct_list "$ns" > "$TMP/other.ct"
		diff "$TMP/fw1.ct" "$TMP/other.ct" || return 1
	done
}

# wait_same_tables [NS...]: fw1's is theirs, which are fw2 unless said
wait_same_tables()
{
	wait_for "$WAIT" same_tables "$@"
}

# ct_count NS [conntrack options]: entries, all of them without options
ct_count()
{
	if [ $# -eq 1 ]; then
		in_ns "$1" cat /proc/sys/net/netfilter/nf_conntrack_count
	else
		ct_list "$@" | wc -l
	fi
}

# ct_del NS OPTIONS...: delete what matches
ct_del()
{
	local ns=$1
	shift
	in_ns "$ns" conntrack -D "$@" > "$TMP/del" 2>&1
}

ct_flush()
{
	in_ns "$1" conntrack -F > "$TMP/flush" 2>&1
}

# ct_add NS FIRST N [MARK=0 [STATUS=SEEN_REPLY [SECONDS=600]]]: entries made by
# hand, UDP flows from cl's port FIRST and on to port 9 of sv
ct_add()
{
	mawk -v first="$2" -v n="$3" -v mark="${4:-0}" \
		-v status="${5:-SEEN_REPLY}" -v life="${6:-600}" 'BEGIN {
		for (i = first; i < first + n; i++)
			print "-I -s 10.0.1.2 -d 10.0.2.2 -p udp --sport " i \
				" --dport 9 -t " life " -u " status " -m " mark
	}' > "$TMP/entries"
	in_ns "$1" conntrack -R "$TMP/entries" > "$TMP/add" 2>&1 || {
		tail -n 3 "$TMP/add"
		return 1
	}
}

# ct_stat NS COLUMN: of /proc/net/stat/nf_conntrack, over all processors
ct_stat()
{
	in_ns "$1" cat /proc/net/stat/nf_conntrack | mawk -v want="$2" '
	function hex(s,   i, v) {
		for (i = 1; i <= length(s); i++)
			v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
		return v
	}
	NR == 1 { for (i = 1; i <= NF; i++) if ($i == want) col = i }
	NR > 1 { sum += hex($col) }
	END { print sum + 0 }'
}

# rule_count NS COUNTER FAMILY TABLE: packets that one of the rules counted
rule_count()
{
	[[ "$(in_ns "$1" nft list counter "${@:3}" "$2")" =~ packets\ ([0-9]+) ]]
	echo "${BASH_REMATCH[1]}"
}

# invalid_count NS: packets the strict rules dropped as invalid
invalid_count()
{
	rule_count "$1" invalid inet lab
}

# refused_count NS: packets that no rule wanted
refused_count()
{
	rule_count "$1" refused inet lab
}

# ---- a processor that is away ----

PAUSE=200		# ms, from which on it counts
AT_ONCE=20		# packets that are on their way at most, of what is judged
PAUSES=0		# up to when the running test began

# watch_processors: from now on; of who does not, none is ever away
watch_processors()
{
	spawn "$sw" pulse "$TMP/pauses" $PAUSE
	wait_file "$TMP/pauses"
}

pauses()
{
	if [ -e "$TMP/pauses" ]; then
		wc -l < "$TMP/pauses"
	else
		echo 0
	fi
}

# may_be_late: packets that since then may have waited for a processor, and for
# longer than anything waits for news
may_be_late()
{
	echo $((AT_ONCE * ($(pauses) - PAUSES)))
}

# ---- what must not be refused ----

# What the rules of each node had dropped when the running test began
declare -A DROPPED=()

# forget_bad NS...: what was bad until now
forget_bad()
{
	local ns

	PAUSES=$(pauses)
	for ns in "$@"; do
		DROPPED[$ns]="$(invalid_count "$ns") $(refused_count "$ns")"
	done
}

# nothing_bad NS...: since then, but for what was late. Not what conntrack itself
# counts, which is more: a packet that waits for news was invalid when it came.
nothing_bad()
{
	local ns was late

	late=$(may_be_late)
	[ "$late" -eq 0 ] || echo "# processors were away: $((late / AT_ONCE))"
	for ns in "$@"; do
		read -r -a was <<< "${DROPPED[$ns]}"
		expect "invalid on $ns" \
			$(($(invalid_count "$ns") - was[0])) le "$late"
		expect "refused on $ns" \
			$(($(refused_count "$ns") - was[1])) le "$late"
	done
}

# long_timeout NAME NS...: what it would end is there until the test is over
long_timeout()
{
	local name=$1 ns
	shift

	for ns in "$@"; do
		printf '@%s\nsysctl net.netfilter.nf_conntrack_%s=900\n' \
			"$ns" "$name"
	done | netlab
}

# closed_stay NS...: connections that were reset are there until all are counted
closed_stay()
{
	long_timeout tcp_timeout_close "$@"
}

# ended_stay NS...: so do those that ended well
ended_stay()
{
	long_timeout tcp_timeout_time_wait "$@"
}

# tcp_resets NS: that its TCP sent
tcp_resets()
{
	in_ns "$1" cat /proc/net/snmp | mawk '
	$1 == "Tcp:" && !col { for (i = 2; i <= NF; i++) if ($i == "OutRsts") col = i; next }
	$1 == "Tcp:" { print $col }'
}

# tcp_ext NS COUNTER: of a host's TCP, as TCPSynRetrans
tcp_ext()
{
	in_ns "$1" cat /proc/net/netstat | mawk -v want="$2" '
	$1 != "TcpExt:" { next }
	!col { for (i = 2; i <= NF; i++) if ($i == want) col = i; next }
	{ print $col }'
}

# stat_get NS COUNTER: one counter of ethtool -S
stat_get()
{
	in_ns "$1" ethtool -S "$DEV" | awk -v want="$2:" '
		$1 == want { print $2; found = 1 }
		END { if (!found) print "no-counter-" want }'
}

# both_stats COUNTER: of fw1 and fw2 together
both_stats()
{
	echo $(($(stat_get "$fw1" "$1") + $(stat_get "$fw2" "$1")))
}

# ended_on NS: entries that the next connection of their tuple, or a DEL, ended
ended_on()
{
	echo $(($(stat_get "$1" imp_later) + $(stat_get "$1" imp_deleted)))
}

# updates NS: that it sent, short and whole
updates()
{
	echo $(($(stat_get "$1" tx_upd_c) + $(stat_get "$1" tx_upd)))
}

stat_all()
{
	in_ns "$1" ethtool -S "$DEV" | awk '$2 > 0 { print $1 $2 }'
}

# ---- results ----

RET=0

# fail MESSAGE...: the running test has failed
fail()
{
	echo "# FAIL: $*"
	RET=$ksft_fail
	return 1
}

# check WHAT COMMAND...: fail with WHAT unless the command succeeds
check()
{
	local what=$1
	shift
	"$@" || fail "$what"
}

# expect WHAT ACTUAL OPERATOR VALUE: arithmetic comparison
expect()
{
	test "$2" "-$3" "$4" 2> /dev/null ||
		fail "$1: is $2, wanted $3 $4"
}

# expect_same WHAT ACTUAL VALUE: text comparison
expect_same()
{
	[ "$2" = "$3" ] || fail "$1: is '$2', wanted '$3'"
}

# refused PATTERN COMMAND...: it fails, and says something like PATTERN
refused()
{
	local pattern=$1 text
	shift
	if text=$("$@" 2>&1); then
		fail "accepted: $*"
	elif ! grep -qiE -- "$pattern" <<< "$text"; then
		fail "$* was refused with other words: $text"
	fi
}

# skip MESSAGE...: the running test cannot be run here; return after it
skip()
{
	echo "# SKIP: $*"
	RET=$ksft_skip
}

# What helps to understand a failure.
dump()
{
	local ns

	for ns in "$fw1" "$fw2" ${fw3:+"$fw3"}; do
		[ -e "/run/netns/$ns" ] || continue
		echo "--- $ns: $(ct_count "$ns") states"
		ct_list "$ns" | head -n 10
		ip -n "$ns" -d -s link show "$DEV" 2> /dev/null
		stat_all "$ns" 2> /dev/null | tr '\n' ' '
		echo
	done | sed 's/^/#   /'
}

# run_one FUNCTION: its name is the test's, with blanks
run_one()
{
	local name=${1#test_}

	RET=$ksft_pass
	"$1" || [ "$RET" != "$ksft_pass" ] || fail "$1 returned $?"
	check "invariants" no_violation
	name=${name//_/ }
	case $RET in
	"$ksft_pass") ktap_test_pass "$name" ;;
	"$ksft_skip") ktap_test_skip "$name" ;;
	*) dump; ktap_test_fail "$name" ;;
	esac
}

# run_tests FUNCTION...: all of them, or those that match $ONLY; exits
run_tests()
{
	local test tests=()

	for test in "$@"; do
		[[ -n ${ONLY:-} && ! $test =~ $ONLY ]] || tests+=("$test")
	done
	ktap_print_header
	ktap_set_plan "${#tests[@]}"
	for test in "${tests[@]}"; do
		run_one "$test"
	done
	ktap_finished
}
