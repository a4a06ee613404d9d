/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's fixed-width names for the files that userspace builds too.
 */
#ifndef _NFSYNC_COMPAT_USER_TYPES_H
#define _NFSYNC_COMPAT_USER_TYPES_H

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

#endif /* _NFSYNC_COMPAT_USER_TYPES_H */
