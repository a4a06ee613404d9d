// SPDX-License-Identifier: GPL-2.0
/*
 * Transfers over several firewalls at once, with the window check on, while the
 * paths of both directions move from any of them to any other.
 *
 *	            ┌► firewall 1 ─┐
 *	client ─────┼► firewall 2 ─┼──── server, and back
 *	            └► firewall 3 ─┘
 *	                 each tells all others, late
 *
 * What a firewall tells goes through the real export, merge and import.  No
 * packet may be invalid anywhere once the news that are under way are there.
 */
#include "ktap.h"
#include "map.h"
#include "merge.h"
#include "model_window.h"
#include "split.h"

#define RUNS		2000
#define BAD_RUNS	200
#define NODES		4
#define RING		4096	/* segments that a receiver may hold */
#define PACKETS		8192
#define MESSAGES	256
#define MAX_TICKS	30000
#define SPLIT		100	/* ticks; two seconds in the module */

struct params {
	unsigned int nodes;
	u32 mss;
	u32 win;
	u32 segments;		/* to transfer, each way that transfers */
	unsigned int burst;	/* segments a tick */
	unsigned int latency;	/* ticks to a firewall and behind it, at most */
	unsigned int travel;	/* ticks of a message, at most */
	unsigned int stay;	/* ticks between two moves, at most */
	unsigned int again;	/* of 1000 packets, sent twice */
	u8 scale[2];
	bool both_ways;
	bool silent;		/* nobody tells when a path has moved */
	bool bounded;
};

/* One end: a sender, and the receiver of what the other end sends */
struct end {
	u32 first, una, nxt, stop;
	u32 edge;		/* allowed by the other end */
	u32 rcv_first, rcv_nxt;
	bool ack_due;
	bool have[RING];
};

struct packet {
	struct model_segment seg;
	unsigned int due;
	u8 dir;
	u8 node;
	u8 held;		/* ticks that it waits for news */
	bool behind;		/* it passed the firewall */
	bool used;
};

struct message {
	struct nfsync_map_ct ct;
	unsigned int due;
	u8 to;
	bool used;
};

struct node {
	struct nfsync_split sp;	/* seen: as the entry has it, with slack */
	unsigned int seen_at[2];
	unsigned int here_at[2];
};

struct world {
	struct params p;
	struct end end[2];
	struct node node[NODES];
	struct packet packet[PACKETS];
	struct message message[MESSAGES];
	u8 path[2];
	unsigned int move_at, moves;
	unsigned int tick, sent, waited, asked, invalid, lost;
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

static void put_packet(struct world *w, const struct packet *p)
{
	unsigned int i;

	for (i = 0; i < PACKETS; i++) {
		if (w->packet[i].used)
			continue;
		w->packet[i] = *p;
		w->packet[i].used = true;
		return;
	}
	w->lost++;
}

static void transmit(struct world *w, int i, u32 seq, u32 len)
{
	struct end *e = &w->end[i];
	struct packet p = {
		.seg = {
			.seq = seq,
			.ack = e->rcv_nxt,
			.len = len,
			.win = w->p.win >> w->p.scale[i],
		},
		.dir = i,
		.node = w->path[i],
		.due = w->tick + 1 + below(w, w->p.latency + 1),
	};

	e->ack_due = false;
	put_packet(w, &p);
	if (chance(w, w->p.again)) {
		p.due += below(w, 2 * w->p.latency + 1);
		put_packet(w, &p);
	}
}

static void send_burst(struct world *w, int i)
{
	struct end *e = &w->end[i];
	unsigned int n;

	for (n = 0; n < w->p.burst && nfsync_seq_after(e->stop, e->nxt) &&
	     !nfsync_seq_after(e->nxt + w->p.mss, e->edge); n++) {
		transmit(w, i, e->nxt, w->p.mss);
		e->nxt += w->p.mss;
	}
	if (e->ack_due)
		transmit(w, i, e->nxt, 0);
}

static void receive(struct world *w, int i, const struct model_segment *seg)
{
	struct end *e = &w->end[i];
	u32 nr = (seg->seq - e->rcv_first) / w->p.mss;
	u32 next = (e->rcv_nxt - e->rcv_first) / w->p.mss;

	e->edge = nfsync_seq_max(e->edge, seg->ack +
				 ((u32)seg->win << w->p.scale[!i]));
	e->una = nfsync_seq_max(e->una, seg->ack);
	if (!seg->len)
		return;
	e->ack_due = true;
	if (nfsync_seq_after(e->rcv_nxt, seg->seq))
		return;
	e->have[nr % RING] = true;
	while (e->have[next % RING]) {
		e->have[next % RING] = false;
		e->rcv_nxt += w->p.mss;
		next++;
	}
}

/* What the others may know of an entry */
static struct nfsync_map_ct picture(const struct node *n)
{
	struct nfsync_split sp = n->sp;
	struct nfsync_map_ct ct = {
		.proto = 6,
		.af = NFSYNC_AF_INET,
		.tcp_state = NFSYNC_CT_ESTABLISHED,
	};

	int d;

	nfsync_split_strip(&sp);
	memcpy(ct.seen, sp.seen, sizeof(ct.seen));
	for (d = 0; d < 2; d++)
		ct.seen[d].td_end = nfsync_split_end(&sp, d);
	return ct;
}

static void send_message(struct world *w, unsigned int from,
			 const struct nfsync_map_ct *ct)
{
	unsigned int to, i = 0;

	for (to = 0; to < w->p.nodes; to++) {
		if (to == from)
			continue;
		while (i < MESSAGES && w->message[i].used)
			i++;
		if (i == MESSAGES) {
			w->lost++;
			return;
		}
		w->message[i].ct = *ct;
		w->message[i].due = w->tick + below(w, w->p.travel + 1);
		w->message[i].to = to;
		w->message[i].used = true;
	}
	w->sent++;
}

static bool sees(const struct world *w, const struct node *n, int d)
{
	return w->tick - n->seen_at[d] < SPLIT;
}

static void tell(struct world *w, unsigned int from)
{
	struct nfsync_split *sp = &w->node[from].sp;
	struct nfsync_map_ct ct = picture(&w->node[from]);
	bool lately[2] = {
		sees(w, &w->node[from], 0), sees(w, &w->node[from], 1)
	};

	nfsync_split_strip(sp);
	nfsync_split_told(sp, lately, w->p.bounded);
	nfsync_split_dress(sp);
	send_message(w, from, &ct);
}

static void hear(struct world *w, struct node *n, const struct nfsync_map_ct *ct)
{
	bool lately[2] = { sees(w, n, 0), sees(w, n, 1) };
	struct nfsync_map_ct own = picture(n);
	struct nfsync_msg_peer mine[2], theirs[2];
	struct nfsync_map_seen told[2];
	unsigned int take;
	bool farewell;
	u8 timeout;
	int i;

	nfsync_map_export_peers(&own, mine, &timeout);
	nfsync_map_export_peers(ct, theirs, &timeout);
	take = nfsync_merge_peers(6, mine, theirs);
	take |= nfsync_merge_edges(mine, theirs, take);
	for (i = 0; i < 2; i++)
		nfsync_map_import_peer(&theirs[i], NULL, i,
				       nfsync_map_both_scaled(theirs), &told[i]);
	nfsync_split_strip(&n->sp);
	farewell = nfsync_split_hear(&n->sp, told, take, lately, w->p.bounded);
	nfsync_split_dress(&n->sp);
	if (farewell && !w->p.silent)
		tell(w, n - w->node);
}

static void deliver_messages(struct world *w)
{
	unsigned int i;

	for (i = 0; i < MESSAGES; i++) {
		struct message *m = &w->message[i];

		if (!m->used || m->due > w->tick)
			continue;
		m->used = false;
		hear(w, &w->node[m->to], &m->ct);
	}
}

/* Far enough since it was told? */
static bool worth_telling(const struct node *n)
{
	struct nfsync_split sp = n->sp;
	int d;

	nfsync_split_strip(&sp);
	for (d = 0; d < 2; d++) {
		s32 far = nfsync_map_wide_threshold(sp.told_win[d]);

		if ((s32)(nfsync_split_end(&sp, d) - sp.told_end[d]) > far ||
		    (s32)(sp.seen[d].td_maxend - sp.told_maxend[d]) > far)
			return true;
	}
	return false;
}

static bool arrive(struct world *w, struct node *n, int dir,
		   const struct model_segment *seg)
{
	bool settled = w->tick - n->here_at[dir] >= SPLIT;
	u32 edge = seg->ack + ((u32)seg->win << w->p.scale[dir]);
	bool news;

	nfsync_split_strip(&n->sp);
	news = nfsync_split_arrive(&n->sp, dir, seg->seq + seg->len, edge,
				   settled);
	nfsync_split_dress(&n->sp);
	if (news)
		n->here_at[dir] = w->tick;
	return news;
}

/* All others answer */
static void ask(struct world *w, unsigned int from)
{
	unsigned int i, travel = w->p.travel;

	w->p.travel *= 2;
	for (i = 0; i < w->p.nodes; i++)
		if (i != from && !w->p.silent)
			tell(w, i);
	w->p.travel = travel;
	w->asked++;
}

/*
 * As early.c does it.  What the packet answers passed another firewall before
 * it was sent, so that the news are under way, or are there for who asks.
 */
static void wait_for_news(struct world *w, struct packet *p)
{
	p->due = w->tick + 1;
	if (p->held == w->p.travel + 1)
		ask(w, p->node);
	if (p->held++ <= 4 * w->p.travel + 2)
		return;
	w->invalid++;
	p->used = false;
}

static void firewall(struct world *w, struct packet *p)
{
	struct node *n = &w->node[p->node];
	bool news;

	if (model_window(n->sp.seen, p->dir, &p->seg) == MODEL_INVALID) {
		wait_for_news(w, p);
		return;
	}
	w->waited += !!p->held;
	news = arrive(w, n, p->dir, &p->seg);
	n->seen_at[p->dir] = w->tick;
	if ((news || worth_telling(n)) && !w->p.silent)
		tell(w, p->node);
	p->behind = true;
	p->due = w->tick + below(w, w->p.latency + 1);
}

static void move_packets(struct world *w)
{
	unsigned int i;

	for (i = 0; i < PACKETS; i++) {
		struct packet *p = &w->packet[i];

		if (!p->used || p->due > w->tick)
			continue;
		if (!p->behind) {
			firewall(w, p);
			continue;
		}
		p->used = false;
		receive(w, !p->dir, &p->seg);
	}
}

static void move_paths(struct world *w)
{
	int d;

	if (w->tick < w->move_at)
		return;
	w->move_at = w->tick + 1 + below(w, w->p.stay);
	for (d = 0; d < 2; d++)
		w->path[d] = below(w, w->p.nodes);
	w->moves++;
}

static bool finished(const struct world *w)
{
	return w->end[0].una == w->end[0].stop &&
	       w->end[1].una == w->end[1].stop;
}

static void one_tick(struct world *w)
{
	send_burst(w, 0);
	send_burst(w, 1);
	move_packets(w);
	deliver_messages(w);
	w->tick++;
}

static bool transfer(struct world *w)
{
	unsigned int until = w->tick + MAX_TICKS;

	while (w->tick < until && !finished(w) && !w->invalid) {
		move_paths(w);
		one_tick(w);
	}
	return finished(w);
}

/* A message that travels must fit in what slack leaves for that */
static void draw(struct world *w)
{
	static const u32 mss[] = { 536, 1448, 8948 };
	struct params *p = &w->p;
	int i;

	p->nodes = 2 + below(w, NODES - 1);
	p->mss = mss[below(w, 3)];
	p->win = (8 + below(w, 24)) * p->mss;
	for (i = 0; i < 2; i++) {
		p->scale[i] = below(w, 8);
		while (p->win >> p->scale[i] > 0xffff)
			p->scale[i]++;
		p->win &= ~((1u << p->scale[i]) - 1);
	}
	p->segments = 200 + below(w, 2000);
	p->burst = 1 + below(w, 12);
	p->latency = below(w, 4);
	p->travel = below(w, 4);
	p->stay = 1 + below(w, chance(w, 500) ? 2 * SPLIT : 10);
	p->again = chance(w, 300) ? below(w, 100) : 0;
	p->both_ways = chance(w, 500);
	p->bounded = true;
}

static void set_up(struct world *w)
{
	static const bool sees_none[2];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct end *e = &w->end[i];
		struct nfsync_map_seen *s = &w->node[0].sp.seen[i];

		e->first = ktap_random(&w->seed) >> 32;
		e->una = e->first;
		e->nxt = e->first;
		e->stop = e->first;
		if (!i || w->p.both_ways)
			e->stop += w->p.segments * w->p.mss;
		e->edge = e->first + w->p.win;
		s->td_end = e->first;
		s->td_maxend = e->edge;
		s->td_maxwin = w->p.win;
		s->td_scale = w->p.scale[i];
		s->flags = NFSYNC_CT_F_WINDOW_SCALE;
	}
	for (i = 0; i < 2; i++) {
		w->end[i].rcv_first = w->end[!i].first;
		w->end[i].rcv_nxt = w->end[!i].first;
	}
	w->tick = 2 * SPLIT;
	w->node[0].seen_at[0] = w->tick;
	w->node[0].seen_at[1] = w->tick;
	for (i = 1; i < w->p.nodes; i++) {
		nfsync_split_hear(&w->node[i].sp, w->node[0].sp.seen,
				  NFSYNC_MERGE_TAKE_BOTH, sees_none,
				  w->p.bounded);
		nfsync_split_dress(&w->node[i].sp);
	}
	tell(w, 0);
}

static struct world world;

static struct world *new_world(unsigned int run)
{
	memset(&world, 0, sizeof(world));
	world.seed = 0x9e3779b97f4a7c15ULL * (run + 1);
	draw(&world);
	return &world;
}

static void paths_wander(void)
{
	unsigned long moves = 0, sent = 0, waited = 0, segments = 0,
		      asked = 0;
	unsigned int run;

	for (run = 0; run < RUNS; run++) {
		struct world *w = new_world(run);

		set_up(w);
		KTAP_EXPECT_MSG(transfer(w), "run %u: not finished", run);
		KTAP_EXPECT_MSG(!w->invalid, "run %u: %u invalid", run,
				w->invalid);
		KTAP_EXPECT_MSG(!w->lost, "run %u: the model is too small", run);
		moves += w->moves;
		sent += w->sent;
		waited += w->waited;
		asked += w->asked;
		segments += w->p.segments;
	}
	printf("# %lu segments, %lu moves, %lu messages, %lu waited, %lu asked\n",
	       segments, moves, sent, waited, asked);
	KTAP_EXPECT(moves > 10 * RUNS);
}

static void expect_broken(void (*spoil)(struct params *p))
{
	unsigned int run, bad = 0;

	for (run = 0; run < BAD_RUNS; run++) {
		struct world *w = new_world(run);

		spoil(&w->p);
		set_up(w);
		bad += !transfer(w) || w->invalid;
	}
	printf("# %u of %u transfers broken\n", bad, BAD_RUNS);
	KTAP_EXPECT(bad >= BAD_RUNS / 4);
}

static void spoil_telling(struct params *p)
{
	p->silent = true;
}

static void without_a_word_it_breaks(void)
{
	expect_broken(spoil_telling);
}

static void spoil_slack(struct params *p)
{
	p->bounded = false;
}

static void without_slack_it_breaks(void)
{
	expect_broken(spoil_slack);
}

/* Both directions by one node: it has the truth, and no slack, after a while */
static void merged_again(void)
{
	unsigned int run, i;

	for (run = 0; run < RUNS / 10; run++) {
		struct world *w = new_world(run);
		struct node *n;
		int d;

		w->p.segments = 100000;
		w->p.both_ways = true;
		set_up(w);
		for (i = 0; i < 50; i++) {
			move_paths(w);
			one_tick(w);
		}
		w->path[0] = below(w, w->p.nodes);
		w->path[1] = w->path[0];
		for (i = 0; i < SPLIT + 50; i++)
			one_tick(w);
		KTAP_EXPECT_MSG(!w->invalid, "run %u: invalid", run);
		n = &w->node[w->path[0]];
		for (d = 0; d < 2; d++) {
			KTAP_EXPECT_MSG(!n->sp.slack[d] && !n->sp.edge[d],
					"run %u: slack is left", run);
			KTAP_EXPECT_MSG(n->sp.seen[d].td_maxwin < 2 * w->p.win,
					"run %u: window", run);
			KTAP_EXPECT_MSG(!nfsync_seq_after(n->sp.seen[d].td_end,
							  w->end[d].nxt) &&
					!nfsync_seq_after(w->end[d].una,
							  n->sp.seen[d].td_end),
					"run %u: td_end", run);
		}
	}
}

/* A node that heard of a SYN has the answer, and told of it */
static void answer(struct nfsync_split *sp, const bool sees[2], bool bounded)
{
	static const struct nfsync_map_seen syn[2] = {
		{ .td_end = 1001, .td_maxend = 1001, .td_maxwin = 64240 },
	};
	static const bool none[2];

	memset(sp, 0, sizeof(*sp));
	nfsync_split_hear(sp, syn, NFSYNC_MERGE_TAKE_BOTH, none, bounded);
	KTAP_EXPECT(!sp->slack[0] && !sp->slack[1]);
	sp->seen[0].td_maxend = 1001 + 65160;
	sp->seen[1].td_end = 5001;
	sp->seen[1].td_maxend = 5001 + 64240;
	sp->seen[1].td_maxwin = 65160;
	nfsync_split_told(sp, sees, bounded);
}

static void slack_with_the_answer(void)
{
	static const bool reply[2] = { false, true }, both[2] = { true, true };
	struct nfsync_split sp;

	answer(&sp, reply, true);
	KTAP_EXPECT(sp.slack[0] && sp.edge[1]);
	KTAP_EXPECT(!sp.slack[1] && !sp.edge[0]);
	nfsync_split_dress(&sp);
	/* an ack of what the SYN's node let through meanwhile is good here */
	KTAP_EXPECT(nfsync_seq_after(sp.seen[0].td_end, 1001 + 10 * 1460));
	KTAP_EXPECT(sp.seen[1].td_end == 5001);

	answer(&sp, both, true);
	KTAP_EXPECT(!sp.slack[0] && !sp.slack[1] && !sp.edge[0] && !sp.edge[1]);
	answer(&sp, reply, false);
	KTAP_EXPECT(!sp.slack[0] && !sp.slack[1] && !sp.edge[0] && !sp.edge[1]);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(slack_with_the_answer),
	KTAP_TEST(paths_wander),
	KTAP_TEST(without_a_word_it_breaks),
	KTAP_TEST(without_slack_it_breaks),
	KTAP_TEST(merged_again),
};

KTAP_MAIN(tests)
