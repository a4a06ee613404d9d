#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# cost.sh - what synchronising costs, for a guest that counts instructions
#
# Prints "bench MODE KEY VALUE" lines. Under lab/boot.sh with ICOUNT=1 a
# nanosecond is an instruction, so times are instructions of everything that
# ran: client, server, both firewalls. The processor is busy all the while, so
# that what remains for later (a flush of at most 10 ms) is below 1 %.
#
# Modes: none; active (nfsync on fw1 alone); nfsync (both); conntrackd (FTFW,
# DisableExternalCache: states live in the peer's kernel, as with nfsync).

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=conntrackd.sh
. "$(dirname "$0")/conntrackd.sh"
# shellcheck source=symbols.sh
. "$(dirname "$0")/symbols.sh"

CONNS=4000
FLOWS=4000
ROUNDS=4000

result()
{
	echo "bench $MODE $1 $2"
}

# field NAME: of the last report of flow
field()
{
	grep -oE "\b$1=[^ ]+" "$TMP/report" | cut -d= -f2
}

# load KEY N [flow options]: instructions for each of N
load()
{
	local key=$1 n=$2
	shift 2
	flow_cl -n "$n" "$@" > "$TMP/report" ||
		echo "# $MODE $key: $(cat "$TMP/report")"
	result "$key" $(($(field us) * 1000 / n))
}

# link_sum NS DEV DIRECTION(rx|tx) WHAT(packets|bytes)
link_sum()
{
	ip -n "$1" -j -s link show "$2" | jq ".[0].stats64.$3.$4"
}

forwarded()
{
	echo $(($(link_sum "$fw1" lan rx packets) +
		$(link_sum "$fw1" wan rx packets)))
}

# An established connection: what one more packet costs
packets()
{
	local before

	before=$(forwarded)
	flow_cl -n 1 -r "$ROUNDS" -U 1 -D 1 > "$TMP/report"
	result packet $(($(field us) * 1000 / ($(forwarded) - before)))
}

# Connections at a steady 2,000 a second: what goes over the cable for each
cable()
{
	local what ns before=() after=() i=0

	[ "$MODE" != none ] || return 0
	for what in packets bytes; do
		for ns in "$fw1" "$fw2"; do
			before+=("$(link_sum "$ns" sync tx $what)")
		done
	done
	flow_cl -n "$CONNS" -R 2000 -e > "$TMP/report"
	sleep 0.5	# longer than any flush; time is free here
	for what in packets bytes; do
		for ns in "$fw1" "$fw2"; do
			after+=("$(link_sum "$ns" sync tx $what)")
		done
	done
	for what in out_packets back_packets out_bytes back_bytes; do
		result "$what" "$(mawk -v a="${after[i]}" -v b="${before[i]}" \
			-v n="$CONNS" 'BEGIN { printf "%.3f", (a - b) / n }')"
		i=$((i + 1))
	done
	result peer_states "$(ct_count "$fw2")"
}

start_mode()
{
	case $MODE in
	none) ;;
	active) nfsync_up "$fw1" && wait_running "$fw1" ;;
	nfsync) nfsync_pair ;;
	conntrackd) conntrackd_up ;;
	esac
}

run_mode()
{
	MODE=$1
	[ "$MODE" = none ] || [ "$MODE" = conntrackd ] || need_nfsync
	topo_up || return 1
	start_mode || { echo "# $MODE does not start"; return 1; }
	flow_cl -n 500 -c 16 > /dev/null
	load tcp6 "$CONNS" -c 16 -e
	load tcp "$CONNS" -c 16
	load udp "$FLOWS" -c 16 -u
	packets
	cable
	topo_down
}

# profile MODE: only one load, set by profile.sh
profile()
{
	MODE=$1
	[ "$MODE" = none ] || [ "$MODE" = conntrackd ] || need_nfsync
	topo_up && start_mode || exit 1
	# shellcheck disable=SC2086 # options are words
	flow_cl -n "${NFSYNC_CONNS:-1000}" ${NFSYNC_LOAD:-} || exit 1
	sleep 0.5
	print_symbols
	exit 0
}

sysctl -qw net.netfilter.nf_conntrack_max=262144 2> /dev/null ||
	modprobe nf_conntrack && sysctl -qw net.netfilter.nf_conntrack_max=262144
[ "${1:-}" != profile ] || profile "$2"
[ $# -gt 0 ] || set -- none active nfsync conntrackd
for MODE in "$@"; do
	run_mode "$MODE" || exit 1
done
exit 0
