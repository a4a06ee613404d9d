/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Nodes that translate to one address: which ports are this node's to give out.
 */
#ifndef _NFSYNC_NATSHARE_H
#define _NFSYNC_NATSHARE_H

#include <linux/types.h>

struct netlink_ext_ack;
struct nf_conn;
struct nf_hook_state;
struct nfsync_dev;
struct sk_buff;

typedef unsigned int nfsync_nat_fn(struct nf_conn *ct,
				   enum ip_conntrack_info ctinfo,
				   unsigned int hooknum, struct sk_buff *skb);

struct nfsync_natshare {
	nfsync_nat_fn *nat_packet;	/* nf_nat's, held while it is set; RTNL */
};

int nfsync_natshare_start(struct nfsync_dev *nd,
			  struct netlink_ext_ack *extack);
void nfsync_natshare_stop(struct nfsync_dev *nd);
unsigned int nfsync_natshare_first(struct nfsync_dev *nd, struct sk_buff *skb,
				   const struct nf_hook_state *state);

#endif /* _NFSYNC_NATSHARE_H */
