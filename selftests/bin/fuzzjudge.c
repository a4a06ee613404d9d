// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "fuzzjudge.h"

#define HEADER		20
#define SUBHEADER	4
#define EOF_ACTION	12
#define FRAME_ACTION	0x80

/* The shortest message of each action that a node speaks */
static const struct {
	unsigned int action;
	size_t size;
	const char *counter;
} spoken[] = {
	{    0,  20, "rx_clr" },
	{    2,  12, "rx_ins_ack" },
	{    4,  84, "rx_upd_c" },
	{    5,  12, "rx_upd_req" },
	{    6, 264, "rx_del" },
	{    7,  12, "rx_del_c" },
	{   10,  12, "rx_bus" },
	{   13, 264, "rx_ins" },
	{   14, 264, "rx_upd" },
	{   15,  52, "rx_tdb" },
	{ 0x80,  12, "rx_frame" },
	{ 0x81,  20, "rx_hello" },
	{ 0x82,  32, "rx_total" },
};

static int find(unsigned int action)
{
	for (size_t i = 0; i < sizeof(spoken) / sizeof(*spoken); i++)
		if (spoken[i].action == action)
			return i;
	return -1;
}

const char *fuzzjudge_counter(unsigned int action)
{
	int i = find(action);

	return i < 0 ? NULL : spoken[i].counter;
}

static bool is_numbered(const uint8_t *body, uint32_t hostid)
{
	uint32_t who = (uint32_t)body[0] << 24 | body[1] << 16 |
		       body[2] << 8 | body[3];

	return who && who != hostid;
}

enum fuzzjudge_verdict fuzzjudge(const uint8_t *p, size_t len, uint32_t hostid,
				 struct fuzzjudge *j)
{
	size_t end, at = HEADER, stride, count;
	bool known;
	int i;

	memset(j, 0, sizeof(*j));
	if (len < HEADER)
		return FUZZJUDGE_HDROPS;
	if (p[0] != 6)
		return FUZZJUDGE_BADVER;
	end = p[2] << 8 | p[3];
	if (end < HEADER || end > len)
		return FUZZJUDGE_BADLEN;
	while (at < end) {
		if (end - at < SUBHEADER)
			return FUZZJUDGE_BADLEN;
		i = find(p[at]);
		stride = 4 * p[at + 1];
		count = p[at + 2] << 8 | p[at + 3];
		known = i >= 0 && stride >= spoken[i].size;
		if (known && !count)
			return FUZZJUDGE_BADLEN;
		if (!known && !(stride && count) &&
		    !(p[at] == EOF_ACTION && !stride))
			return FUZZJUDGE_BADACT;
		if (stride * count > end - at - SUBHEADER)
			return FUZZJUDGE_BADLEN;
		if (known && at == HEADER && p[at] == FRAME_ACTION)
			j->numbered = is_numbered(p + at + SUBHEADER, hostid);
		if (known)
			j->of[p[at]] += count;
		else
			j->skipped += count;
		at += SUBHEADER + stride * count;
	}
	return FUZZJUDGE_GOOD;
}
