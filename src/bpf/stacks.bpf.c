// SPDX-License-Identifier: GPL-2.0
/*
 * A timer on every CPU (software event cpu-clock) asks who runs: each tick that meets a task
 * becomes one record in a ring buffer, its kernel and user stack with the names of its thread. The
 * idle task makes none.
 *
 * Nothing wakes up for a record; only a ring more than a quarter full does, and now and then a
 * process not met before.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "unwind.bpf.h"
#include "python.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Size of the ring, set before load; the collector sets the map's to the same. */
const volatile __u64 ring_bytes = 512 * 1024;
/* Whether Python frames are read, set before load. */
const volatile bool with_python = true;

/* Samples on their way to user space. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} stacks_ring SEC(".maps");

/* Samples that found the ring full, by CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} stacks_lost SEC(".maps");

/* When the reader was last woken for a process whose mappings are not known, ns. */
__u64 stacks_told_ns;
/* Sooner it is not woken again for another. */
#define EB_TELL_NS 50000000ULL

/* Whether the reader should hear of this sample at once: until it does, walks in the process are by
 * frame pointer. */
static __always_inline bool is_news(struct eb_stack_sample *sample)
{
	__u64 now;

	if (sample->miss != EB_MISS_PROCESS)
		return false;
	now = bpf_ktime_get_ns();
	if (now - stacks_told_ns < EB_TELL_NS)
		return false;
	stacks_told_ns = now;
	return true;
}

static __always_inline void put(struct eb_stack_sample *sample, __u32 words)
{
	__u32 zero = 0;
	__u64 *lost;
	__u64 bytes;

	if (words >= EB_SAMPLE_WORDS)
		return;
	bytes = __builtin_offsetof(struct eb_stack_sample, frames) + words * sizeof(__u64);
	if (!bpf_ringbuf_output(&stacks_ring, sample, bytes,
				is_news(sample) ? BPF_RB_FORCE_WAKEUP
						: eb_wakeup(&stacks_ring, ring_bytes, bytes)))
		return;
	lost = bpf_map_lookup_elem(&stacks_lost, &zero);
	if (lost)
		(*lost)++;
}

static __always_inline void identify(struct eb_stack_sample *sample, __u64 ids)
{
	sample->tgid = ids >> 32;
	sample->tid = (__u32)ids;
	sample->start_ns = eb_current_start_ns();
	sample->weight = EB_ON_CPU;
	sample->value = 1;
	sample->quality = EB_COMPLETE;
	sample->miss = EB_NO_MISS;
	sample->kernel_frames = 0;
	sample->user_frames = 0;
	sample->python_frames = 0;
	sample->interrupt = 0;
	sample->woken_tid = 0;
	bpf_get_current_comm(sample->comm, sizeof(sample->comm));
}

static __always_inline void walk_kernel(struct bpf_perf_event_data *ctx,
					struct eb_stack_sample *sample)
{
	long bytes = bpf_get_stack(ctx, sample->frames, EB_KERNEL_DEPTH * sizeof(__u64), 0);

	if (bytes > 0)
		sample->kernel_frames = bytes / sizeof(__u64);
}

SEC("perf_event")
int stacks_tick(struct bpf_perf_event_data *ctx)
{
	__u64 ids = bpf_get_current_pid_tgid();
	bool in_kernel = (__s64)PT_REGS_IP(&ctx->regs) < 0;
	struct eb_walk *walk;
	__u32 slot = 0;

	if (!(__u32)ids)
		return 0;
	walk = eb_walk(slot);
	if (!walk)
		return 0;
	identify(&walk->sample, ids);
	if (in_kernel)
		walk_kernel(ctx, &walk->sample);
	if (eb_has_user_mode()) {
		walk->sample.quality = EB_CUT;
		/* An exiting task without mm would read through the page tables of another. */
		if (EB_CURRENT(mm)) {
			if (eb_tick_user_regs(ctx, in_kernel, &walk->regs))
				eb_walk_user(ctx, walk, slot);
			if (with_python)
				eb_walk_python(&walk->sample, slot);
		}
	}
	put(&walk->sample, walk->sample.kernel_frames + walk->sample.user_frames +
				   2 * (__u32)walk->sample.python_frames);
	return 0;
}
