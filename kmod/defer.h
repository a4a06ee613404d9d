/* SPDX-License-Identifier: GPL-2.0 */
/*
 * First packets that wait until a peer knows their flow.
 */
#ifndef _NFSYNC_DEFER_H
#define _NFSYNC_DEFER_H

struct nf_hook_state;
struct nfsync_dev;
struct sk_buff;

unsigned int nfsync_defer_first(struct nfsync_dev *nd, struct sk_buff *skb,
				const struct nf_hook_state *state);

#endif /* _NFSYNC_DEFER_H */
