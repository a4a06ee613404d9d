// SPDX-License-Identifier: GPL-2.0
/*
 * pf's picture and conntrack's: the tables walked from both ends, every
 * field that travels there and back, and what has to be refused.
 */
#include "ktap.h"
#include "map.h"

#define ICMP	1
#define TCP	6
#define UDP	17
#define GRE	47
#define ICMPV6	58

enum nat { NAT_NONE, NAT_SRC, NAT_DST, NAT_BOTH, NAT_N };

static void end(struct nfsync_map_end *e, u8 af, u8 last, u16 port)
{
	memset(e, 0, sizeof(*e));
	if (af == NFSYNC_AF_INET) {
		e->addr[0] = 192;
		e->addr[2] = 2;
		e->addr[3] = last;
	} else {
		e->addr[0] = 0x20;
		e->addr[1] = 0x01;
		e->addr[15] = last;
	}
	e->port = port;
}

/* .1 is the client, .2 what it calls, .3 the server, .4 the client's mask */
static void tuples(struct nfsync_map_ct *ct, enum nat nat)
{
	bool snat = nat == NAT_SRC || nat == NAT_BOTH;
	bool dnat = nat == NAT_DST || nat == NAT_BOTH;
	bool icmp = ct->proto == ICMP || ct->proto == ICMPV6;
	u16 id = snat ? 4444 : 1111;

	end(&ct->tuple[0].src, ct->af, 1, 1111);
	end(&ct->tuple[0].dst, ct->af, 2, icmp ? 0 : 80);
	end(&ct->tuple[1].src, ct->af, dnat ? 3 : 2,
	    icmp ? id : dnat ? 8080 : 80);
	end(&ct->tuple[1].dst, ct->af, snat ? 4 : 1, icmp ? 0 : id);
}

static struct nfsync_map_ct flow(u8 af, u8 proto, enum nat nat)
{
	struct nfsync_map_ct ct;

	memset(&ct, 0, sizeof(ct));
	ct.af = af;
	ct.proto = proto;
	ct.expire = 77;
	ct.age = 55;
	ct.mark = 0xdeadbeef;
	ct.zone = 9;
	ct.seen_reply = true;
	if (proto == ICMP)
		ct.icmp_type = 8;
	if (proto == ICMPV6)
		ct.icmp_type = 128;
	tuples(&ct, nat);
	return ct;
}

static void seen(struct nfsync_map_seen *s, u32 end, u32 maxend, u32 maxwin,
		 u8 scale)
{
	s->td_end = end;
	s->td_maxend = maxend;
	s->td_maxwin = maxwin;
	s->td_scale = scale;
	s->flags = NFSYNC_CT_F_WINDOW_SCALE | NFSYNC_CT_F_SACK_PERM;
}

static struct nfsync_map_ct tcp_flow(u8 state)
{
	struct nfsync_map_ct ct = flow(NFSYNC_AF_INET, TCP, NAT_NONE);

	ct.tcp_state = state;
	ct.assured = true;
	seen(&ct.seen[0], 0xfffff000, 0x1000, 65535 << 7, 7);
	seen(&ct.seen[1], 5000, 90000, 29200 << 3, 3);
	return ct;
}

static void set_levels(struct nfsync_msg_peer peer[2], u8 src, u8 dst)
{
	memset(peer, 0, 2 * sizeof(*peer));
	peer[NFSYNC_SRC].level = src;
	peer[NFSYNC_DST].level = dst;
}

static const struct {
	u8 state, reply_closed, src, dst, timeout;
} tcp_table[] = {
	{ NFSYNC_CT_NONE, 0, 0, 0, NFSYNC_TMO_TCP_FIRST },
	{ NFSYNC_CT_SYN_SENT, 0, 2, 0, NFSYNC_TMO_TCP_FIRST },
	{ NFSYNC_CT_SYN_SENT2, 0, 2, 2, NFSYNC_TMO_TCP_OPENING },
	{ NFSYNC_CT_SYN_RECV, 0, 4, 2, NFSYNC_TMO_TCP_OPENING },
	{ NFSYNC_CT_ESTABLISHED, 0, 4, 4, NFSYNC_TMO_TCP_ESTABLISHED },
	{ NFSYNC_CT_FIN_WAIT, 0, 7, 4, NFSYNC_TMO_TCP_CLOSING },
	{ NFSYNC_CT_FIN_WAIT, 1, 4, 7, NFSYNC_TMO_TCP_CLOSING },
	{ NFSYNC_CT_CLOSE_WAIT, 0, 9, 4, NFSYNC_TMO_TCP_CLOSING },
	{ NFSYNC_CT_CLOSE_WAIT, 1, 4, 9, NFSYNC_TMO_TCP_CLOSING },
	{ NFSYNC_CT_LAST_ACK, 0, 9, 7, NFSYNC_TMO_TCP_FIN_WAIT },
	{ NFSYNC_CT_LAST_ACK, 1, 7, 9, NFSYNC_TMO_TCP_FIN_WAIT },
	{ NFSYNC_CT_TIME_WAIT, 0, 9, 9, NFSYNC_TMO_TCP_CLOSED },
	{ NFSYNC_CT_TIME_WAIT, 1, 9, 9, NFSYNC_TMO_TCP_CLOSED },
	{ NFSYNC_CT_CLOSE, 0, 10, 10, NFSYNC_TMO_TCP_CLOSED },
	{ NFSYNC_CT_CLOSE, 1, 10, 10, NFSYNC_TMO_TCP_CLOSED },
};

static void tcp_state_to_levels(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tcp_table); i++) {
		struct nfsync_map_ct ct = tcp_flow(tcp_table[i].state);
		struct nfsync_msg_peer peer[2];
		u8 timeout;

		if (tcp_table[i].state >= NFSYNC_CT_FIN_WAIT)
			ct.seen[tcp_table[i].reply_closed].flags |=
				NFSYNC_CT_F_CLOSE_INIT;
		nfsync_map_export_peers(&ct, peer, &timeout);
		KTAP_EXPECT_EQ(peer[NFSYNC_SRC].level, tcp_table[i].src);
		KTAP_EXPECT_EQ(peer[NFSYNC_DST].level, tcp_table[i].dst);
		KTAP_EXPECT_EQ(timeout, tcp_table[i].timeout);
	}
}

static void tcp_levels_to_state(void)
{
	size_t i;

	for (i = 1; i < ARRAY_SIZE(tcp_table); i++) {
		struct nfsync_msg_peer peer[2];
		u8 closed = tcp_table[i].src == tcp_table[i].dst ? 0 :
			    tcp_table[i].reply_closed;
		u8 init[2];

		set_levels(peer, tcp_table[i].src, tcp_table[i].dst);
		KTAP_EXPECT_EQ(nfsync_map_tcp_state(peer, init),
			       tcp_table[i].state);
		if (tcp_table[i].state < NFSYNC_CT_FIN_WAIT ||
		    tcp_table[i].state == NFSYNC_CT_SYN_SENT2) {
			KTAP_EXPECT_EQ(init[0] + init[1], 0);
			continue;
		}
		KTAP_EXPECT_EQ(init[closed], 1);
		KTAP_EXPECT_EQ(init[!closed], 0);
	}
}

static int rank(u8 state)
{
	static const u8 order[] = {
		NFSYNC_CT_SYN_SENT, NFSYNC_CT_SYN_SENT2, NFSYNC_CT_SYN_RECV,
		NFSYNC_CT_ESTABLISHED, NFSYNC_CT_FIN_WAIT,
		NFSYNC_CT_CLOSE_WAIT, NFSYNC_CT_LAST_ACK, NFSYNC_CT_TIME_WAIT,
		NFSYNC_CT_CLOSE,
	};
	size_t i;

	for (i = 0; i < sizeof(order); i++)
		if (order[i] == state)
			return i;
	return -1;
}

static u8 state_of(u8 src, u8 dst)
{
	struct nfsync_msg_peer peer[2];
	u8 init[2];

	set_levels(peer, src, dst);
	return nfsync_map_tcp_state(peer, init);
}

/* Higher levels never give an earlier state, and none claims more than heard */
static void every_level_pair_is_sane(void)
{
	struct nfsync_map_ct ct = tcp_flow(0);
	struct nfsync_msg_peer peer[2];
	unsigned int src, dst;
	u8 timeout;

	for (src = 0; src <= 10; src++) {
		for (dst = 0; dst <= 10; dst++) {
			int r = rank(state_of(src, dst));

			KTAP_EXPECT_MSG(r >= 0, "(%u,%u) has no state", src, dst);
			if (src)
				KTAP_EXPECT(r >= rank(state_of(src - 1, dst)));
			if (dst)
				KTAP_EXPECT(r >= rank(state_of(src, dst - 1)));
			if (src < 2)
				continue;
			ct.tcp_state = state_of(src, dst);
			ct.seen[0].flags = src >= dst ? NFSYNC_CT_F_CLOSE_INIT : 0;
			ct.seen[1].flags = src < dst ? NFSYNC_CT_F_CLOSE_INIT : 0;
			/* both closing, none acknowledged: told on as (9,7) */
			if (r == rank(NFSYNC_CT_LAST_ACK) && src < 9 && dst < 9)
				continue;
			nfsync_map_export_peers(&ct, peer, &timeout);
			KTAP_EXPECT_MSG(peer[0].level <= src &&
					peer[1].level <= dst,
					"(%u,%u) comes back as (%u,%u)", src,
					dst, peer[0].level, peer[1].level);
		}
	}
}

static void odd_level_pairs(void)
{
	KTAP_EXPECT_EQ(state_of(7, 7), NFSYNC_CT_LAST_ACK);
	KTAP_EXPECT_EQ(state_of(0, 0), NFSYNC_CT_SYN_SENT);
	KTAP_EXPECT_EQ(state_of(0, 4), NFSYNC_CT_SYN_SENT);
	KTAP_EXPECT_EQ(state_of(3, 0), NFSYNC_CT_SYN_SENT);
	KTAP_EXPECT_EQ(state_of(4, 0), NFSYNC_CT_SYN_SENT);
	KTAP_EXPECT_EQ(state_of(3, 3), NFSYNC_CT_SYN_SENT2);
	KTAP_EXPECT_EQ(state_of(5, 6), NFSYNC_CT_ESTABLISHED);
	KTAP_EXPECT_EQ(state_of(8, 4), NFSYNC_CT_FIN_WAIT);
	KTAP_EXPECT_EQ(state_of(10, 4), NFSYNC_CT_CLOSE_WAIT);
	KTAP_EXPECT_EQ(state_of(10, 9), NFSYNC_CT_TIME_WAIT);
	KTAP_EXPECT_EQ(state_of(9, 2), NFSYNC_CT_SYN_RECV);
}

static bool same_end(const struct nfsync_map_end *a,
		     const struct nfsync_map_end *b)
{
	return !memcmp(a->addr, b->addr, 16) && a->port == b->port;
}

static void expect_tuples(const struct nfsync_map_ct *got,
			  const struct nfsync_map_ct *want)
{
	int i;

	for (i = 0; i < 2; i++) {
		KTAP_EXPECT_MSG(same_end(&got->tuple[i].src, &want->tuple[i].src),
				"source of tuple %d, family %u protocol %u", i,
				want->af, want->proto);
		KTAP_EXPECT_MSG(same_end(&got->tuple[i].dst, &want->tuple[i].dst),
				"destination of tuple %d, family %u protocol %u",
				i, want->af, want->proto);
	}
}

static void expect_same(const struct nfsync_map_ct *got,
			const struct nfsync_map_ct *want)
{
	int i;

	expect_tuples(got, want);
	KTAP_EXPECT_EQ(got->af, want->af);
	KTAP_EXPECT_EQ(got->proto, want->proto);
	KTAP_EXPECT_EQ(got->icmp_type, want->icmp_type);
	KTAP_EXPECT_EQ(got->expire, want->expire);
	KTAP_EXPECT_EQ(got->age, want->age);
	KTAP_EXPECT_EQ(got->mark, want->mark);
	KTAP_EXPECT_EQ(got->zone, want->zone);
	KTAP_EXPECT_EQ(got->tcp_state, want->tcp_state);
	KTAP_EXPECT_EQ(got->seen_reply, want->seen_reply);
	KTAP_EXPECT_EQ(got->assured, want->assured);
	KTAP_EXPECT_EQ(got->no_windows, want->no_windows);
	for (i = 0; i < 2; i++) {
		KTAP_EXPECT_EQ(got->seen[i].td_end, want->seen[i].td_end);
		KTAP_EXPECT_EQ(got->seen[i].td_maxend, want->seen[i].td_maxend);
		KTAP_EXPECT_EQ(got->seen[i].td_maxwin, want->seen[i].td_maxwin);
		KTAP_EXPECT_EQ(got->seen[i].td_scale, want->seen[i].td_scale);
		KTAP_EXPECT_EQ(got->seen[i].flags, want->seen[i].flags);
	}
}

static void round_trip(const struct nfsync_map_ct *ct)
{
	struct nfsync_msg_state m;
	struct nfsync_map_ct back;

	memset(&m, 0xa5, sizeof(m));
	memset(&back, 0x5a, sizeof(back));
	nfsync_map_export(ct, &m);
	KTAP_EXPECT_EQ(nfsync_map_import(&m, &back), NFSYNC_MAP_OK);
	expect_same(&back, ct);
}

static void round_trip_tuples(void)
{
	static const u8 protos[] = { TCP, UDP, ICMP };
	enum nat nat;
	size_t i;

	for (nat = 0; nat < NAT_N; nat++) {
		for (i = 0; i < sizeof(protos); i++) {
			u8 six = protos[i] == ICMP ? ICMPV6 : protos[i];
			struct nfsync_map_ct v4, v6;

			v4 = flow(NFSYNC_AF_INET, protos[i], nat);
			v6 = flow(NFSYNC_AF_INET6, six, nat);
			if (protos[i] == TCP) {
				v4.tcp_state = NFSYNC_CT_ESTABLISHED;
				v6.tcp_state = NFSYNC_CT_ESTABLISHED;
			}
			round_trip(&v4);
			round_trip(&v6);
		}
	}
}

static void round_trip_tcp_states(void)
{
	struct nfsync_map_ct ct;
	unsigned int closed;
	u8 state;

	for (state = 1; state < NFSYNC_CT_MAX; state++) {
		for (closed = 0; closed < 4; closed++) {
			ct = tcp_flow(state);
			if (closed & 1)
				ct.seen[0].flags |= NFSYNC_CT_F_CLOSE_INIT;
			if (closed & 2)
				ct.seen[1].flags |= NFSYNC_CT_F_CLOSE_INIT;
			if (state == NFSYNC_CT_SYN_SENT)
				memset(&ct.seen[1], 0, sizeof(ct.seen[1]));
			round_trip(&ct);
		}
	}
}

static void random_seen(struct nfsync_map_seen *s, bool scaled, u64 *seed)
{
	u64 r = ktap_random(seed);

	s->td_end = r;
	s->td_maxend = r >> 32;
	r = ktap_random(seed);
	s->td_maxwin = r >> (r % 24 + 32);
	s->td_scale = scaled ? (r >> 8) % 15 : 0;
	s->flags = (r >> 16) & NFSYNC_CT_F_TRAVEL;
	s->flags |= scaled ? NFSYNC_CT_F_WINDOW_SCALE : 0;
}

static void round_trip_random_tcp(void)
{
	u64 seed = 4;
	int i;

	for (i = 0; i < 100000; i++) {
		u64 r = ktap_random(&seed);
		struct nfsync_map_ct ct = tcp_flow(2 + (r >> 5) % 7);
		bool scaled = r & 1;

		random_seen(&ct.seen[0], scaled, &seed);
		random_seen(&ct.seen[1], scaled, &seed);
		if (!scaled)
			ct.seen[r >> 1 & 1].flags &= ~NFSYNC_CT_F_WINDOW_SCALE;
		ct.assured = r & 2;
		ct.seen_reply = r & 4;
		ct.expire = r >> 40;
		ct.mark = r >> 20;
		ct.zone = r >> 30;
		round_trip(&ct);
	}
}

/* What does not travel must not come along by chance */
static void private_flags_stay(void)
{
	struct nfsync_map_ct ct = tcp_flow(NFSYNC_CT_ESTABLISHED), back;
	struct nfsync_msg_state m;

	ct.seen[0].flags = 0xff;
	ct.seen[1].flags = 0xff;
	nfsync_map_export(&ct, &m);
	KTAP_EXPECT_EQ(m.ext.tcp_flags[0], NFSYNC_CT_F_TRAVEL);
	m.ext.tcp_flags[1] = 0xff;
	nfsync_map_import(&m, &back);
	KTAP_EXPECT_EQ(back.seen[1].flags, NFSYNC_CT_F_TRAVEL);
}

/* A pf peer's state and an UPD_C have no trailer: levels must do */
static void tcp_without_trailer(void)
{
	size_t i;

	for (i = 1; i < ARRAY_SIZE(tcp_table); i++) {
		u8 closed = tcp_table[i].src == tcp_table[i].dst ? 0 :
			    tcp_table[i].reply_closed;
		struct nfsync_map_ct ct = tcp_flow(tcp_table[i].state), back;
		struct nfsync_msg_state m;

		if (ct.tcp_state == NFSYNC_CT_SYN_SENT)
			memset(&ct.seen[1], 0, sizeof(ct.seen[1]));
		if (ct.tcp_state >= NFSYNC_CT_FIN_WAIT &&
		    ct.tcp_state <= NFSYNC_CT_CLOSE)
			ct.seen[closed].flags |= NFSYNC_CT_F_CLOSE_INIT;
		nfsync_map_export(&ct, &m);
		m.has_ext = false;
		KTAP_EXPECT_EQ(nfsync_map_import(&m, &back), NFSYNC_MAP_OK);
		ct.mark = 0;
		ct.zone = 0;
		ct.seen_reply = tcp_table[i].dst >= 2;
		ct.assured = tcp_table[i].src >= 4 && tcp_table[i].dst >= 4;
		if (ct.tcp_state == NFSYNC_CT_SYN_SENT)
			ct.seen[1].flags = NFSYNC_CT_F_SACK_PERM;
		expect_same(&back, &ct);
	}
}

/* A trailer whose state is out of range falls back to the levels */
static void tcp_trailer_without_state(void)
{
	struct nfsync_map_ct ct = tcp_flow(NFSYNC_CT_FIN_WAIT), back;
	struct nfsync_msg_state m;

	ct.seen[1].flags |= NFSYNC_CT_F_CLOSE_INIT;
	nfsync_map_export(&ct, &m);
	m.ext.tcp_state = NFSYNC_CT_MAX;
	nfsync_map_import(&m, &back);
	KTAP_EXPECT_EQ(back.tcp_state, NFSYNC_CT_FIN_WAIT);
	m.ext.tcp_state = NFSYNC_CT_NONE;
	nfsync_map_import(&m, &back);
	KTAP_EXPECT_EQ(back.tcp_state, NFSYNC_CT_FIN_WAIT);
	KTAP_EXPECT(back.seen[1].flags & NFSYNC_CT_F_CLOSE_INIT);
}

static struct nfsync_msg_peer exported(struct nfsync_map_seen s, u8 state)
{
	struct nfsync_map_ct ct = tcp_flow(state);
	struct nfsync_msg_peer peer[2];
	u8 timeout;

	ct.seen[1] = s;
	nfsync_map_export_peers(&ct, peer, &timeout);
	return peer[NFSYNC_DST];
}

static void window_clamps(void)
{
	struct nfsync_map_seen s = { .flags = NFSYNC_CT_F_WINDOW_SCALE };
	u8 est = NFSYNC_CT_ESTABLISHED;

	s.td_scale = 7;
	s.td_maxwin = 100;
	KTAP_EXPECT_EQ(exported(s, est).max_win, 1);
	s.td_maxwin = 1000 << 7;
	KTAP_EXPECT_EQ(exported(s, est).max_win, 1000);
	s.td_maxwin = (65535 << 7) + 12345;
	KTAP_EXPECT_EQ(exported(s, est).max_win, 65535);
	s.td_maxwin = 0xffffffff;
	KTAP_EXPECT_EQ(exported(s, est).max_win, 65535);
	s.td_maxwin = 0;
	KTAP_EXPECT_EQ(exported(s, est).max_win, 0);
	KTAP_EXPECT_EQ(exported(s, est).wscale, 0x87);
	s.td_scale = 200;
	s.td_maxwin = 1 << 20;
	KTAP_EXPECT_EQ(exported(s, est).wscale, 0x8e);
	KTAP_EXPECT_EQ(exported(s, est).max_win, 64);
	s.flags = 0;
	KTAP_EXPECT_EQ(exported(s, est).wscale, 0);
}

/* pf has 1 in the fresh side's window and right edge; conntrack has zeros */
static void silent_responder(void)
{
	struct nfsync_map_seen zero = { 0 };
	struct nfsync_msg_peer p = exported(zero, NFSYNC_CT_SYN_SENT);
	struct nfsync_map_seen s;

	KTAP_EXPECT_EQ(p.seqlo, 0);
	KTAP_EXPECT_EQ(p.seqhi, 1);
	KTAP_EXPECT_EQ(p.max_win, 1);
	KTAP_EXPECT_EQ(p.wscale, 0);
	nfsync_map_import_peer(&p, NULL, NFSYNC_DST, true, &s);
	KTAP_EXPECT_EQ(s.td_maxwin, 0);
	KTAP_EXPECT_EQ(s.td_maxend, 0);
	KTAP_EXPECT_EQ(s.td_scale, 0);
}

/* The offer of a SYN must be known where the SYN-ACK passes */
static void scale_offer_travels(void)
{
	struct nfsync_map_ct ct = tcp_flow(NFSYNC_CT_SYN_SENT), back;
	struct nfsync_msg_state m;

	memset(&ct.seen[1], 0, sizeof(ct.seen[1]));
	nfsync_map_export(&ct, &m);
	KTAP_EXPECT_EQ(m.peer[NFSYNC_SRC].wscale, 0x87);
	m.has_ext = false;
	nfsync_map_import(&m, &back);
	KTAP_EXPECT_EQ(back.seen[0].td_scale, 7);
	KTAP_EXPECT(back.seen[0].flags & NFSYNC_CT_F_WINDOW_SCALE);
}

static void scale_needs_both(void)
{
	struct nfsync_map_ct ct = tcp_flow(NFSYNC_CT_ESTABLISHED), back;
	struct nfsync_msg_state m;

	ct.seen[1].flags = NFSYNC_CT_F_SACK_PERM;
	nfsync_map_export(&ct, &m);
	KTAP_EXPECT_EQ(m.peer[NFSYNC_SRC].wscale, 0);
	KTAP_EXPECT_EQ(m.peer[NFSYNC_DST].wscale, 0);
	m.has_ext = false;
	m.peer[NFSYNC_SRC].wscale = 0x87;
	m.peer[NFSYNC_SRC].max_win = 500;
	KTAP_EXPECT(!nfsync_map_both_scaled(m.peer));
	nfsync_map_import(&m, &back);
	KTAP_EXPECT_EQ(back.seen[0].td_scale, 0);
	KTAP_EXPECT_EQ(back.seen[0].td_maxwin, 500);
	KTAP_EXPECT_EQ(back.seen[0].flags, NFSYNC_CT_F_SACK_PERM);
	m.peer[NFSYNC_DST].wscale = 0x8f;
	m.peer[NFSYNC_DST].max_win = 2;
	nfsync_map_import(&m, &back);
	KTAP_EXPECT_EQ(back.seen[0].td_maxwin, 500 << 7);
	KTAP_EXPECT_EQ(back.seen[1].td_scale, 14);
	KTAP_EXPECT_EQ(back.seen[1].td_maxwin, 2 << 14);
}

static void unknown_windows_are_relearnt(void)
{
	struct nfsync_map_ct ct = tcp_flow(NFSYNC_CT_ESTABLISHED), back;
	struct nfsync_msg_state m;
	int i;

	ct.no_windows = true;
	nfsync_map_export(&ct, &m);
	KTAP_EXPECT_EQ(m.state_flags, NFSYNC_STATE_SLOPPY);
	nfsync_map_import(&m, &back);
	KTAP_EXPECT(back.no_windows);
	for (i = 0; i < 2; i++) {
		KTAP_EXPECT_EQ(back.seen[i].td_maxwin, 0);
		KTAP_EXPECT_EQ(back.seen[i].td_scale, ct.seen[i].td_scale);
		KTAP_EXPECT(back.seen[i].flags & NFSYNC_CT_F_BE_LIBERAL);
	}
	ct.no_windows = false;
	nfsync_map_export(&ct, &m);
	KTAP_EXPECT_EQ(m.state_flags, 0);
}

static void other_levels(void)
{
	struct nfsync_map_ct ct = flow(NFSYNC_AF_INET, UDP, NAT_NONE);
	struct nfsync_msg_state m;

	ct.seen_reply = false;
	nfsync_map_export(&ct, &m);
	KTAP_EXPECT_EQ(m.peer[NFSYNC_SRC].level, 1);
	KTAP_EXPECT_EQ(m.peer[NFSYNC_DST].level, 0);
	KTAP_EXPECT_EQ(m.timeout, NFSYNC_TMO_UDP_FIRST);
	KTAP_EXPECT_EQ(nfsync_map_status(UDP, m.peer), 0);
	ct.seen_reply = true;
	nfsync_map_export(&ct, &m);
	KTAP_EXPECT_EQ(m.peer[NFSYNC_SRC].level, 2);
	KTAP_EXPECT_EQ(m.peer[NFSYNC_DST].level, 1);
	KTAP_EXPECT_EQ(m.timeout, NFSYNC_TMO_UDP_SINGLE);
	KTAP_EXPECT_EQ(nfsync_map_status(UDP, m.peer), NFSYNC_EXT_SEEN_REPLY);
	ct.assured = true;
	nfsync_map_export(&ct, &m);
	KTAP_EXPECT_EQ(m.peer[NFSYNC_SRC].level, 2);
	KTAP_EXPECT_EQ(m.peer[NFSYNC_DST].level, 2);
	KTAP_EXPECT_EQ(m.timeout, NFSYNC_TMO_UDP_MULTIPLE);
	KTAP_EXPECT_EQ(nfsync_map_status(UDP, m.peer),
		       NFSYNC_EXT_SEEN_REPLY | NFSYNC_EXT_ASSURED);
}

static void timeout_classes(void)
{
	struct nfsync_msg_peer peer[2];

	set_levels(peer, 0, 0);
	KTAP_EXPECT_EQ(nfsync_map_timeout(ICMP, peer, false, false), 9);
	KTAP_EXPECT_EQ(nfsync_map_timeout(ICMPV6, peer, true, true), 9);
	KTAP_EXPECT_EQ(nfsync_map_timeout(GRE, peer, false, false), 11);
	KTAP_EXPECT_EQ(nfsync_map_timeout(GRE, peer, true, false), 12);
	KTAP_EXPECT_EQ(nfsync_map_timeout(GRE, peer, true, true), 13);
	KTAP_EXPECT_EQ(nfsync_map_timeout(UDP, peer, false, false), 6);
	KTAP_EXPECT_EQ(nfsync_map_timeout(UDP, peer, true, false), 7);
	KTAP_EXPECT_EQ(nfsync_map_timeout(UDP, peer, true, true), 8);
	set_levels(peer, 7, 7);
	KTAP_EXPECT_EQ(nfsync_map_timeout(TCP, peer, true, true), 4);
	set_levels(peer, 10, 2);
	KTAP_EXPECT_EQ(nfsync_map_timeout(TCP, peer, true, true), 1);
	set_levels(peer, 10, 0);
	KTAP_EXPECT_EQ(nfsync_map_timeout(TCP, peer, true, true), 0);
}

static void expire_clamps(void)
{
	KTAP_EXPECT_EQ(nfsync_map_expire(5, 60), 5);
	KTAP_EXPECT_EQ(nfsync_map_expire(0, 60), 60);
	KTAP_EXPECT_EQ(nfsync_map_expire(432000, 60), 432000);
	KTAP_EXPECT_EQ(nfsync_map_expire(0xffffffff, 60), NFSYNC_MAP_EXPIRE_MAX);
	KTAP_EXPECT_EQ(nfsync_map_expire(0, 0xffffffff), NFSYNC_MAP_EXPIRE_MAX);
	KTAP_EXPECT((u64)NFSYNC_MAP_EXPIRE_MAX * 1024 <= 0x7fffffff);
	KTAP_EXPECT_EQ(nfsync_map_expire_bsd(432000, 2), 86400);
	KTAP_EXPECT_EQ(nfsync_map_expire_bsd(300, 2), 300);
	KTAP_EXPECT_EQ(nfsync_map_expire_bsd(120, NFSYNC_TMO_TCP_CLOSED), 90);
	KTAP_EXPECT_EQ(nfsync_map_expire_bsd(120, NFSYNC_TMO_UDP_SINGLE), 30);
	KTAP_EXPECT_EQ(nfsync_map_expire_bsd(30, NFSYNC_TMO_ICMP_FIRST), 20);
	KTAP_EXPECT_EQ(nfsync_map_expire_bsd(99, NFSYNC_TMO_OTHER_MULTIPLE), 60);
	KTAP_EXPECT_EQ(nfsync_map_expire_bsd(99, 14), 0);
}

/* The keys as a pf reader sees them, SNAT and DNAT at once */
static void exported_keys(void)
{
	struct nfsync_map_ct ct = flow(NFSYNC_AF_INET, UDP, NAT_BOTH);
	struct nfsync_msg_state m;

	nfsync_map_export(&ct, &m);
	KTAP_EXPECT_EQ(m.direction, NFSYNC_DIR_IN);
	KTAP_EXPECT_EQ(m.key[NFSYNC_KEY_WIRE].addr[0][3], 1);
	KTAP_EXPECT_EQ(m.key[NFSYNC_KEY_WIRE].port[0], 1111);
	KTAP_EXPECT_EQ(m.key[NFSYNC_KEY_WIRE].addr[1][3], 2);
	KTAP_EXPECT_EQ(m.key[NFSYNC_KEY_WIRE].port[1], 80);
	KTAP_EXPECT_EQ(m.key[NFSYNC_KEY_STACK].addr[0][3], 4);
	KTAP_EXPECT_EQ(m.key[NFSYNC_KEY_STACK].port[0], 4444);
	KTAP_EXPECT_EQ(m.key[NFSYNC_KEY_STACK].addr[1][3], 3);
	KTAP_EXPECT_EQ(m.key[NFSYNC_KEY_STACK].port[1], 8080);
	KTAP_EXPECT_EQ(m.key[NFSYNC_KEY_STACK].af, NFSYNC_AF_INET);

	ct = flow(NFSYNC_AF_INET6, ICMPV6, NAT_SRC);
	nfsync_map_export(&ct, &m);
	KTAP_EXPECT_EQ(m.key[NFSYNC_KEY_WIRE].port[0], 1111);
	KTAP_EXPECT_EQ(m.key[NFSYNC_KEY_WIRE].port[1], 128);
	KTAP_EXPECT_EQ(m.key[NFSYNC_KEY_STACK].port[0], 4444);
	KTAP_EXPECT_EQ(m.key[NFSYNC_KEY_STACK].port[1], 128);
}

/* Whatever a BSD takes for an instruction must say 'none' */
static void exported_nothings(void)
{
	struct nfsync_map_ct ct = flow(NFSYNC_AF_INET, UDP, NAT_NONE);
	struct nfsync_msg_state m;

	memset(&m, 0xff, sizeof(m));
	nfsync_map_export(&ct, &m);
	KTAP_EXPECT(!strcmp(m.ifname, "all"));
	KTAP_EXPECT_EQ(m.rule, 0xffffffff);
	KTAP_EXPECT_EQ(m.anchor, 0xffffffff);
	KTAP_EXPECT_EQ(m.nat_rule, 0xffffffff);
	KTAP_EXPECT_EQ(m.rtableid[0], -1);
	KTAP_EXPECT_EQ(m.rtableid[1], -1);
	KTAP_EXPECT_EQ(m.id, 0);
	KTAP_EXPECT_EQ(m.creatorid, 0);
	KTAP_EXPECT_EQ(m.rt, 0);
	KTAP_EXPECT_EQ(m.log, 0);
	KTAP_EXPECT_EQ(m.sync_flags, 0);
	KTAP_EXPECT_EQ(m.state_flags, 0);
	KTAP_EXPECT_EQ(m.max_mss, 0);
	KTAP_EXPECT_EQ(m.min_ttl + m.set_tos, 0);
	KTAP_EXPECT_EQ(m.set_prio[0] + m.set_prio[1], 0);
	KTAP_EXPECT_EQ(m.packets[0] + m.packets[1], 0);
	KTAP_EXPECT_EQ(m.bytes[0] + m.bytes[1], 0);
	KTAP_EXPECT_EQ(m.key[0].rdomain + m.key[1].rdomain, 0);
}

/* Fill the half of a BSD by the table of keys: 1 calls 2 */
static struct nfsync_msg_state bsd_half(u8 proto, u8 direction)
{
	struct nfsync_msg_state m;
	int src = direction == NFSYNC_DIR_OUT ? 1 : 0, k;

	memset(&m, 0, sizeof(m));
	m.af = NFSYNC_AF_INET;
	m.proto = proto;
	m.direction = direction;
	m.rtableid[0] = -1;
	for (k = 0; k < 2; k++) {
		m.key[k].addr[src][3] = 1;
		m.key[k].port[src] = 1111;
		m.key[k].addr[!src][3] = 2;
		m.key[k].port[!src] = proto == ICMP ? 8 : 80;
	}
	set_levels(m.peer, 2, 1);
	return m;
}

static void expect_end(const struct nfsync_map_end *e, u8 last, u16 port)
{
	KTAP_EXPECT_EQ(e->addr[3], last);
	KTAP_EXPECT_EQ(e->port, port);
}

static void bsd_in_half_with_dnat(void)
{
	struct nfsync_msg_state m = bsd_half(UDP, NFSYNC_DIR_IN);
	struct nfsync_map_ct ct;

	m.key[NFSYNC_KEY_STACK].addr[1][3] = 3;
	m.key[NFSYNC_KEY_STACK].port[1] = 8080;
	KTAP_ASSERT_EQ(nfsync_map_import(&m, &ct), NFSYNC_MAP_OK);
	expect_end(&ct.tuple[0].src, 1, 1111);
	expect_end(&ct.tuple[0].dst, 2, 80);
	expect_end(&ct.tuple[1].src, 3, 8080);
	expect_end(&ct.tuple[1].dst, 1, 1111);
}

static void bsd_out_half_with_snat(void)
{
	struct nfsync_msg_state m = bsd_half(UDP, NFSYNC_DIR_OUT);
	struct nfsync_map_ct ct;

	m.key[NFSYNC_KEY_WIRE].addr[1][3] = 4;
	m.key[NFSYNC_KEY_WIRE].port[1] = 4444;
	KTAP_ASSERT_EQ(nfsync_map_import(&m, &ct), NFSYNC_MAP_OK);
	expect_end(&ct.tuple[0].src, 1, 1111);
	expect_end(&ct.tuple[0].dst, 2, 80);
	expect_end(&ct.tuple[1].src, 2, 80);
	expect_end(&ct.tuple[1].dst, 4, 4444);
}

static void bsd_icmp_halves(void)
{
	struct nfsync_msg_state m = bsd_half(ICMP, NFSYNC_DIR_OUT);
	struct nfsync_map_ct ct;

	set_levels(m.peer, 0, 0);
	m.key[NFSYNC_KEY_WIRE].port[1] = 4444;
	m.key[NFSYNC_KEY_WIRE].addr[1][3] = 4;
	KTAP_ASSERT_EQ(nfsync_map_import(&m, &ct), NFSYNC_MAP_OK);
	expect_end(&ct.tuple[0].src, 1, 1111);
	expect_end(&ct.tuple[0].dst, 2, 0);
	expect_end(&ct.tuple[1].src, 2, 4444);
	expect_end(&ct.tuple[1].dst, 4, 0);
	KTAP_EXPECT_EQ(ct.icmp_type, 8);

	m = bsd_half(ICMP, NFSYNC_DIR_IN);
	m.key[0].port[1] = 13;
	m.key[1].port[1] = 13;
	KTAP_ASSERT_EQ(nfsync_map_import(&m, &ct), NFSYNC_MAP_OK);
	KTAP_EXPECT_EQ(ct.icmp_type, 13);
	expect_end(&ct.tuple[1].src, 2, 1111);
}

static void bsd_icmp_old_custom(void)
{
	struct nfsync_msg_state m = bsd_half(ICMP, NFSYNC_DIR_IN);
	struct nfsync_map_ct ct;

	m.key[0].port[1] = 1111;
	m.key[1].port[1] = 1111;
	KTAP_ASSERT_EQ(nfsync_map_import(&m, &ct), NFSYNC_MAP_OK);
	KTAP_EXPECT_EQ(ct.icmp_type, 8);
	KTAP_EXPECT_EQ(ct.tuple[0].src.port, 1111);
	KTAP_EXPECT_EQ(ct.tuple[1].src.port, 1111);
	m.af = NFSYNC_AF_INET6;
	m.proto = ICMPV6;
	KTAP_ASSERT_EQ(nfsync_map_import(&m, &ct), NFSYNC_MAP_OK);
	KTAP_EXPECT_EQ(ct.icmp_type, 128);
}

/* Bytes behind an IPv4 address would make another tuple of it */
static void address_tail_is_cleared(void)
{
	struct nfsync_msg_state m = bsd_half(UDP, NFSYNC_DIR_IN);
	struct nfsync_map_ct ct;

	m.key[0].addr[0][4] = 0x55;
	m.key[1].addr[1][15] = 0x55;
	KTAP_ASSERT_EQ(nfsync_map_import(&m, &ct), NFSYNC_MAP_OK);
	KTAP_EXPECT_EQ(ct.tuple[0].src.addr[4], 0);
	KTAP_EXPECT_EQ(ct.tuple[1].src.addr[15], 0);
}

static void family_of_keys(void)
{
	struct nfsync_msg_state m = bsd_half(UDP, NFSYNC_DIR_IN);
	struct nfsync_map_ct ct;

	m.key[0].af = NFSYNC_AF_INET6;
	m.key[1].af = NFSYNC_AF_INET6;
	KTAP_EXPECT_EQ(nfsync_map_import(&m, &ct), NFSYNC_MAP_OK);
	KTAP_EXPECT_EQ(ct.af, NFSYNC_AF_INET6);
	m.key[1].af = NFSYNC_AF_INET;
	KTAP_EXPECT_EQ(nfsync_map_import(&m, &ct), NFSYNC_MAP_AF);
	m.key[0].af = 0;
	KTAP_EXPECT_EQ(nfsync_map_import(&m, &ct), NFSYNC_MAP_OK);
	m.af = 0;
	KTAP_EXPECT_EQ(nfsync_map_import(&m, &ct), NFSYNC_MAP_AF);
	m.key[1].af = 0;
	m.af = 24;
	KTAP_EXPECT_EQ(nfsync_map_import(&m, &ct), NFSYNC_MAP_AF);
}

static enum nfsync_map_err refusal(struct nfsync_msg_state m)
{
	struct nfsync_map_ct ct;

	return nfsync_map_import(&m, &ct);
}

static void refusals_of_routing(void)
{
	struct nfsync_msg_state good = bsd_half(UDP, NFSYNC_DIR_IN), m = good;

	KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_OK);
	m.rtableid[0] = 0;
	m.rtableid[1] = 0;
	KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_OK);
	m.rtableid[0] = -1;
	m.rtableid[1] = -1;
	KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_OK);
	m.rtableid[1] = 3;
	KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_ROUTE);
	m = good;
	m.rtableid[0] = -2;
	KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_ROUTE);
	m = good;
	m.rt = 1;
	KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_ROUTE);
	m = good;
	m.key[1].rdomain = 1;
	KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_RDOMAIN);
}

static void refusals_of_tcp(void)
{
	struct nfsync_msg_state good = bsd_half(TCP, NFSYNC_DIR_IN), m;
	int i;

	set_levels(good.peer, 4, 4);
	KTAP_EXPECT_EQ(refusal(good), NFSYNC_MAP_OK);
	for (i = 0; i < 2; i++) {
		m = good;
		m.peer[i].level = NFSYNC_TCPS_PROXY_SRC;
		KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_PROXY);
		m.peer[i].level = NFSYNC_TCPS_PROXY_DST;
		KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_PROXY);
		m = good;
		m.peer[i].seqdiff = 1;
		KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_SEQDIFF);
		m.proto = UDP;
		KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_OK);
	}
}

static void refusals_of_protocols(void)
{
	static const u8 bad[] = { 0, 33, 47, 50, 132, 136, 240, ICMPV6 };
	struct nfsync_msg_state m = bsd_half(UDP, NFSYNC_DIR_IN);
	size_t i;

	for (i = 0; i < sizeof(bad); i++) {
		m.proto = bad[i];
		KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_PROTO);
	}
	m = bsd_half(ICMP, NFSYNC_DIR_IN);
	KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_OK);
	m.af = NFSYNC_AF_INET6;
	KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_PROTO);
	m.af = NFSYNC_AF_INET;
	m.key[0].port[1] = 3;
	KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_PROTO);
	m.key[0].port[1] = 0x108;
	KTAP_EXPECT_EQ(refusal(m), NFSYNC_MAP_PROTO);
}

static const u32 windows[] = {
	0, 1, 2, 3, 4, 5, 7, 8, 100, 1460, 65535, 65536, 1 << 20, 1 << 30,
	65535u << 14, 0x7fffffff, 0xffffffff,
};

/*
 * What was told of a direction is never behind by more than the urgent bound
 * and a quarter; slack must cover that and stay below the window.
 */
static void slack_covers_the_bound(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(windows); i++) {
		u32 w = windows[i];
		u32 lazy = nfsync_map_threshold(w), now = nfsync_map_urgent(w);
		u32 slack = nfsync_map_slack(w);

		KTAP_EXPECT_EQ(lazy, (u64)w / 4);
		KTAP_EXPECT_EQ(now, (u64)w / 2);
		KTAP_EXPECT_EQ(slack, (u64)w * 3 / 4);
		KTAP_EXPECT(lazy <= now);
		KTAP_EXPECT((u64)now + lazy <= slack);
		KTAP_EXPECT(w ? slack < w : !slack);
		KTAP_EXPECT_EQ(nfsync_map_slack_win(w),
			       w + 2 * (u64)slack > 0xffffffff ? 0xffffffff :
			       w + 2 * slack);
	}
}

/*
 * A half that passes elsewhere may be behind by what is not told yet and by
 * what passes until the news are here; large windows are as without a split.
 */
static void wide_slack_covers_its_bound(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(windows); i++) {
		u32 w = windows[i];
		u32 told = nfsync_map_wide_threshold(w);
		u32 slack = nfsync_map_wide_slack(w);
		u64 least = told, win = w + 2 * (u64)slack;

		KTAP_EXPECT(told >= nfsync_map_threshold(w));
		KTAP_EXPECT(told <= (192 << 10) || told == w / 4);
		KTAP_EXPECT(slack >= nfsync_map_slack(w));
		KTAP_EXPECT(slack <= (768 << 10) || slack == (u64)w * 3 / 4);
		KTAP_EXPECT(slack >= least + least / 2);
		KTAP_EXPECT(w || (!told && !slack));
		KTAP_EXPECT_EQ(nfsync_map_wide_slack_win(w),
			       win > 0xffffffff ? 0xffffffff : win);
	}
	KTAP_EXPECT_EQ(nfsync_map_wide_threshold(1000), 3000);
	KTAP_EXPECT_EQ(nfsync_map_wide_slack(1000), 12000);
	KTAP_EXPECT_EQ(nfsync_map_wide_threshold(65535), 65535 * 3);
	KTAP_EXPECT_EQ(nfsync_map_wide_slack(65535), 65535 * 12);
	KTAP_EXPECT_EQ(nfsync_map_wide_threshold(65537), 192 << 10);
	KTAP_EXPECT_EQ(nfsync_map_wide_slack(65537), 768 << 10);
	KTAP_EXPECT_EQ(nfsync_map_wide_slack(4 << 20), 3 << 20);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(tcp_state_to_levels),
	KTAP_TEST(tcp_levels_to_state),
	KTAP_TEST(every_level_pair_is_sane),
	KTAP_TEST(odd_level_pairs),
	KTAP_TEST(round_trip_tuples),
	KTAP_TEST(round_trip_tcp_states),
	KTAP_TEST(round_trip_random_tcp),
	KTAP_TEST(private_flags_stay),
	KTAP_TEST(tcp_without_trailer),
	KTAP_TEST(tcp_trailer_without_state),
	KTAP_TEST(window_clamps),
	KTAP_TEST(silent_responder),
	KTAP_TEST(scale_offer_travels),
	KTAP_TEST(scale_needs_both),
	KTAP_TEST(unknown_windows_are_relearnt),
	KTAP_TEST(other_levels),
	KTAP_TEST(timeout_classes),
	KTAP_TEST(expire_clamps),
	KTAP_TEST(exported_keys),
	KTAP_TEST(exported_nothings),
	KTAP_TEST(bsd_in_half_with_dnat),
	KTAP_TEST(bsd_out_half_with_snat),
	KTAP_TEST(bsd_icmp_halves),
	KTAP_TEST(bsd_icmp_old_custom),
	KTAP_TEST(address_tail_is_cleared),
	KTAP_TEST(family_of_keys),
	KTAP_TEST(refusals_of_routing),
	KTAP_TEST(refusals_of_tcp),
	KTAP_TEST(refusals_of_protocols),
	KTAP_TEST(slack_covers_the_bound),
	KTAP_TEST(wide_slack_covers_its_bound),
};

KTAP_MAIN(tests)
