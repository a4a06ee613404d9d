// SPDX-License-Identifier: GPL-2.0
/*
 * Conntrack's event slot.
 *
 * Conntrack has one pointer for it in a namespace, which ctnetlink takes
 * without asking.  We chain: our notifier calls the one it found there.
 * ctnetlink may come, go and come again after us, so whoever was there is
 * looked up anew at every installation, we step aside while it initialises,
 * and a watch puts us back when the slot is empty.
 *
 * Another module may come after us, and there is no way to ask it whether it
 * calls whom it found.  So an event is tried: who passes it on stays where it
 * is, in front of us, and we stay loaded for its sake.  Who does not has put out
 * all who were there, and is put out in turn.  We never call somebody who came
 * after us: it may call us, and both would go round for ever.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netns/generic.h>
#include "hooks.h"
#include "inject.h"
#include "slot.h"

/* Ours in a namespace; outlives the device in case somebody chained on it */
struct slot {
	struct nf_ct_event_notifier notifier;
	struct nf_ct_event_notifier __rcu *orig;
	const struct nf_ct_event_notifier *front;	/* calls us, as tried */
	const struct nf_conn *tried;	/* until its event comes by; compared */
	bool wanted;			/* the device is up */
	bool installed;			/* as far as we know */
	bool pinned;			/* somebody may have chained on us */
};

static unsigned int slot_id __read_mostly;

/* Guards the slots and away; taken under net_rwsem, and before nothing */
static DEFINE_MUTEX(slot_mutex);
static bool away;			/* while ctnetlink initialises */

static struct slot *slot_of(const struct net *net)
{
	return net_generic(net, slot_id);
}

static struct nf_ct_event_notifier **slot_ptr(struct net *net)
{
	return (struct nf_ct_event_notifier __force **)
		&net->ct.nf_conntrack_event_cb;
}

/* Context: see kernel.md 1.5; softirq, process or worker, RCU read side */
static int ct_event(unsigned int events, const struct nf_ct_event *item)
{
	struct net *net = nf_ct_net(item->ct);
	struct nf_ct_event_notifier *orig;
	struct slot *s = slot_of(net);

	if (unlikely(READ_ONCE(s->tried) == item->ct))
		WRITE_ONCE(s->tried, NULL);
	nfsync_hooks_event(net, events, item);

	orig = rcu_dereference(s->orig);
	NFSYNC_INJECT_AT(EVENT_ORIG, net, item->ct);
	return orig ? orig->ct_event(events, item) : 0;
}

static int exp_event(unsigned int events, const struct nf_exp_event *item)
{
	const struct net *net = nf_ct_exp_net(item->exp);
	struct nf_ct_event_notifier *orig;

	orig = rcu_dereference(slot_of(net)->orig);
	return orig ? orig->exp_event(events, item) : 0;
}

/*
 * Somebody may have chained on us and would call a module that is gone: stay
 * for good then, say so, and go on calling whoever was there before.
 */
static void slot_pin(struct slot *s)
{
	lockdep_assert_held(&slot_mutex);

	if (s->pinned)
		return;
	s->pinned = true;
	__module_get(THIS_MODULE);
	net_info_ratelimited("another module took the conntrack event slot after us; nfsync stays loaded\n");
}

/*
 * Where somebody came after us once, only who is known to have been there before
 * is called.  Anybody else is left there, until it was tried.
 */
static void slot_install(struct net *net)
{
	struct nf_ct_event_notifier **p = slot_ptr(net), *orig, *old;
	struct slot *s = slot_of(net);

	lockdep_assert_held(&slot_mutex);

	s->installed = true;
	orig = rcu_dereference_protected(s->orig,
					 lockdep_is_held(&slot_mutex));
	do {
		old = READ_ONCE(*p);
		if (old == &s->notifier || (old && old != orig && s->pinned))
			return;
		/* never an orig of earlier: its module may be gone */
		rcu_assign_pointer(s->orig, old);
	} while (cmpxchg(p, old, &s->notifier) != old);
}

/*
 * As the module goes it is too late to stay: who came within the last moment,
 * before the watch saw it, has to go instead.
 */
static void slot_put_out(struct net *net, struct nf_ct_event_notifier *now,
			 struct nf_ct_event_notifier *by)
{
	if (cmpxchg(slot_ptr(net), now, by) == now)
		net_warn_ratelimited("another module took the conntrack event slot after us and was put out of it\n");
}

static bool we_go(void)
{
#ifdef MODULE
	return !module_is_live(THIS_MODULE);
#else
	return false;
#endif
}

static void slot_remove(struct net *net)
{
	struct nf_ct_event_notifier **p = slot_ptr(net), *orig, *now;
	struct slot *s = slot_of(net);

	lockdep_assert_held(&slot_mutex);

	if (!s->installed)
		return;
	s->installed = false;
	s->front = NULL;
	orig = rcu_dereference_protected(s->orig,
					 lockdep_is_held(&slot_mutex));
	now = cmpxchg(p, &s->notifier, orig);
	if (!now || now == &s->notifier || now == orig)
		return;
	if (we_go())
		slot_put_out(net, now, orig);
	else
		slot_pin(s);
}

/**
 * nfsync_slot_take() - events of a namespace come to nfsync_hooks_event()
 * @net: namespace
 *
 * Context: process.
 */
void nfsync_slot_take(struct net *net)
{
	mutex_lock(&slot_mutex);
	slot_of(net)->wanted = true;
	if (!away)
		slot_install(net);
	mutex_unlock(&slot_mutex);
}

/**
 * nfsync_slot_leave() - none come any more, but what is on its way
 * @net: namespace
 *
 * Puts back who was there before.  The caller waits for a grace period.
 *
 * Context: process.
 */
void nfsync_slot_leave(struct net *net)
{
	mutex_lock(&slot_mutex);
	slot_of(net)->wanted = false;
	slot_remove(net);
	mutex_unlock(&slot_mutex);
}

/**
 * nfsync_slot_watch() - look whether events still come to us
 * @net: namespace that took its slot
 *
 * An empty slot is taken again and no loss: ctnetlink clears it when it goes, a
 * while before its notifier runs.
 *
 * Context: process.
 * Return: true if that is not known, because somebody else is in the slot.
 */
bool nfsync_slot_watch(struct net *net)
{
	const struct nf_ct_event_notifier *now;
	struct slot *s = slot_of(net);
	bool foreign;

	mutex_lock(&slot_mutex);
	if (!away && !READ_ONCE(*slot_ptr(net)))
		slot_install(net);
	now = READ_ONCE(*slot_ptr(net));
	foreign = !away && now && now != &s->notifier;
	if (foreign)
		slot_pin(s);
	mutex_unlock(&slot_mutex);
	return foreign && now != READ_ONCE(s->front);
}

/**
 * nfsync_slot_try() - find out whether who is in our slot calls us
 * @net: namespace of which nfsync_slot_watch() does not know
 * @ct: entry with events; who listens to them gets one more, of its mark
 *
 * An event of the same entry that comes at this moment serves as well.
 *
 * Context: process, RCU read side held or not.
 * Return: true if it does not, and we took its place.
 */
bool nfsync_slot_try(struct net *net, struct nf_conn *ct)
{
	struct nf_ct_event_notifier *now = READ_ONCE(*slot_ptr(net));
	struct slot *s = slot_of(net);

	if (!now || now == &s->notifier)
		return false;
	WRITE_ONCE(s->tried, ct);
	nf_conntrack_eventmask_report(BIT(IPCT_MARK), ct, 0, 0);
	if (!xchg(&s->tried, NULL)) {
		WRITE_ONCE(s->front, now);
		return false;
	}
	return cmpxchg(slot_ptr(net), now, &s->notifier) == now;
}

static void ctnetlink_is_there(struct net *net, const struct module *mod)
{
	struct nf_ct_event_notifier *now = READ_ONCE(*slot_ptr(net));
	struct slot *s = slot_of(net);

	lockdep_assert_held(&slot_mutex);

	if (within_module((unsigned long)now, mod))
		rcu_assign_pointer(s->orig, now);
	if (s->wanted)
		slot_install(net);
}

/*
 * Whom we call is in a module that goes.  It is through with its exit, whose
 * own grace period was for nothing where we went on calling; its text and data
 * are freed after another one.
 */
static void module_goes(struct net *net, const struct module *mod)
{
	struct slot *s = slot_of(net);

	lockdep_assert_held(&slot_mutex);

	if (within_module((unsigned long)rcu_access_pointer(s->orig), mod))
		RCU_INIT_POINTER(s->orig, NULL);
}

/**
 * nfsync_slot_module() - a module comes, or goes
 * @action: as module notifiers are told
 * @mod: that module
 *
 * ctnetlink warns when its slot is taken as it loads, and takes it: we step aside
 * until it has come.  All slots at once, or a watch in between would take it for
 * somebody who came after us.
 *
 * Context: process, a module notifier.
 */
void nfsync_slot_module(unsigned long action, const struct module *mod)
{
	bool ctnetlink = !strcmp(mod->name, "nf_conntrack_netlink");
	struct net *net;

	down_read(&net_rwsem);
	mutex_lock(&slot_mutex);
	if (ctnetlink)
		away = action == MODULE_STATE_COMING;
	for_each_net(net) {
		if (action == MODULE_STATE_GOING)
			module_goes(net, mod);
		if (ctnetlink && action == MODULE_STATE_COMING)
			slot_remove(net);
		else if (ctnetlink)
			ctnetlink_is_there(net, mod);
	}
	mutex_unlock(&slot_mutex);
	up_read(&net_rwsem);
}

static int __net_init slot_net_init(struct net *net)
{
	struct slot *s = slot_of(net);

	s->notifier.ct_event = ct_event;
	s->notifier.exp_event = exp_event;
	return 0;
}

/* The device is stopped after this and finds the slot already left */
static void __net_exit slot_net_pre_exit(struct net *net)
{
	nfsync_slot_leave(net);
}

static struct pernet_operations slot_net_ops = {
	.init = slot_net_init,
	.pre_exit = slot_net_pre_exit,
	.id = &slot_id,
	.size = sizeof(struct slot),
};

/**
 * nfsync_slot_register() - the event slots of all namespaces
 *
 * Context: process, module init, before any device can come up.
 * Return: 0 or an error.
 */
int nfsync_slot_register(void)
{
	return register_pernet_subsys(&slot_net_ops);
}

/**
 * nfsync_slot_unregister() - undo nfsync_slot_register()
 *
 * Context: process, module exit, after the last device is gone.
 */
void nfsync_slot_unregister(void)
{
	unregister_pernet_subsys(&slot_net_ops);
}
