// SPDX-License-Identifier: GPL-2.0
#include "merge.h"
#include "model_window.h"

/* An ack may be this old however small the window is */
#define LEAST_ACK_WINDOW	66000

static u32 at_least(u32 value, u32 least)
{
	return value < least ? least : value;
}

/* A side of which nothing is known is believed, and starts from the segment */
static void begin(struct nfsync_map_seen *from, struct nfsync_map_seen *to,
		  const struct model_segment *seg)
{
	from->td_end = seg->seq + seg->len;
	from->td_maxwin = at_least((u32)seg->win << from->td_scale, 1);
	from->td_maxend = from->td_end + from->td_maxwin;
	if (!to->td_maxwin) {
		to->td_end = seg->ack;
		to->td_maxend = seg->ack;
	} else if (seg->ack == to->td_end + 1) {
		to->td_end++;
	}
}

static bool end_too_low(const struct nfsync_map_seen *from,
			const struct nfsync_map_seen *to, u32 end)
{
	return to->td_maxwin &&
	       nfsync_seq_after(from->td_end - to->td_maxwin, end);
}

static bool ack_too_low(const struct nfsync_map_seen *from,
			const struct nfsync_map_seen *to, u32 ack)
{
	u32 window = at_least(from->td_maxwin, LEAST_ACK_WINDOW);

	return nfsync_seq_after(to->td_end - window, ack);
}

/*
 * Beyond the right edge by no more than a window, and good otherwise: it
 * passes and moves td_end, so that the ack to it will pass too.
 */
static enum model_verdict overshot(struct nfsync_map_seen *from,
				   const struct nfsync_map_seen *to,
				   const struct model_segment *seg)
{
	u32 end = seg->seq + seg->len;

	if (!to->td_maxwin || end_too_low(from, to, end) ||
	    ack_too_low(from, to, seg->ack) ||
	    nfsync_seq_after(seg->ack, to->td_end) ||
	    end - from->td_maxend + 1 > to->td_maxwin)
		return MODEL_INVALID;
	from->td_end = end;
	return MODEL_IGNORE;
}

static void learn(struct nfsync_map_seen *from, struct nfsync_map_seen *to,
		  const struct model_segment *seg)
{
	u32 end = seg->seq + seg->len;
	u32 win = (u32)seg->win << from->td_scale;
	u32 edge = seg->ack + win;

	from->td_maxwin = at_least(from->td_maxwin, win);
	from->td_end = nfsync_seq_max(from->td_end, end);
	if (to->td_maxwin && nfsync_seq_after(end, from->td_maxend))
		to->td_maxwin += end - from->td_maxend;
	if (!nfsync_seq_after(to->td_maxend, edge))
		to->td_maxend = edge + !win;
}

/**
 * model_window - pass a segment through the window tracking
 * @seen: the entry's two sides, moved by the segment
 * @dir: 0 original, 1 reply
 * @seg: the segment, ACK set
 *
 * Return: what becomes of it.
 */
enum model_verdict model_window(struct nfsync_map_seen seen[2], int dir,
				const struct model_segment *seg)
{
	struct nfsync_map_seen *from = &seen[dir], *to = &seen[!dir];

	if (!from->td_maxwin)
		begin(from, to, seg);
	if (nfsync_seq_after(seg->seq, from->td_maxend))
		return overshot(from, to, seg);
	if (nfsync_seq_after(seg->ack, to->td_end))
		return MODEL_INVALID;
	if (end_too_low(from, to, seg->seq + seg->len) ||
	    ack_too_low(from, to, seg->ack))
		return MODEL_IGNORE;
	learn(from, to, seg);
	return MODEL_ACCEPT;
}
