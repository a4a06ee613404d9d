// SPDX-License-Identifier: GPL-2.0
/*
 * Ids whose state ended lately.  See tomb.h.
 */
#include <linux/hash.h>
#include <linux/slab.h>
#include "device.h"
#include "tomb.h"

static struct nfsync_tomb *bucket_of(struct nfsync_tombs *t, u64 id)
{
	return &t->v[hash_64(id, NFSYNC_TOMB_BITS) * NFSYNC_TOMB_WAYS];
}

/* Returns its way, or NFSYNC_TOMB_WAYS */
static unsigned int find(const struct nfsync_tomb *b, u64 id, u32 creatorid)
{
	unsigned int i;

	for (i = 0; i < NFSYNC_TOMB_WAYS; i++)
		if (b[i].kind && b[i].id == id && b[i].creatorid == creatorid)
			break;
	return i;
}

/* To the front, in place of itself or of the oldest */
static struct nfsync_tomb *put(struct nfsync_tomb *b, u64 id, u32 creatorid,
			       u8 kind)
{
	unsigned int i = min_t(unsigned int, find(b, id, creatorid),
			       NFSYNC_TOMB_WAYS - 1);

	memmove(&b[1], &b[0], i * sizeof(*b));
	b[0].id = id;
	b[0].creatorid = creatorid;
	b[0].kind = kind;
	b[0].answered = false;
	return b;
}

/**
 * nfsync_tomb_init() - an empty cache
 * @nd: device in the making
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int nfsync_tomb_init(struct nfsync_dev *nd)
{
	struct nfsync_tombs *t = &nd->tombs;

	spin_lock_init(&t->lock);
	t->v = kvcalloc(NFSYNC_TOMB_WAYS << NFSYNC_TOMB_BITS, sizeof(*t->v),
			GFP_KERNEL);
	return t->v ? 0 : -ENOMEM;
}

/**
 * nfsync_tomb_destroy() - undo nfsync_tomb_init()
 * @nd: device that nobody uses any more
 *
 * Context: process.
 */
void nfsync_tomb_destroy(struct nfsync_dev *nd)
{
	kvfree(nd->tombs.v);
}

/**
 * nfsync_tomb_flush() - forget all of them
 * @nd: device that is down
 *
 * Context: process.
 */
void nfsync_tomb_flush(struct nfsync_dev *nd)
{
	struct nfsync_tombs *t = &nd->tombs;

	spin_lock_bh(&t->lock);
	memset(t->v, 0, sizeof(*t->v) * NFSYNC_TOMB_WAYS << NFSYNC_TOMB_BITS);
	spin_unlock_bh(&t->lock);
}

/**
 * nfsync_tomb_put() - a state ended
 * @nd: device
 * @id: its id, host order
 * @creatorid: its creator, host order
 * @kind: who says so
 *
 * Context: softirq or process.
 */
void nfsync_tomb_put(struct nfsync_dev *nd, u64 id, u32 creatorid,
		     enum nfsync_tomb_kind kind)
{
	struct nfsync_tombs *t = &nd->tombs;

	spin_lock_bh(&t->lock);
	put(bucket_of(t, id), id, creatorid, kind);
	spin_unlock_bh(&t->lock);
}

/**
 * nfsync_tomb_told() - has a peer said that it ended, and nobody since?
 * @nd: device
 * @id: its id, host order
 * @creatorid: its creator, host order
 *
 * For who has made a state that nfsync_tomb_judge() let pass: the end came
 * later than that.
 *
 * Context: softirq or process.
 * Return: true if so.
 */
bool nfsync_tomb_told(struct nfsync_dev *nd, u64 id, u32 creatorid)
{
	struct nfsync_tombs *t = &nd->tombs;
	struct nfsync_tomb *b = bucket_of(t, id);
	unsigned int i;
	bool told;

	spin_lock_bh(&t->lock);
	i = find(b, id, creatorid);
	told = i < NFSYNC_TOMB_WAYS && b[i].kind == NFSYNC_TOMB_TOLD;
	spin_unlock_bh(&t->lock);
	return told;
}

/*
 * A state of our own creation that is not here has ended here, remembered or
 * not; but ids from before we booted are those that a rejoining node wants.
 */
static bool ours_ended(struct nfsync_dev *nd, u64 id, u32 creatorid)
{
	return creatorid == READ_ONCE(nd->cfg.hostid) &&
	       id >= nd->table.first_id;
}

static struct nfsync_tomb *find_end(struct nfsync_dev *nd, u64 id,
				    u32 creatorid)
	__must_hold(&nd->tombs.lock)
{
	struct nfsync_tomb *b = bucket_of(&nd->tombs, id);
	unsigned int i = find(b, id, creatorid);

	lockdep_assert_held(&nd->tombs.lock);

	if (i < NFSYNC_TOMB_WAYS)
		return &b[i];
	if (ours_ended(nd, id, creatorid))
		return put(b, id, creatorid, NFSYNC_TOMB_ENDED);
	return NULL;
}

/**
 * nfsync_tomb_judge() - a peer tells all about a state that is not here
 * @nd: device
 * @id: its id, host order
 * @creatorid: its creator, host order
 * @sign: how the peer shows that it is alive
 *
 * An end is held against the news once: a flow that has packets after our
 * answer is alive.  Without packets it is news of a peer that our denial did
 * not reach, however often it comes.  What a peer ended is asked for only once:
 * if the answer shows no packets either, its sender did not hear of the end,
 * and would answer so for ever.
 *
 * Context: softirq or process.
 * Return: what to do with the news.
 */
enum nfsync_tomb_advice nfsync_tomb_judge(struct nfsync_dev *nd, u64 id,
					  u32 creatorid,
					  enum nfsync_tomb_sign sign)
{
	enum nfsync_tomb_advice advice = NFSYNC_TOMB_CREATE;
	struct nfsync_tombs *t = &nd->tombs;
	struct nfsync_tomb *tomb;

	spin_lock_bh(&t->lock);
	tomb = find_end(nd, id, creatorid);
	if (!tomb || tomb->kind == NFSYNC_TOMB_RENAMED)
		goto out;
	if (tomb->answered && sign != NFSYNC_TOMB_STILL) {
		tomb->kind = NFSYNC_TOMB_NONE;
		goto out;
	}
	if (tomb->kind == NFSYNC_TOMB_ENDED)
		advice = NFSYNC_TOMB_DENY;
	else
		advice = tomb->answered ? NFSYNC_TOMB_WAIT : NFSYNC_TOMB_ASK;
	tomb->answered = true;
out:
	spin_unlock_bh(&t->lock);
	return advice;
}
