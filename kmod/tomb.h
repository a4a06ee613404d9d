/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ids whose state ended lately.  A peer that did not hear of the end (its
 * link was down, the frame was lost or overtaken) may still tell of such a
 * state; without a memory of the end it would come to life again.
 *
 * A cache: what is pushed out is forgotten, and the end then has to be told
 * by a bulk transfer.
 */
#ifndef _NFSYNC_TOMB_H
#define _NFSYNC_TOMB_H

#include <linux/spinlock.h>
#include <linux/types.h>

struct nfsync_dev;

#define NFSYNC_TOMB_BITS	12	/* buckets */
#define NFSYNC_TOMB_WAYS	4

enum nfsync_tomb_kind {
	NFSYNC_TOMB_NONE,
	NFSYNC_TOMB_ENDED,		/* here, by our own packets: we decide */
	NFSYNC_TOMB_TOLD,		/* a peer said so */
	NFSYNC_TOMB_RENAMED,		/* only the id: its entry has a peer's */
};

/* How the news shows that the state is alive */
enum nfsync_tomb_sign {
	NFSYNC_TOMB_UNSIGNED,		/* a BSD can't say */
	NFSYNC_TOMB_STILL,
	NFSYNC_TOMB_MOVES,		/* NFSYNC_EXT_MOVES */
};

/* What to do with the news of a state that is not here */
enum nfsync_tomb_advice {
	NFSYNC_TOMB_CREATE,
	NFSYNC_TOMB_DENY,		/* answer with a DEL_C */
	NFSYNC_TOMB_ASK,		/* does anybody still have it? */
	NFSYNC_TOMB_WAIT,		/* no answer, until packets pass */
};

struct nfsync_tomb {
	u64 id;
	u32 creatorid;
	u8 kind;			/* enum nfsync_tomb_kind */
	bool answered;			/* whoever told of it since */
};

struct nfsync_tombs {
	spinlock_t lock;		/* guards the buckets */
	struct nfsync_tomb *v;		/* NFSYNC_TOMB_WAYS each, newest first */
};

int nfsync_tomb_init(struct nfsync_dev *nd);
void nfsync_tomb_destroy(struct nfsync_dev *nd);
void nfsync_tomb_flush(struct nfsync_dev *nd);
void nfsync_tomb_put(struct nfsync_dev *nd, u64 id, u32 creatorid,
		     enum nfsync_tomb_kind kind);
bool nfsync_tomb_told(struct nfsync_dev *nd, u64 id, u32 creatorid);
enum nfsync_tomb_advice nfsync_tomb_judge(struct nfsync_dev *nd, u64 id,
					  u32 creatorid,
					  enum nfsync_tomb_sign sign);

#endif /* _NFSYNC_TOMB_H */
