#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Everything at once: connections come and go by the hundred, tables are
# emptied, time-outs are a second, peers flood each other with requests, ends
# and nonsense, devices, links, addresses, options, processors and namespaces
# come and go; and where the kernel can do that (failslab) there is no memory.
# When it is over nothing is lost: no packet that waited, no object, no message;
# both nodes agree again, and the module can go.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      nfsync0
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      nfsync0
#                  .3 lan +-----+ wan .3
#
#   STRESS_SECONDS  how long (180): no round begins after that. A round
#                   makes trouble for half a minute, then looks what is left
#                   and loads the module anew
#   STRESS_ONLY     a pattern: only those that make such trouble
#   STRESS_SEED     of who does what when (it is told; it does not bring back
#                   how they meet)

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=peers.sh
. "$(dirname "$0")/peers.sh"
# shellcheck source=objects.sh
. "$(dirname "$0")/objects.sh"

: "${STRESS_SECONDS:=180}"
: "${STRESS_SEED:=$RANDOM}"
ROUND=30
HOSTID1=0x11111111 HOSTID2=0x22222222

# ---- what must be true of a device at any time ----

# balanced NS: each packet that waited has left once; of a device that is down
balanced()
{
	in_ns "$1" ethtool -S "$DEV" | mawk '
	BEGIN {
		n = split("ack heard del more timeout limit down link netdev " \
			"netns", why)
		for (i = 1; i <= n; i++)
			out["defer_" why[i] ":"] = 1
		out["early_news:"] = out["early_timeout:"] = 1
	}
	$1 == "deferred:" || $1 == "early:" { held += $2 }
	$1 in out { left += $2 }
	$1 ~ /^(queue|len)_repair:$/ && $2 { bad = bad " " $1 $2 }
	END {
		if (!NR)
			bad = " no counters"
		if (held != left)
			bad = bad " held " held ", left " left
		print held + 0 bad
		exit bad != ""
	}'
}

# wrong WHAT...: said by one who works in the background
wrong()
{
	echo "$*" >> "$TMP/wrong"
}

# ---- those who make trouble; each is called again and again ----

# Sets NS to one of the two
either()
{
	NS=$fw1 NS_SYNC=$FW1_SYNC PEER_SYNC=$FW2_SYNC
	HOSTID=$HOSTID1 PEER_HOSTID=$HOSTID2
	[ $((RANDOM % 2)) = 1 ] || return 0
	NS=$fw2 NS_SYNC=$FW2_SYNC PEER_SYNC=$FW1_SYNC
	HOSTID=$HOSTID2 PEER_HOSTID=$HOSTID1
}

# one_of WORDS...
one_of()
{
	shift $((RANDOM % $#))
	echo "$1"
}

pause()
{
	sleep "$((RANDOM % $1)).$((RANDOM % 10))"
}

do_connections()
{
	flow_cl -n 300 -c 20 -e -q 4 -T 15
	flow_cl -n 20 -r 5 -w 50 -T 15
}

do_datagrams()
{
	flow_cl -u -n 100 -c 20 -T 5
	flow_cl6 -n 50 -c 10 -a -T 15
}

do_flood()
{
	in_ns "$cl" synflood -n 500 10.0.1.77 "$SV4" 9
	pause 2
}

do_flush()
{
	either
	case $((RANDOM % 4)) in
	0) in_ns "$NS" conntrack -F ;;
	1) in_ns "$NS" conntrack -D -p tcp ;;
	2) in_ns "$NS" conntrack -D -p udp ;;
	3) in_ns "$NS" conntrack -U -p tcp -m $RANDOM ;;
	esac
	pause 2
}

do_timeouts()
{
	local t

	either
	t=$(one_of 1 1 120)
	cat <<-EOF | netlab
	@$NS
	sysctl net.netfilter.nf_conntrack_tcp_timeout_established=$t
	sysctl net.netfilter.nf_conntrack_tcp_timeout_syn_sent=$t
	sysctl net.netfilter.nf_conntrack_tcp_timeout_time_wait=$t
	sysctl net.netfilter.nf_conntrack_udp_timeout=$t
	sysctl net.netfilter.nf_conntrack_udp_timeout_stream=$t
	EOF
	pause 3
}

do_sysctls()
{
	either
	cat <<-EOF | netlab
	@$NS
	sysctl net.netfilter.nf_conntrack_acct=$((RANDOM % 2))
	sysctl net.netfilter.nf_conntrack_timestamp=$((RANDOM % 2))
	sysctl net.netfilter.nf_conntrack_events=$((RANDOM % 3))
	sysctl net.netfilter.nf_conntrack_tcp_be_liberal=$((RANDOM % 2))
	@
	sysctl net.netfilter.nf_conntrack_max=$(one_of 100 2000 20000)
	sysctl net.netfilter.nf_conntrack_buckets=$(one_of 1024 4096 16384)
	EOF
	pause 3
}

do_frames()
{
	either
	in_ns "$NS" fuzzsync -i sync -s "$NS_SYNC" -S $RANDOM -n 500 -a
	pause 1
}

do_requests()
{
	either
	in_ns "$NS" rawsync -i sync -s "$NS_SYNC" -n 100 upd_req,id=0,creator=0
	in_ns "$NS" rawsync -i sync -s "$NS_SYNC" "clr,creator=$PEER_HOSTID" \
		"clr,creator=$HOSTID"
	pause 2
}

# Ends of whatever the peer lists
do_ends()
{
	local ids

	either
	spawn "$NS" rawrecv -x 30 2
	wait "$PID"
	# the ids of its INS and UPD messages: a state after each subheader
	ids=$(grep -oE '0[de]480001.{16}.{456}.{8}' "$OUT" |
		sed -E 's/^.{8}(.{16}).{456}(.{8})$/+del_c,id=0x\1,creator=0x\2/')
	# shellcheck disable=SC2086
	[ -z "$ids" ] || in_ns "$NS" rawsync -i sync -s "$NS_SYNC" $ids
	rm -f "$OUT"
}

add_device()
{
	ip -n "$NS" link add "$DEV" type pfsync syncdev sync hostid "$HOSTID" \
		defer "$(one_of on on off)" && ip -n "$NS" link set "$DEV" up
}

do_device()
{
	local said

	either
	ip -n "$NS" link set "$DEV" down
	if said=$(balanced "$NS"); then
		echo "$said" >> "$TMP/held"
	else
		ip -n "$NS" link show "$DEV" && wrong "$NS: $said"
	fi
	if [ $((RANDOM % 2)) = 0 ]; then
		ip -n "$NS" link del "$DEV"
		add_device
	fi
	ip -n "$NS" link set "$DEV" up
	pause 4
}

do_options()
{
	either
	ip -n "$NS" link set "$DEV" type pfsync defer "$(one_of on off)" \
		flush "$(one_of 1 10 1000)" window "$(one_of bounded strict)" \
		maxupd "$(one_of 0 1 128)" local "$(one_of on off)" \
		defertime "$(one_of 1 20 500)" deferlimit "$(one_of 1 128)"
	[ $((RANDOM % 4)) != 0 ] ||
		ip -n "$NS" link set "$DEV" type pfsync resync
	[ $((RANDOM % 4)) != 0 ] ||
		ip -n "$NS" link set "$DEV" type pfsync natshare \
			"$(one_of 0/2 1/2 off)"
	pause 2
}

do_syncdev()
{
	either
	case $((RANDOM % 5)) in
	0)
		ip -n "$NS" link set sync down
		pause 2
		ip -n "$NS" link set sync up
		;;
	1)
		ip -n "$NS" link set sync mtu "$(one_of 200 308 340 600 1500)"
		pause 2
		ip -n "$NS" link set sync mtu 1500
		;;
	2)
		ip -n "$NS" link set "$DEV" mtu "$(one_of 308 400 1500 9000)"
		;;
	3)
		ip -n "$NS" link set sync name sync2
		ip -n "$NS" link set sync2 down
		ip -n "$NS" link set sync2 name sync
		ip -n "$NS" link set sync up
		;;
	4)
		ip -n "$NS" link set "$DEV" type pfsync syncpeer \
			"$(one_of "$PEER_SYNC" 224.0.0.240)"
		;;
	esac
	pause 3
}

do_gateway()
{
	pause 4
	move_gateway "$fw2"
	pause 4
	move_gateway "$fw1"
}

# With entries, a device and its syncdev, and all go together
do_namespace()
{
	local ns=doomed-$$

	cat <<-EOF | netlab
	@$ns
	sysctl net.ipv4.ip_forward=1
	ip link set lo up
	ip link add dummy0 type dummy
	ip addr add 10.0.9.9/24 dev dummy0
	ip link set dummy0 up
	ip link add $DEV type pfsync syncdev dummy0 defer on
	ip link set $DEV up
	EOF
	ct_add "$ns" 1000 50
	ip netns del "$ns"
	pause 3
}

do_processors()
{
	local cpu=/sys/devices/system/cpu/cpu1/online

	[ -w $cpu ] || { sleep 5; return; }
	echo 0 > $cpu
	pause 3
	echo 1 > $cpu
	pause 4
}

FAILSLAB=/sys/kernel/debug/failslab

# failing PERCENT: of the allocations that anybody makes on our behalf
failing()
{
	local text=/sys/module/nfsync/sections/.text from

	[ -d $FAILSLAB ] || return 0
	echo 0 > $FAILSLAB/probability
	[ "$1" -gt 0 ] || return 0
	from=$(cat $text) || return
	echo "$from" > $FAILSLAB/require-start
	printf '0x%x\n' $((from + $(cat /sys/module/nfsync/coresize))) \
		> $FAILSLAB/require-end
	echo 32 > $FAILSLAB/stacktrace-depth
	echo N > $FAILSLAB/ignore-gfp-wait
	echo 0 > $FAILSLAB/verbose
	echo -1 > $FAILSLAB/times
	echo "$1" > $FAILSLAB/probability
}

do_memory()
{
	failing "$(one_of 1 10 50)"
	pause 2
	failing 0
	pause 3
}

TROUBLE="connections datagrams flood flush timeouts sysctls frames requests
	ends device options syncdev gateway namespace processors memory"

# worker WHAT SEED: until told
worker()
{
	local n=0

	RANDOM=$2
	while [ ! -e "$TMP/stop" ]; do
		"do_$1"
		n=$((n + 1))
	done > "$TMP/log.$1" 2>&1
	echo "$1 $n" >> "$TMP/done"
}

# ---- a round ----

# What any of them may have left behind; their devices are down by then
calm()
{
	local ns

	for ns in "$fw1" "$fw2"; do
		ip -n "$ns" link set sync mtu 1500 up
		ip -n "$ns" link del "$DEV" 2> "$TMP/said"
		cat <<-EOF | netlab
		@$ns
		sysctl net.netfilter.nf_conntrack_tcp_timeout_established=600
		sysctl net.netfilter.nf_conntrack_tcp_timeout_syn_sent=120
		sysctl net.netfilter.nf_conntrack_tcp_timeout_time_wait=120
		sysctl net.netfilter.nf_conntrack_udp_timeout=60
		sysctl net.netfilter.nf_conntrack_udp_timeout_stream=120
		sysctl net.netfilter.nf_conntrack_events=$EVENTS
		sysctl net.netfilter.nf_conntrack_acct=0
		sysctl net.netfilter.nf_conntrack_timestamp=0
		sysctl net.netfilter.nf_conntrack_tcp_be_liberal=0
		@
		sysctl net.netfilter.nf_conntrack_max=$MAX
		sysctl net.netfilter.nf_conntrack_buckets=$BUCKETS
		EOF
	done
}

# trouble: all of them, for a while
trouble()
{
	local what pids=() i=0

	rm -f "$TMP/stop" "$TMP/done"
	for what in $TROUBLE; do
		i=$((i + 1))
		[[ -n ${STRESS_ONLY:-} && ! $what =~ $STRESS_ONLY ]] && continue
		worker "$what" $((STRESS_SEED + 100 * N_ROUND + i)) &
		pids+=($!)
	done
	sleep $ROUND
	touch "$TMP/stop"
	wait "${pids[@]}"
	failing 0
	echo "# round $N_ROUND: $(tr '\n' ' ' < "$TMP/done")"
}

# Whatever was going on, once it is over each packet has gone on its way
all_left()
{
	local ns said

	for ns in "$fw1" "$fw2"; do
		# its syncdev may have been away when it was made anew
		ip -n "$ns" link set "$DEV" down 2> "$TMP/said" || continue
		said=$(balanced "$ns") || wrong "$ns: $said"
		echo "$said" >> "$TMP/held"
	done
}

# One after the other, as often as there is time
test_everything_at_once()
{
	local end=$((SECONDS + STRESS_SECONDS))

	N_ROUND=0
	: > "$TMP/wrong"
	: > "$TMP/held"
	while [ $SECONDS -lt $end ]; do
		N_ROUND=$((N_ROUND + 1))
		trouble
		all_left
		calm
		check "module goes" timeout $((60 * NFSYNC_SLOW)) rmmod nfsync
		check "module comes" modprobe nfsync
		check "up on both" nfsync_pair defer on
		start_empty
		check "connections" flow_cl -n 20 -e
		flows last -n 5 -H -p 21000
		healed "round $N_ROUND"
		flows_end last
		[ "$RET" = "$ksft_pass" ] || break
	done
	sed 's/^/# /' "$TMP/wrong"
	expect "complaints" "$(wc -l < "$TMP/wrong")" eq 0
	echo "# packets that waited: $(mawk '{ n += $1 } END { print n + 0 }' \
		"$TMP/held")"
}

test_nothing_is_left()
{
	all_is_gone
}

need_nfsync
need_plugin
objects_before
modprobe -aq nf_nat dummy nf_conntrack_netlink
topo_up || skip_all "the topology cannot be set up here"
MAX=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
BUCKETS=$(cat /proc/sys/net/netfilter/nf_conntrack_buckets)
EVENTS=$(in_ns "$fw1" cat /proc/sys/net/netfilter/nf_conntrack_events)
blackhole 9
nfsync_up "$fw1" hostid $HOSTID1 defer on ||
	skip_all "nfsync does not come up"
nfsync_up "$fw2" hostid $HOSTID2 defer on
echo "# STRESS_SEED=$STRESS_SEED"
run_tests test_everything_at_once test_nothing_is_left
