#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the tests of two nodes that lose sight of each other share: entries made
# by hand, faults of the sync link, verdicts, the wait for equal tables, and how
# long packets may wait.
# A test sources this after lib.sh.

# shellcheck disable=SC2154 # the namespaces are lib.sh's

# Without the mounts of ip netns exec: starting programs is what costs most in
# an emulated guest, and nothing here looks at /sys.
in_ns()
{
	nsenter --net="/run/netns/$1" "${@:2}"
}

# ---- entries by hand ----

# ports_in NS FIRST LAST [conntrack options]: entries of either family whose
# source port is one of these
ports_in()
{
	local ns=$1 first=$2 last=$3
	shift 3
	ct_list "$ns" "$@" | mawk -v first="$first" -v last="$last" '
	match($0, /sport=[0-9]+/) {
		port = substr($0, RSTART + 6, RLENGTH - 6) + 0
		n += port >= first && port <= last
	}
	END { print n + 0 }'
}

ports_are()
{
	local now

	now=$(ports_in "$1" "$2" "$3" "${@:5}")
	echo "$now entries of ports $2 to $3 in $1, wanted $4"
	[ "$now" -eq "$4" ]
}

# wait_ports NS FIRST LAST N [conntrack options]
wait_ports()
{
	wait_for "$WAIT" ports_are "$@"
}

# Both tables are empty and both nodes say that they are in sync
start_empty()
{
	heal_link
	both_in_sync
	check "both are empty" wait_for "$WAIT" both_empty
}

# Each end is told by who has a say in it, so that one flush may not be enough
both_empty()
{
	ct_flush "$fw1"
	ct_flush "$fw2"
	count_is "$fw1" 0 && count_is "$fw2" 0
}

both_in_sync()
{
	verdict "$fw1" in-sync
	verdict "$fw2" in-sync
}

# ---- faults of the sync link ----

# shape QDISC OPTIONS...: what both nodes send on it goes through that
shape()
{
	local ns

	for ns in "$fw1" "$fw2"; do
		tc -n "$ns" qdisc replace dev sync root "$@" || return 1
	done
}

# lose_long NS BYTES: frames that are longer do not arrive there; see lose
lose_long()
{
	lose_matching "$1" "meta length > $2"
}

# lost NS: frames that did not arrive since then
lost()
{
	rule_count "$1" lost inet lossy
}

# Whatever fault there is, it ends
heal_link()
{
	local ns

	for ns in "$fw1" "$fw2"; do
		lose_nothing "$ns" 2> "$TMP/nft"
		tc -n "$ns" qdisc del dev sync root 2> "$TMP/tc"
		ip -n "$ns" link set sync up
	done
	return 0
}

# ---- flows ----

# flows NAME OPTIONS...: clients in the background until each has had its first
# round; process in ${CLIENT[NAME]}. An IPv6 address before the options takes
# the place of sv's IPv4 one.
declare -A CLIENT=()

flows()
{
	local name=$1 to=$SV4
	shift
	case $1 in
	*:*)
		to=$1
		shift
		;;
	esac
	rm -f "$TMP/up.$name"
	spawn "$cl" flow client "$to" "$FLOW_PORT" \
		-T $((600 * NFSYNC_SLOW)) -S "$TMP/up.$name" "$@"
	CLIENT[$name]=$PID
	check "flows $name open" wait_file "$TMP/up.$name"
}

# flows_end NAME...: they are told to move once more and to end, and end well
flows_end()
{
	local name

	for name in "$@"; do
		kill -USR1 "${CLIENT[$name]}"
	done
	for name in "$@"; do
		check "flows $name end well" wait "${CLIENT[$name]}"
		unset "CLIENT[$name]"
	done
}

# ended_well NS N RESETS: it has so many TCP entries, all of them in TIME_WAIT
# but those that a host reset. Each processor of a guest has a queue of its own for
# what comes by a cable, and one may be away for some milliseconds: an ack that left
# fw2 before a FIN came to cl behind it, cl answers what is that old, and sv has
# nothing left that this could be for.
ended_well()
{
	local closed waiting

	closed=$(ct_list "$1" -p tcp | grep -c ' CLOSE ')
	waiting=$(ct_list "$1" -p tcp | grep -c ' TIME_WAIT ')
	expect "in TIME_WAIT or reset on $1" $((waiting + closed)) eq "$2"
	expect "reset on $1" "$closed" le "$3"
}

host_resets()
{
	echo $(($(tcp_resets "$sv") + $(tcp_resets "$cl")))
}

# ---- healing ----

# healed WHAT: both tables become equal. Who loses a third of the frames may ask
# for a minute.
healed()
{
	local from

	from=$(now_ms)
	check "$1: same tables" wait_for $((WAIT * 3)) same_tables &&
		took "$1: healed" "$from"
}

# ---- packets that wait ----

# What is held waits so many ms for the peer. The default of 20 does where a
# processor is there when it is wanted; an emulated one may be away for longer,
# and here nothing may be lost that the peer would have spoken for. Less than the
# second after which TCP says its SYN again, where that can be.
# shellcheck disable=SC2034
CEILING=$((NFSYNC_SLOW > 1 ? 200 * NFSYNC_SLOW : 800))

# ---- a bit of everything ----

N_IDLE=30

# Counters of both nodes that tell how bad it was
faults()
{
	local ns

	for ns in "$fw1" "$fw2"; do
		stat_all "$ns" | grep -E '^(rx_lost|rx_twice|rx_late|bulk_torn|swept|tomb_)'
		echo '|'
	done | tr '\n' ' '
}

# What is there before the fault: an entry of these ends under it
before()
{
	start_empty
	check "entries" ct_add "$fw1" 20000 40 9
	flows old -n 10 -H -p 21000
	check "on fw2" wait_states "$fw2" 50
}

# All that can happen to a flow, under the fault; $N_IDLE stay open and idle
traffic()
{
	flows idle -n $N_IDLE -H -p 22000
	flows busy "$SV6" -n 5 -r 0 -U 20000 -D 20000
	check "entries" ct_add "$fw1" 23000 60
	check "old entries deleted" ct_del "$fw1" --mark 9
	check "connections open and close" flow_cl -n 100 -c 20 -e -q 4
	check "connections with an RST" flow_cl -n 10 -a
	check "udp" flow_cl -u -n 20
	check "ping" ping_cl "$SV4" 2
	flows_end old
	check "new entries deleted" ct_del "$fw1" -p udp --dport 9
	check "other entries" ct_add "$fw1" 24000 30
	flows_end busy
}

# What must be there when both tables are equal
holds()
{
	expect "idle connections on fw2" "$(ports_in "$fw2" 22000 22099 \
		-p tcp --state ESTABLISHED)" eq $N_IDLE
	expect "deleted entries" "$(ports_in "$fw2" 20000 20099)" eq 0
	expect "deleted entries" "$(ports_in "$fw2" 23000 23099)" eq 0
	expect "new entries" "$(ports_in "$fw2" 24000 24099)" eq 30
	# nobody may have ended them on fw1
	expect "idle connections on fw1" "$(ports_in "$fw1" 22000 22099 \
		-p tcp --state ESTABLISHED)" eq $N_IDLE
}
