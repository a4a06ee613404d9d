/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A counter for every reason, per CPU.
 */
#ifndef _NFSYNC_STATS_H
#define _NFSYNC_STATS_H

#include <linux/percpu.h>
#include <linux/u64_stats_sync.h>
#include "../include/uapi/linux/if_pfsync.h"

struct nfsync_dev;

struct nfsync_stats {
	u64_stats_t v[__PFSYNC_STAT_MAX];
	struct u64_stats_sync sync;
};

int nfsync_stats_init(struct nfsync_dev *nd);
void nfsync_stats_destroy(struct nfsync_dev *nd);
void nfsync_stats_add(struct nfsync_dev *nd, enum pfsync_stat i, u64 n);
void nfsync_stats_read(const struct nfsync_dev *nd, u64 *v);
void nfsync_stats_names(u8 *buf);	/* __PFSYNC_STAT_MAX * ETH_GSTRING_LEN */

static inline void nfsync_stats_inc(struct nfsync_dev *nd, enum pfsync_stat i)
{
	nfsync_stats_add(nd, i, 1);
}

#endif /* _NFSYNC_STATS_H */
