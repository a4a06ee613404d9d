// SPDX-License-Identifier: GPL-2.0
/*
 * Where two nodes each see one half of a connection, a packet can be here
 * before the news of what it answers: the client's ACK before the SYN-ACK that
 * passed a peer.  Conntrack calls it invalid, and rightly, for all it knows.
 * Such a packet waits until the news are there (held.c: for how long, and how
 * many), and conntrack is asked again.
 *
 * Where.  Right behind conntrack, which has let go of the packet by then; so
 * what is valid, which is nearly everything, costs the test of one word.  It
 * has not been to any hook that comes after, so that it can be given to
 * conntrack once more as if it came in now, and passes the rest of the hooks
 * then, each of them once.
 *
 * Which.  TCP with an entry that the peers know: what is missing may be on its
 * way.  Whether the other half passes here is not asked, for a path can change
 * between two packets.  One that others would take for an attack is refused a
 * little later than without us, and for the same reason.
 *
 * News and the wait for them.  The news may be applied while conntrack has its
 * first look.  So the wish for them is made known first (NFSYNC_ST_AWAITED),
 * then conntrack looks again, under the entry's lock: either it sees the news,
 * or they come after that and find the wish, which they take away; in that case
 * nfsync_held_add() says so and conntrack looks once more.
 */
#include <linux/err.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <linux/skbuff.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include "device.h"
#include "early.h"
#include "held.h"
#include "hooks.h"

/* News that come one after the other while we look; then it is as it is */
#define LOOKS	4

static bool is_bridged(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	return nf_bridge_info_exists(skb);
#else
	return false;
#endif
}

/* Could there be news that it waits for, and is there room? */
static bool may_wait(struct nfsync_dev *nd, const struct sk_buff *skb)
{
	return nfsync_device_ready(nd) && nfsync_peer_listens(nd) &&
	       !skb->sk && !skb_shared(skb) && !is_bridged(skb);
}

/* Returns the state of its flow, with a reference, when the peers know that */
static struct nfsync_state *flow_of(struct nfsync_dev *nd, struct nf_conn *ct)
{
	struct nfsync_state *st = nfsync_state_find_ct(nd, ct);

	if (!st || !test_bit(NFSYNC_ST_TOLD, &st->flags) ||
	    nfsync_held_flooded(nd, st->slice) || !nfsync_state_get(st))
		return NULL;
	return st;
}

/*
 * By its addresses and ports, as conntrack found it.  A zone that a rule gave
 * it is not known any more: in the default zone its flow is not found.
 */
static struct nfsync_state *find_flow(struct nfsync_dev *nd,
				      const struct sk_buff *skb,
				      const struct nf_hook_state *state)
{
	struct nf_conntrack_tuple_hash *h;
	struct nf_conntrack_tuple tuple;
	struct nfsync_state *st;
	struct nf_conn *ct;

	if (!nf_ct_get_tuplepr(skb, skb_network_offset(skb), state->pf,
			       state->net, &tuple) ||
	    tuple.dst.protonum != IPPROTO_TCP)
		return NULL;

	h = nf_conntrack_find_get(state->net, &nf_ct_zone_dflt, &tuple);
	if (!h)
		return NULL;

	ct = nf_ct_tuplehash_to_ctrack(h);
	st = flow_of(nd, ct);
	nf_ct_put(ct);
	return st;
}

/*
 * Returns true when it waits, and is the list's.  If not, @verdict is what
 * conntrack said of it last.
 */
static bool wait_for_news(struct nfsync_dev *nd, struct nfsync_held *h,
			  unsigned int *verdict)
{
	int i;

	for (i = 0; i < LOOKS; i++) {
		set_bit(NFSYNC_ST_AWAITED, &h->st->flags);
		/* conntrack takes the entry's lock: see nfsync_held_news() */
		smp_mb__after_atomic();
		*verdict = nf_conntrack_in(h->skb, &h->state);
		if (skb_get_nfct(h->skb) || *verdict != NF_ACCEPT)
			return false;
		if (nfsync_held_add(nd, h))
			return true;
	}
	return false;
}

/**
 * nfsync_early_answered() - what conntrack calls new, and is not any more
 * @skb: packet with an entry, right behind conntrack
 *
 * Conntrack asks first whether the entry was answered, and looks at its TCP
 * state later: news in between make the packet valid, and leave it one of a
 * new connection for the rules.
 *
 * Context: softirq, RCU read side.
 */
void nfsync_early_answered(struct sk_buff *skb)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (unlikely(ctinfo == IP_CT_NEW) && ct &&
	    test_bit(IPS_SEEN_REPLY_BIT, &ct->status))
		nf_ct_set(skb, ct, IP_CT_ESTABLISHED);
}

/**
 * nfsync_early_packet() - conntrack called a packet invalid
 * @nd: device, deferral is on
 * @skb: the packet, without an entry
 * @state: of the hook right behind conntrack
 *
 * Context: softirq, RCU read side.
 * Return: NF_STOLEN when it waits, NF_DROP when its route just went, otherwise
 * what conntrack says of it by now: NF_ACCEPT, as a rule.
 */
unsigned int nfsync_early_packet(struct nfsync_dev *nd, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	unsigned int verdict = NF_ACCEPT;
	struct nfsync_state *st;
	struct nfsync_held *h;

	if (!may_wait(nd, skb))
		return NF_ACCEPT;
	st = find_flow(nd, skb, state);
	if (!st)
		return NF_ACCEPT;

	h = nfsync_held_make(nd, skb, state);
	if (IS_ERR_OR_NULL(h)) {
		nfsync_state_put(st);
		return h ? NF_DROP : NF_ACCEPT;
	}
	h->st = st;
	h->what = NFSYNC_HELD_EARLY;
	if (wait_for_news(nd, h, &verdict)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_EARLY);
		return NF_STOLEN;
	}
	nfsync_held_free(h);
	nfsync_early_answered(skb);
	return verdict;
}

/**
 * nfsync_early_ask() - packets wait, and what they wait for may not be told
 * @nd: device
 * @id: of their flow, host order
 * @creatorid: its creator, host order
 * @pause: jiffies until it may be asked for again
 *
 * Two nodes may each believe that they know all of a direction, for a moment,
 * and then neither has a reason to speak; or the news were lost.
 *
 * Context: softirq, no lock held.
 */
void nfsync_early_ask(struct nfsync_dev *nd, u64 id, u32 creatorid, u32 pause)
{
	if (nfsync_queue_request(nd, id, creatorid, pause))
		nfsync_stats_inc(nd, PFSYNC_STAT_EARLY_ASKED);
}

/* The hooks behind ours, and what comes after them */
static void go_on(struct nfsync_dev *nd, struct nfsync_held *h,
		  unsigned int verdict)
{
	const struct nf_hook_entries *rest;
	unsigned int from;

	if (verdict != NF_ACCEPT) {
		kfree_skb(h->skb);
		nfsync_held_free(h);
		return;
	}
	nfsync_early_answered(h->skb);
	rest = nfsync_hooks_rest(nd, &h->state, &from);
	/* 1: it passed them; anything else, and it is somebody else's now */
	if (rest && nf_hook_slow(h->skb, &h->state, rest, from) != 1)
		nfsync_held_free(h);
	else
		nfsync_held_send(h);
}

/**
 * nfsync_early_go() - one that waited goes on, or waits once more
 * @nd: device
 * @h: the packet, on no list
 *
 * Once more when there were news and not all that it needs.
 *
 * Context: softirq or process, no lock held.
 */
void nfsync_early_go(struct nfsync_dev *nd, struct nfsync_held *h)
{
	unsigned int verdict;

	local_bh_disable();
	rcu_read_lock();
	if (h->why != PFSYNC_STAT_EARLY_NEWS || nfsync_held_over(nd, h))
		verdict = nf_conntrack_in(h->skb, &h->state);
	else if (wait_for_news(nd, h, &verdict))
		goto out;
	nfsync_stats_inc(nd, h->why);
	go_on(nd, h, verdict);
out:
	rcu_read_unlock();
	local_bh_enable();
}
