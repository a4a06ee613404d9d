/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rtnetlink kind "pfsync": attributes into a configuration and back.
 */
#ifndef _NFSYNC_LINK_H
#define _NFSYNC_LINK_H

int nfsync_link_register(void);
void nfsync_link_unregister(void);

#endif /* _NFSYNC_LINK_H */
