// SPDX-License-Identifier: GPL-2.0
#include "wire_walk.h"

/*
 * All decoders and encoders by the same shape: decode @p into @m; if it is
 * good, encode into @out and decode that into @again.  The decoders clear
 * what they fill in, so comparing memory compares values.
 */
union msg {
	struct nfsync_msg_state state;
	struct nfsync_msg_upd_c upd_c;
	struct nfsync_msg_id id;
	struct nfsync_msg_clr clr;
	struct nfsync_msg_bus bus;
	struct nfsync_msg_tdb tdb;
	struct nfsync_msg_frame frame;
	struct nfsync_msg_hello hello;
	struct nfsync_msg_total total;
};

static enum nfsync_wire_err decode(const struct nfsync_wire_section *s,
				   const u8 *p, union msg *m)
{
	memset(m, 0, sizeof(*m));
	switch (s->action) {
	case NFSYNC_ACT_INS:
	case NFSYNC_ACT_UPD:
	case NFSYNC_ACT_DEL:
		return nfsync_wire_get_state(s, p, &m->state);
	case NFSYNC_ACT_UPD_C:
		return nfsync_wire_get_upd_c(p, &m->upd_c);
	case NFSYNC_ACT_CLR:
		return nfsync_wire_get_clr(p, &m->clr);
	case NFSYNC_ACT_TDB:
		return nfsync_wire_get_tdb(p, &m->tdb);
	case NFSYNC_ACT_BUS:
		nfsync_wire_get_bus(p, &m->bus);
		return NFSYNC_WIRE_OK;
	case NFSYNC_ACT_FRAME:
		nfsync_wire_get_frame(p, &m->frame);
		return NFSYNC_WIRE_OK;
	case NFSYNC_ACT_HELLO:
		nfsync_wire_get_hello(p, &m->hello);
		return NFSYNC_WIRE_OK;
	case NFSYNC_ACT_TOTAL:
		nfsync_wire_get_total(p, &m->total);
		return NFSYNC_WIRE_OK;
	}
	nfsync_wire_get_id(p, &m->id);
	return NFSYNC_WIRE_OK;
}

static size_t encode(const struct nfsync_wire_section *s, u8 *p,
		     const union msg *m)
{
	switch (s->action) {
	case NFSYNC_ACT_INS:
	case NFSYNC_ACT_UPD:
	case NFSYNC_ACT_DEL:
		return nfsync_wire_put_state(p, s->version, &m->state);
	case NFSYNC_ACT_UPD_C:
		return nfsync_wire_put_upd_c(p, &m->upd_c);
	case NFSYNC_ACT_CLR:
		return nfsync_wire_put_clr(p, &m->clr);
	case NFSYNC_ACT_TDB:
		return nfsync_wire_put_tdb(p, &m->tdb);
	case NFSYNC_ACT_BUS:
		return nfsync_wire_put_bus(p, &m->bus);
	case NFSYNC_ACT_FRAME:
		return nfsync_wire_put_frame(p, &m->frame);
	case NFSYNC_ACT_HELLO:
		return nfsync_wire_put_hello(p, &m->hello);
	case NFSYNC_ACT_TOTAL:
		return nfsync_wire_put_total(p, &m->total);
	}
	return nfsync_wire_put_id(p, m->id.id, m->id.creatorid);
}

static bool comes_back(const struct nfsync_wire_section *s,
		       const union msg *m)
{
	struct nfsync_wire_section sent = *s;
	union msg again;
	u8 out[512];

	sent.stride = encode(s, out, m);
	if (decode(&sent, out, &again))
		return false;
	return !memcmp(m, &again, sizeof(again));
}

static bool af_known(u8 af)
{
	return af == NFSYNC_AF_INET || af == NFSYNC_AF_INET6;
}

static bool named(const char *ifname)
{
	return memchr(ifname, '\0', NFSYNC_IFNAMSIZ);
}

static bool peers_sane(const struct nfsync_msg_peer peer[2])
{
	return peer[0].level <= NFSYNC_LEVEL_MAX && peer[0].scrub_valid <= 1 &&
	       peer[1].level <= NFSYNC_LEVEL_MAX && peer[1].scrub_valid <= 1;
}

static bool state_sane(const struct nfsync_msg_state *m)
{
	return named(m->ifname) && peers_sane(m->peer) && af_known(m->af) &&
	       af_known(m->key[0].af) && af_known(m->key[1].af) &&
	       m->direction <= NFSYNC_DIR_OUT && m->timeout < NFSYNC_TMO_MAX &&
	       m->ext.tcp_state < 10 && m->ext.status <= 15;
}

/* What the receiver relies on without looking again */
static bool sane(const struct nfsync_wire_section *s, const union msg *m)
{
	switch (s->action) {
	case NFSYNC_ACT_INS:
	case NFSYNC_ACT_UPD:
		return state_sane(&m->state);
	case NFSYNC_ACT_UPD_C:
		return peers_sane(m->upd_c.peer) &&
		       m->upd_c.timeout < NFSYNC_TMO_MAX;
	case NFSYNC_ACT_CLR:
		return named(m->clr.ifname);
	case NFSYNC_ACT_TDB:
		return af_known(m->tdb.af);
	}
	return true;
}

static void walk_section(const struct nfsync_wire_section *s,
			 struct wire_walk *w)
{
	union msg m;
	size_t i;

	for (i = 0; i < s->count; i++) {
		if (decode(s, s->body + i * s->stride, &m)) {
			w->badval++;
			continue;
		}
		w->messages++;
		w->differ += !comes_back(s, &m);
		w->insane += !sane(s, &m);
	}
}

void wire_walk(const void *data, size_t len, struct wire_walk *w)
{
	struct nfsync_wire_section s;
	struct nfsync_wire_frame f;

	memset(w, 0, sizeof(*w));
	w->err = nfsync_wire_check(&f, data, len);
	if (w->err)
		return;
	while (nfsync_wire_next(&f, &s)) {
		w->sections += s.known;
		w->skipped += !s.known;
		if (s.known)
			walk_section(&s, w);
	}
}
