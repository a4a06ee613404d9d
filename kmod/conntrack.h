/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading and writing nf_conn.  No function here is called with a slice lock
 * held; those that write take ct->lock themselves.
 */
#ifndef _NFSYNC_CONNTRACK_H
#define _NFSYNC_CONNTRACK_H

#include "state.h"
#include "wire.h"

bool nfsync_conntrack_eligible(struct nfsync_dev *nd, const struct nf_conn *ct);
bool nfsync_conntrack_is_local(struct nfsync_dev *nd, const struct nf_conn *ct);

void nfsync_conntrack_export(struct nfsync_dev *nd, struct nfsync_state *st,
			     struct nfsync_msg_state *m);
void nfsync_conntrack_export_upd_c(struct nfsync_dev *nd,
				   struct nfsync_state *st,
				   struct nfsync_msg_upd_c *m);
struct nfsync_state *nfsync_conntrack_import(struct nfsync_dev *nd,
					     const struct nfsync_msg_state *m);
void nfsync_conntrack_update(struct nfsync_dev *nd, struct nfsync_state *st,
			     const struct nfsync_msg_peer peer[2],
			     const struct nfsync_msg_ext *ext, u8 timeout,
			     u32 expire);
void nfsync_conntrack_kill(struct nfsync_dev *nd, struct nfsync_state *st);
void nfsync_conntrack_walk(struct nfsync_dev *nd);

#endif /* _NFSYNC_CONNTRACK_H */
