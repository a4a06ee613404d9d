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
 */
#include <linux/jiffies.h>
#include "device.h"
#include "map.h"
#include "merge.h"
#include "window.h"

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

	if (nfsync_window_slack(st, !side) &&
	    now == nfsync_map_slack_win(st->told_win[!side]))
		return st->told_win[!side];
	return now;
}

/**
 * nfsync_window_end_slack() - a packet moved td_end: its number is true
 * @st: state
 * @ct: its entry, TCP
 * @dir: enum ip_conntrack_dir
 *
 * Context: ct->lock held.
 */
void nfsync_window_end_slack(struct nfsync_state *st, struct nf_conn *ct,
			     int dir)
	__must_hold(&ct->lock)
{
	lockdep_assert_held(&ct->lock);

	if (!nfsync_window_slack(st, dir))
		return;
	ct->proto.tcp.seen[!dir].td_maxwin = nfsync_window_maxwin(st, ct, !dir);
	clear_bit(NFSYNC_ST_SLACK + dir, &st->flags);
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
		seen[d].td_end = nfsync_window_told(st, d, seen[d].td_end,
						    st->told_end[d]);
		seen[d].td_maxend = nfsync_window_told(st, d, seen[d].td_maxend,
						       st->told_maxend[d]);
		nfsync_window_end_slack(st, ct, d);
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
 * goes; where packets passed meanwhile, which may be ahead of what was told,
 * nobody knows the window, and the next packets set it.  Nor does anybody end
 * a doubt that a state began.
 *
 * Context: process or softirq, no lock held.
 */
void nfsync_window_forget(struct nfsync_dev *nd, struct nfsync_state *st)
{
	struct nf_conn *ct = st->ct;

	if (nf_ct_protonum(ct) != IPPROTO_TCP)
		return;

	spin_lock_bh(&ct->lock);
	if (!seen_since_told(st))
		take_back(st, ct);
	else if (nfsync_window_slack(st, IP_CT_DIR_ORIGINAL) ||
		 nfsync_window_slack(st, IP_CT_DIR_REPLY))
		make_unknown(ct);
	if (test_bit(NFSYNC_ST_DOUBTED, &st->flags) &&
	    !window_is(nd, PFSYNC_WINDOW_LIBERAL))
		set_liberal(ct, false);
	spin_unlock_bh(&ct->lock);
}

static bool doubt_one(struct nfsync_dev *nd, struct nfsync_state *st, void *arg)
{
	struct nf_conn *ct;

	if (test_bit(NFSYNC_ST_LOCAL, &st->flags) || !nfsync_state_get(st))
		return false;

	ct = st->ct;
	if (nf_ct_protonum(ct) == IPPROTO_TCP && !seen_since_told(st)) {
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
	if (!window_is(nd, PFSYNC_WINDOW_STRICT))
		nfsync_state_walk(nd, doubt_one, NULL, NULL);
}

/**
 * nfsync_window_sees() - do packets of this direction pass here?
 * @st: state
 * @dir: enum ip_conntrack_dir
 *
 * Context: any.
 * Return: true if one did in the last two seconds.
 */
bool nfsync_window_sees(const struct nfsync_state *st, int dir)
{
	return (u32)jiffies - READ_ONCE(st->seen_at[dir]) <
	       NFSYNC_WINDOW_SPLIT && !nfsync_window_slack(st, dir);
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

	if (window_is(nd, PFSYNC_WINDOW_BOUNDED) && told->td_maxwin)
		slack = nfsync_map_slack(other_win);

	st->told_end[dir] = told->td_end;
	st->told_maxend[dir] = told->td_maxend;
	st->told_win[dir] = other_win;
	assign_bit(NFSYNC_ST_SLACK + dir, &st->flags, slack);

	/* the other side's td_maxwin follows in nfsync_window_widen() */
	seen->td_end = told->td_end + slack;
	seen->td_maxend = told->td_maxend + slack;
	seen->td_maxwin = told->td_maxwin;
	seen->td_scale = told->td_scale;
	/* td_maxack does not travel, and a stale one refuses good resets */
	seen->flags = told->flags & ~IP_CT_TCP_FLAG_MAXACK_SET;
	if (window_is(nd, PFSYNC_WINDOW_LIBERAL))
		seen->flags |= IP_CT_TCP_FLAG_BE_LIBERAL;
}

/*
 * A direction whose packets also pass here: the later of the two numbers,
 * and no slack, for conntrack has the truth before us.
 */
static void join_seen(struct nfsync_state *st, struct nf_conn *ct, int dir,
		      const struct nfsync_map_seen *told)
	__must_hold(&ct->lock)
{
	struct ip_ct_tcp_state *seen = &ct->proto.tcp.seen[dir];

	lockdep_assert_held(&ct->lock);

	seen->td_end = nfsync_seq_max(seen->td_end, told->td_end);
	seen->td_maxend = nfsync_seq_max(seen->td_maxend, told->td_maxend);
	seen->td_maxwin = max(seen->td_maxwin, told->td_maxwin);
	seen->flags |= told->flags & ~IP_CT_TCP_FLAG_MAXACK_SET;
	st->told_end[dir] = nfsync_seq_max(st->told_end[dir], told->td_end);
	st->told_maxend[dir] = nfsync_seq_max(st->told_maxend[dir],
					      told->td_maxend);
}

/**
 * nfsync_window_take() - take a peer's word on one direction
 * @nd: device, for its window policy
 * @st: state
 * @ct: its entry, TCP
 * @dir: enum ip_conntrack_dir
 * @told: both directions as told, without slack
 *
 * To be followed by nfsync_window_widen() when all directions are taken.
 *
 * Context: ct->lock held.
 */
void nfsync_window_take(struct nfsync_dev *nd, struct nfsync_state *st,
			struct nf_conn *ct, int dir,
			const struct nfsync_map_seen told[IP_CT_DIR_MAX])
	__must_hold(&ct->lock)
{
	lockdep_assert_held(&ct->lock);

	if (nfsync_window_sees(st, dir))
		join_seen(st, ct, dir, &told[dir]);
	else
		set_seen(nd, st, ct, dir, &told[dir], told[!dir].td_maxwin);
}

/**
 * nfsync_window_loosen() - a peer that knows no better number saw packets
 * @nd: device, for its window policy
 * @st: state
 * @ct: its entry, TCP
 * @dir: enum ip_conntrack_dir, not taken from the peer
 *
 * The peer has less than we have, plus slack that its packets went through.
 * That is no further than our own number plus slack.  To be followed by
 * nfsync_window_widen().
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

	if (!nfsync_window_slack(st, dir) && !nfsync_window_sees(st, dir))
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
				nfsync_map_slack_win(st->told_win[d]);
}
