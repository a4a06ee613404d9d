/* SPDX-License-Identifier: GPL-2.0 */
/* Frames of IP protocol 240 over a raw socket, whole or in fragments. */
#ifndef RAWFRAME_H
#define RAWFRAME_H

#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct rawframe {
	int fd;
	struct iphdr head;	/* the kernel only adds sum and length */
};

/* @dev may be NULL */
static inline void rawframe_open(struct rawframe *r, const char *dev,
				 const char *src, const char *dst, int ttl)
{
	r->head = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tos = 0x10,
		.frag_off = htons(IP_DF),
		.ttl = ttl,
		.protocol = 240,
	};
	r->fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (r->fd < 0)
		err(1, "socket");
	if (dev && setsockopt(r->fd, SOL_SOCKET, SO_BINDTODEVICE, dev,
			      strlen(dev)))
		err(1, "%s", dev);
	if (inet_pton(AF_INET, src, &r->head.saddr) != 1 ||
	    inet_pton(AF_INET, dst, &r->head.daddr) != 1)
		errx(2, "%s, %s: no addresses", src, dst);
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

	if (len > sizeof(packet) - sizeof(r->head))
		errx(2, "frame too long");
	memcpy(packet, &r->head, sizeof(r->head));
	memcpy(packet + sizeof(r->head), data, len);
	if (sendto(r->fd, packet, len + sizeof(r->head), 0,
		   (struct sockaddr *)&to, sizeof(to)) < 0)
		err(1, "sendto");
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
