/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What ip(8) exports to its plugins.  There is no header of it to include;
 * this is kept to what has been the same since 2022.
 */
#ifndef _NFSYNC_IP_PLUGIN_H
#define _NFSYNC_IP_PLUGIN_H

#include <stdbool.h>
#include <stdio.h>
#include <stdnoreturn.h>

#include <linux/rtnetlink.h>
#include <linux/types.h>

struct link_util {
	struct link_util *next;
	const char *id;
	int maxattr;
	int (*parse_opt)(struct link_util *lu, int argc, char **argv,
			 struct nlmsghdr *n);
	void (*print_opt)(struct link_util *lu, FILE *f, struct rtattr *tb[]);
	void (*print_xstats)(struct link_util *lu, FILE *f, struct rtattr *x);
	void (*print_help)(struct link_util *lu, int argc, char **argv,
			   FILE *f);
	int (*parse_ifla_xstats)(struct link_util *lu, int argc, char **argv);
	int (*print_ifla_xstats)(struct nlmsghdr *n, void *arg);
};

/* enum output_type and enum color_attr of ip */
#define PRINT_FP	1
#define PRINT_JSON	2
#define PRINT_ANY	4
#define COLOR_INET	2
#define COLOR_NONE	6

/* room that ip gives a request: struct iplink_req */
#define REQ_MAX		1024

extern int show_stats;	/* how many -s */

int addattr8(struct nlmsghdr *n, int maxlen, int type, __u8 data);
int addattr16(struct nlmsghdr *n, int maxlen, int type, __u16 data);
int addattr_l(struct nlmsghdr *n, int maxlen, int type, const void *data,
	      int alen);
int addattr32(struct nlmsghdr *n, int maxlen, int type, __u32 data);
unsigned int ll_name_to_index(const char *name);
const char *ll_index_to_name(unsigned int index);
noreturn void duparg(const char *key, const char *arg);
noreturn void invarg(const char *msg, const char *arg);
noreturn void incomplete_command(void);
void print_nl(void);
bool is_json_context(void);
void open_json_object(const char *key);
void close_json_object(void);
void open_json_array(int type, const char *key);
void close_json_array(int type, const char *delim);
int print_color_bool(int type, int color, const char *key, const char *fmt,
		     bool value);
int print_color_string(int type, int color, const char *key, const char *fmt,
		       const char *value);
int print_color_uint(int type, int color, const char *key, const char *fmt,
		     unsigned int value);
int print_color_u64(int type, int color, const char *key, const char *fmt,
		    __u64 value);
int print_color_on_off(int type, int color, const char *key, const char *fmt,
		       bool value);

#endif /* _NFSYNC_IP_PLUGIN_H */
