// SPDX-License-Identifier: GPL-2.0
/*
 * Which side of an update is newer than ours, decided for each side alone: a
 * node may be ahead with one direction and behind with the other when the
 * flow is split, and an all-or-nothing answer would then never end.
 */
#include "map.h"
#include "merge.h"

#define MERGE_PROTO_TCP		6

/*
 * Of one connection two nodes know td_end by less than this: slack, and what a
 * node lags behind.  Two connections are nearer by chance in 0.2 % of cases.
 */
#define MERGE_NEAR		(4U << 20)

/*
 * A finished proxy handshake is the one case where a lower level is newer:
 * the proxy levels stand above all others only by their number.
 */
static bool proxy_done(u8 own, u8 theirs)
{
	return own >= NFSYNC_TCPS_PROXY_SRC && theirs < NFSYNC_TCPS_PROXY_SRC;
}

static bool tcp_keep(const struct nfsync_msg_peer *own,
		     const struct nfsync_msg_peer *theirs)
{
	if (own->level != theirs->level)
		return own->level > theirs->level;
	return nfsync_seq_after(own->seqlo, theirs->seqlo);
}

static bool side_keep(u8 proto, int side, const struct nfsync_msg_peer *own,
		      const struct nfsync_msg_peer *theirs)
{
	if (proto != MERGE_PROTO_TCP)
		return own->level > theirs->level;
	if (side == NFSYNC_SRC && proxy_done(own->level, theirs->level))
		return false;
	return tcp_keep(own, theirs);
}

/**
 * nfsync_merge_peers - decide what of a received update to take
 * @proto: IP protocol number of the connection
 * @own: what this node holds; [NFSYNC_SRC] initiator, [NFSYNC_DST] responder;
 *	sequence numbers in host order
 * @theirs: what the peer sent, same order
 *
 * A side is kept when ours has the higher level, or for TCP the same level
 * and a later seqlo (serial numbers); otherwise theirs is to be taken whole:
 * windows and scale belong to the sequence numbers they came with.  After
 * the caller took what is to be taken, its view is at least as new as the
 * sender's in both directions, so that one answer with it ends the exchange.
 *
 * The rules are those of today's OpenBSD.  FreeBSD copies the responder's side
 * also when it is older, which stalls connections after a failback.
 *
 * Context: any, touches nothing but its arguments.
 * Return: NFSYNC_MERGE_TAKE_SRC and _TAKE_DST for the sides to take, and
 * NFSYNC_MERGE_STALE when a side was kept: the sender is to hear our view.
 */
unsigned int nfsync_merge_peers(u8 proto, const struct nfsync_msg_peer own[2],
				const struct nfsync_msg_peer theirs[2])
{
	unsigned int verdict = 0;

	if (!side_keep(proto, NFSYNC_SRC, &own[NFSYNC_SRC],
		       &theirs[NFSYNC_SRC]))
		verdict |= NFSYNC_MERGE_TAKE_SRC;
	if (!side_keep(proto, NFSYNC_DST, &own[NFSYNC_DST],
		       &theirs[NFSYNC_DST]))
		verdict |= NFSYNC_MERGE_TAKE_DST;
	if (verdict != NFSYNC_MERGE_TAKE_BOTH)
		verdict |= NFSYNC_MERGE_STALE;
	return verdict;
}

/* Nothing but numbers differs */
static bool levels_equal(const struct nfsync_msg_peer own[2],
			 const struct nfsync_msg_peer theirs[2])
{
	return own[NFSYNC_SRC].level == theirs[NFSYNC_SRC].level &&
	       own[NFSYNC_DST].level == theirs[NFSYNC_DST].level;
}

/**
 * nfsync_merge_edges - what is of use in the sides of TCP that are kept
 * @own: as for nfsync_merge_peers()
 * @theirs: as for nfsync_merge_peers()
 * @verdict: what that said
 *
 * The right edge of a side moves with the other side's acks, so that a node
 * that sees only those knows an older seqlo of it and a newer seqhi.
 *
 * Context: any, touches nothing but its arguments.
 * Return: NFSYNC_MERGE_EDGE_SRC and _EDGE_DST for kept sides whose seqhi is
 * newer, NFSYNC_MERGE_NUMBERS when it is only numbers that the sender lacks.
 */
unsigned int nfsync_merge_edges(const struct nfsync_msg_peer own[2],
				const struct nfsync_msg_peer theirs[2],
				unsigned int verdict)
{
	unsigned int edges = 0;
	int i;

	for (i = NFSYNC_SRC; i <= NFSYNC_DST; i++) {
		if (verdict & (NFSYNC_MERGE_TAKE_SRC << i) ||
		    own[i].level != theirs[i].level ||
		    !nfsync_seq_after(theirs[i].seqhi, own[i].seqhi))
			continue;
		edges |= NFSYNC_MERGE_EDGE_SRC << i;
	}
	if (levels_equal(own, theirs))
		edges |= NFSYNC_MERGE_NUMBERS;
	return edges;
}

static bool is_near(u32 a, u32 b)
{
	return a - b < MERGE_NEAR || b - a < MERGE_NEAR;
}

static bool has_ended(const struct nfsync_merge_conn *c)
{
	return c->tcp_state == NFSYNC_CT_TIME_WAIT ||
	       c->tcp_state == NFSYNC_CT_CLOSE;
}

static bool is_opening(const struct nfsync_merge_conn *c)
{
	return c->tcp_state == NFSYNC_CT_SYN_SENT ||
	       c->tcp_state == NFSYNC_CT_SYN_RECV ||
	       c->tcp_state == NFSYNC_CT_SYN_SENT2;
}

/*
 * Has @live begun after @ended was over?  A host's next number is beyond those
 * of the last connection, or it would not be let in (RFC 9293 3.6.1); an old
 * SYN's is not.
 */
static bool is_next(const struct nfsync_merge_conn *ended,
		    const struct nfsync_merge_conn *live)
{
	if (!is_near(ended->end, live->end))
		return true;
	return is_opening(live) && nfsync_seq_after(live->end, ended->end);
}

/**
 * nfsync_merge_kin - is it the same connection that has another id at a peer?
 * @own: the entry here
 * @theirs: what a peer told of the same tuple under another id, TCP
 *
 * A tuple is used again as soon as its connection has ended (RFC 9293 3.6.1),
 * and the news of the end and of the next one may pass each other.  To merge
 * the two would give the new connection windows that none of its packets is
 * in, and the level of one that has ended.  Two ids of one connection come with
 * numbers that are near, unless a node had been cut off; then the one whose
 * packets pass somewhere is right.
 *
 * Context: any, pure.
 * Return: enum nfsync_merge_kin.
 */
enum nfsync_merge_kin
nfsync_merge_kin(const struct nfsync_merge_conn *own,
		 const struct nfsync_merge_conn *theirs)
{
	bool ended = has_ended(own), later;

	if (ended == has_ended(theirs)) {
		later = theirs->moves;
		if (own->moves == theirs->moves || is_near(own->end, theirs->end))
			return NFSYNC_MERGE_SAME;
	} else {
		later = ended;
		if (!(ended ? is_next(own, theirs) : is_next(theirs, own)))
			return NFSYNC_MERGE_SAME;
	}
	return later ? NFSYNC_MERGE_LATER : NFSYNC_MERGE_EARLIER;
}
