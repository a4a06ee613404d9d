#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bulk-cost.sh [profile] MODE:STATES... - what a bulk transfer costs, for a
# guest that counts instructions
#
# Prints "bulk MODE STATES KEY VALUE" lines. Under lab/boot.sh with ICOUNT=1 a
# nanosecond in which the processor is not idle is an instruction; waiting is
# done asleep, which is free.
#
# Modes: told (fw1 answers a request that nobody listens to the answer of),
# nfsync (fw2 joins), stall (the same beside a flow that fw1 forwards),
# conntrackd (fw2 asks for a resync; states live in the peer's kernel, as with
# nfsync), commit (they live in its daemon, and are then committed).

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=conntrackd.sh
. "$(dirname "$0")/conntrackd.sh"
# shellcheck source=symbols.sh
. "$(dirname "$0")/symbols.sh"

result()
{
	echo "bulk $MODE $STATES $1 $2"
}

# Instructions since boot; the clock stands beside them in ns
busy()
{
	mawk '/^now at/ { now = $3 } /idle_sleeptime/ { idle += $3 }
		END { printf "%.0f %.0f\n", now - idle, now }' /proc/timer_list
}

entries()
{
	in_ns "$fw1" ctmany "$STATES"
}

sync_bytes()
{
	ip -n "$1" -j -s link show sync | jq '.[0].stats64.tx.bytes'
}

start_told()
{
	# asleep until it is alone: to ask again and again costs the host minutes
	nfsync_up "$fw1" && sleep 30 &&
		operstate_is "$fw1" up > "$TMP/said" || return 1
	entries
}

go_told()
{
	in_ns "$fw2" rawsync -i sync -s "$FW2_SYNC" upd_req,id=0,creator=0
}

start_nfsync()
{
	start_told
}

go_nfsync()
{
	nfsync_up "$fw2"
}

start_conntrackd()
{
	entries
	conntrackd_up
}

go_conntrackd()
{
	in_ns "$fw2" conntrackd -C "$TMP/conntrackd.2" -n > "$TMP/resync" 2>&1
}

# The daemon's default: what it hears stays with it until it has to commit.
# The time is that of the commit, which a takeover waits for.
start_commit()
{
	entries
	conntrackd_up no
}

go_commit()
{
	go_conntrackd
	sleep $((10 + STATES / 2000))
	began=$(now_ms)
	in_ns "$fw2" conntrackd -C "$TMP/conntrackd.2" -c > "$TMP/commit" 2>&1
}

# A flow that is forwarded meanwhile; the longest that an answer took is told
start_stall()
{
	start_told && start_server && watch_flow
}

watch_flow()
{
	rm -f "$TMP/up"
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -u -n 1 -w 1 -r 0 \
		-S "$TMP/up" -T 3600
	FLOW=$PID FLOW_OUT=$OUT
	wait_file "$TMP/up"
}

go_stall()
{
	go_nfsync
}

# stalled WHEN
stalled()
{
	kill -USR1 "$FLOW"
	wait "$FLOW"
	result "stall_us_$1" "$(mawk 'match($0, /stall_us=[0-9]+/) {
		print substr($0, RSTART + 9, RLENGTH - 9) }' "$FLOW_OUT")"
}

# wait_all: until fw2 has them, or would long have; asleep between two looks,
# without a process for each
wait_all()
{
	# shellcheck disable=SC2016 # for the shell there
	in_ns "$fw2" bash -c '
		for ((i = 0; i < $1 / 100 + 200; i++)); do
			read -r n < /proc/sys/net/netfilter/nf_conntrack_count
			[ "$n" -ge "$1" ] && break
			read -r -t 0.05 <> "$2"
		done' wait "$STATES" "$TMP/never"
}

run_one()
{
	local before after began bytes

	STATES=$1
	topo_up server=0 || return 1
	"start_$MODE" || return 1
	sleep 5		# what they do by themselves
	if [ "$MODE" = stall ]; then
		stalled before
		watch_flow || return 1
	fi
	bytes=$(sync_bytes "$fw1")
	read -ra before < <(busy)
	began=$(now_ms)
	"go_$MODE"
	if [ "$MODE" != told ]; then
		wait_all
		result ms $(($(now_ms) - began))
	fi
	# for what comes behind, and for all where nobody waits for it; not for
	# long, as both nodes look at each state they have every five seconds
	sleep $((2 + STATES / 100000))
	read -ra after < <(busy)
	result instructions $(((after[0] - before[0]) / STATES))
	result bytes $((($(sync_bytes "$fw1") - bytes) / STATES))
	result arrived "$(ct_count "$fw2")"
	[ "$MODE" != stall ] || stalled during
	case $MODE in
	told | nfsync) stat_lines ;;
	esac
	[ -z "$PROFILE" ] || print_symbols
	topo_down
}

stat_lines()
{
	local name

	for name in opackets tx_bus tx_upd tx_ins; do
		result "fw1_$name" "$(stat_get "$fw1" $name)"
	done
}

PROFILE=
if [ "${1:-}" = profile ]; then
	PROFILE=1
	shift
fi
modprobe nf_conntrack
sysctl -qw net.netfilter.nf_conntrack_buckets=262144
sysctl -qw net.netfilter.nf_conntrack_max=2097152
mkfifo "$TMP/never"
for what; do
	MODE=${what%:*}
	run_one "${what#*:}" || exit 1
done
exit 0
