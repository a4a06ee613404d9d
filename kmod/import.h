/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writing nf_conn on behalf of a peer.  Takes ct->lock itself; no function
 * here is called with a lock of ours held.
 */
#ifndef _NFSYNC_IMPORT_H
#define _NFSYNC_IMPORT_H

#include "state.h"
#include "wire.h"

struct nfsync_state *nfsync_import_state(struct nfsync_dev *nd,
					 const struct nfsync_msg_state *m);
void nfsync_import_update(struct nfsync_dev *nd, struct nfsync_state *st,
			  const struct nfsync_msg_peer peer[2],
			  const struct nfsync_msg_ext *ext, u32 expire);
void nfsync_import_kill(struct nfsync_dev *nd, struct nfsync_state *st);

#endif /* _NFSYNC_IMPORT_H */
