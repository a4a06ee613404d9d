/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's names, for the files that userspace builds too: fixed-width
 * types and byte order.
 */
#ifndef _NFSYNC_COMPAT_USER_TYPES_H
#define _NFSYNC_COMPAT_USER_TYPES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;

typedef uint16_t __be16;
typedef uint32_t __be32;
typedef uint64_t __be64;

#define __packed __attribute__((__packed__))

#define be16_to_cpu(x) be16toh(x)
#define be32_to_cpu(x) be32toh(x)
#define be64_to_cpu(x) be64toh(x)
#define cpu_to_be16(x) htobe16(x)
#define cpu_to_be32(x) htobe32(x)
#define cpu_to_be64(x) htobe64(x)

#endif /* _NFSYNC_COMPAT_USER_TYPES_H */
