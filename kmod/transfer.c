// SPDX-License-Identifier: GPL-2.0
/*
 * Who asks for a bulk transfer, and who answers.
 *
 *                    WANT, GAP
 *            IDLE -------------> ASKED <-----------+
 *             ^                   |  ^ TICK: ask    |
 *             |             START |  | again        | TICK without DATA,
 *             |                   v  |              | GONE: ask again
 *             |               RECEIVING ------------+
 *             |                   |                 |
 *             |               END |                 | TORN: after a while
 *             |                   v                 | REFUSED: after longer
 *             +---- WHOLE --- JUDGING --------------+
 *
 * START is taken from anybody, END from who sent the START (B-39).  What
 * comes outlasts a transfer that was torn: after some of them every state
 * has come at least once, which JUDGE finds out by its sum.
 *
 *            IDLE -- REQUEST --> WALKING -- WALKED --> DRAINING
 *             ^                   ^                      |
 *             |                   +------ asked again ---+ DRAINED: END
 *             +------------------------------------------+
 */
#include "transfer.h"

#define ASK_MS		1000
#define ASK_SLOW_MS	5000
#define ASK_TRIES	3
#define HEAL_MS		100
#define HEAL_DOUBLINGS	6		/* up to 6.4 s between two heals */
#define TORN_TRIES	3
/* No room here: only time, or an administrator, makes some */
#define REFUSED_MS	10000
/* what was told that long ago may have ended since, its DEL lost: anew */
#define TORN_ROUNDS	8

static unsigned int ask(struct nfsync_asker *a, u32 wait)
{
	a->state = NFSYNC_ASKER_ASKED;
	a->asked = true;
	a->again = false;
	a->progress = false;
	a->data = false;
	a->wait = wait;
	return NFSYNC_ASKER_DO_ASK | NFSYNC_ASKER_DO_ARM;
}

/* Not at once: what was lost was one of many, and more may follow */
static unsigned int ask_later(struct nfsync_asker *a)
{
	ask(a, HEAL_MS << a->heals);
	a->asked = false;
	a->tries = 0;
	if (a->heals < HEAL_DOUBLINGS)
		a->heals++;
	return NFSYNC_ASKER_DO_ARM;
}

static unsigned int wanted(struct nfsync_asker *a)
{
	a->again = a->state == NFSYNC_ASKER_RECEIVING ||
		   a->state == NFSYNC_ASKER_JUDGING;
	if (a->again)
		return 0;
	a->tries = 1;
	a->torn = 0;
	return ask(a, ASK_MS);
}

/* What is lost of a transfer itself shows when it is judged */
static unsigned int gap(struct nfsync_asker *a, u32 from)
{
	if (a->state == NFSYNC_ASKER_JUDGING ||
	    (a->state == NFSYNC_ASKER_RECEIVING && a->from != from))
		a->again = true;
	if (a->state != NFSYNC_ASKER_IDLE)
		return 0;
	a->torn = 0;
	return ask_later(a);
}

static unsigned int tick(struct nfsync_asker *a)
{
	switch (a->state) {
	case NFSYNC_ASKER_RECEIVING:
		if (a->progress) {
			/* as long as it keeps coming it takes what it takes */
			a->progress = false;
			a->wait = ASK_MS;
			return NFSYNC_ASKER_DO_ARM;
		}
		fallthrough;
	case NFSYNC_ASKER_ASKED:
		if (a->tries >= ASK_TRIES)
			return ask(a, ASK_SLOW_MS) | NFSYNC_ASKER_DO_GIVE_UP;
		a->tries++;
		return ask(a, ASK_MS);
	default:
		return 0;
	}
}

static unsigned int start(struct nfsync_asker *a, u32 from)
{
	if (a->state != NFSYNC_ASKER_ASKED &&
	    (a->state != NFSYNC_ASKER_RECEIVING || a->from != from))
		return 0;

	a->state = NFSYNC_ASKER_RECEIVING;
	a->from = from;
	a->progress = true;
	return NFSYNC_ASKER_DO_MARK |
	       (a->torn % TORN_ROUNDS ? 0 : NFSYNC_ASKER_DO_BEGIN);
}

/* More may have been lost meanwhile, of others or behind its end */
static unsigned int whole(struct nfsync_asker *a)
{
	a->torn = 0;
	if (a->again)
		return ask_later(a) | NFSYNC_ASKER_DO_MORE;
	a->state = NFSYNC_ASKER_IDLE;
	return NFSYNC_ASKER_DO_DONE;
}

static unsigned int torn(struct nfsync_asker *a)
{
	ask(a, 0);
	a->asked = false;
	/* it did answer, to the end */
	a->tries = 0;
	a->torn++;
	a->wait = HEAL_MS << min_t(u8, a->torn, HEAL_DOUBLINGS - 2);
	return NFSYNC_ASKER_DO_ARM |
	       (a->torn == TORN_TRIES ? NFSYNC_ASKER_DO_GIVE_UP : 0);
}

static unsigned int refused(struct nfsync_asker *a)
{
	torn(a);
	a->wait = REFUSED_MS;
	return NFSYNC_ASKER_DO_ARM | NFSYNC_ASKER_DO_GIVE_UP;
}

static unsigned int end(struct nfsync_asker *a, u32 from)
{
	if (a->state != NFSYNC_ASKER_RECEIVING || a->from != from)
		return 0;

	a->state = NFSYNC_ASKER_JUDGING;
	return NFSYNC_ASKER_DO_JUDGE;
}

/* All that an empty OpenBSD sends (wire.md 2.6) */
static unsigned int lone_end(struct nfsync_asker *a)
{
	if (a->state != NFSYNC_ASKER_ASKED || !a->asked || a->data)
		return 0;

	return whole(a);
}

static unsigned int gone(struct nfsync_asker *a, u32 from)
{
	if ((a->state != NFSYNC_ASKER_RECEIVING &&
	     a->state != NFSYNC_ASKER_JUDGING) || a->from != from)
		return 0;

	a->tries = 1;
	return ask(a, ASK_MS);
}

/**
 * nfsync_asker_step() - something happened to who asks
 * @a: zeroed before the first event
 * @event: what
 * @from: creator id of the peer it is about: START, END, GAP, GONE
 *
 * Return: NFSYNC_ASKER_DO_*.
 */
unsigned int nfsync_asker_step(struct nfsync_asker *a,
			       enum nfsync_asker_event event, u32 from)
{
	bool judging = a->state == NFSYNC_ASKER_JUDGING;

	switch (event) {
	case NFSYNC_ASKER_WANT:
		return wanted(a);
	case NFSYNC_ASKER_GAP:
		return gap(a, from);
	case NFSYNC_ASKER_TICK:
		return tick(a);
	case NFSYNC_ASKER_START:
		return start(a, from);
	case NFSYNC_ASKER_DATA:
		a->progress = true;
		a->data = true;
		return 0;
	case NFSYNC_ASKER_END:
		return end(a, from);
	case NFSYNC_ASKER_LONE_END:
		return lone_end(a);
	case NFSYNC_ASKER_WHOLE:
		return judging ? whole(a) : 0;
	case NFSYNC_ASKER_TORN:
		return judging ? torn(a) : 0;
	case NFSYNC_ASKER_REFUSED:
		return judging ? refused(a) : 0;
	case NFSYNC_ASKER_GONE:
		return gone(a, from);
	case NFSYNC_ASKER_STOP:
		memset(a, 0, sizeof(*a));
	}
	return 0;
}

/**
 * nfsync_asker_calm() - nothing was lost for a while
 * @a: who asks
 */
void nfsync_asker_calm(struct nfsync_asker *a)
{
	a->heals = 0;
}

/* Who asked when nothing of a run was told yet would be served by it; but a
 * START that is on its way may be missed: a run of its own is always right.
 */
static unsigned int request(struct nfsync_teller *t)
{
	if (t->state != NFSYNC_TELLER_IDLE) {
		t->again = true;
		return 0;
	}
	t->state = NFSYNC_TELLER_WALKING;
	t->again = false;
	return NFSYNC_TELLER_DO_START;
}

/**
 * nfsync_teller_step() - something happened to who answers
 * @t: zeroed before the first event
 * @event: what
 *
 * Return: NFSYNC_TELLER_DO_*; END and START together are in this order: END.
 */
unsigned int nfsync_teller_step(struct nfsync_teller *t,
				enum nfsync_teller_event event)
{
	switch (event) {
	case NFSYNC_TELLER_REQUEST:
		return request(t);
	case NFSYNC_TELLER_WALKED:
		if (t->state != NFSYNC_TELLER_WALKING)
			return 0;
		t->state = NFSYNC_TELLER_DRAINING;
		return NFSYNC_TELLER_DO_DRAIN;
	case NFSYNC_TELLER_DRAINED:
		if (t->state != NFSYNC_TELLER_DRAINING)
			return 0;
		t->state = NFSYNC_TELLER_IDLE;
		return NFSYNC_TELLER_DO_END | (t->again ? request(t) : 0);
	case NFSYNC_TELLER_CUT:
		/* a START without its END: who asked asks again */
		memset(t, 0, sizeof(*t));
	}
	return 0;
}
