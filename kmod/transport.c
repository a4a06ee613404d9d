// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses, group membership and the way out.  Knows IP, not pfsync.
 */
#include <linux/igmp.h>
#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/inet_common.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/route.h>
#include <net/sock.h>
#include "audit.h"
#include "device.h"
#include "transport.h"

#define PFSYNC_TTL	255
#define PFSYNC_TOS	IPTOS_LOWDELAY

static bool is_group(__be32 syncpeer)
{
	return ipv4_is_multicast(syncpeer);
}

/*
 * The socket form of the membership: it survives a link that flaps, and the
 * socket can't be released with a membership under RTNL, so every join is
 * undone by leave().
 */
static int join(struct sock *sk, const struct net_device *syncdev,
		__be32 group)
{
	struct ip_mreqn mreq = {
		.imr_multiaddr.s_addr = group,
		.imr_ifindex = syncdev->ifindex,
	};
	int err;

	lock_sock(sk);
	err = ip_mc_join_group(sk, &mreq);
	release_sock(sk);
	return err;
}

static void leave(struct sock *sk, const struct net_device *syncdev,
		  __be32 group)
{
	struct ip_mreqn mreq = {
		.imr_multiaddr.s_addr = group,
		.imr_ifindex = syncdev->ifindex,
	};

	lock_sock(sk);
	ip_mc_leave_group(sk, &mreq);
	release_sock(sk);
}

/*
 * Without a reference left behind: readers use the pointer under RCU only,
 * and a device is not freed before a grace period after its notifiers ran.
 */
static void swap_syncdev(struct nfsync_transport *t, struct net_device *old,
			 struct net_device *syncdev)
{
	if (syncdev == old)
		return;

	rcu_assign_pointer(t->syncdev, syncdev);
	if (old)
		netdev_put(old, &t->tracker);
	if (syncdev)
		netdev_hold(syncdev, &t->tracker, GFP_KERNEL);
}

/**
 * nfsync_transport_move() - speak on another device or to another peer
 * @nd: the device
 * @syncdev: the new sync device, NULL for none
 * @syncpeer: the new peer, a unicast address or the group
 * @extack: where to say what went wrong, may be NULL
 *
 * The new group is joined before the old one is left, so that a failure
 * changes nothing.  With both arguments as they are it joins what could not
 * be joined before.
 *
 * Context: RTNL.
 * Return: 0 or -errno.
 */
int nfsync_transport_move(struct nfsync_dev *nd, struct net_device *syncdev,
			  __be32 syncpeer, struct netlink_ext_ack *extack)
{
	struct nfsync_transport *t = &nd->transport;
	struct net_device *old = rtnl_dereference(t->syncdev);
	bool want = t->sk && syncdev && is_group(syncpeer);
	bool same = old == syncdev && nd->cfg.syncpeer == syncpeer;
	int err;

	if (want && !(same && t->joined)) {
		err = join(t->sk, syncdev, syncpeer);
		if (err) {
			NL_SET_ERR_MSG(extack, "syncdev: could not join the group on it");
			return err;
		}
	}
	if (t->joined && !(want && same))
		leave(t->sk, old, nd->cfg.syncpeer);

	t->joined = want;
	WRITE_ONCE(nd->cfg.syncpeer, syncpeer);
	swap_syncdev(t, old, syncdev);
	return 0;
}

/**
 * nfsync_transport_open() - make the control socket and join the group
 * @nd: the device, its syncdev attached or not
 *
 * A join that fails is not an error here: it is tried again whenever the
 * link comes, and until then nfsync_transport_usable() says no.
 *
 * Context: RTNL.
 * Return: 0 or -errno of the socket.
 */
int nfsync_transport_open(struct nfsync_dev *nd)
{
	struct nfsync_transport *t = &nd->transport;
	int err;

	err = inet_ctl_sock_create(&t->sk, AF_INET, SOCK_RAW, PFSYNC_IPPROTO,
				   nd->net);
	if (err)
		return err;

	/* or each frame to the group would come back to our own handler */
	inet_assign_bit(MC_LOOP, t->sk, 0);
	err = nfsync_transport_move(nd, rtnl_dereference(t->syncdev),
				    nd->cfg.syncpeer, NULL);
	if (err)
		netdev_warn(nd->dev, "could not join the group: error %d\n",
			    err);
	return 0;
}

/**
 * nfsync_transport_close() - leave the group and drop the control socket
 * @nd: the device; nothing of it transmits any more
 *
 * The syncdev stays attached: it is configuration.
 *
 * Context: RTNL.
 */
void nfsync_transport_close(struct nfsync_dev *nd)
{
	struct nfsync_transport *t = &nd->transport;
	struct sock *sk = t->sk;

	if (!sk)
		return;
	if (t->joined)
		leave(sk, rtnl_dereference(t->syncdev), nd->cfg.syncpeer);
	t->joined = false;
	WRITE_ONCE(t->sk, NULL);
	synchronize_net();
	inet_ctl_sock_destroy(sk);
}

/**
 * nfsync_transport_check() - may this device carry the sync traffic?
 * @syncdev: a device of our namespace
 * @syncpeer: who is spoken to on it
 * @extack: says why not, may be NULL
 *
 * Return: 0 or -EINVAL.
 */
int nfsync_transport_check(const struct net_device *syncdev, __be32 syncpeer,
			   struct netlink_ext_ack *extack)
{
	if (syncdev->flags & IFF_LOOPBACK) {
		NFSYNC_EXTACK_FMT(extack, "syncdev must not be a loopback device",
				  ", as %s is", syncdev->name);
		return -EINVAL;
	}
	if (is_group(syncpeer) && !(syncdev->flags & IFF_MULTICAST)) {
		NFSYNC_EXTACK_FMT(extack, "syncdev is not multicast capable, set syncpeer",
				  ": %s", syncdev->name);
		return -EINVAL;
	}
	return 0;
}

/**
 * nfsync_transport_usable() - can a frame leave and be heard right now?
 * @nd: the device
 *
 * A sync device whose MTU has no room for one state is as good as none.
 *
 * Context: RTNL.
 */
bool nfsync_transport_usable(const struct nfsync_dev *nd)
{
	const struct nfsync_transport *t = &nd->transport;
	const struct net_device *syncdev = rtnl_dereference(t->syncdev);

	return t->sk && syncdev && netif_running(syncdev) &&
	       netif_carrier_ok(syncdev) &&
	       READ_ONCE(syncdev->mtu) >= PFSYNC_MTU_MIN &&
	       (t->joined || !is_group(nd->cfg.syncpeer));
}

/**
 * nfsync_transport_mtu() - bytes that a frame may have, IP header included
 * @nd: the device
 *
 * The lesser of our own MTU and the syncdev's, as of now: both can change
 * at any time.  Never below PFSYNC_MTU_MIN, so that a builder always makes
 * headway; on a syncdev that is smaller yet the verdict is 'no link', and
 * nfsync_transport_xmit() refuses.
 *
 * Context: any.
 */
unsigned int nfsync_transport_mtu(const struct nfsync_dev *nd)
{
	unsigned int mtu = READ_ONCE(nd->dev->mtu);
	const struct net_device *syncdev;

	rcu_read_lock();
	syncdev = rcu_dereference(nd->transport.syncdev);
	if (syncdev)
		mtu = min(mtu, READ_ONCE(syncdev->mtu));
	rcu_read_unlock();

	return max_t(unsigned int, mtu, PFSYNC_MTU_MIN);
}

static struct rtable *route(const struct nfsync_dev *nd,
			    const struct net_device *syncdev,
			    struct flowi4 *fl4)
{
	memset(fl4, 0, sizeof(*fl4));
	flowi4_init_output(fl4, syncdev->ifindex, 0, PFSYNC_TOS,
			   RT_SCOPE_UNIVERSE, PFSYNC_IPPROTO, 0,
			   READ_ONCE(nd->cfg.syncpeer), 0, 0, 0,
			   sock_net_uid(nd->net, NULL));
	return ip_route_output_key(nd->net, fl4);
}

static void push_ip(struct nfsync_dev *nd, struct sk_buff *skb,
		    const struct flowi4 *fl4)
{
	struct iphdr *iph;

	skb_reset_transport_header(skb);
	iph = skb_push(skb, sizeof(*iph));
	skb_reset_network_header(skb);
	*iph = (struct iphdr) {
		.version = 4,
		.ihl = sizeof(*iph) / 4,
		.tos = PFSYNC_TOS,
		.tot_len = htons(skb->len),
		.frag_off = htons(IP_DF),
		.ttl = PFSYNC_TTL,
		.protocol = PFSYNC_IPPROTO,
		.saddr = fl4->saddr,
		.daddr = fl4->daddr,
	};
	__ip_select_ident(nd->net, iph, 1);
	ip_send_check(iph);
	skb->protocol = htons(ETH_P_IP);
	skb->priority = TC_PRIO_CONTROL;
	/* no entry for us in the table that we synchronise */
	nf_ct_set(skb, NULL, IP_CT_UNTRACKED);
}

/* RCU; @skb becomes a whole IP packet with its route, or an error is told */
static int prepare(struct nfsync_dev *nd, struct sk_buff *skb)
{
	const struct net_device *syncdev;
	struct flowi4 fl4;
	struct rtable *rt;
	int err;

	syncdev = rcu_dereference(nd->transport.syncdev);
	if (!syncdev || !netif_carrier_ok(syncdev))
		return -ENETDOWN;

	rt = route(nd, syncdev, &fl4);
	if (IS_ERR(rt))
		return PTR_ERR(rt);
	skb_dst_set(skb, &rt->dst);

	if (skb->len + sizeof(struct iphdr) > dst_mtu(&rt->dst))
		return -EMSGSIZE;
	err = skb_cow_head(skb, LL_RESERVED_SPACE(rt->dst.dev) +
				rt->dst.header_len + sizeof(struct iphdr));
	if (err)
		return err;

	push_ip(nd, skb, &fl4);
	return 0;
}

static void tap_tx(struct nfsync_dev *nd, struct sk_buff *skb)
{
	if (!dev_nit_active(nd->dev))
		return;

	skb->dev = nd->dev;
	dev_queue_xmit_nit(skb, nd->dev);
	skb->dev = skb_dst(skb)->dev;
}

/* BH off and RCU; consumes @skb */
static int output(struct nfsync_dev *nd, struct sk_buff *skb)
{
	struct sock *sk = READ_ONCE(nd->transport.sk);
	int err = sk ? prepare(nd, skb) : -ENETDOWN;

	if (err) {
		kfree_skb(skb);
		return err;
	}

	tap_tx(nd, skb);
	/* > 0 is a qdisc's drop, which is as lost as any other; in two steps
	 * since the macro evaluates its argument twice
	 */
	err = ip_local_out(nd->net, sk, skb);
	err = net_xmit_eval(err);
	return err > 0 ? -ENOBUFS : err;
}

/**
 * nfsync_transport_xmit() - send a frame to the peers
 * @nd: the device
 * @skb: data at the pfsync header, perhaps in fragments, and in front of it
 *	 NFSYNC_TRANSPORT_HEADROOM; consumed
 *
 * Never called from a conntrack event or a packet hook: it runs the whole
 * output path.
 *
 * Context: softirq or process, no lock of ours held.
 * Return: 0 or -errno; both are counted here.
 */
int nfsync_transport_xmit(struct nfsync_dev *nd, struct sk_buff *skb)
{
	unsigned int len = skb->len + sizeof(struct iphdr);
	int err;

	NFSYNC_AUDIT(nfsync_audit_frame(skb));
	local_bh_disable();
	rcu_read_lock();
	err = output(nd, skb);
	if (!err)
		dev_sw_netstats_tx_add(nd->dev, 1, len);
	rcu_read_unlock();
	local_bh_enable();

	if (err)
		DEV_STATS_INC(nd->dev, tx_errors);
	nfsync_stats_inc(nd, err ? PFSYNC_STAT_OERRORS : PFSYNC_STAT_OPACKETS);
	return err;
}

/**
 * nfsync_transport_tap_rx() - show a received frame to taps
 * @nd: the device
 * @skb: data at the pfsync header, network header set; stays the caller's
 *
 * Context: softirq, RCU.
 */
void nfsync_transport_tap_rx(struct nfsync_dev *nd, struct sk_buff *skb)
{
	struct sk_buff *copy;

	if (!dev_nit_active(nd->dev))
		return;
	copy = skb_clone(skb, GFP_ATOMIC);
	if (!copy)
		return;

	__skb_push(copy, -skb_network_offset(copy));
	copy->dev = nd->dev;
	dev_queue_xmit_nit(copy, nd->dev);
	consume_skb(copy);
}

/**
 * nfsync_transport_is_own() - is this address one of this namespace's?
 * @nd: the device
 * @saddr: source of a frame
 *
 * Context: RCU.
 */
bool nfsync_transport_is_own(struct nfsync_dev *nd, __be32 saddr)
{
	return __ip_dev_find(nd->net, saddr, false);
}
