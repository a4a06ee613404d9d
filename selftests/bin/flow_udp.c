// SPDX-License-Identifier: GPL-2.0
/* The asking side of flow over UDP: requests that the server sends back. */
#include "flow.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define REPEAT_NS 200000000ULL
#define MAX_REQUEST 1400

enum phase { WAITING, IDLE, DONE };

struct flow {
	enum phase phase;
	int fd;
	long index;
	long rounds;
	uint64_t asked;		/* when the round began */
	uint64_t due;		/* of the next repetition or round */
};

struct client {
	const struct flow_opts *o;
	struct flow_result *r;
	struct flow *flows;
	uint64_t start;
	long started;
	long running;
	long warm;
	int epfd;
	bool told;
};

static size_t request_size(const struct flow_opts *o)
{
	if (o->up < 2 * sizeof(uint64_t))
		return 2 * sizeof(uint64_t);
	return o->up < MAX_REQUEST ? o->up : MAX_REQUEST;
}

static void make_request(const struct client *cl, const struct flow *f,
			 unsigned char *buf)
{
	uint64_t head[2] = { f->index, f->rounds };
	size_t n = request_size(cl->o);

	for (size_t i = sizeof(head); i < n; i++)
		buf[i] = f->index * 31 + f->rounds * 7 + i;
	memcpy(buf, head, sizeof(head));
}

static void flow_end(struct client *cl, struct flow *f, int error)
{
	if (error) {
		cl->r->failed++;
		if (!cl->r->error)
			cl->r->error = error;
	} else {
		cl->r->ok++;
	}
	if (f->fd >= 0)
		close(f->fd);
	f->phase = DONE;
	cl->running--;
}

static void ask(struct client *cl, struct flow *f)
{
	unsigned char buf[MAX_REQUEST];
	ssize_t n;

	make_request(cl, f, buf);
	n = send(f->fd, buf, request_size(cl->o), 0);
	if (n > 0)
		cl->r->up += n;
	f->phase = WAITING;
	f->due = flow_now() + REPEAT_NS;
}

static void round_start(struct client *cl, struct flow *f)
{
	f->asked = flow_now();
	ask(cl, f);
}

static void round_end(struct client *cl, struct flow *f)
{
	const struct flow_opts *o = cl->o;
	uint64_t now = flow_now();

	if (now - f->asked > cl->r->stall_ns)
		cl->r->stall_ns = now - f->asked;
	if (!f->rounds++ && ++cl->warm == o->conns)
		flow_ready(o);
	if (o->rounds ? f->rounds >= o->rounds : cl->told) {
		flow_end(cl, f, 0);
		return;
	}
	f->phase = IDLE;
	f->due = o->hold && !cl->told ? 0 : now + o->pause_ms * 1000000ULL;
}

/* Replies to repeated requests of earlier rounds are not wanted any more. */
static void answer_event(struct client *cl, struct flow *f)
{
	unsigned char got[MAX_REQUEST], want[MAX_REQUEST];
	size_t size = request_size(cl->o);
	ssize_t n;

	while (f->phase != DONE) {
		n = recv(f->fd, got, sizeof(got), 0);
		if (n < 0)
			return;
		cl->r->down += n;
		if (f->phase != WAITING)
			continue;
		make_request(cl, f, want);
		if ((size_t)n != size || memcmp(got, want, size)) {
			if ((size_t)n != size || !memcmp(got, want, 16))
				cl->r->badsum++;
			continue;
		}
		round_end(cl, f);
	}
}

static void flow_start(struct client *cl)
{
	struct flow *f = &cl->flows[cl->started];
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = f };

	f->index = cl->started++;
	cl->running++;
	f->fd = flow_socket(cl->o, f->index);
	if (f->fd < 0) {
		flow_end(cl, f, errno);
		return;
	}
	epoll_ctl(cl->epfd, EPOLL_CTL_ADD, f->fd, &ev);
	round_start(cl, f);
}

static void start_some(struct client *cl)
{
	const struct flow_opts *o = cl->o;

	while (cl->started < o->conns && cl->running < o->concurrency) {
		if (o->rate && (flow_now() - cl->start) * o->rate <
		    cl->started * 1000000000ULL)
			break;
		flow_start(cl);
	}
}

static void timers(struct client *cl)
{
	uint64_t now = flow_now();

	for (long i = 0; i < cl->started; i++) {
		struct flow *f = &cl->flows[i];

		if (f->phase == WAITING && f->due <= now) {
			cl->r->lost++;
			ask(cl, f);
		} else if (f->phase == IDLE &&
			   (f->due ? f->due <= now : cl->told)) {
			round_start(cl, f);
		}
	}
}

static void give_up(struct client *cl)
{
	for (long i = 0; i < cl->started; i++)
		if (cl->flows[i].phase != DONE)
			flow_end(cl, &cl->flows[i], ETIMEDOUT);
	cl->r->failed += cl->o->conns - cl->started;
}

static void told(struct client *cl, int sigfd)
{
	struct signalfd_siginfo si;

	while (read(sigfd, &si, sizeof(si)) > 0)
		cl->told = true;
}

void flow_udp_client(const struct flow_opts *o, struct flow_result *r, int sigfd)
{
	struct client cl = { .o = o, .r = r, .start = flow_now() };
	struct epoll_event ev[64], sig = { .events = EPOLLIN };
	uint64_t end = cl.start + o->limit_s * 1000000000ULL, scan = 0;

	cl.flows = calloc(o->conns, sizeof(*cl.flows));
	cl.epfd = epoll_create1(EPOLL_CLOEXEC);
	if (!cl.flows || cl.epfd < 0)
		err(1, "client");
	epoll_ctl(cl.epfd, EPOLL_CTL_ADD, sigfd, &sig);
	while (start_some(&cl), cl.running || cl.started < o->conns) {
		int n = epoll_wait(cl.epfd, ev, 64, 5);

		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr)
				answer_event(&cl, ev[i].data.ptr);
			else
				told(&cl, sigfd);
		}
		/* looking at all flows has its price: every 5 ms is enough */
		if (flow_now() > scan) {
			timers(&cl);
			scan = flow_now() + 5000000;
		}
		if (flow_now() > end) {
			give_up(&cl);
			break;
		}
	}
	free(cl.flows);
}
