// SPDX-License-Identifier: GPL-2.0
/*
 * pf's picture of a connection and conntrack's, each from the other.
 *
 * One conntrack entry is one pf state of direction IN: the wire key is the
 * original tuple and the stack key the reply tuple inverted, which is how pf
 * says 'translated on the way in', so that all four ends travel in one state.
 */
#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/string.h>
#endif
#include "map.h"

#define MAP_PROTO_ICMP		1
#define MAP_PROTO_TCP		6
#define MAP_PROTO_UDP		17
#define MAP_PROTO_ICMPV6	58

#define MAP_ECHO		8
#define MAP_ECHO6		128

/* bytes, for split flows */
#define MAP_WIDE_TOLD		(192 << 10)
#define MAP_WIDE_SLACK		(768 << 10)

#define MAP_WSCALE_MAX		14	/* RFC 7323, and conntrack's cap */

#ifdef __KERNEL__
static_assert((int)NFSYNC_CT_NONE == (int)TCP_CONNTRACK_NONE);
static_assert((int)NFSYNC_CT_SYN_SENT == (int)TCP_CONNTRACK_SYN_SENT);
static_assert((int)NFSYNC_CT_SYN_RECV == (int)TCP_CONNTRACK_SYN_RECV);
static_assert((int)NFSYNC_CT_ESTABLISHED == (int)TCP_CONNTRACK_ESTABLISHED);
static_assert((int)NFSYNC_CT_FIN_WAIT == (int)TCP_CONNTRACK_FIN_WAIT);
static_assert((int)NFSYNC_CT_CLOSE_WAIT == (int)TCP_CONNTRACK_CLOSE_WAIT);
static_assert((int)NFSYNC_CT_LAST_ACK == (int)TCP_CONNTRACK_LAST_ACK);
static_assert((int)NFSYNC_CT_TIME_WAIT == (int)TCP_CONNTRACK_TIME_WAIT);
static_assert((int)NFSYNC_CT_CLOSE == (int)TCP_CONNTRACK_CLOSE);
static_assert((int)NFSYNC_CT_SYN_SENT2 == (int)TCP_CONNTRACK_SYN_SENT2);
static_assert((int)NFSYNC_CT_MAX == (int)TCP_CONNTRACK_MAX);
static_assert(NFSYNC_CT_F_WINDOW_SCALE == IP_CT_TCP_FLAG_WINDOW_SCALE);
static_assert(NFSYNC_CT_F_SACK_PERM == IP_CT_TCP_FLAG_SACK_PERM);
static_assert(NFSYNC_CT_F_CLOSE_INIT == IP_CT_TCP_FLAG_CLOSE_INIT);
static_assert(NFSYNC_CT_F_BE_LIBERAL == IP_CT_TCP_FLAG_BE_LIBERAL);
static_assert(NFSYNC_CT_F_MAXACK == IP_CT_TCP_FLAG_MAXACK_SET);
#endif

enum closer { CLOSER_ANY, CLOSER_SRC, CLOSER_DST };

/*
 * Furthest first: import takes the first pair that the received one reaches
 * on both sides, export the first one of the state and its closer.  pf's
 * both-closing pair (7,7) has no name of its own in conntrack.
 */
static const struct tcp_pair {
	u8 state;
	u8 closer;
	u8 level[2];
} tcp_pairs[] = {
	{ NFSYNC_CT_CLOSE, CLOSER_ANY,
	  { NFSYNC_TCPS_TIME_WAIT, NFSYNC_TCPS_TIME_WAIT } },
	{ NFSYNC_CT_TIME_WAIT, CLOSER_ANY,
	  { NFSYNC_TCPS_FIN_WAIT_2, NFSYNC_TCPS_FIN_WAIT_2 } },
	{ NFSYNC_CT_LAST_ACK, CLOSER_SRC,
	  { NFSYNC_TCPS_FIN_WAIT_2, NFSYNC_TCPS_CLOSING } },
	{ NFSYNC_CT_LAST_ACK, CLOSER_DST,
	  { NFSYNC_TCPS_CLOSING, NFSYNC_TCPS_FIN_WAIT_2 } },
	{ NFSYNC_CT_LAST_ACK, CLOSER_ANY,
	  { NFSYNC_TCPS_CLOSING, NFSYNC_TCPS_CLOSING } },
	{ NFSYNC_CT_CLOSE_WAIT, CLOSER_SRC,
	  { NFSYNC_TCPS_FIN_WAIT_2, NFSYNC_TCPS_ESTABLISHED } },
	{ NFSYNC_CT_CLOSE_WAIT, CLOSER_DST,
	  { NFSYNC_TCPS_ESTABLISHED, NFSYNC_TCPS_FIN_WAIT_2 } },
	{ NFSYNC_CT_FIN_WAIT, CLOSER_SRC,
	  { NFSYNC_TCPS_CLOSING, NFSYNC_TCPS_ESTABLISHED } },
	{ NFSYNC_CT_FIN_WAIT, CLOSER_DST,
	  { NFSYNC_TCPS_ESTABLISHED, NFSYNC_TCPS_CLOSING } },
	{ NFSYNC_CT_ESTABLISHED, CLOSER_ANY,
	  { NFSYNC_TCPS_ESTABLISHED, NFSYNC_TCPS_ESTABLISHED } },
	{ NFSYNC_CT_SYN_RECV, CLOSER_ANY,
	  { NFSYNC_TCPS_ESTABLISHED, NFSYNC_TCPS_SYN_SENT } },
	{ NFSYNC_CT_SYN_SENT2, CLOSER_ANY,
	  { NFSYNC_TCPS_SYN_SENT, NFSYNC_TCPS_SYN_SENT } },
	{ NFSYNC_CT_SYN_SENT, CLOSER_ANY,
	  { NFSYNC_TCPS_SYN_SENT, NFSYNC_TCPS_CLOSED } },
};

/* pf's default seconds by class: what a BSD counts a told time down from */
static const u32 bsd_seconds[] = {
	[NFSYNC_TMO_TCP_FIRST]		= 120,
	[NFSYNC_TMO_TCP_OPENING]	= 30,
	[NFSYNC_TMO_TCP_ESTABLISHED]	= 86400,
	[NFSYNC_TMO_TCP_CLOSING]	= 900,
	[NFSYNC_TMO_TCP_FIN_WAIT]	= 45,
	[NFSYNC_TMO_TCP_CLOSED]		= 90,
	[NFSYNC_TMO_UDP_FIRST]		= 60,
	[NFSYNC_TMO_UDP_SINGLE]		= 30,
	[NFSYNC_TMO_UDP_MULTIPLE]	= 60,
	[NFSYNC_TMO_ICMP_FIRST]		= 20,
	[NFSYNC_TMO_ICMP_ERROR]		= 10,
	[NFSYNC_TMO_OTHER_FIRST]	= 60,
	[NFSYNC_TMO_OTHER_SINGLE]	= 30,
	[NFSYNC_TMO_OTHER_MULTIPLE]	= 60,
};

static bool is_icmp(u8 proto)
{
	return proto == MAP_PROTO_ICMP || proto == MAP_PROTO_ICMPV6;
}

/* a side that conntrack has not heard yet: its numbers mean nothing */
static bool is_silent(const struct nfsync_msg_peer *p)
{
	return p->level < NFSYNC_TCPS_SYN_SENT;
}

static u8 closer_of(const struct nfsync_map_seen seen[2])
{
	if (seen[NFSYNC_SRC].flags & NFSYNC_CT_F_CLOSE_INIT)
		return CLOSER_SRC;
	if (seen[NFSYNC_DST].flags & NFSYNC_CT_F_CLOSE_INIT)
		return CLOSER_DST;
	return CLOSER_SRC;
}

static void export_tcp_levels(const struct nfsync_map_ct *ct,
			      struct nfsync_msg_peer peer[2])
{
	u8 closer = closer_of(ct->seen);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tcp_pairs); i++) {
		const struct tcp_pair *p = &tcp_pairs[i];

		if (p->state != ct->tcp_state)
			continue;
		if (p->closer != CLOSER_ANY && p->closer != closer)
			continue;
		peer[NFSYNC_SRC].level = p->level[NFSYNC_SRC];
		peer[NFSYNC_DST].level = p->level[NFSYNC_DST];
		return;
	}
}

/* conntrack caps what packets say, but not what ctnetlink is told to set */
static u8 scale_cap(u8 scale)
{
	return scale > MAP_WSCALE_MAX ? MAP_WSCALE_MAX : scale;
}

/*
 * 0 is left for 'not known', which conntrack has too and learns again from
 * the next packet.
 */
static u16 export_max_win(const struct nfsync_map_seen *seen)
{
	u32 win = seen->td_maxwin >> scale_cap(seen->td_scale);

	if (!seen->td_maxwin)
		return 0;
	if (!win)
		return 1;
	return win > 0xffff ? 0xffff : win;
}

/* 1 as the right edge and window of a silent side is what pf itself has */
static void export_window(const struct nfsync_map_seen *seen,
			  struct nfsync_msg_peer *p)
{
	if (is_silent(p)) {
		p->seqhi = 1;
		p->max_win = 1;
		return;
	}
	p->seqlo = seen->td_end;
	p->seqhi = seen->td_maxend;
	p->max_win = export_max_win(seen);
}

/*
 * Scaling holds only when both sides offered it.  While the responder is
 * silent the initiator's offer must travel, or the answer to it would be
 * taken for a refusal.
 */
static bool export_scaled(const struct nfsync_map_seen seen[2],
			  const struct nfsync_msg_peer peer[2], int side)
{
	if (!(seen[side].flags & NFSYNC_CT_F_WINDOW_SCALE) ||
	    is_silent(&peer[side]))
		return false;
	return is_silent(&peer[!side]) ||
	       seen[!side].flags & NFSYNC_CT_F_WINDOW_SCALE;
}

static void export_tcp_peers(const struct nfsync_map_ct *ct,
			     struct nfsync_msg_peer peer[2])
{
	int i;

	export_tcp_levels(ct, peer);
	for (i = NFSYNC_SRC; i <= NFSYNC_DST; i++) {
		export_window(&ct->seen[i], &peer[i]);
		if (export_scaled(ct->seen, peer, i))
			peer[i].wscale = NFSYNC_WSCALE_FLAG |
					 scale_cap(ct->seen[i].td_scale);
	}
}

static void export_other_levels(const struct nfsync_map_ct *ct,
				struct nfsync_msg_peer peer[2])
{
	if (is_icmp(ct->proto))
		return;
	peer[NFSYNC_SRC].level = ct->seen_reply ? NFSYNC_OTHERS_MULTIPLE :
						  NFSYNC_OTHERS_SINGLE;
	if (ct->seen_reply)
		peer[NFSYNC_DST].level = ct->assured ? NFSYNC_OTHERS_MULTIPLE :
						       NFSYNC_OTHERS_SINGLE;
}

/**
 * nfsync_map_export_peers - the two peers of an entry and its timeout class
 * @ct: picture of the entry, numbers in host order, windows in bytes
 * @peer: filled completely, [NFSYNC_SRC] from the original direction
 * @timeout: enum nfsync_timeout
 *
 * This is all that an UPD_C carries.  conntrack has one state where pf has
 * two levels; a node that learned higher levels from a pf peer has to raise
 * these to what it heard, or that peer calls every update stale.
 *
 * Context: any, pure.
 */
void nfsync_map_export_peers(const struct nfsync_map_ct *ct,
			     struct nfsync_msg_peer peer[2], u8 *timeout)
{
	memset(peer, 0, 2 * sizeof(*peer));
	if (ct->proto == MAP_PROTO_TCP)
		export_tcp_peers(ct, peer);
	else
		export_other_levels(ct, peer);
	*timeout = nfsync_map_timeout(ct->proto, peer, ct->seen_reply,
				      ct->assured);
}

static void addr_copy(u8 to[16], const u8 from[16], u8 af)
{
	memset(to, 0, 16);
	memcpy(to, from, af == NFSYNC_AF_INET ? 4 : 16);
}

static void key_set(struct nfsync_msg_key *key, const struct nfsync_map_ct *ct,
		    const struct nfsync_map_end *src,
		    const struct nfsync_map_end *dst, u16 src_port)
{
	addr_copy(key->addr[0], src->addr, ct->af);
	addr_copy(key->addr[1], dst->addr, ct->af);
	key->port[0] = src_port;
	key->port[1] = is_icmp(ct->proto) ? ct->icmp_type : dst->port;
	key->af = ct->af;
}

/* The ICMP id of a direction is at its source, also where that is index 1 */
static void export_keys(const struct nfsync_map_ct *ct,
			struct nfsync_msg_key key[2])
{
	u16 port = is_icmp(ct->proto) ? ct->tuple[1].src.port :
					ct->tuple[1].dst.port;

	key_set(&key[NFSYNC_KEY_WIRE], ct, &ct->tuple[0].src,
		&ct->tuple[0].dst, ct->tuple[0].src.port);
	key_set(&key[NFSYNC_KEY_STACK], ct, &ct->tuple[1].dst,
		&ct->tuple[1].src, port);
}

static void export_ext(const struct nfsync_map_ct *ct,
		       struct nfsync_msg_ext *ext)
{
	int i;

	ext->mark = ct->mark;
	ext->zone = ct->zone;
	ext->status = nfsync_map_pic_status(ct);
	if (ct->proto != MAP_PROTO_TCP)
		return;
	ext->tcp_state = ct->tcp_state;
	for (i = NFSYNC_SRC; i <= NFSYNC_DST; i++) {
		ext->max_win[i] = ct->seen[i].td_maxwin;
		ext->tcp_flags[i] = ct->seen[i].flags & NFSYNC_CT_F_TRAVEL;
	}
}

/**
 * nfsync_map_export - a whole pf state from an entry
 * @ct: picture of the entry
 * @m: filled completely; id, creatorid, the counters and NFSYNC_STATE_ACK
 *	are 0 and the caller's to set
 *
 * What pf has and conntrack has not (rules, routing, scrubbing) is sent as
 * 'none', so that a BSD attaches its default rule.  @m->expire is the time
 * left as conntrack counts it; for a BSD see nfsync_map_expire_bsd().
 *
 * Context: any, pure.
 */
void nfsync_map_export(const struct nfsync_map_ct *ct,
		       struct nfsync_msg_state *m)
{
	memset(m, 0, sizeof(*m));
	memcpy(m->ifname, "all", sizeof("all"));
	export_keys(ct, m->key);
	nfsync_map_export_peers(ct, m->peer, &m->timeout);
	m->rule = 0xffffffff;
	m->anchor = 0xffffffff;
	m->nat_rule = 0xffffffff;
	m->creation = ct->age;
	m->expire = ct->expire;
	m->rtableid[0] = -1;
	m->rtableid[1] = -1;
	m->af = ct->af;
	m->proto = ct->proto;
	m->direction = NFSYNC_DIR_IN;
	if (ct->no_windows)
		m->state_flags |= NFSYNC_STATE_SLOPPY;
	m->has_ext = true;
	export_ext(ct, &m->ext);
}

/* Older senders left a key's family out when it is the state's */
static u8 key_af(const struct nfsync_msg_state *m, int key)
{
	return m->key[key].af ? m->key[key].af : m->af;
}

static bool af_good(const struct nfsync_msg_state *m)
{
	u8 af = key_af(m, NFSYNC_KEY_WIRE);

	return af == key_af(m, NFSYNC_KEY_STACK) &&
	       (af == NFSYNC_AF_INET || af == NFSYNC_AF_INET6);
}

/* An ordinary OpenBSD state has 0 in one slot and -1 in the other */
static bool is_rerouted(const struct nfsync_msg_state *m)
{
	return m->rt || m->rtableid[0] > 0 || m->rtableid[1] > 0 ||
	       m->rtableid[0] < -1 || m->rtableid[1] < -1;
}

/* Those that are told of, too: the others have no numbers, or more than ports */
static bool proto_good(u8 proto, u8 af)
{
	switch (proto) {
	case MAP_PROTO_TCP:
	case MAP_PROTO_UDP:
		return true;
	case MAP_PROTO_ICMP:
		return af == NFSYNC_AF_INET;
	case MAP_PROTO_ICMPV6:
		return af == NFSYNC_AF_INET6;
	default:
		return false;
	}
}

/**
 * nfsync_map_peers_check - can conntrack hold these sides of a TCP connection?
 * @peer: both sides as received
 *
 * Not while a proxy opens it, and not with sequence numbers that one node
 * modulates: neither has a place in an entry.
 *
 * Context: any, pure.
 * Return: NFSYNC_MAP_OK, NFSYNC_MAP_PROXY or NFSYNC_MAP_SEQDIFF.
 */
enum nfsync_map_err nfsync_map_peers_check(const struct nfsync_msg_peer peer[2])
{
	int i;

	for (i = NFSYNC_SRC; i <= NFSYNC_DST; i++) {
		if (peer[i].level >= NFSYNC_TCPS_PROXY_SRC)
			return NFSYNC_MAP_PROXY;
		if (peer[i].seqdiff)
			return NFSYNC_MAP_SEQDIFF;
	}
	return NFSYNC_MAP_OK;
}

static enum nfsync_map_err import_check(const struct nfsync_msg_state *m)
{
	if (!af_good(m))
		return NFSYNC_MAP_AF;
	if (m->key[0].rdomain || m->key[1].rdomain)
		return NFSYNC_MAP_RDOMAIN;
	if (is_rerouted(m))
		return NFSYNC_MAP_ROUTE;
	if (!proto_good(m->proto, key_af(m, NFSYNC_KEY_WIRE)))
		return NFSYNC_MAP_PROTO;
	if (m->proto == MAP_PROTO_TCP)
		return nfsync_map_peers_check(m->peer);
	return NFSYNC_MAP_OK;
}

/* the queries for which conntrack makes an entry */
static bool icmp_is_query(u8 proto, u16 type)
{
	if (proto == MAP_PROTO_ICMPV6)
		return type == MAP_ECHO6 || type == 139;
	return type == MAP_ECHO || type == 13 || type == 15 || type == 17;
}

static void end_set(struct nfsync_map_end *end, const struct nfsync_msg_key *key,
		    int slot, u8 af)
{
	addr_copy(end->addr, key->addr[slot], af);
	end->port = key->port[slot];
}

/*
 * pf keeps the initiator at index 0 for IN and at 1 for OUT.  The wire side
 * is before translation for IN and after it for OUT; that of an OUT half the
 * reply comes from.
 */
static void import_tuples(const struct nfsync_msg_state *m,
			  struct nfsync_map_ct *ct)
{
	bool out = m->direction == NFSYNC_DIR_OUT;
	const struct nfsync_msg_key *orig, *repl;
	int src = out ? 1 : 0;

	orig = &m->key[out ? NFSYNC_KEY_STACK : NFSYNC_KEY_WIRE];
	repl = &m->key[out ? NFSYNC_KEY_WIRE : NFSYNC_KEY_STACK];
	end_set(&ct->tuple[0].src, orig, src, ct->af);
	end_set(&ct->tuple[0].dst, orig, !src, ct->af);
	end_set(&ct->tuple[1].src, repl, !src, ct->af);
	end_set(&ct->tuple[1].dst, repl, src, ct->af);
}

/*
 * The destination slot has the query's type, or by FreeBSD's older custom
 * the id once more, which then can only be an echo.  An id that happens to
 * be the number of a query reads as that query: few ids, and a custom that
 * is dying out.
 */
static enum nfsync_map_err import_icmp(struct nfsync_map_ct *ct)
{
	u16 id = ct->tuple[0].src.port;
	u16 type = ct->tuple[0].dst.port;

	if (!icmp_is_query(ct->proto, type)) {
		if (type != id)
			return NFSYNC_MAP_PROTO;
		type = ct->proto == MAP_PROTO_ICMP ? MAP_ECHO : MAP_ECHO6;
	}
	ct->icmp_type = type;
	ct->tuple[0].dst.port = 0;
	ct->tuple[1].src.port = ct->tuple[1].dst.port;
	ct->tuple[1].dst.port = 0;
	return NFSYNC_MAP_OK;
}

/**
 * nfsync_map_both_scaled - do the windows of a connection scale?
 * @peer: both sides as received
 *
 * A silent responder does not object: the initiator's offer has to be known
 * to whoever sees the answer.
 *
 * Context: any, pure.
 * Return: what nfsync_map_import_peer() wants as @both_scaled.
 */
bool nfsync_map_both_scaled(const struct nfsync_msg_peer peer[2])
{
	int i;

	for (i = NFSYNC_SRC; i <= NFSYNC_DST; i++)
		if (!is_silent(&peer[i]) &&
		    !(peer[i].wscale & NFSYNC_WSCALE_FLAG))
			return false;
	return true;
}

/**
 * nfsync_map_import_peer - conntrack's numbers of one direction
 * @p: the side as received
 * @ext: the Linux trailer, or NULL when it did not travel
 * @side: NFSYNC_SRC or NFSYNC_DST, the index into @ext
 * @both_scaled: see nfsync_map_both_scaled()
 * @seen: filled completely; exact, without slack
 *
 * A silent side stays zero, which conntrack takes for 'not seen yet'; a
 * window of 0 too is conntrack's 'not known'.  td_maxack does not travel, so
 * its flag is never set: a stale one would refuse good resets.
 *
 * Context: any, pure.
 */
void nfsync_map_import_peer(const struct nfsync_msg_peer *p,
			    const struct nfsync_msg_ext *ext, int side,
			    bool both_scaled, struct nfsync_map_seen *seen)
{
	memset(seen, 0, sizeof(*seen));
	seen->flags = NFSYNC_CT_F_SACK_PERM;
	if (ext)
		seen->flags = ext->tcp_flags[side] & NFSYNC_CT_F_TRAVEL;
	if (is_silent(p))
		return;
	if (both_scaled && p->wscale & NFSYNC_WSCALE_FLAG) {
		seen->flags |= NFSYNC_CT_F_WINDOW_SCALE;
		seen->td_scale = scale_cap(p->wscale & NFSYNC_WSCALE_MASK);
	}
	seen->td_end = p->seqlo;
	seen->td_maxend = p->seqhi;
	seen->td_maxwin = ext ? ext->max_win[side] :
				(u32)p->max_win << seen->td_scale;
}

/**
 * nfsync_map_tcp_state - conntrack's state of a pair of pf levels
 * @peer: both sides as received
 * @close_init: set to 1 for the side that closed first, else 0; of two that
 *	are equally far the initiator is named, as all that depends on it is
 *	whether a new SYN may replace the entry
 *
 * It is the furthest state whose own pair of levels both sides have reached.
 *
 * Context: any, pure.
 * Return: enum nfsync_ct, never NFSYNC_CT_NONE.
 */
u8 nfsync_map_tcp_state(const struct nfsync_msg_peer peer[2], u8 close_init[2])
{
	u8 src = peer[NFSYNC_SRC].level, dst = peer[NFSYNC_DST].level;
	u8 state = NFSYNC_CT_SYN_SENT;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tcp_pairs); i++) {
		if (src < tcp_pairs[i].level[NFSYNC_SRC] ||
		    dst < tcp_pairs[i].level[NFSYNC_DST])
			continue;
		state = tcp_pairs[i].state;
		break;
	}
	close_init[NFSYNC_SRC] = 0;
	close_init[NFSYNC_DST] = 0;
	if (state >= NFSYNC_CT_FIN_WAIT && state <= NFSYNC_CT_CLOSE)
		close_init[dst > src ? NFSYNC_DST : NFSYNC_SRC] = 1;
	return state;
}

static void import_tcp(const struct nfsync_msg_state *m,
		       struct nfsync_map_ct *ct)
{
	const struct nfsync_msg_ext *ext = m->has_ext ? &m->ext : NULL;
	bool scaled = nfsync_map_both_scaled(m->peer);
	u8 close_init[2];
	int i;

	if (ext && (!ext->tcp_state || ext->tcp_state >= NFSYNC_CT_MAX))
		ext = NULL;
	ct->tcp_state = nfsync_map_tcp_state(m->peer, close_init);
	if (ext)
		ct->tcp_state = ext->tcp_state;
	for (i = NFSYNC_SRC; i <= NFSYNC_DST; i++) {
		nfsync_map_import_peer(&m->peer[i], ext, i, scaled,
				       &ct->seen[i]);
		if (!ext && close_init[i])
			ct->seen[i].flags |= NFSYNC_CT_F_CLOSE_INIT;
		if (ct->no_windows) {
			ct->seen[i].td_maxwin = 0;
			ct->seen[i].flags |= NFSYNC_CT_F_BE_LIBERAL;
		}
	}
}

/**
 * nfsync_map_status - what a pair of levels says of seen-reply and assured
 * @proto: IP protocol number
 * @peer: both sides as received
 *
 * ICMP has no levels, there it is always 0.
 *
 * Context: any, pure.
 * Return: NFSYNC_EXT_SEEN_REPLY, NFSYNC_EXT_ASSURED.
 */
u8 nfsync_map_status(u8 proto, const struct nfsync_msg_peer peer[2])
{
	u8 src = peer[NFSYNC_SRC].level, dst = peer[NFSYNC_DST].level;
	u8 replied = NFSYNC_OTHERS_SINGLE, both = NFSYNC_OTHERS_MULTIPLE;
	u8 status = 0;

	if (proto == MAP_PROTO_TCP) {
		replied = NFSYNC_TCPS_SYN_SENT;
		both = NFSYNC_TCPS_ESTABLISHED;
	}
	if (dst >= replied)
		status |= NFSYNC_EXT_SEEN_REPLY;
	if (src >= both && dst >= both)
		status |= NFSYNC_EXT_ASSURED;
	return status;
}

static void import_status(const struct nfsync_msg_state *m,
			  struct nfsync_map_ct *ct)
{
	u8 status = nfsync_map_status(m->proto, m->peer);

	if (m->has_ext) {
		ct->mark = m->ext.mark;
		ct->zone = m->ext.zone;
		status = m->ext.status;
	}
	ct->seen_reply = status & NFSYNC_EXT_SEEN_REPLY;
	ct->assured = status & NFSYNC_EXT_ASSURED;
}

/**
 * nfsync_map_import - a picture of an entry from a received pf state
 * @m: the state, its values checked by the decoder
 * @ct: filled completely, also when refused; windows exact, without slack
 *
 * A BSD's IN half knows of DNAT and its OUT half of SNAT, so that an entry
 * from one half alone lacks the other translation; a Linux node's state has
 * both.  With the trailer the picture is the sender's own, else it follows
 * from the levels.  @ct->expire is 0 when it was not told.  A sloppy state
 * (@ct->no_windows) has td_maxwin 0 and IP_CT_TCP_FLAG_BE_LIBERAL on both
 * sides: conntrack learns its windows anew.
 *
 * Context: any, pure.
 * Return: NFSYNC_MAP_OK, or why no entry can stand for this state; its id
 * is then to be remembered, so that updates of it ask for nothing.
 */
enum nfsync_map_err nfsync_map_import(const struct nfsync_msg_state *m,
				      struct nfsync_map_ct *ct)
{
	enum nfsync_map_err err = import_check(m);

	memset(ct, 0, sizeof(*ct));
	if (err)
		return err;
	ct->af = key_af(m, NFSYNC_KEY_WIRE);
	ct->proto = m->proto;
	ct->expire = m->expire;
	ct->age = m->creation;
	import_tuples(m, ct);
	import_status(m, ct);
	if (m->proto == MAP_PROTO_TCP) {
		ct->no_windows = m->state_flags & NFSYNC_STATE_SLOPPY;
		import_tcp(m, ct);
	} else if (is_icmp(m->proto)) {
		err = import_icmp(ct);
	}
	return err;
}

static u8 timeout_tcp(u8 src, u8 dst)
{
	u8 low = min(src, dst);
	u8 high = max(src, dst);

	if (low >= NFSYNC_TCPS_FIN_WAIT_2)
		return NFSYNC_TMO_TCP_CLOSED;
	if (low >= NFSYNC_TCPS_CLOSING)
		return NFSYNC_TMO_TCP_FIN_WAIT;
	if (low < NFSYNC_TCPS_ESTABLISHED)
		return dst == NFSYNC_TCPS_CLOSED ? NFSYNC_TMO_TCP_FIRST :
						   NFSYNC_TMO_TCP_OPENING;
	if (high >= NFSYNC_TCPS_CLOSING)
		return NFSYNC_TMO_TCP_CLOSING;
	return NFSYNC_TMO_TCP_ESTABLISHED;
}

/**
 * nfsync_map_timeout - pf's timeout class of a connection
 * @proto: IP protocol number
 * @peer: both sides, for TCP
 * @seen_reply: for the others
 * @assured: for the others
 *
 * Context: any, pure.
 * Return: enum nfsync_timeout.
 */
u8 nfsync_map_timeout(u8 proto, const struct nfsync_msg_peer peer[2],
		      bool seen_reply, bool assured)
{
	u8 first = NFSYNC_TMO_OTHER_FIRST;

	if (proto == MAP_PROTO_TCP)
		return timeout_tcp(peer[NFSYNC_SRC].level,
				   peer[NFSYNC_DST].level);
	if (is_icmp(proto))
		return NFSYNC_TMO_ICMP_FIRST;
	if (proto == MAP_PROTO_UDP)
		first = NFSYNC_TMO_UDP_FIRST;
	if (!seen_reply)
		return first;
	return assured ? first + 2 : first + 1;
}

/**
 * nfsync_map_expire - seconds to give an imported entry
 * @told: s left as received, 0 = not told
 * @fallback: s that conntrack itself gives this state
 *
 * Context: any, pure.
 * Return: seconds, at most NFSYNC_MAP_EXPIRE_MAX: beyond it a timeout in
 * jiffies would look expired.
 */
u32 nfsync_map_expire(u32 told, u32 fallback)
{
	u32 s = told ? told : fallback;

	return s > NFSYNC_MAP_EXPIRE_MAX ? NFSYNC_MAP_EXPIRE_MAX : s;
}

/**
 * nfsync_map_expire_bsd - seconds left as a BSD may hear them
 * @left: s left
 * @timeout: enum nfsync_timeout that goes with it
 *
 * FreeBSD takes a time longer than its own timeout for one that ran out
 * long ago and drops the state at once.
 *
 * Context: any, pure.
 * Return: seconds, at most pf's default of that class.
 */
u32 nfsync_map_expire_bsd(u32 left, u8 timeout)
{
	if (timeout >= ARRAY_SIZE(bsd_seconds))
		return 0;
	return left > bsd_seconds[timeout] ? bsd_seconds[timeout] : left;
}

/**
 * nfsync_map_urgent - how far a direction may move before it is told at once
 * @other_maxwin: as for nfsync_map_threshold()
 *
 * Once moved by more than this the slice is flushed at the end of the
 * softirq batch.
 *
 * Context: any, pure.
 * Return: bytes.
 */
u32 nfsync_map_urgent(u32 other_maxwin)
{
	return other_maxwin / 2;
}

/**
 * nfsync_map_slack - what import adds to a direction this node does not see
 * @other_maxwin: td_maxwin of the other side as received, bytes
 *
 * To be added to td_end and td_maxend: the telling bound, a half, and a
 * quarter for what passes while the message is under way.  The other side's
 * td_maxwin must become nfsync_map_slack_win() with it.
 *
 * Context: any, pure.
 * Return: bytes, less than @other_maxwin, 0 for 0.
 */
u32 nfsync_map_slack(u32 other_maxwin)
{
	return other_maxwin / 4 * 3 + other_maxwin % 4 * 3 / 4;
}

static u32 win_with_slack(u32 maxwin, u32 slack)
{
	u64 win = (u64)maxwin + 2 * (u64)slack;

	return win > 0xffffffffU ? 0xffffffffU : win;
}

/**
 * nfsync_map_slack_win - td_maxwin that goes with the other side's slack
 * @maxwin: td_maxwin of a side as received, bytes
 *
 * conntrack takes an ack or a repeated segment more than td_maxwin below
 * td_end for too old: it passes, but nothing is learned from it, and what
 * acknowledges the data in it is then invalid.  With a full window under way
 * a good packet is exactly that far below the true td_end, so that td_end
 * may not go up by slack without td_maxwin.  A second slack is for a window
 * that grew since it was told: it moves td_maxend as far, hence by no more.
 *
 * In turn the overshoot that conntrack forgives grows: data up to three and
 * a quarter windows beyond the true right edge may pass, instead of one.
 *
 * Context: any, pure.
 * Return: bytes, 0 for 0: not known stays not known.
 */
u32 nfsync_map_slack_win(u32 maxwin)
{
	return win_with_slack(maxwin, nfsync_map_slack(maxwin));
}

/* @win times @n, but not more than @max, which is less than 2^31 */
static u32 times_upto(u32 win, u32 n, u32 max)
{
	return win > max / n ? max : win * n;
}

/**
 * nfsync_map_wide_threshold - the same for a flow split over two nodes
 * @other_maxwin: as for nfsync_map_threshold()
 *
 * Both are told of each other's half, and of small windows every quarter would
 * be a message for a few packets.
 *
 * Context: any, pure.
 * Return: bytes, not less than nfsync_map_threshold().
 */
u32 nfsync_map_wide_threshold(u32 other_maxwin)
{
	u32 least = nfsync_map_threshold(other_maxwin);
	u32 wide = times_upto(other_maxwin, 3, MAP_WIDE_TOLD);

	return max(wide, least);
}

/**
 * nfsync_map_wide_slack - what a node adds to the half that it does not see
 * @other_maxwin: as for nfsync_map_slack()
 *
 * What bounds it is not the window but what passes at the other node until
 * the news are here: a connection moves a window each round trip, and the
 * round trip can be shorter than the way of the news.  The bound is therefore
 * one of rate: nfsync_map_wide_threshold() and as much as 4.6 Gbit/s move in
 * a millisecond.  With less, packets wait for the news (early.c).
 *
 * Context: any, pure.
 * Return: bytes, 0 for 0, not less than nfsync_map_slack().
 */
u32 nfsync_map_wide_slack(u32 other_maxwin)
{
	u32 least = nfsync_map_slack(other_maxwin);
	u32 wide = times_upto(other_maxwin, 12, MAP_WIDE_SLACK);

	return max(wide, least);
}

/**
 * nfsync_map_wide_slack_win - td_maxwin that goes with it
 * @maxwin: as for nfsync_map_slack_win()
 *
 * Context: any, pure.
 * Return: bytes, 0 for 0.
 */
u32 nfsync_map_wide_slack_win(u32 maxwin)
{
	return win_with_slack(maxwin, nfsync_map_wide_slack(maxwin));
}
