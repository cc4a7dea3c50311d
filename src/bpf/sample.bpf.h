/* SPDX-License-Identifier: GPL-2.0 */
/* A stack sample on its way to user space: the timer's, and those of events that are watched. */
#ifndef EB_SAMPLE_BPF_H
#define EB_SAMPLE_BPF_H

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
};

/* The record; as long as its frames. What comes after `quality` says which stack of which thread it
 * is. */
struct eb_stack_sample {
	__u8 comm[16];
	__u64 value; /* in the unit of `weight` */
	__u32 quality; /* enum eb_quality */
	__u32 tgid;
	__u64 start_ns; /* of the group leader, CLOCK_BOOTTIME */
	__u32 tid;
	__u16 kernel_frames;
	__u16 user_frames;
	__u8 weight; /* enum eb_weight */
	__u8 pad[7];
	__u64 frames[EB_FRAMES]; /* kernel, then user, innermost first */
};
_Static_assert(__builtin_offsetof(struct eb_stack_sample, frames) == 56,
	       "collect/stacks/fold.rs decodes this");

#endif
