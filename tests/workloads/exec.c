// SPDX-License-Identifier: GPL-2.0
/* Burns argv[1] seconds of CPU time in before_exec, then becomes the program argv[2] with the arguments that follow. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void before_exec(void)
{
	volatile unsigned long x = 1;

	for (int i = 0; i < 200000; i++)
		x = x * 6364136223846793005ul + 7;
}

int main(int argc, char **argv)
{
	clock_t end = argc > 2 ? atof(argv[1]) * CLOCKS_PER_SEC : 0;

	while (clock() < end)
		before_exec();
	return argc > 2 ? execv(argv[2], argv + 2) : 1;
}
