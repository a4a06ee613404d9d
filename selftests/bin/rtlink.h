/* SPDX-License-Identifier: GPL-2.0 */
/* Requests to rtnetlink, attribute by attribute, as wrong as one likes. */
#ifndef RTLINK_H
#define RTLINK_H

#include <err.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct rtlink {
	struct nlmsghdr nh;
	struct ifinfomsg ifi;
	char room[4096];
};

/* What the kernel says of a request: 0 or -errno, and its text or "" */
struct rtlink_answer {
	int error;
	int offset;		/* of the attribute it means, -1: none */
	char text[256];
};

static inline void rtlink_init(struct rtlink *r, int type, int flags)
{
	memset(r, 0, sizeof(*r));
	r->nh.nlmsg_len = NLMSG_LENGTH(sizeof(r->ifi));
	r->nh.nlmsg_type = type;
	r->nh.nlmsg_flags = NLM_F_REQUEST | flags;
}

static inline struct rtattr *rtlink_put(struct rtlink *r, int type,
					const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)((char *)r +
					     NLMSG_ALIGN(r->nh.nlmsg_len));

	if ((char *)a + RTA_SPACE(len) > (char *)(r + 1))
		errx(2, "request too long");
	a->rta_type = type;
	a->rta_len = RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->nh.nlmsg_len = NLMSG_ALIGN(r->nh.nlmsg_len) + RTA_ALIGN(a->rta_len);
	return a;
}

static inline void rtlink_end(const struct rtlink *r, struct rtattr *nest)
{
	nest->rta_len = (const char *)r + r->nh.nlmsg_len - (char *)nest;
}

static inline int rtlink_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), on = 1;

	if (fd < 0)
		err(2, "socket");
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	return fd;
}

/* What the kernel adds to its error: attributes behind the old message */
static inline void rtlink_read_text(const struct nlmsghdr *nh,
				    struct rtlink_answer *answer)
{
	const struct nlmsgerr *e = NLMSG_DATA(nh);
	size_t skip = sizeof(*e);
	struct rtattr *a;
	int left;

	if (!(nh->nlmsg_flags & NLM_F_CAPPED))
		skip += e->msg.nlmsg_len - sizeof(e->msg);
	a = (struct rtattr *)((char *)e + NLMSG_ALIGN(skip));
	left = (int)((const char *)nh + nh->nlmsg_len - (char *)a);
	if (!(nh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == NLMSGERR_ATTR_MSG)
			strncpy(answer->text, RTA_DATA(a),
				sizeof(answer->text) - 1);
		else if (a->rta_type == NLMSGERR_ATTR_OFFS)
			answer->offset = *(int *)RTA_DATA(a);
	}
}

/* Send a request with NLM_F_ACK and wait for what becomes of it */
static inline int rtlink_ask(int fd, const struct rtlink *r,
			     struct rtlink_answer *answer)
{
	char buf[8192] __attribute__((aligned(8)));
	struct nlmsghdr *nh = (struct nlmsghdr *)buf;
	ssize_t n;

	memset(answer, 0, sizeof(*answer));
	answer->offset = -1;
	if (send(fd, r, r->nh.nlmsg_len, 0) < 0)
		err(2, "send");
	n = recv(fd, buf, sizeof(buf), 0);
	if (n < 0 || !NLMSG_OK(nh, (size_t)n) || nh->nlmsg_type != NLMSG_ERROR)
		errx(2, "no answer");
	rtlink_read_text(nh, answer);
	answer->error = ((struct nlmsgerr *)NLMSG_DATA(nh))->error;
	return answer->error;
}

#endif
