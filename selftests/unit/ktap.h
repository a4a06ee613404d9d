/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KTAP for unit tests, in userspace and in the kernel.  A test is a function
 * without arguments; a failed expectation is noted and the test goes on, a
 * failed assertion ends it.  usage:
 *
 *	static void test_add(void)
 *	{
 *		KTAP_EXPECT_EQ(1 + 1, 2);
 *	}
 *
 *	static const struct ktap_test tests[] = {
 *		KTAP_TEST(test_add),
 *	};
 *
 *	KTAP_MAIN(tests)
 */
#ifndef _NFSYNC_KTAP_H
#define _NFSYNC_KTAP_H

#ifdef __KERNEL__
#include "ktap_kernel.h"
#else

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "compat/user/types.h"

struct ktap_test {
	const char *name;
	void (*run)(void);
};

/* A loop over a table can fail thousands of times for one reason */
#define KTAP_MAX_NOTES 10

static unsigned int ktap_fails;
static const char *ktap_skip_reason;
static jmp_buf ktap_end;

/* How much of a long test is run, see ktap_kernel.h */
#define KTAP_SCALED(n)	(n)

/* What is worth knowing of a test that passes */
#define KTAP_NOTE(fmt, ...)	printf("# " fmt "\n", __VA_ARGS__)

__attribute__((format(printf, 3, 4)))
static inline void ktap_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	if (ktap_fails++ >= KTAP_MAX_NOTES)
		return;
	printf("# %s:%d: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static inline void ktap_give_up(void)
{
	longjmp(ktap_end, 1);
}

#define KTAP_SKIP(reason)						\
	do {								\
		ktap_skip_reason = (reason);				\
		longjmp(ktap_end, 1);					\
	} while (0)

static bool ktap_run_one(size_t nr, const struct ktap_test *t)
{
	ktap_fails = 0;
	ktap_skip_reason = NULL;
	if (!setjmp(ktap_end))
		t->run();
	if (ktap_fails > KTAP_MAX_NOTES)
		printf("# %u more\n", ktap_fails - KTAP_MAX_NOTES);
	printf("%s %zu %s", ktap_fails ? "not ok" : "ok", nr, t->name);
	if (!ktap_fails && ktap_skip_reason)
		printf(" # SKIP %s", ktap_skip_reason);
	putchar('\n');
	return !ktap_fails;
}

/* Flushed by line, so that a sanitizer's abort leaves what came before */
static int ktap_run(const struct ktap_test *t, size_t n)
{
	bool good = true;
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n1..%zu\n", n);
	for (i = 0; i < n; i++)
		good &= ktap_run_one(i + 1, &t[i]);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define KTAP_MAIN(tests)						\
	int main(void)							\
	{								\
		exit(ktap_run(tests, sizeof(tests) / sizeof((tests)[0]))); \
	}

#endif /* __KERNEL__ */

#define KTAP_TEST(fn) { .name = #fn, .run = fn }

static inline bool ktap_expect_eq(const char *file, int line,
				  const char *what_a, const char *what_b,
				  long long a, long long b)
{
	if (a != b)
		ktap_fail(file, line, "%s is %lld (0x%llx), %s is %lld (0x%llx)",
			  what_a, a, a, what_b, b, b);
	return a == b;
}

static inline bool ktap_expect_mem(const char *file, int line,
				   const void *a, const void *b, size_t len)
{
	const u8 *x = a, *y = b;
	size_t i;

	for (i = 0; i < len; i++) {
		if (x[i] == y[i])
			continue;
		ktap_fail(file, line, "byte %zu of %zu is %02x, not %02x",
			  i, len, x[i], y[i]);
		return false;
	}
	return true;
}

#define KTAP_FAIL(...) ktap_fail(__FILE__, __LINE__, __VA_ARGS__)

#define KTAP_EXPECT(cond)						\
	do {								\
		if (!(cond))						\
			KTAP_FAIL("not true: %s", #cond);		\
	} while (0)

/* As above, followed by a printf-like note that names the case */
#define KTAP_EXPECT_MSG(cond, ...)					\
	do {								\
		if (!(cond))						\
			KTAP_FAIL(__VA_ARGS__);				\
	} while (0)

#define KTAP_EXPECT_EQ(a, b)						\
	ktap_expect_eq(__FILE__, __LINE__, #a, #b, (long long)(a),	\
		       (long long)(b))

#define KTAP_EXPECT_MEMEQ(got, want, len)				\
	ktap_expect_mem(__FILE__, __LINE__, got, want, len)

/* The rest of the test makes no sense without this */
#define KTAP_ASSERT(cond)						\
	do {								\
		if (!(cond)) {						\
			KTAP_FAIL("not true: %s", #cond);		\
			ktap_give_up();					\
		}							\
	} while (0)

#define KTAP_ASSERT_EQ(a, b)						\
	do {								\
		if (!KTAP_EXPECT_EQ(a, b))				\
			ktap_give_up();					\
	} while (0)

/* xorshift64*: the same numbers on every machine, for tests with a seed */
static inline u64 ktap_random(u64 *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

#endif /* _NFSYNC_KTAP_H */
