// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzzframe.h"
#include "wire.h"

#define HEADER		NFSYNC_WIRE_HDR_LEN
#define SUBHEADER	NFSYNC_WIRE_SUBH_LEN
#define SECTIONS_MAX	64

static struct fuzzframe *recorded;
static size_t n_recorded;

/* States that the recorded frames speak of */
static struct nfsync_msg_id known[4096];
static size_t n_known, next_known;

/* --- frames as they should be --- */

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static uint64_t any_id(struct prng *r, uint32_t *creatorid)
{
	const struct nfsync_msg_id *k;

	*creatorid = prng_once(r, 8) ? (uint32_t)prng_extreme(r) :
				       0x11111111 * (1 + prng_below(r, 4));
	if (!n_known || prng_once(r, 3))
		return prng_once(r, 4) ? prng_extreme(r) : prng_below(r, 500);
	k = &known[prng_below(r, n_known)];
	if (!prng_once(r, 10))
		*creatorid = k->creatorid;
	return k->id + (prng_once(r, 10) ? prng_below(r, 3) : 0);
}

/* Few of them, so that states meet each other, in either family */
static void make_key(struct prng *r, struct nfsync_msg_key *key, u8 af)
{
	static const uint8_t net[] = { 10, 0, 1, 2, 0xfd, 0, 0, 1 };

	memset(key, 0, sizeof(*key));
	for (int i = 0; i < 2; i++) {
		memcpy(key->addr[i], net, sizeof(net));
		if (af == NFSYNC_AF_INET6)
			memcpy(key->addr[i], net + 4, 4);
		key->addr[i][2] = 1 + i;
		key->addr[i][3] = 2 + prng_below(r, 4);
		key->port[i] = prng_once(r, 6) ? prng_extreme(r) :
						 1000 + prng_below(r, 100);
	}
	key->rdomain = prng_once(r, 60) ? prng_extreme(r) : 0;
	key->af = prng_once(r, 40) ? 0 : af;
}

static void make_peer(struct prng *r, struct nfsync_msg_peer *p)
{
	memset(p, 0, sizeof(*p));
	p->seqlo = prng_once(r, 3) ? prng_extreme(r) : 1000;
	p->seqhi = prng_once(r, 3) ? prng_extreme(r) :
				     p->seqlo + prng_below(r, 70000);
	p->seqdiff = prng_once(r, 40) ? prng_extreme(r) : 0;
	p->max_win = prng_once(r, 3) ? prng_extreme(r) : 65535;
	p->level = prng_once(r, 3) ? prng_below(r, 13) : 4;
	p->wscale = prng_once(r, 2) ? prng_extreme(r) :
				      NFSYNC_WSCALE_FLAG | 7;
	if (prng_once(r, 10)) {
		p->scrub_valid = 1;
		p->scrub_flags = prng_extreme(r);
		p->ts_mod = prng_extreme(r);
	}
}

static void make_ext(struct prng *r, struct nfsync_msg_ext *ext)
{
	for (int i = 0; i < 2; i++) {
		ext->max_win[i] = prng_extreme(r);
		ext->tcp_flags[i] = prng_extreme(r);
	}
	ext->mark = prng_extreme(r);
	ext->zone = prng_once(r, 10) ? prng_extreme(r) : 0;
	ext->tcp_state = prng_below(r, prng_once(r, 10) ? 12 : 9);
	ext->status = prng_extreme(r);
}

static void make_state(struct prng *r, struct nfsync_msg_state *m)
{
	static const u8 protos[] = { 6, 6, 6, 17, 17, 1, 58, 47, 132, 50 };

	memset(m, 0, sizeof(*m));
	m->id = any_id(r, &m->creatorid);
	strcpy(m->ifname, "all");
	m->af = prng_once(r, 4) ? NFSYNC_AF_INET6 : NFSYNC_AF_INET;
	make_key(r, &m->key[0], m->af);
	m->key[1] = m->key[0];
	if (prng_once(r, 4))
		make_key(r, &m->key[1], m->af);
	m->key[1].af = m->key[0].af;
	make_peer(r, &m->peer[0]);
	make_peer(r, &m->peer[1]);
	m->rule = m->anchor = m->nat_rule = 0xffffffff;
	m->creation = prng_extreme(r);
	m->expire = prng_once(r, 2) ? prng_extreme(r) : 30;
	m->rtableid[0] = prng_once(r, 40) ? (s32)prng_extreme(r) : -1;
	m->rtableid[1] = m->rtableid[0];
	m->state_flags = prng_once(r, 2) ? prng_extreme(r) : 0;
	m->proto = prng_once(r, 20) ? prng_extreme(r) :
		   protos[prng_below(r, sizeof(protos))];
	m->direction = prng_below(r, prng_once(r, 20) ? 5 : 3);
	m->timeout = prng_below(r, prng_once(r, 20) ? 25 : 14);
	m->has_ext = !prng_once(r, 3);
	if (m->has_ext)
		make_ext(r, &m->ext);
}

static size_t put_state(struct prng *r, uint8_t *p)
{
	struct nfsync_msg_state m;

	make_state(r, &m);
	return nfsync_wire_put_state(p, NFSYNC_WIRE_V6, &m);
}

static size_t put_upd_c(struct prng *r, uint8_t *p)
{
	struct nfsync_msg_upd_c m = { 0 };

	m.id = any_id(r, &m.creatorid);
	make_peer(r, &m.peer[0]);
	make_peer(r, &m.peer[1]);
	m.expire = prng_once(r, 2) ? prng_extreme(r) : 0;
	m.timeout = prng_below(r, prng_once(r, 20) ? 25 : 14);
	return nfsync_wire_put_upd_c(p, &m);
}

static size_t put_id(struct prng *r, uint8_t *p)
{
	uint32_t creatorid;
	uint64_t id = any_id(r, &creatorid);

	/* of an UPD_REQ: all there is */
	if (prng_once(r, 20))
		return nfsync_wire_put_id(p, 0, 0);
	return nfsync_wire_put_id(p, id, creatorid);
}

static size_t put_clr(struct prng *r, uint8_t *p)
{
	static const char *const names[] = { "", "", "all", "lan", "em0" };
	struct nfsync_msg_clr m = { 0 };

	any_id(r, &m.creatorid);
	strcpy(m.ifname, names[prng_below(r, 5)]);
	return nfsync_wire_put_clr(p, &m);
}

static size_t put_bus(struct prng *r, uint8_t *p)
{
	struct nfsync_msg_bus m = {
		.endtime = prng_extreme(r),
		.status = prng_once(r, 10) ? prng_extreme(r) :
					     1 + prng_below(r, 2),
	};

	any_id(r, &m.creatorid);
	return nfsync_wire_put_bus(p, &m);
}

static size_t put_tdb(struct prng *r, uint8_t *p)
{
	struct nfsync_msg_tdb m = {
		.af = NFSYNC_AF_INET,
		.spi = prng_extreme(r),
		.rpl = prng_extreme(r),
		.cur_bytes = prng_extreme(r),
	};

	return nfsync_wire_put_tdb(p, &m);
}

static size_t put_frame(struct prng *r, uint8_t *p)
{
	struct nfsync_msg_frame m = {
		.incarnation = prng_once(r, 4) ? prng_extreme(r) : 1,
		.seq = prng_once(r, 2) ? prng_extreme(r) : prng_below(r, 1000),
	};

	any_id(r, &m.creatorid);
	return nfsync_wire_put_frame(p, &m);
}

static size_t put_hello(struct prng *r, uint8_t *p)
{
	struct nfsync_msg_hello m = {
		.uptime = prng_extreme(r),
		.states = prng_extreme(r),
		.verdict = prng_below(r, prng_once(r, 10) ? 256 : 8),
		.peers = prng_extreme(r),
		.joined_by = prng_extreme(r),
	};

	any_id(r, &m.creatorid);
	return nfsync_wire_put_hello(p, &m);
}

static size_t put_total(struct prng *r, uint8_t *p)
{
	struct nfsync_msg_total m = {
		.count = prng_extreme(r),
		.sum = prng_extreme(r),
		.first_id = prng_extreme(r),
		.verdict = prng_below(r, prng_once(r, 10) ? 256 : 8),
		.flags = prng_extreme(r),
	};

	any_id(r, &m.creatorid);
	return nfsync_wire_put_total(p, &m);
}

/* Most often what there is most of */
static const struct {
	u8 action;
	u8 weight;
	size_t (*put)(struct prng *r, uint8_t *p);
} makers[] = {
	{ NFSYNC_ACT_INS,	8, put_state },
	{ NFSYNC_ACT_UPD,	6, put_state },
	{ NFSYNC_ACT_UPD_C,	8, put_upd_c },
	{ NFSYNC_ACT_DEL,	1, put_state },
	{ NFSYNC_ACT_DEL_C,	2, put_id },
	{ NFSYNC_ACT_INS_ACK,	2, put_id },
	{ NFSYNC_ACT_UPD_REQ,	2, put_id },
	{ NFSYNC_ACT_CLR,	1, put_clr },
	{ NFSYNC_ACT_BUS,	2, put_bus },
	{ NFSYNC_ACT_TDB,	1, put_tdb },
	{ NFSYNC_ACT_FRAME,	1, put_frame },
	{ NFSYNC_ACT_HELLO,	1, put_hello },
	{ NFSYNC_ACT_TOTAL,	1, put_total },
};

static size_t pick_maker(struct prng *r)
{
	uint32_t sum = 0, n;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(makers); i++)
		sum += makers[i].weight;
	n = prng_below(r, sum);
	for (i = 0; n >= makers[i].weight; i++)
		n -= makers[i].weight;
	return i;
}

static void add_section(struct prng *r, struct fuzzframe *f)
{
	size_t i = pick_maker(r), start = f->len, size = 0;
	unsigned int count = 1 + prng_below(r, 4);

	if (f->len + SUBHEADER + count * 320 > sizeof(f->data))
		return;
	f->len += SUBHEADER;
	for (unsigned int n = 0; n < count; n++) {
		size = makers[i].put(r, f->data + f->len);
		f->len += size;
	}
	nfsync_wire_put_subh_len(f->data + start, makers[i].action, count, size);
}

static void make_v6(struct prng *r, struct fuzzframe *f)
{
	unsigned int n = 1 + prng_below(r, 5);

	f->len = HEADER;
	while (n--)
		add_section(r, f);
	nfsync_wire_put_hdr(f->data, NFSYNC_WIRE_V6, f->len);
}

/* Of FreeBSD's header version: no stride, sizes by action, an EOF at the end */
static void make_v5(struct prng *r, struct fuzzframe *f)
{
	static const struct { u8 action; u16 size; } v5[] = {
		{ 0, 20 }, { 1, 242 }, { 2, 12 }, { 3, 242 }, { 4, 84 },
		{ 5, 12 }, { 7, 12 }, { 10, 12 }, { 11, 48 }, { 13, 277 },
		{ 14, 277 }, { 15, 360 }, { 16, 360 },
	};
	unsigned int n = 1 + prng_below(r, 3);
	uint32_t creatorid;

	f->len = HEADER;
	while (n--) {
		size_t i = prng_below(r, ARRAY_SIZE(v5));
		uint8_t *p = f->data + f->len;

		memset(p, 0, SUBHEADER + v5[i].size);
		p[0] = v5[i].action;
		p[3] = 1;
		nfsync_wire_put_id(p + SUBHEADER, any_id(r, &creatorid),
				   creatorid);
		f->len += SUBHEADER + v5[i].size;
	}
	memcpy(f->data + f->len, "\x0c\0\0\1", SUBHEADER);
	f->len += SUBHEADER;
	nfsync_wire_put_hdr(f->data, 5, f->len);
}

/* --- what is wrong with them --- */

struct sections {
	size_t n;
	size_t at[SECTIONS_MAX];
	size_t len[SECTIONS_MAX];
};

static size_t section_len(const uint8_t *p)
{
	return SUBHEADER + 4 * p[1] * (p[2] << 8 | p[3]);
}

static void find_sections(const struct fuzzframe *f, struct sections *s)
{
	size_t at = HEADER, len;

	for (s->n = 0; s->n < SECTIONS_MAX && at + SUBHEADER <= f->len; s->n++) {
		len = section_len(f->data + at);
		if (at + len > f->len)
			return;
		s->at[s->n] = at;
		s->len[s->n] = len;
		at += len;
	}
}

/* The sections that @order names, and nothing else */
static void rebuild(struct fuzzframe *f, const struct sections *s,
		    const size_t *order, size_t n)
{
	static struct fuzzframe old;

	old = *f;
	f->len = HEADER;
	for (size_t i = 0; i < n; i++) {
		size_t len = s->len[order[i]];

		if (f->len + len > sizeof(f->data))
			return;
		memcpy(f->data + f->len, old.data + s->at[order[i]], len);
		f->len += len;
	}
}

/* Sections come twice, in another order, or not at all */
static void shuffle(struct prng *r, struct fuzzframe *f)
{
	size_t order[SECTIONS_MAX], n;
	struct sections s;

	find_sections(f, &s);
	if (!s.n)
		return;
	n = 1 + prng_below(r, 2 * s.n);
	if (n > SECTIONS_MAX)
		n = SECTIONS_MAX;
	for (size_t i = 0; i < n; i++)
		order[i] = prng_below(r, s.n);
	rebuild(f, &s, order, n);
	put16(f->data + 2, f->len);
}

static void flip_bits(struct prng *r, struct fuzzframe *f)
{
	for (unsigned int n = 1 + prng_below(r, 8); n; n--)
		f->data[prng_below(r, f->len)] ^= 1 << prng_below(r, 8);
}

static void set_bytes(struct prng *r, struct fuzzframe *f)
{
	size_t len = 1 << prng_below(r, 4), at = prng_below(r, f->len);
	uint64_t v = prng_extreme(r);

	for (; len && at < f->len; len--, at++) {
		f->data[at] = v;
		v = v >> 8 | v << 56;
	}
}

static void set_length(struct prng *r, struct fuzzframe *f)
{
	put16(f->data + 2, prng_once(r, 2) ? prng_extreme(r) :
		f->len - 8 + prng_below(r, 16));
}

static void set_version(struct prng *r, struct fuzzframe *f)
{
	f->data[0] = prng_once(r, 4) ? prng_extreme(r) : prng_below(r, 8);
}

static void set_subheader(struct prng *r, struct fuzzframe *f)
{
	struct sections s;
	uint8_t *p;

	find_sections(f, &s);
	if (!s.n)
		return;
	p = f->data + s.at[prng_below(r, s.n)];
	switch (prng_below(r, 4)) {
	case 0:
		p[0] = prng_once(r, 2) ? prng_below(r, 18) :
					 0x7e + prng_below(r, 8);
		break;
	case 1:
		p[1] = prng_once(r, 2) ? prng_extreme(r) :
					 p[1] - 2 + prng_below(r, 5);
		break;
	default:
		put16(p + 2, prng_once(r, 2) ? prng_extreme(r) :
			p[3] - 1 + prng_below(r, 3));
	}
}

/* Values, of the right length: the frame stays whole */
static void set_value(struct prng *r, struct fuzzframe *f)
{
	struct sections s;
	size_t i, at, len;

	find_sections(f, &s);
	if (!s.n)
		return;
	i = prng_below(r, s.n);
	if (s.len[i] <= SUBHEADER)
		return;
	len = 1 << prng_below(r, 4);
	at = prng_below(r, s.len[i] - SUBHEADER) & ~(len - 1);
	for (uint64_t v = prng_extreme(r); len; len--, at++, v >>= 8)
		if (SUBHEADER + at < s.len[i])
			f->data[s.at[i] + SUBHEADER + at] = v;
}

static void cut(struct prng *r, struct fuzzframe *f)
{
	f->len = prng_below(r, f->len + 1);
}

/* With the header's length right for it */
static void cut_well(struct prng *r, struct fuzzframe *f)
{
	cut(r, f);
	if (f->len >= 4)
		put16(f->data + 2, f->len);
}

static void pad(struct prng *r, struct fuzzframe *f)
{
	size_t n = prng_below(r, 40);

	while (n-- && f->len < sizeof(f->data))
		f->data[f->len++] = prng_next(r);
	if (prng_once(r, 2))
		put16(f->data + 2, f->len);
}

static void noise(struct prng *r, struct fuzzframe *f)
{
	f->len = prng_below(r, 400);
	for (size_t i = 0; i < f->len; i++)
		f->data[i] = prng_next(r);
	if (f->len >= HEADER && !prng_once(r, 3)) {
		f->data[0] = NFSYNC_WIRE_V6;
		put16(f->data + 2, f->len);
	}
}

static void (*const damage[])(struct prng *r, struct fuzzframe *f) = {
	shuffle, shuffle, flip_bits, set_bytes, set_length, set_version,
	set_subheader, set_subheader, set_value, set_value, set_value,
	set_value, cut, cut_well, pad, noise,
};

void fuzzframe_make(struct fuzzframe *f, struct prng *r)
{
	unsigned int n = prng_once(r, 3) ? 0 : 1 + prng_below(r, 3);

	if (prng_once(r, 20))
		make_v5(r, f);
	else if (n_recorded && prng_once(r, 3))
		*f = recorded[prng_below(r, n_recorded)];
	else
		make_v6(r, f);
	while (n-- && f->len)
		damage[prng_below(r, ARRAY_SIZE(damage))](r, f);
}

/* --- what a real peer said --- */

static void learn_id(const uint8_t *id, const uint8_t *creatorid)
{
	uint8_t p[NFSYNC_WIRE_ID_LEN];

	memcpy(p, id, 8);
	memcpy(p + 8, creatorid, 4);
	nfsync_wire_get_id(p, &known[next_known]);
	/* the latest are the most likely to be there still */
	next_known = (next_known + 1) % ARRAY_SIZE(known);
	if (n_known < ARRAY_SIZE(known))
		n_known++;
}

/* @at: of the creator id, which v6 has at the end of what it names */
static void learn_ids(const uint8_t *p, size_t at)
{
	size_t stride = 4 * p[1], n = p[2] << 8 | p[3];

	for (p += SUBHEADER; n; n--, p += stride)
		learn_id(p, p + at);
}

void fuzzframe_hear(const struct fuzzframe *f)
{
	struct sections s;

	find_sections(f, &s);
	for (size_t i = 0; i < s.n; i++) {
		const uint8_t *p = f->data + s.at[i];

		if (p[0] == NFSYNC_ACT_INS || p[0] == NFSYNC_ACT_UPD)
			learn_ids(p, 236);
		else if (p[0] == NFSYNC_ACT_UPD_C)
			learn_ids(p, 72);
	}
}

static size_t read_hex(uint8_t *p, size_t room, const char *hex)
{
	unsigned int byte;
	size_t n = 0;

	while (n < room && sscanf(hex, "%2x", &byte) == 1) {
		p[n++] = byte;
		hex += 2;
	}
	return n;
}

size_t fuzzframe_record(const char *file)
{
	static char line[2 * FUZZFRAME_MAX + 2];
	FILE *in = fopen(file, "r");
	struct fuzzframe *f;

	if (!in)
		err(2, "%s", file);
	while (fgets(line, sizeof(line), in)) {
		recorded = realloc(recorded, (n_recorded + 1) * sizeof(*f));
		if (!recorded)
			err(1, "memory");
		f = &recorded[n_recorded];
		f->len = read_hex(f->data, sizeof(f->data), line);
		if (f->len < HEADER)
			continue;
		fuzzframe_hear(f);
		n_recorded++;
	}
	fclose(in);
	return n_recorded;
}
