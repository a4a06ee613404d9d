// SPDX-License-Identifier: GPL-2.0
/*
 * fuzzsync - send damaged pfsync frames and say what is to become of them
 *
 *	fuzzsync [options]
 *
 *	-S N	seed (of the clock), which is printed: it brings all of it back
 *	-n N	so many frames (1000)	-t N	for N seconds, whatever -n says
 *	-f N	number of the first frame (0); a pause when the other side has
 *		fallen behind is not part of what the seed brings back
 *	-r FILE	frames of a real peer, as rawrecv -x prints them: some are sent
 *		again, damaged or not, and their states are spoken of
 *	-b	only those that have to be refused as a whole
 *	-u	none that has a number, so that all good ones are to be applied
 *	-h N	hostid of the receiver	-p	print each in hex, send nothing
 *	-i DEV	interface		-s ADDR	source (10.0.9.1)
 *	-d ADDR	destination (224.0.0.240)	-T N	TTL (255)
 *	-a	now and then from another address of that network
 *	-k TUN	guided by what of the module they run (guide.h). They are written
 *		to that tun device of the receiver's, which this has to run beside;
 *		what that says is heard. The seed does not bring that back.
 *
 * In the end it says how many it sent, how many of them are to be refused, by
 * counter, how many are good, and how many messages are in those, by counter.
 * What stands in numbered frames, which may come twice, is told apart: as
 * "maybe COUNTER N".
 */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzzframe.h"
#include "fuzzjudge.h"
#include "guide.h"
#include "rawframe.h"

/* Without a pause a receiver's backlog runs over, which drops what it likes */
#define BURST 50

static uint64_t verdicts[FUZZJUDGE_VERDICTS];
static struct fuzzjudge sure, maybe;
static uint64_t sent, numbered;

static struct {
	uint64_t seed, first, frames;
	uint32_t hostid;
	int seconds;
	bool refused_only, unnumbered_only, print, addresses, guided;
} opt = { .frames = 1000 };

static void add(struct fuzzjudge *sum, const struct fuzzjudge *j)
{
	for (int i = 0; i < FUZZJUDGE_ACTIONS; i++)
		sum->of[i] += j->of[i];
	sum->skipped += j->skipped;
}

static void print_hex(const struct fuzzframe *f)
{
	for (size_t i = 0; i < f->len; i++)
		printf("%02x", f->data[i]);
	putchar('\n');
}

/* Now and then in fragments; what is long, always */
static size_t fragment_of(struct prng *r, size_t len)
{
	if (len > 1400)
		return 1400;
	return prng_once(r, 20) && len > 64 ? 8 + 8 * prng_below(r, 80) : 0;
}

static void send_it(const struct rawframe *to, struct prng *r,
		    const struct fuzzframe *f, uint16_t id)
{
	struct rawframe from = *to;

	if (opt.addresses && prng_once(r, 4))
		from.head.saddr = (to->head.saddr & htonl(~0xffU)) |
				  htonl(3 + prng_below(r, 250));
	rawframe_send(&from, f->data, f->len, fragment_of(r, f->len), id);
}

/* What the receiver sends by its tun device: we are the other end */
static void hear(const struct rawframe *from)
{
	uint8_t packet[sizeof(struct iphdr) + FUZZFRAME_MAX];
	const struct iphdr *ip = (const struct iphdr *)packet;
	static struct fuzzframe f;
	ssize_t n;

	while ((n = read(from->fd, packet, sizeof(packet))) > 0) {
		if (n < (ssize_t)sizeof(*ip) || ip->protocol != 240 ||
		    n < 4 * ip->ihl)
			continue;
		f.len = n - 4 * ip->ihl;
		memcpy(f.data, packet + 4 * ip->ihl, f.len);
		fuzzframe_hear(&f);
	}
}

static void one(const struct rawframe *to, uint64_t number)
{
	struct prng r = prng_stream(~opt.seed, number);
	struct prng draws = opt.guided ? guide_pick(opt.seed, number) :
					 prng_stream(opt.seed, number);
	enum fuzzjudge_verdict v;
	static struct fuzzframe f;
	struct fuzzjudge j;

	fuzzframe_make(&f, &draws);
	v = fuzzjudge(f.data, f.len, opt.hostid, &j);
	if ((opt.refused_only && v == FUZZJUDGE_GOOD) ||
	    (opt.unnumbered_only && j.numbered))
		return;
	verdicts[v]++;
	if (v == FUZZJUDGE_GOOD) {
		numbered += j.numbered;
		add(j.numbered ? &maybe : &sure, &j);
	}
	sent++;
	if (opt.print) {
		print_hex(&f);
		return;
	}
	if (opt.guided)
		guide_watch();
	/* an id of 0 the kernel replaces, for each fragment anew */
	send_it(to, &r, &f, number % 65535 + 1);
	if (opt.guided) {
		guide_learn();
		hear(to);
	}
}

static void say(const char *prefix, const struct fuzzjudge *j)
{
	for (int i = 0; i < FUZZJUDGE_ACTIONS; i++)
		if (fuzzjudge_counter(i))
			printf("%s%s %llu\n", prefix, fuzzjudge_counter(i),
			       (unsigned long long)j->of[i]);
	printf("%srx_skipped %llu\n", prefix, (unsigned long long)j->skipped);
}

static void report(void)
{
	static const char *const names[] = {
		"good", "hdrops", "badver", "badlen", "badact",
	};

	printf("sent %llu\n", (unsigned long long)sent);
	for (int i = 0; i < FUZZJUDGE_VERDICTS; i++)
		printf("%s %llu\n", names[i], (unsigned long long)verdicts[i]);
	printf("numbered %llu\n", (unsigned long long)numbered);
	say("", &sure);
	say("maybe ", &maybe);
}

static void run(const struct rawframe *to)
{
	time_t end = time(NULL) + opt.seconds;
	uint64_t i;

	for (i = 0; opt.seconds ? time(NULL) < end : i < opt.frames; i++) {
		one(to, opt.first + i);
		if (!opt.print && !opt.guided && i % BURST == BURST - 1)
			usleep(1000);
	}
	fprintf(stderr, "seed %llu, frames %llu to %llu\n",
		(unsigned long long)opt.seed, (unsigned long long)opt.first,
		(unsigned long long)(opt.first + i - 1));
}

int main(int argc, char **argv)
{
	const char *src = "10.0.9.1", *dst = "224.0.0.240", *dev = NULL;
	const char *tun = NULL;
	struct rawframe to;
	int c, ttl = 255, off = 0;

	opt.seed = time(NULL);
	while ((c = getopt(argc, argv, "S:n:t:f:r:buh:pak:i:s:d:T:")) > 0) {
		switch (c) {
		case 'S': opt.seed = strtoull(optarg, NULL, 0); break;
		case 'n': opt.frames = strtoull(optarg, NULL, 0); break;
		case 't': opt.seconds = atoi(optarg); break;
		case 'f': opt.first = strtoull(optarg, NULL, 0); break;
		case 'r': fuzzframe_record(optarg); break;
		case 'b': opt.refused_only = true; break;
		case 'u': opt.unnumbered_only = true; break;
		case 'h': opt.hostid = strtoul(optarg, NULL, 0); break;
		case 'p': opt.print = true; break;
		case 'a': opt.addresses = true; break;
		case 'k': tun = optarg; break;
		case 'i': dev = optarg; break;
		case 's': src = optarg; break;
		case 'd': dst = optarg; break;
		case 'T': ttl = atoi(optarg); break;
		default: return 2;
		}
	}
	if (tun) {
		opt.guided = true;
		rawframe_open_tun(&to, tun, src, dst, ttl);
		guide_open();
	} else if (!opt.print) {
		rawframe_open(&to, dev, src, dst, ttl);
		/* a node of ours on this side is not meant */
		setsockopt(to.fd, IPPROTO_IP, IP_MULTICAST_LOOP, &off,
			   sizeof(off));
	}
	run(&to);
	if (!opt.print)
		report();
	if (tun)
		guide_report();
	return 0;
}
