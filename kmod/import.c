// SPDX-License-Identifier: GPL-2.0
/*
 * What peers say becomes conntrack entries, changes of them, and their ends.
 */
#include <linux/bitops.h>
#include <linux/netfilter.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_conntrack_labels.h>
#include <net/netfilter/nf_conntrack_seqadj.h>
#include <net/netfilter/nf_conntrack_synproxy.h>
#include <net/netfilter/nf_conntrack_timestamp.h>
#include <net/netfilter/nf_conntrack_tuple.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netfilter/nf_nat.h>
#include "conntrack.h"
#include "device.h"
#include "held.h"
#include "import.h"
#include "inject.h"
#include "map.h"
#include "merge.h"
#include "window.h"

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
	set_status(ct, nfsync_map_pic_status(pic));
	memset(&ct->proto, 0, sizeof(ct->proto));
	if (pic->proto == IPPROTO_TCP)
		ct->proto.tcp.state = pic->tcp_state;
	set_mark(ct, pic->mark);
	set_expire(ct, pic->expire,
		   nfsync_conntrack_default_expire(net, pic->proto,
						   pic->tcp_state,
						   pic->seen_reply));
	return ct;
}

/* Where there is no room this node lacks what others have, and says so */
static void count_refusal(struct nfsync_dev *nd, int err, u32 creatorid)
{
	nfsync_stats_inc(nd, err == -ENOSPC ? PFSYNC_STAT_IMP_CHAIN :
			     err == -ENOMEM ? PFSYNC_STAT_IMP_FULL :
					      PFSYNC_STAT_IMP_CONFLICT);
	if (err == -ENOSPC || err == -ENOMEM)
		nfsync_bulk_refused(nd, creatorid);
}

/* No memory; or the entry ends just now, and is in the way until it has */
static void count_no_state(struct nfsync_dev *nd, const struct nf_conn *ct,
			   u32 creatorid)
{
	if (nf_ct_is_dying(ct)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_CONFLICT);
		return;
	}
	nfsync_stats_inc(nd, PFSYNC_STAT_IMP_NOMEM);
	nfsync_bulk_refused(nd, creatorid);
}

/* What an entry came with is what the peers know of it */
static void learn_picture(struct nfsync_dev *nd, struct nfsync_state *st,
			  const struct nfsync_msg_state *m,
			  const struct nfsync_map_ct *pic)
{
	struct nf_conn *ct = st->ct;

	spin_lock_bh(&ct->lock);
	if (pic->proto == IPPROTO_TCP)
		nfsync_window_hear(nd, st, ct, pic->seen,
				   NFSYNC_MERGE_TAKE_BOTH, true);
	st->told_state = pic->tcp_state;
	st->told_status = nfsync_map_pic_status(pic);
	st->told_mark = pic->mark;
	st->level[NFSYNC_SRC] = m->peer[NFSYNC_SRC].level;
	st->level[NFSYNC_DST] = m->peer[NFSYNC_DST].level;
	nfsync_state_refresh(st, pic->expire);
	st->peer_at = jiffies;
	set_bit(NFSYNC_ST_ELSEWHERE, &st->flags);
	spin_unlock_bh(&ct->lock);
}

static void report_new(struct nf_conn *ct)
{
	nf_conntrack_eventmask_report(BIT(IPCT_NEW) | BIT(IPCT_REPLY) |
				      BIT(IPCT_ASSURED) | BIT(IPCT_PROTOINFO) |
				      BIT(IPCT_MARK), ct, 0, 0);
}

/*
 * Two nodes met the connection, each gave it an id, and one of the two has to
 * go, by a rule that needs no word between them: the lower creator's id stays,
 * and of one creator's the later, for the earlier connection has ended.  A BSD
 * can't take ours.
 */
static bool takes_name(const struct nfsync_dev *nd,
		       const struct nfsync_state *st,
		       const struct nfsync_msg_state *m)
{
	if (!test_bit(NFSYNC_ST_TOLD, &st->flags))
		return true;
	if (m->creatorid == st->creatorid)
		return m->id > st->id;
	if (!m->has_ext && st->creatorid == READ_ONCE(nd->cfg.hostid))
		return true;
	return m->creatorid < st->creatorid;
}

/* What the entry has been through stays with it, whatever its name */
static void inherit(struct nfsync_state *st, const struct nfsync_state *old)
{
	unsigned long bits = BIT(NFSYNC_ST_LOCAL) | BIT(NFSYNC_ST_SLACK) |
			     BIT(NFSYNC_ST_SLACK_REPLY) |
			     BIT(NFSYNC_ST_EDGE) | BIT(NFSYNC_ST_EDGE_REPLY) |
			     BIT(NFSYNC_ST_WIDE) |
			     BIT(NFSYNC_ST_FROZEN) | BIT(NFSYNC_ST_ASSUMED) |
			     BIT(NFSYNC_ST_DOUBTED) | BIT(NFSYNC_ST_ELSEWHERE);
	struct nf_conn *ct = st->ct;
	unsigned int b;

	spin_lock_bh(&ct->lock);
	memcpy(st->told_end, old->told_end, sizeof(st->told_end));
	memcpy(st->told_maxend, old->told_maxend, sizeof(st->told_maxend));
	memcpy(st->told_win, old->told_win, sizeof(st->told_win));
	memcpy(st->seen_at, old->seen_at, sizeof(st->seen_at));
	memcpy(st->here_end, old->here_end, sizeof(st->here_end));
	memcpy(st->here_at, old->here_at, sizeof(st->here_at));
	memcpy(st->level, old->level, sizeof(st->level));
	st->refresh_at = old->refresh_at;
	st->peer_at = old->peer_at;
	st->told_mark = old->told_mark;
	st->told_state = old->told_state;
	st->told_status = old->told_status;
	bits &= READ_ONCE(old->flags);
	for_each_set_bit(b, &bits, BITS_PER_LONG)
		set_bit(b, &st->flags);
	spin_unlock_bh(&ct->lock);
}

/* The entry is older than the name that it gets; @old is its state till now */
static struct nfsync_state *name_entry(struct nfsync_dev *nd,
				       struct nf_conn *ct,
				       const struct nfsync_msg_state *m,
				       const struct nfsync_state *old)
{
	struct nfsync_state *st;

	st = nfsync_state_learn(nd, ct, m->id, m->creatorid);
	if (!st) {
		/* a packet may have been faster; the next news tries again */
		st = nfsync_state_find_ct(nd, ct);
		if (st)
			nfsync_stats_inc(nd, PFSYNC_STAT_IMP_ALIAS);
		else
			count_no_state(nd, ct, m->creatorid);
		return st;
	}
	if (old) {
		inherit(st, old);
	} else {
		/* never told: its own numbers count (join_seen) */
		nfsync_state_assume(st);
		set_bit(NFSYNC_ST_LOCAL, &st->flags);
		set_bit(NFSYNC_ST_ELSEWHERE, &st->flags);
	}
	nfsync_stats_inc(nd, PFSYNC_STAT_IMP_ADOPTED);
	return st;
}

static spinlock_t *import_lock(struct nfsync_dev *nd, const struct nf_conn *ct)
{
	return &nd->queue.slice[nfsync_queue_slice(nd, ct)].import_lock;
}

/* The state of an entry, also if another processor is about to make it */
static struct nfsync_state *state_of(struct nfsync_dev *nd, struct nf_conn *ct)
{
	struct nfsync_state *st = nfsync_state_find_ct(nd, ct);

	if (st)
		return st;
	spin_lock_bh(import_lock(nd, ct));
	st = nfsync_state_find_ct(nd, ct);
	spin_unlock_bh(import_lock(nd, ct));
	return st;
}

/*
 * The connection is here already, under another id or under none.  It takes
 * the peer's, or the peer hears ours and takes that (wire.md 3.6).
 */
static struct nfsync_state *entry_adopt(struct nfsync_dev *nd,
					struct nf_conn *ct,
					const struct nfsync_msg_state *m)
{
	struct nfsync_state *st = state_of(nd, ct);

	if (!st)
		return name_entry(nd, ct, m, NULL);
	if (st->id == m->id && st->creatorid == m->creatorid)
		return st;
	if (!takes_name(nd, st, m)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_ALIAS);
		nfsync_queue_update_full(nd, st, true);
		return st;
	}
	nfsync_held_answered(nd, st, PFSYNC_STAT_DEFER_HEARD);
	/* without a word: the peers know the entry, and not by that name soon */
	if (nfsync_queue_delete(nd, st, false, false)) {
		nfsync_held_ended(nd, st);
		if (test_bit(NFSYNC_ST_TOLD, &st->flags))
			nfsync_tomb_put(nd, st->id, st->creatorid,
					NFSYNC_TOMB_RENAMED);
		nfsync_state_unhash(nd, st);
	}
	return name_entry(nd, ct, m, st);
}

/*
 * Into the table, and its state with it: another receiver that finds the entry
 * first would take it for one of ours, and waits for the lock.  A packet does
 * not, and may name it first.
 */
static int entry_insert(struct nfsync_dev *nd, struct nf_conn *ct,
			const struct nfsync_msg_state *m,
			const struct nfsync_map_ct *pic,
			struct nfsync_state **st)
{
	spinlock_t *lock = import_lock(nd, ct);
	int err;

	spin_lock_bh(lock);
	err = nf_conntrack_hash_check_insert(ct);
	if (!err) {
		NFSYNC_INJECT_AT(IMPORT_INSERTED, nd->net, ct);
		*st = nfsync_state_learn(nd, ct, m->id, m->creatorid);
		if (*st)
			learn_picture(nd, *st, m, pic);
	}
	spin_unlock_bh(lock);
	return err;
}

/* It is in the table; @st: its state, if that could be made */
static struct nfsync_state *entry_inserted(struct nfsync_dev *nd,
					   struct nf_conn *ct,
					   const struct nfsync_msg_state *m,
					   struct nfsync_state *st)
{
	if (st) {
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_CREATED);
		report_new(ct);
	} else if (nfsync_state_find_ct(nd, ct)) {
		st = entry_adopt(nd, ct, m);
	} else {
		/* an entry nobody can delete by its id is worse than none */
		count_no_state(nd, ct, m->creatorid);
		nf_ct_delete(ct, 0, 0);
	}
	nf_ct_put(ct);
	return st;
}

static struct nfsync_state *
import_known(struct nfsync_dev *nd, struct nf_conntrack_tuple_hash *h,
	     const struct nf_conntrack_tuple *repl,
	     const struct nfsync_msg_state *m)
{
	struct nf_conn *ct = nf_ct_tuplehash_to_ctrack(h);
	struct nfsync_state *st = NULL;

	NFSYNC_INJECT_AT(IMPORT_KNOWN, nd->net, ct);
	if (NF_CT_DIRECTION(h) != IP_CT_DIR_ORIGINAL ||
	    !nf_ct_tuple_equal(nf_ct_tuple(ct, IP_CT_DIR_REPLY), repl))
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_CONFLICT);
	else
		st = entry_adopt(nd, ct, m);
	if (st)
		nfsync_import_update(nd, st, m->peer,
				     m->has_ext ? &m->ext : NULL, m->expire);
	nf_ct_put(ct);
	return st;
}

/* Returns false if somebody else ended it */
static bool end_state(struct nfsync_dev *nd, struct nfsync_state *st,
		      bool announce)
{
	if (!nfsync_queue_delete(nd, st, announce, false))
		return false;
	nfsync_held_ended(nd, st);
	nfsync_state_unhash(nd, st);
	return true;
}

/* An entry for which another is to be made, and our reference to it */
static void drop_entry(struct nfsync_dev *nd, struct nf_conn *ct, bool announce)
{
	struct nfsync_state *st = nfsync_state_find_ct(nd, ct);

	if (st)
		end_state(nd, st, announce);
	nf_ct_delete(ct, 0, 0);
	nf_ct_put(ct);
}

/*
 * Two nodes had the first packet of one connection, and each translated it in a
 * way of its own.  As long as nobody answered one of the two can go, by the
 * same rule on both: the lower creator's stays.  Returns true when ours went,
 * and @h with it.
 */
static bool gives_way(struct nfsync_dev *nd, struct nf_conntrack_tuple_hash *h,
		      const struct nf_conntrack_tuple *repl,
		      const struct nfsync_msg_state *m)
{
	struct nf_conn *ct = nf_ct_tuplehash_to_ctrack(h);
	struct nfsync_state *st = nfsync_state_find_ct(nd, ct);

	if (NF_CT_DIRECTION(h) != IP_CT_DIR_ORIGINAL ||
	    test_bit(IPS_SEEN_REPLY_BIT, &ct->status) ||
	    nf_ct_tuple_equal(nf_ct_tuple(ct, IP_CT_DIR_REPLY), repl) ||
	    (st && m->creatorid >= st->creatorid))
		return false;

	/* others may have taken it, for they had not heard of the better one */
	drop_entry(nd, ct, true);
	nfsync_stats_inc(nd, PFSYNC_STAT_IMP_YIELDED);
	return true;
}

/* What was told of a tuple, beside the entry that has it here */
static enum nfsync_merge_kin
entry_kin(struct nfsync_dev *nd, const struct nf_conntrack_tuple_hash *h,
	  const struct nfsync_msg_state *m, const struct nfsync_map_ct *pic)
{
	struct nf_conn *ct = nf_ct_tuplehash_to_ctrack(h);
	struct nfsync_merge_conn own = {}, theirs = {};
	struct nfsync_state *st;

	if (NF_CT_DIRECTION(h) != IP_CT_DIR_ORIGINAL ||
	    nf_ct_protonum(ct) != IPPROTO_TCP)
		return NFSYNC_MERGE_SAME;

	theirs.tcp_state = pic->tcp_state;
	theirs.end = pic->seen[NFSYNC_SRC].td_end;
	theirs.moves = m->has_ext && m->ext.status & NFSYNC_EXT_MOVES;
	st = nfsync_state_find_ct(nd, ct);
	spin_lock_bh(&ct->lock);
	own.tcp_state = ct->proto.tcp.state;
	own.end = ct->proto.tcp.seen[NFSYNC_SRC].td_end;
	if (st)
		own.end = nfsync_window_end(st, NFSYNC_SRC, own.end);
	spin_unlock_bh(&ct->lock);
	/* before any packet showed it, that of a peer counts; one without a
	 * state was made just now, or is older than the device
	 */
	own.moves = st ? nfsync_state_passes(st) : !theirs.moves;
	return nfsync_merge_kin(&own, &theirs);
}

/* The tuple had another connection before this one: the peer is late */
static void keep_entry(struct nfsync_dev *nd, struct nf_conn *ct)
{
	struct nfsync_state *st = nfsync_state_find_ct(nd, ct);

	if (st)
		nfsync_queue_update_full(nd, st, true);
	nf_ct_put(ct);
	nfsync_stats_inc(nd, PFSYNC_STAT_IMP_EARLIER);
}

/* The next connection of the tuple is there; each peer hears of it and does so */
static void end_entry(struct nfsync_dev *nd, struct nf_conn *ct)
{
	drop_entry(nd, ct, false);
	nfsync_stats_inc(nd, PFSYNC_STAT_IMP_LATER);
}

/*
 * A peer's NAT gave out again what an entry here still has: of a connection
 * that has ended it may (nf_nat_used_tuple_harder()), and its end, if it is
 * told at all, may come behind the news of the next one.  Returns true when the
 * entry went.
 */
static bool gives_port(struct nfsync_dev *nd, const struct nf_conntrack_zone *z,
		       const struct nf_conntrack_tuple *repl,
		       const struct nfsync_map_ct *pic)
{
	struct nf_conntrack_tuple_hash *h;
	struct nf_conn *ct;

	if (pic->proto != IPPROTO_TCP || nfsync_conntrack_tcp_over(pic->tcp_state))
		return false;
	h = nf_conntrack_find_get(nd->net, z, repl);
	if (!h)
		return false;

	ct = nf_ct_tuplehash_to_ctrack(h);
	if (NF_CT_DIRECTION(h) != IP_CT_DIR_REPLY ||
	    !nfsync_conntrack_tcp_over(READ_ONCE(ct->proto.tcp.state))) {
		nf_ct_put(ct);
		return false;
	}
	end_entry(nd, ct);
	return true;
}

/* entry_make(), and again if somebody made room for it */
static struct nf_conn *entry_fit(struct nfsync_dev *nd,
				 const struct nf_conntrack_zone *zone,
				 const struct nf_conntrack_tuple *orig,
				 const struct nf_conntrack_tuple *repl,
				 const struct nfsync_map_ct *pic)
{
	struct nf_conn *ct = entry_make(nd->net, zone, orig, repl, pic);

	if (IS_ERR(ct) && PTR_ERR(ct) == -EEXIST &&
	    gives_port(nd, zone, repl, pic))
		ct = entry_make(nd->net, zone, orig, repl, pic);
	return ct;
}

/**
 * nfsync_import_state() - make an entry of a state we do not know by id
 * @nd: device
 * @m: checked message
 *
 * Every refusal is counted by its reason; the next full update tries again.
 *
 * Context: softirq, RCU read side, no lock held.
 * Return: the state, valid until RCU ends, or NULL.
 */
struct nfsync_state *nfsync_import_state(struct nfsync_dev *nd,
					 const struct nfsync_msg_state *m)
{
	struct nf_conntrack_tuple orig, repl;
	struct nf_conntrack_tuple_hash *h;
	struct nfsync_state *st = NULL;
	struct nf_conntrack_zone zone;
	enum nfsync_merge_kin kin;
	struct nfsync_map_ct pic;
	struct nf_conn *ct;
	int err;

	if (nfsync_map_import(m, &pic) || !set_tuples(&pic, &orig, &repl)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_UNSUPP);
		return NULL;
	}
	nf_ct_zone_init(&zone, pic.zone, NF_CT_DEFAULT_ZONE_DIR, 0);

	h = nf_conntrack_find_get(nd->net, &zone, &orig);
	kin = h ? entry_kin(nd, h, m, &pic) : NFSYNC_MERGE_SAME;
	if (kin == NFSYNC_MERGE_EARLIER) {
		keep_entry(nd, nf_ct_tuplehash_to_ctrack(h));
		return NULL;
	}
	if (kin == NFSYNC_MERGE_LATER)
		end_entry(nd, nf_ct_tuplehash_to_ctrack(h));
	else if (h && !gives_way(nd, h, &repl, m))
		return import_known(nd, h, &repl, m);

	NFSYNC_INJECT_AT(IMPORT_NEW, nd->net, NULL);
	ct = entry_fit(nd, &zone, &orig, &repl, &pic);
	if (IS_ERR(ct)) {
		count_refusal(nd, PTR_ERR(ct), m->creatorid);
		return NULL;
	}
	err = entry_insert(nd, ct, m, &pic, &st);
	if (!err)
		return entry_inserted(nd, ct, m, st);

	nf_conntrack_free(ct);
	/* of two that heard of it at once the other one was faster */
	h = err == -EEXIST ? nf_conntrack_find_get(nd->net, &zone, &orig) : NULL;
	if (h)
		return import_known(nd, h, &repl, m);
	count_refusal(nd, err, m->creatorid);
	return NULL;
}

/*
 * The last ack may pass here before the news of the FIN that it answers.  It
 * meant nothing to conntrack then, and does not come again.
 */
static bool is_last_acked(const struct nf_conn *ct,
			  const struct nfsync_map_seen told[2])
{
	const struct ip_ct_tcp_state *seen = ct->proto.tcp.seen;
	int closer = NFSYNC_SRC;

	if (!(seen[NFSYNC_SRC].flags & IP_CT_TCP_FLAG_CLOSE_INIT))
		closer = NFSYNC_DST;
	return seen[closer].flags & IP_CT_TCP_FLAG_CLOSE_INIT &&
	       seen[closer].flags & IP_CT_TCP_FLAG_MAXACK_SET &&
	       !nfsync_seq_after(told[!closer].td_end, seen[closer].td_maxack);
}

/* UPD_C has no flags: what is known stays */
static void numbers_told(const struct nf_conn *ct,
			 const struct nfsync_msg_peer peer[2],
			 const struct nfsync_msg_ext *ext,
			 struct nfsync_map_seen told[2])
{
	bool scaled = nfsync_map_both_scaled(peer);
	int i;

	for (i = NFSYNC_SRC; i <= NFSYNC_DST; i++) {
		nfsync_map_import_peer(&peer[i], ext, i, scaled, &told[i]);
		told[i].flags |= ct->proto.tcp.seen[i].flags;
	}
}

/* Returns whether this node knows of a state behind the one that was told */
static bool update_tcp(struct nfsync_state *st, struct nf_conn *ct,
		       const struct nfsync_map_seen told[2],
		       const struct nfsync_msg_ext *ext, unsigned int take)
	__must_hold(&ct->lock)
{
	struct nfsync_msg_peer level[2] = {};
	u8 closer[2], state;
	int i;

	lockdep_assert_held(&ct->lock);

	for (i = NFSYNC_SRC; i <= NFSYNC_DST; i++)
		level[i].level = st->level[i];
	state = nfsync_map_tcp_state(level, closer);
	if (ext && ext->tcp_state && ext->tcp_state < TCP_CONNTRACK_MAX &&
	    (take & NFSYNC_MERGE_TAKE_BOTH) == NFSYNC_MERGE_TAKE_BOTH)
		state = ext->tcp_state;

	for (i = NFSYNC_SRC; i <= NFSYNC_DST; i++)
		if (closer[i] && take & (NFSYNC_MERGE_TAKE_SRC << i))
			ct->proto.tcp.seen[i].flags |=
				IP_CT_TCP_FLAG_CLOSE_INIT;
	WRITE_ONCE(st->told_state, state);
	if (state == TCP_CONNTRACK_LAST_ACK && is_last_acked(ct, told))
		state = TCP_CONNTRACK_TIME_WAIT;
	ct->proto.tcp.state = state;
	return state != st->told_state;
}

/* Sides that the peer knows less of than we do, and may have seen more of */
static void loosen_tcp(struct nfsync_dev *nd, struct nfsync_state *st,
		       struct nf_conn *ct, unsigned int take)
	__must_hold(&ct->lock)
{
	int i;

	lockdep_assert_held(&ct->lock);

	for (i = NFSYNC_SRC; i <= NFSYNC_DST; i++)
		if (!(take & BIT(i)))
			nfsync_window_loosen(nd, st, ct, i);
	nfsync_window_widen(st, ct);
}

/* What this node holds, in the words of the merge rules */
static unsigned int judge(const struct nfsync_dev *nd, struct nfsync_state *st,
			  struct nf_conn *ct,
			  const struct nfsync_msg_peer peer[2])
	__must_hold(&ct->lock)
{
	struct nfsync_msg_peer own[2];
	struct nfsync_map_ct pic;
	unsigned int take;
	u8 timeout;
	int i;

	lockdep_assert_held(&ct->lock);

	nfsync_conntrack_picture(st, ct, &pic);
	nfsync_map_export_peers(&pic, own, &timeout);
	nfsync_conntrack_raise_levels(st, ct, own);
	take = nfsync_merge_peers(pic.proto, own, peer);
	if (nfsync_device_splits(nd) && take & NFSYNC_MERGE_STALE &&
	    pic.proto == IPPROTO_TCP)
		take |= nfsync_merge_edges(own, peer, take);
	for (i = NFSYNC_SRC; i <= NFSYNC_DST; i++)
		if (take & BIT(i))
			st->level[i] = max(st->level[i], peer[i].level);
	return take;
}

/*
 * The time told is the sender's for the TCP state that it had.  When a message
 * was overtaken by its successor that is not the entry's: five days would then
 * be given to a connection that has ended.
 */
static u32 expire_told(const struct nf_conn *ct,
		       const struct nfsync_msg_peer peer[2],
		       const struct nfsync_msg_ext *ext, u32 expire)
{
	u8 closer[2], state;

	if (nf_ct_protonum(ct) != IPPROTO_TCP)
		return expire;

	state = nfsync_map_tcp_state(peer, closer);
	if (ext && ext->tcp_state)
		state = ext->tcp_state;
	return state == ct->proto.tcp.state ? expire : 0;
}

/*
 * A mark has no order.  It is not taken without the numbers that came with it; one
 * of ours that was not told yet stays, and so does that of a flow which moves here
 * alone: what the peer says of it crossed with our news.  Returns false if the
 * peer is to hear of ours again.
 */
static bool update_mark(struct nfsync_state *st, struct nf_conn *ct,
			const struct nfsync_msg_ext *ext, bool taken)
	__must_hold(&ct->lock)
{
	u32 own = nfsync_conntrack_mark(ct);

	lockdep_assert_held(&ct->lock);

	if (ext->mark == own) {
		WRITE_ONCE(st->told_mark, own);
		return true;
	}
	if (!taken || own != READ_ONCE(st->told_mark) ||
	    (nfsync_state_passes(st) && !(ext->status & NFSYNC_EXT_MOVES)))
		return false;
	set_mark(ct, ext->mark);
	WRITE_ONCE(st->told_mark, ext->mark);
	return true;
}

static void update_rest(struct nfsync_dev *nd, struct nfsync_state *st,
			struct nf_conn *ct, const struct nfsync_msg_peer peer[2],
			const struct nfsync_msg_ext *ext, u32 expire, u8 before)
	__must_hold(&ct->lock)
{
	u8 status = ext ? ext->status :
			  nfsync_map_status(nf_ct_protonum(ct), peer);
	u8 tcp_state = 0;

	lockdep_assert_held(&ct->lock);

	set_status(ct, status);
	WRITE_ONCE(st->told_status, nfsync_conntrack_status(ct));
	if (nf_ct_protonum(ct) == IPPROTO_TCP)
		tcp_state = ct->proto.tcp.state;
	/* what passes here has its time from its packets, unless it moved on */
	if (nfsync_state_moves(st) && tcp_state == before)
		return;
	set_expire(ct, expire_told(ct, peer, ext, expire),
		   nfsync_conntrack_default_expire(nd->net, nf_ct_protonum(ct),
						   tcp_state, status &
						   NFSYNC_EXT_SEEN_REPLY));
	nfsync_state_refresh(st, nf_ct_expires(ct) / HZ);
}

/*
 * Two that see a half of a flow each tell what they see: what the sender lacks
 * crossed with its message, and a lost frame is noticed by its number.
 */
static bool is_on_its_way(unsigned int take, bool told)
{
	return take & NFSYNC_MERGE_NUMBERS || told;
}

/*
 * Who moves it owns it: see nfsync_hooks for what that decides.  A Linux node that
 * only answers, or tells all that it has, says that nothing passes there.
 */
static bool peer_owns(const struct nfsync_dev *nd,
		      const struct nfsync_state *st,
		      const struct nfsync_msg_ext *ext)
{
	return (!ext || ext->status & NFSYNC_EXT_MOVES) &&
	       !nfsync_window_sees(nd, st, IP_CT_DIR_ORIGINAL) &&
	       !nfsync_window_sees(nd, st, IP_CT_DIR_REPLY);
}

/*
 * The first word of a flow since a transfer was asked for.  The two did not hear
 * each other before that: a peer may have got the flow meanwhile, and told nobody,
 * and has the truth also of one that is silent now.  Not of what passes here: what
 * the peer hears of it in its turn says so.
 */
static bool may_be_elsewhere(const struct nfsync_dev *nd,
			     const struct nfsync_state *st)
{
	return READ_ONCE(st->heard_gen) != READ_ONCE(nd->bulk.gen) &&
	       !nfsync_state_passes(st);
}

/* Our view of what came in vain, which says whether packets pass here */
static void answer_stale(struct nfsync_dev *nd, struct nfsync_state *st)
{
	nfsync_stats_inc(nd, PFSYNC_STAT_STALE);
	if (nfsync_state_passes(st))
		nfsync_queue_update(nd, st, false);
	else
		nfsync_queue_update_full(nd, st, false);
}

/**
 * nfsync_import_update() - merge what a peer says into an entry
 * @nd: device
 * @st: state the caller holds
 * @peer: both sides
 * @ext: the Linux trailer or NULL
 * @expire: seconds left, 0 = not told: conntrack's own for that state
 *
 * What conntrack can't hold is refused whole, as in an insert.  Each direction
 * is judged alone (merge.c) and a refused one is not touched.  Who sent a
 * stale one is answered with our view, once in a flush interval.
 *
 * Context: softirq, RCU read side, no lock held.
 */
void nfsync_import_update(struct nfsync_dev *nd, struct nfsync_state *st,
			  const struct nfsync_msg_peer peer[2],
			  const struct nfsync_msg_ext *ext, u32 expire)
{
	struct nf_conn *ct = st->ct;
	bool elsewhere = ext && ext->status & NFSYNC_EXT_MOVES;
	bool further = false, farewell = false, marked = true;
	bool split, is_told, taken;
	struct nfsync_map_seen told[2];
	unsigned int take;
	u8 before, after;

	if (nf_ct_protonum(ct) == IPPROTO_TCP && nfsync_map_peers_check(peer)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_UNSUPP);
		return;
	}

	spin_lock_bh(&ct->lock);
	if (elsewhere || may_be_elsewhere(nd, st))
		set_bit(NFSYNC_ST_ELSEWHERE, &st->flags);
	if (elsewhere && test_bit(NFSYNC_ST_ASSUMED, &st->flags))
		nfsync_state_assume_not(st);
	before = st->told_state;
	take = judge(nd, st, ct, peer);
	split = nfsync_device_splits(nd) &&
		(u32)jiffies - st->peer_at < NFSYNC_WINDOW_SPLIT;
	is_told = nf_ct_protonum(ct) == IPPROTO_TCP &&
		  ct->proto.tcp.state == before;
	if (nf_ct_protonum(ct) == IPPROTO_TCP) {
		numbers_told(ct, peer, ext, told);
		farewell = nfsync_window_hear(nd, st, ct, told, take, elsewhere);
	}
	taken = take & (NFSYNC_MERGE_TAKE_BOTH | NFSYNC_MERGE_EDGE_BOTH);
	if (taken) {
		if (nf_ct_protonum(ct) == IPPROTO_TCP)
			further = update_tcp(st, ct, told, ext, take);
		update_rest(nd, st, ct, peer, ext, expire, before);
	}
	if (ext)
		marked = update_mark(st, ct, ext, taken);
	if (ext && ext->status & NFSYNC_EXT_BEHIND &&
	    nf_ct_protonum(ct) == IPPROTO_TCP)
		loosen_tcp(nd, st, ct, take);
	after = st->told_state;
	if (peer_owns(nd, st, ext))
		clear_bit(NFSYNC_ST_LOCAL, &st->flags);
	WRITE_ONCE(st->peer_at, (u32)jiffies);
	WRITE_ONCE(st->heard_gen, READ_ONCE(nd->bulk.gen));
	spin_unlock_bh(&ct->lock);

	nfsync_held_news(nd, st);
	if (take & NFSYNC_MERGE_TAKE_BOTH)
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_UPDATED);
	if (before != after)
		nf_conntrack_eventmask_report(BIT(IPCT_PROTOINFO), ct, 0, 0);
	if (take & NFSYNC_MERGE_STALE && !(split && is_on_its_way(take, is_told)))
		answer_stale(nd, st);
	if (!marked)
		nfsync_queue_update_full(nd, st, false);
	else if (further || farewell)
		nfsync_queue_update(nd, st, farewell);
}

/**
 * nfsync_import_kill() - a peer ended a state: end the entry too
 * @nd: device
 * @st: state
 *
 * The state goes first, so that the entry's DESTROY finds nothing to tell.
 *
 * Context: softirq or process, RCU read side, no lock held.
 */
void nfsync_import_kill(struct nfsync_dev *nd, struct nfsync_state *st)
{
	struct nf_conn *ct = st->ct;

	if (!nfsync_state_get(st))
		return;
	nfsync_held_answered(nd, st, PFSYNC_STAT_DEFER_DEL);
	if (end_state(nd, st, false)) {
		nf_ct_delete(ct, 0, 0);
		nfsync_stats_inc(nd, PFSYNC_STAT_IMP_DELETED);
	}
	nfsync_state_put(st);
}
