/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NFSYNC_RECEIVE_H
#define _NFSYNC_RECEIVE_H

#include <linux/workqueue.h>

struct nfsync_dev;

/* CLRs that wait for the walk: it is too long for the softirq they came in */
#define NFSYNC_CLR_MAX	16

struct nfsync_clr_one {
	u32 creatorid;
	u32 seq;			/* states imported later stay */
};

struct nfsync_clr {
	spinlock_t lock;		/* guards v and n */
	struct work_struct work;
	unsigned int n;
	struct nfsync_clr_one v[NFSYNC_CLR_MAX];
};

int nfsync_receive_register(void);
void nfsync_receive_unregister(void);
void nfsync_receive_init(struct nfsync_dev *nd);
void nfsync_receive_stop(struct nfsync_dev *nd);

#endif /* _NFSYNC_RECEIVE_H */
