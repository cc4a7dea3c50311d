// SPDX-License-Identifier: GPL-2.0
/*
 * Prints one address a line, "KIND ADDRESS", of code of each kind there is to name, then waits for the end of its input:
 * f (a name that looks mangled), inlined (the last byte of an instruction of inner, inlined into outer), jit (memory written at run time, named in
 * the perf map given as argv[1], else nameless), bare (assembly whose symbols have neither type nor size, and a label within), vdso,
 * libc (a function that only .dynsym names).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void f(void)
{
	__asm__ volatile("");
}

void bare(void);
__asm__(".text\n.globl bare\nbare: .zero 16\nwithin: .zero 16");

static inline __attribute__((always_inline)) void *inner(void)
{
	void *here;

#ifdef __x86_64__
	__asm__ volatile("lea (%%rip), %0" : "=r"(here));
#else
	__asm__ volatile("adr %0, . + 4" : "=r"(here));
#endif
	return here;
}

__attribute__((noinline)) void *outer(void)
{
	void *here = inner();

	__asm__ volatile("" : "+r"(here));
	return here;
}

int main(int argc, char **argv)
{
	char *jit = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *vdso = dlopen("linux-vdso.so.1", RTLD_NOLOAD | RTLD_LAZY);
	char byte, path[64];

	if (argc > 1) {
		FILE *map;

		snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
		map = fopen(path, "w");
		fprintf(map, "0x%lx 0x40 Interpreter::run\ngarbage line\n%lx 40 late\x1b[1m\n", (long)jit, (long)jit + 0x40);
		fclose(map);
	}
	printf("f %lx\n", (long)f);
	printf("inlined %lx\n", (long)outer() - 1);
	printf("bare %lx\n", (long)bare + 20);
	printf("jit %lx\n", (long)jit + 8);
	printf("late %lx\n", (long)jit + 0x48);
	printf("libc %lx\n", (long)dlsym(RTLD_DEFAULT, "qsort_r"));
	if (vdso)
		printf("vdso %lx\n", (long)dlsym(vdso, "__vdso_clock_gettime") + 4);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	if (argc > 1)
		unlink(path);
	return 0;
}
