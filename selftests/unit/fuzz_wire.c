// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer target: any bytes as a frame.  ASan and UBSan watch the walk;
 * what the decoders accept must come back from the encoders as it was.
 *
 * The input is copied to an odd address, because a frame has no alignment.
 */
#include <stdlib.h>

#include "wire_walk.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct wire_walk w;
	u8 *copy = malloc(size + 1);

	if (!copy)
		return 0;
	memcpy(copy + 1, data, size);
	wire_walk(copy + 1, size, &w);
	free(copy);
	if (w.differ || w.insane)
		abort();
	return 0;
}
