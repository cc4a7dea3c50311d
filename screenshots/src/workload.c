// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Something to look at. The name it was started by says what it does:
 *   web-server   burns most of a CPU in functions of known shares (70/20/10 %)
 *   cache        touches memory, gives it back, touches it again
 *   builder      starts processes that burn 5 ms and are gone
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static volatile unsigned long sink;

static double cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* Rounds of arithmetic, inlined into each caller so that the time is the caller's own. */
static inline __attribute__((always_inline)) void burn(unsigned long rounds)
{
	for (unsigned long i = 0; i < rounds; i++)
		sink = sink * 2862933555777941757UL + i;
}

static NOINLINE void compress_body(void) { burn(700000); }
static NOINLINE void render_template(void) { burn(200000); }
static NOINLINE void parse_headers(void) { burn(100000); }

static NOINLINE void handle_request(void)
{
	parse_headers();
	render_template();
	compress_body();
	sink++;
}

static NOINLINE void serve(void)
{
	for (;;) {
		handle_request();
		usleep(300);
	}
}

static NOINLINE void fill_pages(char *pages, size_t size)
{
	for (size_t at = 0; at < size; at += 4096)
		pages[at] = 1;
	sink++;
}

static NOINLINE void refresh_cache(void)
{
	size_t size = 192UL << 20;
	char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return;
	for (;;) {
		fill_pages(pages, size);
		usleep(900000);
		madvise(pages, size / 8, MADV_DONTNEED);
	}
}

static NOINLINE void build(const char *self)
{
	for (;;) {
		if (fork() == 0) {
			execl(self, "cc1", (char *)NULL);
			_exit(1);
		}
		wait(NULL);
		usleep(5000);
	}
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];

	(void)argc;
	if (strcmp(name, "web-server") == 0)
		serve();
	if (strcmp(name, "cache") == 0)
		refresh_cache();
	if (strcmp(name, "builder") == 0)
		build("/proc/self/exe");
	while (cpu_ms() < 5)
		sink++;
	return 0;
}
