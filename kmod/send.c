// SPDX-License-Identifier: GPL-2.0
/*
 * A slice's queues become packets.  The task of a slice runs on one CPU at a
 * time, so what it works with needs no lock: the batch it detached, and the
 * page fragment cache that bodies are cut from.  Messages are written as late
 * as this, from the entry as it is now; frames leave with no lock held.
 */
#include <linux/gfp.h>
#include <linux/page_frag_cache.h>
#include <linux/slab.h>
#include "audit.h"
#include "conntrack.h"
#include "device.h"
#include "inject.h"
#include "send.h"
#include "wire.h"

/* Frames of one run of the task; more wait for the next, so others run too */
#define TASK_BUDGET	64

/* States of one packet: what an MTU of 9000 holds of the smallest message */
#define BATCH_CAP	(9000 / NFSYNC_WIRE_ID_LEN)

/* The cache's blocks are no larger: an MTU beyond that is not filled */
#define ROOM_MAX	PAGE_FRAG_CACHE_MAX_SIZE

struct nfsync_send {
	struct page_frag_cache frag;
	struct nfsync_batch batch;
	struct nfsync_msg_id ack[NFSYNC_IDQ_MAX];
	struct nfsync_msg_id deny[NFSYNC_IDQ_MAX];
	struct nfsync_msg_id req[NFSYNC_IDQ_MAX];
	struct nfsync_state *st[BATCH_CAP];
	union {				/* too big for the stack */
		struct nfsync_msg_state state;
		struct nfsync_msg_upd_c upd_c;
	};
};

/* The section that numbers a frame */
#define NUMBER_LEN	(NFSYNC_WIRE_SUBH_LEN + NFSYNC_WIRE_FRAME_LEN)

/* A body with less room goes without: a bare state comes first (B-13) */
#define NUMBERED_MIN	(NUMBER_LEN + NFSYNC_WIRE_SUBH_LEN + \
			 NFSYNC_WIRE_STATE6_LEN)

static u8 *put_number(struct nfsync_dev *nd, u8 *p)
{
	struct nfsync_msg_frame m = {
		.creatorid = READ_ONCE(nd->cfg.hostid),
		.incarnation = READ_ONCE(nd->peers.incarnation),
		.seq = nfsync_peer_next_seq(&nd->peers),
	};

	p += nfsync_wire_put_subh(p, NFSYNC_WIRE_V6, NFSYNC_ACT_FRAME, 1);
	return p + nfsync_wire_put_frame(p, &m);
}

/**
 * nfsync_send_alloc() - what one slice's task works with
 *
 * Context: process.
 * Return: the object or NULL.
 */
struct nfsync_send *nfsync_send_alloc(void)
{
	struct nfsync_send *s = kvzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->batch.st = s->st;
	s->batch.cap = BATCH_CAP;
	s->batch.ack = s->ack;
	s->batch.deny = s->deny;
	s->batch.req = s->req;
	return s;
}

/**
 * nfsync_send_free() - undo nfsync_send_alloc()
 * @s: object or NULL; its task has ended
 *
 * Context: process.
 */
void nfsync_send_free(struct nfsync_send *s)
{
	if (!s)
		return;
	page_frag_cache_drain(&s->frag);
	kvfree(s);
}

static u8 *put_ids(u8 *p, u8 action, const struct nfsync_msg_id *v,
		   unsigned int n)
{
	unsigned int i;

	if (!n)
		return p;

	p += nfsync_wire_put_subh(p, NFSYNC_WIRE_V6, action, n);
	for (i = 0; i < n; i++)
		p += nfsync_wire_put_id(p, v[i].id, v[i].creatorid);
	return p;
}

static u8 *put_state(struct nfsync_dev *nd, struct nfsync_send *s, u8 *p,
		     struct nfsync_state *st, u8 q)
{
	switch (q) {
	case NFSYNC_Q_UPD_C:
		nfsync_conntrack_export_upd_c(nd, st, &s->upd_c);
		return p + nfsync_wire_put_upd_c(p, &s->upd_c);
	case NFSYNC_Q_DEL:
		return p + nfsync_wire_put_id(p, st->id, st->creatorid);
	default:
		nfsync_conntrack_export(nd, st, &s->state);
		nfsync_bulk_told(nd, st);
		if (s->batch.bare)
			return p + nfsync_wire_put_state_bare(p, NFSYNC_WIRE_V6,
							      &s->state);
		return p + nfsync_wire_put_state(p, NFSYNC_WIRE_V6, &s->state);
	}
}

static const struct {
	u8 action;
	enum pfsync_stat stat;
} region[NFSYNC_Q_MAX] = {
	[NFSYNC_Q_UPD_C] = { NFSYNC_ACT_UPD_C, PFSYNC_STAT_TX_UPD_C },
	[NFSYNC_Q_DEL]	 = { NFSYNC_ACT_DEL_C, PFSYNC_STAT_TX_DEL_C },
	[NFSYNC_Q_INS]	 = { NFSYNC_ACT_INS, PFSYNC_STAT_TX_INS },
	[NFSYNC_Q_UPD]	 = { NFSYNC_ACT_UPD, PFSYNC_STAT_TX_UPD },
};

static size_t put_subh(u8 *p, u8 q, const struct nfsync_batch *b)
{
	u8 action = region[q].action;

	if (b->bare && (q == NFSYNC_Q_INS || q == NFSYNC_Q_UPD))
		return nfsync_wire_put_subh_len(p, action, b->n[q],
						NFSYNC_WIRE_STATE6_LEN);
	return nfsync_wire_put_subh(p, NFSYNC_WIRE_V6, action, b->n[q]);
}

/* Writes the batch at @p and drops the queues' references; returns the end */
static u8 *put_batch(struct nfsync_dev *nd, struct nfsync_send *s, u8 *p)
{
	struct nfsync_batch *b = &s->batch;
	unsigned int i, used = 0;
	u8 q;

	p = put_ids(p, NFSYNC_ACT_INS_ACK, b->ack, b->n_ack);
	nfsync_stats_add(nd, PFSYNC_STAT_TX_INS_ACK, b->n_ack);
	for (q = NFSYNC_Q_NONE + 1; q < NFSYNC_Q_MAX; q++) {
		if (!b->n[q])
			continue;
		p += put_subh(p, q, b);
		for (i = 0; i < b->n[q]; i++, used++) {
			p = put_state(nd, s, p, b->st[used], q);
			nfsync_state_put(b->st[used]);
		}
		nfsync_stats_add(nd, region[q].stat, b->n[q]);
	}
	p = put_ids(p, NFSYNC_ACT_DEL_C, b->deny, b->n_deny);
	nfsync_stats_add(nd, PFSYNC_STAT_TX_DEL_C, b->n_deny);
	p = put_ids(p, NFSYNC_ACT_UPD_REQ, b->req, b->n_req);
	nfsync_stats_add(nd, PFSYNC_STAT_TX_UPD_REQ, b->n_req);
	return p;
}

/*
 * From what is left of the block where it suffices.  Since 6.13 the cache keeps
 * a block that is too short for more than a page, for ever, and gives nothing.
 */
static void *body_alloc(struct nfsync_send *s, size_t room)
{
	void *body;

	body = page_frag_alloc(&s->frag, room, GFP_ATOMIC | __GFP_NOWARN);
	if (likely(body) || room <= PAGE_SIZE)
		return body;
	page_frag_cache_drain(&s->frag);
	return page_frag_alloc(&s->frag, room, GFP_ATOMIC | __GFP_NOWARN);
}

/* A packet with @room bytes of body in one page fragment */
static struct sk_buff *frame_alloc(struct nfsync_send *s, size_t room,
				   u8 **body)
{
	struct sk_buff *skb;

	skb = alloc_skb(NFSYNC_TRANSPORT_HEADROOM + NFSYNC_WIRE_HDR_LEN,
			GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;

	*body = body_alloc(s, room);
	if (!*body) {
		kfree_skb(skb);
		return NULL;
	}
	skb_reserve(skb, NFSYNC_TRANSPORT_HEADROOM);
	return skb;
}

static void frame_finish(struct sk_buff *skb, u8 *body, size_t len, size_t room)
{
	struct page *page = virt_to_head_page(body);

	nfsync_wire_put_hdr(skb_put(skb, NFSYNC_WIRE_HDR_LEN), NFSYNC_WIRE_V6,
			    NFSYNC_WIRE_HDR_LEN + len);
	skb_add_rx_frag(skb, 0, page,
			body - (u8 *)page_address(page), len, room);
}

/*
 * One packet.  Memory first: without it nothing was detached and the queue
 * keeps its entries (B-23).  Returns whether there is more to send.
 */
static bool send_one(struct nfsync_dev *nd, struct nfsync_slice *sl)
{
	size_t room = min_t(size_t, nfsync_transport_mtu(nd) -
				    sizeof(struct iphdr) - NFSYNC_WIRE_HDR_LEN,
			    ROOM_MAX);
	size_t number = room >= NUMBERED_MIN ? NUMBER_LEN : 0;
	struct nfsync_send *s = sl->send;
	struct sk_buff *skb;
	bool more;
	u8 *body, *end;

	skb = frame_alloc(s, room, &body);
	if (!skb) {
		nfsync_stats_inc(nd, PFSYNC_STAT_ONOMEM);
		nfsync_queue_retry(sl);
		return false;
	}

	more = nfsync_queue_take(sl, room - number, &s->batch);
	NFSYNC_INJECT_AT(SEND_TAKEN, nd->net, NULL);
	end = put_batch(nd, s, body + number);
	if (WARN_ON_ONCE(end > body + room)) {
		/* the arithmetic of take and of the encoders disagree */
		nfsync_stats_inc(nd, PFSYNC_STAT_LEN_REPAIR);
		end = body + number;
	} else if (NFSYNC_AUDIT(end == body + number + s->batch.len)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_LEN_REPAIR);
	}
	if (end == body + number) {
		page_frag_free(body);
		kfree_skb(skb);
		return false;
	}
	/* last, so that every number that is taken leaves */
	if (number)
		put_number(nd, body);
	else
		WRITE_ONCE(nd->bulk.unnumbered, true);
	frame_finish(skb, body, end - body, room);
	nfsync_transport_xmit(nd, skb);
	return more;
}

/**
 * nfsync_send_task() - send what a slice holds
 * @t: the slice's tasklet
 *
 * Context: softirq, after the batch of packets that scheduled it.
 */
void nfsync_send_task(struct tasklet_struct *t)
{
	struct nfsync_slice *sl = from_tasklet(sl, t, task);
	struct nfsync_dev *nd = sl->nd;
	int budget = TASK_BUDGET;
	bool more;

	NFSYNC_INJECT_AT(SEND, nd->net, NULL);
	/* the way out is gone; a new one begins with a transfer of all */
	if (!nfsync_device_ready(nd)) {
		nfsync_queue_drop(sl);
		return;
	}

	more = !nfsync_queue_begin(nd);
	if (!more) {
		do
			more = send_one(nd, sl);
		while (more && --budget);
		nfsync_queue_end(nd);
	}
	if (more)
		tasklet_schedule(t);
	else
		nfsync_queue_sent(sl);
}

/*
 * Messages that travel alone, in a linear packet of their own: numbered like
 * any other frame.
 */
struct control {
	struct sk_buff *skb;
	u8 *hdr;
};

/* The most that a control frame is made of: TOTAL and BUS */
#define CONTROL_ROOM	(2 * NFSYNC_WIRE_SUBH_LEN + NFSYNC_WIRE_TOTAL_LEN + \
			 NFSYNC_WIRE_BUS_LEN)

static int control_begin(struct nfsync_dev *nd, struct control *c)
{
	struct sk_buff *skb;

	skb = alloc_skb(NFSYNC_TRANSPORT_HEADROOM + NFSYNC_WIRE_HDR_LEN +
			NUMBER_LEN + CONTROL_ROOM, GFP_ATOMIC | __GFP_NOWARN);
	if (!skb) {
		nfsync_stats_inc(nd, PFSYNC_STAT_ONOMEM);
		return -ENOMEM;
	}
	skb_reserve(skb, NFSYNC_TRANSPORT_HEADROOM);
	c->skb = skb;
	c->hdr = skb_put(skb, NFSYNC_WIRE_HDR_LEN);
	put_number(nd, skb_put(skb, NUMBER_LEN));
	return 0;
}

/* Returns where the one message of a section of that action goes */
static u8 *control_add(struct control *c, u8 action)
{
	nfsync_wire_put_subh(skb_put(c->skb, NFSYNC_WIRE_SUBH_LEN),
			     NFSYNC_WIRE_V6, action, 1);
	return skb_put(c->skb, nfsync_wire_msg_len(NFSYNC_WIRE_V6, action));
}

static int control_xmit(struct nfsync_dev *nd, struct control *c,
			enum pfsync_stat stat)
{
	int err;

	nfsync_wire_put_hdr(c->hdr, NFSYNC_WIRE_V6, c->skb->len);
	err = nfsync_transport_xmit(nd, c->skb);
	if (!err)
		nfsync_stats_inc(nd, stat);
	return err;
}

static void put_status(struct nfsync_dev *nd, struct control *c, u8 status,
		       u32 endtime)
{
	struct nfsync_msg_bus m = {
		.creatorid = READ_ONCE(nd->cfg.hostid),
		.endtime = endtime,
		.status = status,
	};

	nfsync_wire_put_bus(control_add(c, NFSYNC_ACT_BUS), &m);
}

/**
 * nfsync_send_start() - a bulk transfer begins
 * @nd: device
 *
 * Context: process.
 * Return: 0 or what kept it from leaving.
 */
int nfsync_send_start(struct nfsync_dev *nd)
{
	struct control c;
	int err = control_begin(nd, &c);

	if (err)
		return err;
	put_status(nd, &c, NFSYNC_BUS_START, 0);
	return control_xmit(nd, &c, PFSYNC_STAT_TX_BUS);
}

/**
 * nfsync_send_end() - a bulk transfer has left
 * @nd: device
 * @m: what it was made of
 * @endtime: seconds since the request arrived
 *
 * Context: process.
 * Return: 0 or what kept it from leaving.
 */
int nfsync_send_end(struct nfsync_dev *nd, const struct nfsync_msg_total *m,
		    u32 endtime)
{
	struct control c;
	int err = control_begin(nd, &c);

	if (err)
		return err;
	nfsync_wire_put_total(control_add(&c, NFSYNC_ACT_TOTAL), m);
	put_status(nd, &c, NFSYNC_BUS_END, endtime);
	return control_xmit(nd, &c, PFSYNC_STAT_TX_BUS);
}

/**
 * nfsync_send_bulk_request() - ask for every state: UPD_REQ of (0, 0)
 * @nd: device
 *
 * Context: softirq or process.
 * Return: 0 or what kept it from leaving.
 */
int nfsync_send_bulk_request(struct nfsync_dev *nd)
{
	struct control c;
	int err = control_begin(nd, &c);

	if (err)
		return err;
	nfsync_wire_put_id(control_add(&c, NFSYNC_ACT_UPD_REQ), 0, 0);
	return control_xmit(nd, &c, PFSYNC_STAT_TX_UPD_REQ);
}

/**
 * nfsync_send_hello() - tell the peers how we are
 * @nd: device, perhaps on its way down
 * @m: hello
 *
 * Context: process.
 * Return: 0 or what kept it from leaving.
 */
int nfsync_send_hello(struct nfsync_dev *nd, const struct nfsync_msg_hello *m)
{
	struct control c;
	int err = control_begin(nd, &c);

	if (err)
		return err;
	nfsync_wire_put_hello(control_add(&c, NFSYNC_ACT_HELLO), m);
	return control_xmit(nd, &c, PFSYNC_STAT_TX_HELLO);
}

/**
 * nfsync_send_clr() - every state of a creator has ended
 * @nd: device
 * @creatorid: host order
 *
 * Nothing else remembers what it says: without memory its number is used up all
 * the same, so that the peers see that a frame was lost and ask for everything.
 *
 * Context: softirq.
 */
void nfsync_send_clr(struct nfsync_dev *nd, u32 creatorid)
{
	const struct nfsync_msg_clr m = { .creatorid = creatorid };
	u8 unused[NUMBER_LEN];
	struct control c;

	if (control_begin(nd, &c)) {
		put_number(nd, unused);
		return;
	}
	nfsync_wire_put_clr(control_add(&c, NFSYNC_ACT_CLR), &m);
	control_xmit(nd, &c, PFSYNC_STAT_TX_CLR);
}
