#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two that meet, in both orders: injection points (kmod/inject.h) stop one of
# them where it matters until the other one is through, or has come as far as
# it is to come. Needs a module built with NFSYNC_INJECT=y.
#
#                  .1 lan +-----+ wan .1
#                +--------+ fw1 +--------+      all traffic, nfsync0,
#   +----+  +----+----+   +--+--+   +----+----+  +----+   points
#   | cl +--+ bridge  |      | sync | bridge  +--+ sv |
#   +----+  | swlan   |      |      |  swwan  |  +----+
#    .2     +----+----+   +--+--+   +----+----+    .2
#                +--------+ fw2 +--------+      no traffic, nfsync0,
#                  .3 lan +-----+ wan .3        points, rawsync
#
#   processor 0: whoever stops             processor 1: everything else
#
# What stops keeps its processor, and the locks that it has: where it stops in
# conntrack's netlink, no other conntrack(8) gets through. Frames are received by
# the processor that sends them, and a timer runs where it was set, so that it is
# enough to start things there. A timer interrupts whoever runs there, and stops
# with his locks: it is held off until that is nobody but busy().

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=peers.sh
. "$(dirname "$0")/peers.sh"

STOPS=0
GOES=1
LOW=0x77777777 HIGH=0x88888888	# creators that rawsync speaks for
MANY=60				# ends that are worth a CLR, on each slice
LOCAL=8				# bit of a state's flags: NFSYNC_ST_LOCAL

# ---- points ----

declare -A ARMED=()
BUSY=
ID=1				# of the next state that is learned

# arm NS POINT WORDS...
arm()
{
	local ns=$1 point=$2
	shift 2
	ARMED[$point]=1
	check "$point: $*" in_ns "$ns" tee "$INJECT/$point" <<< "$*" \
		> "$TMP/armed"
}

# point POINT FIELD: a number of it
point()
{
	[[ "$(< "$INJECT/$1")" =~ \ $2=([0-9]+) ]]
	echo "${BASH_REMATCH[1]}"
}

has_come()
{
	cat "$INJECT/$1"
	[ "$(point "$1" "$2")" -gt 0 ]
}

# stopped POINT: when somebody is there
stopped()
{
	check "$1: somebody stops" wait_for "$WAIT" has_come "$1" there
}

# came_by POINT
came_by()
{
	check "$1: somebody comes by" wait_for "$WAIT" has_come "$1" hits
}

# stays_away POINT: who would come by if nothing kept it
stays_away()
{
	local i

	for ((i = 0; i < 10; i++)); do
		expect "$1: came by" "$(point "$1" hits)" eq 0 || return
		sleep 0.02
	done
}

# waits PID: a process that would end if nothing kept it
waits()
{
	local i

	for ((i = 0; i < 10; i++)); do
		check "it waits" kill -0 "$1" || return
		sleep 0.02
	done
}

# go_on POINT
go_on()
{
	check "$1: still there" tee "$INJECT/$1" <<< go > "$TMP/go"
}

# in_order POINT POINT: one left the first before anybody came to the second
in_order()
{
	expect "$1 left, $2 came" "$(point "$1" left)" gt 0
	expect "$1 left, $2 came" "$(point "$1" left)" lt "$(point "$2" came)"
}

# points_off: nobody had to be let go for the ceiling
points_off()
{
	local point

	for point in "${!ARMED[@]}"; do
		expect "$point: late" "$(point "$point" late)" eq 0
		echo off > "$INJECT/$point"
	done
	ARMED=()
	calm
}

# workers_by MASK: who tells a transfer runs where the scheduler likes, and may
# not be where something is to stop
workers_by()
{
	printf %x "$1" > /sys/devices/virtual/workqueue/cpumask
}

# busy: a timer stays where it was set only while that processor has work
busy()
{
	[ -z "$BUSY" ] || return 0
	(
		taskset -cp "$STOPS" "$BASHPID" > "$TMP/taskset"
		while :; do
			:
		done
	) &
	BUSY=$!
	SPAWNED+=("$BUSY")
}

calm()
{
	[ -n "$BUSY" ] || return 0
	kill "$BUSY"
	wait "$BUSY" 2> "$TMP/killed"
	BUSY=
}

# stopping COMMAND...: in the background, on the processor for that
stopping()
{
	busy
	(
		taskset -cp "$STOPS" "$BASHPID" > "$TMP/taskset"
		"$@"
	) > "$TMP/stopping" 2>&1 &
	STOPPING=$!
	SPAWNED+=("$STOPPING")
}

# queued COMMAND...: on the processor for what stops, and through with it; what it
# queued waits for a timer there
queued()
{
	arm "$fw1" timeout hold
	stopping "$@"
	ends "$1" "$STOPPING"
}

timer_comes()
{
	check "timer" tee "$INJECT/timeout" <<< off > "$TMP/timer"
}

# going COMMAND...: in the background, on the other one
going()
{
	"$@" > "$TMP/going" 2>&1 &
	GOING=$!
	SPAWNED+=("$GOING")
}

# ends WHAT PID
ends()
{
	check "$1" wait "$2"
}

# ---- what is looked at ----

# states NS [PORT]: of those that it has, id, creator, port, marker and flags
states()
{
	in_ns "$1" cat "$AUDIT/states" | mawk -v port="${2:-}" \
		'port == "" || $3 == port'
}

n_states()
{
	states "$@" | wc -l
}

rests()
{
	local now

	now=$(< "$AUDIT/rest")
	echo "$now"
	[ -z "$now" ]
}

# settled N: points off, nothing moves, nothing lost, and N entries on both
settled()
{
	points_off
	check "$1 on fw1" wait_states "$fw1" "$1"
	check "$1 on fw2" wait_states "$fw2" "$1"
	check "quiet" wait_quiet "$fw1" "$fw2"
	check "at rest" wait_for "$WAIT" rests
	check "same tables" same_tables
	[ "$1" != 0 ] || expect "states of no entry" \
		"$(cat "$AUDIT/audit" <(states "$fw1") <(states "$fw2") | wc -l)" eq 0
}

raw()
{
	in_ns "$fw1" rawsync -i sync -s "$FW1_SYNC" "$@"
}

# learned ID CREATOR PORT: of an entry that is there, or is to be, on fw2
learned()
{
	raw "ins,id=$1,creator=$2,src=$CL4,dst=$SV4,sport=$3,dport=80"
}

tcp_del()
{
	ct_del "$1" -p tcp --orig-port-src "$2"
}

udp_del()
{
	ct_del "$1" -p udp --orig-port-src "$2"
}

# mark_all NS MARK
mark_all()
{
	in_ns "$1" conntrack -U -s "$CL4" -m "$2" > "$TMP/mark" 2>&1
}

# begin: with tables that are empty, whatever the test before left
begin()
{
	local file

	for file in "$INJECT"/*; do
		[ "${file##*/}" = ceiling ] || echo off > "$file"
	done
	ARMED=()
	calm
	# one that ended is not believed in again
	ID=$((ID + 2))
	start_empty
	check "quiet" wait_quiet "$fw1" "$fw2"
}

# told PORT N: entries that both have
told()
{
	check "entries" ct_add "$fw1" "$1" "$2"
	check "on fw2" wait_states "$fw2" "$2"
	check "quiet" wait_quiet "$fw1" "$fw2"
}

# asked_for ID CREATOR: fw2 wants to hear all about it
asked_for()
{
	in_ns "$fw2" rawsync -i sync -s "$FW2_SYNC" \
		"upd_req,id=0x$1,creator=0x$2"
}

# ---- conntrack -F against what waits in the queue ----

test_flush_behind_the_taking()
{
	begin
	queued ct_add "$fw1" 20000 8
	arm "$fw1" send_taken stop
	timer_comes
	stopped send_taken
	ct_flush "$fw1"
	go_on send_taken
	settled 0
}

# What nobody was told of ends without a word
test_flush_in_front_of_the_taking()
{
	local told

	begin
	told=$(stat_get "$fw1" tx_ins)
	queued ct_add "$fw1" 20000 1
	arm "$fw1" send stop
	timer_comes
	stopped send
	ct_flush "$fw1"
	go_on send
	settled 0
	expect "told" "$(($(stat_get "$fw1" tx_ins) - told))" eq 0
}

# It has the lock and waits until the end of the entry is at its door
test_flush_meets_the_taking()
{
	begin
	queued ct_add "$fw1" 20000 1
	arm "$fw1" delete watch
	arm "$fw1" take_locked until delete
	timer_comes
	stopped take_locked
	ct_flush "$fw1"
	expect "taken" "$(point take_locked hits)" ge 1
	settled 0
}

test_the_taking_meets_a_flush()
{
	local told

	begin
	told=$(stat_get "$fw1" tx_ins)
	queued ct_add "$fw1" 20000 1
	arm "$fw1" take watch
	arm "$fw1" delete_locked until take
	arm "$fw1" send until delete_locked
	timer_comes
	stopped send
	ct_flush "$fw1"
	settled 0
	expect "told" "$(($(stat_get "$fw1" tx_ins) - told))" eq 0
}

# A CLR stands for the ends of all of them: it may not come before the last news
# of one that another slice's task has at hand
test_clr_behind_news()
{
	local id creator

	begin
	told 20000 $MANY
	read -r id creator _ < <(states "$fw1" 20000)
	arm "$fw1" purge watch
	arm "$fw1" purge_alone watch
	arm "$fw1" send_taken stop
	stopping asked_for "$id" "$creator"
	stopped send_taken
	ct_flush "$fw1"
	came_by purge
	stays_away purge_alone
	go_on send_taken
	ends "asked" "$STOPPING"
	settled 0
}

# Nor behind the first news of one that comes up
test_news_behind_a_clr()
{
	local told

	begin
	told 20000 $MANY
	told=$(stat_get "$fw1" tx_ins)
	queued ct_flush "$fw1"
	arm "$fw1" send_taken watch
	arm "$fw1" purge_alone stop
	timer_comes
	stopped purge_alone
	check "new one" ct_add "$fw1" 30000 1
	stays_away send_taken
	expect "told" "$(($(stat_get "$fw1" tx_ins) - told))" eq 0
	go_on purge_alone
	settled 1
}

# marked_while_it_is_written: by the time that fw1 tells of one mark, another one
# and a request have queued it again
marked_while_it_is_written()
{
	local id creator

	begin
	told 20000 1
	read -r id creator _ < <(states "$fw1" 20000)
	queued mark_all "$fw1" 5
	arm "$fw1" send_taken stop
	timer_comes
	stopped send_taken
	check "mark" mark_all "$fw1" 7
	check "asked" asked_for "$id" "$creator"
}

test_queued_again_while_it_is_written()
{
	marked_while_it_is_written
	go_on send_taken
	settled 1
	expect "mark of fw2's" "$(ct_count "$fw2" -m 7)" eq 1
}

test_ended_while_it_is_written()
{
	marked_while_it_is_written
	check "deleted" udp_del "$fw1" 20000
	go_on send_taken
	settled 0
}

# ---- who ends it: DESTROY here against DEL of a peer ----

test_destroy_behind_a_del()
{
	local deleted

	begin
	deleted=$(stat_get "$fw2" imp_deleted)
	learned $ID $LOW 20001
	check "on fw2" wait_states "$fw2" 1
	arm "$fw2" unhash stop
	stopping raw del_c,id=$ID,creator=$LOW
	stopped unhash
	check "deleted" tcp_del "$fw2" 20001
	go_on unhash
	ends "DEL" "$STOPPING"
	settled 0
	expect "by the DEL" $(($(stat_get "$fw2" imp_deleted) - deleted)) eq 1
}

test_del_behind_a_destroy()
{
	local deleted

	begin
	deleted=$(stat_get "$fw2" imp_deleted)
	learned $ID $LOW 20001
	check "on fw2" wait_states "$fw2" 1
	arm "$fw2" unhash stop
	stopping tcp_del "$fw2" 20001
	stopped unhash
	check "DEL" raw del_c,id=$ID,creator=$LOW
	go_on unhash
	ends "deleted" "$STOPPING"
	settled 0
	expect "by the DEL" $(($(stat_get "$fw2" imp_deleted) - deleted)) eq 0
}

# Between unlinking and the last put, another comes for it
test_del_between_unlink_and_put()
{
	begin
	learned $ID $LOW 20001
	check "on fw2" wait_states "$fw2" 1
	arm "$fw2" unhashed stop
	stopping tcp_del "$fw2" 20001
	stopped unhashed
	check "DEL" raw del_c,id=$ID,creator=$LOW
	go_on unhashed
	ends "deleted" "$STOPPING"
	settled 0
}

test_destroy_between_unlink_and_put()
{
	begin
	learned $ID $LOW 20001
	check "on fw2" wait_states "$fw2" 1
	arm "$fw2" unhashed stop
	stopping raw del_c,id=$ID,creator=$LOW
	stopped unhashed
	check "deleted" tcp_del "$fw2" 20001
	go_on unhashed
	ends "DEL" "$STOPPING"
	settled 0
}

# The entry is still in conntrack's table, and has told of its end
test_news_between_unlink_and_put()
{
	local told

	begin
	told=$(stat_get "$fw2" tx_del_c)
	learned $ID $LOW 20001
	check "on fw2" wait_states "$fw2" 1
	arm "$fw2" unhashed stop
	stopping tcp_del "$fw2" 20001
	stopped unhashed
	check "news" learned $ID $LOW 20001
	go_on unhashed
	ends "deleted" "$STOPPING"
	expect "states of no entry" "$(n_states "$fw2")" eq 0
	settled 0
	expect "ends told" $(($(stat_get "$fw2" tx_del_c) - told)) eq 0
}

# ends_unfound COMMAND...: an entry that is learned, before its state can be found
ends_unfound()
{
	arm "$fw2" state_hash stop
	stopping learned $ID $LOW 20001
	stopped state_hash
	check "its end: $1" "$@"
	go_on state_hash
	ends "INS" "$STOPPING"
	expect "states of no entry" "$(n_states "$fw2")" eq 0
	settled 0
}

# The DEL finds nothing yet that it could end
test_del_of_an_entry_that_is_learned()
{
	begin
	ends_unfound raw del_c,id=$ID,creator=$LOW
}

# It has found what its entry does not lead to yet
test_del_of_a_state_that_is_half_there()
{
	begin
	arm "$fw2" state_half stop
	stopping learned $ID $LOW 20001
	stopped state_half
	raw del_c,id=$ID,creator=$LOW
	check "ended" wait_ports "$fw2" 20001 20001 0
	go_on state_half
	ends "INS" "$STOPPING"
	settled 0
}

# It has found nothing when the INS comes
test_entry_that_is_learned_behind_a_del()
{
	local deleted

	begin
	deleted=$(stat_get "$fw2" imp_deleted)
	arm "$fw2" bury stop
	stopping raw del_c,id=$ID,creator=$LOW
	stopped bury
	learned $ID $LOW 20001
	check "on fw2" wait_states "$fw2" 1
	go_on bury
	ends "DEL" "$STOPPING"
	settled 0
	expect "by the DEL" $(($(stat_get "$fw2" imp_deleted) - deleted)) eq 1
}

test_destroy_of_an_entry_that_is_learned()
{
	begin
	ends_unfound tcp_del "$fw2" 20001
}

test_destroy_of_an_entry_that_is_new()
{
	local told

	begin
	told=$(stat_get "$fw1" tx_ins)
	arm "$fw1" state_hash stop
	stopping ping_cl
	stopped state_hash
	check "deleted" ct_del "$fw1" -p icmp
	go_on state_hash
	ends "ping" "$STOPPING"
	expect "states of no entry" "$(n_states "$fw1")" eq 0
	settled 0
	expect "told" "$(($(stat_get "$fw1" tx_ins) - told))" eq 0
}

# ---- deferral: the ceiling against the answer ----

# Who writes to a file of the namespace's own /sys. That is there for who comes
# by ip netns exec, and leaving it waits for whoever stopped in RCU.
declare -A DOOR=()

# open_door NS: to the mask of those processors
open_door()
{
	spawn "$1" sh -c 'exec sleep infinity \
		3> /sys/class/net/sync/queues/rx-0/rps_cpus'
	DOOR[$1]=/proc/$PID/fd/3
	wait_file "${DOOR[$1]}"
}

# sync_by MASK NS...: which processors look at what comes there by the sync link
sync_by()
{
	local ns

	for ns in "${@:2}"; do
		echo "$1" > "${DOOR[$ns]}" || return 1
	done
}

released()
{
	stat_get "$fw1" "$1"
}

# one_ping REASON: its request is held and leaves for that, once
one_ping()
{
	local held why

	held=$(released deferred)
	why=$(released "$1")
	stopping in_ns "$cl" ping -c 1 -W 30 "$SV4"
	ends "ping" "$STOPPING"
	expect "answers" "$(grep -c 'bytes from' "$TMP/stopping")" eq 1
	expect "twice" "$(grep -c 'DUP!' "$TMP/stopping")" eq 0
	expect "held" $(($(released deferred) - held)) eq 1
	expect "by $1" $(($(released "$1") - why)) eq 1
}

defers()
{
	check "defer $1" ip -n "$fw1" link set "$DEV" type pfsync defer "$1" \
		defertime 500
	check "sync frames elsewhere" sync_by "$2" "$fw1" "$fw2"
	check "fw1 waits for fw2" wait_for "$WAIT" is_listened_to
}

# A peer that was silent for long is not waited for
is_listened_to()
{
	verdict_is "$fw2" in-sync && verdict_is "$fw1" in-sync
}

test_ceiling_in_front_of_the_answer()
{
	begin
	defers on 2
	arm "$fw1" held_timed_out watch
	arm "$fw1" held_ack until held_timed_out
	one_ping defer_timeout
	came_by held_ack
	defers off 0
	points_off
	begin
	settled 0
}

test_answer_in_front_of_the_ceiling()
{
	begin
	defers on 2
	arm "$fw1" held_taken watch
	arm "$fw1" held_timeout until held_taken
	arm "$fw1" held_ack until held_timeout
	one_ping defer_ack
	defers off 0
	points_off
	begin
	settled 0
}

# ---- the cursor of a transfer against the end of what it stands at ----

N=300		# more than it visits at a time

ends_told()
{
	stat_get "$fw1" tx_bus
}

all_wanted()
{
	check "all wanted" in_ns "$fw2" rawsync -i sync -s "$FW2_SYNC" \
		upd_req,id=0,creator=0
}

# fw2 has nothing but what the transfer brings
forgets()
{
	check "fw2 forgets" ct_flush "$fw2"
	check "fw2 is empty" wait_states "$fw2" 0
}

test_end_of_what_the_cursor_stands_at()
{
	local bounds port

	begin
	told 20000 $N
	forgets
	bounds=$(ends_told)
	arm "$fw1" walk_pause stop
	all_wanted
	stopped walk_pause
	port=$(point walk_pause port)
	check "deleted" udp_del "$fw1" "$port"
	go_on walk_pause
	check "END" wait_stat "$fw1" tx_bus $((bounds + 2))
	settled $((N - 1))
}

test_cursor_passes_what_ends()
{
	local bounds port

	begin
	told 20000 $N
	bounds=$(ends_told)
	# without anything that changes it the next one stops there as well
	arm "$fw1" walk_pause watch
	all_wanted
	check "END" wait_stat "$fw1" tx_bus $((bounds + 2))
	check "quiet" wait_quiet "$fw1" "$fw2"
	port=$(point walk_pause port)
	forgets
	arm "$fw1" unhash stop "$port"
	stopping udp_del "$fw1" "$port"
	stopped unhash
	arm "$fw1" walk_pause watch
	all_wanted
	check "END" wait_stat "$fw1" tx_bus $((bounds + 4))
	expect "where it stood" "$(point walk_pause port)" ne "$port"
	go_on unhash
	ends "deleted" "$STOPPING"
	settled $((N - 1))
}

# ---- a notifier or hook against its end ----

# back NS: its device is up, and all is as before
back()
{
	check "$1 up" ip -n "$1" link set "$DEV" up
	check "$1 runs" wait_running "$1"
	both_in_sync
}

# closes NS: its device is on its way down, and up for who comes by now. Not
# before that: dev_deactivate_many() waits for whoever came earlier.
closes()
{
	arm "$1" close stop
	going ip -n "$1" link set "$DEV" down
	stopped close
}

# down_waits NS POINT: whoever is at the point since it closes is waited for
down_waits()
{
	arm "$1" slot_removed watch
	arm "$1" down_quiet watch
	go_on close
	came_by slot_removed
	stays_away down_quiet
	go_on "$2"
	ends "down" "$GOING"
	ends "$2" "$STOPPING"
	in_order "$2" down_quiet
	points_off
}

test_down_behind_an_event()
{
	begin
	told 20000 3
	# it is not told any more when the device is down by then
	arm "$fw1" timeout hold
	closes "$fw1"
	arm "$fw1" event stop 20000
	stopping udp_del "$fw1" 20000
	stopped event
	down_waits "$fw1" event
	back "$fw1"
	# and fw2 gives it back
	settled 3
}

test_event_behind_a_down()
{
	local point port=20000

	begin
	told $port 4
	for point in down slot_removed; do
		arm "$fw1" event watch $port
		arm "$fw1" "$point" stop
		going ip -n "$fw1" link set "$DEV" down
		stopped "$point"
		check "deleted" udp_del "$fw1" $port
		expect "events seen" "$(point event hits)" eq 0
		go_on "$point"
		ends "down" "$GOING"
		points_off
		back "$fw1"
		port=$((port + 1))
	done
	settled 4
}

test_down_behind_a_packet()
{
	begin
	flows old -u -n 1 -r 0 -w 20 -p 32000
	check "on fw2" wait_states "$fw2" 1
	flows_end old
	closes "$fw1"
	arm "$fw1" packet stop 32000
	stopping flow_cl -u -n 1 -p 32000
	stopped packet
	down_waits "$fw1" packet
	back "$fw1"
	check "same tables" wait_same_tables
	settled 1
}

test_device_goes_behind_a_netdev_event()
{
	begin
	told 20000 2
	arm "$fw1" down watch
	arm "$fw1" netdev_event stop
	stopping ip -n "$fw1" link set sync down
	stopped netdev_event
	going ip -n "$fw1" link del "$DEV"
	stays_away down
	go_on netdev_event
	ends "sync down" "$STOPPING"
	ends "link del" "$GOING"
	in_order netdev_event down
	points_off
	renew "$fw1"
}

test_netdev_event_behind_a_device_that_goes()
{
	begin
	told 20000 2
	arm "$fw1" netdev_event watch
	arm "$fw1" down_quiet stop
	stopping ip -n "$fw1" link del "$DEV"
	stopped down_quiet
	going ip -n "$fw1" link set sync down
	stays_away netdev_event
	go_on down_quiet
	ends "link del" "$STOPPING"
	ends "sync down" "$GOING"
	expect "events seen" "$(point netdev_event hits)" eq 0
	points_off
	renew "$fw1"
}

# renew NS: a device in place of the one that went
renew()
{
	check "sync up" ip -n "$1" link set sync up
	check "again" nfsync_up "$1"
	check "$1 runs" wait_running "$1"
	both_in_sync
	settled 2
}

is_going()
{
	[ ! -e /sys/module/nf_conntrack_netlink/initstate ] ||
		grep going /sys/module/nf_conntrack_netlink/initstate
}

# The notifier that is called next is that of a module which goes
test_chained_notifier_that_goes()
{
	begin
	learned $ID $LOW 20001
	check "on fw2" wait_states "$fw2" 1
	if [ ! -e /sys/module/nf_conntrack_netlink/initstate ]; then
		skip "ctnetlink is built in"
		return
	fi
	arm "$fw2" event_orig stop
	stopping raw del_c,id=$ID,creator=$LOW
	stopped event_orig
	going rmmod nf_conntrack_netlink
	check "rmmod" wait_for "$WAIT" is_going
	waits "$GOING"
	go_on event_orig
	ends "DEL" "$STOPPING"
	ends "rmmod" "$GOING"
	modprobe nf_conntrack_netlink
	told 20000 2
	settled 2
}

# ---- a frame that comes in against the device going down ----

test_down_behind_a_frame()
{
	begin
	closes "$fw2"
	arm "$fw2" import_new stop
	stopping learned $ID $LOW 20001
	stopped import_new
	down_waits "$fw2" import_new
	# its entry stays, as all do
	expect "entries" "$(ct_count "$fw2")" eq 1
	expect "states" "$(n_states "$fw2")" eq 0
	ct_flush "$fw2"
	back "$fw2"
	settled 0
}

test_frame_behind_a_down()
{
	local point

	begin
	for point in down slot_removed down_quiet; do
		arm "$fw2" "$point" stop
		going ip -n "$fw2" link set "$DEV" down
		stopped "$point"
		arm "$fw2" receive watch
		learned $ID $LOW 20001
		expect "frames seen" "$(point receive hits)" eq 0
		expect "entries" "$(ct_count "$fw2")" eq 0
		go_on "$point"
		ends "down" "$GOING"
		points_off
		back "$fw2"
	done
	settled 0
}

# ---- two receivers, one connection, two ids ----

# one_name: of the two the one that the rule says, and nobody passed here
one_name()
{
	local creator flags

	check "quiet" wait_quiet "$fw1" "$fw2"
	expect "states of it" "$(n_states "$fw2" 20001)" eq 1
	read -r _ creator _ _ flags < <(states "$fw2" 20001)
	expect_same "whose" "0x$creator" $LOW
	expect "moved here" $((0x$flags & LOCAL)) eq 0
	check "deleted" tcp_del "$fw2" 20001
	# fw1 has it when fw2 told whose it is
	tcp_del "$fw1" 20001 || true
}

test_two_ids_one_is_faster()
{
	local first told

	for first in $LOW $HIGH; do
		begin
		told=$(stat_get "$fw2" tx_del_c)
		arm "$fw2" import_new stop
		stopping learned $ID "$first" 20001
		stopped import_new
		learned $((ID + 1)) $((LOW + HIGH - first)) 20001
		go_on import_new
		ends "INS" "$STOPPING"
		one_name
		settled 0
		expect "ends told" $(($(stat_get "$fw2" tx_del_c) - told)) eq 0
	done
}

test_two_ids_at_once()
{
	local first told

	for first in $LOW $HIGH; do
		begin
		told=$(stat_get "$fw2" tx_del_c)
		arm "$fw2" import_known watch
		arm "$fw2" import_inserted until import_known
		stopping learned $ID "$first" 20001
		stopped import_inserted
		learned $((ID + 1)) $((LOW + HIGH - first)) 20001
		ends "INS" "$STOPPING"
		one_name
		settled 0
		expect "ends told" $(($(stat_get "$fw2" tx_del_c) - told)) eq 0
	done
}

# ---- what is learned against what sweeps ----

# END comes while another processor makes the state of what was told before it
test_end_of_a_transfer_behind_a_state()
{
	local swept

	begin
	told 20000 8
	check "fw2 down" ip -n "$fw2" link set "$DEV" down
	ct_flush "$fw2"
	swept=$(stat_get "$fw2" swept)
	check "sync frames there" sync_by 1 "$fw2"
	check "requests elsewhere" sync_by 2 "$fw1"
	arm "$fw1" tell_end stop
	arm "$fw2" judge watch
	arm "$fw2" judged watch
	arm "$fw2" state_hash stop
	# it may have to wait for who stops
	going ip -n "$fw2" link set "$DEV" up
	stopped state_hash
	stopped tell_end
	check "sync frames elsewhere" sync_by 2 "$fw2"
	go_on tell_end
	came_by judge
	stays_away judged
	go_on state_hash
	came_by judged
	in_order state_hash judged
	ends "fw2 up" "$GOING"
	check "sync frames anywhere" sync_by 0 "$fw1" "$fw2"
	points_off
	back "$fw2"
	settled 8
	expect "swept" $(($(stat_get "$fw2" swept) - swept)) eq 0
}

# And a CLR, of what another processor has begun to learn before it came
test_clr_behind_a_state()
{
	begin
	arm "$fw2" clr watch
	arm "$fw2" clr_walk watch
	arm "$fw2" state_hash stop
	stopping learned $ID $LOW 20001
	stopped state_hash
	check "CLR" raw clr,creator=$LOW
	came_by clr
	stays_away clr_walk
	go_on state_hash
	ends "INS" "$STOPPING"
	came_by clr_walk
	in_order state_hash clr_walk
	settled 0
}

test_state_behind_a_clr()
{
	begin
	arm "$fw2" clr stop
	check "CLR" raw clr,creator=$LOW
	stopped clr
	learned $ID $LOW 20001
	go_on clr
	points_off
	check "on fw2" wait_states "$fw2" 1
	check "quiet" wait_quiet "$fw2"
	check "at rest" wait_for "$WAIT" rests
	expect "on fw2" "$(n_states "$fw2")" eq 1
	begin
}

# ---- a marker that something has overwritten ----

test_marker_that_is_wrong()
{
	local value repaired

	begin
	for value in 0 2 4 200; do
		repaired=$(stat_get "$fw1" queue_repair)
		arm "$fw1" link poke $value 20000
		check "entry" ct_add "$fw1" 20000 1
		check "told" wait_states "$fw2" 1
		check "mark" mark_all "$fw1" 5
		arm "$fw1" link poke $value 20000
		check "deleted" udp_del "$fw1" 20000
		check "end told" wait_states "$fw2" 0
		# 2 is what the second one is to be
		expect "repairs of $value" \
			$(($(stat_get "$fw1" queue_repair) - repaired)) ge 1
		settled 0
	done
}

need_nfsync
need_plugin
need_inject
[ "$(nproc)" -ge 2 ] || skip_all "one processor alone meets nobody"
topo_up || skip_all "the topology cannot be set up here"
taskset -cp $GOES $$ > "$TMP/taskset"
echo 20000 > "$INJECT/ceiling"
workers_by $((1 << GOES))
on_exit workers_by $(((1 << $(nproc)) - 1))
nfsync_pair || skip_all "nfsync does not come up"
for ns in "$fw1" "$fw2"; do
	open_door "$ns" || skip_all "no choice of processors"
done
run_tests test_flush_behind_the_taking test_flush_in_front_of_the_taking \
	test_flush_meets_the_taking test_the_taking_meets_a_flush \
	test_clr_behind_news test_news_behind_a_clr \
	test_queued_again_while_it_is_written test_ended_while_it_is_written \
	test_destroy_behind_a_del test_del_behind_a_destroy \
	test_del_between_unlink_and_put test_destroy_between_unlink_and_put \
	test_news_between_unlink_and_put test_del_of_an_entry_that_is_learned \
	test_del_of_a_state_that_is_half_there \
	test_entry_that_is_learned_behind_a_del \
	test_destroy_of_an_entry_that_is_learned \
	test_destroy_of_an_entry_that_is_new \
	test_ceiling_in_front_of_the_answer test_answer_in_front_of_the_ceiling \
	test_end_of_what_the_cursor_stands_at test_cursor_passes_what_ends \
	test_down_behind_an_event test_event_behind_a_down \
	test_down_behind_a_packet test_device_goes_behind_a_netdev_event \
	test_netdev_event_behind_a_device_that_goes \
	test_chained_notifier_that_goes test_down_behind_a_frame \
	test_frame_behind_a_down test_two_ids_one_is_faster \
	test_two_ids_at_once test_end_of_a_transfer_behind_a_state \
	test_clr_behind_a_state test_state_behind_a_clr \
	test_marker_that_is_wrong
