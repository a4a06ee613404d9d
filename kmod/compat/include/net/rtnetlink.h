/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NFSYNC_COMPAT_NET_RTNETLINK_H
#define _NFSYNC_COMPAT_NET_RTNETLINK_H

#include_next <net/rtnetlink.h>

/*
 * rtnl_link_ops.newlink: what it is called with besides the extack, and where
 * in it the namespace is that the attributes speak of, and the attributes.
 */
#ifdef NFSYNC_HAVE_NEWLINK_PARAMS
#define NFSYNC_NEWLINK_ARGS						\
	struct net_device *dev, struct rtnl_newlink_params *params
#define NFSYNC_NEWLINK_NET	rtnl_newlink_link_net(params)
#define NFSYNC_NEWLINK_DATA	(params->data)
#else
#define NFSYNC_NEWLINK_ARGS						\
	struct net *src_net, struct net_device *dev,			\
	struct nlattr *tb[], struct nlattr *data[]
#define NFSYNC_NEWLINK_NET	(src_net)
#define NFSYNC_NEWLINK_DATA	(data)
#endif

#endif /* _NFSYNC_COMPAT_NET_RTNETLINK_H */
