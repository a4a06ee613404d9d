/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The TCP windows of an entry that a peer told us: told numbers and slack.
 */
#ifndef _NFSYNC_WINDOW_H
#define _NFSYNC_WINDOW_H

#include "map.h"
#include "state.h"

struct sk_buff;

/*
 * A direction whose packets this node saw less than this ago is its own to
 * tell; also how long after a peer's word a flow counts as split between the
 * two (F-024).
 */
#define NFSYNC_WINDOW_SPLIT	(2 * HZ)

/* Has the entry what was told plus slack in this direction, or had it? */
static inline bool nfsync_window_slack(const struct nfsync_state *st, int dir)
{
	return test_bit(NFSYNC_ST_SLACK + dir, &st->flags);
}

/* The same of td_maxend, which the other direction's acks move */
static inline bool nfsync_window_edge_slack(const struct nfsync_state *st,
					    int dir)
{
	return test_bit(NFSYNC_ST_EDGE + dir, &st->flags);
}

/*
 * A node that sees neither direction has slack on both numbers.  One that sees
 * a half of the flow has it on one of them, and more of it; on both as well for
 * a while, when the half has just come here.
 */
static inline bool nfsync_window_is_wide(const struct nfsync_state *st, int dir)
{
	return nfsync_window_slack(st, dir) !=
	       nfsync_window_edge_slack(st, dir) ||
	       test_bit(NFSYNC_ST_WIDE, &st->flags);
}

/* How much of it, bytes */
static inline u32 nfsync_window_amount(const struct nfsync_state *st, int dir)
{
	u32 win = READ_ONCE(st->told_win[dir]);

	return nfsync_window_is_wide(st, dir) ? nfsync_map_wide_slack(win) :
						nfsync_map_slack(win);
}

/* td_end of the entry as it may travel: without slack while it has some */
static inline u32 nfsync_window_end(const struct nfsync_state *st, int dir,
				    u32 now)
{
	u32 told = READ_ONCE(st->told_end[dir]);

	if (nfsync_window_slack(st, dir) &&
	    now == told + nfsync_window_amount(st, dir))
		return told;
	return now;
}

/* td_maxend as it may travel */
static inline u32 nfsync_window_edge(const struct nfsync_state *st, int dir,
				     u32 now)
{
	u32 told = READ_ONCE(st->told_maxend[dir]);

	if (nfsync_window_edge_slack(st, dir) &&
	    now == told + nfsync_window_amount(st, dir))
		return told;
	return now;
}

bool nfsync_window_behind(const struct nfsync_state *st);
bool nfsync_window_sees(const struct nfsync_state *st, int dir);
u32 nfsync_window_maxwin(const struct nfsync_state *st,
			 const struct nf_conn *ct, int side);
void nfsync_window_end_slack(struct nfsync_state *st, struct nf_conn *ct,
			     int dir);
void nfsync_window_set_told(struct nfsync_state *st, struct nf_conn *ct, int dir,
			    const struct nfsync_map_seen pic[IP_CT_DIR_MAX]);
void nfsync_window_forget(struct nfsync_dev *nd, struct nfsync_state *st);
void nfsync_window_doubt(struct nfsync_dev *nd);
void nfsync_window_trust(struct nfsync_dev *nd, struct nfsync_state *st);
void nfsync_window_take(struct nfsync_dev *nd, struct nfsync_state *st,
			struct nf_conn *ct, int dir,
			const struct nfsync_map_seen told[IP_CT_DIR_MAX]);
void nfsync_window_raise(struct nfsync_dev *nd, struct nfsync_state *st,
			 struct nf_conn *ct, int dir,
			 const struct nfsync_map_seen told[IP_CT_DIR_MAX]);
void nfsync_window_arrive(struct nfsync_dev *nd, struct nfsync_state *st,
			  struct nf_conn *ct, const struct sk_buff *skb,
			  int dir);
void nfsync_window_loosen(struct nfsync_dev *nd, struct nfsync_state *st,
			  struct nf_conn *ct, int dir);
void nfsync_window_settle(struct nfsync_state *st, struct nf_conn *ct);
void nfsync_window_widen(const struct nfsync_state *st, struct nf_conn *ct);

#endif /* _NFSYNC_WINDOW_H */
