// SPDX-License-Identifier: GPL-2.0
/*
 * Takeover in the middle of TCP transfers, with the window check on.
 *
 *	client ──► firewall 1 (exact windows) ──► server
 *	                │ told by threshold, late
 *	           firewall 2 (told windows + slack), takes over at any packet
 *
 * Two small TCPs transfer through a model of conntrack's window check.  What
 * firewall 1 tells goes through the real export and import.  After takeover
 * no packet may be invalid, the transfer must end, and the windows must be
 * exact again; without slack the same transfers must break.
 */
#include "ktap.h"
#include "map.h"
#include "merge.h"
#include "model_window.h"

#define RUNS		KTAP_SCALED(3000)
#define BAD_RUNS	KTAP_SCALED(300)	/* of each way to do it wrong */
#define RING		1024	/* segments a receiver may hold */
#define QUEUE		4096
#define MESSAGES	64
#define MAX_TICKS	60000
#define RTO		40	/* ticks */

struct params {
	u32 mss;
	u32 least;		/* bytes of window, at first and at last */
	u32 most;
	u32 segments;		/* to transfer, each way that transfers */
	unsigned int loss;	/* of 1000, before and behind the firewall */
	unsigned int stall;	/* of 1000 ticks, a reader stops reading */
	unsigned int burst;	/* segments a tick */
	unsigned int latency[2];/* ticks before and behind the firewall */
	unsigned int lazy;	/* packets until a flush */
	unsigned int urgent;	/* packets until an urgent flush */
	unsigned int travel;	/* packets while a message is under way */
	unsigned int takeover;	/* packet number */
	u8 scale[2];
	bool both_ways;
	bool slack;
	bool wide;		/* td_maxwin raised with the slack */
	bool window_of_now;	/* thresholds of it, not of the told one */
};

/* One end: a sender, and the receiver of what the other end sends */
struct end {
	u32 first, una, nxt, max, stop;
	u32 edge;		/* allowed by the other end */
	u32 rcv_first, rcv_nxt, rcv_read, rcv_edge;
	u32 buf, grown_at;
	unsigned int idle, dups, stalled;
	bool ack_due;
	bool have[RING];
};

struct packet {
	struct model_segment seg;
	unsigned int due;
};

struct queue {
	struct packet slot[QUEUE];
	unsigned int head, tail;
};

struct message {
	struct nfsync_map_ct ct;
	unsigned int due;	/* packet number */
	bool whole;		/* with the trailer */
};

struct world {
	struct params p;
	struct end end[2];
	struct queue queue[2][2];	/* [direction][before, behind] */
	struct nfsync_map_seen exact[2];
	struct nfsync_map_seen told[2];	/* as sent, without slack */
	struct nfsync_map_seen standby[2];
	struct message message[MESSAGES];
	unsigned int msg_head, msg_tail;
	unsigned int tick, packets, flush_at, sent;
	unsigned int invalid, ignored, behind;
	bool flush_due, taken;
	u32 max_then[2], win_then[2];
	u64 seed;
};

static u32 below(struct world *w, u32 n)
{
	return (ktap_random(&w->seed) >> 20) % n;
}

static bool chance(struct world *w, unsigned int of_1000)
{
	return below(w, 1000) < of_1000;
}

static void enqueue(struct world *w, int dir, int stage,
		    const struct model_segment *seg)
{
	struct queue *q = &w->queue[dir][stage];
	struct packet *p = &q->slot[q->tail % QUEUE];

	if (chance(w, w->p.loss) || q->tail - q->head == QUEUE)
		return;
	p->seg = *seg;
	p->due = w->tick + w->p.latency[stage ^ dir];
	q->tail++;
}

static struct packet *dequeue(struct world *w, int dir, int stage)
{
	struct queue *q = &w->queue[dir][stage];
	struct packet *p = &q->slot[q->head % QUEUE];

	if (q->head == q->tail || p->due > w->tick)
		return NULL;
	q->head++;
	return p;
}

/* The right edge never moves left; the header can't say more than 16 bits */
static u16 advertise(struct world *w, int i)
{
	struct end *e = &w->end[i];
	u8 scale = w->p.scale[i];
	u32 room = e->buf - (e->rcv_nxt - e->rcv_read), raw;

	e->rcv_edge = nfsync_seq_max(e->rcv_edge, e->rcv_nxt + room);
	raw = (e->rcv_edge - e->rcv_nxt + (1u << scale) - 1) >> scale;
	return raw > 0xffff ? 0xffff : raw;
}

static void transmit(struct world *w, int i, u32 seq, u32 len)
{
	struct end *e = &w->end[i];
	struct model_segment seg = {
		.seq = seq,
		.ack = e->rcv_nxt,
		.len = len,
		.win = advertise(w, i),
	};

	e->ack_due = false;
	enqueue(w, i, 0, &seg);
}

static bool may_send(const struct world *w, const struct end *e)
{
	return nfsync_seq_after(e->stop, e->nxt) &&
	       !nfsync_seq_after(e->nxt + w->p.mss, e->edge);
}

static void send_burst(struct world *w, int i)
{
	struct end *e = &w->end[i];
	unsigned int n;

	for (n = 0; n < w->p.burst && may_send(w, e); n++) {
		transmit(w, i, e->nxt, w->p.mss);
		e->nxt += w->p.mss;
		e->max = nfsync_seq_max(e->max, e->nxt);
	}
	if (e->ack_due)
		transmit(w, i, e->max, 0);
}

/* Nothing moved for long: all again from una, or a probe of a closed window */
static void retransmit(struct world *w, int i)
{
	struct end *e = &w->end[i];

	if (++e->idle < RTO || e->una == e->stop)
		return;
	e->idle = 0;
	if (e->una != e->max)
		e->nxt = e->una;
	else
		transmit(w, i, e->una - 1, 0);
}

static void read_data(struct world *w, int i)
{
	struct end *e = &w->end[i];
	u32 before = e->rcv_edge - e->rcv_nxt;

	if (e->stalled) {
		e->stalled--;
		return;
	}
	if (chance(w, w->p.stall))
		e->stalled = 1 + below(w, 3 * RTO);
	e->rcv_read = e->rcv_nxt;
	if (e->rcv_nxt - e->grown_at >= e->buf && e->buf < w->p.most) {
		e->grown_at = e->rcv_nxt;
		e->buf += e->buf / (1 + below(w, 4));
		if (e->buf > w->p.most)
			e->buf = w->p.most;
	}
	if (before < e->buf / 2)
		e->ack_due = true;
}

static void take_ack(struct world *w, int i, const struct model_segment *seg)
{
	struct end *e = &w->end[i];
	u32 win = (u32)seg->win << w->p.scale[!i];

	e->edge = nfsync_seq_max(e->edge, seg->ack + win);
	if (nfsync_seq_after(seg->ack, e->una)) {
		e->una = seg->ack;
		e->nxt = nfsync_seq_max(e->nxt, e->una);
		e->idle = 0;
		e->dups = 0;
	} else if (seg->ack == e->una && e->una != e->max && !seg->len &&
		   ++e->dups == 3) {
		transmit(w, i, e->una, w->p.mss);
	}
}

static void take_data(struct world *w, int i, const struct model_segment *seg)
{
	struct end *e = &w->end[i];
	u32 nr = (seg->seq - e->rcv_first) / w->p.mss;
	u32 next = (e->rcv_nxt - e->rcv_first) / w->p.mss;

	if (seg->len || nfsync_seq_after(e->rcv_nxt, seg->seq))
		e->ack_due = true;
	if (!seg->len || nfsync_seq_after(e->rcv_nxt, seg->seq))
		return;
	e->have[nr % RING] = true;
	while (e->have[next % RING]) {
		e->have[next % RING] = false;
		e->rcv_nxt += w->p.mss;
		next++;
	}
}

static void tell(struct world *w)
{
	struct message *m = &w->message[w->msg_tail % MESSAGES];

	w->flush_due = false;
	if (w->msg_tail - w->msg_head == MESSAGES)
		return;
	memset(m, 0, sizeof(*m));
	m->ct.proto = 6;
	m->ct.af = NFSYNC_AF_INET;
	m->ct.tcp_state = NFSYNC_CT_ESTABLISHED;
	memcpy(m->ct.seen, w->exact, sizeof(m->ct.seen));
	memcpy(w->told, w->exact, sizeof(w->told));
	m->whole = chance(w, 200);
	m->due = w->packets + w->p.travel;
	w->msg_tail++;
	w->sent++;
}

static void loosen(struct world *w)
{
	u32 win[2] = { w->standby[0].td_maxwin, w->standby[1].td_maxwin };
	int i;

	for (i = 0; i < 2; i++) {
		w->standby[i].td_end += nfsync_map_slack(win[!i]);
		w->standby[i].td_maxend += nfsync_map_slack(win[!i]);
		if (w->p.wide)
			w->standby[i].td_maxwin = nfsync_map_slack_win(win[i]);
	}
}

/* The message as the standby gets it: UPD_C mostly, now and then a UPD */
static void hear(struct world *w, const struct message *m)
{
	struct nfsync_msg_state st;
	bool scaled;
	int i;

	nfsync_map_export(&m->ct, &st);
	scaled = nfsync_map_both_scaled(st.peer);
	for (i = 0; i < 2; i++)
		nfsync_map_import_peer(&st.peer[i], m->whole ? &st.ext : NULL,
				       i, scaled, &w->standby[i]);
	if (w->p.slack)
		loosen(w);
}

static void deliver_messages(struct world *w)
{
	while (w->msg_head != w->msg_tail &&
	       w->message[w->msg_head % MESSAGES].due <= w->packets)
		hear(w, &w->message[w->msg_head++ % MESSAGES]);
}

static u32 moved(const struct nfsync_map_seen *now,
		 const struct nfsync_map_seen *then)
{
	u32 end = now->td_end - then->td_end;
	u32 edge = now->td_maxend - then->td_maxend;

	return end > edge ? end : edge;
}

static void flush_by(struct world *w, unsigned int packets)
{
	unsigned int at = w->packets + packets;

	if (!w->flush_due || at < w->flush_at)
		w->flush_at = at;
	w->flush_due = true;
}

static void worth_telling(struct world *w)
{
	int i;

	for (i = 0; i < 2; i++) {
		const struct nfsync_map_seen *s = w->p.window_of_now ?
			w->exact : w->told;
		u32 by = moved(&w->exact[i], &w->told[i]);

		if (by > nfsync_map_urgent(s[!i].td_maxwin))
			flush_by(w, w->p.urgent);
		else if (by > nfsync_map_threshold(s[!i].td_maxwin))
			flush_by(w, w->p.lazy);
	}
	if (w->flush_due && w->flush_at <= w->packets)
		tell(w);
	deliver_messages(w);
}

/*
 * What the slack promises while firewall 1 lives: behind never, ahead little.
 * A packet behind a gap moves further than the packets that this test counts
 * the telling in, so that the bound is a promise for lossless runs.
 */
static void check_bound(struct world *w)
{
	int i;

	if (w->p.loss)
		return;
	for (i = 0; i < 2; i++) {
		u32 ahead = w->standby[i].td_end - w->exact[i].td_end;

		if (ahead > nfsync_map_slack(w->exact[!i].td_maxwin))
			w->behind++;
	}
}

static void firewall(struct world *w, int dir, const struct model_segment *seg)
{
	enum model_verdict exact = model_window(w->exact, dir, seg), v = exact;

	w->packets++;
	if (w->taken)
		v = model_window(w->standby, dir, seg);
	w->invalid += v == MODEL_INVALID;
	w->ignored += v == MODEL_IGNORE;
	if (v != MODEL_INVALID)
		enqueue(w, dir, 1, seg);
	if (w->taken)
		return;
	worth_telling(w);
	check_bound(w);
}

static enum model_verdict try_forged(const struct world *w, int dir,
				     struct model_segment seg)
{
	struct nfsync_map_seen copy[2];

	memcpy(copy, w->standby, sizeof(copy));
	return model_window(copy, dir, &seg);
}

/*
 * The check still bites: data beyond window, slack and the overshoot that
 * conntrack allows, and an ack beyond what was sent and slack.
 */
static void forge(struct world *w)
{
	int i;

	for (i = 0; i < 2; i++) {
		const struct nfsync_map_seen *from = &w->exact[i];
		const struct nfsync_map_seen *to = &w->exact[!i];
		struct model_segment data = {
			.seq = from->td_maxend +
			       nfsync_map_slack(to->td_maxwin) +
			       nfsync_map_slack_win(to->td_maxwin) + 1,
			.ack = to->td_end,
			.len = w->p.mss,
		}, ack = {
			.seq = from->td_end,
			.ack = to->td_end + nfsync_map_slack(from->td_maxwin) + 1,
		};

		KTAP_EXPECT_EQ(try_forged(w, i, data), MODEL_INVALID);
		KTAP_EXPECT_EQ(try_forged(w, i, ack), MODEL_INVALID);
	}
}

/* Firewall 1 goes, with what it had not told and maybe what was under way */
static void takeover(struct world *w)
{
	int dir, stage;

	w->taken = true;
	for (dir = 0; dir < 2; dir++) {
		w->max_then[dir] = w->end[dir].max;
		w->win_then[dir] = w->exact[!dir].td_maxwin;
		for (stage = 0; stage < 2; stage++)
			if (chance(w, 500))
				w->queue[dir][stage].head =
					w->queue[dir][stage].tail;
	}
	if (w->p.slack && w->p.wide && !w->p.window_of_now)
		forge(w);
}

static void forward(struct world *w)
{
	struct packet *p;
	int dir;

	for (dir = 0; dir < 2; dir++) {
		while ((p = dequeue(w, dir, 0))) {
			firewall(w, dir, &p->seg);
			if (!w->taken && w->packets == w->p.takeover)
				takeover(w);
		}
	}
}

static void receive(struct world *w)
{
	struct packet *p;
	int dir;

	for (dir = 0; dir < 2; dir++) {
		while ((p = dequeue(w, dir, 1))) {
			take_ack(w, !dir, &p->seg);
			take_data(w, !dir, &p->seg);
		}
	}
}

static bool finished(const struct world *w)
{
	return w->end[0].una == w->end[0].stop &&
	       w->end[1].una == w->end[1].stop;
}

static bool transfer(struct world *w)
{
	int i;

	for (w->tick = 0; w->tick < MAX_TICKS; w->tick++) {
		if (finished(w) || w->invalid)
			break;
		for (i = 0; i < 2; i++) {
			read_data(w, i);
			retransmit(w, i);
			send_burst(w, i);
		}
		forward(w);
		receive(w);
	}
	return finished(w);
}

/*
 * A flush that waits and a message that travels for so many packets, and the
 * one that crossed the bound, must fit in the quarter that slack leaves for
 * them; UPD_C rounds a window down by its scale.
 */
static u32 least_window(const struct params *p)
{
	u32 scale = p->scale[0] > p->scale[1] ? p->scale[0] : p->scale[1];

	return 4 * ((p->urgent + p->travel + 1) * p->mss + (1u << scale));
}

static void draw(struct world *w)
{
	static const u32 mss[] = { 536, 1448, 8948, 32 * 1448 };
	struct params *p = &w->p;
	u32 room;
	int i;

	p->mss = mss[below(w, ARRAY_SIZE(mss))];
	p->scale[0] = below(w, 11);
	p->scale[1] = below(w, 11);
	p->urgent = below(w, 3);
	p->travel = below(w, 4);
	p->lazy = below(w, 200);
	p->least = least_window(p) + below(w, 8 * p->mss);
	for (i = 0; i < 2; i++)
		while (p->least > 0x8000u << p->scale[i])
			p->least += 4u << p->scale[i]++;
	room = 0xffffu << (p->scale[0] < p->scale[1] ? p->scale[0] : p->scale[1]);
	p->most = p->least + below(w, 200 * p->mss);
	p->most = p->most > room ? room : p->most;
	p->segments = 500 + below(w, 1000);
	p->loss = chance(w, 500) ? below(w, 30) : 0;
	p->stall = chance(w, 300) ? below(w, 10) : 0;
	p->burst = 1 + below(w, 16);
	p->latency[0] = below(w, 6);
	p->latency[1] = below(w, 6);
	p->both_ways = chance(w, 400);
	p->takeover = 1 + below(w, p->segments);
}

static void set_up(struct world *w)
{
	u32 first[2] = { ktap_random(&w->seed) >> 32,
			 ktap_random(&w->seed) >> 32 };
	int i;

	for (i = 0; i < 2; i++) {
		struct end *e = &w->end[i];

		e->first = first[i];
		e->una = first[i];
		e->nxt = first[i];
		e->max = first[i];
		e->stop = first[i];
		if (!i || w->p.both_ways)
			e->stop += w->p.segments * w->p.mss;
		e->edge = first[i] + w->p.least;
		e->rcv_first = first[!i];
		e->rcv_nxt = first[!i];
		e->rcv_read = first[!i];
		e->rcv_edge = first[!i] + w->p.least;
		e->grown_at = first[!i];
		e->buf = w->p.least;
		w->exact[i].td_end = first[i];
		w->exact[i].td_maxend = first[i] + w->p.least;
		w->exact[i].td_maxwin = w->p.least;
		w->exact[i].td_scale = w->p.scale[i];
		w->exact[i].flags = NFSYNC_CT_F_WINDOW_SCALE;
	}
	tell(w);
	w->message[0].due = 0;
	deliver_messages(w);
}

static struct world world;

static struct world *new_world(unsigned int run)
{
	memset(&world, 0, sizeof(world));
	world.seed = 0x9e3779b97f4a7c15ULL * (run + 1);
	world.p.slack = true;
	world.p.wide = true;
	draw(&world);
	return &world;
}

/* Once more than two windows passed, told and real must be the same again */
static bool caught_up(const struct world *w)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (w->end[i].max - w->max_then[i] < 2 * w->win_then[i])
			continue;
		if (w->standby[i].td_end != w->exact[i].td_end ||
		    w->standby[i].td_maxend != w->exact[i].td_maxend)
			return false;
	}
	return true;
}

static void takeover_loses_nothing(void)
{
	unsigned long packets = 0, sent = 0, ignored = 0, taken = 0;
	unsigned int run;

	for (run = 0; run < RUNS; run++) {
		struct world *w = new_world(run);

		set_up(w);
		KTAP_EXPECT_MSG(transfer(w), "run %u: not finished", run);
		KTAP_EXPECT_MSG(!w->invalid, "run %u: %u invalid", run,
				w->invalid);
		KTAP_EXPECT_MSG(!w->behind, "run %u: %u times out of bound",
				run, w->behind);
		KTAP_EXPECT_MSG(!w->taken || caught_up(w),
				"run %u: windows not exact", run);
		taken += w->taken;
		packets += w->packets;
		ignored += w->ignored;
		sent += w->sent;
	}
	KTAP_NOTE("%lu takeovers, %lu packets, %lu ignored, %lu messages",
		  taken, packets, ignored, sent);
	KTAP_EXPECT(taken > RUNS * 9 / 10);
}

/* The same transfers done wrong in one way: what is seen can be missed too */
static void expect_broken(void (*spoil)(struct params *p), unsigned int least)
{
	unsigned int run, bad = 0;

	for (run = 0; run < BAD_RUNS; run++) {
		struct world *w = new_world(run);

		spoil(&w->p);
		set_up(w);
		bad += !transfer(w) || w->invalid ||
		       (w->p.window_of_now && w->behind);
	}
	KTAP_NOTE("%u of %u transfers broken", bad, BAD_RUNS);
	KTAP_EXPECT(bad >= least);
}

static void spoil_slack(struct params *p)
{
	p->slack = false;
}

static void exact_but_stale_breaks(void)
{
	expect_broken(spoil_slack, BAD_RUNS / 10);
}

static void spoil_wide(struct params *p)
{
	p->wide = false;
}

static void slack_in_a_narrow_window_breaks(void)
{
	expect_broken(spoil_wide, BAD_RUNS / 100);
}

static void spoil_telling(struct params *p)
{
	p->urgent = 10000;
	p->lazy = 10000;
}

static void slack_without_telling_breaks(void)
{
	expect_broken(spoil_telling, BAD_RUNS / 10);
}

static void spoil_threshold(struct params *p)
{
	p->window_of_now = true;
}

/* Invalid packets are rare here, but the bound does not hold */
static void threshold_of_a_grown_window_breaks(void)
{
	expect_broken(spoil_threshold, BAD_RUNS / 100);
}

static void verdicts_of_the_model(void)
{
	struct nfsync_map_seen s[2] = {
		{ .td_end = 1000, .td_maxend = 2000, .td_maxwin = 500 },
		{ .td_end = 70000, .td_maxend = 70500, .td_maxwin = 1000 },
	};
	struct model_segment seg = { .seq = 1000, .ack = 70000, .len = 100 };

	KTAP_EXPECT_EQ(model_window(s, 0, &seg), MODEL_ACCEPT);
	KTAP_EXPECT_EQ(s[0].td_end, 1100);
	seg.ack = 70001;
	KTAP_EXPECT_EQ(model_window(s, 0, &seg), MODEL_INVALID);
	seg.ack = 70000 - 66000;
	KTAP_EXPECT_EQ(model_window(s, 0, &seg), MODEL_ACCEPT);
	seg.ack--;
	KTAP_EXPECT_EQ(model_window(s, 0, &seg), MODEL_IGNORE);
	seg.ack = 70000;
	seg.seq = 0;
	KTAP_EXPECT_EQ(model_window(s, 0, &seg), MODEL_ACCEPT);
	seg.len = 99;
	KTAP_EXPECT_EQ(model_window(s, 0, &seg), MODEL_IGNORE);
	seg.seq = 2001;
	seg.len = 998;
	KTAP_EXPECT_EQ(model_window(s, 0, &seg), MODEL_IGNORE);
	KTAP_EXPECT_EQ(s[0].td_end, 2999);
	seg.len = 999;
	KTAP_EXPECT_EQ(model_window(s, 0, &seg), MODEL_INVALID);
	seg.seq = 2000;
	seg.len = 999;
	KTAP_EXPECT_EQ(model_window(s, 0, &seg), MODEL_ACCEPT);
	KTAP_EXPECT_EQ(s[1].td_maxwin, 1999);
}

static void model_starts_from_nothing(void)
{
	struct nfsync_map_seen s[2] = { { .td_scale = 2 }, { .td_scale = 0 } };
	struct model_segment seg = { .seq = 50, .ack = 900, .len = 10, .win = 25 };

	KTAP_EXPECT_EQ(model_window(s, 0, &seg), MODEL_ACCEPT);
	KTAP_EXPECT_EQ(s[0].td_end, 60);
	KTAP_EXPECT_EQ(s[0].td_maxwin, 100);
	KTAP_EXPECT_EQ(s[0].td_maxend, 160);
	KTAP_EXPECT_EQ(s[1].td_end, 900);
	KTAP_EXPECT_EQ(s[1].td_maxend, 1000);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(verdicts_of_the_model),
	KTAP_TEST(model_starts_from_nothing),
	KTAP_TEST(takeover_loses_nothing),
	KTAP_TEST(exact_but_stale_breaks),
	KTAP_TEST(slack_in_a_narrow_window_breaks),
	KTAP_TEST(slack_without_telling_breaks),
	KTAP_TEST(threshold_of_a_grown_window_breaks),
};

KTAP_MAIN(tests)
