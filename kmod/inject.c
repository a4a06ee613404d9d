// SPDX-License-Identifier: GPL-2.0
/*
 * Injection points.  Each has a file in debugfs, nfsync/inject/NAME.  Who
 * writes one of these words to it arms the point for the network namespace it
 * is in; a PORT behind them restricts that to entries with this source port:
 *
 *	watch [PORT]		count who comes by
 *	stop [PORT]		and let the first one wait for "go"
 *	until NAME [PORT]	or until somebody has come by that point since it
 *				was armed itself
 *	poke N [PORT]		and give the first one's byte that value
 *	hold			and have each come again later, where that can be
 *	go			release whoever waits
 *	off			release, forget the counts
 *
 * Reading tells in one line: hits, who is there (0 or 1), late, the order in
 * which the last one came and one that waited left (a number that all points
 * share; 0 is never), and the source port of who came last.
 *
 * Waiting has a ceiling, nfsync/inject/ceiling in ms, so that a slip of a test
 * does not stop the machine; who leaves for that is late.  Where it may not
 * sleep a processor turns round with its softirqs off: a test starts what is
 * to stop there on one processor and does everything else on another.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <net/netfilter/nf_conntrack.h>
#include "inject.h"

/* What somebody does who comes by */
enum inject_mode {
	OFF,
	WATCH,
	STOP,
	UNTIL,
	POKE,
	HOLD,
};

/* The words for them, and "go", which is none */
static const char *const mode_name[] = {
	"off", "watch", "stop", "until", "poke", "hold"
};

struct point {
	const char *name;
	bool sleeps;

	/* guarded by points_lock; waiting looks at go and hits without */
	enum inject_mode next;
	const struct net *net;		/* never followed */
	u16 port;			/* 0: any */
	u8 poke;
	const struct point *other;	/* of UNTIL */
	unsigned int hits;
	unsigned int late;
	unsigned int came;
	unsigned int left;
	u16 about;			/* port of who came last */
	bool there;
	bool go;
};

static struct point points[__NFSYNC_INJECT_MAX] = {
#define SPIN	false
#define SLEEP	true
#define POINT(sym, text, how) \
	[NFSYNC_INJECT_##sym] = { .name = text, .sleeps = how },
	NFSYNC_INJECT_POINTS(POINT)
#undef POINT
};

/* A leaf, below the slice locks */
static DEFINE_SPINLOCK(points_lock);
static unsigned int order;
static u32 ceiling = 10000;
static bool poked;
static struct dentry *root;

static u16 port_of(const struct nf_conn *ct)
{
	return ct ? ntohs(nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL)->src.u.all) : 0;
}

/* Returns what this one is to do */
static enum inject_mode arrive(struct point *p, const struct net *net,
			       const struct nf_conn *ct, u8 *byte)
{
	enum inject_mode mode = OFF;

	spin_lock_bh(&points_lock);
	if (p->next != OFF && net == p->net &&
	    (!p->port || p->port == port_of(ct))) {
		mode = p->next;
		if (mode != HOLD)
			WRITE_ONCE(p->next, WATCH);
		p->came = ++order;
		p->about = port_of(ct);
		WRITE_ONCE(p->hits, p->hits + 1);
	}
	if (mode == STOP || mode == UNTIL)
		p->there = true;
	if (mode == POKE && byte) {
		*byte = p->poke;
		poked = true;
	}
	spin_unlock_bh(&points_lock);
	return mode;
}

static bool released(const struct point *p, enum inject_mode mode)
{
	return READ_ONCE(p->go) ||
	       (mode == UNTIL && READ_ONCE(p->other->hits));
}

/* Returns false when the ceiling was there first */
static bool wait_here(const struct point *p, enum inject_mode mode)
{
	u64 end = ktime_get_ns() + (u64)READ_ONCE(ceiling) * NSEC_PER_MSEC;

	while (!released(p, mode)) {
		if (ktime_get_ns() > end)
			return false;
		if (p->sleeps)
			usleep_range(200, 1000);
		else
			cpu_relax();
	}
	return true;
}

static void leave(struct point *p, bool late)
{
	spin_lock_bh(&points_lock);
	p->there = false;
	p->go = false;
	p->late += late;
	p->left = ++order;
	spin_unlock_bh(&points_lock);
}

/**
 * nfsync_inject_poke() - somebody comes by an injection point
 * @i: which one
 * @net: of the device
 * @ct: entry that it is about, or NULL
 * @byte: what a test may set, or NULL
 *
 * Context: as the point's row in inject.h says; any lock but points_lock may
 * be held.
 */
void nfsync_inject_poke(enum nfsync_inject i, const struct net *net,
			const struct nf_conn *ct, u8 *byte)
{
	struct point *p = &points[i];
	enum inject_mode mode;

	if (p->sleeps)
		might_sleep();
	if (READ_ONCE(p->next) == OFF)
		return;
	mode = arrive(p, net, ct, byte);
	if (mode == STOP || mode == UNTIL)
		leave(p, !wait_here(p, mode));
}

/**
 * nfsync_inject_at() - the same, without anything to set
 * @i: which one
 * @net: of the device
 * @ct: entry that it is about, or NULL
 *
 * Context: see nfsync_inject_poke().
 */
void nfsync_inject_at(enum nfsync_inject i, const struct net *net,
		      const struct nf_conn *ct)
{
	nfsync_inject_poke(i, net, ct, NULL);
}

/**
 * nfsync_inject_held_off() - somebody comes by who can come again later
 * @i: which point, one that is no place to wait at
 * @net: of the device
 *
 * A timer interrupts anybody, whatever locks he has; a test that wants it to
 * interrupt nobody in particular holds it off until it does.
 *
 * Context: any.
 * Return: true if it is to come again.
 */
bool nfsync_inject_held_off(enum nfsync_inject i, const struct net *net)
{
	struct point *p = &points[i];

	return READ_ONCE(p->next) != OFF && arrive(p, net, NULL, NULL) == HOLD;
}

/**
 * nfsync_inject_poked() - did a test break something that is to be found?
 *
 * Context: any.
 * Return: true from then on, until all points are off.
 */
bool nfsync_inject_poked(void)
{
	return READ_ONCE(poked);
}

static int find_mode(const char *word)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mode_name); i++)
		if (!strcmp(mode_name[i], word))
			return i;
	return -EINVAL;
}

static struct point *find_point(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(points); i++)
		if (!strcmp(points[i].name, name))
			return &points[i];
	return NULL;
}

static void forget(struct point *p)
{
	p->hits = 0;
	p->late = 0;
	p->came = 0;
	p->left = 0;
	p->about = 0;
}

static bool all_off(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(points); i++)
		if (points[i].next != OFF)
			return false;
	return true;
}

static void arm(struct point *p, enum inject_mode mode,
		const struct point *other, u8 poke, u16 port)
{
	spin_lock_bh(&points_lock);
	forget(p);
	/* whoever is there leaves; it takes go back */
	p->go = p->there;
	p->net = current->nsproxy->net_ns;
	p->other = other;
	p->poke = poke;
	p->port = port;
	WRITE_ONCE(p->next, mode);
	if (all_off())
		poked = false;
	spin_unlock_bh(&points_lock);
}

static int release(struct point *p)
{
	int err = 0;

	spin_lock_bh(&points_lock);
	if (p->there)
		WRITE_ONCE(p->go, true);
	else
		err = -ESRCH;
	spin_unlock_bh(&points_lock);
	return err;
}

static int command(struct point *p, const char *text)
{
	const struct point *other = NULL;
	char verb[8], arg[24], port[8];
	u16 number = 0;
	u8 poke = 0;
	int n, mode;

	n = sscanf(text, "%7s %23s %7s", verb, arg, port);
	if (n == 1 && !strcmp(verb, "go"))
		return release(p);
	mode = n < 1 ? -EINVAL : find_mode(verb);
	if (mode < 0)
		return mode;
	if (mode == UNTIL) {
		other = n > 1 ? find_point(arg) : NULL;
		if (!other)
			return -EINVAL;
	} else if (mode == POKE && (n < 2 || kstrtou8(arg, 0, &poke))) {
		return -EINVAL;
	}
	if (mode < UNTIL && n > 1 && kstrtou16(arg, 0, &number))
		return -EINVAL;
	if (mode >= UNTIL && n > 2 && kstrtou16(port, 0, &number))
		return -EINVAL;
	arm(p, mode, other, poke, number);
	return 0;
}

static ssize_t point_write(struct file *file, const char __user *from,
			   size_t len, loff_t *pos)
{
	struct seq_file *s = file->private_data;
	char text[48];
	int err;

	if (len >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, len))
		return -EFAULT;
	text[len] = 0;
	err = command(s->private, text);
	return err ? err : len;
}

static int point_show(struct seq_file *s, void *v)
{
	const struct point *p = s->private;

	spin_lock_bh(&points_lock);
	seq_printf(s, "%s hits=%u there=%u late=%u came=%u left=%u port=%u\n",
		   mode_name[p->next], p->hits, p->there, p->late, p->came,
		   p->left, p->about);
	spin_unlock_bh(&points_lock);
	return 0;
}

static int point_open(struct inode *inode, struct file *file)
{
	return single_open(file, point_show, inode->i_private);
}

static const struct file_operations point_fops = {
	.owner = THIS_MODULE,
	.open = point_open,
	.read = seq_read,
	.write = point_write,
	.llseek = seq_lseek,
	.release = single_release,
};

/**
 * nfsync_inject_register() - offer the points to tests
 *
 * Without debugfs there are none.
 *
 * Context: process, module init.
 * Return: the folder that other such files go to.
 */
struct dentry *nfsync_inject_register(void)
{
	struct dentry *dir;
	unsigned int i;

	root = debugfs_create_dir("nfsync", NULL);
	dir = debugfs_create_dir("inject", root);
	debugfs_create_u32("ceiling", 0600, dir, &ceiling);
	for (i = 0; i < ARRAY_SIZE(points); i++)
		debugfs_create_file(points[i].name, 0600, dir, &points[i],
				    &point_fops);
	return root;
}

/**
 * nfsync_inject_unregister() - undo nfsync_inject_register()
 *
 * Context: process, module exit; nobody comes by any more.
 */
void nfsync_inject_unregister(void)
{
	debugfs_remove_recursive(root);
}
