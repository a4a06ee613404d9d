// SPDX-License-Identifier: GPL-2.0
/*
 * insns.so - a qemu plugin that counts how often each block of code runs
 *
 * Writes "ADDRESS INSTRUCTIONS TIMES" of every translated block to the file
 * of its argument out=; profile.sh joins that with the kernel's symbols. The
 * distribution ships qemu with plugins enabled but not the header, so the
 * little that is used of version 1 of the interface is declared here.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define SLOTS (1U << 20)	/* a boot and a benchmark use a third of it */
#define INLINE_ADD_U64 0

struct qemu_plugin_tb;
typedef uint64_t plugin_id;
typedef void (*tb_trans_cb)(plugin_id id, struct qemu_plugin_tb *tb);
typedef void (*exit_cb)(plugin_id id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, tb_trans_cb cb);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op,
					      void *ptr, uint64_t imm);
void qemu_plugin_register_atexit_cb(plugin_id id, exit_cb cb, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc,
			       char **argv);

struct block {
	uint64_t addr;
	uint64_t insns;
	uint64_t times;
};

static struct block *blocks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *out = "insns.txt";

/* Blocks are translated again and again: one slot for address and length. */
static struct block *find(uint64_t addr, uint64_t insns)
{
	uint32_t i = (addr * 0x9e3779b97f4a7c15ULL) >> 44;

	while (blocks[i].insns &&
	       (blocks[i].addr != addr || blocks[i].insns != insns))
		i = (i + 1) % SLOTS;
	blocks[i].addr = addr;
	blocks[i].insns = insns;
	return &blocks[i];
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	struct block *b;

	(void)id;
	pthread_mutex_lock(&lock);
	b = find(qemu_plugin_tb_vaddr(tb), qemu_plugin_tb_n_insns(tb));
	pthread_mutex_unlock(&lock);
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &b->times, 1);
}

static void finished(plugin_id id, void *data)
{
	FILE *f = fopen(out, "w");

	(void)id;
	(void)data;
	for (uint32_t i = 0; f && i < SLOTS; i++)
		if (blocks[i].times)
			fprintf(f, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n",
				blocks[i].addr, blocks[i].insns, blocks[i].times);
	if (f)
		fclose(f);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	blocks = calloc(SLOTS, sizeof(*blocks));
	if (!blocks)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finished, NULL);
	return 0;
}
