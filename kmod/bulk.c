// SPDX-License-Identifier: GPL-2.0
/*
 * Bulk transfer, both ends of it.
 *
 * Responder: START, every state that peers may know, END once all of it has
 * left.  Requests that come meanwhile are one more run.
 *
 * Requester: asks every second until it hears START, and as long as states
 * keep coming it waits.  Without any answer three times it says so: alone
 * when no peer was heard at all, not in sync when one was; it keeps asking.
 * Only an END that belongs to a START makes 'in sync' (or one from a peer
 * that had nothing to send: an empty OpenBSD sends a lone END).
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/timekeeping.h>
#include "conntrack.h"
#include "device.h"
#include "bulk.h"
#include "send.h"

#define ASK_INTERVAL		HZ
#define ASK_INTERVAL_SLOW	(5 * HZ)
#define ASK_TRIES		3

/* How long a run waits for its own frames to leave, in steps of 1 ms */
#define DRAIN_STEPS		1000

/* Queued frames leave in softirqs: wait until they have */
static void drain(struct nfsync_dev *nd)
{
	int i;

	nfsync_queue_kick_all(nd);
	for (i = 0; i < DRAIN_STEPS && READ_ONCE(nd->up); i++) {
		if (nfsync_queue_idle(nd))
			return;
		usleep_range(200, 1000);
	}
}

/* A one-way flow that is not worth telling yet is not told here either */
static bool worth_offering(const struct nfsync_state *st)
{
	return test_bit(NFSYNC_ST_TOLD, &st->flags) ||
	       test_bit(IPS_SEEN_REPLY_BIT, &st->ct->status);
}

static bool offer_one(struct nfsync_dev *nd, struct nfsync_state *st, void *arg)
{
	if (!READ_ONCE(nd->up) || !nfsync_state_get(st))
		return false;

	if (worth_offering(st))
		nfsync_queue_update_full(nd, st, false);
	nfsync_state_put(st);
	return true;
}

static void offer(struct nfsync_dev *nd)
{
	time64_t asked = ktime_get_seconds();

	if (nfsync_send_bus(nd, NFSYNC_BUS_START, 0))
		return;

	nfsync_state_walk(nd, offer_one, NULL, drain);
	drain(nd);
	nfsync_send_bus(nd, NFSYNC_BUS_END, ktime_get_seconds() - asked);
}

static void offer_work(struct work_struct *work)
{
	struct nfsync_bulk *b = container_of(work, struct nfsync_bulk, offer);
	struct nfsync_dev *nd = container_of(b, struct nfsync_dev, bulk);

	if (b->walk_due) {
		b->walk_due = false;
		nfsync_conntrack_walk(nd);
	}
	if (nfsync_device_ready(nd))
		offer(nd);
}

/**
 * nfsync_bulk_asked() - a peer wants every state
 * @nd: device
 *
 * Requests that arrive before or during a run share the next one (B-28).
 *
 * Context: softirq.
 */
void nfsync_bulk_asked(struct nfsync_dev *nd)
{
	if (!schedule_work(&nd->bulk.offer))
		nfsync_stats_inc(nd, PFSYNC_STAT_BULK_LIMITED);
}

/*
 * Nobody answered: give the honest verdict.  One that has been serving goes
 * on, for it lost nothing by asking.
 */
static void give_up(struct nfsync_dev *nd, struct nfsync_bulk *b)
	__must_hold(&b->lock)
{
	lockdep_assert_held(&b->lock);

	if (READ_ONCE(nd->peer.verdict) != PFSYNC_VERDICT_JOINING)
		return;
	nfsync_peer_set(nd, READ_ONCE(nd->peer.heard) ?
			    PFSYNC_VERDICT_NOT_IN_SYNC : PFSYNC_VERDICT_ALONE);
}

static void ask_work(struct work_struct *work)
{
	struct nfsync_bulk *b = container_of(work, struct nfsync_bulk,
					     ask.work);
	struct nfsync_dev *nd = container_of(b, struct nfsync_dev, bulk);
	bool waiting, slow;

	spin_lock_bh(&b->lock);
	if (!b->wanted) {
		spin_unlock_bh(&b->lock);
		return;
	}
	/* what keeps coming needs no reminder; what stopped is asked anew */
	waiting = b->progress;
	b->progress = false;
	if (waiting)
		b->tries = 0;
	else
		b->started = false;
	slow = b->tries >= ASK_TRIES;
	if (slow)
		give_up(nd, b);
	else
		b->tries++;
	spin_unlock_bh(&b->lock);

	if (!waiting)
		nfsync_send_bulk_request(nd);
	schedule_delayed_work(&b->ask, slow ? ASK_INTERVAL_SLOW :
					      ASK_INTERVAL);
}

/**
 * nfsync_bulk_request() - there is a way to the peers: ask, and offer
 * @nd: device
 *
 * What they missed while there was no way is in the offer.
 *
 * Context: any.
 */
void nfsync_bulk_request(struct nfsync_dev *nd)
{
	struct nfsync_bulk *b = &nd->bulk;

	if (!READ_ONCE(nd->up))
		return;

	spin_lock_bh(&b->lock);
	b->wanted = true;
	b->started = false;
	b->progress = false;
	b->tries = 0;
	spin_unlock_bh(&b->lock);

	/* whoever serves alone does not stop for it */
	if (READ_ONCE(nd->peer.verdict) != PFSYNC_VERDICT_ALONE)
		nfsync_peer_set(nd, PFSYNC_VERDICT_JOINING);
	schedule_work(&b->offer);
	mod_delayed_work(system_percpu_wq, &b->ask, 0);
}

/**
 * nfsync_bulk_status() - a peer bounds a transfer
 * @nd: device
 * @m: checked message
 *
 * START is taken from anybody, END from who started, or from anybody when
 * nothing came at all since we asked (wire.md 2.6).
 *
 * Context: softirq.
 */
void nfsync_bulk_status(struct nfsync_dev *nd, const struct nfsync_msg_bus *m)
{
	struct nfsync_bulk *b = &nd->bulk;
	bool done = false;

	spin_lock_bh(&b->lock);
	if (!b->wanted)
		goto out;

	if (m->status == NFSYNC_BUS_START) {
		b->started = true;
		b->progress = true;
		b->from = m->creatorid;
	} else if (m->status == NFSYNC_BUS_END) {
		done = b->started ? b->from == m->creatorid : !b->progress;
		if (done)
			b->wanted = false;
	}
out:
	spin_unlock_bh(&b->lock);
	if (done)
		nfsync_peer_set(nd, PFSYNC_VERDICT_IN_SYNC);
}

/**
 * nfsync_bulk_progress() - a full state came
 * @nd: device
 *
 * Context: softirq.
 */
void nfsync_bulk_progress(struct nfsync_dev *nd)
{
	struct nfsync_bulk *b = &nd->bulk;

	if (likely(!READ_ONCE(b->wanted)))
		return;

	spin_lock_bh(&b->lock);
	if (b->started)
		b->progress = true;
	spin_unlock_bh(&b->lock);
}

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
	INIT_WORK(&b->offer, offer_work);
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
	if (nfsync_transport_usable(nd)) {
		nfsync_bulk_request(nd);
	} else {
		nfsync_peer_set(nd, PFSYNC_VERDICT_NO_LINK);
		schedule_work(&nd->bulk.offer);
	}
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

	spin_lock_bh(&b->lock);
	b->wanted = false;
	spin_unlock_bh(&b->lock);
	cancel_delayed_work_sync(&b->ask);
	cancel_work_sync(&b->offer);
}
