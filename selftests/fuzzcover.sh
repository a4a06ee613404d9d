#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The two fuzzers once more, guided by what of the module they make run (KCOV,
# guide.c): frames that the task itself receives which writes them to a tun
# device, and requests to netlink. What is to become of each is known as it is in
# fuzzframes and fuzznetlink; this goes where those come by rarely. Only the debug
# kernel has what it needs.
#
#                          tun0 .1 (10.0.8.0/24)
#                           +----- fuzzsync
#                           |
#                  .1 lan +-+---+ wan .1
#                +--------+ fw1 +--------+      all traffic, nfsync0 by tun0,
#   +----+  +----+----+   +--+--+   +----+----+  +----+       fuzzlink
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      nfsync0, not up until the end
#                  .3 lan +-----+ wan .3
#
#   FUZZ_SECONDS  how long it goes on, each time (20)
#   FUZZ_SEED     of what is drawn (it is told); it brings a run back only as far
#                 as the module does the same again
#   FUZZ_BLIND    when it is set nothing guides them: what is there to compare

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=peers.sh
. "$(dirname "$0")/peers.sh"
# shellcheck source=objects.sh
. "$(dirname "$0")/objects.sh"
# shellcheck source=frames.sh
. "$(dirname "$0")/frames.sh"

# by_tun: the one by its tun device, the other one so far not at all
by_tun()
{
	nfsync_up "$fw1" hostid $OWN &&
		ip -n "$fw1" link set "$DEV" type pfsync syncdev tun0 &&
		ip -n "$fw2" link add "$DEV" type pfsync syncdev sync
}

# guided FILE PLACES PAIRS: as much was run, and what that says
guided()
{
	local line places=0 pairs=0

	line=$(grep '^guided: ' "$1")
	echo "# $line"
	[[ $line =~ \ ([0-9]+)\ places,\ ([0-9]+)\ pairs ]] &&
		places=${BASH_REMATCH[1]} pairs=${BASH_REMATCH[2]}
	expect "places that were run" "$places" ge "$2"
	expect "pairs of them" "$pairs" ge "$3"
}

test_frames()
{
	coming_and_going
	snap before
	in_ns "$fw1" fuzzsync -k tun0 -s 10.0.8.2 -a -h $OWN -S "$FUZZ_SEED" \
		-t "$FUZZ_SECONDS" > "$TMP/report" 2> "$TMP/said"
	check "fuzzsync" grep -q '^sent' "$TMP/report" || return
	check "counters" wait_for 20 counted
	echo "# $(tail -n 1 "$TMP/said"): $(tail -n 1 "$TMP/wait")"
	guided "$TMP/report" 1000 1500
	kill "$COMER"
	check "up" has_flag "$fw1" UP
}

test_requests()
{
	in_ns "$fw1" fuzzlink -k -S "$FUZZ_SEED" -t "$FUZZ_SECONDS" -d sync \
		-d tun0 -b lo -a "$FW2_SYNC" -a 10.0.9.77 -a 10.7.0.1 \
		-B "$FW1_SYNC" -B 10.0.9.255 -B 127.0.0.1 "$DEV" > "$TMP/fuzz"
	expect "fuzzlink" $? eq 0
	grep -v '^guided: ' "$TMP/fuzz" | tail -n 20 | sed 's/^/# /'
	guided "$TMP/fuzz" 500 700
}

test_all_is_well_afterwards()
{
	ip -n "$fw1" link del "$DEV" 2> "$TMP/gone"
	check "another device" nfsync_up "$fw1"
	well_afterwards
}

test_nothing_is_left()
{
	all_is_gone
}

[ -e /sys/kernel/debug/kcov ] || skip_for "this kernel has no KCOV"
need_nfsync
need_plugin
objects_before
modprobe -q nf_nat
modprobe tun || skip_all "no tun devices"
topo_up || skip_all "the topology cannot be set up here"
netlab <<-EOF || skip_all "no tun device"
	@$fw1
	ip tuntap add dev tun0 mode tun
	ip addr add 10.0.8.1/24 dev tun0
	ip link set tun0 up
EOF
by_tun || skip_all "nfsync does not come up"
echo "# FUZZ_SEED=$FUZZ_SEED"
run_tests test_frames test_requests test_all_is_well_afterwards \
	test_nothing_is_left
