/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sync state of one conntrack entry: identity, queue marker, and what
 * the peers last heard of it.
 *
 * Lifetime.  The table holds one reference, a queue membership one, a reader
 * that leaves RCU one.  nfsync_queue_delete() sets NFSYNC_ST_DEAD under the
 * slice lock: from then on nothing queues the state but that DEL, and exactly
 * one caller, the one that set the bit, takes it out of both hashes and drops
 * the table's reference.  The last put releases the reference on the entry at
 * once and the memory after a grace period.
 *
 * Locks.  link, marker, updates and NFSYNC_ST_TOLD belong to the slice lock.
 * told_* and level belong to ct->lock (hooks read them unlocked: a lost race
 * tells once more or one packet later).  ct->lock and the slice lock are
 * never held together.
 */
#ifndef _NFSYNC_STATE_H
#define _NFSYNC_STATE_H

#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include <net/netfilter/nf_conntrack.h>

struct nfsync_dev;

enum nfsync_marker {
	NFSYNC_Q_NONE,		/* 0, so that zeroed memory is on no queue */
	NFSYNC_Q_UPD_C,
	NFSYNC_Q_DEL,		/* before INS: a tuple may be used again */
	NFSYNC_Q_INS,
	NFSYNC_Q_UPD,
	NFSYNC_Q_MAX
};

/* bits of nfsync_state.flags */
enum {
	NFSYNC_ST_DEAD,		/* unlinked, or about to be by who set it */
	NFSYNC_ST_TOLD,		/* a peer knows the id */
	NFSYNC_ST_LEARNED,	/* came from a peer */
	NFSYNC_ST_LOCAL,	/* own packets moved it since a peer spoke */
	NFSYNC_ST_SLACK,	/* td_end is what was told plus slack: original */
	NFSYNC_ST_SLACK_REPLY,	/* the same, reply direction */
	NFSYNC_ST_EDGE,		/* td_maxend is: original */
	NFSYNC_ST_EDGE_REPLY,	/* the same, reply direction */
	NFSYNC_ST_WIDE,		/* of slack there is more, in both directions */
	NFSYNC_ST_FROZEN,	/* told that its windows mean nothing */
	NFSYNC_ST_ASSUMED,	/* seen_at is no packet's, nfsync_state_assume() */
	NFSYNC_ST_DOUBTED,	/* be-liberal until its windows are known again */
	NFSYNC_ST_SETTLING,	/* they are; not for long yet */
	NFSYNC_ST_HELD,		/* its first packet waits (defer.c) */
	NFSYNC_ST_AWAITED,	/* packets wait for news of it (early.c) */
	NFSYNC_ST_LEAVING,	/* packets have waited, and are not gone yet */
	NFSYNC_ST_ELSEWHERE,	/* a peer may have the truth: tell of a packet here */
};

struct nfsync_state {
	struct rhash_head by_ct;
	struct rhash_head by_id;
	struct nf_conn *ct;		/* owns one reference */
	u64 id;				/* host order; one key with the next */
	u32 creatorid;
	refcount_t refs;
	unsigned long flags;		/* NFSYNC_ST_* */

	/* indexed by enum ip_conntrack_dir */
	u32 told_end[IP_CT_DIR_MAX];	/* td_end, without slack */
	u32 told_maxend[IP_CT_DIR_MAX];
	u32 told_win[IP_CT_DIR_MAX];	/* td_maxwin of the other side */
	u32 seen_at[IP_CT_DIR_MAX];	/* jiffies of the last own packet */
	u32 here_end[IP_CT_DIR_MAX];	/* split.h */
	u32 here_at[IP_CT_DIR_MAX];	/* jiffies when they came to pass here */

	u32 refresh_at;			/* jiffies: tell, if only for the time */
	u32 peer_at;			/* jiffies of a peer's last word */
	u32 told_mark;
	u32 import_seq;			/* which CLR it is older than */
	u8 told_state;			/* enum tcp_conntrack */
	u8 told_status;			/* NFSYNC_EXT_* */
	u8 level[2];			/* pf levels, by NFSYNC_SRC/DST */

	u16 slice;
	u8 marker;			/* enum nfsync_marker */
	u8 updates;			/* since queued, saturating */
	u16 heard_gen;			/* nfsync_bulk.gen when a peer spoke */
	u16 told_gen;			/* nfsync_bulk.told_gen when told whole */
	u16 leaving;			/* how many packets (held.c) */
	union {
		struct list_head link;
		struct rcu_head rcu;	/* when it is on no queue any more */
	};
};

struct nfsync_state_id {
	u64 id;
	u32 creatorid;
};

struct nfsync_state_table {
	struct rhashtable by_ct;
	struct rhashtable by_id;
	atomic64_t next_id;
	u64 first_id;			/* that was given since the device is up */
	atomic_t import_seq;
};

/* States that a walk visits before it lets others have their turn */
#define NFSYNC_STATE_CHUNK	256

int nfsync_state_cache_init(void);
void nfsync_state_cache_exit(void);

int nfsync_state_init(struct nfsync_dev *nd);
void nfsync_state_start(struct nfsync_dev *nd);
void nfsync_state_destroy(struct nfsync_dev *nd);

struct nfsync_state *nfsync_state_find_ct(struct nfsync_dev *nd,
					  const struct nf_conn *ct);
struct nfsync_state *nfsync_state_find_id(struct nfsync_dev *nd, u64 id,
					  u32 creatorid);
struct nfsync_state *nfsync_state_new(struct nfsync_dev *nd,
				      struct nf_conn *ct);
struct nfsync_state *nfsync_state_learn(struct nfsync_dev *nd,
					struct nf_conn *ct, u64 id,
					u32 creatorid);
void nfsync_state_unhash(struct nfsync_dev *nd, struct nfsync_state *st);
bool nfsync_state_get(struct nfsync_state *st);
void nfsync_state_put(struct nfsync_state *st);
void nfsync_state_flush(struct nfsync_dev *nd);
unsigned int nfsync_state_walk(struct nfsync_dev *nd,
			       bool (*fn)(struct nfsync_dev *nd,
					  struct nfsync_state *st, void *arg),
			       void *arg, void (*breathe)(struct nfsync_dev *nd));

/* @expire: s that a peer gives it; told again when half of that is over */
static inline void nfsync_state_refresh(struct nfsync_state *st, u32 expire)
{
	u32 half = min_t(u32, expire, S32_MAX / HZ) / 2;

	WRITE_ONCE(st->refresh_at, (u32)jiffies + max(half, 1U) * HZ);
}

static inline unsigned int nfsync_state_count(const struct nfsync_state_table *t)
{
	return atomic_read(&t->by_ct.nelems);
}

/* A flow with a packet here that lately is alive, whatever a peer believes */
#define NFSYNC_STATE_MOVES	(2 * HZ)

static inline bool nfsync_state_moves(const struct nfsync_state *st)
{
	u32 now = jiffies;

	return now - READ_ONCE(st->seen_at[0]) < NFSYNC_STATE_MOVES ||
	       now - READ_ONCE(st->seen_at[1]) < NFSYNC_STATE_MOVES;
}

/* The same by what was seen, and not by what is assumed of older entries */
static inline bool nfsync_state_passes(const struct nfsync_state *st)
{
	return nfsync_state_moves(st) && !test_bit(NFSYNC_ST_ASSUMED, &st->flags);
}

/*
 * Both directions count as having passed here just now, unless a peer shows
 * that they pass there
 */
static inline void nfsync_state_assume(struct nfsync_state *st)
{
	set_bit(NFSYNC_ST_ASSUMED, &st->flags);
	WRITE_ONCE(st->seen_at[IP_CT_DIR_ORIGINAL], (u32)jiffies);
	WRITE_ONCE(st->seen_at[IP_CT_DIR_REPLY], (u32)jiffies);
}

/* They pass at a peer, and no packet has come here yet */
static inline void nfsync_state_assume_not(struct nfsync_state *st)
{
	u32 past = (u32)jiffies - NFSYNC_STATE_MOVES;

	WRITE_ONCE(st->seen_at[IP_CT_DIR_ORIGINAL], past);
	WRITE_ONCE(st->seen_at[IP_CT_DIR_REPLY], past);
	clear_bit(NFSYNC_ST_ASSUMED, &st->flags);
}

#endif /* _NFSYNC_STATE_H */
