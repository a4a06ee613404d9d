/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bulk transfer as two state machines: who asks and who answers.  They know
 * events and say what is to be done; bulk.c does it.
 *
 * Pure, also built in userspace.  The caller serialises.
 */
#ifndef _NFSYNC_TRANSFER_H
#define _NFSYNC_TRANSFER_H

#ifdef __KERNEL__
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/types.h>
#else
#include "compat/user/types.h"
#endif

/* --- who asks --- */

enum nfsync_asker_state {
	NFSYNC_ASKER_IDLE,
	NFSYNC_ASKER_ASKED,		/* no START yet */
	NFSYNC_ASKER_RECEIVING,		/* START of @from seen */
	NFSYNC_ASKER_JUDGING,		/* END seen: was it whole? */
};

enum nfsync_asker_event {
	NFSYNC_ASKER_WANT,		/* new link, peer turned up, on demand */
	NFSYNC_ASKER_GAP,		/* frames of a peer were lost */
	NFSYNC_ASKER_TICK,		/* the interval is over */
	NFSYNC_ASKER_START,
	NFSYNC_ASKER_DATA,		/* a full state came */
	NFSYNC_ASKER_END,
	NFSYNC_ASKER_LONE_END,		/* of a peer that numbers no frames */
	NFSYNC_ASKER_WHOLE,		/* judged: all of it came */
	NFSYNC_ASKER_TORN,		/* judged: some of it did not */
	NFSYNC_ASKER_REFUSED,		/* judged: there was no room for some */
	NFSYNC_ASKER_GONE,		/* a peer is not heard any more */
	NFSYNC_ASKER_STOP,
};

/* What is to be done */
#define NFSYNC_ASKER_DO_ASK	0x01	/* send the request */
#define NFSYNC_ASKER_DO_BEGIN	0x02	/* forget what earlier transfers told */
#define NFSYNC_ASKER_DO_MARK	0x04	/* what is told and lost counts from here */
#define NFSYNC_ASKER_DO_JUDGE	0x08
#define NFSYNC_ASKER_DO_DONE	0x10	/* in sync */
#define NFSYNC_ASKER_DO_GIVE_UP	0x20	/* tell that it does not work out */
#define NFSYNC_ASKER_DO_ARM	0x40	/* TICK after @wait */
#define NFSYNC_ASKER_DO_MORE	0x80	/* whole, but more was lost meanwhile */

struct nfsync_asker {
	u8 state;			/* enum nfsync_asker_state */
	u8 tries;			/* requests without an answer */
	u8 torn;			/* transfers in a row with something lost */
	u8 heals;			/* GAPs in a row */
	bool progress;			/* since the last TICK */
	bool asked;			/* the request has left */
	bool data;			/* since the last request */
	bool again;			/* wanted in the middle of a transfer */
	u32 from;			/* creator id of the START */
	u32 wait;			/* ms until the next TICK */
};

unsigned int nfsync_asker_step(struct nfsync_asker *a,
			       enum nfsync_asker_event event, u32 from);
void nfsync_asker_calm(struct nfsync_asker *a);

/* --- who answers --- */

enum nfsync_teller_state {
	NFSYNC_TELLER_IDLE,
	NFSYNC_TELLER_WALKING,		/* START sent */
	NFSYNC_TELLER_DRAINING,		/* all queued, not all sent */
};

enum nfsync_teller_event {
	NFSYNC_TELLER_REQUEST,
	NFSYNC_TELLER_WALKED,
	NFSYNC_TELLER_DRAINED,
	NFSYNC_TELLER_CUT,		/* the way out is gone, or START failed */
};

#define NFSYNC_TELLER_DO_START	0x01	/* send START and walk */
#define NFSYNC_TELLER_DO_DRAIN	0x02
#define NFSYNC_TELLER_DO_END	0x04

struct nfsync_teller {
	u8 state;			/* enum nfsync_teller_state */
	bool again;			/* asked for in the middle of a run */
};

unsigned int nfsync_teller_step(struct nfsync_teller *t,
				enum nfsync_teller_event event);

#endif /* _NFSYNC_TRANSFER_H */
