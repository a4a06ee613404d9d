#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The verdict of fw1: every way from one to another, the notification that
# tells it, and the operstate and IFF_RUNNING that go with it. A node that
# served goes on: not one notification in between says that it stopped.
#
#                  +-----+                 +-----+
#                  | fw1 +------ sync -----+ fw2 |
#                  +-----+                 +-----+
#                  nfsync0, watched        nfsync0, the peer
#
# Where a verdict would be over too soon to be seen, frames are lost until it
# was: those that would end it.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# watch: notifications of fw1 from here on go to $NEWS
watch()
{
	spawn "$fw1" ip -d -o monitor link
	NEWS=$OUT
	MARK=0
	wait_for "$WAIT" listens
}

# It does not say when it begins to listen: change something until it hears
listens()
{
	ip -n "$fw1" link set lo alias "$RANDOM"
	[ -s "$NEWS" ]
}

# mark: what came up to here is not looked at any more
mark()
{
	MARK=$(wc -l < "$NEWS")
}

# news: a notification of nfsync0 a line, as "VERDICT OPERSTATE yes|no", the
# last one for IFF_RUNNING, which ip shows as the lack of NO-CARRIER
news()
{
	tail -n +$((MARK + 1)) "$NEWS" | awk -v dev="$DEV" '
	$1 ~ /^[0-9]+:$/ && $2 ~ "^" dev "[@:]" {
		verdict = state = "none"
		for (i = 3; i < NF; i++) {
			if ($i == "state")
				state = tolower($(i + 1))
			# not the ones of peers, which come behind it
			if ($i == "verdict" && verdict == "none")
				verdict = $(i + 1)
		}
		up = $3 ~ /[<,]UP[,>]/ && $3 !~ /NO-CARRIER/
		print verdict, state, up ? "yes" : "no"
	}'
}

# path: the verdicts since the mark, each once in a row
path()
{
	news | cut -d' ' -f1 | uniq | tr '\n' ' ' | sed 's/ $//'
}

last_news_are()
{
	local last

	last=$(news | tail -n 1)
	echo "last news: '$last', wanted '$*'"
	[[ "$last" =~ ^$*$ ]]
}

device_is()
{
	local text running=no

	text=$(ip -n "$fw1" -o link show "$DEV")
	[[ $text =~ [\<,]NO-CARRIER[,\>] || ! $text =~ [\<,]UP[,\>] ]] ||
		running=yes
	[[ $text =~ \ state\ ([A-Z]+) ]]
	text="$(attribute "$fw1" verdict) ${BASH_REMATCH[1],,} $running"
	echo "device: '$text', wanted '$*'"
	[[ "$text" =~ ^$*$ ]]
}

# shows VERDICT: what goes with it, a pattern
shows()
{
	case $1 in
	down) echo "$1 down no" ;;
	no-link) echo "$1 (lowerlayer)?down no" ;;
	joining | not-in-sync) echo "$1 dormant no" ;;
	*) echo "$1 up yes" ;;
	esac
}

# becomes VERDICT: the last word of the notifications, and of the device
becomes()
{
	check "$1 notified" wait_for "$WAIT" last_news_are "$(shows "$1")"
	check "$1 shown" wait_for "$WAIT" device_is "$(shows "$1")"
}

news_have()
{
	news
	news | grep -qxE "$*"
}

# was VERDICT: in some notification since the mark. One that asks is done with it
# in three seconds, whether anybody has looked by then or not.
was()
{
	check "$1 notified" wait_for "$WAIT" news_have "$(shows "$1")"
}

# went PATH...: one of these was the way since the mark
went()
{
	local now one

	now=$(path)
	for one in "$@"; do
		[ "$now" != "$one" ] || return 0
	done
	fail "the way was '$now', wanted '$*'"
}

# served: not one notification since the mark says anything else
served()
{
	local other

	other=$(news | grep -v ' up yes$' | sort | uniq -c | tr '\n' ';')
	[ -z "$other" ] || fail "stopped serving: $other"
}

up()
{
	ip -n "$1" link set "$DEV" up
}

down()
{
	ip -n "$1" link set "$DEV" down
}

# sync_link NS up|down: that end of the cable
sync_link()
{
	ip -n "$1" link set sync "$2"
}

# both_in_sync: where most tests begin
both_in_sync()
{
	up "$fw1"
	up "$fw2"
	verdict "$fw1" in-sync
	verdict "$fw2" in-sync
	becomes in-sync
	mark
}

# miss: fw1 loses a frame of fw2 and asks to no avail, until it may hear. One
# frame: of more, on their way into a slow guest, it would be alone.
miss()
{
	lose "$fw2" request
	lose "$fw1" all once
	check "a frame is lost" wait_lost "$fw1" 1
	lose_nothing "$fw1"
}

# join WHAT: fw1 comes up, and loses frames of that kind
join()
{
	down "$fw1"
	becomes down
	lose "$fw1" "$1"
	mark
	up "$fw1"
}

test_down_no_link_and_down()
{
	check "add" ip -n "$fw1" link add "$DEV" type pfsync
	becomes down
	mark
	up "$fw1"
	becomes no-link
	went no-link
	mark
	down "$fw1"
	becomes down
}

test_no_link_joining_alone()
{
	up "$fw1"
	becomes no-link
	mark
	check "syncdev" ip -n "$fw1" link set "$DEV" type pfsync syncdev sync
	becomes alone
	went "no-link joining alone" "joining alone"
	mark
	down "$fw1"
	becomes down
	went "down" "alone down"
}

test_down_joining_alone()
{
	mark
	up "$fw1"
	was joining
	becomes alone
	went "joining alone" "down joining alone"
}

# fw2 has nothing to tell, and nobody but fw1 to ask
test_alone_and_a_peer_joins()
{
	mark
	check "fw2 up" nfsync_up "$fw2"
	verdict "$fw2" in-sync
	becomes in-sync
	went "in-sync" "alone in-sync" "healing in-sync" \
		"alone healing in-sync"
	served
}

test_in_sync_down_joining_in_sync()
{
	both_in_sync
	down "$fw1"
	becomes down
	went "in-sync down" "down"
	mark
	up "$fw1"
	becomes in-sync
	went "joining in-sync" "down joining in-sync"
}

test_in_sync_healing_in_sync()
{
	both_in_sync
	miss
	becomes healing
	lose_nothing "$fw2"
	becomes in-sync
	went "healing in-sync" "in-sync healing in-sync"
	served
	expect "lost frames" "$(stat_get "$fw1" rx_lost)" ge 1
}

test_healing_down()
{
	both_in_sync
	miss
	becomes healing
	mark
	down "$fw1"
	becomes down
	went down "healing down"
	lose_nothing "$fw2"
}

test_good_bye_and_back()
{
	local began

	both_in_sync
	began=$(now_ms)
	down "$fw2"
	becomes alone
	took "good-bye" "$began"
	went "alone" "in-sync alone"
	served
	mark
	up "$fw2"
	verdict "$fw2" in-sync
	becomes in-sync
	went "in-sync" "alone in-sync" "healing in-sync" \
		"alone healing in-sync"
	served
}

test_healing_alone()
{
	both_in_sync
	miss
	becomes healing
	mark
	down "$fw2"
	becomes alone
	went "alone" "healing alone"
	served
	lose_nothing "$fw2"
}

# Both serve and had no word of each other
test_peer_silent_alone_healing_in_sync()
{
	local began

	both_in_sync
	began=$(now_ms)
	lose "$fw1" all
	becomes alone
	took "silence" "$began"
	expect "fw2 hears fw1" "$(stat_get "$fw1" tx_hello)" ge 1
	lose "$fw2" request
	lose_nothing "$fw1"
	becomes healing
	lose_nothing "$fw2"
	becomes in-sync
	went "alone healing in-sync" "in-sync alone healing in-sync" \
		"in-sync healing alone healing in-sync" \
		"healing alone healing in-sync"
	served
}

# lose_link NS COMMAND: the link goes by that, and comes back
lose_link()
{
	both_in_sync
	"$@" down
	becomes alone
	went "alone" "in-sync alone"
	mark
	"$@" up
	becomes in-sync
	served
	verdict "$fw2" in-sync
}

test_link_gone_at_the_peer()
{
	lose_link sync_link "$fw2"
}

test_link_gone_here()
{
	lose_link sync_link "$fw1"
}

syncdev()
{
	local name=sync

	[ "$1" = up ] || name=none
	ip -n "$fw1" link set "$DEV" type pfsync syncdev "$name"
}

test_syncdev_gone()
{
	lose_link syncdev
}

# Half an answer is none: a START and states, and the END never comes
test_transfer_never_ends()
{
	both_in_sync
	join end
	becomes not-in-sync
	check "its end is lost" wait_lost "$fw1" 1
	went "joining not-in-sync" "down joining not-in-sync"
	mark
	lose_nothing "$fw1"
	becomes in-sync
	went "in-sync" "not-in-sync in-sync"
}

# The peer is heard and says nothing about states
test_transfer_never_begins()
{
	both_in_sync
	join start
	becomes not-in-sync
	went "joining not-in-sync" "down joining not-in-sync"
	mark
	lose_nothing "$fw1"
	becomes in-sync
}

test_not_in_sync_alone()
{
	both_in_sync
	join start
	becomes not-in-sync
	lose "$fw2" request
	lose_nothing "$fw1"
	mark
	down "$fw2"
	becomes alone
	went "alone" "not-in-sync alone"
	lose_nothing "$fw2"
}

test_not_in_sync_no_link_joining()
{
	both_in_sync
	join start
	becomes not-in-sync
	mark
	sync_link "$fw2" down
	becomes no-link
	went "no-link" "not-in-sync no-link"
	mark
	sync_link "$fw2" up
	was joining
	lose_nothing "$fw1"
	becomes in-sync
}

test_not_in_sync_down()
{
	both_in_sync
	join start
	becomes not-in-sync
	mark
	down "$fw1"
	becomes down
	went "down" "not-in-sync down"
	lose_nothing "$fw1"
}

test_joining_no_link_and_down()
{
	both_in_sync
	join start
	sync_link "$fw1" down
	becomes no-link
	# longer than it would have asked: that nobody answers says nothing now
	sleep 8
	becomes no-link
	went "joining no-link" "down joining no-link"
	mark
	sync_link "$fw1" up
	was joining
	down "$fw1"
	becomes down
	lose_nothing "$fw1"
}

# The peer sees the same from its side
test_peer_has_a_verdict_too()
{
	both_in_sync
	down "$fw1"
	verdict "$fw2" alone
	check "serves" running "$fw2"
	check "is up" operstate_is "$fw2" up
	up "$fw1"
	verdict "$fw1" in-sync
	verdict "$fw2" in-sync
}

need_nfsync
need_plugin
topo_up server=0 || skip_all "the topology cannot be set up here"
watch || skip_all "no notifications"
run_tests test_down_no_link_and_down test_no_link_joining_alone \
	test_down_joining_alone test_alone_and_a_peer_joins \
	test_in_sync_down_joining_in_sync test_in_sync_healing_in_sync \
	test_healing_down test_good_bye_and_back test_healing_alone \
	test_peer_silent_alone_healing_in_sync test_link_gone_at_the_peer \
	test_link_gone_here test_syncdev_gone test_transfer_never_ends \
	test_transfer_never_begins test_not_in_sync_alone \
	test_not_in_sync_no_link_joining test_not_in_sync_down \
	test_joining_no_link_and_down test_peer_has_a_verdict_too
