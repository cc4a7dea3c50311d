/* SPDX-License-Identifier: GPL-2.0 */
/* A stack sample on its way to user space: the timer's, and those of events that are watched. */
#ifndef EB_SAMPLE_BPF_H
#define EB_SAMPLE_BPF_H

/* Most user frames of a stack, and most kernel frames; together less than EB_FRAMES. */
#define EB_DEPTH	128
#define EB_KERNEL_DEPTH 127
/* Room for both, a power of two so that a masked index is in bounds. */
#define EB_FRAMES 256

/* How the walk of the user stack ended. */
enum eb_quality {
	EB_COMPLETE = 0, /* at the start of the thread */
	EB_CUT = 1, /* a caller that cannot be, or no registers */
	EB_DEEP = 2, /* EB_DEPTH frames, and more to come */
	EB_NO_TABLE = 3, /* code without a table (yet), and its frame pointer leads nowhere */
	EB_UNREADABLE = 4, /* stack that cannot be read */
	EB_JIT = 5, /* code written at run time whose frame pointer leads nowhere */
};

/* What user space should provide for the next walk. */
enum eb_miss {
	EB_NO_MISS = 0,
	EB_MISS_PROCESS = 1, /* the mappings of the process */
	EB_MISS_MAPPING = 2, /* newer ones: code was met outside of those known */
	EB_MISS_TABLE = 3, /* the table of a file it maps */
};

/* Python frames of one stack, two words each. */
#define EB_PY_FRAMES 128
/* A power of two, too. */
#define EB_SAMPLE_WORDS (EB_FRAMES + 2 * EB_PY_FRAMES)

/* What the value of a sample sums up. */
enum eb_weight {
	EB_ON_CPU = 0, /* 1 */
	EB_SLEEPING = 1, /* ns */
	EB_BLOCKED = 2, /* ns */
	EB_RUNNABLE = 3, /* ns */
	EB_MINOR_FAULT = 4, /* 1 */
	EB_MAJOR_FAULT = 5, /* 1 */
	EB_ALLOC = 6, /* bytes */
	EB_SENT = 7, /* bytes */
	EB_RECEIVED = 8, /* bytes */
	EB_WAKER = 9, /* when the thread it woke had left the CPU, ns of CLOCK_MONOTONIC */
};

/* The record; as long as its frames. What comes after `quality` says which stack of which thread it
 * is. */
struct eb_stack_sample {
	__u8 comm[16];
	__u64 value; /* in the unit of `weight` */
	__u8 quality; /* enum eb_quality */
	__u8 miss; /* enum eb_miss */
	__u16 pad0;
	__u32 tgid;
	__u64 start_ns; /* of the group leader, CLOCK_BOOTTIME */
	__u32 tid;
	__u16 kernel_frames;
	__u16 user_frames;
	__u8 weight; /* enum eb_weight */
	__u8 python_frames;
	__u8 interrupt; /* EB_WAKER: an interrupt did it, during the thread if there is one */
	__u8 pad;
	__u32 woken_tid; /* EB_WAKER: whom; else 0 */
	__u64 frames[EB_SAMPLE_WORDS]; /* kernel, user, Python (two words each), innermost first */
};
_Static_assert(__builtin_offsetof(struct eb_stack_sample, frames) == 56,
	       "collect/stacks/fold.rs decodes this");

/* Whether `bytes` more in a ring of `size` wake its reader: at each further sixteenth above a
 * quarter, as one crossing may pass unseen between two CPUs. */
static __always_inline __u64 eb_wakeup(void *ring, __u64 size, __u64 bytes)
{
	__u64 step = size / 16;
	__u64 before = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA);
	__u64 after = before + bytes;

	if (after > size / 4 && before / step != after / step)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

#endif
