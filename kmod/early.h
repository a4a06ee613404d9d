/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets that came before the news of their flow.
 */
#ifndef _NFSYNC_EARLY_H
#define _NFSYNC_EARLY_H

#include <linux/types.h>

struct nf_hook_state;
struct nfsync_dev;
struct nfsync_held;
struct sk_buff;

void nfsync_early_answered(struct sk_buff *skb);
unsigned int nfsync_early_packet(struct nfsync_dev *nd, struct sk_buff *skb,
				 const struct nf_hook_state *state);
void nfsync_early_ask(struct nfsync_dev *nd, u64 id, u32 creatorid, u32 pause);
void nfsync_early_go(struct nfsync_dev *nd, struct nfsync_held *h);

#endif /* _NFSYNC_EARLY_H */
