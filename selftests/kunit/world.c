// SPDX-License-Identifier: GPL-2.0
/*
 * A pfsync device to be looked into, see world.h.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include "world.h"

MODULE_DESCRIPTION("tests of nfsync's files in the kernel");
MODULE_LICENSE("GPL");

static struct nfsync_dev *nd;
static struct net_device *wire;
static struct sk_buff_head frames;
static atomic_t runs;
static atomic_t until_cut;

/* Only what the pfsync device says: others greet each device that comes up */
static netdev_tx_t wire_xmit(struct sk_buff *skb, struct net_device *dev)
{
	if (skb->protocol == htons(ETH_P_IP) &&
	    ip_hdr(skb)->protocol == PFSYNC_IPPROTO) {
		skb_queue_tail(&frames, skb);
		if (!atomic_dec_if_positive(&until_cut))
			WRITE_ONCE(nd->link, false);
	} else {
		kfree_skb(skb);
	}
	return NETDEV_TX_OK;
}

static const struct net_device_ops wire_ops = {
	.ndo_start_xmit = wire_xmit,
};

static void wire_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &wire_ops;
	dev->flags |= IFF_NOARP;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->needs_free_netdev = true;
	eth_hw_addr_random(dev);
}

static void count_run(struct tasklet_struct *t)
{
	atomic_inc(&runs);
}

static void hush(void)
{
	unsigned int i;

	for (i = 0; i < nd->queue.n_slices; i++)
		tasklet_setup(&nd->queue.slice[i].task, count_run);
	atomic_set(&runs, 0);
}

/* As the module's init and an "ip link add" do it, but for the hooks */
static int add_devices(void)
{
	struct net_device *dev;
	int err;

	wire = alloc_netdev(0, "kunitwire%d", NET_NAME_UNKNOWN, wire_setup);
	dev = alloc_netdev(sizeof(*nd), "kunit%d", NET_NAME_UNKNOWN,
			   nfsync_device_setup);
	if (!wire || !dev)
		return -ENOMEM;
	nd = netdev_priv(dev);
	nd->cfg.hostid = WORLD_HOSTID;
	nd->cfg.flush_ms = 3600 * MSEC_PER_SEC;
	nd->cfg.syncpeer = htonl(PFSYNC_GROUP);
	err = register_netdevice(wire);
	if (!err)
		err = dev_open(wire, NULL);
	if (!err)
		err = nfsync_device_add(nd);
	if (!err)
		err = nfsync_transport_move(nd, wire, nd->cfg.syncpeer, NULL);
	return err ?: nfsync_transport_open(nd);
}

int world_begin(bool quiet)
{
	int err;

	skb_queue_head_init(&frames);
	atomic_set(&until_cut, 0);
	err = nfsync_state_cache_init() ?: nfsync_device_register() ?:
	      nfsync_receive_register();
	if (err)
		return err;
	rtnl_lock();
	err = add_devices();
	if (!err) {
		if (quiet)
			hush();
		nfsync_state_start(nd);
		nfsync_queue_start(nd);
		WRITE_ONCE(nd->up, true);
		WRITE_ONCE(nd->link, true);
	}
	rtnl_unlock();
	return err;
}

static int every_entry(struct nf_conn *ct, void *data)
{
	return true;
}

void world_end(void)
{
	const struct nf_ct_iter_data all = { .net = &init_net };

	nfsync_receive_unregister();
	rtnl_lock();
	WRITE_ONCE(nd->up, false);
	WRITE_ONCE(nd->link, false);
	nfsync_peer_quiet(nd);
	nfsync_receive_stop(nd);
	nfsync_bulk_stop(nd);
	nfsync_queue_stop(nd);
	nfsync_state_flush(nd);
	nfsync_peer_stop(nd);
	nfsync_transport_close(nd);
	unregister_netdevice(nd->dev);
	unregister_netdevice(wire);
	rtnl_unlock();
	nd = NULL;
	skb_queue_purge(&frames);
	nfsync_device_unregister();
	nfsync_state_cache_exit();
	nf_ct_iterate_cleanup_net(every_entry, &all);
}

struct nfsync_dev *world_dev(void)
{
	return nd;
}

struct nf_conn *world_entry(u16 port)
{
	struct nf_conntrack_tuple orig = {
		.src.l3num = AF_INET,
		.src.u3.ip = htonl(0x0a000102),
		.src.u.udp.port = htons(port),
		.dst.u3.ip = htonl(0x0a000202),
		.dst.u.udp.port = htons(53),
		.dst.protonum = IPPROTO_UDP,
		.dst.dir = IP_CT_DIR_ORIGINAL,
	}, reply;
	struct nf_conn *ct;

	nf_ct_invert_tuple(&reply, &orig);
	ct = nf_conntrack_alloc(&init_net, &nf_ct_zone_dflt, &orig, &reply,
				GFP_KERNEL);
	if (IS_ERR(ct))
		return NULL;
	nf_ct_ecache_ext_add(ct, U16_MAX, U16_MAX, GFP_KERNEL);
	ct->status |= IPS_CONFIRMED | IPS_SEEN_REPLY;
	WRITE_ONCE(ct->timeout, nfct_time_stamp + 600 * HZ);
	if (nf_conntrack_hash_check_insert(ct)) {
		nf_conntrack_free(ct);
		return NULL;
	}
	return ct;
}

/* Tracked under a name of ours, or that of a peer; NULL when that fails */
static struct nfsync_state *track(u16 port, u64 id, u32 creatorid)
{
	struct nf_conn *ct = world_entry(port);
	struct nfsync_state *st;

	if (!ct)
		return NULL;
	rcu_read_lock();
	st = creatorid ? nfsync_state_learn(nd, ct, id, creatorid) :
			 nfsync_state_new(nd, ct);
	rcu_read_unlock();
	nf_ct_put(ct);
	return st;
}

struct nfsync_state *world_state(u16 port)
{
	return track(port, 0, 0);
}

struct nfsync_state *world_learned(u16 port, u64 id, u32 creatorid)
{
	return track(port, id, creatorid);
}

/* With its entry, so that another one can have the tuple */
void world_unhash(struct nfsync_state *st)
{
	struct nf_conn *ct = st->ct;

	nf_conntrack_get(&ct->ct_general);
	nfsync_state_unhash(nd, st);
	nf_ct_delete(ct, 0, 0);
	nf_ct_put(ct);
}

/* Its end, as when the entry expires */
void world_kill(struct nfsync_state *st)
{
	if (nfsync_queue_delete(nd, st, true, false))
		world_unhash(st);
}

unsigned int world_runs(void)
{
	unsigned int i;

	for (i = 0; i < nd->queue.n_slices; i++) {
		struct tasklet_struct *t = &nd->queue.slice[i].task;

		while (test_bit(TASKLET_STATE_SCHED, &t->state))
			cond_resched();
		tasklet_unlock_wait(t);
	}
	return atomic_xchg(&runs, 0);
}

u64 world_stat(enum pfsync_stat i)
{
	static u64 v[__PFSYNC_STAT_MAX];

	nfsync_stats_read(nd, v);
	return v[i];
}

void world_receive(__be32 saddr, const u8 *data, size_t len)
{
	struct sk_buff *skb = alloc_skb(sizeof(struct iphdr) + len, GFP_KERNEL);
	struct iphdr *iph;

	if (!skb)
		return;
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	iph = skb_put(skb, sizeof(*iph));
	*iph = (struct iphdr) {
		.version = 4,
		.ihl = sizeof(*iph) / 4,
		.tot_len = htons(sizeof(*iph) + len),
		.ttl = 255,
		.protocol = PFSYNC_IPPROTO,
		.saddr = saddr,
		.daddr = nd->cfg.syncpeer,
	};
	ip_send_check(iph);
	skb_put_data(skb, data, len);
	skb->dev = wire;
	skb->protocol = htons(ETH_P_IP);
	skb->pkt_type = PACKET_MULTICAST;
	local_bh_disable();
	netif_receive_skb(skb);
	local_bh_enable();
}

static void see_section(struct world_frame *f,
			const struct nfsync_wire_section *s)
{
	f->n[s->action] += s->count;
	switch (s->action) {
	case NFSYNC_ACT_BUS:
		nfsync_wire_get_bus(s->body, &f->bus);
		break;
	case NFSYNC_ACT_TOTAL:
		nfsync_wire_get_total(s->body, &f->total);
		break;
	case NFSYNC_ACT_UPD_REQ:
	case NFSYNC_ACT_DEL_C:
		nfsync_wire_get_id(s->body, &f->id);
		break;
	}
}

void world_cut_after(unsigned int frames)
{
	atomic_set(&until_cut, frames);
}

bool world_frame(struct world_frame *f)
{
	struct sk_buff *skb = skb_dequeue(&frames);
	struct nfsync_wire_section s;
	struct nfsync_wire_frame w;
	bool good;

	memset(f, 0, sizeof(*f));
	if (!skb)
		return false;
	good = !skb_linearize(skb);
	if (good) {
		skb_pull(skb, skb_network_offset(skb) + sizeof(struct iphdr));
		good = !nfsync_wire_check(&w, skb->data, skb->len);
	}
	while (good && nfsync_wire_next(&w, &s))
		see_section(f, &s);
	kfree_skb(skb);
	return good;
}
