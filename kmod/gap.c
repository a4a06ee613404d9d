// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that a peer sent and that never came.  See gap.h.
 */
#include "gap.h"
#include "merge.h"

static u64 *word_of(struct nfsync_gap *g, u32 seq)
{
	return &g->came[seq / 64 % NFSYNC_GAP_WORDS];
}

static u64 bit_of(u32 seq)
{
	return 1ULL << seq % 64;
}

/**
 * nfsync_gap_start() - the first frame of a peer, or of its new life
 * @g: window to set up
 * @seq: its number; what was before is not ours to miss
 */
void nfsync_gap_start(struct nfsync_gap *g, u32 seq)
{
	u64 lost = g->lost;

	memset(g, 0, sizeof(*g));
	g->lost = lost;
	g->top = seq;
	g->base = seq;
}

/* Judge one more number: it came by now or it is lost */
static void judge_next(struct nfsync_gap *g)
{
	u64 *word = word_of(g, ++g->base);

	if (!(*word & bit_of(g->base)))
		g->lost++;
	*word &= ~bit_of(g->base);
}

/* A jump that no loss explains: the peer counts anew, and all in between went */
static void jump(struct nfsync_gap *g, u32 seq)
{
	while (g->base != g->top)
		judge_next(g);
	g->lost += seq - g->top - 1;
	g->top = seq;
	g->base = seq;
}

/**
 * nfsync_gap_see() - a frame came
 * @g: window of its sender
 * @seq: its number
 *
 * Return: whether it is new; one that is not changes nothing.
 */
enum nfsync_gap_verdict nfsync_gap_see(struct nfsync_gap *g, u32 seq)
{
	if (!nfsync_seq_after(seq, g->base))
		return NFSYNC_GAP_LATE;

	if (nfsync_seq_after(seq, g->top)) {
		if (seq - g->top >= NFSYNC_GAP_WINDOW) {
			jump(g, seq);
			return NFSYNC_GAP_NEW;
		}
		g->top = seq;
		while (g->top - g->base > NFSYNC_GAP_WINDOW)
			judge_next(g);
	} else if (*word_of(g, seq) & bit_of(seq)) {
		return NFSYNC_GAP_TWICE;
	}
	*word_of(g, seq) |= bit_of(seq);
	return NFSYNC_GAP_NEW;
}

/**
 * nfsync_gap_settle() - no frame up to a number is on its way any more
 * @g: window
 * @seq: the number
 */
void nfsync_gap_settle(struct nfsync_gap *g, u32 seq)
{
	if (nfsync_seq_after(seq, g->top))
		seq = g->top;
	while (nfsync_seq_after(seq, g->base))
		judge_next(g);
}

/**
 * nfsync_gap_missing() - frames that are not here and not judged yet
 * @g: window
 *
 * Return: how many below the highest that came.
 */
u32 nfsync_gap_missing(const struct nfsync_gap *g)
{
	u32 n = 0, seq;

	for (seq = g->base + 1; nfsync_seq_after(g->top, seq); seq++)
		if (!(g->came[seq / 64 % NFSYNC_GAP_WORDS] & bit_of(seq)))
			n++;
	return n;
}
