/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TCP numbers of a flow of which this node may see both directions, one or
 * none.  Pure: also built in userspace.
 */
#ifndef _NFSYNC_SPLIT_H
#define _NFSYNC_SPLIT_H

#include "map.h"

/*
 * One entry.  Told and heard are the same here: what all nodes know.  Between
 * nfsync_split_strip() and nfsync_split_dress() @seen has no slack, and td_end
 * is told_end where there was some, td_maxend told_maxend.
 */
struct nfsync_split {
	struct nfsync_map_seen seen[2];
	u32 told_end[2];
	u32 told_maxend[2];
	u32 told_win[2];	/* td_maxwin of the other side */
	u32 here_end[2];	/* with slack: the furthest packet, heard or here */
	bool slack[2];		/* on td_end */
	bool edge[2];		/* on td_maxend */
	bool wide;		/* how much of it there is */
};

u32 nfsync_split_amount(u32 win, bool wide);
u32 nfsync_split_win(u32 win, bool wide);
u32 nfsync_split_bare_win(u32 now, u32 win, bool wide);
void nfsync_split_strip(struct nfsync_split *sp);
void nfsync_split_dress(struct nfsync_split *sp);
bool nfsync_split_hear(struct nfsync_split *sp,
		       const struct nfsync_map_seen told[2],
		       unsigned int verdict, const bool sees[2], bool bounded);
void nfsync_split_told(struct nfsync_split *sp, const bool sees[2],
		       bool bounded);
u32 nfsync_split_end(const struct nfsync_split *sp, int d);
bool nfsync_split_arrive(struct nfsync_split *sp, int dir, u32 end, u32 edge,
			 bool settled);

#endif /* _NFSYNC_SPLIT_H */
