// SPDX-License-Identifier: GPL-2.0
/*
 * rawrecv - read IP protocol 240 beside the kernel's own receiver
 *
 *	rawrecv [-x] PACKETS [SECONDS]
 *
 * Says when it listens, and of each packet its source, length, TTL and header
 * version; with -x what stands behind the IP header, in hex. Ends well when it
 * has seen so many of them in time.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/ip.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void tell(const unsigned char *packet, ssize_t len)
{
	const struct iphdr *ip = (const struct iphdr *)packet;
	struct in_addr from = { .s_addr = ip->saddr };

	printf("from %s length %zd ttl %u version %u\n", inet_ntoa(from), len,
	       ip->ttl, packet[ip->ihl * 4]);
}

static void tell_hex(const unsigned char *packet, ssize_t len)
{
	const struct iphdr *ip = (const struct iphdr *)packet;

	for (ssize_t i = ip->ihl * 4; i < len; i++)
		printf("%02x", packet[i]);
	putchar('\n');
}

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_RAW, 240);
	bool hex = argc > 1 && !strcmp(argv[1], "-x");
	static unsigned char packet[65536];
	long left;

	argc -= hex;
	argv += hex;
	left = argc > 1 ? atol(argv[1]) : 1;
	if (fd < 0)
		err(2, "socket");
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("listening\n");
	alarm(argc > 2 ? atoi(argv[2]) : 60);
	while (left-- > 0) {
		const struct iphdr *ip = (const struct iphdr *)packet;
		ssize_t n = recv(fd, packet, sizeof(packet), 0);

		if (n <= ip->ihl * 4)
			errx(1, "short packet");
		(hex ? tell_hex : tell)(packet, n);
	}
	return 0;
}
