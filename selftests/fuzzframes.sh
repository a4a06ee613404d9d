#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Frames by the ten thousand that nobody should send, to a node that forwards
# live connections beside a peer that is in its right mind. Each is counted
# once, under the reason that an independent judge has for it (fuzzjudge.c);
# what is refused changes nothing; what is not may change entries, and nothing
# else.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all traffic, nfsync0
#   +----+  +----+----+   +--+--+   +----+----+  +----+
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      nfsync0, fuzzsync
#                  .3 lan +-----+ wan .3
#
#   FUZZ_SECONDS  how long it goes on, of frames that may be good (20)
#   FUZZ_SEED     what brings a run back (it is told)

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=peers.sh
. "$(dirname "$0")/peers.sh"
# shellcheck source=objects.sh
. "$(dirname "$0")/objects.sh"

: "${FUZZ_SECONDS:=20}"
: "${FUZZ_SEED:=$((RANDOM << 15 | RANDOM))}"
OWN=0x11112222
N=$(scaled 3000 500)

# snap BEFORE|AFTER: the counters of fw1 and of its peer
snap()
{
	in_ns "$fw1" ethtool -S "$DEV" > "$TMP/$1.own" &&
		in_ns "$fw2" ethtool -S "$DEV" > "$TMP/$1.peer"
}

# counted [REASON]: fw1 counted each frame since then as fuzzsync's report says,
# or all of them under one reason. What its peer sent is in its counters too,
# and a frame that is numbered may be one that came before.
counted()
{
	snap after || return 1
	awk -v reason="${1:-}" '
	function wrong(text) { printf "%s; ", text; failed = 1 }
	function moved(c) { return new["own", c] - old["own", c] }
	function said(c) { return new["peer", c] - old["peer", c] }
	function between(c, least, most) {
		if (moved(c) < least || moved(c) > most)
			wrong(c " moved by " moved(c) ", wanted " least \
				(most > least ? " to " most : ""))
	}
	BEGIN {
		n_refusals = split("badif badttl rx_own badauth rx_down " \
			"rx_nomem hdrops badver badlen badact", refusals)
		n_messages = split("rx_clr tx_clr rx_ins tx_ins " \
			"rx_ins_ack tx_ins_ack rx_upd tx_upd " \
			"rx_upd_c tx_upd_c rx_upd_req tx_upd_req " \
			"rx_del none rx_del_c tx_del_c rx_bus tx_bus " \
			"rx_tdb none rx_skipped none rx_frame opackets " \
			"rx_hello tx_hello rx_total tx_bus", messages)
	}
	FNR == 1 { file++ }
	file == 1 && $1 == "maybe" { maybe[$2] = $3; next }
	file == 1 { sure[$1] = $2; next }
	NF == 2 {
		sub(/:$/, "", $1)
		node = file % 2 ? "peer" : "own"
		if (file <= 3)
			old[node, $1] = $2
		else
			new[node, $1] = $2
	}
	END {
		if (file != 5)
			wrong("no counters")
		sent = sure["sent"]
		between("ipackets", sent + said("opackets"),
			sent + said("opackets"))
		for (i = 1; i <= n_refusals; i++) {
			c = refusals[i]
			want = reason == "" ? sure[c] + 0 : 0
			if (c == reason)
				want = sent + (c == "rx_down" ? said("opackets") : 0)
			between(c, want, want)
		}
		twice = moved("rx_twice") + moved("rx_late")
		if (twice > sure["numbered"] + said("opackets"))
			wrong(twice " came before")
		for (i = 1; i <= n_messages; i += 2) {
			c = messages[i]
			least = reason == "" ? sure[c] : 0
			most = least + (reason == "" ? maybe[c] : 0)
			peer = reason == "rx_down" ? 0 : said(messages[i + 1])
			if (!twice && c != "rx_total")
				least = most + peer
			between(c, least, most + peer)
		}
		if (!failed)
			printf "%d frames: %d good, %d refused\n", sent,
				reason == "" ? sure["good"] : 0,
				reason == "" ? sent - sure["good"] : sent
		exit failed
	}' "$TMP/report" "$TMP/before.own" "$TMP/before.peer" \
		"$TMP/after.own" "$TMP/after.peer"
}

# fuzz WHAT REASON FUZZSYNC_OPTIONS...: send, and compare the counters
fuzz()
{
	local what=$1 reason=$2
	shift 2
	snap before
	in_ns "$fw2" fuzzsync -i sync -s "$FW2_SYNC" -h $OWN -S "$FUZZ_SEED" \
		-r "$TMP/recorded" "$@" > "$TMP/report" 2> "$TMP/said"
	check "$what: fuzzsync" grep -q '^sent' "$TMP/report" || return
	check "$what: counters" wait_for 20 counted "$reason"
	echo "# $what: $(tail -n 1 "$TMP/said"): $(tail -n 1 "$TMP/wait")"
}

# What a real peer sends: numbers, hello, a transfer with its states
record()
{
	spawn "$fw1" rawrecv -x 1000 600
	wait_for "$WAIT" grep -q listening "$OUT" || return 1
	in_ns "$fw1" rawsync -i sync -s "$FW1_SYNC" upd_req,id=0,creator=0
	wait_for "$WAIT" grep -q '82080001.*0a030001' "$OUT" || return 1
	grep -qE '0e4[28]00' "$OUT" || return 1
	kill "$PID"
	cp "$OUT" "$TMP/recorded"
	echo "# $(wc -l < "$OUT") frames recorded"
}

# The live connections and whatever else is there
remember()
{
	ct_list "$fw1" > "$TMP/table"
}

unchanged()
{
	ct_list "$fw1" > "$TMP/table.now"
	diff "$TMP/table" "$TMP/table.now"
}

# both_speak_to PEER_OF_FW1 PEER_OF_FW2
both_speak_to()
{
	ip -n "$fw1" link set "$DEV" type pfsync syncpeer "$1" &&
		ip -n "$fw2" link set "$DEV" type pfsync syncpeer "$2" &&
		both_in_sync
}

test_frames_from_elsewhere_change_nothing()
{
	remember
	fuzz "TTL 254" badttl -n "$N" -T 254
	fuzz "TTL 1" badttl -n "$N" -T 1 -s 10.0.9.77
	fuzz "own address" rx_own -n "$N" -s "$FW1_SYNC" -d "$FW1_SYNC"
	fuzz "other interface" badif -n "$N" -i lan -s 10.0.1.3 -d 10.0.1.1
	check "unicast" both_speak_to "$FW2_SYNC" "$FW1_SYNC"
	fuzz "other sender" badauth -n "$N" -s 10.0.9.77 -d "$FW1_SYNC"
	check "same table" unchanged
	check "live connections" kill -0 "${CLIENT[live]}"
}

test_frames_to_a_device_that_is_down_change_nothing()
{
	check "down" ip -n "$fw1" link set "$DEV" down
	remember
	fuzz "device down" rx_down -n "$N" -d "$FW1_SYNC"
	check "same table" unchanged
	check "up" ip -n "$fw1" link set "$DEV" up
	check "group" both_speak_to 224.0.0.240 224.0.0.240
}

test_malformed_frames_change_nothing()
{
	both_in_sync
	remember
	fuzz "malformed" "" -n $((N * 3)) -b
	check "same table" unchanged
	verdict "$fw1" in-sync
	flows_end live
}

# Somebody on the wire can do what he likes with connections (README); with the
# node he can not
test_frames_of_no_number()
{
	coming_and_going
	fuzz "no number" "" -u -t $((FUZZ_SECONDS / 2))
	check "up" has_flag "$fw1" UP
	kill "$COMER"
}

test_any_frames()
{
	local ns

	coming_and_going
	for ns in "$fw1" "$fw2"; do
		ip -n "$ns" link set "$DEV" type pfsync defer on local on \
			natshare "$([ "$ns" = "$fw1" ] && echo 0/2 || echo 1/2)"
	done
	fuzz "any" "" -a -f 1000000 -t $((FUZZ_SECONDS - FUZZ_SECONDS / 2))
	check "up" has_flag "$fw1" UP
	kill "$COMER"
}

# Traffic that nobody asks how it fares
coming_and_going()
{
	spawn "$cl" flow client "$SV4" $((FLOW_PORT + 1)) -n 1000000 -c 4 \
		-R 10 -T $((1000 + FUZZ_SECONDS))
	COMER=$PID
}

# What was made up has been told, asked for and denied: that comes to an end
test_both_come_to_rest()
{
	check "quiet" wait_quiet "$fw1" "$fw2"
	echo "# $(stat_get "$fw1" states) states on fw1," \
		"$(stat_get "$fw2" states) on fw2"
}

# Both forget what was made up, and are as they should be
test_all_is_well_afterwards()
{
	nfsync_down "$fw1"
	nfsync_down "$fw2"
	ct_flush "$fw1"
	ct_flush "$fw2"
	check "up on both" nfsync_pair
	start_empty
	check "connections" flow_cl -n 20 -e
	flows last -n 5 -H -p 21000
	healed "in the end"
	flows_end last
}

test_nothing_is_left()
{
	all_is_gone
}

need_nfsync
need_plugin
objects_before
topo_up || skip_all "the topology cannot be set up here"
printf '@%s\nsysctl net.ipv4.conf.all.accept_local=1\n' "$fw1" | netlab
printf '@%s\nsysctl net.ipv4.conf.sync.accept_local=1\n' "$fw1" | netlab
nfsync_pair_by_name $OWN || skip_all "nfsync does not come up"
flows live -n 10 -r 0 -w 100 || skip_all "no traffic"
wait_states "$fw2" 10
record || skip_all "a transfer cannot be recorded"
echo "# FUZZ_SEED=$FUZZ_SEED"
run_tests test_frames_from_elsewhere_change_nothing \
	test_frames_to_a_device_that_is_down_change_nothing \
	test_malformed_frames_change_nothing test_frames_of_no_number \
	test_any_frames test_both_come_to_rest test_all_is_well_afterwards \
	test_nothing_is_left
