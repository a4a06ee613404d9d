// SPDX-License-Identifier: GPL-2.0
/*
 * Deferral: the packet that created a forwarded connection waits until a peer
 * knows the connection, so that its answer may take a path over the peer.  How
 * it waits and what ends that is in held.c.
 *
 * Where.  A hook behind conntrack's confirmation can't be had: of hooks with
 * one priority the kernel runs the one that was registered last first
 * (nf_hook_entries_grow() puts it before its equals), conntrack confirms at
 * INT_MAX, and it was there before us.  So the hook that runs right before
 * the confirmation (hooks.c) runs what is left of the hooks itself, for the
 * packets that are to wait, and goes on with the okfn when they have waited.
 * Every hook has had such a packet once by then, in the usual order, and okfn
 * is called once.  This is what the kernel's own queue to userspace does, only
 * that the packet waits behind the last hook and not in front of the next.
 *
 * Released by: INS_ACK of each peer that listens, for any of them may be the
 * one that the answer comes by; any other message about the state, a further packet of
 * the flow (which then follows it), and what releases every packet that waits.
 */
#include <linux/err.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/route.h>
#include "conntrack.h"
#include "defer.h"
#include "device.h"
#include "held.h"
#include "hooks.h"

/* One copy among many, or for many: nobody answers it by one path */
static bool is_for_many(const struct sk_buff *skb,
			const struct nf_hook_state *state)
{
	u8 type;

	if (skb->pkt_type == PACKET_BROADCAST ||
	    skb->pkt_type == PACKET_MULTICAST)
		return true;
	if (state->pf != NFPROTO_IPV4 || !skb_dst(skb))
		return false;

	/* the flags of a forwarded broadcast's route do not say it */
	type = skb_rtable(skb)->rt_type;
	return type == RTN_BROADCAST || type == RTN_MULTICAST;
}

/* Forwarded or bridged, the first of its flow, and not seen here again */
static bool may_wait(const struct nfsync_dev *nd, const struct sk_buff *skb,
		     const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	return state->hook == NF_INET_POST_ROUTING && skb->skb_iif &&
	       !state->sk && !skb->sk && !skb_shared(skb) &&
	       !netif_is_l3_master(state->out) &&
	       CTINFO2DIR(ctinfo) == IP_CT_DIR_ORIGINAL &&
	       !nf_ct_is_template(ct) && !is_for_many(skb, state) &&
	       nfsync_conntrack_worthy(nd, ct);
}

/* Is there anybody to wait for, and room? */
static bool is_worth_it(struct nfsync_dev *nd, const struct nf_conn *ct)
{
	if (!nfsync_device_ready(nd))
		return false;
	if (!nfsync_peer_listens(nd)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_DEFER_NOPEER);
		return false;
	}
	return !nfsync_held_flooded(nd, nfsync_queue_slice(nd, ct));
}

/*
 * The state of the flow, which is told at once.  NULL when there is nothing
 * to wait for: conntrack found that the flow is there already (two first
 * packets at a time), or there is no memory.
 */
static struct nfsync_state *first_state(struct nfsync_dev *nd,
					const struct sk_buff *skb)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);
	struct nfsync_state *st;

	if (!ct || !nfsync_conntrack_eligible(nd, ct))
		return NULL;

	st = nfsync_state_find_ct(nd, ct);
	if (st) {
		nfsync_held_answered(nd, st, PFSYNC_STAT_DEFER_MORE);
		return NULL;
	}
	st = nfsync_state_new(nd, ct);
	if (!st || !nfsync_state_get(st))
		return NULL;
	WRITE_ONCE(st->seen_at[CTINFO2DIR(ctinfo)], (u32)jiffies);
	return st;
}

static void hold(struct nfsync_dev *nd, struct nfsync_state *st,
		 struct nfsync_held *h)
{
	h->st = st;
	h->peers = nfsync_peer_listeners(nd);
	if (!nfsync_held_add(nd, h)) {
		nfsync_held_send(h);
		return;
	}
	nfsync_stats_inc(nd, PFSYNC_STAT_DEFERRED);
	/* @h may be gone by now; its reference on @st with it, but not RCU's */
	nfsync_queue_update(nd, st, true);
}

/**
 * nfsync_defer_first() - a packet whose entry is not confirmed yet
 * @nd: device, deferral is on
 * @skb: packet with an entry
 * @state: of the hook that stands right before conntrack's confirmation
 *
 * Context: softirq or process, RCU read side.
 * Return: NF_ACCEPT when it does not wait and nothing was done with it,
 * NF_STOLEN when it waits or a hook that came after did not let it pass,
 * NF_DROP when its route just went.
 */
unsigned int nfsync_defer_first(struct nfsync_dev *nd, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	const struct nf_hook_entries *rest;
	enum ip_conntrack_info ctinfo;
	struct nfsync_state *st;
	unsigned int from;
	struct nfsync_held *h;

	if (!may_wait(nd, skb, state) ||
	    !is_worth_it(nd, nf_ct_get(skb, &ctinfo)))
		return NF_ACCEPT;

	rest = nfsync_hooks_rest(nd, state, &from);
	if (!rest)
		return NF_ACCEPT;

	h = nfsync_held_make(nd, skb, state);
	if (IS_ERR_OR_NULL(h))
		return h ? NF_DROP : NF_ACCEPT;
	/* 1: it passed them; anything else, and it is somebody else's now */
	if (nf_hook_slow(skb, &h->state, rest, from) != 1) {
		nfsync_held_free(h);
		return NF_STOLEN;
	}

	/* confirmed: conntrack must not see it again, so it goes on from here */
	st = first_state(nd, skb);
	if (st)
		hold(nd, st, h);
	else
		nfsync_held_send(h);
	return NF_STOLEN;
}
