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
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rtlink.h"

static const struct { const char *name; int type, size; } known[] = {
	{ "syncdev", 1, 4 }, { "syncpeer", 2, 4 }, { "version", 3, 2 },
	{ "maxupd", 4, 1 }, { "flush", 5, 4 }, { "window", 6, 1 },
	{ "defer", 7, 1 }, { "hostid", 8, 4 }, { "local", 9, 1 },
	{ "verdict", 10, 1 }, { "alone", 11, 1 }, { "nosync", 12, 8 },
	{ "peers", 13, 0 }, { "resync", 14, 0 }, { "defertime", 15, 4 },
	{ "deferlimit", 16, 4 }, { "natshare", 17, 2 },
};

static void put_number(struct rtlink *r, int type, int size, const char *text)
{
	unsigned long long v = strtoull(text, NULL, 0);
	char value[64] = { 0 };

	if (size > (int)sizeof(value))
		errx(2, "attribute too long");
	if (!v && strchr(text, '.'))
		errx(2, "%s is no number", text);
	/* netlink is in host order, and so are we */
	memcpy(value, &v, size < (int)sizeof(v) ? size : (int)sizeof(v));
	rtlink_put(r, type, value, size);
}

static void put_nosync(struct rtlink *r, int type, const char *text)
{
	unsigned int value[2];
	char *mask;

	value[0] = strtoul(text, &mask, 0);
	if (mask == text || *mask != '/')
		errx(2, "%s is not MARK/MASK", text);
	value[1] = strtoul(mask + 1, NULL, 0);
	rtlink_put(r, type, value, sizeof(value));
}

static void put_known(struct rtlink *r, const char *name, const char *value)
{
	unsigned int index = if_nametoindex(value);
	struct in_addr addr;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(name, known[i].name))
			continue;
		if (!strcmp(name, "syncdev") && index)
			rtlink_put(r, known[i].type, &index, sizeof(index));
		else if (!strcmp(name, "syncpeer") &&
			 inet_pton(AF_INET, value, &addr) == 1)
			rtlink_put(r, known[i].type, &addr, sizeof(addr));
		else if (!strcmp(name, "nosync"))
			put_nosync(r, known[i].type, value);
		else
			put_number(r, known[i].type, known[i].size, value);
		return;
	}
	errx(2, "no attribute %s", name);
}

static void put_option(struct rtlink *r, char *option)
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

static void put_all(struct rtlink *r, char **options)
{
	struct rtattr *info, *data;
	int i, n = 0;

	for (i = 0; options[i]; i++)
		if (!strncmp(options[i], "link=", 5))
			put_number(r, IFLA_LINK, 4, options[i] + 5);
		else
			n++;
	info = rtlink_put(r, IFLA_LINKINFO, "", 0);
	rtlink_put(r, IFLA_INFO_KIND, "pfsync", sizeof("pfsync"));
	if (n) {
		data = rtlink_put(r, IFLA_INFO_DATA, "", 0);
		for (i = 0; options[i]; i++)
			if (strncmp(options[i], "link=", 5))
				put_option(r, options[i]);
		rtlink_end(r, data);
	}
	rtlink_end(r, info);
}

static int ask(const struct rtlink *r)
{
	struct rtlink_answer answer;
	int fd = rtlink_open();

	rtlink_ask(fd, r, &answer);
	close(fd);
	if (answer.text[0])
		printf("%s\n", answer.text);
	if (answer.offset >= 0)
		printf("at offset %d\n", answer.offset);
	if (answer.error)
		printf("%s\n", strerror(-answer.error));
	return answer.error;
}

int main(int argc, char **argv)
{
	struct rtlink r;

	if (argc < 3 || (strcmp(argv[1], "add") && strcmp(argv[1], "set"))) {
		fprintf(stderr, "usage: rawlink add|set NAME [ATTR=VALUE...]\n");
		return 2;
	}
	rtlink_init(&r, RTM_NEWLINK, NLM_F_ACK);
	if (!strcmp(argv[1], "add"))
		r.nh.nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	rtlink_put(&r, IFLA_IFNAME, argv[2], strlen(argv[2]) + 1);
	put_all(&r, argv + 3);
	return ask(&r) ? 1 : 0;
}
