/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NFSYNC_COMPAT_LINUX_PAGE_FRAG_CACHE_H
#define _NFSYNC_COMPAT_LINUX_PAGE_FRAG_CACHE_H

/* The page fragment allocator had no header of its own at first */
#ifdef NFSYNC_HAVE_PAGE_FRAG_CACHE_H
#include_next <linux/page_frag_cache.h>
#else
#include <linux/gfp.h>
#endif

#ifndef NFSYNC_HAVE_PAGE_FRAG_CACHE_DRAIN
#include <linux/mm.h>

/* As its users wrote it by hand: give back the references not handed out */
static inline void page_frag_cache_drain(struct page_frag_cache *nc)
{
	if (!nc->va)
		return;

	__page_frag_cache_drain(virt_to_head_page(nc->va), nc->pagecnt_bias);
	memset(nc, 0, sizeof(*nc));
}
#endif

#endif /* _NFSYNC_COMPAT_LINUX_PAGE_FRAG_CACHE_H */
