/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which frames of a peer came: a window over the last numbers it gave them.
 * Frames overtake each other and come twice; a number counts as lost when it
 * falls out of the window, or when it is settled: the peer's next hello but
 * one tells that its frame should long have been here.
 *
 * Pure, also built in userspace.  The caller serialises.
 */
#ifndef _NFSYNC_GAP_H
#define _NFSYNC_GAP_H

#ifdef __KERNEL__
#include <linux/string.h>
#include <linux/types.h>
#else
#include "compat/user/types.h"
#endif

#define NFSYNC_GAP_WORDS	8
#define NFSYNC_GAP_WINDOW	(NFSYNC_GAP_WORDS * 64)

struct nfsync_gap {
	u32 top;		/* highest number that came */
	u32 base;		/* all up to here is judged, top - base <= window */
	u64 lost;		/* judged and never came */
	u64 came[NFSYNC_GAP_WORDS];	/* by number, modulo the window */
};

enum nfsync_gap_verdict {
	NFSYNC_GAP_NEW,
	NFSYNC_GAP_TWICE,	/* came before */
	NFSYNC_GAP_LATE,	/* before base: counted as lost, or a duplicate */
};

void nfsync_gap_start(struct nfsync_gap *g, u32 seq);
enum nfsync_gap_verdict nfsync_gap_see(struct nfsync_gap *g, u32 seq);
void nfsync_gap_settle(struct nfsync_gap *g, u32 seq);
u32 nfsync_gap_missing(const struct nfsync_gap *g);

#endif /* _NFSYNC_GAP_H */
