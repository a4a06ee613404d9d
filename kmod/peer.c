// SPDX-License-Identifier: GPL-2.0
/*
 * Peers, and the verdict: may this node serve?
 *
 * Every frame among Linux nodes is numbered, and each node says hello once a
 * second, so that a lost frame is missed at the latest by the next hello but
 * one.  A loss is healed by a transfer (bulk.c).
 *
 * The verdict.  Carrier says that there is somebody to be in sync with, or
 * that this node has to do without; dormant that it does not hold the
 * cluster's states (RFC 2863); IFF_RUNNING is both.  A node that holds them
 * keeps RUNNING when frames are lost or its peers go: it is still the best
 * there is, and a verdict of its own says so.
 *
 * Lock: peers.lock is a leaf, but for the carrier bits.
 */
#include <linux/netdevice.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/timekeeping.h>
#include "device.h"
#include "merge.h"
#include "peer.h"
#include "send.h"
#include "window.h"

/* --- the verdict --- */

static bool may_serve(const struct nfsync_dev *nd, enum pfsync_verdict v)
{
	return nfsync_verdict_serves(v) &&
	       (v != PFSYNC_VERDICT_ALONE || READ_ONCE(nd->cfg.alone));
}

/*
 * Dormant is set before the carrier comes and cleared after it, so that
 * nobody sees a running device between two states that are not.
 */
static void show(struct nfsync_dev *nd, enum pfsync_verdict v)
	__must_hold(&nd->peers.lock)
{
	bool serve = may_serve(nd, v);

	lockdep_assert_held(&nd->peers.lock);

	if (!serve)
		netif_dormant_on(nd->dev);
	if (v == PFSYNC_VERDICT_DOWN || v == PFSYNC_VERDICT_NO_LINK)
		netif_carrier_off(nd->dev);
	else
		netif_carrier_on(nd->dev);
	if (serve)
		netif_dormant_off(nd->dev);
}

static void set_locked(struct nfsync_dev *nd, enum pfsync_verdict verdict)
	__must_hold(&nd->peers.lock)
{
	struct nfsync_peers *p = &nd->peers;

	lockdep_assert_held(&p->lock);

	if (p->verdict == verdict)
		return;

	WRITE_ONCE(p->verdict, verdict);
	p->trusted = true;
	p->doubt_at = jiffies + NFSYNC_PEER_DOUBT;
	if (verdict == PFSYNC_VERDICT_DOWN)
		p->served = false;
	else if (nfsync_verdict_serves(verdict))
		p->served = true;
	show(nd, verdict);
	if (!READ_ONCE(nd->up))
		return;
	/* peers and listeners learn it now; neither can be told under a lock */
	mod_delayed_work(system_percpu_wq, &p->hello, 0);
	mod_delayed_work(system_percpu_wq, &p->notify, 0);
}

/**
 * nfsync_peer_set() - what a transfer made of the verdict
 * @nd: device
 * @verdict: enum pfsync_verdict
 *
 * Of what came over a link that is gone there is no verdict any more but the
 * one that nfsync_peer_link() gave, which comes behind nd->link.
 *
 * Context: softirq or process.
 */
void nfsync_peer_set(struct nfsync_dev *nd, enum pfsync_verdict verdict)
{
	spin_lock_bh(&nd->peers.lock);
	if (READ_ONCE(nd->link))
		set_locked(nd, verdict);
	spin_unlock_bh(&nd->peers.lock);
}

/**
 * nfsync_peer_policy() - whether to serve alone was configured anew
 * @nd: device
 *
 * Context: RTNL.
 */
void nfsync_peer_policy(struct nfsync_dev *nd)
{
	spin_lock_bh(&nd->peers.lock);
	show(nd, nd->peers.verdict);
	spin_unlock_bh(&nd->peers.lock);
}

static unsigned int count_live(const struct nfsync_peers *p)
{
	unsigned int i, n = 0;

	for (i = 0; i < p->n; i++)
		n += p->v[i].live;
	return n;
}

/**
 * nfsync_peer_trouble() - a transfer does not come, or not whole
 * @nd: device
 *
 * Whoever serves goes on, for it lost nothing by asking.  One that joins
 * tells the two cases apart: nobody is there, or somebody is and it failed.
 * Without a link it can't know, see nfsync_peer_set().
 *
 * Context: softirq or process.
 */
void nfsync_peer_trouble(struct nfsync_dev *nd)
{
	struct nfsync_peers *p = &nd->peers;

	spin_lock_bh(&p->lock);
	if (!READ_ONCE(nd->link))
		goto out;
	if (!count_live(p))
		set_locked(nd, PFSYNC_VERDICT_ALONE);
	else if (p->verdict == PFSYNC_VERDICT_JOINING)
		set_locked(nd, PFSYNC_VERDICT_NOT_IN_SYNC);
out:
	spin_unlock_bh(&p->lock);
}

/**
 * nfsync_peer_link() - the sync link came or went
 * @nd: device, up
 * @link: whether frames can leave now
 *
 * A node that served goes on serving, alone: on a direct cable the link goes
 * with the peer, and the survivor is needed right then.
 *
 * Context: RTNL.
 */
void nfsync_peer_link(struct nfsync_dev *nd, bool link)
{
	struct nfsync_peers *p = &nd->peers;
	unsigned int i;

	spin_lock_bh(&p->lock);
	for (i = 0; i < p->n; i++)
		p->v[i].live = false;
	WRITE_ONCE(p->listens_until, jiffies);
	if (link) {
		/* what was not sent meanwhile the peers are to ask for */
		WRITE_ONCE(p->incarnation, get_random_u32() | 1);
		if (!nfsync_verdict_serves(p->verdict))
			set_locked(nd, PFSYNC_VERDICT_JOINING);
		else if (p->verdict == PFSYNC_VERDICT_IN_SYNC)
			set_locked(nd, PFSYNC_VERDICT_HEALING);
	} else {
		set_locked(nd, p->served ? PFSYNC_VERDICT_ALONE :
					   PFSYNC_VERDICT_NO_LINK);
	}
	spin_unlock_bh(&p->lock);
}

/* A change that carrier and dormant do not show is told here */
static void notify_work(struct work_struct *work)
{
	struct nfsync_peers *p = container_of(work, struct nfsync_peers,
					      notify.work);
	struct nfsync_dev *nd = container_of(p, struct nfsync_dev, peers);

	/* whoever holds RTNL may be waiting for us to end */
	if (!rtnl_trylock()) {
		schedule_delayed_work(&p->notify, 1);
		return;
	}
	netdev_state_change(nd->dev);
	rtnl_unlock();
}

/* --- hello --- */

/* Who was silent for too long is gone; @gone gets their creator ids */
static unsigned int expire(struct nfsync_peers *p, u32 *gone)
	__must_hold(&p->lock)
{
	unsigned int i, n = 0;

	lockdep_assert_held(&p->lock);

	for (i = 0; i < p->n; i++) {
		struct nfsync_peer *peer = &p->v[i];
		unsigned long limit = peer->creatorid ? NFSYNC_PEER_SILENT :
							NFSYNC_BSD_SILENT;

		if (peer->live && time_after(jiffies, peer->heard + limit)) {
			peer->live = false;
			gone[n++] = peer->creatorid;
		}
	}
	return n;
}

/* Without anybody to be in sync with, one that was in sync is alone */
static void bereaved(struct nfsync_dev *nd)
	__must_hold(&nd->peers.lock)
{
	struct nfsync_peers *p = &nd->peers;

	lockdep_assert_held(&p->lock);

	if (!count_live(p) && nfsync_verdict_serves(p->verdict))
		set_locked(nd, PFSYNC_VERDICT_ALONE);
}

/* Once, each time that it goes on alone */
static bool begins_to_doubt(struct nfsync_peers *p)
	__must_hold(&p->lock)
{
	lockdep_assert_held(&p->lock);

	if (p->verdict != PFSYNC_VERDICT_ALONE || !p->trusted ||
	    time_before(jiffies, p->doubt_at))
		return false;
	p->trusted = false;
	return true;
}

static void hello_work(struct work_struct *work)
{
	struct nfsync_peers *p = container_of(work, struct nfsync_peers,
					      hello.work);
	struct nfsync_dev *nd = container_of(p, struct nfsync_dev, peers);
	struct nfsync_msg_hello m = {
		.creatorid = READ_ONCE(nd->cfg.hostid),
		.uptime = ktime_get_seconds() - p->up_since,
		.states = nfsync_state_count(&nd->table),
	};
	u32 gone[NFSYNC_PEERS_MAX];
	unsigned int i, n;
	bool doubt;

	spin_lock_bh(&p->lock);
	n = expire(p, gone);
	if (n)
		bereaved(nd);
	doubt = begins_to_doubt(p);
	m.verdict = p->verdict;
	m.peers = count_live(p);
	m.joined_by = p->joined_by;
	/* what is long over is not to come again when jiffies wrap */
	if (!nfsync_peer_listens(nd))
		WRITE_ONCE(p->listens_until, jiffies);
	spin_unlock_bh(&p->lock);

	for (i = 0; i < n; i++)
		nfsync_bulk_gone(nd, gone[i]);
	nfsync_bulk_calm(nd);
	if (doubt)
		nfsync_window_doubt(nd);
	if (nfsync_device_ready(nd))
		nfsync_send_hello(nd, &m);
	queue_delayed_work(system_percpu_wq, &p->hello, NFSYNC_HELLO_INTERVAL);
}

/* --- who is there --- */

static struct nfsync_peer *find(struct nfsync_peers *p, u32 creatorid)
	__must_hold(&p->lock)
{
	unsigned int i;

	lockdep_assert_held(&p->lock);

	for (i = 0; i < p->n; i++)
		if (p->v[i].creatorid == creatorid)
			return &p->v[i];
	return NULL;
}

static struct nfsync_peer *find_addr(struct nfsync_peers *p, __be32 saddr)
	__must_hold(&p->lock)
{
	unsigned int i;

	lockdep_assert_held(&p->lock);

	for (i = 0; i < p->n; i++)
		if (p->v[i].saddr == saddr)
			return &p->v[i];
	return NULL;
}

/* Whose place a new one takes: its own of another life, or the most silent */
static struct nfsync_peer *place(struct nfsync_peers *p, __be32 saddr)
	__must_hold(&p->lock)
{
	struct nfsync_peer *peer = find_addr(p, saddr);
	unsigned int i;

	lockdep_assert_held(&p->lock);

	if (peer)
		return peer;
	peer = &p->v[0];
	if (p->n < NFSYNC_PEERS_MAX)
		return &p->v[p->n++];
	for (i = 1; i < p->n; i++)
		if (time_before(p->v[i].heard, peer->heard))
			peer = &p->v[i];
	return peer;
}

static struct nfsync_peer *add(struct nfsync_peers *p, u32 creatorid,
			       __be32 saddr)
	__must_hold(&p->lock)
{
	struct nfsync_peer *peer = place(p, saddr);

	lockdep_assert_held(&p->lock);

	memset(peer, 0, sizeof(*peer));
	peer->creatorid = creatorid;
	peer->saddr = saddr;
	peer->heard = jiffies;
	return peer;
}

/* For so long after its last word it is expected to answer, jiffies */
static unsigned long listening(const struct nfsync_peer *peer)
{
	return peer->creatorid ? NFSYNC_PEER_LISTENS : NFSYNC_BSD_SILENT;
}

/* Deferral may wait for its answers for so long */
static void listens(struct nfsync_peers *p, const struct nfsync_peer *peer)
	__must_hold(&p->lock)
{
	unsigned long until = jiffies + listening(peer);

	lockdep_assert_held(&p->lock);

	if (time_after(until, p->listens_until))
		WRITE_ONCE(p->listens_until, until);
}

static void hear(struct nfsync_peers *p, struct nfsync_peer *peer,
		 __be32 saddr)
	__must_hold(&p->lock)
{
	lockdep_assert_held(&p->lock);

	listens(p, peer);
	peer->saddr = saddr;
	peer->heard = jiffies;
	if (!peer->live) {
		peer->live = true;
		peer->joined = false;
		peer->greeted = false;
	}
}

/* Frames whose loss nobody acted on yet */
static u64 new_losses(struct nfsync_peer *peer)
{
	u64 n = peer->gap.lost - peer->lost_told;

	peer->lost_told = peer->gap.lost;
	return n;
}

static void act_on_losses(struct nfsync_dev *nd, u32 creatorid, u64 n)
{
	if (likely(!n))
		return;
	nfsync_stats_add(nd, PFSYNC_STAT_RX_LOST, n);
	nfsync_bulk_gap(nd, creatorid);
}

/**
 * nfsync_peer_frame() - a numbered frame came
 * @nd: device
 * @saddr: its sender's address
 * @m: who sent it, and which one it is
 *
 * Context: softirq.
 * Return: whether it is to be applied: not when it came before, and not when
 * it comes so late that it was given up, for a transfer has taken its place.
 */
bool nfsync_peer_frame(struct nfsync_dev *nd, __be32 saddr,
		       const struct nfsync_msg_frame *m)
{
	struct nfsync_peers *p = &nd->peers;
	enum nfsync_gap_verdict v = NFSYNC_GAP_NEW;
	struct nfsync_peer *peer;
	bool anew;
	u64 lost;

	spin_lock_bh(&p->lock);
	peer = find(p, m->creatorid);
	if (!peer)
		peer = add(p, m->creatorid, saddr);
	anew = peer->incarnation != m->incarnation;
	if (!anew) {
		v = nfsync_gap_see(&peer->gap, m->seq);
	} else {
		/* a new life, or a new link: not numbers tell what is missing */
		peer->incarnation = m->incarnation;
		peer->hello_seq = m->seq;
		peer->hello_at = jiffies;
		peer->joined = false;
		peer->greeted = false;
		nfsync_gap_start(&peer->gap, m->seq);
	}
	if (v == NFSYNC_GAP_NEW)
		hear(p, peer, saddr);
	lost = new_losses(peer);
	spin_unlock_bh(&p->lock);

	/* a transfer lacks what went with the old numbers */
	if (unlikely(anew))
		nfsync_bulk_gone(nd, m->creatorid);
	act_on_losses(nd, m->creatorid, lost);
	if (v == NFSYNC_GAP_NEW)
		return true;
	nfsync_stats_inc(nd, v == NFSYNC_GAP_TWICE ? PFSYNC_STAT_RX_TWICE :
						     PFSYNC_STAT_RX_LATE);
	return false;
}

/**
 * nfsync_peer_bsd() - a frame without a number came
 * @nd: device
 * @saddr: its sender's address
 *
 * Context: softirq.
 */
void nfsync_peer_bsd(struct nfsync_dev *nd, __be32 saddr)
{
	struct nfsync_peers *p = &nd->peers;
	struct nfsync_peer *peer;
	bool ask;

	spin_lock_bh(&p->lock);
	/* on the smallest MTUs a Linux node's frames have no number either */
	peer = find_addr(p, saddr);
	if (!peer)
		peer = add(p, 0, saddr);
	hear(p, peer, saddr);
	/* one that went on alone asks who turns up */
	ask = !peer->creatorid && !peer->greeted &&
	      p->verdict == PFSYNC_VERDICT_ALONE;
	peer->greeted |= !peer->creatorid;
	if (ask)
		set_locked(nd, PFSYNC_VERDICT_HEALING);
	spin_unlock_bh(&p->lock);

	if (ask)
		nfsync_bulk_want(nd);
}

/*
 * Two that serve and had no word of each other: each may know what the other
 * does not.  One that joins asks, and tells who answered what that lacks: it
 * and the one that was alone till then are in sync without another transfer.
 */
static bool reunited(struct nfsync_dev *nd, struct nfsync_peer *peer,
		     bool *rest)
	__must_hold(&nd->peers.lock)
{
	struct nfsync_peers *p = &nd->peers;

	lockdep_assert_held(&p->lock);

	if (!nfsync_verdict_serves(peer->hello.verdict)) {
		peer->joined = true;
		return false;
	}
	/* without a way out nothing can be asked for: what is true is "alone" */
	if (peer->greeted || !nfsync_device_ready(nd))
		return false;
	peer->greeted = true;
	if (!nfsync_verdict_serves(p->verdict) ||
	    (peer->joined && p->verdict == PFSYNC_VERDICT_IN_SYNC))
		return false;
	if (peer->joined && p->verdict == PFSYNC_VERDICT_ALONE &&
	    peer->hello.joined_by == READ_ONCE(nd->cfg.hostid)) {
		set_locked(nd, PFSYNC_VERDICT_IN_SYNC);
		*rest = true;
		return false;
	}
	set_locked(nd, PFSYNC_VERDICT_HEALING);
	return true;
}

/**
 * nfsync_peer_hello() - a peer says how it is
 * @nd: device
 * @fr: of the frame it came in
 * @m: checked message
 *
 * Context: softirq.
 */
void nfsync_peer_hello(struct nfsync_dev *nd, const struct nfsync_msg_frame *fr,
		       const struct nfsync_msg_hello *m)
{
	struct nfsync_peers *p = &nd->peers;
	struct nfsync_peer *peer;
	bool gone = false, ask = false, rest = false;
	u64 lost = 0;

	spin_lock_bh(&p->lock);
	peer = find(p, fr->creatorid);
	if (!peer)
		goto out;

	peer->hello = *m;
	/*
	 * An interval ago everything up to there had left.  One that comes
	 * sooner, for a new verdict, says nothing of what is on its way.
	 */
	if (time_after(jiffies, peer->hello_at + NFSYNC_HELLO_INTERVAL / 2)) {
		nfsync_gap_settle(&peer->gap, peer->hello_seq);
		peer->hello_seq = fr->seq;
		peer->hello_at = jiffies;
	}
	lost = new_losses(peer);
	gone = m->verdict == PFSYNC_VERDICT_DOWN;
	if (gone) {
		peer->live = false;
		if (!count_live(p))
			WRITE_ONCE(p->listens_until, jiffies);
		bereaved(nd);
		/* it may go on with its flows and has said that it won't tell */
		p->doubt_at = jiffies;
	} else {
		ask = reunited(nd, peer, &rest);
	}
out:
	spin_unlock_bh(&p->lock);
	act_on_losses(nd, fr->creatorid, lost);
	if (gone)
		nfsync_bulk_gone(nd, fr->creatorid);
	if (ask)
		nfsync_bulk_want(nd);
	if (rest)
		nfsync_bulk_rest(nd);
}

/**
 * nfsync_peer_start_of() - a transfer begins: what is lost from here counts
 * @nd: device
 * @fr: of the frame with its START
 * @lost: frames of that peer that were lost before
 * @overtaken: one that left behind it was here first
 *
 * Context: softirq.
 * Return: false when it does not number its frames.
 */
bool nfsync_peer_start_of(struct nfsync_dev *nd,
			  const struct nfsync_msg_frame *fr, u64 *lost,
			  bool *overtaken)
{
	struct nfsync_peers *p = &nd->peers;
	struct nfsync_peer *peer;

	spin_lock_bh(&p->lock);
	peer = fr->creatorid ? find(p, fr->creatorid) : NULL;
	if (peer) {
		nfsync_gap_settle(&peer->gap, fr->seq - 1);
		*lost = peer->gap.lost;
		*overtaken = nfsync_seq_after(peer->gap.top, fr->seq);
	}
	spin_unlock_bh(&p->lock);
	return peer;
}

/**
 * nfsync_peer_losses() - what is missing of a peer's frames by now
 * @nd: device
 * @creatorid: the peer's
 * @lost: frames given up
 * @missing: frames that others overtook, perhaps on their way
 *
 * Context: any.
 * Return: false when the peer is not known.
 */
bool nfsync_peer_losses(struct nfsync_dev *nd, u32 creatorid, u64 *lost,
			u32 *missing)
{
	struct nfsync_peers *p = &nd->peers;
	const struct nfsync_peer *peer;

	spin_lock_bh(&p->lock);
	peer = find(p, creatorid);
	if (peer) {
		*lost = peer->gap.lost;
		*missing = nfsync_gap_missing(&peer->gap);
	}
	spin_unlock_bh(&p->lock);
	return peer;
}

/**
 * nfsync_peer_reconciled() - a whole transfer of a peer was received
 * @nd: device
 * @creatorid: the peer's
 *
 * Its first hello, which may come later, is then no reason to ask again.
 *
 * Context: any.
 */
void nfsync_peer_reconciled(struct nfsync_dev *nd, u32 creatorid)
{
	struct nfsync_peers *p = &nd->peers;
	struct nfsync_peer *peer;

	spin_lock_bh(&p->lock);
	peer = find(p, creatorid);
	if (peer)
		peer->greeted = true;
	p->joined_by = creatorid;
	spin_unlock_bh(&p->lock);
}

/**
 * nfsync_peer_serves() - is there a peer that holds the cluster's states?
 * @nd: device
 *
 * Context: any.
 * Return: true if so, as far as they say.
 */
bool nfsync_peer_serves(struct nfsync_dev *nd)
{
	struct nfsync_peers *p = &nd->peers;
	bool serves = false;
	unsigned int i;

	spin_lock_bh(&p->lock);
	for (i = 0; i < p->n && !serves; i++)
		serves = p->v[i].live &&
			 nfsync_verdict_serves(p->v[i].hello.verdict);
	spin_unlock_bh(&p->lock);
	return serves;
}

/**
 * nfsync_peer_listens() - is there a peer that would answer at once?
 * @nd: device
 *
 * Known by a frame of it in the last hello interval and a half; of a BSD,
 * which says no hello, in the last minute.
 *
 * Context: any.
 * Return: true if so.
 */
bool nfsync_peer_listens(const struct nfsync_dev *nd)
{
	return time_before(jiffies, READ_ONCE(nd->peers.listens_until));
}

/**
 * nfsync_peer_listeners() - how many peers would answer at once?
 * @nd: device
 *
 * Context: any.
 * Return: their number, as nfsync_peer_listens() means it.
 */
unsigned int nfsync_peer_listeners(struct nfsync_dev *nd)
{
	struct nfsync_peers *p = &nd->peers;
	unsigned int i, n = 0;

	spin_lock_bh(&p->lock);
	for (i = 0; i < p->n; i++)
		n += p->v[i].live && time_before(jiffies, p->v[i].heard +
						 listening(&p->v[i]));
	spin_unlock_bh(&p->lock);
	return n;
}

/**
 * nfsync_peer_get() - a copy of one that is known
 * @nd: device
 * @i: which, from 0
 * @peer: filled in
 *
 * Context: any.
 * Return: false when there are no more.
 */
bool nfsync_peer_get(struct nfsync_dev *nd, unsigned int i,
		     struct nfsync_peer *peer)
{
	struct nfsync_peers *p = &nd->peers;
	bool there;

	spin_lock_bh(&p->lock);
	there = i < p->n;
	if (there)
		*peer = p->v[i];
	spin_unlock_bh(&p->lock);
	return there;
}

/**
 * nfsync_peer_foreign() - a sender speaks a header version that we do not
 * @nd: device
 * @saddr: its address
 * @version: the version it sent
 *
 * Named in the log once for each sender, as far as the list goes.  It is no
 * peer: nothing of it is understood.
 *
 * Context: softirq.
 */
void nfsync_peer_foreign(struct nfsync_dev *nd, __be32 saddr, u8 version)
{
	struct nfsync_peers *p = &nd->peers;
	struct nfsync_peer *peer;
	bool known = true;

	spin_lock_bh(&p->lock);
	peer = find_addr(p, saddr);
	if (!peer && p->n < NFSYNC_PEERS_MAX)
		peer = add(p, 0, saddr);
	if (peer) {
		known = peer->stranger_logged;
		peer->stranger_logged = true;
	}
	spin_unlock_bh(&p->lock);

	if (!known)
		netdev_info(nd->dev, "%pI4 sends header version %u, this node version %u: refused\n",
			    &saddr, version, NFSYNC_WIRE_V6);
}

/**
 * nfsync_peer_ownid() - another node speaks in our name
 * @nd: device
 * @saddr: its address
 *
 * Context: softirq.
 */
void nfsync_peer_ownid(struct nfsync_dev *nd, __be32 saddr)
{
	struct nfsync_peers *p = &nd->peers;
	bool logged;

	spin_lock_bh(&p->lock);
	logged = p->ownid_logged;
	p->ownid_logged = true;
	spin_unlock_bh(&p->lock);

	if (!logged)
		netdev_warn(nd->dev, "%pI4 uses our hostid 0x%08x: its states are refused\n",
			    &saddr, READ_ONCE(nd->cfg.hostid));
}

/* --- life --- */

/**
 * nfsync_peer_init() - nobody heard, device down
 * @nd: device in the making
 *
 * The link watch hears nothing of this: it would hold the device, which goes
 * without a word when its registration fails behind this.  One that succeeds
 * sets the operstate by what is found here (linkwatch_init_dev()).
 *
 * Context: process.
 */
void nfsync_peer_init(struct nfsync_dev *nd)
{
	struct nfsync_peers *p = &nd->peers;

	spin_lock_init(&p->lock);
	INIT_DELAYED_WORK(&p->hello, hello_work);
	INIT_DELAYED_WORK(&p->notify, notify_work);
	p->verdict = PFSYNC_VERDICT_DOWN;
	set_bit(__LINK_STATE_NOCARRIER, &nd->dev->state);
	set_bit(__LINK_STATE_DORMANT, &nd->dev->state);
}

/**
 * nfsync_peer_start() - begin to say hello
 * @nd: device coming up
 *
 * Context: process, RTNL.
 */
void nfsync_peer_start(struct nfsync_dev *nd)
{
	struct nfsync_peers *p = &nd->peers;

	p->up_since = ktime_get_seconds();
	queue_delayed_work(system_percpu_wq, &p->hello, 0);
}

/**
 * nfsync_peer_quiet() - no hello any more
 * @nd: device that is down, after a grace period
 *
 * Before a transfer is stopped: the work may ask for one.
 *
 * Context: process, RTNL.
 */
void nfsync_peer_quiet(struct nfsync_dev *nd)
{
	cancel_delayed_work_sync(&nd->peers.hello);
}

/**
 * nfsync_peer_stop() - say good-bye and forget everybody
 * @nd: device that is down and quiet, its syncdev still there
 *
 * Context: process, RTNL.
 */
void nfsync_peer_stop(struct nfsync_dev *nd)
{
	struct nfsync_msg_hello m = {
		.creatorid = READ_ONCE(nd->cfg.hostid),
		.verdict = PFSYNC_VERDICT_DOWN,
	};
	struct nfsync_peers *p = &nd->peers;

	cancel_delayed_work_sync(&p->notify);
	nfsync_send_hello(nd, &m);
	spin_lock_bh(&p->lock);
	p->n = 0;
	p->joined_by = 0;
	p->ownid_logged = false;
	set_locked(nd, PFSYNC_VERDICT_DOWN);
	spin_unlock_bh(&p->lock);
}
