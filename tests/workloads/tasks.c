// SPDX-License-Identifier: GPL-2.0
/*
 * Work with a known truth for tests/kernel_tasks.rs. Each mode does its work, prints what getrusage
 * says of it as one line of integers, and sleeps until a line arrives on standard input.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char line[256];

static long long ns(struct timeval t)
{
	return t.tv_sec * 1000000000LL + t.tv_usec * 1000LL;
}

static int format(const struct rusage *u)
{
	return snprintf(line, sizeof(line), "%lld %ld %ld %ld %ld\n", ns(u->ru_utime) + ns(u->ru_stime),
			u->ru_minflt, u->ru_majflt, u->ru_nvcsw, u->ru_nivcsw);
}

/* Nothing is touched for the first time after getrusage, so that no fault is left out. */
static void report(int who)
{
	struct rusage u;
	char answer;

	getrusage(who, &u);
	if (write(1, line, format(&u)) < 0)
		_exit(99);
	getrusage(who, &u);
	if (write(1, line, format(&u)) < 0)
		_exit(99);
	if (read(0, &answer, 1) < 0)
		_exit(99);
}

static long long clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Burns by the wall clock: asking for CPU time would have the kernel bring its account up to date. */
static void burn_ms(double ms)
{
	long long end = clock_ns(CLOCK_MONOTONIC) + (long long)(ms * 1e6);

	while (clock_ns(CLOCK_MONOTONIC) < end)
		;
}

static void children(double ms, double seconds)
{
	long long end = clock_ns(CLOCK_MONOTONIC) + (long long)(seconds * 1e9);

	while (clock_ns(CLOCK_MONOTONIC) < end) {
		if (fork() == 0) {
			burn_ms(ms);
			_exit(0);
		}
		wait(NULL);
	}
	report(RUSAGE_CHILDREN);
}

static void *burner(void *ms)
{
	burn_ms(*(double *)ms);
	return NULL;
}

static void threads(double ms, double seconds)
{
	long long end = clock_ns(CLOCK_MONOTONIC) + (long long)(seconds * 1e9);
	pthread_t thread[3];

	while (clock_ns(CLOCK_MONOTONIC) < end) {
		for (int i = 0; i < 3; i++)
			pthread_create(&thread[i], NULL, burner, &ms);
		for (int i = 0; i < 3; i++)
			pthread_join(thread[i], NULL);
	}
	report(RUSAGE_SELF);
}

/* Touches memory anew, file pages from disk too, and frees some. */
static void faults(int mib, const char *file)
{
	size_t bytes = (size_t)mib << 20;
	char *kept = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *shared = mmap(NULL, bytes / 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);
	volatile char sink;

	memset(kept, 1, bytes);
	memset(shared, 1, bytes / 4);
	if (fd < 0 || write(fd, kept, 4 << 20) != 4 << 20)
		_exit(99);
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	char *mapped = mmap(NULL, 4 << 20, PROT_READ, MAP_SHARED, fd, 0);
	madvise(mapped, 4 << 20, MADV_RANDOM);
	for (size_t i = 0; i < 4 << 20; i += 4096)
		sink = mapped[i];
	(void)sink;
	munmap(kept, bytes / 8);
	unlink(file);
	report(RUSAGE_SELF);
}

static void switches(void)
{
	for (int i = 0; i < 200; i++)
		usleep(1000);
	report(RUSAGE_SELF);
}

static void *exec_again(void *name)
{
	burn_ms(100);
	execl("/proc/self/exe", name, "report", NULL);
	_exit(99);
}

/* Burns, waits, then execs itself from a thread that is not the leader. */
static void exec_from_thread(char *name)
{
	pthread_t thread;

	burn_ms(200);
	report(RUSAGE_SELF);
	pthread_create(&thread, NULL, exec_again, name);
	pause();
}

/* The leader ends before its thread does. */
static void *outlive(void *unused)
{
	burn_ms(50);
	report(RUSAGE_SELF);
	_exit(3);
}

static void leader_goes_first(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, outlive, NULL);
	pthread_exit(NULL);
}

static void storm(int count)
{
	for (int i = 0; i < count; i++) {
		if (fork() == 0)
			_exit(i & 0xff);
		wait(NULL);
	}
	report(RUSAGE_CHILDREN);
}

/* Children that sleep until they are told, all at once, to end. */
static void crowd(int count)
{
	setpgid(0, 0);
	for (int i = 0; i < count; i++) {
		pid_t child = fork();

		if (child < 0)
			_exit(99);
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
	}
	signal(SIGUSR1, SIG_IGN);
	report(RUSAGE_SELF);
	kill(0, SIGUSR1);
	while (wait(NULL) > 0)
		;
	report(RUSAGE_CHILDREN);
}

/* As many children as there is time for, which end at once or run this program first. Their number comes before the report. */
static void rush(char *name, double seconds, int by_exec)
{
	long long end = clock_ns(CLOCK_MONOTONIC) + (long long)(seconds * 1e9);
	long made = 0;

	while (clock_ns(CLOCK_MONOTONIC) < end) {
		pid_t pid = fork();

		if (pid == 0) {
			if (by_exec)
				execl("/proc/self/exe", name, "exit", "0", NULL);
			_exit(by_exec ? 99 : 0);
		}
		made += pid > 0;
		wait(NULL);
	}
	if (write(1, line, snprintf(line, sizeof(line), "%ld\n", made)) < 0)
		_exit(99);
	report(RUSAGE_CHILDREN);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	double first = argc > 2 ? atof(argv[2]) : 0, second = argc > 3 ? atof(argv[3]) : 0;

	if (!strcmp(mode, "children"))
		children(first, second);
	else if (!strcmp(mode, "threads"))
		threads(first, second);
	else if (!strcmp(mode, "faults") && argc > 3)
		faults((int)first, argv[3]);
	else if (!strcmp(mode, "switches"))
		switches();
	else if (!strcmp(mode, "exec"))
		exec_from_thread(argv[0]);
	else if (!strcmp(mode, "leader"))
		leader_goes_first();
	else if (!strcmp(mode, "storm"))
		storm((int)first);
	else if (!strcmp(mode, "crowd"))
		crowd((int)first);
	else if (!strcmp(mode, "forks"))
		rush(argv[0], first, 0);
	else if (!strcmp(mode, "execs"))
		rush(argv[0], first, 1);
	else if (!strcmp(mode, "report"))
		report(RUSAGE_SELF);
	else if (!strcmp(mode, "exit"))
		_exit((int)first);
	else if (!strcmp(mode, "signal"))
		kill(getpid(), (int)first);
	else
		return 98;
	return 0;
}
