// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Something to look at. The name it was started by says what it does:
 *   web-server   answers requests on a TCP port, in functions of known shares of its time
 *   load-gen     asks it, over many connections
 *   cache        answers over IPv6; fills memory, gives it back, fills it again
 *   indexer      asks the cache, from four threads
 *   queue-worker works a little, sleeps a little
 *   backup       writes a file over and over
 *   builder      starts processes that burn a few ms and are gone
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define CLIENTS 24
#define WEB_PORT 8080
#define CACHE_PORT 11211
#define REQUEST 400
#define REPLY (48 << 10)

static volatile unsigned long sink;
static char buffer[1 << 20];

static double cpu_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void nap_ms(double ms)
{
	usleep(ms * 1e3);
}

/*
 * Rounds of arithmetic, inlined into each caller so that the time is the caller's own. It asks for
 * the frame's address since gcc makes no frame for a function that calls none, and a walk then
 * skips its caller.
 */
static inline __attribute__((always_inline)) void burn(unsigned long rounds)
{
	__asm__ volatile("" : : "r"(__builtin_frame_address(0)));
	for (unsigned long i = 0; i < rounds; i++)
		sink = sink * 2862933555777941757UL + i;
}

/* ---- a socket address of loopback, v6 for the cache */

static int loopback(int port, struct sockaddr_storage *address, socklen_t *size)
{
	memset(address, 0, sizeof(*address));
	if (port == CACHE_PORT) {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

		*v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback, .sin6_port = htons(port) };
		*size = sizeof(*v6);
	} else {
		struct sockaddr_in *v4 = (struct sockaddr_in *)address;

		*v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons(port) };
		*size = sizeof(*v4);
	}
	return socket(address->ss_family, SOCK_STREAM, 0);
}

static int listen_on(int port)
{
	struct sockaddr_storage address;
	socklen_t size;
	int fd = loopback(port, &address, &size), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 64)) {
		perror("listen");
		exit(1);
	}
	return fd;
}

static int connect_to(int port)
{
	for (;;) {
		struct sockaddr_storage address;
		socklen_t size;
		int fd = loopback(port, &address, &size);

		if (connect(fd, (struct sockaddr *)&address, size) == 0)
			return fd;
		close(fd);
		nap_ms(50);
	}
}

static void read_all(int fd, size_t size)
{
	while (size > 0) {
		ssize_t got = recv(fd, buffer, size < sizeof(buffer) ? size : sizeof(buffer), 0);

		if (got <= 0)
			exit(0);
		size -= got;
	}
}

static void ask(int fd)
{
	send(fd, buffer, REQUEST, MSG_NOSIGNAL);
	read_all(fd, REPLY);
}

/* ---- the web server: what a request costs, and where */

static NOINLINE void parse_headers(void) { burn(60000); }
static NOINLINE void match_route(void) { burn(30000); }
static NOINLINE void query_rows(void) { burn(90000); }
static NOINLINE void escape_html(void) { burn(80000); }
static NOINLINE void find_match(void) { burn(220000); }
static NOINLINE void emit_huffman(void) { burn(110000); }

static NOINLINE void render_template(void)
{
	query_rows();
	escape_html();
	burn(20000);
	sink++;
}

static NOINLINE void compress_body(void)
{
	find_match();
	emit_huffman();
	burn(40000);
	sink++;
}

static NOINLINE void handle_request(int fd)
{
	read_all(fd, REQUEST);
	parse_headers();
	match_route();
	render_template();
	compress_body();
	send(fd, buffer, REPLY, MSG_NOSIGNAL);
	sink++;
}

/* Answers every request that comes. */
static NOINLINE void serve(int port, void (*handle)(int fd))
{
	struct pollfd fds[64] = { { .fd = listen_on(port), .events = POLLIN } };
	int count = 1;

	for (;;) {
		poll(fds, count, -1);
		if (fds[0].revents && count < 64)
			fds[count++] = (struct pollfd){ .fd = accept(fds[0].fd, NULL, NULL), .events = POLLIN };
		for (int i = 1; i < count; i++)
			if (fds[i].revents)
				handle(fds[i].fd);
	}
}

static NOINLINE void generate_load(void)
{
	int fds[CLIENTS];

	for (int i = 0; i < CLIENTS; i++)
		fds[i] = connect_to(WEB_PORT);
	for (int i = 0;; i = (i + 1) % CLIENTS) {
		ask(fds[i]);
		nap_ms(6);
	}
}

/* ---- the cache */

static NOINLINE void fill_pages(char *pages, size_t size)
{
	for (size_t at = 0; at < size; at += 4096)
		pages[at] = 1;
	sink++;
}

static void answer(int fd)
{
	read_all(fd, REQUEST);
	send(fd, buffer, REPLY, MSG_NOSIGNAL);
}

static void *turn_over(void *unused)
{
	size_t size = 192UL << 20;
	char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (; pages != MAP_FAILED; nap_ms(200)) {
		fill_pages(pages, size);
		madvise(pages, size / 32, MADV_DONTNEED);
	}
	return unused;
}

/* ---- the rest */

static void work_ms(double ms)
{
	for (ms += cpu_ms(CLOCK_THREAD_CPUTIME_ID); cpu_ms(CLOCK_THREAD_CPUTIME_ID) < ms;)
		burn(1000);
}

static void *index_terms(void *unused)
{
	int fd = connect_to(CACHE_PORT);

	for (;; nap_ms(30)) {
		ask(fd);
		work_ms(1.5);
	}
	return unused;
}

/* Each works a little more or less than the next. */
static void work_queue(void)
{
	for (;; nap_ms(50))
		work_ms(getpid() % 10 / 4.0);
}

static void threads(void *(*body)(void *), int count)
{
	pthread_t thread;

	while (count-- > 0)
		pthread_create(&thread, NULL, body, NULL);
}

static void back_up(void)
{
	FILE *file = tmpfile();

	for (; file; nap_ms(100)) {
		rewind(file);
		fwrite(buffer, sizeof(buffer) / 4, 1, file);
		fflush(file);
		fdatasync(fileno(file));
	}
}

static void build(void)
{
	for (;; nap_ms(40)) {
		if (fork() == 0) {
			execl("/proc/self/exe", "cc1", "-O2", "module.c", (char *)NULL);
			_exit(1);
		}
		wait(NULL);
	}
}

static int run(char **argv)
{
	const char *name = argv[0];

	/* The kernel takes the name from the file, which is another's for cc1. */
	prctl(PR_SET_NAME, name);
	if (strcmp(name, "web-server") == 0)
		serve(WEB_PORT, handle_request);
	if (strcmp(name, "load-gen") == 0)
		generate_load();
	if (strcmp(name, "cache") == 0) {
		threads(turn_over, 1);
		serve(CACHE_PORT, answer);
	}
	if (strcmp(name, "indexer") == 0) {
		threads(index_terms, 4);
		pause();
	}
	if (strcmp(name, "queue-worker") == 0)
		work_queue();
	if (strcmp(name, "backup") == 0)
		back_up();
	if (strcmp(name, "builder") == 0)
		build();
	while (cpu_ms(CLOCK_PROCESS_CPUTIME_ID) < 8)
		sink++;
	return 0;
}

/*
 * Start code that clears the frame pointer, as the ABI asks. That of glibc is built without frame
 * pointers, so that a walk through it never knows that it has seen the whole stack.
 */
#ifdef __x86_64__
__asm__(".globl _start\n_start:\n\txorl %ebp, %ebp\n\tleaq 8(%rsp), %rdi\n\tandq $-16, %rsp\n\tcall start\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tadd x0, sp, #8\n\tb start\n");
#endif

void start(char **argv)
{
	exit(run(argv));
}
