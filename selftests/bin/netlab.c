// SPDX-License-Identifier: GPL-2.0
/*
 * netlab - set a topology of network namespaces up from one process
 *
 * Reads a description, one item a line:
 *
 *	@NAME			the following lines are for this namespace, which
 *				is made when it does not exist ('@' alone: the
 *				namespace netlab was started in)
 *	ip ARGUMENTS		consecutive ones go to a single "ip -b -"
 *	nft TEXT		consecutive ones go to a single "nft -f -"
 *	sysctl NAME=VALUE	written directly, dots or slashes in NAME
 *	# comment
 *
 * A shell loop of "ip netns exec" forks hundreds of processes, and forking is
 * what costs most in an emulated guest; this forks once per block.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NETNS_DIR "/run/netns/"

/* Lines of one kind that one child reads. */
struct block {
	const char *tool;	/* "ip", "nft" or NULL when empty */
	char *text;
	size_t len;
};

static int home_ns;

static void enter_ns(const char *name)
{
	char path[256];
	int fd = home_ns;

	if (*name) {
		snprintf(path, sizeof(path), NETNS_DIR "%s", name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			err(1, "namespace %s", name);
	}
	if (setns(fd, CLONE_NEWNET))
		err(1, "setns %s", name);
	if (fd != home_ns)
		close(fd);
}

static void feed(int fd, const char *text, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, text, len);
		if (n < 0)
			break;
		text += n;
		len -= n;
	}
	close(fd);
}

static void run_tool(const char *tool, const char *text, size_t len)
{
	const char *flag = strcmp(tool, "ip") ? "-f" : "-b";
	int pipefd[2], status;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC))
		err(1, "pipe");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		dup2(pipefd[0], 0);
		execlp(tool, tool, flag, "-", (char *)NULL);
		err(127, "%s", tool);
	}
	close(pipefd[0]);
	feed(pipefd[1], text, len);
	if (waitpid(pid, &status, 0) < 0)
		err(1, "wait");
	if (status)
		errx(1, "%s failed on:\n%.*s", tool, (int)len, text);
}

static void block_flush(struct block *b)
{
	if (b->tool)
		run_tool(b->tool, b->text, b->len);
	b->tool = NULL;
	b->len = 0;
}

static void block_add(struct block *b, const char *tool, const char *line)
{
	size_t n = strlen(line);

	if (b->tool && strcmp(b->tool, tool))
		block_flush(b);
	b->tool = tool;
	b->text = realloc(b->text, b->len + n + 1);
	if (!b->text)
		err(1, "realloc");
	memcpy(b->text + b->len, line, n);
	b->text[b->len + n] = '\n';
	b->len += n + 1;
}

static void write_sysctl(char *setting)
{
	char path[512], *value = strchr(setting, '=');
	int fd;

	if (!value)
		errx(1, "sysctl %s: no value", setting);
	*value++ = 0;
	for (char *c = setting; *c; c++)
		if (*c == '.')
			*c = '/';
	snprintf(path, sizeof(path), "/proc/sys/%s", setting);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		err(1, "%s = %s", path, value);
	close(fd);
}

/* All namespaces first, so that a link can name its peer's one. */
static void make_namespaces(char **lines, size_t n)
{
	struct block b = { 0 };
	char buf[256];

	for (size_t i = 0; i < n; i++) {
		if (lines[i][0] != '@' || !lines[i][1])
			continue;
		snprintf(buf, sizeof(buf), NETNS_DIR "%s", lines[i] + 1);
		if (!access(buf, F_OK))
			continue;
		for (size_t k = 0; k < i && *buf; k++)
			if (!strcmp(lines[k], lines[i]))
				*buf = 0;
		if (!*buf)
			continue;
		snprintf(buf, sizeof(buf), "netns add %s", lines[i] + 1);
		block_add(&b, "ip", buf);
	}
	block_flush(&b);
	free(b.text);
}

static void apply(char **lines, size_t n)
{
	struct block b = { 0 };

	for (size_t i = 0; i < n; i++) {
		char *l = lines[i];

		if (*l == '@') {
			block_flush(&b);
			enter_ns(l + 1);
		} else if (!strncmp(l, "ip ", 3)) {
			block_add(&b, "ip", l + 3);
		} else if (!strncmp(l, "nft ", 4)) {
			block_add(&b, "nft", l + 4);
		} else if (!strncmp(l, "sysctl ", 7)) {
			block_flush(&b);
			write_sysctl(l + 7);
		} else if (*l && *l != '#') {
			errx(1, "line not understood: %s", l);
		}
	}
	block_flush(&b);
	free(b.text);
}

int main(void)
{
	char **lines = NULL, *line = NULL;
	size_t n = 0, size = 0;
	ssize_t len;

	signal(SIGPIPE, SIG_IGN);
	home_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home_ns < 0)
		err(1, "/proc/self/ns/net");
	while ((len = getline(&line, &size, stdin)) >= 0) {
		char *start = line + strspn(line, " \t");

		start[strcspn(start, "\n")] = 0;
		lines = realloc(lines, (n + 1) * sizeof(*lines));
		if (!lines)
			err(1, "realloc");
		lines[n] = strdup(start);
		if (!lines[n++])
			err(1, "strdup");
	}
	free(line);
	make_namespaces(lines, n);
	apply(lines, n);
	return 0;
}
