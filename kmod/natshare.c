// SPDX-License-Identifier: GPL-2.0
/*
 * Two nodes that forward at the same time and translate to one address must
 * not give the same port to two connections: neither can ask the other before
 * the first packet leaves.  So each has a share of the ports, those that are
 * its number modulo the number of shares, and both can use the same rules.
 *
 * Where.  NAT chooses a port and writes it into the packet before the packet
 * comes to our hook in front of conntrack's confirmation, and nobody else knows
 * the choice until that.  A port of another share is changed there, to the next
 * of our own that no connection has: in the entry, and by NAT's own function in
 * the packet, which writes what the entry says, whatever was there before.
 *
 * Not changed: ports below 1024, which NAT keeps apart as well and which
 * somebody may insist on; connections that a helper expects, for it has told
 * the other end which port that will be.
 */
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_nat.h>
#include "device.h"
#include "natshare.h"

MODULE_SOFTDEP("pre: nf_nat");

/* Ports that are tried in a row, and rows: then a connection is refused */
#define TRIES		64
#define ROWS		4

#define PORT_MIN	1024

/**
 * nfsync_natshare_start() - get hold of NAT's function that changes a packet
 * @nd: device
 * @extack: where to say that there is none
 *
 * Context: process, RTNL.
 * Return: 0 or -EOPNOTSUPP.
 */
int nfsync_natshare_start(struct nfsync_dev *nd,
			  struct netlink_ext_ack *extack)
{
	struct nfsync_natshare *s = &nd->natshare;

	ASSERT_RTNL();

	if (s->nat_packet)
		return 0;
	/* not loaded from here: its init waits for who may wait for RTNL */
	WRITE_ONCE(s->nat_packet, symbol_get(nf_nat_packet));
	if (s->nat_packet)
		return 0;
	NL_SET_ERR_MSG(extack, "natshare needs the module nf_nat");
	return -EOPNOTSUPP;
}

/**
 * nfsync_natshare_stop() - let go of it
 * @nd: device whose configuration has no share any more
 *
 * Context: process, RTNL.
 */
void nfsync_natshare_stop(struct nfsync_dev *nd)
{
	struct nfsync_natshare *s = &nd->natshare;

	ASSERT_RTNL();

	if (!s->nat_packet)
		return;
	WRITE_ONCE(s->nat_packet, NULL);
	/* who is in a hook may be about to call it */
	synchronize_net();
	symbol_put(nf_nat_packet);
}

/* Where in a reply the translated number is: an ICMP id is at the source */
static __be16 *number_of(struct nf_conntrack_tuple *reply)
{
	switch (reply->dst.protonum) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return &reply->dst.u.all;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return &reply->src.u.icmp.id;
	default:
		return NULL;
	}
}

static bool is_icmp(const struct nf_conntrack_tuple *t)
{
	return t->dst.protonum == IPPROTO_ICMP ||
	       t->dst.protonum == IPPROTO_ICMPV6;
}

/* The next of our share from @n on, over the end to the beginning */
static u16 next_of_share(u32 n, u8 share, u8 of, u32 min)
{
	n += (of + share - n % of) % of;
	if (n > U16_MAX)
		n = min + (of + share - min % of) % of;
	return n;
}

static bool choose_in_row(struct nf_conn *ct, struct nf_conntrack_tuple *reply,
			  __be16 *number, u32 n, u32 min, u8 share, u8 of)
{
	int i;

	for (i = 0; i < TRIES; i++) {
		n = next_of_share(n, share, of, min);
		*number = htons(n);
		if (!nf_conntrack_tuple_taken(reply, ct))
			return true;
		n++;
	}
	return false;
}

/* Near the one that NAT chose, or anywhere.  Returns false when none was free */
static bool choose(struct nf_conn *ct, struct nf_conntrack_tuple *reply,
		   __be16 *number, u8 share, u8 of)
{
	u32 min = is_icmp(reply) ? 0 : PORT_MIN;
	u32 n = ntohs(*number);
	int row;

	for (row = 0; row < ROWS; row++) {
		if (choose_in_row(ct, reply, number, n, min, share, of))
			return true;
		n = min + get_random_u32_below(U16_MAX + 1 - min);
	}
	return false;
}

/**
 * nfsync_natshare_first() - see to it that a new connection has a port of ours
 * @nd: device with a share
 * @skb: first packet of a connection that is not confirmed yet
 * @state: of the hook right before the confirmation
 *
 * Context: softirq or process, RCU read side.
 * Return: NF_ACCEPT, or NF_DROP when no port of the share is free.
 */
unsigned int nfsync_natshare_first(struct nfsync_dev *nd, struct sk_buff *skb,
				   const struct nf_hook_state *state)
{
	nfsync_nat_fn *nat_packet = READ_ONCE(nd->natshare.nat_packet);
	u8 share = READ_ONCE(nd->cfg.nat_share), of = READ_ONCE(nd->cfg.nat_of);
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);
	struct nf_conntrack_tuple reply;
	__be16 *number;

	if (!of || !nat_packet || state->hook != NF_INET_POST_ROUTING ||
	    nf_ct_is_template(ct) || !(ct->status & IPS_SRC_NAT) ||
	    ct->master || CTINFO2DIR(ctinfo) != IP_CT_DIR_ORIGINAL)
		return NF_ACCEPT;

	reply = *nf_ct_tuple(ct, IP_CT_DIR_REPLY);
	number = number_of(&reply);
	if (!number || ntohs(*number) % of == share ||
	    (!is_icmp(&reply) && ntohs(*number) < PORT_MIN))
		return NF_ACCEPT;

	if (!choose(ct, &reply, number, share, of)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_NATSHARE_FULL);
		return NF_DROP;
	}
	nf_conntrack_alter_reply(ct, &reply);
	nfsync_stats_inc(nd, PFSYNC_STAT_NATSHARE);
	return nat_packet(ct, ctinfo, state->hook, skb);
}
