/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pfsync on the wire.  Knows no kernel beyond fixed-width types, so that
 * unit tests and the fuzzer build the same file in userspace.
 *
 * Two pictures of every message: struct nfsync_wire_* is the packed byte
 * image, struct nfsync_msg_* holds the same in host order with Linux numbers
 * (address families above all).  Code outside wire.c sees only the second.
 */
#ifndef _NFSYNC_WIRE_H
#define _NFSYNC_WIRE_H

#ifdef __KERNEL__
#include <linux/string.h>
#include <linux/types.h>
#else
#include "compat/user/types.h"
#endif

#define NFSYNC_WIRE_V6		6	/* OpenBSD's header version */

enum nfsync_action {
	NFSYNC_ACT_CLR		= 0,
	NFSYNC_ACT_OLD_INS	= 1,
	NFSYNC_ACT_INS_ACK	= 2,
	NFSYNC_ACT_OLD_UPD	= 3,
	NFSYNC_ACT_UPD_C	= 4,
	NFSYNC_ACT_UPD_REQ	= 5,
	NFSYNC_ACT_DEL		= 6,
	NFSYNC_ACT_DEL_C	= 7,
	NFSYNC_ACT_INS_F	= 8,
	NFSYNC_ACT_DEL_F	= 9,
	NFSYNC_ACT_BUS		= 10,
	NFSYNC_ACT_OLD_TDB	= 11,
	NFSYNC_ACT_EOF		= 12,
	NFSYNC_ACT_INS		= 13,
	NFSYNC_ACT_UPD		= 14,
	NFSYNC_ACT_TDB		= 15,
	NFSYNC_ACT_MAX		= 16,

	/* among Linux nodes; a BSD skips them by their length */
	NFSYNC_ACT_FRAME	= 0x80,
	NFSYNC_ACT_HELLO	= 0x81,
	NFSYNC_ACT_TOTAL	= 0x82,
	NFSYNC_ACT_ALL		= 0x83,	/* size of a table by action */
};

/* pf's levels of one side of a connection */
enum nfsync_level {
	NFSYNC_TCPS_CLOSED	= 0,
	NFSYNC_TCPS_LISTEN	= 1,
	NFSYNC_TCPS_SYN_SENT	= 2,
	NFSYNC_TCPS_SYN_RCVD	= 3,
	NFSYNC_TCPS_ESTABLISHED	= 4,
	NFSYNC_TCPS_CLOSE_WAIT	= 5,
	NFSYNC_TCPS_FIN_WAIT_1	= 6,
	NFSYNC_TCPS_CLOSING	= 7,
	NFSYNC_TCPS_LAST_ACK	= 8,
	NFSYNC_TCPS_FIN_WAIT_2	= 9,
	NFSYNC_TCPS_TIME_WAIT	= 10,
	NFSYNC_TCPS_PROXY_SRC	= 11,
	NFSYNC_TCPS_PROXY_DST	= 12,
	NFSYNC_LEVEL_MAX	= 12,	/* highest that a receiver accepts */

	NFSYNC_OTHERS_NONE	= 0,	/* UDP and the rest */
	NFSYNC_OTHERS_SINGLE	= 1,
	NFSYNC_OTHERS_MULTIPLE	= 2,
};

enum nfsync_timeout {
	NFSYNC_TMO_TCP_FIRST,
	NFSYNC_TMO_TCP_OPENING,
	NFSYNC_TMO_TCP_ESTABLISHED,
	NFSYNC_TMO_TCP_CLOSING,
	NFSYNC_TMO_TCP_FIN_WAIT,
	NFSYNC_TMO_TCP_CLOSED,
	NFSYNC_TMO_UDP_FIRST,
	NFSYNC_TMO_UDP_SINGLE,
	NFSYNC_TMO_UDP_MULTIPLE,
	NFSYNC_TMO_ICMP_FIRST,
	NFSYNC_TMO_ICMP_ERROR,
	NFSYNC_TMO_OTHER_FIRST,
	NFSYNC_TMO_OTHER_SINGLE,
	NFSYNC_TMO_OTHER_MULTIPLE,
	NFSYNC_TMO_MAX		= 20,	/* first value that v6 refuses */
};

enum nfsync_direction { NFSYNC_DIR_BOTH, NFSYNC_DIR_IN, NFSYNC_DIR_OUT };

#define NFSYNC_BUS_START	1
#define NFSYNC_BUS_END		2

#define NFSYNC_STATE_SLOPPY	0x0002	/* windows unknown */
#define NFSYNC_STATE_NOSYNC	0x0008
#define NFSYNC_STATE_ACK	0x0010	/* answer with INS_ACK */

#define NFSYNC_WSCALE_FLAG	0x80
#define NFSYNC_WSCALE_MASK	0x0f

#define NFSYNC_IFNAMSIZ		16
#define NFSYNC_AF_INET		2	/* Linux numbers, in nfsync_msg_* */
#define NFSYNC_AF_INET6		10

/* index of a key in nfsync_msg_state.key[] */
enum { NFSYNC_KEY_WIRE, NFSYNC_KEY_STACK };

/* one side of a connection: src is the initiator, dst the responder */
enum { NFSYNC_SRC, NFSYNC_DST };

struct nfsync_msg_peer {
	u32 seqlo;		/* highest sequence end sent */
	u32 seqhi;		/* right edge this side may use */
	u32 seqdiff;		/* sequence modulation, 0 = none */
	u32 ts_mod;
	u16 scrub_flags;
	u16 max_win;		/* unscaled */
	u16 mss;
	u8 scrub_ttl;
	u8 scrub_valid;		/* 0 or 1 */
	u8 level;		/* enum nfsync_level */
	u8 wscale;		/* NFSYNC_WSCALE_FLAG | shift, 0 = none */
};

struct nfsync_msg_key {
	u8 addr[2][16];		/* IPv4 in the first four bytes */
	u16 port[2];		/* host order */
	u16 rdomain;
	u8 af;			/* NFSYNC_AF_*; 0 = the state's, to encoders */
};

/*
 * What Linux nodes tell each other behind the 66 words of a v6 state; a BSD
 * skips it by the length in the subheader.  Indexed by NFSYNC_SRC/DST.
 */
struct nfsync_msg_ext {
	u32 max_win[2];		/* td_maxwin, bytes, scaled */
	u32 mark;
	u16 zone;
	u8 tcp_flags[2];	/* IP_CT_TCP_FLAG_* that travel */
	u8 tcp_state;		/* enum tcp_conntrack, 0 = not TCP */
	u8 status;		/* NFSYNC_EXT_* */
};

#define NFSYNC_EXT_SEEN_REPLY	0x01
#define NFSYNC_EXT_ASSURED	0x02
#define NFSYNC_EXT_MOVES	0x04	/* its packets pass at the sender */
#define NFSYNC_EXT_BEHIND	0x08	/* and have, unseen by the windows told */

struct nfsync_msg_state {
	u64 id;
	u32 creatorid;
	char ifname[NFSYNC_IFNAMSIZ];
	struct nfsync_msg_key key[2];
	struct nfsync_msg_peer peer[2];	/* NFSYNC_SRC, NFSYNC_DST */
	u8 rt_addr[16];
	u32 rule;
	u32 anchor;
	u32 nat_rule;
	u32 creation;		/* age, s */
	u32 expire;		/* s left, 0 = not told */
	u64 packets[2];		/* [0] initiator to responder */
	u64 bytes[2];
	s32 rtableid[2];	/* -1 = none */
	u16 max_mss;
	u16 state_flags;
	u8 af;			/* NFSYNC_AF_*, of the wire key */
	u8 proto;
	u8 direction;
	u8 log;
	u8 rt;
	u8 timeout;		/* enum nfsync_timeout */
	u8 sync_flags;
	u8 min_ttl;
	u8 set_tos;
	u8 set_prio[2];
	bool has_ext;
	struct nfsync_msg_ext ext;
};

struct nfsync_msg_upd_c {
	u64 id;
	u32 creatorid;
	struct nfsync_msg_peer peer[2];
	u32 expire;		/* s left, 0 = not told (a BSD never tells) */
	u8 timeout;
};

struct nfsync_msg_id {		/* INS_ACK, UPD_REQ, DEL_C */
	u64 id;
	u32 creatorid;
};

struct nfsync_msg_clr {
	char ifname[NFSYNC_IFNAMSIZ];	/* always terminated, "" = every one */
	u32 creatorid;
};

struct nfsync_msg_bus {
	u32 creatorid;
	u32 endtime;		/* s since the request arrived */
	u8 status;		/* NFSYNC_BUS_* */
};

#define NFSYNC_TOTAL_UNNUMBERED	0x01	/* the MTU left no room for numbers */

/* First in every frame that has room for it: who sent it, and which one it is */
struct nfsync_msg_frame {
	u32 creatorid;		/* of the sender */
	u32 incarnation;	/* another one: @seq and all before is void */
	u32 seq;		/* one more with each frame */
};

struct nfsync_msg_hello {
	u32 creatorid;
	u32 uptime;		/* s */
	u32 states;
	u8 verdict;		/* enum pfsync_verdict */
	u8 peers;		/* that the sender hears */
	u32 joined_by;		/* whose whole transfer it received last, or 0 */
};

/* In front of a bulk transfer's END: what a whole transfer brought */
struct nfsync_msg_total {
	u32 creatorid;
	u32 count;		/* states told */
	u64 sum;		/* nfsync_wire_mix() of them, added up */
	u64 first_id;		/* lowest id the sender created since it booted */
	u8 verdict;		/* of the sender: does it hold all itself? */
	u8 flags;		/* NFSYNC_TOTAL_* */
};

struct nfsync_msg_tdb {
	u8 dst[16];
	u32 spi;
	u64 rpl;
	u64 cur_bytes;
	u16 rdomain;
	u8 af;			/* NFSYNC_AF_* */
	u8 sproto;
	u8 updates;
};

/* Why a frame or a message was refused; 0 is good */
enum nfsync_wire_err {
	NFSYNC_WIRE_OK,
	NFSYNC_WIRE_HDROPS,	/* shorter than the header */
	NFSYNC_WIRE_BADVER,
	NFSYNC_WIRE_BADLEN,
	NFSYNC_WIRE_BADACT,
	NFSYNC_WIRE_BADVAL,
};

#define NFSYNC_WIRE_HDR_LEN	20
#define NFSYNC_WIRE_SUBH_LEN	4
#define NFSYNC_WIRE_STATE6_LEN	264	/* without the trailer */
#define NFSYNC_WIRE_EXT_LEN	24	/* trailer, its tag included */
#define NFSYNC_WIRE_UPD_C_LEN	84
#define NFSYNC_WIRE_ID_LEN	12
#define NFSYNC_WIRE_CLR_LEN	20
#define NFSYNC_WIRE_BUS_LEN	12
#define NFSYNC_WIRE_TDB6_LEN	52
#define NFSYNC_WIRE_FRAME_LEN	12
#define NFSYNC_WIRE_HELLO_LEN	20
#define NFSYNC_WIRE_TOTAL_LEN	32

/* A checked frame, and a cursor over its sections */
struct nfsync_wire_frame {
	const u8 *data;		/* the pfsync header */
	size_t len;		/* by the header, <= bytes received */
	size_t off;		/* next subheader */
	u8 version;
};

struct nfsync_wire_section {
	const u8 *body;
	size_t stride;		/* bytes between messages */
	u16 count;
	u8 version;		/* of the frame */
	u8 action;
	bool known;		/* false: not spoken here, skip it */
};

enum nfsync_wire_err nfsync_wire_check(struct nfsync_wire_frame *f,
				       const void *data, size_t len);
bool nfsync_wire_next(struct nfsync_wire_frame *f,
		      struct nfsync_wire_section *s);

/* Sizes on the wire of one message that we send, in bytes; 0: can't */
size_t nfsync_wire_msg_len(u8 version, u8 action);

/* Decoders: one message at @p, which nfsync_wire_check() found whole */
enum nfsync_wire_err nfsync_wire_get_state(const struct nfsync_wire_section *s,
					   const u8 *p,
					   struct nfsync_msg_state *m);
enum nfsync_wire_err nfsync_wire_get_upd_c(const u8 *p,
					   struct nfsync_msg_upd_c *m);
void nfsync_wire_get_id(const u8 *p, struct nfsync_msg_id *m);
enum nfsync_wire_err nfsync_wire_get_clr(const u8 *p,
					 struct nfsync_msg_clr *m);
void nfsync_wire_get_bus(const u8 *p, struct nfsync_msg_bus *m);
enum nfsync_wire_err nfsync_wire_get_tdb(const u8 *p,
					 struct nfsync_msg_tdb *m);
void nfsync_wire_get_frame(const u8 *p, struct nfsync_msg_frame *m);
void nfsync_wire_get_hello(const u8 *p, struct nfsync_msg_hello *m);
void nfsync_wire_get_total(const u8 *p, struct nfsync_msg_total *m);

/* Encoders: write every byte of the message, return its length */
size_t nfsync_wire_put_hdr(u8 *p, u8 version, size_t len);
size_t nfsync_wire_put_subh(u8 *p, u8 version, u8 action, u16 count);
size_t nfsync_wire_put_subh_len(u8 *p, u8 action, u16 count, size_t len);
size_t nfsync_wire_put_state(u8 *p, u8 version,
			     const struct nfsync_msg_state *m);
size_t nfsync_wire_put_state_bare(u8 *p, u8 version,
				  const struct nfsync_msg_state *m);
size_t nfsync_wire_put_upd_c(u8 *p, const struct nfsync_msg_upd_c *m);
size_t nfsync_wire_put_id(u8 *p, u64 id, u32 creatorid);
size_t nfsync_wire_put_clr(u8 *p, const struct nfsync_msg_clr *m);
size_t nfsync_wire_put_bus(u8 *p, const struct nfsync_msg_bus *m);
size_t nfsync_wire_put_tdb(u8 *p, const struct nfsync_msg_tdb *m);
size_t nfsync_wire_put_frame(u8 *p, const struct nfsync_msg_frame *m);
size_t nfsync_wire_put_hello(u8 *p, const struct nfsync_msg_hello *m);
size_t nfsync_wire_put_total(u8 *p, const struct nfsync_msg_total *m);

/*
 * What one state adds to nfsync_msg_total.sum.  Ids are handed out one after
 * the other: mixed, so that two sets of the same size rarely add up alike.
 */
static inline u64 nfsync_wire_mix(u64 id, u32 creatorid)
{
	u64 x = id + creatorid * 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

#endif /* _NFSYNC_WIRE_H */
