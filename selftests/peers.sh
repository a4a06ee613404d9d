#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the tests of two nodes that lose sight of each other share: entries made
# by hand, faults of the sync link, verdicts, and the wait for equal tables.
# A test sources this after lib.sh.

# shellcheck disable=SC2154 # the namespaces are lib.sh's

# ---- entries by hand ----

# ct_add NS FIRST N [MARK=0 [STATUS=SEEN_REPLY [SECONDS=600]]]: UDP entries from
# cl's port FIRST and up to port 9 of sv
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
	local ns

	heal_link
	for ns in "$fw1" "$fw2"; do
		check "$ns in sync" wait_verdict "$ns" in-sync
	done
	ct_flush "$fw1"
	check "fw2 follows" wait_states "$fw2" 0
	ct_flush "$fw2"
	check "fw1 is empty" wait_states "$fw1" 0
}

# ---- verdicts ----

verdict_of()
{
	[[ "$(ip -n "$1" -d -o link show "$DEV")" =~ verdict\ ([a-z-]+) ]]
	echo "${BASH_REMATCH[1]}"
}

verdict_is()
{
	local now

	now=$(verdict_of "$1")
	echo "verdict of $1 is $now, wanted $2"
	[ "$now" = "$2" ]
}

# wait_verdict NS VERDICT
wait_verdict()
{
	wait_for "$WAIT" verdict_is "$1" "$2"
}

both_in_sync()
{
	check "fw1 in sync" wait_verdict "$fw1" in-sync
	check "fw2 in sync" wait_verdict "$fw2" in-sync
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

# deaf NS [BYTES]: no frame arrives there any more, or none longer than BYTES
deaf()
{
	ruleset_add "$1" <<-EOF
	table inet fault
	delete table inet fault
	table inet fault {
		counter deaf { }
		chain in {
			type filter hook prerouting priority -400;
			iifname "sync" meta l4proto 240 ${2:+meta length > $2} counter name deaf drop
		}
	}
	EOF
}

# missed NS: frames that a deaf node did not hear
missed()
{
	rule_count "$1" deaf inet fault
}

# hears NS: again
hears()
{
	in_ns "$1" nft delete table inet fault 2> "$TMP/hears"
}

# Whatever fault there is, it ends
heal_link()
{
	local ns

	for ns in "$fw1" "$fw2"; do
		hears "$ns"
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
		-T $((200 * NFSYNC_SLOW)) -S "$TMP/up.$name" "$@"
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

# ---- healing ----

# now_ms: milliseconds since some time ago, to be told and never judged
now_ms()
{
	local us=${EPOCHREALTIME/[^0-9]/}

	echo $((us / 1000))
}

# healed WHAT: both tables become equal
healed()
{
	local from

	from=$(now_ms)
	check "$1: same tables" wait_same_tables &&
		echo "# $1: healed after $(($(now_ms) - from)) ms"
}
