/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bulk transfer: tell a peer every state, and ask for every state.
 */
#ifndef _NFSYNC_BULK_H
#define _NFSYNC_BULK_H

#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "transfer.h"
#include "wire.h"

struct nfsync_dev;
struct nfsync_state;

struct nfsync_bulk {
	spinlock_t lock;		/* guards up to and including pace_us */

	struct nfsync_asker asker;
	struct nfsync_msg_total total;	/* of the END that is judged */
	bool numbered;			/* START came in a numbered frame */
	bool overtaken;			/* not in the order they left in */
	u64 lost_before;		/* frames of its sender, at START */
	u32 refused_before;		/* of refused, at START */
	u8 judged;			/* how often this END was looked at */
	unsigned long calm_since;	/* jiffies of the last loss */

	struct nfsync_teller teller;
	unsigned long told_at;		/* jiffies of the last END */
	u32 pace_us;			/* rest between two chunks */

	atomic_t refused;		/* states that there was no room for */

	struct delayed_work ask;
	struct delayed_work tell;
	bool walk_due;			/* entries here are not tracked yet */

	u16 gen;			/* what a transfer told carries it */
	u16 base;			/* the first that is not forgotten yet */
	u16 told_gen;			/* the same for what we tell */
	atomic_t told;			/* states, in this run */
	atomic64_t told_sum;		/* of nfsync_wire_mix() */
	bool unnumbered;		/* some of it left without a number */
};

void nfsync_bulk_init(struct nfsync_dev *nd);
void nfsync_bulk_start(struct nfsync_dev *nd);
void nfsync_bulk_stop(struct nfsync_dev *nd);
void nfsync_bulk_want(struct nfsync_dev *nd);
void nfsync_bulk_rest(struct nfsync_dev *nd);
void nfsync_bulk_gap(struct nfsync_dev *nd, u32 creatorid);
void nfsync_bulk_refused(struct nfsync_dev *nd, u32 creatorid);
void nfsync_bulk_gone(struct nfsync_dev *nd, u32 creatorid);
void nfsync_bulk_calm(struct nfsync_dev *nd);
void nfsync_bulk_asked(struct nfsync_dev *nd);
void nfsync_bulk_status(struct nfsync_dev *nd,
			const struct nfsync_msg_frame *fr,
			const struct nfsync_msg_bus *m);
void nfsync_bulk_total(struct nfsync_dev *nd, const struct nfsync_msg_total *m);
void nfsync_bulk_progress(struct nfsync_dev *nd);
void nfsync_bulk_told(struct nfsync_dev *nd, struct nfsync_state *st);

#endif /* _NFSYNC_BULK_H */
