// SPDX-License-Identifier: GPL-2.0
/*
 * state.c: found by both names or by none, references, and the walk that
 * misses nothing.
 */
#include "conntrack.h"
#include "ktap.h"
#include "world.h"

#define PEER	0x77777777

static struct nfsync_dev *nd;

static int begin(struct kunit *kunit)
{
	int err = world_begin(true);

	nd = world_dev();
	return err;
}

static void end(struct kunit *kunit)
{
	world_end();
}

static struct nfsync_state *by_ct(const struct nf_conn *ct)
{
	struct nfsync_state *st;

	rcu_read_lock();
	st = nfsync_state_find_ct(nd, ct);
	rcu_read_unlock();
	return st;
}

static struct nfsync_state *by_id(u64 id, u32 creatorid)
{
	struct nfsync_state *st;

	rcu_read_lock();
	st = nfsync_state_find_id(nd, id, creatorid);
	rcu_read_unlock();
	return st;
}

static struct nfsync_state *learn(struct nf_conn *ct, u64 id, u32 creatorid)
{
	struct nfsync_state *st;

	rcu_read_lock();
	st = nfsync_state_learn(nd, ct, id, creatorid);
	rcu_read_unlock();
	return st;
}

static unsigned int uses(const struct nf_conn *ct)
{
	return refcount_read(&ct->ct_general.use);
}

static void one_of_our_own(void)
{
	struct nfsync_state *st = world_state(1);

	KTAP_ASSERT(st);
	KTAP_EXPECT(by_ct(st->ct) == st);
	KTAP_EXPECT(by_id(st->id, WORLD_HOSTID) == st);
	KTAP_EXPECT(!by_id(st->id, PEER));
	KTAP_EXPECT(!by_id(st->id + 1, WORLD_HOSTID));
	KTAP_EXPECT_EQ(st->flags, BIT(NFSYNC_ST_LOCAL));
	KTAP_EXPECT_EQ(refcount_read(&st->refs), 1);
	/* the table's and ours */
	KTAP_EXPECT_EQ(uses(st->ct), 2);
	KTAP_EXPECT_EQ(nfsync_state_count(&nd->table), 1);
	KTAP_EXPECT(st->id >= nd->table.first_id);
	KTAP_EXPECT_EQ(st->slice, nfsync_queue_slice(nd, st->ct));
	KTAP_EXPECT(!nfsync_state_moves(st));
}

static void one_of_a_peer(void)
{
	struct nfsync_state *st = world_learned(1, 5, PEER);

	KTAP_ASSERT(st);
	KTAP_EXPECT(by_id(5, PEER) == st);
	KTAP_EXPECT(by_ct(st->ct) == st);
	KTAP_EXPECT_EQ(st->flags,
		       BIT(NFSYNC_ST_LEARNED) | BIT(NFSYNC_ST_TOLD));
	/* a sweep that comes right after it finds it marked */
	KTAP_EXPECT_EQ(st->heard_gen, nd->bulk.gen);
}

/* The names of 64 and of 32 bits are one key: none of the bits is left out */
static void all_of_the_id_counts(void)
{
	struct nfsync_state *st = world_learned(1, 0x123456789abcdef0, PEER);
	int i;

	KTAP_ASSERT(st);
	for (i = 0; i < 64; i++)
		KTAP_EXPECT(!by_id(st->id ^ BIT_ULL(i), PEER));
	for (i = 0; i < 32; i++)
		KTAP_EXPECT(!by_id(st->id, PEER ^ BIT(i)));
	KTAP_EXPECT(by_id(st->id, PEER) == st);
}

static void ids_go_up(void)
{
	u64 last = nd->table.first_id - 1;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		struct nfsync_state *st = world_state(i);

		KTAP_ASSERT(st);
		KTAP_EXPECT_EQ(st->id, last + 1);
		last = st->id;
	}
	nfsync_state_start(nd);
	KTAP_EXPECT_EQ(nd->table.first_id, last + 1);
}

/* By one name twice: the second is in neither table, and holds nothing */
static void no_name_twice(void)
{
	struct nfsync_state *st = world_learned(1, 5, PEER);
	struct nf_conn *other = world_entry(2);

	KTAP_ASSERT(st && other);
	KTAP_EXPECT(!learn(other, 5, PEER));
	KTAP_EXPECT(!by_ct(other));
	KTAP_EXPECT_EQ(uses(other), 2);

	KTAP_EXPECT(!learn(st->ct, 6, PEER));
	KTAP_EXPECT(!by_id(6, PEER));
	KTAP_EXPECT(by_id(5, PEER) == st);
	KTAP_EXPECT_EQ(uses(st->ct), 2);

	rcu_read_lock();
	KTAP_EXPECT(!nfsync_state_new(nd, st->ct));
	rcu_read_unlock();
	/* somebody was faster: that is no lack of memory */
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_STATE_NOMEM), 0);
	KTAP_EXPECT_EQ(nfsync_state_count(&nd->table), 1);
	nf_ct_put(other);
}

static void unfindable_and_gone(void)
{
	struct nfsync_state *st = world_learned(1, 5, PEER);
	struct nf_conn *ct = st->ct;

	KTAP_ASSERT(st);
	KTAP_ASSERT(nfsync_state_get(st));
	KTAP_EXPECT(nfsync_queue_delete(nd, st, false, false));
	nfsync_state_unhash(nd, st);
	KTAP_EXPECT(!by_id(5, PEER));
	KTAP_EXPECT(!by_ct(ct));
	KTAP_EXPECT_EQ(nfsync_state_count(&nd->table), 0);
	/* who has it still has its entry */
	KTAP_EXPECT_EQ(refcount_read(&st->refs), 1);
	KTAP_EXPECT_EQ(uses(ct), 2);

	rcu_read_lock();
	nfsync_state_put(st);
	KTAP_EXPECT_EQ(uses(ct), 1);
	/* the memory stays for who found it before */
	KTAP_EXPECT(!nfsync_state_get(st));
	KTAP_EXPECT_EQ(st->id, 5);
	rcu_read_unlock();

	/* the name can be given again */
	KTAP_EXPECT(learn(ct, 5, PEER));
}

static void what_counts_as_moving(void)
{
	struct nfsync_state *st = world_state(1);

	KTAP_ASSERT(st);
	nfsync_state_assume(st);
	KTAP_EXPECT(nfsync_state_moves(st));
	KTAP_EXPECT(test_bit(NFSYNC_ST_ASSUMED, &st->flags));
	nfsync_state_assume_not(st);
	KTAP_EXPECT(!nfsync_state_moves(st));
	KTAP_EXPECT(!test_bit(NFSYNC_ST_ASSUMED, &st->flags));
	WRITE_ONCE(st->seen_at[IP_CT_DIR_REPLY], (u32)jiffies);
	KTAP_EXPECT(nfsync_state_moves(st));
}

/* Half of its time, a second at least, and no overflow */
static void when_to_tell_again(void)
{
	static const struct { u32 expire, after; } of[] = {
		{ 0, 1 }, { 1, 1 }, { 2, 1 }, { 10, 5 }, { 432000, 216000 },
		{ U32_MAX, S32_MAX / HZ / 2 },
	};
	struct nfsync_state *st = world_state(1);
	unsigned int i;
	u32 left;

	KTAP_ASSERT(st);
	for (i = 0; i < ARRAY_SIZE(of); i++) {
		nfsync_state_refresh(st, of[i].expire);
		left = st->refresh_at - (u32)jiffies;
		KTAP_EXPECT_MSG(left <= of[i].after * HZ &&
				left + 60 * HZ > of[i].after * HZ,
				"%u s: told again in %u jiffies", of[i].expire,
				left);
	}
}

/* 0 would be the whole time of its state to a peer */
static void the_last_second_is_one(void)
{
	static const struct { s32 left; u32 told; } of[] = {
		{ -2 * HZ, 1 }, { 0, 1 }, { HZ, 1 }, { 2 * HZ, 2 },
		{ 60 * HZ, 60 },
	};
	struct nfsync_state *st = world_state(1);
	struct nfsync_map_ct pic;
	unsigned int i;

	KTAP_ASSERT(st);
	for (i = 0; i < ARRAY_SIZE(of); i++) {
		spin_lock_bh(&st->ct->lock);
		/* and a half: time passes until it is read */
		st->ct->timeout = nfct_time_stamp + of[i].left + HZ / 2;
		nfsync_conntrack_picture(st, st->ct, &pic);
		spin_unlock_bh(&st->ct->lock);
		KTAP_EXPECT_MSG(pic.expire == of[i].told, "%d ticks: %u s",
				of[i].left, pic.expire);
	}
}

/* The walk */

#define MANY	1000

static u16 visits[MANY];
static struct nfsync_state *many[MANY];
static unsigned int breaths;

static bool visit(struct nfsync_dev *dev, struct nfsync_state *st, void *arg)
{
	unsigned int *stop = arg;

	visits[st->id]++;
	return st->id % 2 || (stop && st->id < *stop);
}

static void breathe(struct nfsync_dev *dev)
{
	breaths++;
}

static void make_many(void)
{
	unsigned int i;

	memset(visits, 0, sizeof(visits));
	breaths = 0;
	for (i = 0; i < MANY; i++) {
		many[i] = world_learned(i, i, PEER);
		KTAP_ASSERT(many[i]);
	}
	KTAP_EXPECT_EQ(nfsync_state_count(&nd->table), MANY);
}

static unsigned int unseen(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < MANY; i++)
		n += !visits[i];
	return n;
}

static void each_is_visited_once(void)
{
	unsigned int i, n, twice = 0;

	make_many();
	/* the table grows in a work of its own, and then a walk begins anew */
	flush_work(&nd->table.by_id.run_work);
	n = nfsync_state_walk(nd, visit, NULL, breathe);
	for (i = 0; i < MANY; i++)
		twice += visits[i] > 1;
	KTAP_EXPECT_EQ(unseen(), 0);
	KTAP_EXPECT_EQ(twice, 0);
	KTAP_EXPECT_EQ(n, MANY / 2);
	KTAP_EXPECT_EQ(breaths, MANY / NFSYNC_STATE_CHUNK);
	for (i = 0; i < MANY; i++)
		KTAP_EXPECT_EQ(refcount_read(&many[i]->refs), 1);
}

/* While the walk rests a good part of the table goes, its place with it */
static unsigned int killed;

static void kill_most(struct nfsync_dev *dev)
{
	unsigned int i;

	if (breaths++)
		return;
	for (i = 0; i < MANY; i++) {
		if (i % 4 == 3)
			continue;
		world_kill(many[i]);
		many[i] = NULL;
		killed++;
	}
}

static void what_stays_is_not_missed(void)
{
	unsigned int i;

	make_many();
	killed = 0;
	nfsync_state_walk(nd, visit, NULL, kill_most);
	KTAP_EXPECT_EQ(killed, MANY * 3 / 4);
	for (i = 3; i < MANY; i += 4)
		KTAP_EXPECT(visits[i]);
	KTAP_EXPECT_EQ(nfsync_state_count(&nd->table), MANY - killed);
}

/* And when it grows */
static void add_some(struct nfsync_dev *dev)
{
	unsigned int i;

	for (i = 0; i < 200 && breaths < 20; i++)
		KTAP_EXPECT(world_learned(MANY + 200 * breaths + i,
					  i % MANY, PEER + 1 + breaths));
	breaths++;
}

static void a_growing_table_ends_the_walk(void)
{
	make_many();
	nfsync_state_walk(nd, visit, NULL, add_some);
	KTAP_EXPECT_EQ(unseen(), 0);
	KTAP_EXPECT(breaths >= MANY / NFSYNC_STATE_CHUNK);
}

/* A visitor may end the one it is given, also the one at which it rests */
static bool end_it(struct nfsync_dev *dev, struct nfsync_state *st, void *arg)
{
	many[st->id] = NULL;
	world_kill(st);
	return true;
}

static void ended_by_the_visitor(void)
{
	make_many();
	while (nfsync_state_count(&nd->table))
		KTAP_ASSERT(nfsync_state_walk(nd, end_it, NULL, breathe));
}

static void flushed(void)
{
	struct nf_conn *ct;
	unsigned int i;

	make_many();
	ct = many[0]->ct;
	for (i = 0; i < MANY; i += 3)
		nfsync_queue_update(nd, many[i], false);
	nfsync_state_flush(nd);
	KTAP_EXPECT_EQ(nfsync_state_count(&nd->table), 0);
	/* the entries stay */
	KTAP_EXPECT_EQ(uses(ct), 1);
	for (i = 0; i < nd->queue.n_slices; i++)
		KTAP_EXPECT_EQ(nd->queue.slice[i].n[NFSYNC_Q_UPD_C], 0);
}

/* Nobody can aim at a slice, and none is left out */
static void slices_share_the_flows(void)
{
	unsigned int i, n[64] = { 0 };

	make_many();
	for (i = 0; i < MANY; i++) {
		KTAP_ASSERT(many[i]->slice < nd->queue.n_slices);
		n[many[i]->slice % 64]++;
	}
	for (i = 0; i < min(nd->queue.n_slices, 64U); i++)
		KTAP_EXPECT(n[i] > MANY / nd->queue.n_slices / 2);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(one_of_our_own),
	KTAP_TEST(one_of_a_peer),
	KTAP_TEST(all_of_the_id_counts),
	KTAP_TEST(ids_go_up),
	KTAP_TEST(no_name_twice),
	KTAP_TEST(unfindable_and_gone),
	KTAP_TEST(what_counts_as_moving),
	KTAP_TEST(when_to_tell_again),
	KTAP_TEST(the_last_second_is_one),
	KTAP_TEST(each_is_visited_once),
	KTAP_TEST(what_stays_is_not_missed),
	KTAP_TEST(a_growing_table_ends_the_walk),
	KTAP_TEST(ended_by_the_visitor),
	KTAP_TEST(flushed),
	KTAP_TEST(slices_share_the_flows),
};

KTAP_SUITE(tests, begin, end);
