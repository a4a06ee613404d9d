// SPDX-License-Identifier: GPL-2.0
/*
 * Packets, events and a slow walk: between them nothing that happens to an
 * entry stays unknown.
 *
 * The packet hook sees what a packet moved, when it has passed the ruleset.
 * It is all that is needed for windows and timeouts, of which there are no
 * events, and for entries without the event extension.
 *
 * Events tell what no packet of ours shows: the end of an entry, changes by
 * netlink, and flows of act_ct, OVS and bridges, that pass no hook here.
 *
 * The walk finds what neither told: entries without the event extension that
 * died, and offloaded flows, whose packets nobody sees.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include "conntrack.h"
#include "defer.h"
#include "device.h"
#include "early.h"
#include "held.h"
#include "hooks.h"
#include "inject.h"
#include "map.h"
#include "slot.h"
#include "window.h"

/* The walk visits every state each GC_TICKS * GC_INTERVAL */
#define GC_INTERVAL	HZ
#define GC_TICKS	5

/* Guards the list; taken before nothing but held's lock */
static DEFINE_MUTEX(hooks_mutex);
static LIST_HEAD(hooks_list);

/* --- is there something worth telling? --- */

enum news {
	NEWS_NONE,
	NEWS_LATER,			/* the same, and no packet depends on it */
	NEWS_SOME,			/* UPD_C will do, within the interval */
	NEWS_URGENT,			/* now: the peer's window runs out */
	NEWS_FULL,			/* UPD_C has no field for it */
};

/* Both nodes have a part in the flow: what one sees the other needs now */
static bool is_split(const struct nfsync_state *st)
{
	return (u32)jiffies - READ_ONCE(st->peer_at) < NFSYNC_WINDOW_SPLIT;
}

/* Of small windows every quarter would be a message for a few packets */
static u32 far_of(const struct nfsync_dev *nd, const struct nfsync_state *st,
		  u32 win)
{
	return nfsync_device_splits(nd) && is_split(st) ?
	       nfsync_map_wide_threshold(win) : nfsync_map_threshold(win);
}

/*
 * How far a direction went since it was told, against the window that bounds
 * it.  Unlocked by design: what a lost race hides the next packet shows, for
 * the comparison is with what was told, not with the packet before.
 */
static enum news direction_news(const struct nfsync_dev *nd,
				const struct nfsync_state *st,
				const struct ip_ct_tcp *tcp, int d)
{
	u32 win = READ_ONCE(st->told_win[d]);
	u32 told_end = READ_ONCE(st->told_end[d]);
	u32 told_maxend = READ_ONCE(st->told_maxend[d]);
	u32 end = READ_ONCE(tcp->seen[d].td_end);
	u32 maxend = READ_ONCE(tcp->seen[d].td_maxend);
	s32 moved;

	end = nfsync_window_end(st, d, end);
	maxend = nfsync_window_edge(st, d, maxend);
	moved = max((s32)(end - told_end), (s32)(maxend - told_maxend));
	if (moved <= (s32)far_of(nd, st, win))
		return NEWS_NONE;
	return moved > (s32)nfsync_map_urgent(win) ? NEWS_URGENT : NEWS_SOME;
}

/* What every packet pays: slack counts as moved here, which only costs time */
static __always_inline bool went_far(const struct nfsync_state *st,
				     const struct ip_ct_tcp *tcp, int d)
{
	s32 far = nfsync_map_threshold(READ_ONCE(st->told_win[d]));

	return (s32)(READ_ONCE(tcp->seen[d].td_end) -
		     READ_ONCE(st->told_end[d])) > far ||
	       (s32)(READ_ONCE(tcp->seen[d].td_maxend) -
		     READ_ONCE(st->told_maxend[d])) > far;
}

/*
 * What the other half of a split flow is judged by is to be there before that.
 * Once both SYNs are, it has windows with slack (nfsync_split_told()), and none
 * of its packets depends on the state: one side's FIN may come to a node before
 * the news of the other's, and the last ack before both (is_last_acked()).
 */
static enum news state_news(u8 state)
{
	switch (state) {
	case TCP_CONNTRACK_SYN_SENT:
	case TCP_CONNTRACK_SYN_RECV:
	case TCP_CONNTRACK_SYN_SENT2:
		return NEWS_SOME;
	default:
		return NEWS_LATER;
	}
}

static enum news tcp_news(const struct nfsync_dev *nd,
			  const struct nfsync_state *st,
			  const struct nf_conn *ct)
{
	const struct ip_ct_tcp *tcp = &ct->proto.tcp;
	enum news news = NEWS_NONE;

	if (READ_ONCE(tcp->state) != READ_ONCE(st->told_state))
		news = nfsync_device_splits(nd) ?
		       state_news(READ_ONCE(tcp->state)) : NEWS_SOME;

	if (likely(!went_far(st, tcp, IP_CT_DIR_ORIGINAL) &&
		   !went_far(st, tcp, IP_CT_DIR_REPLY)))
		return news;

	news = max(news, direction_news(nd, st, tcp, IP_CT_DIR_ORIGINAL));
	return max(news, direction_news(nd, st, tcp, IP_CT_DIR_REPLY));
}

static enum news news_of(const struct nfsync_dev *nd,
			 const struct nfsync_state *st,
			 const struct nf_conn *ct)
{
	u8 status = nfsync_conntrack_status(ct) ^ READ_ONCE(st->told_status);
	bool offloaded = test_bit(IPS_OFFLOAD_BIT, &ct->status);
	enum news news = NEWS_NONE;

	if (unlikely(nfsync_conntrack_mark(ct) !=
		     READ_ONCE(st->told_mark)))
		return NEWS_FULL;
	/* its windows stand still from now on: nobody may rely on them */
	if (unlikely(offloaded && !test_bit(NFSYNC_ST_FROZEN, &st->flags)))
		return NEWS_FULL;
	if (unlikely((s32)((u32)jiffies - READ_ONCE(st->refresh_at)) >= 0) ||
	    status & ~NFSYNC_EXT_ASSURED)
		return NEWS_SOME;
	if (nf_ct_protonum(ct) == IPPROTO_TCP && !offloaded)
		news = tcp_news(nd, st, ct);
	/* it only tells whom to throw out when the table is full */
	return max(news, status ? NEWS_LATER : NEWS_NONE);
}

/* The peers forget it; the entry here goes on.  False if it had ended already */
static bool part(struct nfsync_dev *nd, struct nfsync_state *st)
{
	if (!nfsync_queue_delete(nd, st,
				 test_bit(NFSYNC_ST_LOCAL, &st->flags), false))
		return false;
	nfsync_held_ended(nd, st);
	nfsync_state_unhash(nd, st);
	nfsync_window_forget(nd, st);
	return true;
}

/* And so does its traffic, told to nobody */
static void withdraw(struct nfsync_dev *nd, struct nfsync_state *st)
{
	if (part(nd, st))
		nfsync_stats_inc(nd, PFSYNC_STAT_NOSYNC);
}

/*
 * Conntrack lets a connection begin in the entry of one that is over, by its
 * SYN-ACK, if the RST that ended that one was not its last packet.  To the peers,
 * who never go back behind what they were told, it has to be another state: the
 * one that its next packet makes.
 */
static bool has_begun_again(const struct nfsync_state *st)
{
	return nfsync_conntrack_tcp_over(READ_ONCE(st->told_state)) &&
	       !nfsync_conntrack_tcp_over(READ_ONCE(st->ct->proto.tcp.state));
}

/* A peer's word changes the one and then the other, under the lock */
static bool begins_again(const struct nfsync_state *st)
{
	bool again;

	if (nf_ct_protonum(st->ct) != IPPROTO_TCP ||
	    likely(!has_begun_again(st)))
		return false;

	spin_lock_bh(&st->ct->lock);
	again = has_begun_again(st);
	spin_unlock_bh(&st->ct->lock);
	return again;
}

static void look(struct nfsync_dev *nd, struct nfsync_state *st,
		 const struct nf_conn *ct)
{
	enum news news = news_of(nd, st, ct);

	if (likely(news == NEWS_NONE))
		return;
	if (unlikely(nfsync_conntrack_opted_out(nd, ct))) {
		withdraw(nd, st);
		return;
	}
	if (unlikely(begins_again(st))) {
		part(nd, st);
		return;
	}
	if (news == NEWS_FULL)
		nfsync_queue_update_full(nd, st, is_split(st));
	else
		nfsync_queue_update(nd, st, news == NEWS_URGENT ||
				    (news == NEWS_SOME && is_split(st)));
}

/* --- packets --- */

/*
 * The flow has come here from a peer, which has the truth without slack and
 * must not believe in it any longer.  By what moves it may not hear of that for
 * long: a little is not worth a message.  Of split flows see split.c.
 */
static void flow_came(struct nfsync_dev *nd, struct nfsync_state *st)
{
	if (nf_ct_protonum(st->ct) == IPPROTO_TCP && !nfsync_device_splits(nd))
		nfsync_queue_update_full(nd, st, false);
}

static void stamp(struct nfsync_dev *nd, struct nfsync_state *st,
		  enum ip_conntrack_info ctinfo)
{
	const unsigned long ours = BIT(NFSYNC_ST_LOCAL);
	const unsigned long odd = BIT(NFSYNC_ST_ASSUMED) |
				  BIT(NFSYNC_ST_ELSEWHERE);
	u32 *at = &st->seen_at[CTINFO2DIR(ctinfo)];
	u32 now = jiffies;

	/* shared cache lines are written once a tick, not once a packet */
	if (READ_ONCE(*at) != now)
		WRITE_ONCE(*at, now);
	if (unlikely((READ_ONCE(st->flags) & (ours | odd)) != ours)) {
		set_bit(NFSYNC_ST_LOCAL, &st->flags);
		clear_bit(NFSYNC_ST_ASSUMED, &st->flags);
		if (test_and_clear_bit(NFSYNC_ST_ELSEWHERE, &st->flags))
			flow_came(nd, st);
	}
}

/*
 * TCP is worth a state when it was answered, so that a SYN flood costs
 * neither memory here nor the peers anything; of the others a second packet
 * will do, and they are told after a second (refresh_at).  Deferral is sooner
 * than this: it tells of those that wait (defer.c).  Where one did not, its SYN
 * that is said again is worth one too: the answer may pass at a peer, and is let
 * go by nobody who did not hear of the SYN.
 */
static bool worth_a_state(const struct nfsync_dev *nd,
			  const struct nf_conn *ct)
{
	return (test_bit(IPS_SEEN_REPLY_BIT, &ct->status) ||
		nf_ct_protonum(ct) != IPPROTO_TCP ||
		nfsync_device_splits(nd)) &&
	       nfsync_conntrack_eligible(nd, ct);
}

static struct nfsync_state *newcomer(struct nfsync_dev *nd, struct nf_conn *ct)
{
	struct nfsync_state *st;

	if (!worth_a_state(nd, ct))
		return NULL;

	st = nfsync_state_new(nd, ct);
	return st ? st : nfsync_state_find_ct(nd, ct);
}

/* The first packet of a flow comes here before that is confirmed */
static unsigned int packet_first(struct nfsync_dev *nd, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	unsigned int verdict = NF_ACCEPT;

	if (READ_ONCE(nd->cfg.nat_of))
		verdict = nfsync_natshare_first(nd, skb, state);
	if (verdict == NF_ACCEPT && READ_ONCE(nd->cfg.defer))
		verdict = nfsync_defer_first(nd, skb, state);
	return verdict;
}

static unsigned int packet_forwarded(void *priv, struct sk_buff *skb,
				     const struct nf_hook_state *state)
{
	struct nfsync_dev *nd = priv;
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);
	struct nfsync_state *st;

	if (!ct)
		return NF_ACCEPT;
	if (!nf_ct_is_confirmed(ct))
		return packet_first(nd, skb, state);

	st = nfsync_state_find_ct(nd, ct);
	if (unlikely(!st)) {
		/* it never came in: a flow of the firewall itself */
		if (!skb->skb_iif && !READ_ONCE(nd->cfg.local))
			return NF_ACCEPT;
		st = newcomer(nd, ct);
		if (!st)
			return NF_ACCEPT;
	}
	NFSYNC_INJECT_AT(PACKET, nd->net, ct);
	/* those that came before it are to stay before it */
	nfsync_held_answered(nd, st, PFSYNC_STAT_DEFER_MORE);
	nfsync_held_news(nd, st);
	stamp(nd, st, ctinfo);
	if (unlikely(nfsync_window_is_copy(st, CTINFO2DIR(ctinfo))) &&
	    nfsync_device_splits(nd))
		nfsync_window_arrive(nd, st, ct, skb, CTINFO2DIR(ctinfo));
	look(nd, st, ct);
	if (unlikely(nfsync_held_before(st)))
		return nfsync_held_follow(nd, st, skb, state);
	return NF_ACCEPT;
}

static unsigned int packet_delivered(void *priv, struct sk_buff *skb,
				     const struct nf_hook_state *state)
{
	struct nfsync_dev *nd = priv;

	if (!READ_ONCE(nd->cfg.local))
		return NF_ACCEPT;
	return packet_forwarded(priv, skb, state);
}

/* What conntrack, right before us, knows nothing to do with */
static unsigned int packet_tracked(void *priv, struct sk_buff *skb,
				   const struct nf_hook_state *state)
{
	struct nfsync_dev *nd = priv;

	if (likely(skb_get_nfct(skb))) {
		nfsync_early_answered(skb);
		return NF_ACCEPT;
	}
	return nfsync_early_packet(nd, skb, state);
}

/* --- events --- */

/* A flow that is not at its end */
static bool goes_on(const struct nf_conn *ct)
{
	return nf_ct_protonum(ct) != IPPROTO_TCP ||
	       READ_ONCE(ct->proto.tcp.state) == TCP_CONNTRACK_ESTABLISHED;
}

/*
 * A learned entry that did not expire and that nobody deleted went to make
 * room, or with a device: the peers still have it.  One at its end makes way
 * for the next with its ports.
 */
static void ended_quietly(struct nfsync_dev *nd, const struct nfsync_state *st,
			  bool by_hand)
{
	if (by_hand || nf_ct_is_expired(st->ct) || !goes_on(st->ct)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_EXPIRE_QUIET);
		return;
	}
	nfsync_stats_inc(nd, PFSYNC_STAT_EVICTED);
	nfsync_bulk_refused(nd, st->creatorid);
}

static void entry_ended(struct nfsync_dev *nd, const struct nf_conn *ct,
			bool by_hand)
{
	struct nfsync_state *st = nfsync_state_find_ct(nd, ct);
	bool announce;

	if (!st)
		return;

	/* B-18: who merely learned of a flow has no say in its end */
	announce = test_bit(NFSYNC_ST_LOCAL, &st->flags);
	if (!nfsync_queue_delete(nd, st, announce, by_hand))
		return;
	nfsync_held_ended(nd, st);
	if (!announce) {
		nfsync_queue_spare(nd, st->creatorid);
		ended_quietly(nd, st, by_hand);
	} else if (st->creatorid != READ_ONCE(nd->cfg.hostid)) {
		/* its creator may not hear of it, and tell us of it again */
		nfsync_tomb_put(nd, st->id, st->creatorid, NFSYNC_TOMB_ENDED);
	}
	nfsync_state_unhash(nd, st);
}

static void entry_changed(struct nfsync_dev *nd, struct nf_conn *ct)
{
	struct nfsync_state *st = nfsync_state_find_ct(nd, ct);

	if (!st) {
		if (!test_bit(IPS_SEEN_REPLY_BIT, &ct->status) ||
		    !nfsync_conntrack_eligible(nd, ct))
			return;
		if (!READ_ONCE(nd->cfg.local) &&
		    nfsync_conntrack_is_local(nd->net, ct))
			return;
		st = newcomer(nd, ct);
		if (!st)
			return;
	}
	look(nd, st, ct);
}

/**
 * nfsync_hooks_event() - conntrack has something to tell of an entry
 * @net: its namespace
 * @events: bits of enum ip_conntrack_events
 * @item: the entry, and the socket by whose wish it is
 *
 * Context: see kernel.md 1.5; softirq, process or worker, RCU read side.
 */
void nfsync_hooks_event(const struct net *net, unsigned int events,
			const struct nf_ct_event *item)
{
	struct nfsync_dev *nd = nfsync_device_get(net);

	if (!nd || !READ_ONCE(nd->up))
		return;

	NFSYNC_INJECT_AT(EVENT, net, item->ct);
	/* a DESTROY that ctnetlink could not deliver comes again */
	if (events & BIT(IPCT_DESTROY))
		entry_ended(nd, item->ct, item->portid);
	else
		entry_changed(nd, item->ct);
}

/* --- modules of hooks --- */

/*
 * A packet that waits goes on in code that may be the module's (br_netfilter).
 * Its hooks are gone by now; who came through them is through as well.
 */
static void module_goes(void)
{
	struct nfsync_hooks *h;

	lockdep_assert_held(&hooks_mutex);

	list_for_each_entry(h, &hooks_list, node) {
		struct nfsync_dev *nd = container_of(h, struct nfsync_dev,
						     hooks);
		if (!READ_ONCE(nd->cfg.defer))
			continue;
		synchronize_net();
		nfsync_held_flush(nd, PFSYNC_STAT_DEFER_DOWN);
	}
}

static int module_event(struct notifier_block *nb, unsigned long action,
			void *data)
{
	if (action == MODULE_STATE_GOING) {
		mutex_lock(&hooks_mutex);
		module_goes();
		mutex_unlock(&hooks_mutex);
	}
	nfsync_slot_module(action, data);
	return NOTIFY_OK;
}

static struct notifier_block module_nb = {
	.notifier_call = module_event,
};

/* --- the walk --- */

/* What would be missed: a flow that is up, not one that is at its end */
static bool is_up(const struct nf_conn *ct)
{
	return test_bit(IPS_ASSURED_BIT, &ct->status) && goes_on(ct);
}

/*
 * The entry of a flow that passes at a peer is about to expire here: the
 * peer's word for it was lost, or its own time is longer.  It has a say.
 */
static void ask_before_end(struct nfsync_dev *nd, const struct nfsync_state *st)
{
	if (test_bit(NFSYNC_ST_LOCAL, &st->flags) || !is_up(st->ct) ||
	    nf_ct_expires(st->ct) > 2 * GC_TICKS * GC_INTERVAL)
		return;
	if (nfsync_queue_request(nd, st->id, st->creatorid,
				 NFSYNC_ASKED_JIFFIES))
		nfsync_stats_inc(nd, PFSYNC_STAT_EXPIRE_ASKED);
}

static bool gc_one(struct nfsync_dev *nd, struct nfsync_state *st, void *arg)
{
	const struct nf_conn *ct;

	if (!nfsync_state_get(st))
		return false;

	ct = st->ct;
	if (nf_ct_is_dying(ct))
		entry_ended(nd, ct, false);
	else if (unlikely(nfsync_conntrack_opted_out(nd, ct)))
		withdraw(nd, st);
	else if (test_bit(IPS_OFFLOAD_BIT, &ct->status))
		look(nd, st, ct);
	else
		ask_before_end(nd, st);
	if (unlikely(test_bit(NFSYNC_ST_DOUBTED, &st->flags)))
		nfsync_window_trust(nd, st);
	nfsync_state_put(st);
	return true;
}

/* An entry of which there are events: of the first that is found, one is tried */
static bool slot_try(struct nfsync_dev *nd, struct nfsync_state *st, void *arg)
{
	const struct nf_conntrack_ecache *e = nf_ct_ecache_find(st->ct);
	bool *done = arg;

	if (*done || !e || !(e->ctmask & BIT(IPCT_MARK)) ||
	    !nfsync_state_get(st))
		return false;

	*done = true;
	if (nfsync_slot_try(nd->net, st->ct)) {
		nfsync_stats_inc(nd, PFSYNC_STAT_SLOT_REPAIR);
		if (net_ratelimit())
			netdev_info(nd->dev, "conntrack event slot was overwritten, taken back\n");
	}
	nfsync_state_put(st);
	return true;
}

static void slot_watch(struct nfsync_dev *nd)
{
	bool done = false;

	if (nfsync_slot_watch(nd->net))
		nfsync_state_walk(nd, slot_try, &done, NULL);
}

static void gc_work(struct work_struct *work)
{
	struct nfsync_hooks *h = container_of(work, struct nfsync_hooks,
					      gc.work);
	struct nfsync_dev *nd = container_of(h, struct nfsync_dev, hooks);

	slot_watch(nd);
	if (++h->gc_ticks >= GC_TICKS) {
		h->gc_ticks = 0;
		nfsync_state_walk(nd, gc_one, NULL, NULL);
	}
	queue_delayed_work(system_power_efficient_wq, &h->gc, GC_INTERVAL);
}

/* --- life --- */

/* Right before confirmation, as late as a packet can be seen at all */
static const struct nf_hook_ops hook_ops[NFSYNC_HOOKS_N] = {
	{
		.hook = packet_forwarded,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_POST_ROUTING,
		.priority = NF_IP_PRI_CONNTRACK_CONFIRM,
	}, {
		.hook = packet_delivered,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_LOCAL_IN,
		.priority = NF_IP_PRI_CONNTRACK_CONFIRM,
	}, {
		.hook = packet_forwarded,
		.pf = NFPROTO_IPV6,
		.hooknum = NF_INET_POST_ROUTING,
		.priority = NF_IP6_PRI_LAST,
	}, {
		.hook = packet_delivered,
		.pf = NFPROTO_IPV6,
		.hooknum = NF_INET_LOCAL_IN,
		.priority = NF_IP6_PRI_LAST - 1,
	},
};

/* Right behind conntrack, and only there with deferral */
static const struct nf_hook_ops early_hook_ops[NFSYNC_EARLY_HOOKS_N] = {
	{
		.hook = packet_tracked,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP_PRI_CONNTRACK + 1,
	}, {
		.hook = packet_tracked,
		.pf = NFPROTO_IPV6,
		.hooknum = NF_INET_PRE_ROUTING,
		.priority = NF_IP6_PRI_CONNTRACK + 1,
	},
};

/* Events only when somebody listens: now somebody does.  0 is the admin's */
static void raise_events(struct nfsync_dev *nd)
{
	u8 *events = &nd->net->ct.sysctl_events;

	nd->hooks.raised_events = READ_ONCE(*events) == 2;
	if (nd->hooks.raised_events)
		WRITE_ONCE(*events, 1);
	else if (!READ_ONCE(*events))
		netdev_warn(nd->dev, "nf_conntrack_events is 0: ends of entries are seen up to %d s late\n",
			    GC_TICKS * GC_INTERVAL / HZ);
}

static void lower_events(struct nfsync_dev *nd)
{
	u8 *events = &nd->net->ct.sysctl_events;

	if (nd->hooks.raised_events && READ_ONCE(*events) == 1)
		WRITE_ONCE(*events, 2);
}

/* The first hook behind where ours would be: conntrack's is its neighbour */
static unsigned int behind_conntrack(const struct nf_hook_entries *e)
{
	struct nf_hook_ops **ops = nf_hook_entries_get_hook_ops(e);
	unsigned int i;

	for (i = 0; i < e->num_hook_entries; i++)
		if (ops[i]->priority > NF_IP_PRI_CONNTRACK + 1)
			break;
	return i;
}

/**
 * nfsync_hooks_rest() - the hooks that a packet in one of ours has before it
 * @nd: device
 * @state: of that hook
 * @from: the first of them
 *
 * Ours is looked for, as others come and go; it may be gone itself, and then
 * its priority tells where it was, but at the end of a chain, where others
 * have the same.
 *
 * Context: RCU read side.
 * Return: what nf_hook_slow() takes, or NULL.
 */
const struct nf_hook_entries *
nfsync_hooks_rest(const struct nfsync_dev *nd,
		  const struct nf_hook_state *state, unsigned int *from)
{
	const struct netns_nf *nf = &nd->net->nf;
	const struct nf_hook_entries *e;
	unsigned int i;

	if (state->pf == NFPROTO_IPV4)
		e = rcu_dereference(nf->hooks_ipv4[state->hook]);
	else
		e = rcu_dereference(nf->hooks_ipv6[state->hook]);
	for (i = 0; e && i < e->num_hook_entries; i++) {
		if (e->hooks[i].priv == nd) {
			*from = i + 1;
			return e;
		}
	}
	if (!e || state->hook != NF_INET_PRE_ROUTING)
		return NULL;
	*from = behind_conntrack(e);
	return e;
}

/**
 * nfsync_hooks_early() - look at what conntrack calls invalid, or no longer
 * @nd: device
 * @on: which of both
 *
 * Context: process, RTNL.  Switched off, a packet may still be in the hook
 * until a grace period is over.
 * Return: 0 or an error of hook registration.
 */
int nfsync_hooks_early(struct nfsync_dev *nd, bool on)
{
	struct nfsync_hooks *h = &nd->hooks;
	int err, i;

	ASSERT_RTNL();

	if (on == h->early || (on && !h->active))
		return 0;
	if (!on) {
		nf_unregister_net_hooks(nd->net, h->early_ops,
					NFSYNC_EARLY_HOOKS_N);
		h->early = false;
		return 0;
	}
	memcpy(h->early_ops, early_hook_ops, sizeof(early_hook_ops));
	for (i = 0; i < NFSYNC_EARLY_HOOKS_N; i++)
		h->early_ops[i].priv = nd;
	err = nf_register_net_hooks(nd->net, h->early_ops,
				    NFSYNC_EARLY_HOOKS_N);
	h->early = !err;
	return err;
}

/**
 * nfsync_hooks_init() - prepare what nfsync_hooks_stop() relies on
 * @nd: device in the making
 *
 * Context: process.
 */
void nfsync_hooks_init(struct nfsync_dev *nd)
{
	INIT_LIST_HEAD(&nd->hooks.node);
	INIT_DELAYED_WORK(&nd->hooks.gc, gc_work);
}

/**
 * nfsync_hooks_start() - begin to listen
 * @nd: device coming up; conntrack's own hooks are there (nf_ct_netns_get)
 *
 * Registered after conntrack's at the same priority ours run before them.
 *
 * Context: process, RTNL.
 * Return: 0 or an error of hook registration.
 */
int nfsync_hooks_start(struct nfsync_dev *nd)
{
	struct nfsync_hooks *h = &nd->hooks;
	int err, i;

	ASSERT_RTNL();

	memcpy(h->ops, hook_ops, sizeof(hook_ops));
	for (i = 0; i < NFSYNC_HOOKS_N; i++)
		h->ops[i].priv = nd;
	err = nf_register_net_hooks(nd->net, h->ops, NFSYNC_HOOKS_N);
	if (err)
		return err;

	raise_events(nd);
	mutex_lock(&hooks_mutex);
	list_add(&h->node, &hooks_list);
	mutex_unlock(&hooks_mutex);
	nfsync_slot_take(nd->net);
	h->active = true;
	h->gc_ticks = 0;
	queue_delayed_work(system_power_efficient_wq, &h->gc, GC_INTERVAL);
	return nfsync_hooks_early(nd, nd->cfg.defer);
}

/**
 * nfsync_hooks_stop() - stop to listen
 * @nd: device going down
 *
 * The caller waits for a grace period before it frees what hooks use.
 *
 * Context: process, RTNL.
 */
void nfsync_hooks_stop(struct nfsync_dev *nd)
{
	struct nfsync_hooks *h = &nd->hooks;

	ASSERT_RTNL();

	if (!h->active)
		return;

	h->active = false;
	cancel_delayed_work_sync(&h->gc);
	mutex_lock(&hooks_mutex);
	list_del_init(&h->node);
	mutex_unlock(&hooks_mutex);
	nfsync_slot_leave(nd->net);
	NFSYNC_INJECT_AT(SLOT_REMOVED, nd->net, NULL);
	lower_events(nd);
	nfsync_hooks_early(nd, false);
	nf_unregister_net_hooks(nd->net, h->ops, NFSYNC_HOOKS_N);
}

/**
 * nfsync_hooks_register() - hear of events, and of modules that go
 *
 * Context: process, module init, before any device can come up.
 * Return: 0 or an error.
 */
int nfsync_hooks_register(void)
{
	int err;

	err = nfsync_slot_register();
	if (err)
		return err;

	err = register_module_notifier(&module_nb);
	if (err)
		nfsync_slot_unregister();
	return err;
}

/**
 * nfsync_hooks_unregister() - undo nfsync_hooks_register()
 *
 * Context: process, module exit, after the last device is gone.
 */
void nfsync_hooks_unregister(void)
{
	unregister_module_notifier(&module_nb);
	nfsync_slot_unregister();
}
