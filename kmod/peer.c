// SPDX-License-Identifier: GPL-2.0
/*
 * The verdict: may this node serve?  Carrier says that there is a sync link,
 * dormant that we do not hold the cluster's states yet (RFC 2863), so that
 * IFF_RUNNING stands for both.
 */
#include <linux/netdevice.h>
#include "device.h"
#include "peer.h"

/**
 * nfsync_peer_init() - nobody heard, device down
 * @nd: device in the making
 *
 * Context: process.
 */
void nfsync_peer_init(struct nfsync_dev *nd)
{
	spin_lock_init(&nd->peer.lock);
	nd->peer.verdict = PFSYNC_VERDICT_DOWN;
	netif_carrier_off(nd->dev);
	netif_dormant_on(nd->dev);
}

static bool has_link(enum pfsync_verdict v)
{
	return v != PFSYNC_VERDICT_DOWN && v != PFSYNC_VERDICT_NO_LINK;
}

static bool may_serve(enum pfsync_verdict v)
{
	return v == PFSYNC_VERDICT_IN_SYNC || v == PFSYNC_VERDICT_ALONE;
}

/**
 * nfsync_peer_set() - give a new verdict and show it
 * @nd: device
 * @verdict: enum pfsync_verdict
 *
 * Dormant is set before the carrier comes and cleared after it, so that
 * nobody sees a running device between two states that are not.
 *
 * Context: softirq or process.
 */
void nfsync_peer_set(struct nfsync_dev *nd, enum pfsync_verdict verdict)
{
	struct nfsync_peer *p = &nd->peer;

	spin_lock_bh(&p->lock);
	if (p->verdict == verdict)
		goto out;

	WRITE_ONCE(p->verdict, verdict);
	if (!has_link(verdict))
		p->heard = false;
	if (!may_serve(verdict))
		netif_dormant_on(nd->dev);
	if (has_link(verdict))
		netif_carrier_on(nd->dev);
	else
		netif_carrier_off(nd->dev);
	if (may_serve(verdict))
		netif_dormant_off(nd->dev);
out:
	spin_unlock_bh(&p->lock);
}

/**
 * nfsync_peer_heard() - a good frame came
 * @nd: device
 *
 * A node that went on alone asks the peer that turns up for its states.
 *
 * Context: softirq.
 */
void nfsync_peer_heard(struct nfsync_dev *nd)
{
	struct nfsync_peer *p = &nd->peer;

	if (likely(READ_ONCE(p->heard)))
		return;

	spin_lock_bh(&p->lock);
	p->heard = true;
	spin_unlock_bh(&p->lock);
	if (READ_ONCE(p->verdict) == PFSYNC_VERDICT_ALONE)
		nfsync_bulk_request(nd);
}

/**
 * nfsync_peer_foreign() - a sender speaks a header version that we do not
 * @nd: device
 * @saddr: its address
 * @version: the version it sent
 *
 * Named in the log once for each sender, as far as the table goes.
 *
 * Context: softirq.
 */
void nfsync_peer_foreign(struct nfsync_dev *nd, __be32 saddr, u8 version)
{
	struct nfsync_peer *p = &nd->peer;
	bool known = true;
	unsigned int i;

	spin_lock_bh(&p->lock);
	for (i = 0; i < p->n_strangers; i++)
		if (p->stranger[i] == saddr)
			break;
	if (i == p->n_strangers && i < NFSYNC_PEER_STRANGERS) {
		p->stranger[p->n_strangers++] = saddr;
		known = false;
	}
	spin_unlock_bh(&p->lock);

	if (!known)
		netdev_info(nd->dev, "%pI4 sends header version %u, this node version %u: refused\n",
			    &saddr, version, NFSYNC_WIRE_V6);
}

/**
 * nfsync_peer_ownid() - another node inserts states in our name
 * @nd: device
 * @saddr: its address
 *
 * Context: softirq.
 */
void nfsync_peer_ownid(struct nfsync_dev *nd, __be32 saddr)
{
	struct nfsync_peer *p = &nd->peer;
	bool logged;

	spin_lock_bh(&p->lock);
	logged = p->ownid_logged;
	p->ownid_logged = true;
	spin_unlock_bh(&p->lock);

	if (!logged)
		netdev_warn(nd->dev, "%pI4 uses our hostid 0x%08x: its states are refused\n",
			    &saddr, READ_ONCE(nd->cfg.hostid));
}
