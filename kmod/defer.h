/* SPDX-License-Identifier: GPL-2.0 */
/*
 * First packets that wait until a peer knows their flow.
 */
#ifndef _NFSYNC_DEFER_H
#define _NFSYNC_DEFER_H

#include <linux/bitops.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include "../include/uapi/linux/if_pfsync.h"
#include "state.h"

struct net_device;
struct nf_hook_state;
struct sk_buff;

#define NFSYNC_DEFER_BITS	6

struct nfsync_defer_slice {
	spinlock_t lock;		/* guards up to and including stopped */
	struct list_head fifo;		/* struct held, the oldest first */
	struct list_head ready;		/* of those that wait for the task */
	struct hlist_head by_state[1 << NFSYNC_DEFER_BITS];
	unsigned int n;
	unsigned int pushed;		/* by the limit, since pushed_at */
	u32 pushed_at;			/* jiffies */
	bool stopped;

	struct nfsync_dev *nd;
	struct timer_list timer;	/* for the oldest */
	struct tasklet_struct task;	/* for ready */
} ____cacheline_aligned_in_smp;

struct nfsync_defer {
	struct nfsync_defer_slice *slice;	/* as many as queue.n_slices */
};

int nfsync_defer_init(struct nfsync_dev *nd);
void nfsync_defer_destroy(struct nfsync_dev *nd);
void nfsync_defer_start(struct nfsync_dev *nd);
void nfsync_defer_stop(struct nfsync_dev *nd);
void nfsync_defer_drop(struct nfsync_dev *nd);

unsigned int nfsync_defer_first(struct nfsync_dev *nd, struct sk_buff *skb,
				const struct nf_hook_state *state);
void nfsync_defer_known(struct nfsync_dev *nd, struct nfsync_state *st,
			enum pfsync_stat why);
void nfsync_defer_ended(struct nfsync_dev *nd, struct nfsync_state *st);
void nfsync_defer_flush(struct nfsync_dev *nd, enum pfsync_stat why);
void nfsync_defer_netdev(struct nfsync_dev *nd, const struct net_device *dev);

/**
 * nfsync_defer_release() - let the first packet of a flow go, if it waits
 * @nd: device
 * @st: its state
 * @why: the counter of the reason
 *
 * One bit test where nothing waits.
 *
 * Context: softirq or process, RCU read side, no lock held.
 */
static inline void nfsync_defer_release(struct nfsync_dev *nd,
					struct nfsync_state *st,
					enum pfsync_stat why)
{
	if (unlikely(test_bit(NFSYNC_ST_HELD, &st->flags)))
		nfsync_defer_known(nd, st, why);
}

#endif /* _NFSYNC_DEFER_H */
