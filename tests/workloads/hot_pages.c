// SPDX-License-Identifier: GPL-2.0
/* For each number read from its input: maps that many fresh 4 KiB pages, touches each, unmaps them, prints the number. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>

int main(void)
{
	unsigned long pages;

	while (scanf("%lu", &pages) == 1) {
		char *memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			return 1;
		madvise(memory, pages * 4096, MADV_NOHUGEPAGE);
		for (unsigned long i = 0; i < pages; i++)
			memory[i * 4096] = 1;
		munmap(memory, pages * 4096);
		printf("%lu\n", pages);
		fflush(stdout);
	}
	return 0;
}
