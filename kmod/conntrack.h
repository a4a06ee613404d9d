/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading and writing nf_conn.  No function here is called with a slice lock
 * held; those that write take ct->lock themselves.
 */
#ifndef _NFSYNC_CONNTRACK_H
#define _NFSYNC_CONNTRACK_H

#include "map.h"
#include "state.h"
#include "wire.h"

/*
 * A direction whose packets this node saw less than this ago is its own to
 * tell; also how long after a peer's word a flow counts as split between the
 * two (F-024).
 */
#define NFSYNC_SPLIT_JIFFIES	(2 * HZ)

bool nfsync_conntrack_eligible(const struct nf_conn *ct);
bool nfsync_conntrack_is_local(const struct net *net, const struct nf_conn *ct);

/* Has the entry what was told plus slack in this direction, or had it? */
static inline bool nfsync_conntrack_slack(const struct nfsync_state *st,
					  int dir)
{
	return test_bit(NFSYNC_ST_SLACK + dir, &st->flags);
}

/* A number of the entry as it may travel: without slack while it has some */
static inline u32 nfsync_conntrack_told(const struct nfsync_state *st, int dir,
					u32 now, u32 told)
{
	if (nfsync_conntrack_slack(st, dir) &&
	    now == told + nfsync_map_slack(st->told_win[dir]))
		return told;
	return now;
}

void nfsync_conntrack_export(struct nfsync_dev *nd, struct nfsync_state *st,
			     struct nfsync_msg_state *m);
void nfsync_conntrack_export_upd_c(struct nfsync_dev *nd,
				   struct nfsync_state *st,
				   struct nfsync_msg_upd_c *m);
struct nfsync_state *nfsync_conntrack_import(struct nfsync_dev *nd,
					     const struct nfsync_msg_state *m);
void nfsync_conntrack_update(struct nfsync_dev *nd, struct nfsync_state *st,
			     const struct nfsync_msg_peer peer[2],
			     const struct nfsync_msg_ext *ext, u32 expire);
void nfsync_conntrack_kill(struct nfsync_dev *nd, struct nfsync_state *st);
void nfsync_conntrack_walk(struct nfsync_dev *nd);

#endif /* _NFSYNC_CONNTRACK_H */
