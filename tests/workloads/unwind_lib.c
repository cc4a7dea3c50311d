// SPDX-License-Identifier: GPL-2.0
/* A library that is loaded late, and calls back. */
__attribute__((noinline, noclone)) int through(int (*end)(int), int depth)
{
	int made = depth ? through(end, depth - 1) : end(1);

	__asm__ volatile("" : "+r"(made));
	return made * 2 + depth;
}
