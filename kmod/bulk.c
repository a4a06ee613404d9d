// SPDX-License-Identifier: GPL-2.0
/*
 * Bulk transfer, both ends of it.  What follows what is in transfer.c; here
 * is how it is done.
 *
 * Telling: START, every state that peers may know and that did not leave
 * since START anyhow, and when all of it has left: END, with the number and
 * sum of what was told.
 *
 * Asking: each state that comes is marked.  A transfer was whole when no
 * frame of its sender was lost between START and END or came before START,
 * and there was room for all of it; or, on a link that always loses some, when
 * what several of them marked adds up to the sum.
 * Then the two tables are reconciled: what the sender created and has no more
 * is removed here (a DEL was lost), of the rest it hears what it lacks.
 *
 * Locks: bulk.lock is never held together with any other.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/random.h>
#include <linux/timekeeping.h>
#include "conntrack.h"
#include "device.h"
#include "bulk.h"
#include "import.h"
#include "inject.h"
#include "send.h"

/*
 * How long a run waits for its own frames to leave, in steps of up to 1 ms:
 * between chunks, and in front of its END, which must not leave without them
 */
#define DRAIN_STEPS	1000
#define DRAIN_STEPS_END	5000

/* Between chunks of NFSYNC_STATE_CHUNK states: less when nothing gets lost */
#define PACE_MIN	200		/* us */
#define PACE_MAX	50000

/* Between two runs: a flood of requests gets no more than this (B-28) */
#define TELL_INTERVAL	(HZ / 10)

/* What others overtook gets this long to arrive before it counts as lost */
#define JUDGE_DELAY	(HZ / 20 + 1)

/* Losses are forgotten after that long without one */
#define CALM		(30 * HZ)

/* 0 is what no transfer told or heard */
static u16 next_gen(u16 gen)
{
	return gen == U16_MAX ? 1 : gen + 1;
}

/* --- telling --- */

/* Queued frames leave in softirqs: wait until they have; false if they do not */
static bool drain(struct nfsync_dev *nd, int steps)
{
	u32 pace = READ_ONCE(nd->bulk.pace_us);
	bool flushed;

	nfsync_queue_kick_all(nd);
	while (nfsync_device_ready(nd)) {
		flushed = nfsync_queue_flushed(nd);
		if (flushed || !steps--) {
			usleep_range(pace, pace + pace / 4);
			return flushed;
		}
		usleep_range(200, 1000);
	}
	return false;
}

static void breathe(struct nfsync_dev *nd)
{
	drain(nd, DRAIN_STEPS);
}

/*
 * A one-way flow that is not worth telling yet is not told here either, nor an
 * entry that has expired and that conntrack has not collected yet.
 */
static bool worth_telling(const struct nfsync_state *st)
{
	return !nf_ct_is_expired(st->ct) &&
	       (test_bit(NFSYNC_ST_TOLD, &st->flags) ||
		test_bit(IPS_SEEN_REPLY_BIT, &st->ct->status));
}

static bool tell_one(struct nfsync_dev *nd, struct nfsync_state *st, void *arg)
{
	if (!nfsync_device_ready(nd) || !nfsync_state_get(st))
		return false;

	if (READ_ONCE(st->told_gen) != nd->bulk.told_gen && worth_telling(st))
		nfsync_queue_update_full(nd, st, false);
	nfsync_state_put(st);
	return true;
}

/**
 * nfsync_bulk_told() - all about a state is on its way to the peers
 * @nd: device
 * @st: state
 *
 * Context: softirq, no lock held.
 */
void nfsync_bulk_told(struct nfsync_dev *nd, struct nfsync_state *st)
{
	struct nfsync_bulk *b = &nd->bulk;
	u16 gen = READ_ONCE(b->told_gen);

	/* one that is told twice in a run counts once */
	if (READ_ONCE(b->teller.state) == NFSYNC_TELLER_IDLE ||
	    READ_ONCE(st->told_gen) == gen)
		return;
	WRITE_ONCE(st->told_gen, gen);
	atomic_inc(&b->told);
	atomic64_add(nfsync_wire_mix(st->id, st->creatorid), &b->told_sum);
}

/*
 * The run begins to count when START has left: what is told from here on
 * comes behind it, what was told before is told again.
 */
static int send_start(struct nfsync_dev *nd)
{
	struct nfsync_bulk *b = &nd->bulk;
	int err = nfsync_send_start(nd);

	if (err)
		return err;
	atomic_set(&b->told, 0);
	atomic64_set(&b->told_sum, 0);
	WRITE_ONCE(b->unnumbered, false);
	WRITE_ONCE(b->told_gen, next_gen(b->told_gen));
	return 0;
}

static void send_end(struct nfsync_dev *nd, time64_t began)
{
	struct nfsync_bulk *b = &nd->bulk;
	struct nfsync_msg_total m = {
		.creatorid = READ_ONCE(nd->cfg.hostid),
		.count = atomic_read(&b->told),
		.sum = atomic64_read(&b->told_sum),
		.first_id = nd->table.first_id,
		.verdict = READ_ONCE(nd->peers.verdict),
		.flags = READ_ONCE(b->unnumbered) ? NFSYNC_TOTAL_UNNUMBERED : 0,
	};

	nfsync_send_end(nd, &m, ktime_get_seconds() - began);
}

static unsigned int tell_step(struct nfsync_bulk *b,
			      enum nfsync_teller_event event)
{
	unsigned int todo;

	spin_lock_bh(&b->lock);
	todo = nfsync_teller_step(&b->teller, event);
	if (todo & NFSYNC_TELLER_DO_END)
		b->told_at = jiffies;
	spin_unlock_bh(&b->lock);
	return todo;
}

/* One run, from START to END; what is asked for meanwhile is another */
static void tell(struct nfsync_dev *nd)
{
	struct nfsync_bulk *b = &nd->bulk;
	time64_t began = ktime_get_seconds();
	unsigned int todo;

	if (!nfsync_device_ready(nd) || send_start(nd)) {
		tell_step(b, NFSYNC_TELLER_CUT);
		return;
	}
	nfsync_state_walk(nd, tell_one, NULL, breathe);
	todo = tell_step(b, NFSYNC_TELLER_WALKED);
	if ((todo & NFSYNC_TELLER_DO_DRAIN && !drain(nd, DRAIN_STEPS_END)) ||
	    !nfsync_device_ready(nd)) {
		tell_step(b, NFSYNC_TELLER_CUT);
		return;
	}
	NFSYNC_INJECT_AT(TELL_END, nd->net, NULL);
	send_end(nd, began);
	todo = tell_step(b, NFSYNC_TELLER_DRAINED);
	if (todo & NFSYNC_TELLER_DO_START)
		queue_delayed_work(system_dfl_wq, &b->tell, TELL_INTERVAL);
}

static void tell_work(struct work_struct *work)
{
	struct nfsync_bulk *b = container_of(work, struct nfsync_bulk,
					     tell.work);
	struct nfsync_dev *nd = container_of(b, struct nfsync_dev, bulk);

	if (b->walk_due) {
		b->walk_due = false;
		nfsync_conntrack_walk(nd);
	}
	if (READ_ONCE(b->teller.state) != NFSYNC_TELLER_IDLE)
		tell(nd);
}

/* Who asks again right after an END has lost some of it: slower, then */
static void adapt_pace(struct nfsync_bulk *b)
	__must_hold(&b->lock)
{
	bool again = time_before(jiffies, b->told_at + 2 * HZ);

	lockdep_assert_held(&b->lock);

	b->pace_us = again ? min(b->pace_us * 2, (u32)PACE_MAX) :
			     max(b->pace_us / 2, (u32)PACE_MIN);
}

/**
 * nfsync_bulk_asked() - a peer wants every state
 * @nd: device
 *
 * Requests that arrive during a run share the next one (B-28).
 *
 * Context: softirq.
 */
void nfsync_bulk_asked(struct nfsync_dev *nd)
{
	struct nfsync_bulk *b = &nd->bulk;
	unsigned long delay = 0;
	unsigned int todo;

	spin_lock_bh(&b->lock);
	todo = nfsync_teller_step(&b->teller, NFSYNC_TELLER_REQUEST);
	if (todo) {
		adapt_pace(b);
		if (time_before(jiffies, b->told_at + TELL_INTERVAL))
			delay = TELL_INTERVAL;
	}
	spin_unlock_bh(&b->lock);

	if (todo)
		mod_delayed_work(system_dfl_wq, &b->tell, delay);
	else
		nfsync_stats_inc(nd, PFSYNC_STAT_BULK_LIMITED);
}

/* --- asking --- */

/*
 * Retries come at a time of their own, or two nodes that lost the same frame
 * would ask in step.
 */
static void ask_arm(struct nfsync_bulk *b, unsigned int todo)
{
	unsigned long delay;

	if (todo & NFSYNC_ASKER_DO_JUDGE) {
		mod_delayed_work(system_dfl_wq, &b->ask, 0);
	} else if (todo & NFSYNC_ASKER_DO_ARM) {
		delay = msecs_to_jiffies(b->asker.wait);
		mod_delayed_work(system_dfl_wq, &b->ask,
				 delay + get_random_u32_below(delay / 4 + 1));
	}
}

static void ask_step(struct nfsync_dev *nd, enum nfsync_asker_event event,
		     u32 from)
{
	struct nfsync_bulk *b = &nd->bulk;
	unsigned int todo;

	if (!READ_ONCE(nd->up))
		return;

	spin_lock_bh(&b->lock);
	todo = nfsync_asker_step(&b->asker, event, from);
	if (todo & NFSYNC_ASKER_DO_MARK)
		WRITE_ONCE(b->gen, next_gen(b->gen));
	if (todo & NFSYNC_ASKER_DO_BEGIN)
		b->base = b->gen;
	if (todo & NFSYNC_ASKER_DO_JUDGE)
		b->judged = 0;
	spin_unlock_bh(&b->lock);

	if (todo & NFSYNC_ASKER_DO_DONE)
		nfsync_peer_set(nd, PFSYNC_VERDICT_IN_SYNC);
	if (todo & NFSYNC_ASKER_DO_MORE)
		nfsync_peer_set(nd, PFSYNC_VERDICT_HEALING);
	if (todo & NFSYNC_ASKER_DO_GIVE_UP)
		nfsync_peer_trouble(nd);
	if (todo & NFSYNC_ASKER_DO_ASK && nfsync_device_ready(nd))
		nfsync_send_bulk_request(nd);
	ask_arm(b, todo);
}

/* Was it told by a transfer since the one that made @gen? */
static bool is_marked(const struct nfsync_dev *nd,
		      const struct nfsync_state *st, u16 gen)
{
	return (u16)(nd->bulk.gen - READ_ONCE(st->heard_gen)) <=
	       (u16)(nd->bulk.gen - gen);
}

/* What is marked, as the sender of a transfer counts it */
struct tally {
	u32 count;
	u64 sum;
	u16 gen;
};

static bool tally_one(struct nfsync_dev *nd, struct nfsync_state *st, void *arg)
{
	struct tally *t = arg;

	/* a walk may come by twice: what is counted gets the newest mark */
	if (READ_ONCE(st->heard_gen) == nd->bulk.gen ||
	    !is_marked(nd, st, t->gen))
		return false;
	WRITE_ONCE(st->heard_gen, nd->bulk.gen);
	t->count++;
	t->sum += nfsync_wire_mix(st->id, st->creatorid);
	return true;
}

/*
 * Returns whether all of it is here, -EAGAIN when some may still come, or
 * -ENOSPC when there was no room for all of it.
 * @gen: which marks count, from this transfer alone or from several
 */
static int judge(struct nfsync_dev *nd, struct nfsync_bulk *b, u16 *gen)
{
	bool doubtful = b->overtaken ||
			b->total.flags & NFSYNC_TOTAL_UNNUMBERED;
	bool refused = atomic_read(&b->refused) != b->refused_before;
	struct tally t = { .gen = b->base };
	u32 missing;
	u64 lost;

	*gen = b->gen;
	if (!b->numbered)
		return refused ? -ENOSPC : true;
	if (!nfsync_peer_losses(nd, b->asker.from, &lost, &missing))
		return false;
	if (missing && b->judged < 2)
		return -EAGAIN;
	if (!missing && lost == b->lost_before && !doubtful && !refused)
		return true;

	*gen = b->base;
	WRITE_ONCE(b->gen, next_gen(b->gen));
	nfsync_state_walk(nd, tally_one, &t, NULL);
	if (t.count == b->total.count && t.sum == b->total.sum)
		return true;
	return refused ? -ENOSPC : false;
}

/*
 * The transfer was whole and did not have it.  Its creator is the authority
 * on what it created since it booted; of anything else, and of what moves
 * here, the sender gets to know.
 */
struct whole {
	const struct nfsync_msg_total *total;
	u16 gen;
};

static bool reconcile_one(struct nfsync_dev *nd, struct nfsync_state *st,
			  void *arg)
{
	const struct whole *w = arg;

	if (is_marked(nd, st, w->gen) || !nfsync_device_ready(nd) ||
	    !nfsync_state_get(st))
		return false;

	if (st->creatorid == w->total->creatorid &&
	    st->id >= w->total->first_id && !nfsync_state_moves(st)) {
		nfsync_import_kill(nd, st);
		nfsync_stats_inc(nd, PFSYNC_STAT_SWEPT);
	} else if (worth_telling(st)) {
		nfsync_queue_update_full(nd, st, false);
	}
	nfsync_state_put(st);
	return true;
}

static void judge_end(struct nfsync_dev *nd)
{
	struct nfsync_bulk *b = &nd->bulk;
	struct nfsync_msg_total m = b->total;
	struct whole w = { .total = &m };
	bool knows = !b->numbered || nfsync_verdict_serves(m.verdict);
	int whole;

	NFSYNC_INJECT_AT(JUDGE, nd->net, NULL);
	/* what another CPU received in front of the END is applied by now */
	synchronize_net();
	NFSYNC_INJECT_AT(JUDGED, nd->net, NULL);
	whole = judge(nd, b, &w.gen);
	if (whole == -EAGAIN) {
		b->judged++;
		mod_delayed_work(system_dfl_wq, &b->ask, JUDGE_DELAY);
		return;
	}
	/* one that joins itself is no authority, unless there is no other */
	if (!knows && nfsync_peer_serves(nd))
		whole = false;
	if (whole > 0 && b->numbered && knows) {
		nfsync_state_walk(nd, reconcile_one, &w, breathe);
		nfsync_peer_reconciled(nd, m.creatorid);
	}
	if (!whole)
		nfsync_stats_inc(nd, PFSYNC_STAT_BULK_TORN);
	ask_step(nd, whole == -ENOSPC ? NFSYNC_ASKER_REFUSED :
		 whole ? NFSYNC_ASKER_WHOLE : NFSYNC_ASKER_TORN, 0);
}

static void ask_work(struct work_struct *work)
{
	struct nfsync_bulk *b = container_of(work, struct nfsync_bulk,
					     ask.work);
	struct nfsync_dev *nd = container_of(b, struct nfsync_dev, bulk);

	if (READ_ONCE(b->asker.state) == NFSYNC_ASKER_JUDGING)
		judge_end(nd);
	else
		ask_step(nd, NFSYNC_ASKER_TICK, 0);
}

/**
 * nfsync_bulk_want() - ask the peers for every state, now
 * @nd: device
 *
 * Context: any.
 */
void nfsync_bulk_want(struct nfsync_dev *nd)
{
	ask_step(nd, NFSYNC_ASKER_WANT, 0);
}

/**
 * nfsync_bulk_rest() - in sync without a transfer: ask no more
 * @nd: device
 *
 * One that has begun to come is taken; and what was lost since is asked for:
 * nfsync_bulk_gap() says that it heals before it does so.
 *
 * Context: softirq.
 */
void nfsync_bulk_rest(struct nfsync_dev *nd)
{
	struct nfsync_bulk *b = &nd->bulk;

	spin_lock_bh(&b->lock);
	if (READ_ONCE(nd->peers.verdict) == PFSYNC_VERDICT_IN_SYNC &&
	    b->asker.state == NFSYNC_ASKER_ASKED)
		nfsync_asker_step(&b->asker, NFSYNC_ASKER_STOP, 0);
	spin_unlock_bh(&b->lock);
}

/**
 * nfsync_bulk_gap() - frames of a peer were lost
 * @nd: device
 * @creatorid: the peer's
 *
 * Asked soon, but the less soon the more often it happens.
 *
 * Context: softirq.
 */
void nfsync_bulk_gap(struct nfsync_dev *nd, u32 creatorid)
{
	WRITE_ONCE(nd->bulk.calm_since, jiffies);
	if (READ_ONCE(nd->peers.verdict) == PFSYNC_VERDICT_IN_SYNC)
		nfsync_peer_set(nd, PFSYNC_VERDICT_HEALING);
	ask_step(nd, NFSYNC_ASKER_GAP, creatorid);
}

/**
 * nfsync_bulk_refused() - there was no room for a state that a peer told of
 * @nd: device
 * @creatorid: its creator
 *
 * The same as if its message had been lost, for who believes the verdict.
 *
 * Context: softirq.
 */
void nfsync_bulk_refused(struct nfsync_dev *nd, u32 creatorid)
{
	struct nfsync_bulk *b = &nd->bulk;

	atomic_inc(&b->refused);
	/* of what is told by a transfer its judge knows */
	if (READ_ONCE(b->asker.state) != NFSYNC_ASKER_RECEIVING)
		nfsync_bulk_gap(nd, creatorid);
}

/**
 * nfsync_bulk_gone() - a peer is not heard any more
 * @nd: device
 * @creatorid: the peer's
 *
 * Context: any.
 */
void nfsync_bulk_gone(struct nfsync_dev *nd, u32 creatorid)
{
	ask_step(nd, NFSYNC_ASKER_GONE, creatorid);
}

/**
 * nfsync_bulk_calm() - a second went by
 * @nd: device
 *
 * Context: process.
 */
void nfsync_bulk_calm(struct nfsync_dev *nd)
{
	struct nfsync_bulk *b = &nd->bulk;

	if (time_before(jiffies, READ_ONCE(b->calm_since) + CALM))
		return;

	spin_lock_bh(&b->lock);
	nfsync_asker_calm(&b->asker);
	spin_unlock_bh(&b->lock);
}

static bool receives_from(const struct nfsync_bulk *b, u32 creatorid)
	__must_hold(&b->lock)
{
	lockdep_assert_held(&b->lock);

	return b->asker.state == NFSYNC_ASKER_RECEIVING &&
	       b->asker.from == creatorid;
}

/*
 * What is lost and refused counts from here.  Marks are made since before, so
 * that a frame which others think came behind START, and which has none, is
 * one of those that overtook it.
 */
static void count_from_start(struct nfsync_dev *nd,
			     const struct nfsync_msg_frame *fr, u32 creatorid)
{
	struct nfsync_bulk *b = &nd->bulk;
	u32 refused = atomic_read(&b->refused);
	bool numbered, ours, overtaken = false;
	u64 lost = 0;

	spin_lock_bh(&b->lock);
	ours = receives_from(b, creatorid);
	spin_unlock_bh(&b->lock);
	/* of a transfer that is another's it is not to say what is lost */
	if (!ours)
		return;
	numbered = nfsync_peer_start_of(nd, fr, &lost, &overtaken);
	spin_lock_bh(&b->lock);
	if (receives_from(b, creatorid)) {
		b->numbered = numbered;
		b->overtaken = overtaken;
		b->lost_before = lost;
		b->refused_before = refused;
	}
	spin_unlock_bh(&b->lock);
}

/**
 * nfsync_bulk_status() - a peer bounds a transfer
 * @nd: device
 * @fr: the frame it came in, creator id 0 if it has no number
 * @m: checked message
 *
 * Context: softirq.
 */
void nfsync_bulk_status(struct nfsync_dev *nd,
			const struct nfsync_msg_frame *fr,
			const struct nfsync_msg_bus *m)
{
	if (m->status == NFSYNC_BUS_START) {
		ask_step(nd, NFSYNC_ASKER_START, m->creatorid);
		count_from_start(nd, fr, m->creatorid);
	} else if (m->status == NFSYNC_BUS_END) {
		ask_step(nd, NFSYNC_ASKER_END, m->creatorid);
		/* nothing, from who may not know what others do */
		if (!fr->creatorid && !nfsync_peer_serves(nd))
			ask_step(nd, NFSYNC_ASKER_LONE_END, m->creatorid);
	}
}

/**
 * nfsync_bulk_total() - a peer tells what its transfer was
 * @nd: device
 * @m: checked message, in front of the END
 *
 * Context: softirq.
 */
void nfsync_bulk_total(struct nfsync_dev *nd, const struct nfsync_msg_total *m)
{
	struct nfsync_bulk *b = &nd->bulk;

	spin_lock_bh(&b->lock);
	if (b->asker.state == NFSYNC_ASKER_RECEIVING &&
	    b->asker.from == m->creatorid)
		b->total = *m;
	spin_unlock_bh(&b->lock);
}

/**
 * nfsync_bulk_progress() - full states came
 * @nd: device
 *
 * Context: softirq.
 */
void nfsync_bulk_progress(struct nfsync_dev *nd)
{
	if (unlikely(READ_ONCE(nd->bulk.asker.state) != NFSYNC_ASKER_IDLE))
		ask_step(nd, NFSYNC_ASKER_DATA, 0);
}

/* --- life --- */

/**
 * nfsync_bulk_init() - prepare both ends
 * @nd: device in the making
 *
 * Context: process.
 */
void nfsync_bulk_init(struct nfsync_dev *nd)
{
	struct nfsync_bulk *b = &nd->bulk;

	spin_lock_init(&b->lock);
	b->pace_us = PACE_MIN;
	/* 0 is what no transfer told */
	b->gen = 1;
	b->told_at = jiffies - 2 * HZ;
	INIT_DELAYED_WORK(&b->tell, tell_work);
	INIT_DELAYED_WORK(&b->ask, ask_work);
}

/**
 * nfsync_bulk_start() - the device came up
 * @nd: device
 *
 * Context: process, RTNL.
 */
void nfsync_bulk_start(struct nfsync_dev *nd)
{
	nd->bulk.walk_due = true;
	queue_delayed_work(system_dfl_wq, &nd->bulk.tell, 0);
}

/**
 * nfsync_bulk_stop() - the device goes down
 * @nd: device, down for a grace period: no frame can start anything here
 *
 * Context: process, RTNL.
 */
void nfsync_bulk_stop(struct nfsync_dev *nd)
{
	struct nfsync_bulk *b = &nd->bulk;

	cancel_delayed_work_sync(&b->ask);
	cancel_delayed_work_sync(&b->tell);
	spin_lock_bh(&b->lock);
	nfsync_asker_step(&b->asker, NFSYNC_ASKER_STOP, 0);
	nfsync_teller_step(&b->teller, NFSYNC_TELLER_CUT);
	spin_unlock_bh(&b->lock);
}
