// SPDX-License-Identifier: GPL-2.0
/*
 * window.c: whether packets of a flow pass here, and what a peer's word then
 * makes of its windows.  Slack too little kills a connection whose path moves;
 * slack too much hides what is to be told.
 */
#include "ktap.h"
#include "map.h"
#include "merge.h"
#include "window.h"
#include "world.h"

#define WIN	4000

static struct nfsync_dev *nd;
static struct nfsync_state *st;
static struct ip_ct_tcp_state *seen;
static struct nfsync_map_seen told[IP_CT_DIR_MAX];

/* A flow that both know alike; of an entry's protocol window.c does not ask */
static int begin(struct kunit *kunit)
{
	int d, err = world_begin(true);

	if (err)
		return err;
	nd = world_dev();
	st = world_state(7);
	if (!st)
		return -ENOMEM;
	seen = st->ct->proto.tcp.seen;
	for (d = 0; d < IP_CT_DIR_MAX; d++) {
		told[d] = (struct nfsync_map_seen){
			.td_end = 1000, .td_maxend = 1000 + WIN,
			.td_maxwin = WIN,
		};
		seen[d].td_end = told[d].td_end;
		seen[d].td_maxend = told[d].td_maxend;
		seen[d].td_maxwin = told[d].td_maxwin;
	}
	st->ct->proto.tcp.state = TCP_CONNTRACK_ESTABLISHED;
	return 0;
}

static void end(struct kunit *kunit)
{
	world_end();
}

static void packets_pass(void)
{
	WRITE_ONCE(st->seen_at[IP_CT_DIR_ORIGINAL], (u32)jiffies);
	WRITE_ONCE(st->seen_at[IP_CT_DIR_REPLY], (u32)jiffies);
}

static void hear(bool elsewhere)
{
	spin_lock_bh(&st->ct->lock);
	nfsync_window_hear(nd, st, st->ct, told, NFSYNC_MERGE_TAKE_BOTH,
			   elsewhere);
	spin_unlock_bh(&st->ct->lock);
}

static void expect_end(int dir, u32 number, u32 slack)
{
	KTAP_EXPECT_EQ(seen[dir].td_end, number + slack);
	KTAP_EXPECT_EQ(nfsync_window_end(st, dir, seen[dir].td_end), number);
	KTAP_EXPECT_EQ(!!slack, nfsync_window_slack(st, dir));
}

static void expect_ends(u32 number, u32 slack)
{
	expect_end(IP_CT_DIR_ORIGINAL, number, slack);
	expect_end(IP_CT_DIR_REPLY, number, slack);
}

static void it_passes_here(void)
{
	packets_pass();
	hear(false);
	expect_ends(1000, 0);
}

static void it_passes_at_the_peer(void)
{
	hear(false);
	expect_ends(1000, nfsync_map_slack(WIN));
}

static void it_passed_here_a_moment_ago(void)
{
	packets_pass();
	hear(true);
	expect_ends(1000, nfsync_map_slack(WIN));
}

/* UPD_C does not say where packets pass */
static void the_peer_knows_of_later_packets(void)
{
	packets_pass();
	told[IP_CT_DIR_REPLY].td_end++;
	hear(false);
	expect_end(IP_CT_DIR_ORIGINAL, 1000, 0);
	expect_end(IP_CT_DIR_REPLY, 1001, nfsync_map_slack(WIN));
}

/* By acks that came here a moment ago */
static void our_right_edge_is_later(void)
{
	packets_pass();
	seen[IP_CT_DIR_ORIGINAL].td_maxend += 500;
	hear(true);
	KTAP_EXPECT_EQ(seen[IP_CT_DIR_ORIGINAL].td_maxend,
		       1500 + WIN + nfsync_map_slack(WIN));
	KTAP_EXPECT_EQ(seen[IP_CT_DIR_REPLY].td_maxend,
		       1000 + WIN + nfsync_map_slack(WIN));
}

static void the_entry_is_older_than_the_device(void)
{
	nfsync_state_assume(st);
	hear(false);
	expect_ends(1000, nfsync_map_slack(WIN));
}

/* It has less than we have, and its packets go through the slack it has */
static void the_peer_is_behind(void)
{
	u32 maxwin;
	int d;

	packets_pass();
	spin_lock_bh(&st->ct->lock);
	for (d = 0; d < IP_CT_DIR_MAX; d++)
		nfsync_window_loosen(nd, st, st->ct, d);
	nfsync_window_widen(st, st->ct);
	maxwin = nfsync_window_maxwin(st, st->ct, NFSYNC_SRC);
	spin_unlock_bh(&st->ct->lock);
	expect_ends(1000, nfsync_map_slack(WIN));
	KTAP_EXPECT_EQ(seen[IP_CT_DIR_ORIGINAL].td_maxwin,
		       nfsync_map_slack_win(WIN));
	KTAP_EXPECT_EQ(maxwin, WIN);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(it_passes_here),
	KTAP_TEST(it_passes_at_the_peer),
	KTAP_TEST(it_passed_here_a_moment_ago),
	KTAP_TEST(the_peer_knows_of_later_packets),
	KTAP_TEST(our_right_edge_is_later),
	KTAP_TEST(the_entry_is_older_than_the_device),
	KTAP_TEST(the_peer_is_behind),
};

KTAP_SUITE(tests, begin, end);
