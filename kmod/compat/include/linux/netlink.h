/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NFSYNC_COMPAT_LINUX_NETLINK_H
#define _NFSYNC_COMPAT_LINUX_NETLINK_H

#include_next <linux/netlink.h>

/*
 * A refusal whose @tail names the value.  Where the kernel has no room for
 * formatted texts only @text is told: a buffer of our own could be changed
 * by the next refusal before this one is sent.
 */
#ifdef NL_SET_ERR_MSG_FMT
#define NFSYNC_EXTACK_FMT(extack, text, tail, args...)			\
	NL_SET_ERR_MSG_FMT(extack, text tail, ##args)
#else
#define NFSYNC_EXTACK_FMT(extack, text, tail, args...) do {		\
	NL_SET_ERR_MSG(extack, text);					\
	if (0)								\
		no_printk(tail, ##args);				\
} while (0)
#endif

#define NFSYNC_EXTACK_ATTR_FMT(extack, attr, text, tail, args...) do {	\
	struct netlink_ext_ack *__ack = (extack);			\
									\
	NL_SET_BAD_ATTR(__ack, attr);					\
	NFSYNC_EXTACK_FMT(__ack, text, tail, ##args);			\
} while (0)

#endif /* _NFSYNC_COMPAT_LINUX_NETLINK_H */
