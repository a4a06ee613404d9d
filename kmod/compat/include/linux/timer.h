/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NFSYNC_COMPAT_LINUX_TIMER_H
#define _NFSYNC_COMPAT_LINUX_TIMER_H

#include_next <linux/timer.h>

/* Younger trees renamed from_timer() and dropped the old name */
#ifndef timer_container_of
#define timer_container_of(var, callback_timer, timer_fieldname)	\
	container_of(callback_timer, typeof(*(var)), timer_fieldname)
#endif

#endif /* _NFSYNC_COMPAT_LINUX_TIMER_H */
