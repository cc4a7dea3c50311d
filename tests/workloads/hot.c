// SPDX-License-Identifier: GPL-2.0
/*
 * Burns CPU for argv[1] seconds of its own CPU time: 70 % in hot_a, 20 % in hot_b, 10 % in hot_c.
 * Prints what each took by its own clock, ns, and its whole CPU time: "a b c total".
 * The hot functions have a variable in memory, since gcc makes no frame for one that needs no memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile unsigned long sink;

static unsigned long cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ul + t.tv_nsec;
}

#define HOT(name, step)                                                                                                \
	void name(void)                                                                                                \
	{                                                                                                              \
		volatile unsigned long x = sink;                                                                               \
                                                                                                                       \
		for (int i = 0; i < 200000; i++)                                                                       \
			x = x * 6364136223846793005ul + step;                                                          \
		sink = x;                                                                                              \
	}

HOT(hot_a, 1)
HOT(hot_b, 3)
HOT(hot_c, 5)

/* Runs `work` until it took `ns`; returns what it took. */
unsigned long spend(void (*work)(void), unsigned long ns)
{
	unsigned long start = cpu_ns(), now;

	do {
		work();
		now = cpu_ns();
	} while (now - start < ns);
	return now - start;
}

int main(int argc, char **argv)
{
	unsigned long total = (argc > 1 ? atof(argv[1]) : 1) * 1e9, a = 0, b = 0, c = 0;

	while (cpu_ns() < total) {
		a += spend(hot_a, 7000000);
		b += spend(hot_b, 2000000);
		c += spend(hot_c, 1000000);
	}
	printf("%lu %lu %lu %lu\n", a, b, c, cpu_ns());
	return 0;
}
