/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a fuzzer draws, guided by what of the module it made this process run.
 *
 * The kernel keeps the places (KCOV) that a task comes by in code that was
 * compiled for it, of which the module is all there is. What came by a new pair
 * of places, one behind the other, stays, and is drawn again with changes.
 */
#ifndef GUIDE_H
#define GUIDE_H

#include "prng.h"

/*
 * Exits with 4, as what skips a kselftest does, where the kernel has no KCOV.
 * With FUZZ_BLIND in the environment it only counts and nothing is kept: what
 * a guide is worth is what more it finds.
 */
void guide_open(void);

/* Draws for request @number: by a tape that was good once, changed, or anew */
struct prng guide_pick(uint64_t seed, uint64_t number);

/* From here on */
void guide_watch(void);

/* Up to here */
void guide_learn(void);

/* A line "guided: N places, N pairs, N tapes" */
void guide_report(void);

#endif
