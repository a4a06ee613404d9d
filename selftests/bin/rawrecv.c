// SPDX-License-Identifier: GPL-2.0
/*
 * rawrecv - read IP protocol 240 beside the kernel's own receiver
 *
 *	rawrecv PACKETS [SECONDS]
 *
 * Says when it listens, and of each packet its source, length, TTL and header
 * version. Ends well when it has seen so many of them in time.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_RAW, 240);
	long left = argc > 1 ? atol(argv[1]) : 1;
	static unsigned char packet[65536];

	if (fd < 0)
		err(2, "socket");
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("listening\n");
	alarm(argc > 2 ? atoi(argv[2]) : 60);
	while (left-- > 0) {
		const struct iphdr *ip = (const struct iphdr *)packet;
		ssize_t n = recv(fd, packet, sizeof(packet), 0);
		struct in_addr from = { .s_addr = ip->saddr };

		if (n <= ip->ihl * 4)
			errx(1, "short packet");
		printf("from %s length %zd ttl %u version %u\n",
		       inet_ntoa(from), n, ip->ttl, packet[ip->ihl * 4]);
	}
	return 0;
}
