// SPDX-License-Identifier: GPL-2.0
/*
 * A counter for every reason, per CPU.
 */
#include <linux/ethtool.h>
#include <linux/string.h>
#include "device.h"
#include "stats.h"

static const char names[__PFSYNC_STAT_MAX][ETH_GSTRING_LEN] = {
#define STAT_NAME(sym, name) \
	[PFSYNC_STAT_##sym] = name,
	PFSYNC_STATS(STAT_NAME)
#undef STAT_NAME
};

/**
 * nfsync_stats_init() - allocate a device's counters, all zero
 * @nd: the device
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int nfsync_stats_init(struct nfsync_dev *nd)
{
	int cpu;

	nd->stats = alloc_percpu(struct nfsync_stats);
	if (!nd->stats)
		return -ENOMEM;

	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(nd->stats, cpu)->sync);
	return 0;
}

/**
 * nfsync_stats_destroy() - free the counters
 * @nd: the device, on which nothing runs any more
 */
void nfsync_stats_destroy(struct nfsync_dev *nd)
{
	free_percpu(nd->stats);
	nd->stats = NULL;
}

/**
 * nfsync_stats_add() - count
 * @nd: the device
 * @i: which counter
 * @n: how many; at most ULONG_MAX
 *
 * On 64 bit the addition is one local64 operation, which an interrupt can't
 * split and which therefore needs no more than to stay on its CPU; 32 bit
 * closes interrupts around it.  Neither relies on disabled bottom halves,
 * which exclude nothing on PREEMPT_RT.
 *
 * Context: any but NMI.
 */
void nfsync_stats_add(struct nfsync_dev *nd, enum pfsync_stat i, u64 n)
{
	struct nfsync_stats *s = get_cpu_ptr(nd->stats);
	unsigned long flags;

	flags = u64_stats_update_begin_irqsave(&s->sync);
	u64_stats_add(&s->v[i], n);
	u64_stats_update_end_irqrestore(&s->sync, flags);
	put_cpu_ptr(nd->stats);
}

static void sum_cpu(const struct nfsync_stats *s, u64 *v)
{
	unsigned int start;
	u64 n;
	int i;

	for (i = 0; i < __PFSYNC_STAT_MAX; i++) {
		do {
			start = u64_stats_fetch_begin(&s->sync);
			n = u64_stats_read(&s->v[i]);
		} while (u64_stats_fetch_retry(&s->sync, start));
		v[i] += n;
	}
}

/**
 * nfsync_stats_read() - sum up over all CPUs
 * @nd: the device
 * @v: __PFSYNC_STAT_MAX sums, in the order of enum pfsync_stat
 *
 * Each counter is whole, but no two are of the same moment.
 */
void nfsync_stats_read(const struct nfsync_dev *nd, u64 *v)
{
	int cpu;

	memset(v, 0, __PFSYNC_STAT_MAX * sizeof(*v));
	for_each_possible_cpu(cpu)
		sum_cpu(per_cpu_ptr(nd->stats, cpu), v);
}

/**
 * nfsync_stats_names() - the counters' names as ethtool wants them
 * @buf: room for __PFSYNC_STAT_MAX * ETH_GSTRING_LEN bytes, all written
 */
void nfsync_stats_names(u8 *buf)
{
	memcpy(buf, names, sizeof(names));
}
