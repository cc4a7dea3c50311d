// SPDX-License-Identifier: GPL-2.0
/*
 * Spends argv[1] seconds of CPU time nearly wholly in the kernel: hot_read fills a large buffer from /dev/zero.
 * The system call is written out, since libc's wrapper keeps no frame pointer.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

static char buffer[4 << 20];

long hot_read(long fd)
{
	long got;

#ifdef __x86_64__
	__asm__ volatile("syscall" : "=a"(got) : "0"(SYS_read), "D"(fd), "S"(buffer), "d"(sizeof(buffer))
			 : "rcx", "r11", "memory");
#else
	register long x8 __asm__("x8") = SYS_read, x0 __asm__("x0") = fd, x2 __asm__("x2") = sizeof(buffer);
	register char *x1 __asm__("x1") = buffer;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	got = x0;
#endif
	return got;
}

int main(int argc, char **argv)
{
	clock_t end = (argc > 1 ? atof(argv[1]) : 1) * CLOCKS_PER_SEC;
	long fd = open("/dev/zero", O_RDONLY);

	while (clock() < end)
		if (hot_read(fd) <= 0)
			return 1;
	return 0;
}
