#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# nosync MARK/MASK: flows with that ct mark stay where they are, whether they
# have it from their first packet on or get it later, and the mark can be
# chosen anew at any time.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all traffic, nfsync0,
#   +----+  +----+----+   +--+--+   +----+----+  +----+      nosync
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      no traffic, nfsync0
#                  .3 lan +-----+ wan .3
#
# fw1 marks what goes to sv's ports 5001 (0x10) and 5002 (0x2f).

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=peers.sh
. "$(dirname "$0")/peers.sh"

marking_rules()
{
	ruleset_add "$fw1" <<-EOS
	table inet optout {
		chain forward {
			type filter hook forward priority -10;
			meta l4proto { tcp, udp } th dport 5001 ct mark set 0x10
			meta l4proto { tcp, udp } th dport 5002 ct mark set 0x2f
		}
	}
	EOS
}

nosync()
{
	ip -n "$fw1" link set "$DEV" type pfsync nosync "$1"
}

# to_port NS PORT: entries of flows to that port of sv
to_port()
{
	ct_list "$1" | mawk -v port="dport=$2" '
	{
		for (i = 1; i <= NF; i++)
			if ($i ~ /^dport=/)
				break
		n += $i == port
	}
	END { print n + 0 }'
}

to_port_is()
{
	local now

	now=$(to_port "$1" "$2")
	echo "$now entries to port $2 in $1, wanted $3"
	[ "$now" -eq "$3" ]
}

# wait_to_port NS PORT N
wait_to_port()
{
	wait_for "$WAIT" to_port_is "$@"
}

# Of each three flows one goes to each port
test_marked_from_the_first_packet_on()
{
	local told

	start_empty
	nosync 0x10/0xff
	told=$(stat_get "$fw1" tx_ins)
	flows idle -n 15 -q 3 -H
	flows udp -u -n 15 -q 3 -r 3 -w 20 -U 100
	check "others on fw2" wait_to_port "$fw2" 5000 10
	check "others on fw2" wait_to_port "$fw2" 5002 10
	check "quiet" wait_quiet "$fw1"
	expect "marked on fw1" "$(to_port "$fw1" 5001)" eq 10
	expect "marked on fw2" "$(to_port "$fw2" 5001)" eq 0
	expect "told at all" "$(($(stat_get "$fw1" tx_ins) - told))" eq 20
	flows_end idle
	check "ends seen" wait_for "$WAIT" no_established "$fw2"
	expect "marked on fw2, at their end" "$(to_port "$fw2" 5001)" eq 0
}

no_established()
{
	ct_list "$1" -p tcp --state ESTABLISHED > "$TMP/established"
	! grep . "$TMP/established"
}

# A bulk transfer tells no more than the rest does
test_not_in_a_transfer_either()
{
	start_empty
	nosync 0x10/0xff
	flows idle -n 15 -q 3 -H
	check "others on fw2" wait_states "$fw2" 10
	nfsync_down "$fw2"
	ct_flush "$fw2"
	check "fw2 up" nfsync_up "$fw2"
	both_in_sync
	expect "others on fw2" "$(ct_count "$fw2")" eq 10
	expect "marked on fw2" "$(to_port "$fw2" 5001)" eq 0
	ip -n "$fw1" link set "$DEV" down
	ip -n "$fw1" link set "$DEV" up
	both_in_sync
	check "others on fw2" wait_states "$fw2" 10
	expect "marked on fw2, after a walk" "$(to_port "$fw2" 5001)" eq 0
	flows_end idle
}

# The mark comes later, by netlink or by a rule: fw2 forgets the flow, fw1 and
# the flow notice nothing
test_marked_later()
{
	local withdrawn

	start_empty
	nosync 0x40/0x40
	withdrawn=$(stat_get "$fw1" nosync)
	flows idle -n 5 -H -p 31000
	flows busy -n 5 -r 0 -w 20 -p 32000
	flows other "$SV6" -n 5 -H -p 33000
	check "on fw2" wait_states "$fw2" 15
	check "marked" wait_for "$WAIT" mark_ipv4 0x41
	check "gone from fw2" wait_ports "$fw2" 31000 32999 0
	expect "on fw1" "$(ports_in "$fw1" 31000 32999 \
		-p tcp --state ESTABLISHED)" eq 10
	expect "withdrawn" "$(($(stat_get "$fw1" nosync) - withdrawn))" eq 10
	expect "others on fw2" "$(ct_count "$fw2")" eq 5
	flows_end idle busy
	check "quiet" wait_quiet "$fw1"
	expect "never again on fw2" "$(ports_in "$fw2" 31000 32999)" eq 0
	flows_end other
}

# Again until all have it: conntrack -U gives up at one that moves meanwhile
mark_ipv4()
{
	in_ns "$fw1" conntrack -U -s "$CL4" -m "$1" 2>&1
	ports_are "$fw1" 31000 32999 10 --mark "$1"
}

test_mask()
{
	start_empty
	# 0x2f and 0x1f are the same under it, 0x10 and 0 are not
	nosync 0x0f/0x0f
	flows idle -n 15 -q 3 -H
	check "others on fw2" wait_to_port "$fw2" 5000 5
	check "others on fw2" wait_to_port "$fw2" 5001 5
	check "quiet" wait_quiet "$fw1"
	expect "marked on fw2" "$(to_port "$fw2" 5002)" eq 0
	flows_end idle
	start_empty
	nosync 0x20/0x20
	flows idle -n 15 -q 3 -H
	check "others on fw2" wait_states "$fw2" 10
	check "quiet" wait_quiet "$fw1"
	expect "marked on fw2" "$(to_port "$fw2" 5002)" eq 0
	flows_end idle
}

# MARK 0 under a mask: everything without a mark
test_what_has_no_mark()
{
	start_empty
	nosync 0/0xff
	flows idle -n 15 -q 3 -H
	check "marked on fw2" wait_to_port "$fw2" 5001 5
	check "marked on fw2" wait_to_port "$fw2" 5002 5
	check "quiet" wait_quiet "$fw1"
	expect "unmarked on fw2" "$(to_port "$fw2" 5000)" eq 0
	flows_end idle
}

test_changed_while_up()
{
	start_empty
	nosync none
	flows idle -n 15 -q 3 -H
	check "all on fw2" wait_states "$fw2" 15
	nosync 0x10/0xff
	check "gone from fw2" wait_to_port "$fw2" 5001 0
	expect "others on fw2" "$(ct_count "$fw2")" eq 10
	nosync 0x2f/0xff
	check "gone from fw2" wait_to_port "$fw2" 5002 0
	expect "on fw1" "$(ct_count "$fw1")" eq 15
	# what is told again is so by its next packet
	nosync none
	flows_end idle
	check "all on fw2" wait_states "$fw2" 15
	healed "none opted out"
}

test_refused_values()
{
	refused "nosync" nosync 0x100000000/0xff
	refused "nosync" nosync 1/2/3
	refused "nosync" nosync x/0xff
}

need_nfsync
need_plugin
ip link help pfsync 2>&1 | grep -q nosync ||
	skip_all "ip's plugin for kind pfsync knows no nosync"
topo_up || skip_all "the topology cannot be set up here"
nfsync_pair || skip_all "nfsync does not come up"
marking_rules || skip_all "no ct mark here"
run_tests test_marked_from_the_first_packet_on test_not_in_a_transfer_either \
	test_marked_later test_mask test_what_has_no_mark \
	test_changed_while_up test_refused_values
