// SPDX-License-Identifier: GPL-2.0
/*
 * pulse - when a processor of this machine was away
 *
 *	pulse FILE MS
 *
 * On each processor something wakes 50 times a second, in front of all other
 * processes. Where it is late by MS or more, FILE gets a line with the
 * processor and how late it was, in ms. An emulated processor of a busy host is
 * away now and then, and what is on its way there waits for as long.
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_NS	20000000L
#define SECOND_NS	1000000000L

static int out;
static int64_t limit_ns;

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static void stay_on(int cpu)
{
	struct sched_param first = { .sched_priority = 1 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "sched_setaffinity %d", cpu);
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		err(1, "sched_setscheduler");
}

static void *beat(void *arg)
{
	int cpu = (intptr_t)arg;
	int64_t due, late;

	stay_on(cpu);
	for (;;) {
		struct timespec t;

		due = now_ns() + PERIOD_NS;
		t.tv_sec = due / SECOND_NS;
		t.tv_nsec = due % SECOND_NS;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		late = now_ns() - due;
		if (late >= limit_ns && dprintf(out, "%d %lld\n", cpu,
						(long long)late / 1000000) < 0)
			err(1, "cannot write");
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long cpu, n = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread;

	if (argc != 3)
		errx(2, "usage: pulse FILE MS");
	limit_ns = atoll(argv[2]) * 1000000;
	out = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (out < 0)
		err(1, "%s", argv[1]);
	for (cpu = 0; cpu < n; cpu++)
		if (pthread_create(&thread, NULL, beat, (void *)(intptr_t)cpu))
			errx(1, "no thread");
	pause();
	return 0;
}
