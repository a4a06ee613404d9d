// SPDX-License-Identifier: GPL-2.0
/*
 * winwatch - what the standby is told of a TCP connection against the truth
 *
 *	winwatch [-S FILE] ACTIVE STANDBY PORT
 *
 * Watches the connection of the client's PORT as it arrives in namespace
 * ACTIVE (devices lan and wan), and the frames of IP protocol 240 as they
 * arrive in namespace STANDBY (device sync); makes FILE when it does. On
 * SIGUSR1 it puts all of it in order by the kernel's time stamps, replays it
 * and prints lines of NAME=VALUE:
 *
 *	packets messages lost		seen; lost is what we ourselves missed
 *	first_ms	from the server's SYN-ACK to the first message
 *	fin_ms		from the first FIN to the first message that knows it
 *	ahead		messages that told more than had passed
 *	lag_end0 lag_end1 lag_max0 lag_max1
 *			furthest that td_end and td_maxend of a direction (0: from
 *			the client) went past what was told, in 1/1000 of the window
 *			that was told with it
 *	over0 over1	packets after which that was more than an importer's slack
 *			allows for: 750 of td_end, 3250 of td_maxend
 *	rest0 rest1	the larger of both at the end
 *	end0 max0 win0 end1 max1 win1	the true numbers at the end
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PFSYNC 240
#define HEADER 20
#define ACT_UPD_C 4
#define ACT_INS 13
#define ACT_UPD 14
#define STATE_PORT 56		/* offsets in a full state */
#define STATE_PEERS 104
#define STATE_CREATOR 236
#define STATE_SIZE 264
#define UPD_C_PEERS 8
#define UPD_C_CREATOR 72
#define PEER_SIZE 32
#define LEVEL_CLOSING 7
#define SLACK_END 750		/* 3/4, and 3/4 + 2.5 windows */
#define SLACK_MAX 3250
#define FRAME 4096
#define FRAMES 4096

struct tap {
	int fd;
	uint8_t *ring;
	unsigned int next;
};

struct event {
	uint64_t ns;
	bool told;
	/* a packet */
	uint8_t dir;
	uint8_t flags;
	int8_t scale;		/* offered in a SYN, -1: none */
	uint32_t end;
	uint32_t ack;
	uint32_t sack;		/* the furthest right edge, or ack */
	uint32_t win;		/* as in the header */
	/* a message, by direction */
	uint32_t told_end[2];
	uint32_t told_max[2];
	uint32_t told_win[2];
	uint8_t level;		/* the higher of both */
};

static struct event *events;
static size_t n_events, room;
static uint16_t port;
static uint8_t flow_id[12];
static bool have_id;
static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static struct event *event_new(uint64_t ns)
{
	if (n_events == room) {
		room = room ? room * 2 : 4096;
		events = realloc(events, room * sizeof(*events));
		if (!events)
			err(1, "realloc");
	}
	memset(&events[n_events], 0, sizeof(*events));
	events[n_events].ns = ns;
	return &events[n_events++];
}

/* What conntrack reads of the options: window scale and SACK */
static void read_options(struct event *e, const struct tcphdr *th,
			 const uint8_t *end)
{
	const uint8_t *p = (const uint8_t *)(th + 1);
	uint32_t right;

	if (p + th->doff * 4 - sizeof(*th) < end)
		end = p + th->doff * 4 - sizeof(*th);
	while (p + 2 <= end && *p != 0) {
		if (*p == 1) {
			p++;
			continue;
		}
		if (p[1] < 2 || p + p[1] > end)
			break;
		if (*p == 3 && th->syn)
			e->scale = p[2];
		for (int i = 2; *p == 5 && i + 8 <= p[1]; i += 8) {
			right = get32(p + i + 4);
			if ((int32_t)(right - e->sack) > 0)
				e->sack = right;
		}
		p += p[1];
	}
}

/* The TCP header and the length of all from there on, or NULL */
static const struct tcphdr *find_tcp(const uint8_t *p, size_t n, size_t *len)
{
	const struct ip6_hdr *ip6 = (const void *)p;
	const struct iphdr *ip = (const void *)p;
	size_t head, total;

	if (n >= sizeof(*ip) && ip->version == 4) {
		if (ip->protocol != IPPROTO_TCP)
			return NULL;
		head = ip->ihl * 4;
		total = ntohs(ip->tot_len);
	} else if (n >= sizeof(*ip6) && p[0] >> 4 == 6) {
		if (ip6->ip6_nxt != IPPROTO_TCP)
			return NULL;
		head = sizeof(*ip6);
		total = head + ntohs(ip6->ip6_plen);
	} else {
		return NULL;
	}
	if (n < head + sizeof(struct tcphdr) || total < head)
		return NULL;
	*len = total - head;
	return (const void *)(p + head);
}

static void on_packet(const uint8_t *p, size_t n, uint64_t ns)
{
	const struct tcphdr *th;
	struct event *e;
	size_t len;

	th = find_tcp(p, n, &len);
	if (!th || (ntohs(th->source) != port && ntohs(th->dest) != port))
		return;
	e = event_new(ns);
	e->dir = ntohs(th->source) != port;
	e->flags = th->th_flags;
	e->end = ntohl(th->seq) + len - th->doff * 4 + th->syn + th->fin;
	e->ack = ntohl(th->ack_seq);
	e->win = ntohs(th->window);
	e->sack = e->ack;
	e->scale = -1;
	read_options(e, th, p + n);
}

static void on_message(const uint8_t *peers, const uint8_t *exact_win,
		       uint64_t ns)
{
	struct event *e = event_new(ns);
	const uint8_t *p;

	e->told = true;
	for (int d = 0; d < 2; d++) {
		p = peers + d * PEER_SIZE;
		e->told_end[d] = get32(p + 8);
		e->told_max[d] = get32(p + 12);
		e->told_win[d] = exact_win ? get32(exact_win + 4 * d) :
			(uint32_t)get16(p + 20) << (p[25] & 0x80 ? p[25] & 15 : 0);
		if (p[24] > e->level)
			e->level = p[24];
	}
}

static void on_state(const uint8_t *m, size_t stride, uint64_t ns)
{
	if (get16(m + STATE_PORT) != port || m[251] != IPPROTO_TCP)
		return;
	memcpy(flow_id, m, 8);
	memcpy(flow_id + 8, m + STATE_CREATOR, 4);
	have_id = true;
	on_message(m + STATE_PEERS, stride >= STATE_SIZE + 24 ?
		   m + STATE_SIZE + 4 : NULL, ns);
}

static void on_upd_c(const uint8_t *m, uint64_t ns)
{
	if (have_id && !memcmp(m, flow_id, 8) &&
	    !memcmp(m + UPD_C_CREATOR, flow_id + 8, 4))
		on_message(m + UPD_C_PEERS, NULL, ns);
}

static void on_frame(const uint8_t *p, size_t n, uint64_t ns)
{
	const uint8_t *end = p + n;
	size_t stride, count;
	uint8_t action;

	if (n < 20 || p[0] >> 4 != 4 || p[9] != PFSYNC)
		return;
	p += (p[0] & 15) * 4 + HEADER;
	while (p + 4 <= end) {
		action = p[0];
		stride = p[1] * 4;
		count = get16(p + 2);
		p += 4;
		for (; count && p + stride <= end; count--, p += stride) {
			if (action == ACT_INS || action == ACT_UPD)
				on_state(p, stride, ns);
			else if (action == ACT_UPD_C)
				on_upd_c(p, ns);
		}
	}
}

static void enter(const char *ns)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "namespace %s", ns);
	close(fd);
}

/*
 * A ring, because its frames are stamped with no more than a look at the
 * clock. SO_TIMESTAMPNS patches the running kernel's code, which emulated
 * processors do not all survive.
 */
static void open_tap(struct tap *t, const char *ns, const char *dev)
{
	struct tpacket_req req = {
		.tp_block_size = FRAME * 256, .tp_block_nr = FRAMES / 256,
		.tp_frame_size = FRAME, .tp_frame_nr = FRAMES,
	};
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
	};
	int on = 1, version = TPACKET_V2;

	enter(ns);
	t->fd = socket(AF_PACKET, SOCK_DGRAM, 0);
	at.sll_ifindex = if_nametoindex(dev);
	if (t->fd < 0 || !at.sll_ifindex ||
	    setsockopt(t->fd, SOL_PACKET, PACKET_VERSION, &version,
		       sizeof(version)) ||
	    setsockopt(t->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on,
		       sizeof(on)) ||
	    setsockopt(t->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		err(1, "%s in %s", dev, ns);
	t->ring = mmap(NULL, (size_t)FRAME * FRAMES, PROT_READ | PROT_WRITE,
		       MAP_SHARED, t->fd, 0);
	if (t->ring == MAP_FAILED ||
	    bind(t->fd, (struct sockaddr *)&at, sizeof(at)))
		err(1, "%s in %s", dev, ns);
}

/* Everything that waits there */
static void take(struct tap *t, bool sync)
{
	for (;;) {
		struct tpacket2_hdr *h = (void *)(t->ring + t->next * FRAME);
		uint8_t *p = (uint8_t *)h + h->tp_net;
		uint64_t ns;

		if (!(__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) &
		      TP_STATUS_USER))
			return;
		ns = h->tp_sec * 1000000000ULL + h->tp_nsec;
		if (sync)
			on_frame(p, h->tp_snaplen, ns);
		else
			on_packet(p, h->tp_snaplen, ns);
		__atomic_store_n(&h->tp_status, TP_STATUS_KERNEL,
				 __ATOMIC_RELEASE);
		t->next = (t->next + 1) % FRAMES;
	}
}

static unsigned int lost_at(int fd)
{
	struct tpacket_stats st = { 0 };
	socklen_t len = sizeof(st);

	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len))
		err(1, "PACKET_STATISTICS");
	return st.tp_drops;
}

/* A packet comes before the message that tells of it, at equal times too */
static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return x->told - y->told;
}

struct truth {
	uint32_t end[2], max[2], win[2];
	bool have_end[2], have_max[2];
	int scale[2];
	bool scaled;
};

struct result {
	unsigned int packets, messages, ahead;
	uint64_t synack, first, fin, fin_told;
	uint64_t lag_end[2], lag_max[2], rest[2];
	unsigned int over[2];
};

static void later(uint32_t *v, bool *have, uint32_t now)
{
	if (!*have || (int32_t)(now - *v) > 0)
		*v = now;
	*have = true;
}

static void replay_packet(struct truth *t, struct result *r,
			  const struct event *e)
{
	uint32_t win;
	int d = e->dir;

	r->packets++;
	if (e->flags & TH_SYN) {
		t->scale[d] = e->scale;
		t->scaled = t->scale[0] >= 0 && t->scale[1] >= 0;
		if (d && !r->synack)
			r->synack = e->ns;
	}
	if (e->flags & TH_FIN && !r->fin)
		r->fin = e->ns;
	if (e->flags & TH_RST)
		return;
	win = e->win;
	if (t->scaled && !(e->flags & TH_SYN))
		win <<= t->scale[d];
	if (win > t->win[d])
		t->win[d] = win;
	later(&t->end[d], &t->have_end[d], e->end);
	if (e->flags & TH_ACK)
		later(&t->max[!d], &t->have_max[!d],
		      e->sack + (win ? win : 1));
}

static void replay_message(const struct truth *t, struct result *r,
			   const struct event *e)
{
	r->messages++;
	if (!r->first)
		r->first = e->ns;
	if (e->level >= LEVEL_CLOSING && !r->fin_told)
		r->fin_told = e->ns;
	for (int d = 0; d < 2; d++)
		if ((t->have_end[d] && (int32_t)(e->told_end[d] - t->end[d]) > 0) ||
		    (t->have_max[d] && (int32_t)(e->told_max[d] - t->max[d]) > 0))
			r->ahead++;
}

/* How far @now is past @told, in 1/1000 of @win */
static uint64_t lag(uint32_t now, uint32_t told, uint32_t win)
{
	int32_t d = now - told;

	if (d <= 0)
		return 0;
	return win ? d * 1000ULL / win : UINT32_MAX;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void measure(const struct truth *t, struct result *r,
		    const struct event *told)
{
	for (int d = 0; d < 2; d++) {
		uint32_t win = told->told_win[!d];
		uint64_t end = lag(t->end[d], told->told_end[d], win);
		uint64_t max = lag(t->max[d], told->told_max[d], win);

		r->lag_end[d] = larger(r->lag_end[d], end);
		r->lag_max[d] = larger(r->lag_max[d], max);
		r->rest[d] = larger(end, max);
		r->over[d] += end > SLACK_END || max > SLACK_MAX;
	}
}

/* An importer keeps the largest window it was told, and so do we */
static void keep_windows(struct event *e, const struct event *before)
{
	for (int d = 0; d < 2; d++)
		if (before && before->told_win[d] > e->told_win[d])
			e->told_win[d] = before->told_win[d];
}

static void replay(struct truth *t, struct result *r)
{
	const struct event *told = NULL;

	t->scale[0] = -1;
	t->scale[1] = -1;
	qsort(events, n_events, sizeof(*events), by_time);
	for (size_t i = 0; i < n_events; i++) {
		struct event *e = &events[i];

		if (e->told) {
			replay_message(t, r, e);
			keep_windows(e, told);
			told = e;
		} else {
			replay_packet(t, r, e);
		}
		if (told)
			measure(t, r, told);
	}
}

static long ms_between(uint64_t from, uint64_t to)
{
	return from && to ? (long)((int64_t)(to - from) / 1000000) : -1;
}

static void report(const struct truth *t, const struct result *r,
		   unsigned int lost)
{
	printf("packets=%u\nmessages=%u\nlost=%u\nahead=%u\n", r->packets,
	       r->messages, lost, r->ahead);
	printf("first_ms=%ld\nfin_ms=%ld\n", ms_between(r->synack, r->first),
	       ms_between(r->fin, r->fin_told));
	for (int d = 0; d < 2; d++)
		printf("lag_end%d=%llu\nlag_max%d=%llu\nrest%d=%llu\nover%d=%u\n"
		       "end%d=%u\nmax%d=%u\nwin%d=%u\n",
		       d, (unsigned long long)r->lag_end[d],
		       d, (unsigned long long)r->lag_max[d],
		       d, (unsigned long long)r->rest[d], d, r->over[d],
		       d, t->end[d], d, t->max[d], d, t->win[d]);
}

static void watch(struct tap tap[3])
{
	struct pollfd p[3];
	sigset_t block, open;

	for (int i = 0; i < 3; i++)
		p[i] = (struct pollfd){ .fd = tap[i].fd, .events = POLLIN };
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, &open);
	signal(SIGUSR1, on_signal);
	while (!stop) {
		if (ppoll(p, 3, NULL, &open) < 0 && errno != EINTR)
			err(1, "poll");
		for (int i = 0; i < 3; i++)
			take(&tap[i], i == 2);
	}
}

int main(int argc, char **argv)
{
	struct tap tap[3] = { 0 };
	unsigned int lost = 0;
	const char *ready = NULL;
	struct result r = { 0 };
	struct truth t = { 0 };
	int opt, fd;

	while ((opt = getopt(argc, argv, "S:")) > 0) {
		if (opt != 'S')
			return 2;
		ready = optarg;
	}
	if (argc - optind != 3) {
		fprintf(stderr, "usage: winwatch [-S FILE] ACTIVE STANDBY PORT\n");
		return 2;
	}
	argv += optind;
	port = atoi(argv[2]);
	open_tap(&tap[0], argv[0], "lan");
	open_tap(&tap[1], argv[0], "wan");
	open_tap(&tap[2], argv[1], "sync");
	fd = ready ? open(ready, O_CREAT | O_WRONLY, 0644) : -1;
	if (ready && fd < 0)
		err(1, "%s", ready);
	watch(tap);
	for (int i = 0; i < 3; i++)
		lost += lost_at(tap[i].fd);
	replay(&t, &r);
	report(&t, &r, lost);
	return 0;
}
