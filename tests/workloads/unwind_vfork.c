// SPDX-License-Identifier: GPL-2.0
/* Waits for children of vfork() in forker(), each of which naps. To be built without frame pointers. */
#define _DEFAULT_SOURCE
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int sink;

__attribute__((noinline, noclone)) static int forker(void)
{
	struct timespec nap = { .tv_nsec = 10000000 };
	pid_t child = vfork();

	if (!child) {
		nanosleep(&nap, NULL);
		_exit(0);
	}
	return waitpid(child, NULL, 0) > 0;
}

__attribute__((noinline, noclone)) static int around(void)
{
	return forker() + 1;
}

int main(void)
{
	for (;;)
		sink += around();
}
