// SPDX-License-Identifier: GPL-2.0
/*
 * The walk over all that the devices have, for tests: in debugfs, below
 * nfsync/,
 *
 *	audit	what is wrong now, a line each; empty when nothing is.  True at
 *		any time, for it looks at what belongs together under its lock
 *	rest	the same, and what has not come to rest: for a test that knows
 *		that nothing moves
 *	states	of the reader's namespace: id, creator, source port, marker,
 *		flags
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/nsproxy.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include "audit.h"
#include "device.h"
#include "stats.h"
#include "wire.h"

/* How often a slice is looked at before it counts as forgotten */
#define LOOKS	50

/* States that exist, hashed or not, of all devices */
static atomic_t alive = ATOMIC_INIT(0);

struct audit {
	struct seq_file *s;
	struct nfsync_dev *nd;
	bool rest;
};

#define say(a, fmt, ...) \
	seq_printf((a)->s, "%s: " fmt "\n", netdev_name((a)->nd->dev), \
		   ##__VA_ARGS__)

/**
 * nfsync_audit_born() - a state was made
 *
 * Context: any.
 */
void nfsync_audit_born(void)
{
	atomic_inc(&alive);
}

/**
 * nfsync_audit_died() - the last reference of a state went
 *
 * Context: any.
 */
void nfsync_audit_died(void)
{
	atomic_dec(&alive);
}

/**
 * nfsync_audit_frame() - would a peer take it?  INV-6
 * @skb: frame that is about to leave, data at the pfsync header
 *
 * Context: softirq or process.
 * Return: true if so, or there was no memory to look.
 */
bool nfsync_audit_frame(const struct sk_buff *skb)
{
	struct nfsync_wire_frame wf;
	bool good = true;
	void *copy;

	copy = kmalloc(skb->len, GFP_ATOMIC | __GFP_NOWARN);
	if (!copy)
		return true;
	if (!skb_copy_bits(skb, 0, copy, skb->len))
		good = nfsync_wire_check(&wf, copy, skb->len) == 0;
	kfree(copy);
	return good;
}

/* --- queues --- */

static void audit_linked(struct audit *a, const struct nfsync_state *st, u8 q)
{
	unsigned int refs = refcount_read(&st->refs);
	/* whoever made it DEAD may have unhashed it by now */
	unsigned int want = 1 + !test_bit(NFSYNC_ST_DEAD, &st->flags);

	if (st->marker != q)
		say(a, "INV-2: state %llx is on list %u, its marker says %u",
		    st->id, q, st->marker);
	if (refs < want)
		say(a, "INV-3: state %llx is on list %u, with %u references",
		    st->id, q, refs);
	if (a->rest)
		say(a, "INV-5: state %llx is on list %u", st->id, q);
}

static size_t audit_list(struct audit *a, const struct nfsync_slice *sl, u8 q,
			 size_t each)
{
	const struct nfsync_state *st;
	unsigned int n = 0;

	list_for_each_entry(st, &sl->q[q], link) {
		audit_linked(a, st, q);
		n++;
	}
	if (n != sl->n[q])
		say(a, "INV-1: %u states on list %u, counted %u", n, q,
		    sl->n[q]);
	return n ? NFSYNC_WIRE_SUBH_LEN + n * each : 0;
}

static size_t ids_len(const struct nfsync_idq *idq)
{
	return idq->n ? NFSYNC_WIRE_SUBH_LEN + idq->n * NFSYNC_WIRE_ID_LEN : 0;
}

/* Its own arithmetic, from the lists: queue.c goes by its counts */
static void audit_slice(struct audit *a, struct nfsync_slice *sl)
{
	static const u8 action[NFSYNC_Q_MAX] = {
		[NFSYNC_Q_UPD_C] = NFSYNC_ACT_UPD_C,
		[NFSYNC_Q_DEL]	 = NFSYNC_ACT_DEL_C,
		[NFSYNC_Q_INS]	 = NFSYNC_ACT_INS,
		[NFSYNC_Q_UPD]	 = NFSYNC_ACT_UPD,
	};
	size_t len = sizeof(struct iphdr) + NFSYNC_WIRE_HDR_LEN +
		     NFSYNC_WIRE_SUBH_LEN + NFSYNC_WIRE_FRAME_LEN;
	u8 q;

	spin_lock_bh(&sl->lock);
	for (q = NFSYNC_Q_NONE + 1; q < NFSYNC_Q_MAX; q++)
		len += audit_list(a, sl, q,
				  nfsync_wire_msg_len(NFSYNC_WIRE_V6,
						      action[q]));
	len += ids_len(&sl->ack) + ids_len(&sl->deny) + ids_len(&sl->req);
	if (len != sl->len)
		say(a, "INV-1: %zu bytes wait, counted %zu", len, sl->len);
	if (a->rest && sl->ack.n + sl->deny.n + sl->req.n)
		say(a, "INV-5: ids wait: %u %u %u", sl->ack.n, sl->deny.n,
		    sl->req.n);
	if (a->rest && timer_pending(&sl->timer))
		say(a, "INV-5: a slice's timer is pending");
	spin_unlock_bh(&sl->lock);
}

/* Something waits, and nobody is going to send it */
static bool is_forgotten(struct nfsync_slice *sl)
{
	bool idle;

	spin_lock_bh(&sl->lock);
	idle = sl->len > sizeof(struct iphdr) + NFSYNC_WIRE_HDR_LEN +
			 NFSYNC_WIRE_SUBH_LEN + NFSYNC_WIRE_FRAME_LEN &&
	       !sl->due && !timer_pending(&sl->timer) &&
	       !READ_ONCE(sl->task.state);
	spin_unlock_bh(&sl->lock);
	return idle;
}

/* Between the timer's end and what it schedules it looks like that too */
static void audit_departure(struct audit *a, struct nfsync_slice *sl)
{
	int i;

	for (i = 0; is_forgotten(sl); i++) {
		if (i == LOOKS) {
			say(a, "INV-5: a slice is left without timer and task");
			return;
		}
		usleep_range(1000, 2000);
	}
}

/* --- states --- */

static bool is_spoken(const struct nf_conn *ct)
{
	switch (nf_ct_protonum(ct)) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return true;
	default:
		return false;
	}
}

/* Does its first packet wait? */
static bool is_held(struct nfsync_held_slice *sl, const struct nfsync_state *st)
{
	const struct nfsync_held *h;

	list_for_each_entry(h, &sl->fifo, node)
		if (h->st == st && h->what == NFSYNC_HELD_FIRST)
			return true;
	return false;
}

static void audit_held_bit(struct audit *a, const struct nfsync_state *st)
{
	struct nfsync_held_slice *sl = &a->nd->held[st->slice];

	spin_lock_bh(&sl->lock);
	if (test_bit(NFSYNC_ST_HELD, &st->flags) != is_held(sl, st))
		say(a, "INV-7: HELD of state %llx and its list disagree", st->id);
	spin_unlock_bh(&sl->lock);
}

static bool audit_state(struct nfsync_dev *nd, struct nfsync_state *st,
			void *arg)
{
	struct nfsync_slice *sl = &nd->queue.slice[st->slice];
	struct audit *a = arg;
	unsigned int refs;

	if (!nfsync_state_get(st))
		return false;
	spin_lock_bh(&sl->lock);
	if (st->marker >= NFSYNC_Q_MAX || !!st->marker == list_empty(&st->link))
		say(a, "INV-2: state %llx has marker %u, and is %s list",
		    st->id, st->marker,
		    list_empty(&st->link) ? "on no" : "on a");
	refs = refcount_read(&st->refs) - 1;
	if (!test_bit(NFSYNC_ST_DEAD, &st->flags) && refs < 1 + !!st->marker)
		say(a, "INV-3: state %llx has %u references", st->id, refs);
	spin_unlock_bh(&sl->lock);
	if (a->rest && refs != 1)
		say(a, "INV-3: state %llx has %u references at rest", st->id,
		    refs);
	if (!is_spoken(st->ct))
		say(a, "INV-9: state %llx is of protocol %u", st->id,
		    nf_ct_protonum(st->ct));
	if (a->rest && nf_ct_is_dying(st->ct))
		say(a, "INV-3: state %llx is of an entry that has ended",
		    st->id);
	audit_held_bit(a, st);
	nfsync_state_put(st);
	return true;
}

/* --- packets that wait --- */

static unsigned int audit_held(struct audit *a, struct nfsync_held_slice *sl)
{
	const struct nfsync_held *h;
	unsigned int n = 0, ready = 0;

	spin_lock_bh(&sl->lock);
	list_for_each_entry(h, &sl->fifo, node)
		n++;
	list_for_each_entry(h, &sl->ready, node)
		ready++;
	if (n != sl->n)
		say(a, "INV-7: %u packets wait, counted %u", n, sl->n);
	if (a->rest && n + ready)
		say(a, "INV-5: %u packets wait, %u are ready", n, ready);
	spin_unlock_bh(&sl->lock);
	return n + ready;
}

/* What came in is there or has left, each for one reason */
static void audit_left(struct audit *a, u64 waiting)
{
	static const u8 reason[] = {
		PFSYNC_STAT_DEFER_ACK, PFSYNC_STAT_DEFER_HEARD,
		PFSYNC_STAT_DEFER_DEL, PFSYNC_STAT_DEFER_MORE,
		PFSYNC_STAT_DEFER_TIMEOUT, PFSYNC_STAT_DEFER_LIMIT,
		PFSYNC_STAT_DEFER_DOWN, PFSYNC_STAT_DEFER_LINK,
		PFSYNC_STAT_DEFER_NETDEV, PFSYNC_STAT_DEFER_NETNS,
		PFSYNC_STAT_EARLY_NEWS, PFSYNC_STAT_EARLY_TIMEOUT,
	};
	unsigned int i;
	u64 came, left = 0;
	u64 *v;

	v = kcalloc(__PFSYNC_STAT_MAX, sizeof(*v), GFP_KERNEL);
	if (!v)
		return;
	nfsync_stats_read(a->nd, v);
	came = v[PFSYNC_STAT_DEFERRED] + v[PFSYNC_STAT_EARLY];
	for (i = 0; i < ARRAY_SIZE(reason); i++)
		left += v[reason[i]];
	kfree(v);
	if (came != left + waiting)
		say(a, "INV-7: %llu packets were held, %llu have left, %llu wait",
		    came, left, waiting);
}

/* --- all of it --- */

static void audit_machines(struct audit *a)
{
	struct nfsync_bulk *b = &a->nd->bulk;

	if (READ_ONCE(b->teller.state) != NFSYNC_TELLER_IDLE)
		say(a, "INV-5: a transfer is told");
	if (READ_ONCE(b->asker.state) != NFSYNC_ASKER_IDLE)
		say(a, "INV-5: a transfer is asked for");
}

static void audit_device(struct audit *a)
{
	struct nfsync_dev *nd = a->nd;
	unsigned int i, waiting = 0;

	for (i = 0; i < nd->queue.n_slices; i++) {
		audit_slice(a, &nd->queue.slice[i]);
		audit_departure(a, &nd->queue.slice[i]);
		waiting += audit_held(a, &nd->held[i]);
	}
	nfsync_state_walk(nd, audit_state, a, NULL);
	if (!READ_ONCE(nd->up) && nfsync_state_count(&nd->table))
		say(a, "INV-5: down, with %u states",
		    nfsync_state_count(&nd->table));
	if (a->rest) {
		audit_left(a, waiting);
		audit_machines(a);
	}
}

/* Returns how many states the devices have */
static unsigned int audit_all(struct seq_file *s, bool rest)
{
	struct audit a = { .s = s, .rest = rest };
	unsigned int states = 0;
	struct net *net;

	rtnl_lock();
	down_read(&net_rwsem);
	for_each_net(net) {
		a.nd = nfsync_device_get_rtnl(net);
		if (!a.nd)
			continue;
		audit_device(&a);
		states += nfsync_state_count(&a.nd->table);
	}
	up_read(&net_rwsem);
	rtnl_unlock();
	return states;
}

static int audit_show(struct seq_file *s, void *v)
{
	audit_all(s, false);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(audit);

static int rest_show(struct seq_file *s, void *v)
{
	unsigned int states = audit_all(s, true);

	if (states != atomic_read(&alive))
		seq_printf(s, "INV-3: %u states can be found, %d are there\n",
			   states, atomic_read(&alive));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(rest);

static bool states_one(struct nfsync_dev *nd, struct nfsync_state *st,
		       void *arg)
{
	const struct nf_conntrack_tuple *t;

	if (!nfsync_state_get(st))
		return false;
	t = nf_ct_tuple(st->ct, IP_CT_DIR_ORIGINAL);
	seq_printf(arg, "%llx %x %u %u %lx\n", st->id, st->creatorid,
		   ntohs(t->src.u.all), READ_ONCE(st->marker),
		   READ_ONCE(st->flags));
	nfsync_state_put(st);
	return true;
}

static int states_show(struct seq_file *s, void *v)
{
	struct nfsync_dev *nd;

	rtnl_lock();
	nd = nfsync_device_get_rtnl(current->nsproxy->net_ns);
	if (nd)
		nfsync_state_walk(nd, states_one, s, NULL);
	rtnl_unlock();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(states);

/**
 * nfsync_audit_register() - let tests look
 * @dir: of the injection points, which take our files along when they go
 *
 * Context: process, module init.
 */
void nfsync_audit_register(struct dentry *dir)
{
	debugfs_create_file("audit", 0400, dir, NULL, &audit_fops);
	debugfs_create_file("rest", 0400, dir, NULL, &rest_fops);
	debugfs_create_file("states", 0400, dir, NULL, &states_fops);
}
