/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Addresses, group membership and the way out.  Knows IP, not pfsync.
 */
#ifndef _NFSYNC_TRANSPORT_H
#define _NFSYNC_TRANSPORT_H

#include <linux/ip.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>

struct nfsync_dev;
struct sock;

/* what nfsync_transport_xmit() needs in front of skb->data */
#define NFSYNC_TRANSPORT_HEADROOM	(MAX_HEADER + sizeof(struct iphdr))

struct nfsync_transport {
	struct sock *sk;		/* control socket, loops nothing back */
	struct net_device __rcu *syncdev;	/* RTNL writes */
	netdevice_tracker tracker;
	bool joined;			/* sk is in the group on syncdev */
};

int nfsync_transport_open(struct nfsync_dev *nd);
void nfsync_transport_close(struct nfsync_dev *nd);
int nfsync_transport_move(struct nfsync_dev *nd, struct net_device *syncdev,
			  __be32 syncpeer, struct netlink_ext_ack *extack);
int nfsync_transport_check(const struct net_device *syncdev, __be32 syncpeer,
			   struct netlink_ext_ack *extack);
bool nfsync_transport_usable(const struct nfsync_dev *nd);
unsigned int nfsync_transport_mtu(const struct nfsync_dev *nd);
int nfsync_transport_xmit(struct nfsync_dev *nd, struct sk_buff *skb);
void nfsync_transport_tap_rx(struct nfsync_dev *nd, struct sk_buff *skb);
bool nfsync_transport_is_own(struct nfsync_dev *nd, __be32 saddr);

#endif /* _NFSYNC_TRANSPORT_H */
