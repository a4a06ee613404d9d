/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading nf_conn.  No function here is called with a slice lock held.
 */
#ifndef _NFSYNC_CONNTRACK_H
#define _NFSYNC_CONNTRACK_H

#include "map.h"
#include "state.h"
#include "wire.h"

/* NFSYNC_EXT_* of an entry */
static inline u8 nfsync_conntrack_status(const struct nf_conn *ct)
{
	unsigned long status = READ_ONCE(ct->status);

	return (status & IPS_SEEN_REPLY ? NFSYNC_EXT_SEEN_REPLY : 0) |
	       (status & IPS_ASSURED ? NFSYNC_EXT_ASSURED : 0);
}

static inline u32 nfsync_conntrack_mark(const struct nf_conn *ct)
{
#ifdef CONFIG_NF_CONNTRACK_MARK
	return READ_ONCE(ct->mark);
#else
	return 0;
#endif
}

/* enum tcp_conntrack: no packet of the connection moves it any more */
static inline bool nfsync_conntrack_tcp_over(u8 state)
{
	return state == TCP_CONNTRACK_TIME_WAIT || state == TCP_CONNTRACK_CLOSE;
}

bool nfsync_conntrack_worthy(const struct nfsync_dev *nd,
			     const struct nf_conn *ct);
bool nfsync_conntrack_eligible(const struct nfsync_dev *nd,
			       const struct nf_conn *ct);
bool nfsync_conntrack_opted_out(const struct nfsync_dev *nd,
				const struct nf_conn *ct);
bool nfsync_conntrack_is_local(const struct net *net, const struct nf_conn *ct);
u32 nfsync_conntrack_default_expire(struct net *net, u8 proto, u8 tcp_state,
				    bool seen_reply);

void nfsync_conntrack_picture(const struct nfsync_state *st, struct nf_conn *ct,
			      struct nfsync_map_ct *pic);
void nfsync_conntrack_raise_levels(struct nfsync_state *st, struct nf_conn *ct,
				   struct nfsync_msg_peer peer[2]);
void nfsync_conntrack_export(struct nfsync_dev *nd, struct nfsync_state *st,
			     struct nfsync_msg_state *m);
void nfsync_conntrack_export_upd_c(struct nfsync_dev *nd,
				   struct nfsync_state *st,
				   struct nfsync_msg_upd_c *m);
void nfsync_conntrack_walk(struct nfsync_dev *nd);

#endif /* _NFSYNC_CONNTRACK_H */
