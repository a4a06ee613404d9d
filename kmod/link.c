// SPDX-License-Identifier: GPL-2.0
/*
 * The rtnetlink kind "pfsync": attributes into a configuration and back.
 * Everything is checked before anything is applied.
 */
#include <linux/inetdevice.h>
#include <linux/netlink.h>
#include <linux/random.h>
#include <net/netlink.h>
#include <net/route.h>
#include <net/rtnetlink.h>
#include "device.h"
#include "link.h"

/* types only: refusals of ranges are ours, for the kernel's name nothing */
static const struct nla_policy policy[IFLA_PFSYNC_MAX + 1] = {
	[IFLA_PFSYNC_UNSPEC] = { .strict_start_type = IFLA_PFSYNC_SYNCDEV },
	[IFLA_PFSYNC_SYNCDEV] = { .type = NLA_U32 },
	[IFLA_PFSYNC_SYNCPEER] = { .type = NLA_BE32 },
	[IFLA_PFSYNC_VERSION] = { .type = NLA_U16 },
	[IFLA_PFSYNC_MAXUPD] = { .type = NLA_U8 },
	[IFLA_PFSYNC_FLUSH] = { .type = NLA_U32 },
	[IFLA_PFSYNC_WINDOW] = { .type = NLA_U8 },
	[IFLA_PFSYNC_DEFER] = { .type = NLA_U8 },
	[IFLA_PFSYNC_HOSTID] = { .type = NLA_U32 },
	[IFLA_PFSYNC_LOCAL] = { .type = NLA_U8 },
	[IFLA_PFSYNC_VERDICT] = {
		.type = NLA_REJECT,
		.reject_message = "verdict is read only",
	},
	[IFLA_PFSYNC_ALONE] = { .type = NLA_U8 },
	[IFLA_PFSYNC_NOSYNC] =
		NLA_POLICY_EXACT_LEN(sizeof(struct pfsync_nosync)),
	[IFLA_PFSYNC_PEERS] = {
		.type = NLA_REJECT,
		.reject_message = "peers are read only",
	},
	[IFLA_PFSYNC_RESYNC] = { .type = NLA_FLAG },
	[IFLA_PFSYNC_DEFERTIME] = { .type = NLA_U32 },
	[IFLA_PFSYNC_DEFERLIMIT] = { .type = NLA_U32 },
	[IFLA_PFSYNC_NATSHARE] =
		NLA_POLICY_EXACT_LEN(sizeof(struct pfsync_natshare)),
};

static int check_version(const struct nlattr *a,
			 struct netlink_ext_ack *extack)
{
	u16 version = nla_get_u16(a);

	switch (version) {
	case PFSYNC_VERSION_6:
		return 0;
	case PFSYNC_VERSION_1301:
	case PFSYNC_VERSION_1400:
	case PFSYNC_VERSION_1500:
		NFSYNC_EXTACK_ATTR_FMT(extack, a,
				       "versions other than 6 are not supported yet",
				       ": %u", version);
		return -EOPNOTSUPP;
	default:
		NFSYNC_EXTACK_ATTR_FMT(extack, a,
				       "version must be 6, 1301, 1400 or 1500",
				       ", not %u", version);
		return -EINVAL;
	}
}

static int check_syncpeer(const struct nlattr *a,
			  struct netlink_ext_ack *extack)
{
	__be32 addr = nla_get_in_addr(a);

	if (!addr || addr == htonl(PFSYNC_GROUP))
		return 0;
	if (ipv4_is_multicast(addr) || ipv4_is_lbcast(addr) ||
	    ipv4_is_loopback(addr) || ipv4_is_zeronet(addr)) {
		NFSYNC_EXTACK_ATTR_FMT(extack, a,
				       "syncpeer must be unicast or 224.0.0.240",
				       ", not %pI4", &addr);
		return -EINVAL;
	}
	return 0;
}

static int check_flush(const struct nlattr *a, struct netlink_ext_ack *extack)
{
	u32 ms = nla_get_u32(a);

	if (ms < 1 || ms > PFSYNC_FLUSH_MAX) {
		NFSYNC_EXTACK_ATTR_FMT(extack, a,
				       "flush must be 1 to 1000 ms",
				       ", not %u", ms);
		return -EINVAL;
	}
	return 0;
}

static int check_window(const struct nlattr *a, struct netlink_ext_ack *extack)
{
	u8 window = nla_get_u8(a);

	if (window >= __PFSYNC_WINDOW_MAX) {
		NFSYNC_EXTACK_ATTR_FMT(extack, a,
				       "window must be bounded, liberal or strict",
				       ", not %u", window);
		return -EINVAL;
	}
	return 0;
}

static int check_defer(const struct nlattr *a, struct netlink_ext_ack *extack)
{
	u8 on = nla_get_u8(a);

	if (on > 1) {
		NFSYNC_EXTACK_ATTR_FMT(extack, a, "defer must be 0 or 1",
				       ", not %u", on);
		return -EINVAL;
	}
	return 0;
}

static int check_defertime(const struct nlattr *a,
			   struct netlink_ext_ack *extack)
{
	u32 ms = nla_get_u32(a);

	if (ms < 1 || ms > PFSYNC_DEFERTIME_MAX) {
		NFSYNC_EXTACK_ATTR_FMT(extack, a,
				       "defertime must be 1 to 10000 ms",
				       ", not %u", ms);
		return -EINVAL;
	}
	return 0;
}

static int check_deferlimit(const struct nlattr *a,
			    struct netlink_ext_ack *extack)
{
	u32 n = nla_get_u32(a);

	if (n < 1 || n > PFSYNC_DEFERLIMIT_MAX) {
		NFSYNC_EXTACK_ATTR_FMT(extack, a,
				       "deferlimit must be 1 to 65535 packets",
				       ", not %u", n);
		return -EINVAL;
	}
	return 0;
}

static int check_local(const struct nlattr *a, struct netlink_ext_ack *extack)
{
	u8 on = nla_get_u8(a);

	if (on > 1) {
		NFSYNC_EXTACK_ATTR_FMT(extack, a, "local must be 0 or 1",
				       ", not %u", on);
		return -EINVAL;
	}
	return 0;
}

static int check_alone(const struct nlattr *a, struct netlink_ext_ack *extack)
{
	u8 on = nla_get_u8(a);

	if (on > 1) {
		NFSYNC_EXTACK_ATTR_FMT(extack, a, "alone must be 0 or 1",
				       ", not %u", on);
		return -EINVAL;
	}
	return 0;
}

static int check_nosync(const struct nlattr *a, struct netlink_ext_ack *extack)
{
	const struct pfsync_nosync *n = nla_data(a);

	if (n->mark & ~n->mask) {
		NFSYNC_EXTACK_ATTR_FMT(extack, a,
				       "nosync mark has bits that its mask has not",
				       ": 0x%x/0x%x", n->mark, n->mask);
		return -EINVAL;
	}
	return 0;
}

static int check_natshare(const struct nlattr *a,
			  struct netlink_ext_ack *extack)
{
	const struct pfsync_natshare *n = nla_data(a);

	if (!n->of && !n->share)
		return 0;
	if (n->of < 2 || n->of > PFSYNC_NATSHARE_MAX) {
		NFSYNC_EXTACK_ATTR_FMT(extack, a,
				       "natshare must be one of 2 to 16",
				       ", not of %u", n->of);
		return -EINVAL;
	}
	if (n->share >= n->of) {
		NFSYNC_EXTACK_ATTR_FMT(extack, a,
				       "natshare must be below the number of shares",
				       ": %u/%u", n->share, n->of);
		return -EINVAL;
	}
	return 0;
}

static int check_hostid(const struct nlattr *a, struct netlink_ext_ack *extack)
{
	if (!nla_get_u32(a)) {
		NL_SET_ERR_MSG_ATTR(extack, a, "hostid must not be 0");
		return -EINVAL;
	}
	return 0;
}

typedef int check_fn(const struct nlattr *a, struct netlink_ext_ack *extack);

static check_fn *const checks[IFLA_PFSYNC_MAX + 1] = {
	[IFLA_PFSYNC_SYNCPEER] = check_syncpeer,
	[IFLA_PFSYNC_VERSION] = check_version,
	[IFLA_PFSYNC_FLUSH] = check_flush,
	[IFLA_PFSYNC_WINDOW] = check_window,
	[IFLA_PFSYNC_DEFER] = check_defer,
	[IFLA_PFSYNC_HOSTID] = check_hostid,
	[IFLA_PFSYNC_LOCAL] = check_local,
	[IFLA_PFSYNC_ALONE] = check_alone,
	[IFLA_PFSYNC_NOSYNC] = check_nosync,
	[IFLA_PFSYNC_DEFERTIME] = check_defertime,
	[IFLA_PFSYNC_DEFERLIMIT] = check_deferlimit,
	[IFLA_PFSYNC_NATSHARE] = check_natshare,
};

/* What can be said of the values alone */
static int link_validate(struct nlattr *tb[], struct nlattr *data[],
			 struct netlink_ext_ack *extack)
{
	int i, err;

	if (tb[IFLA_LINK]) {
		NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_LINK],
				    "link is not used, set syncdev");
		return -EINVAL;
	}
	if (!data)
		return 0;

	for (i = 1; i <= IFLA_PFSYNC_MAX; i++) {
		if (!data[i] || !checks[i])
			continue;
		err = checks[i](data[i], extack);
		if (err)
			return err;
	}
	return 0;
}

/* What a change asks for, next to what was */
struct change {
	struct nfsync_dev *nd;
	struct nfsync_config cfg;
	struct net_device *syncdev;
};

static int parse_syncdev(struct change *c, const struct nlattr *a,
			 struct netlink_ext_ack *extack)
{
	u32 ifindex = nla_get_u32(a);

	c->syncdev = NULL;
	c->cfg.syncname[0] = '\0';
	if (!ifindex)
		return 0;

	c->syncdev = __dev_get_by_index(dev_net(c->nd->dev), ifindex);
	if (!c->syncdev) {
		NFSYNC_EXTACK_ATTR_FMT(extack, a,
				       "syncdev is not a device of this namespace",
				       ": index %u", ifindex);
		return -ENODEV;
	}
	if (c->syncdev == c->nd->dev) {
		NL_SET_ERR_MSG_ATTR(extack, a,
				    "syncdev must not be the pfsync device itself");
		return -EINVAL;
	}
	strscpy(c->cfg.syncname, c->syncdev->name, IFNAMSIZ);
	return 0;
}

static int parse_syncpeer(struct change *c, const struct nlattr *a,
			  struct netlink_ext_ack *extack)
{
	__be32 addr = nla_get_in_addr(a);
	unsigned int type;

	c->cfg.syncpeer = addr ? : htonl(PFSYNC_GROUP);
	if (ipv4_is_multicast(c->cfg.syncpeer))
		return 0;

	type = inet_addr_type(dev_net(c->nd->dev), addr);
	if (type == RTN_LOCAL) {
		NFSYNC_EXTACK_ATTR_FMT(extack, a,
				       "syncpeer is an address of this node",
				       ": %pI4", &addr);
		return -EINVAL;
	}
	if (type == RTN_BROADCAST) {
		NFSYNC_EXTACK_ATTR_FMT(extack, a,
				       "syncpeer is a broadcast address",
				       ": %pI4", &addr);
		return -EINVAL;
	}
	return 0;
}

static void parse_plain(struct nfsync_config *cfg, struct nlattr *data[])
{
	if (data[IFLA_PFSYNC_VERSION])
		cfg->version = nla_get_u16(data[IFLA_PFSYNC_VERSION]);
	if (data[IFLA_PFSYNC_MAXUPD])
		cfg->maxupd = nla_get_u8(data[IFLA_PFSYNC_MAXUPD]);
	if (data[IFLA_PFSYNC_FLUSH])
		cfg->flush_ms = nla_get_u32(data[IFLA_PFSYNC_FLUSH]);
	if (data[IFLA_PFSYNC_WINDOW])
		cfg->window = nla_get_u8(data[IFLA_PFSYNC_WINDOW]);
	if (data[IFLA_PFSYNC_DEFER])
		cfg->defer = nla_get_u8(data[IFLA_PFSYNC_DEFER]);
	if (data[IFLA_PFSYNC_DEFERTIME])
		cfg->defer_ms = nla_get_u32(data[IFLA_PFSYNC_DEFERTIME]);
	if (data[IFLA_PFSYNC_DEFERLIMIT])
		cfg->defer_limit = nla_get_u32(data[IFLA_PFSYNC_DEFERLIMIT]);
	if (data[IFLA_PFSYNC_HOSTID])
		cfg->hostid = nla_get_u32(data[IFLA_PFSYNC_HOSTID]);
	if (data[IFLA_PFSYNC_LOCAL])
		cfg->local = nla_get_u8(data[IFLA_PFSYNC_LOCAL]);
	if (data[IFLA_PFSYNC_ALONE])
		cfg->alone = nla_get_u8(data[IFLA_PFSYNC_ALONE]);
	if (data[IFLA_PFSYNC_NOSYNC]) {
		const struct pfsync_nosync *n =
			nla_data(data[IFLA_PFSYNC_NOSYNC]);

		cfg->nosync_mark = n->mark;
		cfg->nosync_mask = n->mask;
	}
	if (data[IFLA_PFSYNC_NATSHARE]) {
		const struct pfsync_natshare *n =
			nla_data(data[IFLA_PFSYNC_NATSHARE]);

		cfg->nat_share = n->share;
		cfg->nat_of = n->of;
	}
}

static int parse(struct change *c, struct nlattr *data[],
		 struct netlink_ext_ack *extack)
{
	int err;

	if (!data)
		return 0;

	parse_plain(&c->cfg, data);
	if (data[IFLA_PFSYNC_SYNCDEV]) {
		err = parse_syncdev(c, data[IFLA_PFSYNC_SYNCDEV], extack);
		if (err)
			return err;
	}
	if (data[IFLA_PFSYNC_SYNCPEER]) {
		err = parse_syncpeer(c, data[IFLA_PFSYNC_SYNCPEER], extack);
		if (err)
			return err;
	}
	/* either may be the new one of the two */
	if (c->syncdev)
		return nfsync_transport_check(c->syncdev, c->cfg.syncpeer,
					      extack);
	return 0;
}

static void set_defaults(struct nfsync_config *cfg)
{
	cfg->syncpeer = htonl(PFSYNC_GROUP);
	cfg->version = PFSYNC_VERSION_6;
	cfg->maxupd = PFSYNC_MAXUPD_DEFAULT;
	cfg->flush_ms = PFSYNC_FLUSH_DEFAULT;
	cfg->defer_ms = PFSYNC_DEFERTIME_DEFAULT;
	cfg->defer_limit = PFSYNC_DEFERLIMIT_DEFAULT;
	cfg->window = PFSYNC_WINDOW_BOUNDED;
	cfg->alone = true;
	do {
		cfg->hostid = get_random_u32();
	} while (!cfg->hostid);
}

/* An index that 'ip' found in another namespace means another device here */
static int check_netns(const struct net_device *dev,
		       const struct net *link_net, struct nlattr *data[],
		       struct netlink_ext_ack *extack)
{
	const struct nfsync_dev *other = nfsync_device_get_rtnl(dev_net(dev));

	if (other) {
		NFSYNC_EXTACK_FMT(extack,
				  "only one pfsync device per namespace",
				  ", %s exists", other->dev->name);
		return -EEXIST;
	}
	if (data && data[IFLA_PFSYNC_SYNCDEV] &&
	    !net_eq(link_net, dev_net(dev))) {
		NL_SET_ERR_MSG_ATTR(extack, data[IFLA_PFSYNC_SYNCDEV],
				    "syncdev is of another namespace, use ip -n");
		return -EINVAL;
	}
	return 0;
}

/* There is nobody to ask while it is down, and it asks when it comes up */
static int check_resync(const struct nfsync_dev *nd, struct nlattr *data[],
			struct netlink_ext_ack *extack)
{
	if (!data || !data[IFLA_PFSYNC_RESYNC] || nd->up)
		return 0;

	NL_SET_ERR_MSG_ATTR(extack, data[IFLA_PFSYNC_RESYNC],
			    "resync needs the device up");
	return -ENETDOWN;
}

static int link_new(NFSYNC_NEWLINK_ARGS, struct netlink_ext_ack *extack)
{
	struct change c = { .nd = netdev_priv(dev) };
	int err;

	err = check_netns(dev, NFSYNC_NEWLINK_NET, NFSYNC_NEWLINK_DATA, extack);
	if (err)
		return err;

	set_defaults(&c.cfg);
	err = parse(&c, NFSYNC_NEWLINK_DATA, extack);
	if (err)
		return err;
	err = check_resync(c.nd, NFSYNC_NEWLINK_DATA, extack);
	if (err)
		return err;

	err = nfsync_device_add(c.nd);
	if (err)
		return err;

	err = nfsync_device_configure(c.nd, &c.cfg, c.syncdev, extack);
	if (err)
		unregister_netdevice(dev);
	return err;
}

static int link_change(struct net_device *dev, struct nlattr *tb[],
		       struct nlattr *data[], struct netlink_ext_ack *extack)
{
	struct nfsync_dev *nd = netdev_priv(dev);
	struct change c = {
		.nd = nd,
		.cfg = nd->cfg,
		.syncdev = rtnl_dereference(nd->transport.syncdev),
	};
	int err;

	err = parse(&c, data, extack);
	if (err)
		return err;
	err = check_resync(nd, data, extack);
	if (err)
		return err;
	err = nfsync_device_configure(nd, &c.cfg, c.syncdev, extack);
	if (!err && data && data[IFLA_PFSYNC_RESYNC])
		nfsync_bulk_want(nd);
	return err;
}

static size_t peer_size(void)
{
	return nla_total_size(0) +			/* PEER */
	       nla_total_size(sizeof(u32)) +		/* HOSTID */
	       nla_total_size(sizeof(__be32)) +		/* ADDR */
	       nla_total_size(sizeof(u8)) +		/* LIVE */
	       nla_total_size(sizeof(u32)) +		/* HEARD */
	       nla_total_size_64bit(sizeof(u64)) +	/* LOST */
	       nla_total_size(sizeof(u8)) +		/* VERDICT */
	       nla_total_size(sizeof(u32)) +		/* STATES */
	       nla_total_size(sizeof(u32));		/* UPTIME */
}

static size_t link_size(const struct net_device *dev)
{
	return nla_total_size(sizeof(u32)) +	/* SYNCDEV */
	       nla_total_size(sizeof(__be32)) +	/* SYNCPEER */
	       nla_total_size(sizeof(u16)) +	/* VERSION */
	       nla_total_size(sizeof(u8)) +	/* MAXUPD */
	       nla_total_size(sizeof(u32)) +	/* FLUSH */
	       nla_total_size(sizeof(u8)) +	/* WINDOW */
	       nla_total_size(sizeof(u8)) +	/* DEFER */
	       nla_total_size(sizeof(u32)) +	/* DEFERTIME */
	       nla_total_size(sizeof(u32)) +	/* DEFERLIMIT */
	       nla_total_size(sizeof(u32)) +	/* HOSTID */
	       nla_total_size(sizeof(u8)) +	/* LOCAL */
	       nla_total_size(sizeof(u8)) +	/* VERDICT */
	       nla_total_size(sizeof(u8)) +	/* ALONE */
	       nla_total_size(sizeof(struct pfsync_nosync)) +
	       nla_total_size(sizeof(struct pfsync_natshare)) +
	       nla_total_size(0) +		/* PEERS */
	       NFSYNC_PEERS_MAX * peer_size();
}

/* 0 when there is none, also while a configured one is away */
static u32 syncdev_index(const struct nfsync_dev *nd)
{
	const struct net_device *syncdev;
	u32 ifindex;

	rcu_read_lock();
	syncdev = rcu_dereference(nd->transport.syncdev);
	ifindex = syncdev ? syncdev->ifindex : 0;
	rcu_read_unlock();
	return ifindex;
}

static int fill_peer(struct sk_buff *skb, const struct nfsync_peer *p)
{
	struct nlattr *nest = nla_nest_start(skb, IFLA_PFSYNC_PEER);

	if (!nest ||
	    nla_put_u32(skb, IFLA_PFSYNC_PEER_HOSTID, p->creatorid) ||
	    nla_put_in_addr(skb, IFLA_PFSYNC_PEER_ADDR, p->saddr) ||
	    nla_put_u8(skb, IFLA_PFSYNC_PEER_LIVE, p->live) ||
	    nla_put_u32(skb, IFLA_PFSYNC_PEER_HEARD,
			jiffies_to_msecs(jiffies - p->heard)) ||
	    nla_put_u64_64bit(skb, IFLA_PFSYNC_PEER_LOST, p->gap.lost,
			      IFLA_PFSYNC_PEER_PAD) ||
	    nla_put_u8(skb, IFLA_PFSYNC_PEER_VERDICT, p->hello.verdict) ||
	    nla_put_u32(skb, IFLA_PFSYNC_PEER_STATES, p->hello.states) ||
	    nla_put_u32(skb, IFLA_PFSYNC_PEER_UPTIME, p->hello.uptime))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int fill_peers(struct sk_buff *skb, struct nfsync_dev *nd)
{
	struct nlattr *nest = nla_nest_start(skb, IFLA_PFSYNC_PEERS);
	struct nfsync_peer p;
	unsigned int i;

	if (!nest)
		return -EMSGSIZE;
	for (i = 0; nfsync_peer_get(nd, i, &p); i++)
		if (p.saddr && fill_peer(skb, &p))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int link_fill(struct sk_buff *skb, const struct net_device *dev)
{
	struct nfsync_dev *nd = netdev_priv(dev);
	const struct nfsync_config *cfg = &nd->cfg;
	const struct pfsync_nosync nosync = {
		.mark = cfg->nosync_mark,
		.mask = cfg->nosync_mask,
	};
	const struct pfsync_natshare natshare = {
		.share = cfg->nat_share,
		.of = cfg->nat_of,
	};

	if (nla_put_u32(skb, IFLA_PFSYNC_SYNCDEV, syncdev_index(nd)) ||
	    nla_put_in_addr(skb, IFLA_PFSYNC_SYNCPEER, cfg->syncpeer) ||
	    nla_put_u16(skb, IFLA_PFSYNC_VERSION, cfg->version) ||
	    nla_put_u8(skb, IFLA_PFSYNC_MAXUPD, cfg->maxupd) ||
	    nla_put_u32(skb, IFLA_PFSYNC_FLUSH, cfg->flush_ms) ||
	    nla_put_u8(skb, IFLA_PFSYNC_WINDOW, cfg->window) ||
	    nla_put_u8(skb, IFLA_PFSYNC_DEFER, cfg->defer) ||
	    nla_put_u32(skb, IFLA_PFSYNC_DEFERTIME, cfg->defer_ms) ||
	    nla_put_u32(skb, IFLA_PFSYNC_DEFERLIMIT, cfg->defer_limit) ||
	    nla_put_u32(skb, IFLA_PFSYNC_HOSTID, cfg->hostid) ||
	    nla_put_u8(skb, IFLA_PFSYNC_LOCAL, cfg->local) ||
	    nla_put_u8(skb, IFLA_PFSYNC_VERDICT,
		       READ_ONCE(nd->peers.verdict)) ||
	    nla_put_u8(skb, IFLA_PFSYNC_ALONE, cfg->alone) ||
	    nla_put(skb, IFLA_PFSYNC_NOSYNC, sizeof(nosync), &nosync) ||
	    nla_put(skb, IFLA_PFSYNC_NATSHARE, sizeof(natshare), &natshare) ||
	    fill_peers(skb, nd))
		return -EMSGSIZE;
	return 0;
}

static size_t link_xstats_size(const struct net_device *dev)
{
	return __PFSYNC_STAT_MAX * sizeof(u64);
}

static int link_fill_xstats(struct sk_buff *skb, const struct net_device *dev)
{
	u64 v[__PFSYNC_STAT_MAX];

	nfsync_stats_read(netdev_priv(dev), v);
	return nla_put(skb, IFLA_INFO_XSTATS, sizeof(v), v);
}

static struct rtnl_link_ops link_ops __read_mostly = {
	.kind = "pfsync",
	.priv_size = sizeof(struct nfsync_dev),
	.setup = nfsync_device_setup,
	.maxtype = IFLA_PFSYNC_MAX,
	.policy = policy,
	.validate = link_validate,
	.newlink = link_new,
	.changelink = link_change,
	.get_size = link_size,
	.fill_info = link_fill,
	.get_xstats_size = link_xstats_size,
	.fill_xstats = link_fill_xstats,
};

/**
 * nfsync_link_register() - from here on `ip link add ... type pfsync` works
 *
 * Context: module init, when everything that a device uses is ready.
 * Return: 0 or -errno.
 */
int nfsync_link_register(void)
{
	return rtnl_link_register(&link_ops);
}

/**
 * nfsync_link_unregister() - remove the kind and its devices everywhere
 *
 * Context: module exit.
 */
void nfsync_link_unregister(void)
{
	rtnl_link_unregister(&link_ops);
}
