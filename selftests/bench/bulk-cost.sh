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
# nfsync (fw2 joins), conntrackd (fw2 asks for a resync; states live in the
# peer's kernel, as with nfsync).

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

# UDP flows as if they had been answered, of as many clients as it takes
entries()
{
	mawk -v n="$STATES" 'BEGIN {
		for (i = 0; i < n; i++)
			printf "-I -s 10.8.%d.2 -d 10.0.2.2 -p udp" \
				" --sport %d --dport 9 -t 6000" \
				" -u SEEN_REPLY\n",
				i / 60000, i % 60000 + 1
	}' > "$TMP/entries"
	in_ns "$fw1" conntrack -R "$TMP/entries" > "$TMP/add" 2>&1 ||
		tail -n 1 "$TMP/add"
}

sync_bytes()
{
	ip -n "$1" -j -s link show sync | jq '.[0].stats64.tx.bytes'
}

start_told()
{
	nfsync_up "$fw1" && wait_running "$fw1" || return 1
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

run_one()
{
	local before after bytes

	STATES=$1
	topo_up server=0 || return 1
	"start_$MODE" || return 1
	sleep 5		# what they do by themselves
	bytes=$(sync_bytes "$fw1")
	read -ra before < <(busy)
	"go_$MODE"
	# long enough by far; time asleep is free
	sleep $((10 + STATES / 2000))
	read -ra after < <(busy)
	result instructions $(((after[0] - before[0]) / STATES))
	result bytes $((($(sync_bytes "$fw1") - bytes) / STATES))
	result arrived "$(ct_count "$fw2")"
	[ "$MODE" = conntrackd ] || stat_lines
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
for what; do
	MODE=${what%:*}
	run_one "${what#*:}" || exit 1
done
exit 0
