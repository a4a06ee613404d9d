/* SPDX-License-Identifier: GPL-2.0 */
/* Traffic whose every byte is checked: what client and server share. */
#ifndef FLOW_H
#define FLOW_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define FLOW_MAGIC 0x6e66666cU
#define FLOW_CHUNK (64 * 1024)
#define FLOW_HASH_START 0xcbf29ce484222325ULL

/*
 * A round is: the client sends this and "up" bytes; the server sends "down"
 * bytes and, once all of both are through, a struct flow_trailer. A
 * connection carries any number of rounds. All in network byte order.
 */
struct flow_header {
	uint32_t magic;
	uint32_t pad;
	uint64_t up;
	uint64_t down;
	uint64_t seed;
};

/*
 * What the server computed over what it received and what it sent, and its
 * longest wait for bytes: the client only sees how fast its buffer empties.
 */
struct flow_trailer {
	uint64_t up_hash;
	uint64_t down_hash;
	uint64_t stall_ns;
};

/* One direction of a round, from the view of who computes the hash. */
struct flow_stream {
	uint64_t left;
	uint64_t offset;
	uint64_t seed;
	uint64_t hash;
};

struct flow_opts {
	struct sockaddr_storage addr;
	socklen_t addrlen;
	int ports;		/* destination ports used in turn */
	int source_port;	/* first one, 0: the kernel chooses */
	long conns;		/* flows in all */
	long concurrency;	/* at the same time */
	long rate;		/* new flows a second, 0: as fast as it goes */
	long rounds;		/* a flow, 0: until told */
	long pause_ms;		/* between rounds */
	uint64_t up;
	uint64_t down;
	long limit_s;		/* for everything */
	bool hold;		/* stay idle after the first round until told */
	bool empty;		/* connect and close, nothing between */
	bool abort;		/* end by RST */
	bool udp;
	const char *ready_file;	/* made when every flow has had a round ... */
	uint64_t ready_bytes;	/* ... or, if not 0, when so much has moved */
};

struct flow_result {
	long ok;
	long failed;
	long badsum;
	long lost;		/* UDP requests that had to be repeated */
	uint64_t up;
	uint64_t down;
	uint64_t stall_ns;	/* longest time without progress */
	uint64_t connect_ns;	/* longest time to connect */
	int error;		/* first errno seen */
};

uint64_t flow_now(void);
void flow_stream_start(struct flow_stream *s, uint64_t seed, uint64_t len);
int flow_stream_send(struct flow_stream *s, int fd);
int flow_stream_recv(struct flow_stream *s, int fd);
void flow_ready(const struct flow_opts *o);
int flow_server(int port, int ports);
void flow_tcp_client(const struct flow_opts *o, struct flow_result *r, int sigfd);
void flow_udp_client(const struct flow_opts *o, struct flow_result *r, int sigfd);
int flow_socket(const struct flow_opts *o, long index);

#endif
