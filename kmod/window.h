/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The TCP windows of an entry that a peer told us: told numbers and slack.
 */
#ifndef _NFSYNC_WINDOW_H
#define _NFSYNC_WINDOW_H

#include "map.h"
#include "merge.h"
#include "split.h"
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

/* Do packets of this direction move what has slack? */
static inline bool nfsync_window_is_copy(const struct nfsync_state *st, int dir)
{
	return READ_ONCE(st->flags) & (BIT(NFSYNC_ST_SLACK + dir) |
				       BIT(NFSYNC_ST_EDGE + !dir));
}

/* How much of it, bytes */
static inline u32 nfsync_window_amount(const struct nfsync_state *st, int dir)
{
	return nfsync_split_amount(READ_ONCE(st->told_win[dir]),
				   test_bit(NFSYNC_ST_WIDE, &st->flags));
}

/*
 * td_end of the entry as it may travel: without slack while it has some, and
 * with what came here within it where packets are looked at (split.c)
 */
static inline u32 nfsync_window_end(const struct nfsync_state *st, int dir,
				    u32 now)
{
	u32 told = READ_ONCE(st->told_end[dir]);

	if (!nfsync_window_slack(st, dir) ||
	    now != told + nfsync_window_amount(st, dir))
		return now;
	return test_bit(NFSYNC_ST_WIDE, &st->flags) ?
	       nfsync_seq_max(told, READ_ONCE(st->here_end[dir])) : told;
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
bool nfsync_window_sees(const struct nfsync_dev *nd,
			const struct nfsync_state *st, int dir);
u32 nfsync_window_maxwin(const struct nfsync_state *st,
			 const struct nf_conn *ct, int side);
void nfsync_window_set_told(const struct nfsync_dev *nd,
			    struct nfsync_state *st, struct nf_conn *ct,
			    const struct nfsync_map_seen pic[IP_CT_DIR_MAX]);
void nfsync_window_forget(struct nfsync_dev *nd, struct nfsync_state *st);
void nfsync_window_doubt(struct nfsync_dev *nd);
void nfsync_window_trust(struct nfsync_dev *nd, struct nfsync_state *st);
bool nfsync_window_hear(struct nfsync_dev *nd, struct nfsync_state *st,
			struct nf_conn *ct,
			const struct nfsync_map_seen told[IP_CT_DIR_MAX],
			unsigned int take, bool elsewhere);
void nfsync_window_arrive(struct nfsync_dev *nd, struct nfsync_state *st,
			  struct nf_conn *ct, const struct sk_buff *skb,
			  int dir);
void nfsync_window_loosen(struct nfsync_dev *nd, struct nfsync_state *st,
			  struct nf_conn *ct, int dir);
void nfsync_window_widen(const struct nfsync_state *st, struct nf_conn *ct);

#endif /* _NFSYNC_WINDOW_H */
