/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What must always be true (the INV-* below), looked at: where it is made
 * true, by NFSYNC_AUDIT(), and by a walk over all that a device has.  Built
 * with NFSYNC_INJECT=y; otherwise nothing of it is left.
 *
 *	INV-1	a slice's len is what its counts make, whenever its lock is free
 *	INV-2	marker == q if and only if the state is linked on q
 *	INV-3	each queued state owns one reference
 *	INV-4	what is written is as long as what was taken, and fits the MTU
 *	INV-5	at rest all queues are empty and no timer of theirs is pending;
 *		and what is queued is never left without one
 *	INV-6	each frame is whole, by the rules for those that come in
 *	INV-7	no more packets wait than may, and each leaves once
 *	INV-8	after a CLR no state that it names can be found
 *	INV-9	no state is of a protocol that is not synchronised, least of all 240
 *	INV-10	only monotonic time is compared (selftests/lab/lint.sh)
 */
#ifndef _NFSYNC_AUDIT_H
#define _NFSYNC_AUDIT_H

#include <linux/bug.h>
#include <linux/types.h>

struct dentry;
struct nfsync_dev;
struct nfsync_slice;
struct sk_buff;

#ifdef NFSYNC_INJECT

/* Says so once when it is not true, and returns true then: mend it */
#define NFSYNC_AUDIT(cond)	WARN_ON_ONCE(!(cond))

void nfsync_audit_register(struct dentry *dir);
void nfsync_audit_born(void);
void nfsync_audit_died(void);
bool nfsync_audit_frame(const struct sk_buff *skb);

#else

/* Checked by the compiler, and then it is gone */
#define NFSYNC_AUDIT(cond)	({ bool wrong = false && !(cond); wrong; })

static inline void nfsync_audit_register(struct dentry *dir) { }
static inline void nfsync_audit_born(void) { }
static inline void nfsync_audit_died(void) { }

static inline bool nfsync_audit_frame(const struct sk_buff *skb)
{
	return true;
}

#endif

#endif /* _NFSYNC_AUDIT_H */
