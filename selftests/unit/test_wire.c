// SPDX-License-Identifier: GPL-2.0
/*
 * wire.c against bytes typed by hand from pfsync's layout, and against
 * frames damaged in every way that a peer or a forger could.
 */
#include "ktap.h"
#include "wire.h"
#include "wire_walk.h"

#define Z4 "00000000"
#define Z8 "0000000000000000"
#define Z12 "000000000000000000000000"
#define Z16 "00000000000000000000000000000000"
#define HDR6 "0600 0000" Z16		/* length is patched in */

/* Messages as they are on the wire, and what they mean */

#define PEER_SRC							\
	"0001 3f 01 11223344"	/* scrub flags, ttl, valid, ts */ \
	"a0000001 a0010001 00000000" /* seqlo, seqhi, seqdiff */	\
	"7fff 05b4 04 87" Z4 "0000" /* win, mss, level, wscale */
#define PEER_DST							\
	"0000 00 00 00000000"					\
	"b0000001 b000ffff 00000007"				\
	"faf0 0218 07 82" Z4 "0000"

#define STATE_PEERS {							\
	[NFSYNC_SRC] = {						\
		.scrub_flags = 1, .scrub_ttl = 63, .scrub_valid = 1,	\
		.ts_mod = 0x11223344, .seqlo = 0xa0000001,		\
		.seqhi = 0xa0010001, .max_win = 0x7fff, .mss = 1460,	\
		.level = NFSYNC_TCPS_ESTABLISHED,			\
		.wscale = NFSYNC_WSCALE_FLAG | 7,			\
	},								\
	[NFSYNC_DST] = {						\
		.seqlo = 0xb0000001, .seqhi = 0xb000ffff, .seqdiff = 7,	\
		.max_win = 64240, .mss = 536,				\
		.level = NFSYNC_TCPS_CLOSING,				\
		.wscale = NFSYNC_WSCALE_FLAG | 2,			\
	},								\
}

#define STATE_HEAD							\
	"6553f1000000002a 616c6c00" Z12	/* id, ifname "all" */
#define STATE_KEYS4							\
	"0a000102" Z12 "0a000207" Z12 "9c40 0050 0003 02 00"	\
	"c0000201" Z12 "0a000207" Z12 "c000 0050 0000 02 00"
#define STATE_KEYS6							\
	"20010db8" Z8 "00000001 20010db8" Z8 "00000002"		\
	"9c40 0050 0003 18 00"					\
	"20010db8" Z8 "00000003 20010db8" Z8 "00000002"		\
	"c000 0050 0000 18 00"
#define STATE_REST							\
	"fe80 0000" Z8 "00000001"	/* rt_addr */			\
	"ffffffff fffffffe 00000005" /* rule, anchor, nat_rule */	\
	"00000e10 00015180"		/* creation, expire */		\
	"0000000100000002 0000000000000003" /* packets */		\
	"0000000000000004 0000000500000006" /* bytes */		\
	"deadbeef ffffffff 00000009" /* creatorid, rtableid */	\
	"05b5"				/* max_mss */
#define STATE_TAIL	/* after af: proto to set_prio */		\
	"06 01 11 02 03 04 00 40 10 0102 0506"
#define STATE_EXT							\
	"4e465331 00020000 00040000" /* tag, max_win */		\
	"0000cafe 0007 2301 03 03 0000"

#define STATE4 STATE_HEAD STATE_KEYS4 PEER_SRC PEER_DST STATE_REST	\
	"02" STATE_TAIL
#define STATE6 STATE_HEAD STATE_KEYS6 PEER_SRC PEER_DST STATE_REST	\
	"18" STATE_TAIL

#define STATE_MEANS							\
	.id = 0x6553f1000000002a, .creatorid = 0xdeadbeef,		\
	.ifname = "all", .peer = STATE_PEERS,				\
	.rt_addr = { 0xfe, 0x80, [15] = 1 },				\
	.rule = 0xffffffff, .anchor = 0xfffffffe, .nat_rule = 5,	\
	.creation = 3600, .expire = 86400,				\
	.packets = { 0x100000002, 3 }, .bytes = { 4, 0x500000006 },	\
	.rtableid = { -1, 9 }, .max_mss = 1461, .state_flags = 0x0102,	\
	.proto = 6, .direction = NFSYNC_DIR_IN, .log = 0x11, .rt = 2,	\
	.timeout = NFSYNC_TMO_TCP_CLOSING, .sync_flags = 4,		\
	.min_ttl = 64, .set_tos = 0x10, .set_prio = { 5, 6 }

static const struct nfsync_msg_state state4 = {
	STATE_MEANS,
	.af = NFSYNC_AF_INET,
	.key = { {
		.addr = { { 10, 0, 1, 2 }, { 10, 0, 2, 7 } },
		.port = { 40000, 80 }, .rdomain = 3, .af = NFSYNC_AF_INET,
	}, {
		.addr = { { 192, 0, 2, 1 }, { 10, 0, 2, 7 } },
		.port = { 49152, 80 }, .af = NFSYNC_AF_INET,
	} },
};

static const struct nfsync_msg_state state6 = {
	STATE_MEANS,
	.af = NFSYNC_AF_INET6,
	.key = { {
		.addr = { { 0x20, 1, 0xd, 0xb8, [15] = 1 },
			  { 0x20, 1, 0xd, 0xb8, [15] = 2 } },
		.port = { 40000, 80 }, .rdomain = 3, .af = NFSYNC_AF_INET6,
	}, {
		.addr = { { 0x20, 1, 0xd, 0xb8, [15] = 3 },
			  { 0x20, 1, 0xd, 0xb8, [15] = 2 } },
		.port = { 49152, 80 }, .af = NFSYNC_AF_INET6,
	} },
};

static const struct nfsync_msg_ext state_ext = {
	.max_win = { 0x20000, 0x40000 }, .mark = 0xcafe, .zone = 7,
	.tcp_flags = { 0x23, 0x01 }, .tcp_state = 3,
	.status = NFSYNC_EXT_SEEN_REPLY | NFSYNC_EXT_ASSURED,
};

#define UPD_C "6553f1000000002a" PEER_SRC PEER_DST			\
	"deadbeef 00000021 03 00 0000"
#define ID "0102030405060708 090a0b0c"
#define CLR "65746830" Z12 "deadbeef"
#define BUS "deadbeef 00000e11 02 000000"
#define TDB4 "00001001 1002 0000 c0000209" Z16 Z4			\
	"0000000100000002 0000000300000004 32 05 0006"
#define TDB6 "00001001 1c18 0000 00000000"			\
	"20010db8" Z8 "00000009 00000000"				\
	"0000000100000002 0000000300000004 32 05 0006"

/* Among Linux nodes */
#define FRAME "deadbeef 01020305 fffffffe"
#define HELLO "deadbeef 00015181 000186a0 05 02 0000 cafe0001"
#define TOTAL "deadbeef 00010203 8090a0b0c0d0e0f0 6553f1000000002a 06" \
	"01 000000000000"

/* A frame under construction */
struct frame {
	size_t len;
	u8 data[70000];
};

static struct frame frame;

/* Pairs of digits; blanks between them are for the reader */
static size_t unhex(u8 *to, const char *hex)
{
	size_t len = 0;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		KTAP_ASSERT(sscanf(hex, "%2hhx", &to[len]) == 1);
		len++;
		hex++;
	}
	return len;
}

static void add(const char *hex)
{
	frame.len += unhex(frame.data + frame.len, hex);
}

static void add_zero(size_t len)
{
	memset(frame.data + frame.len, 0, len);
	frame.len += len;
}

static void add_subh(u8 action, u8 words, u16 count)
{
	const u8 subh[] = { action, words, count >> 8, count & 0xff };

	memcpy(frame.data + frame.len, subh, sizeof(subh));
	frame.len += sizeof(subh);
}

static void set_len(size_t len)
{
	frame.data[2] = len >> 8;
	frame.data[3] = len & 0xff;
}

static void begin(void)
{
	frame.len = 0;
	add(HDR6);
}

/* In memory of exactly @len bytes, so that ASan sees a read behind them */
static struct wire_walk walk_bytes(size_t len)
{
	struct wire_walk w;
	u8 *copy = malloc(len ? len : 1);

	KTAP_ASSERT(copy);
	memcpy(copy, frame.data, len);
	wire_walk(copy, len, &w);
	free(copy);
	KTAP_EXPECT_EQ(w.differ, 0);
	KTAP_EXPECT_EQ(w.insane, 0);
	return w;
}

static struct wire_walk walk(void)
{
	set_len(frame.len);
	return walk_bytes(frame.len);
}

/* One section of one message of @words words: action and stride as given */
static struct wire_walk walk_one(u8 action, u8 words)
{
	begin();
	add_subh(action, words, 1);
	add_zero(4 * words);
	return walk();
}

static enum nfsync_wire_err get_state(u8 action, size_t stride, const u8 *p,
				      struct nfsync_msg_state *m)
{
	const struct nfsync_wire_section s = {
		.body = p, .stride = stride, .count = 1, .known = true,
		.version = NFSYNC_WIRE_V6, .action = action,
	};

	return nfsync_wire_get_state(&s, p, m);
}

/* Golden vectors */

static void golden_header(void)
{
	static const u8 want[] = { 6, 0, 0x12, 0x34, [19] = 0 };
	u8 got[20];

	KTAP_EXPECT_EQ(nfsync_wire_put_hdr(got, 6, 0x1234), 20);
	KTAP_EXPECT_MEMEQ(got, want, 20);
}

static void golden_subheader(void)
{
	static const struct {
		u8 action, bytes[4];
	} t[] = {
		{ NFSYNC_ACT_CLR,	{ 0x00, 5, 0x01, 0x02 } },
		{ NFSYNC_ACT_INS_ACK,	{ 0x02, 3, 0x01, 0x02 } },
		{ NFSYNC_ACT_UPD_C,	{ 0x04, 21, 0x01, 0x02 } },
		{ NFSYNC_ACT_UPD_REQ,	{ 0x05, 3, 0x01, 0x02 } },
		{ NFSYNC_ACT_DEL_C,	{ 0x07, 3, 0x01, 0x02 } },
		{ NFSYNC_ACT_BUS,	{ 0x0a, 3, 0x01, 0x02 } },
		{ NFSYNC_ACT_INS,	{ 0x0d, 72, 0x01, 0x02 } },
		{ NFSYNC_ACT_UPD,	{ 0x0e, 72, 0x01, 0x02 } },
		{ NFSYNC_ACT_TDB,	{ 0x0f, 13, 0x01, 0x02 } },
		{ NFSYNC_ACT_FRAME,	{ 0x80, 3, 0x01, 0x02 } },
		{ NFSYNC_ACT_HELLO,	{ 0x81, 5, 0x01, 0x02 } },
		{ NFSYNC_ACT_TOTAL,	{ 0x82, 8, 0x01, 0x02 } },
	};
	size_t i;
	u8 got[4];

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		KTAP_EXPECT_EQ(nfsync_wire_put_subh(got, 6, t[i].action,
						    0x0102), 4);
		KTAP_EXPECT_MEMEQ(got, t[i].bytes, 4);
	}
}

static void golden_bulk_request(void)
{
	u8 want[36], got[36], *p = got;

	KTAP_EXPECT_EQ(unhex(want, "06000024" Z16 "05030001" Z12), 36);
	p += nfsync_wire_put_hdr(p, NFSYNC_WIRE_V6, 36);
	p += nfsync_wire_put_subh(p, NFSYNC_WIRE_V6, NFSYNC_ACT_UPD_REQ, 1);
	p += nfsync_wire_put_id(p, 0, 0);
	KTAP_EXPECT_EQ(p - got, 36);
	KTAP_EXPECT_MEMEQ(got, want, 36);
}

static void golden_id(void)
{
	struct nfsync_msg_id m;
	u8 want[12], got[12];

	KTAP_EXPECT_EQ(unhex(want, ID), 12);
	nfsync_wire_get_id(want, &m);
	KTAP_EXPECT_EQ(m.id, 0x0102030405060708);
	KTAP_EXPECT_EQ(m.creatorid, 0x090a0b0c);
	KTAP_EXPECT_EQ(nfsync_wire_put_id(got, m.id, m.creatorid), 12);
	KTAP_EXPECT_MEMEQ(got, want, 12);
}

static void golden_clr(void)
{
	struct nfsync_msg_clr m;
	u8 want[20], got[20];

	KTAP_EXPECT_EQ(unhex(want, CLR), 20);
	KTAP_EXPECT_EQ(nfsync_wire_get_clr(want, &m), NFSYNC_WIRE_OK);
	KTAP_EXPECT(!strcmp(m.ifname, "eth0"));
	KTAP_EXPECT_EQ(m.creatorid, 0xdeadbeef);
	KTAP_EXPECT_EQ(nfsync_wire_put_clr(got, &m), 20);
	KTAP_EXPECT_MEMEQ(got, want, 20);
}

static void golden_bus(void)
{
	struct nfsync_msg_bus m;
	u8 want[12], got[12];

	KTAP_EXPECT_EQ(unhex(want, BUS), 12);
	nfsync_wire_get_bus(want, &m);
	KTAP_EXPECT_EQ(m.creatorid, 0xdeadbeef);
	KTAP_EXPECT_EQ(m.endtime, 3601);
	KTAP_EXPECT_EQ(m.status, NFSYNC_BUS_END);
	KTAP_EXPECT_EQ(nfsync_wire_put_bus(got, &m), 12);
	KTAP_EXPECT_MEMEQ(got, want, 12);
}

static void golden_frame(void)
{
	struct nfsync_msg_frame m;
	u8 want[12], got[12];

	KTAP_EXPECT_EQ(unhex(want, FRAME), 12);
	nfsync_wire_get_frame(want, &m);
	KTAP_EXPECT_EQ(m.creatorid, 0xdeadbeef);
	KTAP_EXPECT_EQ(m.incarnation, 0x01020305);
	KTAP_EXPECT_EQ(m.seq, 0xfffffffe);
	KTAP_EXPECT_EQ(nfsync_wire_put_frame(got, &m), 12);
	KTAP_EXPECT_MEMEQ(got, want, 12);
}

static void golden_hello(void)
{
	struct nfsync_msg_hello m;
	u8 want[20], got[20];

	KTAP_EXPECT_EQ(unhex(want, HELLO), 20);
	nfsync_wire_get_hello(want, &m);
	KTAP_EXPECT_EQ(m.creatorid, 0xdeadbeef);
	KTAP_EXPECT_EQ(m.uptime, 86401);
	KTAP_EXPECT_EQ(m.states, 100000);
	KTAP_EXPECT_EQ(m.verdict, 5);
	KTAP_EXPECT_EQ(m.peers, 2);
	KTAP_EXPECT_EQ(m.joined_by, 0xcafe0001);
	KTAP_EXPECT_EQ(nfsync_wire_put_hello(got, &m), 20);
	KTAP_EXPECT_MEMEQ(got, want, 20);
}

static void golden_total(void)
{
	struct nfsync_msg_total m;
	u8 want[32], got[32];

	KTAP_EXPECT_EQ(unhex(want, TOTAL), 32);
	nfsync_wire_get_total(want, &m);
	KTAP_EXPECT_EQ(m.creatorid, 0xdeadbeef);
	KTAP_EXPECT_EQ(m.count, 0x00010203);
	KTAP_EXPECT_EQ(m.sum, 0x8090a0b0c0d0e0f0);
	KTAP_EXPECT_EQ(m.first_id, 0x6553f1000000002a);
	KTAP_EXPECT_EQ(m.verdict, 6);
	KTAP_EXPECT_EQ(m.flags, NFSYNC_TOTAL_UNNUMBERED);
	KTAP_EXPECT_EQ(nfsync_wire_put_total(got, &m), 32);
	KTAP_EXPECT_MEMEQ(got, want, 32);

	want[25] = 0;
	m.flags = 0;
	KTAP_EXPECT_EQ(nfsync_wire_put_total(got, &m), 32);
	KTAP_EXPECT_MEMEQ(got, want, 32);
}

/* Both ends have to add up alike, so this is as much a format as the bytes */
static void golden_mix(void)
{
	KTAP_EXPECT_EQ(nfsync_wire_mix(0, 0), 0);
	KTAP_EXPECT_EQ(nfsync_wire_mix(1, 0), 0x5692161d100b05e5);
	KTAP_EXPECT_EQ(nfsync_wire_mix(0, 1), 0xe220a8397b1dcdaf);
	KTAP_EXPECT_EQ(nfsync_wire_mix(0x6553f1000000002a, 0xdeadbeef),
		       0x3e9b0ffa248bac6b);
	KTAP_EXPECT_EQ(nfsync_wire_mix(0xffffffffffffffff, 0xffffffff),
		       0xb079dc1e4a436403);
}

static u64 mix_run(u64 first, unsigned int n, u32 creatorid)
{
	u64 sum = 0;

	while (n--)
		sum += nfsync_wire_mix(first++, creatorid);
	return sum;
}

/* Of ids in a row one for another must show, be it near or a creator's */
static void mix_tells_sets_apart(void)
{
	const u64 first = 0x6553f10000000001;
	u64 sum = mix_run(first, 100, 7), other;
	unsigned int i, j;

	for (i = 0; i < 100; i++) {
		other = sum - nfsync_wire_mix(first + i, 7);
		for (j = 0; j < 1000; j++)
			KTAP_EXPECT(other + nfsync_wire_mix(first + 100 + j, 7)
				    != sum);
		KTAP_EXPECT(other + nfsync_wire_mix(first + i, 8) != sum);
	}
	KTAP_EXPECT(mix_run(first + 1, 100, 7) != sum);
	KTAP_EXPECT(mix_run(first, 100, 8) != sum);
}

static void golden_upd_c(void)
{
	static const struct nfsync_msg_upd_c want_m = {
		.id = 0x6553f1000000002a, .creatorid = 0xdeadbeef,
		.peer = STATE_PEERS, .expire = 33,
		.timeout = NFSYNC_TMO_TCP_CLOSING,
	};
	struct nfsync_msg_upd_c m;
	u8 want[84], got[84];

	KTAP_EXPECT_EQ(unhex(want, UPD_C), 84);
	KTAP_EXPECT_EQ(nfsync_wire_get_upd_c(want, &m), NFSYNC_WIRE_OK);
	KTAP_EXPECT_MEMEQ(&m, &want_m, sizeof(m));
	KTAP_EXPECT_EQ(nfsync_wire_put_upd_c(got, &want_m), 84);
	KTAP_EXPECT_MEMEQ(got, want, 84);
}

static void expect_tdb(const char *hex, const struct nfsync_msg_tdb *want_m)
{
	struct nfsync_msg_tdb m;
	u8 want[52], got[52];

	KTAP_ASSERT_EQ(unhex(want, hex), 52);
	KTAP_EXPECT_EQ(nfsync_wire_get_tdb(want, &m), NFSYNC_WIRE_OK);
	KTAP_EXPECT_MEMEQ(&m, want_m, sizeof(m));
	KTAP_EXPECT_EQ(nfsync_wire_put_tdb(got, want_m), 52);
	KTAP_EXPECT_MEMEQ(got, want, 52);
}

static void golden_tdb(void)
{
	static const struct nfsync_msg_tdb tdb4 = {
		.dst = { 192, 0, 2, 9 }, .spi = 0x1001,
		.rpl = 0x100000002, .cur_bytes = 0x300000004, .rdomain = 6,
		.af = NFSYNC_AF_INET, .sproto = 50, .updates = 5,
	};
	static const struct nfsync_msg_tdb tdb6 = {
		.dst = { 0x20, 1, 0xd, 0xb8, [15] = 9 }, .spi = 0x1001,
		.rpl = 0x100000002, .cur_bytes = 0x300000004, .rdomain = 6,
		.af = NFSYNC_AF_INET6, .sproto = 50, .updates = 5,
	};

	expect_tdb(TDB4, &tdb4);
	expect_tdb(TDB6, &tdb6);
}

static void expect_state(const char *hex, size_t len,
			 const struct nfsync_msg_state *want_m)
{
	struct nfsync_msg_state m;
	u8 want[288] = { 0 }, got[288];

	KTAP_ASSERT_EQ(unhex(want, hex), len);
	KTAP_EXPECT_EQ(get_state(NFSYNC_ACT_INS, len, want, &m),
		       NFSYNC_WIRE_OK);
	KTAP_EXPECT_MEMEQ(&m, want_m, sizeof(m));
	KTAP_EXPECT_EQ(nfsync_wire_put_state(got, NFSYNC_WIRE_V6, want_m),
		       288);
	KTAP_EXPECT_MEMEQ(got, want, 288);
}

static void golden_state(void)
{
	expect_state(STATE4, 264, &state4);
	expect_state(STATE6, 264, &state6);
}

static void golden_state_trailer(void)
{
	struct nfsync_msg_state m = state4;

	m.has_ext = true;
	m.ext = state_ext;
	expect_state(STATE4 STATE_EXT, 288, &m);
}

/* Nothing but what is typed here leaves this node in version 6 */
static void message_lengths(void)
{
	static const u16 want[256] = {
		[NFSYNC_ACT_CLR] = 20, [NFSYNC_ACT_INS_ACK] = 12,
		[NFSYNC_ACT_UPD_C] = 84, [NFSYNC_ACT_UPD_REQ] = 12,
		[NFSYNC_ACT_DEL_C] = 12, [NFSYNC_ACT_BUS] = 12,
		[NFSYNC_ACT_INS] = 288, [NFSYNC_ACT_UPD] = 288,
		[NFSYNC_ACT_TDB] = 52, [NFSYNC_ACT_FRAME] = 12,
		[NFSYNC_ACT_HELLO] = 20, [NFSYNC_ACT_TOTAL] = 32,
	};
	int i;

	for (i = 0; i < 256; i++) {
		KTAP_EXPECT_EQ(nfsync_wire_msg_len(6, i), want[i]);
		KTAP_EXPECT_EQ(nfsync_wire_msg_len(5, i), 0);
	}
}

/* Values that come back */

static void random_bytes(void *p, size_t len, u64 *seed)
{
	u8 *b = p;

	while (len--)
		*b++ = ktap_random(seed);
}

#define RANDOM(member) random_bytes(&(member), sizeof(member), seed)

static u8 random_af(u64 *seed)
{
	return ktap_random(seed) & 1 ? NFSYNC_AF_INET : NFSYNC_AF_INET6;
}

static void random_peer(struct nfsync_msg_peer *m, u64 *seed)
{
	RANDOM(m->seqlo);
	RANDOM(m->seqhi);
	RANDOM(m->seqdiff);
	RANDOM(m->ts_mod);
	RANDOM(m->scrub_flags);
	RANDOM(m->max_win);
	RANDOM(m->mss);
	RANDOM(m->scrub_ttl);
	m->scrub_valid = ktap_random(seed) & 1;
	m->level = ktap_random(seed) % (NFSYNC_LEVEL_MAX + 1);
	RANDOM(m->wscale);
}

static void random_key(struct nfsync_msg_key *m, u64 *seed)
{
	size_t len;

	m->af = random_af(seed);
	len = m->af == NFSYNC_AF_INET ? 4 : 16;
	random_bytes(m->addr[0], len, seed);
	random_bytes(m->addr[1], len, seed);
	RANDOM(m->port);
	RANDOM(m->rdomain);
}

static void random_ext(struct nfsync_msg_ext *m, u64 *seed)
{
	RANDOM(m->max_win);
	RANDOM(m->mark);
	RANDOM(m->zone);
	RANDOM(m->tcp_flags);
	m->tcp_state = ktap_random(seed) % 10;
	m->status = ktap_random(seed) & 3;
}

static void random_state(struct nfsync_msg_state *m, u64 *seed)
{
	int i;

	memset(m, 0, sizeof(*m));
	RANDOM(m->id);
	RANDOM(m->creatorid);
	memset(m->ifname, 'a' + ktap_random(seed) % 26,
	       ktap_random(seed) % sizeof(m->ifname));
	for (i = 0; i < 2; i++) {
		random_key(&m->key[i], seed);
		random_peer(&m->peer[i], seed);
	}
	RANDOM(m->rt_addr);
	RANDOM(m->rule);
	RANDOM(m->anchor);
	RANDOM(m->nat_rule);
	RANDOM(m->creation);
	RANDOM(m->expire);
	RANDOM(m->packets);
	RANDOM(m->bytes);
	RANDOM(m->rtableid);
	RANDOM(m->max_mss);
	RANDOM(m->state_flags);
	m->af = random_af(seed);
	RANDOM(m->proto);
	m->direction = ktap_random(seed) % 3;
	RANDOM(m->log);
	RANDOM(m->rt);
	m->timeout = ktap_random(seed) % NFSYNC_TMO_MAX;
	RANDOM(m->sync_flags);
	RANDOM(m->min_ttl);
	RANDOM(m->set_tos);
	RANDOM(m->set_prio);
	m->has_ext = ktap_random(seed) & 1;
	if (m->has_ext)
		random_ext(&m->ext, seed);
}

static void round_trip_state(void)
{
	u64 seed = 0x5eed0001;
	struct nfsync_msg_state in, out;
	u8 bytes[288];
	int i;

	for (i = 0; i < 20000; i++) {
		random_state(&in, &seed);
		nfsync_wire_put_state(bytes, NFSYNC_WIRE_V6, &in);
		KTAP_ASSERT_EQ(get_state(NFSYNC_ACT_UPD, 288, bytes, &out),
			       NFSYNC_WIRE_OK);
		KTAP_EXPECT_MEMEQ(&out, &in, sizeof(in));
	}
}

static void round_trip_upd_c(void)
{
	u64 s = 0x5eed0002, *seed = &s;
	struct nfsync_msg_upd_c in, out;
	u8 bytes[84];
	int i;

	for (i = 0; i < 20000; i++) {
		memset(&in, 0, sizeof(in));
		RANDOM(in.id);
		RANDOM(in.creatorid);
		RANDOM(in.expire);
		random_peer(&in.peer[0], seed);
		random_peer(&in.peer[1], seed);
		in.timeout = ktap_random(seed) % NFSYNC_TMO_MAX;
		nfsync_wire_put_upd_c(bytes, &in);
		KTAP_ASSERT_EQ(nfsync_wire_get_upd_c(bytes, &out),
			       NFSYNC_WIRE_OK);
		KTAP_EXPECT_MEMEQ(&out, &in, sizeof(in));
	}
}

static void round_trip_frame(void)
{
	u64 s = 0x5eed0003, *seed = &s;
	struct nfsync_msg_frame in, out;
	u8 bytes[12];
	int i;

	for (i = 0; i < 20000; i++) {
		RANDOM(in);
		memset(&out, 0xa5, sizeof(out));
		nfsync_wire_put_frame(bytes, &in);
		nfsync_wire_get_frame(bytes, &out);
		KTAP_EXPECT_MEMEQ(&out, &in, sizeof(in));
	}
}

static void round_trip_hello(void)
{
	u64 s = 0x5eed0004, *seed = &s;
	struct nfsync_msg_hello in, out;
	u8 bytes[20];
	int i;

	for (i = 0; i < 20000; i++) {
		memset(&in, 0, sizeof(in));
		RANDOM(in.creatorid);
		RANDOM(in.uptime);
		RANDOM(in.states);
		RANDOM(in.verdict);
		RANDOM(in.peers);
		RANDOM(in.joined_by);
		memset(&out, 0xa5, sizeof(out));
		nfsync_wire_put_hello(bytes, &in);
		nfsync_wire_get_hello(bytes, &out);
		KTAP_EXPECT_MEMEQ(&out, &in, sizeof(in));
	}
}

static void round_trip_total(void)
{
	u64 s = 0x5eed0005, *seed = &s;
	struct nfsync_msg_total in, out;
	u8 bytes[32];
	int i;

	for (i = 0; i < 20000; i++) {
		memset(&in, 0, sizeof(in));
		RANDOM(in.creatorid);
		RANDOM(in.count);
		RANDOM(in.sum);
		RANDOM(in.first_id);
		RANDOM(in.verdict);
		RANDOM(in.flags);
		memset(&out, 0xa5, sizeof(out));
		nfsync_wire_put_total(bytes, &in);
		nfsync_wire_get_total(bytes, &out);
		KTAP_EXPECT_MEMEQ(&out, &in, sizeof(in));
	}
}

/* Reserved bytes are 0 when sent and mean nothing when they come */
static void pads_not_read(void)
{
	struct nfsync_msg_hello hello, hello2;
	struct nfsync_msg_total total, total2;
	u8 bytes[32];

	unhex(bytes, HELLO);
	nfsync_wire_get_hello(bytes, &hello);
	memset(bytes + 14, 0xff, 2);
	nfsync_wire_get_hello(bytes, &hello2);
	KTAP_EXPECT_MEMEQ(&hello2, &hello, sizeof(hello));

	unhex(bytes, TOTAL);
	nfsync_wire_get_total(bytes, &total);
	memset(bytes + 26, 0xff, 6);
	nfsync_wire_get_total(bytes, &total2);
	KTAP_EXPECT_MEMEQ(&total2, &total, sizeof(total));
}

/*
 * Encodes over two different backgrounds: a byte that is not written, or
 * one written behind the message, shows as a difference.
 */
static u8 back[2][320];

static void expect_all_written(const char *what, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(back[0]); i++)
		KTAP_EXPECT_MSG((back[0][i] == back[1][i]) == (i < len),
				"%s: byte %zu of %zu", what, i, len);
}

#define EXPECT_ALL_WRITTEN(want, put, ...)				\
	do {								\
		memset(back[0], 0xa5, sizeof(back[0]));			\
		memset(back[1], 0x5a, sizeof(back[1]));			\
		KTAP_EXPECT_EQ(put(back[0], __VA_ARGS__), want);	\
		put(back[1], __VA_ARGS__);				\
		expect_all_written(#put, want);				\
	} while (0)

static void every_byte_written(void)
{
	struct nfsync_msg_upd_c upd_c = { .id = 1 };
	struct nfsync_msg_clr clr = { .ifname = "eth0" };
	struct nfsync_msg_bus bus = { .status = NFSYNC_BUS_START };
	struct nfsync_msg_tdb tdb = { .af = NFSYNC_AF_INET };
	struct nfsync_msg_frame fr = { .seq = 1 };
	struct nfsync_msg_hello hello = { .uptime = 1 };
	struct nfsync_msg_total total = { .count = 1 };
	struct nfsync_msg_state m = state4;

	EXPECT_ALL_WRITTEN(12, nfsync_wire_put_frame, &fr);
	EXPECT_ALL_WRITTEN(20, nfsync_wire_put_hello, &hello);
	EXPECT_ALL_WRITTEN(32, nfsync_wire_put_total, &total);
	EXPECT_ALL_WRITTEN(20, nfsync_wire_put_hdr, 6, 20);
	EXPECT_ALL_WRITTEN(4, nfsync_wire_put_subh_len, NFSYNC_ACT_INS, 1, 264);
	EXPECT_ALL_WRITTEN(4, nfsync_wire_put_subh, 6, NFSYNC_ACT_INS, 1);
	EXPECT_ALL_WRITTEN(84, nfsync_wire_put_upd_c, &upd_c);
	EXPECT_ALL_WRITTEN(12, nfsync_wire_put_id, 1, 2);
	EXPECT_ALL_WRITTEN(20, nfsync_wire_put_clr, &clr);
	EXPECT_ALL_WRITTEN(12, nfsync_wire_put_bus, &bus);
	EXPECT_ALL_WRITTEN(52, nfsync_wire_put_tdb, &tdb);
	tdb.af = NFSYNC_AF_INET6;
	EXPECT_ALL_WRITTEN(52, nfsync_wire_put_tdb, &tdb);
	EXPECT_ALL_WRITTEN(264, nfsync_wire_put_state_bare, 6, &m);
	EXPECT_ALL_WRITTEN(288, nfsync_wire_put_state, 6, &m);
	m.has_ext = true;
	EXPECT_ALL_WRITTEN(288, nfsync_wire_put_state, 6, &m);
}

/* A caller's stale bytes: behind an IPv4 address, behind a name's end */
static void nothing_stale_leaves(void)
{
	struct nfsync_msg_state m = state4;
	struct nfsync_msg_tdb tdb = { .af = NFSYNC_AF_INET };
	u8 got[288], want[288];

	nfsync_wire_put_state(want, NFSYNC_WIRE_V6, &m);
	memset(&m.key[0].addr[0][4], 0xee, 12);
	memset(&m.key[1].addr[1][4], 0xee, 12);
	memset(&m.ifname[4], 0xee, 12);
	nfsync_wire_put_state(got, NFSYNC_WIRE_V6, &m);
	KTAP_EXPECT_MEMEQ(got, want, 288);

	nfsync_wire_put_tdb(want, &tdb);
	memset(&tdb.dst[4], 0xee, 12);
	nfsync_wire_put_tdb(got, &tdb);
	KTAP_EXPECT_MEMEQ(got, want, 52);
}

static void keys_take_the_states_family(void)
{
	struct nfsync_msg_state m = state6;
	u8 want[288], got[288];

	unhex(want, STATE6);
	memset(want + 264, 0, 24);
	m.key[0].af = 0;
	m.key[1].af = 0;
	nfsync_wire_put_state(got, NFSYNC_WIRE_V6, &m);
	KTAP_EXPECT_MEMEQ(got, want, 288);

	got[24 + 38] = 0;
	got[64 + 38] = 0;
	KTAP_EXPECT_EQ(get_state(NFSYNC_ACT_INS, 264, got, &m),
		       NFSYNC_WIRE_OK);
	KTAP_EXPECT_MEMEQ(&m, &state6, sizeof(m));
}

static void other_version_not_encoded(void)
{
	u8 got[288];

	memset(got, 0xa5, sizeof(got));
	KTAP_EXPECT_EQ(nfsync_wire_put_state(got, 5, &state4), 0);
	KTAP_EXPECT_EQ(got[0], 0xa5);
}

/* Values that are refused */

static enum nfsync_wire_err state_with(size_t at, u8 value)
{
	struct nfsync_msg_state m;
	u8 bytes[288];

	unhex(bytes, STATE4 STATE_EXT);
	bytes[at] = value;
	return get_state(NFSYNC_ACT_INS, 288, bytes, &m);
}

static enum nfsync_wire_err upd_c_with(size_t at, u8 value)
{
	struct nfsync_msg_upd_c m;
	u8 bytes[84];

	unhex(bytes, UPD_C);
	bytes[at] = value;
	return nfsync_wire_get_upd_c(bytes, &m);
}

#define VAL(good) ((good) ? NFSYNC_WIRE_OK : NFSYNC_WIRE_BADVAL)

static void badval_state(void)
{
	int v;

	for (v = 0; v < 256; v++) {
		KTAP_EXPECT_EQ(state_with(255, v), VAL(v < 20));
		KTAP_EXPECT_EQ(state_with(104 + 24, v), VAL(v <= 12));
		KTAP_EXPECT_EQ(state_with(136 + 24, v), VAL(v <= 12));
		KTAP_EXPECT_EQ(state_with(252, v), VAL(v <= 2));
		KTAP_EXPECT_EQ(state_with(250, v), VAL(v == 2 || v == 24));
		KTAP_EXPECT_EQ(state_with(264 + 20, v), VAL(v <= 9));
	}
}

static void badval_upd_c(void)
{
	int v;

	for (v = 0; v < 256; v++) {
		KTAP_EXPECT_EQ(upd_c_with(80, v), VAL(v < 20));
		KTAP_EXPECT_EQ(upd_c_with(8 + 24, v), VAL(v <= 12));
		KTAP_EXPECT_EQ(upd_c_with(40 + 24, v), VAL(v <= 12));
	}
}

static bool af_known(int af)
{
	return af == 2 || af == 24;
}

static void badval_key_families(void)
{
	struct nfsync_msg_state m;
	u8 bytes[264];
	int a, b;
	bool good;

	unhex(bytes, STATE4);
	for (a = 0; a < 256; a++) {
		for (b = 0; b < 256; b++) {
			bytes[24 + 38] = a;
			bytes[64 + 38] = b;
			good = (!a && !b) || (af_known(a) && af_known(b));
			KTAP_EXPECT_EQ(get_state(NFSYNC_ACT_INS, 264, bytes,
						 &m), VAL(good));
		}
	}
}

static void badval_tdb_family(void)
{
	struct nfsync_msg_tdb m;
	u8 bytes[52];
	int v;

	unhex(bytes, TDB4);
	for (v = 0; v < 256; v++) {
		bytes[5] = v;
		KTAP_EXPECT_EQ(nfsync_wire_get_tdb(bytes, &m),
			       VAL(af_known(v)));
	}
}

static void unterminated_names(void)
{
	struct nfsync_msg_state m;
	struct nfsync_msg_clr clr;
	u8 bytes[264];

	unhex(bytes, STATE4);
	memset(bytes + 8, 'x', 16);
	KTAP_EXPECT_EQ(get_state(NFSYNC_ACT_INS, 264, bytes, &m),
		       NFSYNC_WIRE_OK);
	KTAP_EXPECT(!strcmp(m.ifname, "xxxxxxxxxxxxxxx"));

	memset(bytes, 'x', 16);
	KTAP_EXPECT_EQ(nfsync_wire_get_clr(bytes, &clr), NFSYNC_WIRE_BADVAL);
	KTAP_EXPECT_EQ(clr.ifname[0], 0);
	bytes[15] = 0;
	KTAP_EXPECT_EQ(nfsync_wire_get_clr(bytes, &clr), NFSYNC_WIRE_OK);
	KTAP_EXPECT(!strcmp(clr.ifname, "xxxxxxxxxxxxxxx"));
}

/* A state's name has no bytes behind its end, whatever the wire has there */
static void names_end_in_zeros(void)
{
	struct nfsync_msg_state m;
	u8 bytes[264];

	unhex(bytes, STATE4);
	memset(bytes + 12, 'x', 12);
	KTAP_EXPECT_EQ(get_state(NFSYNC_ACT_INS, 264, bytes, &m),
		       NFSYNC_WIRE_OK);
	KTAP_EXPECT_MEMEQ(&m, &state4, sizeof(m));
}

static void del_tells_only_identity(void)
{
	static const struct nfsync_msg_state want = {
		.id = 0x6553f1000000002a, .creatorid = 0xdeadbeef,
	};
	struct nfsync_msg_state m;
	u8 bytes[264];

	unhex(bytes, STATE4);
	memset(bytes + 240, 0xff, 24);
	KTAP_EXPECT_EQ(get_state(NFSYNC_ACT_DEL, 264, bytes, &m),
		       NFSYNC_WIRE_OK);
	KTAP_EXPECT_MEMEQ(&m, &want, sizeof(m));
}

static void unknown_status_bits_ignored(void)
{
	struct nfsync_msg_state m;
	u8 bytes[288];

	unhex(bytes, STATE4 STATE_EXT);
	bytes[264 + 21] = 0xf1;
	KTAP_EXPECT_EQ(get_state(NFSYNC_ACT_INS, 288, bytes, &m),
		       NFSYNC_WIRE_OK);
	KTAP_EXPECT_EQ(m.ext.status, NFSYNC_EXT_SEEN_REPLY);
}

static void scrub_valid_is_exactly_one(void)
{
	struct nfsync_msg_upd_c m;
	u8 bytes[84];
	int v;

	unhex(bytes, UPD_C);
	for (v = 0; v < 256; v++) {
		bytes[8 + 3] = v;
		nfsync_wire_get_upd_c(bytes, &m);
		KTAP_EXPECT_EQ(m.peer[NFSYNC_SRC].scrub_valid, v == 1);
	}
}

/* Frames */

#define EDGES 16

/* Every action once or more; returns where its sections begin and end */
static size_t many_sections(size_t *edge)
{
	size_t n = 0;

	begin();
	edge[n++] = frame.len;
	add("80030001" FRAME);
	edge[n++] = frame.len;
	add("0d480002" STATE4 STATE_EXT STATE6 STATE_EXT);
	edge[n++] = frame.len;
	add("0e420001" STATE6);
	edge[n++] = frame.len;
	add("04150002" UPD_C UPD_C);
	edge[n++] = frame.len;
	add("07030003" ID ID ID);
	edge[n++] = frame.len;
	add("c8020003" Z12 Z12);
	edge[n++] = frame.len;
	add("02030001" ID "05030001" ID);
	edge[n++] = frame.len - 16;
	edge[n++] = frame.len;
	add("06420001" STATE4);
	edge[n++] = frame.len;
	add("00050001" CLR);
	edge[n++] = frame.len;
	add("81050001" HELLO);
	edge[n++] = frame.len;
	add("82080001" TOTAL);
	edge[n++] = frame.len;
	add("0a030001" BUS);
	edge[n++] = frame.len;
	add("0f0d0002" TDB4 TDB6);
	edge[n++] = frame.len;
	return n;
}

static void whole_frame(void)
{
	struct wire_walk w;
	size_t edge[EDGES];

	many_sections(edge);
	w = walk();
	KTAP_EXPECT_EQ(w.err, NFSYNC_WIRE_OK);
	KTAP_EXPECT_EQ(w.sections, 13);
	KTAP_EXPECT_EQ(w.skipped, 1);
	KTAP_EXPECT_EQ(w.messages, 18);
	KTAP_EXPECT_EQ(w.badval, 0);
}

static void sections_are_told(void)
{
	struct nfsync_wire_section s;
	struct nfsync_wire_frame f;

	begin();
	add("0d430002" STATE4 Z4 STATE6 Z4 "c8020001" Z8 "07030001" ID);
	set_len(frame.len);
	KTAP_ASSERT_EQ(nfsync_wire_check(&f, frame.data, frame.len + 9),
		       NFSYNC_WIRE_OK);
	KTAP_EXPECT_EQ(f.version, 6);
	KTAP_EXPECT_EQ(f.len, frame.len);

	KTAP_ASSERT(nfsync_wire_next(&f, &s));
	KTAP_EXPECT(s.known);
	KTAP_EXPECT_EQ(s.version, 6);
	KTAP_EXPECT_EQ(s.action, NFSYNC_ACT_INS);
	KTAP_EXPECT_EQ(s.count, 2);
	KTAP_EXPECT_EQ(s.stride, 268);
	KTAP_EXPECT_EQ(s.body - frame.data, 24);
	KTAP_ASSERT(nfsync_wire_next(&f, &s));
	KTAP_EXPECT(!s.known);
	KTAP_ASSERT(nfsync_wire_next(&f, &s));
	KTAP_EXPECT(s.known);
	KTAP_EXPECT_EQ(s.action, NFSYNC_ACT_DEL_C);
	KTAP_EXPECT_EQ(s.body - frame.data, 24 + 536 + 12 + 4);
	KTAP_EXPECT(!nfsync_wire_next(&f, &s));
	KTAP_EXPECT(!nfsync_wire_next(&f, &s));
}

static void empty_frame(void)
{
	struct wire_walk w;

	begin();
	w = walk();
	KTAP_EXPECT_EQ(w.err, NFSYNC_WIRE_OK);
	KTAP_EXPECT_EQ(w.sections + w.skipped, 0);
}

static void unaligned_frame(void)
{
	size_t edge[EDGES], i;
	struct wire_walk w;
	u8 *copy;

	many_sections(edge);
	set_len(frame.len);
	for (i = 1; i < 8; i++) {
		copy = malloc(frame.len + i);
		KTAP_ASSERT(copy);
		memcpy(copy + i, frame.data, frame.len);
		wire_walk(copy + i, frame.len, &w);
		free(copy);
		KTAP_EXPECT_EQ(w.err, NFSYNC_WIRE_OK);
		KTAP_EXPECT_EQ(w.messages, 18);
		KTAP_EXPECT_EQ(w.differ, 0);
	}
}

/* The header tells the whole, fewer bytes came */
static void truncated_everywhere(void)
{
	size_t edge[EDGES], cut;

	many_sections(edge);
	set_len(frame.len);
	for (cut = 0; cut < frame.len; cut++)
		KTAP_EXPECT_EQ(walk_bytes(cut).err,
			       cut < 20 ? NFSYNC_WIRE_HDROPS :
					  NFSYNC_WIRE_BADLEN);
}

/* The header tells what came: good exactly where a section ends */
static void shortened_everywhere(void)
{
	size_t edge[EDGES], n = many_sections(edge), i = 0, cut;
	bool at_edge;

	for (cut = 20; cut <= frame.len; cut++) {
		at_edge = i < n && cut == edge[i];
		i += at_edge;
		set_len(cut);
		KTAP_EXPECT_EQ(walk_bytes(cut).err,
			       at_edge ? NFSYNC_WIRE_OK : NFSYNC_WIRE_BADLEN);
	}
	KTAP_EXPECT_EQ(i, n);
}

static void header_length(void)
{
	size_t len;

	begin();
	add("07030001" ID);
	for (len = 0; len < 65536; len++) {
		set_len(len);
		KTAP_EXPECT_EQ(walk_bytes(frame.len).err,
			       len == 20 || len == 36 ? NFSYNC_WIRE_OK :
							NFSYNC_WIRE_BADLEN);
	}
}

/* Ethernet padding and the like: what follows the length does not count */
static void bytes_behind_ignored(void)
{
	struct wire_walk w;

	begin();
	add("07030001" ID);
	set_len(frame.len);
	add("ffffffff ffffffff ff");
	w = walk_bytes(frame.len);
	KTAP_EXPECT_EQ(w.err, NFSYNC_WIRE_OK);
	KTAP_EXPECT_EQ(w.sections, 1);
	KTAP_EXPECT_EQ(w.skipped, 0);
}

static void other_versions(void)
{
	int v;

	begin();
	add("07030001" ID);
	for (v = 0; v < 256; v++) {
		frame.data[0] = v;
		KTAP_EXPECT_EQ(walk().err, v == 6 ? NFSYNC_WIRE_OK :
						    NFSYNC_WIRE_BADVER);
	}
}

/* Shortest stride of each action that is understood, in words */
static const u8 min_words[256] = {
	[NFSYNC_ACT_CLR] = 5, [NFSYNC_ACT_INS_ACK] = 3,
	[NFSYNC_ACT_UPD_C] = 21, [NFSYNC_ACT_UPD_REQ] = 3,
	[NFSYNC_ACT_DEL] = 66, [NFSYNC_ACT_DEL_C] = 3,
	[NFSYNC_ACT_BUS] = 3, [NFSYNC_ACT_INS] = 66,
	[NFSYNC_ACT_UPD] = 66, [NFSYNC_ACT_TDB] = 13,
	[NFSYNC_ACT_FRAME] = 3, [NFSYNC_ACT_HELLO] = 5,
	[NFSYNC_ACT_TOTAL] = 8,
};

static void every_action_and_stride(void)
{
	struct wire_walk w;
	int action, words;
	bool known, skip;

	for (action = 0; action < 256; action++) {
		for (words = 0; words < 256; words++) {
			w = walk_one(action, words);
			known = min_words[action] &&
				words >= min_words[action];
			skip = !known && (words || action == NFSYNC_ACT_EOF);
			KTAP_EXPECT_EQ(w.err, known || skip ?
					      NFSYNC_WIRE_OK :
					      NFSYNC_WIRE_BADACT);
			KTAP_EXPECT_EQ(w.sections, known);
			KTAP_EXPECT_EQ(w.skipped, skip);
		}
	}
}

static void count_zero(void)
{
	int action, words;
	enum nfsync_wire_err want;

	for (action = 0; action < 256; action++) {
		for (words = 0; words < 256; words++) {
			begin();
			add_subh(action, words, 0);
			want = NFSYNC_WIRE_BADACT;
			if (action == NFSYNC_ACT_EOF && !words)
				want = NFSYNC_WIRE_OK;
			if (min_words[action] && words >= min_words[action])
				want = NFSYNC_WIRE_BADLEN;
			KTAP_EXPECT_EQ(walk().err, want);
		}
	}
}

static void count_too_high(void)
{
	static const u16 counts[] = { 2, 3, 256, 0x7fff, 0x8000, 65535 };
	int action, words;
	size_t i;

	for (action = 0; action < 256; action++) {
		for (i = 0; i < ARRAY_SIZE(counts); i++) {
			words = min_words[action] ? min_words[action] : 255;
			begin();
			add_subh(action, words, counts[i]);
			add_zero(4 * words);
			KTAP_EXPECT_EQ(walk().err, NFSYNC_WIRE_BADLEN);
		}
	}
}

/* The longest frame there can be, and its messages to the last */
static void fullest_frame(void)
{
	struct wire_walk w;
	int i;

	begin();
	add_subh(NFSYNC_ACT_DEL_C, 3, 5459);
	for (i = 0; i < 5459; i++)
		add(ID);
	w = walk();
	KTAP_EXPECT_EQ(w.err, NFSYNC_WIRE_OK);
	KTAP_EXPECT_EQ(w.messages, 5459);

	begin();
	add_subh(200, 1, 16377);
	add_zero(65508);
	w = walk();
	KTAP_EXPECT_EQ(frame.len, 65532);
	KTAP_EXPECT_EQ(w.err, NFSYNC_WIRE_OK);
	KTAP_EXPECT_EQ(w.skipped, 1);
}

static void eof_is_nothing(void)
{
	struct wire_walk w;

	begin();
	add("0c000000 0c000001 0c00ffff 07030001" ID "0c000001");
	w = walk();
	KTAP_EXPECT_EQ(w.err, NFSYNC_WIRE_OK);
	KTAP_EXPECT_EQ(w.sections, 1);
	KTAP_EXPECT_EQ(w.messages, 1);

	begin();
	add("0c010002" Z8 "07030001" ID);
	w = walk();
	KTAP_EXPECT_EQ(w.err, NFSYNC_WIRE_OK);
	KTAP_EXPECT_EQ(w.sections, 1);

	begin();
	add("0c010003" Z8);
	KTAP_EXPECT_EQ(walk().err, NFSYNC_WIRE_BADLEN);
}

/* A bad section at the end refuses the good ones before it */
static void bad_section_refuses_all(void)
{
	struct wire_walk w;

	begin();
	add("07030001" ID "c8000001");
	w = walk();
	KTAP_EXPECT_EQ(w.err, NFSYNC_WIRE_BADACT);
	KTAP_EXPECT_EQ(w.messages, 0);

	begin();
	add("07030001" ID "07030002" ID);
	w = walk();
	KTAP_EXPECT_EQ(w.err, NFSYNC_WIRE_BADLEN);
	KTAP_EXPECT_EQ(w.messages, 0);
}

/* A bad value refuses its message alone */
static void bad_value_refuses_one(void)
{
	struct wire_walk w;

	begin();
	add("04150003" UPD_C UPD_C UPD_C);
	frame.data[24 + 84 + 80] = 20;
	w = walk();
	KTAP_EXPECT_EQ(w.err, NFSYNC_WIRE_OK);
	KTAP_EXPECT_EQ(w.messages, 2);
	KTAP_EXPECT_EQ(w.badval, 1);
}

/* A longer state is read by its stride; the trailer by room and tag */
static void longer_state(void)
{
	struct nfsync_msg_state m;
	u8 bytes[2 * 512];
	size_t words;

	memset(bytes, 0xff, sizeof(bytes));
	unhex(bytes, STATE4 STATE_EXT);
	for (words = 66; words < 128; words++) {
		KTAP_EXPECT_EQ(get_state(NFSYNC_ACT_INS, 4 * words, bytes,
					 &m), NFSYNC_WIRE_OK);
		KTAP_EXPECT_EQ(m.has_ext, words >= 72);
		KTAP_EXPECT_EQ(m.ext.zone, words >= 72 ? 7 : 0);
	}
	bytes[267] = '2';
	KTAP_EXPECT_EQ(get_state(NFSYNC_ACT_INS, 288, bytes, &m),
		       NFSYNC_WIRE_OK);
	KTAP_EXPECT_MEMEQ(&m, &state4, sizeof(m));
}

static void longer_messages(void)
{
	struct wire_walk w;

	begin();
	add("80040001" FRAME "ffffffff");
	add("81060001" HELLO "ffffffff");
	add("82090002" TOTAL "ffffffff" TOTAL "ffffffff");
	add("0d490002" STATE4 STATE_EXT "ffffffff"
	    STATE6 STATE_EXT "ffffffff");
	add("04160002" UPD_C "ffffffff" UPD_C "ffffffff");
	add("07040002" ID "ffffffff" ID "ffffffff");
	add("0a040001" BUS "ffffffff");
	add("00060001" CLR "ffffffff");
	add("0f0e0002" TDB4 "ffffffff" TDB6 "ffffffff");
	w = walk();
	KTAP_EXPECT_EQ(w.err, NFSYNC_WIRE_OK);
	KTAP_EXPECT_EQ(w.sections, 9);
	KTAP_EXPECT_EQ(w.messages, 14);
	KTAP_EXPECT_EQ(w.badval, 0);
}

/* The second message of a longer stride is read where it is */
static void longer_total(void)
{
	struct nfsync_wire_section s;
	struct nfsync_wire_frame f;
	struct nfsync_msg_total m;

	begin();
	add("80040001" FRAME "ffffffff");
	add("82090002" TOTAL "ffffffff" TOTAL "ffffffff");
	set_len(frame.len);
	/* the last byte of the second sum */
	frame.data[20 + 4 + 16 + 4 + 36 + 15] = 0xf1;
	KTAP_ASSERT_EQ(nfsync_wire_check(&f, frame.data, frame.len),
		       NFSYNC_WIRE_OK);
	KTAP_ASSERT(nfsync_wire_next(&f, &s));
	KTAP_EXPECT_EQ(s.action, NFSYNC_ACT_FRAME);
	KTAP_EXPECT_EQ(s.stride, 16);
	KTAP_ASSERT(nfsync_wire_next(&f, &s));
	KTAP_EXPECT(s.known);
	KTAP_EXPECT_EQ(s.action, NFSYNC_ACT_TOTAL);
	KTAP_EXPECT_EQ(s.stride, 36);
	nfsync_wire_get_total(s.body + s.stride, &m);
	KTAP_EXPECT_EQ(m.sum, 0x8090a0b0c0d0e0f1);
	KTAP_EXPECT_EQ(m.first_id, 0x6553f1000000002a);
	KTAP_EXPECT_EQ(m.flags, NFSYNC_TOTAL_UNNUMBERED);
}

/* As an OpenBSD sees it: all of 0x80 and above can be stepped over */
static void numbered_frame_without_knowing(void)
{
	struct wire_walk w;

	begin();
	add("90030001" FRAME "04150001" UPD_C);
	add("91050001" HELLO "92080001" TOTAL "0a030001" BUS);
	w = walk();
	KTAP_EXPECT_EQ(w.err, NFSYNC_WIRE_OK);
	KTAP_EXPECT_EQ(w.skipped, 3);
	KTAP_EXPECT_EQ(w.sections, 2);
	KTAP_EXPECT_EQ(w.messages, 2);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(golden_header),
	KTAP_TEST(golden_subheader),
	KTAP_TEST(golden_bulk_request),
	KTAP_TEST(golden_id),
	KTAP_TEST(golden_clr),
	KTAP_TEST(golden_bus),
	KTAP_TEST(golden_frame),
	KTAP_TEST(golden_hello),
	KTAP_TEST(golden_total),
	KTAP_TEST(golden_mix),
	KTAP_TEST(mix_tells_sets_apart),
	KTAP_TEST(golden_upd_c),
	KTAP_TEST(golden_tdb),
	KTAP_TEST(golden_state),
	KTAP_TEST(golden_state_trailer),
	KTAP_TEST(message_lengths),
	KTAP_TEST(round_trip_state),
	KTAP_TEST(round_trip_upd_c),
	KTAP_TEST(round_trip_frame),
	KTAP_TEST(round_trip_hello),
	KTAP_TEST(round_trip_total),
	KTAP_TEST(pads_not_read),
	KTAP_TEST(every_byte_written),
	KTAP_TEST(nothing_stale_leaves),
	KTAP_TEST(keys_take_the_states_family),
	KTAP_TEST(other_version_not_encoded),
	KTAP_TEST(badval_state),
	KTAP_TEST(badval_upd_c),
	KTAP_TEST(badval_key_families),
	KTAP_TEST(badval_tdb_family),
	KTAP_TEST(unterminated_names),
	KTAP_TEST(names_end_in_zeros),
	KTAP_TEST(del_tells_only_identity),
	KTAP_TEST(unknown_status_bits_ignored),
	KTAP_TEST(scrub_valid_is_exactly_one),
	KTAP_TEST(whole_frame),
	KTAP_TEST(sections_are_told),
	KTAP_TEST(empty_frame),
	KTAP_TEST(unaligned_frame),
	KTAP_TEST(truncated_everywhere),
	KTAP_TEST(shortened_everywhere),
	KTAP_TEST(header_length),
	KTAP_TEST(bytes_behind_ignored),
	KTAP_TEST(other_versions),
	KTAP_TEST(every_action_and_stride),
	KTAP_TEST(count_zero),
	KTAP_TEST(count_too_high),
	KTAP_TEST(fullest_frame),
	KTAP_TEST(eof_is_nothing),
	KTAP_TEST(bad_section_refuses_all),
	KTAP_TEST(bad_value_refuses_one),
	KTAP_TEST(longer_state),
	KTAP_TEST(longer_messages),
	KTAP_TEST(longer_total),
	KTAP_TEST(numbered_frame_without_knowing),
};

KTAP_MAIN(tests)
