// SPDX-License-Identifier: GPL-2.0
/* The asking side of flow over TCP. */
#include "flow.h"

#include <endian.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum phase { UNUSED, CONNECTING, ROUND, IDLE, CLOSING, DONE };

struct conn {
	enum phase phase;
	int fd;
	uint32_t events;
	long index;
	long rounds;
	size_t head_sent;
	size_t tail_got;
	uint64_t since;		/* last progress */
	uint64_t due;		/* of the next round while IDLE, 0: when told */
	struct flow_stream up;
	struct flow_stream down;
	struct flow_trailer tail;
};

struct client {
	const struct flow_opts *o;
	struct flow_result *r;
	struct conn *conns;
	uint64_t start;
	long started;
	long running;
	long warm;		/* have had their first round */
	int epfd;
	bool told;
	bool ready;
};

static void watch(struct client *cl, struct conn *c, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };
	int op = c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (c->events == events)
		return;
	if (epoll_ctl(cl->epfd, op, c->fd, &ev))
		err(1, "epoll_ctl");
	c->events = events;
}

static void conn_end(struct client *cl, struct conn *c, int error)
{
	if (error) {
		cl->r->failed++;
		if (!cl->r->error)
			cl->r->error = error;
	} else {
		cl->r->ok++;
	}
	if (c->fd >= 0)
		close(c->fd);
	c->phase = DONE;
	cl->running--;
}

static void conn_progress(struct client *cl, struct conn *c)
{
	uint64_t now = flow_now();

	if (now - c->since > cl->r->stall_ns)
		cl->r->stall_ns = now - c->since;
	c->since = now;
}

static void round_start(struct client *cl, struct conn *c)
{
	c->phase = ROUND;
	c->head_sent = 0;
	c->tail_got = 0;
	c->since = flow_now();
	flow_stream_start(&c->up, c->index * 1000003 + c->rounds, cl->o->up);
	flow_stream_start(&c->down, 0, cl->o->down);
	watch(cl, c, EPOLLIN | EPOLLOUT);
}

static void conn_close(struct client *cl, struct conn *c)
{
	struct linger lg = { 1, 0 };

	if (cl->o->abort) {
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
		conn_end(cl, c, 0);
		return;
	}
	c->phase = CLOSING;
	shutdown(c->fd, SHUT_WR);
	watch(cl, c, EPOLLIN);
}

static void check_ready(struct client *cl)
{
	const struct flow_opts *o = cl->o;
	bool now;

	if (cl->ready)
		return;
	if (o->ready_bytes)
		now = cl->r->up + cl->r->down >= o->ready_bytes;
	else
		now = cl->warm == o->conns;
	if (now)
		flow_ready(o);
	cl->ready = now;
}

static bool was_last_round(struct client *cl, struct conn *c)
{
	return cl->o->rounds ? c->rounds >= cl->o->rounds : cl->told;
}

static void round_end(struct client *cl, struct conn *c)
{
	uint64_t stall = be64toh(c->tail.stall_ns);

	if (stall > cl->r->stall_ns)
		cl->r->stall_ns = stall;
	if (be64toh(c->tail.up_hash) != c->up.hash ||
	    be64toh(c->tail.down_hash) != c->down.hash)
		cl->r->badsum++;
	if (!c->rounds++)
		cl->warm++;
	check_ready(cl);
	if (was_last_round(cl, c)) {
		conn_close(cl, c);
	} else if (cl->o->hold && !cl->told) {
		c->phase = IDLE;
		c->due = 0;
		watch(cl, c, EPOLLIN);
	} else if (cl->o->pause_ms) {
		c->phase = IDLE;
		c->due = flow_now() + cl->o->pause_ms * 1000000ULL;
		watch(cl, c, EPOLLIN);
	} else {
		round_start(cl, c);
	}
}

static int send_header(struct client *cl, struct conn *c)
{
	struct flow_header h = {
		.magic = htonl(FLOW_MAGIC),
		.up = htobe64(cl->o->up),
		.down = htobe64(cl->o->down),
		.seed = htobe64(c->up.seed + 7),
	};
	ssize_t n = send(c->fd, (char *)&h + c->head_sent,
			 sizeof(h) - c->head_sent, MSG_NOSIGNAL | MSG_MORE);

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	c->head_sent += n;
	return n;
}

static int round_send(struct client *cl, struct conn *c)
{
	int n;

	if (c->head_sent < sizeof(struct flow_header))
		return send_header(cl, c);
	n = flow_stream_send(&c->up, c->fd);
	if (n > 0)
		cl->r->up += n;
	return n;
}

static int round_recv(struct client *cl, struct conn *c)
{
	ssize_t n;

	if (c->down.left) {
		n = flow_stream_recv(&c->down, c->fd);
		if (n > 0)
			cl->r->down += n;
		return n;
	}
	n = recv(c->fd, (char *)&c->tail + c->tail_got,
		 sizeof(c->tail) - c->tail_got, 0);
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if (!n) {
		errno = ECONNABORTED;
		return -1;
	}
	c->tail_got += n;
	return n;
}

static bool sending(const struct conn *c)
{
	return c->head_sent < sizeof(struct flow_header) || c->up.left;
}

static void round_event(struct client *cl, struct conn *c)
{
	int in, out;

	do {
		out = sending(c) ? round_send(cl, c) : 0;
		in = out < 0 ? 0 : round_recv(cl, c);
		if (in < 0 || out < 0) {
			conn_end(cl, c, errno);
			return;
		}
		if (in || out)
			conn_progress(cl, c);
		if (c->tail_got == sizeof(c->tail)) {
			round_end(cl, c);
			return;
		}
	} while (in || out);
	check_ready(cl);
	watch(cl, c, EPOLLIN | (sending(c) ? EPOLLOUT : 0));
}

static void connect_event(struct client *cl, struct conn *c)
{
	socklen_t len = sizeof(int);
	int one = 1, error = 0;
	uint64_t took = flow_now() - c->since;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error) {
		conn_end(cl, c, error);
		return;
	}
	if (took > cl->r->connect_ns)
		cl->r->connect_ns = took;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!cl->o->empty) {
		round_start(cl, c);
		return;
	}
	cl->warm++;
	check_ready(cl);
	conn_close(cl, c);
}

/* Nothing but the end may come now. */
static void end_event(struct client *cl, struct conn *c)
{
	char byte;
	ssize_t n = recv(c->fd, &byte, 1, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n)
		conn_end(cl, c, n < 0 ? errno : EPROTO);
	else
		conn_end(cl, c, c->phase == CLOSING ? 0 : ECONNABORTED);
}

static void conn_event(struct client *cl, struct conn *c)
{
	if (c->phase == CONNECTING)
		connect_event(cl, c);
	else if (c->phase == ROUND)
		round_event(cl, c);
	else if (c->phase == IDLE || c->phase == CLOSING)
		end_event(cl, c);
}

static void conn_start(struct client *cl)
{
	struct conn *c = &cl->conns[cl->started];

	c->index = cl->started++;
	c->phase = CONNECTING;
	c->since = flow_now();
	cl->running++;
	c->fd = flow_socket(cl->o, c->index);
	if (c->fd < 0)
		conn_end(cl, c, errno);
	else
		watch(cl, c, EPOLLOUT);
}

static void start_some(struct client *cl)
{
	const struct flow_opts *o = cl->o;

	while (cl->started < o->conns && cl->running < o->concurrency) {
		if (o->rate && (flow_now() - cl->start) * o->rate <
		    cl->started * 1000000000ULL)
			break;
		conn_start(cl);
	}
}

static void idle_check(struct client *cl)
{
	uint64_t now;

	if (!cl->o->hold && !cl->o->pause_ms)
		return;
	now = flow_now();
	for (long i = 0; i < cl->started; i++) {
		struct conn *c = &cl->conns[i];

		if (c->phase != IDLE)
			continue;
		if (c->due ? c->due <= now : cl->told)
			round_start(cl, c);
	}
}

static void told(struct client *cl, int sigfd)
{
	struct signalfd_siginfo si;

	while (read(sigfd, &si, sizeof(si)) > 0)
		cl->told = true;
}

static int wait_ms(const struct client *cl)
{
	if (cl->o->rate && cl->started < cl->o->conns)
		return 1;
	if (cl->o->pause_ms)
		return cl->o->pause_ms < 10 ? cl->o->pause_ms : 10;
	return 500;
}

static void give_up(struct client *cl)
{
	for (long i = 0; i < cl->started; i++) {
		struct conn *c = &cl->conns[i];

		if (c->phase == DONE)
			continue;
		if (c->phase == ROUND)
			conn_progress(cl, c);
		conn_end(cl, c, ETIMEDOUT);
	}
}

void flow_tcp_client(const struct flow_opts *o, struct flow_result *r, int sigfd)
{
	struct client cl = { .o = o, .r = r, .start = flow_now() };
	struct epoll_event ev[64], sig = { .events = EPOLLIN };
	uint64_t end = cl.start + o->limit_s * 1000000000ULL;

	cl.conns = calloc(o->conns, sizeof(*cl.conns));
	cl.epfd = epoll_create1(EPOLL_CLOEXEC);
	if (!cl.conns || cl.epfd < 0)
		err(1, "client");
	epoll_ctl(cl.epfd, EPOLL_CTL_ADD, sigfd, &sig);
	while (start_some(&cl), cl.running || cl.started < o->conns) {
		int n = epoll_wait(cl.epfd, ev, 64, wait_ms(&cl));

		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr)
				conn_event(&cl, ev[i].data.ptr);
			else
				told(&cl, sigfd);
		}
		idle_check(&cl);
		if (flow_now() > end) {
			give_up(&cl);
			break;
		}
	}
	r->failed += o->conns - cl.started;
	free(cl.conns);
}
