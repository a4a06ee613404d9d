// SPDX-License-Identifier: GPL-2.0
/*
 * ctmany - make many conntrack entries, many in one message
 *
 *	ctmany N [PORT [MARK]]
 *
 * Answered, assured UDP flows with 900 seconds left, from each address of 10.1.0.1 to
 * 10.1.249.250 in turn, from PORT (1000) in the first round of these, from the
 * next port in the next, to port 9 of 10.0.2.2. Those that are there already
 * get MARK and the time. conntrack -R makes one with each system call, which
 * takes minutes for 100,000 in an emulated guest.
 */
#include <arpa/inet.h>
#include <err.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH		64
#define MESSAGE_MAX	256
#define ADDRESSES	62500

struct end {
	in_addr_t addr;
	in_port_t port;
};

static void put_tuple(struct nlmsghdr *nlh, uint16_t type,
		      const struct end *src, const struct end *dst)
{
	struct nlattr *tuple = mnl_attr_nest_start(nlh, type);
	struct nlattr *part = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);

	mnl_attr_put_u32(nlh, CTA_IP_V4_SRC, src->addr);
	mnl_attr_put_u32(nlh, CTA_IP_V4_DST, dst->addr);
	mnl_attr_nest_end(nlh, part);
	part = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, IPPROTO_UDP);
	mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, src->port);
	mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, dst->port);
	mnl_attr_nest_end(nlh, part);
	mnl_attr_nest_end(nlh, tuple);
}

/* Only the last of a batch is acknowledged; an error is told of any */
static size_t put_entry(void *buf, long i, uint16_t port, uint32_t mark,
			bool last)
{
	struct end src = {
		htonl(0x0a010000 | i / 250 % 250 << 8 | (i % 250 + 1)),
		htons(port + i / ADDRESSES)
	};
	struct end dst = { htonl(0x0a000202), htons(9) };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfh;

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE |
			   (last ? NLM_F_ACK : 0);
	nlh->nlmsg_seq = last;
	nfh = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfh));
	nfh->nfgen_family = AF_INET;
	nfh->version = NFNETLINK_V0;
	put_tuple(nlh, CTA_TUPLE_ORIG, &src, &dst);
	put_tuple(nlh, CTA_TUPLE_REPLY, &dst, &src);
	mnl_attr_put_u32(nlh, CTA_STATUS,
			 htonl(IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED));
	mnl_attr_put_u32(nlh, CTA_TIMEOUT, htonl(900));
	if (mark)
		mnl_attr_put_u32(nlh, CTA_MARK, htonl(mark));
	return MNL_ALIGN(nlh->nlmsg_len);
}

static void send_batch(struct mnl_socket *nl, const char *buf, size_t len)
{
	char answer[8192];
	ssize_t n;

	if (mnl_socket_sendto(nl, buf, len) < 0)
		err(1, "netlink");
	n = mnl_socket_recvfrom(nl, answer, sizeof(answer));
	if (n < 0 || mnl_cb_run(answer, n, 0, 0, NULL, NULL) < 0)
		err(1, "conntrack");
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 0;
	uint16_t port = argc > 2 ? atoi(argv[2]) : 1000;
	uint32_t mark = argc > 3 ? atol(argv[3]) : 0;
	static char buf[BATCH * MESSAGE_MAX];
	struct mnl_socket *nl;
	size_t len = 0;

	if (n <= 0) {
		fprintf(stderr, "usage: ctmany N [PORT [MARK]]\n");
		return 2;
	}
	nl = mnl_socket_open(NETLINK_NETFILTER);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
		err(1, "netlink");
	for (long i = 0; i < n; i++) {
		bool last = i + 1 == n || i % BATCH == BATCH - 1;

		len += put_entry(buf + len, i, port, mark, last);
		if (!last)
			continue;
		send_batch(nl, buf, len);
		len = 0;
	}
	mnl_socket_close(nl);
	return 0;
}
