// SPDX-License-Identifier: GPL-2.0
/*
 * queue.c: what may follow what, what leaves in which order, and that the
 * markers, the lists, the counts and the length never disagree.
 */
#include "ktap.h"
#include "world.h"

#define NONE	NFSYNC_Q_NONE
#define UPD_C	NFSYNC_Q_UPD_C
#define DEL	NFSYNC_Q_DEL
#define INS	NFSYNC_Q_INS
#define UPD	NFSYNC_Q_UPD
#define LISTS	NFSYNC_Q_MAX

#define ROOM	1400		/* of a packet on an Ethernet */
#define ALL	(SZ_1M)

static struct nfsync_dev *nd;

static bool ask(u64 id, u32 creatorid)
{
	return nfsync_queue_request(nd, id, creatorid, NFSYNC_ASKED_JIFFIES);
}
static size_t base;		/* length of a slice without anything */

static int begin(struct kunit *kunit)
{
	int err = world_begin(true);

	nd = world_dev();
	base = err ? 0 : nd->queue.slice[0].len;
	return err;
}

static void end(struct kunit *kunit)
{
	world_end();
}

static struct nfsync_slice *slice(const struct nfsync_state *st)
{
	return &nd->queue.slice[st->slice];
}

/* One that no peer knows, and one that they do */
static struct nfsync_state *fresh(u16 port)
{
	struct nfsync_state *st = world_state(port);

	KTAP_ASSERT(st);
	return st;
}

static struct nfsync_state *told(u16 port)
{
	struct nfsync_state *st = fresh(port);

	set_bit(NFSYNC_ST_TOLD, &st->flags);
	return st;
}

/* A state that waits on @q */
static struct nfsync_state *waiting(u16 port, u8 q)
{
	struct nfsync_state *st = q == INS ? fresh(port) : told(port);

	switch (q) {
	case UPD_C:
	case INS:
		nfsync_queue_update(nd, st, false);
		break;
	case UPD:
		nfsync_queue_update_full(nd, st, false);
		break;
	case DEL:
		/* alive for the test, though on its way out */
		KTAP_EXPECT(nfsync_state_get(st));
		world_kill(st);
		break;
	}
	KTAP_EXPECT_EQ(st->marker, q);
	return st;
}

static unsigned int total(u8 q)
{
	unsigned int i, n = 0;

	for (i = 0; i < nd->queue.n_slices; i++)
		n += nd->queue.slice[i].n[q];
	return n;
}

static size_t ids_len(const struct nfsync_idq *idq)
{
	return idq->n ? NFSYNC_WIRE_SUBH_LEN + idq->n * NFSYNC_WIRE_ID_LEN : 0;
}

static size_t list_len(u8 q, unsigned int n)
{
	static const u8 action[LISTS] = {
		[UPD_C] = NFSYNC_ACT_UPD_C, [DEL] = NFSYNC_ACT_DEL_C,
		[INS] = NFSYNC_ACT_INS, [UPD] = NFSYNC_ACT_UPD,
	};

	return n ? NFSYNC_WIRE_SUBH_LEN +
		   n * nfsync_wire_msg_len(NFSYNC_WIRE_V6, action[q]) : 0;
}

/* Marker, lists, counts and length say the same */
static void expect_sound(void)
{
	struct nfsync_state *st;
	unsigned int i, n;
	size_t len;
	u8 q;

	for (i = 0; i < nd->queue.n_slices; i++) {
		struct nfsync_slice *sl = &nd->queue.slice[i];

		spin_lock_bh(&sl->lock);
		len = base + ids_len(&sl->ack) + ids_len(&sl->deny) +
		      ids_len(&sl->req);
		for (q = NONE + 1; q < LISTS; q++) {
			n = 0;
			list_for_each_entry(st, &sl->q[q], link)
				n += st->marker == q;
			len += list_len(q, n);
			KTAP_EXPECT_EQ(sl->n[q], n);
		}
		KTAP_EXPECT_EQ(sl->len, len);
		spin_unlock_bh(&sl->lock);
	}
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_QUEUE_REPAIR), 0);
}

/* What nfsync_queue_take() fills, as large as a test needs */
static struct nfsync_state *got[64];
static struct nfsync_msg_id acks[NFSYNC_IDQ_MAX], denials[NFSYNC_IDQ_MAX],
			    requests[NFSYNC_IDQ_MAX];
static struct nfsync_batch batch;

static bool take(struct nfsync_slice *sl, size_t room)
{
	batch = (struct nfsync_batch) {
		.st = got, .cap = ARRAY_SIZE(got),
		.ack = acks, .deny = denials, .req = requests,
	};
	return nfsync_queue_take(sl, room, &batch);
}

static unsigned int taken(void)
{
	return batch.n[UPD_C] + batch.n[DEL] + batch.n[INS] + batch.n[UPD];
}

/* The references that come with it */
static void put_taken(void)
{
	unsigned int i;

	for (i = 0; i < taken(); i++)
		nfsync_state_put(got[i]);
}

static void news_wait_for_the_timer(void)
{
	struct nfsync_state *st = fresh(1);

	KTAP_EXPECT_EQ(st->marker, NONE);
	nfsync_queue_update(nd, st, false);
	KTAP_EXPECT_EQ(st->marker, INS);
	KTAP_EXPECT_EQ(refcount_read(&st->refs), 2);
	KTAP_EXPECT(timer_pending(&slice(st)->timer));
	KTAP_EXPECT_EQ(world_runs(), 0);
	expect_sound();

	nfsync_queue_update(nd, st, true);
	KTAP_EXPECT_EQ(st->marker, INS);
	KTAP_EXPECT_EQ(refcount_read(&st->refs), 2);
	KTAP_EXPECT(slice(st)->due);
	KTAP_EXPECT_EQ(world_runs(), 1);
	expect_sound();
}

/* [marker][told]: what an update makes of it, and what telling all of it does */
static const struct {
	u8 update[2], full[2];
} after[LISTS] = {
	[NONE]	= { { INS, UPD_C }, { INS, UPD } },
	[UPD_C]	= { { UPD_C, UPD_C }, { INS, UPD } },
	[INS]	= { { INS, INS }, { INS, INS } },
	[UPD]	= { { UPD, UPD }, { UPD, UPD } },
	[DEL]	= { { DEL, DEL }, { DEL, DEL } },
};

static void what_follows_what(void)
{
	struct nfsync_state *st;
	u8 q;

	for (q = NONE; q < LISTS; q++) {
		st = waiting(2 * q, q);
		nfsync_queue_update(nd, st, false);
		KTAP_EXPECT_EQ(st->marker, after[q].update[q != INS]);
		if (q == DEL)
			nfsync_state_put(st);
		st = waiting(2 * q + 1, q);
		nfsync_queue_update_full(nd, st, false);
		KTAP_EXPECT_EQ(st->marker, after[q].full[q != INS]);
		if (q == DEL)
			nfsync_state_put(st);
		expect_sound();
	}
	/* of those two that turned into another one only one reference waits */
	KTAP_EXPECT_EQ(total(UPD), 4);
	KTAP_EXPECT_EQ(total(UPD_C), 2);
}

/* Nobody heard of it: nobody hears of its end */
static void end_of_what_was_never_told(void)
{
	struct nfsync_state *st = waiting(1, INS);

	KTAP_ASSERT(nfsync_state_get(st));
	KTAP_EXPECT(nfsync_queue_delete(nd, st, true, false));
	KTAP_EXPECT_EQ(st->marker, NONE);
	KTAP_EXPECT_EQ(total(DEL), 0);
	KTAP_EXPECT_EQ(refcount_read(&st->refs), 2);
	world_unhash(st);
	nfsync_state_put(st);
	expect_sound();
}

/* Of all that end it one is told to take it out of the tables */
static void one_of_two_ends_it(void)
{
	static const u8 lists[] = { NONE, UPD_C, UPD, INS };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		struct nfsync_state *st = waiting(i, lists[i]);

		KTAP_EXPECT(nfsync_queue_delete(nd, st, true, false));
		KTAP_EXPECT(!nfsync_queue_delete(nd, st, true, false));
		KTAP_EXPECT(!nfsync_queue_delete(nd, st, false, true));
		KTAP_EXPECT_EQ(st->marker, lists[i] == INS ? NONE : DEL);
		KTAP_EXPECT_EQ(refcount_read(&st->refs),
			       lists[i] == INS ? 1 : 2);
		world_unhash(st);
		expect_sound();
	}
	KTAP_EXPECT_EQ(total(DEL), 3);
}

static void an_end_not_to_be_told(void)
{
	struct nfsync_state *st = waiting(1, UPD);

	KTAP_EXPECT(nfsync_queue_delete(nd, st, false, false));
	KTAP_EXPECT_EQ(st->marker, NONE);
	KTAP_EXPECT_EQ(refcount_read(&st->refs), 1);
	world_unhash(st);
	KTAP_EXPECT_EQ(total(DEL), 0);
	expect_sound();
}

static void nothing_is_queued_without_a_way_out(void)
{
	struct nfsync_state *st = told(1);
	int i;

	for (i = 0; i < 2; i++) {
		WRITE_ONCE(nd->link, i);
		if (i)
			nfsync_queue_stop(nd);
		nfsync_queue_update(nd, st, true);
		nfsync_queue_update_full(nd, st, true);
		KTAP_EXPECT_EQ(st->marker, NONE);
		nfsync_queue_ack(nd, 1, 2);
		nfsync_queue_deny(nd, 1, 2);
		KTAP_EXPECT(!ask(i, 2));
	}
	KTAP_EXPECT(nfsync_queue_delete(nd, st, true, false));
	KTAP_EXPECT_EQ(st->marker, NONE);
	world_unhash(st);
	KTAP_EXPECT_EQ(world_runs(), 0);
	expect_sound();
}

static void many_updates_are_urgent(void)
{
	struct nfsync_state *st = told(1);
	int i;

	nd->cfg.maxupd = 5;
	for (i = 0; i < 5; i++) {
		nfsync_queue_update(nd, st, false);
		KTAP_EXPECT_EQ(world_runs(), 0);
	}
	nfsync_queue_update(nd, st, false);
	KTAP_EXPECT_EQ(world_runs(), 1);

	/* no limit: they are counted, and the count does not wrap */
	nd->cfg.maxupd = 0;
	for (i = 0; i < 600; i++)
		nfsync_queue_update(nd, st, false);
	KTAP_EXPECT_EQ(world_runs(), 0);
	KTAP_EXPECT_EQ(st->updates, U8_MAX);
	expect_sound();
}

/* What fills a packet does not wait for the timer */
static void a_full_packet_leaves(void)
{
	unsigned int i, runs;

	for (i = 0; i < 200; i++) {
		struct nfsync_state *st = waiting(i, INS);

		runs = world_runs();
		if (slice(st)->len > nd->dev->mtu) {
			KTAP_EXPECT_EQ(runs, 1);
			KTAP_EXPECT(!slice(st)->due);
			return;
		}
		KTAP_EXPECT_EQ(runs, 0);
	}
	KTAP_FAIL("200 states do not fill a packet");
}

/* Ports that one slice has: what is taken together */
static u16 next_port(u16 slice)
{
	static u16 port = 1000;

	for (;; port++) {
		struct nfsync_state *st = fresh(port);
		bool here = st->slice == slice;

		world_kill(st);
		if (here)
			return port++;
	}
}

static void taken_in_order(void)
{
	static const u8 put[] = { UPD, INS, DEL, UPD_C, INS };
	struct nfsync_state *st[ARRAY_SIZE(put)];
	struct nfsync_slice *sl = &nd->queue.slice[0];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(put); i++)
		st[i] = waiting(next_port(0), put[i]);
	KTAP_EXPECT(!take(sl, ALL));
	KTAP_ASSERT_EQ(taken(), 5);
	KTAP_EXPECT(got[0] == st[3] && got[1] == st[2] && got[2] == st[1] &&
		    got[3] == st[4] && got[4] == st[0]);
	for (i = 0; i < ARRAY_SIZE(put); i++) {
		KTAP_EXPECT_EQ(st[i]->marker, NONE);
		KTAP_EXPECT(test_bit(NFSYNC_ST_TOLD, &st[i]->flags));
	}
	KTAP_EXPECT_EQ(sl->len, base);
	KTAP_EXPECT(!timer_pending(&sl->timer));

	/* while it is written it can be queued anew */
	nfsync_queue_update(nd, st[1], false);
	KTAP_EXPECT_EQ(st[1]->marker, UPD_C);
	put_taken();
	KTAP_EXPECT_EQ(refcount_read(&st[1]->refs), 2);
	nfsync_state_put(st[2]);
	expect_sound();
}

/* Each packet as full as it can be, and nothing twice or never */
static void taken_by_packets(void)
{
	struct nfsync_slice *sl = &nd->queue.slice[0];
	unsigned int i, all = 0, packets = 0;
	size_t one = nfsync_wire_msg_len(NFSYNC_WIRE_V6, NFSYNC_ACT_INS);
	bool more;

	for (i = 0; i < 20; i++)
		waiting(next_port(0), INS);
	sl->due = true;
	do {
		more = take(sl, ROOM);
		all += taken();
		packets++;
		KTAP_EXPECT_EQ(taken(), more ? (ROOM - NFSYNC_WIRE_SUBH_LEN) /
					       one : 20 - all + taken());
		put_taken();
		expect_sound();
	} while (more && packets < 100);
	KTAP_EXPECT_EQ(all, 20);
	KTAP_EXPECT(!sl->due);
}

/* Unless all is due, what does not fill a packet stays for the timer */
static void the_rest_waits(void)
{
	struct nfsync_slice *sl = &nd->queue.slice[0];
	unsigned int i;

	for (i = 0; i < 6; i++)
		waiting(next_port(0), INS);
	KTAP_EXPECT(!take(sl, ROOM));
	KTAP_EXPECT_EQ(taken(), 4);
	put_taken();
	KTAP_EXPECT_EQ(total(INS), 2);
	KTAP_EXPECT(timer_pending(&sl->timer));
	expect_sound();
}

/* On the smallest MTU a state goes without what Linux adds to it */
static void bare_where_there_is_no_room(void)
{
	struct nfsync_slice *sl = &nd->queue.slice[0];

	waiting(next_port(0), INS);
	KTAP_EXPECT(!take(sl, NFSYNC_WIRE_SUBH_LEN + NFSYNC_WIRE_STATE6_LEN));
	KTAP_EXPECT(batch.bare);
	KTAP_EXPECT_EQ(taken(), 1);
	put_taken();
	waiting(next_port(0), INS);
	take(sl, NFSYNC_WIRE_SUBH_LEN + NFSYNC_WIRE_STATE6_LEN - 1);
	KTAP_EXPECT_EQ(taken(), 0);
	KTAP_EXPECT_EQ(total(INS), 1);
	expect_sound();
}

static void ids_have_limits(void)
{
	u64 id;

	for (id = 0; id < 5000; id++) {
		nfsync_queue_ack(nd, id, 7);
		nfsync_queue_deny(nd, id, 7);
	}
	expect_sound();
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_ACK_LIMITED),
		       5000 - NFSYNC_IDQ_MAX * nd->queue.n_slices);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_DENY_LIMITED),
		       5000 - NFSYNC_IDQ_MAX * nd->queue.n_slices);
	KTAP_EXPECT(take(&nd->queue.slice[0], ROOM));
	KTAP_EXPECT_EQ(batch.n_ack, (ROOM - NFSYNC_WIRE_SUBH_LEN) /
				    NFSYNC_WIRE_ID_LEN);
	expect_sound();
	while (take(&nd->queue.slice[0], ROOM))
		expect_sound();
	KTAP_EXPECT_EQ(nd->queue.slice[0].len, base);
}

static void asked_for_once_a_second(void)
{
	struct nfsync_slice *sl;
	unsigned int i, n = 0;

	KTAP_EXPECT(ask(5, 7));
	KTAP_EXPECT_EQ(world_runs(), 1);
	KTAP_EXPECT(!ask(5, 7));
	KTAP_EXPECT(ask(5, 8));
	for (i = 0; i < nd->queue.n_slices; i++) {
		unsigned int j;

		sl = &nd->queue.slice[i];
		take(sl, ALL);
		n += batch.n_req;
		for (j = 0; j < ARRAY_SIZE(sl->asked); j++)
			sl->asked[j].at -= NFSYNC_ASKED_JIFFIES;
	}
	KTAP_EXPECT_EQ(n, 2);
	KTAP_EXPECT(ask(5, 8));
	expect_sound();
}

/* Entries that go by hand wait for each other, but not for ever */
static void deleted_by_hand(void)
{
	struct nfsync_state *st = told(1);
	struct nfsync_slice *sl = slice(st);
	unsigned int i;

	KTAP_ASSERT(nfsync_queue_delete(nd, st, true, true));
	world_unhash(st);
	for (i = 0; i < 100; i++) {
		sl->timer.function(&sl->timer);
		KTAP_ASSERT_EQ(world_runs(), 0);
		KTAP_EXPECT_EQ(sl->held, i + 1);
		KTAP_EXPECT(timer_pending(&sl->timer));
	}
	sl->timer.function(&sl->timer);
	KTAP_EXPECT_EQ(world_runs(), 1);
	KTAP_EXPECT_EQ(sl->held, 0);
	KTAP_EXPECT(sl->kicked && !nfsync_queue_flushed(nd));

	/* the last was long ago */
	sl->by_hand_at -= 3600 * HZ;
	sl->timer.function(&sl->timer);
	KTAP_EXPECT_EQ(world_runs(), 1);
	take(sl, ALL);
	put_taken();
	nfsync_queue_sent(sl);
	KTAP_EXPECT(nfsync_queue_flushed(nd));
}

/* @n states of @creators nodes end by hand, and nothing else is there */
static void empty_table(unsigned int n, unsigned int creators, bool by_hand)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct nfsync_state *st = world_learned(i, i, 1 + i % creators);

		KTAP_ASSERT(st);
		if (nfsync_queue_delete(nd, st, true, by_hand))
			world_unhash(st);
	}
	KTAP_EXPECT_EQ(total(DEL), n);
}

static void drop_all(void)
{
	unsigned int i;

	for (i = 0; i < nd->queue.n_slices; i++) {
		nfsync_queue_drop(&nd->queue.slice[i]);
		nd->queue.slice[i].by_hand_at = jiffies - 3600 * HZ;
	}
}

static unsigned int clrs(void)
{
	struct world_frame f;
	unsigned int n = 0;

	while (world_frame(&f))
		n += f.n[NFSYNC_ACT_CLR];
	return n;
}

/* As a slice's task begins */
static void purge(void)
{
	KTAP_EXPECT(nfsync_queue_begin(nd));
	nfsync_queue_end(nd);
}

static void emptied_by_hand(void)
{
	struct nfsync_state *alive;

	empty_table(8, 2, true);
	purge();
	KTAP_EXPECT_EQ(total(DEL), 0);
	KTAP_EXPECT_EQ(clrs(), 2);
	expect_sound();

	/* too few, none by hand, or something is still there: one by one */
	empty_table(7, 2, true);
	purge();
	KTAP_EXPECT_EQ(total(DEL), 7);
	drop_all();
	empty_table(8, 2, false);
	purge();
	KTAP_EXPECT_EQ(total(DEL), 8);
	drop_all();
	alive = fresh(1000);
	empty_table(8, 2, true);
	purge();
	KTAP_EXPECT_EQ(total(DEL), 8);
	KTAP_EXPECT_EQ(clrs(), 0);
	drop_all();
	world_kill(alive);
}

/* One of theirs ended in silence: the peers may have it alive */
static void emptied_with_one_spared(void)
{
	unsigned int i;

	nfsync_queue_spare(nd, 1);
	nfsync_queue_spare(nd, 1);
	empty_table(16, 1, true);
	purge();
	KTAP_EXPECT_EQ(total(DEL), 16);
	KTAP_EXPECT_EQ(clrs(), 0);
	drop_all();

	/* of so many that it remembers none of them */
	for (i = 0; i < 9; i++)
		nfsync_queue_spare(nd, 0x7000 + i);
	KTAP_EXPECT_EQ(nd->queue.spared.n, NFSYNC_CREATORS_MAX + 1);
	nfsync_queue_start(nd);
	KTAP_EXPECT_EQ(nd->queue.spared.n, 0);
	empty_table(16, 1, true);
	purge();
	KTAP_EXPECT_EQ(clrs(), 1);
	drop_all();
}

/* Of more creators than it looks for the rest leaves as it is */
static void emptied_of_many_creators(void)
{
	empty_table(36, 12, true);
	purge();
	KTAP_EXPECT_EQ(clrs(), 8);
	KTAP_EXPECT(total(DEL) >= 12 && total(DEL) < 36);
	expect_sound();
}

static void dropped_with_their_references(void)
{
	struct nfsync_state *st = waiting(1, UPD);

	waiting(2, INS);
	waiting(3, UPD_C);
	nfsync_state_put(waiting(4, DEL));
	nfsync_queue_ack(nd, 1, 2);
	nfsync_queue_deny(nd, 1, 2);
	ask(1, 2);
	drop_all();
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_QUEUE_DROPPED), 4);
	KTAP_EXPECT_EQ(refcount_read(&st->refs), 1);
	KTAP_EXPECT_EQ(st->marker, NONE);
	KTAP_EXPECT_EQ(total(UPD) + total(INS) + total(UPD_C) + total(DEL), 0);
	expect_sound();
}

/* Without memory nothing is taken; the timer tries again, until it is over */
static void tried_again(void)
{
	struct nfsync_slice *sl = &nd->queue.slice[0];

	nfsync_queue_retry(sl);
	KTAP_EXPECT(timer_pending(&sl->timer));
	nfsync_queue_stop(nd);
	KTAP_EXPECT(!timer_pending(&sl->timer));
	nfsync_queue_retry(sl);
	KTAP_EXPECT(!timer_pending(&sl->timer));
	sl->timer.function(&sl->timer);
	KTAP_EXPECT(!timer_pending(&sl->timer));
}

/* Anything at any time, against the table of what follows what */
#define FLOWS	16
#define STEPS	2000

static struct nfsync_state *flow[FLOWS];
static u8 wanted[FLOWS];
static bool known[FLOWS];

static void renew(unsigned int i)
{
	flow[i] = fresh(i);
	wanted[i] = NONE;
	known[i] = false;
}

static void step(unsigned int i, unsigned int what)
{
	struct nfsync_state *st = flow[i];
	unsigned int j, n;

	switch (what) {
	case 0:
	case 1:
		nfsync_queue_update(nd, st, what);
		wanted[i] = after[wanted[i]].update[known[i]];
		return;
	case 2:
		nfsync_queue_update_full(nd, st, false);
		wanted[i] = after[wanted[i]].full[known[i]];
		return;
	case 3:
		world_kill(st);
		renew(i);
		return;
	}
	take(slice(st), what == 4 ? ROOM : 400);
	n = taken();
	for (j = 0; j < FLOWS * n; j++) {
		if (flow[j % FLOWS] != got[j / FLOWS])
			continue;
		known[j % FLOWS] = true;
		wanted[j % FLOWS] = NONE;
	}
	put_taken();
}

static void random_events(void)
{
	u64 seed = 0x5eed0001;
	unsigned int n, i;

	for (i = 0; i < FLOWS; i++)
		renew(i);
	for (n = 0; n < STEPS; n++) {
		u64 r = ktap_random(&seed) >> 20;

		step(r % FLOWS, (r >> 10) % 6);
		for (i = 0; i < FLOWS; i++) {
			KTAP_ASSERT_EQ(flow[i]->marker, wanted[i]);
			KTAP_ASSERT_EQ(refcount_read(&flow[i]->refs),
				       1 + (wanted[i] != NONE));
		}
		expect_sound();
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(news_wait_for_the_timer),
	KTAP_TEST(what_follows_what),
	KTAP_TEST(end_of_what_was_never_told),
	KTAP_TEST(one_of_two_ends_it),
	KTAP_TEST(an_end_not_to_be_told),
	KTAP_TEST(nothing_is_queued_without_a_way_out),
	KTAP_TEST(many_updates_are_urgent),
	KTAP_TEST(a_full_packet_leaves),
	KTAP_TEST(taken_in_order),
	KTAP_TEST(taken_by_packets),
	KTAP_TEST(the_rest_waits),
	KTAP_TEST(bare_where_there_is_no_room),
	KTAP_TEST(ids_have_limits),
	KTAP_TEST(asked_for_once_a_second),
	KTAP_TEST(deleted_by_hand),
	KTAP_TEST(emptied_by_hand),
	KTAP_TEST(emptied_with_one_spared),
	KTAP_TEST(emptied_of_many_creators),
	KTAP_TEST(dropped_with_their_references),
	KTAP_TEST(tried_again),
	KTAP_TEST(random_events),
};

KTAP_SUITE(tests, begin, end);
