// SPDX-License-Identifier: GPL-2.0
/*
 * fuzzlink - ask for changes of a pfsync device, right ones and wrong ones
 *
 *	fuzzlink [options] DEVICE
 *
 *	-S N	seed (of the clock), which is printed: it brings all of it back
 *	-n N	so many requests (1000)		-t N	for N seconds, whatever
 *		-n says			-f N	number of the first request (0)
 *	-d DEV	a device that may be a syncdev; several times
 *	-a ADDR	an address that may be a syncpeer; several times
 *	-b DEV, -B ADDR	ones that may not
 *	-v	say each	-k	guided by what of the module they run
 *		(guide.h): the seed does not bring that back
 *
 * DEVICE comes and goes, and is up or down. Of every request it is known here
 * whether it has to be refused; a refusal has to have a text and to leave all
 * as it was, and after a change the device has to show what was asked for, and
 * the rest as it was. Some requests have their bytes damaged: of these only the
 * answer is checked against the device. Ends well only if all of that is so.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../include/uapi/linux/if_pfsync.h"
#include "guide.h"
#include "prng.h"
#include "rtlink.h"

#define TYPES		(IFLA_PFSYNC_MAX + 1)
#define VALUE_MAX	8
#define ASKED_MAX	8
#define CHOICES		8

enum expected { ACCEPTED, REFUSED, UNKNOWN };

struct value {
	size_t len;
	uint8_t v[VALUE_MAX];
};

/* What a device shows of its configuration */
struct config {
	bool there, up;
	struct value of[TYPES];
};

struct asked {
	int type;
	bool nested;		/* flagged so, which no attribute is */
	size_t len;
	uint8_t v[16];
};

struct request {
	struct asked a[ASKED_MAX];
	size_t n;
	bool link;		/* IFLA_LINK as well */
	bool damaged;
};

static const size_t sizes[TYPES] = {
	[IFLA_PFSYNC_SYNCDEV] = 4, [IFLA_PFSYNC_SYNCPEER] = 4,
	[IFLA_PFSYNC_VERSION] = 2, [IFLA_PFSYNC_MAXUPD] = 1,
	[IFLA_PFSYNC_FLUSH] = 4, [IFLA_PFSYNC_WINDOW] = 1,
	[IFLA_PFSYNC_DEFER] = 1, [IFLA_PFSYNC_HOSTID] = 4,
	[IFLA_PFSYNC_LOCAL] = 1, [IFLA_PFSYNC_VERDICT] = 1,
	[IFLA_PFSYNC_ALONE] = 1,
	[IFLA_PFSYNC_NOSYNC] = sizeof(struct pfsync_nosync),
	[IFLA_PFSYNC_DEFERTIME] = 4, [IFLA_PFSYNC_DEFERLIMIT] = 4,
	[IFLA_PFSYNC_NATSHARE] = sizeof(struct pfsync_natshare),
};

static struct {
	uint64_t seed, first, requests;
	int seconds;
	bool verbose, guided;
	const char *dev;
	uint32_t devs[CHOICES], bad_devs[CHOICES];
	uint32_t addrs[CHOICES], bad_addrs[CHOICES];
	size_t n_devs, n_bad_devs, n_addrs, n_bad_addrs;
} opt = { .requests = 1000 };

static uint64_t accepted, refused, unknown, wrong;
static uint64_t current;
static int sock;

/* --- what is asked for --- */

static uint32_t number(const uint8_t *v, size_t len)
{
	uint32_t n = 0;

	memcpy(&n, v, len < sizeof(n) ? len : sizeof(n));
	return n;
}

static uint32_t choice(struct prng *r, const uint32_t *good, size_t n_good,
		       const uint32_t *bad, size_t n_bad)
{
	if (n_bad && prng_once(r, 4))
		return bad[prng_below(r, n_bad)];
	return n_good && !prng_once(r, 6) ? good[prng_below(r, n_good)] : 0;
}

/* As a rule within the range, or right beside it */
static uint32_t some_number(struct prng *r, int type)
{
	switch (type) {
	case IFLA_PFSYNC_SYNCDEV:
		return choice(r, opt.devs, opt.n_devs, opt.bad_devs,
			      opt.n_bad_devs);
	case IFLA_PFSYNC_SYNCPEER:
		return choice(r, opt.addrs, opt.n_addrs, opt.bad_addrs,
			      opt.n_bad_addrs);
	case IFLA_PFSYNC_VERSION:
		return prng_once(r, 4) ? 1301 : 6;
	case IFLA_PFSYNC_FLUSH:
		return prng_below(r, PFSYNC_FLUSH_MAX + 2);
	case IFLA_PFSYNC_DEFERTIME:
		return prng_once(r, 3) ? PFSYNC_DEFERTIME_MAX :
					 prng_below(r, 50);
	case IFLA_PFSYNC_DEFERLIMIT:
		return PFSYNC_DEFERLIMIT_MAX * prng_below(r, 2) +
		       prng_below(r, 2);
	case IFLA_PFSYNC_WINDOW:
		return prng_below(r, 4);
	case IFLA_PFSYNC_DEFER:
	case IFLA_PFSYNC_LOCAL:
	case IFLA_PFSYNC_ALONE:
		return prng_below(r, 7) % 3;
	default:
		return prng_next(r);
	}
}

static void fill_value(struct prng *r, struct asked *a)
{
	struct pfsync_nosync nosync = { .mask = prng_extreme(r) };
	uint64_t v = prng_once(r, 8) ? prng_extreme(r) :
				       some_number(r, a->type);

	for (size_t i = 0; i < sizeof(a->v); i++)
		a->v[i] = prng_next(r);
	if (a->type == IFLA_PFSYNC_NOSYNC) {
		nosync.mark = nosync.mask & prng_next(r);
		memcpy(a->v, &nosync, sizeof(nosync));
		a->v[prng_below(r, 4)] ^= prng_once(r, 4);
	} else if (a->type == IFLA_PFSYNC_NATSHARE) {
		a->v[1] = prng_below(r, 19);
		a->v[0] = prng_below(r, a->v[1] + 1);
	} else {
		memcpy(a->v, &v, sizeof(v));
	}
}

static void fill_asked(struct prng *r, struct asked *a)
{
	a->type = prng_below(r, TYPES + 1);
	if (prng_once(r, 20))
		a->type = prng_below(r, 1 << 14);
	/* what is never taken would keep all the others from it */
	if ((a->type == IFLA_PFSYNC_VERDICT || a->type == IFLA_PFSYNC_PEERS) &&
	    !prng_once(r, 4))
		a->type = IFLA_PFSYNC_FLUSH;
	a->nested = prng_once(r, 40);
	a->len = a->type < TYPES ? sizes[a->type] : 4;
	fill_value(r, a);
	if (prng_once(r, 25))
		a->len = prng_below(r, sizeof(a->v) + 1);
}

static void make(struct prng *r, struct request *q)
{
	q->n = prng_below(r, prng_once(r, 4) ? ASKED_MAX + 1 : 4);
	for (size_t i = 0; i < q->n; i++)
		fill_asked(r, &q->a[i]);
	q->link = prng_once(r, 40);
	q->damaged = prng_once(r, 10);
}

/* --- what has to become of it --- */

static bool one_of(uint32_t v, const uint32_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == v)
			return true;
	return false;
}

static bool nosync_good(const uint8_t *v)
{
	struct pfsync_nosync n;

	memcpy(&n, v, sizeof(n));
	return !(n.mark & ~n.mask);
}

static bool natshare_good(const uint8_t *v)
{
	return (!v[0] && !v[1]) ||
	       (v[1] >= 2 && v[1] <= PFSYNC_NATSHARE_MAX && v[0] < v[1]);
}

static bool address_good(uint32_t addr)
{
	return !addr || addr == htonl(PFSYNC_GROUP) ||
	       one_of(addr, opt.addrs, opt.n_addrs);
}

static bool value_good(const struct asked *a)
{
	uint32_t v = number(a->v, a->len);

	switch (a->type) {
	case IFLA_PFSYNC_SYNCDEV:
		return !v || one_of(v, opt.devs, opt.n_devs);
	case IFLA_PFSYNC_SYNCPEER:
		return address_good(v);
	case IFLA_PFSYNC_VERSION:
		return v == PFSYNC_VERSION_6;
	case IFLA_PFSYNC_FLUSH:
		return v >= 1 && v <= PFSYNC_FLUSH_MAX;
	case IFLA_PFSYNC_WINDOW:
		return v < __PFSYNC_WINDOW_MAX;
	case IFLA_PFSYNC_DEFER:
	case IFLA_PFSYNC_LOCAL:
	case IFLA_PFSYNC_ALONE:
		return v <= 1;
	case IFLA_PFSYNC_HOSTID:
		return v;
	case IFLA_PFSYNC_NOSYNC:
		return nosync_good(a->v);
	case IFLA_PFSYNC_DEFERTIME:
		return v >= 1 && v <= PFSYNC_DEFERTIME_MAX;
	case IFLA_PFSYNC_DEFERLIMIT:
		return v >= 1 && v <= PFSYNC_DEFERLIMIT_MAX;
	case IFLA_PFSYNC_NATSHARE:
		return natshare_good(a->v);
	default:
		return true;
	}
}

/* Of its form, which is looked at wherever it stands; of type 0 nobody cares */
static bool form_good(const struct asked *a)
{
	if (!a->type || a->type >= TYPES)
		return true;
	return a->type != IFLA_PFSYNC_VERDICT && a->type != IFLA_PFSYNC_PEERS &&
	       !a->nested && a->len == sizes[a->type];
}

/* Of several of one type the last one counts */
static const struct asked *last_of(const struct request *q, int type)
{
	const struct asked *last = NULL;

	for (size_t i = 0; i < q->n; i++)
		if (q->a[i].type == type)
			last = &q->a[i];
	return last;
}

/*
 * An address that nobody named may or may not be good; nor is it known what a
 * random number names.
 */
static bool is_guess(const struct asked *a)
{
	uint32_t v = number(a->v, a->len);

	if (a->type == IFLA_PFSYNC_SYNCPEER)
		return !address_good(v) &&
		       !one_of(v, opt.bad_addrs, opt.n_bad_addrs);
	return a->type == IFLA_PFSYNC_SYNCDEV && v && !value_good(a) &&
	       !one_of(v, opt.bad_devs, opt.n_bad_devs);
}

static enum expected judge(const struct request *q, bool up)
{
	enum expected e = q->damaged ? UNKNOWN : ACCEPTED;
	const struct asked *a;

	for (size_t i = 0; i < q->n; i++)
		if (!form_good(&q->a[i]))
			return q->damaged ? UNKNOWN : REFUSED;
	for (int t = 1; t < TYPES; t++) {
		a = last_of(q, t);
		if (!a)
			continue;
		if (is_guess(a))
			e = UNKNOWN;
		else if (!value_good(a) && e == ACCEPTED)
			e = REFUSED;
	}
	if (e == ACCEPTED &&
	    (q->link || (last_of(q, IFLA_PFSYNC_RESYNC) && !up)))
		e = REFUSED;
	return e;
}

/* What the device shows when all of it was done */
static void apply(struct config *c, const struct request *q)
{
	uint32_t group = htonl(PFSYNC_GROUP);

	for (int t = 1; t < TYPES; t++) {
		const struct asked *a = last_of(q, t);

		if (!a || t == IFLA_PFSYNC_RESYNC)
			continue;
		memcpy(c->of[t].v, a->v, c->of[t].len);
		if (t == IFLA_PFSYNC_SYNCPEER && !number(a->v, 4))
			memcpy(c->of[t].v, &group, 4);
	}
}

/* --- the device --- */

static void read_value(struct config *c, const struct rtattr *a)
{
	int type = a->rta_type & NLA_TYPE_MASK;

	/* those change by themselves */
	if (type >= TYPES || type == IFLA_PFSYNC_VERDICT ||
	    type == IFLA_PFSYNC_PEERS)
		return;
	if (RTA_PAYLOAD(a) > VALUE_MAX)
		errx(1, "attribute %d has %zu bytes", type, RTA_PAYLOAD(a));
	c->of[type].len = RTA_PAYLOAD(a);
	memcpy(c->of[type].v, RTA_DATA(a), RTA_PAYLOAD(a));
}

static void read_nest(struct config *c, struct rtattr *nest, int type)
{
	int left = RTA_PAYLOAD(nest);

	for (struct rtattr *a = RTA_DATA(nest); RTA_OK(a, left);
	     a = RTA_NEXT(a, left)) {
		if (type)
			read_value(c, a);
		else if ((a->rta_type & NLA_TYPE_MASK) == IFLA_INFO_DATA)
			read_nest(c, a, IFLA_INFO_DATA);
	}
}

static void read_device(struct config *c)
{
	char buf[32768] __attribute__((aligned(8)));
	struct nlmsghdr *nh = (struct nlmsghdr *)buf;
	const struct ifinfomsg *ifi = NLMSG_DATA(nh);
	struct rtattr *a;
	struct rtlink r;
	ssize_t n;
	int left;

	memset(c, 0, sizeof(*c));
	rtlink_init(&r, RTM_GETLINK, 0);
	rtlink_put(&r, IFLA_IFNAME, opt.dev, strlen(opt.dev) + 1);
	if (send(sock, &r, r.nh.nlmsg_len, 0) < 0)
		err(2, "send");
	n = recv(sock, buf, sizeof(buf), 0);
	if (n < 0 || !NLMSG_OK(nh, (size_t)n))
		errx(2, "no answer");
	if (nh->nlmsg_type != RTM_NEWLINK)
		return;
	c->there = true;
	c->up = ifi->ifi_flags & IFF_UP;
	left = IFLA_PAYLOAD(nh);
	for (a = IFLA_RTA(ifi); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if ((a->rta_type & NLA_TYPE_MASK) == IFLA_LINKINFO)
			read_nest(c, a, 0);
}

static void put_request(struct prng *r, struct rtlink *m,
			const struct request *q)
{
	struct rtattr *info, *data;
	uint32_t one = 1;

	if (q->link)
		rtlink_put(m, IFLA_LINK, &one, sizeof(one));
	info = rtlink_put(m, IFLA_LINKINFO, "", 0);
	rtlink_put(m, IFLA_INFO_KIND, "pfsync", sizeof("pfsync"));
	data = rtlink_put(m, IFLA_INFO_DATA, "", 0);
	for (size_t i = 0; i < q->n; i++)
		rtlink_put(m, q->a[i].type | (q->a[i].nested ? NLA_F_NESTED : 0),
			   q->a[i].v, q->a[i].len);
	rtlink_end(m, data);
	rtlink_end(m, info);
	/* within the data only: what is the kernel's own is not meant */
	for (int n = 1 + prng_below(r, 4); q->damaged && q->n && n; n--) {
		size_t at = prng_below(r, RTA_PAYLOAD(data));

		((uint8_t *)RTA_DATA(data))[at] ^= 1 << prng_below(r, 8);
	}
}

/* --- one request --- */

static void complain(const char *what, const struct request *q,
		     const struct rtlink_answer *answer)
{
	wrong++;
	printf("request %llu: %s: %s '%s'%s%s\n", (unsigned long long)current,
	       what, strerror(-answer->error), answer->text,
	       q->link ? " link" : "", q->damaged ? " damaged" : "");
	for (size_t i = 0; i < q->n; i++) {
		printf("    %d%s/%zu=", q->a[i].type,
		       q->a[i].nested ? "!" : "", q->a[i].len);
		for (size_t j = 0; j < q->a[i].len; j++)
			printf("%02x", q->a[i].v[j]);
		putchar('\n');
	}
}

static void check_config(const struct config *now, const struct config *want,
			 const struct request *q,
			 const struct rtlink_answer *answer)
{
	char what[80];

	if (now->there != want->there || now->up != want->up)
		complain("came, went, up or down", q, answer);
	for (int t = 1; t < TYPES; t++) {
		if (!memcmp(&now->of[t], &want->of[t], sizeof(now->of[t])))
			continue;
		snprintf(what, sizeof(what), "attribute %d is 0x%x, not 0x%x",
			 t, number(now->of[t].v, 4), number(want->of[t].v, 4));
		complain(what, q, answer);
	}
}

static void check(struct config *before, const struct request *q,
		  enum expected e, const struct rtlink_answer *answer)
{
	struct config after;

	read_device(&after);
	if (answer->error) {
		refused++;
		if (e == ACCEPTED)
			complain("was refused", q, answer);
		if (!answer->text[0])
			complain("without a word", q, answer);
		check_config(&after, before, q, answer);
		return;
	}
	accepted++;
	if (e == REFUSED)
		complain("was accepted", q, answer);
	if (!before->there) {
		/* defaults, which are not ours to know: as the device has them */
		*before = after;
		before->there = true;
	}
	if (e == UNKNOWN && q->damaged)
		return;
	apply(before, q);
	check_config(&after, before, q, answer);
}

static void change(struct prng *r, bool create, const char *name)
{
	struct rtlink_answer answer;
	struct config before;
	struct request q = { 0 };
	enum expected e;
	struct rtlink m;

	make(r, &q);
	read_device(&before);
	rtlink_init(&m, RTM_NEWLINK, NLM_F_ACK |
		    (create ? NLM_F_CREATE | NLM_F_EXCL : 0));
	rtlink_put(&m, IFLA_IFNAME, name, strlen(name) + 1);
	put_request(r, &m, &q);
	e = judge(&q, before.up);
	/* there can only be one */
	if (create && before.there)
		e = REFUSED;
	unknown += e == UNKNOWN;
	rtlink_ask(sock, &m, &answer);
	if (opt.verbose)
		printf("%llu: %d %s\n", (unsigned long long)current,
		       answer.error, answer.text);
	check(&before, &q, e, &answer);
}

static int plain(int type, bool up)
{
	struct rtlink_answer answer;
	struct rtlink m;

	rtlink_init(&m, type, NLM_F_ACK);
	m.ifi.ifi_flags = up ? IFF_UP : 0;
	m.ifi.ifi_change = IFF_UP;
	rtlink_put(&m, IFLA_IFNAME, opt.dev, strlen(opt.dev) + 1);
	return rtlink_ask(sock, &m, &answer);
}

static void draw(struct prng *r, const struct config *now)
{
	if (!now->there) {
		change(r, true, opt.dev);
		return;
	}
	switch (prng_below(r, 30)) {
	case 0:
		plain(RTM_DELLINK, false);
		break;
	case 1:
	case 2:
		plain(RTM_NEWLINK, !now->up);
		break;
	case 3:
		change(r, true, "nfsync9");
		break;
	default:
		change(r, false, opt.dev);
	}
}

static void one(uint64_t n)
{
	struct prng r = opt.guided ? guide_pick(opt.seed, n) :
				     prng_stream(opt.seed, n);
	struct config now;

	current = n;
	read_device(&now);
	if (opt.guided)
		guide_watch();
	draw(&r, &now);
	if (opt.guided)
		guide_learn();
}

static void run(void)
{
	time_t end = time(NULL) + opt.seconds;
	uint64_t i;

	for (i = 0; opt.seconds ? time(NULL) < end : i < opt.requests; i++)
		one(opt.first + i);
	printf("seed %llu, requests %llu to %llu: %llu accepted, %llu refused, %llu of either might have been, %llu wrong\n",
	       (unsigned long long)opt.seed, (unsigned long long)opt.first,
	       (unsigned long long)(opt.first + i - 1),
	       (unsigned long long)accepted, (unsigned long long)refused,
	       (unsigned long long)unknown, (unsigned long long)wrong);
}

static void add_dev(uint32_t *list, size_t *n, const char *name)
{
	if (*n < CHOICES)
		list[(*n)++] = if_nametoindex(name) ? : strtoul(name, NULL, 0);
}

static void add_addr(uint32_t *list, size_t *n, const char *text)
{
	if (*n < CHOICES && inet_pton(AF_INET, text, &list[(*n)++]) != 1)
		errx(2, "%s is no address", text);
}

int main(int argc, char **argv)
{
	int c;

	opt.seed = time(NULL);
	while ((c = getopt(argc, argv, "S:n:t:f:d:a:b:B:vk")) > 0) {
		switch (c) {
		case 'S': opt.seed = strtoull(optarg, NULL, 0); break;
		case 'n': opt.requests = strtoull(optarg, NULL, 0); break;
		case 't': opt.seconds = atoi(optarg); break;
		case 'f': opt.first = strtoull(optarg, NULL, 0); break;
		case 'd': add_dev(opt.devs, &opt.n_devs, optarg); break;
		case 'a': add_addr(opt.addrs, &opt.n_addrs, optarg); break;
		case 'b': add_dev(opt.bad_devs, &opt.n_bad_devs, optarg); break;
		case 'B': add_addr(opt.bad_addrs, &opt.n_bad_addrs, optarg); break;
		case 'v': opt.verbose = true; break;
		case 'k': opt.guided = true; break;
		default: return 2;
		}
	}
	if (optind != argc - 1)
		errx(2, "which device?");
	opt.dev = argv[optind];
	sock = rtlink_open();
	if (opt.guided)
		guide_open();
	run();
	if (opt.guided)
		guide_report();
	return wrong ? 1 : 0;
}
