// SPDX-License-Identifier: GPL-2.0
/*
 * segment - one forged TCP segment
 *
 *	segment [options] SRC SPORT DST DPORT
 *
 *	-S SEQ	sequence number		-A ACK	acknowledgement number
 *	-f FLAGS	of "SFRPA", A by default	-w WIN	window (64240)
 *	-l LEN	bytes of payload (0)
 *	-i DEV	watch DEV first, until a segment of that connection passes in
 *		that direction: numbers with a sign then count from the end of
 *		that segment, and from its acknowledgement number
 *
 * Prints the numbers used.
 */
#include "rawip.h"

#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_S 10

struct seen {
	uint32_t end;
	uint32_t ack;
};

/* The TCP header behind an IP header of our family and addresses, or NULL */
static const struct tcphdr *match_ip(const struct rawip *r, const uint8_t *p,
				     size_t n, size_t *payload)
{
	const struct iphdr *ip = (const void *)p;
	const struct ip6_hdr *ip6 = (const void *)p;
	size_t head, total;

	if (r->family == AF_INET) {
		if (n < sizeof(*ip) || ip->version != 4 ||
		    ip->protocol != IPPROTO_TCP ||
		    memcmp(&ip->saddr, r->src, 4) || memcmp(&ip->daddr, r->dst, 4))
			return NULL;
		head = ip->ihl * 4;
		total = ntohs(ip->tot_len);
	} else {
		if (n < sizeof(*ip6) || p[0] >> 4 != 6 ||
		    ip6->ip6_nxt != IPPROTO_TCP ||
		    memcmp(&ip6->ip6_src, r->src, 16) ||
		    memcmp(&ip6->ip6_dst, r->dst, 16))
			return NULL;
		head = sizeof(*ip6);
		total = head + ntohs(ip6->ip6_plen);
	}
	if (n < head + sizeof(struct tcphdr))
		return NULL;
	*payload = total - head;
	return (const void *)(p + head);
}

static bool match(const struct rawip *r, const struct tcphdr *want,
		  const uint8_t *p, size_t n, struct seen *seen)
{
	const struct tcphdr *th;
	size_t len;

	th = match_ip(r, p, n, &len);
	if (!th || th->source != want->source || th->dest != want->dest)
		return false;
	len -= th->doff * 4;
	seen->end = ntohl(th->seq) + len + th->syn + th->fin;
	seen->ack = ntohl(th->ack_seq);
	return true;
}

static void watch(const char *dev, const struct rawip *r,
		  const struct tcphdr *want, struct seen *seen)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(dev),
	};
	struct timeval limit = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));
	uint8_t buf[65536];
	ssize_t n;

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)))
		err(1, "%s", dev);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	do {
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0)
			err(1, "no segment seen on %s", dev);
	} while (!match(r, want, buf, n, seen));
	close(fd);
}

/* A signed number counts from base. */
static uint32_t number(const char *text, uint32_t base)
{
	if (!text)
		return base;
	if (*text == '+' || *text == '-')
		return base + (uint32_t)strtoll(text, NULL, 0);
	return strtoul(text, NULL, 0);
}

static void set_flags(struct tcphdr *th, const char *flags)
{
	th->syn = !!strchr(flags, 'S');
	th->fin = !!strchr(flags, 'F');
	th->rst = !!strchr(flags, 'R');
	th->psh = !!strchr(flags, 'P');
	th->ack = !!strchr(flags, 'A');
}

int main(int argc, char **argv)
{
	const char *seq = NULL, *ack = NULL, *dev = NULL;
	struct tcphdr th = { .ack = 1, .window = htons(64240) };
	static const char payload[1400];
	struct rawip r = { 0 };
	struct seen seen = { 0 };
	size_t len = 0;
	int opt;

	while ((opt = getopt(argc, argv, "S:A:f:w:l:i:")) > 0) {
		switch (opt) {
		case 'S': seq = optarg; break;
		case 'A': ack = optarg; break;
		case 'f': set_flags(&th, optarg); break;
		case 'w': th.window = htons(atoi(optarg)); break;
		case 'l': len = atoi(optarg); break;
		case 'i': dev = optarg; break;
		default: return 2;
		}
	}
	if (argc - optind != 4) {
		fprintf(stderr, "usage: segment [options] SRC SPORT DST DPORT\n");
		return 2;
	}
	argv += optind;
	rawip_open(&r, argv[0], argv[2]);
	th.source = htons(atoi(argv[1]));
	th.dest = htons(atoi(argv[3]));
	if (dev)
		watch(dev, &r, &th, &seen);
	th.seq = htonl(number(seq, seen.end));
	th.ack_seq = htonl(number(ack, seen.ack));
	rawip_send(&r, &th, payload, len);
	printf("segment: seq=%u ack=%u\n", ntohl(th.seq), ntohl(th.ack_seq));
	return 0;
}
