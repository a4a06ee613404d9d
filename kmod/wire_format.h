/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bytes of pfsync's messages.  Every type is packed: a state can begin at
 * any address, because a peer chooses what goes before it.  Only wire.c
 * includes this file.
 */
#ifndef _NFSYNC_WIRE_FORMAT_H
#define _NFSYNC_WIRE_FORMAT_H

#include "wire.h"

/* Address families as OpenBSD numbers them */
#define NFSYNC_WIRE_AF_INET		2
#define NFSYNC_WIRE_AF_INET6		24

#define NFSYNC_WIRE_SCRUB_VALID		0x01

#define NFSYNC_WIRE_EXT_TAG		0x4e465331	/* "NFS1" */

struct nfsync_wire_hdr {
	u8 version;
	u8 pad;
	__be16 len;
	u8 checksum[16];	/* once the ruleset's; zero in v6 */
} __packed;

struct nfsync_wire_subh {
	u8 action;
	u8 words;		/* v6: stride in 32-bit words; v5: 0 */
	__be16 count;
} __packed;

struct nfsync_wire_peer {
	__be16 scrub_flags;
	u8 scrub_ttl;
	u8 scrub_valid;
	__be32 ts_mod;
	__be32 seqlo;
	__be32 seqhi;
	__be32 seqdiff;
	__be16 max_win;
	__be16 mss;
	u8 level;
	u8 wscale;
	u8 pad[6];
} __packed;

struct nfsync_wire_key6 {
	u8 addr[2][16];
	__be16 port[2];
	__be16 rdomain;
	u8 af;
	u8 pad;
} __packed;

struct nfsync_wire_state6 {
	__be64 id;
	char ifname[NFSYNC_IFNAMSIZ];
	struct nfsync_wire_key6 key[2];
	struct nfsync_wire_peer peer[2];
	u8 rt_addr[16];
	__be32 rule;
	__be32 anchor;
	__be32 nat_rule;
	__be32 creation;
	__be32 expire;
	__be64 packets[2];
	__be64 bytes[2];
	__be32 creatorid;
	__be32 rtableid[2];
	__be16 max_mss;
	u8 af;
	u8 proto;
	u8 direction;
	u8 log;
	u8 rt;
	u8 timeout;
	u8 sync_flags;
	u8 updates;
	u8 min_ttl;
	u8 set_tos;
	__be16 state_flags;
	u8 set_prio[2];
} __packed;

/* Follows a state6 when the stride has room for it and the tag is right */
struct nfsync_wire_ext {
	__be32 tag;
	__be32 max_win[2];
	__be32 mark;
	__be16 zone;
	u8 tcp_flags[2];
	u8 tcp_state;
	u8 status;
	u8 pad[2];
} __packed;

struct nfsync_wire_upd_c {
	__be64 id;
	struct nfsync_wire_peer peer[2];
	__be32 creatorid;
	__be32 expire;
	u8 timeout;
	u8 state_flags;
	u8 pad[2];
} __packed;

struct nfsync_wire_id {
	__be64 id;
	__be32 creatorid;
} __packed;

struct nfsync_wire_clr {
	char ifname[NFSYNC_IFNAMSIZ];
	__be32 creatorid;
} __packed;

struct nfsync_wire_bus {
	__be32 creatorid;
	__be32 endtime;
	u8 status;
	u8 pad[3];
} __packed;

/* A BSD sockaddr_in6; a sockaddr_in ends after four bytes of flow_or_addr4 */
struct nfsync_wire_sockaddr {
	u8 len;
	u8 family;
	__be16 port;
	u8 flow_or_addr4[4];
	u8 addr6[16];
	__be32 scope;
} __packed;

struct nfsync_wire_tdb6 {
	__be32 spi;
	struct nfsync_wire_sockaddr dst;
	__be64 rpl;
	__be64 cur_bytes;
	u8 sproto;
	u8 updates;
	__be16 rdomain;
} __packed;

struct nfsync_wire_frame_id {
	__be32 creatorid;
	__be32 incarnation;
	__be32 seq;
} __packed;

struct nfsync_wire_hello {
	__be32 creatorid;
	__be32 uptime;
	__be32 states;
	u8 verdict;
	u8 peers;
	u8 pad[2];
	__be32 joined_by;
} __packed;

struct nfsync_wire_total {
	__be32 creatorid;
	__be32 count;
	__be64 sum;
	__be64 first_id;
	u8 verdict;
	u8 flags;
	u8 pad[6];
} __packed;

#define NFSYNC_WIRE_SIZE(type, bytes)					\
	static_assert(sizeof(struct nfsync_wire_##type) == (bytes),	\
		      "size of " #type)
#define NFSYNC_WIRE_AT(type, member, bytes)				\
	static_assert(offsetof(struct nfsync_wire_##type, member) == (bytes), \
		      "place of " #type "." #member)

NFSYNC_WIRE_SIZE(hdr, NFSYNC_WIRE_HDR_LEN);
NFSYNC_WIRE_AT(hdr, version, 0);
NFSYNC_WIRE_AT(hdr, pad, 1);
NFSYNC_WIRE_AT(hdr, len, 2);
NFSYNC_WIRE_AT(hdr, checksum, 4);

NFSYNC_WIRE_SIZE(subh, NFSYNC_WIRE_SUBH_LEN);
NFSYNC_WIRE_AT(subh, action, 0);
NFSYNC_WIRE_AT(subh, words, 1);
NFSYNC_WIRE_AT(subh, count, 2);

NFSYNC_WIRE_SIZE(peer, 32);
NFSYNC_WIRE_AT(peer, scrub_flags, 0);
NFSYNC_WIRE_AT(peer, scrub_ttl, 2);
NFSYNC_WIRE_AT(peer, scrub_valid, 3);
NFSYNC_WIRE_AT(peer, ts_mod, 4);
NFSYNC_WIRE_AT(peer, seqlo, 8);
NFSYNC_WIRE_AT(peer, seqhi, 12);
NFSYNC_WIRE_AT(peer, seqdiff, 16);
NFSYNC_WIRE_AT(peer, max_win, 20);
NFSYNC_WIRE_AT(peer, mss, 22);
NFSYNC_WIRE_AT(peer, level, 24);
NFSYNC_WIRE_AT(peer, wscale, 25);
NFSYNC_WIRE_AT(peer, pad, 26);

NFSYNC_WIRE_SIZE(key6, 40);
NFSYNC_WIRE_AT(key6, addr, 0);
NFSYNC_WIRE_AT(key6, port, 32);
NFSYNC_WIRE_AT(key6, rdomain, 36);
NFSYNC_WIRE_AT(key6, af, 38);
NFSYNC_WIRE_AT(key6, pad, 39);

NFSYNC_WIRE_SIZE(state6, NFSYNC_WIRE_STATE6_LEN);
NFSYNC_WIRE_AT(state6, id, 0);
NFSYNC_WIRE_AT(state6, ifname, 8);
NFSYNC_WIRE_AT(state6, key, 24);
NFSYNC_WIRE_AT(state6, peer, 104);
NFSYNC_WIRE_AT(state6, rt_addr, 168);
NFSYNC_WIRE_AT(state6, rule, 184);
NFSYNC_WIRE_AT(state6, anchor, 188);
NFSYNC_WIRE_AT(state6, nat_rule, 192);
NFSYNC_WIRE_AT(state6, creation, 196);
NFSYNC_WIRE_AT(state6, expire, 200);
NFSYNC_WIRE_AT(state6, packets, 204);
NFSYNC_WIRE_AT(state6, bytes, 220);
NFSYNC_WIRE_AT(state6, creatorid, 236);
NFSYNC_WIRE_AT(state6, rtableid, 240);
NFSYNC_WIRE_AT(state6, max_mss, 248);
NFSYNC_WIRE_AT(state6, af, 250);
NFSYNC_WIRE_AT(state6, proto, 251);
NFSYNC_WIRE_AT(state6, direction, 252);
NFSYNC_WIRE_AT(state6, log, 253);
NFSYNC_WIRE_AT(state6, rt, 254);
NFSYNC_WIRE_AT(state6, timeout, 255);
NFSYNC_WIRE_AT(state6, sync_flags, 256);
NFSYNC_WIRE_AT(state6, updates, 257);
NFSYNC_WIRE_AT(state6, min_ttl, 258);
NFSYNC_WIRE_AT(state6, set_tos, 259);
NFSYNC_WIRE_AT(state6, state_flags, 260);
NFSYNC_WIRE_AT(state6, set_prio, 262);

NFSYNC_WIRE_SIZE(ext, NFSYNC_WIRE_EXT_LEN);
NFSYNC_WIRE_AT(ext, tag, 0);
NFSYNC_WIRE_AT(ext, max_win, 4);
NFSYNC_WIRE_AT(ext, mark, 12);
NFSYNC_WIRE_AT(ext, zone, 16);
NFSYNC_WIRE_AT(ext, tcp_flags, 18);
NFSYNC_WIRE_AT(ext, tcp_state, 20);
NFSYNC_WIRE_AT(ext, status, 21);
NFSYNC_WIRE_AT(ext, pad, 22);

NFSYNC_WIRE_SIZE(upd_c, NFSYNC_WIRE_UPD_C_LEN);
NFSYNC_WIRE_AT(upd_c, id, 0);
NFSYNC_WIRE_AT(upd_c, peer, 8);
NFSYNC_WIRE_AT(upd_c, creatorid, 72);
NFSYNC_WIRE_AT(upd_c, expire, 76);
NFSYNC_WIRE_AT(upd_c, timeout, 80);
NFSYNC_WIRE_AT(upd_c, state_flags, 81);
NFSYNC_WIRE_AT(upd_c, pad, 82);

NFSYNC_WIRE_SIZE(id, NFSYNC_WIRE_ID_LEN);
NFSYNC_WIRE_AT(id, id, 0);
NFSYNC_WIRE_AT(id, creatorid, 8);

NFSYNC_WIRE_SIZE(clr, NFSYNC_WIRE_CLR_LEN);
NFSYNC_WIRE_AT(clr, ifname, 0);
NFSYNC_WIRE_AT(clr, creatorid, 16);

NFSYNC_WIRE_SIZE(bus, NFSYNC_WIRE_BUS_LEN);
NFSYNC_WIRE_AT(bus, creatorid, 0);
NFSYNC_WIRE_AT(bus, endtime, 4);
NFSYNC_WIRE_AT(bus, status, 8);
NFSYNC_WIRE_AT(bus, pad, 9);

NFSYNC_WIRE_SIZE(sockaddr, 28);
NFSYNC_WIRE_AT(sockaddr, len, 0);
NFSYNC_WIRE_AT(sockaddr, family, 1);
NFSYNC_WIRE_AT(sockaddr, port, 2);
NFSYNC_WIRE_AT(sockaddr, flow_or_addr4, 4);
NFSYNC_WIRE_AT(sockaddr, addr6, 8);
NFSYNC_WIRE_AT(sockaddr, scope, 24);

NFSYNC_WIRE_SIZE(tdb6, NFSYNC_WIRE_TDB6_LEN);
NFSYNC_WIRE_AT(tdb6, spi, 0);
NFSYNC_WIRE_AT(tdb6, dst, 4);
NFSYNC_WIRE_AT(tdb6, rpl, 32);
NFSYNC_WIRE_AT(tdb6, cur_bytes, 40);
NFSYNC_WIRE_AT(tdb6, sproto, 48);
NFSYNC_WIRE_AT(tdb6, updates, 49);
NFSYNC_WIRE_AT(tdb6, rdomain, 50);

NFSYNC_WIRE_SIZE(frame_id, NFSYNC_WIRE_FRAME_LEN);
NFSYNC_WIRE_AT(frame_id, creatorid, 0);
NFSYNC_WIRE_AT(frame_id, incarnation, 4);
NFSYNC_WIRE_AT(frame_id, seq, 8);

NFSYNC_WIRE_SIZE(hello, NFSYNC_WIRE_HELLO_LEN);
NFSYNC_WIRE_AT(hello, creatorid, 0);
NFSYNC_WIRE_AT(hello, uptime, 4);
NFSYNC_WIRE_AT(hello, states, 8);
NFSYNC_WIRE_AT(hello, verdict, 12);
NFSYNC_WIRE_AT(hello, peers, 13);
NFSYNC_WIRE_AT(hello, pad, 14);
NFSYNC_WIRE_AT(hello, joined_by, 16);

NFSYNC_WIRE_SIZE(total, NFSYNC_WIRE_TOTAL_LEN);
NFSYNC_WIRE_AT(total, creatorid, 0);
NFSYNC_WIRE_AT(total, count, 4);
NFSYNC_WIRE_AT(total, sum, 8);
NFSYNC_WIRE_AT(total, first_id, 16);
NFSYNC_WIRE_AT(total, verdict, 24);
NFSYNC_WIRE_AT(total, flags, 25);
NFSYNC_WIRE_AT(total, pad, 26);

#undef NFSYNC_WIRE_SIZE
#undef NFSYNC_WIRE_AT

#endif /* _NFSYNC_WIRE_FORMAT_H */
