#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The link kind: each attribute and each refusal, namespaces, the verdict and
# what becomes of it when the sync device or the peer goes and comes back.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      nfsync0, configured
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      nfsync0, the peer
#                  .3 lan +-----+ wan .3

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# set_link OPTIONS...: of fw1's device
set_link()
{
	ip -n "$fw1" link set "$DEV" type pfsync "$@"
}

add_link()
{
	ip -n "$fw1" link add "$DEV" type pfsync "$@"
}

# raw add|set ATTRIBUTES...: past what ip checks itself
raw()
{
	local what=$1
	shift
	in_ns "$fw1" rawlink "$what" "$DEV" "$@"
}

# shown NS: the configuration as a person sees it, "name value ..."
shown()
{
	local text

	text=$(said "$1")
	echo "${text%% verdict *}"
}

# json NS: the same as programs see it
json()
{
	ip -n "$1" -d -j link show "$DEV" |
		jq -r '.[0].linkinfo.info_data | to_entries |
			map("\(.key) \(.value)") | join(" ")'
}

# takes OPTION VALUE [SHOWN]: set it, and it is shown
takes()
{
	check "set $1 $2" set_link "$1" "$2"
	expect_same "$1" "$(attribute "$fw1" "$1")" "${3:-$2}"
}

every_attribute()
{
	local name

	takes maxupd 1
	takes maxupd 0
	takes maxupd 255
	takes flush 1
	takes flush 1000
	for name in liberal strict bounded; do
		takes window $name
	done
	takes local on
	takes local off
	takes alone off
	takes alone on
	takes nosync 1/0x3 0x1/0x3
	takes nosync 0/0xffffffff 0x0/0xffffffff
	takes nosync none
	takes natshare 0/2
	takes natshare 15/16
	takes natshare none
	takes defer on
	takes defer off
	takes defertime 1
	takes defertime 10000
	takes deferlimit 1
	takes deferlimit 65535
	takes version 6
	takes hostid 0xffffffff
	takes hostid 1 0x00000001
	takes syncpeer 10.0.9.2
	takes syncpeer none 224.0.0.240
	takes syncpeer 224.0.0.240
	takes syncdev none
	takes syncdev lan
	takes syncdev sync
	check "defaults again" set_link maxupd 128 flush 10 hostid 0x11111111 \
		defertime 20 deferlimit 128
}

test_without_options_and_without_plugin()
{
	check "add" env IP_LIB_DIR=/nonexistent ip -n "$fw1" link add "$DEV" \
		type pfsync
	expect_same "show" "$(env IP_LIB_DIR=/nonexistent ip -n "$fw1" -d -o \
		link show "$DEV" | grep -c pfsync)" 1
	check "up" ip -n "$fw1" link set "$DEV" up
	check "not running at once" not running "$fw1"
	verdict "$fw1" no-link
	check "del" env IP_LIB_DIR=/nonexistent ip -n "$fw1" link del "$DEV"
}

test_defaults()
{
	local id

	check "add" add_link
	id=$(attribute "$fw1" hostid)
	check "hostid" test "$id" != 0x00000000
	expect_same "attributes" "$(shown "$fw1")" "syncpeer 224.0.0.240$(
		) version 6 maxupd 128 flush 10 window bounded defer off$(
		) defertime 20 deferlimit 128 hostid $id local off alone on"
	expect_same "verdict" "$(attribute "$fw1" verdict)" down
	expect_same "mtu" "$(in_ns "$fw1" cat "/sys/class/net/$DEV/mtu")" 1500
	check "del" nfsync_down "$fw1"
	check "add again" add_link
	check "another hostid" test "$(attribute "$fw1" hostid)" != "$id"
	check "del again" nfsync_down "$fw1"
}

# The name of the device is free, and all can be said when it is made
test_all_at_once()
{
	local DEV=other7

	check "add" add_link syncdev sync syncpeer "$FW2_SYNC" version 6 \
		maxupd 7 flush 20 window strict defer on defertime 30 deferlimit 9 \
		hostid 0xabcdef01 \
		local on alone off nosync 16/0xf0 natshare 1/3
	expect_same "attributes" "$(shown "$fw1")" "syncdev sync$(
		) syncpeer $FW2_SYNC version 6 maxupd 7 flush 20$(
		) window strict defer on defertime 30 deferlimit 9$(
		) hostid 0xabcdef01 local on$(
		) alone off nosync 0x10/0xf0 natshare 1/3"
	expect_same "JSON" "$(json "$fw1")" "syncdev sync$(
		) syncpeer $FW2_SYNC version 6 maxupd 7 flush 20$(
		) window strict defer true defertime 30 deferlimit 9$(
		) hostid 2882400001 local true$(
		) alone false nosync {\"mark\":16,\"mask\":240}$(
		) natshare {\"share\":1,\"of\":3}$(
		) verdict down peers []"
	check "del" nfsync_down "$fw1"
}

test_attributes_while_down()
{
	check "add" add_link syncdev sync hostid 0x11111111
	every_attribute
	expect_same "verdict" "$(attribute "$fw1" verdict)" down
}

# By ip and past it
test_resync_while_down()
{
	local BEFORE

	BEFORE=$(shown "$fw1")
	refuses 'resync needs the device up' resync=
	refused 'resync needs the device up' set_link resync
	expect_same "verdict" "$(attribute "$fw1" verdict)" down
}

test_attributes_while_up()
{
	check "up" ip -n "$fw1" link set "$DEV" up
	verdict "$fw1" alone
	every_attribute
	verdict "$fw1" alone
}

# Nothing is asked of the peers for a configuration that is there already
test_identical_configuration()
{
	local before attributes

	nfsync_up "$fw2" hostid 0x22222222
	verdict "$fw1" in-sync
	verdict "$fw2" in-sync
	check "quiet" wait_quiet "$fw1" "$fw2"
	before=$(stat_get "$fw1" tx_upd_req)
	attributes=$(shown "$fw1")
	set_link syncdev sync syncpeer 224.0.0.240 version 6 maxupd 128 \
		flush 10 window bounded defer off defertime 20 deferlimit 128 \
		hostid 0x11111111 local off alone on nosync none || fail "set"
	set_link syncpeer none || fail "syncpeer none"
	set_link syncdev sync || fail "syncdev sync"
	expect_same "attributes" "$(shown "$fw1")" "$attributes"
	expect_same "verdict" "$(attribute "$fw1" verdict)" in-sync
	check "quiet" wait_quiet "$fw1" "$fw2"
	expect "requests" "$(stat_get "$fw1" tx_upd_req)" eq "$before"
	# so that the counter can move at all
	set_link syncpeer "$FW2_SYNC" || fail "syncpeer"
	check "a new way is asked for the states" \
		wait_stat "$fw1" tx_upd_req $((before + 1))
	set_link syncpeer none || fail "syncpeer none"
	verdict "$fw1" in-sync
}

# peer_is NS FILTER: true of the one peer that is shown
peer_is()
{
	ip -n "$1" -d -j link show "$DEV" | jq -e \
		".[0].linkinfo.info_data.peers | length == 1 and (.[0] | $2)"
}

# peer_line NS REGEX: the same as a person sees it, on a line of its own
peer_line()
{
	ip -n "$1" -d link show "$DEV" | grep -E "^ +peer $2 $"
}

test_peers()
{
	check "JSON" wait_for "$WAIT" peer_is "$fw1" ".address == \"$FW2_SYNC\" \
		and .hostid == $((0x22222222)) and .verdict == \"in-sync\" \
		and .states == 0 and .lost >= 0 and .live"
	check "text" wait_for "$WAIT" peer_line "$fw2" "$FW1_SYNC hostid$(
		) 0x11111111 verdict in-sync states 0 uptime [0-9]+s$(
		) heard [0-9]+ms lost [0-9]+"
	nfsync_down "$fw2"
	check "good-bye" wait_for "$WAIT" peer_is "$fw1" \
		'.live == false and .verdict == "down"'
	check "gone" wait_for "$WAIT" peer_line "$fw1" \
		"$FW2_SYNC .* verdict down .* gone"
	nfsync_up "$fw2" hostid 0x22222222
	verdict "$fw1" in-sync
	verdict "$fw2" in-sync
	check "is back" wait_for "$WAIT" peer_is "$fw1" .live
}

# valued TEXT VALUE: what a refusal says. Before Linux 6.2 it can't name values.
valued()
{
	if [ "$(printf '6.2\n%s\n' "$(uname -r)" | sort -V | head -n 1)" = 6.2 ]
	then
		echo "$1$2"
	else
		echo "$1"
	fi
}

# refuses TEXT ATTRIBUTES...: the kernel does, in these words, and nothing
# changes, not even what was good beside it
refuses()
{
	refused "$1" raw set maxupd=77 "${@:2}"
	expect_same "after a refused ${*:2}" "$(shown "$fw1")" "$BEFORE"
}

test_refusals()
{
	local lo other BEFORE

	BEFORE=$(shown "$fw1")
	lo=$(in_ns "$fw1" cat /sys/class/net/lo/ifindex)
	other=$(in_ns "$fw1" cat "/sys/class/net/$DEV/ifindex")
	refuses 'syncdev must not be a loopback device' syncdev="$lo"
	refuses 'not a device of this namespace' syncdev=99999
	refuses 'must not be the pfsync device itself' syncdev="$other"
	refuses "$(valued 'syncpeer is an address of this node' ': 10\.0\.9\.1')" \
		syncpeer=10.0.9.1
	refuses 'syncpeer is a broadcast address' syncpeer=10.0.9.255
	refuses "$(valued 'unicast or 224\.0\.0\.240' ', not 224\.0\.0\.1')" syncpeer=224.0.0.1
	refuses 'unicast or 224\.0\.0\.240' syncpeer=255.255.255.255
	refuses 'unicast or 224\.0\.0\.240' syncpeer=127.0.0.1
	refuses "$(valued 'version must be 6, 1301, 1400 or 1500' ', not 5')" version=5
	refuses 'version must be 6' version=0
	refuses "$(valued 'not supported yet' ': 1301')" version=1301
	refuses "$(valued 'not supported yet' ': 1400')" version=1400
	refuses "$(valued 'not supported yet' ': 1500')" version=1500
	refuses "$(valued 'flush must be 1 to 1000 ms' ', not 0')" flush=0
	refuses "$(valued 'flush must be 1 to 1000 ms' ', not 1001')" flush=1001
	refuses 'flush must be' flush=0xffffffff
	refuses "$(valued 'window must be bounded, liberal or strict' ', not 3')" window=3
	refuses "$(valued 'defer must be 0 or 1' ', not 2')" defer=2
	refuses "$(valued 'defertime must be 1 to 10000 ms' ', not 0')" \
		defertime=0
	refuses "$(valued 'defertime must be 1 to 10000 ms' ', not 10001')" \
		defertime=10001
	refuses "$(valued 'deferlimit must be 1 to 65535 packets' ', not 0')" \
		deferlimit=0
	refuses "$(valued 'deferlimit must be 1 to 65535 packets' ', not 65536')" \
		deferlimit=65536
	refuses "$(valued 'local must be 0 or 1' ', not 255')" local=255
	refuses "$(valued 'alone must be 0 or 1' ', not 2')" alone=2
	refuses "$(valued 'nosync mark has bits that its mask has not' ': 0x3/0x1')" \
		nosync=3/1
	refuses "$(valued 'nosync mark has bits that its mask has not' ': 0x1/0x0')" \
		nosync=1/0
	refuses 'nosync mark has bits that its mask has not' \
		nosync=0x80000000/0x7fffffff
	refuses "$(valued 'natshare must be one of 2 to 16' ', not of 1')" \
		natshare=0x0100
	refuses "$(valued 'natshare must be one of 2 to 16' ', not of 17')" \
		natshare=0x1100
	refuses "$(valued 'natshare must be below the number of shares' ': 2/2')" \
		natshare=0x0202
	refuses 'natshare must be one of 2 to 16' natshare=0x0001
	refuses 'hostid must not be 0' hostid=0
	refuses 'verdict is read only' verdict=5
	refuses 'peers are read only' peers=
	for other in 1/2 2/2 2/8 3/1 3/4 4/2 5/2 6/4 7/2 8/8 9/4 11/2 15/2 \
		16/8; do
		refuses 'invalid attribute length' $other=1
	done
	refuses 'link is not used, set syncdev' link="$lo"
}

# What ip itself says, before it asks the kernel
test_refusals_by_ip()
{
	refused 'version' set_link version x
	refused 'maxupd' set_link maxupd 256
	refused 'maxupd' set_link maxupd -1
	refused 'window' set_link window half
	refused 'defer' set_link defer maybe
	refused 'local' set_link local 1
	refused 'hostid' set_link hostid 0x100000000
	refused 'syncpeer' set_link syncpeer fd00::1
	refused 'syncdev' set_link syncdev eth99
	refused 'not complete' set_link flush
	refused 'duplicate' set_link flush 1 flush 2
	refused 'unknown option "colour"' set_link colour red
	refused 'defertime' set_link defertime soon
	refused 'deferlimit' set_link deferlimit -1
	refused 'natshare' set_link natshare 1
	refused 'natshare' set_link natshare 0/0
	refused 'natshare' set_link natshare 0/256
}

test_help()
{
	local help option

	help=$(ip link help pfsync 2>&1)
	for option in syncdev syncpeer version maxupd flush window defer \
		defertime deferlimit hostid local alone nosync natshare \
		resync; do
		grep -q "$option" <<< "$help" || fail "help lacks $option"
	done
	expect_same "help among the options" \
		"$(ip link add type pfsync help 2>&1)" "$help"
}

# A refused device is not there
test_refused_while_made()
{
	check "del" nfsync_down "$fw1"
	refused 'hostid must not be 0' raw add syncdev=sync hostid=0
	refused 'loopback' raw add syncdev=lo
	refused 'address of this node' raw add syncpeer=10.0.9.1
	refused 'not a device of this namespace' raw add syncdev=4711
	check "no device" not ip -n "$fw1" link show "$DEV" 2> "$TMP/said"
	refused 'greater than|minimum|MTU' ip -n "$fw1" link add "$DEV" mtu 307 \
		type pfsync
	check "no device" not ip -n "$fw1" link show "$DEV" 2> "$TMP/said"
	check "smallest mtu" ip -n "$fw1" link add "$DEV" mtu 308 type pfsync
	refused 'minimum' ip -n "$fw1" link set "$DEV" mtu 307
	expect_same "mtu" "$(in_ns "$fw1" cat "/sys/class/net/$DEV/mtu")" 308
	check "del" nfsync_down "$fw1"
}

test_one_device_per_namespace()
{
	check "add" add_link syncdev sync hostid 0x11111111
	refused "$(valued "only one pfsync device per namespace" ", $DEV exists")" \
		ip -n "$fw1" link add nfsync1 type pfsync
	check "no device" not ip -n "$fw1" link show nfsync1 2> "$TMP/said"
	expect_same "syncdev of the first" "$(attribute "$fw1" syncdev)" sync
	check "elsewhere there can be one" ip -n "$cl" link add "$DEV" \
		type pfsync syncdev lan
	check "and up" ip -n "$cl" link set "$DEV" up
	expect_same "its syncdev" "$(attribute "$cl" syncdev)" lan
	expect_same "ours" "$(attribute "$fw1" syncdev)" sync
	check "del there" nfsync_down "$cl"
	expect_same "ours after that" "$(attribute "$fw1" syncdev)" sync
}

test_not_movable()
{
	refused '.' ip -n "$fw1" link set "$DEV" netns "$cl"
	expect_same "still here" "$(attribute "$fw1" syncdev)" sync
	check "not there" not ip -n "$cl" link show "$DEV" 2> "$TMP/said"
	# made from another namespace, by an index that means something else here
	refused 'another namespace' in_ns "$sv" ip link add nfsync0 \
		netns "$cl" type pfsync syncdev wan
	check "not there" not ip -n "$cl" link show "$DEV" 2> "$TMP/said"
	# without a syncdev nothing is wrong with it
	check "made from outside" in_ns "$sv" ip link add nfsync0 netns "$cl" \
		type pfsync hostid 5
	expect_same "hostid" "$(attribute "$cl" hostid)" 0x00000005
	check "gone" nfsync_down "$cl"
}

# Nobody has it: it must not be reported as if it could serve
test_verdict_and_running()
{
	local asks

	nfsync_down "$fw2"
	expect_same "before up" "$(attribute "$fw1" verdict)" down
	check "up" ip -n "$fw1" link set "$DEV" up
	# in one look: three seconds later it has asked
	asks=$(ip -n "$fw1" -d -o link show "$DEV")
	check "carrier" grep -q '[<,]LOWER_UP[,>]' <<< "$asks"
	check "asks first" grep -q '[<,]NO-CARRIER[,>]' <<< "$asks"
	check "dormant" grep -q '[<,]DORMANT[,>]' <<< "$asks"
	check "verdict" grep -q ' verdict joining ' <<< "$asks"
	verdict "$fw1" alone
	check "running alone" wait_running "$fw1"
	nfsync_up "$fw2" hostid 0x22222222
	verdict "$fw2" in-sync
	check "peer runs" wait_running "$fw2"
	verdict "$fw1" in-sync
	check "running in sync" running "$fw1"
	check "down" ip -n "$fw1" link set "$DEV" down
	expect_same "down" "$(attribute "$fw1" verdict)" down
	check "not running" not running "$fw1"
	check "up" ip -n "$fw1" link set "$DEV" up
	verdict "$fw1" in-sync
}

# Who served goes on: on a direct cable the link goes with the peer
test_syncdev_loses_carrier()
{
	check "peer's end down" ip -n "$fw2" link set sync down
	verdict "$fw1" alone
	verdict "$fw2" alone
	check "carrier" has_flag "$fw1" LOWER_UP
	check "running" running "$fw1"
	check "peer's end up" ip -n "$fw2" link set sync up
	verdict "$fw1" in-sync
	verdict "$fw2" in-sync
	check "our end down" ip -n "$fw1" link set sync down
	verdict "$fw1" alone
	check "down and up without a link" ip -n "$fw1" link set "$DEV" down
	check "up" ip -n "$fw1" link set "$DEV" up
	check "not running at once" not running "$fw1"
	verdict "$fw1" no-link
	check "no carrier" has_flag "$fw1" NO-CARRIER
	check "our end up" ip -n "$fw1" link set sync up
	verdict "$fw1" in-sync
	check "running" wait_running "$fw1"
}

# A syncdev that is taken away and made again under its name
test_syncdev_gone_and_back()
{
	local before

	check "del" ip -n "$fw1" link del sync
	verdict "$fw1" alone
	verdict "$fw2" alone
	expect_same "no syncdev" "$(attribute "$fw1" syncdev)" none
	check "another device changes nothing" ip -n "$fw1" link add other \
		type veth peer name other2
	expect_same "still none" "$(attribute "$fw1" syncdev)" none
	sync_text 1500 | netlab || fail "sync link"
	expect_same "syncdev" "$(attribute "$fw1" syncdev)" sync
	verdict "$fw1" in-sync
	verdict "$fw2" in-sync
	check "del other" ip -n "$fw1" link del other
	before=$(stat_get "$fw2" imp_created)
	check "flow" flow_cl -n 2
	check "is told" wait_stat "$fw2" imp_created $((before + 2))
}

test_syncdev_renamed()
{
	check "down" ip -n "$fw1" link set sync down
	check "rename" ip -n "$fw1" link set sync name cable
	check "up" ip -n "$fw1" link set cable up
	expect_same "syncdev" "$(attribute "$fw1" syncdev)" cable
	verdict "$fw1" in-sync
	check "down" ip -n "$fw1" link set cable down
	check "rename back" ip -n "$fw1" link set cable name sync
	check "up" ip -n "$fw1" link set sync up
	verdict "$fw1" in-sync
}

# ip's names of the counters, in both forms, are those of ethtool
test_names_of_counters()
{
	local ethtool json

	ethtool=$(in_ns "$fw1" ethtool -S "$DEV" | sed 1d | tr -d ' ' |
		cut -d: -f1 | grep -v '^states$')
	json=$(ip -n "$fw1" -s -s -d -j link show "$DEV" | jq -r \
		'.[0].linkinfo.info_xstats | .. | objects | keys_unsorted[]' |
		grep -v '^pfsync$')
	expect "counters" "$(wc -l <<< "$ethtool")" ge 50
	expect_same "names" "$json" "$ethtool"
	expect_same "text has them all" "$(ip -n "$fw1" -s -s -d link show "$DEV" |
		tr -s ' ' '\n' | grep -cxF "$ethtool")" \
		"$(wc -l <<< "$ethtool")"
	check "a gauge" test "$(stat_get "$fw1" states)" -ge 0
}

# tcpdump on nfsync0 sees what leaves and what arrives
# same_count STATISTIC COUNTER [REFUSED]: on fw1, where what was refused before
# it was looked at is no traffic; a hello may come between the two
same_count()
{
	local ours theirs

	theirs=$(in_ns "$fw1" cat "/sys/class/net/$DEV/statistics/$1")
	ours=$(stat_get "$fw1" "$2")
	[ -z "${3:-}" ] || ours=$((ours - $(stat_get "$fw1" "$3")))
	echo "# $1 $theirs, $2 $ours"
	[ "$theirs" = "$ours" ]
}

test_tcpdump_shows_both_directions()
{
	local out

	check "tcpdump" sniff "$fw1" "$DEV" ip proto 240
	out=$OUT
	check "flow" flow_cl
	check "sent" wait_for "$WAIT" grep -q \
		"IP $FW1_SYNC > 224.0.0.240:  ip-proto-240" "$out"
	check "leave" set_link syncdev none
	check "ask for the states" set_link syncdev sync
	check "received" wait_for "$WAIT" grep -q \
		"IP $FW2_SYNC > 224.0.0.240:  ip-proto-240" "$out"
	kill_spawned
	start_server
	# interface counters tell the same story, once each
	check "received packets" wait_for "$WAIT" same_count rx_packets ipackets \
		rx_down
	check "sent packets" wait_for "$WAIT" same_count tx_packets opackets
}

test_del_while_up()
{
	check "del" nfsync_down "$fw1"
	check "gone" not ip -n "$fw1" link show "$DEV" 2> "$TMP/said"
	check "the syncdev stays" ip -n "$fw1" link show sync
	expect_same "no group on it" "$(ip -n "$fw1" maddr show dev sync |
		grep -c 224.0.0.240)" 0
	check "add" nfsync_up "$fw1" hostid 0x11111111
	verdict "$fw1" in-sync
	expect_same "group on it" "$(ip -n "$fw1" maddr show dev sync |
		grep -c 224.0.0.240)" 1
	nfsync_down "$fw1"
	nfsync_down "$fw2"
}

need_nfsync
need_plugin
topo_up || skip_all "the topology cannot be set up here"
run_tests test_without_options_and_without_plugin test_defaults \
	test_all_at_once test_attributes_while_down test_resync_while_down \
	test_attributes_while_up \
	test_identical_configuration test_peers test_refusals \
	test_refusals_by_ip \
	test_help test_refused_while_made test_one_device_per_namespace \
	test_not_movable test_verdict_and_running test_syncdev_loses_carrier \
	test_syncdev_gone_and_back test_syncdev_renamed \
	test_names_of_counters test_tcpdump_shows_both_directions \
	test_del_while_up
