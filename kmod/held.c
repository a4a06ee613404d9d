// SPDX-License-Identifier: GPL-2.0
/*
 * Packets that wait for a peer.  Which ones, and for what, is the business of
 * defer.c and early.c; here is how they wait and how they leave.
 *
 * Life of a held packet.  One struct nfsync_held owns the skb, a reference on
 * the state, and one on each device that okfn may touch; the skb holds the
 * entry, if it has one, and by skb_dst_force() the route.  A route that is
 * taken away meanwhile leaves a dst that drops, a device that goes makes its
 * packets leave first.  It is on its slice's list from nfsync_held_add() until
 * one of those that release it moves it to the list of those that leave, under
 * the slice's lock.  That is emptied, after the lock is gone, by who released;
 * where that is no time to send, in the hook of another flow's packet or where
 * conntrack tells of an entry's end, by a task at the end of the softirq batch.
 * So it leaves exactly once.
 *
 * Order.  News come by one processor and the next packet of a flow by another,
 * or by the same in the middle of the first one's work.  So one at a time sends
 * what leaves a slice, in the order in which it was released, and a packet of a
 * flow of which packets leave (NFSYNC_ST_LEAVING) gets in line behind them.
 *
 * NFSYNC_ST_HELD says that the first packet of the state is on the list; it is
 * changed under the slice's lock, and read without it where a packet or a
 * message more must not cost a lock.  NFSYNC_ST_AWAITED says that news of the
 * state are waited for: set by who waits, before it looks whether they are
 * there already, and cleared with the lock by whoever brings them.
 *
 * Released by: what they wait for, the end of their entry, the ceiling, the
 * limit, the interface going down or deferral being switched off, the sync link
 * going, a device of the packet going, a module that is unloaded (okfn may be
 * its).  A namespace that ends drops them: its conntrack waits for the entries.
 *
 * Locks.  The lock of a slice of ours is a leaf: under it nothing is freed,
 * sent or looked up, only timer and task are set.  It is taken with bottom halves
 * off and together with no other lock, the queue's slice lock included; both
 * are indexed by the state's slice.
 *
 * A flood of new flows.  Where the limit pushed out as many packets as it
 * lets wait within one ceiling, waiting is pointless: until the ceiling is
 * over newcomers of that slice pass as with "defer off", which also means
 * that half-open TCP is not told.
 */
#include <linux/hash.h>
#include <linux/netfilter_bridge.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include "audit.h"
#include "device.h"
#include "early.h"
#include "held.h"
#include "hooks.h"
#include "inject.h"

static struct nfsync_held_slice *slice_of(const struct nfsync_dev *nd,
					  const struct nfsync_state *st)
{
	return &nd->held[st->slice];
}

/* Packets that one task sends before it lets others run */
#define SEND_MAX	64

/* Flows that are asked for by one timer */
#define ASK_MAX		16

static u32 ceiling(const struct nfsync_dev *nd)
{
	return msecs_to_jiffies(READ_ONCE(nd->cfg.defer_ms));
}

/* After that long news are not on their way, or were lost */
static u32 patience(const struct nfsync_dev *nd)
{
	return max(ceiling(nd) / 4, 1U);
}

/* --- one packet --- */

static struct net_device *physout(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	if (nf_bridge_info_exists(skb))
		return nf_bridge_get_physoutdev(skb);
#endif
	return NULL;
}

/* Its route stays; not if it goes right now, and the skb has none any more */
static bool keep_route(struct nfsync_dev *nd, struct sk_buff *skb)
{
	if (!skb_dst(skb) || skb_dst_force(skb))
		return true;
	nfsync_stats_inc(nd, PFSYNC_STAT_DEFER_NOROUTE);
	return false;
}

/**
 * nfsync_held_make() - prepare for a packet to wait
 * @nd: device
 * @skb: packet, in a hook
 * @state: of that hook
 *
 * Context: softirq or process, RCU read side.
 * Return: the object, without a state yet; NULL without memory, -EHOSTUNREACH
 * as a pointer when its route just went: both are counted.
 */
struct nfsync_held *nfsync_held_make(struct nfsync_dev *nd,
				     struct sk_buff *skb,
				     const struct nf_hook_state *state)
{
	struct nfsync_held *h;

	if (!keep_route(nd, skb))
		return ERR_PTR(-EHOSTUNREACH);
	h = kzalloc(sizeof(*h), GFP_ATOMIC | __GFP_NOWARN);
	if (!h) {
		nfsync_stats_inc(nd, PFSYNC_STAT_DEFER_NOMEM);
		return NULL;
	}
	h->skb = skb;
	h->state = *state;
	h->at = jiffies;
	h->dev = skb->dev;
	h->physout = physout(skb);
	dev_hold(h->dev);
	dev_hold(h->physout);
	dev_hold(h->state.in);
	dev_hold(h->state.out);
	return h;
}

/**
 * nfsync_held_free() - undo nfsync_held_make(); the packet is somebody else's
 * @h: object, on no list
 *
 * Context: softirq or process, no lock held.
 */
void nfsync_held_free(struct nfsync_held *h)
{
	dev_put(h->state.out);
	dev_put(h->state.in);
	dev_put(h->physout);
	dev_put(h->dev);
	if (h->st)
		nfsync_state_put(h->st);
	kfree(h);
}

/**
 * nfsync_held_send() - the packet goes on behind the last hook
 * @h: object, on no list; freed
 *
 * Context: softirq or process, no lock held.
 */
void nfsync_held_send(struct nfsync_held *h)
{
	const struct nf_hook_state *s = &h->state;

	local_bh_disable();
	rcu_read_lock();
	s->okfn(s->net, s->sk, h->skb);
	rcu_read_unlock();
	local_bh_enable();
	nfsync_held_free(h);
}

static void held_drop(struct nfsync_held *h)
{
	kfree_skb(h->skb);
	nfsync_held_free(h);
}

static bool held_uses(const struct nfsync_held *h, const struct net_device *dev)
{
	return h->dev == dev || h->physout == dev || h->state.in == dev ||
	       h->state.out == dev;
}

/**
 * nfsync_held_over() - has it waited for long enough?
 * @nd: device
 * @h: object
 *
 * Context: any.
 * Return: true if so.
 */
bool nfsync_held_over(const struct nfsync_dev *nd, const struct nfsync_held *h)
{
	return (u32)jiffies - h->at >= ceiling(nd);
}

/* --- those of a slice --- */

static struct hlist_head *bucket(struct nfsync_held_slice *sl,
				 const struct nfsync_state *st)
{
	return &sl->by_state[hash_ptr(st, NFSYNC_HELD_BITS)];
}

static bool is_to_ask(const struct nfsync_held *h)
{
	return h->what == NFSYNC_HELD_EARLY && !h->asked;
}

/* For the oldest, or for the oldest that is to ask */
static void slice_arm(struct nfsync_held_slice *sl)
	__must_hold(&sl->lock)
{
	const struct nfsync_held *h;
	s32 left, ask;

	lockdep_assert_held(&sl->lock);

	h = list_first_entry_or_null(&sl->fifo, struct nfsync_held, node);
	if (!h)
		return;
	left = h->at + ceiling(sl->nd) - (u32)jiffies;
	list_for_each_entry(h, &sl->fifo, node) {
		if (!is_to_ask(h))
			continue;
		ask = h->at + patience(sl->nd) - (u32)jiffies;
		left = min(left, ask);
		break;
	}
	mod_timer(&sl->timer, jiffies + max(left, 0));
}

/* By age: one that waits once more is older than those behind it */
static void slice_link(struct nfsync_held_slice *sl, struct nfsync_held *h)
	__must_hold(&sl->lock)
{
	struct nfsync_held *p;

	lockdep_assert_held(&sl->lock);

	list_for_each_entry_reverse(p, &sl->fifo, node)
		if ((s32)(p->at - h->at) <= 0)
			break;
	list_add(&h->node, &p->node);
	hlist_add_head(&h->by_state, bucket(sl, h->st));
	if (h->what == NFSYNC_HELD_FIRST)
		set_bit(NFSYNC_ST_HELD, &h->st->flags);
	sl->n++;
	if (list_is_first(&h->node, &sl->fifo) || is_to_ask(h))
		slice_arm(sl);
}

/* It gets in line */
static void slice_line(struct nfsync_held_slice *sl, struct nfsync_held *h)
	__must_hold(&sl->lock)
{
	lockdep_assert_held(&sl->lock);

	list_add_tail(&h->node, &sl->ready);
	h->st->leaving++;
	set_bit(NFSYNC_ST_LEAVING, &h->st->flags);
}

/* From here on it waits no more */
static void slice_unlink(struct nfsync_held_slice *sl, struct nfsync_held *h,
			 enum pfsync_stat why)
	__must_hold(&sl->lock)
{
	lockdep_assert_held(&sl->lock);

	sl->n--;
	h->why = why;
	list_del(&h->node);
	hlist_del(&h->by_state);
	if (h->what == NFSYNC_HELD_FIRST)
		clear_bit(NFSYNC_ST_HELD, &h->st->flags);
}

static void slice_take(struct nfsync_held_slice *sl, struct nfsync_held *h,
		       enum pfsync_stat why)
	__must_hold(&sl->lock)
{
	lockdep_assert_held(&sl->lock);

	slice_unlink(sl, h, why);
	slice_line(sl, h);
}

/* In the order in which they came, from a bucket that has them the other way */
static void slice_take_its(struct nfsync_held_slice *sl,
			   const struct nfsync_state *st, enum pfsync_stat why,
			   bool early)
	__must_hold(&sl->lock)
{
	struct nfsync_held *h;
	struct hlist_node *next;
	LIST_HEAD(its);

	lockdep_assert_held(&sl->lock);

	hlist_for_each_entry_safe(h, next, bucket(sl, st), by_state) {
		if (h->st != st || (h->what == NFSYNC_HELD_EARLY && !early))
			continue;
		slice_take(sl, h, why);
		list_move(&h->node, &its);
	}
	list_splice_tail(&its, &sl->ready);
}

static void held_go(struct nfsync_dev *nd, struct nfsync_held *h)
{
	if (h->what == NFSYNC_HELD_EARLY) {
		nfsync_early_go(nd, h);
		return;
	}
	if (h->what == NFSYNC_HELD_FIRST)
		nfsync_stats_inc(nd, h->why);
	nfsync_held_send(h);
}

/* The first in line leaves, while the lock is not held */
static void slice_send_one(struct nfsync_held_slice *sl)
	__must_hold(&sl->lock)
{
	struct nfsync_held *h = list_first_entry(&sl->ready, struct nfsync_held,
						 node);
	struct nfsync_state *st = h->st;

	lockdep_assert_held(&sl->lock);

	refcount_inc(&st->refs);
	list_del(&h->node);
	spin_unlock(&sl->lock);
	held_go(sl->nd, h);
	spin_lock(&sl->lock);
	if (!--st->leaving)
		clear_bit(NFSYNC_ST_LEAVING, &st->flags);
	spin_unlock(&sl->lock);
	nfsync_state_put(st);
	spin_lock(&sl->lock);
}

/* Whoever else sends right now goes on with what was added to the line */
static void slice_send(struct nfsync_held_slice *sl)
{
	unsigned int n;

	spin_lock_bh(&sl->lock);
	if (sl->sender >= 0)
		goto out;
	WRITE_ONCE(sl->sender, smp_processor_id());
	for (n = 0; n < SEND_MAX && !list_empty(&sl->ready); n++)
		slice_send_one(sl);
	WRITE_ONCE(sl->sender, -1);
	if (!list_empty(&sl->ready))
		tasklet_schedule(&sl->task);
out:
	spin_unlock_bh(&sl->lock);
}

/* Until all that is in line now has left */
static void slice_send_all(struct nfsync_held_slice *sl)
{
	do {
		slice_send(sl);
		cond_resched();
	} while (READ_ONCE(sl->sender) >= 0 ||
		 !list_empty_careful(&sl->ready));
}

/* Those that were let go where it was no time to send */
static void slice_task(struct tasklet_struct *t)
{
	struct nfsync_held_slice *sl = from_tasklet(sl, t, task);

	slice_send(sl);
}

/* Flows whose packets wait for news that don't come by themselves */
static unsigned int slice_asks(struct nfsync_held_slice *sl,
			       struct nfsync_msg_id id[ASK_MAX])
	__must_hold(&sl->lock)
{
	unsigned int n = 0;
	struct nfsync_held *h;

	lockdep_assert_held(&sl->lock);

	list_for_each_entry(h, &sl->fifo, node) {
		if (n == ASK_MAX || (u32)jiffies - h->at < patience(sl->nd))
			break;
		if (!is_to_ask(h))
			continue;
		h->asked = true;
		id[n].id = h->st->id;
		id[n++].creatorid = h->st->creatorid;
	}
	return n;
}

static void slice_timeout(struct timer_list *t)
{
	struct nfsync_held_slice *sl = timer_container_of(sl, t, timer);
	struct nfsync_msg_id id[ASK_MAX];
	struct nfsync_held *h, *next;
	unsigned int n;
	bool over;

	NFSYNC_INJECT_AT(HELD_TIMEOUT, sl->nd->net, NULL);
	spin_lock_bh(&sl->lock);
	list_for_each_entry_safe(h, next, &sl->fifo, node) {
		if (!nfsync_held_over(sl->nd, h))
			break;
		slice_take(sl, h, h->what == NFSYNC_HELD_EARLY ?
			   PFSYNC_STAT_EARLY_TIMEOUT :
			   PFSYNC_STAT_DEFER_TIMEOUT);
	}
	n = slice_asks(sl, id);
	over = !list_empty(&sl->ready);
	slice_arm(sl);
	spin_unlock_bh(&sl->lock);
	if (over) {
		NFSYNC_INJECT_AT(HELD_TIMED_OUT, sl->nd->net, NULL);
		slice_send(sl);
	}
	while (n--)
		nfsync_early_ask(sl->nd, id[n].id, id[n].creatorid,
				 ceiling(sl->nd));
}

/* The oldest makes room; not sent from the hook of another packet */
static void slice_push(struct nfsync_held_slice *sl)
	__must_hold(&sl->lock)
{
	u32 now = jiffies;

	lockdep_assert_held(&sl->lock);

	if (now - sl->pushed_at >= ceiling(sl->nd)) {
		WRITE_ONCE(sl->pushed_at, now);
		WRITE_ONCE(sl->pushed, 0);
	}
	WRITE_ONCE(sl->pushed, sl->pushed + 1);
	slice_take(sl, list_first_entry(&sl->fifo, struct nfsync_held, node),
		   PFSYNC_STAT_DEFER_LIMIT);
	tasklet_schedule(&sl->task);
}

/**
 * nfsync_held_flooded() - do more come than may wait?
 * @nd: device
 * @slice: of the flow
 *
 * Unlocked: one more or less that waits does no harm.
 *
 * Context: any.
 * Return: true if so; counted.
 */
bool nfsync_held_flooded(struct nfsync_dev *nd, unsigned int slice)
{
	const struct nfsync_held_slice *sl = &nd->held[slice];

	if (READ_ONCE(sl->pushed) < READ_ONCE(nd->cfg.defer_limit) ||
	    (u32)jiffies - READ_ONCE(sl->pushed_at) >= ceiling(nd))
		return false;
	nfsync_stats_inc(nd, PFSYNC_STAT_DEFER_FLOOD);
	return true;
}

/**
 * nfsync_held_add() - let a packet wait
 * @nd: device
 * @h: object with its state; may be gone when this returns true
 *
 * Context: softirq or process, no lock held.
 * Return: false if it need not: none wait any more, or the news came that an
 * early one waits for.
 */
bool nfsync_held_add(struct nfsync_dev *nd, struct nfsync_held *h)
{
	unsigned int limit = READ_ONCE(nd->cfg.defer_limit);
	struct nfsync_held_slice *sl = slice_of(nd, h->st);
	bool waits;

	spin_lock_bh(&sl->lock);
	waits = !sl->stopped &&
		(h->what != NFSYNC_HELD_EARLY ||
		 test_bit(NFSYNC_ST_AWAITED, &h->st->flags));
	if (waits) {
		/* more than one when the limit is not what it was */
		while (sl->n && sl->n >= limit)
			slice_push(sl);
		slice_link(sl, h);
		NFSYNC_AUDIT(sl->n <= max(limit, 1U));
	}
	spin_unlock_bh(&sl->lock);
	return waits;
}

/* --- release --- */

/**
 * nfsync_held_go_first() - release the first packet of a state, if it waits
 * @nd: device
 * @st: the state
 * @why: the counter of the reason
 *
 * Context: softirq or process, RCU read side, no lock held.
 */
void nfsync_held_go_first(struct nfsync_dev *nd, struct nfsync_state *st,
			  enum pfsync_stat why)
{
	struct nfsync_held_slice *sl = slice_of(nd, st);

	spin_lock_bh(&sl->lock);
	slice_take_its(sl, st, why, false);
	spin_unlock_bh(&sl->lock);
	NFSYNC_INJECT_AT(HELD_TAKEN, nd->net, st->ct);
	slice_send(sl);
}

/**
 * nfsync_held_ack() - a peer knows the flow of a first packet
 * @nd: device
 * @st: its state
 *
 * Its answer may come by any of them: it waits for as many as listened when it
 * came.
 *
 * Context: softirq, RCU read side, no lock held.
 */
void nfsync_held_ack(struct nfsync_dev *nd, struct nfsync_state *st)
{
	struct nfsync_held_slice *sl = slice_of(nd, st);
	struct nfsync_held *h;
	bool enough = false;

	spin_lock_bh(&sl->lock);
	hlist_for_each_entry(h, bucket(sl, st), by_state)
		if (h->st == st && h->what == NFSYNC_HELD_FIRST)
			enough = ++h->acks >= h->peers;
	spin_unlock_bh(&sl->lock);
	if (!enough)
		return;
	NFSYNC_INJECT_AT(HELD_ACK, nd->net, st->ct);
	nfsync_held_go_first(nd, st, PFSYNC_STAT_DEFER_ACK);
}

/**
 * nfsync_held_go_all() - release all packets of a state at the end of the batch
 * @nd: device
 * @st: the state
 * @why: the counter of the reason
 *
 * Context: any, RCU read side.
 */
void nfsync_held_go_all(struct nfsync_dev *nd, struct nfsync_state *st,
			enum pfsync_stat why)
{
	struct nfsync_held_slice *sl = slice_of(nd, st);

	spin_lock_bh(&sl->lock);
	slice_take_its(sl, st, why, true);
	clear_bit(NFSYNC_ST_AWAITED, &st->flags);
	if (!list_empty(&sl->ready))
		tasklet_schedule(&sl->task);
	spin_unlock_bh(&sl->lock);
}

/**
 * nfsync_held_go_early() - those that wait for news of a state, right now
 * @nd: device
 * @st: the state
 *
 * Not by the task, which may have to wait for a processor: what comes later
 * must not leave sooner.  Those with which conntrack does not know yet what to
 * do wait on.
 *
 * Context: softirq or process, RCU read side, no lock held.
 */
void nfsync_held_go_early(struct nfsync_dev *nd, struct nfsync_state *st)
{
	struct nfsync_held_slice *sl = slice_of(nd, st);

	spin_lock_bh(&sl->lock);
	slice_take_its(sl, st, PFSYNC_STAT_EARLY_NEWS, true);
	/* LEAVING by now: see nfsync_held_before() */
	clear_bit(NFSYNC_ST_AWAITED, &st->flags);
	spin_unlock_bh(&sl->lock);
	slice_send(sl);
}

/**
 * nfsync_held_flush() - release every packet
 * @nd: device
 * @why: the counter of the reason
 *
 * Context: process, no lock held but mutexes.
 */
void nfsync_held_flush(struct nfsync_dev *nd, enum pfsync_stat why)
{
	unsigned int i;

	for (i = 0; i < nd->queue.n_slices; i++) {
		struct nfsync_held_slice *sl = &nd->held[i];
		struct nfsync_held *h, *next;

		spin_lock_bh(&sl->lock);
		list_for_each_entry_safe(h, next, &sl->fifo, node)
			slice_take(sl, h, why);
		spin_unlock_bh(&sl->lock);
		slice_send_all(sl);
	}
}

/**
 * nfsync_held_netdev() - a device goes down: its packets first
 * @nd: device
 * @dev: the one that goes
 *
 * Context: process, RTNL.
 */
void nfsync_held_netdev(struct nfsync_dev *nd, const struct net_device *dev)
{
	unsigned int i;

	for (i = 0; i < nd->queue.n_slices; i++) {
		struct nfsync_held_slice *sl = &nd->held[i];
		struct nfsync_held *h, *next;

		spin_lock_bh(&sl->lock);
		list_for_each_entry_safe(h, next, &sl->fifo, node)
			if (held_uses(h, dev))
				slice_take(sl, h, PFSYNC_STAT_DEFER_NETDEV);
		spin_unlock_bh(&sl->lock);
		slice_send_all(sl);
	}
}

/* --- in line --- */

/* Unless they left meanwhile */
static void held_line_up(struct nfsync_dev *nd, struct nfsync_held_slice *sl,
			 struct nfsync_held *h)
{
	bool behind;

	spin_lock_bh(&sl->lock);
	behind = h->st->leaving && !sl->stopped;
	if (behind)
		slice_line(sl, h);
	spin_unlock_bh(&sl->lock);
	if (!behind) {
		nfsync_held_send(h);
		return;
	}
	nfsync_stats_inc(nd, PFSYNC_STAT_FOLLOWED);
	slice_send(sl);
}

/**
 * nfsync_held_follow() - a packet of a flow of which others leave
 * @nd: device
 * @st: its state, nfsync_held_before()
 * @skb: packet, confirmed
 * @state: of the hook right before conntrack's confirmation
 *
 * Context: softirq or process, RCU read side, no lock held.
 * Return: NF_ACCEPT when they are gone, or when it is one of them; NF_STOLEN
 * when it leaves behind them, NF_DROP when its route just went.
 */
unsigned int nfsync_held_follow(struct nfsync_dev *nd, struct nfsync_state *st,
				struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	struct nfsync_held_slice *sl = slice_of(nd, st);
	const struct nf_hook_entries *rest;
	struct nfsync_held *h;
	unsigned int from;

	if (skb->sk || skb_shared(skb) ||
	    READ_ONCE(sl->sender) == raw_smp_processor_id())
		return NF_ACCEPT;
	slice_send(sl);
	rest = nfsync_hooks_rest(nd, state, &from);
	if (!nfsync_held_before(st) || !rest || !nfsync_state_get(st))
		return NF_ACCEPT;

	h = nfsync_held_make(nd, skb, state);
	if (IS_ERR_OR_NULL(h)) {
		nfsync_state_put(st);
		return h ? NF_DROP : NF_ACCEPT;
	}
	h->st = st;
	h->what = NFSYNC_HELD_BEHIND;
	/* 1: it passed them; anything else, and it is somebody else's now */
	if (nf_hook_slow(skb, &h->state, rest, from) != 1)
		nfsync_held_free(h);
	else
		held_line_up(nd, sl, h);
	return NF_STOLEN;
}

/* --- life --- */

/**
 * nfsync_held_init() - make the slices, as many as the queue has
 * @nd: device in the making; its queue is there
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int nfsync_held_init(struct nfsync_dev *nd)
{
	struct nfsync_held_slice *sl;
	unsigned int i, b;

	nd->held = kvcalloc(nd->queue.n_slices, sizeof(*sl), GFP_KERNEL);
	if (!nd->held)
		return -ENOMEM;

	for (i = 0; i < nd->queue.n_slices; i++) {
		sl = &nd->held[i];
		spin_lock_init(&sl->lock);
		INIT_LIST_HEAD(&sl->fifo);
		INIT_LIST_HEAD(&sl->ready);
		for (b = 0; b < ARRAY_SIZE(sl->by_state); b++)
			INIT_HLIST_HEAD(&sl->by_state[b]);
		sl->nd = nd;
		sl->sender = -1;
		sl->stopped = true;
		timer_setup(&sl->timer, slice_timeout, 0);
		tasklet_setup(&sl->task, slice_task);
	}
	return 0;
}

/**
 * nfsync_held_destroy() - free the slices
 * @nd: device that is down
 *
 * Context: process.
 */
void nfsync_held_destroy(struct nfsync_dev *nd)
{
	kvfree(nd->held);
	nd->held = NULL;
}

static void set_stopped(struct nfsync_dev *nd, bool stopped)
{
	unsigned int i;

	for (i = 0; i < nd->queue.n_slices; i++) {
		struct nfsync_held_slice *sl = &nd->held[i];

		spin_lock_bh(&sl->lock);
		sl->stopped = stopped;
		sl->pushed = 0;
		spin_unlock_bh(&sl->lock);
	}
}

/**
 * nfsync_held_start() - packets may wait
 * @nd: device coming up
 *
 * Context: process, RTNL.
 */
void nfsync_held_start(struct nfsync_dev *nd)
{
	set_stopped(nd, false);
}

/**
 * nfsync_held_stop() - release all; none waits after this
 * @nd: device going down; hooks and frames have ended, a grace period ago
 *
 * Context: process, RTNL.
 */
void nfsync_held_stop(struct nfsync_dev *nd)
{
	unsigned int i;

	set_stopped(nd, true);
	nfsync_held_flush(nd, PFSYNC_STAT_DEFER_DOWN);
	for (i = 0; i < nd->queue.n_slices; i++) {
		timer_delete_sync(&nd->held[i].timer);
		tasklet_kill(&nd->held[i].task);
	}
}

/**
 * nfsync_held_drop() - free all: the namespace ends
 * @nd: device whose hooks are gone
 *
 * Its routes and conntrack go next, and wait for what a packet holds.
 *
 * Context: process, RTNL.
 */
void nfsync_held_drop(struct nfsync_dev *nd)
{
	struct nfsync_held *h, *next;
	unsigned int i;

	/* who was in a hook is through, and what it holds on the list */
	synchronize_net();
	set_stopped(nd, true);
	for (i = 0; i < nd->queue.n_slices; i++) {
		struct nfsync_held_slice *sl = &nd->held[i];
		LIST_HEAD(all);

		spin_lock_bh(&sl->lock);
		list_splice_init(&sl->ready, &all);
		list_for_each_entry_safe(h, next, &sl->fifo, node) {
			slice_unlink(sl, h, PFSYNC_STAT_DEFER_NETNS);
			list_add_tail(&h->node, &all);
		}
		spin_unlock_bh(&sl->lock);
		list_for_each_entry_safe(h, next, &all, node) {
			nfsync_stats_inc(nd, PFSYNC_STAT_DEFER_NETNS);
			held_drop(h);
		}
	}
}
