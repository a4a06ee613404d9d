/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NFSYNC_COMPAT_LINUX_NETDEVICE_H
#define _NFSYNC_COMPAT_LINUX_NETDEVICE_H

#include_next <linux/netdevice.h>

/* No transmit lock: a feature flag first, a bit of the device later */
static inline void nfsync_compat_set_lltx(struct net_device *dev)
{
#ifdef NFSYNC_HAVE_LLTX_BIT
	dev->lltx = true;
#else
	dev->features |= NETIF_F_LLTX;
#endif
}

/* Bound to its namespace: a feature flag, then a bit that was renamed */
static inline void nfsync_compat_set_netns_immutable(struct net_device *dev)
{
#if defined(NFSYNC_HAVE_NETNS_IMMUTABLE)
	dev->netns_immutable = true;
#elif defined(NFSYNC_HAVE_NETNS_LOCAL_BIT)
	dev->netns_local = true;
#else
	dev->features |= NETIF_F_NETNS_LOCAL;
#endif
}

#endif /* _NFSYNC_COMPAT_LINUX_NETDEVICE_H */
