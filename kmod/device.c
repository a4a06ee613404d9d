// SPDX-License-Identifier: GPL-2.0
/*
 * The pfsync network device: its life, its link, its namespace.
 */
#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/addrconf.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netns/generic.h>
#include "device.h"
#include "inject.h"

struct nfsync_net {
	struct nfsync_dev __rcu *nd;	/* RTNL writes */
};

static unsigned int nfsync_net_id __read_mostly;

/**
 * nfsync_device_get() - the pfsync device of a namespace
 * @net: the namespace
 *
 * Context: RCU, which keeps the device from being freed.
 * Return: the device, perhaps down, or NULL.
 */
struct nfsync_dev *nfsync_device_get(const struct net *net)
{
	const struct nfsync_net *nn = net_generic(net, nfsync_net_id);

	return rcu_dereference(nn->nd);
}

/**
 * nfsync_device_get_rtnl() - the pfsync device of a namespace
 * @net: the namespace
 *
 * Context: RTNL.
 * Return: the device or NULL.
 */
struct nfsync_dev *nfsync_device_get_rtnl(const struct net *net)
{
	const struct nfsync_net *nn = net_generic(net, nfsync_net_id);

	return rtnl_dereference(nn->nd);
}

/*
 * The link changed, or a reason why it may have: tell the verdict, and ask
 * for what was missed while it was away.
 */
static void link_update(struct nfsync_dev *nd)
{
	bool link = nd->up && nfsync_transport_usable(nd);

	if (link == nd->link)
		return;

	WRITE_ONCE(nd->link, link);
	if (!nd->up)
		return;
	nfsync_peer_link(nd, link);
	if (link)
		nfsync_bulk_want(nd);
	else
		nfsync_held_flush(nd, PFSYNC_STAT_DEFER_LINK);
}

/* Another link in place of the old one: whatever it is, it is news */
static void link_renew(struct nfsync_dev *nd)
{
	WRITE_ONCE(nd->link, !(nd->up && nfsync_transport_usable(nd)));
	link_update(nd);
}

static void syncdev_gone(struct nfsync_dev *nd)
{
	/* said only where there is somebody to wait: not in a dying namespace */
	if (nd->dev->reg_state == NETREG_REGISTERED && check_net(nd->net))
		netdev_info(nd->dev, "syncdev %s is gone, waiting for its return\n",
			    nd->cfg.syncname);
	nfsync_transport_move(nd, NULL, nd->cfg.syncpeer, NULL);
	link_renew(nd);
}

static void syncdev_came(struct nfsync_dev *nd, struct net_device *syncdev)
{
	int err = nfsync_transport_check(syncdev, nd->cfg.syncpeer, NULL);

	if (!err)
		err = nfsync_transport_move(nd, syncdev, nd->cfg.syncpeer,
					    NULL);
	if (err) {
		netdev_warn(nd->dev, "syncdev %s came and is not usable: error %d\n",
			    syncdev->name, err);
		return;
	}

	netdev_info(nd->dev, "syncdev %s is here\n", syncdev->name);
	link_renew(nd);
}

/* Packets that wait leave while the device is still there, or use it no more */
static void any_event(struct nfsync_dev *nd, const struct net_device *dev,
		      unsigned long event)
{
	switch (event) {
	case NETDEV_GOING_DOWN:
	case NETDEV_DOWN:
	case NETDEV_UNREGISTER:
		nfsync_held_netdev(nd, dev);
		break;
	}
}

/* What happens to the device that is the syncdev now */
static void syncdev_event(struct nfsync_dev *nd, struct net_device *syncdev,
			  unsigned long event)
{
	switch (event) {
	case NETDEV_UNREGISTER:
		syncdev_gone(nd);
		break;
	case NETDEV_CHANGENAME:
		strscpy(nd->cfg.syncname, syncdev->name, IFNAMSIZ);
		break;
	case NETDEV_UP:
	case NETDEV_CHANGE:
		/* a join that failed has another chance */
		nfsync_transport_move(nd, syncdev, nd->cfg.syncpeer, NULL);
		fallthrough;
	case NETDEV_DOWN:
	case NETDEV_CHANGEMTU:
		link_update(nd);
		break;
	}
}

static int netdev_event(struct notifier_block *nb, unsigned long event,
			void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct nfsync_dev *nd = nfsync_device_get_rtnl(dev_net(dev));
	const struct net_device *syncdev;

	if (!nd || dev == nd->dev)
		return NOTIFY_DONE;

	any_event(nd, dev, event);
	syncdev = rtnl_dereference(nd->transport.syncdev);
	if (dev == syncdev) {
		NFSYNC_INJECT_AT(NETDEV_EVENT, nd->net, NULL);
		syncdev_event(nd, dev, event);
	} else if (!syncdev &&
		 (event == NETDEV_REGISTER || event == NETDEV_CHANGENAME) &&
		 !strcmp(dev->name, nd->cfg.syncname)) {
		syncdev_came(nd, dev);
	}
	return NOTIFY_DONE;
}

static struct notifier_block netdev_notifier = {
	.notifier_call = netdev_event,
};

/* the name is not WRITE_ONCE: only RTNL readers look at it */
static void config_store(struct nfsync_config *to,
			 const struct nfsync_config *from)
{
	strscpy(to->syncname, from->syncname, IFNAMSIZ);
	WRITE_ONCE(to->hostid, from->hostid);
	WRITE_ONCE(to->flush_ms, from->flush_ms);
	WRITE_ONCE(to->version, from->version);
	WRITE_ONCE(to->maxupd, from->maxupd);
	WRITE_ONCE(to->window, from->window);
	WRITE_ONCE(to->defer, from->defer);
	WRITE_ONCE(to->defer_ms, from->defer_ms);
	WRITE_ONCE(to->defer_limit, from->defer_limit);
	WRITE_ONCE(to->local, from->local);
	WRITE_ONCE(to->alone, from->alone);
	WRITE_ONCE(to->nat_share, from->nat_share);
	WRITE_ONCE(to->nat_of, from->nat_of);
	WRITE_ONCE(to->nosync_mark, from->nosync_mark);
	WRITE_ONCE(to->nosync_mask, from->nosync_mask);
}

/* What a configuration needs that others may not give */
static int take_helpers(struct nfsync_dev *nd, const struct nfsync_config *cfg,
			struct netlink_ext_ack *extack)
{
	int err = 0;

	if (cfg->nat_of)
		err = nfsync_natshare_start(nd, extack);
	if (!err && cfg->defer)
		err = nfsync_hooks_early(nd, true);
	return err;
}

/* Who is in a hook may still add one */
static void stop_deferral(struct nfsync_dev *nd)
{
	if (nd->hooks.early) {
		nfsync_hooks_early(nd, false);
		synchronize_net();
	}
	nfsync_held_flush(nd, PFSYNC_STAT_DEFER_DOWN);
}

/* What the configuration that counts has no use for */
static void drop_helpers(struct nfsync_dev *nd)
{
	if (!nd->cfg.defer)
		stop_deferral(nd);
	if (!nd->cfg.nat_of)
		nfsync_natshare_stop(nd);
}

/**
 * nfsync_device_configure() - put a checked configuration to work
 * @nd: the device, up or down, registered or not yet
 * @cfg: all of the new configuration
 * @syncdev: the device that @cfg->syncname names, NULL when there is none
 * @extack: where to say what went wrong
 *
 * All or nothing.  What is as it was is not touched, so that a repeated
 * configuration costs the peers no transfer.
 *
 * Context: RTNL.
 * Return: 0 or -errno, and then nothing was changed.
 */
int nfsync_device_configure(struct nfsync_dev *nd,
			    const struct nfsync_config *cfg,
			    struct net_device *syncdev,
			    struct netlink_ext_ack *extack)
{
	bool moved = syncdev != rtnl_dereference(nd->transport.syncdev) ||
		     cfg->syncpeer != nd->cfg.syncpeer;
	int err;

	err = take_helpers(nd, cfg, extack);
	if (!err && moved)
		err = nfsync_transport_move(nd, syncdev, cfg->syncpeer, extack);
	if (err) {
		drop_helpers(nd);
		return err;
	}

	config_store(&nd->cfg, cfg);
	nfsync_peer_policy(nd);
	drop_helpers(nd);
	if (moved)
		link_renew(nd);
	return 0;
}

/* Addresses of its own would only make noise: solicitations, DAD */
static void no_autoconf(struct net_device *dev)
{
	struct inet6_dev *idev = __in6_dev_get(dev);

	if (idev)
		idev->cnf.addr_gen_mode = IN6_ADDR_GEN_MODE_NONE;
}

static void quiesce(struct nfsync_dev *nd)
{
	NFSYNC_INJECT_AT(CLOSE, nd->net, NULL);
	WRITE_ONCE(nd->up, false);
	WRITE_ONCE(nd->link, false);
	NFSYNC_INJECT_AT(DOWN, nd->net, NULL);
	nfsync_hooks_stop(nd);
	/* whoever saw the device up is through: works and tasklets that are
	 * scheduled by now are the last ones, and what follows waits for them
	 */
	synchronize_net();
	NFSYNC_INJECT_AT(DOWN_QUIET, nd->net, NULL);
	nfsync_peer_quiet(nd);
	nfsync_bulk_stop(nd);
	nfsync_receive_stop(nd);
	nfsync_held_stop(nd);
	nfsync_queue_stop(nd);
	nfsync_state_flush(nd);
	nfsync_tomb_flush(nd);
	nfsync_peer_stop(nd);
	nfsync_transport_close(nd);
	nf_ct_netns_put(nd->net, NFPROTO_INET);
}

static int ndo_open(struct net_device *dev)
{
	struct nfsync_dev *nd = netdev_priv(dev);
	int err;

	no_autoconf(dev);
	/* first, so that our hooks come to stand in front of conntrack's */
	err = nf_ct_netns_get(nd->net, NFPROTO_INET);
	if (err)
		return err;

	err = nfsync_transport_open(nd);
	if (err) {
		nf_ct_netns_put(nd->net, NFPROTO_INET);
		return err;
	}

	nfsync_state_start(nd);
	nfsync_queue_start(nd);
	nfsync_held_start(nd);
	WRITE_ONCE(nd->up, true);
	nfsync_peer_start(nd);
	err = nfsync_hooks_start(nd);
	if (err) {
		quiesce(nd);
		return err;
	}

	nfsync_bulk_start(nd);
	link_renew(nd);
	return 0;
}

/*
 * The link watch looks at a device that is down once a second only. Until then
 * an operstate of before would be shown, and IFF_RUNNING with it, as soon as
 * the device is up again, to whoever believes it. RTNL guards against the
 * watch, the only other writer.
 */
static int ndo_stop(struct net_device *dev)
{
	quiesce(netdev_priv(dev));
	WRITE_ONCE(dev->operstate, IF_OPER_DOWN);
	return 0;
}

/* Nothing is sent through the device: it stands for the sync traffic */
static netdev_tx_t ndo_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	DEV_STATS_INC(dev, tx_dropped);
	kfree_skb(skb);
	return NETDEV_TX_OK;
}

/*
 * With a lower device of its own the link watch treats our changes as urgent,
 * which a takeover waits for; otherwise they come once a second.
 */
static int ndo_get_iflink(const struct net_device *dev)
{
	const struct nfsync_dev *nd = netdev_priv(dev);
	const struct net_device *syncdev;
	int ifindex;

	rcu_read_lock();
	syncdev = rcu_dereference(nd->transport.syncdev);
	ifindex = syncdev ? syncdev->ifindex : dev->ifindex;
	rcu_read_unlock();
	return ifindex;
}

/* ndo_init: its undoing after a success is priv_destructor's in any case */
static int ndo_init(struct net_device *dev)
{
	struct nfsync_dev *nd = netdev_priv(dev);
	int err;

	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	if (!dev->tstats)
		return -ENOMEM;
	err = nfsync_stats_init(nd);
	if (err)
		goto err_tstats;
	err = nfsync_state_init(nd);
	if (err)
		goto err_stats;
	err = nfsync_queue_init(nd);
	if (err)
		goto err_state;
	err = nfsync_held_init(nd);
	if (err)
		goto err_queue;
	err = nfsync_tomb_init(nd);
	if (err)
		goto err_held;
	nfsync_peer_init(nd);
	nfsync_hooks_init(nd);
	nfsync_bulk_init(nd);
	nfsync_receive_init(nd);
	return 0;

err_held:
	nfsync_held_destroy(nd);
err_queue:
	nfsync_queue_destroy(nd);
err_state:
	nfsync_state_destroy(nd);
err_stats:
	nfsync_stats_destroy(nd);
err_tstats:
	free_percpu(dev->tstats);
	return err;
}

static void ndo_uninit(struct net_device *dev)
{
	struct nfsync_net *nn = net_generic(dev_net(dev), nfsync_net_id);
	struct nfsync_dev *nd = netdev_priv(dev);

	/* a grace period follows before priv_destructor */
	RCU_INIT_POINTER(nn->nd, NULL);
	nfsync_transport_move(nd, NULL, nd->cfg.syncpeer, NULL);
	nfsync_natshare_stop(nd);
}

static void device_free(struct net_device *dev)
{
	struct nfsync_dev *nd = netdev_priv(dev);

	nfsync_tomb_destroy(nd);
	nfsync_held_destroy(nd);
	nfsync_queue_destroy(nd);
	nfsync_state_destroy(nd);
	nfsync_stats_destroy(nd);
	free_percpu(dev->tstats);
}

static const struct net_device_ops netdev_ops = {
	.ndo_init = ndo_init,
	.ndo_uninit = ndo_uninit,
	.ndo_open = ndo_open,
	.ndo_stop = ndo_stop,
	.ndo_start_xmit = ndo_start_xmit,
	.ndo_get_stats64 = dev_get_tstats64,
	.ndo_get_iflink = ndo_get_iflink,
};

static void get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, KBUILD_MODNAME, sizeof(info->driver));
}

static int get_sset_count(struct net_device *dev, int sset)
{
	/* one more: how many states there are is a gauge, not a counter */
	return sset == ETH_SS_STATS ? __PFSYNC_STAT_MAX + 1 : -EOPNOTSUPP;
}

static void get_strings(struct net_device *dev, u32 sset, u8 *buf)
{
	if (sset != ETH_SS_STATS)
		return;

	nfsync_stats_names(buf);
	buf += __PFSYNC_STAT_MAX * ETH_GSTRING_LEN;
	strscpy(buf, "states", ETH_GSTRING_LEN);
}

static void get_ethtool_stats(struct net_device *dev,
			      struct ethtool_stats *stats, u64 *v)
{
	const struct nfsync_dev *nd = netdev_priv(dev);

	nfsync_stats_read(nd, v);
	v[__PFSYNC_STAT_MAX] = nfsync_state_count(&nd->table);
}

static const struct ethtool_ops ethtool_ops = {
	.get_drvinfo = get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_sset_count = get_sset_count,
	.get_strings = get_strings,
	.get_ethtool_stats = get_ethtool_stats,
};

/**
 * nfsync_device_setup() - rtnl_link_ops.setup
 * @dev: fresh and zeroed
 */
void nfsync_device_setup(struct net_device *dev)
{
	struct nfsync_dev *nd = netdev_priv(dev);

	nd->dev = dev;
	dev->netdev_ops = &netdev_ops;
	dev->ethtool_ops = &ethtool_ops;
	dev->priv_destructor = device_free;
	dev->needs_free_netdev = true;
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_NOARP;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->mtu = ETH_DATA_LEN;
	dev->min_mtu = PFSYNC_MTU_MIN;
	dev->max_mtu = IP_MAX_MTU;
	nfsync_compat_set_lltx(dev);
	/* its states are of this namespace's conntrack */
	nfsync_compat_set_netns_immutable(dev);
}

/**
 * nfsync_device_add() - register a device and make it findable
 * @nd: set up, in a namespace that has none
 *
 * Context: RTNL.
 * Return: 0 or -errno; after an error the caller frees as rtnetlink does.
 */
int nfsync_device_add(struct nfsync_dev *nd)
{
	struct net *net = dev_net(nd->dev);
	struct nfsync_net *nn = net_generic(net, nfsync_net_id);
	int err;

	nd->net = net;
	err = register_netdevice(nd->dev);
	if (err)
		return err;

	/* not before: a failing register_netdevice() frees with no grace */
	rcu_assign_pointer(nn->nd, nd);
	return 0;
}

/*
 * Conntrack's part of the namespace ends after ours; our event notifier must
 * be out of its slot a grace period before that.  The device itself is
 * stopped and removed by the core in between.
 */
static void __net_exit net_pre_exit(struct net *net)
{
	const struct nfsync_net *nn = net_generic(net, nfsync_net_id);
	struct nfsync_dev *nd;

	if (!rcu_access_pointer(nn->nd))
		return;

	rtnl_lock();
	nd = rtnl_dereference(nn->nd);
	if (nd) {
		WRITE_ONCE(nd->up, false);
		nfsync_hooks_stop(nd);
		nfsync_held_drop(nd);
	}
	rtnl_unlock();
}

static struct pernet_operations net_ops = {
	.pre_exit = net_pre_exit,
	.id = &nfsync_net_id,
	.size = sizeof(struct nfsync_net),
};

/**
 * nfsync_device_register() - get ready to own devices
 *
 * Context: module init.
 * Return: 0 or -errno.
 */
int nfsync_device_register(void)
{
	int err;

	err = register_pernet_subsys(&net_ops);
	if (err)
		return err;

	err = register_netdevice_notifier(&netdev_notifier);
	if (err)
		unregister_pernet_subsys(&net_ops);
	return err;
}

/**
 * nfsync_device_unregister() - undo nfsync_device_register()
 *
 * Context: module exit; no device is left.
 */
void nfsync_device_unregister(void)
{
	unregister_netdevice_notifier(&netdev_notifier);
	unregister_pernet_subsys(&net_ops);
}
