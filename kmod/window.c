// SPDX-License-Identifier: GPL-2.0
/*
 * The TCP windows of an entry that a peer told us.
 *
 * A direction that this node does not see itself is imported with its told
 * td_end and td_maxend plus nfsync_map_slack() of the window it was told
 * with, and the other side's td_maxwin widened to match, so that the entry
 * lags reality by nothing conntrack would mind.  What was told, without slack,
 * stays in the state.  As long as the entry still has exactly told + slack no
 * packet has moved it, and what is exported is the told number: slack never
 * travels.  Once td_end has moved it is true again, and the window is taken
 * back to what was told.
 *
 * Where a flow may be split over several nodes, with deferral, the rules are
 * those of split.c; here is how they get at the entry.
 */
#include <linux/jiffies.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include "device.h"
#include "map.h"
#include "merge.h"
#include "split.h"
#include "window.h"

static bool any_slack(const struct nfsync_state *st)
{
	return READ_ONCE(st->flags) &
	       (BIT(NFSYNC_ST_SLACK) | BIT(NFSYNC_ST_SLACK_REPLY) |
		BIT(NFSYNC_ST_EDGE) | BIT(NFSYNC_ST_EDGE_REPLY));
}

/* td_maxwin of the side that acks a direction whose td_end has slack */
static u32 slack_win(const struct nfsync_state *st, int dir)
{
	return nfsync_split_win(st->told_win[dir],
				test_bit(NFSYNC_ST_WIDE, &st->flags));
}

/**
 * nfsync_window_maxwin() - td_maxwin of a side as it may travel
 * @st: state
 * @ct: its entry, TCP
 * @side: NFSYNC_SRC or NFSYNC_DST
 *
 * Context: ct->lock held.
 * Return: bytes, without what slack of the other direction added.
 */
u32 nfsync_window_maxwin(const struct nfsync_state *st,
			 const struct nf_conn *ct, int side)
	__must_hold(&ct->lock)
{
	u32 now = ct->proto.tcp.seen[side].td_maxwin;

	lockdep_assert_held(&ct->lock);

	if (!nfsync_window_slack(st, !side))
		return now;
	return nfsync_split_bare_win(now, st->told_win[!side],
				     test_bit(NFSYNC_ST_WIDE, &st->flags));
}

/* A packet moved td_end: its number is true, and the window as told */
static void end_slack(struct nfsync_state *st, struct nf_conn *ct, int dir)
	__must_hold(&ct->lock)
{
	lockdep_assert_held(&ct->lock);

	if (!nfsync_window_slack(st, dir))
		return;
	ct->proto.tcp.seen[!dir].td_maxwin = nfsync_window_maxwin(st, ct, !dir);
	clear_bit(NFSYNC_ST_SLACK + dir, &st->flags);
	clear_bit(NFSYNC_ST_EDGE + dir, &st->flags);
}

/* Where it is one node that forwards the flow */
static void set_told_whole(struct nfsync_state *st, struct nf_conn *ct, int dir,
			   const struct nfsync_map_seen pic[IP_CT_DIR_MAX])
	__must_hold(&ct->lock)
{
	lockdep_assert_held(&ct->lock);

	WRITE_ONCE(st->told_maxend[dir], pic[dir].td_maxend);
	/* still told + slack: told and its window stay a pair */
	if (nfsync_window_slack(st, dir) && pic[dir].td_end == st->told_end[dir])
		return;
	end_slack(st, ct, dir);
	WRITE_ONCE(st->told_end[dir], pic[dir].td_end);
	WRITE_ONCE(st->told_win[dir], pic[!dir].td_maxwin);
}

static bool dir_seen_since_told(const struct nfsync_state *st, int dir)
{
	return (s32)(READ_ONCE(st->seen_at[dir]) -
		     READ_ONCE(st->peer_at)) >= 0;
}

/* Packets that went through slack have left no trace in the entry */
static bool seen_since_told(const struct nfsync_state *st)
{
	return dir_seen_since_told(st, IP_CT_DIR_ORIGINAL) ||
	       dir_seen_since_told(st, IP_CT_DIR_REPLY);
}

/**
 * nfsync_window_behind() - have packets passed that the windows don't show?
 * @st: state
 *
 * What fits into slack leaves no trace in the entry, and what is told of it is
 * what its last teller knew.
 *
 * Context: any.
 * Return: true if one did since a peer last spoke of the flow.
 */
bool nfsync_window_behind(const struct nfsync_state *st)
{
	int d;

	for (d = 0; d < IP_CT_DIR_MAX; d++)
		if (nfsync_window_slack(st, d) && dir_seen_since_told(st, d))
			return true;
	return false;
}

static bool window_is(const struct nfsync_dev *nd, enum pfsync_window w)
{
	return READ_ONCE(nd->cfg.window) == w;
}

/* As told, without slack */
static void take_back(struct nfsync_state *st, struct nf_conn *ct)
	__must_hold(&ct->lock)
{
	struct ip_ct_tcp_state *seen = ct->proto.tcp.seen;
	int d;

	lockdep_assert_held(&ct->lock);

	for (d = 0; d < IP_CT_DIR_MAX; d++) {
		seen[d].td_end = nfsync_window_end(st, d, seen[d].td_end);
		seen[d].td_maxend = nfsync_window_edge(st, d, seen[d].td_maxend);
		end_slack(st, ct, d);
		clear_bit(NFSYNC_ST_EDGE + d, &st->flags);
	}
}

/* The next packet of each direction sets its window (tcp_in_window()) */
static void make_unknown(struct nf_conn *ct)
	__must_hold(&ct->lock)
{
	lockdep_assert_held(&ct->lock);

	ct->proto.tcp.seen[IP_CT_DIR_ORIGINAL].td_maxwin = 0;
	ct->proto.tcp.seen[IP_CT_DIR_REPLY].td_maxwin = 0;
}

static void set_liberal(struct nf_conn *ct, bool liberal)
	__must_hold(&ct->lock)
{
	struct ip_ct_tcp_state *seen = ct->proto.tcp.seen;
	int d;

	lockdep_assert_held(&ct->lock);

	for (d = 0; d < IP_CT_DIR_MAX; d++) {
		if (liberal)
			seen[d].flags |= IP_CT_TCP_FLAG_BE_LIBERAL;
		else
			seen[d].flags &= ~IP_CT_TCP_FLAG_BE_LIBERAL;
	}
}

/**
 * nfsync_window_forget() - leave the entry nothing that only a state explains
 * @nd: device, for its window policy
 * @st: state that ends while its entry stays
 *
 * Only the state knows that there is slack.  Left in an entry it would be
 * told as the truth by the next state of that entry, come back from the peer
 * with slack on top, and so on, until no real packet is in the window.  So it
 * goes, and what was told is not the window either: packets are ahead of it,
 * here or where it came from, and the next ones set it.  Nor does anybody end a
 * doubt that a state began.
 *
 * Context: process or softirq, no lock held.
 */
void nfsync_window_forget(struct nfsync_dev *nd, struct nfsync_state *st)
{
	struct nf_conn *ct = st->ct;

	if (nf_ct_protonum(ct) != IPPROTO_TCP)
		return;

	spin_lock_bh(&ct->lock);
	if (any_slack(st)) {
		take_back(st, ct);
		make_unknown(ct);
	}
	if (test_bit(NFSYNC_ST_DOUBTED, &st->flags) &&
	    !window_is(nd, PFSYNC_WINDOW_LIBERAL))
		set_liberal(ct, false);
	spin_unlock_bh(&ct->lock);
}

static bool seen_lately(const struct nfsync_state *st, int dir)
{
	return (u32)jiffies - READ_ONCE(st->seen_at[dir]) < NFSYNC_WINDOW_SPLIT;
}

/* The same by a packet, and not by what is assumed of older entries */
static bool passed_lately(const struct nfsync_state *st, int dir)
{
	return seen_lately(st, dir) && !test_bit(NFSYNC_ST_ASSUMED, &st->flags);
}

/* Returns whether packets of a flow pass here */
static bool passes(struct nfsync_dev *nd, struct nfsync_state *st, void *arg)
{
	return seen_lately(st, IP_CT_DIR_ORIGINAL) ||
	       seen_lately(st, IP_CT_DIR_REPLY);
}

/*
 * Not by NFSYNC_ST_LOCAL: that is taken away by the first word of the flow's new
 * node two seconds after our last packet, and it may have spoken for the last
 * time before.  Where no flow at all passes, one that did last may have left with
 * the others, and its first packet there was not told any more.
 */
static bool doubt_one(struct nfsync_dev *nd, struct nfsync_state *st, void *arg)
{
	const bool *forwards = arg;
	struct nf_conn *ct;

	if (!nfsync_state_get(st))
		return false;

	ct = st->ct;
	if (nf_ct_protonum(ct) == IPPROTO_TCP &&
	    !(*forwards && seen_since_told(st))) {
		spin_lock_bh(&ct->lock);
		take_back(st, ct);
		make_unknown(ct);
		set_liberal(ct, true);
		set_bit(NFSYNC_ST_DOUBTED, &st->flags);
		spin_unlock_bh(&ct->lock);
		nfsync_stats_inc(nd, PFSYNC_STAT_DOUBTED);
	}
	nfsync_state_put(st);
	return true;
}

/**
 * nfsync_window_trust() - an end of doubt, if both directions were seen
 * @nd: device, for its window policy
 * @st: state, NFSYNC_ST_DOUBTED
 *
 * Not at once: for some round trips older segments may be sent again.  The
 * garbage walk comes by each five seconds, and the second time counts.
 *
 * Context: softirq or process, no lock held.
 */
void nfsync_window_trust(struct nfsync_dev *nd, struct nfsync_state *st)
{
	struct nf_conn *ct = st->ct;
	const struct ip_ct_tcp_state *seen = ct->proto.tcp.seen;

	spin_lock_bh(&ct->lock);
	if (!seen[IP_CT_DIR_ORIGINAL].td_maxwin ||
	    !seen[IP_CT_DIR_REPLY].td_maxwin)
		goto out;
	if (!test_and_set_bit(NFSYNC_ST_SETTLING, &st->flags))
		goto out;
	clear_bit(NFSYNC_ST_SETTLING, &st->flags);
	clear_bit(NFSYNC_ST_DOUBTED, &st->flags);
	if (!window_is(nd, PFSYNC_WINDOW_LIBERAL))
		set_liberal(ct, false);
out:
	spin_unlock_bh(&ct->lock);
}

/**
 * nfsync_window_doubt() - nobody tells us of the peers' flows any more
 * @nd: device
 *
 * Whoever forwarded them may go on with that, told to nobody, and what was
 * told gets older with each packet.  Their windows become unknown, td_maxwin
 * 0, and the next packet that comes here sets them anew, as that of a flow
 * that comes back from a flowtable (flow_offload_fixup_tcp()); as there the
 * check is liberal meanwhile, for that packet may be ahead of one sent again.
 * Strict is strict: there they stay, and flows are lost.
 *
 * Context: process.
 */
void nfsync_window_doubt(struct nfsync_dev *nd)
{
	bool forwards;

	if (window_is(nd, PFSYNC_WINDOW_STRICT))
		return;
	forwards = nfsync_state_walk(nd, passes, NULL, NULL);
	nfsync_state_walk(nd, doubt_one, &forwards, NULL);
}

/**
 * nfsync_window_sees() - do packets of this direction pass here?
 * @nd: device
 * @st: state
 * @dir: enum ip_conntrack_dir
 *
 * Context: any.
 * Return: true if one did in the last two seconds.
 */
bool nfsync_window_sees(const struct nfsync_dev *nd,
			const struct nfsync_state *st, int dir)
{
	return seen_lately(st, dir) &&
	       !(nfsync_device_splits(nd) ? nfsync_window_edge_slack(st, !dir) :
					    nfsync_window_slack(st, dir));
}

/* Less slack, where there is some that nothing moved since */
static void set_narrow(struct nfsync_state *st, struct nf_conn *ct)
	__must_hold(&ct->lock)
{
	struct ip_ct_tcp_state *seen = ct->proto.tcp.seen;
	u32 end[IP_CT_DIR_MAX], edge[IP_CT_DIR_MAX];
	int d;

	lockdep_assert_held(&ct->lock);

	for (d = 0; d < IP_CT_DIR_MAX; d++) {
		end[d] = nfsync_window_end(st, d, seen[d].td_end);
		edge[d] = nfsync_window_edge(st, d, seen[d].td_maxend);
	}
	clear_bit(NFSYNC_ST_WIDE, &st->flags);
	for (d = 0; d < IP_CT_DIR_MAX; d++) {
		if (end[d] != seen[d].td_end) {
			WRITE_ONCE(st->told_end[d], end[d]);
			seen[d].td_end = end[d] + nfsync_window_amount(st, d);
		}
		if (edge[d] != seen[d].td_maxend)
			seen[d].td_maxend = edge[d] +
					    nfsync_window_amount(st, d);
	}
	nfsync_window_widen(st, ct);
}

/* Slack is for windows that are known, and for who wants it */
static bool may_slacken(const struct nfsync_dev *nd, u32 win)
{
	return window_is(nd, PFSYNC_WINDOW_BOUNDED) && win;
}

/* One direction as told, plus what may have passed since (map.c) */
static void set_seen(struct nfsync_dev *nd, struct nfsync_state *st,
		     struct nf_conn *ct, int dir, const struct nfsync_map_seen *told,
		     u32 other_win)
	__must_hold(&ct->lock)
{
	struct ip_ct_tcp_state *seen = &ct->proto.tcp.seen[dir];
	u32 slack = 0;

	lockdep_assert_held(&ct->lock);

	if (may_slacken(nd, told->td_maxwin))
		slack = nfsync_map_slack(other_win);
	st->told_end[dir] = told->td_end;
	st->told_maxend[dir] = told->td_maxend;
	st->told_win[dir] = other_win;
	assign_bit(NFSYNC_ST_SLACK + dir, &st->flags, slack);
	assign_bit(NFSYNC_ST_EDGE + dir, &st->flags, slack);
	seen->td_end = told->td_end + slack;
	seen->td_maxend = told->td_maxend + slack;
	/* the other side's td_maxwin follows in nfsync_window_widen() */
	seen->td_maxwin = told->td_maxwin;
	seen->td_scale = told->td_scale;
	/* td_maxack does not travel, and a stale one refuses good resets */
	seen->flags = told->flags & ~IP_CT_TCP_FLAG_MAXACK_SET;
}

/* What all know: of one that was never told, that is what the peer tells */
static void join_told(struct nfsync_state *st, int dir,
		      const struct nfsync_map_seen *told)
{
	u32 end = told->td_end, edge = told->td_maxend;

	if (st->told_win[dir]) {
		end = nfsync_seq_max(st->told_end[dir], end);
		edge = nfsync_seq_max(st->told_maxend[dir], edge);
	}
	WRITE_ONCE(st->told_end[dir], end);
	WRITE_ONCE(st->told_maxend[dir], edge);
}

/*
 * What this node knows of a direction goes into what it was told.  A number that
 * conntrack has not set yet is none.
 */
static void raise_told(const struct nfsync_state *st, const struct nf_conn *ct,
		       int dir, struct nfsync_map_seen *told)
	__must_hold(&ct->lock)
{
	const struct ip_ct_tcp_state *seen = &ct->proto.tcp.seen[dir];

	lockdep_assert_held(&ct->lock);

	if (!seen->td_maxwin)
		return;
	told->td_end = nfsync_seq_max(told->td_end,
				      nfsync_window_end(st, dir, seen->td_end));
	told->td_maxend = nfsync_seq_max(told->td_maxend,
					 nfsync_window_edge(st, dir,
							    seen->td_maxend));
}

/*
 * A direction whose packets also pass here: no slack, for conntrack has the
 * truth before us.
 */
static void join_seen(struct nfsync_state *st, struct nf_conn *ct, int dir,
		      const struct nfsync_map_seen *raised)
	__must_hold(&ct->lock)
{
	struct ip_ct_tcp_state *seen = &ct->proto.tcp.seen[dir];

	lockdep_assert_held(&ct->lock);

	clear_bit(NFSYNC_ST_EDGE + dir, &st->flags);
	seen->td_end = raised->td_end;
	seen->td_maxend = raised->td_maxend;
	seen->td_maxwin = raised->td_maxwin;
	seen->flags |= raised->flags & ~IP_CT_TCP_FLAG_MAXACK_SET;
}

/*
 * Is the truth of a direction that passed here a moment ago still here?  Not if
 * a peer forwards it or knows of later packets: the path has moved, and the next
 * thing that is told may be more than two seconds away, or never come.  Nor if
 * no packet came at all, in a device that is new.
 */
static bool has_truth(const struct nfsync_state *st, const struct nf_conn *ct,
		      int dir, const struct nfsync_map_seen *told,
		      bool elsewhere)
	__must_hold(&ct->lock)
{
	lockdep_assert_held(&ct->lock);

	return !elsewhere && passed_lately(st, dir) &&
	       !nfsync_window_slack(st, dir) &&
	       !nfsync_seq_after(told->td_end, ct->proto.tcp.seen[dir].td_end);
}

static void hear_whole(struct nfsync_dev *nd, struct nfsync_state *st,
		       struct nf_conn *ct,
		       const struct nfsync_map_seen told[IP_CT_DIR_MAX],
		       unsigned int take, bool elsewhere)
	__must_hold(&ct->lock)
{
	struct nfsync_map_seen t[IP_CT_DIR_MAX] = { told[0], told[1] };
	int d;

	lockdep_assert_held(&ct->lock);

	if (test_bit(NFSYNC_ST_WIDE, &st->flags))
		set_narrow(st, ct);
	/* UPD_C rounds a window down */
	for (d = 0; d < IP_CT_DIR_MAX; d++)
		t[d].td_maxwin = max(t[d].td_maxwin,
				     nfsync_window_maxwin(st, ct, d));
	for (d = 0; d < IP_CT_DIR_MAX; d++) {
		if (!(take & NFSYNC_MERGE_TAKE_SRC << d))
			continue;
		if (seen_lately(st, d))
			raise_told(st, ct, d, &t[d]);
		if (has_truth(st, ct, d, &told[d], elsewhere)) {
			join_seen(st, ct, d, &t[d]);
			join_told(st, d, &told[d]);
		} else {
			set_seen(nd, st, ct, d, &t[d], t[!d].td_maxwin);
		}
	}
	nfsync_window_widen(st, ct);
}

/* --- flows that may be split --- */

/* What there is of an entry and its state, without slack */
static void split_load(const struct nfsync_state *st, const struct nf_conn *ct,
		       struct nfsync_split *sp)
	__must_hold(&ct->lock)
{
	const struct ip_ct_tcp_state *seen = ct->proto.tcp.seen;
	int d;

	lockdep_assert_held(&ct->lock);

	for (d = 0; d < IP_CT_DIR_MAX; d++) {
		sp->seen[d].td_end = seen[d].td_end;
		sp->seen[d].td_maxend = seen[d].td_maxend;
		sp->seen[d].td_maxwin = seen[d].td_maxwin;
		sp->seen[d].td_scale = seen[d].td_scale;
		sp->seen[d].flags = seen[d].flags;
		sp->slack[d] = nfsync_window_slack(st, d);
		sp->edge[d] = nfsync_window_edge_slack(st, d);
	}
	memcpy(sp->told_end, st->told_end, sizeof(sp->told_end));
	memcpy(sp->told_maxend, st->told_maxend, sizeof(sp->told_maxend));
	memcpy(sp->told_win, st->told_win, sizeof(sp->told_win));
	memcpy(sp->here_end, st->here_end, sizeof(sp->here_end));
	sp->wide = test_bit(NFSYNC_ST_WIDE, &st->flags);
	nfsync_split_strip(sp);
}

static void split_store(struct nfsync_state *st, struct nf_conn *ct,
			struct nfsync_split *sp)
	__must_hold(&ct->lock)
{
	struct ip_ct_tcp_state *seen = ct->proto.tcp.seen;
	int d;

	lockdep_assert_held(&ct->lock);

	nfsync_split_dress(sp);
	for (d = 0; d < IP_CT_DIR_MAX; d++) {
		seen[d].td_end = sp->seen[d].td_end;
		seen[d].td_maxend = sp->seen[d].td_maxend;
		seen[d].td_maxwin = sp->seen[d].td_maxwin;
		seen[d].td_scale = sp->seen[d].td_scale;
		seen[d].flags = sp->seen[d].flags;
		WRITE_ONCE(st->told_end[d], sp->told_end[d]);
		WRITE_ONCE(st->told_maxend[d], sp->told_maxend[d]);
		WRITE_ONCE(st->told_win[d], sp->told_win[d]);
		WRITE_ONCE(st->here_end[d], sp->here_end[d]);
		assign_bit(NFSYNC_ST_SLACK + d, &st->flags, sp->slack[d]);
		assign_bit(NFSYNC_ST_EDGE + d, &st->flags, sp->edge[d]);
	}
	set_bit(NFSYNC_ST_WIDE, &st->flags);
}

static void set_told_split(const struct nfsync_dev *nd, struct nfsync_state *st,
			   struct nf_conn *ct)
	__must_hold(&ct->lock)
{
	bool sees[IP_CT_DIR_MAX] = {
		seen_lately(st, IP_CT_DIR_ORIGINAL),
		seen_lately(st, IP_CT_DIR_REPLY),
	};
	bool bounded = nfsync_device_splits(nd) &&
		       window_is(nd, PFSYNC_WINDOW_BOUNDED);
	struct nfsync_split sp;

	lockdep_assert_held(&ct->lock);

	split_load(st, ct, &sp);
	nfsync_split_told(&sp, sees, bounded);
	split_store(st, ct, &sp);
}

/**
 * nfsync_window_set_told() - both directions were told, as they are now
 * @nd: device, for its window policy
 * @st: state
 * @ct: its entry
 * @pic: both directions, without slack
 *
 * Context: ct->lock held since the picture was made.
 */
void nfsync_window_set_told(const struct nfsync_dev *nd,
			    struct nfsync_state *st, struct nf_conn *ct,
			    const struct nfsync_map_seen pic[IP_CT_DIR_MAX])
	__must_hold(&ct->lock)
{
	int d;

	lockdep_assert_held(&ct->lock);

	if (test_bit(NFSYNC_ST_WIDE, &st->flags)) {
		set_told_split(nd, st, ct);
		return;
	}
	for (d = 0; d < IP_CT_DIR_MAX; d++)
		set_told_whole(st, ct, d, pic);
}

static bool hear_split(struct nfsync_dev *nd, struct nfsync_state *st,
		       struct nf_conn *ct,
		       const struct nfsync_map_seen told[IP_CT_DIR_MAX],
		       unsigned int take)
	__must_hold(&ct->lock)
{
	bool sees[IP_CT_DIR_MAX] = {
		passed_lately(st, IP_CT_DIR_ORIGINAL),
		passed_lately(st, IP_CT_DIR_REPLY),
	};
	struct nfsync_split sp;
	bool farewell;

	lockdep_assert_held(&ct->lock);

	split_load(st, ct, &sp);
	farewell = nfsync_split_hear(&sp, told, take, sees,
				     window_is(nd, PFSYNC_WINDOW_BOUNDED));
	split_store(st, ct, &sp);
	return farewell;
}

/*
 * A sender that began to learn its windows anew (nfsync_window_forget()) knows
 * one before the other.  There is no slack for such a pair, and conntrack sets
 * both from the next packet only where it knows neither.
 */
static void settle(struct nfsync_state *st, struct nf_conn *ct)
	__must_hold(&ct->lock)
{
	const struct ip_ct_tcp_state *seen = ct->proto.tcp.seen;

	lockdep_assert_held(&ct->lock);

	if (ct->proto.tcp.state < TCP_CONNTRACK_ESTABLISHED ||
	    !seen[IP_CT_DIR_ORIGINAL].td_maxwin ==
	    !seen[IP_CT_DIR_REPLY].td_maxwin ||
	    seen_lately(st, IP_CT_DIR_ORIGINAL) ||
	    seen_lately(st, IP_CT_DIR_REPLY))
		return;
	take_back(st, ct);
	make_unknown(ct);
}

/**
 * nfsync_window_hear() - take a peer's word
 * @nd: device, for its window policy
 * @st: state
 * @ct: its entry, TCP
 * @told: both directions as told, without slack
 * @take: NFSYNC_MERGE_*, what of it is to be taken; may be nothing
 * @elsewhere: the peer says that the flow's packets pass there
 *
 * Context: ct->lock held.
 * Return: true if the peers are to hear ours now.
 */
bool nfsync_window_hear(struct nfsync_dev *nd, struct nfsync_state *st,
			struct nf_conn *ct,
			const struct nfsync_map_seen told[IP_CT_DIR_MAX],
			unsigned int take, bool elsewhere)
	__must_hold(&ct->lock)
{
	bool farewell = false;
	int d;

	lockdep_assert_held(&ct->lock);

	if (nfsync_device_splits(nd))
		farewell = hear_split(nd, st, ct, told, take);
	else
		hear_whole(nd, st, ct, told, take, elsewhere);
	settle(st, ct);
	if (!window_is(nd, PFSYNC_WINDOW_LIBERAL))
		return farewell;
	for (d = 0; d < IP_CT_DIR_MAX; d++)
		if (take & NFSYNC_MERGE_TAKE_SRC << d)
			ct->proto.tcp.seen[d].flags |=
				IP_CT_TCP_FLAG_BE_LIBERAL;
	return farewell;
}

/* Numbers of one packet: where it ends, and the right edge that it grants */
struct numbers {
	u32 end;
	u32 edge;
};

/* Returns false when it has no header to tell */
static bool numbers_of(const struct sk_buff *skb, const struct nf_conn *ct,
		       int dir, struct numbers *n)
{
	int off = skb_transport_offset(skb);
	const struct tcphdr *th;
	struct tcphdr buf;
	u32 win;

	th = skb_header_pointer(skb, off, sizeof(buf), &buf);
	if (!th || !th->ack)
		return false;
	win = ntohs(th->window);
	if (!th->syn)
		win <<= READ_ONCE(ct->proto.tcp.seen[dir].td_scale);
	n->end = ntohl(th->seq) + skb->len - off - th->doff * 4 + th->syn +
		 th->fin;
	n->edge = ntohl(th->ack_seq) + win;
	return true;
}

/* Could it be news? Unlocked: what a lost race hides the next packet shows */
static bool may_matter(const struct nfsync_state *st, int dir,
		       const struct numbers *n, bool settled)
{
	if (nfsync_window_edge_slack(st, !dir))
		return !nfsync_window_slack(st, dir) ||
		       nfsync_seq_after(n->end, READ_ONCE(st->told_end[dir])) ||
		       nfsync_seq_after(n->edge,
					READ_ONCE(st->told_maxend[!dir]));
	return settled ||
	       nfsync_seq_after(n->end, READ_ONCE(st->here_end[dir]));
}

/**
 * nfsync_window_arrive() - a packet of which the entry has a copy came here
 * @nd: device, deferral is on: half of a flow may pass here
 * @st: its state
 * @ct: its entry, TCP
 * @skb: the packet, accepted
 * @dir: enum ip_conntrack_dir
 *
 * Context: softirq, RCU read side.
 */
void nfsync_window_arrive(struct nfsync_dev *nd, struct nfsync_state *st,
			  struct nf_conn *ct, const struct sk_buff *skb,
			  int dir)
{
	bool settled = (u32)jiffies - READ_ONCE(st->here_at[dir]) >=
		       NFSYNC_WINDOW_SPLIT;
	struct nfsync_split sp;
	struct numbers n;
	bool news;

	if (!numbers_of(skb, ct, dir, &n) || !may_matter(st, dir, &n, settled))
		return;

	spin_lock_bh(&ct->lock);
	split_load(st, ct, &sp);
	news = nfsync_split_arrive(&sp, dir, n.end, n.edge, settled);
	split_store(st, ct, &sp);
	if (news)
		WRITE_ONCE(st->here_at[dir], (u32)jiffies);
	spin_unlock_bh(&ct->lock);

	if (news)
		nfsync_queue_update(nd, st, true);
}

/**
 * nfsync_window_loosen() - a peer that knows no better number saw packets
 * @nd: device, for its window policy
 * @st: state
 * @ct: its entry, TCP
 * @dir: enum ip_conntrack_dir, not taken from the peer
 *
 * The peer has less than we have, plus slack that its packets went through.
 * That is no further than our own number plus slack.  Also where packets passed
 * here a moment ago: the path has moved, and what goes through slack there is not
 * told again.  To be followed by nfsync_window_widen().
 *
 * Context: ct->lock held.
 */
void nfsync_window_loosen(struct nfsync_dev *nd, struct nfsync_state *st,
			  struct nf_conn *ct, int dir)
	__must_hold(&ct->lock)
{
	const struct ip_ct_tcp_state *seen = &ct->proto.tcp.seen[dir];
	struct nfsync_map_seen own = {
		.td_end = seen->td_end,
		.td_maxend = seen->td_maxend,
		.td_maxwin = nfsync_window_maxwin(st, ct, dir),
		.td_scale = seen->td_scale,
		.flags = seen->flags,
	};

	lockdep_assert_held(&ct->lock);

	/* of a split flow each number has what slack it needs */
	if (!nfsync_device_splits(nd) && !nfsync_window_slack(st, dir))
		set_seen(nd, st, ct, dir, &own,
			 nfsync_window_maxwin(st, ct, !dir));
}

/**
 * nfsync_window_widen() - let td_maxwin match the slack there is
 * @st: state
 * @ct: its entry, TCP
 *
 * Context: ct->lock held.
 */
void nfsync_window_widen(const struct nfsync_state *st, struct nf_conn *ct)
	__must_hold(&ct->lock)
{
	int d;

	lockdep_assert_held(&ct->lock);

	for (d = 0; d < IP_CT_DIR_MAX; d++)
		if (nfsync_window_slack(st, d))
			ct->proto.tcp.seen[!d].td_maxwin =
				slack_win(st, d);
}
