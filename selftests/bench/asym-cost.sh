#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# asym-cost.sh MODE... - what a flow over two firewalls at once is worth, for a
# guest that counts instructions
#
# For each mode, each one-way delay of the sync link (DELAYS, ms; netem on both
# ends) and each kind of path, in a topology of its own:
#
#	connect	CONNECTS connections, one after the other
#	bulk	BYTES up one flow
#	conns	CONNS connections with a request and a reply, PARALLEL at a time
#
# Paths: sym (fw1 forwards everything), asym (from cl by fw1, from sv by fw2).
# The hosts send packets of the MTU, as they come over a cable. Everything has
# a limit in the guest's time, where waiting is free.
#
# Prints "asym MODE DELAY PATHS KEY VALUE" lines, keys of the counters with the
# name of the phase before them; no value for what did not come to an end.
#
# Modes: nfsync (defer on); ftfw, notrack (conntrackd, states live in the peer's
# kernel, windows not followed there, which is its default); ftfw-strict (the
# same, windows followed).

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=conntrackd.sh
. "$(dirname "$0")/conntrackd.sh"

: "${DELAYS:=0 0.2 1}" "${CONNECTS:=31}" "${CONNS:=1000}" "${PARALLEL:=16}"
: "${BYTES:=40000000}"
CONNECT_LIMIT=4 LIMIT=20	# seconds
PORT_CONNS=$((FLOW_PORT + 1))	# theirs alone, as their states are counted

result()
{
	echo "asym $MODE $DELAY $PATHS $1 ${2:--}"
}

# field NAME: of the last report of flow
field()
{
	grep -oE "\b$1=[^ ]+" "$TMP/report" | cut -d= -f2
}

# run_flow PORT LIMIT [options]: its report in $TMP/report
run_flow()
{
	local port=$1 limit=$2
	shift 2
	in_ns "$cl" flow client "$SV4" "$port" -T "$limit" "$@" > "$TMP/report"
}

# ---- what is counted ----

# stack NS COUNTER: of /proc/net/snmp and /proc/net/netstat
stack()
{
	in_ns "$1" cat /proc/net/snmp /proc/net/netstat | mawk -v want="$2" '
	$1 != last { last = $1; n = split($0, name); next }
	{ for (i = 2; i <= n; i++) if (name[i] == want) print $i; last = "" }'
}

# link_packets NS DEV DIRECTION(rx|tx)
link_packets()
{
	ip -n "$1" -j -s link show "$2" | jq ".[0].stats64.$3.packets"
}

# counters: "NAME VALUE" lines
counters()
{
	echo "invalid_fw1 $(invalid_count "$fw1")"
	echo "invalid_fw2 $(invalid_count "$fw2")"
	echo "refused_fw1 $(refused_count "$fw1")"
	echo "refused_fw2 $(refused_count "$fw2")"
	echo "syn_again $(stack "$cl" TCPSynRetrans)"
	echo "synack_again $(stack "$sv" TCPSynRetrans)"
	echo "again $(stack "$cl" RetransSegs)"
	echo "data $(link_packets "$fw1" lan rx)"
	echo "sync_out $(link_packets "$fw1" sync tx)"
	echo "sync_back $(link_packets "$fw2" sync tx)"
}

# phase NAME: runs do_NAME and tells what the counters counted meanwhile
phase()
{
	local name value
	local -A before=()

	while read -r name value; do
		before[$name]=$value
	done < <(counters)
	"do_$1"
	sleep 0.5	# longer than any flush
	while read -r name value; do
		result "$1_$name" $((value - before[$name]))
	done < <(counters)
}

# tcp_states NS: "STATE NUMBER" lines, of the connections of the last phase
tcp_states()
{
	in_ns "$1" conntrack -L -p tcp --dport "$PORT_CONNS" 2> /dev/null |
		mawk '{ n[$4]++ } END { for (s in n) print s, n[s] }'
}

# states NODE: of one of fw1, fw2
states()
{
	local state number

	while read -r state number; do
		result "$1_$state" "$number"
	done < <(tcp_states "${!1}")
}

# ---- what is measured ----

do_connect()
{
	local i failed=0

	: > "$TMP/connects"
	for ((i = 0; i < CONNECTS; i++)); do
		if run_flow "$FLOW_PORT" "$CONNECT_LIMIT" -e; then
			field connect_us >> "$TMP/connects"
		else
			failed=$((failed + 1))
		fi
	done
	result connect_failed "$failed"
	result connect_us "$(sort -n "$TMP/connects" |
		mawk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }')"
}

# From the moment it is connected
do_bulk()
{
	local us=

	run_flow "$FLOW_PORT" "$LIMIT" -U "$BYTES" -D 1 &&
		us=$(($(field us) - $(field connect_us)))
	result bulk_bytes "$BYTES"
	result bulk_us "$us"
	result bulk_connect_us "$(field connect_us)"
}

do_conns()
{
	run_flow "$PORT_CONNS" "$LIMIT" -n "$CONNS" -c "$PARALLEL"
	result conns_ok "$(field ok)"
	result conns_failed "$(field failed)"
	result conns_us "$(field us)"
}

# ---- how ----

start_mode()
{
	case $MODE in
	nfsync) nfsync_pair defer on &&
		wait_for "$WAIT" verdict_is "$fw1" in-sync &&
		wait_for "$WAIT" verdict_is "$fw2" in-sync ;;
	ftfw) conntrackd_up yes FTFW Off ;;
	ftfw-strict) conntrackd_up yes FTFW On ;;
	notrack) conntrackd_up yes NOTRACK Off ;;
	esac
}

# Each connection for itself, and in packets that a cable could carry
tune_hosts()
{
	local ns dev

	printf '@%s\nsysctl net.ipv4.tcp_no_metrics_save=1\n' "$cl" "$sv" |
		netlab || return 1
	for ns in "$cl:lan" "$sv:wan"; do
		dev=${ns#*:}
		in_ns "${ns%:*}" ethtool -K "$dev" tso off gso off gro off \
			> "$TMP/ethtool" || return 1
	done
}

# Nobody has to ask for an address later
meet_neighbours()
{
	ping_cl 10.0.1.1 && ping_cl 10.0.1.3 && ping_cl "$GW_LAN4" &&
		in_ns "$sv" ping -q -c 1 10.0.2.1 > "$TMP/ping" &&
		in_ns "$sv" ping -q -c 1 10.0.2.3 > "$TMP/ping" &&
		in_ns "$sv" ping -q -c 1 "$GW_WAN4" > "$TMP/ping"
}

delay_sync()
{
	local ns

	[ "$DELAY" != 0 ] || return 0
	for ns in "$fw1" "$fw2"; do
		in_ns "$ns" tc qdisc add dev sync root netem \
			delay "${DELAY}ms" limit 100000 || return 1
	done
}

# run_case: of MODE, DELAY and PATHS
run_case()
{
	topo_up && tune_hosts && meet_neighbours && delay_sync || return 1
	[ "$PATHS" = sym ] || split_paths || return 1
	start_mode || { echo "# $MODE does not start"; return 1; }
	sleep 1		# what they do at first
	phase connect
	phase bulk
	phase conns
	sleep 3		# what is repeated has come
	states fw1
	states fw2
	[ "$MODE" != nfsync ] || stat_lines
	topo_down
}

stat_lines()
{
	local ns

	for ns in fw1 fw2; do
		echo "# $DELAY $PATHS $ns: $(stat_all "${!ns}" | tr '\n' ' ')"
	done
}

sysctl -qw net.netfilter.nf_conntrack_max=262144 2> /dev/null ||
	modprobe nf_conntrack && sysctl -qw net.netfilter.nf_conntrack_max=262144
[ $# -gt 0 ] || set -- nfsync ftfw notrack ftfw-strict
for MODE in "$@"; do
	[ "$MODE" != nfsync ] || need_nfsync
	for DELAY in $DELAYS; do
		for PATHS in sym asym; do
			run_case || exit 1
		done
	done
done
exit 0
