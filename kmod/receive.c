// SPDX-License-Identifier: GPL-2.0
/*
 * IP protocol 240 comes in.  The whole frame is checked before anything of it
 * is applied (B-45); each message is then checked for its values, and a bad
 * one changes nothing.
 */
#include <linux/ip.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/protocol.h>
#include "audit.h"
#include "conntrack.h"
#include "device.h"
#include "held.h"
#include "import.h"
#include "inject.h"
#include "receive.h"
#include "wire.h"

/* What a handler knows of the frame its message came in */
struct frame {
	struct nfsync_dev *nd;
	__be32 saddr;
	struct nfsync_msg_frame number;	/* creator id 0: it has none */
};

/* News of a state that has ended: its sender did not hear of that */
static bool is_buried(struct nfsync_dev *nd, const struct nfsync_msg_state *m)
{
	enum nfsync_tomb_sign sign = NFSYNC_TOMB_UNSIGNED;

	if (m->has_ext)
		sign = m->ext.status & NFSYNC_EXT_MOVES ? NFSYNC_TOMB_MOVES :
							  NFSYNC_TOMB_STILL;
	switch (nfsync_tomb_judge(nd, m->id, m->creatorid, sign)) {
	case NFSYNC_TOMB_DENY:
		nfsync_stats_inc(nd, PFSYNC_STAT_TOMB_DENIED);
		/* who does not hear of it keeps what nobody else has */
		if (!nfsync_queue_deny(nd, m->id, m->creatorid))
			nfsync_bulk_refused(nd, m->creatorid);
		return true;
	case NFSYNC_TOMB_ASK:
		nfsync_stats_inc(nd, PFSYNC_STAT_TOMB_ASKED);
		nfsync_queue_request(nd, m->id, m->creatorid,
				     NFSYNC_ASKED_JIFFIES);
		return true;
	case NFSYNC_TOMB_WAIT:
		return true;
	default:
		return false;
	}
}

/* Returns the state, if there is one now */
static struct nfsync_state *state_new(struct nfsync_dev *nd,
				      const struct nfsync_msg_state *m)
{
	struct nfsync_state *st;

	if (is_buried(nd, m))
		return NULL;
	st = nfsync_import_state(nd, m);
	if (!st || st->id != m->id || st->creatorid != m->creatorid ||
	    !nfsync_tomb_told(nd, m->id, m->creatorid))
		return st;

	/* its DEL came meanwhile, on another processor: see delete_id() */
	nfsync_import_kill(nd, st);
	return NULL;
}

static void state_message(const struct frame *fr,
			  const struct nfsync_msg_state *m, bool insert)
{
	struct nfsync_dev *nd = fr->nd;
	struct nfsync_state *st;

	st = nfsync_state_find_id(nd, m->id, m->creatorid);
	if (!st && insert && m->creatorid == READ_ONCE(nd->cfg.hostid)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_OWNID);
		nfsync_peer_ownid(nd, fr->saddr);
		return;
	}

	if (st && nfsync_state_get(st)) {
		nfsync_import_update(nd, st, m->peer,
				     m->has_ext ? &m->ext : NULL, m->expire);
		nfsync_state_put(st);
	} else {
		st = state_new(nd, m);
	}
	/* whoever speaks of it knows it (B-21) */
	if (st)
		nfsync_held_answered(nd, st, PFSYNC_STAT_DEFER_HEARD);
	/* one that was known already is acknowledged as well (B-33) */
	if (st && m->state_flags & NFSYNC_STATE_ACK)
		nfsync_queue_ack(nd, m->id, m->creatorid);
}

static void state_section(const struct frame *fr,
			  const struct nfsync_wire_section *s, bool insert)
{
	struct nfsync_msg_state m;
	unsigned int i;

	for (i = 0; i < s->count; i++) {
		if (nfsync_wire_get_state(s, s->body + i * s->stride, &m) ||
		    !m.creatorid) {
			nfsync_stats_inc(fr->nd, PFSYNC_STAT_BADVAL);
			continue;
		}
		state_message(fr, &m, insert);
	}
}

static void in_ins(const struct frame *fr, const struct nfsync_wire_section *s)
{
	state_section(fr, s, true);
}

/* Also what a bulk transfer is made of: our own ids come back in it */
static void in_upd(const struct frame *fr, const struct nfsync_wire_section *s)
{
	nfsync_bulk_progress(fr->nd);
	state_section(fr, s, false);
}

/* Once a second at the most; if the answer is lost, the next UPD_C asks again */
static void request(struct nfsync_dev *nd, const struct nfsync_msg_upd_c *m)
{
	if (!nfsync_queue_request(nd, m->id, m->creatorid,
				  NFSYNC_ASKED_JIFFIES))
		nfsync_stats_inc(nd, PFSYNC_STAT_REQ_LIMITED);
}

static void in_upd_c(const struct frame *fr,
		     const struct nfsync_wire_section *s)
{
	struct nfsync_dev *nd = fr->nd;
	struct nfsync_msg_upd_c m;
	struct nfsync_state *st;
	unsigned int i;

	for (i = 0; i < s->count; i++) {
		if (nfsync_wire_get_upd_c(s->body + i * s->stride, &m)) {
			nfsync_stats_inc(nd, PFSYNC_STAT_BADVAL);
			continue;
		}
		st = nfsync_state_find_id(nd, m.id, m.creatorid);
		if (!st || !nfsync_state_get(st)) {
			request(nd, &m);
			continue;
		}
		nfsync_import_update(nd, st, m.peer, NULL, m.expire);
		nfsync_held_answered(nd, st, PFSYNC_STAT_DEFER_HEARD);
		nfsync_state_put(st);
	}
}

static void in_upd_req(const struct frame *fr,
		       const struct nfsync_wire_section *s)
{
	struct nfsync_dev *nd = fr->nd;
	struct nfsync_state *st;
	struct nfsync_msg_id m;
	unsigned int i;

	for (i = 0; i < s->count; i++) {
		nfsync_wire_get_id(s->body + i * s->stride, &m);
		if (!m.id && !m.creatorid) {
			nfsync_bulk_asked(nd);
			continue;
		}
		st = nfsync_state_find_id(nd, m.id, m.creatorid);
		if (st)
			nfsync_queue_update_full(nd, st, true);
		else
			nfsync_stats_inc(nd, PFSYNC_STAT_BADSTATE);
	}
}

static bool is_over(const struct nf_conn *ct)
{
	return nf_ct_protonum(ct) == IPPROTO_TCP &&
	       nfsync_conntrack_tcp_over(READ_ONCE(ct->proto.tcp.state));
}

/*
 * Is a DEL to be answered and not obeyed (design 7)?  A Linux node announces
 * the end of what its own packets moved last: to know better we must have
 * seen some since.  A BSD announces whatever expires there, so that a flow
 * which moved here since it last spoke is alive, however idle.  A connection
 * that is over here as well does not come to life again: who refused would
 * only make the peer learn it once more.
 */
static bool knows_better(const struct frame *fr, const struct nfsync_state *st)
{
	u32 peer_at = READ_ONCE(st->peer_at);

	if (is_over(st->ct))
		return false;
	if (fr->number.creatorid)
		return nfsync_state_passes(st);
	return test_bit(NFSYNC_ST_LEARNED, &st->flags) ?
	       (s32)(READ_ONCE(st->seen_at[0]) - peer_at) > 0 ||
	       (s32)(READ_ONCE(st->seen_at[1]) - peer_at) > 0 :
	       test_bit(NFSYNC_ST_LOCAL, &st->flags);
}

static void delete_id(const struct frame *fr, u64 id, u32 creatorid)
{
	struct nfsync_dev *nd = fr->nd;
	struct nfsync_state *st = nfsync_state_find_id(nd, id, creatorid);

	if (st)
		nfsync_held_answered(nd, st, PFSYNC_STAT_DEFER_DEL);
	if (st && knows_better(fr, st)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_DEL_REFUSED);
		nfsync_queue_update_full(nd, st, true);
		return;
	}
	NFSYNC_INJECT_AT(BURY, nd->net, NULL);
	/* an INS or UPD that this overtook must not bring it to life */
	nfsync_tomb_put(nd, id, creatorid, NFSYNC_TOMB_TOLD);
	/*
	 * Another processor may be at that INS.  What it hashed before it asked
	 * for the tomb is found now; what it hashes later, it finds the tomb of.
	 */
	if (!st)
		st = nfsync_state_find_id(nd, id, creatorid);
	if (st)
		nfsync_import_kill(nd, st);
	else
		nfsync_stats_inc(nd, PFSYNC_STAT_BADSTATE);
}

static void in_del_c(const struct frame *fr,
		     const struct nfsync_wire_section *s)
{
	struct nfsync_msg_id m;
	unsigned int i;

	for (i = 0; i < s->count; i++) {
		nfsync_wire_get_id(s->body + i * s->stride, &m);
		delete_id(fr, m.id, m.creatorid);
	}
}

static void in_del(const struct frame *fr, const struct nfsync_wire_section *s)
{
	struct nfsync_msg_state m;
	unsigned int i;

	for (i = 0; i < s->count; i++) {
		if (nfsync_wire_get_state(s, s->body + i * s->stride, &m))
			nfsync_stats_inc(fr->nd, PFSYNC_STAT_BADVAL);
		else
			delete_id(fr, m.id, m.creatorid);
	}
}

/* One that comes after the ceiling finds nothing that waits */
static void in_ins_ack(const struct frame *fr,
		       const struct nfsync_wire_section *s)
{
	struct nfsync_dev *nd = fr->nd;
	struct nfsync_state *st;
	struct nfsync_msg_id m;
	unsigned int i;

	for (i = 0; i < s->count; i++) {
		nfsync_wire_get_id(s->body + i * s->stride, &m);
		st = nfsync_state_find_id(nd, m.id, m.creatorid);
		if (st)
			nfsync_held_acked(nd, st);
		else
			nfsync_stats_inc(nd, PFSYNC_STAT_BADSTATE);
	}
}

static void clr_queue(struct nfsync_dev *nd, u32 creatorid)
{
	struct nfsync_clr *c = &nd->clr;
	u32 seq = atomic_inc_return(&nd->table.import_seq);
	unsigned int i;

	spin_lock_bh(&c->lock);
	for (i = 0; i < c->n; i++)
		if (c->v[i].creatorid == creatorid)
			break;
	if (i < NFSYNC_CLR_MAX) {
		c->v[i].creatorid = creatorid;
		c->v[i].seq = seq;
		c->n = max(c->n, i + 1);
		schedule_work(&c->work);
	} else {
		nfsync_stats_inc(nd, PFSYNC_STAT_CLR_LIMITED);
	}
	spin_unlock_bh(&c->lock);
}

/*
 * Ours are floating states: a CLR of one interface means none of them, one
 * of "all" or of no name means every one.
 */
static void in_clr(const struct frame *fr, const struct nfsync_wire_section *s)
{
	struct nfsync_msg_clr m;
	unsigned int i;

	for (i = 0; i < s->count; i++) {
		if (nfsync_wire_get_clr(s->body + i * s->stride, &m) ||
		    !m.creatorid)
			nfsync_stats_inc(fr->nd, PFSYNC_STAT_BADVAL);
		else if (!m.ifname[0] || !strcmp(m.ifname, "all"))
			clr_queue(fr->nd, m.creatorid);
	}
}

static const struct nfsync_clr_one *cleared_by(const struct nfsync_clr *c,
					       const struct nfsync_state *st)
{
	unsigned int i;

	for (i = 0; i < c->n; i++)
		if (st->creatorid == c->v[i].creatorid &&
		    (s32)(READ_ONCE(st->import_seq) - c->v[i].seq) < 0)
			return &c->v[i];
	return NULL;
}

static bool clr_one(struct nfsync_dev *nd, struct nfsync_state *st, void *arg)
{
	const struct nfsync_clr_one *by = cleared_by(arg, st);

	if (!by)
		return false;

	/* those that pass here are alive, whoever emptied a table */
	if (nfsync_state_passes(st) && !is_over(st->ct)) {
		WRITE_ONCE(st->import_seq, by->seq);
		nfsync_stats_inc(nd, PFSYNC_STAT_DEL_REFUSED);
		nfsync_queue_update_full(nd, st, false);
		return false;
	}
	nfsync_import_kill(nd, st);
	return true;
}

/* One that should be gone */
static bool clr_left(struct nfsync_dev *nd, struct nfsync_state *st, void *arg)
{
	return cleared_by(arg, st) && !test_bit(NFSYNC_ST_DEAD, &st->flags);
}

static void clr_work(struct work_struct *work)
{
	struct nfsync_clr *c = container_of(work, struct nfsync_clr, work);
	struct nfsync_dev *nd = container_of(c, struct nfsync_dev, clr);
	struct nfsync_clr now;

	spin_lock_bh(&c->lock);
	now.n = c->n;
	memcpy(now.v, c->v, sizeof(now.v));
	c->n = 0;
	spin_unlock_bh(&c->lock);

	NFSYNC_INJECT_AT(CLR, nd->net, NULL);
	/* what another CPU received in front of it is findable by now */
	synchronize_net();
	NFSYNC_INJECT_AT(CLR_WALK, nd->net, NULL);
	nfsync_state_walk(nd, clr_one, &now, NULL);
	NFSYNC_AUDIT(!nfsync_state_walk(nd, clr_left, &now, NULL));
}

/* The first message only, as every implementation reads it */
static void in_bus(const struct frame *fr, const struct nfsync_wire_section *s)
{
	struct nfsync_msg_bus m;

	nfsync_wire_get_bus(s->body, &m);
	nfsync_bulk_status(fr->nd, &fr->number, &m);
}

/* It was looked at before anything else of the frame: see number_of() */
static void in_frame(const struct frame *fr,
		     const struct nfsync_wire_section *s)
{
}

static void in_hello(const struct frame *fr,
		     const struct nfsync_wire_section *s)
{
	struct nfsync_msg_hello m;

	nfsync_wire_get_hello(s->body, &m);
	if (m.verdict >= __PFSYNC_VERDICT_MAX || !fr->number.creatorid)
		nfsync_stats_inc(fr->nd, PFSYNC_STAT_BADVAL);
	else
		nfsync_peer_hello(fr->nd, &fr->number, &m);
}

static void in_total(const struct frame *fr,
		     const struct nfsync_wire_section *s)
{
	struct nfsync_msg_total m;

	nfsync_wire_get_total(s->body, &m);
	if (m.verdict >= __PFSYNC_VERDICT_MAX)
		nfsync_stats_inc(fr->nd, PFSYNC_STAT_BADVAL);
	else
		nfsync_bulk_total(fr->nd, &m);
}

/* IPsec counters: known by size, not used yet */
static void in_tdb(const struct frame *fr, const struct nfsync_wire_section *s)
{
}

static const struct {
	void (*fn)(const struct frame *fr, const struct nfsync_wire_section *s);
	enum pfsync_stat stat;
} handler[NFSYNC_ACT_ALL] = {
	[NFSYNC_ACT_CLR]	= { in_clr, PFSYNC_STAT_RX_CLR },
	[NFSYNC_ACT_INS]	= { in_ins, PFSYNC_STAT_RX_INS },
	[NFSYNC_ACT_INS_ACK]	= { in_ins_ack, PFSYNC_STAT_RX_INS_ACK },
	[NFSYNC_ACT_UPD]	= { in_upd, PFSYNC_STAT_RX_UPD },
	[NFSYNC_ACT_UPD_C]	= { in_upd_c, PFSYNC_STAT_RX_UPD_C },
	[NFSYNC_ACT_UPD_REQ]	= { in_upd_req, PFSYNC_STAT_RX_UPD_REQ },
	[NFSYNC_ACT_DEL]	= { in_del, PFSYNC_STAT_RX_DEL },
	[NFSYNC_ACT_DEL_C]	= { in_del_c, PFSYNC_STAT_RX_DEL_C },
	[NFSYNC_ACT_BUS]	= { in_bus, PFSYNC_STAT_RX_BUS },
	[NFSYNC_ACT_TDB]	= { in_tdb, PFSYNC_STAT_RX_TDB },
	[NFSYNC_ACT_FRAME]	= { in_frame, PFSYNC_STAT_RX_FRAME },
	[NFSYNC_ACT_HELLO]	= { in_hello, PFSYNC_STAT_RX_HELLO },
	[NFSYNC_ACT_TOTAL]	= { in_total, PFSYNC_STAT_RX_TOTAL },
};

static void apply(const struct frame *fr, struct nfsync_wire_frame *wf)
{
	struct nfsync_wire_section s;

	while (nfsync_wire_next(wf, &s)) {
		if (!s.known || !handler[s.action].fn) {
			nfsync_stats_add(fr->nd, PFSYNC_STAT_RX_SKIPPED,
					 s.count);
			continue;
		}
		nfsync_stats_add(fr->nd, handler[s.action].stat, s.count);
		handler[s.action].fn(fr, &s);
	}
}

/* The frame's number, if it comes first and from somebody else */
static void number_of(struct frame *fr, const struct nfsync_wire_frame *wf)
{
	struct nfsync_wire_frame peek = *wf;
	struct nfsync_wire_section s;

	if (!nfsync_wire_next(&peek, &s) || !s.known ||
	    s.action != NFSYNC_ACT_FRAME)
		return;

	nfsync_wire_get_frame(s.body, &fr->number);
	if (fr->number.creatorid != READ_ONCE(fr->nd->cfg.hostid))
		return;
	nfsync_peer_ownid(fr->nd, fr->saddr);
	memset(&fr->number, 0, sizeof(fr->number));
}

/* Returns whether it is to be applied */
static bool hear(struct frame *fr, const struct nfsync_wire_frame *wf)
{
	number_of(fr, wf);
	if (fr->number.creatorid)
		return nfsync_peer_frame(fr->nd, fr->saddr, &fr->number);

	nfsync_peer_bsd(fr->nd, fr->saddr);
	return true;
}

static enum pfsync_stat wire_stat(enum nfsync_wire_err err)
{
	switch (err) {
	case NFSYNC_WIRE_HDROPS:
		return PFSYNC_STAT_HDROPS;
	case NFSYNC_WIRE_BADVER:
		return PFSYNC_STAT_BADVER;
	case NFSYNC_WIRE_BADACT:
		return PFSYNC_STAT_BADACT;
	case NFSYNC_WIRE_BADVAL:
		return PFSYNC_STAT_BADVAL;
	default:
		return PFSYNC_STAT_BADLEN;
	}
}

/* By address: does the sender belong here?  Returns 0 or the reason */
static int envelope_check(struct nfsync_dev *nd, const struct sk_buff *skb,
			  enum pfsync_stat *why)
{
	const struct net_device *syncdev;
	const struct iphdr *iph = ip_hdr(skb);
	__be32 peer = READ_ONCE(nd->cfg.syncpeer);

	*why = PFSYNC_STAT_RX_DOWN;
	syncdev = rcu_dereference(nd->transport.syncdev);
	if (!READ_ONCE(nd->up) || !syncdev)
		return -ENETDOWN;

	*why = PFSYNC_STAT_BADIF;
	if (skb->dev != syncdev)
		return -ENODEV;

	*why = PFSYNC_STAT_BADTTL;
	if (iph->ttl != 255)
		return -EINVAL;

	*why = PFSYNC_STAT_RX_OWN;
	if (nfsync_transport_is_own(nd, iph->saddr))
		return -ELOOP;

	*why = PFSYNC_STAT_BADAUTH;
	if (!ipv4_is_multicast(peer) && iph->saddr != peer)
		return -EPERM;
	return 0;
}

static void receive(struct nfsync_dev *nd, struct sk_buff *skb)
{
	struct frame fr = { .nd = nd, .saddr = ip_hdr(skb)->saddr };
	struct nfsync_wire_frame wf;
	enum nfsync_wire_err err;
	enum pfsync_stat why;

	nfsync_stats_inc(nd, PFSYNC_STAT_IPACKETS);
	if (envelope_check(nd, skb, &why)) {
		nfsync_stats_inc(nd, why);
		return;
	}

	NFSYNC_INJECT_AT(RECEIVE, nd->net, NULL);
	nfsync_transport_tap_rx(nd, skb);
	/* with the IP header, as sent frames are counted */
	dev_sw_netstats_rx_add(nd->dev, skb->len - skb_network_offset(skb));
	if (skb_linearize(skb)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_RX_NOMEM);
		return;
	}
	/* linearizing may have moved the header, fr has a copy */
	err = nfsync_wire_check(&wf, skb->data, skb->len);
	if (err) {
		nfsync_stats_inc(nd, wire_stat(err));
		if (err == NFSYNC_WIRE_BADVER)
			nfsync_peer_foreign(nd, fr.saddr, *(u8 *)skb->data);
		return;
	}
	if (hear(&fr, &wf))
		apply(&fr, &wf);
}

/* Context: softirq, RCU read side; consumes @skb, and never resubmits it */
static int protocol_rcv(struct sk_buff *skb)
{
	struct nfsync_dev *nd = nfsync_device_get(dev_net(skb->dev));

	if (nd)
		receive(nd, skb);
	consume_skb(skb);
	return 0;
}

static const struct net_protocol protocol = {
	.handler = protocol_rcv,
};

/**
 * nfsync_receive_register() - take IP protocol 240
 *
 * Context: process, module init.
 * Return: 0 or -EBUSY when somebody has it.
 */
int nfsync_receive_register(void)
{
	return inet_add_protocol(&protocol, PFSYNC_IPPROTO) ? -EBUSY : 0;
}

/**
 * nfsync_receive_unregister() - give it back and wait for who is inside
 *
 * Context: process, module exit.
 */
void nfsync_receive_unregister(void)
{
	inet_del_protocol(&protocol, PFSYNC_IPPROTO);
}

/**
 * nfsync_receive_init() - prepare for CLRs
 * @nd: device in the making
 *
 * Context: process.
 */
void nfsync_receive_init(struct nfsync_dev *nd)
{
	spin_lock_init(&nd->clr.lock);
	INIT_WORK(&nd->clr.work, clr_work);
}

/**
 * nfsync_receive_stop() - no CLR is at work any more
 * @nd: device that is down, after a grace period
 *
 * Context: process, RTNL.
 */
void nfsync_receive_stop(struct nfsync_dev *nd)
{
	cancel_work_sync(&nd->clr.work);
	nd->clr.n = 0;
}
