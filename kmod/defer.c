// SPDX-License-Identifier: GPL-2.0
/*
 * Deferral: the packet that created a forwarded connection waits until a peer
 * knows the connection, so that its answer may take a path over the peer.
 *
 * Where.  A hook behind conntrack's confirmation can't be had: of hooks with
 * one priority the kernel runs the one that was registered last first
 * (nf_hook_entries_grow() puts it before its equals), conntrack confirms at
 * INT_MAX, and it was there before us.  So the hook that runs right before
 * the confirmation (hooks.c) runs what is left of the hooks itself, for the
 * packets that are to wait, and goes on with the okfn when they have waited.
 * Every hook has had such a packet once by then, in the usual order, and okfn
 * is called once.  This is what the kernel's own queue to userspace does, only
 * that the packet waits behind the last hook and not in front of the next.
 *
 * Life of a held packet.  One struct held owns the skb, a reference on the
 * state, and one on each device that okfn may touch; the skb holds the entry
 * and, by skb_dst_force(), the route.  A route that is taken away meanwhile
 * leaves a dst that drops, a device that goes makes its packets leave first.
 * It is on its slice's list from hold() until one of those that release it
 * takes it off under the slice's lock; who took it off calls okfn or frees
 * it, after the lock is gone.  Where that is no time to send, in the hook of
 * another flow's packet or where conntrack tells of an entry's end, it goes to
 * the list of those that are ready, which a task empties at the end of the
 * softirq batch.  So it leaves exactly once.  NFSYNC_ST_HELD says
 * that one is on the list; it is changed under the same lock, and read without
 * it where a packet or a message more must not cost a lock.
 *
 * Released by: INS_ACK, any other message about the state, the end of its
 * entry, a further packet of the flow (which then follows it), the ceiling,
 * the limit, the interface going down or deferral being switched off, the
 * sync link going, a device of the packet going, a module that is unloaded
 * (okfn may be its).  A namespace that ends drops it: its conntrack waits for
 * the entry.
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
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/route.h>
#include "conntrack.h"
#include "defer.h"
#include "device.h"
#include "hooks.h"

struct held {
	struct list_head node;
	struct hlist_node by_state;
	struct nfsync_state *st;	/* one reference */
	struct sk_buff *skb;
	struct nf_hook_state state;	/* a copy: the original is on a stack */
	struct net_device *dev;		/* of the skb, may be none of state's */
	struct net_device *physout;	/* of a bridged packet */
	u32 at;				/* jiffies */
	enum pfsync_stat why;		/* it leaves */
};

static struct nfsync_defer_slice *slice_of(const struct nfsync_dev *nd,
					   const struct nfsync_state *st)
{
	return &nd->defer.slice[st->slice];
}

static u32 ceiling(const struct nfsync_dev *nd)
{
	return msecs_to_jiffies(READ_ONCE(nd->cfg.defer_ms));
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

static struct held *held_make(struct sk_buff *skb,
			      const struct nf_hook_state *state)
{
	struct held *h;

	h = kmalloc(sizeof(*h), GFP_ATOMIC | __GFP_NOWARN);
	if (!h)
		return NULL;

	h->skb = skb;
	h->state = *state;
	h->st = NULL;
	h->dev = skb->dev;
	h->physout = physout(skb);
	dev_hold(h->dev);
	dev_hold(h->physout);
	dev_hold(h->state.in);
	dev_hold(h->state.out);
	return h;
}

static void held_free(struct held *h)
{
	dev_put(h->state.out);
	dev_put(h->state.in);
	dev_put(h->physout);
	dev_put(h->dev);
	if (h->st)
		nfsync_state_put(h->st);
	kfree(h);
}

/* It goes on where it stood: behind the last hook */
static void held_send(struct held *h)
{
	const struct nf_hook_state *s = &h->state;

	local_bh_disable();
	rcu_read_lock();
	s->okfn(s->net, s->sk, h->skb);
	rcu_read_unlock();
	local_bh_enable();
	held_free(h);
}

static void held_drop(struct held *h)
{
	kfree_skb(h->skb);
	held_free(h);
}

static bool held_uses(const struct held *h, const struct net_device *dev)
{
	return h->dev == dev || h->physout == dev || h->state.in == dev ||
	       h->state.out == dev;
}

/* --- those of a slice --- */

static struct hlist_head *bucket(struct nfsync_defer_slice *sl,
				 const struct nfsync_state *st)
{
	return &sl->by_state[hash_ptr(st, NFSYNC_DEFER_BITS)];
}

static void slice_link(struct nfsync_defer_slice *sl, struct held *h)
	__must_hold(&sl->lock)
{
	lockdep_assert_held(&sl->lock);

	if (!sl->n++)
		mod_timer(&sl->timer, jiffies + ceiling(sl->nd));
	list_add_tail(&h->node, &sl->fifo);
	hlist_add_head(&h->by_state, bucket(sl, h->st));
	set_bit(NFSYNC_ST_HELD, &h->st->flags);
}

/* From here on it waits no more; @to: ready, or the caller's alone */
static void slice_take(struct nfsync_defer_slice *sl, struct held *h,
		       struct list_head *to, enum pfsync_stat why)
	__must_hold(&sl->lock)
{
	lockdep_assert_held(&sl->lock);

	sl->n--;
	h->why = why;
	list_move_tail(&h->node, to);
	hlist_del(&h->by_state);
	clear_bit(NFSYNC_ST_HELD, &h->st->flags);
}

static void slice_take_all(struct nfsync_defer_slice *sl, struct list_head *to,
			   enum pfsync_stat why)
	__must_hold(&sl->lock)
{
	struct held *h, *next;

	lockdep_assert_held(&sl->lock);

	list_splice_tail_init(&sl->ready, to);
	list_for_each_entry_safe(h, next, &sl->fifo, node)
		slice_take(sl, h, to, why);
}

static void slice_take_its(struct nfsync_defer_slice *sl,
			   const struct nfsync_state *st, struct list_head *to,
			   enum pfsync_stat why)
	__must_hold(&sl->lock)
{
	struct held *h;

	lockdep_assert_held(&sl->lock);

	hlist_for_each_entry(h, bucket(sl, st), by_state) {
		if (h->st == st) {
			slice_take(sl, h, to, why);
			break;
		}
	}
}

/* In the order in which they came; under no lock */
static void send_list(struct nfsync_dev *nd, struct list_head *list)
{
	struct held *h, *next;

	list_for_each_entry_safe(h, next, list, node) {
		list_del(&h->node);
		nfsync_stats_inc(nd, h->why);
		held_send(h);
	}
}

/* Those that were let go where it was no time to send */
static void slice_task(struct tasklet_struct *t)
{
	struct nfsync_defer_slice *sl = from_tasklet(sl, t, task);
	LIST_HEAD(ready);

	spin_lock_bh(&sl->lock);
	list_splice_init(&sl->ready, &ready);
	spin_unlock_bh(&sl->lock);
	send_list(sl->nd, &ready);
}

static void slice_timeout(struct timer_list *t)
{
	struct nfsync_defer_slice *sl = timer_container_of(sl, t, timer);
	u32 max = ceiling(sl->nd), now = jiffies;
	struct held *h, *next;
	LIST_HEAD(over);

	spin_lock_bh(&sl->lock);
	list_for_each_entry_safe(h, next, &sl->fifo, node) {
		if (now - h->at < max) {
			mod_timer(t, jiffies + max - (now - h->at));
			break;
		}
		slice_take(sl, h, &over, PFSYNC_STAT_DEFER_TIMEOUT);
	}
	spin_unlock_bh(&sl->lock);
	send_list(sl->nd, &over);
}

/* Unlocked: one more or less that waits does no harm */
static bool slice_flooded(const struct nfsync_defer_slice *sl)
{
	return READ_ONCE(sl->pushed) >= READ_ONCE(sl->nd->cfg.defer_limit) &&
	       (u32)jiffies - READ_ONCE(sl->pushed_at) < ceiling(sl->nd);
}

/* The oldest makes room; not sent from the hook of another packet */
static void slice_push(struct nfsync_defer_slice *sl)
	__must_hold(&sl->lock)
{
	u32 now = jiffies;

	lockdep_assert_held(&sl->lock);

	if (now - sl->pushed_at >= ceiling(sl->nd)) {
		WRITE_ONCE(sl->pushed_at, now);
		WRITE_ONCE(sl->pushed, 0);
	}
	WRITE_ONCE(sl->pushed, sl->pushed + 1);
	slice_take(sl, list_first_entry(&sl->fifo, struct held, node),
		   &sl->ready, PFSYNC_STAT_DEFER_LIMIT);
	tasklet_schedule(&sl->task);
}

/* --- a first packet --- */

/* One copy among many, or for many: nobody answers it by one path */
static bool is_for_many(const struct sk_buff *skb,
			const struct nf_hook_state *state)
{
	u8 type;

	if (skb->pkt_type == PACKET_BROADCAST ||
	    skb->pkt_type == PACKET_MULTICAST)
		return true;
	if (state->pf != NFPROTO_IPV4 || !skb_dst(skb))
		return false;

	/* the flags of a forwarded broadcast's route do not say it */
	type = skb_rtable(skb)->rt_type;
	return type == RTN_BROADCAST || type == RTN_MULTICAST;
}

/* Forwarded or bridged, the first of its flow, and not seen here again */
static bool may_wait(const struct nfsync_dev *nd, const struct sk_buff *skb,
		     const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	return state->hook == NF_INET_POST_ROUTING && skb->skb_iif &&
	       !state->sk && !skb->sk && !skb_shared(skb) &&
	       !netif_is_l3_master(state->out) &&
	       CTINFO2DIR(ctinfo) == IP_CT_DIR_ORIGINAL &&
	       !nf_ct_is_template(ct) && !is_for_many(skb, state) &&
	       nfsync_conntrack_worthy(nd, ct);
}

/* Is there anybody to wait for, and room? */
static bool is_worth_it(struct nfsync_dev *nd, const struct nf_conn *ct)
{
	if (!nfsync_device_ready(nd))
		return false;
	if (!nfsync_peer_listens(nd)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_DEFER_NOPEER);
		return false;
	}
	if (slice_flooded(&nd->defer.slice[nfsync_queue_slice(nd, ct)])) {
		nfsync_stats_inc(nd, PFSYNC_STAT_DEFER_FLOOD);
		return false;
	}
	return true;
}

/*
 * The state of the flow, which is told at once.  NULL when there is nothing
 * to wait for: conntrack found that the flow is there already (two first
 * packets at a time), or there is no memory.
 */
static struct nfsync_state *first_state(struct nfsync_dev *nd,
					const struct sk_buff *skb)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);
	struct nfsync_state *st;

	if (!ct || !nfsync_conntrack_eligible(nd, ct))
		return NULL;

	st = nfsync_state_find_ct(nd, ct);
	if (st) {
		nfsync_defer_release(nd, st, PFSYNC_STAT_DEFER_MORE);
		return NULL;
	}
	st = nfsync_state_new(nd, ct);
	if (!st || !nfsync_state_get(st))
		return NULL;
	WRITE_ONCE(st->seen_at[CTINFO2DIR(ctinfo)], (u32)jiffies);
	return st;
}

static void hold(struct nfsync_dev *nd, struct nfsync_state *st,
		 struct held *h)
{
	struct nfsync_defer_slice *sl = slice_of(nd, st);
	bool stopped;

	h->st = st;
	h->at = jiffies;
	spin_lock_bh(&sl->lock);
	stopped = sl->stopped;
	if (!stopped) {
		if (sl->n && sl->n >= READ_ONCE(nd->cfg.defer_limit))
			slice_push(sl);
		slice_link(sl, h);
	}
	spin_unlock_bh(&sl->lock);

	if (stopped) {
		held_send(h);
		return;
	}
	nfsync_stats_inc(nd, PFSYNC_STAT_DEFERRED);
	/* @h may be gone by now; its reference on @st with it, but not RCU's */
	nfsync_queue_update(nd, st, true);
}

/**
 * nfsync_defer_first() - a packet whose entry is not confirmed yet
 * @nd: device, deferral is on
 * @skb: packet with an entry
 * @state: of the hook that stands right before conntrack's confirmation
 *
 * Context: softirq or process, RCU read side.
 * Return: NF_ACCEPT when it does not wait and nothing was done with it,
 * NF_STOLEN when it waits or a hook that came after did not let it pass,
 * NF_DROP when its route just went.
 */
unsigned int nfsync_defer_first(struct nfsync_dev *nd, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	const struct nf_hook_entries *rest;
	enum ip_conntrack_info ctinfo;
	struct nfsync_state *st;
	unsigned int from;
	struct held *h;

	if (!may_wait(nd, skb, state) ||
	    !is_worth_it(nd, nf_ct_get(skb, &ctinfo)))
		return NF_ACCEPT;

	rest = nfsync_hooks_rest(nd, state, &from);
	if (!rest)
		return NF_ACCEPT;

	/* the route goes right now, and the skb has none any more */
	if (skb_dst(skb) && !skb_dst_force(skb)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_DEFER_NOROUTE);
		return NF_DROP;
	}
	h = held_make(skb, state);
	if (!h) {
		nfsync_stats_inc(nd, PFSYNC_STAT_DEFER_NOMEM);
		return NF_ACCEPT;
	}
	/* 1: it passed them; anything else, and it is somebody else's now */
	if (nf_hook_slow(skb, &h->state, rest, from) != 1) {
		held_free(h);
		return NF_STOLEN;
	}

	/* confirmed: conntrack must not see it again, so it goes on from here */
	st = first_state(nd, skb);
	if (st)
		hold(nd, st, h);
	else
		held_send(h);
	return NF_STOLEN;
}

/* --- release --- */

/**
 * nfsync_defer_known() - release the packet of a state that seems to have one
 * @nd: device
 * @st: the state
 * @why: the counter of the reason
 *
 * Context: softirq or process, RCU read side, no lock held.
 */
void nfsync_defer_known(struct nfsync_dev *nd, struct nfsync_state *st,
			enum pfsync_stat why)
{
	struct nfsync_defer_slice *sl = slice_of(nd, st);
	LIST_HEAD(its);

	spin_lock_bh(&sl->lock);
	slice_take_its(sl, st, &its, why);
	spin_unlock_bh(&sl->lock);
	send_list(nd, &its);
}

/**
 * nfsync_defer_ended() - the entry of a state has ended
 * @nd: device
 * @st: the state
 *
 * Whoever waits for a peer's word on it waits in vain.  Its packet leaves a
 * moment later: conntrack tells of an end with locks of its own held.
 *
 * Context: any, RCU read side.
 */
void nfsync_defer_ended(struct nfsync_dev *nd, struct nfsync_state *st)
{
	struct nfsync_defer_slice *sl = slice_of(nd, st);

	if (likely(!test_bit(NFSYNC_ST_HELD, &st->flags)))
		return;

	spin_lock_bh(&sl->lock);
	slice_take_its(sl, st, &sl->ready, PFSYNC_STAT_DEFER_DEL);
	tasklet_schedule(&sl->task);
	spin_unlock_bh(&sl->lock);
}

/**
 * nfsync_defer_flush() - release every packet
 * @nd: device
 * @why: the counter of the reason
 *
 * Context: process or softirq, no lock held but mutexes.
 */
void nfsync_defer_flush(struct nfsync_dev *nd, enum pfsync_stat why)
{
	unsigned int i;

	for (i = 0; i < nd->queue.n_slices; i++) {
		struct nfsync_defer_slice *sl = &nd->defer.slice[i];
		LIST_HEAD(all);

		spin_lock_bh(&sl->lock);
		slice_take_all(sl, &all, why);
		spin_unlock_bh(&sl->lock);
		send_list(nd, &all);
	}
}

/**
 * nfsync_defer_netdev() - a device goes down: its packets first
 * @nd: device
 * @dev: the one that goes
 *
 * Context: process, RTNL.
 */
void nfsync_defer_netdev(struct nfsync_dev *nd, const struct net_device *dev)
{
	unsigned int i;

	for (i = 0; i < nd->queue.n_slices; i++) {
		struct nfsync_defer_slice *sl = &nd->defer.slice[i];
		struct held *h, *next;
		LIST_HEAD(its);

		spin_lock_bh(&sl->lock);
		list_for_each_entry_safe(h, next, &sl->fifo, node)
			if (held_uses(h, dev))
				slice_take(sl, h, &its,
					   PFSYNC_STAT_DEFER_NETDEV);
		spin_unlock_bh(&sl->lock);
		send_list(nd, &its);
	}
}

/* --- life --- */

/**
 * nfsync_defer_init() - make the slices, as many as the queue has
 * @nd: device in the making; its queue is there
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int nfsync_defer_init(struct nfsync_dev *nd)
{
	struct nfsync_defer_slice *sl;
	unsigned int i, b;

	nd->defer.slice = kvcalloc(nd->queue.n_slices, sizeof(*sl), GFP_KERNEL);
	if (!nd->defer.slice)
		return -ENOMEM;

	for (i = 0; i < nd->queue.n_slices; i++) {
		sl = &nd->defer.slice[i];
		spin_lock_init(&sl->lock);
		INIT_LIST_HEAD(&sl->fifo);
		INIT_LIST_HEAD(&sl->ready);
		for (b = 0; b < ARRAY_SIZE(sl->by_state); b++)
			INIT_HLIST_HEAD(&sl->by_state[b]);
		sl->nd = nd;
		sl->stopped = true;
		timer_setup(&sl->timer, slice_timeout, 0);
		tasklet_setup(&sl->task, slice_task);
	}
	return 0;
}

/**
 * nfsync_defer_destroy() - free the slices
 * @nd: device that is down
 *
 * Context: process.
 */
void nfsync_defer_destroy(struct nfsync_dev *nd)
{
	kvfree(nd->defer.slice);
	nd->defer.slice = NULL;
}

static void set_stopped(struct nfsync_dev *nd, bool stopped)
{
	unsigned int i;

	for (i = 0; i < nd->queue.n_slices; i++) {
		struct nfsync_defer_slice *sl = &nd->defer.slice[i];

		spin_lock_bh(&sl->lock);
		sl->stopped = stopped;
		sl->pushed = 0;
		spin_unlock_bh(&sl->lock);
	}
}

/**
 * nfsync_defer_start() - packets may wait
 * @nd: device coming up
 *
 * Context: process, RTNL.
 */
void nfsync_defer_start(struct nfsync_dev *nd)
{
	set_stopped(nd, false);
}

/**
 * nfsync_defer_stop() - release all; none waits after this
 * @nd: device going down; hooks and frames have ended, a grace period ago
 *
 * Context: process, RTNL.
 */
void nfsync_defer_stop(struct nfsync_dev *nd)
{
	unsigned int i;

	set_stopped(nd, true);
	nfsync_defer_flush(nd, PFSYNC_STAT_DEFER_DOWN);
	for (i = 0; i < nd->queue.n_slices; i++) {
		timer_delete_sync(&nd->defer.slice[i].timer);
		tasklet_kill(&nd->defer.slice[i].task);
	}
}

/**
 * nfsync_defer_drop() - free all: the namespace ends
 * @nd: device whose hooks are gone
 *
 * Its routes and conntrack go next, and wait for what a packet holds.
 *
 * Context: process, RTNL.
 */
void nfsync_defer_drop(struct nfsync_dev *nd)
{
	struct held *h, *next;
	unsigned int i;

	/* who was in a hook is through, and what it holds on the list */
	synchronize_net();
	set_stopped(nd, true);
	for (i = 0; i < nd->queue.n_slices; i++) {
		struct nfsync_defer_slice *sl = &nd->defer.slice[i];
		LIST_HEAD(all);

		spin_lock_bh(&sl->lock);
		slice_take_all(sl, &all, PFSYNC_STAT_DEFER_NETNS);
		spin_unlock_bh(&sl->lock);
		list_for_each_entry_safe(h, next, &all, node) {
			nfsync_stats_inc(nd, PFSYNC_STAT_DEFER_NETNS);
			held_drop(h);
		}
	}
}
