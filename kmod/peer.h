/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who is heard on the sync link, what of theirs was lost, and whether this
 * node may serve.
 */
#ifndef _NFSYNC_PEER_H
#define _NFSYNC_PEER_H

#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include "../include/uapi/linux/if_pfsync.h"
#include "gap.h"
#include "wire.h"

struct nfsync_dev;

/* Nodes that are told apart; of more the one silent for longest is forgotten */
#define NFSYNC_PEERS_MAX	8

#define NFSYNC_HELLO_INTERVAL	HZ
/* One that was silent for that long is gone; a BSD says no hello */
#define NFSYNC_PEER_SILENT	(5 * NFSYNC_HELLO_INTERVAL)
#define NFSYNC_BSD_SILENT	(60 * HZ)
/* One that was silent for longer than its hello takes is not waited for */
#define NFSYNC_PEER_LISTENS	(NFSYNC_HELLO_INTERVAL + NFSYNC_HELLO_INTERVAL / 2)

/*
 * Alone for that long, what the peers told of their flows is too old.  When
 * the peers died their flows have come here by then.
 */
#define NFSYNC_PEER_DOUBT	(10 * HZ)

struct nfsync_peer {
	u32 creatorid;			/* 0: a BSD, known by its address */
	u32 incarnation;
	__be32 saddr;
	bool live;
	bool joined;			/* was not in sync when it turned up */
	bool greeted;			/* since it is live, said that it serves */
	bool stranger_logged;		/* its version was named in the log */
	unsigned long heard;		/* jiffies */
	unsigned long hello_at;		/* jiffies */
	u32 hello_seq;			/* number of the frame it said hello in */
	u64 lost_told;			/* of gap.lost, that were acted on */
	struct nfsync_gap gap;
	struct nfsync_msg_hello hello;
};

struct nfsync_peers {
	spinlock_t lock;		/* guards all but the atomics and works */
	enum pfsync_verdict verdict;
	bool served;			/* was in sync or alone since up */
	bool ownid_logged;
	bool trusted;			/* what the peers told is no older */
	unsigned long doubt_at;		/* jiffies, when alone: it is */
	unsigned int n;
	struct nfsync_peer v[NFSYNC_PEERS_MAX];

	u32 joined_by;			/* whose transfer was whole last */
	u32 incarnation;		/* ours */
	atomic_t seq;			/* of our last frame */
	unsigned long listens_until;	/* jiffies, see nfsync_peer_listens() */
	time64_t up_since;		/* s, monotonic */
	struct delayed_work hello;
	struct delayed_work notify;
};

void nfsync_peer_init(struct nfsync_dev *nd);
void nfsync_peer_start(struct nfsync_dev *nd);
void nfsync_peer_quiet(struct nfsync_dev *nd);
void nfsync_peer_stop(struct nfsync_dev *nd);
void nfsync_peer_link(struct nfsync_dev *nd, bool link);
void nfsync_peer_set(struct nfsync_dev *nd, enum pfsync_verdict verdict);
void nfsync_peer_policy(struct nfsync_dev *nd);
void nfsync_peer_trouble(struct nfsync_dev *nd);

bool nfsync_peer_frame(struct nfsync_dev *nd, __be32 saddr,
		       const struct nfsync_msg_frame *m);
void nfsync_peer_bsd(struct nfsync_dev *nd, __be32 saddr);
void nfsync_peer_hello(struct nfsync_dev *nd, const struct nfsync_msg_frame *fr,
		       const struct nfsync_msg_hello *m);
bool nfsync_peer_start_of(struct nfsync_dev *nd,
			  const struct nfsync_msg_frame *fr, u64 *lost,
			  bool *overtaken);
bool nfsync_peer_losses(struct nfsync_dev *nd, u32 creatorid, u64 *lost,
			u32 *missing);
bool nfsync_peer_listens(const struct nfsync_dev *nd);
unsigned int nfsync_peer_listeners(struct nfsync_dev *nd);
void nfsync_peer_reconciled(struct nfsync_dev *nd, u32 creatorid);
bool nfsync_peer_serves(struct nfsync_dev *nd);
bool nfsync_peer_get(struct nfsync_dev *nd, unsigned int i,
		     struct nfsync_peer *peer);

void nfsync_peer_foreign(struct nfsync_dev *nd, __be32 saddr, u8 version);
void nfsync_peer_ownid(struct nfsync_dev *nd, __be32 saddr);

static inline bool nfsync_verdict_serves(u8 verdict)
{
	return verdict == PFSYNC_VERDICT_IN_SYNC ||
	       verdict == PFSYNC_VERDICT_ALONE ||
	       verdict == PFSYNC_VERDICT_HEALING;
}

/* What we number our next frame with */
static inline u32 nfsync_peer_next_seq(struct nfsync_peers *p)
{
	return atomic_inc_return(&p->seq);
}

#endif /* _NFSYNC_PEER_H */
