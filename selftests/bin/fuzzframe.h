/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frames as a peer sends them, and what else a wire can bring.
 *
 * A frame is made of one that was recorded, or by the module's own encoders,
 * and then damaged. It depends on what is drawn for it alone, and on what was
 * recorded or heard.
 */
#ifndef FUZZFRAME_H
#define FUZZFRAME_H

#include <stddef.h>
#include <stdint.h>

#include "prng.h"

#define FUZZFRAME_MAX 8192

struct fuzzframe {
	uint8_t data[FUZZFRAME_MAX];
	size_t len;
};

/* Frames of a real peer, in hex, one a line; returns how many */
size_t fuzzframe_record(const char *file);

/* The receiver said this: states that it speaks of will be spoken of */
void fuzzframe_hear(const struct fuzzframe *f);

void fuzzframe_make(struct fuzzframe *f, struct prng *r);

#endif
