/* SPDX-License-Identifier: GPL-2.0 */
/* What the tasks programs hand to user space. Units are in the names; include vmlinux.h first. */
#ifndef EBTOP_H
#define EBTOP_H

#define EB_COMM_LEN 16
#define EB_MAX_CPUS 1024

/* What the open-coded walk is told, and what it tells. */
struct eb_walk {
	__u32 processes; /* out: met; their rows stand at the front, as far as they fit */
	__u32 threads; /* out: others met; their rows stand at the back, the first of them last */
	__u32 gone; /* processes of the walk before that this one has missed so far */
	__u32 room; /* in: rows there are */
	__u32 cpus; /* in: CPUs whose batches of resident pages are added; 0 = none */
	__u32 round; /* walks so far */
	__u64 task; /* the thread whose row is being written */
	__u64 offset[EB_MAX_CPUS]; /* where each CPU keeps its per-CPU memory */
};

/* What an eb_task is. */
enum eb_task_kind {
	EB_TASK_ROW = 0, /* a thread, met on the walk */
	EB_TASK_EXIT = 1, /* a process whose last thread began to exit */
	EB_TASK_FREED = 2, /* a process the kernel let go of: its final counters */
};
#define EB_TASK_KINDS 3

/* Whose last words, and of which kind. */
struct eb_words_key {
	__u64 start_ns;
	__u32 tgid;
	__u32 kind;
};

/* Last words that found the ring full. */
struct eb_words_count {
	__u64 spilt; /* kept beside it; counted once they are there */
	__u64 lost;
};

/* Facts about an eb_task, or about the kernel it came from. */
enum eb_task_facts {
	EB_NO_FACTS = 0,
	EB_HAS_MEMORY = 1 << 0, /* the *_pages fields were read */
	EB_HAS_IO = 1 << 1, /* CONFIG_TASK_IO_ACCOUNTING */
	EB_HAS_WAIT = 1 << 2, /* CONFIG_SCHED_INFO */
	EB_IRQ_APART = 1 << 3, /* interrupt time is kept out of run time */
	EB_STEAL_APART = 1 << 4, /* stolen time is kept out of run time */
	EB_KTHREAD = 1 << 5, /* a kernel thread */
};

/*
 * One thread. The row of a group leader, and both kinds of last words, also
 * hold what the process's dead threads left in its signal_struct.
 *
 * What tells whether a row still holds comes first: of an idle task no more of it is read.
 */
struct eb_task {
	__u64 start_ns; /* of the group leader, CLOCK_BOOTTIME */
	__u64 task; /* rows: its address in the kernel; 0 where the row must not be used again */
	__u64 own_ns; /* rows: run_ns of this thread alone */
	__u32 tgid;
	__u32 tid;
	__u32 changed; /* rows: the round in which it was written; 0 = unknown */
	__u32 state; /* __state in the low half, exit_state in the high one */
	enum eb_task_facts facts;
	enum eb_task_kind kind;
	__u32 ppid; /* 0 in EB_TASK_FREED: the parent may be gone */
	__u32 uid;
	__u32 cpu;
	__u32 static_prio;
	__u64 exec_id;
	__u64 cgroup_id;
	__u64 run_ns;
	__u64 wait_ns; /* of this thread alone: signal_struct does not keep it */
	__u64 user_ns; /* tick-sampled, as is system_ns: fit for a ratio only */
	__u64 system_ns;
	__u64 voluntary_count;
	__u64 involuntary_count;
	__u64 minor_count;
	__u64 major_count;
	__u64 read_bytes;
	__u64 write_bytes;
	__u64 cancelled_bytes;
	__s64 anon_pages; /* these four are sums read while they change: below 0 for a moment */
	__s64 file_pages;
	__s64 shmem_pages;
	__s64 swap_pages;
	__u64 vm_pages;
	__u64 at_ns; /* last words: when, CLOCK_BOOTTIME */
	__u64 peak_rss_pages; /* last words only */
	__u32 exit_status; /* last words: as of wait(2) */
	__u32 threads; /* task_iter, leaders: of the process once the dead were summed; else 0 */
	__u8 comm[EB_COMM_LEN];
};

/* Rows of 10,000 tasks count as resident memory of ebtop. */
_Static_assert(sizeof(struct eb_task) == 248, "eb_task grew");

#endif
