// SPDX-License-Identifier: GPL-2.0
/* The answering side of flow: TCP rounds and UDP echoes on the same ports. */
#include "flow.h"

#include <endian.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum kind { LISTENER, UDP, CONN };

struct conn {
	enum kind kind;
	int fd;
	bool in_round;
	bool want_out;
	size_t head_got;
	size_t tail_sent;
	uint64_t since;		/* last bytes of this round */
	uint64_t stall_ns;
	struct flow_header head;
	struct flow_stream up;
	struct flow_stream down;
};

static int epfd;

static void watch(struct conn *c, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	if (epoll_ctl(epfd, op, c->fd, &ev))
		err(1, "epoll_ctl");
}

static void conn_close(struct conn *c)
{
	close(c->fd);
	free(c);
}

static void conn_accept(int lfd)
{
	struct conn *c;
	int one = 1, fd;

	while ((fd = accept4(lfd, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c = calloc(1, sizeof(*c));
		if (!c)
			err(1, "calloc");
		c->kind = CONN;
		c->fd = fd;
		watch(c, EPOLL_CTL_ADD, EPOLLIN);
	}
}

/* 1: complete, 0: not yet, -1: the connection is over */
static int read_header(struct conn *c)
{
	ssize_t n = recv(c->fd, (char *)&c->head + c->head_got,
			 sizeof(c->head) - c->head_got, 0);

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	c->head_got += n;
	if (!n)
		return -1;
	if (c->head_got < sizeof(c->head))
		return 0;
	if (c->head.magic != htonl(FLOW_MAGIC))
		return -1;
	flow_stream_start(&c->up, 0, be64toh(c->head.up));
	flow_stream_start(&c->down, be64toh(c->head.seed),
			  be64toh(c->head.down));
	c->in_round = true;
	c->since = flow_now();
	c->stall_ns = 0;
	c->head_got = 0;
	c->tail_sent = 0;
	return 1;
}

/* 1: sent, 0: the socket is full, -1: error */
static int send_trailer(struct conn *c)
{
	struct flow_trailer t = {
		htobe64(c->up.hash), htobe64(c->down.hash),
		htobe64(c->stall_ns)
	};
	ssize_t n = send(c->fd, (char *)&t + c->tail_sent,
			 sizeof(t) - c->tail_sent, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	c->tail_sent += n;
	if (c->tail_sent < sizeof(t))
		return 0;
	c->in_round = false;
	return 1;
}

static void progress(struct conn *c)
{
	uint64_t now = flow_now();

	if (now - c->since > c->stall_ns)
		c->stall_ns = now - c->since;
	c->since = now;
}

/* One step of the round; what flow_stream_*() return, 1 for progress */
static int round_step(struct conn *c)
{
	int moved = 0, n;

	if (c->up.left) {
		n = flow_stream_recv(&c->up, c->fd);
		if (n < 0)
			return -1;
		if (n)
			progress(c);
		moved |= n > 0;
	}
	if (c->down.left) {
		n = flow_stream_send(&c->down, c->fd);
		if (n < 0)
			return -1;
		moved |= n > 0;
	}
	if (!c->up.left && !c->down.left)
		return send_trailer(c);
	return moved;
}

static void conn_event(struct conn *c)
{
	bool out;
	int n;

	do {
		n = c->in_round ? round_step(c) : read_header(c);
	} while (n > 0);
	if (n < 0) {
		conn_close(c);
		return;
	}
	out = c->in_round && (c->down.left || !c->up.left);
	if (out != c->want_out)
		watch(c, EPOLL_CTL_MOD, EPOLLIN | (out ? EPOLLOUT : 0));
	c->want_out = out;
}

static void udp_event(int fd)
{
	struct sockaddr_in6 from;
	char buf[2048];
	socklen_t len;
	ssize_t n;

	for (;;) {
		len = sizeof(from);
		n = recvfrom(fd, buf, sizeof(buf), 0,
			     (struct sockaddr *)&from, &len);
		if (n < 0)
			return;
		sendto(fd, buf, n, 0, (struct sockaddr *)&from, len);
	}
}

/* Both families on one socket. */
static void server_socket(enum kind kind, int port)
{
	struct sockaddr_in6 any = {
		.sin6_family = AF_INET6, .sin6_port = htons(port)
	};
	struct conn *c = calloc(1, sizeof(*c));
	int one = 1, zero = 0, buf = 4 << 20;

	if (!c)
		err(1, "calloc");
	c->kind = kind;
	c->fd = socket(AF_INET6, (kind == UDP ? SOCK_DGRAM : SOCK_STREAM) |
		       SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		err(1, "socket");
	setsockopt(c->fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (kind == UDP)
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buf, sizeof(buf));
	if (bind(c->fd, (struct sockaddr *)&any, sizeof(any)))
		err(1, "bind %d", port);
	if (kind == LISTENER && listen(c->fd, 4096))
		err(1, "listen");
	watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

int flow_server(int port, int ports)
{
	struct epoll_event ev[64];

	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0)
		err(1, "epoll");
	for (int i = 0; i < ports; i++) {
		server_socket(UDP, port + i);
		server_socket(LISTENER, port + i);
	}
	for (;;) {
		int n = epoll_wait(epfd, ev, 64, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = ev[i].data.ptr;

			if (c->kind == LISTENER)
				conn_accept(c->fd);
			else if (c->kind == UDP)
				udp_event(c->fd);
			else
				conn_event(c);
		}
	}
}
