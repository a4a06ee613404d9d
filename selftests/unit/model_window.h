/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What conntrack's TCP window tracking says to a segment of an established
 * connection, from its source in Linux 6.1 to 7.2, small enough to be read.
 * Not modelled: SACK, sequence adjustment, SYN, FIN and RST, liberal mode.
 */
#ifndef _NFSYNC_MODEL_WINDOW_H
#define _NFSYNC_MODEL_WINDOW_H

#include "map.h"

enum model_verdict {
	MODEL_ACCEPT,
	MODEL_IGNORE,	/* passes, nothing (or little) is learned from it */
	MODEL_INVALID,	/* no entry for the packet: strict rules drop it */
};

struct model_segment {
	u32 seq;
	u32 ack;
	u32 len;
	u16 win;	/* as in the header, unscaled */
};

enum model_verdict model_window(struct nfsync_map_seen seen[2], int dir,
				const struct model_segment *seg);

#endif /* _NFSYNC_MODEL_WINDOW_H */
