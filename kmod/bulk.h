/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Joining: ask a peer for every state, and answer who asks.
 */
#ifndef _NFSYNC_BULK_H
#define _NFSYNC_BULK_H

#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "wire.h"

struct nfsync_dev;

struct nfsync_bulk {
	/* responder */
	struct work_struct offer;
	bool walk_due;			/* entries here are not tracked yet */

	/* requester; lock guards all below */
	spinlock_t lock;
	struct delayed_work ask;
	unsigned int tries;		/* without an answer */
	bool wanted;			/* a transfer is outstanding */
	bool started;			/* START seen, waiting for END */
	bool progress;			/* something of it came */
	u32 from;			/* creator id of the START */
};

void nfsync_bulk_init(struct nfsync_dev *nd);
void nfsync_bulk_start(struct nfsync_dev *nd);
void nfsync_bulk_stop(struct nfsync_dev *nd);
void nfsync_bulk_request(struct nfsync_dev *nd);
void nfsync_bulk_asked(struct nfsync_dev *nd);
void nfsync_bulk_status(struct nfsync_dev *nd, const struct nfsync_msg_bus *m);
void nfsync_bulk_progress(struct nfsync_dev *nd);

#endif /* _NFSYNC_BULK_H */
