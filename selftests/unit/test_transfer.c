// SPDX-License-Identifier: GPL-2.0
/*
 * transfer.c: every event in every state of who asks and of who answers as a
 * table, then whole stories.
 */
#include "ktap.h"
#include "transfer.h"

#define A	0xaaaaaaaa	/* who sent the START, where there is one */
#define B	0xbbbbbbbb	/* somebody else */

#define S_IDLE		NFSYNC_ASKER_IDLE
#define S_ASKED		NFSYNC_ASKER_ASKED
#define S_RECEIVING	NFSYNC_ASKER_RECEIVING
#define S_JUDGING	NFSYNC_ASKER_JUDGING

#define E_WANT		NFSYNC_ASKER_WANT
#define E_GAP		NFSYNC_ASKER_GAP
#define E_TICK		NFSYNC_ASKER_TICK
#define E_START		NFSYNC_ASKER_START
#define E_DATA		NFSYNC_ASKER_DATA
#define E_END		NFSYNC_ASKER_END
#define E_LONE_END	NFSYNC_ASKER_LONE_END
#define E_WHOLE		NFSYNC_ASKER_WHOLE
#define E_TORN		NFSYNC_ASKER_TORN
#define E_REFUSED	NFSYNC_ASKER_REFUSED
#define E_GONE		NFSYNC_ASKER_GONE
#define E_STOP		NFSYNC_ASKER_STOP

#define ASK		NFSYNC_ASKER_DO_ASK
#define BEGIN		NFSYNC_ASKER_DO_BEGIN
#define MARK		NFSYNC_ASKER_DO_MARK
#define JUDGE		NFSYNC_ASKER_DO_JUDGE
#define DONE		NFSYNC_ASKER_DO_DONE
#define GIVE_UP		NFSYNC_ASKER_DO_GIVE_UP
#define ARM		NFSYNC_ASKER_DO_ARM
#define MORE		NFSYNC_ASKER_DO_MORE

/*
 * One step: what was, what happened, what is to be done, what is.  The wait
 * is looked at where a TICK is asked for.
 */
struct asker_step {
	struct nfsync_asker was;
	enum nfsync_asker_event event;
	u32 from;
	unsigned int todo;
	struct nfsync_asker is;
};

#define IDLE(...)	{ .state = S_IDLE, ##__VA_ARGS__ }
#define ASKED(...)	{ .state = S_ASKED, ##__VA_ARGS__ }
#define RECEIVING(...)	{ .state = S_RECEIVING, .from = A, ##__VA_ARGS__ }
#define JUDGING(...)	{ .state = S_JUDGING, .from = A, ##__VA_ARGS__ }

static const struct asker_step asker_steps[] = {
	{ IDLE(), E_WANT, 0, ASK | ARM,
	  ASKED(.asked = 1, .tries = 1, .wait = 1000) },
	{ IDLE(.torn = 2), E_WANT, 0, ASK | ARM,
	  ASKED(.asked = 1, .tries = 1, .wait = 1000) },
	{ IDLE(.tries = 3, .data = 1), E_WANT, 0, ASK | ARM,
	  ASKED(.asked = 1, .tries = 1, .wait = 1000) },
	{ IDLE(), E_GAP, 0, ARM, ASKED(.heals = 1, .wait = 100) },
	{ IDLE(.heals = 3), E_GAP, 0, ARM, ASKED(.heals = 4, .wait = 800) },
	{ IDLE(.heals = 6), E_GAP, 0, ARM, ASKED(.heals = 6, .wait = 6400) },
	{ IDLE(.asked = 1, .tries = 3, .torn = 2, .data = 1), E_GAP, 0, ARM,
	  ASKED(.heals = 1, .wait = 100) },
	{ IDLE(), E_TICK, 0, 0, IDLE() },
	{ IDLE(), E_START, A, 0, IDLE() },
	{ IDLE(), E_DATA, 0, 0, IDLE(.progress = 1, .data = 1) },
	{ IDLE(), E_END, A, 0, IDLE() },
	{ IDLE(), E_LONE_END, A, 0, IDLE() },
	{ IDLE(.asked = 1), E_LONE_END, A, 0, IDLE() },
	{ IDLE(), E_WHOLE, 0, 0, IDLE() },
	{ IDLE(), E_TORN, 0, 0, IDLE() },
	{ IDLE(), E_REFUSED, 0, 0, IDLE() },
	{ IDLE(), E_GONE, A, 0, IDLE() },
	{ IDLE(.heals = 2), E_STOP, 0, 0, IDLE() },

	{ ASKED(.torn = 2), E_WANT, 0, ASK | ARM,
	  ASKED(.asked = 1, .tries = 1, .wait = 1000) },
	{ ASKED(.asked = 1, .tries = 3), E_WANT, 0, ASK | ARM,
	  ASKED(.asked = 1, .tries = 1, .wait = 1000) },
	{ ASKED(.heals = 2), E_GAP, 0, 0, ASKED(.heals = 2) },
	{ ASKED(.asked = 1, .tries = 2), E_GAP, A, 0,
	  ASKED(.asked = 1, .tries = 2) },
	{ ASKED(), E_TICK, 0, ASK | ARM,
	  ASKED(.asked = 1, .tries = 1, .wait = 1000) },
	{ ASKED(.tries = 2, .progress = 1, .data = 1), E_TICK, 0, ASK | ARM,
	  ASKED(.asked = 1, .tries = 3, .wait = 1000) },
	{ ASKED(.tries = 3), E_TICK, 0, ASK | ARM | GIVE_UP,
	  ASKED(.asked = 1, .tries = 3, .wait = 5000) },
	{ ASKED(.tries = 3), E_START, A, BEGIN | MARK,
	  RECEIVING(.progress = 1, .tries = 3) },
	{ ASKED(.from = B), E_START, A, BEGIN | MARK,
	  RECEIVING(.progress = 1) },
	{ ASKED(.torn = 1), E_START, A, MARK,
	  RECEIVING(.torn = 1, .progress = 1) },
	{ ASKED(.torn = 7), E_START, A, MARK,
	  RECEIVING(.torn = 7, .progress = 1) },
	{ ASKED(.torn = 8), E_START, A, BEGIN | MARK,
	  RECEIVING(.torn = 8, .progress = 1) },
	{ ASKED(), E_DATA, 0, 0, ASKED(.progress = 1, .data = 1) },
	{ ASKED(.from = A), E_END, A, 0, ASKED(.from = A) },
	{ ASKED(), E_LONE_END, A, 0, ASKED() },
	{ ASKED(.asked = 1), E_LONE_END, A, DONE, IDLE() },
	{ ASKED(.asked = 1, .torn = 2), E_LONE_END, A, DONE, IDLE() },
	{ ASKED(.asked = 1, .data = 1), E_LONE_END, A, 0,
	  ASKED(.asked = 1, .data = 1) },
	{ ASKED(), E_WHOLE, 0, 0, ASKED() },
	{ ASKED(), E_TORN, 0, 0, ASKED() },
	{ ASKED(), E_REFUSED, 0, 0, ASKED() },
	{ ASKED(.from = A), E_GONE, A, 0, ASKED(.from = A) },
	{ ASKED(.tries = 2, .torn = 1), E_STOP, 0, 0, IDLE() },

	{ RECEIVING(), E_WANT, 0, 0, RECEIVING(.again = 1) },
	{ RECEIVING(), E_GAP, A, 0, RECEIVING() },
	{ RECEIVING(), E_GAP, B, 0, RECEIVING(.again = 1) },
	{ RECEIVING(.again = 1), E_GAP, A, 0, RECEIVING(.again = 1) },
	{ RECEIVING(.progress = 1), E_TICK, 0, ARM, RECEIVING(.wait = 1000) },
	{ RECEIVING(.data = 1, .again = 1), E_TICK, 0, ASK | ARM,
	  ASKED(.asked = 1, .tries = 1, .from = A, .wait = 1000) },
	{ RECEIVING(.tries = 3), E_TICK, 0, ASK | ARM | GIVE_UP,
	  ASKED(.asked = 1, .tries = 3, .from = A, .wait = 5000) },
	{ RECEIVING(.tries = 1), E_START, A, BEGIN | MARK,
	  RECEIVING(.progress = 1, .tries = 1) },
	{ RECEIVING(.torn = 1), E_START, A, MARK,
	  RECEIVING(.torn = 1, .progress = 1) },
	{ RECEIVING(), E_START, B, 0, RECEIVING() },
	{ RECEIVING(), E_DATA, 0, 0, RECEIVING(.progress = 1, .data = 1) },
	{ RECEIVING(), E_END, A, JUDGE, JUDGING() },
	{ RECEIVING(), E_END, B, 0, RECEIVING() },
	{ RECEIVING(), E_LONE_END, A, 0, RECEIVING() },
	{ RECEIVING(), E_LONE_END, B, 0, RECEIVING() },
	{ RECEIVING(), E_WHOLE, 0, 0, RECEIVING() },
	{ RECEIVING(), E_TORN, 0, 0, RECEIVING() },
	{ RECEIVING(), E_REFUSED, 0, 0, RECEIVING() },
	{ RECEIVING(.again = 1), E_GONE, A, ASK | ARM,
	  ASKED(.asked = 1, .tries = 1, .from = A, .wait = 1000) },
	{ RECEIVING(), E_GONE, B, 0, RECEIVING() },
	{ RECEIVING(.again = 1), E_STOP, 0, 0, IDLE() },

	{ JUDGING(), E_WANT, 0, 0, JUDGING(.again = 1) },
	{ JUDGING(), E_GAP, A, 0, JUDGING(.again = 1) },
	{ JUDGING(), E_GAP, B, 0, JUDGING(.again = 1) },
	{ JUDGING(), E_TICK, 0, 0, JUDGING() },
	{ JUDGING(), E_START, A, 0, JUDGING() },
	{ JUDGING(), E_START, B, 0, JUDGING() },
	{ JUDGING(), E_DATA, 0, 0, JUDGING(.progress = 1, .data = 1) },
	{ JUDGING(), E_END, A, 0, JUDGING() },
	{ JUDGING(), E_LONE_END, A, 0, JUDGING() },
	{ JUDGING(.torn = 4), E_WHOLE, 0, DONE, IDLE(.from = A) },
	{ JUDGING(.asked = 1, .tries = 1, .torn = 4, .data = 1, .again = 1),
	  E_WHOLE, 0, MORE | ARM, ASKED(.heals = 1, .from = A, .wait = 100) },
	{ JUDGING(.heals = 3, .again = 1), E_WHOLE, 0, MORE | ARM,
	  ASKED(.heals = 4, .from = A, .wait = 800) },
	{ JUDGING(.heals = 6, .again = 1), E_WHOLE, 0, MORE | ARM,
	  ASKED(.heals = 6, .from = A, .wait = 6400) },
	{ JUDGING(), E_TORN, 0, ARM,
	  ASKED(.torn = 1, .from = A, .wait = 200) },
	{ JUDGING(.torn = 2, .again = 1), E_TORN, 0, ARM | GIVE_UP,
	  ASKED(.torn = 3, .from = A, .wait = 800) },
	{ JUDGING(.torn = 3), E_TORN, 0, ARM,
	  ASKED(.torn = 4, .from = A, .wait = 1600) },
	{ JUDGING(.torn = 7), E_TORN, 0, ARM,
	  ASKED(.torn = 8, .from = A, .wait = 1600) },
	{ JUDGING(.tries = 2, .again = 1), E_REFUSED, 0, ARM | GIVE_UP,
	  ASKED(.torn = 1, .from = A, .wait = 10000) },
	{ JUDGING(.torn = 5), E_REFUSED, 0, ARM | GIVE_UP,
	  ASKED(.torn = 6, .from = A, .wait = 10000) },
	{ JUDGING(.again = 1), E_GONE, A, ASK | ARM,
	  ASKED(.asked = 1, .tries = 1, .from = A, .wait = 1000) },
	{ JUDGING(), E_GONE, B, 0, JUDGING() },
	{ JUDGING(.torn = 1), E_STOP, 0, 0, IDLE() },
};

#define EXPECT_FIELD(got, want, field, nr)				\
	KTAP_EXPECT_MSG((got)->field == (want)->field,			\
			"step %zu: " #field " is %u, not %u", nr,	\
			(got)->field, (want)->field)

static void expect_step(const struct asker_step *t, size_t nr)
{
	struct nfsync_asker a = t->was;
	unsigned int todo = nfsync_asker_step(&a, t->event, t->from);

	KTAP_EXPECT_MSG(todo == t->todo, "step %zu: do %#x, not %#x", nr, todo,
			t->todo);
	EXPECT_FIELD(&a, &t->is, state, nr);
	EXPECT_FIELD(&a, &t->is, tries, nr);
	EXPECT_FIELD(&a, &t->is, torn, nr);
	EXPECT_FIELD(&a, &t->is, heals, nr);
	EXPECT_FIELD(&a, &t->is, progress, nr);
	EXPECT_FIELD(&a, &t->is, data, nr);
	EXPECT_FIELD(&a, &t->is, again, nr);
	if (t->is.state != S_IDLE)
		EXPECT_FIELD(&a, &t->is, from, nr);
	/* after these the last question has left and the next one has not */
	if (t->is.state == S_ASKED && t->event != E_TORN &&
	    t->event != E_REFUSED)
		EXPECT_FIELD(&a, &t->is, asked, nr);
	if (t->todo & ARM)
		EXPECT_FIELD(&a, &t->is, wait, nr);
}

static void asker_table(void)
{
	bool seen[S_JUDGING + 1][E_STOP + 1] = { 0 };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(asker_steps); i++) {
		expect_step(&asker_steps[i], i);
		seen[asker_steps[i].was.state][asker_steps[i].event] = true;
	}
	for (i = 0; i < ARRAY_SIZE(seen); i++)
		for (j = 0; j < ARRAY_SIZE(seen[0]); j++)
			KTAP_EXPECT_MSG(seen[i][j],
					"no step of event %zu in state %zu",
					j, i);
}

/* Stories: one asker, many events */

static struct nfsync_asker asker;

static void fresh(void)
{
	memset(&asker, 0, sizeof(asker));
}

static unsigned int does(enum nfsync_asker_event event, u32 from)
{
	return nfsync_asker_step(&asker, event, from);
}

#define EXPECT_DOES(event, from, todo) KTAP_EXPECT_EQ(does(event, from), todo)

static void good_transfer(void)
{
	int i;

	fresh();
	EXPECT_DOES(E_WANT, 0, ASK | ARM);
	EXPECT_DOES(E_START, A, BEGIN | MARK);
	for (i = 0; i < 10; i++) {
		EXPECT_DOES(E_DATA, 0, 0);
		EXPECT_DOES(E_TICK, 0, ARM);
	}
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_WHOLE, 0, DONE);
	KTAP_EXPECT_EQ(asker.state, S_IDLE);
}

/* Questions that leave until it gives up, when nobody says anything */
static unsigned int questions(void)
{
	unsigned int n = 0, todo;

	do {
		todo = does(E_TICK, 0);
		KTAP_EXPECT(todo & ARM);
		KTAP_EXPECT(todo & ASK);
		if (todo & GIVE_UP)
			break;
		KTAP_EXPECT_EQ(asker.wait, 1000);
	} while (++n < 100);
	return n;
}

/* Those of a heal count from the first that leaves: three in all */
static void silence_after_gap(void)
{
	int i;

	fresh();
	EXPECT_DOES(E_GAP, A, ARM);
	KTAP_EXPECT_EQ(questions(), 3);
	/* it never ends, but slowly, and an answer is as welcome as ever */
	for (i = 0; i < 300; i++) {
		KTAP_EXPECT_EQ(asker.wait, 5000);
		EXPECT_DOES(E_TICK, 0, ASK | ARM | GIVE_UP);
	}
	EXPECT_DOES(E_START, A, BEGIN | MARK);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_WHOLE, 0, DONE);
}

static void silence_after_want(void)
{
	fresh();
	/* one has left here: three in all, as after a gap */
	EXPECT_DOES(E_WANT, 0, ASK | ARM);
	KTAP_EXPECT_EQ(questions(), 2);
	KTAP_EXPECT_EQ(asker.wait, 5000);
	/* another wish is a new beginning */
	EXPECT_DOES(E_WANT, 0, ASK | ARM);
	KTAP_EXPECT_EQ(asker.wait, 1000);
	EXPECT_DOES(E_TICK, 0, ASK | ARM);
}

/* START without anything behind it, then nothing for good */
static void silence_after_start(void)
{
	fresh();
	does(E_WANT, 0);
	does(E_START, A);
	EXPECT_DOES(E_TICK, 0, ARM);
	KTAP_EXPECT_EQ(asker.state, S_RECEIVING);
	/* it was asked once: an answer without an end is none */
	KTAP_EXPECT_EQ(questions(), 2);
}

/* The last question may have been lost: the sender is asked at once */
static void sender_gone(void)
{
	fresh();
	does(E_WANT, 0);
	does(E_START, A);
	EXPECT_DOES(E_GONE, B, 0);
	EXPECT_DOES(E_GONE, A, ASK | ARM);
	EXPECT_DOES(E_END, A, 0);
	EXPECT_DOES(E_START, B, BEGIN | MARK);
	EXPECT_DOES(E_END, A, 0);
	EXPECT_DOES(E_END, B, JUDGE);
	EXPECT_DOES(E_GONE, B, ASK | ARM);
	EXPECT_DOES(E_WHOLE, 0, 0);
	EXPECT_DOES(E_TORN, 0, 0);
	KTAP_EXPECT_EQ(questions(), 2);
}

/* Of two that answer the first counts, and the other one's END means nothing */
static void two_answer(void)
{
	fresh();
	does(E_WANT, 0);
	EXPECT_DOES(E_START, A, BEGIN | MARK);
	EXPECT_DOES(E_START, B, 0);
	EXPECT_DOES(E_DATA, 0, 0);
	EXPECT_DOES(E_END, B, 0);
	EXPECT_DOES(E_LONE_END, B, 0);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_START, B, 0);
	EXPECT_DOES(E_END, B, 0);
	EXPECT_DOES(E_WHOLE, 0, DONE);
	EXPECT_DOES(E_END, B, 0);
}

/* Its END was lost, or its run was cut: from the START on it is another one */
static void sender_starts_anew(void)
{
	fresh();
	does(E_WANT, 0);
	EXPECT_DOES(E_START, A, BEGIN | MARK);
	EXPECT_DOES(E_DATA, 0, 0);
	EXPECT_DOES(E_START, A, BEGIN | MARK);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_WHOLE, 0, DONE);
}

/* All that an empty OpenBSD sends; who has sent states was not empty */
static void lone_end(void)
{
	fresh();
	EXPECT_DOES(E_LONE_END, A, 0);
	does(E_WANT, 0);
	EXPECT_DOES(E_LONE_END, A, DONE);
	EXPECT_DOES(E_LONE_END, A, 0);

	fresh();
	does(E_WANT, 0);
	EXPECT_DOES(E_DATA, 0, 0);
	EXPECT_DOES(E_LONE_END, A, 0);
	/* the next question makes another chance */
	EXPECT_DOES(E_TICK, 0, ASK | ARM);
	EXPECT_DOES(E_LONE_END, A, DONE);

	/* what came before anybody asked does not count */
	fresh();
	EXPECT_DOES(E_DATA, 0, 0);
	does(E_WANT, 0);
	EXPECT_DOES(E_LONE_END, A, DONE);
}

/* It answers somebody else as long as the question of a heal has not left */
static void lone_end_unasked(void)
{
	fresh();
	EXPECT_DOES(E_GAP, A, ARM);
	EXPECT_DOES(E_LONE_END, B, 0);
	KTAP_EXPECT_EQ(asker.state, S_ASKED);
	EXPECT_DOES(E_TICK, 0, ASK | ARM);
	EXPECT_DOES(E_LONE_END, B, DONE);

	/* nor does it help that one has left long ago */
	EXPECT_DOES(E_GAP, A, ARM);
	EXPECT_DOES(E_LONE_END, B, 0);
	EXPECT_DOES(E_TICK, 0, ASK | ARM);
	EXPECT_DOES(E_START, A, BEGIN | MARK);
	EXPECT_DOES(E_GAP, B, 0);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_WHOLE, 0, MORE | ARM);
	EXPECT_DOES(E_LONE_END, B, 0);
	KTAP_EXPECT_EQ(asker.state, S_ASKED);
}

/* What the torn one told still counts, and nothing of it in the one after */
static void torn_then_whole(void)
{
	fresh();
	does(E_WANT, 0);
	EXPECT_DOES(E_START, A, BEGIN | MARK);
	EXPECT_DOES(E_DATA, 0, 0);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_TORN, 0, ARM);
	KTAP_EXPECT_EQ(asker.wait, 200);
	EXPECT_DOES(E_TICK, 0, ASK | ARM);
	EXPECT_DOES(E_START, A, MARK);
	EXPECT_DOES(E_DATA, 0, 0);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_WHOLE, 0, DONE);
	KTAP_EXPECT_EQ(asker.state, S_IDLE);
	KTAP_EXPECT_EQ(asker.torn, 0);

	EXPECT_DOES(E_GAP, A, ARM);
	KTAP_EXPECT_EQ(asker.wait, 100);
	EXPECT_DOES(E_TICK, 0, ASK | ARM);
	EXPECT_DOES(E_START, A, BEGIN | MARK);
}

static void torn_round(unsigned int begin, unsigned int trouble)
{
	EXPECT_DOES(E_TICK, 0, ASK | ARM);
	EXPECT_DOES(E_START, A, begin | MARK);
	EXPECT_DOES(E_DATA, 0, 0);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_TORN, 0, ARM | trouble);
}

/*
 * What came in one round counts in the next, up to eight of them; trouble is
 * told once, after the third.
 */
static void torn_rounds(void)
{
	static const u16 waits[] = { 200, 400, 800, 1600, 1600, 1600 };
	unsigned int i;

	fresh();
	does(E_WANT, 0);
	for (i = 0; i < 40; i++) {
		torn_round(i % 8 ? 0 : BEGIN, i == 2 ? GIVE_UP : 0);
		KTAP_EXPECT_EQ(asker.wait, waits[i < 5 ? i : 5]);
		KTAP_EXPECT_EQ(asker.torn, i + 1);
	}
	EXPECT_DOES(E_TICK, 0, ASK | ARM);
	EXPECT_DOES(E_START, A, BEGIN | MARK);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_WHOLE, 0, DONE);

	/* the next one has nothing to do with it */
	does(E_WANT, 0);
	EXPECT_DOES(E_START, A, BEGIN | MARK);
}

/* Rounds without end: the number of them must not bring trouble again early */
static void torn_for_hours(void)
{
	unsigned int i, begins = 0, troubles = 0;

	fresh();
	does(E_WANT, 0);
	for (i = 0; i < 800; i++) {
		does(E_TICK, 0);
		begins += !!(does(E_START, A) & BEGIN);
		does(E_END, A);
		troubles += !!(does(E_TORN, 0) & GIVE_UP);
		KTAP_EXPECT(asker.wait >= 100 && asker.wait <= 1600);
	}
	KTAP_EXPECT_EQ(begins, 100);
	KTAP_EXPECT(troubles >= 1 && troubles <= 4);
}

static void wanted_again(void)
{
	fresh();
	does(E_WANT, 0);
	does(E_START, A);
	EXPECT_DOES(E_WANT, 0, 0);
	EXPECT_DOES(E_WANT, 0, 0);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_WANT, 0, 0);
	/* not done: who wanted it knows of something that it lacks */
	EXPECT_DOES(E_WHOLE, 0, MORE | ARM);
	KTAP_EXPECT_EQ(asker.wait, 100);
	EXPECT_DOES(E_TICK, 0, ASK | ARM);
	EXPECT_DOES(E_START, A, BEGIN | MARK);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_WHOLE, 0, DONE);
	KTAP_EXPECT_EQ(asker.state, S_IDLE);
}

/*
 * Frames of the transfer itself are for its judge; what was lost of another
 * peer, or behind the END, takes another transfer.
 */
static void lost_meanwhile(void)
{
	fresh();
	does(E_WANT, 0);
	does(E_START, A);
	EXPECT_DOES(E_GAP, A, 0);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_WHOLE, 0, DONE);

	does(E_WANT, 0);
	does(E_START, A);
	EXPECT_DOES(E_GAP, B, 0);
	EXPECT_DOES(E_GAP, A, 0);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_WHOLE, 0, MORE | ARM);
	EXPECT_DOES(E_TICK, 0, ASK | ARM);
	does(E_START, B);
	EXPECT_DOES(E_END, B, JUDGE);
	EXPECT_DOES(E_GAP, B, 0);
	EXPECT_DOES(E_WHOLE, 0, MORE | ARM);
	EXPECT_DOES(E_TICK, 0, ASK | ARM);
	does(E_START, A);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_WHOLE, 0, DONE);

	/* a question that leaves behind the loss makes up for it */
	does(E_WANT, 0);
	does(E_START, A);
	EXPECT_DOES(E_GAP, B, 0);
	EXPECT_DOES(E_GONE, A, ASK | ARM);
	does(E_START, B);
	EXPECT_DOES(E_END, B, JUDGE);
	EXPECT_DOES(E_WHOLE, 0, DONE);
}

/* A transfer of A in the middle of which something of B is lost */
static void whole_but_for_b(u32 wait)
{
	EXPECT_DOES(E_START, A, BEGIN | MARK);
	EXPECT_DOES(E_DATA, 0, 0);
	EXPECT_DOES(E_GAP, B, 0);
	EXPECT_DOES(E_END, A, JUDGE);
	/* in sync with A, and B is asked for what it lacks */
	EXPECT_DOES(E_WHOLE, 0, MORE | ARM);
	KTAP_EXPECT_EQ(asker.state, S_ASKED);
	KTAP_EXPECT_EQ(asker.wait, wait);
	EXPECT_DOES(E_TICK, 0, ASK | ARM);
}

/*
 * B loses something in each of them: every one counts all the same, the next
 * one is the less soon, and the first without ends it.
 */
static void gap_of_another_each_time(void)
{
	static const u16 waits[] = { 100, 200, 400, 800, 1600, 3200, 6400 };
	unsigned int i;

	fresh();
	EXPECT_DOES(E_WANT, 0, ASK | ARM);
	for (i = 0; i < 300; i++)
		whole_but_for_b(waits[i < 6 ? i : 6]);
	EXPECT_DOES(E_START, A, BEGIN | MARK);
	EXPECT_DOES(E_GAP, A, 0);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_WHOLE, 0, DONE);
	KTAP_EXPECT_EQ(asker.state, S_IDLE);
}

/* A torn one is asked for again anyhow: once is enough */
static void wanted_again_and_torn(void)
{
	fresh();
	does(E_WANT, 0);
	does(E_START, A);
	does(E_WANT, 0);
	does(E_END, A);
	EXPECT_DOES(E_TORN, 0, ARM);
	EXPECT_DOES(E_TICK, 0, ASK | ARM);
	EXPECT_DOES(E_START, A, MARK);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_WHOLE, 0, DONE);
}

/* Without room it tries now and then, and is done when there is some */
static void no_room(void)
{
	int i;

	fresh();
	EXPECT_DOES(E_WANT, 0, ASK | ARM);
	for (i = 0; i < 20; i++) {
		EXPECT_DOES(E_START, A, i % 8 ? MARK : BEGIN | MARK);
		EXPECT_DOES(E_END, A, JUDGE);
		EXPECT_DOES(E_REFUSED, 0, ARM | GIVE_UP);
		KTAP_EXPECT_EQ(asker.wait, 10000);
		/* one more that is refused changes nothing */
		EXPECT_DOES(E_GAP, A, 0);
		EXPECT_DOES(E_TICK, 0, ASK | ARM);
		KTAP_EXPECT_EQ(asker.wait, 1000);
	}
	EXPECT_DOES(E_START, A, MARK);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_WHOLE, 0, DONE);
	KTAP_EXPECT_EQ(asker.state, S_IDLE);
	KTAP_EXPECT_EQ(asker.torn, 0);
}

static void heal(u32 wait)
{
	EXPECT_DOES(E_GAP, A, ARM);
	KTAP_EXPECT_EQ(asker.wait, wait);
	/* one heal makes up for all that is lost before it begins */
	EXPECT_DOES(E_GAP, B, 0);
	EXPECT_DOES(E_TICK, 0, ASK | ARM);
	EXPECT_DOES(E_GAP, B, 0);
	EXPECT_DOES(E_START, A, BEGIN | MARK);
	EXPECT_DOES(E_END, A, JUDGE);
	EXPECT_DOES(E_WHOLE, 0, DONE);
}

static void gaps_back_off(void)
{
	int i;

	fresh();
	heal(100);
	heal(200);
	heal(400);
	heal(800);
	heal(1600);
	heal(3200);
	for (i = 0; i < 300; i++)
		heal(6400);
	nfsync_asker_calm(&asker);
	heal(100);
	heal(200);
}

/* Calm in the middle of a transfer does not touch the transfer */
static void calm_changes_nothing_else(void)
{
	struct nfsync_asker before = {
		.state = S_RECEIVING, .tries = 2, .torn = 3, .heals = 5,
		.progress = true, .data = true, .again = true, .from = A,
		.wait = 400,
	};

	asker = before;
	nfsync_asker_calm(&asker);
	before.heals = 0;
	KTAP_EXPECT(!memcmp(&asker, &before, sizeof(before)));
}

/* A wish that comes while a gap waits does not wait */
static void wanted_while_healing(void)
{
	fresh();
	EXPECT_DOES(E_GAP, A, ARM);
	EXPECT_DOES(E_WANT, 0, ASK | ARM);
	KTAP_EXPECT_EQ(asker.wait, 1000);
}

/*
 * Whatever happens: it waits for something in every state but IDLE, never
 * begins a transfer without counting its losses, never is done without END.
 */
static void random_events(void)
{
	static const u32 peers[] = { 0, A, B };
	u64 seed = 0x5eed000a;
	unsigned int todo, i;
	u8 was;

	fresh();
	for (i = 0; i < 200000; i++) {
		enum nfsync_asker_event e = ktap_random(&seed) % E_STOP;

		was = asker.state;
		todo = does(e, peers[ktap_random(&seed) % 3]);
		KTAP_ASSERT(asker.state <= S_JUDGING);
		KTAP_EXPECT(!(todo & BEGIN) || todo & MARK);
		KTAP_EXPECT(!(todo & ASK) || todo & ARM);
		KTAP_EXPECT(!(todo & ARM) ||
			    (asker.wait >= 100 && asker.wait <= 6400) ||
			    (asker.wait == 10000 && e == E_REFUSED));
		KTAP_EXPECT(!(todo & MARK) || e == E_START);
		KTAP_EXPECT(!(todo & JUDGE) || e == E_END);
		KTAP_EXPECT(!!(todo & JUDGE) ==
			    (asker.state == S_JUDGING && was != S_JUDGING));
		KTAP_EXPECT(!(todo & DONE) || e == E_WHOLE ||
			    e == E_LONE_END);
		KTAP_EXPECT(!(todo & DONE) || asker.state == S_IDLE);
		KTAP_EXPECT(!(todo & MORE) ||
			    (todo == (MORE | ARM) && e == E_WHOLE));
		/* who begins to wait has its clock set or running */
		if (asker.state == S_ASKED && was != S_ASKED)
			KTAP_EXPECT(todo & ARM);
	}
}

/* Who answers */

#define TO_START	NFSYNC_TELLER_DO_START
#define TO_DRAIN	NFSYNC_TELLER_DO_DRAIN
#define TO_END		NFSYNC_TELLER_DO_END

#define T_IDLE		NFSYNC_TELLER_IDLE
#define T_WALKING	NFSYNC_TELLER_WALKING
#define T_DRAINING	NFSYNC_TELLER_DRAINING

static const struct {
	struct nfsync_teller was;
	enum nfsync_teller_event event;
	unsigned int todo;
	struct nfsync_teller is;
} teller_steps[] = {
	{ { T_IDLE, 0 }, NFSYNC_TELLER_REQUEST, TO_START, { T_WALKING, 0 } },
	{ { T_IDLE, 0 }, NFSYNC_TELLER_WALKED, 0, { T_IDLE, 0 } },
	{ { T_IDLE, 0 }, NFSYNC_TELLER_DRAINED, 0, { T_IDLE, 0 } },
	{ { T_IDLE, 0 }, NFSYNC_TELLER_CUT, 0, { T_IDLE, 0 } },
	{ { T_WALKING, 0 }, NFSYNC_TELLER_REQUEST, 0, { T_WALKING, 1 } },
	{ { T_WALKING, 1 }, NFSYNC_TELLER_REQUEST, 0, { T_WALKING, 1 } },
	{ { T_WALKING, 0 }, NFSYNC_TELLER_WALKED, TO_DRAIN, { T_DRAINING, 0 } },
	{ { T_WALKING, 1 }, NFSYNC_TELLER_WALKED, TO_DRAIN, { T_DRAINING, 1 } },
	{ { T_WALKING, 1 }, NFSYNC_TELLER_DRAINED, 0, { T_WALKING, 1 } },
	{ { T_WALKING, 1 }, NFSYNC_TELLER_CUT, 0, { T_IDLE, 0 } },
	{ { T_DRAINING, 0 }, NFSYNC_TELLER_REQUEST, 0, { T_DRAINING, 1 } },
	{ { T_DRAINING, 1 }, NFSYNC_TELLER_REQUEST, 0, { T_DRAINING, 1 } },
	{ { T_DRAINING, 1 }, NFSYNC_TELLER_WALKED, 0, { T_DRAINING, 1 } },
	{ { T_DRAINING, 0 }, NFSYNC_TELLER_DRAINED, TO_END, { T_IDLE, 0 } },
	{ { T_DRAINING, 1 }, NFSYNC_TELLER_DRAINED, TO_END | TO_START,
	  { T_WALKING, 0 } },
	{ { T_DRAINING, 1 }, NFSYNC_TELLER_CUT, 0, { T_IDLE, 0 } },
};

static void teller_table(void)
{
	bool seen[T_DRAINING + 1][NFSYNC_TELLER_CUT + 1] = { 0 };
	struct nfsync_teller t;
	unsigned int todo;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(teller_steps); i++) {
		t = teller_steps[i].was;
		todo = nfsync_teller_step(&t, teller_steps[i].event);
		KTAP_EXPECT_MSG(todo == teller_steps[i].todo,
				"step %zu: do %#x, not %#x", i, todo,
				teller_steps[i].todo);
		EXPECT_FIELD(&t, &teller_steps[i].is, state, i);
		EXPECT_FIELD(&t, &teller_steps[i].is, again, i);
		seen[teller_steps[i].was.state][teller_steps[i].event] = true;
	}
	for (i = 0; i < ARRAY_SIZE(seen); i++)
		for (j = 0; j < ARRAY_SIZE(seen[0]); j++)
			KTAP_EXPECT_MSG(seen[i][j],
					"no step of event %zu in state %zu",
					j, i);
}

/* However many ask meanwhile, they share one run, and nobody is forgotten */
static void teller_shares_a_run(void)
{
	struct nfsync_teller t = { 0 };
	int i;

	KTAP_EXPECT_EQ(nfsync_teller_step(&t, NFSYNC_TELLER_REQUEST),
		       TO_START);
	for (i = 0; i < 50; i++)
		KTAP_EXPECT_EQ(nfsync_teller_step(&t, NFSYNC_TELLER_REQUEST),
			       0);
	nfsync_teller_step(&t, NFSYNC_TELLER_WALKED);
	KTAP_EXPECT_EQ(nfsync_teller_step(&t, NFSYNC_TELLER_REQUEST), 0);
	KTAP_EXPECT_EQ(nfsync_teller_step(&t, NFSYNC_TELLER_DRAINED),
		       TO_END | TO_START);
	nfsync_teller_step(&t, NFSYNC_TELLER_WALKED);
	KTAP_EXPECT_EQ(nfsync_teller_step(&t, NFSYNC_TELLER_DRAINED), TO_END);
	KTAP_EXPECT_EQ(t.state, T_IDLE);
}

/* No END for a run that was cut, and the next one is not affected */
static void teller_cut(void)
{
	struct nfsync_teller t = { 0 };

	nfsync_teller_step(&t, NFSYNC_TELLER_REQUEST);
	nfsync_teller_step(&t, NFSYNC_TELLER_REQUEST);
	KTAP_EXPECT_EQ(nfsync_teller_step(&t, NFSYNC_TELLER_CUT), 0);
	KTAP_EXPECT_EQ(nfsync_teller_step(&t, NFSYNC_TELLER_WALKED), 0);
	KTAP_EXPECT_EQ(nfsync_teller_step(&t, NFSYNC_TELLER_DRAINED), 0);
	KTAP_EXPECT_EQ(nfsync_teller_step(&t, NFSYNC_TELLER_REQUEST),
		       TO_START);
	nfsync_teller_step(&t, NFSYNC_TELLER_WALKED);
	KTAP_EXPECT_EQ(nfsync_teller_step(&t, NFSYNC_TELLER_DRAINED), TO_END);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(asker_table),
	KTAP_TEST(good_transfer),
	KTAP_TEST(silence_after_want),
	KTAP_TEST(silence_after_gap),
	KTAP_TEST(silence_after_start),
	KTAP_TEST(sender_gone),
	KTAP_TEST(two_answer),
	KTAP_TEST(sender_starts_anew),
	KTAP_TEST(lone_end),
	KTAP_TEST(lone_end_unasked),
	KTAP_TEST(torn_then_whole),
	KTAP_TEST(torn_rounds),
	KTAP_TEST(torn_for_hours),
	KTAP_TEST(wanted_again),
	KTAP_TEST(wanted_again_and_torn),
	KTAP_TEST(no_room),
	KTAP_TEST(lost_meanwhile),
	KTAP_TEST(gap_of_another_each_time),
	KTAP_TEST(gaps_back_off),
	KTAP_TEST(calm_changes_nothing_else),
	KTAP_TEST(wanted_while_healing),
	KTAP_TEST(random_events),
	KTAP_TEST(teller_table),
	KTAP_TEST(teller_shares_a_run),
	KTAP_TEST(teller_cut),
};

KTAP_MAIN(tests)
