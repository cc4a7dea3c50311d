/* SPDX-License-Identifier: GPL-2.0 */
/* Wire structs and limits of watch.bpf.c. */
#ifndef EB_WATCH_H
#define EB_WATCH_H

/* Watched processes, and threads of theirs that are off the CPU, at a time. */
#define EB_WATCHED 8192
#define EB_AWAY	   16384

/*
 * A thread is back on a CPU. What it waited for is the sample of the same thread whose value is
 * left_ns: that is sent when the thread leaves, so that the kernel need not keep stacks.
 */
struct eb_watch_back {
	__u64 left_ns; /* CLOCK_MONOTONIC, as the others */
	__u64 woken_ns; /* 0: it was not asleep, or nobody saw who woke it */
	__u64 back_ns;
	__u32 tid;
	__u32 zero;
};
_Static_assert(sizeof(struct eb_watch_back) == 32, "collect/watch/away.rs decodes this");

/* A send or receive that has not returned. */
struct eb_watch_call {
	__u64 sk;
	__u64 flags;
};

/* A thread that left the CPU. */
struct eb_watch_left {
	__u64 left_ns;
	__u64 woken_ns;
	__u64 ran_ns; /* its time on CPUs until then */
};

#endif
