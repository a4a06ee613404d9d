// SPDX-License-Identifier: GPL-2.0
/*
 * Reading conntrack entries: which are synchronised, what they look like to
 * the peers, and which are here already.
 */
#include <net/addrconf.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/netfilter/nf_conntrack_timestamp.h>
#include <net/netfilter/nf_conntrack_tuple.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include "conntrack.h"
#include "device.h"
#include "map.h"
#include "window.h"

/* --- what is synchronised --- */

static bool proto_spoken(const struct nf_conn *ct)
{
	switch (nf_ct_protonum(ct)) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return nf_ct_l3num(ct) == NFPROTO_IPV4 ||
		       nf_ct_l3num(ct) == NFPROTO_IPV6;
	case IPPROTO_ICMP:
		return nf_ct_l3num(ct) == NFPROTO_IPV4;
	case IPPROTO_ICMPV6:
		return nf_ct_l3num(ct) == NFPROTO_IPV6;
	default:
		return false;
	}
}

/* Addresses of no use on another node */
static bool addr_private(const union nf_inet_addr *a, u16 l3num)
{
	if (l3num == NFPROTO_IPV4)
		return ipv4_is_loopback(a->ip) || ipv4_is_multicast(a->ip) ||
		       ipv4_is_lbcast(a->ip) || ipv4_is_zeronet(a->ip);

	return ipv6_addr_type(&a->in6) & (IPV6_ADDR_LOOPBACK |
					  IPV6_ADDR_MULTICAST |
					  IPV6_ADDR_LINKLOCAL);
}

/**
 * nfsync_conntrack_opted_out() - does its mark keep an entry from the peers?
 * @nd: device
 * @ct: entry
 *
 * Context: any.
 * Return: true if so.
 */
bool nfsync_conntrack_opted_out(const struct nfsync_dev *nd,
				const struct nf_conn *ct)
{
	u32 mask = READ_ONCE(nd->cfg.nosync_mask);

	return unlikely(mask) && (nfsync_conntrack_mark(ct) & mask) ==
				 READ_ONCE(nd->cfg.nosync_mark);
}

/**
 * nfsync_conntrack_worthy() - may such an entry be told to others at all?
 * @nd: device
 * @ct: entry, perhaps not confirmed yet
 *
 * Context: any.
 * Return: true for flows of protocols we speak between addresses that mean
 * something elsewhere.
 */
bool nfsync_conntrack_worthy(const struct nfsync_dev *nd,
			     const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *t = nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL);

	return !nfsync_conntrack_opted_out(nd, ct) &&
	       proto_spoken(ct) && !addr_private(&t->src.u3, t->src.l3num) &&
	       !addr_private(&t->dst.u3, t->src.l3num);
}

/**
 * nfsync_conntrack_eligible() - may this entry be told to others now?
 * @nd: device
 * @ct: entry
 *
 * Context: any.
 * Return: true if it is worthy, confirmed and alive.
 */
bool nfsync_conntrack_eligible(const struct nfsync_dev *nd,
			       const struct nf_conn *ct)
{
	unsigned long status = READ_ONCE(ct->status);

	if (!(status & IPS_CONFIRMED) ||
	    status & (IPS_DYING | IPS_TEMPLATE | IPS_NAT_CLASH))
		return false;

	return nfsync_conntrack_worthy(nd, ct);
}

static bool addr_is_ours(const struct net *net, const union nf_inet_addr *a,
			 u16 l3num)
{
	if (l3num == NFPROTO_IPV4)
		return inet_addr_type((struct net *)net, a->ip) == RTN_LOCAL;

	return ipv6_chk_addr((struct net *)net, &a->in6, NULL, 0);
}

/**
 * nfsync_conntrack_is_local() - does the flow begin or end on this node?
 * @net: namespace
 * @ct: entry
 *
 * By the addresses before translation at the initiator and after it at the
 * responder, so a masqueraded flow is not local.
 *
 * Context: softirq or process, RCU read side.
 * Return: true if so.
 */
bool nfsync_conntrack_is_local(const struct net *net, const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *o = nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	const struct nf_conntrack_tuple *r = nf_ct_tuple(ct, IP_CT_DIR_REPLY);

	return addr_is_ours(net, &o->src.u3, o->src.l3num) ||
	       addr_is_ours(net, &r->src.u3, r->src.l3num);
}

/* --- as a picture, and to the wire --- */

static void picture_end(struct nfsync_map_end *e, const union nf_inet_addr *a,
			u16 l3num, __be16 port)
{
	memcpy(e->addr, a, l3num == NFPROTO_IPV4 ? 4 : 16);
	e->port = ntohs(port);
}

static void picture_tuples(const struct nf_conn *ct, struct nfsync_map_ct *pic)
{
	const struct nf_conntrack_tuple *t;
	bool icmp = pic->icmp_type;
	int d;

	for (d = 0; d < IP_CT_DIR_MAX; d++) {
		t = nf_ct_tuple(ct, d);
		picture_end(&pic->tuple[d].src, &t->src.u3, t->src.l3num,
			    t->src.u.all);
		picture_end(&pic->tuple[d].dst, &t->dst.u3, t->src.l3num,
			    icmp ? 0 : t->dst.u.all);
	}
}

static void picture_tcp(const struct nfsync_state *st, struct nf_conn *ct,
			struct nfsync_map_ct *pic)
	__must_hold(&ct->lock)
{
	const struct ip_ct_tcp *tcp = &ct->proto.tcp;
	u8 liberal = IP_CT_TCP_FLAG_BE_LIBERAL;
	int d;

	lockdep_assert_held(&ct->lock);

	pic->tcp_state = tcp->state;
	for (d = 0; d < IP_CT_DIR_MAX; d++) {
		struct nfsync_map_seen *s = &pic->seen[d];

		s->td_end = nfsync_window_end(st, d, tcp->seen[d].td_end);
		s->td_maxend = nfsync_window_edge(st, d,
						  tcp->seen[d].td_maxend);
		s->td_maxwin = nfsync_window_maxwin(st, ct, d);
		s->td_scale = tcp->seen[d].td_scale;
		s->flags = tcp->seen[d].flags;
		if (test_bit(NFSYNC_ST_DOUBTED, &st->flags))
			s->flags &= ~IP_CT_TCP_FLAG_BE_LIBERAL;
		liberal &= s->flags;
	}
	pic->no_windows = liberal || test_bit(IPS_OFFLOAD_BIT, &ct->status);
}

/**
 * nfsync_conntrack_default_expire() - what conntrack gives such an entry
 * @net: namespace
 * @proto: IP protocol number
 * @tcp_state: enum tcp_conntrack, for TCP
 * @seen_reply: for UDP
 *
 * Context: any.
 * Return: seconds.
 */
u32 nfsync_conntrack_default_expire(struct net *net, u8 proto, u8 tcp_state,
				    bool seen_reply)
{
	unsigned int t;

	switch (proto) {
	case IPPROTO_TCP:
		t = READ_ONCE(nf_tcp_pernet(net)->timeouts[tcp_state]);
		break;
	case IPPROTO_UDP:
		t = READ_ONCE(nf_udp_pernet(net)->timeouts[seen_reply ?
				UDP_CT_REPLIED : UDP_CT_UNREPLIED]);
		break;
	case IPPROTO_ICMPV6:
		t = READ_ONCE(nf_icmpv6_pernet(net)->timeout);
		break;
	default:
		t = READ_ONCE(nf_icmp_pernet(net)->timeout);
	}
	return t / HZ;
}

/*
 * conntrack shortens the timeout of a connection with something outstanding:
 * data not acknowledged, retransmissions, a window of 0.  That is over with
 * the next ack, which alone is not worth telling: a peer that heard the short
 * one would lose an idle connection.
 */
static bool tcp_outstanding(struct nf_conn *ct)
{
	const struct nf_tcp_net *tn = nf_tcp_pernet(nf_ct_net(ct));
	const struct ip_ct_tcp *tcp = &ct->proto.tcp;

	return ((tcp->seen[0].flags | tcp->seen[1].flags) &
		IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED) ||
	       tcp->retrans >= READ_ONCE(tn->tcp_max_retrans) ||
	       !tcp->last_win;
}

static bool tcp_shortened(struct nf_conn *ct)
{
	const struct nf_tcp_net *tn = nf_tcp_pernet(nf_ct_net(ct));
	u32 limit = max(READ_ONCE(tn->timeouts[TCP_CONNTRACK_RETRANS]),
			READ_ONCE(tn->timeouts[TCP_CONNTRACK_UNACK]));

	/* one that never has more is not shortened, just late in its life */
	return READ_ONCE(tn->timeouts[ct->proto.tcp.state]) > limit &&
	       nf_ct_expires(ct) <= limit && tcp_outstanding(ct);
}

/*
 * The time an entry has left, as its peers should assume it, and never 0, which
 * says nothing: a peer would give its last second the whole time of its state.
 * An offloaded entry's own is far in the future and says nothing either.
 */
static u32 picture_expire(struct nf_conn *ct, const struct nfsync_map_ct *pic)
{
	if (test_bit(IPS_OFFLOAD_BIT, &ct->status) ||
	    (pic->proto == IPPROTO_TCP && tcp_shortened(ct)))
		return nfsync_conntrack_default_expire(nf_ct_net(ct),
						       pic->proto,
						       pic->tcp_state,
						       pic->seen_reply);
	return max(nf_ct_expires(ct) / HZ, 1UL);
}

static u32 picture_age(const struct nf_conn *ct)
{
	const struct nf_conn_tstamp *ts = nf_conn_tstamp_find(ct);
	s64 age = ts ? ktime_get_real_ns() - ts->start : 0;

	/* the time of day can go back */
	return age > 0 ? div_u64(age, NSEC_PER_SEC) : 0;
}

/*
 * Conntrack writes the state under the entry's lock and the time that goes with
 * it a moment later, without: who comes in between finds the time of the state
 * before.
 */
static bool may_be_between(const struct nfsync_state *st, struct nf_conn *ct,
			   const struct nfsync_map_ct *pic)
{
	return pic->proto == IPPROTO_TCP && pic->tcp_state != st->told_state &&
	       pic->expire + 1 <
	       nfsync_conntrack_default_expire(nf_ct_net(ct), pic->proto,
					       pic->tcp_state, pic->seen_reply);
}

/**
 * nfsync_conntrack_picture() - an entry as a plain picture, without slack
 * @st: its state
 * @ct: entry
 * @pic: filled completely
 *
 * Context: ct->lock held.
 */
void nfsync_conntrack_picture(const struct nfsync_state *st,
			      struct nf_conn *ct, struct nfsync_map_ct *pic)
	__must_hold(&ct->lock)
{
	const struct nf_conntrack_tuple *t = nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	u8 status = nfsync_conntrack_status(ct);

	memset(pic, 0, sizeof(*pic));
	pic->proto = t->dst.protonum;
	pic->af = t->src.l3num == NFPROTO_IPV4 ? NFSYNC_AF_INET :
						 NFSYNC_AF_INET6;
	if (pic->proto == IPPROTO_ICMP || pic->proto == IPPROTO_ICMPV6) {
		pic->icmp_type = t->dst.u.icmp.type;
		pic->icmp_code = t->dst.u.icmp.code;
	}
	picture_tuples(ct, pic);
	pic->seen_reply = status & NFSYNC_EXT_SEEN_REPLY;
	pic->assured = status & NFSYNC_EXT_ASSURED;
	pic->mark = nfsync_conntrack_mark(ct);
	pic->zone = nf_ct_zone(ct)->id;
	if (pic->proto == IPPROTO_TCP)
		picture_tcp(st, ct, pic);
	pic->expire = picture_expire(ct, pic);
	/* not told: it would stay if it came behind the news that correct it */
	if (st->told_state && may_be_between(st, ct, pic))
		pic->expire = 0;
}

/* From now on the peers know this much */
static void record_told(const struct nfsync_dev *nd, struct nfsync_state *st,
			struct nf_conn *ct, const struct nfsync_map_ct *pic)
	__must_hold(&ct->lock)
{
	lockdep_assert_held(&ct->lock);

	nfsync_window_set_told(nd, st, ct, pic->seen);
	nfsync_state_refresh(st, pic->expire);
	/* the packet that made it so comes to our hook after that */
	if (may_be_between(st, ct, pic))
		WRITE_ONCE(st->refresh_at, (u32)jiffies);
	WRITE_ONCE(st->told_state, pic->tcp_state);
	WRITE_ONCE(st->told_status, nfsync_map_pic_status(pic));
}

/**
 * nfsync_conntrack_raise_levels() - never below what was told or heard
 * @st: state, remembers the levels
 * @ct: its entry
 * @peer: both sides, raised where need be
 *
 * pf keeps a level for each side and conntrack one state for both; pf calls
 * an update stale whose level went back.
 *
 * Context: ct->lock held.
 */
void nfsync_conntrack_raise_levels(struct nfsync_state *st, struct nf_conn *ct,
				   struct nfsync_msg_peer peer[2])
	__must_hold(&ct->lock)
{
	int i;

	lockdep_assert_held(&ct->lock);

	for (i = NFSYNC_SRC; i <= NFSYNC_DST; i++) {
		st->level[i] = max(st->level[i], peer[i].level);
		peer[i].level = st->level[i];
	}
}

/**
 * nfsync_conntrack_export() - all about an entry, for INS and UPD
 * @nd: device
 * @st: state the caller holds
 * @m: filled completely
 *
 * Records that the peers know it.
 *
 * Context: softirq or process, no lock held.
 */
void nfsync_conntrack_export(struct nfsync_dev *nd, struct nfsync_state *st,
			     struct nfsync_msg_state *m)
{
	struct nf_conn *ct = st->ct;
	struct nfsync_map_ct pic;

	spin_lock_bh(&ct->lock);
	nfsync_conntrack_picture(st, ct, &pic);
	pic.age = picture_age(ct);
	nfsync_map_export(&pic, m);
	if (nfsync_state_passes(st))
		m->ext.status |= NFSYNC_EXT_MOVES;
	if (nfsync_window_behind(st))
		m->ext.status |= NFSYNC_EXT_BEHIND;
	nfsync_conntrack_raise_levels(st, ct, m->peer);
	record_told(nd, st, ct, &pic);
	WRITE_ONCE(st->told_mark, pic.mark);
	assign_bit(NFSYNC_ST_FROZEN, &st->flags, pic.no_windows);
	spin_unlock_bh(&ct->lock);

	/* its first packet waits for the answer */
	if (test_bit(NFSYNC_ST_HELD, &st->flags))
		m->state_flags |= NFSYNC_STATE_ACK;
	m->id = st->id;
	m->creatorid = st->creatorid;
	m->timeout = nfsync_map_timeout(pic.proto, m->peer, pic.seen_reply,
					pic.assured);
}

/**
 * nfsync_conntrack_export_upd_c() - what moves in an entry, for UPD_C
 * @nd: device
 * @st: state the caller holds
 * @m: filled completely
 *
 * Records that the peers know it.
 *
 * Context: softirq or process, no lock held.
 */
void nfsync_conntrack_export_upd_c(struct nfsync_dev *nd,
				   struct nfsync_state *st,
				   struct nfsync_msg_upd_c *m)
{
	struct nf_conn *ct = st->ct;
	struct nfsync_map_ct pic;

	memset(m, 0, sizeof(*m));
	spin_lock_bh(&ct->lock);
	nfsync_conntrack_picture(st, ct, &pic);
	nfsync_map_export_peers(&pic, m->peer, &m->timeout);
	nfsync_conntrack_raise_levels(st, ct, m->peer);
	record_told(nd, st, ct, &pic);
	spin_unlock_bh(&ct->lock);

	m->id = st->id;
	m->creatorid = st->creatorid;
	m->expire = pic.expire;
	m->timeout = nfsync_map_timeout(pic.proto, m->peer, pic.seen_reply,
					pic.assured);
}

/* --- those that are here already --- */

/* An entry older than the device.  One-way TCP is told with its reply */
static void walk_entry(struct nfsync_dev *nd, struct nf_conn *ct)
{
	struct nfsync_state *st;

	if (nf_ct_is_expired(ct) || !nfsync_conntrack_eligible(nd, ct) ||
	    !test_bit(IPS_SEEN_REPLY_BIT, &ct->status) ||
	    nfsync_state_find_ct(nd, ct))
		return;
	if (!READ_ONCE(nd->cfg.local) && nfsync_conntrack_is_local(nd->net, ct))
		return;

	st = nfsync_state_new(nd, ct);
	if (!st)
		return;
	/* a peer that knows it too must not put its numbers in place of ours */
	nfsync_state_assume(st);
	nfsync_queue_update(nd, st, false);
}

static void walk_bucket(struct nfsync_dev *nd, unsigned int b)
{
	spinlock_t *lock = &nf_conntrack_locks[b % CONNTRACK_LOCKS];
	struct nf_conntrack_tuple_hash *h;
	struct hlist_nulls_node *n;
	struct nf_conn *ct;

	rcu_read_lock();
	local_bh_disable();
	nf_conntrack_lock(lock);
	__acquire(lock);		/* its declaration does not say so */
	/* a resize needs every lock: under one the table stands still */
	if (b < nf_conntrack_htable_size) {
		hlist_nulls_for_each_entry(h, n, &nf_conntrack_hash[b], hnnode) {
			ct = nf_ct_tuplehash_to_ctrack(h);
			if (NF_CT_DIRECTION(h) == IP_CT_DIR_ORIGINAL &&
			    net_eq(nf_ct_net(ct), nd->net))
				walk_entry(nd, ct);
		}
	}
	spin_unlock(lock);
	local_bh_enable();
	rcu_read_unlock();
}

/**
 * nfsync_conntrack_walk() - start to track the entries that are here already
 * @nd: device that just came up
 *
 * Lock order: bucket lock, then a slice lock or a rhashtable bucket, both
 * leaves.
 *
 * Context: process, may take long.
 */
void nfsync_conntrack_walk(struct nfsync_dev *nd)
{
	unsigned int b;

	for (b = 0; b < READ_ONCE(nf_conntrack_htable_size); b++) {
		if (!READ_ONCE(nd->up))
			return;
		walk_bucket(nd, b);
		cond_resched();
	}
}
