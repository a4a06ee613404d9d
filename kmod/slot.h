/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Conntrack's event slot.
 */
#ifndef _NFSYNC_SLOT_H
#define _NFSYNC_SLOT_H

#include <linux/types.h>

struct module;
struct net;
struct nf_conn;

int nfsync_slot_register(void);
void nfsync_slot_unregister(void);
void nfsync_slot_module(unsigned long action, const struct module *mod);
void nfsync_slot_take(struct net *net);
void nfsync_slot_leave(struct net *net);
bool nfsync_slot_watch(struct net *net);
bool nfsync_slot_try(struct net *net, struct nf_conn *ct);

#endif /* _NFSYNC_SLOT_H */
