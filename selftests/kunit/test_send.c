// SPDX-License-Identifier: GPL-2.0
/*
 * send.c: what is queued leaves, all of it and once, in frames that hold what
 * they say.  How a message is written is wire.c's.
 */
#include "ktap.h"
#include "world.h"

static struct nfsync_dev *nd;

static int begin(struct kunit *kunit)
{
	int err = world_begin(false);

	nd = world_dev();
	return err;
}

static void end(struct kunit *kunit)
{
	world_end();
}

/* What left until now, and in how many frames */
static struct {
	unsigned int n[NFSYNC_ACT_ALL];
	unsigned int frames;
} sent;

static void flush(void)
{
	struct world_frame f;
	unsigned int i;

	nfsync_queue_kick_all(nd);
	while (!nfsync_queue_flushed(nd))
		cond_resched();
	world_runs();
	memset(&sent, 0, sizeof(sent));
	while (world_frame(&f)) {
		sent.frames++;
		for (i = 0; i < NFSYNC_ACT_ALL; i++)
			sent.n[i] += f.n[i];
	}
}

static void each_kind(void)
{
	struct nfsync_state *st = world_state(1), *other = world_state(2);

	KTAP_ASSERT(st && other);
	nfsync_queue_update(nd, st, false);
	nfsync_queue_update(nd, other, false);
	flush();
	KTAP_EXPECT_EQ(sent.n[NFSYNC_ACT_INS], 2);
	KTAP_EXPECT_EQ(sent.n[NFSYNC_ACT_FRAME], sent.frames);
	KTAP_EXPECT(test_bit(NFSYNC_ST_TOLD, &st->flags));
	KTAP_EXPECT_EQ(refcount_read(&st->refs), 1);

	nfsync_queue_update(nd, st, false);
	nfsync_queue_update_full(nd, other, false);
	nfsync_queue_ack(nd, 1, 7);
	nfsync_queue_ack(nd, 2, 7);
	nfsync_queue_deny(nd, 3, 7);
	nfsync_queue_request(nd, 4, 7, NFSYNC_ASKED_JIFFIES);
	flush();
	KTAP_EXPECT_EQ(sent.n[NFSYNC_ACT_UPD_C], 1);
	KTAP_EXPECT_EQ(sent.n[NFSYNC_ACT_UPD], 1);
	KTAP_EXPECT_EQ(sent.n[NFSYNC_ACT_DEL_C], 1);

	world_kill(st);
	flush();
	KTAP_EXPECT_EQ(sent.n[NFSYNC_ACT_DEL_C], 1);
	flush();
	KTAP_EXPECT_EQ(sent.frames, 0);

	/* the urgent ones went by themselves: of all there is one counter */
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_TX_INS), 2);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_TX_INS_ACK), 2);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_TX_UPD_REQ), 1);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_TX_DEL_C), 2);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_LEN_REPAIR), 0);
}

/* More than one run of a task may send: the rest follows by itself */
static void more_than_the_budget(void)
{
	unsigned int i, n = 400 * nd->queue.n_slices;

	for (i = 0; i < nd->queue.n_slices; i++)
		tasklet_disable(&nd->queue.slice[i].task);
	for (i = 0; i < n; i++) {
		struct nfsync_state *st = world_learned(i, i, 7);

		if (st)
			nfsync_queue_update_full(nd, st, false);
	}
	for (i = 0; i < nd->queue.n_slices; i++)
		tasklet_enable(&nd->queue.slice[i].task);
	flush();
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_TX_UPD), n);
	KTAP_EXPECT_EQ(sent.n[NFSYNC_ACT_UPD], n);
	KTAP_EXPECT(sent.frames >= n / 5);
	KTAP_EXPECT_EQ(sent.n[NFSYNC_ACT_FRAME], sent.frames);
}

/* Without what Linux adds where there is no room for it */
static void smallest_mtu(void)
{
	struct nfsync_state *st = world_state(1);

	KTAP_ASSERT(st);
	nd->dev->mtu = PFSYNC_MTU_MIN;
	nfsync_queue_update(nd, st, true);
	flush();
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_TX_INS), 1);
	KTAP_EXPECT_EQ(sent.n[NFSYNC_ACT_INS], 1);
	KTAP_EXPECT_EQ(sent.n[NFSYNC_ACT_FRAME], 0);
	KTAP_EXPECT(nd->bulk.unnumbered);
}

/* The way out went between queueing and sending */
static void no_way_out(void)
{
	struct nfsync_state *st = world_state(1);

	KTAP_ASSERT(st);
	nfsync_queue_update(nd, st, false);
	WRITE_ONCE(nd->link, false);
	nfsync_queue_kick_all(nd);
	world_runs();
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_QUEUE_DROPPED), 1);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_OPACKETS), 0);
	KTAP_EXPECT_EQ(refcount_read(&st->refs), 1);
	KTAP_EXPECT_EQ(st->marker, NFSYNC_Q_NONE);
}

/* What IP refuses is counted, and not sent again */
static void refused_by_ip(void)
{
	struct nfsync_state *st = world_state(1);
	struct sock *sk = nd->transport.sk;

	KTAP_ASSERT(st);
	nfsync_queue_update(nd, st, false);
	WRITE_ONCE(nd->transport.sk, NULL);
	flush();
	WRITE_ONCE(nd->transport.sk, sk);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_OERRORS), 1);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_OPACKETS), 0);
	KTAP_EXPECT_EQ(st->marker, NFSYNC_Q_NONE);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(each_kind),
	KTAP_TEST(more_than_the_budget),
	KTAP_TEST(smallest_mtu),
	KTAP_TEST(no_way_out),
	KTAP_TEST(refused_by_ip),
};

KTAP_SUITE(tests, begin, end);
