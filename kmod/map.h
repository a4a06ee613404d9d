/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pf's picture of a connection and conntrack's, each from the other.  Pure:
 * works on plain structs and is also built in userspace.
 */
#ifndef _NFSYNC_MAP_H
#define _NFSYNC_MAP_H

#include "wire.h"

/* enum tcp_conntrack and IP_CT_TCP_FLAG_* by names that userspace has too */
enum nfsync_ct {
	NFSYNC_CT_NONE		= 0,
	NFSYNC_CT_SYN_SENT	= 1,
	NFSYNC_CT_SYN_RECV	= 2,
	NFSYNC_CT_ESTABLISHED	= 3,
	NFSYNC_CT_FIN_WAIT	= 4,
	NFSYNC_CT_CLOSE_WAIT	= 5,
	NFSYNC_CT_LAST_ACK	= 6,
	NFSYNC_CT_TIME_WAIT	= 7,
	NFSYNC_CT_CLOSE		= 8,
	NFSYNC_CT_SYN_SENT2	= 9,	/* simultaneous open */
	NFSYNC_CT_MAX		= 10,
};

#define NFSYNC_CT_F_WINDOW_SCALE	0x01
#define NFSYNC_CT_F_SACK_PERM		0x02
#define NFSYNC_CT_F_CLOSE_INIT		0x04
#define NFSYNC_CT_F_BE_LIBERAL		0x08
#define NFSYNC_CT_F_MAXACK		0x20

/*
 * The flags that travel.  The others speak of fields that don't: td_maxack,
 * last_*, and the shorter timeout while data is not acknowledged.
 */
#define NFSYNC_CT_F_TRAVEL	(NFSYNC_CT_F_WINDOW_SCALE |	\
				 NFSYNC_CT_F_SACK_PERM |	\
				 NFSYNC_CT_F_CLOSE_INIT |	\
				 NFSYNC_CT_F_BE_LIBERAL)

/* Longest timeout in seconds: conntrack compares u32 jiffies, HZ <= 1024 */
#define NFSYNC_MAP_EXPIRE_MAX	(0x7fffffffU / 1024)

/* One end of a tuple: port is the ICMP id for ICMP queries */
struct nfsync_map_end {
	u8 addr[16];		/* IPv4 in the first four bytes */
	u16 port;		/* host order */
};

/* conntrack's seen[dir]: numbers of the sender of direction dir */
struct nfsync_map_seen {
	u32 td_end;
	u32 td_maxend;
	u32 td_maxwin;		/* bytes, scaled */
	u8 td_scale;
	u8 flags;		/* IP_CT_TCP_FLAG_* */
};

/*
 * A plain picture of one conntrack entry.  tuple[dir].src sends direction
 * dir (0 original, 1 reply).  For ICMP the id is in src.port of both
 * directions and dst.port is 0, as conntrack keeps one id for both.
 */
struct nfsync_map_ct {
	struct {
		struct nfsync_map_end src, dst;
	} tuple[2];
	struct nfsync_map_seen seen[2];	/* TCP */
	u32 expire;		/* s left */
	u32 age;		/* s, 0 = unknown */
	u32 mark;
	u16 zone;
	u8 af;			/* NFSYNC_AF_* */
	u8 proto;
	u8 icmp_type;		/* of the original direction */
	u8 icmp_code;
	u8 tcp_state;		/* enum tcp_conntrack */
	bool seen_reply;
	bool assured;
	bool no_windows;	/* liberal or frozen: windows are not to be told */
};

enum nfsync_map_err {
	NFSYNC_MAP_OK,
	NFSYNC_MAP_AF,		/* keys of two families (NAT64) */
	NFSYNC_MAP_PROXY,	/* synproxy levels */
	NFSYNC_MAP_SEQDIFF,	/* modulated sequence numbers */
	NFSYNC_MAP_RDOMAIN,
	NFSYNC_MAP_ROUTE,	/* route-to and its kin */
	NFSYNC_MAP_PROTO,	/* protocol or ICMP type without a mapping */
};

/* NFSYNC_EXT_* of a picture */
static inline u8 nfsync_map_pic_status(const struct nfsync_map_ct *ct)
{
	return (ct->seen_reply ? NFSYNC_EXT_SEEN_REPLY : 0) |
	       (ct->assured ? NFSYNC_EXT_ASSURED : 0);
}

void nfsync_map_export(const struct nfsync_map_ct *ct,
		       struct nfsync_msg_state *m);
void nfsync_map_export_peers(const struct nfsync_map_ct *ct,
			     struct nfsync_msg_peer peer[2], u8 *timeout);
enum nfsync_map_err nfsync_map_import(const struct nfsync_msg_state *m,
				      struct nfsync_map_ct *ct);
enum nfsync_map_err
nfsync_map_peers_check(const struct nfsync_msg_peer peer[2]);
void nfsync_map_import_peer(const struct nfsync_msg_peer *p,
			    const struct nfsync_msg_ext *ext, int side,
			    bool both_scaled, struct nfsync_map_seen *seen);
u8 nfsync_map_tcp_state(const struct nfsync_msg_peer peer[2],
			u8 close_init[2]);
u8 nfsync_map_timeout(u8 proto, const struct nfsync_msg_peer peer[2],
		      bool seen_reply, bool assured);
u8 nfsync_map_status(u8 proto, const struct nfsync_msg_peer peer[2]);
bool nfsync_map_both_scaled(const struct nfsync_msg_peer peer[2]);
u32 nfsync_map_expire(u32 told, u32 fallback);
u32 nfsync_map_expire_bsd(u32 left, u8 timeout);

/**
 * nfsync_map_threshold - how far a direction may move before it is told
 * @other_maxwin: td_maxwin of the other side as last told, bytes
 *
 * To be told within the flush interval once td_end or td_maxend moved by
 * more than this since last told.  It must be the window as the peer heard
 * it, not the one of now: the peer's slack comes from what it heard, and a
 * window that grows would loosen the bound faster than the slack.
 *
 * Context: any, pure.
 * Return: bytes.  No least value: slack may never reach the window, so
 * that a bound raised for tiny windows could not be made up for.
 */
static inline u32 nfsync_map_threshold(u32 other_maxwin)
{
	return other_maxwin / 4;
}

u32 nfsync_map_urgent(u32 other_maxwin);
u32 nfsync_map_slack(u32 other_maxwin);
u32 nfsync_map_slack_win(u32 maxwin);
u32 nfsync_map_wide_threshold(u32 other_maxwin);
u32 nfsync_map_wide_slack(u32 other_maxwin);
u32 nfsync_map_wide_slack_win(u32 maxwin);

#endif /* _NFSYNC_MAP_H */
