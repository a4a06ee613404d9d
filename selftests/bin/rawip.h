/* SPDX-License-Identifier: GPL-2.0 */
/* TCP segments with everything chosen by us, over raw sockets. */
#ifndef RAWIP_H
#define RAWIP_H

#include <arpa/inet.h>
#include <err.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct rawip {
	int fd;
	int family;
	uint8_t src[16];	/* network byte order, 4 or 16 bytes */
	uint8_t dst[16];
};

static inline int rawip_family(const char *text, uint8_t *addr)
{
	if (inet_pton(AF_INET, text, addr) == 1)
		return AF_INET;
	if (inet_pton(AF_INET6, text, addr) == 1)
		return AF_INET6;
	errx(2, "%s is no address", text);
}

static inline void rawip_open(struct rawip *r, const char *src, const char *dst)
{
	r->family = rawip_family(src, r->src);
	if (rawip_family(dst, r->dst) != r->family)
		errx(2, "%s and %s are of two families", src, dst);
	/* IPPROTO_RAW: the header is ours, in both families */
	r->fd = socket(r->family, SOCK_RAW, IPPROTO_RAW);
	if (r->fd < 0)
		err(1, "socket");
}

static inline uint32_t rawip_sum(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (; len > 1; len -= 2, p += 2)
		sum += p[0] << 8 | p[1];
	return len ? sum + (p[0] << 8) : sum;
}

static inline uint16_t rawip_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

/* The IP header in front of len bytes of TCP; returns its length. */
static inline size_t rawip_header(const struct rawip *r, uint8_t *p, size_t len)
{
	struct iphdr *ip = (struct iphdr *)p;
	struct ip6_hdr *ip6 = (struct ip6_hdr *)p;

	if (r->family == AF_INET6) {
		memset(ip6, 0, sizeof(*ip6));
		ip6->ip6_flow = htonl(6U << 28);
		ip6->ip6_plen = htons(len);
		ip6->ip6_nxt = IPPROTO_TCP;
		ip6->ip6_hlim = 64;
		memcpy(&ip6->ip6_src, r->src, 16);
		memcpy(&ip6->ip6_dst, r->dst, 16);
		return sizeof(*ip6);
	}
	memset(ip, 0, sizeof(*ip));
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->protocol = IPPROTO_TCP;
	memcpy(&ip->saddr, r->src, 4);
	memcpy(&ip->daddr, r->dst, 4);
	return sizeof(*ip);
}

static inline void rawip_send(const struct rawip *r, struct tcphdr *th,
			      const void *payload, size_t len)
{
	struct sockaddr_in to4 = { .sin_family = AF_INET };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };
	size_t addr = r->family == AF_INET ? 4 : 16, tcp = sizeof(*th) + len, head;
	uint8_t packet[2048];
	uint32_t sum;
	ssize_t n;

	if (len > 1400)
		errx(2, "payload too long");
	th->doff = sizeof(*th) / 4;
	th->check = 0;
	sum = rawip_sum(IPPROTO_TCP + tcp, r->src, addr);
	sum = rawip_sum(sum, r->dst, addr);
	sum = rawip_sum(sum, th, sizeof(*th));
	th->check = rawip_fold(rawip_sum(sum, payload, len));
	head = rawip_header(r, packet, tcp);
	memcpy(packet + head, th, sizeof(*th));
	memcpy(packet + head + sizeof(*th), payload, len);
	memcpy(&to4.sin_addr, r->dst, 4);
	memcpy(&to6.sin6_addr, r->dst, 16);
	if (r->family == AF_INET)
		n = sendto(r->fd, packet, head + tcp, 0,
			   (struct sockaddr *)&to4, sizeof(to4));
	else
		n = sendto(r->fd, packet, head + tcp, 0,
			   (struct sockaddr *)&to6, sizeof(to6));
	if (n < 0)
		err(1, "sendto");
}

#endif
