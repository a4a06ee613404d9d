// SPDX-License-Identifier: GPL-2.0
/*
 * bulk.c: what a run tells and how it ends; what a transfer that comes is
 * judged to be, and what follows.  The rules of who asks when are transfer.c's.
 */
#include <linux/delay.h>
#include "ktap.h"
#include "world.h"

#define PEER	0x77777777
#define ADDR	htonl(0x0a000902)
#define BULK_MS	200		/* between two runs, and then some */

static struct nfsync_dev *nd;

/* What went by on the wire */
static struct {
	unsigned int start, end, asked, full, upd, clr, hello;
	unsigned int after_end;		/* full states behind the last END */
	unsigned int before_start;	/* and in front of the first START */
	struct nfsync_msg_total total;
} wire;

static int begin(struct kunit *kunit)
{
	int err = world_begin(false);

	nd = world_dev();
	memset(&wire, 0, sizeof(wire));
	return err;
}

static void end(struct kunit *kunit)
{
	world_end();
}

static void look(void)
{
	struct world_frame f;
	unsigned int full;

	while (world_frame(&f)) {
		full = f.n[NFSYNC_ACT_INS] + f.n[NFSYNC_ACT_UPD];
		wire.full += full;
		wire.upd += f.n[NFSYNC_ACT_UPD];
		wire.asked += f.n[NFSYNC_ACT_UPD_REQ] && !f.id.id;
		wire.hello += f.n[NFSYNC_ACT_HELLO];
		wire.after_end += full;
		if (!wire.start)
			wire.before_start += full;
		if (!f.n[NFSYNC_ACT_BUS])
			continue;
		wire.start += f.bus.status == NFSYNC_BUS_START;
		if (f.bus.status == NFSYNC_BUS_END) {
			wire.end++;
			wire.total = f.total;
			wire.after_end = 0;
			KTAP_EXPECT_EQ(f.n[NFSYNC_ACT_TOTAL], 1);
		}
	}
}

/* Nothing here is judged by how long it took: this is for what hangs */
#define wait_until(cond)						\
	do {								\
		int ms_;						\
									\
		for (ms_ = 0; !(cond) && ms_ < 60000; ms_ += 20) {	\
			msleep(20);					\
			look();						\
		}							\
		KTAP_ASSERT(cond);					\
	} while (0)

/* The END of run N has left, and who told it has noticed */
static void run_ends(unsigned int n)
{
	wait_until(wire.end == n);
	flush_work(&nd->bulk.tell.work);
}

static u8 teller(void)
{
	return READ_ONCE(nd->bulk.teller.state);
}

static u64 make(unsigned int n, u64 *sum)
{
	unsigned int i;

	*sum = 0;
	for (i = 0; i < n; i++) {
		struct nfsync_state *st = world_state(i);

		KTAP_ASSERT(st);
		*sum += nfsync_wire_mix(st->id, st->creatorid);
	}
	return n;
}

static void a_run_tells_everything(void)
{
	u64 sum, n = make(600, &sum);

	nfsync_bulk_asked(nd);
	run_ends(1);
	KTAP_EXPECT_EQ(wire.start, 1);
	KTAP_EXPECT_EQ(wire.full, n);
	KTAP_EXPECT_EQ(wire.upd, 0);
	KTAP_EXPECT_EQ(wire.before_start, 0);
	KTAP_EXPECT_EQ(wire.after_end, 0);
	KTAP_EXPECT_EQ(wire.total.creatorid, WORLD_HOSTID);
	KTAP_EXPECT_EQ(wire.total.count, n);
	KTAP_EXPECT_EQ(wire.total.sum, sum);
	KTAP_EXPECT_EQ(wire.total.first_id, nd->table.first_id);
	KTAP_EXPECT_EQ(wire.total.flags, 0);
	KTAP_EXPECT_EQ(teller(), NFSYNC_TELLER_IDLE);

	/* and all of it again, though now the peers know it */
	nfsync_bulk_asked(nd);
	wait_until(wire.end == 2);
	KTAP_EXPECT_EQ(wire.full, 2 * n);
	KTAP_EXPECT_EQ(wire.upd, n);
	KTAP_EXPECT_EQ(wire.total.count, n);
	KTAP_EXPECT_EQ(wire.total.sum, sum);
}

static void an_empty_table_is_a_run_too(void)
{
	nfsync_bulk_asked(nd);
	wait_until(wire.end == 1);
	KTAP_EXPECT_EQ(wire.total.count, 0);
	KTAP_EXPECT_EQ(wire.total.sum, 0);
	KTAP_EXPECT_EQ(wire.full, 0);
}

/* One-way and told to nobody, or over: neither told nor counted */
static void what_is_not_worth_telling(void)
{
	struct nfsync_state *one_way, *over;
	u64 sum;

	make(3, &sum);
	one_way = world_state(10);
	over = world_state(11);
	KTAP_ASSERT(one_way && over);
	clear_bit(IPS_SEEN_REPLY_BIT, &one_way->ct->status);
	over->ct->timeout = nfct_time_stamp;
	nfsync_bulk_asked(nd);
	wait_until(wire.end == 1);
	KTAP_EXPECT_EQ(wire.full, 3);
	KTAP_EXPECT_EQ(wire.total.count, 3);
	KTAP_EXPECT_EQ(wire.total.sum, sum);
}

/* However many ask, there are two runs: one, and one for who came too late */
static void requests_share_a_run(void)
{
	u64 sum;
	int i;

	make(20, &sum);
	/* a moment after the last one: the first waits a little */
	nd->bulk.told_at = jiffies;
	for (i = 0; i < 10; i++)
		nfsync_bulk_asked(nd);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_BULK_LIMITED), 9);
	wait_until(wire.end == 2);
	msleep(BULK_MS);
	look();
	KTAP_EXPECT_EQ(wire.start, 2);
	KTAP_EXPECT_EQ(wire.end, 2);
	KTAP_EXPECT_EQ(wire.full, 40);
	KTAP_EXPECT_EQ(wire.total.count, 20);
	KTAP_EXPECT_EQ(wire.total.sum, sum);
}

/* Told in a run more than once, it counts once */
static void counted_once(void)
{
	struct nfsync_state *st = world_state(1);
	u16 gen = nd->bulk.told_gen;

	KTAP_ASSERT(st);
	/* between two runs nothing counts */
	nfsync_bulk_told(nd, st);
	KTAP_EXPECT_EQ(atomic_read(&nd->bulk.told), 0);
	KTAP_EXPECT_EQ(st->told_gen, gen);

	nd->bulk.teller.state = NFSYNC_TELLER_WALKING;
	nd->bulk.told_gen++;
	nfsync_bulk_told(nd, st);
	nfsync_bulk_told(nd, st);
	KTAP_EXPECT_EQ(atomic_read(&nd->bulk.told), 1);
	KTAP_EXPECT_EQ(atomic64_read(&nd->bulk.told_sum),
		       nfsync_wire_mix(st->id, st->creatorid));
	nd->bulk.teller.state = NFSYNC_TELLER_IDLE;
}

static void no_link_no_run(void)
{
	u64 sum;

	make(3, &sum);
	WRITE_ONCE(nd->link, false);
	nfsync_bulk_asked(nd);
	wait_until(teller() == NFSYNC_TELLER_IDLE);
	KTAP_EXPECT_EQ(wire.start + wire.end + wire.full, 0);

	/* what is asked for afterwards is told */
	WRITE_ONCE(nd->link, true);
	nfsync_bulk_asked(nd);
	wait_until(wire.end == 1);
	KTAP_EXPECT_EQ(wire.full, 3);
}

/* Who asks again right after it got everything lost some of it */
static void slower_for_who_asks_again(void)
{
	u32 pace = nd->bulk.pace_us;

	nfsync_bulk_asked(nd);
	run_ends(1);
	KTAP_EXPECT_EQ(nd->bulk.pace_us, pace);
	nfsync_bulk_asked(nd);
	KTAP_EXPECT_EQ(nd->bulk.pace_us, 2 * pace);
	run_ends(2);
	nd->bulk.pace_us = 40000;
	nfsync_bulk_asked(nd);
	KTAP_EXPECT_EQ(nd->bulk.pace_us, 50000);
	run_ends(3);
	nd->bulk.told_at -= 3 * HZ;
	nfsync_bulk_asked(nd);
	KTAP_EXPECT_EQ(nd->bulk.pace_us, 25000);
	run_ends(4);
}

/* The link goes in the middle of it: no END, and nothing more is told */
static void cut_in_the_middle(void)
{
	u64 sum;

	make(3 * NFSYNC_STATE_CHUNK, &sum);
	world_cut_after(10);
	nfsync_bulk_asked(nd);
	wait_until(teller() == NFSYNC_TELLER_IDLE);
	look();
	KTAP_EXPECT_EQ(wire.start, 1);
	KTAP_EXPECT_EQ(wire.end, 0);
	KTAP_EXPECT(wire.full < 3 * NFSYNC_STATE_CHUNK);

	/* the next one begins from the beginning */
	WRITE_ONCE(nd->link, true);
	wire.full = 0;
	nfsync_bulk_asked(nd);
	wait_until(wire.end == 1);
	KTAP_EXPECT_EQ(wire.full, 3 * NFSYNC_STATE_CHUNK);
	KTAP_EXPECT_EQ(wire.total.count, 3 * NFSYNC_STATE_CHUNK);
	KTAP_EXPECT_EQ(wire.total.sum, sum);
}

/* The other end: a peer's frames, by their numbers */

static struct nfsync_msg_frame frame;
static struct nfsync_msg_total heard;

static void came(u32 ahead)
{
	frame.seq += ahead;
	KTAP_EXPECT(nfsync_peer_frame(nd, ADDR, &frame));
}

static void bound(u8 status)
{
	const struct nfsync_msg_bus m = {
		.creatorid = PEER, .status = status,
	};

	came(1);
	nfsync_bulk_status(nd, &frame, &m);
}

/* The peer is known, we ask, it begins */
static void transfer_begins(void)
{
	frame = (struct nfsync_msg_frame) {
		.creatorid = PEER, .incarnation = 3, .seq = 1000,
	};
	heard = (struct nfsync_msg_total) {
		.creatorid = PEER, .first_id = 1,
		.verdict = PFSYNC_VERDICT_IN_SYNC,
	};
	came(0);
	nfsync_bulk_want(nd);
	look();
	KTAP_EXPECT_EQ(wire.asked, 1);
	bound(NFSYNC_BUS_START);
	KTAP_EXPECT_EQ(nd->bulk.asker.state, NFSYNC_ASKER_RECEIVING);
	KTAP_EXPECT_EQ(nd->bulk.asker.from, PEER);
}

/* States that the peer created, of which @told are in its transfer */
static void states_of_peer(unsigned int first, unsigned int n,
			   unsigned int told)
{
	unsigned int i;

	for (i = first; i < first + n; i++) {
		struct nfsync_state *st = world_learned(i, i, PEER);

		KTAP_ASSERT(st);
		st->heard_gen = 0;
		if (i >= first + told)
			continue;
		st->heard_gen = nd->bulk.gen;
		heard.count++;
		heard.sum += nfsync_wire_mix(st->id, st->creatorid);
	}
	nfsync_bulk_progress(nd);
}

/* Who judged sets the verdict after that */
static void judged(void)
{
	wait_until(nd->bulk.asker.state != NFSYNC_ASKER_JUDGING);
	flush_work(&nd->bulk.ask.work);
}

static void transfer_ends(void)
{
	nfsync_bulk_total(nd, &heard);
	bound(NFSYNC_BUS_END);
	judged();
}

static bool there(u64 id, u32 creatorid)
{
	bool is;

	rcu_read_lock();
	is = nfsync_state_find_id(nd, id, creatorid);
	rcu_read_unlock();
	return is;
}

static void a_whole_one_sweeps(void)
{
	struct nfsync_state *ours, *moves, *old;

	ours = world_state(5000);
	old = world_learned(5001, 2, PEER);
	transfer_begins();
	states_of_peer(10, 10, 7);
	moves = world_learned(5002, 100, PEER);
	KTAP_ASSERT(ours && old && moves);
	moves->heard_gen = 0;
	WRITE_ONCE(moves->seen_at[0], (u32)jiffies);
	old->heard_gen = 0;
	heard.first_id = 3;
	transfer_ends();

	KTAP_EXPECT_EQ(READ_ONCE(nd->peers.verdict), PFSYNC_VERDICT_IN_SYNC);
	KTAP_EXPECT_EQ(nd->bulk.asker.state, NFSYNC_ASKER_IDLE);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_SWEPT), 3);
	KTAP_EXPECT(there(10, PEER) && there(16, PEER));
	KTAP_EXPECT(!there(17, PEER) && !there(18, PEER) && !there(19, PEER));
	/* of a former life, alive here, or not its own: it hears of them */
	KTAP_EXPECT(there(2, PEER) && there(100, PEER));
	KTAP_EXPECT(there(ours->id, WORLD_HOSTID));
	nfsync_queue_kick_all(nd);
	wait_until(nfsync_queue_flushed(nd));
	look();
	KTAP_EXPECT_EQ(wire.full, 3);
}

/* A frame of it was lost, and what came does not add up either */
static void a_torn_one_sweeps_nothing(void)
{
	transfer_begins();
	states_of_peer(10, 10, 7);
	heard.count++;
	came(2);
	transfer_ends();

	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_BULK_TORN), 1);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_SWEPT), 0);
	KTAP_EXPECT_EQ(nfsync_state_count(&nd->table), 10);
	KTAP_EXPECT(READ_ONCE(nd->peers.verdict) != PFSYNC_VERDICT_IN_SYNC);
	/* asked again */
	wait_until(wire.asked == 2);
}

/* A frame was lost, but none with a state in it: the sum says so */
static void lost_and_whole(void)
{
	transfer_begins();
	states_of_peer(10, 10, 10);
	came(2);
	transfer_ends();

	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_BULK_TORN), 0);
	KTAP_EXPECT_EQ(READ_ONCE(nd->peers.verdict), PFSYNC_VERDICT_IN_SYNC);
	KTAP_EXPECT_EQ(nfsync_state_count(&nd->table), 10);
}

/* As many as there should be, but not the same */
static void the_same_number_is_not_the_same(void)
{
	transfer_begins();
	states_of_peer(10, 10, 10);
	heard.sum++;
	came(2);
	transfer_ends();
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_BULK_TORN), 1);
	KTAP_EXPECT(READ_ONCE(nd->peers.verdict) != PFSYNC_VERDICT_IN_SYNC);
}

/* Two torn ones, of which the second brought what the first lacked */
static void whole_in_two(void)
{
	struct nfsync_msg_total all;
	unsigned int i;

	transfer_begins();
	states_of_peer(10, 5, 5);
	all = heard;
	for (i = 15; i < 20; i++) {
		all.count++;
		all.sum += nfsync_wire_mix(i, PEER);
	}
	heard = all;
	came(2);
	transfer_ends();
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_BULK_TORN), 1);

	wait_until(wire.asked == 2);
	bound(NFSYNC_BUS_START);
	states_of_peer(15, 5, 5);
	heard = all;
	came(2);
	transfer_ends();
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_BULK_TORN), 1);
	KTAP_EXPECT_EQ(READ_ONCE(nd->peers.verdict), PFSYNC_VERDICT_IN_SYNC);
	KTAP_EXPECT_EQ(nfsync_state_count(&nd->table), 10);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_SWEPT), 0);
}

/* All of it came, but there was no room for all of it */
static void refused(void)
{
	transfer_begins();
	states_of_peer(10, 10, 9);
	nfsync_bulk_refused(nd, PEER);
	heard.count++;
	transfer_ends();
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_BULK_TORN), 0);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_SWEPT), 0);
	KTAP_EXPECT(READ_ONCE(nd->peers.verdict) != PFSYNC_VERDICT_IN_SYNC);
	KTAP_EXPECT_EQ(nd->bulk.asker.wait, 10000);
}

/* Who joins itself and says that all it has is nothing */
static void one_that_does_not_know_sweeps_nothing(void)
{
	transfer_begins();
	states_of_peer(10, 10, 5);
	heard.verdict = PFSYNC_VERDICT_JOINING;
	transfer_ends();
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_SWEPT), 0);
	KTAP_EXPECT_EQ(nfsync_state_count(&nd->table), 10);
}

/* Meanwhile another peer lost something: in sync with this one, and no more */
static void whole_but_not_of_all(void)
{
	transfer_begins();
	states_of_peer(10, 3, 3);
	nfsync_bulk_gap(nd, PEER + 1);
	transfer_ends();
	KTAP_EXPECT_EQ(READ_ONCE(nd->peers.verdict), PFSYNC_VERDICT_HEALING);
	KTAP_EXPECT_EQ(nd->bulk.asker.state, NFSYNC_ASKER_ASKED);
	wait_until(wire.asked == 2);
}

/* One that numbers nothing is believed, and sweeps nothing */
static void transfer_of_a_bsd(void)
{
	struct nfsync_msg_bus m = {
		.creatorid = PEER, .status = NFSYNC_BUS_START,
	};
	const struct nfsync_msg_frame none = {};

	states_of_peer(10, 2, 0);
	nfsync_bulk_want(nd);
	nfsync_bulk_status(nd, &none, &m);
	KTAP_EXPECT(!nd->bulk.numbered);
	states_of_peer(20, 2, 2);
	m.status = NFSYNC_BUS_END;
	nfsync_bulk_status(nd, &none, &m);
	judged();
	KTAP_EXPECT_EQ(nd->bulk.asker.state, NFSYNC_ASKER_IDLE);
	KTAP_EXPECT_EQ(READ_ONCE(nd->peers.verdict), PFSYNC_VERDICT_IN_SYNC);
	KTAP_EXPECT_EQ(nfsync_state_count(&nd->table), 4);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_SWEPT), 0);
}

/* An END alone, of one that had nothing to tell, when nobody serves */
static void lone_end_of_a_bsd(void)
{
	const struct nfsync_msg_bus m = {
		.creatorid = PEER, .status = NFSYNC_BUS_END,
	};
	const struct nfsync_msg_frame none = {};

	nfsync_bulk_want(nd);
	nfsync_bulk_status(nd, &none, &m);
	KTAP_EXPECT_EQ(nd->bulk.asker.state, NFSYNC_ASKER_IDLE);
	KTAP_EXPECT_EQ(READ_ONCE(nd->peers.verdict), PFSYNC_VERDICT_IN_SYNC);
}

/* No room for one that is told in between: as if it had been lost */
static void refused_in_between(void)
{
	nfsync_peer_set(nd, PFSYNC_VERDICT_IN_SYNC);
	nfsync_bulk_refused(nd, PEER);
	KTAP_EXPECT_EQ(READ_ONCE(nd->peers.verdict), PFSYNC_VERDICT_HEALING);
	wait_until(wire.asked == 1);
}

/* What came so late that it may belong to the transfer is waited for, twice */
static void what_is_missing_may_come(void)
{
	struct nfsync_msg_frame late;

	transfer_begins();
	states_of_peer(10, 10, 10);
	late = frame;
	late.seq++;
	came(2);
	nfsync_bulk_total(nd, &heard);
	bound(NFSYNC_BUS_END);
	wait_until(READ_ONCE(nd->bulk.judged));
	/* it waits for a tenth of a second, however slow the machine is */
	if (!nfsync_peer_frame(nd, ADDR, &late) ||
	    world_stat(PFSYNC_STAT_BULK_TORN))
		KTAP_SKIP("a moment was not enough to send a frame");
	judged();
	if (world_stat(PFSYNC_STAT_BULK_TORN))
		KTAP_SKIP("a moment was not enough to send a frame");
	KTAP_EXPECT_EQ(READ_ONCE(nd->peers.verdict), PFSYNC_VERDICT_IN_SYNC);
}

/* START and END of one that is not asked, a TOTAL of another */
static void strangers_change_nothing(void)
{
	const struct nfsync_msg_total other = {
		.creatorid = PEER + 1, .count = 99,
	};
	const struct nfsync_msg_bus end = {
		.creatorid = PEER + 1, .status = NFSYNC_BUS_END,
	};
	const struct nfsync_msg_bus neither = {
		.creatorid = PEER, .status = 7,
	};

	transfer_begins();
	states_of_peer(10, 3, 3);
	nfsync_bulk_total(nd, &heard);
	nfsync_bulk_total(nd, &other);
	KTAP_EXPECT_EQ(nd->bulk.total.count, 3);
	came(1);
	nfsync_bulk_status(nd, &frame, &neither);
	nfsync_bulk_status(nd, &frame, &end);
	KTAP_EXPECT_EQ(nd->bulk.asker.state, NFSYNC_ASKER_RECEIVING);
	transfer_ends();
	KTAP_EXPECT_EQ(READ_ONCE(nd->peers.verdict), PFSYNC_VERDICT_IN_SYNC);
}

static void at_rest(void)
{
	/* something was lost since it was in sync: that is asked for */
	nfsync_peer_set(nd, PFSYNC_VERDICT_HEALING);
	nfsync_bulk_want(nd);
	nfsync_bulk_rest(nd);
	KTAP_EXPECT_EQ(nd->bulk.asker.state, NFSYNC_ASKER_ASKED);

	nfsync_peer_set(nd, PFSYNC_VERDICT_IN_SYNC);
	nfsync_bulk_rest(nd);
	KTAP_EXPECT_EQ(nd->bulk.asker.state, NFSYNC_ASKER_IDLE);

	/* but not in the middle of one */
	look();
	memset(&wire, 0, sizeof(wire));
	transfer_begins();
	nfsync_bulk_rest(nd);
	KTAP_EXPECT_EQ(nd->bulk.asker.state, NFSYNC_ASKER_RECEIVING);
	nfsync_bulk_gone(nd, PEER);
	KTAP_EXPECT_EQ(nd->bulk.asker.state, NFSYNC_ASKER_ASKED);
}

/* A loss heals: asked soon; long without one: as soon as for the first */
static void losses_and_calm(void)
{
	nfsync_peer_set(nd, PFSYNC_VERDICT_IN_SYNC);
	nd->bulk.asker.heals = 4;
	nfsync_bulk_gap(nd, PEER);
	KTAP_EXPECT_EQ(READ_ONCE(nd->peers.verdict), PFSYNC_VERDICT_HEALING);
	KTAP_EXPECT_EQ(nd->bulk.asker.heals, 5);
	nfsync_bulk_calm(nd);
	KTAP_EXPECT_EQ(nd->bulk.asker.heals, 5);
	nd->bulk.calm_since = jiffies - 31 * HZ;
	nfsync_bulk_calm(nd);
	KTAP_EXPECT_EQ(nd->bulk.asker.heals, 0);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(a_run_tells_everything),
	KTAP_TEST(an_empty_table_is_a_run_too),
	KTAP_TEST(what_is_not_worth_telling),
	KTAP_TEST(requests_share_a_run),
	KTAP_TEST(counted_once),
	KTAP_TEST(no_link_no_run),
	KTAP_TEST(slower_for_who_asks_again),
	KTAP_TEST(cut_in_the_middle),
	KTAP_TEST(a_whole_one_sweeps),
	KTAP_TEST(a_torn_one_sweeps_nothing),
	KTAP_TEST(lost_and_whole),
	KTAP_TEST(the_same_number_is_not_the_same),
	KTAP_TEST(whole_in_two),
	KTAP_TEST(refused),
	KTAP_TEST(one_that_does_not_know_sweeps_nothing),
	KTAP_TEST(whole_but_not_of_all),
	KTAP_TEST(transfer_of_a_bsd),
	KTAP_TEST(lone_end_of_a_bsd),
	KTAP_TEST(refused_in_between),
	KTAP_TEST(what_is_missing_may_come),
	KTAP_TEST(strangers_change_nothing),
	KTAP_TEST(at_rest),
	KTAP_TEST(losses_and_calm),
};

KTAP_SUITE(tests, begin, end);
