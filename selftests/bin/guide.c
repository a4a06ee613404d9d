// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <fcntl.h>
#include <linux/kcov.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "guide.h"

#define KCOV_FILE	"/sys/kernel/debug/kcov"
#define TRACE		(64 << 10)	/* places of one request */
#define SEEN		(1 << 20)	/* bits; a power of two */
#define TAPES		4096

static unsigned long *trace;
static struct prng_tape tape;
static bool blind;

/* Those that are kept: what they hold, in the order in which they came */
static struct {
	uint64_t *v;
	size_t len;
} tapes[TAPES];
static size_t n_tapes;

static struct seen {
	uint8_t bits[SEEN / 8];
	size_t n;
} places, pairs;

void guide_open(void)
{
	int fd = open(KCOV_FILE, O_RDWR);

	if (fd < 0) {
		warn(KCOV_FILE);
		exit(4);
	}
	blind = getenv("FUZZ_BLIND");
	if (ioctl(fd, KCOV_INIT_TRACE, TRACE))
		err(1, "KCOV_INIT_TRACE");
	trace = mmap(NULL, TRACE * sizeof(*trace), PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, 0);
	if (trace == MAP_FAILED)
		err(1, "mmap");
	if (ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		err(1, "KCOV_ENABLE");
}

/* --- tapes --- */

static void put_tape(size_t at, const uint64_t *v, size_t len)
{
	if (at > PRNG_TAPE_MAX)
		at = PRNG_TAPE_MAX;
	if (len > PRNG_TAPE_MAX - at)
		len = PRNG_TAPE_MAX - at;
	memcpy(tape.v + at, v, len * sizeof(*v));
	tape.len = at + len;
}

static void change_one(struct prng *r)
{
	tape.v[prng_below(r, tape.len)] = prng_fresh(r);
}

static void change_a_bit(struct prng *r)
{
	tape.v[prng_below(r, tape.len)] ^= 1ULL << prng_below(r, 64);
}

static void leave_out(struct prng *r)
{
	size_t at = prng_below(r, tape.len);
	size_t n = 1 + prng_below(r, 8);

	if (n > tape.len - at)
		n = tape.len - at;
	tape.len -= n;
	memmove(tape.v + at, tape.v + at + n, (tape.len - at) * sizeof(*tape.v));
}

/* What follows is drawn anew */
static void cut(struct prng *r)
{
	tape.len = prng_below(r, tape.len);
}

/* The end of another one */
static void join(struct prng *r)
{
	size_t other = prng_below(r, n_tapes);
	size_t from = prng_below(r, tapes[other].len);

	put_tape(prng_below(r, tape.len), tapes[other].v + from,
		 tapes[other].len - from);
}

static void (*const changes[])(struct prng *r) = {
	change_one, change_one, change_one, change_a_bit, leave_out, cut,
	join,
};

/* As a rule one of those that came last */
static size_t pick(struct prng *r)
{
	size_t last = prng_once(r, 3) ? n_tapes : 1 + n_tapes / 4;

	return n_tapes - 1 - prng_below(r, last);
}

struct prng guide_pick(uint64_t seed, uint64_t number)
{
	struct prng r = prng_stream(seed, number);
	size_t i;

	tape.len = 0;
	if (n_tapes && !prng_once(&r, 4)) {
		i = pick(&r);
		put_tape(0, tapes[i].v, tapes[i].len);
		for (size_t n = 1 + prng_below(&r, 4); n && tape.len; n--)
			changes[prng_below(&r, sizeof(changes) /
					   sizeof(*changes))](&r);
	}
	tape.at = 0;
	r.tape = &tape;
	return r;
}

/* Of more than there is room for, one that has been there goes */
static void keep_tape(void)
{
	size_t i = n_tapes < TAPES ? n_tapes++ : (size_t)rand() % TAPES;

	/* what was not drawn had no part in it */
	tapes[i].len = tape.at;
	tapes[i].v = realloc(tapes[i].v, tape.at * sizeof(*tape.v));
	if (!tapes[i].v)
		err(1, "memory");
	memcpy(tapes[i].v, tape.v, tape.at * sizeof(*tape.v));
}

/* --- what was run --- */

static bool is_new(struct seen *s, uint64_t what)
{
	uint64_t hash = what * 0x9e3779b97f4a7c15ULL >> 44;

	if (s->bits[hash / 8] & 1 << hash % 8)
		return false;
	s->bits[hash / 8] |= 1 << hash % 8;
	s->n++;
	return true;
}

void guide_watch(void)
{
	__atomic_store_n(&trace[0], 0, __ATOMIC_RELAXED);
}

void guide_learn(void)
{
	unsigned long n = __atomic_load_n(&trace[0], __ATOMIC_RELAXED);
	unsigned long before = 0;
	bool new = false;

	for (unsigned long i = 1; i <= n && i < TRACE; i++) {
		is_new(&places, trace[i]);
		new |= is_new(&pairs, trace[i] ^ (before << 20 | before >> 44));
		before = trace[i];
	}
	if (new && tape.at && !blind)
		keep_tape();
}

void guide_report(void)
{
	printf("guided: %zu places, %zu pairs, %zu tapes\n", places.n, pairs.n,
	       n_tapes);
}
