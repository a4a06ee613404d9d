// SPDX-License-Identifier: GPL-2.0
/*
 * rawlink - ask for a pfsync device with attributes that ip would refuse
 *
 *	rawlink add|set NAME [ATTRIBUTE=VALUE...]
 *
 * An ATTRIBUTE is a name of IFLA_PFSYNC_*, in small letters, or NUMBER/BYTES
 * for one of any number and length. VALUE is a number, for syncpeer an IPv4
 * address, for syncdev an index or a name, for nosync MARK/MASK; peers and
 * resync have none and are empty. "link" is IFLA_LINK. Prints what the kernel
 * says of it; the exit status is 0 only if it agreed.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct nlmsghdr nh;
	struct ifinfomsg ifi;
	char room[4096];
};

static const struct { const char *name; int type, size; } known[] = {
	{ "syncdev", 1, 4 }, { "syncpeer", 2, 4 }, { "version", 3, 2 },
	{ "maxupd", 4, 1 }, { "flush", 5, 4 }, { "window", 6, 1 },
	{ "defer", 7, 1 }, { "hostid", 8, 4 }, { "local", 9, 1 },
	{ "verdict", 10, 1 }, { "alone", 11, 1 }, { "nosync", 12, 8 },
	{ "peers", 13, 0 }, { "resync", 14, 0 }, { "defertime", 15, 4 },
	{ "deferlimit", 16, 4 }, { "natshare", 17, 2 },
};

static struct rtattr *put(struct request *r, int type, const void *data,
			  size_t len)
{
	struct rtattr *a = (struct rtattr *)((char *)r +
					     NLMSG_ALIGN(r->nh.nlmsg_len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->nh.nlmsg_len = NLMSG_ALIGN(r->nh.nlmsg_len) + RTA_ALIGN(a->rta_len);
	return a;
}

static void end(const struct request *r, struct rtattr *nest)
{
	nest->rta_len = (const char *)r + r->nh.nlmsg_len - (char *)nest;
}

static void put_number(struct request *r, int type, int size, const char *text)
{
	unsigned long long v = strtoull(text, NULL, 0);
	char value[64] = { 0 };

	if (size > (int)sizeof(value))
		errx(2, "attribute too long");
	if (!v && strchr(text, '.'))
		errx(2, "%s is no number", text);
	/* netlink is in host order, and so are we */
	memcpy(value, &v, size < (int)sizeof(v) ? size : (int)sizeof(v));
	put(r, type, value, size);
}

static void put_nosync(struct request *r, int type, const char *text)
{
	unsigned int value[2];
	char *mask;

	value[0] = strtoul(text, &mask, 0);
	if (mask == text || *mask != '/')
		errx(2, "%s is not MARK/MASK", text);
	value[1] = strtoul(mask + 1, NULL, 0);
	put(r, type, value, sizeof(value));
}

static void put_known(struct request *r, const char *name, const char *value)
{
	unsigned int index = if_nametoindex(value);
	struct in_addr addr;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(name, known[i].name))
			continue;
		if (!strcmp(name, "syncdev") && index)
			put(r, known[i].type, &index, sizeof(index));
		else if (!strcmp(name, "syncpeer") &&
			 inet_pton(AF_INET, value, &addr) == 1)
			put(r, known[i].type, &addr, sizeof(addr));
		else if (!strcmp(name, "nosync"))
			put_nosync(r, known[i].type, value);
		else
			put_number(r, known[i].type, known[i].size, value);
		return;
	}
	errx(2, "no attribute %s", name);
}

static void put_option(struct request *r, char *option)
{
	char *value = strchr(option, '='), *size;

	if (!value)
		errx(2, "%s: no value", option);
	*value++ = 0;
	size = strchr(option, '/');
	if (size)
		put_number(r, atoi(option), atoi(size + 1), value);
	else
		put_known(r, option, value);
}

static void put_all(struct request *r, char **options)
{
	struct rtattr *info, *data;
	int i, n = 0;

	for (i = 0; options[i]; i++)
		if (!strncmp(options[i], "link=", 5))
			put_number(r, IFLA_LINK, 4, options[i] + 5);
		else
			n++;
	info = put(r, IFLA_LINKINFO, "", 0);
	put(r, IFLA_INFO_KIND, "pfsync", sizeof("pfsync"));
	if (n) {
		data = put(r, IFLA_INFO_DATA, "", 0);
		for (i = 0; options[i]; i++)
			if (strncmp(options[i], "link=", 5))
				put_option(r, options[i]);
		end(r, data);
	}
	end(r, info);
}

/* What the kernel adds to its error: attributes behind the old message. */
static void print_text(const struct nlmsghdr *nh, const struct nlmsgerr *e)
{
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
			printf("%s\n", (char *)RTA_DATA(a));
		else if (a->rta_type == NLMSGERR_ATTR_OFFS)
			printf("at offset %u\n", *(unsigned int *)RTA_DATA(a));
	}
}

static int ask(struct request *r)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), on = 1;
	char buf[8192] __attribute__((aligned(8)));
	struct nlmsghdr *nh = (struct nlmsghdr *)buf;
	struct nlmsgerr *e = NLMSG_DATA(nh);
	ssize_t n;

	if (fd < 0)
		err(2, "socket");
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	if (send(fd, r, r->nh.nlmsg_len, 0) < 0)
		err(2, "send");
	n = recv(fd, buf, sizeof(buf), 0);
	if (n < 0 || !NLMSG_OK(nh, (size_t)n) || nh->nlmsg_type != NLMSG_ERROR)
		errx(2, "no answer");
	close(fd);
	print_text(nh, e);
	if (e->error)
		printf("%s\n", strerror(-e->error));
	return e->error;
}

int main(int argc, char **argv)
{
	struct request r = {
		.nh.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
		.nh.nlmsg_type = RTM_NEWLINK,
		.nh.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
	};

	if (argc < 3 || (strcmp(argv[1], "add") && strcmp(argv[1], "set"))) {
		fprintf(stderr, "usage: rawlink add|set NAME [ATTR=VALUE...]\n");
		return 2;
	}
	if (!strcmp(argv[1], "add"))
		r.nh.nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	put(&r, IFLA_IFNAME, argv[2], strlen(argv[2]) + 1);
	put_all(&r, argv + 3);
	return ask(&r) ? 1 : 0;
}
