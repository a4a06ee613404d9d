/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Does to a frame all that the receiver does, and more: decodes every
 * message, looks whether the decoder kept its promises, encodes the result
 * and decodes that again.
 */
#ifndef _NFSYNC_WIRE_WALK_H
#define _NFSYNC_WIRE_WALK_H

#include "wire.h"

struct wire_walk {
	enum nfsync_wire_err err;	/* of the frame */
	unsigned int sections;		/* known ones */
	unsigned int skipped;		/* and the others */
	unsigned int messages;		/* in known sections, good ones */
	unsigned int badval;		/* in known sections, refused */
	unsigned int differ;		/* came back as something else */
	unsigned int insane;		/* good ones with a forbidden value */
};

void wire_walk(const void *data, size_t len, struct wire_walk *w);

#endif /* _NFSYNC_WIRE_WALK_H */
