/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frames of IP protocol 240, whole or in fragments: sent over a raw socket, or
 * written to a tun device, by which this very process receives them.
 */
#ifndef RAWFRAME_H
#define RAWFRAME_H

#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rawip.h"

struct rawframe {
	int fd;
	bool tun;
	struct iphdr head;	/* sum and length are added */
};

static inline void rawframe_head(struct rawframe *r, const char *src,
				 const char *dst, int ttl)
{
	r->head = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tos = 0x10,
		.frag_off = htons(IP_DF),
		.ttl = ttl,
		.protocol = 240,
	};
	if (inet_pton(AF_INET, src, &r->head.saddr) != 1 ||
	    inet_pton(AF_INET, dst, &r->head.daddr) != 1)
		errx(2, "%s, %s: no addresses", src, dst);
}

/* @dev may be NULL */
static inline void rawframe_open(struct rawframe *r, const char *dev,
				 const char *src, const char *dst, int ttl)
{
	rawframe_head(r, src, dst, ttl);
	r->tun = false;
	r->fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (r->fd < 0)
		err(1, "socket");
	if (dev && setsockopt(r->fd, SOL_SOCKET, SO_BINDTODEVICE, dev,
			      strlen(dev)))
		err(1, "%s", dev);
}

/* @dev is there, and runs once this has come back */
static inline void rawframe_open_tun(struct rawframe *r, const char *dev,
				     const char *src, const char *dst, int ttl)
{
	struct ifreq req = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	rawframe_head(r, src, dst, ttl);
	r->tun = true;
	r->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	strncpy(req.ifr_name, dev, sizeof(req.ifr_name) - 1);
	if (s < 0 || r->fd < 0 || ioctl(r->fd, TUNSETIFF, &req))
		err(1, "%s", dev);
	for (int i = 0; !(req.ifr_flags & IFF_RUNNING); i++) {
		usleep(1000);
		if (i == 60000 || ioctl(s, SIOCGIFFLAGS, &req))
			errx(1, "%s is not up", dev);
	}
	close(s);
}

/* One IP packet, or a fragment of one */
static inline void rawframe_packet(const struct rawframe *r,
				   const uint8_t *data, size_t len)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = r->head.daddr,
	};
	static uint8_t packet[65536];
	struct iphdr *head = (struct iphdr *)packet;
	size_t size = sizeof(*head) + len;
	ssize_t n;

	if (size > sizeof(packet) - 1)
		errx(2, "frame too long");
	memcpy(packet, &r->head, sizeof(*head));
	memcpy(packet + sizeof(*head), data, len);
	head->tot_len = htons(size);
	head->check = rawip_fold(rawip_sum(0, head, sizeof(*head)));
	if (r->tun)
		n = write(r->fd, packet, size);
	else
		n = sendto(r->fd, packet, size, 0, (struct sockaddr *)&to,
			   sizeof(to));
	if (n < 0)
		err(1, "frame");
}

/* @fragment: bytes of each, a multiple of 8; 0: whole. @id: of the fragments */
static inline void rawframe_send(const struct rawframe *r, const uint8_t *data,
				 size_t len, size_t fragment, uint16_t id)
{
	struct rawframe part = *r;

	if (!fragment) {
		rawframe_packet(r, data, len);
		return;
	}
	part.head.id = htons(id);
	for (size_t at = 0; at < len; at += fragment) {
		bool last = len - at <= fragment;

		part.head.frag_off = htons(at / 8 | (last ? 0 : 0x2000));
		rawframe_packet(&part, data + at, last ? len - at : fragment);
	}
}

#endif
