/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NFSYNC_COMPAT_NET_INET_SOCK_H
#define _NFSYNC_COMPAT_NET_INET_SOCK_H

#include_next <net/inet_sock.h>

/* Bit fields before they became bits of one word that change atomically */
#ifndef inet_assign_bit
#define NFSYNC_COMPAT_BIT_MC_LOOP(inet)	((inet)->mc_loop)
#define inet_assign_bit(nr, sk, val)					\
	(NFSYNC_COMPAT_BIT_##nr(inet_sk(sk)) = !!(val))
#endif

#endif /* _NFSYNC_COMPAT_NET_INET_SOCK_H */
