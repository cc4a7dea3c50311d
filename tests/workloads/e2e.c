// SPDX-License-Identifier: GPL-2.0
/*
 * Uses CPU in a known shape and keeps a log of it for tests/kernel_e2e: "e2e burn|half|threads SECONDS".
 * Prints "BOOTTIME CPU" lines, ns, one for about every 10 ms, then "end", and sleeps until a line arrives on standard input.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_EVERY 10000000LL
#define LOG_MAX 16384

static long long log_time[LOG_MAX], log_cpu[LOG_MAX];
static int logged;
static volatile int over;

static long long clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void note(void)
{
	if (logged == LOG_MAX)
		_exit(97);
	log_time[logged] = clock_ns(CLOCK_BOOTTIME);
	log_cpu[logged++] = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static void burn(long long ns)
{
	long long end = clock_ns(CLOCK_MONOTONIC) + ns;

	while (clock_ns(CLOCK_MONOTONIC) < end)
		;
}

static void *burner(void *unused)
{
	while (!over)
		;
	return unused;
}

int main(int argc, char **argv)
{
	struct timespec pause = { .tv_nsec = LOG_EVERY };
	const char *shape = argc > 1 ? argv[1] : "";
	long long end = clock_ns(CLOCK_MONOTONIC) + (long long)((argc > 2 ? atof(argv[2]) : 1) * 1e9);
	int burns = !strcmp(shape, "burn"), half = !strcmp(shape, "half"), threads = strcmp(shape, "threads") ? 0 : 8;
	pthread_t thread[8];
	cpu_set_t first;
	char answer;

	if (!burns && !half && !threads)
		return 98;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (burns && sched_setaffinity(0, sizeof(first), &first))
		return 96;
	for (int i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, burner, NULL);
	note();
	while (clock_ns(CLOCK_MONOTONIC) < end) {
		if (burns || half)
			burn(LOG_EVERY);
		if (!burns)
			nanosleep(&pause, NULL);
		note();
	}
	over = 1;
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	note();
	for (int i = 0; i < logged; i++)
		printf("%lld %lld\n", log_time[i], log_cpu[i]);
	puts("end");
	fflush(stdout);
	return read(0, &answer, 1) < 0;
}
