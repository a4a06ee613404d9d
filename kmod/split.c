// SPDX-License-Identifier: GPL-2.0
/*
 * A flow split over several nodes.  Packets of a direction move two numbers:
 * td_end of it and, by what they acknowledge, td_maxend of the other one.  The
 * nodes that they pass have the truth of these two, all others a copy, with
 * slack; slack on the truth would hide what is to be told.
 *
 *	slack[d]  edge[!d]
 *	   1         1      a copy: packets of d pass elsewhere, or nowhere
 *	   1         0      begun: they came here a while ago, others may follow
 *	                    that left the other node before
 *	   0         0      ours: for two seconds nobody knew of later ones
 *
 * A path moves at any time, to any node, and without a word.  The first packet
 * that is news to a copy makes it begun, and is told at once.  Begun and ours
 * become a copy when a peer knows a later number of either: its packets are
 * there now.  So at any time each node is behind by no more than what is told
 * late, and what is under way, wherever the paths go next; and that is what
 * slack is for.
 *
 * Numbers only go up.  Of three nodes two tell of the same direction, one of
 * them what it heard of the other, and that may be old.
 */
#ifdef __KERNEL__
#include <linux/string.h>
#endif
#include "merge.h"
#include "split.h"

/**
 * nfsync_split_amount - how much slack there is
 * @win: td_maxwin of the other side as told
 * @wide: more of it
 *
 * Context: any, pure.
 * Return: bytes.
 */
u32 nfsync_split_amount(u32 win, bool wide)
{
	return wide ? nfsync_map_wide_slack(win) : nfsync_map_slack(win);
}

/**
 * nfsync_split_win - td_maxwin of the other side that goes with it
 * @win: td_maxwin of the other side as told
 * @wide: more of it
 *
 * Context: any, pure.
 * Return: bytes.
 */
u32 nfsync_split_win(u32 win, bool wide)
{
	return wide ? nfsync_map_wide_slack_win(win) :
		      nfsync_map_slack_win(win);
}

/**
 * nfsync_split_bare_win - td_maxwin without what slack of the other side added
 * @now: td_maxwin of the entry, whose other side has slack on td_end
 * @win: the same as told
 * @wide: more of it
 *
 * What conntrack added meanwhile stays.
 *
 * Context: any, pure.
 * Return: bytes.
 */
u32 nfsync_split_bare_win(u32 now, u32 win, bool wide)
{
	u32 least = nfsync_split_win(win, wide);

	return now < least ? now : now - (least - win);
}

static void strip_side(struct nfsync_split *sp, int d)
{
	u32 amount = nfsync_split_amount(sp->told_win[d], sp->wide);
	struct nfsync_map_seen *s = &sp->seen[d];

	/* packets that went beyond it made it true */
	if (s->td_maxend != sp->told_maxend[d] + amount)
		sp->edge[d] = false;
	if (sp->edge[d])
		s->td_maxend = sp->told_maxend[d];
	if (!sp->slack[d])
		return;

	sp->seen[!d].td_maxwin = nfsync_split_bare_win(sp->seen[!d].td_maxwin,
						       sp->told_win[d],
						       sp->wide);
	if (nfsync_seq_after(s->td_end, sp->told_end[d] + amount)) {
		sp->slack[d] = false;
		return;
	}
	/* that of a packet beyond the right edge conntrack takes as it is */
	if (s->td_end != sp->told_end[d] + amount)
		sp->here_end[d] = nfsync_seq_max(sp->here_end[d], s->td_end);
	s->td_end = sp->told_end[d];
}

/**
 * nfsync_split_strip - take slack away
 * @sp: with @seen as the entry has it
 *
 * Context: any, touches nothing but its arguments.
 */
void nfsync_split_strip(struct nfsync_split *sp)
{
	strip_side(sp, 0);
	strip_side(sp, 1);
}

static u32 dressed_win(const struct nfsync_split *sp, int d)
{
	u32 now = sp->seen[!d].td_maxwin;
	u32 more = nfsync_split_win(sp->told_win[d], true) - sp->told_win[d];

	return now + more < now ? 0xffffffff : now + more;
}

/**
 * nfsync_split_dress - give slack, as much as fits the windows now
 * @sp: without slack; @seen is the entry's afterwards
 *
 * Context: any, touches nothing but its arguments.
 */
void nfsync_split_dress(struct nfsync_split *sp)
{
	u32 amount;
	int d;

	sp->wide = true;
	for (d = 0; d < 2; d++) {
		amount = nfsync_split_amount(sp->told_win[d], true);
		if (sp->slack[d]) {
			sp->seen[d].td_end += amount;
			sp->seen[!d].td_maxwin = dressed_win(sp, d);
		}
		if (sp->edge[d])
			sp->seen[d].td_maxend += amount;
	}
}

/**
 * nfsync_split_end - what is known of td_end
 * @sp: without slack
 * @d: direction
 *
 * Context: any, pure.
 * Return: the number, further than what the peers were told when packets came
 * here since, within slack.
 */
u32 nfsync_split_end(const struct nfsync_split *sp, int d)
{
	if (!sp->slack[d])
		return sp->seen[d].td_end;
	return nfsync_seq_max(sp->told_end[d], sp->here_end[d]);
}

/*
 * Does a peer know of packets of this direction that it was not told of?  Those
 * that we know beyond that are of no matter: they pass there as well.
 */
static bool passes_elsewhere(const struct nfsync_split *sp, int d,
			     const struct nfsync_map_seen told[2])
{
	return (told[d].td_maxwin && sp->seen[d].td_maxwin &&
		nfsync_seq_after(told[d].td_end, sp->told_end[d])) ||
	       (told[!d].td_maxwin && sp->seen[!d].td_maxwin &&
		nfsync_seq_after(told[!d].td_maxend, sp->told_maxend[!d]));
}

/* Do we know of packets that a peer which says this was not told of? */
static bool knows_later(const struct nfsync_split *sp, int d,
			const struct nfsync_map_seen told[2])
{
	return nfsync_seq_after(nfsync_split_end(sp, d), told[d].td_end) ||
	       nfsync_seq_after(sp->seen[!d].td_maxend, told[!d].td_maxend);
}

/* What all know is never more than what we know */
static u32 later_told(u32 known, u32 told, u32 own)
{
	return nfsync_seq_after(known, own) ? told : nfsync_seq_max(known, told);
}

static void take_edge(struct nfsync_split *sp, int d, u32 told)
{
	u32 *own = &sp->seen[d].td_maxend;

	/* one that conntrack has not set yet is no number */
	*own = sp->seen[d].td_maxwin ? nfsync_seq_max(*own, told) : told;
	sp->told_maxend[d] = sp->edge[d] ? *own :
		later_told(sp->told_maxend[d], told, *own);
}

static void take_end(struct nfsync_split *sp, int d, u32 told)
{
	u32 *own = &sp->seen[d].td_end;

	*own = sp->seen[d].td_maxwin ? nfsync_seq_max(*own, told) : told;
	sp->told_end[d] = sp->slack[d] ? *own :
		later_told(sp->told_end[d], told, *own);
}

static void take_side(struct nfsync_split *sp, int d,
		      const struct nfsync_map_seen told[2], bool here)
{
	struct nfsync_map_seen *s = &sp->seen[d];

	/* by td_maxwin they know whether there are numbers yet */
	take_edge(sp, d, told[d].td_maxend);
	take_end(sp, d, told[d].td_end);
	/* UPD_C rounds it down */
	if (s->td_maxwin < told[d].td_maxwin)
		s->td_maxwin = told[d].td_maxwin;
	if (here) {
		s->flags |= told[d].flags;
		return;
	}
	s->td_scale = told[d].td_scale;
	/* td_maxack does not travel, and a stale one refuses good resets */
	s->flags = told[d].flags & ~NFSYNC_CT_F_MAXACK;
}

/* Slack is for windows that are known, and for who wants it */
static void make_copy(struct nfsync_split *sp, int d)
{
	int i;

	if (!sp->seen[0].td_maxwin || !sp->seen[1].td_maxwin)
		return;
	for (i = 0; i < 2; i++)
		if (!sp->told_win[i])
			sp->told_win[i] = sp->seen[!i].td_maxwin;
	sp->seen[d].td_end = nfsync_split_end(sp, d);
	sp->told_end[d] = sp->seen[d].td_end;
	sp->here_end[d] = sp->seen[d].td_end;
	sp->slack[d] = true;
	sp->told_maxend[!d] = sp->seen[!d].td_maxend;
	sp->edge[!d] = true;
}

static void end_slack(struct nfsync_split *sp, int d)
{
	sp->seen[d].td_end = nfsync_split_end(sp, d);
	sp->slack[d] = false;
}

static void take(struct nfsync_split *sp, const struct nfsync_map_seen told[2],
		 unsigned int verdict, const bool here[2])
{
	int d;

	for (d = 0; d < 2; d++) {
		if (verdict & NFSYNC_MERGE_TAKE_SRC << d)
			take_side(sp, d, told, here[d]);
		else if (verdict & NFSYNC_MERGE_EDGE_SRC << d)
			take_edge(sp, d, told[d].td_maxend);
	}
	for (d = 0; d < 2; d++)
		if (verdict & NFSYNC_MERGE_TAKE_SRC << d)
			sp->told_win[d] = sp->seen[!d].td_maxwin;
}

/**
 * nfsync_split_hear - what a peer says
 * @sp: without slack
 * @told: both sides as told, td_maxwin is 0 of those that mean nothing
 * @verdict: NFSYNC_MERGE_*, what of it is to be taken; may be nothing
 * @sees: which directions' packets came here lately
 * @bounded: is there to be any slack?
 *
 * Context: any, touches nothing but its arguments.
 * Return: true if the peers are to hear ours now: a direction that passed here
 * is another's, who does not know how far it went.
 */
bool nfsync_split_hear(struct nfsync_split *sp,
		       const struct nfsync_map_seen told[2],
		       unsigned int verdict, const bool sees[2], bool bounded)
{
	bool here[2], farewell = false;
	int d;

	for (d = 0; d < 2; d++) {
		here[d] = sees[d] && !sp->edge[!d];
		if (!here[d] || !passes_elsewhere(sp, d, told))
			continue;
		here[d] = false;
		farewell |= knows_later(sp, d, told);
	}
	take(sp, told, verdict, here);
	for (d = 0; d < 2; d++) {
		if (!bounded) {
			end_slack(sp, d);
			sp->edge[d] = false;
		} else if (!here[d]) {
			make_copy(sp, d);
		}
	}
	return farewell;
}

/**
 * nfsync_split_told - the peers were told what is known
 * @sp: without slack
 * @sees: which directions' packets came here lately
 * @bounded: is there to be any slack?
 *
 * Who sees the answer to a SYN of which it heard is the first to know both
 * windows, and begins with slack for what the SYN's node sees.  The end of the
 * handshake need not come in front of the packets that follow it then.
 *
 * Context: any, touches nothing but its arguments.
 */
void nfsync_split_told(struct nfsync_split *sp, const bool sees[2],
		       bool bounded)
{
	bool opens[2];
	int d;

	for (d = 0; d < 2; d++)
		opens[d] = bounded && !sp->told_win[d] && !sees[d];
	for (d = 0; d < 2; d++) {
		sp->seen[d].td_end = nfsync_split_end(sp, d);
		sp->told_end[d] = sp->seen[d].td_end;
		sp->told_maxend[d] = sp->seen[d].td_maxend;
		sp->told_win[d] = sp->seen[!d].td_maxwin;
	}
	for (d = 0; d < 2; d++)
		if (opens[d])
			make_copy(sp, d);
}

/* The half of a flow that this node had a copy of has come here */
static bool begin(struct nfsync_split *sp, int d, u32 end, u32 edge)
{
	struct nfsync_map_seen *to = &sp->seen[!d];

	if (sp->slack[d] && !nfsync_seq_after(end, sp->told_end[d]) &&
	    !nfsync_seq_after(edge, sp->told_maxend[!d]))
		return false;
	to->td_maxend = nfsync_seq_max(sp->told_maxend[!d], edge);
	sp->edge[!d] = false;
	sp->here_end[d] = nfsync_seq_max(sp->told_end[d], end);
	return true;
}

/**
 * nfsync_split_arrive - a packet came here, and conntrack accepted it
 * @sp: without slack
 * @dir: of the packet
 * @end: behind its last byte
 * @edge: the right edge that it grants to the other side
 * @settled: for two seconds nobody knew of others than those that came here
 *
 * Conntrack does not see it as long as it is within slack.
 *
 * Context: any, touches nothing but its arguments.
 * Return: true if it is the first that came here, which the peers are to hear
 * of now.
 */
bool nfsync_split_arrive(struct nfsync_split *sp, int dir, u32 end, u32 edge,
			 bool settled)
{
	if (sp->edge[!dir])
		return begin(sp, dir, end, edge);
	if (!sp->slack[dir])
		return false;
	sp->here_end[dir] = nfsync_seq_max(sp->here_end[dir], end);
	if (settled)
		end_slack(sp, dir);
	return false;
}
