// SPDX-License-Identifier: GPL-2.0
/*
 * rawsync - send hand-made pfsync frames (IP protocol 240, header version 6)
 *
 *	rawsync [options] ITEM...
 *	rawsync [options] -x HEX	(the part behind the IP header; - is stdin)
 *
 *	-i DEV	interface		-s ADDR	source (10.0.9.1)
 *	-d ADDR	destination (224.0.0.240)	-t N	TTL (255)
 *	-V N	header version (6)	-L N	header length, instead of the right one
 *	-T N	cut off N bytes		-P N	N zero bytes behind the frame
 *	-n N	send it N times		-o	print it in hex, send nothing
 *	-F N	in IP fragments of N bytes (a multiple of 8)
 *
 * An ITEM is an action and its values, "ins,id=1,creator=0x11,src=10.0.1.2,...",
 * and makes a section of its own, or one more message of the section before
 * with a leading "+". Actions: ins upd del (full states), upd_c, ins_ack
 * upd_req del_c, clr, bus, tdb, eof, raw. Values:
 *
 *	id creator expire timeout ifname status proto dir af
 *	src dst sport dport		both keys
 *	ssrc sdst ssport sdport		the stack key alone (NAT)
 *	state=A/B seqlo=A/B seqhi=A/B win=A/B wscale=A/B	of src/dst peer
 *	poke=OFFSET:HEX			bytes over the finished message
 *	action= words= count=		of the section, instead of the right ones
 *	hex=				the message itself (raw)
 */
#include <arpa/inet.h>
#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rawframe.h"

#define HEADER 20
#define SUBHEADER 4
#define STATE_SIZE 264
#define BSD_INET6 24

struct frame {
	uint8_t data[65536];
	size_t len;
	size_t section;		/* offset of the last subheader, 0: none */
};

struct format {
	const char *name;
	int action;
	int size;
	int id;			/* offsets, -1: not there */
	int creator;
	int peers;
	int timeout;
};

static const struct format formats[] = {
	{ "ins",     13, STATE_SIZE,  0, 236, 104, 255 },
	{ "upd",     14, STATE_SIZE,  0, 236, 104, 255 },
	{ "del",      6, STATE_SIZE,  0, 236, 104, 255 },
	{ "upd_c",    4,         84,  0,  72,   8,  80 },
	{ "ins_ack",  2,         12,  0,   8,  -1,  -1 },
	{ "upd_req",  5,         12,  0,   8,  -1,  -1 },
	{ "del_c",    7,         12,  0,   8,  -1,  -1 },
	{ "clr",      0,         20, -1,  16,  -1,  -1 },
	{ "bus",     10,         12, -1,   0,  -1,  -1 },
	{ "tdb",     15,         52, -1,  -1,  -1,  -1 },
	{ "eof",     12,          0, -1,  -1,  -1,  -1 },
	{ "raw",      0,          0, -1,  -1,  -1,  -1 },
};

/* What a peer block of 32 bytes has where. */
static const struct { const char *name; int offset, size; } peer_fields[] = {
	{ "seqlo", 8, 4 }, { "seqhi", 12, 4 }, { "win", 20, 2 },
	{ "state", 24, 1 }, { "wscale", 25, 1 },
};

/* Fields of a full state that are plain numbers. */
static const struct { const char *name; int offset, size; } state_fields[] = {
	{ "creation", 196, 4 }, { "expire", 200, 4 }, { "af", 250, 1 },
	{ "proto", 251, 1 }, { "dir", 252, 1 }, { "flags", 260, 2 },
};

static void put(uint8_t *p, uint64_t v, int size)
{
	while (size--) {
		p[size] = v;
		v >>= 8;
	}
}

static size_t put_hex(uint8_t *p, size_t room, const char *hex)
{
	unsigned int byte;
	size_t n = 0;

	while (hex[0] && hex[1]) {
		if (n == room || sscanf(hex, "%2x", &byte) != 1)
			errx(2, "bad hex: %s", hex);
		p[n++] = byte;
		hex += 2;
	}
	return n;
}

/* Address to one slot of a key; sets the family of key and state. */
static void put_address(uint8_t *state, int key, int slot, const char *text)
{
	uint8_t *p = state + key + slot * 16;
	uint8_t buf[16] = { 0 };
	int af = AF_INET;

	if (inet_pton(AF_INET6, text, buf) == 1)
		af = BSD_INET6;
	else if (inet_pton(AF_INET, text, buf) != 1)
		errx(2, "%s is no address", text);
	memcpy(p, buf, 16);
	state[key + 38] = af;
	state[250] = af;
}

/* src dst sport dport, for one key with a leading s */
static bool key_value(uint8_t *m, const char *name, const char *value)
{
	static const char *const names[] = { "src", "dst", "sport", "dport" };
	bool stack_only = false;
	int i;

	for (int pass = 0; pass < 2; pass++) {
		for (i = 0; i < 4; i++)
			if (!strcmp(name, names[i]))
				goto found;
		stack_only = true;
		if (*name++ != 's')
			return false;
	}
	return false;
found:
	for (int key = stack_only ? 64 : 24; key <= 64; key += 40) {
		if (i < 2)
			put_address(m, key, i, value);
		else
			put(m + key + 32 + (i - 2) * 2, strtoul(value, NULL, 0), 2);
	}
	return true;
}

static bool peer_value(uint8_t *peers, const char *name, const char *value)
{
	const char *second = strchr(value, '/');

	for (size_t i = 0; i < sizeof(peer_fields) / sizeof(*peer_fields); i++) {
		if (strcmp(name, peer_fields[i].name))
			continue;
		second = second ? second + 1 : value;
		put(peers + peer_fields[i].offset, strtoul(value, NULL, 0),
		    peer_fields[i].size);
		put(peers + 32 + peer_fields[i].offset,
		    strtoul(second, NULL, 0), peer_fields[i].size);
		return true;
	}
	return false;
}

static bool state_value(uint8_t *m, const char *name, const char *value)
{
	if (!strcmp(name, "ifname")) {
		snprintf((char *)m + 8, 16, "%s", value);
		return true;
	}
	for (size_t i = 0; i < sizeof(state_fields) / sizeof(*state_fields); i++) {
		if (strcmp(name, state_fields[i].name))
			continue;
		put(m + state_fields[i].offset, strtoul(value, NULL, 0),
		    state_fields[i].size);
		return true;
	}
	return key_value(m, name, value);
}

static bool set_value(const struct format *f, uint8_t *m, const char *name,
		      const char *value)
{
	uint64_t v = strtoull(value, NULL, 0);

	if (!strcmp(name, "id") && f->id >= 0)
		put(m + f->id, v, 8);
	else if (!strcmp(name, "creator") && f->creator >= 0)
		put(m + f->creator, v, 4);
	else if (!strcmp(name, "timeout") && f->timeout >= 0)
		m[f->timeout] = v;
	else if (!strcmp(name, "status") && f->action == 10)
		m[8] = v;
	else if (!strcmp(name, "ifname") && f->action == 0)
		snprintf((char *)m, 16, "%s", value);
	else if (f->peers >= 0 && peer_value(m + f->peers, name, value))
		;
	else
		return f->size == STATE_SIZE && state_value(m, name, value);
	return true;
}

/* An established TCP connection that any receiver would take. */
static void defaults(const struct format *f, uint8_t *m)
{
	if (f->creator >= 0)
		put(m + f->creator, 0x11111111, 4);
	if (f->timeout >= 0)
		m[f->timeout] = 2;
	if (f->peers >= 0) {
		peer_value(m + f->peers, "seqlo", "1000");
		peer_value(m + f->peers, "seqhi", "66535");
		peer_value(m + f->peers, "win", "65535");
		peer_value(m + f->peers, "state", "4");
	}
	if (f->size != STATE_SIZE)
		return;
	snprintf((char *)m + 8, 16, "all");
	memset(m + 184, 0xff, 12);
	put(m + 200, 3600, 4);
	memset(m + 240, 0xff, 8);
	m[251] = IPPROTO_TCP;
	m[252] = 1;
}

static const struct format *find_format(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (!strcmp(formats[i].name, name))
			return &formats[i];
	errx(2, "unknown action %s", name);
}

static uint8_t *open_section(struct frame *fr, const struct format *f, bool join)
{
	if (!join || !fr->section) {
		fr->section = fr->len;
		fr->data[fr->len] = f->action;
		fr->data[fr->len + 1] = f->size / 4;
		fr->len += SUBHEADER;
	}
	put(fr->data + fr->section + 2,
	    fr->data[fr->section + 2] * 256 + fr->data[fr->section + 3] + 1, 2);
	return fr->data + fr->len;
}

/* Values of the section, or that go over the finished message. */
static bool late_value(struct frame *fr, uint8_t *m, size_t *size,
		       const char *name, const char *value)
{
	uint8_t *sub = fr->data + fr->section;
	char *end;

	if (!strcmp(name, "action")) {
		sub[0] = strtoul(value, NULL, 0);
	} else if (!strcmp(name, "words")) {
		sub[1] = strtoul(value, NULL, 0);
	} else if (!strcmp(name, "count")) {
		put(sub + 2, strtoul(value, NULL, 0), 2);
	} else if (!strcmp(name, "hex")) {
		*size = put_hex(m, 4096, value);
		sub[1] = *size / 4;
	} else if (!strcmp(name, "poke")) {
		size_t at = strtoul(value, &end, 0);

		if (*end != ':' || at >= 4096)
			errx(2, "poke=%s: OFFSET:HEX", value);
		put_hex(m + at, 4096 - at, end + 1);
	} else {
		return false;
	}
	return true;
}

static void add_item(struct frame *fr, char *item)
{
	bool join = *item == '+';
	char *name = strtok(item + join, ","), *word;
	const struct format *f = find_format(name);
	uint8_t *m = open_section(fr, f, join);
	size_t size = f->size;

	defaults(f, m);
	while ((word = strtok(NULL, ","))) {
		char *value = strchr(word, '=');

		if (!value)
			errx(2, "%s: no value", word);
		*value++ = 0;
		if (!late_value(fr, m, &size, word, value) &&
		    !set_value(f, m, word, value))
			errx(2, "%s has no %s", name, word);
	}
	fr->len += size;
	if (fr->len > 60000)
		errx(2, "frame too long");
}

static void print_hex(const uint8_t *p, size_t n)
{
	while (n--)
		printf("%02x", *p++);
	putchar('\n');
}

static void send_frame(const uint8_t *data, size_t len, const char *src,
		       const char *dst, int ttl, const char *dev, long times,
		       size_t fragment)
{
	struct rawframe r;

	rawframe_open(&r, dev, src, dst, ttl);
	while (times--)
		rawframe_send(&r, data, len, fragment, getpid() | 1);
	close(r.fd);
}

int main(int argc, char **argv)
{
	const char *src = "10.0.9.1", *dst = "224.0.0.240", *dev = NULL;
	long times = 1, length = -1, cut = 0, pad = 0, fragment = 0;
	static struct frame fr;
	int opt, ttl = 255, version = 6;
	bool hex = false, print = false;

	fr.len = HEADER;
	while ((opt = getopt(argc, argv, "i:s:d:t:V:L:T:P:n:x:oF:")) > 0) {
		static char line[131072];

		switch (opt) {
		case 'i': dev = optarg; break;
		case 's': src = optarg; break;
		case 'd': dst = optarg; break;
		case 't': ttl = atoi(optarg); break;
		case 'V': version = atoi(optarg); break;
		case 'L': length = strtol(optarg, NULL, 0); break;
		case 'T': cut = atol(optarg); break;
		case 'P': pad = atol(optarg); break;
		case 'F': fragment = atol(optarg) & ~7; break;
		case 'n': times = atol(optarg); break;
		case 'o': print = true; break;
		case 'x':
			hex = true;
			if (!strcmp(optarg, "-"))
				optarg = fgets(line, sizeof(line), stdin);
			fr.len = put_hex(fr.data, sizeof(fr.data),
					 optarg ? optarg : "");
			break;
		default: return 2;
		}
	}
	for (int i = optind; i < argc; i++)
		add_item(&fr, argv[i]);
	if (!hex) {
		fr.data[0] = version;
		put(fr.data + 2, length >= 0 ? (size_t)length : fr.len, 2);
	}
	fr.len += pad;
	fr.len = cut < (long)fr.len ? fr.len - cut : 0;
	if (print)
		print_hex(fr.data, fr.len);
	else
		send_frame(fr.data, fr.len, src, dst, ttl, dev, times,
			   fragment);
	return 0;
}
