/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which side of an update is newer than ours.  Pure: also built in userspace.
 */
#ifndef _NFSYNC_MERGE_H
#define _NFSYNC_MERGE_H

#include "wire.h"

#define NFSYNC_MERGE_TAKE_SRC	0x01	/* theirs is as new or newer */
#define NFSYNC_MERGE_TAKE_DST	0x02
#define NFSYNC_MERGE_TAKE_BOTH	0x03
#define NFSYNC_MERGE_STALE	0x04	/* some side was kept: answer */
#define NFSYNC_MERGE_EDGE_SRC	0x08	/* of a kept side: its seqhi is newer */
#define NFSYNC_MERGE_EDGE_DST	0x10
#define NFSYNC_MERGE_EDGE_BOTH	0x18
#define NFSYNC_MERGE_NUMBERS	0x20	/* levels are the same */

/* serial numbers (RFC 1982): is @a after @b? */
static inline bool nfsync_seq_after(u32 a, u32 b)
{
	return (s32)(a - b) > 0;
}

static inline u32 nfsync_seq_max(u32 a, u32 b)
{
	return nfsync_seq_after(a, b) ? a : b;
}

/* How two entries of one tuple and two ids are related */
enum nfsync_merge_kin {
	NFSYNC_MERGE_SAME,	/* one connection, or nothing says otherwise */
	NFSYNC_MERGE_EARLIER,	/* theirs had ended before ours began */
	NFSYNC_MERGE_LATER,	/* ours had ended before theirs began */
};

/* What tells two connections of one tuple apart */
struct nfsync_merge_conn {
	u8 tcp_state;		/* enum nfsync_ct */
	u32 end;		/* the initiator's td_end, host order */
	bool moves;		/* packets pass there */
};

enum nfsync_merge_kin
nfsync_merge_kin(const struct nfsync_merge_conn *own,
		 const struct nfsync_merge_conn *theirs);
unsigned int nfsync_merge_peers(u8 proto, const struct nfsync_msg_peer own[2],
				const struct nfsync_msg_peer theirs[2]);
unsigned int nfsync_merge_edges(const struct nfsync_msg_peer own[2],
				const struct nfsync_msg_peer theirs[2],
				unsigned int verdict);

#endif /* _NFSYNC_MERGE_H */
