// SPDX-License-Identifier: GPL-2.0
/*
 * Spends known times off the CPU, takes known faults, moves known bytes, is woken by somebody known:
 * "waits off|faults|net|family|wakers".
 * Prints "NAME NUMBER" lines: what it measured itself, ns, faults or bytes by the function it was in.
 * Waits for a line on standard input before it begins, and for the end of input before it ends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS	200
#define NOINLINE __attribute__((noinline, noclone))

/* Else the compiler turns calls whose result nobody wants into jumps. */
static volatile long sink;

static long long clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Time of this thread without a CPU. */
static long long away_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC) - clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static NOINLINE int nap(long ns)
{
	struct timespec t = { .tv_nsec = ns };

	return syscall(SYS_nanosleep, &t, NULL) + 1;
}

static NOINLINE int take(int fd)
{
	char byte;

	return syscall(SYS_read, fd, &byte, 1) + 1;
}

static int sleeper(void *unused)
{
	nap(3000000);
	_exit(0);
	return unused != NULL;
}

/* Until the child is gone this thread sleeps uninterruptibly. */
static NOINLINE int spawn(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	pid_t child = clone(sleeper, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);

	return waitpid(child, NULL, 0) + 1;
}

static NOINLINE int burn(long ns)
{
	long long end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;
	int rounds = 1;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		rounds++;
	return rounds;
}

static NOINLINE int wait_sleep(void)
{
	return nap(3000000) + 1;
}

static NOINLINE int wait_read(int fd)
{
	return take(fd) + 1;
}

static NOINLINE int wait_clone(void)
{
	return spawn() + 1;
}

static NOINLINE int wait_cpu(void)
{
	return burn(4000000) + 1;
}

static void *writer(void *fd)
{
	for (int i = 0; i < ROUNDS; i++) {
		nap(4000000);
		if (write(*(int *)fd, "x", 1) != 1)
			exit(1);
	}
	return NULL;
}

static volatile int over;

static void *rival(void *unused)
{
	while (!over)
		;
	return unused;
}

#define MEASURE(call)                                                                              \
	({                                                                                         \
		long long before_ = away_ns();                                                     \
		for (int i = 0; i < ROUNDS; i++)                                                   \
			sink += call;                                                                    \
		away_ns() - before_;                                                               \
	})

static void off(void)
{
	long long sleep_ns, read_ns, vfork_ns, cpu_ns;
	pthread_t thread;
	cpu_set_t first;
	int fds[2];

	sleep_ns = MEASURE(wait_sleep());
	if (pipe(fds) || pthread_create(&thread, NULL, writer, &fds[1]))
		exit(1);
	read_ns = MEASURE(wait_read(fds[0]));
	pthread_join(thread, NULL);
	vfork_ns = MEASURE(wait_clone());
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first) || pthread_create(&thread, NULL, rival, NULL))
		exit(1);
	cpu_ns = MEASURE(wait_cpu());
	over = 1;
	pthread_join(thread, NULL);
	printf("wait_sleep %lld\nwait_read %lld\nwait_clone %lld\nwait_cpu %lld\n", sleep_ns, read_ns, vfork_ns, cpu_ns);
}

static NOINLINE int touch(char *memory, long bytes)
{
	for (long at = 0; at < bytes; at += 4096)
		memory[at]++;
	return memory[0] + 1;
}

static void faults(void)
{
	long pages = 5000, bytes = pages * 4096;
	struct rusage before, after;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || madvise(memory, bytes, MADV_NOHUGEPAGE))
		exit(1);
	/* What is used between the two readings has had its faults before. */
	getrusage(RUSAGE_SELF, &after);
	sink += touch((char *)&before, 1);
	getrusage(RUSAGE_SELF, &before);
	sink += touch(memory, bytes);
	getrusage(RUSAGE_SELF, &after);
	printf("touch %ld\n", after.ru_minflt - before.ru_minflt);
}

static NOINLINE long pass(int fd, char *data, long bytes, int sends)
{
	return sends ? syscall(SYS_sendto, fd, data, bytes, 0, NULL, 0) : syscall(SYS_recvfrom, fd, data, bytes, 0, NULL, NULL);
}

static NOINLINE long net_send(int fd, char *data, long bytes)
{
	return pass(fd, data, bytes, 1) + 0;
}

static NOINLINE long net_receive(int fd, char *data, long bytes)
{
	long got = pass(fd, data, bytes, 0);

	if (got <= 0)
		exit(1);
	return got;
}

static void net(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), from = socket(AF_INET, SOCK_STREAM, 0), to;
	long long sent = 0, received = 0;
	socklen_t size = sizeof(at);
	static char data[16384];

	if (bind(listener, (void *)&at, size) || listen(listener, 1) || getsockname(listener, (void *)&at, &size) ||
	    connect(from, (void *)&at, size))
		exit(1);
	to = accept(listener, NULL, NULL);
	for (int i = 0; i < 2 * ROUNDS; i++) {
		long had = received;

		sent += net_send(from, data, sizeof(data));
		while (received - had < (long)sizeof(data))
			received += net_receive(to, data, sizeof(data));
	}
	printf("net_send %lld\nnet_receive %lld\n", sent, received);
}

/* A child that lives for less than a tick, and its own child. */
static void family(void)
{
	long long slept = 0;
	int fds[2];

	if (pipe(fds))
		exit(1);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (!child) {
			pid_t grandchild = fork();
			long long before = away_ns();

			if (grandchild)
				_exit(waitpid(grandchild, NULL, 0) < 0);
			sink += wait_sleep();
			before = away_ns() - before;
			_exit(write(fds[1], &before, sizeof(before)) < 0);
		}
		waitpid(child, NULL, 0);
		if (read(fds[0], &child, 0))
			exit(1);
	}
	for (int i = 0; i < 20; i++) {
		long long one;

		if (read(fds[0], &one, sizeof(one)) != sizeof(one))
			exit(1);
		slept += one;
	}
	printf("wait_sleep %lld\n", slept);
}

static NOINLINE int give(int fd)
{
	return syscall(SYS_write, fd, "x", 1) + 1;
}

static NOINLINE int wake_pipe(int fd)
{
	return give(fd) + 1;
}

static NOINLINE int wait_pipe(int fd)
{
	return take(fd) + 1;
}

static volatile int turn;

static NOINLINE int futex(int what, int value)
{
	return syscall(SYS_futex, &turn, what, value, NULL, NULL, 0) + 1;
}

static NOINLINE int wake_futex(int next)
{
	turn = next;
	return futex(FUTEX_WAKE_PRIVATE, 1) + 1;
}

static NOINLINE int wait_futex(int before)
{
	return futex(FUTEX_WAIT_PRIVATE, before) + 1;
}

static volatile pid_t futex_waker;

static void *turn_on(void *unused)
{
	prctl(PR_SET_NAME, "futex-waker");
	futex_waker = syscall(SYS_gettid);
	for (int i = 1; i <= ROUNDS; i++) {
		nap(2000000);
		sink += wake_futex(i);
	}
	return unused;
}

/* How often this thread let go of the CPU by itself. */
static long waits(void)
{
	struct rusage used;

	getrusage(RUSAGE_THREAD, &used);
	return used.ru_nvcsw;
}

/* Woken by another process through a pipe, then by another thread through a futex; both stay until the end. */
static void wakers(void)
{
	long by_pipe, by_futex;
	pthread_t thread;
	pid_t child;
	int fds[2];

	if (pipe(fds))
		exit(1);
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "pipe-waker");
		for (int i = 0; i < ROUNDS; i++) {
			nap(2000000);
			sink += wake_pipe(fds[1]);
		}
		for (;;)
			pause();
	}
	by_pipe = waits();
	for (int i = 0; i < ROUNDS; i++)
		sink += wait_pipe(fds[0]);
	by_pipe = waits() - by_pipe;
	if (pthread_create(&thread, NULL, turn_on, NULL))
		exit(1);
	by_futex = waits();
	for (int i = 0; turn < ROUNDS; i = turn)
		sink += wait_futex(i);
	by_futex = waits() - by_futex;
	printf("pipe_waker %d\nfutex_waker %d\nwait_pipe %ld\nwait_futex %ld\n", child, futex_waker, by_pipe, by_futex);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	getchar();
	if (!strcmp(what, "off"))
		off();
	else if (!strcmp(what, "faults"))
		faults();
	else if (!strcmp(what, "net"))
		net();
	else if (!strcmp(what, "family"))
		family();
	else if (!strcmp(what, "wakers"))
		wakers();
	else
		return 2;
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
