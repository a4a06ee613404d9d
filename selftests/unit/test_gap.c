// SPDX-License-Identifier: GPL-2.0
/*
 * gap.c: which frames of a peer came.  Case by case, and against a model that
 * remembers every number there was.
 */
#include "ktap.h"
#include "gap.h"

#define W NFSYNC_GAP_WINDOW

/* Every test begins with some number, and with those around the wrap too */
static const u32 firsts[] = { 0, 1, 63, 1000, 0x7ffffff0, 0x80000000,
			      0xffffff00, 0xfffffffe, 0xffffffff };

#define FOR_EACH_FIRST(f) \
	for (size_t i_ = 0; i_ < ARRAY_SIZE(firsts) && ((f) = firsts[i_], 1); \
	     i_++)

static struct nfsync_gap begin(u32 first)
{
	struct nfsync_gap g;

	/* whatever was there before, but for what was lost */
	memset(&g, 0xa5, sizeof(g));
	g.lost = 0;
	nfsync_gap_start(&g, first);
	return g;
}

#define EXPECT_GAP(g, lost_, missing_)					\
	do {								\
		KTAP_EXPECT_EQ((g).lost, lost_);			\
		KTAP_EXPECT_EQ(nfsync_gap_missing(&(g)), missing_);	\
	} while (0)

static void in_order(void)
{
	u32 f, i;

	FOR_EACH_FIRST(f) {
		struct nfsync_gap g = begin(f);

		EXPECT_GAP(g, 0, 0);
		for (i = 1; i < 5 * W; i++) {
			KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + i),
				       NFSYNC_GAP_NEW);
			EXPECT_GAP(g, 0, 0);
		}
	}
}

/* Each of them comes, but none where it belongs */
static void reordered(void)
{
	u32 f, i;

	FOR_EACH_FIRST(f) {
		struct nfsync_gap g = begin(f);

		for (i = 4; i < 4 * W; i += 4) {
			nfsync_gap_see(&g, f + i);
			EXPECT_GAP(g, 0, 3);
			nfsync_gap_see(&g, f + i - 2);
			EXPECT_GAP(g, 0, 2);
			nfsync_gap_see(&g, f + i - 3);
			KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + i - 1),
				       NFSYNC_GAP_NEW);
			EXPECT_GAP(g, 0, 0);
		}
		nfsync_gap_settle(&g, g.top);
		EXPECT_GAP(g, 0, 0);
	}
}

static void backwards(void)
{
	u32 f, i;

	FOR_EACH_FIRST(f) {
		struct nfsync_gap g = begin(f);

		for (i = W - 1; i; i--) {
			KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + i),
				       NFSYNC_GAP_NEW);
			EXPECT_GAP(g, 0, i - 1);
		}
	}
}

static void twice(void)
{
	struct nfsync_gap before;
	u32 f, i;

	FOR_EACH_FIRST(f) {
		struct nfsync_gap g = begin(f);

		for (i = 2; i < 3 * W; i += 2) {
			nfsync_gap_see(&g, f + i);
			before = g;
			KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + i),
				       NFSYNC_GAP_TWICE);
			KTAP_EXPECT(!memcmp(&g, &before, sizeof(g)));
		}
	}
}

/* The first frame is the base: it is late when it comes again */
static void first_again(void)
{
	u32 f;

	FOR_EACH_FIRST(f) {
		struct nfsync_gap g = begin(f);

		KTAP_EXPECT_EQ(nfsync_gap_see(&g, f), NFSYNC_GAP_LATE);
		KTAP_EXPECT_EQ(nfsync_gap_see(&g, f - 1), NFSYNC_GAP_LATE);
		EXPECT_GAP(g, 0, 0);
	}
}

/* The last moment at which a number is still waited for, and the next */
static void lost_by_window(void)
{
	u32 f, i;

	FOR_EACH_FIRST(f) {
		struct nfsync_gap g = begin(f);

		for (i = 2; i <= W; i++)
			nfsync_gap_see(&g, f + i);
		EXPECT_GAP(g, 0, 1);
		nfsync_gap_see(&g, f + W + 1);
		EXPECT_GAP(g, 1, 0);
		KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + 1), NFSYNC_GAP_LATE);
		EXPECT_GAP(g, 1, 0);

		g = begin(f);
		for (i = 2; i <= W; i++)
			nfsync_gap_see(&g, f + i);
		KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + 1), NFSYNC_GAP_NEW);
		nfsync_gap_see(&g, f + W + 1);
		EXPECT_GAP(g, 0, 0);
	}
}

static void settled(void)
{
	u32 f;

	FOR_EACH_FIRST(f) {
		struct nfsync_gap g = begin(f);

		nfsync_gap_see(&g, f + 2);
		nfsync_gap_see(&g, f + 5);
		nfsync_gap_see(&g, f + 9);
		EXPECT_GAP(g, 0, 6);
		nfsync_gap_settle(&g, f);	/* that was judged already */
		nfsync_gap_settle(&g, f - 7);
		EXPECT_GAP(g, 0, 6);
		nfsync_gap_settle(&g, f + 3);
		EXPECT_GAP(g, 2, 4);
		KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + 1), NFSYNC_GAP_LATE);
		KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + 2), NFSYNC_GAP_LATE);
		KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + 3), NFSYNC_GAP_LATE);
		KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + 4), NFSYNC_GAP_NEW);
		EXPECT_GAP(g, 2, 3);
		nfsync_gap_settle(&g, f + 9);
		EXPECT_GAP(g, 5, 0);
	}
}

/* Nothing beyond what came can be judged, or good frames would be late */
static void settled_beyond_top(void)
{
	u32 f;

	FOR_EACH_FIRST(f) {
		struct nfsync_gap g = begin(f);

		nfsync_gap_see(&g, f + 2);
		nfsync_gap_settle(&g, f + 100);
		EXPECT_GAP(g, 1, 0);
		KTAP_EXPECT_EQ(g.base, f + 2);
		KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + 3), NFSYNC_GAP_NEW);
		EXPECT_GAP(g, 1, 0);
	}
}

/* After a jump the window is empty: no old mark is taken for a new frame */
static void expect_empty_window(struct nfsync_gap *g)
{
	u32 i, top = g->top;

	for (i = 1; i <= W; i++)
		KTAP_EXPECT_EQ(nfsync_gap_see(g, top + i), NFSYNC_GAP_NEW);
}

static void jump_over_window(void)
{
	static const u32 jumps[] = { W, W + 1, 2 * W, 100000, 0x7fffffff - 5 };
	size_t i;
	u32 f;

	FOR_EACH_FIRST(f) {
		for (i = 0; i < ARRAY_SIZE(jumps); i++) {
			struct nfsync_gap g = begin(f);

			nfsync_gap_see(&g, f + 1);
			nfsync_gap_see(&g, f + 3);
			nfsync_gap_see(&g, f + 5);
			KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + 5 + jumps[i]),
				       NFSYNC_GAP_NEW);
			EXPECT_GAP(g, 2 + jumps[i] - 1, 0);
			KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + 4),
				       NFSYNC_GAP_LATE);
			KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + 5 + jumps[i]),
				       NFSYNC_GAP_LATE);
			expect_empty_window(&g);
			KTAP_EXPECT_EQ(g.lost, 2 + jumps[i] - 1);
		}
	}
}

/* The widest step that is no jump: all in between may still come */
static void step_within_window(void)
{
	u32 f, i;

	FOR_EACH_FIRST(f) {
		struct nfsync_gap g = begin(f);

		nfsync_gap_see(&g, f + W - 1);
		EXPECT_GAP(g, 0, W - 2);
		for (i = 1; i < W - 1; i++)
			KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + i),
				       NFSYNC_GAP_NEW);
		EXPECT_GAP(g, 0, 0);
	}
}

/* Half of the numbers are before, half after */
static void other_half_is_late(void)
{
	u32 f;

	FOR_EACH_FIRST(f) {
		struct nfsync_gap g = begin(f);

		KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + 0x80000001),
			       NFSYNC_GAP_LATE);
		KTAP_EXPECT_EQ(nfsync_gap_see(&g, f + 0xffffffff),
			       NFSYNC_GAP_LATE);
		EXPECT_GAP(g, 0, 0);
	}
}

/* What a peer lost before its new life counts on; its old numbers do not */
static void new_life_keeps_the_count(void)
{
	struct nfsync_gap g = begin(1000);

	nfsync_gap_see(&g, 1002);
	nfsync_gap_see(&g, 1010);
	nfsync_gap_settle(&g, 1005);
	EXPECT_GAP(g, 4, 4);
	nfsync_gap_start(&g, 5);
	EXPECT_GAP(g, 4, 0);
	expect_empty_window(&g);
	EXPECT_GAP(g, 4, 0);
}

/* A whole turn of 32 bits takes too long; a few windows across do */
static void wraps(void)
{
	struct nfsync_gap g = begin(0u - 3 * W);
	u32 i;

	for (i = 1; i < 6 * W; i++)
		if (i % 10)
			KTAP_EXPECT_EQ(nfsync_gap_see(&g, i - 3 * W),
				       NFSYNC_GAP_NEW);
	nfsync_gap_settle(&g, 3 * W - 1);
	EXPECT_GAP(g, (6 * W - 1) / 10, 0);
}

/*
 * The model: the set of all that came, by numbers that do not wrap.  Nothing
 * in it knows a window but the rule when a number is given up.
 */
#define MODEL_MAX 300000

struct model {
	u64 base, top, lost, new;
	bool came[MODEL_MAX];
};

static void model_judge_to(struct model *m, u64 to)
{
	while (m->base < to)
		m->lost += !m->came[++m->base];
}

static enum nfsync_gap_verdict model_see(struct model *m, u64 n)
{
	if (n <= m->base)
		return NFSYNC_GAP_LATE;
	if (m->came[n])
		return NFSYNC_GAP_TWICE;
	m->came[n] = true;
	m->new++;
	if (n >= m->top + W) {
		/* nothing before a jump is waited for */
		model_judge_to(m, n);
	}
	if (n > m->top)
		m->top = n;
	if (m->top > W)
		model_judge_to(m, m->top - W);
	return NFSYNC_GAP_NEW;
}

static void model_settle(struct model *m, u64 n)
{
	model_judge_to(m, n < m->top ? n : m->top);
}

static u32 model_missing(const struct model *m)
{
	u64 n;
	u32 missing = 0;

	for (n = m->base + 1; n < m->top; n++)
		missing += !m->came[n];
	return missing;
}

/* How a link may behave: chances in 256, and how far a frame strays */
static const struct {
	unsigned int lose, dup, settle, jump, stray;
} links[] = {
	{ 0, 0, 0, 0, 1 },
	{ 3, 3, 5, 0, 4 },
	{ 50, 20, 3, 0, 100 },
	{ 20, 20, 1, 0, W - 1 },
	{ 20, 20, 1, 0, W + 50 },
	{ 100, 100, 10, 1, 2 * W },
	{ 240, 0, 1, 1, 10 },
};

static struct model model;

static bool chance(u64 *seed, unsigned int of_256)
{
	return (ktap_random(seed) >> 56) < of_256;
}

static void see_both(struct nfsync_gap *g, u32 first, u64 n)
{
	KTAP_ASSERT_EQ(nfsync_gap_see(g, first + n), model_see(&model, n));
	KTAP_ASSERT_EQ(g->lost, model.lost);
	KTAP_ASSERT_EQ(g->top, (u32)(first + model.top));
}

/*
 * Besides the model, what must add up whatever the window is: each number
 * from the first to the highest came, was lost, or is missing.
 */
static void compare(const struct nfsync_gap *g)
{
	u32 missing = nfsync_gap_missing(g);

	KTAP_ASSERT_EQ(missing, model_missing(&model));
	KTAP_ASSERT_EQ(model.new + g->lost + missing, model.top);
}

static void random_link(size_t l, u32 first, u64 *seed)
{
	struct nfsync_gap g = begin(first);
	u64 next = 1, n;
	int i;

	memset(&model, 0, sizeof(model));
	for (i = 0; i < 20000 && next + 5 * W < MODEL_MAX; i++) {
		n = next + ktap_random(seed) % links[l].stray;
		if (n > links[l].stray / 2)
			n -= links[l].stray / 2;
		next++;
		if (chance(seed, links[l].jump) && chance(seed, 16))
			next += 3 * W;
		if (!chance(seed, links[l].lose))
			see_both(&g, first, n);
		if (chance(seed, links[l].dup))
			see_both(&g, first, n);
		if (chance(seed, links[l].settle)) {
			n = next - ktap_random(seed) % 50 % next;
			nfsync_gap_settle(&g, first + n);
			model_settle(&model, n);
		}
		if (i % 16 == 0)
			compare(&g);
	}
	compare(&g);
}

static void random_links_as_the_model(void)
{
	u64 seed = 0x5eed0009;
	u32 f;
	size_t l;

	FOR_EACH_FIRST(f)
		for (l = 0; l < ARRAY_SIZE(links); l++)
			random_link(l, f, &seed);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(in_order),
	KTAP_TEST(reordered),
	KTAP_TEST(backwards),
	KTAP_TEST(twice),
	KTAP_TEST(first_again),
	KTAP_TEST(lost_by_window),
	KTAP_TEST(settled),
	KTAP_TEST(settled_beyond_top),
	KTAP_TEST(jump_over_window),
	KTAP_TEST(step_within_window),
	KTAP_TEST(other_half_is_late),
	KTAP_TEST(new_life_keeps_the_count),
	KTAP_TEST(wraps),
	KTAP_TEST(random_links_as_the_model),
};

KTAP_MAIN(tests)
