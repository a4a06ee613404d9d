/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets that wait for a peer: the first of a flow (defer.c), or one that came
 * before the news of its flow (early.c).
 */
#ifndef _NFSYNC_HELD_H
#define _NFSYNC_HELD_H

#include <linux/bitops.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/netfilter.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include "../include/uapi/linux/if_pfsync.h"
#include "state.h"

struct net_device;
struct sk_buff;

enum nfsync_held_for {
	NFSYNC_HELD_FIRST,		/* the answers of peers */
	NFSYNC_HELD_EARLY,		/* news */
	NFSYNC_HELD_BEHIND,		/* those before it, which leave */
};

struct nfsync_held {
	struct list_head node;
	struct hlist_node by_state;
	struct nfsync_state *st;	/* one reference */
	struct sk_buff *skb;
	struct nf_hook_state state;	/* a copy: the original is on a stack */
	struct net_device *dev;		/* of the skb, may be none of state's */
	struct net_device *physout;	/* of a bridged packet */
	u32 at;				/* jiffies when it began to wait */
	enum pfsync_stat why;		/* it leaves */
	enum nfsync_held_for what;
	bool asked;			/* for the news */
	u8 peers;			/* that are to answer */
	u8 acks;			/* that came */
};

#define NFSYNC_HELD_BITS	6

struct nfsync_held_slice {
	spinlock_t lock;		/* guards up to and including stopped */
	struct list_head fifo;		/* struct nfsync_held, the oldest first */
	struct list_head ready;		/* those that leave, in order */
	struct hlist_head by_state[1 << NFSYNC_HELD_BITS];
	unsigned int n;
	unsigned int pushed;		/* by the limit, since pushed_at */
	u32 pushed_at;			/* jiffies */
	int sender;			/* processor that empties ready, or -1 */
	bool stopped;

	struct nfsync_dev *nd;
	struct timer_list timer;	/* for the oldest, and to ask */
	struct tasklet_struct task;	/* for ready */
} ____cacheline_aligned_in_smp;

int nfsync_held_init(struct nfsync_dev *nd);
void nfsync_held_destroy(struct nfsync_dev *nd);
void nfsync_held_start(struct nfsync_dev *nd);
void nfsync_held_stop(struct nfsync_dev *nd);
void nfsync_held_drop(struct nfsync_dev *nd);

struct nfsync_held *nfsync_held_make(struct nfsync_dev *nd,
				     struct sk_buff *skb,
				     const struct nf_hook_state *state);
void nfsync_held_free(struct nfsync_held *h);
void nfsync_held_send(struct nfsync_held *h);
bool nfsync_held_add(struct nfsync_dev *nd, struct nfsync_held *h);
bool nfsync_held_flooded(struct nfsync_dev *nd, unsigned int slice);
bool nfsync_held_over(const struct nfsync_dev *nd, const struct nfsync_held *h);

unsigned int nfsync_held_follow(struct nfsync_dev *nd, struct nfsync_state *st,
				struct sk_buff *skb,
				const struct nf_hook_state *state);
void nfsync_held_go_first(struct nfsync_dev *nd, struct nfsync_state *st,
			  enum pfsync_stat why);
void nfsync_held_ack(struct nfsync_dev *nd, struct nfsync_state *st);
void nfsync_held_go_all(struct nfsync_dev *nd, struct nfsync_state *st,
			enum pfsync_stat why);
void nfsync_held_go_early(struct nfsync_dev *nd, struct nfsync_state *st);
void nfsync_held_flush(struct nfsync_dev *nd, enum pfsync_stat why);
void nfsync_held_netdev(struct nfsync_dev *nd, const struct net_device *dev);

/**
 * nfsync_held_answered() - let the first packet of a flow go, if it waits
 * @nd: device
 * @st: its state
 * @why: the counter of the reason
 *
 * One bit test where nothing waits.
 *
 * Context: softirq or process, RCU read side, no lock held.
 */
static inline void nfsync_held_answered(struct nfsync_dev *nd,
					struct nfsync_state *st,
					enum pfsync_stat why)
{
	if (unlikely(test_bit(NFSYNC_ST_HELD, &st->flags)))
		nfsync_held_go_first(nd, st, why);
}

/**
 * nfsync_held_acked() - a peer acknowledged the state of a flow
 * @nd: device
 * @st: the state
 *
 * Context: softirq, RCU read side, no lock held.
 */
static inline void nfsync_held_acked(struct nfsync_dev *nd,
				     struct nfsync_state *st)
{
	if (test_bit(NFSYNC_ST_HELD, &st->flags))
		nfsync_held_ack(nd, st);
}

/**
 * nfsync_held_news() - conntrack knows more of a flow than it did
 * @nd: device
 * @st: its state
 *
 * A peer's news were applied to its entry, or a later packet of it was fine.
 *
 * The order is what early.c relies on: who takes the entry's lock before the
 * news did has set the bit by then.
 *
 * Context: softirq or process, RCU read side, no lock held.
 */
static inline void nfsync_held_news(struct nfsync_dev *nd,
				    struct nfsync_state *st)
{
	if (unlikely(test_bit(NFSYNC_ST_AWAITED, &st->flags)))
		nfsync_held_go_early(nd, st);
}

/**
 * nfsync_held_before() - do packets of a flow leave that came before this one?
 * @st: state
 *
 * Asked after nfsync_held_news(): one word tells of both.
 *
 * Context: any.
 * Return: true if so.
 */
static inline bool nfsync_held_before(const struct nfsync_state *st)
{
	return test_bit(NFSYNC_ST_LEAVING, &st->flags);
}

/**
 * nfsync_held_ended() - the entry of a state has ended
 * @nd: device
 * @st: the state
 *
 * Whoever waits for a peer's word on it waits in vain.  Its packets leave a
 * moment later: conntrack tells of an end with locks of its own held.
 *
 * Context: any, RCU read side.
 */
static inline void nfsync_held_ended(struct nfsync_dev *nd,
				     struct nfsync_state *st)
{
	if (unlikely(READ_ONCE(st->flags) &
		     (BIT(NFSYNC_ST_HELD) | BIT(NFSYNC_ST_AWAITED))))
		nfsync_held_go_all(nd, st, PFSYNC_STAT_DEFER_DEL);
}

#endif /* _NFSYNC_HELD_H */
