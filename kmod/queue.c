// SPDX-License-Identifier: GPL-2.0
/*
 * Slices: marker, list and length in one critical section.  What may follow
 * what is seed section 3's matrix, with two corrections: acks owed are apart
 * from the states (B-20), and DEL stands before INS (B-19).
 *
 * Timers: one a slice.  It is armed in one place, when something is queued on
 * an idle slice, and makes sure that nothing waits longer than the flush
 * interval.  It never sends; it schedules the slice's task, which does.
 */
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "audit.h"
#include "device.h"
#include "inject.h"
#include "queue.h"
#include "send.h"
#include "wire.h"

/* What an empty packet is made of, its number included */
#define BASE_LEN	(sizeof(struct iphdr) + NFSYNC_WIRE_HDR_LEN + \
			 NFSYNC_WIRE_SUBH_LEN + NFSYNC_WIRE_FRAME_LEN)

/* DELs of entries deleted by hand wait that many intervals for the rest */
#define HELD_MAX	100

/* As many DELs as that are worth a CLR, which the peers walk a table for */
#define PURGE_MIN	8

static const u8 marker_action[NFSYNC_Q_MAX] = {
	[NFSYNC_Q_UPD_C]	= NFSYNC_ACT_UPD_C,
	[NFSYNC_Q_DEL]		= NFSYNC_ACT_DEL_C,
	[NFSYNC_Q_INS]		= NFSYNC_ACT_INS,
	[NFSYNC_Q_UPD]		= NFSYNC_ACT_UPD,
};

static size_t marker_len(u8 q)
{
	return nfsync_wire_msg_len(NFSYNC_WIRE_V6, marker_action[q]);
}

static size_t idq_len(const struct nfsync_idq *idq)
{
	return idq->n ? NFSYNC_WIRE_SUBH_LEN + idq->n * NFSYNC_WIRE_ID_LEN : 0;
}

/* What len is to be, by the counts */
static size_t slice_len(const struct nfsync_slice *sl)
{
	size_t len = BASE_LEN + idq_len(&sl->ack) + idq_len(&sl->deny) +
		     idq_len(&sl->req);
	u8 q;

	for (q = NFSYNC_Q_NONE + 1; q < NFSYNC_Q_MAX; q++)
		if (sl->n[q])
			len += NFSYNC_WIRE_SUBH_LEN + sl->n[q] * marker_len(q);
	return len;
}

static void slice_unlock(struct nfsync_slice *sl)
	__releases(&sl->lock)
{
	if (NFSYNC_AUDIT(sl->len == slice_len(sl))) {
		nfsync_stats_inc(sl->nd, PFSYNC_STAT_LEN_REPAIR);
		sl->len = slice_len(sl);
	}
	spin_unlock_bh(&sl->lock);
}

/* Flush all that waits, at the end of this softirq batch */
static void slice_kick(struct nfsync_slice *sl)
{
	spin_lock_bh(&sl->lock);
	sl->due = true;
	sl->kicked = true;
	slice_unlock(sl);
	tasklet_schedule(&sl->task);
}

static void slice_arm_timer(struct nfsync_slice *sl)
	__must_hold(&sl->lock)
{
	lockdep_assert_held(&sl->lock);

	if (!timer_pending(&sl->timer))
		mod_timer(&sl->timer, jiffies +
			  msecs_to_jiffies(READ_ONCE(sl->nd->cfg.flush_ms)));
}

/* Deleted by hand in the last interval: it may be the whole table that goes */
static bool slice_by_hand(const struct nfsync_slice *sl)
	__must_hold(&sl->lock)
{
	lockdep_assert_held(&sl->lock);

	return sl->n[NFSYNC_Q_DEL] && (u32)jiffies - sl->by_hand_at <
	       msecs_to_jiffies(READ_ONCE(sl->nd->cfg.flush_ms));
}

static void slice_timeout(struct timer_list *t)
{
	struct nfsync_slice *sl = timer_container_of(sl, t, timer);
	bool later = NFSYNC_INJECT_HELD_OFF(TIMEOUT, sl->nd->net);
	bool hold;

	spin_lock_bh(&sl->lock);
	hold = !sl->stopped &&
	       (later || (slice_by_hand(sl) && sl->held < HELD_MAX));
	sl->held = hold && !later ? sl->held + 1 : 0;
	if (hold)
		mod_timer(t, jiffies +
			  msecs_to_jiffies(READ_ONCE(sl->nd->cfg.flush_ms)));
	slice_unlock(sl);
	if (hold)
		return;

	nfsync_stats_inc(sl->nd, PFSYNC_STAT_TIMEOUTS);
	slice_kick(sl);
}

static void slice_init(struct nfsync_dev *nd, struct nfsync_slice *sl)
{
	int q;

	spin_lock_init(&sl->lock);
	spin_lock_init(&sl->import_lock);
	for (q = 0; q < NFSYNC_Q_MAX; q++)
		INIT_LIST_HEAD(&sl->q[q]);
	sl->len = BASE_LEN;
	sl->nd = nd;
	sl->stopped = true;
	tasklet_setup(&sl->task, nfsync_send_task);
	timer_setup(&sl->timer, slice_timeout, 0);
}

/**
 * nfsync_queue_init() - make the slices, one for every possible CPU
 * @nd: device in the making
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int nfsync_queue_init(struct nfsync_dev *nd)
{
	struct nfsync_queue *q = &nd->queue;
	unsigned int i;

	spin_lock_init(&q->spared_lock);
	q->n_slices = num_possible_cpus();
	q->seed = get_random_u32();
	q->slice = kvcalloc(q->n_slices, sizeof(*q->slice), GFP_KERNEL);
	if (!q->slice)
		return -ENOMEM;

	for (i = 0; i < q->n_slices; i++) {
		slice_init(nd, &q->slice[i]);
		q->slice[i].send = nfsync_send_alloc();
		if (!q->slice[i].send) {
			nfsync_queue_destroy(nd);
			return -ENOMEM;
		}
	}
	return 0;
}

/**
 * nfsync_queue_destroy() - free the slices
 * @nd: device that is down
 *
 * Context: process.
 */
void nfsync_queue_destroy(struct nfsync_dev *nd)
{
	struct nfsync_queue *q = &nd->queue;
	unsigned int i;

	for (i = 0; i < q->n_slices; i++)
		nfsync_send_free(q->slice[i].send);
	kvfree(q->slice);
	q->slice = NULL;
}

/**
 * nfsync_queue_start() - let the slices take entries
 * @nd: device coming up
 *
 * Context: process, RTNL.
 */
void nfsync_queue_start(struct nfsync_dev *nd)
{
	unsigned int i;

	WRITE_ONCE(nd->queue.spared.n, 0);
	for (i = 0; i < nd->queue.n_slices; i++) {
		struct nfsync_slice *sl = &nd->queue.slice[i];

		spin_lock_bh(&sl->lock);
		sl->stopped = false;
		slice_unlock(sl);
	}
}

static void slice_link(struct nfsync_slice *sl, struct nfsync_state *st, u8 q)
	__must_hold(&sl->lock)
{
	lockdep_assert_held(&sl->lock);

	if (!sl->n[q]++)
		sl->len += NFSYNC_WIRE_SUBH_LEN;
	sl->len += marker_len(q);
	list_add_tail(&st->link, &sl->q[q]);
	st->marker = q;
	refcount_inc(&st->refs);
	NFSYNC_INJECT_POKE(LINK, sl->nd->net, st->ct, &st->marker);
}

/* What is wrong is said once, and counted */
static bool slice_odd(struct nfsync_slice *sl, bool odd)
	__must_hold(&sl->lock)
{
	if (likely(!odd))
		return false;
	WARN_ON_ONCE(!nfsync_inject_poked());
	nfsync_stats_inc(sl->nd, PFSYNC_STAT_QUEUE_REPAIR);
	return true;
}

/* Markers, counts and length as the lists have it */
static void slice_recount(struct nfsync_slice *sl)
	__must_hold(&sl->lock)
{
	struct nfsync_state *st;
	u8 q;

	lockdep_assert_held(&sl->lock);

	for (q = NFSYNC_Q_NONE + 1; q < NFSYNC_Q_MAX; q++) {
		sl->n[q] = 0;
		list_for_each_entry(st, &sl->q[q], link) {
			st->marker = q;
			sl->n[q]++;
		}
	}
	sl->len = slice_len(sl);
}

/*
 * The list is the truth and the marker a cache of it (R-000-2): where the two
 * disagree, say so once, count, and mend the marker.
 */
static u8 slice_marker(struct nfsync_slice *sl, struct nfsync_state *st)
	__must_hold(&sl->lock)
{
	bool linked = !list_empty(&st->link);
	u8 q = st->marker;

	lockdep_assert_held(&sl->lock);

	if (slice_odd(sl, q >= NFSYNC_Q_MAX || linked != !!q ||
		      (linked && !sl->n[q]))) {
		st->marker = NFSYNC_Q_NONE;
		slice_recount(sl);
	}
	return st->marker;
}

/* Returns whether a reference came off the queue and is now the caller's */
static bool slice_unlink(struct nfsync_slice *sl, struct nfsync_state *st)
	__must_hold(&sl->lock)
{
	u8 q = slice_marker(sl, st);

	st->marker = NFSYNC_Q_NONE;
	if (!q)
		return false;

	list_del_init(&st->link);
	sl->len -= marker_len(q);
	if (!--sl->n[q])
		sl->len -= NFSYNC_WIRE_SUBH_LEN;
	return true;
}

/* The one that waits for longest, as its list has it */
static struct nfsync_state *slice_first(struct nfsync_slice *sl, u8 q)
	__must_hold(&sl->lock)
{
	struct nfsync_state *st;

	lockdep_assert_held(&sl->lock);

	st = list_first_entry_or_null(&sl->q[q], struct nfsync_state, link);
	if (slice_odd(sl, st ? st->marker != q || !sl->n[q] : sl->n[q]))
		slice_recount(sl);
	return st;
}

/* Returns the state's reference to drop once the lock is gone, if any */
static struct nfsync_state *slice_move(struct nfsync_slice *sl,
				       struct nfsync_state *st, u8 q)
	__must_hold(&sl->lock)
{
	bool held = slice_unlink(sl, st);

	slice_link(sl, st, q);
	return held ? st : NULL;
}

/*
 * Something was queued: see to it that it leaves.  An urgent slice goes at
 * the end of this softirq batch, of one that fills a packet as many packets
 * as are full, and the rest within the flush interval.
 */
static void slice_arm(struct nfsync_slice *sl, bool urgent)
	__must_hold(&sl->lock)
{
	struct nfsync_dev *nd = sl->nd;

	lockdep_assert_held(&sl->lock);

	if (urgent) {
		nfsync_stats_inc(nd, PFSYNC_STAT_URGENT);
		sl->due = true;
	}
	if (urgent || sl->len > nfsync_transport_mtu(nd))
		tasklet_schedule(&sl->task);
	else
		slice_arm_timer(sl);
}

/*
 * Without a way out nothing is queued: what the peers missed meanwhile, the
 * transfer that follows a new link tells them (bulk.c).
 */
static bool slice_closed(const struct nfsync_slice *sl)
	__must_hold(&sl->lock)
{
	lockdep_assert_held(&sl->lock);

	return sl->stopped || !nfsync_device_ready(sl->nd);
}

static struct nfsync_slice *slice_of(const struct nfsync_dev *nd,
				     const struct nfsync_state *st)
{
	return &nd->queue.slice[st->slice];
}

/**
 * nfsync_queue_slice() - which slice a flow belongs to
 * @nd: device
 * @ct: its entry
 *
 * By its addresses and ports, so that the DEL of an entry and the INS of the
 * next one with the same tuple leave in that order (B-19).
 *
 * Context: any.
 * Return: index of the slice.
 */
u16 nfsync_queue_slice(const struct nfsync_dev *nd, const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *t = nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	u32 ports = (__force u32)t->src.u.all << 16 | (__force u16)t->dst.u.all;
	u32 h = jhash_2words(ports, t->dst.protonum, nd->queue.seed);

	h = jhash2(t->src.u3.all, ARRAY_SIZE(t->src.u3.all), h);
	h = jhash2(t->dst.u3.all, ARRAY_SIZE(t->dst.u3.all), h);
	return reciprocal_scale(h, nd->queue.n_slices);
}

/* One more update of a state that is queued already; maxupd 0 = no limit */
static bool slice_count(struct nfsync_slice *sl, struct nfsync_state *st)
	__must_hold(&sl->lock)
{
	u8 max = READ_ONCE(sl->nd->cfg.maxupd);

	if (st->updates < U8_MAX)
		st->updates++;
	return max && st->updates >= max;
}

/**
 * nfsync_queue_update() - a state moved: tell it, in short where that will do
 * @nd: device
 * @st: state
 * @urgent: do not wait for the timer
 *
 * A state that no peer knows yet goes as INS, which absorbs every later
 * update until it leaves.
 *
 * Context: softirq or process, RCU read side, no lock held.
 */
void nfsync_queue_update(struct nfsync_dev *nd, struct nfsync_state *st,
			 bool urgent)
{
	struct nfsync_slice *sl = slice_of(nd, st);

	NFSYNC_INJECT_AT(UPDATE, nd->net, st->ct);
	spin_lock_bh(&sl->lock);
	if (slice_closed(sl) || test_bit(NFSYNC_ST_DEAD, &st->flags))
		goto out;

	if (slice_marker(sl, st) == NFSYNC_Q_NONE) {
		st->updates = 0;
		slice_link(sl, st, test_bit(NFSYNC_ST_TOLD, &st->flags) ?
			   NFSYNC_Q_UPD_C : NFSYNC_Q_INS);
	} else if (slice_count(sl, st)) {
		urgent = true;
	}
	slice_arm(sl, urgent);
out:
	slice_unlock(sl);
}

/**
 * nfsync_queue_update_full() - tell everything about a state
 * @nd: device
 * @st: state
 * @urgent: do not wait for the timer
 *
 * For who asked by UPD_REQ, for bulk, and for what UPD_C has no field for.
 *
 * Context: softirq or process, RCU read side, no lock held.
 */
void nfsync_queue_update_full(struct nfsync_dev *nd, struct nfsync_state *st,
			      bool urgent)
{
	struct nfsync_slice *sl = slice_of(nd, st);
	struct nfsync_state *put = NULL;
	u8 q;

	NFSYNC_INJECT_AT(UPDATE, nd->net, st->ct);
	spin_lock_bh(&sl->lock);
	if (slice_closed(sl) || test_bit(NFSYNC_ST_DEAD, &st->flags))
		goto out;

	q = slice_marker(sl, st);
	if (q == NFSYNC_Q_NONE || q == NFSYNC_Q_UPD_C) {
		st->updates = 0;
		put = slice_move(sl, st, test_bit(NFSYNC_ST_TOLD, &st->flags) ?
				 NFSYNC_Q_UPD : NFSYNC_Q_INS);
	}
	slice_arm(sl, urgent);
out:
	slice_unlock(sl);
	if (put)
		nfsync_state_put(put);
}

/**
 * nfsync_queue_delete() - a state ends
 * @nd: device
 * @st: state
 * @announce: tell the peers, if they know it at all
 * @by_hand: more may follow, perhaps the whole table: see nfsync_queue_begin()
 *
 * The one place where NFSYNC_ST_DEAD is set: of several callers (expiry, DEL
 * from a peer, the walk) exactly one is told to unhash (R-000-7).  An INS
 * that never left is taken back and nothing is sent.
 *
 * Context: softirq or process, RCU read side, no lock held.
 * Return: true if the caller must call nfsync_state_unhash().
 */
bool nfsync_queue_delete(struct nfsync_dev *nd, struct nfsync_state *st,
			 bool announce, bool by_hand)
{
	struct nfsync_slice *sl = slice_of(nd, st);
	bool mine, held;

	NFSYNC_INJECT_AT(DELETE, nd->net, st->ct);
	spin_lock_bh(&sl->lock);
	mine = !test_and_set_bit(NFSYNC_ST_DEAD, &st->flags);
	NFSYNC_INJECT_AT(DELETE_LOCKED, nd->net, st->ct);
	held = mine && slice_unlink(sl, st);
	if (mine && announce && !slice_closed(sl) &&
	    test_bit(NFSYNC_ST_TOLD, &st->flags)) {
		slice_link(sl, st, NFSYNC_Q_DEL);
		if (by_hand) {
			sl->by_hand_at = jiffies;
			slice_arm_timer(sl);
		} else {
			slice_arm(sl, false);
		}
	}
	slice_unlock(sl);
	if (held)
		nfsync_state_put(st);
	return mine;
}

/* Id messages are few and small: when @idq is full, who came first wins */
static bool idq_add(struct nfsync_slice *sl, struct nfsync_idq *idq, u64 id,
		    u32 creatorid)
	__must_hold(&sl->lock)
{
	lockdep_assert_held(&sl->lock);

	if (slice_closed(sl) || idq->n == NFSYNC_IDQ_MAX)
		return false;

	if (!idq->n)
		sl->len += NFSYNC_WIRE_SUBH_LEN;
	sl->len += NFSYNC_WIRE_ID_LEN;
	idq->v[idq->n].id = id;
	idq->v[idq->n++].creatorid = creatorid;
	return true;
}

/* Returns the bytes that no longer wait */
static size_t idq_clear(struct nfsync_idq *idq)
{
	size_t len = idq_len(idq);

	idq->n = 0;
	return len;
}

static bool asked_lately(struct nfsync_slice *sl, u64 id, u32 creatorid,
			 u32 pause)
	__must_hold(&sl->lock)
{
	struct nfsync_asked *a = &sl->asked[hash_64(id, NFSYNC_ASKED_BITS)];
	u32 now = jiffies;

	lockdep_assert_held(&sl->lock);

	if (a->id == id && a->creatorid == creatorid &&
	    now - a->at < pause)
		return true;

	a->id = id;
	a->creatorid = creatorid;
	a->at = now;
	return false;
}

static struct nfsync_slice *slice_of_id(struct nfsync_dev *nd, u64 id)
{
	return &nd->queue.slice[reciprocal_scale(hash_64(id, 32),
						 nd->queue.n_slices)];
}

/**
 * nfsync_queue_ack() - owe a peer an INS_ACK, at once
 * @nd: device
 * @id: state id, host order
 * @creatorid: its creator, host order
 *
 * Kept apart from the state's own marker, so that local traffic on the state
 * can't swallow it (B-20).  Lost when 128 are owed on the slice: the peer's
 * ceiling then releases its packet.
 *
 * Context: softirq, no lock held.
 */
void nfsync_queue_ack(struct nfsync_dev *nd, u64 id, u32 creatorid)
{
	struct nfsync_slice *sl = slice_of_id(nd, id);

	spin_lock_bh(&sl->lock);
	if (idq_add(sl, &sl->ack, id, creatorid))
		slice_arm(sl, true);
	else
		nfsync_stats_inc(nd, PFSYNC_STAT_ACK_LIMITED);
	slice_unlock(sl);
}

/**
 * nfsync_queue_deny() - tell a peer that a state it told of has ended here
 * @nd: device
 * @id: state id, host order
 * @creatorid: its creator, host order
 *
 * Context: softirq, no lock held.
 * Return: false if too many are owed, and this one is not.
 */
bool nfsync_queue_deny(struct nfsync_dev *nd, u64 id, u32 creatorid)
{
	struct nfsync_slice *sl = slice_of_id(nd, id);
	bool queued;

	spin_lock_bh(&sl->lock);
	queued = idq_add(sl, &sl->deny, id, creatorid);
	if (queued)
		slice_arm(sl, sl->deny.n > NFSYNC_IDQ_MAX / 2);
	else
		nfsync_stats_inc(nd, PFSYNC_STAT_DENY_LIMITED);
	slice_unlock(sl);
	return queued;
}

/**
 * nfsync_queue_request() - ask the peers for a state
 * @nd: device
 * @id: state id, host order
 * @creatorid: its creator, host order
 * @pause: jiffies until it may be asked for again
 *
 * Context: softirq, no lock held.
 * Return: false if it was asked for that lately, or too many are.
 */
bool nfsync_queue_request(struct nfsync_dev *nd, u64 id, u32 creatorid,
			  u32 pause)
{
	struct nfsync_slice *sl = slice_of_id(nd, id);
	bool queued;

	spin_lock_bh(&sl->lock);
	queued = !asked_lately(sl, id, creatorid, pause) &&
		 idq_add(sl, &sl->req, id, creatorid);
	if (queued)
		slice_arm(sl, true);
	slice_unlock(sl);
	return queued;
}

/* The last @max ids of @idq go to @v */
static unsigned int take_ids(struct nfsync_slice *sl, struct nfsync_idq *idq,
			     size_t *room, struct nfsync_msg_id *v)
	__must_hold(&sl->lock)
{
	unsigned int n;

	if (!idq->n || *room < NFSYNC_WIRE_SUBH_LEN + NFSYNC_WIRE_ID_LEN)
		return 0;

	*room -= NFSYNC_WIRE_SUBH_LEN;
	n = min_t(size_t, idq->n, *room / NFSYNC_WIRE_ID_LEN);
	*room -= n * NFSYNC_WIRE_ID_LEN;
	idq->n -= n;
	memcpy(v, &idq->v[idq->n], n * sizeof(*v));
	sl->len -= n * NFSYNC_WIRE_ID_LEN;
	if (!idq->n)
		sl->len -= NFSYNC_WIRE_SUBH_LEN;
	return n;
}

/*
 * Oldest first.  From here on the peers count as knowing the id: the frame
 * may still be lost, but then a DEL for it is harmless and a missing INS is
 * healed by the UPD_REQ that the next UPD_C draws.
 */
static void take_states(struct nfsync_slice *sl, u8 q, size_t *room,
			struct nfsync_batch *b, unsigned int *used)
	__must_hold(&sl->lock)
{
	bool full = q == NFSYNC_Q_INS || q == NFSYNC_Q_UPD;
	size_t len = b->bare && full ? NFSYNC_WIRE_STATE6_LEN : marker_len(q);
	struct nfsync_state *st;

	if (!slice_first(sl, q) || *room < NFSYNC_WIRE_SUBH_LEN + len)
		return;

	*room -= NFSYNC_WIRE_SUBH_LEN;
	while (*room >= len && *used < b->cap) {
		st = slice_first(sl, q);
		if (!st)
			break;
		slice_unlink(sl, st);
		NFSYNC_INJECT_AT(TAKE_LOCKED, sl->nd->net, st->ct);
		if (q == NFSYNC_Q_INS)
			set_bit(NFSYNC_ST_TOLD, &st->flags);
		b->st[(*used)++] = st;
		b->n[q]++;
		*room -= len;
	}
}

/**
 * nfsync_queue_take() - detach what fits one packet
 * @sl: slice
 * @room: bytes for sections, all headers in front of them excluded
 * @b: where to; owns the references afterwards
 *
 * Every element leaves with marker NONE in this one critical section, so that
 * it can be queued again while the caller still serialises it.
 *
 * Context: softirq, no lock held.
 * Return: true if there is more that is to leave now.
 */
bool nfsync_queue_take(struct nfsync_slice *sl, size_t room,
		       struct nfsync_batch *b)
{
	unsigned int used = 0;
	size_t full = BASE_LEN + room, begun = room;
	bool more;
	u8 q;

	memset(b->n, 0, sizeof(b->n));
	/* on the smallest MTUs a state has room, its trailer not (B-13) */
	b->bare = room < NFSYNC_WIRE_SUBH_LEN + marker_len(NFSYNC_Q_INS);
	NFSYNC_INJECT_AT(TAKE, sl->nd->net, NULL);
	spin_lock_bh(&sl->lock);
	b->n_ack = take_ids(sl, &sl->ack, &room, b->ack);
	for (q = NFSYNC_Q_NONE + 1; q < NFSYNC_Q_MAX; q++)
		take_states(sl, q, &room, b, &used);
	b->n_deny = take_ids(sl, &sl->deny, &room, b->deny);
	b->n_req = take_ids(sl, &sl->req, &room, b->req);
	b->len = begun - room;
	if (sl->len == BASE_LEN) {
		sl->due = false;
		timer_delete(&sl->timer);
	} else if (!sl->due) {
		slice_arm_timer(sl);
	}
	more = sl->len > (sl->due ? BASE_LEN : full);
	slice_unlock(sl);
	return more;
}

static bool creators_have(const struct nfsync_creators *c, u32 creatorid)
{
	unsigned int i, n = READ_ONCE(c->n);

	for (i = 0; i < min_t(unsigned int, n, NFSYNC_CREATORS_MAX); i++)
		if (READ_ONCE(c->v[i]) == creatorid)
			return true;
	return n > NFSYNC_CREATORS_MAX;
}

static bool creators_add(struct nfsync_creators *c, u32 creatorid)
{
	if (creators_have(c, creatorid))
		return true;
	if (c->n == NFSYNC_CREATORS_MAX)
		return false;
	WRITE_ONCE(c->v[c->n], creatorid);
	/* who looks meanwhile finds each that is counted */
	smp_store_release(&c->n, c->n + 1);
	return true;
}

/**
 * nfsync_queue_spare() - one of that creator's ended here and nobody was told
 * @nd: device
 * @creatorid: host order
 *
 * The peers may still have it, and it may be alive there: until the device
 * comes up anew no CLR speaks of that creator, its ends are told one by one.
 * Before the state leaves the table, which an empty table waits for.
 *
 * Context: softirq or process, no lock held.
 */
void nfsync_queue_spare(struct nfsync_dev *nd, u32 creatorid)
{
	struct nfsync_queue *q = &nd->queue;

	if (likely(creators_have(&q->spared, creatorid)))
		return;
	spin_lock_bh(&q->spared_lock);
	if (!creators_add(&q->spared, creatorid))
		WRITE_ONCE(q->spared.n, NFSYNC_CREATORS_MAX + 1);
	spin_unlock_bh(&q->spared_lock);
	/* in front of the table's count; with the cmpxchg of queue_begin() */
	smp_mb();
}

/* One DEL that a CLR will stand for; NULL: no more of them */
static struct nfsync_state *purge_one(struct nfsync_slice *sl,
				      struct nfsync_creators *c)
{
	struct nfsync_state *st;

	spin_lock_bh(&sl->lock);
	st = slice_first(sl, NFSYNC_Q_DEL);
	if (st && (creators_have(&sl->nd->queue.spared, st->creatorid) ||
		   !creators_add(c, st->creatorid)))
		st = NULL;
	if (st)
		slice_unlink(sl, st);
	slice_unlock(sl);
	return st;
}

/* Was the table emptied by hand, and is it worth a CLR to say so? */
static bool queue_emptied(const struct nfsync_dev *nd)
{
	unsigned int i, waiting = 0;
	bool by_hand = false;

	if (likely(nfsync_state_count(&nd->table)))
		return false;

	for (i = 0; i < nd->queue.n_slices; i++) {
		const struct nfsync_slice *sl = &nd->queue.slice[i];

		waiting += READ_ONCE(sl->n[NFSYNC_Q_DEL]);
		by_hand |= (u32)jiffies - READ_ONCE(sl->by_hand_at) < 2 * HZ;
	}
	return by_hand && waiting >= PURGE_MIN;
}

static void queue_clear(struct nfsync_dev *nd)
{
	struct nfsync_state *st;
	struct nfsync_creators c = {};
	unsigned int i;

	for (i = 0; i < nd->queue.n_slices; i++)
		while ((st = purge_one(&nd->queue.slice[i], &c)))
			nfsync_state_put(st);
	while (c.n)
		nfsync_send_clr(nd, c.v[--c.n]);
}

/**
 * nfsync_queue_begin() - a slice's task wants to send
 * @nd: device
 *
 * When the table was emptied by hand that is told first: without a state left,
 * a CLR of each creator says the same as all the DELs that wait, unless one of
 * that creator's ended in silence (nfsync_queue_spare()).  Neither may
 * it overtake what another task has taken and not sent yet, nor be overtaken
 * by the news of a state that comes up meanwhile: so it leaves when no other
 * task is at it, and none begins until it has left.
 *
 * Context: softirq, no lock held.
 * Return: true, and nfsync_queue_end() is due; false to try again soon.
 */
bool nfsync_queue_begin(struct nfsync_dev *nd)
{
	struct nfsync_queue *q = &nd->queue;

	if (unlikely(queue_emptied(nd))) {
		NFSYNC_INJECT_AT(PURGE, nd->net, NULL);
		if (atomic_cmpxchg(&q->sending, 0, -1))
			return false;
		if (queue_emptied(nd)) {
			NFSYNC_INJECT_AT(PURGE_ALONE, nd->net, NULL);
			queue_clear(nd);
		}
		atomic_set_release(&q->sending, 0);
	}
	return atomic_inc_unless_negative(&q->sending);
}

/**
 * nfsync_queue_end() - undo nfsync_queue_begin(), what was taken has left
 * @nd: device
 *
 * Context: softirq.
 */
void nfsync_queue_end(struct nfsync_dev *nd)
{
	atomic_dec(&nd->queue.sending);
}

/**
 * nfsync_queue_retry() - nothing could be taken: try again on the next timer
 * @sl: slice
 *
 * Context: softirq, no lock held.
 */
void nfsync_queue_retry(struct nfsync_slice *sl)
{
	spin_lock_bh(&sl->lock);
	if (!sl->stopped)
		slice_arm_timer(sl);
	slice_unlock(sl);
}

/**
 * nfsync_queue_sent() - the task has sent what it took
 * @sl: slice
 *
 * Only now, not when the last was taken: what follows it, as the END of a
 * transfer does, is to leave behind it.
 *
 * Context: softirq, no lock held.
 */
void nfsync_queue_sent(struct nfsync_slice *sl)
{
	spin_lock_bh(&sl->lock);
	if (!sl->due)
		sl->kicked = false;
	slice_unlock(sl);
}

/**
 * nfsync_queue_kick_all() - flush every slice now
 * @nd: device
 *
 * Context: any.
 */
void nfsync_queue_kick_all(struct nfsync_dev *nd)
{
	unsigned int i;

	for (i = 0; i < nd->queue.n_slices; i++)
		slice_kick(&nd->queue.slice[i]);
}

/**
 * nfsync_queue_flushed() - has everything left that waited at the last kick?
 * @nd: device
 *
 * What came since does not matter: a busy node's queues are never empty.
 *
 * Context: process.
 * Return: true if so.
 */
bool nfsync_queue_flushed(struct nfsync_dev *nd)
{
	unsigned int i;

	for (i = 0; i < nd->queue.n_slices; i++) {
		struct nfsync_slice *sl = &nd->queue.slice[i];

		if (READ_ONCE(sl->kicked))
			return false;
	}
	return true;
}

/**
 * nfsync_queue_drop() - forget what waits on a slice
 * @sl: slice
 *
 * Context: softirq or process, no lock held.
 */
void nfsync_queue_drop(struct nfsync_slice *sl)
{
	struct nfsync_state *st;
	u8 q = NFSYNC_Q_NONE + 1;

	spin_lock_bh(&sl->lock);
	sl->len -= idq_clear(&sl->ack) + idq_clear(&sl->deny) +
		   idq_clear(&sl->req);
	while (q < NFSYNC_Q_MAX) {
		st = slice_first(sl, q);
		if (!st) {
			q++;
			continue;
		}
		slice_unlink(sl, st);
		nfsync_stats_inc(sl->nd, PFSYNC_STAT_QUEUE_DROPPED);
		/* the last put runs the entry's destructor: not under a lock */
		slice_unlock(sl);
		nfsync_state_put(st);
		spin_lock_bh(&sl->lock);
	}
	slice_unlock(sl);
}

/**
 * nfsync_queue_stop() - take nothing more, forget what waits
 * @nd: device going down
 *
 * Peers are not told: a node that goes down leaves its entries to them.
 *
 * Context: process, RTNL; hooks and frames have ended.
 */
void nfsync_queue_stop(struct nfsync_dev *nd)
{
	unsigned int i;

	for (i = 0; i < nd->queue.n_slices; i++) {
		struct nfsync_slice *sl = &nd->queue.slice[i];

		spin_lock_bh(&sl->lock);
		sl->stopped = true;
		slice_unlock(sl);
		timer_delete_sync(&sl->timer);
		tasklet_kill(&sl->task);
		nfsync_queue_drop(sl);
	}
}
