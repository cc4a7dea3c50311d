// SPDX-License-Identifier: GPL-2.0
/*
 * Burns argv[2] seconds of its own CPU time, 70 % in hot_a and 30 % in hot_b, at the end of a stack that argv[1] makes:
 * recursion, chain, alloca, big, signal, tail, jit, jit-bare or library (argv[3] is the library's path). To be built without frame pointers.
 * Prints what each function took by its own clock, ns: "a b".
 */
#define _GNU_SOURCE
#include <alloca.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static volatile unsigned long sink;
static unsigned long a_ns, b_ns;
static int end_of_stack(int depth);

static unsigned long cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ul + t.tv_nsec;
}

#define APART __attribute__((noinline, noclone))
#define HOT(name, step)                                                                                                \
	APART void name(void)                                                                                          \
	{                                                                                                              \
		unsigned long x = sink;                                                                                \
                                                                                                                       \
		for (int i = 0; i < 200000; i++) {                                                                     \
			x = x * 6364136223846793005ul + step;                                                          \
			__asm__ volatile("" : "+r"(x));                                                                \
		}                                                                                                      \
		sink = x;                                                                                              \
	}

HOT(hot_a, 1)
HOT(hot_b, 3)

APART unsigned long spend(void (*work)(void), unsigned long ns)
{
	unsigned long start = cpu_ns(), now;

	do {
		work();
		now = cpu_ns();
	} while (now - start < ns);
	return now - start;
}

/* What every kind of stack ends in. */
APART int end_of_stack(int depth)
{
	a_ns += spend(hot_a, 7000000);
	b_ns += spend(hot_b, 3000000);
	return depth + (int)(sink & 1);
}

/* Keeps the compiler from turning a call into a jump or a loop. */
#define RETURN_HERE(made) __asm__ volatile("" : "+r"(made))

APART int recursion(int depth)
{
	int made = depth ? recursion(depth - 1) : end_of_stack(1);

	RETURN_HERE(made);
	return made + 1;
}

/* A hundred functions, each of its own: link_99 calls link_98 ... link_00 calls the end. */
static int link_end(int depth)
{
	return end_of_stack(depth);
}
#define LINK(name, next)                                                                                               \
	APART int name(int depth)                                                                                      \
	{                                                                                                              \
		int made = next(depth + 1);                                                                            \
                                                                                                                       \
		return made * 3 + depth;                                                                               \
	}
#define TEN(t, before)                                                                                                 \
	LINK(link_##t##0, before)                                                                                      \
	LINK(link_##t##1, link_##t##0)                                                                                 \
	LINK(link_##t##2, link_##t##1)                                                                                 \
	LINK(link_##t##3, link_##t##2)                                                                                 \
	LINK(link_##t##4, link_##t##3)                                                                                 \
	LINK(link_##t##5, link_##t##4)                                                                                 \
	LINK(link_##t##6, link_##t##5)                                                                                 \
	LINK(link_##t##7, link_##t##6)                                                                                 \
	LINK(link_##t##8, link_##t##7)                                                                                 \
	LINK(link_##t##9, link_##t##8)
TEN(0, link_end)
TEN(1, link_09)
TEN(2, link_19)
TEN(3, link_29)
TEN(4, link_39)
TEN(5, link_49)
TEN(6, link_59)
TEN(7, link_69)
TEN(8, link_79)
TEN(9, link_89)

APART int variable(int depth)
{
	char *room = alloca(16 + depth * 40 % 333);
	int made;

	memset(room, depth, 16);
	__asm__ volatile("" : : "r"(room) : "memory");
	made = depth ? variable(depth - 1) : end_of_stack(1);
	return made + room[3];
}

/* 20 kB a frame. */
APART int big(int depth)
{
	char room[20000];
	int made;

	memset(room, depth, 16);
	__asm__ volatile("" : : "r"(room) : "memory");
	made = depth ? big(depth - 1) : end_of_stack(1);
	return made + room[3];
}

static void on_signal(int signal)
{
	sink += signal + end_of_stack(2);
}

APART int raise_it(int depth)
{
	int made = depth ? raise_it(depth - 1) : raise(SIGUSR1);

	RETURN_HERE(made);
	return made + 1;
}

/* The caller of a tail call leaves no frame; its own caller is next. */
APART int tail_last(int depth)
{
	int made = end_of_stack(depth);

	RETURN_HERE(made);
	return made + 1;
}
APART int tail_first(int depth)
{
	return tail_last(depth * 2);
}
APART int tail(int depth)
{
	int made = depth ? tail(depth - 1) : tail_first(7);

	RETURN_HERE(made);
	return made + 1;
}

#ifdef __x86_64__
#include <sys/mman.h>

/* Calls its first argument from code written at run time, with a frame or with a frame pointer that leads nowhere. */
static int through_jit(int (*call)(void), int has_frame)
{
	static const unsigned char framed[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
	static const unsigned char bare[] = {0x55, 0x48, 0xc7, 0xc5, 1, 0, 0, 0, 0xff, 0xd7, 0x5d, 0xc3};
	static unsigned char *code;

	if (!code) {
		code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (code == MAP_FAILED)
			exit(1);
		memcpy(code, has_frame ? framed : bare, has_frame ? sizeof(framed) : sizeof(bare));
	}
	return ((int (*)(int (*)(void)))code)(call) + 1;
}

APART int under_jit(void)
{
	return end_of_stack(3) + 1;
}
#endif

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "recursion";
	unsigned long total = (argc > 2 ? atof(argv[2]) : 1) * 1e9;
	int (*through)(int (*)(int), int) = NULL;

	signal(SIGUSR1, on_signal);
#ifndef NO_LIBRARY
	if (argc > 3) {
		void *library = dlopen(argv[3], RTLD_NOW);

		if (library)
			through = dlsym(library, "through");
		if (!through)
			return 1;
	}
#endif
	while (cpu_ns() < total) {
		if (!strcmp(mode, "recursion"))
			sink += recursion(30);
		else if (!strcmp(mode, "chain"))
			sink += link_99(0);
		else if (!strcmp(mode, "alloca"))
			sink += variable(20);
		else if (!strcmp(mode, "big"))
			sink += big(40);
		else if (!strcmp(mode, "signal"))
			sink += raise_it(5);
		else if (!strcmp(mode, "tail"))
			sink += tail(5);
		else if (!strcmp(mode, "library") && through)
			sink += through(end_of_stack, 10);
#ifdef __x86_64__
		else if (!strcmp(mode, "jit"))
			sink += through_jit(under_jit, 1);
		else if (!strcmp(mode, "jit-bare"))
			sink += through_jit(under_jit, 0);
#endif
		else
			return 1;
	}
	printf("%lu %lu\n", a_ns, b_ns);
	return 0;
}
