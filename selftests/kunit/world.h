/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the in-kernel tests are run in: a pfsync device in the initial
 * namespace that counts as up, without hooks, and conntrack entries.
 */
#ifndef _NFSYNC_WORLD_H
#define _NFSYNC_WORLD_H

#include "device.h"

#define WORLD_HOSTID	0x11111111

/* A tuple of its own for each, in conntrack's table; the reference is ours */
struct nf_conn *world_entry(u16 port);

/*
 * Quiet: the slices' tasks only count how often they ran.  Else what they send
 * goes to a wire that keeps it.
 */
int world_begin(bool quiet);
void world_end(void);
struct nfsync_dev *world_dev(void);

struct nfsync_state *world_state(u16 port);
struct nfsync_state *world_learned(u16 port, u64 id, u32 creatorid);
void world_kill(struct nfsync_state *st);
void world_unhash(struct nfsync_state *st);

unsigned int world_runs(void);	/* of quiet tasks, since last asked */
u64 world_stat(enum pfsync_stat i);

/* A frame from the other end of the wire, by the kernel's own way in */
void world_receive(__be32 saddr, const u8 *data, size_t len);

/* What one frame on the wire was made of */
struct world_frame {
	unsigned int n[NFSYNC_ACT_ALL];
	struct nfsync_msg_bus bus;
	struct nfsync_msg_total total;
	struct nfsync_msg_id id;	/* the last of its bare ids */
};

bool world_frame(struct world_frame *f);	/* oldest first */

/* The link goes with the last of so many frames more */
void world_cut_after(unsigned int frames);

#endif /* _NFSYNC_WORLD_H */
