#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the tests share that have fuzzsync send frames to fw1: its report held
# against fw1's counters, traffic meanwhile, and how all is afterwards. A test
# sources this after peers.sh.

# shellcheck disable=SC2154,SC2034 # the namespaces are lib.sh's, the rest the test's

: "${FUZZ_SECONDS:=20}"
: "${FUZZ_SEED:=$((RANDOM << 15 | RANDOM))}"
OWN=0x11112222

# snap BEFORE|AFTER: the counters of fw1 and of its peer. It sends nothing between
# the two, or what it had sent by then is between two looks at it.
snap()
{
	local tries

	for ((tries = 0; tries < 20; tries++)); do
		in_ns "$fw2" ethtool -S "$DEV" > "$TMP/$1.peer" &&
			in_ns "$fw1" ethtool -S "$DEV" > "$TMP/$1.own" &&
			in_ns "$fw2" ethtool -S "$DEV" > "$TMP/$1.again" ||
			return 1
		cmp -s <(sent_in "$TMP/$1.peer") <(sent_in "$TMP/$1.again") &&
			break
	done
	return 0
}

sent_in()
{
	grep -E '\<(opackets|tx_)' "$1"
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
	function said(c) { return new["again", c] - old["peer", c] }
	function said_least(c) { return new["peer", c] - old["again", c] }
	function between(c, least, most) {
		if (moved(c) < least || moved(c) > most)
			wrong(c " moved by " moved(c) ", wanted " least \
				(most > least ? " to " most : ""))
	}
	BEGIN {
		split("report own peer again own peer again", nodes)
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
		node = nodes[file]
		if (file <= 4)
			old[node, $1] = $2
		else
			new[node, $1] = $2
	}
	END {
		if (file != 7)
			wrong("no counters")
		sent = sure["sent"]
		between("ipackets", sent + said_least("opackets"),
			sent + said("opackets"))
		for (i = 1; i <= n_refusals; i++) {
			c = refusals[i]
			least = most = reason == "" ? sure[c] + 0 : 0
			if (c == reason)
				least = most = sent
			if (c == reason && c == "rx_down") {
				least += said_least("opackets")
				most += said("opackets")
			}
			between(c, least, most)
		}
		twice = moved("rx_twice") + moved("rx_late")
		if (twice > sure["numbered"] + said("opackets"))
			wrong(twice " came before")
		for (i = 1; i <= n_messages; i += 2) {
			c = messages[i]
			least = reason == "" ? sure[c] : 0
			most = least + (reason == "" ? maybe[c] : 0)
			peer = reason == "rx_down" ? "none" : messages[i + 1]
			if (!twice && c != "rx_total")
				least = most + said_least(peer)
			between(c, least, most + said(peer))
		}
		if (!failed)
			printf "%d frames: %d good, %d refused\n", sent,
				reason == "" ? sure["good"] : 0,
				reason == "" ? sent - sure["good"] : sent
		exit failed
	}' "$TMP/report" "$TMP/before.own" "$TMP/before.peer" \
		"$TMP/before.again" "$TMP/after.own" "$TMP/after.peer" \
		"$TMP/after.again"
}

# Traffic that nobody asks how it fares
coming_and_going()
{
	spawn "$cl" flow client "$SV4" $((FLOW_PORT + 1)) -n 1000000 -c 4 \
		-R 10 -T $((1000 + FUZZ_SECONDS))
	COMER=$PID
}

# well_afterwards: both forget what was made up, and are as they should be
well_afterwards()
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
