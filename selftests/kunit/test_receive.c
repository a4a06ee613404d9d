// SPDX-License-Identifier: GPL-2.0
/*
 * receive.c: what is done with each message of a frame, and what is not.
 * Frames that are no frames are the business of test_wire.c and badinput.sh.
 */
#include "ktap.h"
#include "map.h"
#include "world.h"

#define PEER	0x77777777
#define ADDR	htonl(0x0a000902)

static struct nfsync_dev *nd;
static u8 data[1400];
static size_t len;
static u32 seq;
static struct nfsync_msg_state msg;	/* too large for the stack */

static int begin(struct kunit *kunit)
{
	int err = world_begin(true);

	nd = world_dev();
	seq = 1000;
	return err;
}

static void end(struct kunit *kunit)
{
	world_end();
}

/* A frame of a Linux node, or of one that does not number its own */
static void frame(u32 creatorid)
{
	const struct nfsync_msg_frame m = {
		.creatorid = creatorid, .incarnation = 3, .seq = seq++,
	};

	len = NFSYNC_WIRE_HDR_LEN;
	if (!creatorid)
		return;
	len += nfsync_wire_put_subh(data + len, NFSYNC_WIRE_V6,
				    NFSYNC_ACT_FRAME, 1);
	len += nfsync_wire_put_frame(data + len, &m);
}

static u8 *section(u8 action)
{
	len += nfsync_wire_put_subh(data + len, NFSYNC_WIRE_V6, action, 1);
	return data + len;
}

static void arrive(void)
{
	nfsync_wire_put_hdr(data, NFSYNC_WIRE_V6, len);
	world_receive(ADDR, data, len);
}

static void ids_from(u32 sender, u8 action, u64 id, u32 creatorid)
{
	frame(sender);
	len += nfsync_wire_put_id(section(action), id, creatorid);
	arrive();
}

static void ids(u8 action, u64 id, u32 creatorid)
{
	ids_from(PEER, action, id, creatorid);
}

static void fill_state(u16 port, u64 id, u32 creatorid)
{
	const struct nfsync_map_ct pic = {
		.tuple[0].src = { { 10, 0, 1, 2 }, port },
		.tuple[0].dst = { { 10, 0, 2, 2 }, 53 },
		.tuple[1].src = { { 10, 0, 2, 2 }, 53 },
		.tuple[1].dst = { { 10, 0, 1, 2 }, port },
		.expire = 100, .af = NFSYNC_AF_INET, .proto = IPPROTO_UDP,
		.seen_reply = true,
	};

	nfsync_map_export(&pic, &msg);
	msg.id = id;
	msg.creatorid = creatorid;
}

/* As a BSD sends it; of all of it only the name counts */
static void send_del(u32 sender)
{
	frame(sender);
	len += nfsync_wire_put_subh_len(data + len, NFSYNC_ACT_DEL, 1,
					NFSYNC_WIRE_STATE6_LEN);
	len += nfsync_wire_put_state_bare(data + len, NFSYNC_WIRE_V6, &msg);
	arrive();
}

static void send_state(u32 sender, u8 action)
{
	frame(sender);
	len += nfsync_wire_put_state(section(action), NFSYNC_WIRE_V6, &msg);
	arrive();
}

static void state(u8 action, u16 port, u64 id, u32 creatorid)
{
	fill_state(port, id, creatorid);
	send_state(PEER, action);
}

static struct nfsync_state *found(u64 id, u32 creatorid)
{
	struct nfsync_state *st;

	rcu_read_lock();
	st = nfsync_state_find_id(nd, id, creatorid);
	rcu_read_unlock();
	return st;
}

/* Ids that are owed: who, over all slices */
static unsigned int owed(size_t offset)
{
	unsigned int i, n = 0;

	for (i = 0; i < nd->queue.n_slices; i++) {
		const void *sl = &nd->queue.slice[i];

		n += ((const struct nfsync_idq *)(sl + offset))->n;
	}
	return n;
}

#define OWED(member)	owed(offsetof(struct nfsync_slice, member))

static void an_entry_is_made(void)
{
	struct nfsync_state *st;

	state(NFSYNC_ACT_INS, 1, 5, PEER);
	st = found(5, PEER);
	KTAP_ASSERT(st);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_RX_INS), 1);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_IMP_CREATED), 1);
	KTAP_EXPECT_EQ(OWED(ack), 0);

	/* again, and it is to be acknowledged */
	fill_state(1, 5, PEER);
	msg.state_flags |= NFSYNC_STATE_ACK;
	send_state(PEER, NFSYNC_ACT_INS);
	KTAP_EXPECT(found(5, PEER) == st);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_IMP_CREATED), 1);
	KTAP_EXPECT_EQ(OWED(ack), 1);

	/* what it was told of a BSD too, and by UPD */
	fill_state(2, 6, PEER);
	send_state(0, NFSYNC_ACT_UPD);
	KTAP_EXPECT(found(6, PEER));
}

static void values_that_cannot_be(void)
{
	fill_state(1, 5, PEER);
	msg.peer[0].level = NFSYNC_LEVEL_MAX + 1;
	send_state(PEER, NFSYNC_ACT_INS);
	state(NFSYNC_ACT_INS, 1, 5, 0);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_BADVAL), 2);
	KTAP_EXPECT_EQ(nfsync_state_count(&nd->table), 0);
}

/* Nobody creates in our name, but what we created may come back to us */
static void in_our_name(void)
{
	state(NFSYNC_ACT_INS, 1, 5, WORLD_HOSTID);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_IMP_OWNID), 1);
	KTAP_EXPECT(!found(5, WORLD_HOSTID));
	state(NFSYNC_ACT_UPD, 1, 5, WORLD_HOSTID);
	KTAP_EXPECT(found(5, WORLD_HOSTID));

	/* a whole frame of ours: its number is not believed */
	fill_state(2, 6, PEER);
	send_state(WORLD_HOSTID, NFSYNC_ACT_INS);
	KTAP_EXPECT(found(6, PEER));
	KTAP_EXPECT(nd->peers.ownid_logged);
}

static void once(void)
{
	state(NFSYNC_ACT_INS, 1, 5, PEER);
	seq--;
	state(NFSYNC_ACT_INS, 2, 6, PEER);
	KTAP_EXPECT(!found(6, PEER));
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_RX_LATE), 1);
	state(NFSYNC_ACT_INS, 3, 7, PEER);
	seq--;
	state(NFSYNC_ACT_INS, 2, 6, PEER);
	KTAP_EXPECT(!found(6, PEER));
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_RX_LATE) +
		       world_stat(PFSYNC_STAT_RX_TWICE), 2);
}

static void short_updates(void)
{
	struct nfsync_msg_upd_c m = {
		.id = 5, .creatorid = PEER, .expire = 100,
		.timeout = NFSYNC_TMO_UDP_MULTIPLE,
		.peer[0].level = NFSYNC_OTHERS_MULTIPLE,
		.peer[1].level = NFSYNC_OTHERS_MULTIPLE,
	};
	int i;

	/* not here: asked for, but not over and over */
	for (i = 0; i < 3; i++) {
		frame(PEER);
		len += nfsync_wire_put_upd_c(section(NFSYNC_ACT_UPD_C), &m);
		arrive();
	}
	KTAP_EXPECT_EQ(OWED(req), 1);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_REQ_LIMITED), 2);

	state(NFSYNC_ACT_INS, 1, 5, PEER);
	frame(PEER);
	len += nfsync_wire_put_upd_c(section(NFSYNC_ACT_UPD_C), &m);
	arrive();
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_IMP_UPDATED), 1);

	m.timeout = NFSYNC_TMO_MAX;
	frame(PEER);
	len += nfsync_wire_put_upd_c(section(NFSYNC_ACT_UPD_C), &m);
	arrive();
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_BADVAL), 1);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_IMP_UPDATED), 1);
}

static void asked_for(void)
{
	struct nfsync_state *st = world_learned(1, 5, PEER);

	KTAP_ASSERT(st);
	ids(NFSYNC_ACT_UPD_REQ, 5, PEER);
	KTAP_EXPECT_EQ(st->marker, NFSYNC_Q_UPD);
	KTAP_EXPECT_EQ(world_runs(), 1);
	ids(NFSYNC_ACT_UPD_REQ, 6, PEER);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_BADSTATE), 1);
	ids(NFSYNC_ACT_INS_ACK, 5, PEER);
	ids(NFSYNC_ACT_INS_ACK, 6, PEER);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_BADSTATE), 2);
}

static void asked_for_all(void)
{
	nd->bulk.teller.state = NFSYNC_TELLER_DRAINING;
	ids(NFSYNC_ACT_UPD_REQ, 0, 0);
	KTAP_EXPECT_EQ(nd->bulk.teller.again, 1);
	nd->bulk.teller = (struct nfsync_teller) {};
}

/* As if packets of it had come just now */
static void passes(struct nfsync_state *st)
{
	nfsync_state_assume(st);
	clear_bit(NFSYNC_ST_ASSUMED, &st->flags);
}

/* A Linux node knows what moves there: only packets here know better */
static void ended_by_a_node(void)
{
	struct nfsync_state *st = world_learned(1, 5, PEER);

	KTAP_ASSERT(st);
	passes(st);
	ids(NFSYNC_ACT_DEL_C, 5, PEER);
	KTAP_EXPECT(found(5, PEER) == st);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_DEL_REFUSED), 1);
	KTAP_EXPECT_EQ(st->marker, NFSYNC_Q_UPD);

	/* what is assumed of an older entry is none */
	nfsync_state_assume(st);
	ids(NFSYNC_ACT_DEL_C, 5, PEER);
	KTAP_EXPECT(!found(5, PEER));
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_IMP_DELETED), 1);
	ids(NFSYNC_ACT_DEL_C, 5, PEER);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_BADSTATE), 1);
}

/* Its end is announced by who moves it, and not by who only knows it too */
static void who_moves_it_owns_it(void)
{
	struct nfsync_state *st = world_state(1);

	KTAP_ASSERT(st);
	set_bit(NFSYNC_ST_LOCAL, &st->flags);
	state(NFSYNC_ACT_UPD, 1, st->id, WORLD_HOSTID);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_IMP_UPDATED), 1);
	KTAP_EXPECT(test_bit(NFSYNC_ST_LOCAL, &st->flags));

	fill_state(1, st->id, WORLD_HOSTID);
	msg.ext.status |= NFSYNC_EXT_MOVES;
	passes(st);
	send_state(PEER, NFSYNC_ACT_UPD);
	KTAP_EXPECT(test_bit(NFSYNC_ST_LOCAL, &st->flags));

	WRITE_ONCE(st->seen_at[0], (u32)jiffies - NFSYNC_STATE_MOVES);
	WRITE_ONCE(st->seen_at[1], (u32)jiffies - NFSYNC_STATE_MOVES);
	send_state(PEER, NFSYNC_ACT_UPD);
	KTAP_EXPECT(!test_bit(NFSYNC_ST_LOCAL, &st->flags));
}

/*
 * A peer may have the truth of a flow that is silent there, by packets that it
 * could tell nobody of: its next packet here is told
 */
static void what_a_transfer_says_may_be_the_truth(void)
{
	struct nfsync_state *st = world_state(1);

	KTAP_ASSERT(st);
	state(NFSYNC_ACT_UPD, 1, st->id, WORLD_HOSTID);
	KTAP_EXPECT(test_bit(NFSYNC_ST_ELSEWHERE, &st->flags));

	clear_bit(NFSYNC_ST_ELSEWHERE, &st->flags);
	state(NFSYNC_ACT_UPD, 1, st->id, WORLD_HOSTID);
	KTAP_EXPECT(!test_bit(NFSYNC_ST_ELSEWHERE, &st->flags));

	/* the next transfer, of what passes here and of what does not */
	passes(st);
	WRITE_ONCE(nd->bulk.gen, nd->bulk.gen + 1);
	state(NFSYNC_ACT_UPD, 1, st->id, WORLD_HOSTID);
	KTAP_EXPECT(!test_bit(NFSYNC_ST_ELSEWHERE, &st->flags));
	nfsync_state_assume_not(st);
	WRITE_ONCE(nd->bulk.gen, nd->bulk.gen + 1);
	state(NFSYNC_ACT_UPD, 1, st->id, WORLD_HOSTID);
	KTAP_EXPECT(test_bit(NFSYNC_ST_ELSEWHERE, &st->flags));
}

/* A BSD says of all that expires there: what moved here since is alive */
static void ended_by_a_bsd(void)
{
	struct nfsync_state *learned = world_learned(1, 5, PEER);
	struct nfsync_state *ours = world_state(2);
	u64 id;

	KTAP_ASSERT(learned && ours);
	id = ours->id;
	WRITE_ONCE(learned->seen_at[1], READ_ONCE(learned->peer_at) + 1);
	ids_from(0, NFSYNC_ACT_DEL_C, 5, PEER);
	ids_from(0, NFSYNC_ACT_DEL_C, id, WORLD_HOSTID);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_DEL_REFUSED), 2);
	KTAP_EXPECT(found(5, PEER) && found(id, WORLD_HOSTID));

	WRITE_ONCE(learned->peer_at, (u32)jiffies);
	clear_bit(NFSYNC_ST_LOCAL, &ours->flags);
	fill_state(1, 5, PEER);
	send_del(0);
	ids_from(0, NFSYNC_ACT_DEL_C, id, WORLD_HOSTID);
	KTAP_EXPECT(!found(5, PEER) && !found(id, WORLD_HOSTID));
	KTAP_EXPECT_EQ(nfsync_state_count(&nd->table), 0);
}

/* Of what has ended news are not believed at once */
static void news_of_the_dead(void)
{
	/* a peer said so: is it still somewhere? */
	ids(NFSYNC_ACT_DEL_C, 5, PEER);
	state(NFSYNC_ACT_INS, 1, 5, PEER);
	KTAP_EXPECT(!found(5, PEER));
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_TOMB_ASKED), 1);
	KTAP_EXPECT_EQ(OWED(req), 1);

	/* it ended here: so it is told, until it shows that it is alive */
	nfsync_tomb_put(nd, 6, PEER, NFSYNC_TOMB_ENDED);
	state(NFSYNC_ACT_INS, 2, 6, PEER);
	state(NFSYNC_ACT_INS, 2, 6, PEER);
	KTAP_EXPECT(!found(6, PEER));
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_TOMB_DENIED), 2);
	KTAP_EXPECT_EQ(OWED(deny), 2);
	fill_state(2, 6, PEER);
	msg.ext.status |= NFSYNC_EXT_MOVES;
	send_state(PEER, NFSYNC_ACT_INS);
	KTAP_EXPECT(found(6, PEER));

	/* our own that is not here has ended, remembered or not */
	state(NFSYNC_ACT_UPD, 3, nd->table.first_id, WORLD_HOSTID);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_TOMB_DENIED), 3);
	KTAP_EXPECT(!found(nd->table.first_id, WORLD_HOSTID));
}

/* Who does not hear that it ended keeps it: as if a frame had been lost */
static void more_dead_than_can_be_denied(void)
{
	unsigned int most = NFSYNC_IDQ_MAX * nd->queue.n_slices;
	int refused = atomic_read(&nd->bulk.refused);
	unsigned int i;

	for (i = 0; i <= most; i++) {
		nfsync_tomb_put(nd, 100 + i, PEER, NFSYNC_TOMB_ENDED);
		state(NFSYNC_ACT_INS, 2, 100 + i, PEER);
	}
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_TOMB_DENIED), most + 1);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_DENY_LIMITED),
		       most + 1 - OWED(deny));
	KTAP_EXPECT_EQ(atomic_read(&nd->bulk.refused) - refused,
		       most + 1 - OWED(deny));
}

static void clear(u32 creatorid, const char *ifname)
{
	struct nfsync_msg_clr m = { .creatorid = creatorid };

	strscpy(m.ifname, ifname, sizeof(m.ifname));
	frame(PEER);
	len += nfsync_wire_put_clr(section(NFSYNC_ACT_CLR), &m);
	arrive();
}

static void cleared(void)
{
	struct nfsync_state *moves = world_state(9);
	struct nfsync_state *moved = world_learned(10, 8, PEER);
	u64 refused;

	KTAP_ASSERT(moves && moved && world_learned(1, 5, PEER) &&
		    world_learned(2, 6, PEER + 1));
	passes(moves);
	clear(0, "");
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_BADVAL), 1);
	clear(PEER, "eth7");
	flush_work(&nd->clr.work);
	KTAP_EXPECT(found(5, PEER));

	/* what passes here now is no longer its creator's business */
	passes(moved);
	clear(PEER, "all");
	clear(PEER, "");
	flush_work(&nd->clr.work);
	KTAP_EXPECT(!found(5, PEER));
	KTAP_EXPECT(found(6, PEER + 1));
	KTAP_EXPECT(found(8, PEER));
	KTAP_EXPECT(world_stat(PFSYNC_STAT_DEL_REFUSED) >= 1);
	nfsync_state_assume_not(moved);
	clear(PEER, "");
	flush_work(&nd->clr.work);
	KTAP_EXPECT(!found(8, PEER));

	refused = world_stat(PFSYNC_STAT_DEL_REFUSED);
	passes(moves);
	clear(WORLD_HOSTID, "");
	flush_work(&nd->clr.work);
	KTAP_EXPECT_EQ(nfsync_state_count(&nd->table), 2);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_DEL_REFUSED), refused + 1);

	/* what comes after it stays */
	clear(PEER, "");
	state(NFSYNC_ACT_INS, 1, 7, PEER);
	flush_work(&nd->clr.work);
	KTAP_EXPECT(found(7, PEER));
}

/* More creators than are remembered until the walk: counted, not obeyed */
static void cleared_by_many(void)
{
	unsigned int i;

	for (i = 0; i < NFSYNC_CLR_MAX; i++)
		nd->clr.v[i].creatorid = 1000 + i;
	nd->clr.n = NFSYNC_CLR_MAX;
	clear(PEER, "");
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_CLR_LIMITED), 1);
	clear(1003, "");
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_CLR_LIMITED), 1);
	flush_work(&nd->clr.work);
	KTAP_EXPECT_EQ(nd->clr.n, 0);
}

static void hello(u32 sender, u8 verdict)
{
	const struct nfsync_msg_hello m = {
		.creatorid = PEER, .verdict = verdict,
	};

	frame(sender);
	len += nfsync_wire_put_hello(section(NFSYNC_ACT_HELLO), &m);
	arrive();
}

static void hellos_and_totals(void)
{
	struct nfsync_msg_total m = {
		.creatorid = PEER, .verdict = __PFSYNC_VERDICT_MAX,
	};
	struct nfsync_peer peer;

	hello(PEER, __PFSYNC_VERDICT_MAX);
	hello(0, PFSYNC_VERDICT_IN_SYNC);
	frame(PEER);
	len += nfsync_wire_put_total(section(NFSYNC_ACT_TOTAL), &m);
	arrive();
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_BADVAL), 3);

	hello(PEER, PFSYNC_VERDICT_IN_SYNC);
	KTAP_EXPECT(nfsync_peer_get(nd, 0, &peer));
	KTAP_EXPECT_EQ(peer.creatorid, PEER);
	KTAP_EXPECT_EQ(peer.hello.verdict, PFSYNC_VERDICT_IN_SYNC);
	KTAP_EXPECT(nfsync_peer_serves(nd));

	m.verdict = PFSYNC_VERDICT_IN_SYNC;
	m.count = 9;
	nd->bulk.asker.state = NFSYNC_ASKER_RECEIVING;
	nd->bulk.asker.from = PEER;
	frame(PEER);
	len += nfsync_wire_put_total(section(NFSYNC_ACT_TOTAL), &m);
	arrive();
	KTAP_EXPECT_EQ(nd->bulk.total.count, 9);
	nd->bulk.asker = (struct nfsync_asker) {};
}

/* Known by its size, an action of ours that nobody handles, or by neither */
static void passed_over(void)
{
	static const struct nfsync_msg_tdb none = { .af = NFSYNC_AF_INET };

	frame(PEER);
	len += nfsync_wire_put_tdb(section(NFSYNC_ACT_TDB), &none);
	arrive();
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_RX_TDB), 1);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_IPACKETS), 1);
}

/* Not understood, so no peer; but its frame came now, not before we booted */
static void a_foreign_version(void)
{
	struct nfsync_peer peer;

	frame(0);
	nfsync_wire_put_hdr(data, NFSYNC_WIRE_V6, len);
	data[0] = 5;
	world_receive(ADDR, data, len);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_BADVER), 1);
	KTAP_ASSERT(nfsync_peer_get(nd, 0, &peer));
	KTAP_EXPECT(!peer.live);
	KTAP_EXPECT_EQ(peer.saddr, ADDR);
	KTAP_EXPECT(time_before(jiffies, peer.heard + 600 * HZ));
}

static void while_down(void)
{
	WRITE_ONCE(nd->up, false);
	state(NFSYNC_ACT_INS, 1, 5, PEER);
	KTAP_EXPECT_EQ(world_stat(PFSYNC_STAT_RX_DOWN), 1);
	KTAP_EXPECT_EQ(nfsync_state_count(&nd->table), 0);
	WRITE_ONCE(nd->up, true);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(an_entry_is_made),
	KTAP_TEST(values_that_cannot_be),
	KTAP_TEST(in_our_name),
	KTAP_TEST(once),
	KTAP_TEST(short_updates),
	KTAP_TEST(asked_for),
	KTAP_TEST(asked_for_all),
	KTAP_TEST(ended_by_a_node),
	KTAP_TEST(who_moves_it_owns_it),
	KTAP_TEST(what_a_transfer_says_may_be_the_truth),
	KTAP_TEST(ended_by_a_bsd),
	KTAP_TEST(news_of_the_dead),
	KTAP_TEST(more_dead_than_can_be_denied),
	KTAP_TEST(cleared),
	KTAP_TEST(cleared_by_many),
	KTAP_TEST(hellos_and_totals),
	KTAP_TEST(passed_over),
	KTAP_TEST(a_foreign_version),
	KTAP_TEST(while_down),
};

KTAP_SUITE(tests, begin, end);
