// SPDX-License-Identifier: GPL-2.0
/*
 * Sync states and the two ways to find one.  See state.h for the lifetime.
 */
#include <linux/hash.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "audit.h"
#include "conntrack.h"
#include "device.h"
#include "inject.h"
#include "state.h"
#include "window.h"

static struct kmem_cache *state_cache __read_mostly;

/*
 * The pointer is the key: the reference that the state holds keeps it from
 * being another entry's.  One multiplication is all that the packet path
 * pays; what the sender of a packet can choose does not enter.
 */
static u32 ct_hash(const void *data, u32 len, u32 seed)
{
	unsigned long key = *(const unsigned long *)data;

	return hash_long(key ^ seed, 32);
}

/* One compare in place of the memcmp() that a key of any length takes */
static int ct_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct nfsync_state *st = obj;

	return st->ct != *(struct nf_conn *const *)arg->key;
}

static const struct rhashtable_params by_ct_params = {
	.key_len = sizeof(struct nf_conn *),
	.key_offset = offsetof(struct nfsync_state, ct),
	.head_offset = offsetof(struct nfsync_state, by_ct),
	.hashfn = ct_hash,
	.obj_cmpfn = ct_cmp,
	.automatic_shrinking = true,
};

/* Ids come from the wire: hashed with the table's secret seed */
static u32 id_hash(const void *data, u32 len, u32 seed)
{
	const struct nfsync_state_id *key = data;

	return jhash_3words(key->id, key->id >> 32, key->creatorid, seed);
}

static const struct rhashtable_params by_id_params = {
	.key_len = offsetofend(struct nfsync_state_id, creatorid),
	.key_offset = offsetof(struct nfsync_state, id),
	.head_offset = offsetof(struct nfsync_state, by_id),
	.hashfn = id_hash,
	.automatic_shrinking = true,
};

/**
 * nfsync_state_cache_init() - make the slab all namespaces share
 *
 * Context: process, module init.
 * Return: 0 or -ENOMEM.
 */
int nfsync_state_cache_init(void)
{
	/*
	 * A state may cost 192 bytes, all included.  Two hashes that are at
	 * least 3/8 full take up to 43 of them.
	 */
	BUILD_BUG_ON(sizeof(struct nfsync_state) > 192 - 43);
	/* the two are one key of the hash */
	BUILD_BUG_ON(offsetof(struct nfsync_state, creatorid) -
		     offsetof(struct nfsync_state, id) !=
		     offsetof(struct nfsync_state_id, creatorid));

	state_cache = KMEM_CACHE(nfsync_state, 0);
	return state_cache ? 0 : -ENOMEM;
}

/**
 * nfsync_state_cache_exit() - wait for the last frees and drop the slab
 *
 * Context: process, module exit, after every device is gone.
 */
void nfsync_state_cache_exit(void)
{
	rcu_barrier();
	kmem_cache_destroy(state_cache);
}

static s64 first_id(void)
{
	struct timespec64 now;

	ktime_get_real_ts64(&now);
	return (s64)now.tv_sec << 32 | (u32)now.tv_nsec << 2;
}

/**
 * nfsync_state_init() - empty tables, and ids that no earlier boot handed out
 * @nd: device in the making
 *
 * Ids start at boot time << 32, as pf's do (wire.md 1.7), with the part of
 * the second behind it: a node that starts again with a fixed host id does
 * not reuse one, however fast it is back.
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int nfsync_state_init(struct nfsync_dev *nd)
{
	struct nfsync_state_table *t = &nd->table;
	int err;

	atomic64_set(&t->next_id, first_id());
	err = rhashtable_init(&t->by_ct, &by_ct_params);
	if (err)
		return err;

	err = rhashtable_init(&t->by_id, &by_id_params);
	if (err)
		rhashtable_destroy(&t->by_ct);
	return err;
}

/**
 * nfsync_state_start() - what was handed out before is not ours any more
 * @nd: device coming up
 *
 * The entries stay when a device goes down, and get new ids when it comes up.
 *
 * Context: process, RTNL.
 */
void nfsync_state_start(struct nfsync_dev *nd)
{
	nd->table.first_id = atomic64_read(&nd->table.next_id) + 1;
}

/**
 * nfsync_state_destroy() - drop the tables, which are empty by now
 * @nd: device that nobody uses any more
 *
 * Context: process.
 */
void nfsync_state_destroy(struct nfsync_dev *nd)
{
	WARN_ON_ONCE(nfsync_state_count(&nd->table));
	rhashtable_destroy(&nd->table.by_id);
	rhashtable_destroy(&nd->table.by_ct);
}

/**
 * nfsync_state_find_ct() - the state of a conntrack entry
 * @nd: device
 * @ct: entry the caller holds
 *
 * Context: RCU read side; the state is valid until that ends.
 * Return: the state or NULL.
 */
struct nfsync_state *nfsync_state_find_ct(struct nfsync_dev *nd,
					  const struct nf_conn *ct)
{
	return rhashtable_lookup(&nd->table.by_ct, &ct, by_ct_params);
}

/**
 * nfsync_state_find_id() - the state that peers know under an id
 * @nd: device
 * @id: state id, host order
 * @creatorid: creator, host order
 *
 * Context: RCU read side.  Who touches st->ct takes a reference on the state
 * first: the entry goes at the last put, before the grace period.
 * Return: the state or NULL.
 */
struct nfsync_state *nfsync_state_find_id(struct nfsync_dev *nd, u64 id,
					  u32 creatorid)
{
	struct nfsync_state_id key = { .id = id, .creatorid = creatorid };

	return rhashtable_lookup(&nd->table.by_id, &key, by_id_params);
}

static void state_free_rcu(struct rcu_head *head)
{
	kmem_cache_free(state_cache,
			container_of(head, struct nfsync_state, rcu));
}

/**
 * nfsync_state_get() - take a reference outside of RCU
 * @st: state found under RCU
 *
 * Context: RCU read side.
 * Return: false if it is on its way out.
 */
bool nfsync_state_get(struct nfsync_state *st)
{
	return refcount_inc_not_zero(&st->refs);
}

/**
 * nfsync_state_put() - drop a reference, and with the last one the entry
 * @st: state
 *
 * Context: softirq or process, no lock of ours held: the entry's destructor
 * may run here.
 */
void nfsync_state_put(struct nfsync_state *st)
{
	if (!refcount_dec_and_test(&st->refs))
		return;

	WARN_ON_ONCE(st->marker != NFSYNC_Q_NONE);
	nfsync_audit_died();
	nf_ct_put(st->ct);
	call_rcu(&st->rcu, state_free_rcu);
}

/*
 * The entry's end may have been told before its state could be found, and then
 * nobody tells it again.  Who ends it marks it first and looks for the state
 * then; we look for the mark when the state is there.  So it is with who found
 * the state by its id and ended that, before it could be found by its entry.
 */
static bool came_late(const struct nfsync_state *st)
{
	/* between the hash and the marks; with the one of nf_ct_delete() */
	smp_mb();
	return unlikely(nf_ct_is_dying(st->ct) ||
			test_bit(NFSYNC_ST_DEAD, &st->flags));
}

/*
 * By id first, by ct last.  Each can fail by -EEXIST when another CPU was
 * faster, and by -ENOMEM or -E2BIG.  From the first on it is found: others may
 * tell of it, and end it, while we are at the second, so the caller holds it
 * and what fails then ends as every state does.  Returns true if it is there.
 */
static bool state_hash(struct nfsync_dev *nd, struct nfsync_state *st)
{
	struct nfsync_state_table *t = &nd->table;

	if (rhashtable_lookup_insert_fast(&t->by_id, &st->by_id,
					  by_id_params)) {
		nfsync_state_put(st);
		return false;
	}
	NFSYNC_INJECT_AT(STATE_HALF, nd->net, st->ct);
	if (!rhashtable_lookup_insert_fast(&t->by_ct, &st->by_ct,
					   by_ct_params) && !came_late(st))
		return true;

	if (nfsync_queue_delete(nd, st, false, false))
		nfsync_state_unhash(nd, st);
	else
		/* who did may have been there before us */
		rhashtable_remove_fast(&t->by_ct, &st->by_ct, by_ct_params);
	return false;
}

static struct nfsync_state *state_create(struct nfsync_dev *nd,
					 struct nf_conn *ct, u64 id,
					 u32 creatorid, unsigned long flags)
{
	struct nfsync_state *st;
	bool there;

	st = kmem_cache_zalloc(state_cache, GFP_ATOMIC);
	if (!st)
		return NULL;

	nfsync_audit_born();
	nf_conntrack_get(&ct->ct_general);
	st->ct = ct;
	st->id = id;
	st->creatorid = creatorid;
	st->flags = flags;
	st->told_mark = nfsync_conntrack_mark(ct);
	st->slice = nfsync_queue_slice(nd, ct);
	st->seen_at[IP_CT_DIR_ORIGINAL] = jiffies - 4 * HZ;
	st->seen_at[IP_CT_DIR_REPLY] = st->seen_at[IP_CT_DIR_ORIGINAL];
	st->peer_at = st->seen_at[IP_CT_DIR_ORIGINAL];
	/* one-way flows are told when they last that long (hooks.c) */
	st->refresh_at = jiffies + HZ;
	st->import_seq = atomic_read(&nd->table.import_seq);
	/* before anybody can find it: what has no mark is swept (bulk.c) */
	if (flags & BIT(NFSYNC_ST_LEARNED))
		st->heard_gen = READ_ONCE(nd->bulk.gen);
	INIT_LIST_HEAD(&st->link);
	/* the table's and ours */
	refcount_set(&st->refs, 2);
	NFSYNC_INJECT_AT(STATE_HASH, nd->net, ct);
	there = state_hash(nd, st);
	nfsync_state_put(st);
	return there ? st : NULL;
}

/**
 * nfsync_state_new() - start to track an entry that was created here
 * @nd: device
 * @ct: confirmed entry the caller holds
 *
 * Context: softirq or process, RCU read side.
 * Return: the state, valid until RCU ends; NULL without memory (counted), if
 * another CPU was faster, or if the entry has ended.
 */
struct nfsync_state *nfsync_state_new(struct nfsync_dev *nd,
				      struct nf_conn *ct)
{
	u64 id = atomic64_inc_return(&nd->table.next_id);
	struct nfsync_state *st;

	st = state_create(nd, ct, id, READ_ONCE(nd->cfg.hostid),
			  BIT(NFSYNC_ST_LOCAL));
	if (!st && !nfsync_state_find_ct(nd, ct) && !nf_ct_is_dying(ct))
		nfsync_stats_inc(nd, PFSYNC_STAT_STATE_NOMEM);
	return st;
}

/**
 * nfsync_state_learn() - track an entry under the name a peer gave it
 * @nd: device
 * @ct: entry the caller holds
 * @id: peer's state id, host order
 * @creatorid: peer's creator id, host order
 *
 * Context: softirq, RCU read side.
 * Return: the state, or NULL (no memory, known already, or ended).
 */
struct nfsync_state *nfsync_state_learn(struct nfsync_dev *nd,
					struct nf_conn *ct, u64 id,
					u32 creatorid)
{
	return state_create(nd, ct, id, creatorid,
			    BIT(NFSYNC_ST_TOLD) | BIT(NFSYNC_ST_LEARNED));
}

/**
 * nfsync_state_unhash() - make a state unfindable and drop the table's hold
 * @nd: device
 * @st: state whose NFSYNC_ST_DEAD the caller has set, it alone
 *
 * Context: softirq or process, no lock of ours held.
 */
void nfsync_state_unhash(struct nfsync_dev *nd, struct nfsync_state *st)
{
	struct nfsync_state_table *t = &nd->table;

	NFSYNC_INJECT_AT(UNHASH, nd->net, st->ct);
	rhashtable_remove_fast(&t->by_id, &st->by_id, by_id_params);
	rhashtable_remove_fast(&t->by_ct, &st->by_ct, by_ct_params);
	NFSYNC_INJECT_AT(UNHASHED, nd->net, st->ct);
	nfsync_state_put(st);
}

/*
 * Lets others have their turn.  The iterator finds its place again by the
 * state that it stopped at; when that went meanwhile, it would go on by the
 * number of those before it and pass some over.  Returns false then.
 */
static bool walk_pause(struct nfsync_dev *nd, struct rhashtable_iter *iter,
		       struct nfsync_state *st,
		       void (*breathe)(struct nfsync_dev *nd))
	__must_hold(RCU)
{
	bool kept;

	rhashtable_walk_stop(iter);
	if (breathe) {
		NFSYNC_INJECT_AT(WALK_PAUSE, nd->net, st->ct);
		breathe(nd);
	}
	cond_resched();
	rhashtable_walk_start(iter);
	kept = !test_bit(NFSYNC_ST_DEAD, &st->flags);
	nfsync_state_put(st);
	return kept;
}

/**
 * nfsync_state_walk() - visit every state once, or nearly so
 * @nd: device
 * @fn: visitor; may unlink the state it is given
 * @arg: handed to @fn
 * @breathe: called between chunks of NFSYNC_STATE_CHUNK visits, may sleep; or
 *	NULL
 *
 * A resize of the table in the middle, or the end of the state that a chunk
 * ended with, starts over, so @fn can see a state twice; one that stays in
 * the table all the time is never missed.
 *
 * Context: process; @fn runs on the RCU read side.
 * Return: number of visits for which @fn returned true.
 */
unsigned int nfsync_state_walk(struct nfsync_dev *nd,
			       bool (*fn)(struct nfsync_dev *nd,
					  struct nfsync_state *st, void *arg),
			       void *arg, void (*breathe)(struct nfsync_dev *nd))
{
	struct rhashtable_iter iter;
	struct nfsync_state *st;
	unsigned int n = 0, seen = 0;

	rhashtable_walk_enter(&nd->table.by_id, &iter);
	rhashtable_walk_start(&iter);
	while ((st = rhashtable_walk_next(&iter))) {
		if (IS_ERR(st))
			continue;
		n += fn(nd, st, arg);
		/* never at one that is going, see walk_pause() */
		if (++seen < NFSYNC_STATE_CHUNK ||
		    test_bit(NFSYNC_ST_DEAD, &st->flags) ||
		    !nfsync_state_get(st))
			continue;
		seen = 0;
		if (walk_pause(nd, &iter, st, breathe))
			continue;
		rhashtable_walk_stop(&iter);
		rhashtable_walk_exit(&iter);
		rhashtable_walk_enter(&nd->table.by_id, &iter);
		rhashtable_walk_start(&iter);
	}
	rhashtable_walk_stop(&iter);
	rhashtable_walk_exit(&iter);
	return n;
}

static bool flush_one(struct nfsync_dev *nd, struct nfsync_state *st, void *arg)
{
	if (nfsync_queue_delete(nd, st, false, false)) {
		nfsync_window_forget(nd, st);
		nfsync_state_unhash(nd, st);
	}
	return true;
}

/**
 * nfsync_state_flush() - forget every state; the entries stay
 * @nd: device that is down: no hook, frame or flush runs any more
 *
 * Context: process.
 */
void nfsync_state_flush(struct nfsync_dev *nd)
{
	while (nfsync_state_count(&nd->table))
		nfsync_state_walk(nd, flush_one, NULL, NULL);
}
