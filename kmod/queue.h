/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What waits to be told: one slice per CPU, chosen by the flow, so that all
 * that is said of one flow leaves in order.
 *
 * A slice's lock guards its lists, counts, length and the markers of the
 * states on it; all of them change in one critical section (the flush
 * included), so that marker == q if and only if the state is linked on q.
 * The lock is a leaf: nothing is called under it, and it is taken with
 * bottom halves off, for events also come in process context.
 */
#ifndef _NFSYNC_QUEUE_H
#define _NFSYNC_QUEUE_H

#include <linux/interrupt.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include "state.h"
#include "wire.h"

struct page_frag_cache;
struct nfsync_send;

/* Ids owed to the peers, apart from the states: acks, denials, requests */
#define NFSYNC_IDQ_MAX	128

struct nfsync_idq {
	unsigned int n;
	struct nfsync_msg_id v[NFSYNC_IDQ_MAX];
};

/*
 * Who was asked for lately, by a hash of the id: one that is refused when it
 * comes (parked, table full) is not asked for with every UPD_C.  Of two ids
 * in one slot the later one is remembered.
 */
#define NFSYNC_ASKED_BITS	8
#define NFSYNC_ASKED_JIFFIES	HZ

struct nfsync_asked {
	u64 id;
	u32 creatorid;
	u32 at;				/* jiffies */
};

struct nfsync_slice {
	spinlock_t lock;		/* guards up to and including asked */
	struct list_head q[NFSYNC_Q_MAX];
	unsigned int n[NFSYNC_Q_MAX];
	size_t len;			/* of one packet with all of it */
	struct nfsync_idq ack;
	struct nfsync_idq deny;
	struct nfsync_idq req;
	bool stopped;
	bool due;			/* all of it is to leave, not only what
					 * fills packets
					 */
	bool kicked;			/* and has not all left since */
	u32 by_hand_at;			/* jiffies when an entry was last deleted
					 * by hand
					 */
	u8 held;			/* intervals that DELs waited for more */
	struct nfsync_asked asked[1 << NFSYNC_ASKED_BITS];

	spinlock_t import_lock;		/* a peer's entry has its state at once */

	struct nfsync_dev *nd;
	struct tasklet_struct task;	/* flush at the end of the batch */
	struct timer_list timer;	/* flush at the latest */
	struct nfsync_send *send;	/* the task's own */
} ____cacheline_aligned_in_smp;

/* A set of creators, small enough to look through; beyond that, of all */
#define NFSYNC_CREATORS_MAX	8

struct nfsync_creators {
	u32 v[NFSYNC_CREATORS_MAX];
	unsigned int n;			/* MAX + 1: all */
};

struct nfsync_queue {
	struct nfsync_slice *slice;
	unsigned int n_slices;
	u32 seed;			/* nobody aims at a slice */
	atomic_t sending;		/* tasks that are at it; -1: a CLR is */

	spinlock_t spared_lock;		/* for writers of spared */
	struct nfsync_creators spared;	/* no CLR of theirs, see queue_spare() */
};

/* Where a detached batch goes; filled under the lock, read by the task */
struct nfsync_batch {
	struct nfsync_state **st;	/* regions in the order of enum nfsync_marker */
	unsigned int cap;
	unsigned int n[NFSYNC_Q_MAX];
	struct nfsync_msg_id *ack, *deny, *req;
	unsigned int n_ack, n_deny, n_req;
	size_t len;			/* bytes of it as sections */
	bool bare;			/* states go without the trailer */
};

int nfsync_queue_init(struct nfsync_dev *nd);
void nfsync_queue_destroy(struct nfsync_dev *nd);
void nfsync_queue_start(struct nfsync_dev *nd);
void nfsync_queue_stop(struct nfsync_dev *nd);
void nfsync_queue_kick_all(struct nfsync_dev *nd);
bool nfsync_queue_flushed(struct nfsync_dev *nd);

u16 nfsync_queue_slice(const struct nfsync_dev *nd, const struct nf_conn *ct);
void nfsync_queue_update(struct nfsync_dev *nd, struct nfsync_state *st,
			 bool urgent);
void nfsync_queue_update_full(struct nfsync_dev *nd, struct nfsync_state *st,
			      bool urgent);
bool nfsync_queue_delete(struct nfsync_dev *nd, struct nfsync_state *st,
			 bool announce, bool by_hand);
void nfsync_queue_spare(struct nfsync_dev *nd, u32 creatorid);
void nfsync_queue_ack(struct nfsync_dev *nd, u64 id, u32 creatorid);
bool nfsync_queue_deny(struct nfsync_dev *nd, u64 id, u32 creatorid);
bool nfsync_queue_request(struct nfsync_dev *nd, u64 id, u32 creatorid,
			  u32 pause);

bool nfsync_queue_take(struct nfsync_slice *sl, size_t room,
		       struct nfsync_batch *b);
bool nfsync_queue_begin(struct nfsync_dev *nd);
void nfsync_queue_end(struct nfsync_dev *nd);
void nfsync_queue_drop(struct nfsync_slice *sl);
void nfsync_queue_retry(struct nfsync_slice *sl);
void nfsync_queue_sent(struct nfsync_slice *sl);

#endif /* _NFSYNC_QUEUE_H */
