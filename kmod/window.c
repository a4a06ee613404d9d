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
 * A flow split over two nodes.  td_end of a direction moves with its packets,
 * td_maxend with the acks of the other one.  The node that sees a direction
 * has the truth of its td_end and of the other's td_maxend, and learns the
 * other two from its peer.  Each number has slack on the node that does not
 * see what moves it, and none on the other, where slack would hide what is to
 * be told.
 */
#include <linux/jiffies.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include "device.h"
#include "map.h"
#include "merge.h"
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
	u32 win = st->told_win[dir];

	return nfsync_window_is_wide(st, dir) ? nfsync_map_wide_slack_win(win) :
						nfsync_map_slack_win(win);
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

	if (nfsync_window_slack(st, !side) && now == slack_win(st, !side))
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
	clear_bit(NFSYNC_ST_EDGE + dir, &st->flags);
}

/**
 * nfsync_window_set_told() - a direction was told, as it is in a picture
 * @st: state
 * @ct: its entry
 * @dir: enum ip_conntrack_dir
 * @pic: both directions, without slack
 *
 * Context: ct->lock held.
 */
void nfsync_window_set_told(struct nfsync_state *st, struct nf_conn *ct, int dir,
			    const struct nfsync_map_seen pic[IP_CT_DIR_MAX])
	__must_hold(&ct->lock)
{
	bool edge = nfsync_window_edge_slack(st, dir) &&
		    !nfsync_window_slack(st, dir);

	lockdep_assert_held(&ct->lock);

	/* a packet moved it: its number is true */
	if (edge && pic[dir].td_maxend != st->told_maxend[dir]) {
		clear_bit(NFSYNC_ST_EDGE + dir, &st->flags);
		edge = false;
	}
	WRITE_ONCE(st->told_maxend[dir], pic[dir].td_maxend);
	/* still told + slack: told and its window stay a pair */
	if (nfsync_window_slack(st, dir) && pic[dir].td_end == st->told_end[dir])
		return;
	nfsync_window_end_slack(st, ct, dir);
	WRITE_ONCE(st->told_end[dir], pic[dir].td_end);
	WRITE_ONCE(st->told_win[dir], pic[!dir].td_maxwin);
	/* what there is of slack goes by that window */
	if (edge)
		ct->proto.tcp.seen[dir].td_maxend = pic[dir].td_maxend +
			nfsync_window_amount(st, dir);
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
		nfsync_window_end_slack(st, ct, d);
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

/*
 * Not by NFSYNC_ST_LOCAL: that is taken away by the first word of a peer two
 * seconds after our last packet, and it may have spoken for the last time
 * before.
 */
static bool doubt_one(struct nfsync_dev *nd, struct nfsync_state *st, void *arg)
{
	struct nf_conn *ct;

	if (!nfsync_state_get(st))
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

static bool seen_lately(const struct nfsync_state *st, int dir)
{
	return (u32)jiffies - READ_ONCE(st->seen_at[dir]) < NFSYNC_WINDOW_SPLIT;
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
	return seen_lately(st, dir) && !nfsync_window_slack(st, dir);
}

/* More slack or less, where there is some that nothing moved since */
static void set_wide(struct nfsync_state *st, struct nf_conn *ct, bool wide)
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
	assign_bit(NFSYNC_ST_WIDE, &st->flags, wide);
	for (d = 0; d < IP_CT_DIR_MAX; d++) {
		if (end[d] != seen[d].td_end)
			seen[d].td_end = end[d] + nfsync_window_amount(st, d);
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

/*
 * What this node knows of a right edge, and what a peer does: the later one.
 * One that conntrack has not set yet is no number.
 */
static u32 later_edge(const struct nfsync_state *st, const struct nf_conn *ct,
		      int dir, u32 told)
{
	const struct ip_ct_tcp_state *seen = &ct->proto.tcp.seen[dir];

	if (!seen->td_maxwin)
		return told;
	return nfsync_seq_max(nfsync_window_edge(st, dir, seen->td_maxend),
			      told);
}

/* Neither direction passes here */
static void set_both(struct nfsync_dev *nd, struct nfsync_state *st,
		     struct nf_conn *ct, int dir,
		     const struct nfsync_map_seen *told, u32 other_win)
	__must_hold(&ct->lock)
{
	struct ip_ct_tcp_state *seen = &ct->proto.tcp.seen[dir];
	u32 slack = 0;

	if (test_bit(NFSYNC_ST_WIDE, &st->flags))
		set_wide(st, ct, false);
	if (may_slacken(nd, told->td_maxwin))
		slack = nfsync_map_slack(other_win);
	st->told_maxend[dir] = told->td_maxend;
	assign_bit(NFSYNC_ST_SLACK + dir, &st->flags, slack);
	assign_bit(NFSYNC_ST_EDGE + dir, &st->flags, slack);
	seen->td_end = told->td_end + slack;
	seen->td_maxend = told->td_maxend + slack;
}

/* Its acks pass here, so that its right edge is ours to know */
static void set_end(struct nfsync_dev *nd, struct nfsync_state *st,
		    struct nf_conn *ct, int dir,
		    const struct nfsync_map_seen *told, u32 other_win, u32 edge)
	__must_hold(&ct->lock)
{
	struct ip_ct_tcp_state *seen = &ct->proto.tcp.seen[dir];
	u32 slack = 0;

	if (may_slacken(nd, told->td_maxwin))
		slack = nfsync_map_wide_slack(other_win);
	/* what the peers were told before the sender spoke they know as well */
	st->told_maxend[dir] = !seen->td_maxwin ? told->td_maxend :
		nfsync_seq_max(st->told_maxend[dir], told->td_maxend);
	assign_bit(NFSYNC_ST_SLACK + dir, &st->flags, slack);
	clear_bit(NFSYNC_ST_EDGE + dir, &st->flags);
	seen->td_end = told->td_end + slack;
	seen->td_maxend = edge;
}

/* One direction as told, plus what may have passed since (map.c) */
static void set_seen(struct nfsync_dev *nd, struct nfsync_state *st,
		     struct nf_conn *ct, int dir, const struct nfsync_map_seen *told,
		     u32 other_win)
	__must_hold(&ct->lock)
{
	struct ip_ct_tcp_state *seen = &ct->proto.tcp.seen[dir];
	u32 edge = later_edge(st, ct, dir, told->td_maxend);
	/* acks that came here were within slack: it is not known by them */
	bool hidden = nfsync_window_edge(st, dir, seen->td_maxend) !=
		      seen->td_maxend;

	lockdep_assert_held(&ct->lock);

	st->told_end[dir] = told->td_end;
	st->told_win[dir] = other_win;
	if (nfsync_device_splits(nd) && seen_lately(st, !dir) && !hidden)
		set_end(nd, st, ct, dir, told, other_win, edge);
	else
		set_both(nd, st, ct, dir, told, other_win);
	/* the other side's td_maxwin follows in nfsync_window_widen() */
	seen->td_maxwin = told->td_maxwin;
	seen->td_scale = told->td_scale;
	/* td_maxack does not travel, and a stale one refuses good resets */
	seen->flags = told->flags & ~IP_CT_TCP_FLAG_MAXACK_SET;
	if (window_is(nd, PFSYNC_WINDOW_LIBERAL))
		seen->flags |= IP_CT_TCP_FLAG_BE_LIBERAL;
}

/* Of a direction without slack on its td_end */
static void set_edge(struct nfsync_dev *nd, struct nfsync_state *st,
		     struct nf_conn *ct, int dir, u32 told, u32 other_win)
	__must_hold(&ct->lock)
{
	u32 edge = later_edge(st, ct, dir, told);
	u32 slack = 0;

	lockdep_assert_held(&ct->lock);

	if (nfsync_device_splits(nd) && !nfsync_window_sees(st, !dir) &&
	    may_slacken(nd, other_win))
		slack = nfsync_map_wide_slack(other_win);
	st->told_maxend[dir] = nfsync_seq_max(st->told_maxend[dir], told);
	if (slack) {
		st->told_win[dir] = other_win;
		st->told_maxend[dir] = edge;
	}
	assign_bit(NFSYNC_ST_EDGE + dir, &st->flags, slack);
	ct->proto.tcp.seen[dir].td_maxend = edge + slack;
}

/*
 * A direction whose packets also pass here: the later of the two numbers, and
 * no slack on what they move, for conntrack has the truth before us.
 */
static void join_seen(struct nfsync_dev *nd, struct nfsync_state *st,
		      struct nf_conn *ct, int dir,
		      const struct nfsync_map_seen *told, u32 other_win)
	__must_hold(&ct->lock)
{
	struct ip_ct_tcp_state *seen = &ct->proto.tcp.seen[dir];

	lockdep_assert_held(&ct->lock);

	/* by td_maxwin it knows whether there is a number yet */
	set_edge(nd, st, ct, dir, told->td_maxend, other_win);
	seen->td_end = nfsync_seq_max(seen->td_end, told->td_end);
	seen->td_maxwin = max(seen->td_maxwin, told->td_maxwin);
	seen->flags |= told->flags & ~IP_CT_TCP_FLAG_MAXACK_SET;
	st->told_end[dir] = nfsync_seq_max(st->told_end[dir], told->td_end);
}

/**
 * nfsync_window_take() - take a peer's word on one direction
 * @nd: device, for its window policy
 * @st: state
 * @ct: its entry, TCP
 * @dir: enum ip_conntrack_dir
 * @told: both directions as told, without slack
 *
 * To be followed by nfsync_window_settle() when all directions are taken.
 *
 * Context: ct->lock held.
 */
void nfsync_window_take(struct nfsync_dev *nd, struct nfsync_state *st,
			struct nf_conn *ct, int dir,
			const struct nfsync_map_seen told[IP_CT_DIR_MAX])
	__must_hold(&ct->lock)
{
	u32 own = ct->proto.tcp.seen[dir].td_end;
	bool left;

	lockdep_assert_held(&ct->lock);

	/* who knows a later packet than we do sees the direction now */
	left = nfsync_device_splits(nd) &&
	       nfsync_seq_after(told[dir].td_end, own);
	if (nfsync_window_sees(st, dir) && !left)
		join_seen(nd, st, ct, dir, &told[dir], told[!dir].td_maxwin);
	else
		set_seen(nd, st, ct, dir, &told[dir], told[!dir].td_maxwin);
}

/**
 * nfsync_window_raise() - take a peer's word on a right edge alone
 * @nd: device, for its window policy
 * @st: state
 * @ct: its entry, TCP
 * @dir: enum ip_conntrack_dir
 * @told: both directions as told, without slack; td_maxend of @dir is later
 *	than ours, td_end is not
 *
 * Context: ct->lock held.
 */
void nfsync_window_raise(struct nfsync_dev *nd, struct nfsync_state *st,
			 struct nf_conn *ct, int dir,
			 const struct nfsync_map_seen told[IP_CT_DIR_MAX])
	__must_hold(&ct->lock)
{
	u32 edge, *maxend = &ct->proto.tcp.seen[dir].td_maxend;

	lockdep_assert_held(&ct->lock);

	if (!nfsync_window_slack(st, dir)) {
		set_edge(nd, st, ct, dir, told[dir].td_maxend,
			 told[!dir].td_maxwin);
		return;
	}
	edge = later_edge(st, ct, dir, told[dir].td_maxend);
	st->told_maxend[dir] = edge;
	*maxend = edge;
	if (nfsync_window_edge_slack(st, dir))
		*maxend += nfsync_window_amount(st, dir);
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

/* The half of a flow that this node had a copy of has come here */
static void begin_half(struct nfsync_state *st, struct nf_conn *ct, int dir,
		       u32 edge)
	__must_hold(&ct->lock)
{
	u32 *maxend = &ct->proto.tcp.seen[!dir].td_maxend;

	lockdep_assert_held(&ct->lock);

	set_wide(st, ct, true);
	if (!nfsync_window_edge_slack(st, !dir))
		return;
	/* its acks pass here from now on */
	if (nfsync_window_edge(st, !dir, *maxend) == st->told_maxend[!dir])
		*maxend = nfsync_seq_max(st->told_maxend[!dir], edge);
	clear_bit(NFSYNC_ST_EDGE + !dir, &st->flags);
}

/* Returns whether the peers are to hear of it */
static bool move_base(struct nfsync_state *st, struct nf_conn *ct, int dir,
		      const struct numbers *n)
{
	u32 *td_end = &ct->proto.tcp.seen[dir].td_end;
	bool moved;

	spin_lock_bh(&ct->lock);
	/* further than slack: conntrack moved it, and it is no secret */
	moved = nfsync_window_slack(st, dir) &&
		*td_end == st->told_end[dir] + nfsync_window_amount(st, dir) &&
		nfsync_seq_after(n->end, st->told_end[dir]);
	if (moved) {
		if (!nfsync_window_is_wide(st, dir))
			begin_half(st, ct, dir, n->edge);
		WRITE_ONCE(st->told_end[dir], n->end);
		*td_end = n->end + nfsync_window_amount(st, dir);
	}
	spin_unlock_bh(&ct->lock);
	return moved;
}

/**
 * nfsync_window_arrive() - a packet of a direction that has slack came here
 * @nd: device, deferral is on: half of a flow may pass here
 * @st: its state
 * @ct: its entry, TCP
 * @skb: the packet, accepted
 * @dir: enum ip_conntrack_dir
 *
 * Conntrack does not see it as long as it is within slack.  Where the other
 * direction passes a peer that peer has to know of it: its acks would be too
 * far for it.  Where both come here, after a takeover, slack ends by itself.
 *
 * Context: softirq, RCU read side, before the packet is stamped.
 */
void nfsync_window_arrive(struct nfsync_dev *nd, struct nfsync_state *st,
			  struct nf_conn *ct, const struct sk_buff *skb,
			  int dir)
{
	bool wide = nfsync_window_is_wide(st, dir);
	/* that moves it; one that only acknowledges may come before that */
	bool first = !wide || !seen_lately(st, dir);
	struct numbers n;
	s32 moved;

	if ((!wide && seen_lately(st, !dir)) ||
	    !numbers_of(skb, ct, dir, &n))
		return;
	moved = n.end - READ_ONCE(st->told_end[dir]);
	if (moved <= 0 ||
	    (!first &&
	     moved <= (s32)nfsync_map_threshold(READ_ONCE(st->told_win[dir]))))
		return;
	if (move_base(st, ct, dir, &n))
		nfsync_queue_update(nd, st, first);
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
				slack_win(st, d);
}

/**
 * nfsync_window_settle() - both directions were taken as far as they will be
 * @st: state
 * @ct: its entry, TCP
 *
 * A sender that began to learn its windows anew (nfsync_window_forget()) knows
 * one before the other.  There is no slack for such a pair, and conntrack sets
 * both from the next packet only where it knows neither.
 *
 * Context: ct->lock held.
 */
void nfsync_window_settle(struct nfsync_state *st, struct nf_conn *ct)
	__must_hold(&ct->lock)
{
	const struct ip_ct_tcp_state *seen = ct->proto.tcp.seen;

	lockdep_assert_held(&ct->lock);

	if (ct->proto.tcp.state >= TCP_CONNTRACK_ESTABLISHED &&
	    !seen[IP_CT_DIR_ORIGINAL].td_maxwin !=
	    !seen[IP_CT_DIR_REPLY].td_maxwin &&
	    !seen_lately(st, IP_CT_DIR_ORIGINAL) &&
	    !seen_lately(st, IP_CT_DIR_REPLY)) {
		take_back(st, ct);
		make_unknown(ct);
	}
	nfsync_window_widen(st, ct);
}
