/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's names, for the files that userspace builds too: fixed-width
 * types and byte order.
 */
#ifndef _NFSYNC_COMPAT_USER_TYPES_H
#define _NFSYNC_COMPAT_USER_TYPES_H

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef __UINT8_TYPE__ u8;
typedef __UINT16_TYPE__ u16;
typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;
typedef __INT32_TYPE__ s32;

typedef __UINT16_TYPE__ __be16;
typedef __UINT32_TYPE__ __be32;
typedef __UINT64_TYPE__ __be64;

#ifndef __packed
#define __packed __attribute__((packed))
#endif

#ifndef fallthrough
#define fallthrough __attribute__((fallthrough))
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define min_t(type, a, b)			\
	({					\
		type a_ = (a);			\
		type b_ = (b);			\
						\
		a_ < b_ ? a_ : b_;		\
	})
#define max_t(type, a, b)			\
	({					\
		type c_ = (a);			\
		type d_ = (b);			\
						\
		c_ > d_ ? c_ : d_;		\
	})
#define min(a, b) min_t(__typeof__(a), a, b)
#define max(a, b) max_t(__typeof__(a), a, b)

#define be16_to_cpu(x) be16toh(x)
#define be32_to_cpu(x) be32toh(x)
#define be64_to_cpu(x) be64toh(x)
#define cpu_to_be16(x) htobe16(x)
#define cpu_to_be32(x) htobe32(x)
#define cpu_to_be64(x) htobe64(x)

#endif /* _NFSYNC_COMPAT_USER_TYPES_H */
