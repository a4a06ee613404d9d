/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where conntrack and packets tell us something.
 */
#ifndef _NFSYNC_HOOKS_H
#define _NFSYNC_HOOKS_H

#include <linux/list.h>
#include <linux/netfilter.h>
#include <linux/workqueue.h>

struct net;
struct nf_ct_event;
struct nfsync_dev;

#define NFSYNC_HOOKS_N	4
#define NFSYNC_EARLY_HOOKS_N	2

struct nfsync_hooks {
	struct list_head node;		/* of those in use, hooks_mutex */
	struct nf_hook_ops ops[NFSYNC_HOOKS_N];
	struct nf_hook_ops early_ops[NFSYNC_EARLY_HOOKS_N];
	struct delayed_work gc;
	u8 gc_ticks;
	bool raised_events;		/* sysctl_events was 2 and is 1 */
	bool active;			/* between start and stop, RTNL */
	bool early;			/* early_ops are in use, RTNL */
};

int nfsync_hooks_register(void);
void nfsync_hooks_unregister(void);
void nfsync_hooks_init(struct nfsync_dev *nd);
int nfsync_hooks_start(struct nfsync_dev *nd);
void nfsync_hooks_stop(struct nfsync_dev *nd);
int nfsync_hooks_early(struct nfsync_dev *nd, bool on);
void nfsync_hooks_event(const struct net *net, unsigned int events,
			const struct nf_ct_event *item);
const struct nf_hook_entries *
nfsync_hooks_rest(const struct nfsync_dev *nd,
		  const struct nf_hook_state *state, unsigned int *from);

#endif /* _NFSYNC_HOOKS_H */
