/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NFSYNC_SEND_H
#define _NFSYNC_SEND_H

#include "queue.h"

struct nfsync_send *nfsync_send_alloc(void);
void nfsync_send_free(struct nfsync_send *s);
void nfsync_send_task(struct tasklet_struct *t);
int nfsync_send_bus(struct nfsync_dev *nd, u8 status, u32 endtime);
int nfsync_send_bulk_request(struct nfsync_dev *nd);

#endif /* _NFSYNC_SEND_H */
