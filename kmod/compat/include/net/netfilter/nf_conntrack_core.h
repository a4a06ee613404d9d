/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _NFSYNC_COMPAT_NET_NETFILTER_NF_CONNTRACK_CORE_H
#define _NFSYNC_COMPAT_NET_NETFILTER_NF_CONNTRACK_CORE_H

#include_next <net/netfilter/nf_conntrack_core.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <net/ip.h>
#include <net/ipv6.h>

/*
 * What conntrack's last hook does with a packet: helper, sequence adjustment,
 * confirmation.  Older trees leave it to the caller to find the transport
 * header, which their own hooks do in this way.
 */
static inline unsigned int
nfsync_compat_confirm(struct sk_buff *skb, const struct nf_hook_state *state)
{
#ifdef NFSYNC_HAVE_CONFIRM_AS_HOOK
	return nf_confirm(NULL, skb, state);
#else
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);
	__be16 frag_off;
	int protoff;
	u8 pnum;

	if (state->pf == NFPROTO_IPV4)
		return nf_confirm(skb, skb_network_offset(skb) +
				       ip_hdrlen(skb), ct, ctinfo);

	pnum = ipv6_hdr(skb)->nexthdr;
	protoff = ipv6_skip_exthdr(skb, sizeof(struct ipv6hdr), &pnum,
				   &frag_off);
	if (protoff < 0 || frag_off & htons(~0x7))
		return nf_conntrack_confirm(skb);
	return nf_confirm(skb, protoff, ct, ctinfo);
#endif
}

#endif /* _NFSYNC_COMPAT_NET_NETFILTER_NF_CONNTRACK_CORE_H */
