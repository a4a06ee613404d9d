/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random numbers that a seed brings back. Each frame or request of a fuzzer has
 * a stream of its own, so that one of a million can be made again alone. What
 * was drawn can be kept on a tape, changed there, and drawn again: what is made
 * of it then is much the same, and as well-formed.
 */
#ifndef PRNG_H
#define PRNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRNG_TAPE_MAX 4096

struct prng_tape {
	uint64_t v[PRNG_TAPE_MAX];
	size_t len, at;
};

struct prng {
	uint64_t state;
	struct prng_tape *tape;	/* or NULL */
};

static inline uint64_t prng_fresh(struct prng *r)
{
	uint64_t x = r->state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* What the tape has next; behind its end it is written on */
static inline uint64_t prng_next(struct prng *r)
{
	struct prng_tape *t = r->tape;

	if (!t || t->at == PRNG_TAPE_MAX)
		return prng_fresh(r);
	if (t->at == t->len)
		t->v[t->len++] = prng_fresh(r);
	return t->v[t->at++];
}

static inline struct prng prng_stream(uint64_t seed, uint64_t number)
{
	struct prng r = { .state = seed };

	r.state = prng_next(&r) + number;
	r.state = prng_next(&r);
	return r;
}

/* 0 to n - 1 */
static inline uint32_t prng_below(struct prng *r, uint32_t n)
{
	return (prng_next(r) >> 32) * n >> 32;
}

/* Once in n times */
static inline bool prng_once(struct prng *r, uint32_t n)
{
	return !prng_below(r, n);
}

/* What programs forget to think of, or anything */
static inline uint64_t prng_extreme(struct prng *r)
{
	uint64_t v = prng_next(r);

	switch (prng_below(r, 8)) {
	case 0:
		return 0;
	case 1:
		return ~0ULL;
	case 2:
		return 1ULL << prng_below(r, 64);
	case 3:
		return (1ULL << prng_below(r, 64)) - 1;
	case 4:
		return ~(1ULL << prng_below(r, 64));
	case 5:
		return prng_below(r, 32);
	default:
		return v;
	}
}

#endif
