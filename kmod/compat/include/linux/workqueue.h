/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NFSYNC_COMPAT_LINUX_WORKQUEUE_H
#define _NFSYNC_COMPAT_LINUX_WORKQUEUE_H

#include_next <linux/workqueue.h>

/*
 * The queue of schedule_work(), and the one of workers that are not bound to a
 * processor.  Their old names are warned of in young trees.
 */
#ifndef NFSYNC_HAVE_SYSTEM_PERCPU_WQ
#define system_percpu_wq	system_wq
#endif
#ifndef NFSYNC_HAVE_SYSTEM_DFL_WQ
#define system_dfl_wq		system_unbound_wq
#endif

#endif /* _NFSYNC_COMPAT_LINUX_WORKQUEUE_H */
