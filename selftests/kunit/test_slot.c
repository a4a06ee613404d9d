// SPDX-License-Identifier: GPL-2.0
/*
 * slot.c: who was in conntrack's event slot before us, and who comes after us.
 */
#include <linux/module.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include "ktap.h"
#include "slot.h"
#include "world.h"

/* Somebody else's notifier, which calls @next or nobody */
struct other {
	struct nf_ct_event_notifier notifier;
	struct nf_ct_event_notifier *next;
	unsigned int events;
};

static struct other before, after;
static struct nf_ct_event_notifier *was;
static u8 sysctl_was;
static struct nf_conn *ct;

static int count(struct other *o, unsigned int events,
		 const struct nf_ct_event *item)
{
	/* a circle ends here, and not with the stack */
	if (++o->events > 10 || !o->next)
		return 0;
	return o->next->ct_event(events, item);
}

static int before_event(unsigned int events, const struct nf_ct_event *item)
{
	return count(&before, events, item);
}

static int after_event(unsigned int events, const struct nf_ct_event *item)
{
	return count(&after, events, item);
}

static struct nf_ct_event_notifier *in_slot(void)
{
	return rcu_access_pointer(init_net.ct.nf_conntrack_event_cb);
}

static void put(struct nf_ct_event_notifier *n)
{
	rcu_assign_pointer(init_net.ct.nf_conntrack_event_cb, n);
}

static int begin(struct kunit *kunit)
{
	int err = world_begin(true) ?: nfsync_slot_register();

	if (err)
		return err;
	before = (struct other){ .notifier.ct_event = before_event };
	after = (struct other){ .notifier.ct_event = after_event };
	was = in_slot();
	put(&before.notifier);
	/* without a listener no entry would have events */
	sysctl_was = init_net.ct.sysctl_events;
	init_net.ct.sysctl_events = 1;
	ct = world_entry(1000);
	return ct ? 0 : -ENOMEM;
}

static void end(struct kunit *kunit)
{
	nf_ct_put(ct);
	nfsync_slot_leave(&init_net);
	put(was);
	init_net.ct.sysctl_events = sysctl_was;
	synchronize_rcu();
	nfsync_slot_unregister();
	world_end();
}

/* how often each was called for one event */
static void event(unsigned int n_before, unsigned int n_after)
{
	before.events = 0;
	after.events = 0;
	nf_conntrack_eventmask_report(BIT(IPCT_HELPER), ct, 0, 0);
	KTAP_EXPECT_EQ(before.events, n_before);
	KTAP_EXPECT_EQ(after.events, n_after);
}

/* Stays for somebody else's sake, which in this test has an end */
static void expect_foreign(void)
{
	int uses = module_refcount(THIS_MODULE);

	KTAP_EXPECT(nfsync_slot_watch(&init_net));
	KTAP_EXPECT_EQ(module_refcount(THIS_MODULE), uses + 1);
	module_put(THIS_MODULE);
}

static void who_was_there_is_called(void)
{
	nfsync_slot_take(&init_net);
	KTAP_EXPECT(in_slot() != &before.notifier);
	event(1, 0);
	KTAP_EXPECT(!nfsync_slot_watch(&init_net));
	nfsync_slot_leave(&init_net);
	KTAP_EXPECT(in_slot() == &before.notifier);
	event(1, 0);
}

static void an_empty_slot_is_taken_again(void)
{
	nfsync_slot_take(&init_net);
	put(NULL);
	KTAP_EXPECT(!nfsync_slot_watch(&init_net));
	KTAP_EXPECT(in_slot());
	/* whoever emptied it may be gone */
	event(0, 0);
}

/* It stays in front of us, and nobody is called twice */
static void who_comes_after_us_and_calls_us(void)
{
	struct nf_ct_event_notifier *ours;

	nfsync_slot_take(&init_net);
	ours = in_slot();
	after.next = ours;
	put(&after.notifier);
	event(1, 1);
	expect_foreign();
	KTAP_EXPECT(!nfsync_slot_try(&init_net, ct));
	KTAP_EXPECT(!nfsync_slot_watch(&init_net));
	KTAP_EXPECT(in_slot() == &after.notifier);
	event(1, 1);

	/* down and up: it is in front of us still */
	nfsync_slot_leave(&init_net);
	nfsync_slot_take(&init_net);
	KTAP_EXPECT(nfsync_slot_watch(&init_net));
	KTAP_EXPECT(!nfsync_slot_try(&init_net, ct));
	event(1, 1);

	/* and puts us back where it found us as it goes */
	put(ours);
	KTAP_EXPECT(!nfsync_slot_watch(&init_net));
	event(1, 0);
	nfsync_slot_leave(&init_net);
	KTAP_EXPECT(in_slot() == &before.notifier);
}

static void who_comes_after_us_and_does_not(void)
{
	struct nf_ct_event_notifier *ours;

	nfsync_slot_take(&init_net);
	ours = in_slot();
	put(&after.notifier);
	event(0, 1);
	expect_foreign();
	KTAP_EXPECT(nfsync_slot_try(&init_net, ct));
	KTAP_EXPECT(in_slot() == ours);
	event(1, 0);
	KTAP_EXPECT(!nfsync_slot_watch(&init_net));
}

/* As with one that calls us, but that it came while the device was down */
static void who_comes_while_we_are_away(void)
{
	nfsync_slot_take(&init_net);
	nfsync_slot_leave(&init_net);
	put(&after.notifier);
	after.next = &before.notifier;
	nfsync_slot_take(&init_net);
	event(1, 1);
	KTAP_EXPECT(!nfsync_slot_watch(&init_net));
	nfsync_slot_leave(&init_net);
	KTAP_EXPECT(in_slot() == &after.notifier);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(who_was_there_is_called),
	KTAP_TEST(an_empty_slot_is_taken_again),
	KTAP_TEST(who_comes_after_us_and_calls_us),
	KTAP_TEST(who_comes_after_us_and_does_not),
	KTAP_TEST(who_comes_while_we_are_away),
};

KTAP_SUITE(tests, begin, end);
