// SPDX-License-Identifier: GPL-2.0
/*
 * Burns argv[1] seconds of CPU time in bottom(), argv[2] calls below the start of a thread whose first function has
 * no caller, as start code makes it: its frame pointer is cleared, so that the walk has a true end.
 */
#include <stdlib.h>
#include <time.h>

static volatile unsigned long sink;

void bottom(void)
{
	volatile unsigned long x = sink;

	for (int i = 0; i < 500000; i++)
		x = x * 6364136223846793005ul + 1;
	sink = x;
}

void descend(int depth)
{
	if (depth > 0)
		descend(depth - 1);
	else
		bottom();
	__asm__ volatile("");
}

void work(double seconds, int depth)
{
	while (clock() < seconds * CLOCKS_PER_SEC)
		descend(depth);
	exit(0);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1;
	int depth = argc > 2 ? atoi(argv[2]) : 10;

	/* As _start does before the first call. */
#ifdef __x86_64__
	__asm__ volatile("movq $0, (%rbp)");
#else
	__asm__ volatile("str xzr, [x29]");
#endif
	work(seconds, depth);
	return 0;
}
