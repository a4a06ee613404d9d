/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ktap.h in the kernel: the same tests, run by KUnit.  A file is a suite of one
 * case that has a parameter, the test; so each of them has a result of its own.
 */
#ifndef _NFSYNC_KTAP_KERNEL_H
#define _NFSYNC_KTAP_KERNEL_H

#include <kunit/test.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/types.h>

struct ktap_test {
	const char *name;
	void (*run)(void);
};

/* A loop over a table can fail thousands of times for one reason */
#define KTAP_MAX_NOTES 10

/* KUnit runs one case at a time */
static struct kunit *ktap_now;
static unsigned int ktap_fails;

/* For those that take seconds in userspace: emulated, this is far slower */
#define KTAP_SCALED(n)	((n) / 30)

#define malloc(size)	kmalloc(size, GFP_KERNEL)
#define free(p)		kfree(p)

#define KTAP_NOTE(...)	kunit_info(ktap_now, __VA_ARGS__)

static inline __printf(3, 4)
void ktap_fail(const char *file, int line, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list ap;

	if (ktap_fails++ < KTAP_MAX_NOTES) {
		va_start(ap, fmt);
		vaf.va = &ap;
		KUNIT_FAIL(ktap_now, "%s:%d: %pV", kbasename(file), line, &vaf);
		va_end(ap);
	}
}

/* Does not return */
static inline void ktap_give_up(void)
{
	KUNIT_ASSERT_TRUE_MSG(ktap_now, false, "the rest makes no sense");
}

#define KTAP_SKIP(reason)	kunit_skip(ktap_now, reason)

static inline const void *ktap_next(const struct ktap_test *tests, size_t n,
				    const struct ktap_test *prev, char *desc)
{
	const struct ktap_test *t = prev ? prev + 1 : tests;

	if (t == tests + n)
		return NULL;
	strscpy(desc, t->name, KUNIT_PARAM_DESC_SIZE);
	return t;
}

static inline void ktap_run(struct kunit *kunit)
{
	const struct ktap_test *t = kunit->param_value;

	ktap_now = kunit;
	ktap_fails = 0;
	t->run();
}

/* @begin, @end: around each of the tests, or NULL */
#define KTAP_SUITE(tests, begin, end)					\
	static const void *ktap_param(const void *prev, char *desc)	\
	{								\
		return ktap_next(tests, ARRAY_SIZE(tests), prev, desc);	\
	}								\
									\
	static struct kunit_case ktap_cases[] = {			\
		KUNIT_CASE_PARAM(ktap_run, ktap_param),			\
		{}							\
	};								\
									\
	static struct kunit_suite ktap_suite = {			\
		.name = KBUILD_BASENAME,				\
		.init = begin,						\
		.exit = end,						\
		.test_cases = ktap_cases,				\
	};								\
	kunit_test_suite(ktap_suite)

#define KTAP_MAIN(tests)	KTAP_SUITE(tests, NULL, NULL);

#endif /* _NFSYNC_KTAP_KERNEL_H */
