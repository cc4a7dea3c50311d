/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The user-space unwinder, for programs of any type: from the registers of the current thread to
 * return addresses.
 *
 *	walk = eb_walk(slot);
 *	fill walk->sample, kernel frames first: tgid, start_ns and kernel_frames are needed
 *	eb_tick_user_regs(ctx, in_kernel, &walk->regs) or eb_current_user_regs(&walk->regs)
 *	eb_walk_user(ctx, walk, slot);
 *
 * writes sample.user_frames addresses behind the kernel's, and sample.quality and miss.
 *
 * Programs that may interrupt one another on a CPU need a slot each: define EB_WALKS before
 * including this. The maps with tables are shared between objects; unwind_walk is each object's
 *own.
 */
#ifndef EB_UNWIND_BPF_H
#define EB_UNWIND_BPF_H

#include "regs.bpf.h"
#include "sample.bpf.h"
#include "unwind_tables.h"

#ifndef EB_WALKS
#define EB_WALKS 1
#endif

/* What was found at an address: most stacks share most of their frames with one of the last. */
struct eb_known {
	__u64 pc;
	__u32 version; /* of the process: struct eb_proc */
	__u32 what; /* upper half of a row */
};

/* How many addresses are remembered on each CPU, as a power of two. */
#define EB_KNOWN_SHIFT 8

/* Words of the stack that are held, a power of two; at most half as many are read at once. */
#define EB_WINDOW 64
/* No kernel's pages are smaller. */
#define EB_WINDOW_PAGE 4096

/*
 * A walk. It is memory of a map, and what changes in loops is volatile, so that the verifier does
 * not tell apart the states of each iteration: kernels from 6.8 on would otherwise give up.
 */
struct eb_walk {
	struct eb_regs regs; /* of the frame that comes next */
	struct eb_mapping mapping; /* the last one, as the caller is often in the same */
	__u32 mappings_at;
	__u32 mappings; /* 0: the process is not known */
	__u32 version; /* of what is known of the process */
	volatile __u32 low, high; /* of a binary search */
	__u32 frames;
	__u8 exact; /* ip is not a return address: the first frame, or one that a signal interrupted
		     */
	__u8 leap; /* the last step followed a frame pointer out of the stack */
	__u8 doubt; /* a step was by frame pointer for want of a table */
	__u8 guess; /* the last step was, through compiled code */
	__u64 window_at; /* address of what was read of the stack last */
	volatile __u32 window_words;
	__u32 pad;
	__u64 window[EB_WINDOW];
	struct eb_known known[1 << EB_KNOWN_SHIFT]; /* stays from walk to walk */
	struct eb_stack_sample sample;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EB_WALKS);
	__type(key, __u32);
	__type(value, struct eb_walk);
} unwind_walk SEC(".maps");

static __always_inline struct eb_walk *eb_walk(__u32 slot)
{
	return bpf_map_lookup_elem(&unwind_walk, &slot);
}

#include "unwind_step.bpf.h"

/* Programs of 32 bits: by the kernel's own walk, which knows their frames, but not how it ended. */
static __always_inline void eb_walk_compat(void *ctx, struct eb_stack_sample *sample)
{
	__u32 first = sample->kernel_frames & (EB_FRAMES / 2 - 1);
	long bytes = bpf_get_stack(ctx, &sample->frames[first], EB_DEPTH * sizeof(__u64),
				   BPF_F_USER_STACK);

	sample->quality = EB_NO_TABLE;
	if (bytes > 0)
		sample->user_frames = bytes / sizeof(__u64);
}

/* Walks the user stack from walk->regs on. `ctx` is the program's own. */
static __always_inline void eb_walk_user(void *ctx, struct eb_walk *walk, __u32 slot)
{
	struct eb_stack_sample *sample = &walk->sample;

	sample->user_frames = 0;
	sample->miss = EB_NO_MISS;
	if (!(walk->regs.sp >> 32)) {
		eb_walk_compat(ctx, sample);
		return;
	}
	eb_walk_begin(walk);
#pragma clang loop unroll(disable)
	for (int i = 0; i <= EB_DEPTH; i++)
		if (eb_walk_step(slot))
			break;
	sample->user_frames = walk->frames;
	if (walk->doubt)
		sample->quality = EB_NO_TABLE;
}

#endif
