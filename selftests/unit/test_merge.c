// SPDX-License-Identifier: GPL-2.0
/*
 * Whose side is newer: the table of rules walked, and two nodes that tell
 * each other until both hold the same.
 */
#include "ktap.h"
#include "map.h"
#include "merge.h"

#define TCP	6
#define UDP	17
#define ICMP	1

struct view {
	struct nfsync_msg_peer peer[2];
};

static void set(struct nfsync_msg_peer *p, u8 level, u32 seqlo)
{
	memset(p, 0, sizeof(*p));
	p->level = level;
	p->seqlo = seqlo;
	p->seqhi = seqlo + 1000;
	p->max_win = 1000;
}

static struct view view(u8 slevel, u32 sseq, u8 dlevel, u32 dseq)
{
	struct view v;

	set(&v.peer[NFSYNC_SRC], slevel, sseq);
	set(&v.peer[NFSYNC_DST], dlevel, dseq);
	return v;
}

static unsigned int merge(u8 proto, struct view own, struct view theirs)
{
	return nfsync_merge_peers(proto, own.peer, theirs.peer);
}

static void apply(struct view *own, const struct view *theirs, unsigned int m)
{
	if (m & NFSYNC_MERGE_TAKE_SRC)
		own->peer[NFSYNC_SRC] = theirs->peer[NFSYNC_SRC];
	if (m & NFSYNC_MERGE_TAKE_DST)
		own->peer[NFSYNC_DST] = theirs->peer[NFSYNC_DST];
}

static void serial_order(void)
{
	KTAP_EXPECT(nfsync_seq_after(1, 0));
	KTAP_EXPECT(!nfsync_seq_after(0, 0));
	KTAP_EXPECT(nfsync_seq_after(0, 0xffffffff));
	KTAP_EXPECT(nfsync_seq_after(100, 0xfffffff0));
	KTAP_EXPECT(!nfsync_seq_after(0xfffffff0, 100));
	KTAP_EXPECT(nfsync_seq_after(0x7fffffff, 0));
	KTAP_EXPECT_EQ(nfsync_seq_max(5, 0xfffffff0), 5);
	KTAP_EXPECT_EQ(nfsync_seq_max(0xfffffff0, 5), 5);
	KTAP_EXPECT_EQ(nfsync_seq_max(7, 7), 7);
}

static void equal_is_taken(void)
{
	struct view v = view(4, 10, 4, 20);

	KTAP_EXPECT_EQ(merge(TCP, v, v), NFSYNC_MERGE_TAKE_BOTH);
	KTAP_EXPECT_EQ(merge(UDP, v, v), NFSYNC_MERGE_TAKE_BOTH);
}

static void sides_are_independent(void)
{
	KTAP_EXPECT_EQ(merge(TCP, view(4, 11, 4, 20), view(4, 10, 4, 21)),
		       NFSYNC_MERGE_TAKE_DST | NFSYNC_MERGE_STALE);
	KTAP_EXPECT_EQ(merge(TCP, view(4, 10, 4, 21), view(4, 11, 4, 20)),
		       NFSYNC_MERGE_TAKE_SRC | NFSYNC_MERGE_STALE);
	KTAP_EXPECT_EQ(merge(TCP, view(4, 11, 4, 21), view(4, 10, 4, 20)),
		       NFSYNC_MERGE_STALE);
	KTAP_EXPECT_EQ(merge(TCP, view(7, 11, 4, 20), view(4, 10, 7, 20)),
		       NFSYNC_MERGE_TAKE_DST | NFSYNC_MERGE_STALE);
}

/* What a peer knows of kept sides: their right edges, where levels agree */
static void edges_of_kept_sides(void)
{
	static const struct {
		struct nfsync_msg_peer own[2], theirs[2];
		unsigned int verdict, edges;
	} t[] = {
		{ { { .level = 4, .seqhi = 10 }, { .level = 4, .seqhi = 20 } },
		  { { .level = 4, .seqhi = 11 }, { .level = 4, .seqhi = 20 } },
		  NFSYNC_MERGE_STALE,
		  NFSYNC_MERGE_EDGE_SRC | NFSYNC_MERGE_NUMBERS },
		{ { { .level = 4, .seqhi = 10 }, { .level = 4, .seqhi = 20 } },
		  { { .level = 4, .seqhi = 11 }, { .level = 4, .seqhi = 21 } },
		  NFSYNC_MERGE_STALE | NFSYNC_MERGE_TAKE_SRC,
		  NFSYNC_MERGE_EDGE_DST | NFSYNC_MERGE_NUMBERS },
		{ { { .level = 4, .seqhi = 10 }, { .level = 4, .seqhi = 20 } },
		  { { .level = 4, .seqhi = 9 }, { .level = 4, .seqhi = 20 } },
		  NFSYNC_MERGE_STALE, NFSYNC_MERGE_NUMBERS },
		{ { { .level = 7, .seqhi = 10 }, { .level = 4, .seqhi = 20 } },
		  { { .level = 4, .seqhi = 11 }, { .level = 4, .seqhi = 21 } },
		  NFSYNC_MERGE_STALE, NFSYNC_MERGE_EDGE_DST },
		{ { { .level = 4, .seqhi = 0xfffffff0 }, { .level = 4 } },
		  { { .level = 4, .seqhi = 5 }, { .level = 4 } },
		  NFSYNC_MERGE_STALE,
		  NFSYNC_MERGE_EDGE_SRC | NFSYNC_MERGE_NUMBERS },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		KTAP_EXPECT_EQ(nfsync_merge_edges(t[i].own, t[i].theirs,
						  t[i].verdict), t[i].edges);
}

/* A higher level is newer even when the sequence number is not, on both sides */
static void level_before_sequence(void)
{
	KTAP_EXPECT_EQ(merge(TCP, view(4, 50, 4, 50), view(7, 40, 4, 50)),
		       NFSYNC_MERGE_TAKE_BOTH);
	KTAP_EXPECT_EQ(merge(TCP, view(4, 50, 4, 50), view(4, 50, 7, 40)),
		       NFSYNC_MERGE_TAKE_BOTH);
	KTAP_EXPECT_EQ(merge(TCP, view(4, 50, 7, 50), view(4, 50, 4, 60)),
		       NFSYNC_MERGE_TAKE_SRC | NFSYNC_MERGE_STALE);
}

static void sequence_wraps(void)
{
	KTAP_EXPECT_EQ(merge(TCP, view(4, 0xfffffff0, 4, 5), view(4, 9, 4, 5)),
		       NFSYNC_MERGE_TAKE_BOTH);
	KTAP_EXPECT_EQ(merge(TCP, view(4, 9, 4, 5), view(4, 0xfffffff0, 4, 5)),
		       NFSYNC_MERGE_TAKE_DST | NFSYNC_MERGE_STALE);
}

/* Every pair of levels and the three orders of seqlo, against the rule */
static void every_level_pair(void)
{
	static const u32 seq[] = { 0xfffffff0, 0, 16 };
	unsigned int own, theirs, i;

	for (own = 0; own <= NFSYNC_LEVEL_MAX; own++) {
		for (theirs = 0; theirs <= NFSYNC_LEVEL_MAX; theirs++) {
			for (i = 0; i < 3; i++) {
				bool src = own > theirs && !(own > 10 && theirs < 11);
				bool dst = own > theirs;
				unsigned int m, want = 0;

				if (own == theirs && i == 0) {
					src = true;
					dst = true;
				}
				want |= src ? 0 : NFSYNC_MERGE_TAKE_SRC;
				want |= dst ? 0 : NFSYNC_MERGE_TAKE_DST;
				want |= src || dst ? NFSYNC_MERGE_STALE : 0;
				m = merge(TCP, view(own, 0, own, 0),
					  view(theirs, seq[i], theirs, seq[i]));
				KTAP_EXPECT_MSG(m == want,
						"own %u theirs %u seq %u: %#x not %#x",
						own, theirs, i, m, want);
			}
		}
	}
}

static void proxy_handshake_over(void)
{
	KTAP_EXPECT_EQ(merge(TCP, view(11, 50, 4, 0), view(4, 40, 4, 0)),
		       NFSYNC_MERGE_TAKE_BOTH);
	KTAP_EXPECT_EQ(merge(TCP, view(12, 50, 4, 0), view(2, 40, 4, 0)),
		       NFSYNC_MERGE_TAKE_BOTH);
	KTAP_EXPECT_EQ(merge(TCP, view(12, 50, 4, 0), view(11, 60, 4, 0)),
		       NFSYNC_MERGE_TAKE_DST | NFSYNC_MERGE_STALE);
	KTAP_EXPECT_EQ(merge(TCP, view(4, 0, 11, 50), view(4, 0, 4, 60)),
		       NFSYNC_MERGE_TAKE_SRC | NFSYNC_MERGE_STALE);
}

/* Without sequence numbers only the level counts, the proxy's name included */
static void others_by_level_alone(void)
{
	static const u8 protos[] = { UDP, ICMP, 58, 47 };
	size_t i;

	for (i = 0; i < sizeof(protos); i++) {
		KTAP_EXPECT_EQ(merge(protos[i], view(1, 50, 0, 50),
				     view(1, 40, 1, 40)),
			       NFSYNC_MERGE_TAKE_BOTH);
		KTAP_EXPECT_EQ(merge(protos[i], view(2, 0, 1, 0),
				     view(1, 0, 2, 0)),
			       NFSYNC_MERGE_TAKE_DST | NFSYNC_MERGE_STALE);
		KTAP_EXPECT_EQ(merge(protos[i], view(11, 0, 0, 0),
				     view(2, 0, 0, 0)),
			       NFSYNC_MERGE_TAKE_DST | NFSYNC_MERGE_STALE);
	}
}

/* One message from @from to @to; true when @to has to answer */
static bool tell(const struct view *from, struct view *to)
{
	unsigned int m = nfsync_merge_peers(TCP, to->peer, from->peer);

	apply(to, from, m);
	return m & NFSYNC_MERGE_STALE;
}

static bool same(const struct view *a, const struct view *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* @a speaks first; returns the messages that passed until nobody answers */
static unsigned int converse(struct view *a, struct view *b)
{
	unsigned int sent = 1;

	while (tell(a, b) && sent < 100) {
		struct view *t = a;

		a = b;
		b = t;
		sent++;
	}
	return sent;
}

static struct view random_view(u64 *seed)
{
	u64 r = ktap_random(seed);

	return view((r >> 8) % 11, 0xfffff000u + (r >> 16) % 0x2000,
		    (r >> 32) % 11, 0xfffff000u + (r >> 40) % 0x2000);
}

static void crossed_numbers_two_messages(void)
{
	struct view a = view(4, 2000, 4, 50), b = view(4, 1000, 4, 90);
	struct view want = view(4, 2000, 4, 90);

	KTAP_EXPECT_EQ(converse(&a, &b), 2);
	KTAP_EXPECT(same(&a, &want));
	KTAP_EXPECT(same(&b, &want));
}

static void any_two_views_two_messages(void)
{
	u64 seed = 7;
	int i;

	for (i = 0; i < 100000; i++) {
		struct view a = random_view(&seed), b = random_view(&seed);
		unsigned int sent = converse(&a, &b);

		KTAP_EXPECT_MSG(sent <= 2, "run %d: %u messages", i, sent);
		KTAP_EXPECT_MSG(same(&a, &b), "run %d: views differ", i);
	}
}

/*
 * Both speak at once: the two crossed messages already make the views the
 * same, the answers to them find nothing stale and nobody answers again.
 */
static void both_speak_at_once(void)
{
	u64 seed = 8;
	int i;

	for (i = 0; i < 100000; i++) {
		struct view a = random_view(&seed), b = random_view(&seed);
		struct view from_a = a, from_b = b;
		bool b_answers = tell(&from_a, &b);
		bool a_answers = tell(&from_b, &a);

		KTAP_EXPECT_MSG(same(&a, &b), "run %d: views differ", i);
		if (a_answers)
			KTAP_EXPECT(!tell(&a, &b));
		if (b_answers)
			KTAP_EXPECT(!tell(&b, &a));
	}
}

/* An old message that comes late moves nothing back */
static void late_message_changes_nothing(void)
{
	u64 seed = 9;
	int i;

	for (i = 0; i < 10000; i++) {
		struct view a = random_view(&seed), b = random_view(&seed);
		struct view old = b, merged;

		converse(&a, &b);
		merged = a;
		tell(&old, &a);
		KTAP_EXPECT_MSG(same(&a, &merged), "run %d: went back", i);
	}
}

static void kin_is_the_same_from_both_ends(void)
{
	static const u32 ends[] = { 0, 1, 1000, 4U << 20, 1U << 31, 0xfffffff0 };
	struct nfsync_merge_conn a, b;
	enum nfsync_merge_kin ab, ba;
	unsigned int i;

	/* 9 states, 2 ends of 6, packets or none, for each of the two */
	for (i = 0; i < 9 * 9 * 6 * 6 * 4; i++) {
		unsigned int n = i;

		a.tcp_state = NFSYNC_CT_SYN_SENT + n % 9;
		n /= 9;
		b.tcp_state = NFSYNC_CT_SYN_SENT + n % 9;
		n /= 9;
		a.end = ends[n % 6];
		n /= 6;
		b.end = ends[n % 6];
		n /= 6;
		a.moves = n % 2;
		b.moves = n / 2;
		ab = nfsync_merge_kin(&a, &b);
		ba = nfsync_merge_kin(&b, &a);
		KTAP_EXPECT_MSG(ab == NFSYNC_MERGE_SAME ?
				ba == NFSYNC_MERGE_SAME : ba + ab ==
				NFSYNC_MERGE_EARLIER + NFSYNC_MERGE_LATER,
				"case %u: %d and %d", i, ab, ba);
	}
}

static enum nfsync_merge_kin kin(u8 own, u32 own_end, bool own_moves,
				 u8 state, u32 end, bool moves)
{
	struct nfsync_merge_conn a = { own, own_end, own_moves };
	struct nfsync_merge_conn b = { state, end, moves };

	return nfsync_merge_kin(&a, &b);
}

static void tuple_used_again(void)
{
	u8 est = NFSYNC_CT_ESTABLISHED, syn = NFSYNC_CT_SYN_SENT;
	u8 tw = NFSYNC_CT_TIME_WAIT, cl = NFSYNC_CT_CLOSE;

	/* ended, and one that is alive and far away, or just began */
	KTAP_EXPECT(kin(tw, 1, 0, est, 9U << 20, 0) == NFSYNC_MERGE_LATER);
	KTAP_EXPECT(kin(est, 9U << 20, 0, tw, 1, 1) == NFSYNC_MERGE_EARLIER);
	KTAP_EXPECT(kin(cl, 1000, 1, syn, 2000, 0) == NFSYNC_MERGE_LATER);
	/* news of its own handshake that was late */
	KTAP_EXPECT(kin(cl, 2000, 1, syn, 1000, 0) == NFSYNC_MERGE_SAME);
	/* the end of the connection that is here, under another id */
	KTAP_EXPECT(kin(est, 1000, 1, tw, 2000, 0) == NFSYNC_MERGE_SAME);
	KTAP_EXPECT(kin(est, 0xffffff00, 1, cl, 0x100, 0) == NFSYNC_MERGE_SAME);
	/* both alive: who has the packets is right, if only one has */
	KTAP_EXPECT(kin(est, 1, 1, est, 9U << 20, 0) == NFSYNC_MERGE_EARLIER);
	KTAP_EXPECT(kin(est, 1, 0, syn, 9U << 20, 1) == NFSYNC_MERGE_LATER);
	KTAP_EXPECT(kin(est, 1, 1, est, 9U << 20, 1) == NFSYNC_MERGE_SAME);
	KTAP_EXPECT(kin(est, 1, 0, est, 9U << 20, 0) == NFSYNC_MERGE_SAME);
	KTAP_EXPECT(kin(est, 1, 0, est, 1000, 1) == NFSYNC_MERGE_SAME);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(serial_order),
	KTAP_TEST(equal_is_taken),
	KTAP_TEST(sides_are_independent),
	KTAP_TEST(edges_of_kept_sides),
	KTAP_TEST(level_before_sequence),
	KTAP_TEST(sequence_wraps),
	KTAP_TEST(every_level_pair),
	KTAP_TEST(proxy_handshake_over),
	KTAP_TEST(others_by_level_alone),
	KTAP_TEST(crossed_numbers_two_messages),
	KTAP_TEST(any_two_views_two_messages),
	KTAP_TEST(both_speak_at_once),
	KTAP_TEST(late_message_changes_nothing),
	KTAP_TEST(kin_is_the_same_from_both_ends),
	KTAP_TEST(tuple_used_again),
};

KTAP_MAIN(tests)
