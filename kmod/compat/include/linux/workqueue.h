/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NFSYNC_COMPAT_LINUX_WORKQUEUE_H
#define _NFSYNC_COMPAT_LINUX_WORKQUEUE_H

#include_next <linux/workqueue.h>

/* The queue of schedule_work(); its old name is warned of in young trees */
#ifndef NFSYNC_HAVE_SYSTEM_PERCPU_WQ
#define system_percpu_wq	system_wq
#endif

#endif /* _NFSYNC_COMPAT_LINUX_WORKQUEUE_H */
