/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The pfsync link kind: attributes, verdicts and counters of nfsync.
 */
#ifndef _UAPI_LINUX_IF_PFSYNC_H
#define _UAPI_LINUX_IF_PFSYNC_H

#include <linux/types.h>

#define PFSYNC_IPPROTO		240	/* no IANA name: used by pfsync alone */
#define PFSYNC_GROUP		0xe00000f0U	/* 224.0.0.240, host order */

#define PFSYNC_MAXUPD_DEFAULT	128	/* 0: no limit */
#define PFSYNC_FLUSH_DEFAULT	10	/* ms */
#define PFSYNC_FLUSH_MAX	1000	/* ms, pf's own flush interval */
#define PFSYNC_DEFERTIME_DEFAULT	20	/* ms */
#define PFSYNC_DEFERTIME_MAX		10000	/* ms */
#define PFSYNC_DEFERLIMIT_DEFAULT	128	/* packets, as pf */
#define PFSYNC_DEFERLIMIT_MAX		65535
#define PFSYNC_NATSHARE_MAX	16
#define PFSYNC_MTU_MIN		308	/* one full state of any BSD must fit */

/* IFLA_INFO_DATA of kind "pfsync" */
enum {
	IFLA_PFSYNC_UNSPEC,
	IFLA_PFSYNC_SYNCDEV,	/* u32, ifindex; 0 detaches */
	IFLA_PFSYNC_SYNCPEER,	/* be32, IPv4 address; 0 or the group: multicast */
	IFLA_PFSYNC_VERSION,	/* u16, enum pfsync_version: what is sent */
	IFLA_PFSYNC_MAXUPD,	/* u8, updates of one state that force a flush */
	IFLA_PFSYNC_FLUSH,	/* u32, ms, longest wait of a queued message */
	IFLA_PFSYNC_WINDOW,	/* u8, enum pfsync_window */
	IFLA_PFSYNC_DEFER,	/* u8, 0 or 1: hold the first packet */
	IFLA_PFSYNC_HOSTID,	/* u32, creator id of this node, never 0 */
	IFLA_PFSYNC_LOCAL,	/* u8, 0 or 1: also flows of the firewall itself */
	IFLA_PFSYNC_VERDICT,	/* u8, enum pfsync_verdict, read only */
	IFLA_PFSYNC_ALONE,	/* u8, 0 or 1: serve when no peer is there */
	IFLA_PFSYNC_NOSYNC,	/* struct pfsync_nosync; mask 0: nothing */
	IFLA_PFSYNC_PEERS,	/* nest of IFLA_PFSYNC_PEER, read only */
	IFLA_PFSYNC_RESYNC,	/* flag, write only: ask the peers for all */
	IFLA_PFSYNC_DEFERTIME,	/* u32, ms, the longest that a packet is held */
	IFLA_PFSYNC_DEFERLIMIT,	/* u32, packets held at a time, a processor */
	IFLA_PFSYNC_NATSHARE,	/* struct pfsync_natshare; of 0: all ports */
	__IFLA_PFSYNC_MAX
};

#define IFLA_PFSYNC_MAX (__IFLA_PFSYNC_MAX - 1)

/* Flows whose ct mark is this under the mask are not synchronised */
struct pfsync_nosync {
	__u32 mark;
	__u32 mask;
};

/*
 * Source ports that this node translates to are those that are @share modulo
 * @of, so that nodes with one address give out different ones
 */
struct pfsync_natshare {
	__u8 share;		/* below of */
	__u8 of;		/* 2 to PFSYNC_NATSHARE_MAX, or 0 */
};

/* In IFLA_PFSYNC_PEERS: one nest for each node that was heard */
enum {
	IFLA_PFSYNC_PEER_UNSPEC,
	IFLA_PFSYNC_PEER,		/* nest of the following */
	IFLA_PFSYNC_PEER_HOSTID,	/* u32; 0: a BSD, which says no hello */
	IFLA_PFSYNC_PEER_ADDR,		/* be32, IPv4 address */
	IFLA_PFSYNC_PEER_LIVE,		/* u8, 0 or 1: heard lately */
	IFLA_PFSYNC_PEER_HEARD,		/* u32, ms since its last frame */
	IFLA_PFSYNC_PEER_LOST,		/* u64, frames that never came */
	IFLA_PFSYNC_PEER_VERDICT,	/* u8, enum pfsync_verdict, as it says */
	IFLA_PFSYNC_PEER_STATES,	/* u32, as it says */
	IFLA_PFSYNC_PEER_UPTIME,	/* u32, s, as it says */
	IFLA_PFSYNC_PEER_PAD,
	__IFLA_PFSYNC_PEER_MAX
};

#define IFLA_PFSYNC_PEER_MAX (__IFLA_PFSYNC_PEER_MAX - 1)

/* Header version 6 is OpenBSD's; the others name FreeBSD's v5 messages */
enum pfsync_version {
	PFSYNC_VERSION_6	= 6,
	PFSYNC_VERSION_1301	= 1301,
	PFSYNC_VERSION_1400	= 1400,
	PFSYNC_VERSION_1500	= 1500,
};

/* What an entry whose packets go past a peer lets through */
enum pfsync_window {
	PFSYNC_WINDOW_BOUNDED,	/* told windows plus a bounded slack */
	PFSYNC_WINDOW_LIBERAL,	/* IP_CT_TCP_FLAG_BE_LIBERAL */
	PFSYNC_WINDOW_STRICT,	/* told windows, no slack */
	__PFSYNC_WINDOW_MAX
};

/*
 * May this node serve?  IFF_RUNNING is set for IN_SYNC, HEALING and, unless
 * configured otherwise, ALONE.
 */
enum pfsync_verdict {
	PFSYNC_VERDICT_DOWN,		/* device is down */
	PFSYNC_VERDICT_NO_LINK,		/* no way to a peer, and never in sync */
	PFSYNC_VERDICT_JOINING,		/* asked for the states, no end seen */
	PFSYNC_VERDICT_NOT_IN_SYNC,	/* peer heard, transfer failed */
	PFSYNC_VERDICT_ALONE,		/* no peer is there */
	PFSYNC_VERDICT_IN_SYNC,		/* holds what the cluster holds */
	PFSYNC_VERDICT_HEALING,		/* was in sync or alone, missed some of
					 * it, and a transfer is on its way
					 */
	__PFSYNC_VERDICT_MAX
};

/*
 * Counters, in the order of IFLA_INFO_XSTATS (an array of __u64) and of
 * ethtool -S.  Append only.  _(symbol, name)
 */
#define PFSYNC_STATS(_) \
	/* pf's own */ \
	_(IPACKETS, "ipackets")		/* frames that reached the handler */ \
	_(OPACKETS, "opackets")		/* frames handed to IP */ \
	_(BADIF, "badif")		/* arrived beside the syncdev */ \
	_(BADTTL, "badttl")		/* TTL other than 255 */ \
	_(HDROPS, "hdrops")		/* shorter than its header */ \
	_(BADVER, "badver")		/* header version not ours */ \
	_(BADACT, "badact")		/* unknown action that can't be skipped */ \
	_(BADLEN, "badlen")		/* section or frame length wrong */ \
	_(BADAUTH, "badauth")		/* sender is not the configured peer */ \
	_(BADVAL, "badval")		/* message with a value out of range */ \
	_(BADSTATE, "badstate")		/* message for an unknown state */ \
	_(STALE, "stale")		/* update older than our own view */ \
	_(ONOMEM, "onomem")		/* no buffer to send from, retried */ \
	_(OERRORS, "oerrors")		/* IP refused a frame */ \
	/* received, by action */ \
	_(RX_CLR, "rx_clr") \
	_(RX_INS, "rx_ins") \
	_(RX_INS_ACK, "rx_ins_ack") \
	_(RX_UPD, "rx_upd") \
	_(RX_UPD_C, "rx_upd_c") \
	_(RX_UPD_REQ, "rx_upd_req") \
	_(RX_DEL, "rx_del") \
	_(RX_DEL_C, "rx_del_c") \
	_(RX_BUS, "rx_bus") \
	_(RX_TDB, "rx_tdb")		/* skipped by size */ \
	_(RX_SKIPPED, "rx_skipped")	/* of actions or sizes not spoken here */ \
	/* sent, by action */ \
	_(TX_INS, "tx_ins") \
	_(TX_INS_ACK, "tx_ins_ack") \
	_(TX_UPD, "tx_upd") \
	_(TX_UPD_C, "tx_upd_c") \
	_(TX_UPD_REQ, "tx_upd_req") \
	_(TX_DEL_C, "tx_del_c") \
	_(TX_BUS, "tx_bus") \
	/* frames refused for reasons pf has no name for */ \
	_(RX_DOWN, "rx_down")		/* device down or without syncdev */ \
	_(RX_OWN, "rx_own")		/* our own frame came back */ \
	_(RX_NOMEM, "rx_nomem")		/* frame could not be made linear */ \
	/* import into conntrack */ \
	_(IMP_CREATED, "imp_created") \
	_(IMP_UPDATED, "imp_updated") \
	_(IMP_DELETED, "imp_deleted") \
	_(IMP_ADOPTED, "imp_adopted")	/* entry was here, not yet told */ \
	_(IMP_ALIAS, "imp_alias")	/* entry is known under another id */ \
	_(IMP_OWNID, "imp_ownid")	/* INS in our own name */ \
	_(IMP_UNSUPP, "imp_unsupp")	/* NAT64, synproxy, foreign rdomain */ \
	_(IMP_FULL, "imp_full")		/* no conntrack: table full or no memory */ \
	_(IMP_CHAIN, "imp_chain")	/* hash chain too long */ \
	_(IMP_CONFLICT, "imp_conflict")	/* tuple owned by another entry */ \
	_(IMP_NOMEM, "imp_nomem")	/* no memory for the sync state */ \
	/* states and queues */ \
	_(STATE_NOMEM, "state_nomem")	/* local entry not tracked, no memory */ \
	_(DEL_REFUSED, "del_refused")	/* DEL of a flow that moves here */ \
	_(EXPIRE_QUIET, "expire_quiet")	/* learned entry ended, not announced */ \
	_(REQ_LIMITED, "req_limited")	/* update request suppressed */ \
	_(BULK_LIMITED, "bulk_limited")	/* bulk request joined a running one */ \
	_(QUEUE_REPAIR, "queue_repair")	/* marker and list disagreed */ \
	_(LEN_REPAIR, "len_repair")	/* assembled length disagreed */ \
	_(SLOT_REPAIR, "slot_repair")	/* event slot was overwritten */ \
	_(URGENT, "urgent")		/* flushes at the end of a batch */ \
	_(TIMEOUTS, "timeouts")		/* flushes by the timer */ \
	_(ACK_LIMITED, "ack_limited")	/* INS_ACK not sent, too many owed */ \
	_(CLR_LIMITED, "clr_limited")	/* CLR ignored, too many at work */ \
	_(QUEUE_DROPPED, "queue_dropped")	/* forgotten when the link went */ \
	/* peers and transfers */ \
	_(RX_FRAME, "rx_frame")		/* numbered frames */ \
	_(RX_HELLO, "rx_hello") \
	_(RX_TOTAL, "rx_total") \
	_(TX_HELLO, "tx_hello") \
	_(TX_CLR, "tx_clr") \
	_(RX_LOST, "rx_lost")		/* frames of a peer that never came */ \
	_(RX_TWICE, "rx_twice")		/* frames that came before */ \
	_(RX_LATE, "rx_late")		/* frames that had been given up */ \
	_(BULK_TORN, "bulk_torn")	/* transfers that lost something */ \
	_(SWEPT, "swept")		/* entries a whole transfer did not have */ \
	_(TOMB_DENIED, "tomb_denied")	/* news of a state that ended here */ \
	_(TOMB_ASKED, "tomb_asked")	/* news of a state a peer had ended */ \
	_(DENY_LIMITED, "deny_limited")	/* DEL_C not sent, too many owed */ \
	_(NOSYNC, "nosync")		/* states withdrawn for their mark */ \
	_(EXPIRE_ASKED, "expire_asked")	/* entries about to end, asked for */ \
	_(DOUBTED, "doubted")		/* windows too old to be believed */ \
	/* deferral: packets held; why they went on; and why not held */ \
	_(DEFERRED, "deferred")		/* first packets that were held */ \
	_(DEFER_ACK, "defer_ack")	/* released by INS_ACK */ \
	_(DEFER_HEARD, "defer_heard")	/* by INS, UPD or UPD_C of a peer */ \
	_(DEFER_DEL, "defer_del")	/* by DEL, DEL_C or CLR */ \
	_(DEFER_MORE, "defer_more")	/* by a further packet of the flow */ \
	_(DEFER_TIMEOUT, "defer_timeout")	/* by the ceiling */ \
	_(DEFER_LIMIT, "defer_limit")	/* by one that came when it was full */ \
	_(DEFER_DOWN, "defer_down")	/* switched off, or a module unloaded */ \
	_(DEFER_LINK, "defer_link")	/* the sync link went */ \
	_(DEFER_NETDEV, "defer_netdev")	/* a device of the packet goes down */ \
	_(DEFER_NETNS, "defer_netns")	/* dropped with the namespace */ \
	_(DEFER_NOPEER, "defer_nopeer")	/* not held, nobody would answer */ \
	_(DEFER_FLOOD, "defer_flood")	/* not held, too many new flows */ \
	_(DEFER_NOMEM, "defer_nomem")	/* not held, no memory */ \
	_(DEFER_NOROUTE, "defer_noroute")	/* dropped, its route just went */ \
	_(EVICTED, "evicted")		/* learned entries dropped for room */ \
	/* packets that conntrack knew no flow's news for yet */ \
	_(EARLY, "early")		/* held */ \
	_(EARLY_NEWS, "early_news")	/* released by a peer's news */ \
	_(EARLY_TIMEOUT, "early_timeout")	/* by the ceiling */ \
	_(IMP_YIELDED, "imp_yielded")	/* entry went for one translated elsewhere */ \
	_(IMP_LATER, "imp_later")	/* entry went for its tuple's next connection */ \
	_(IMP_EARLIER, "imp_earlier")	/* news of one before it, not taken */ \
	_(NATSHARE, "natshare")		/* ports changed into one of our share */ \
	_(NATSHARE_FULL, "natshare_full")	/* none free, packet dropped */ \
	_(EARLY_ASKED, "early_asked")	/* flows asked for, as packets wait */ \
	_(FOLLOWED, "followed")		/* packets behind others that leave */ \
	/* reasons added later go here: the order above is ABI */

enum pfsync_stat {
#define PFSYNC_STAT_ENUM(sym, name) PFSYNC_STAT_##sym,
	PFSYNC_STATS(PFSYNC_STAT_ENUM)
#undef PFSYNC_STAT_ENUM
	__PFSYNC_STAT_MAX
};

#endif /* _UAPI_LINUX_IF_PFSYNC_H */
