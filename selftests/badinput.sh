#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Frames that nobody should send: each is counted under its reason and under
# no other, and the table stays as it is. fw1 has no nfsync0; hand-made frames
# leave from there. What is good although it looks odd is taken.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      rawsync
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      nfsync0, hostid 0x22222222
#                  .3 lan +-----+ wan .3

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

OWN=0x22222222
# A state of our own making: ports tell them apart
GOOD=src=10.0.1.2,dst=10.0.2.2,sport=1000,dport=80
NINE=ins,id=9,$GOOD,sport=9

# What moves by itself: a node that hears somebody asks for its states, and one
# that is alone for ten seconds doubts what it was told
BY_ITSELF='opackets|tx_.*|timeouts|urgent|bulk_limited|doubted|states'

# Some 120 frames are sent, with a look at counters and table after each, and
# starting programs is what costs most in an emulated guest: what was read
# after one frame is what was there before the next, nsenter leaves out the
# mounts of ip netns exec, and one awk judges all.
inside()
{
	local ns=$1
	shift
	nsenter --net="/run/netns/$ns" "$@"
}

NOW=$TMP/now
BEFORE=$TMP/before

# look: counters and table as they are now, to $NOW
look()
{
	inside "$fw2" ethtool -S "$DEV" > "$NOW.counters" &&
		inside "$fw2" conntrack -L > "$NOW.table" 2> "$TMP/said"
}

swap()
{
	local tmp=$NOW

	NOW=$BEFORE
	BEFORE=$tmp
}

remember()
{
	look
	swap
}

# changed "COUNTER=N ..." TABLE: these counters and no others moved since
# $BEFORE, by that much; TABLE "same": and no entry came, went or changed, but
# for what changes by itself
changed()
{
	look || return 1
	awk -v wanted="$1" -v table="$2" -v skip="^($BY_ITSELF):\$" '
	function wrong(text) { printf "%s; ", text; failed = 1 }
	BEGIN {
		n = split(wanted, w)
		for (i = 1; i <= n; i++) {
			split(w[i], p, "=")
			want[p[1] ":"] = p[2]
		}
	}
	FNR == 1 { file++ }
	file == 1 { old[$1] = $2 }
	file == 2 && NF == 2 && $1 !~ skip {
		if ($2 - old[$1] != want[$1] + 0)
			wrong($1 " moved by " $2 - old[$1] ", wanted " want[$1] + 0)
		seen[$1] = 1
	}
	file > 2 { $3 = ""; gsub(/use=[0-9]+/, "") }
	file == 3 { entry[$0]++ }
	file == 4 { entry[$0]-- }
	END {
		for (c in want)
			if (!seen[c])
				wrong("no counter " c)
		for (e in entry)
			if (table == "same" && entry[e])
				wrong((entry[e] > 0 ? "gone: " : "new: ") e)
		if (file != 4)
			wrong("an empty table or no counters")
		exit failed
	}' "$BEFORE.counters" "$NOW.counters" "$BEFORE.table" "$NOW.table"
}

send()
{
	inside "$fw1" rawsync -i sync -s "$FW1_SYNC" "$@"
}

# sent "COUNTER=N ..." TABLE RAWSYNC_ARGUMENTS...
sent()
{
	local wanted="ipackets=1 $1" table=$2
	shift 2
	send "$@" || fail "cannot send: $*"
	changed "$wanted" "$table" > "$TMP/changed" ||
		wait_for 2 changed "$wanted" "$table" || fail "sent: $*"
	swap
}

# good "COUNTER=N ..." RAWSYNC_ARGUMENTS...: a frame that changes something,
# and these counters alone by exactly that much
good()
{
	sent "$1" any "${@:2}"
}

# bad "COUNTER=N ..." RAWSYNC_ARGUMENTS...: a frame that reaches us, is counted
# as told and leaves the table as it is
bad()
{
	sent "$1" same "${@:2}"
}

has_entry()
{
	echo "no entry with '$*'"
	[ "$(ct_list "$fw2" "$@" | wc -l)" -eq 1 ]
}

has_no_entry()
{
	! has_entry "$@"
}

# body ITEM: the message alone in hex, without headers
body()
{
	rawsync -o "$1" | cut -c49-
}

zeros()
{
	printf '%0*d' $(($1 * 2)) 0
}

log_count()
{
	dmesg | grep -c "$1"
}

# Without this the other tests could not fail: good frames do change things.
test_good_frames_are_taken()
{
	local said

	send "ins,id=10,$GOOD,sport=1010"
	check "entry to begin with" wait_for 5 has_entry -p tcp --sport 1010
	remember
	said=$(changed "" same) || fail "changes by itself: $said"
	changed "badttl=1" same > "$TMP/said" &&
		fail "a counter that stands still goes for one that moves"
	changed "no_such_counter=1" same > "$TMP/said" &&
		fail "a counter that is not there goes for one that moves"
	good "rx_ins=2 imp_created=2" \
		"ins,id=1,$GOOD" "+ins,id=2,$GOOD,sport=1001"
	check "first entry" has_entry -p tcp --sport 1000
	check "second entry" has_entry -p tcp --sport 1001
	good "rx_upd_c=1 imp_updated=1" upd_c,id=1,seqlo=2000,seqhi=70000
	good "rx_ins=1 imp_created=1" "ins,id=3,$GOOD,sport=1002"
	good "rx_del_c=1 imp_deleted=1" del_c,id=3
	check "third entry is gone" has_no_entry -p tcp --sport 1002
}

test_envelope()
{
	bad badttl=1 -t 254 "$NINE"
	bad badttl=1 -t 1 clr
	bad rx_own=1 -s "$FW2_SYNC" -d "$FW2_SYNC" "$NINE"
	bad rx_own=1 -s 10.0.1.3 "$NINE"
	bad badif=1 -i lan -s 10.0.1.1 -d 10.0.1.3 "$NINE"
	bad badif=1 -i lan -s 10.0.1.1 -d 10.0.1.3 clr
}

test_short_frames()
{
	bad hdrops=1 -x ''
	bad hdrops=1 -x 06
	bad hdrops=1 -T 1
	bad hdrops=1 -x "0600$(zeros 17)"
}

# Named in the log once for each sender
test_version()
{
	local said='sends header version' before

	before=$(log_count "$said")
	bad badver=1 -V 4 "$NINE"
	bad badver=1 -V 5 "$NINE"
	bad badver=1 -V 7 clr
	bad badver=1 -V 0 clr
	expect "log lines of one sender" "$(log_count "$said")" eq $((before + 1))
	bad badver=1 -s 10.0.9.33 -V 5 clr
	bad badver=1 -s 10.0.9.33 -V 5 clr
	expect "log lines of two senders" "$(log_count "$said")" \
		eq $((before + 2))
	expect "with both versions" \
		"$(log_count '10.0.9.33 sends header version 5.* 6')" ge 1
}

test_lengths()
{
	bad badlen=1 -L 0 "$NINE"
	bad badlen=1 -L 19 "$NINE"
	bad badlen=1 -L 287 "$NINE"
	bad badlen=1 -L 289 "$NINE"
	bad badlen=1 -L 65535 "$NINE"
	# 1 to 3 bytes left over, within the length that the header tells
	bad badlen=1 -P 1 -L 289 "$NINE"
	bad badlen=1 -P 3 -L 291 "$NINE"
	# cut anywhere: in the message, in the subheader, right behind it
	bad badlen=1 -T 1 "$NINE"
	bad badlen=1 -T 263 "$NINE"
	bad badlen=1 -T 264 "$NINE"
	bad badlen=1 -T 265 "$NINE"
	bad badlen=1 -T 267 "$NINE"
	bad badlen=1 "$NINE,count=2"
	bad badlen=1 "$NINE,count=65535"
	bad badlen=1 "$NINE,words=67"
	bad badlen=1 "$NINE,words=255"
	bad badlen=1 clr,count=65535
	bad badlen=1 del_c,id=1,count=65535
	bad badlen=1 "raw,action=99,hex=00000000,count=65535"
	bad badlen=1 "raw,action=13,count=0,words=66"
	bad badlen=1 "raw,action=0,count=0,words=5"
}

# A good section in front of a bad one is not applied either
test_all_or_nothing()
{
	bad badlen=1 "$NINE" del_c,id=1,count=2
	bad badlen=1 clr,creator=0x11111111 upd_req,id=1,count=9
	bad badact=1 del_c,id=1 raw,action=99
}

test_actions_that_cannot_be_skipped()
{
	bad badact=1 raw,action=99,count=1
	bad badact=1 raw,action=255,count=65535
	bad badact=1 raw,action=99,count=0,words=1
	bad badact=1 raw,action=16,count=0
}

test_actions_that_can_be_skipped()
{
	bad "rx_skipped=1" raw,action=99,hex=0011223344556677
	bad "rx_skipped=2" raw,action=200,hex=00112233 +raw,hex=44556677,words=1
	bad "rx_skipped=1" eof
	bad "rx_tdb=1" tdb
	# a state shorter than version 6 has it is another revision's
	bad "rx_skipped=1" "raw,action=13,hex=$(zeros 260)"
	# the padding of an Ethernet frame
	bad "rx_skipped=1" -P 20 raw,action=99,hex=00000000
	# what stands behind them counts
	good "rx_skipped=1 rx_ins=1 imp_created=1" \
		raw,action=99,hex=0011223344556677 "ins,id=4,$GOOD,sport=1004"
	check "entry behind it" has_entry -p tcp --sport 1004
	good "rx_tdb=1 rx_del_c=1 imp_deleted=1" tdb \
		del_c,id=4
	check "entry is gone" has_no_entry -p tcp --sport 1004
}

test_longer_messages_are_read()
{
	good "rx_ins=1 imp_created=1" \
		"raw,action=13,hex=$(body "ins,id=5,$GOOD,sport=1005")$(zeros 40)"
	check "entry" has_entry -p tcp --sport 1005
	good "rx_upd_c=1 imp_updated=1" \
		"raw,action=4,hex=$(body upd_c,id=5,seqlo=3000,seqhi=80000)$(zeros 4)"
	good "rx_del_c=1 imp_deleted=1" \
		"raw,action=7,hex=$(body del_c,id=5)$(zeros 8)"
	check "entry is gone" has_no_entry -p tcp --sport 1005
}

test_state_values()
{
	bad "rx_ins=1 badval=1" "$NINE,creator=0"
	bad "rx_ins=1 badval=1" "$NINE,timeout=24"
	bad "rx_ins=1 badval=1" "$NINE,timeout=255"
	bad "rx_ins=1 badval=1" "$NINE,dir=3"
	bad "rx_ins=1 badval=1" "$NINE,state=13/4"
	bad "rx_ins=1 badval=1" "$NINE,state=4/13"
	bad "rx_ins=1 badval=1" "$NINE,state=255/255"
	bad "rx_ins=1 badval=1" "$NINE,af=0"
	bad "rx_ins=1 badval=1" "$NINE,af=10"
	bad "rx_ins=1 badval=1" "$NINE,af=28"
	# families of the keys: unknown, or told for one of them alone
	bad "rx_ins=1 badval=1" "$NINE,poke=62:0a"
	bad "rx_ins=1 badval=1" "$NINE,poke=102:0a"
	bad "rx_ins=1 badval=1" "$NINE,poke=62:00"
	# the Linux trailer with a TCP state that is none
	bad "rx_ins=1 badval=1" "raw,action=13,hex=$(body "$NINE"
		)4e465331$(zeros 16)0a030000"
	bad "rx_upd=1 badval=1" "upd,id=1,$GOOD,state=4/13"
	bad "rx_upd=1 badval=1" "upd,id=1,$GOOD,creator=0"
	# a bad one does not take the good one beside it along
	good "rx_ins=2 badval=1 imp_created=1" \
		"$NINE,timeout=99" "+ins,id=6,$GOOD,sport=1006"
	good "rx_del_c=1 imp_deleted=1" del_c,id=6
}

test_other_values()
{
	bad "rx_upd_c=1 badval=1" upd_c,id=1,state=13/4
	bad "rx_upd_c=1 badval=1" upd_c,id=1,state=4/13
	bad "rx_upd_c=1 badval=1" upd_c,id=1,timeout=24
	bad "rx_clr=1 badval=1" clr,creator=0
	bad "rx_clr=1 badval=1" clr,poke=0:61616161616161616161616161616161
	bad "rx_bus=1" bus,status=0
	bad "rx_bus=1" bus,status=3
}

# CLR of an interface: ours are of no interface
test_clr_of_an_interface()
{
	bad "rx_clr=1" clr,ifname=em0
	bad "rx_clr=1" clr,ifname=sync
	bad "rx_clr=1" clr,ifname=allx
	bad "rx_clr=1" clr,creator=0x33333333
}

test_unknown_states()
{
	bad "rx_del=1 badstate=1" del,id=99
	bad "rx_del_c=1 badstate=1" del_c,id=99
	bad "rx_del_c=1 badstate=1" del_c,id=1,creator=0x33333333
	bad "rx_del_c=1 badstate=1" del_c,id=0,creator=0
	bad "rx_ins_ack=1 badstate=1" ins_ack,id=99
	bad "rx_upd_req=1 badstate=1" upd_req,id=99
	bad "rx_upd_req=2 badstate=2" upd_req,id=99 +upd_req,id=98
}

# told STATUS: a state with a Linux node's trailer
told()
{
	echo "raw,action=13,hex=$(body "ins,id=50,$GOOD,sport=1050"
		)4e465331$(zeros 16)03${1}0000"
}

# Whoever did not hear of the end would answer for ever if he were asked for ever
test_states_that_ended()
{
	local still moves

	still=$(told 03) moves=$(told 07)
	good "rx_ins=1 imp_created=1" "$still"
	good "rx_del_c=1 imp_deleted=1" del_c,id=50
	bad "rx_ins=1 tomb_asked=1" "$still"
	bad "rx_ins=1" "$still"
	bad "rx_ins=1" "$still"
	good "rx_ins=1 imp_created=1" "$moves"
	good "rx_del_c=1 imp_deleted=1" del_c,id=50
}

# An update of an unknown state: its peer is asked for it, once
test_unknown_updates()
{
	local before

	check "quiet" wait_quiet "$fw2"
	before=$(stat_get "$fw2" tx_upd_req)
	check "tcpdump" sniff "$fw1" sync -c 1 -XX "src $FW2_SYNC and
		ip[56] = 5 and ip[67] = 77"
	bad "rx_upd_c=3 req_limited=2" upd_c,id=77 +upd_c,id=77 +upd_c,id=77
	check "request" wait "$PID"
	expect "requests" "$(stat_get "$fw2" tx_upd_req)" gt "$before"
}

test_own_id()
{
	local said='uses our hostid' before

	before=$(log_count "$said")
	bad "rx_ins=1 imp_ownid=1" "ins,id=9,creator=$OWN,$GOOD,sport=9"
	bad "rx_ins=2 imp_ownid=2" "ins,id=9,creator=$OWN,$GOOD,sport=9" \
		"+ins,id=8,creator=$OWN,$GOOD,sport=8"
	expect "log lines" "$(log_count "$said")" eq $((before + 1))
}

test_unsupported_states()
{
	# NAT64: one key of each family
	bad "rx_ins=1 imp_unsupp=1" "$NINE,ssrc=fd00:1::2,sdst=fd00:2::2"
	bad "rx_ins=1 imp_unsupp=1" "$NINE,state=12/12"
	bad "rx_ins=1 imp_unsupp=1" "$NINE,state=11/4"
	bad "rx_ins=1 imp_unsupp=1" "$NINE,state=4/12"
	# the same of a state that is known
	bad "rx_upd=1 imp_unsupp=1" "upd,id=1,$GOOD,state=4/12"
	bad "rx_upd_c=1 imp_unsupp=1" upd_c,id=1,state=11/4
	bad "rx_upd_c=1 imp_unsupp=1" upd_c,id=1,poke=24:00000001
	# rdomain of the wire key, of the stack key
	bad "rx_ins=1 imp_unsupp=1" "$NINE,poke=60:0001"
	bad "rx_ins=1 imp_unsupp=1" "$NINE,poke=100:0007"
	# rtableid, route-to, seqdiff of either side
	bad "rx_ins=1 imp_unsupp=1" "$NINE,poke=240:00000003"
	bad "rx_ins=1 imp_unsupp=1" "$NINE,poke=254:01"
	bad "rx_ins=1 imp_unsupp=1" "$NINE,poke=120:00000001"
	bad "rx_ins=1 imp_unsupp=1" "$NINE,poke=152:80000000"
	# protocols
	bad "rx_ins=1 imp_unsupp=1" "$NINE,proto=0"
	bad "rx_ins=1 imp_unsupp=1" "$NINE,proto=240"
	bad "rx_ins=1 imp_unsupp=1" "$NINE,proto=58"
	bad "rx_ins=1 imp_unsupp=1" "$NINE,proto=1,sport=3,dport=7"
}

test_conflicting_states()
{
	# the same connection, other translation
	bad "rx_ins=1 imp_conflict=1" "ins,id=9,$GOOD,ssrc=10.9.9.9"
	# an entry's reply as somebody's original
	bad "rx_ins=1 imp_conflict=1" \
		ins,id=9,src=10.0.2.2,dst=10.0.1.2,sport=80,dport=1000
	# another original that is translated to the same reply
	bad "rx_ins=1 imp_conflict=1" \
		"ins,id=9,$GOOD,src=10.0.1.99,ssrc=10.0.1.2"
	# known, under another id: of one creator the later counts
	bad "rx_ins=1 imp_adopted=1 stale=1" "ins,id=71,$GOOD,seqlo=1,seqhi=2"
	bad "rx_ins=1 imp_alias=1 stale=1" "ins,id=70,$GOOD,seqlo=1,seqhi=2"
}

test_full_table()
{
	local max

	max=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
	sysctl -qw net.netfilter.nf_conntrack_max=1
	bad "rx_ins=1 imp_full=1" "$NINE"
	sysctl -qw "net.netfilter.nf_conntrack_max=$max"
	# tried again with the next word of it
	good "rx_upd=1 imp_created=1" "upd,id=9,$GOOD,sport=9"
	good "rx_del_c=1 imp_deleted=1" del_c,id=9
}

# IP puts fragments together before we see them
test_fragments()
{
	local i items=()

	for ((i = 0; i < 20; i++)); do
		items+=("+ins,id=$((100 + i)),$GOOD,sport=$((2000 + i))")
	done
	good "rx_ins=20 imp_created=20" -F 800 "${items[@]}"
	expect "entries" "$(ct_list "$fw2" -p tcp | grep -c sport=20)" eq 20
	bad badlen=1 -F 800 -T 1 "${items[@]}"
	items=()
	for ((i = 0; i < 20; i++)); do
		items+=("+del_c,id=$((100 + i))")
	done
	good "rx_del_c=20 imp_deleted=20" -F 64 "${items[@]}"
}

test_other_peer()
{
	ip -n "$fw2" link set "$DEV" type pfsync syncpeer "$FW1_SYNC" ||
		fail "syncpeer"
	remember
	bad badauth=1 -s 10.0.9.77 -d "$FW2_SYNC" "$NINE"
	bad badauth=1 -s 10.0.9.77 -d "$FW2_SYNC" clr
	bad "rx_bus=1" -d "$FW2_SYNC" bus,status=0
	ip -n "$fw2" link set "$DEV" type pfsync syncpeer 224.0.0.240 ||
		fail "group"
	remember
	bad "rx_bus=1" -s 10.0.9.77 bus,status=0
}

# Entries stay when the device goes down; frames are then for nobody
test_device_down()
{
	ip -n "$fw2" link set "$DEV" down
	remember
	bad rx_down=1 -d "$FW2_SYNC" "$NINE"
	bad rx_down=1 -d "$FW2_SYNC" clr
	check "up again" ip -n "$fw2" link set "$DEV" up
	check "running" wait_running "$fw2"
}

# At last the frame that empties the table: what none of the others did
test_clr_is_obeyed()
{
	remember
	good "rx_ins=1 imp_created=1" "ins,id=7,$GOOD,sport=1007"
	check "entry" has_entry -p tcp --sport 1007
	good "rx_clr=1 imp_deleted=1" clr
	check "entry is gone" has_no_entry -p tcp --sport 1007
}

need_nfsync
need_plugin
topo_up server=0 || skip_all "the topology cannot be set up here"
printf '@%s\nsysctl net.ipv4.conf.all.accept_local=1\n' "$fw2" | netlab
printf '@%s\nsysctl net.ipv4.conf.sync.accept_local=1\n' "$fw2" | netlab
nfsync_up "$fw2" hostid $OWN || skip_all "nfsync does not come up"
wait_running "$fw2" || skip_all "nfsync does not come up"
run_tests test_good_frames_are_taken test_envelope test_short_frames \
	test_version test_lengths test_all_or_nothing \
	test_actions_that_cannot_be_skipped test_actions_that_can_be_skipped \
	test_longer_messages_are_read test_state_values test_other_values \
	test_clr_of_an_interface test_unknown_states test_states_that_ended \
	test_unknown_updates \
	test_own_id test_unsupported_states test_conflicting_states \
	test_full_table test_fragments test_other_peer test_device_down \
	test_clr_is_obeyed
