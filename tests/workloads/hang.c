// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that whoever reads them hangs in, while they burn CPU themselves. hang DIR KIND PROGRAM COUNT serves a file system of one
 * file on DIR, in a mount namespace of its own, prints their pids, and serves until there is input; then it never answers again.
 *
 * KIND "file": they run PROGRAM from that file system. Its pages are in memory, its file cannot be read any more.
 * KIND "lock": in each one thread waits for a page of that file system with the lock of the process's memory, another for the lock, to
 * change the mappings.
 *
 * All ends with this process.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_NODE 2

static int device;
static int content;
static struct stat content_stat;
static char *page;

static void reply(uint64_t unique, int error, const void *data, size_t bytes)
{
	struct fuse_out_header head = { .len = sizeof(head) + bytes, .error = error, .unique = unique };
	struct iovec parts[] = { { &head, sizeof(head) }, { (void *)data, bytes } };

	if (writev(device, parts, 2) < 0 && errno != ENOENT)
		err(1, "reply");
}

static struct fuse_attr attr_of(uint64_t node)
{
	struct fuse_attr attr = { .ino = node, .nlink = 1, .blksize = 4096, .mode = S_IFDIR | 0755 };

	if (node == FILE_NODE) {
		attr.mode = S_IFREG | 0755;
		attr.size = content_stat.st_size;
	}
	return attr;
}

static void serve_read(uint64_t unique, const struct fuse_read_in *in)
{
	char *data = malloc(in->size);
	ssize_t bytes = pread(content, data, in->size, in->offset);

	reply(unique, bytes < 0 ? -errno : 0, data, bytes < 0 ? 0 : bytes);
	free(data);
}

/* Attributes and names are asked for each time: nothing but pages is remembered. */
static void serve(const struct fuse_in_header *in)
{
	switch (in->opcode) {
	case FUSE_INIT: {
		struct fuse_init_out out = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096 };

		return reply(in->unique, 0, &out, sizeof(out));
	}
	case FUSE_LOOKUP: {
		struct fuse_entry_out out = { .nodeid = FILE_NODE, .attr = attr_of(FILE_NODE) };

		return reply(in->unique, 0, &out, sizeof(out));
	}
	case FUSE_GETATTR: {
		struct fuse_attr_out out = { .attr = attr_of(in->nodeid) };

		return reply(in->unique, 0, &out, sizeof(out));
	}
	case FUSE_OPEN: {
		struct fuse_open_out out = { .open_flags = FOPEN_KEEP_CACHE };

		return reply(in->unique, 0, &out, sizeof(out));
	}
	case FUSE_READ:
		return serve_read(in->unique, (const void *)(in + 1));
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;
	case FUSE_RELEASE:
	case FUSE_FLUSH:
		return reply(in->unique, 0, NULL, 0);
	default:
		return reply(in->unique, -ENOSYS, NULL, 0);
	}
}

static void burn(void)
{
	volatile unsigned long x = 0;

	for (;;)
		x++;
}

/* get_user_pages() for /proc/PID/mem keeps the lock while it waits for the page. */
static void *hold_lock(void *unused)
{
	int mem = open("/proc/self/mem", O_RDONLY);
	char byte;

	pread(mem, &byte, 1, (off_t)page);
	return unused;
}

static void *want_lock(void *unused)
{
	sleep(1);
	mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return unused;
}

static void start_lock(const char *path)
{
	pthread_t holds, wants;
	int fd = open(path, O_RDONLY);

	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd < 0 || page == MAP_FAILED || pthread_create(&holds, NULL, hold_lock, NULL) ||
	    pthread_create(&wants, NULL, want_lock, NULL))
		err(1, "%s", path);
	burn();
}

int main(int argc, char **argv)
{
	static char request[1 << 16] __attribute__((aligned(8)));
	char options[64], path[4096];
	struct pollfd fds[] = { { .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	bool is_lock;

	if (argc != 5)
		errx(2, "usage: hang DIR file|lock PROGRAM COUNT");
	content = open(argv[3], O_RDONLY);
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (content < 0 || fstat(content, &content_stat) || device < 0)
		err(1, "/dev/fuse or %s", argv[3]);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device);
	snprintf(path, sizeof(path), "%s/served", argv[1]);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("hang", argv[1], "fuse", 0, options))
		err(1, "mount");
	fds[0].fd = device;
	is_lock = !strcmp(argv[2], "lock");
	for (int i = 0; i < atoi(argv[4]); i++) {
		pid_t child = fork();

		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			/* Others shall get on beside them. */
			nice(5);
			/* Else its end of the device keeps the file system alive. */
			close(device);
			if (is_lock)
				start_lock(path);
			execl(path, "served", "1000", NULL);
			err(1, "%s", path);
		}
		dprintf(STDOUT_FILENO, "%d ", child);
	}
	dprintf(STDOUT_FILENO, "\n");
	while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
		const struct fuse_in_header *in = (const void *)request;

		if (read(device, request, sizeof(request)) > 0 && !(is_lock && in->opcode == FUSE_READ))
			serve(in);
	}
	for (;;)
		pause();
}
