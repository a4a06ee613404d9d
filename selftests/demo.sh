#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A takeover, told to a person: traffic crosses fw1, fw1 is taken away in
# mid-transfer, fw2 carries on. Exit status 0 only if nothing was lost.
# Needs root, the module and the ip plugin; "make demo" runs it in a guest.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

PIECE=$((4 * 1024 * 1024))
RATE=32mbit
BAD=0

say()
{
	printf '\n== %s\n\n' "$*"
}

show()
{
	printf '   '
	printf '%s ' "$@" | sed "s/$fw1/fw1/g; s/$fw2/fw2/g; s/$cl/client/g"
	echo
	"$@" 2>&1 | sed 's/^/   | /'
}

# good WHAT COMMAND...
good()
{
	local what=$1
	shift
	if "$@"; then
		echo "   ok      $what"
	else
		echo "   WRONG   $what"
		BAD=1
	fi
}

give_up()
{
	echo "   WRONG   $*"
	dmesg | tail -n 20
	exit 1
}

topology()
{
	cat <<-'EOF'

	                    10.0.1.1 +-------+ 10.0.2.1
	                 +-----------+  fw1  +-----------+
	   +--------+    |           +---+---+           |    +--------+
	   | client +----+        nfsync0|               +----+ server |
	   +--------+    |           +---+---+           |    +--------+
	    10.0.1.2     +-----------+  fw2  +-----------+     10.0.2.2
	                    10.0.1.3 +-------+ 10.0.2.3

	   The gateway 10.0.1.254 and 10.0.2.254 (and their MAC) is fw1 now.
	   Both drop what conntrack calls invalid; nf_conntrack_tcp_be_liberal
	   and nf_conntrack_tcp_loose are 0; only a SYN may open a connection.
	EOF
}

set_up()
{
	need_nfsync
	topo_up || give_up "the topology cannot be set up here"
	topology
	say "A pfsync device on each firewall, over the cable between them"
	echo "   ip link add nfsync0 type pfsync syncdev sync"
	echo "   ip link set nfsync0 up"
	nfsync_pair || give_up "nfsync does not start"
	show ip -n "$fw2" -d link show "$DEV"
}

# value NAME: from the report of flow in $OUT
value()
{
	grep -oE "\b$1=[^ ]+" "$2" | cut -d= -f2
}

ordinary_traffic()
{
	say "Ordinary traffic through fw1"
	good "3 pings" ping_cl "$SV4" 3
	good "3 pings over IPv6" ping_cl "$SV6" 3
	good "10 TCP connections, checksums right" \
		flow_quietly "$SV4" -n 10
	good "a UDP exchange of 5 flows" flow_quietly "$SV4" -u -n 5 -r 3
	good "a TCP connection over IPv6" flow_quietly "$SV6" -n 1
}

flow_quietly()
{
	local to=$1
	shift
	in_ns "$cl" flow client "$to" "$FLOW_PORT" "$@" > "$TMP/flow"
}

start_transfers()
{
	say "A transfer, $((PIECE >> 20)) MiB to a checksum, a UDP dialogue, pings begin"
	in_ns "$cl" tc qdisc add dev lan root netem rate $RATE limit 10000
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -U $PIECE -D 1000 -r 0 \
		-T 200 -S "$TMP/moves" -M $PIECE
	TCP_PID=$PID
	TCP_OUT=$OUT
	spawn "$cl" flow client "$SV4" "$FLOW_PORT" -u -r 0 -w 20 -T 200 -p 40000
	UDP_PID=$PID
	UDP_OUT=$OUT
	spawn "$cl" ping -i 0.1 "$SV4"
	PING_PID=$PID
	PING_OUT=$OUT
	wait_file "$TMP/moves" 60 || give_up "the transfer does not move"
	echo "   $((PIECE >> 20)) MiB are through"
}

show_standby()
{
	say "What fw2 knows by now, without having seen one packet of it"
	show in_ns "$fw2" conntrack -L
	show ip -n "$fw2" -d -s link show "$DEV"
}

pull_cables()
{
	local before after

	say "All cables of fw1 are pulled, fw2 takes the gateway's addresses"
	INVALID=$(invalid_count "$fw2")
	BEFORE=$(lan_bytes "$fw2")
	before=$(timestamp_ms)
	take_over "$fw2" || give_up "the gateway does not move"
	after=$(timestamp_ms)
	good "the transfer is still under way" kill -0 "$TCP_PID"
	echo "   fw1 is gone; the move took this machine $((after - before)) ms"
}

# lan_bytes NS: what came to it from the client
lan_bytes()
{
	ip -n "$1" -j -s link show lan | jq '.[0].stats64.rx.bytes'
}

more_bytes()
{
	[ "$(lan_bytes "$1")" -ge "$2" ]
}

# The transfer never ends by itself, so that it is always under way when the
# cables are pulled; here fw2 carries a piece, then it is told to come to an
# end, which it only can if the same connection still works.
finish()
{
	wait_for 60 more_bytes "$fw2" $((BEFORE + PIECE)) ||
		echo "   fw2 does not carry the transfer"
	kill -USR1 "$TCP_PID"
	wait "$TCP_PID"
	TCP_STATUS=$?
	# told to end, it still wants the answer to its last question: from
	# the server by fw2
	kill -USR1 "$UDP_PID"
	wait "$UDP_PID"
	UDP_STATUS=$?
	kill -INT "$PING_PID"
	wait "$PING_PID"
}

summary()
{
	local invalid rejected

	invalid=$(($(invalid_count "$fw2") - INVALID))
	rejected=$(ct_stat "$fw2" invalid)
	say "What came of it"
	sed 's/^/   | /' "$TCP_OUT" "$UDP_OUT"
	tail -n 3 "$PING_OUT" | sed 's/^/   | /'
	echo
	good "the transfer finished, its checksum is right" [ $TCP_STATUS = 0 ]
	good "the UDP dialogue went on" [ $UDP_STATUS = 0 ]
	good "fw2 dropped no packet as invalid" [ "$invalid" = 0 ]
	cat <<-EOF

	   longest silence of the transfer   $(value stall_ms "$TCP_OUT") ms
	   of the UDP dialogue               $(value stall_ms "$UDP_OUT") ms
	   packets fw2 dropped as invalid    $invalid
	   packets its conntrack calls so    $rejected
	EOF
}

set_up
ordinary_traffic
start_transfers
show_standby
pull_cables
finish
summary
if [ $BAD = 0 ]; then
	say "Nothing was lost"
else
	say "Something went wrong"
	stat_all "$fw2"
fi
exit $BAD
