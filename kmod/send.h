/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NFSYNC_SEND_H
#define _NFSYNC_SEND_H

#include "queue.h"

struct nfsync_send *nfsync_send_alloc(void);
void nfsync_send_free(struct nfsync_send *s);
void nfsync_send_task(struct tasklet_struct *t);
int nfsync_send_start(struct nfsync_dev *nd);
int nfsync_send_end(struct nfsync_dev *nd, const struct nfsync_msg_total *m,
		    u32 endtime);
int nfsync_send_hello(struct nfsync_dev *nd, const struct nfsync_msg_hello *m);
void nfsync_send_clr(struct nfsync_dev *nd, u32 creatorid);
int nfsync_send_bulk_request(struct nfsync_dev *nd);

#endif /* _NFSYNC_SEND_H */
