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
static void put(struct nfsync_tomb *b, u64 id, u32 creatorid, u8 kind)
{
	unsigned int i = min_t(unsigned int, find(b, id, creatorid),
			       NFSYNC_TOMB_WAYS - 1);

	memmove(&b[1], &b[0], i * sizeof(*b));
	b[0].id = id;
	b[0].creatorid = creatorid;
	b[0].kind = kind;
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

/*
 * A state of our own creation that is not here has ended here, remembered or
 * not; but ids from before we booted are those that a rejoining node wants.
 */
static bool ours_ended(struct nfsync_dev *nd, u64 id, u32 creatorid)
{
	return creatorid == READ_ONCE(nd->cfg.hostid) &&
	       id >= nd->table.first_id;
}

/**
 * nfsync_tomb_judge() - a peer tells all about a state that is not here
 * @nd: device
 * @id: its id, host order
 * @creatorid: its creator, host order
 *
 * An end is held against the news once: who tells of the state again after
 * our answer has packets of it, and a flow with packets is alive.
 *
 * Context: softirq or process.
 * Return: what to do with the news.
 */
enum nfsync_tomb_advice nfsync_tomb_judge(struct nfsync_dev *nd, u64 id,
					  u32 creatorid)
{
	enum nfsync_tomb_advice advice = NFSYNC_TOMB_CREATE;
	struct nfsync_tombs *t = &nd->tombs;
	struct nfsync_tomb *b = bucket_of(t, id);
	unsigned int i;
	u8 kind;

	spin_lock_bh(&t->lock);
	i = find(b, id, creatorid);
	kind = i < NFSYNC_TOMB_WAYS ? b[i].kind : NFSYNC_TOMB_NONE;
	if (kind == NFSYNC_TOMB_NONE && ours_ended(nd, id, creatorid))
		kind = NFSYNC_TOMB_ENDED;

	if (kind == NFSYNC_TOMB_ENDED)
		advice = NFSYNC_TOMB_DENY;
	else if (kind == NFSYNC_TOMB_TOLD)
		advice = NFSYNC_TOMB_ASK;
	if (kind == NFSYNC_TOMB_ENDED || kind == NFSYNC_TOMB_TOLD)
		put(b, id, creatorid, NFSYNC_TOMB_ANSWERED);
	else if (kind == NFSYNC_TOMB_ANSWERED)
		b[i].kind = NFSYNC_TOMB_NONE;
	spin_unlock_bh(&t->lock);
	return advice;
}
