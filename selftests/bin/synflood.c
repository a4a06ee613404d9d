// SPDX-License-Identifier: GPL-2.0
/*
 * synflood - SYNs that nobody means, each of another source
 *
 *	synflood [-n N] [-r PER_SECOND] [-q PORTS] SOURCE DESTINATION PORT
 *
 * Ports are counted up from 1024; after 64,000 of them the last four bytes of
 * the source address are counted up. Prints how many were sent.
 */
#include "rawip.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PORT 1024
#define PORTS 64000

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void next_source(struct rawip *r)
{
	size_t last = r->family == AF_INET ? 3 : 15;

	for (size_t i = last; i > last - 4 && !++r->src[i]; i--)
		;
}

/* At most 10 ms ahead of the rate. */
static void keep_rate(uint64_t start, long sent, long rate)
{
	uint64_t due = start + sent * 1000000000ULL / rate;
	uint64_t now = now_ns();

	if (due > now + 10000000)
		usleep((due - now) / 1000);
}

int main(int argc, char **argv)
{
	long n = 1000, rate = 0, ports = 1;
	struct tcphdr th = { .syn = 1, .window = htons(64240) };
	struct rawip r = { 0 };
	uint64_t start;
	int opt, port;

	while ((opt = getopt(argc, argv, "n:r:q:")) > 0) {
		switch (opt) {
		case 'n': n = atol(optarg); break;
		case 'r': rate = atol(optarg); break;
		case 'q': ports = atol(optarg); break;
		default: return 2;
		}
	}
	if (argc - optind != 3) {
		fprintf(stderr, "usage: synflood [options] SRC DST PORT\n");
		return 2;
	}
	rawip_open(&r, argv[optind], argv[optind + 1]);
	port = atoi(argv[optind + 2]);
	start = now_ns();
	for (long i = 0; i < n; i++) {
		if (i && i % PORTS == 0)
			next_source(&r);
		th.source = htons(FIRST_PORT + i % PORTS);
		th.dest = htons(port + i % ports);
		th.seq = htonl(i * 2654435761U);
		rawip_send(&r, &th, "", 0);
		if (rate)
			keep_rate(start, i, rate);
	}
	printf("synflood: sent=%ld ms=%llu\n", n,
	       (unsigned long long)((now_ns() - start) / 1000000));
	return 0;
}
