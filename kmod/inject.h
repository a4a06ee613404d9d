/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Injection points: named places where a test stops a processor or a task, so
 * that two of them meet in the order that it wants.  They are there when the
 * module is built with NFSYNC_INJECT=y; otherwise nothing of them is left.
 *
 * A point is a row here and a line where it is.  What a test does with it is
 * in inject.c.
 */
#ifndef _NFSYNC_INJECT_H
#define _NFSYNC_INJECT_H

#include <linux/types.h>

struct dentry;
struct net;
struct nf_conn;

/*
 * _(symbol, name, SPIN or SLEEP): whoever comes there may not sleep, or may.
 * In the files, and in the order in which one comes by.
 */
#define NFSYNC_INJECT_POINTS(_) \
	/* queue.c */ \
	_(TIMEOUT, "timeout", SPIN)		/* the flush interval is over */ \
	_(UPDATE, "update", SPIN)		/* before the slice lock */ \
	_(LINK, "link", SPIN)			/* linked; the marker can be poked */ \
	_(DELETE, "delete", SPIN)		/* before the slice lock */ \
	_(DELETE_LOCKED, "delete_locked", SPIN)	/* DEAD, still on its list */ \
	_(TAKE, "take", SPIN)			/* before the slice lock */ \
	_(TAKE_LOCKED, "take_locked", SPIN)	/* off the list, more to come */ \
	_(PURGE, "purge", SPIN)			/* a CLR is to be told */ \
	_(PURGE_ALONE, "purge_alone", SPIN)	/* and nobody else sends */ \
	/* send.c */ \
	_(SEND, "send", SPIN)			/* the task begins */ \
	_(SEND_TAKEN, "send_taken", SPIN)	/* detached, not written yet */ \
	/* state.c */ \
	_(STATE_HASH, "state_hash", SPIN)	/* made, not findable yet */ \
	_(STATE_HALF, "state_half", SPIN)	/* found by its id alone */ \
	_(UNHASH, "unhash", SPIN)		/* DEAD, still findable */ \
	_(UNHASHED, "unhashed", SPIN)		/* not any more, before the put */ \
	_(WALK_PAUSE, "walk_pause", SLEEP)	/* a transfer, between chunks */ \
	/* held.c */ \
	_(HELD_ACK, "held_ack", SPIN)		/* enough acks, not released yet */ \
	_(HELD_TAKEN, "held_taken", SPIN)	/* off the list, not sent yet */ \
	_(HELD_TIMEOUT, "held_timeout", SPIN)	/* the ceiling is over */ \
	_(HELD_TIMED_OUT, "held_timed_out", SPIN) /* off the list for that */ \
	/* hooks.c */ \
	_(EVENT, "event", SPIN)			/* the device is up */ \
	_(EVENT_ORIG, "event_orig", SPIN)	/* before the chained notifier */ \
	_(PACKET, "packet", SPIN)		/* its state was found */ \
	_(SLOT_REMOVED, "slot_removed", SLEEP)	/* no more events */ \
	/* device.c */ \
	_(NETDEV_EVENT, "netdev_event", SLEEP)	/* of the syncdev, RTNL */ \
	_(CLOSE, "close", SLEEP)		/* it closes and is still up, RTNL */ \
	_(DOWN, "down", SLEEP)			/* not up any more, RTNL */ \
	_(DOWN_QUIET, "down_quiet", SLEEP)	/* whoever saw it up is through */ \
	/* receive.c */ \
	_(RECEIVE, "receive", SPIN)		/* a frame for us, the device up */ \
	_(BURY, "bury", SPIN)			/* a DEL, its state was looked for */ \
	_(CLR, "clr", SLEEP)			/* the work of a CLR begins */ \
	_(CLR_WALK, "clr_walk", SLEEP)		/* all in front is applied */ \
	/* import.c */ \
	_(IMPORT_KNOWN, "import_known", SPIN)	/* such an entry is there */ \
	_(IMPORT_NEW, "import_new", SPIN)	/* no such entry was found */ \
	_(IMPORT_INSERTED, "import_inserted", SPIN)	/* it has no state yet */ \
	/* bulk.c */ \
	_(TELL_END, "tell_end", SLEEP)		/* all is told but the END */ \
	_(JUDGE, "judge", SLEEP)		/* END came */ \
	_(JUDGED, "judged", SLEEP)		/* all in front of it is applied */

enum nfsync_inject {
#define NFSYNC_INJECT_ENUM(sym, name, how) NFSYNC_INJECT_##sym,
	NFSYNC_INJECT_POINTS(NFSYNC_INJECT_ENUM)
#undef NFSYNC_INJECT_ENUM
	__NFSYNC_INJECT_MAX
};

#ifdef NFSYNC_INJECT

void nfsync_inject_at(enum nfsync_inject i, const struct net *net,
		      const struct nf_conn *ct);
void nfsync_inject_poke(enum nfsync_inject i, const struct net *net,
			const struct nf_conn *ct, u8 *byte);
bool nfsync_inject_held_off(enum nfsync_inject i, const struct net *net);
bool nfsync_inject_poked(void);
struct dentry *nfsync_inject_register(void);
void nfsync_inject_unregister(void);

/* @net: of the device; @ct: entry that it is about, or NULL */
#define NFSYNC_INJECT_AT(sym, net, ct) \
	nfsync_inject_at(NFSYNC_INJECT_##sym, net, ct)

/* The same; and a test may set *@byte */
#define NFSYNC_INJECT_POKE(sym, net, ct, byte) \
	nfsync_inject_poke(NFSYNC_INJECT_##sym, net, ct, byte)

/* Is who comes there to come again later? */
#define NFSYNC_INJECT_HELD_OFF(sym, net) \
	nfsync_inject_held_off(NFSYNC_INJECT_##sym, net)

#else

#define NFSYNC_INJECT_AT(sym, net, ct)		do { } while (0)
#define NFSYNC_INJECT_POKE(sym, net, ct, byte)	do { } while (0)
#define NFSYNC_INJECT_HELD_OFF(sym, net)	false

static inline bool nfsync_inject_poked(void)
{
	return false;
}

static inline struct dentry *nfsync_inject_register(void)
{
	return NULL;
}

static inline void nfsync_inject_unregister(void) { }

#endif

#endif /* _NFSYNC_INJECT_H */
