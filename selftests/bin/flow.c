// SPDX-License-Identifier: GPL-2.0
/*
 * flow - traffic for the tests, every byte checked
 *
 *	flow server PORT [PORTS]
 *	flow client ADDRESS PORT [options]
 *
 *	-n N	flows in all (1)		-c N	at a time (all)
 *	-R N	new flows a second		-r N	rounds a flow (1), 0: until told
 *	-U N	bytes up a round (64)		-D N	bytes down a round (64)
 *	-w MS	pause between rounds		-H	idle after the first round, until
 *						told; then another round
 *	-e	connect and close only		-a	end by RST
 *	-u	UDP				-q N	use N ports of the server in turn
 *	-p PORT	first source port		-T S	give up after S seconds (300)
 *	-S FILE	make FILE when every flow has had its first round
 *	-M N	make FILE when N bytes have moved
 *
 * "Told" is SIGUSR1. The last line says all: flow: conns= ok= failed= ...;
 * the exit status is 0 only if every flow ended well and every sum was right.
 */
#include "flow.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

static unsigned char chunk[FLOW_CHUNK];

uint64_t flow_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void flow_stream_start(struct flow_stream *s, uint64_t seed, uint64_t len)
{
	s->left = len;
	s->offset = 0;
	s->seed = seed;
	s->hash = FLOW_HASH_START;
}

static uint64_t hash_bytes(uint64_t h, const unsigned char *p, size_t n)
{
	while (n--)
		h = (h ^ *p++) * 0x100000001b3ULL;
	return h;
}

/* Depends on the offset, so that lost or doubled pieces show as well. */
static unsigned char pattern(uint64_t seed, uint64_t offset)
{
	uint64_t x = (seed + offset) * 0x9e3779b97f4a7c15ULL;

	return x >> 56;
}

/* Bytes moved, 0 when the socket is full, -1 on error */
int flow_stream_send(struct flow_stream *s, int fd)
{
	size_t n = s->left < FLOW_CHUNK ? s->left : FLOW_CHUNK;
	ssize_t done;

	for (size_t i = 0; i < n; i++)
		chunk[i] = pattern(s->seed, s->offset + i);
	done = send(fd, chunk, n, MSG_NOSIGNAL);
	if (done < 0)
		return errno == EAGAIN ? 0 : -1;
	s->hash = hash_bytes(s->hash, chunk, done);
	s->offset += done;
	s->left -= done;
	return done;
}

/* Bytes moved, 0 when there are none, -1 on error or an early end */
int flow_stream_recv(struct flow_stream *s, int fd)
{
	size_t n = s->left < FLOW_CHUNK ? s->left : FLOW_CHUNK;
	ssize_t done = recv(fd, chunk, n, 0);

	if (done < 0)
		return errno == EAGAIN ? 0 : -1;
	if (!done) {
		errno = ECONNABORTED;
		return -1;
	}
	s->hash = hash_bytes(s->hash, chunk, done);
	s->left -= done;
	return done;
}

void flow_ready(const struct flow_opts *o)
{
	int fd;

	if (!o->ready_file)
		return;
	fd = open(o->ready_file, O_CREAT | O_WRONLY, 0644);
	if (fd < 0)
		err(1, "%s", o->ready_file);
	close(fd);
}

static void set_port(struct sockaddr_storage *ss, int port)
{
	if (ss->ss_family == AF_INET)
		((struct sockaddr_in *)ss)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)ss)->sin6_port = htons(port);
}

static int get_port(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)ss)->sin_port);
	return ntohs(((const struct sockaddr_in6 *)ss)->sin6_port);
}

/* A non-blocking socket that is connecting; -1 with errno if it can't */
int flow_socket(const struct flow_opts *o, long index)
{
	struct sockaddr_storage to = o->addr, from = { 0 };
	int one = 1;
	int fd;

	fd = socket(to.ss_family, (o->udp ? SOCK_DGRAM : SOCK_STREAM) |
		    SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	set_port(&to, get_port(&to) + index % o->ports);
	if (o->source_port) {
		from.ss_family = to.ss_family;
		set_port(&from, o->source_port + index / o->ports);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, (struct sockaddr *)&from, o->addrlen))
			goto fail;
	}
	if (connect(fd, (struct sockaddr *)&to, o->addrlen) &&
	    errno != EINPROGRESS)
		goto fail;
	return fd;
fail:
	close(fd);
	return -1;
}

static void parse_address(struct flow_opts *o, const char *addr, int port)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)&o->addr;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&o->addr;

	if (inet_pton(AF_INET, addr, &in4->sin_addr) == 1) {
		o->addr.ss_family = AF_INET;
		o->addrlen = sizeof(*in4);
	} else if (inet_pton(AF_INET6, addr, &in6->sin6_addr) == 1) {
		o->addr.ss_family = AF_INET6;
		o->addrlen = sizeof(*in6);
	} else {
		errx(2, "%s is no address", addr);
	}
	set_port(&o->addr, port);
}

static void parse_options(struct flow_opts *o, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "n:c:R:r:U:D:w:Heauq:p:T:S:M:")) > 0) {
		switch (opt) {
		case 'n': o->conns = atol(optarg); break;
		case 'c': o->concurrency = atol(optarg); break;
		case 'R': o->rate = atol(optarg); break;
		case 'r': o->rounds = atol(optarg); break;
		case 'U': o->up = strtoull(optarg, NULL, 0); break;
		case 'D': o->down = strtoull(optarg, NULL, 0); break;
		case 'w': o->pause_ms = atol(optarg); break;
		case 'H': o->hold = true; o->rounds = 2; break;
		case 'e': o->empty = true; break;
		case 'a': o->abort = true; break;
		case 'u': o->udp = true; break;
		case 'q': o->ports = atoi(optarg); break;
		case 'p': o->source_port = atoi(optarg); break;
		case 'T': o->limit_s = atol(optarg); break;
		case 'S': o->ready_file = optarg; break;
		case 'M': o->ready_bytes = strtoull(optarg, NULL, 0); break;
		default: exit(2);
		}
	}
	if (!o->concurrency)
		o->concurrency = o->conns;
}

/* Many flows are many descriptors. */
static void raise_limits(void)
{
	struct rlimit rl = { 1 << 20, 1 << 20 };

	if (setrlimit(RLIMIT_NOFILE, &rl)) {
		getrlimit(RLIMIT_NOFILE, &rl);
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

static int report(const struct flow_opts *o, const struct flow_result *r,
		  uint64_t ns)
{
	bool good = r->ok == o->conns && !r->badsum;

	printf("flow: conns=%ld ok=%ld failed=%ld badsum=%ld lost=%ld "
	       "up=%llu down=%llu stall_ms=%llu connect_us=%llu ms=%llu us=%llu "
	       "stall_us=%llu error=%s\n",
	       o->conns, r->ok, r->failed, r->badsum, r->lost,
	       (unsigned long long)r->up, (unsigned long long)r->down,
	       (unsigned long long)(r->stall_ns / 1000000),
	       (unsigned long long)(r->connect_ns / 1000),
	       (unsigned long long)(ns / 1000000),
	       (unsigned long long)(ns / 1000),
	       (unsigned long long)(r->stall_ns / 1000),
	       r->error ? strerrorname_np(r->error) : "none");
	return good ? 0 : 1;
}

static int client(int argc, char **argv)
{
	struct flow_opts o = {
		.ports = 1, .conns = 1, .rounds = 1, .up = 64, .down = 64,
		.limit_s = 300,
	};
	struct flow_result r = { 0 };
	uint64_t start;
	sigset_t set;
	int sigfd;

	parse_address(&o, argv[2], atoi(argv[3]));
	parse_options(&o, argc - 3, argv + 3);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigfd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (sigfd < 0)
		err(1, "signalfd");
	start = flow_now();
	if (o.udp)
		flow_udp_client(&o, &r, sigfd);
	else
		flow_tcp_client(&o, &r, sigfd);
	return report(&o, &r, flow_now() - start);
}

int main(int argc, char **argv)
{
	raise_limits();
	if (argc >= 3 && !strcmp(argv[1], "server"))
		return flow_server(atoi(argv[2]), argc > 3 ? atoi(argv[3]) : 1);
	if (argc >= 4 && !strcmp(argv[1], "client"))
		return client(argc, argv);
	fprintf(stderr, "usage: flow server PORT [PORTS]\n"
		"       flow client ADDRESS PORT [options]\n");
	return 2;
}
