// SPDX-License-Identifier: GPL-2.0
/*
 * Between pfsync's bytes and struct nfsync_msg_*.
 *
 * A frame is checked as a whole before its first message is applied:
 * nothing of a damaged frame may take effect.  The check sees the structure
 * only; values are judged one message at a time by the decoders, because a
 * peer may put one state that we can't hold among many that we can.
 *
 * All functions are pure and can be called from any context.
 */
#include "wire.h"
#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <asm/byteorder.h>
#endif

#include "wire_format.h"

#define STATE6_SENT_LEN	(NFSYNC_WIRE_STATE6_LEN + NFSYNC_WIRE_EXT_LEN)

/* Highest of enum tcp_conntrack that an entry can be in (SYN_SENT2) */
#define TCP_STATE_MAX	9

#define EXT_STATUS_KNOWN \
	(NFSYNC_EXT_SEEN_REPLY | NFSYNC_EXT_ASSURED | NFSYNC_EXT_MOVES | \
	 NFSYNC_EXT_BEHIND)

/* What a header version speaks.  An action of length 0 is only skipped. */
struct dialect {
	u8 version;
	u8 actions;		/* entries in @len */
	const u16 *len;		/* shortest message of each action, bytes */
};

static const u16 v6_len[NFSYNC_ACT_ALL] = {
	[NFSYNC_ACT_CLR]	= NFSYNC_WIRE_CLR_LEN,
	[NFSYNC_ACT_INS_ACK]	= NFSYNC_WIRE_ID_LEN,
	[NFSYNC_ACT_UPD_C]	= NFSYNC_WIRE_UPD_C_LEN,
	[NFSYNC_ACT_UPD_REQ]	= NFSYNC_WIRE_ID_LEN,
	[NFSYNC_ACT_DEL]	= NFSYNC_WIRE_STATE6_LEN,
	[NFSYNC_ACT_DEL_C]	= NFSYNC_WIRE_ID_LEN,
	[NFSYNC_ACT_BUS]	= NFSYNC_WIRE_BUS_LEN,
	[NFSYNC_ACT_INS]	= NFSYNC_WIRE_STATE6_LEN,
	[NFSYNC_ACT_UPD]	= NFSYNC_WIRE_STATE6_LEN,
	[NFSYNC_ACT_TDB]	= NFSYNC_WIRE_TDB6_LEN,
	[NFSYNC_ACT_FRAME]	= NFSYNC_WIRE_FRAME_LEN,
	[NFSYNC_ACT_HELLO]	= NFSYNC_WIRE_HELLO_LEN,
	[NFSYNC_ACT_TOTAL]	= NFSYNC_WIRE_TOTAL_LEN,
};

static const struct dialect dialects[] = {
	{ NFSYNC_WIRE_V6, NFSYNC_ACT_ALL, v6_len },
};

static const struct dialect *find_dialect(u8 version)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dialects); i++)
		if (dialects[i].version == version)
			return &dialects[i];
	return NULL;
}

static size_t known_len(const struct dialect *d, u8 action)
{
	return action < d->actions ? d->len[action] : 0;
}

/*
 * Shorter messages than we know are skipped like unknown ones: their peer
 * speaks a revision that we don't.  A known message that is there zero times
 * is never sent by a BSD (whose receivers would read past it), so a frame
 * with one is damaged or forged.
 */
static enum nfsync_wire_err judge_section(const struct dialect *d,
					  struct nfsync_wire_section *s)
{
	size_t len = known_len(d, s->action);

	s->known = len && s->stride >= len;
	if (s->known)
		return s->count ? NFSYNC_WIRE_OK : NFSYNC_WIRE_BADLEN;
	if (s->action == NFSYNC_ACT_EOF && !s->stride)
		return NFSYNC_WIRE_OK;
	return s->stride && s->count ? NFSYNC_WIRE_OK : NFSYNC_WIRE_BADACT;
}

/* Parse the section at f->off, which is below f->len, and step over it */
static enum nfsync_wire_err read_section(struct nfsync_wire_frame *f,
					 const struct dialect *d,
					 struct nfsync_wire_section *s)
{
	size_t left = f->len - f->off;
	const struct nfsync_wire_subh *w = (const void *)(f->data + f->off);
	enum nfsync_wire_err err;

	if (left < sizeof(*w))
		return NFSYNC_WIRE_BADLEN;
	left -= sizeof(*w);

	s->version = f->version;
	s->action = w->action;
	s->count = be16_to_cpu(w->count);
	s->stride = 4 * (size_t)w->words;
	s->body = (const u8 *)(w + 1);
	err = judge_section(d, s);
	if (err)
		return err;

	/* at most 65535 * 1020 bytes, which fits size_t of 32 bits */
	if (s->count * s->stride > left)
		return NFSYNC_WIRE_BADLEN;
	f->off += sizeof(*w) + s->count * s->stride;
	return NFSYNC_WIRE_OK;
}

static enum nfsync_wire_err read_header(struct nfsync_wire_frame *f,
					const void *data, size_t len)
{
	const struct nfsync_wire_hdr *w = data;

	if (len < sizeof(*w))
		return NFSYNC_WIRE_HDROPS;
	f->data = data;
	f->off = sizeof(*w);
	f->version = w->version;
	f->len = be16_to_cpu(w->len);
	if (!find_dialect(f->version))
		return NFSYNC_WIRE_BADVER;
	if (f->len < sizeof(*w) || f->len > len)
		return NFSYNC_WIRE_BADLEN;
	return NFSYNC_WIRE_OK;
}

/**
 * nfsync_wire_check() - judge the structure of a whole frame
 * @f: filled in; after success nfsync_wire_next() walks its sections
 * @data: the pfsync header, linear, any alignment; must outlive @f
 * @len: bytes received from the header on; bytes behind the length that the
 *	header tells are ignored, as OpenBSD does
 *
 * Accepts what OpenBSD's pfsync_input() accepts, but refuses the frame as a
 * whole where OpenBSD has already applied the sections before the bad one,
 * and refuses a header length below the header's own and a count of zero.
 *
 * Return: NFSYNC_WIRE_OK, or why the frame is refused: HDROPS (no room for
 * the header), BADVER, BADLEN (header length, or a section that does not
 * fit, or 1 to 3 bytes left over, or no message in a section of known ones),
 * BADACT (an unknown section that can't be skipped).
 */
enum nfsync_wire_err nfsync_wire_check(struct nfsync_wire_frame *f,
				       const void *data, size_t len)
{
	enum nfsync_wire_err err = read_header(f, data, len);
	const struct dialect *d;
	struct nfsync_wire_section s;

	if (err)
		return err;
	d = find_dialect(f->version);
	while (!err && f->off < f->len)
		err = read_section(f, d, &s);
	f->off = sizeof(struct nfsync_wire_hdr);
	return err;
}

/**
 * nfsync_wire_next() - step to the next section of a checked frame
 * @f: frame that nfsync_wire_check() accepted
 * @s: filled in; message i of @s is at s->body + i * s->stride.  Its action
 *	is to be looked at only when s->known.
 *
 * Return: false when there are no more.
 */
bool nfsync_wire_next(struct nfsync_wire_frame *f,
		      struct nfsync_wire_section *s)
{
	const struct dialect *d = find_dialect(f->version);

	return d && f->off < f->len && !read_section(f, d, s);
}

/**
 * nfsync_wire_msg_len() - bytes that one message takes when we send it
 * @version: header version
 * @action: enum nfsync_action
 *
 * States carry the trailer always, so that every state of a section has the
 * same stride, whether its entry has something to put there or not.
 *
 * Return: bytes, a multiple of four in version 6; 0 when we never send that.
 */
size_t nfsync_wire_msg_len(u8 version, u8 action)
{
	const struct dialect *d = find_dialect(version);

	if (!d || action == NFSYNC_ACT_DEL)
		return 0;
	if (action == NFSYNC_ACT_INS || action == NFSYNC_ACT_UPD)
		return STATE6_SENT_LEN;
	return known_len(d, action);
}

/* 0 for a family that pfsync does not know */
static u8 get_af(u8 af)
{
	switch (af) {
	case NFSYNC_WIRE_AF_INET:
		return NFSYNC_AF_INET;
	case NFSYNC_WIRE_AF_INET6:
		return NFSYNC_AF_INET6;
	}
	return 0;
}

static u8 put_af(u8 af)
{
	switch (af) {
	case NFSYNC_AF_INET:
		return NFSYNC_WIRE_AF_INET;
	case NFSYNC_AF_INET6:
		return NFSYNC_WIRE_AF_INET6;
	}
	return 0;
}

/*
 * Copies what the family uses and zeroes the rest: comparing all 16 bytes of
 * two addresses is then right, and nothing stale leaves.
 */
static void copy_addr(u8 *to, const u8 *from, u8 af)
{
	memset(to, 0, 16);
	memcpy(to, from, af == NFSYNC_AF_INET ? 4 : 16);
}

/* The result is terminated and zero after its end, whatever @from is */
static void copy_ifname(char *to, const char *from)
{
	size_t i;

	memset(to, 0, NFSYNC_IFNAMSIZ);
	for (i = 0; i < NFSYNC_IFNAMSIZ - 1 && from[i]; i++)
		to[i] = from[i];
}

static void get_peer(const struct nfsync_wire_peer *w,
		     struct nfsync_msg_peer *m)
{
	m->scrub_flags = be16_to_cpu(w->scrub_flags);
	m->scrub_ttl = w->scrub_ttl;
	m->scrub_valid = w->scrub_valid == NFSYNC_WIRE_SCRUB_VALID;
	m->ts_mod = be32_to_cpu(w->ts_mod);
	m->seqlo = be32_to_cpu(w->seqlo);
	m->seqhi = be32_to_cpu(w->seqhi);
	m->seqdiff = be32_to_cpu(w->seqdiff);
	m->max_win = be16_to_cpu(w->max_win);
	m->mss = be16_to_cpu(w->mss);
	m->level = w->level;
	m->wscale = w->wscale;
}

static void put_peer(struct nfsync_wire_peer *w,
		     const struct nfsync_msg_peer *m)
{
	w->scrub_flags = cpu_to_be16(m->scrub_flags);
	w->scrub_ttl = m->scrub_ttl;
	w->scrub_valid = m->scrub_valid ? NFSYNC_WIRE_SCRUB_VALID : 0;
	w->ts_mod = cpu_to_be32(m->ts_mod);
	w->seqlo = cpu_to_be32(m->seqlo);
	w->seqhi = cpu_to_be32(m->seqhi);
	w->seqdiff = cpu_to_be32(m->seqdiff);
	w->max_win = cpu_to_be16(m->max_win);
	w->mss = cpu_to_be16(m->mss);
	w->level = m->level;
	w->wscale = m->wscale;
}

static bool peers_ok(const struct nfsync_msg_peer peer[2])
{
	return peer[NFSYNC_SRC].level <= NFSYNC_LEVEL_MAX &&
	       peer[NFSYNC_DST].level <= NFSYNC_LEVEL_MAX;
}

/* @af: NFSYNC_AF_* to take when the key itself has none */
static void get_key6(const struct nfsync_wire_key6 *w,
		     struct nfsync_msg_key *m, u8 af)
{
	m->af = w->af ? get_af(w->af) : af;
	copy_addr(m->addr[0], w->addr[0], m->af);
	copy_addr(m->addr[1], w->addr[1], m->af);
	m->port[0] = be16_to_cpu(w->port[0]);
	m->port[1] = be16_to_cpu(w->port[1]);
	m->rdomain = be16_to_cpu(w->rdomain);
}

static void put_key6(struct nfsync_wire_key6 *w,
		     const struct nfsync_msg_key *m, u8 af)
{
	if (m->af)
		af = m->af;
	copy_addr(w->addr[0], m->addr[0], af);
	copy_addr(w->addr[1], m->addr[1], af);
	w->port[0] = cpu_to_be16(m->port[0]);
	w->port[1] = cpu_to_be16(m->port[1]);
	w->rdomain = cpu_to_be16(m->rdomain);
	w->af = put_af(af);
}

/* Families are known; those of the keys are told for both or for none */
static bool afs6_ok(const struct nfsync_wire_state6 *w)
{
	u8 wire = w->key[NFSYNC_KEY_WIRE].af;
	u8 stack = w->key[NFSYNC_KEY_STACK].af;

	if (!get_af(w->af))
		return false;
	return (!wire && !stack) || (get_af(wire) && get_af(stack));
}

static void get_state6_rest(const struct nfsync_wire_state6 *w,
			    struct nfsync_msg_state *m)
{
	memcpy(m->rt_addr, w->rt_addr, sizeof(m->rt_addr));
	m->rule = be32_to_cpu(w->rule);
	m->anchor = be32_to_cpu(w->anchor);
	m->nat_rule = be32_to_cpu(w->nat_rule);
	m->creation = be32_to_cpu(w->creation);
	m->expire = be32_to_cpu(w->expire);
	m->packets[0] = be64_to_cpu(w->packets[0]);
	m->packets[1] = be64_to_cpu(w->packets[1]);
	m->bytes[0] = be64_to_cpu(w->bytes[0]);
	m->bytes[1] = be64_to_cpu(w->bytes[1]);
	m->rtableid[0] = (s32)be32_to_cpu(w->rtableid[0]);
	m->rtableid[1] = (s32)be32_to_cpu(w->rtableid[1]);
	m->max_mss = be16_to_cpu(w->max_mss);
	m->log = w->log;
	m->rt = w->rt;
	m->sync_flags = w->sync_flags;
	m->min_ttl = w->min_ttl;
	m->set_tos = w->set_tos;
	m->state_flags = be16_to_cpu(w->state_flags);
	memcpy(m->set_prio, w->set_prio, sizeof(m->set_prio));
}

static void put_state6_rest(struct nfsync_wire_state6 *w,
			    const struct nfsync_msg_state *m)
{
	memcpy(w->rt_addr, m->rt_addr, sizeof(w->rt_addr));
	w->rule = cpu_to_be32(m->rule);
	w->anchor = cpu_to_be32(m->anchor);
	w->nat_rule = cpu_to_be32(m->nat_rule);
	w->creation = cpu_to_be32(m->creation);
	w->expire = cpu_to_be32(m->expire);
	w->packets[0] = cpu_to_be64(m->packets[0]);
	w->packets[1] = cpu_to_be64(m->packets[1]);
	w->bytes[0] = cpu_to_be64(m->bytes[0]);
	w->bytes[1] = cpu_to_be64(m->bytes[1]);
	w->rtableid[0] = cpu_to_be32((u32)m->rtableid[0]);
	w->rtableid[1] = cpu_to_be32((u32)m->rtableid[1]);
	w->max_mss = cpu_to_be16(m->max_mss);
	w->log = m->log;
	w->rt = m->rt;
	w->sync_flags = m->sync_flags;
	w->min_ttl = m->min_ttl;
	w->set_tos = m->set_tos;
	w->state_flags = cpu_to_be16(m->state_flags);
	memcpy(w->set_prio, m->set_prio, sizeof(w->set_prio));
}

static void get_state6_core(const struct nfsync_wire_state6 *w,
			    struct nfsync_msg_state *m)
{
	int i;

	copy_ifname(m->ifname, w->ifname);
	m->af = get_af(w->af);
	m->proto = w->proto;
	m->direction = w->direction;
	m->timeout = w->timeout;
	for (i = 0; i < 2; i++) {
		get_key6(&w->key[i], &m->key[i], m->af);
		get_peer(&w->peer[i], &m->peer[i]);
	}
}

static void put_state6_core(struct nfsync_wire_state6 *w,
			    const struct nfsync_msg_state *m)
{
	int i;

	w->id = cpu_to_be64(m->id);
	w->creatorid = cpu_to_be32(m->creatorid);
	copy_ifname(w->ifname, m->ifname);
	w->af = put_af(m->af);
	w->proto = m->proto;
	w->direction = m->direction;
	w->timeout = m->timeout;
	for (i = 0; i < 2; i++) {
		put_key6(&w->key[i], &m->key[i], m->af);
		put_peer(&w->peer[i], &m->peer[i]);
	}
}

static bool state_ok(const struct nfsync_msg_state *m)
{
	return m->timeout < NFSYNC_TMO_MAX && m->direction <= NFSYNC_DIR_OUT &&
	       peers_ok(m->peer);
}

/* A status bit that we don't know is a newer node's and does no harm */
static enum nfsync_wire_err get_ext(const struct nfsync_wire_ext *w,
				    struct nfsync_msg_ext *m)
{
	m->max_win[0] = be32_to_cpu(w->max_win[0]);
	m->max_win[1] = be32_to_cpu(w->max_win[1]);
	m->mark = be32_to_cpu(w->mark);
	m->zone = be16_to_cpu(w->zone);
	memcpy(m->tcp_flags, w->tcp_flags, sizeof(m->tcp_flags));
	m->tcp_state = w->tcp_state;
	m->status = w->status & EXT_STATUS_KNOWN;
	return m->tcp_state <= TCP_STATE_MAX ? NFSYNC_WIRE_OK :
					       NFSYNC_WIRE_BADVAL;
}

static void put_ext(struct nfsync_wire_ext *w, const struct nfsync_msg_ext *m)
{
	w->tag = cpu_to_be32(NFSYNC_WIRE_EXT_TAG);
	w->max_win[0] = cpu_to_be32(m->max_win[0]);
	w->max_win[1] = cpu_to_be32(m->max_win[1]);
	w->mark = cpu_to_be32(m->mark);
	w->zone = cpu_to_be16(m->zone);
	memcpy(w->tcp_flags, m->tcp_flags, sizeof(w->tcp_flags));
	w->tcp_state = m->tcp_state;
	w->status = m->status & EXT_STATUS_KNOWN;
}

/**
 * nfsync_wire_get_state() - decode a full state
 * @s: section that it is in, of action INS, UPD or DEL
 * @p: the message, s->stride bytes, any alignment
 * @m: filled in; host order, NFSYNC_AF_* numbers, key families never 0.
 *	Of a DEL only id and creatorid are told, the rest is zero: nothing
 *	else of it counts, so nothing else of it is judged.
 *
 * The trailer is read when the stride has room for it and its tag is right;
 * anything else behind the state is a newer revision's and is skipped.  A
 * creatorid of 0 is left to the caller to refuse.
 *
 * Return: NFSYNC_WIRE_OK, or NFSYNC_WIRE_BADVAL for values that OpenBSD's
 * pfsync_in_ins() refuses, or a trailer with a TCP state that is none.
 */
enum nfsync_wire_err nfsync_wire_get_state(const struct nfsync_wire_section *s,
					   const u8 *p,
					   struct nfsync_msg_state *m)
{
	const struct nfsync_wire_state6 *w = (const void *)p;
	const struct nfsync_wire_ext *ext = (const void *)(w + 1);

	memset(m, 0, sizeof(*m));
	m->id = be64_to_cpu(w->id);
	m->creatorid = be32_to_cpu(w->creatorid);
	if (s->action == NFSYNC_ACT_DEL)
		return NFSYNC_WIRE_OK;

	if (!afs6_ok(w))
		return NFSYNC_WIRE_BADVAL;
	get_state6_core(w, m);
	if (!state_ok(m))
		return NFSYNC_WIRE_BADVAL;
	get_state6_rest(w, m);

	m->has_ext = s->stride >= STATE6_SENT_LEN &&
		     be32_to_cpu(ext->tag) == NFSYNC_WIRE_EXT_TAG;
	return m->has_ext ? get_ext(ext, &m->ext) : NFSYNC_WIRE_OK;
}

/**
 * nfsync_wire_put_state() - encode a full state
 * @p: room for nfsync_wire_msg_len() bytes, any alignment
 * @version: header version of the frame
 * @m: host order.  Values are written as they are; that a peer accepts them
 *	is the caller's duty.  An address carries what its family uses.
 *
 * Return: bytes written, the trailer included (zero when !m->has_ext, which
 * no receiver takes for one); 0 when @version is not spoken.
 */
size_t nfsync_wire_put_state(u8 *p, u8 version,
			     const struct nfsync_msg_state *m)
{
	size_t len = nfsync_wire_put_state_bare(p, version, m);

	if (!len)
		return 0;
	memset(p + len, 0, NFSYNC_WIRE_EXT_LEN);
	if (m->has_ext)
		put_ext((void *)(p + len), &m->ext);
	return STATE6_SENT_LEN;
}

/**
 * nfsync_wire_put_state_bare() - encode a full state without the trailer
 * @p: room for NFSYNC_WIRE_STATE6_LEN bytes, any alignment
 * @version: header version of the frame
 * @m: as for nfsync_wire_put_state()
 *
 * For links that have no room for more.
 *
 * Return: bytes written; 0 when @version is not spoken.
 */
size_t nfsync_wire_put_state_bare(u8 *p, u8 version,
				  const struct nfsync_msg_state *m)
{
	struct nfsync_wire_state6 *w = (void *)p;

	if (version != NFSYNC_WIRE_V6)
		return 0;
	memset(w, 0, sizeof(*w));
	put_state6_core(w, m);
	put_state6_rest(w, m);
	return sizeof(*w);
}

/**
 * nfsync_wire_get_upd_c() - decode a compressed update
 * @p: the message, any alignment
 * @m: filled in, host order
 *
 * Return: NFSYNC_WIRE_OK, or NFSYNC_WIRE_BADVAL for a timeout class or a
 * level that OpenBSD's pfsync_in_upd_c() refuses.
 */
enum nfsync_wire_err nfsync_wire_get_upd_c(const u8 *p,
					   struct nfsync_msg_upd_c *m)
{
	const struct nfsync_wire_upd_c *w = (const void *)p;

	memset(m, 0, sizeof(*m));
	m->id = be64_to_cpu(w->id);
	m->creatorid = be32_to_cpu(w->creatorid);
	get_peer(&w->peer[NFSYNC_SRC], &m->peer[NFSYNC_SRC]);
	get_peer(&w->peer[NFSYNC_DST], &m->peer[NFSYNC_DST]);
	m->expire = be32_to_cpu(w->expire);
	m->timeout = w->timeout;
	if (m->timeout >= NFSYNC_TMO_MAX || !peers_ok(m->peer))
		return NFSYNC_WIRE_BADVAL;
	return NFSYNC_WIRE_OK;
}

/**
 * nfsync_wire_put_upd_c() - encode a compressed update
 * @p: room for NFSYNC_WIRE_UPD_C_LEN bytes, any alignment
 * @m: host order
 *
 * Return: bytes written.
 */
size_t nfsync_wire_put_upd_c(u8 *p, const struct nfsync_msg_upd_c *m)
{
	struct nfsync_wire_upd_c *w = (void *)p;

	memset(w, 0, sizeof(*w));
	w->id = cpu_to_be64(m->id);
	w->creatorid = cpu_to_be32(m->creatorid);
	put_peer(&w->peer[NFSYNC_SRC], &m->peer[NFSYNC_SRC]);
	put_peer(&w->peer[NFSYNC_DST], &m->peer[NFSYNC_DST]);
	w->expire = cpu_to_be32(m->expire);
	w->timeout = m->timeout;
	return sizeof(*w);
}

/**
 * nfsync_wire_get_id() - decode an INS_ACK, UPD_REQ or DEL_C
 * @p: the message, any alignment
 * @m: filled in, host order; both 0 in an UPD_REQ ask for every state
 */
void nfsync_wire_get_id(const u8 *p, struct nfsync_msg_id *m)
{
	const struct nfsync_wire_id *w = (const void *)p;

	memset(m, 0, sizeof(*m));
	m->id = be64_to_cpu(w->id);
	m->creatorid = be32_to_cpu(w->creatorid);
}

/**
 * nfsync_wire_put_id() - encode an INS_ACK, UPD_REQ or DEL_C
 * @p: room for NFSYNC_WIRE_ID_LEN bytes, any alignment
 * @id: host order
 * @creatorid: host order
 *
 * Return: bytes written.
 */
size_t nfsync_wire_put_id(u8 *p, u64 id, u32 creatorid)
{
	struct nfsync_wire_id *w = (void *)p;

	w->id = cpu_to_be64(id);
	w->creatorid = cpu_to_be32(creatorid);
	return sizeof(*w);
}

/**
 * nfsync_wire_get_clr() - decode a CLR
 * @p: the message, any alignment
 * @m: filled in, host order
 *
 * A cut name could be that of another interface, whose states would go:
 * unlike in a state, a name without its end is refused.
 *
 * Return: NFSYNC_WIRE_OK or NFSYNC_WIRE_BADVAL.
 */
enum nfsync_wire_err nfsync_wire_get_clr(const u8 *p,
					 struct nfsync_msg_clr *m)
{
	const struct nfsync_wire_clr *w = (const void *)p;

	memset(m, 0, sizeof(*m));
	if (!memchr(w->ifname, '\0', sizeof(w->ifname)))
		return NFSYNC_WIRE_BADVAL;
	copy_ifname(m->ifname, w->ifname);
	m->creatorid = be32_to_cpu(w->creatorid);
	return NFSYNC_WIRE_OK;
}

/**
 * nfsync_wire_put_clr() - encode a CLR
 * @p: room for NFSYNC_WIRE_CLR_LEN bytes, any alignment
 * @m: host order
 *
 * Return: bytes written.
 */
size_t nfsync_wire_put_clr(u8 *p, const struct nfsync_msg_clr *m)
{
	struct nfsync_wire_clr *w = (void *)p;

	copy_ifname(w->ifname, m->ifname);
	w->creatorid = cpu_to_be32(m->creatorid);
	return sizeof(*w);
}

/**
 * nfsync_wire_get_bus() - decode a bulk update status
 * @p: the message, any alignment
 * @m: filled in, host order.  Another status than NFSYNC_BUS_START or
 *	NFSYNC_BUS_END is left to the caller to ignore.
 */
void nfsync_wire_get_bus(const u8 *p, struct nfsync_msg_bus *m)
{
	const struct nfsync_wire_bus *w = (const void *)p;

	memset(m, 0, sizeof(*m));
	m->creatorid = be32_to_cpu(w->creatorid);
	m->endtime = be32_to_cpu(w->endtime);
	m->status = w->status;
}

/**
 * nfsync_wire_put_bus() - encode a bulk update status
 * @p: room for NFSYNC_WIRE_BUS_LEN bytes, any alignment
 * @m: host order
 *
 * Return: bytes written.
 */
size_t nfsync_wire_put_bus(u8 *p, const struct nfsync_msg_bus *m)
{
	struct nfsync_wire_bus *w = (void *)p;

	memset(w, 0, sizeof(*w));
	w->creatorid = cpu_to_be32(m->creatorid);
	w->endtime = cpu_to_be32(m->endtime);
	w->status = m->status;
	return sizeof(*w);
}

/**
 * nfsync_wire_get_tdb() - decode a v6 TDB (an SA's counters)
 * @p: the message, any alignment
 * @m: filled in, host order
 *
 * Return: NFSYNC_WIRE_OK, or NFSYNC_WIRE_BADVAL for an address that is
 * neither IPv4 nor IPv6.
 */
enum nfsync_wire_err nfsync_wire_get_tdb(const u8 *p,
					 struct nfsync_msg_tdb *m)
{
	const struct nfsync_wire_tdb6 *w = (const void *)p;

	memset(m, 0, sizeof(*m));
	m->af = get_af(w->dst.family);
	if (!m->af)
		return NFSYNC_WIRE_BADVAL;
	if (m->af == NFSYNC_AF_INET)
		memcpy(m->dst, w->dst.flow_or_addr4, 4);
	else
		memcpy(m->dst, w->dst.addr6, 16);
	m->spi = be32_to_cpu(w->spi);
	m->rpl = be64_to_cpu(w->rpl);
	m->cur_bytes = be64_to_cpu(w->cur_bytes);
	m->rdomain = be16_to_cpu(w->rdomain);
	m->sproto = w->sproto;
	m->updates = w->updates;
	return NFSYNC_WIRE_OK;
}

/**
 * nfsync_wire_put_tdb() - encode a v6 TDB (an SA's counters)
 * @p: room for NFSYNC_WIRE_TDB6_LEN bytes, any alignment
 * @m: host order
 *
 * Return: bytes written.
 */
size_t nfsync_wire_put_tdb(u8 *p, const struct nfsync_msg_tdb *m)
{
	struct nfsync_wire_tdb6 *w = (void *)p;
	bool v4 = m->af == NFSYNC_AF_INET;

	memset(w, 0, sizeof(*w));
	w->dst.len = v4 ? 16 : 28;	/* of sockaddr_in, sockaddr_in6 */
	w->dst.family = put_af(m->af);
	if (v4)
		memcpy(w->dst.flow_or_addr4, m->dst, 4);
	else
		memcpy(w->dst.addr6, m->dst, 16);
	w->spi = cpu_to_be32(m->spi);
	w->rpl = cpu_to_be64(m->rpl);
	w->cur_bytes = cpu_to_be64(m->cur_bytes);
	w->rdomain = cpu_to_be16(m->rdomain);
	w->sproto = m->sproto;
	w->updates = m->updates;
	return sizeof(*w);
}

/**
 * nfsync_wire_get_frame() - decode who sent a frame
 * @p: the message, any alignment
 * @m: filled in, host order
 */
void nfsync_wire_get_frame(const u8 *p, struct nfsync_msg_frame *m)
{
	const struct nfsync_wire_frame_id *w = (const void *)p;

	m->creatorid = be32_to_cpu(w->creatorid);
	m->incarnation = be32_to_cpu(w->incarnation);
	m->seq = be32_to_cpu(w->seq);
}

/**
 * nfsync_wire_put_frame() - encode who sends a frame
 * @p: room for NFSYNC_WIRE_FRAME_LEN bytes, any alignment
 * @m: host order
 *
 * Return: bytes written.
 */
size_t nfsync_wire_put_frame(u8 *p, const struct nfsync_msg_frame *m)
{
	struct nfsync_wire_frame_id *w = (void *)p;

	w->creatorid = cpu_to_be32(m->creatorid);
	w->incarnation = cpu_to_be32(m->incarnation);
	w->seq = cpu_to_be32(m->seq);
	return sizeof(*w);
}

/**
 * nfsync_wire_get_hello() - decode a hello
 * @p: the message, any alignment
 * @m: filled in, host order
 */
void nfsync_wire_get_hello(const u8 *p, struct nfsync_msg_hello *m)
{
	const struct nfsync_wire_hello *w = (const void *)p;

	memset(m, 0, sizeof(*m));
	m->creatorid = be32_to_cpu(w->creatorid);
	m->uptime = be32_to_cpu(w->uptime);
	m->states = be32_to_cpu(w->states);
	m->verdict = w->verdict;
	m->peers = w->peers;
	m->joined_by = be32_to_cpu(w->joined_by);
}

/**
 * nfsync_wire_put_hello() - encode a hello
 * @p: room for NFSYNC_WIRE_HELLO_LEN bytes, any alignment
 * @m: host order
 *
 * Return: bytes written.
 */
size_t nfsync_wire_put_hello(u8 *p, const struct nfsync_msg_hello *m)
{
	struct nfsync_wire_hello *w = (void *)p;

	memset(w, 0, sizeof(*w));
	w->creatorid = cpu_to_be32(m->creatorid);
	w->uptime = cpu_to_be32(m->uptime);
	w->states = cpu_to_be32(m->states);
	w->verdict = m->verdict;
	w->peers = m->peers;
	w->joined_by = cpu_to_be32(m->joined_by);
	return sizeof(*w);
}

/**
 * nfsync_wire_get_total() - decode what a whole transfer brought
 * @p: the message, any alignment
 * @m: filled in, host order
 */
void nfsync_wire_get_total(const u8 *p, struct nfsync_msg_total *m)
{
	const struct nfsync_wire_total *w = (const void *)p;

	memset(m, 0, sizeof(*m));
	m->creatorid = be32_to_cpu(w->creatorid);
	m->count = be32_to_cpu(w->count);
	m->sum = be64_to_cpu(w->sum);
	m->first_id = be64_to_cpu(w->first_id);
	m->verdict = w->verdict;
	m->flags = w->flags;
}

/**
 * nfsync_wire_put_total() - encode what a whole transfer brought
 * @p: room for NFSYNC_WIRE_TOTAL_LEN bytes, any alignment
 * @m: host order
 *
 * Return: bytes written.
 */
size_t nfsync_wire_put_total(u8 *p, const struct nfsync_msg_total *m)
{
	struct nfsync_wire_total *w = (void *)p;

	memset(w, 0, sizeof(*w));
	w->creatorid = cpu_to_be32(m->creatorid);
	w->count = cpu_to_be32(m->count);
	w->sum = cpu_to_be64(m->sum);
	w->first_id = cpu_to_be64(m->first_id);
	w->verdict = m->verdict;
	w->flags = m->flags;
	return sizeof(*w);
}

/**
 * nfsync_wire_put_hdr() - encode the header of a frame
 * @p: room for NFSYNC_WIRE_HDR_LEN bytes, any alignment
 * @version: header version
 * @len: bytes of the whole frame, this header included, at most 65535
 *
 * Return: bytes written.
 */
size_t nfsync_wire_put_hdr(u8 *p, u8 version, size_t len)
{
	struct nfsync_wire_hdr *w = (void *)p;

	memset(w, 0, sizeof(*w));
	w->version = version;
	w->len = cpu_to_be16((u16)len);
	return sizeof(*w);
}

/**
 * nfsync_wire_put_subh() - encode the header of a section
 * @p: room for NFSYNC_WIRE_SUBH_LEN bytes, any alignment
 * @version: header version of the frame
 * @action: enum nfsync_action, one that nfsync_wire_msg_len() has a length
 *	for
 * @count: messages that follow, never 0
 *
 * Return: bytes written.
 */
size_t nfsync_wire_put_subh(u8 *p, u8 version, u8 action, u16 count)
{
	return nfsync_wire_put_subh_len(p, action, count,
					nfsync_wire_msg_len(version, action));
}

/**
 * nfsync_wire_put_subh_len() - encode the header of a section of any stride
 * @p: room for NFSYNC_WIRE_SUBH_LEN bytes, any alignment
 * @action: enum nfsync_action
 * @count: messages that follow, never 0
 * @len: bytes of each, a multiple of four
 *
 * Return: bytes written.
 */
size_t nfsync_wire_put_subh_len(u8 *p, u8 action, u16 count, size_t len)
{
	struct nfsync_wire_subh *w = (void *)p;

	w->action = action;
	w->words = len / 4;
	w->count = cpu_to_be16(count);
	return sizeof(*w);
}
