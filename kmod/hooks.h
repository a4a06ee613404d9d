/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where conntrack and packets tell us something.
 */
#ifndef _NFSYNC_HOOKS_H
#define _NFSYNC_HOOKS_H

#include <linux/list.h>
#include <linux/netfilter.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack_ecache.h>

struct nfsync_dev;

#define NFSYNC_HOOKS_N	4

struct nfsync_hooks {
	struct nf_ct_event_notifier notifier;
	struct nf_ct_event_notifier __rcu *orig;
	struct nfsync_dev *nd;
	struct list_head node;		/* of the module notifier's list */
	struct nf_hook_ops ops[NFSYNC_HOOKS_N];
	struct delayed_work gc;
	bool raised_events;		/* sysctl_events was 2 and is 1 */
	bool slot_logged;
	bool active;
	u8 gc_ticks;
};

int nfsync_hooks_register(void);
void nfsync_hooks_unregister(void);
int nfsync_hooks_start(struct nfsync_dev *nd);
void nfsync_hooks_stop(struct nfsync_dev *nd);

#endif /* _NFSYNC_HOOKS_H */
