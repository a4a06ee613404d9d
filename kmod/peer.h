/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who has been heard, and whether this node may serve.
 */
#ifndef _NFSYNC_PEER_H
#define _NFSYNC_PEER_H

#include <linux/spinlock.h>
#include <linux/types.h>
#include "../include/uapi/linux/if_pfsync.h"

struct nfsync_dev;

/* senders of a foreign version that were already named in the log */
#define NFSYNC_PEER_STRANGERS	8

struct nfsync_peer {
	spinlock_t lock;		/* guards all of it */
	enum pfsync_verdict verdict;
	bool heard;			/* any good frame since up */
	bool ownid_logged;
	__be32 stranger[NFSYNC_PEER_STRANGERS];
	unsigned int n_strangers;
};

void nfsync_peer_init(struct nfsync_dev *nd);
void nfsync_peer_heard(struct nfsync_dev *nd);
void nfsync_peer_foreign(struct nfsync_dev *nd, __be32 saddr, u8 version);
void nfsync_peer_ownid(struct nfsync_dev *nd, __be32 saddr);
void nfsync_peer_set(struct nfsync_dev *nd, enum pfsync_verdict verdict);

#endif /* _NFSYNC_PEER_H */
