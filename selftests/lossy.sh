#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The sync link loses, doubles, reorders and delays frames while connections
# open, transfer, close and are deleted. When the traffic rests both tables
# become equal, with the fault still there, and no connection has noticed
# anything.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all traffic, nfsync0
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      X      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      no traffic, nfsync0
#                  .3 lan +-----+ wan .3
#
# X: netem on both sync devices. How long it took is told and not judged.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=peers.sh
. "$(dirname "$0")/peers.sh"

# under WHAT OPTIONS...: of netem; the fault lasts until both tables are equal,
# and for another change or two
under()
{
	local what=$1
	shift

	before
	check "netem" shape netem "$@" limit 10000
	traffic
	healed "$what"
	holds
	flows_end idle
	healed "$what, at the end"
	echo "# $what: $(faults)"
	heal_link
	both_in_sync
	expect "invalid on fw1" "$(invalid_count "$fw1")" eq 0
}

test_loss_of_1_percent()
{
	under "1 % loss" loss 1%
}

test_loss_of_10_percent()
{
	local lost

	lost=$(both_stats rx_lost)
	under "10 % loss" loss 10%
	expect "lost frames" "$(both_stats rx_lost)" gt "$lost"
}

test_loss_of_30_percent()
{
	local lost

	lost=$(both_stats rx_lost)
	under "30 % loss" loss 30%
	expect "lost frames" "$(both_stats rx_lost)" gt "$lost"
}

test_duplication()
{
	local twice

	twice=$(both_stats rx_twice)
	under "10 % twice" duplicate 10%
	expect "doubled frames" "$(both_stats rx_twice)" gt "$twice"
}

test_reordering()
{
	under "half of it reordered" delay 20ms reorder 50% 50%
}

test_jitter()
{
	under "50 ms jitter" delay 60ms 50ms
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
nfsync_pair || skip_all "nfsync does not come up"
run_tests test_loss_of_1_percent test_loss_of_10_percent \
	test_loss_of_30_percent test_duplication test_reordering test_jitter
