// SPDX-License-Identifier: GPL-2.0
/*
 * The kind "pfsync" for ip(8): loaded by `ip link ... type pfsync` from its
 * folder of plugins.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../include/uapi/linux/if_pfsync.h"
#include "ip_plugin.h"

/* the one name that ip looks for */
extern struct link_util pfsync_link_util;

static const char *const window_name[] = {
	[PFSYNC_WINDOW_BOUNDED] = "bounded",
	[PFSYNC_WINDOW_LIBERAL] = "liberal",
	[PFSYNC_WINDOW_STRICT] = "strict",
};

static const char *const verdict_name[] = {
	[PFSYNC_VERDICT_DOWN] = "down",
	[PFSYNC_VERDICT_NO_LINK] = "no-link",
	[PFSYNC_VERDICT_JOINING] = "joining",
	[PFSYNC_VERDICT_NOT_IN_SYNC] = "not-in-sync",
	[PFSYNC_VERDICT_ALONE] = "alone",
	[PFSYNC_VERDICT_IN_SYNC] = "in-sync",
	[PFSYNC_VERDICT_HEALING] = "healing",
};

static const char *const stat_name[] = {
#define STAT_NAME(sym, name) \
	[PFSYNC_STAT_##sym] = name,
	PFSYNC_STATS(STAT_NAME)
#undef STAT_NAME
};

#define N_ELEM(a)	(sizeof(a) / sizeof((a)[0]))

static const char usage[] =
	"Usage: ... pfsync [ syncdev { IFNAME | none } ]\n"
	"                  [ syncpeer { ADDR | none } ]\n"
	"                  [ version { 6 | 1301 | 1400 | 1500 } ]\n"
	"                  [ maxupd NUMBER ]\n"
	"                  [ flush MILLISECONDS ]\n"
	"                  [ window { bounded | liberal | strict } ]\n"
	"                  [ defer { on | off } ]\n"
	"                  [ defertime MILLISECONDS ]\n"
	"                  [ deferlimit NUMBER ]\n"
	"                  [ hostid NUMBER ]\n"
	"                  [ local { on | off } ]\n"
	"                  [ alone { on | off } ]\n"
	"                  [ nosync { MARK/MASK | none } ]\n"
	"                  [ natshare { SHARE/SHARES | none } ]\n"
	"                  [ resync ]\n"
	"\n"
	"       ADDR   := IPv4 address; none: the group 224.0.0.240\n"
	"       MARK   := NUMBER, of flows that are not synchronised\n"
	"       MASK   := NUMBER, which bits of a flow's mark are looked at\n"
	"       SHARE  := 0 to SHARES - 1, another on each node\n"
	"       SHARES := 2 to 16, the same on all nodes\n"
	"       NUMBER := decimal, or hexadecimal with 0x\n";

static __u32 get_number(const char *key, const char *arg, __u32 max)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(arg, &end, 0);
	if (errno || end == arg || *end || *arg == '-' || v > max)
		invarg(key, arg);
	return v;
}

static int get_on_off(const char *key, const char *arg)
{
	if (!strcmp(arg, "on"))
		return 1;
	if (strcmp(arg, "off"))
		invarg(key, arg);
	return 0;
}

static void parse_syncdev(struct nlmsghdr *n, const char *arg)
{
	unsigned int ifindex = 0;

	if (strcmp(arg, "none")) {
		ifindex = ll_name_to_index(arg);
		if (!ifindex)
			invarg("no such device, \"syncdev\"", arg);
	}
	addattr32(n, REQ_MAX, IFLA_PFSYNC_SYNCDEV, ifindex);
}

static void parse_syncpeer(struct nlmsghdr *n, const char *arg)
{
	struct in_addr addr = { 0 };

	if (strcmp(arg, "none") && inet_pton(AF_INET, arg, &addr) != 1)
		invarg("not an IPv4 address, \"syncpeer\"", arg);
	addattr32(n, REQ_MAX, IFLA_PFSYNC_SYNCPEER, addr.s_addr);
}

static void parse_version(struct nlmsghdr *n, const char *arg)
{
	addattr16(n, REQ_MAX, IFLA_PFSYNC_VERSION,
		  get_number("version", arg, UINT16_MAX));
}

static void parse_maxupd(struct nlmsghdr *n, const char *arg)
{
	addattr8(n, REQ_MAX, IFLA_PFSYNC_MAXUPD,
		 get_number("maxupd is 0 to 255, \"maxupd\"", arg, UINT8_MAX));
}

static void parse_flush(struct nlmsghdr *n, const char *arg)
{
	addattr32(n, REQ_MAX, IFLA_PFSYNC_FLUSH,
		  get_number("flush", arg, UINT32_MAX));
}

static void parse_window(struct nlmsghdr *n, const char *arg)
{
	__u8 i;

	for (i = 0; i < N_ELEM(window_name); i++)
		if (!strcmp(arg, window_name[i]))
			break;
	if (i == N_ELEM(window_name))
		invarg("bounded, liberal or strict, \"window\"", arg);
	addattr8(n, REQ_MAX, IFLA_PFSYNC_WINDOW, i);
}

static void parse_defer(struct nlmsghdr *n, const char *arg)
{
	addattr8(n, REQ_MAX, IFLA_PFSYNC_DEFER,
		 get_on_off("on or off, \"defer\"", arg));
}

static void parse_defertime(struct nlmsghdr *n, const char *arg)
{
	addattr32(n, REQ_MAX, IFLA_PFSYNC_DEFERTIME,
		  get_number("defertime", arg, UINT32_MAX));
}

static void parse_deferlimit(struct nlmsghdr *n, const char *arg)
{
	addattr32(n, REQ_MAX, IFLA_PFSYNC_DEFERLIMIT,
		  get_number("deferlimit", arg, UINT32_MAX));
}

static void parse_hostid(struct nlmsghdr *n, const char *arg)
{
	addattr32(n, REQ_MAX, IFLA_PFSYNC_HOSTID,
		  get_number("hostid", arg, UINT32_MAX));
}

static void parse_local(struct nlmsghdr *n, const char *arg)
{
	addattr8(n, REQ_MAX, IFLA_PFSYNC_LOCAL,
		 get_on_off("on or off, \"local\"", arg));
}

static void parse_alone(struct nlmsghdr *n, const char *arg)
{
	addattr8(n, REQ_MAX, IFLA_PFSYNC_ALONE,
		 get_on_off("on or off, \"alone\"", arg));
}

/* One half of two numbers, which ends where @end says; false when it is none */
static bool get_half(const char *arg, char end, const char **next, __u32 *half)
{
	unsigned long v;
	char *stop;

	/* strtoul takes blanks and signs, and nobody means them here */
	if (*arg < '0' || *arg > '9')
		return false;
	errno = 0;
	v = strtoul(arg, &stop, 0);
	if (errno || *stop != end || v > UINT32_MAX)
		return false;
	*half = v;
	*next = stop + 1;
	return true;
}

static void parse_nosync(struct nlmsghdr *n, const char *arg)
{
	struct pfsync_nosync nosync = { 0 };
	const char *mask, *end;

	if (strcmp(arg, "none") &&
	    (!get_half(arg, '/', &mask, &nosync.mark) ||
	     !get_half(mask, '\0', &end, &nosync.mask)))
		invarg("MARK/MASK or none, \"nosync\"", arg);
	addattr_l(n, REQ_MAX, IFLA_PFSYNC_NOSYNC, &nosync, sizeof(nosync));
}

static void parse_natshare(struct nlmsghdr *n, const char *arg)
{
	struct pfsync_natshare natshare = { 0 };
	__u32 share = 0, of = 0;
	const char *half, *end;

	if (strcmp(arg, "none") &&
	    (!get_half(arg, '/', &half, &share) ||
	     !get_half(half, '\0', &end, &of) || !of ||
	     share > UINT8_MAX || of > UINT8_MAX))
		invarg("SHARE/SHARES or none, \"natshare\"", arg);
	natshare.share = share;
	natshare.of = of;
	addattr_l(n, REQ_MAX, IFLA_PFSYNC_NATSHARE, &natshare,
		  sizeof(natshare));
}

static void parse_resync(struct nlmsghdr *n, const char *arg)
{
	(void)arg;
	addattr_l(n, REQ_MAX, IFLA_PFSYNC_RESYNC, NULL, 0);
}

static const struct option {
	const char *key;
	void (*parse)(struct nlmsghdr *n, const char *arg);
	int words;		/* with its value, if it has one */
} options[] = {
	{ "syncdev", parse_syncdev, 2 },
	{ "syncpeer", parse_syncpeer, 2 },
	{ "version", parse_version, 2 },
	{ "maxupd", parse_maxupd, 2 },
	{ "flush", parse_flush, 2 },
	{ "window", parse_window, 2 },
	{ "defer", parse_defer, 2 },
	{ "defertime", parse_defertime, 2 },
	{ "deferlimit", parse_deferlimit, 2 },
	{ "hostid", parse_hostid, 2 },
	{ "local", parse_local, 2 },
	{ "alone", parse_alone, 2 },
	{ "nosync", parse_nosync, 2 },
	{ "natshare", parse_natshare, 2 },
	{ "resync", parse_resync, 1 },
};

static const struct option *option_find(const char *key)
{
	size_t i;

	for (i = 0; i < N_ELEM(options); i++)
		if (!strcmp(key, options[i].key))
			return &options[i];
	return NULL;
}

static int pfsync_parse_opt(struct link_util *lu, int argc, char **argv,
			    struct nlmsghdr *n)
{
	unsigned int given = 0;

	(void)lu;
	while (argc > 0) {
		const struct option *o = option_find(*argv);
		int used;

		if (!o) {
			if (strcmp(*argv, "help"))
				fprintf(stderr, "pfsync: unknown option \"%s\"\n",
					*argv);
			fputs(usage, stderr);
			return -1;
		}
		used = o->words;
		if (argc < used)
			incomplete_command();
		if (given & 1U << (o - options))
			duparg(o->key, argv[used - 1]);
		given |= 1U << (o - options);
		o->parse(n, argv[used - 1]);
		argc -= used;
		argv += used;
	}
	return 0;
}

static void pfsync_print_help(struct link_util *lu, int argc, char **argv,
			      FILE *f)
{
	(void)lu;
	(void)argc;
	(void)argv;
	fputs(usage, f);
}

static unsigned int attr_uint(const struct rtattr *a)
{
	__u32 v32;
	__u16 v16;

	switch (RTA_PAYLOAD(a)) {
	case sizeof(__u8):
		return *(const __u8 *)RTA_DATA(a);
	case sizeof(__u16):
		memcpy(&v16, RTA_DATA(a), sizeof(v16));
		return v16;
	case sizeof(__u32):
		memcpy(&v32, RTA_DATA(a), sizeof(v32));
		return v32;
	default:
		return 0;
	}
}

static void print_str(const char *key, const char *fmt, const char *value)
{
	print_color_string(PRINT_ANY, COLOR_NONE, key, fmt, value);
}

static void print_uint(const struct rtattr *a, const char *key,
		       const char *fmt)
{
	if (a)
		print_color_uint(PRINT_ANY, COLOR_NONE, key, fmt,
				 attr_uint(a));
}

static void print_on_off(const struct rtattr *a, const char *key,
			 const char *fmt)
{
	if (a)
		print_color_on_off(PRINT_ANY, COLOR_NONE, key, fmt,
				   attr_uint(a));
}

/* a younger kernel may know more of them than we do */
static void print_name(const struct rtattr *a, const char *key,
		       const char *fmt, const char *const *name, size_t n)
{
	unsigned int i;

	if (!a)
		return;
	i = attr_uint(a);
	print_str(key, fmt, i < n ? name[i] : "unknown");
}

static void print_place(struct rtattr *tb[])
{
	const struct rtattr *dev = tb[IFLA_PFSYNC_SYNCDEV];
	const struct rtattr *peer = tb[IFLA_PFSYNC_SYNCPEER];
	char buf[INET_ADDRSTRLEN];

	/* 0: there is none, or the one that is configured is away */
	if (dev && attr_uint(dev))
		print_str("syncdev", "syncdev %s ",
			  ll_index_to_name(attr_uint(dev)));
	if (peer && RTA_PAYLOAD(peer) == sizeof(struct in_addr) &&
	    inet_ntop(AF_INET, RTA_DATA(peer), buf, sizeof(buf)))
		print_color_string(PRINT_ANY, COLOR_INET, "syncpeer",
				   "syncpeer %s ", buf);
}

/* Two numbers that belong together: an object, or as they are given */
static void print_pair(const char *key, const char *fmt, const char *name1,
		       __u32 v1, const char *name2, __u32 v2)
{
	char buf[64], text[96];

	if (is_json_context()) {
		open_json_object(key);
		print_color_uint(PRINT_JSON, COLOR_NONE, name1, NULL, v1);
		print_color_uint(PRINT_JSON, COLOR_NONE, name2, NULL, v2);
		close_json_object();
		return;
	}
	snprintf(buf, sizeof(buf), fmt, v1, v2);
	snprintf(text, sizeof(text), "%s %s ", key, buf);
	print_color_string(PRINT_FP, COLOR_NONE, NULL, "%s", text);
}

/* Nothing is left out while the mask is 0, and nothing is shown then */
static void print_nosync(const struct rtattr *a)
{
	struct pfsync_nosync nosync;

	if (!a || RTA_PAYLOAD(a) < sizeof(nosync))
		return;
	memcpy(&nosync, RTA_DATA(a), sizeof(nosync));
	if (nosync.mask)
		print_pair("nosync", "0x%x/0x%x", "mark", nosync.mark,
			   "mask", nosync.mask);
}

/* Without shares nothing is shown */
static void print_natshare(const struct rtattr *a)
{
	struct pfsync_natshare natshare;

	if (!a || RTA_PAYLOAD(a) < sizeof(natshare))
		return;
	memcpy(&natshare, RTA_DATA(a), sizeof(natshare));
	if (natshare.of)
		print_pair("natshare", "%u/%u", "share", natshare.share,
			   "of", natshare.of);
}

/* Attributes of a nest into @tb; those that we do not know are passed over */
static void parse_nest(struct rtattr *tb[], unsigned int max,
		       const struct rtattr *nest)
{
	const struct rtattr *a = RTA_DATA(nest);
	int len = RTA_PAYLOAD(nest);
	unsigned int type;

	memset(tb, 0, sizeof(*tb) * (max + 1));
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		type = a->rta_type & NLA_TYPE_MASK;
		if (type <= max)
			tb[type] = (struct rtattr *)a;
	}
}

static void print_u64(const struct rtattr *a, const char *key,
		      const char *fmt)
{
	__u64 v;

	if (!a || RTA_PAYLOAD(a) < sizeof(v))
		return;
	memcpy(&v, RTA_DATA(a), sizeof(v));
	print_color_u64(PRINT_ANY, COLOR_NONE, key, fmt, v);
}

/* What a node says of itself; a BSD says nothing */
static void print_hello(struct rtattr *tb[])
{
	print_uint(tb[IFLA_PFSYNC_PEER_HOSTID], "hostid", "hostid 0x%08x ");
	print_name(tb[IFLA_PFSYNC_PEER_VERDICT], "verdict", "verdict %s ",
		   verdict_name, N_ELEM(verdict_name));
	print_uint(tb[IFLA_PFSYNC_PEER_STATES], "states", "states %u ");
	print_uint(tb[IFLA_PFSYNC_PEER_UPTIME], "uptime", "uptime %us ");
}

static void print_peer(struct rtattr *tb[])
{
	const struct rtattr *addr = tb[IFLA_PFSYNC_PEER_ADDR];
	const struct rtattr *hostid = tb[IFLA_PFSYNC_PEER_HOSTID];
	const struct rtattr *live = tb[IFLA_PFSYNC_PEER_LIVE];
	char buf[INET_ADDRSTRLEN];

	if (addr && RTA_PAYLOAD(addr) == sizeof(struct in_addr) &&
	    inet_ntop(AF_INET, RTA_DATA(addr), buf, sizeof(buf)))
		print_color_string(PRINT_ANY, COLOR_INET, "address",
				   "peer %s ", buf);
	if (hostid && attr_uint(hostid))
		print_hello(tb);
	print_uint(tb[IFLA_PFSYNC_PEER_HEARD], "heard", "heard %ums ");
	/* nobody can miss frames that have no number */
	if (hostid && attr_uint(hostid))
		print_u64(tb[IFLA_PFSYNC_PEER_LOST], "lost", "lost %llu ");
	if (!live)
		return;
	print_color_bool(PRINT_JSON, COLOR_NONE, "live", NULL,
			 attr_uint(live));
	if (!attr_uint(live))
		print_color_string(PRINT_FP, COLOR_NONE, NULL, "gone ", NULL);
}

static void new_line(void)
{
	if (is_json_context())
		return;
	print_nl();
	print_color_string(PRINT_FP, COLOR_NONE, NULL, "    ", NULL);
}

/* A line for each, after all else: what ip prints next is on one of its own */
static void print_peers(const struct rtattr *peers)
{
	struct rtattr *tb[IFLA_PFSYNC_PEER_MAX + 1];
	const struct rtattr *a;
	bool any = false;
	int len;

	if (!peers)
		return;
	a = RTA_DATA(peers);
	len = RTA_PAYLOAD(peers);

	open_json_array(PRINT_JSON, "peers");
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if ((a->rta_type & NLA_TYPE_MASK) != IFLA_PFSYNC_PEER)
			continue;
		parse_nest(tb, IFLA_PFSYNC_PEER_MAX, a);
		open_json_object(NULL);
		new_line();
		print_peer(tb);
		close_json_object();
		any = true;
	}
	close_json_array(PRINT_JSON, NULL);
	if (any && show_stats < 2)
		new_line();
}

static void pfsync_print_opt(struct link_util *lu, FILE *f,
			     struct rtattr *tb[])
{
	(void)lu;
	(void)f;
	if (!tb)
		return;

	print_place(tb);
	print_uint(tb[IFLA_PFSYNC_VERSION], "version", "version %u ");
	print_uint(tb[IFLA_PFSYNC_MAXUPD], "maxupd", "maxupd %u ");
	print_uint(tb[IFLA_PFSYNC_FLUSH], "flush", "flush %u ");
	print_name(tb[IFLA_PFSYNC_WINDOW], "window", "window %s ",
		   window_name, N_ELEM(window_name));
	print_on_off(tb[IFLA_PFSYNC_DEFER], "defer", "defer %s ");
	print_uint(tb[IFLA_PFSYNC_DEFERTIME], "defertime", "defertime %u ");
	print_uint(tb[IFLA_PFSYNC_DEFERLIMIT], "deferlimit", "deferlimit %u ");
	print_uint(tb[IFLA_PFSYNC_HOSTID], "hostid", "hostid 0x%08x ");
	print_on_off(tb[IFLA_PFSYNC_LOCAL], "local", "local %s ");
	print_on_off(tb[IFLA_PFSYNC_ALONE], "alone", "alone %s ");
	print_nosync(tb[IFLA_PFSYNC_NOSYNC]);
	print_natshare(tb[IFLA_PFSYNC_NATSHARE]);
	print_name(tb[IFLA_PFSYNC_VERDICT], "verdict", "verdict %s ",
		   verdict_name, N_ELEM(verdict_name));
	print_peers(tb[IFLA_PFSYNC_PEERS]);
}

/* The array may be longer or shorter than what we have names for */
static void pfsync_print_xstats(struct link_util *lu, FILE *f,
				struct rtattr *xstats)
{
	size_t i, n = 0;
	__u64 v;
	char fmt[64];

	(void)lu;
	(void)f;
	/* ip -s for the device's own counters, once more for ours */
	if (!xstats || (show_stats < 2 && !is_json_context()))
		return;

	n = RTA_PAYLOAD(xstats) / sizeof(v);
	for (i = 0; i < n && i < N_ELEM(stat_name); i++) {
		memcpy(&v, (const char *)RTA_DATA(xstats) + i * sizeof(v),
		       sizeof(v));
		if (i % 6 == 0)
			new_line();
		snprintf(fmt, sizeof(fmt), "%s %%llu ", stat_name[i]);
		print_color_u64(PRINT_ANY, COLOR_NONE, stat_name[i], fmt, v);
	}
}

struct link_util pfsync_link_util = {
	.id = "pfsync",
	.maxattr = IFLA_PFSYNC_MAX,
	.parse_opt = pfsync_parse_opt,
	.print_opt = pfsync_print_opt,
	.print_xstats = pfsync_print_xstats,
	.print_help = pfsync_print_help,
};
