/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pfsync network device, which owns everything else: one per namespace.
 */
#ifndef _NFSYNC_DEVICE_H
#define _NFSYNC_DEVICE_H

#include <linux/netdevice.h>
#include <net/net_namespace.h>
#include "../include/uapi/linux/if_pfsync.h"
#include "bulk.h"
#include "held.h"
#include "hooks.h"
#include "natshare.h"
#include "peer.h"
#include "queue.h"
#include "receive.h"
#include "state.h"
#include "tomb.h"
#include "stats.h"
#include "transport.h"

/* Written under RTNL; read with READ_ONCE where a change may race */
struct nfsync_config {
	char syncname[IFNAMSIZ];	/* "" = none; outlives the device itself */
	__be32 syncpeer;		/* unicast, or the group */
	u32 hostid;			/* creator id of our states, never 0 */
	u32 flush_ms;
	u32 defer_ms;
	u32 defer_limit;		/* packets that wait, a slice */
	u16 version;			/* enum pfsync_version */
	u8 maxupd;			/* 0 = no limit */
	u8 window;			/* enum pfsync_window */
	bool defer;
	bool local;
	bool alone;
	u8 nat_share;
	u8 nat_of;			/* shares; 0 = ports are not shared out */
	u32 nosync_mark;
	u32 nosync_mask;		/* 0 = nothing is left out */
};

struct nfsync_dev {
	struct net_device *dev;
	struct net *net;
	struct nfsync_config cfg;
	bool up;			/* between ndo_open and ndo_stop */
	bool link;			/* the sync link works; RTNL writes */

	struct nfsync_state_table table;
	struct nfsync_queue queue;
	struct nfsync_held_slice *held;	/* as many as queue.n_slices */
	struct nfsync_hooks hooks;
	struct nfsync_natshare natshare;
	struct nfsync_transport transport;
	struct nfsync_bulk bulk;
	struct nfsync_peers peers;
	struct nfsync_tombs tombs;
	struct nfsync_clr clr;
	struct nfsync_stats __percpu *stats;
};

struct nfsync_dev *nfsync_device_get(const struct net *net);	/* RCU */
struct nfsync_dev *nfsync_device_get_rtnl(const struct net *net);
void nfsync_device_setup(struct net_device *dev);
int nfsync_device_add(struct nfsync_dev *nd);
int nfsync_device_configure(struct nfsync_dev *nd,
			    const struct nfsync_config *cfg,
			    struct net_device *syncdev,
			    struct netlink_ext_ack *extack);
int nfsync_device_register(void);
void nfsync_device_unregister(void);

/* May half of a flow pass here and half at a peer?  So says who defers */
static inline bool nfsync_device_splits(const struct nfsync_dev *nd)
{
	return READ_ONCE(nd->cfg.defer);
}

/* true when frames can leave: up, and the sync link works */
static inline bool nfsync_device_ready(const struct nfsync_dev *nd)
{
	return READ_ONCE(nd->up) && READ_ONCE(nd->link);
}

#endif /* _NFSYNC_DEVICE_H */
