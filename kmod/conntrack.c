// SPDX-License-Identifier: GPL-2.0
/*
 * The bridge between a sync state and its conntrack entry.
 *
 * Slack.  A direction that this node does not see itself is imported with its
 * told td_end and td_maxend plus nfsync_map_slack() of the window it was told
 * with, so that the entry lags reality by nothing conntrack would mind.  What
 * was told, without slack, stays in the state.  As long as the entry still
 * has exactly told + slack, no packet has moved it, and what is exported is
 * the told number: slack never travels.
 */
#include <net/addrconf.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/netfilter/nf_conntrack_labels.h>
#include <net/netfilter/nf_conntrack_seqadj.h>
#include <net/netfilter/nf_conntrack_synproxy.h>
#include <net/netfilter/nf_conntrack_timestamp.h>
#include <net/netfilter/nf_conntrack_tuple.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netfilter/nf_nat.h>
#include "conntrack.h"
#include "device.h"
#include "map.h"
#include "merge.h"

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
 * nfsync_conntrack_eligible() - may this entry be told to others at all?
 * @ct: entry
 *
 * Context: any.
 * Return: true for confirmed flows of protocols we speak between addresses
 * that mean something elsewhere.
 */
bool nfsync_conntrack_eligible(const struct nf_conn *ct)
{
	const struct nf_conntrack_tuple *t = nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	unsigned long status = READ_ONCE(ct->status);

	if (!(status & IPS_CONFIRMED) ||
	    status & (IPS_DYING | IPS_TEMPLATE | IPS_NAT_CLASH))
		return false;

	return proto_spoken(ct) && !addr_private(&t->src.u3, t->src.l3num) &&
	       !addr_private(&t->dst.u3, t->src.l3num);
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

/* --- from the entry to the wire --- */

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

static void __must_hold(&ct->lock)
picture_tcp(const struct nfsync_state *st, struct nf_conn *ct,
	    struct nfsync_map_ct *pic)
{
	const struct ip_ct_tcp *tcp = &ct->proto.tcp;
	u8 liberal = IP_CT_TCP_FLAG_BE_LIBERAL;
	int d;

	lockdep_assert_held(&ct->lock);

	pic->tcp_state = tcp->state;
	for (d = 0; d < IP_CT_DIR_MAX; d++) {
		struct nfsync_map_seen *s = &pic->seen[d];

		s->td_end = nfsync_conntrack_told(st, d, tcp->seen[d].td_end,
					  st->told_end[d]);
		s->td_maxend = nfsync_conntrack_told(st, d, tcp->seen[d].td_maxend,
					     st->told_maxend[d]);
		s->td_maxwin = tcp->seen[d].td_maxwin;
		s->td_scale = tcp->seen[d].td_scale;
		s->flags = tcp->seen[d].flags;
		liberal &= s->flags;
	}
	pic->no_windows = liberal || test_bit(IPS_OFFLOAD_BIT, &ct->status);
}

static u32 default_expire(struct net *net, u16 l3num, u8 proto, u8 tcp_state,
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
 * An offloaded entry's own timeout is far in the future and says nothing;
 * what its peers should assume is the protocol's.
 */
static u32 picture_expire(struct nf_conn *ct, const struct nfsync_map_ct *pic)
{
	if (test_bit(IPS_OFFLOAD_BIT, &ct->status))
		return default_expire(nf_ct_net(ct), nf_ct_l3num(ct),
				      pic->proto, pic->tcp_state,
				      pic->seen_reply);
	return nf_ct_expires(ct) / HZ;
}

static u32 picture_age(const struct nf_conn *ct)
{
	const struct nf_conn_tstamp *ts = nf_conn_tstamp_find(ct);

	if (!ts)
		return 0;
	return div_u64(ktime_get_real_ns() - ts->start, NSEC_PER_SEC);
}

static u8 ct_status(const struct nf_conn *ct)
{
	unsigned long status = READ_ONCE(ct->status);

	return (status & IPS_SEEN_REPLY ? NFSYNC_EXT_SEEN_REPLY : 0) |
	       (status & IPS_ASSURED ? NFSYNC_EXT_ASSURED : 0);
}

static u32 ct_mark(const struct nf_conn *ct)
{
#ifdef CONFIG_NF_CONNTRACK_MARK
	return READ_ONCE(ct->mark);
#else
	return 0;
#endif
}

static void picture(const struct nfsync_state *st, struct nf_conn *ct,
		    struct nfsync_map_ct *pic)
{
	const struct nf_conntrack_tuple *t = nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	u8 status = ct_status(ct);

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
	pic->mark = ct_mark(ct);
	pic->zone = nf_ct_zone(ct)->id;
	if (pic->proto == IPPROTO_TCP)
		picture_tcp(st, ct, pic);
	pic->expire = picture_expire(ct, pic);
}

/* From now on the peers know this much */
static void __must_hold(&ct->lock)
record_told(struct nfsync_state *st, struct nf_conn *ct,
	    const struct nfsync_map_ct *pic)
{
	u32 half = min_t(u32, pic->expire, NFSYNC_MAP_EXPIRE_MAX) / 2;
	int d;

	lockdep_assert_held(&ct->lock);

	for (d = 0; d < IP_CT_DIR_MAX; d++) {
		const struct nfsync_map_seen *s = &pic->seen[d];

		/* still told + slack: told and its window stay a pair */
		if (nfsync_conntrack_slack(st, d) && s->td_end == st->told_end[d] &&
		    s->td_maxend == st->told_maxend[d])
			continue;
		clear_bit(NFSYNC_ST_SLACK + d, &st->flags);
		WRITE_ONCE(st->told_end[d], s->td_end);
		WRITE_ONCE(st->told_maxend[d], s->td_maxend);
		WRITE_ONCE(st->told_win[d], pic->seen[!d].td_maxwin);
	}
	WRITE_ONCE(st->told_state, pic->tcp_state);
	WRITE_ONCE(st->told_status,
		   (pic->seen_reply ? NFSYNC_EXT_SEEN_REPLY : 0) |
		   (pic->assured ? NFSYNC_EXT_ASSURED : 0));
	WRITE_ONCE(st->refresh_at, (u32)jiffies + max(half, 1U) * HZ);
}

/*
 * pf keeps a level for each side and conntrack one state for both: never
 * tell a level below one that was told or heard, or pf calls it stale.
 */
static void __must_hold(&ct->lock)
raise_levels(struct nfsync_state *st, struct nf_conn *ct,
	     struct nfsync_msg_peer peer[2])
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
	picture(st, ct, &pic);
	pic.age = picture_age(ct);
	nfsync_map_export(&pic, m);
	raise_levels(st, ct, m->peer);
	record_told(st, ct, &pic);
	WRITE_ONCE(st->told_mark, pic.mark);
	spin_unlock_bh(&ct->lock);

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
	picture(st, ct, &pic);
	nfsync_map_export_peers(&pic, m->peer, &m->timeout);
	raise_levels(st, ct, m->peer);
	record_told(st, ct, &pic);
	spin_unlock_bh(&ct->lock);

	m->id = st->id;
	m->creatorid = st->creatorid;
	m->expire = pic.expire;
	m->timeout = nfsync_map_timeout(pic.proto, m->peer, pic.seen_reply,
					pic.assured);
}

/* --- from the wire to the entry --- */

static void set_end(union nf_inet_addr *a, __be16 *port,
		    const struct nfsync_map_end *e, u8 af)
{
	memcpy(a, e->addr, af == NFSYNC_AF_INET ? 4 : 16);
	*port = htons(e->port);
}

/* @t: all bytes are set, for the hash covers them raw */
static void set_tuple(struct nf_conntrack_tuple *t,
		      const struct nfsync_map_ct *pic, int dir)
{
	memset(t, 0, sizeof(*t));
	t->src.l3num = pic->af == NFSYNC_AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;
	t->dst.protonum = pic->proto;
	t->dst.dir = dir;
	set_end(&t->src.u3, &t->src.u.all, &pic->tuple[dir].src, pic->af);
	set_end(&t->dst.u3, &t->dst.u.all, &pic->tuple[dir].dst, pic->af);
}

/*
 * conntrack knows which type answers which query; the ids and addresses of
 * the reply come from the picture, which has them translated.
 */
static bool set_tuples(const struct nfsync_map_ct *pic,
		       struct nf_conntrack_tuple *orig,
		       struct nf_conntrack_tuple *repl)
{
	struct nf_conntrack_tuple inv;

	set_tuple(orig, pic, IP_CT_DIR_ORIGINAL);
	set_tuple(repl, pic, IP_CT_DIR_REPLY);
	if (pic->proto != IPPROTO_ICMP && pic->proto != IPPROTO_ICMPV6)
		return true;

	orig->dst.u.icmp.type = pic->icmp_type;
	orig->dst.u.icmp.code = pic->icmp_code;
	if (!nf_ct_invert_tuple(&inv, orig))
		return false;
	repl->dst.u.icmp.type = inv.dst.u.icmp.type;
	repl->dst.u.icmp.code = inv.dst.u.icmp.code;
	return true;
}

/*
 * A null binding on the final tuple puts the entry where NAT looks for the
 * mappings it gave out.  It must not change the tuple: if it did, somebody
 * else owns it.
 */
static int bind_nat(struct nf_conn *ct, const struct nf_conntrack_tuple *repl)
{
	const struct nf_conntrack_tuple *o = nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	struct nf_conntrack_tuple inv;
	const struct nf_nat_hook *nat;

	if (!nf_ct_invert_tuple(&inv, o))
		return -EINVAL;
	if (!__nf_ct_tuple_dst_equal(&inv, repl))
		ct->status |= IPS_SRC_NAT;
	if (!__nf_ct_tuple_src_equal(&inv, repl))
		ct->status |= IPS_DST_NAT;

	nat = rcu_dereference(nf_nat_hook);
	if (!(ct->status & IPS_NAT_MASK) || !nat)
		return 0;
	if (nat->parse_nat_setup(ct, NF_NAT_MANIP_DST, NULL) < 0 ||
	    nat->parse_nat_setup(ct, NF_NAT_MANIP_SRC, NULL) < 0)
		return -EEXIST;
	return nf_ct_tuple_equal(nf_ct_tuple(ct, IP_CT_DIR_REPLY), repl) ?
	       0 : -EEXIST;
}

static bool window_is(const struct nfsync_dev *nd, enum pfsync_window w)
{
	return READ_ONCE(nd->cfg.window) == w;
}

/* One direction as told, plus what may have passed since (map.c) */
static void __must_hold(&ct->lock)
set_seen(struct nfsync_dev *nd, struct nfsync_state *st, struct nf_conn *ct,
	 int dir, const struct nfsync_map_seen *told, u32 other_win)
{
	struct ip_ct_tcp_state *seen = &ct->proto.tcp.seen[dir];
	u32 slack = 0;

	lockdep_assert_held(&ct->lock);

	if (window_is(nd, PFSYNC_WINDOW_BOUNDED) && told->td_maxwin)
		slack = nfsync_map_slack(other_win);

	st->told_end[dir] = told->td_end;
	st->told_maxend[dir] = told->td_maxend;
	st->told_win[dir] = other_win;
	assign_bit(NFSYNC_ST_SLACK + dir, &st->flags, slack);

	seen->td_end = told->td_end + slack;
	seen->td_maxend = told->td_maxend + slack;
	seen->td_maxwin = told->td_maxwin;
	seen->td_scale = told->td_scale;
	/* td_maxack does not travel, and a stale one refuses good resets */
	seen->flags = told->flags & ~IP_CT_TCP_FLAG_MAXACK_SET;
	if (window_is(nd, PFSYNC_WINDOW_LIBERAL))
		seen->flags |= IP_CT_TCP_FLAG_BE_LIBERAL;
}

/*
 * A direction whose packets also pass here: the later of the two numbers,
 * and no slack, for conntrack has the truth before us.
 */
static void __must_hold(&ct->lock)
join_seen(struct nfsync_state *st, struct nf_conn *ct, int dir,
	  const struct nfsync_map_seen *told)
{
	struct ip_ct_tcp_state *seen = &ct->proto.tcp.seen[dir];

	lockdep_assert_held(&ct->lock);

	seen->td_end = nfsync_seq_max(seen->td_end, told->td_end);
	seen->td_maxend = nfsync_seq_max(seen->td_maxend, told->td_maxend);
	seen->td_maxwin = max(seen->td_maxwin, told->td_maxwin);
	seen->flags |= told->flags & ~IP_CT_TCP_FLAG_MAXACK_SET;
	st->told_end[dir] = nfsync_seq_max(st->told_end[dir], told->td_end);
	st->told_maxend[dir] = nfsync_seq_max(st->told_maxend[dir],
					      told->td_maxend);
}

static bool sees(const struct nfsync_state *st, int dir)
{
	return (u32)jiffies - READ_ONCE(st->seen_at[dir]) <
	       NFSYNC_SPLIT_JIFFIES && !nfsync_conntrack_slack(st, dir);
}

static void set_expire(struct nf_conn *ct, u32 told, u32 fallback)
{
	u32 s = nfsync_map_expire(told, fallback);

	if (!test_bit(IPS_FIXED_TIMEOUT_BIT, &ct->status) &&
	    !test_bit(IPS_OFFLOAD_BIT, &ct->status))
		__nf_ct_set_timeout(ct, (u64)max(s, 1U) * HZ);
}

static void set_mark(struct nf_conn *ct, u32 mark)
{
#ifdef CONFIG_NF_CONNTRACK_MARK
	WRITE_ONCE(ct->mark, mark);
#endif
}

static void set_status(struct nf_conn *ct, u8 status)
{
	if (status & NFSYNC_EXT_SEEN_REPLY)
		set_bit(IPS_SEEN_REPLY_BIT, &ct->status);
	if (status & NFSYNC_EXT_ASSURED)
		set_bit(IPS_ASSURED_BIT, &ct->status);
}

static u8 pic_status(const struct nfsync_map_ct *pic)
{
	return (pic->seen_reply ? NFSYNC_EXT_SEEN_REPLY : 0) |
	       (pic->assured ? NFSYNC_EXT_ASSURED : 0);
}

static void add_extensions(struct nf_conn *ct)
{
	struct nf_conn_tstamp *ts;

	nf_ct_acct_ext_add(ct, GFP_ATOMIC);
	nf_ct_tstamp_ext_add(ct, GFP_ATOMIC);
	nf_ct_ecache_ext_add(ct, 0, 0, GFP_ATOMIC);
	nf_ct_labels_ext_add(ct);
	nfct_seqadj_ext_add(ct);
	nfct_synproxy_ext_add(ct);
	ts = nf_conn_tstamp_find(ct);
	if (ts)
		ts->start = ktime_get_real_ns();
}

/*
 * An entry as the picture shows it, not in the table yet.  The windows follow
 * once it has a state to remember what was told; until then both sides have
 * td_maxwin 0, which lets the first packets set them.
 */
static struct nf_conn *entry_make(struct net *net,
				  const struct nf_conntrack_zone *zone,
				  const struct nf_conntrack_tuple *orig,
				  const struct nf_conntrack_tuple *repl,
				  const struct nfsync_map_ct *pic)
{
	struct nf_conn *ct;
	int err;

	ct = nf_conntrack_alloc(net, zone, orig, repl, GFP_ATOMIC);
	if (IS_ERR(ct))
		return ct;

	err = bind_nat(ct, repl);
	if (err) {
		nf_conntrack_free(ct);
		return ERR_PTR(err);
	}
	add_extensions(ct);
	ct->status |= IPS_CONFIRMED;
	set_status(ct, pic_status(pic));
	memset(&ct->proto, 0, sizeof(ct->proto));
	if (pic->proto == IPPROTO_TCP)
		ct->proto.tcp.state = pic->tcp_state;
	set_mark(ct, pic->mark);
	set_expire(ct, pic->expire,
		   default_expire(net, orig->src.l3num, pic->proto,
				  pic->tcp_state, pic->seen_reply));
	return ct;
}

static void count_refusal(struct nfsync_dev *nd, int err)
{
	nfsync_stats_inc(nd, err == -ENOSPC ? PFSYNC_STAT_IMP_CHAIN :
			     err == -ENOMEM ? PFSYNC_STAT_IMP_FULL :
					      PFSYNC_STAT_IMP_CONFLICT);
}

/* What an entry came with is what the peers know of it */
static void learn_picture(struct nfsync_dev *nd, struct nfsync_state *st,
			  const struct nfsync_msg_state *m,
			  const struct nfsync_map_ct *pic)
{
	struct nf_conn *ct = st->ct;
	u32 half = min_t(u32, pic->expire, NFSYNC_MAP_EXPIRE_MAX) / 2;
	int d;

	spin_lock_bh(&ct->lock);
	if (pic->proto == IPPROTO_TCP)
		for (d = 0; d < IP_CT_DIR_MAX; d++)
			set_seen(nd, st, ct, d, &pic->seen[d],
				 pic->seen[!d].td_maxwin);
	st->told_state = pic->tcp_state;
	st->told_status = pic_status(pic);
	st->told_mark = pic->mark;
	st->level[NFSYNC_SRC] = m->peer[NFSYNC_SRC].level;
	st->level[NFSYNC_DST] = m->peer[NFSYNC_DST].level;
	st->refresh_at = (u32)jiffies + max(half, 1U) * HZ;
	st->peer_at = jiffies;
	spin_unlock_bh(&ct->lock);
}

static void report_new(struct nf_conn *ct)
{
	nf_conntrack_eventmask_report(BIT(IPCT_NEW) | BIT(IPCT_REPLY) |
				      BIT(IPCT_ASSURED) | BIT(IPCT_PROTOINFO) |
				      BIT(IPCT_MARK), ct, 0, 0);
}

/* The entry is ours alone until it is in the table; then the table's too */
static struct nfsync_state *entry_insert(struct nfsync_dev *nd,
					 struct nf_conn *ct,
					 const struct nfsync_msg_state *m,
					 const struct nfsync_map_ct *pic)
{
	struct nfsync_state *st;
	int err;

	err = nf_conntrack_hash_check_insert(ct);
	if (err) {
		count_refusal(nd, err);
		nf_conntrack_free(ct);
		return NULL;
	}

	st = nfsync_state_learn(nd, ct, m->id, m->creatorid);
	if (!st) {
		/* an entry nobody can delete by its id is worse than none */
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_NOMEM);
		nf_ct_delete(ct, 0, 0);
		nf_ct_put(ct);
		return NULL;
	}
	learn_picture(nd, st, m, pic);
	nfsync_stats_inc(nd, PFSYNC_STAT_IMP_CREATED);
	report_new(ct);
	nf_ct_put(ct);
	return st;
}

/*
 * The connection is here already.  If nobody was told of it under the id it
 * has here, it takes the peer's; else both ids stay and the peer's news are
 * merged into the one entry (wire.md 3.6).
 */
static struct nfsync_state *entry_adopt(struct nfsync_dev *nd,
					struct nf_conn *ct,
					const struct nfsync_msg_state *m)
{
	struct nfsync_state *st = nfsync_state_find_ct(nd, ct);

	if (st && test_bit(NFSYNC_ST_TOLD, &st->flags)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_ALIAS);
		return st;
	}
	if (st && nfsync_queue_delete(nd, st, true))
		nfsync_state_unhash(nd, st);

	st = nfsync_state_learn(nd, ct, m->id, m->creatorid);
	if (!st) {
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_NOMEM);
		return NULL;
	}
	set_bit(NFSYNC_ST_LOCAL, &st->flags);
	nfsync_stats_inc(nd, PFSYNC_STAT_IMP_ADOPTED);
	return st;
}

static struct nfsync_state *
import_known(struct nfsync_dev *nd, struct nf_conntrack_tuple_hash *h,
	     const struct nf_conntrack_tuple *repl,
	     const struct nfsync_msg_state *m)
{
	struct nf_conn *ct = nf_ct_tuplehash_to_ctrack(h);
	struct nfsync_state *st = NULL;

	if (NF_CT_DIRECTION(h) != IP_CT_DIR_ORIGINAL ||
	    !nf_ct_tuple_equal(nf_ct_tuple(ct, IP_CT_DIR_REPLY), repl))
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_CONFLICT);
	else
		st = entry_adopt(nd, ct, m);
	if (st)
		nfsync_conntrack_update(nd, st, m->peer,
					m->has_ext ? &m->ext : NULL, m->expire);
	nf_ct_put(ct);
	return st;
}

/**
 * nfsync_conntrack_import() - make an entry of a state we do not know by id
 * @nd: device
 * @m: checked message
 *
 * Every refusal is counted by its reason; the next full update tries again.
 *
 * Context: softirq, RCU read side, no lock held.
 * Return: the state, valid until RCU ends, or NULL.
 */
struct nfsync_state *nfsync_conntrack_import(struct nfsync_dev *nd,
					     const struct nfsync_msg_state *m)
{
	struct nf_conntrack_tuple orig, repl;
	struct nf_conntrack_tuple_hash *h;
	struct nf_conntrack_zone zone;
	struct nfsync_map_ct pic;
	struct nf_conn *ct;

	if (nfsync_map_import(m, &pic) || !set_tuples(&pic, &orig, &repl)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_UNSUPP);
		return NULL;
	}
	nf_ct_zone_init(&zone, pic.zone, NF_CT_DEFAULT_ZONE_DIR, 0);

	h = nf_conntrack_find_get(nd->net, &zone, &orig);
	if (h)
		return import_known(nd, h, &repl, m);

	ct = entry_make(nd->net, &zone, &orig, &repl, &pic);
	if (IS_ERR(ct)) {
		count_refusal(nd, PTR_ERR(ct));
		return NULL;
	}
	return entry_insert(nd, ct, m, &pic);
}

static void __must_hold(&ct->lock)
update_side(struct nfsync_dev *nd, struct nfsync_state *st, struct nf_conn *ct,
	    int side, const struct nfsync_map_seen told[2], bool closed_first)
{
	struct nfsync_map_seen t = told[side];
	struct ip_ct_tcp_state *seen = &ct->proto.tcp.seen[side];
	struct ip_ct_tcp_state *other = &ct->proto.tcp.seen[!side];

	lockdep_assert_held(&ct->lock);

	/* UPD_C has no flags and rounds the window: what is known stays */
	t.flags |= seen->flags;
	t.td_maxwin = max(t.td_maxwin, seen->td_maxwin);
	if (closed_first)
		t.flags |= IP_CT_TCP_FLAG_CLOSE_INIT;
	if (sees(st, side))
		join_seen(st, ct, side, &t);
	else
		set_seen(nd, st, ct, side, &t,
			 max(told[!side].td_maxwin, other->td_maxwin));
}

static void __must_hold(&ct->lock)
update_tcp(struct nfsync_dev *nd, struct nfsync_state *st, struct nf_conn *ct,
	   const struct nfsync_msg_peer peer[2],
	   const struct nfsync_msg_ext *ext, unsigned int take)
{
	bool scaled = nfsync_map_both_scaled(peer);
	struct nfsync_msg_peer level[2] = {};
	struct nfsync_map_seen told[2];
	u8 closer[2], state;
	int i;

	lockdep_assert_held(&ct->lock);

	for (i = NFSYNC_SRC; i <= NFSYNC_DST; i++) {
		nfsync_map_import_peer(&peer[i], ext, i, scaled, &told[i]);
		level[i].level = st->level[i];
	}
	state = nfsync_map_tcp_state(level, closer);
	if (ext && ext->tcp_state && ext->tcp_state < TCP_CONNTRACK_MAX &&
	    take == NFSYNC_MERGE_TAKE_BOTH)
		state = ext->tcp_state;
	for (i = NFSYNC_SRC; i <= NFSYNC_DST; i++)
		if (take & BIT(i))
			update_side(nd, st, ct, i, told, closer[i]);
	ct->proto.tcp.state = state;
	WRITE_ONCE(st->told_state, state);
}

/* What this node holds, in the words of the merge rules */
static unsigned int __must_hold(&ct->lock)
judge(struct nfsync_state *st, struct nf_conn *ct,
      const struct nfsync_msg_peer peer[2])
{
	struct nfsync_msg_peer own[2];
	struct nfsync_map_ct pic;
	unsigned int take;
	u8 timeout;
	int i;

	lockdep_assert_held(&ct->lock);

	picture(st, ct, &pic);
	nfsync_map_export_peers(&pic, own, &timeout);
	raise_levels(st, ct, own);
	take = nfsync_merge_peers(pic.proto, own, peer);
	for (i = NFSYNC_SRC; i <= NFSYNC_DST; i++)
		if (take & BIT(i))
			st->level[i] = max(st->level[i], peer[i].level);
	return take;
}

static void __must_hold(&ct->lock)
update_rest(struct nfsync_dev *nd, struct nfsync_state *st, struct nf_conn *ct,
	    const struct nfsync_msg_peer peer[2],
	    const struct nfsync_msg_ext *ext, u32 expire)
{
	u8 status = ext ? ext->status :
			  nfsync_map_status(nf_ct_protonum(ct), peer);
	u32 half;

	lockdep_assert_held(&ct->lock);

	set_status(ct, status);
	WRITE_ONCE(st->told_status, ct_status(ct));
	if (ext) {
		set_mark(ct, ext->mark);
		WRITE_ONCE(st->told_mark, ext->mark);
	}
	set_expire(ct, expire,
		   default_expire(nd->net, nf_ct_l3num(ct), nf_ct_protonum(ct),
				  nf_ct_protonum(ct) == IPPROTO_TCP ?
				  ct->proto.tcp.state : 0,
				  status & NFSYNC_EXT_SEEN_REPLY));
	half = min_t(u32, nf_ct_expires(ct) / HZ, NFSYNC_MAP_EXPIRE_MAX) / 2;
	WRITE_ONCE(st->refresh_at, (u32)jiffies + max(half, 1U) * HZ);
}

/**
 * nfsync_conntrack_update() - merge what a peer says into an entry
 * @nd: device
 * @st: state the caller holds
 * @peer: both sides
 * @ext: the Linux trailer or NULL
 * @expire: seconds left, 0 = not told: conntrack's own for that state
 *
 * Each direction is judged alone (merge.c) and a refused one is not touched.
 * Who sent a stale one is answered with our view, once in a flush interval.
 *
 * Context: softirq, RCU read side, no lock held.
 */
void nfsync_conntrack_update(struct nfsync_dev *nd, struct nfsync_state *st,
			     const struct nfsync_msg_peer peer[2],
			     const struct nfsync_msg_ext *ext, u32 expire)
{
	struct nf_conn *ct = st->ct;
	unsigned int take;
	u8 before, after;

	spin_lock_bh(&ct->lock);
	before = st->told_state;
	take = judge(st, ct, peer);
	if (take & NFSYNC_MERGE_TAKE_BOTH) {
		if (nf_ct_protonum(ct) == IPPROTO_TCP)
			update_tcp(nd, st, ct, peer, ext,
				   take & NFSYNC_MERGE_TAKE_BOTH);
		update_rest(nd, st, ct, peer, ext, expire);
	}
	after = st->told_state;
	/* who moves it owns it: see nfsync_hooks for what that decides */
	if (!sees(st, IP_CT_DIR_ORIGINAL) && !sees(st, IP_CT_DIR_REPLY))
		clear_bit(NFSYNC_ST_LOCAL, &st->flags);
	WRITE_ONCE(st->peer_at, (u32)jiffies);
	spin_unlock_bh(&ct->lock);

	if (take & NFSYNC_MERGE_TAKE_BOTH)
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_UPDATED);
	if (before != after)
		nf_conntrack_eventmask_report(BIT(IPCT_PROTOINFO), ct, 0, 0);
	if (take & NFSYNC_MERGE_STALE) {
		nfsync_stats_inc(nd, PFSYNC_STAT_STALE);
		nfsync_queue_update(nd, st, false);
	}
}

/**
 * nfsync_conntrack_kill() - a peer ended a state: end the entry too
 * @nd: device
 * @st: state
 *
 * The state goes first, so that the entry's DESTROY finds nothing to tell.
 *
 * Context: softirq or process, RCU read side, no lock held.
 */
void nfsync_conntrack_kill(struct nfsync_dev *nd, struct nfsync_state *st)
{
	struct nf_conn *ct;

	if (!nfsync_state_get(st))
		return;
	if (nfsync_queue_delete(nd, st, false)) {
		ct = st->ct;
		nfsync_state_unhash(nd, st);
		nf_ct_delete(ct, 0, 0);
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_DELETED);
	}
	nfsync_state_put(st);
}

/* An entry older than the device.  One-way TCP is told with its reply */
static void walk_entry(struct nfsync_dev *nd, struct nf_conn *ct)
{
	struct nfsync_state *st;

	if (nf_ct_is_expired(ct) || !nfsync_conntrack_eligible(ct) ||
	    !test_bit(IPS_SEEN_REPLY_BIT, &ct->status) ||
	    nfsync_state_find_ct(nd, ct))
		return;
	if (!READ_ONCE(nd->cfg.local) && nfsync_conntrack_is_local(nd->net, ct))
		return;

	st = nfsync_state_new(nd, ct);
	if (st)
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
