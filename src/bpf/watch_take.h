/* SPDX-License-Identifier: GPL-2.0 */
/* What all programs of watch.bpf.c share: whom they watch, and how they take and send a stack. */
#ifndef EB_WATCH_TAKE_H
#define EB_WATCH_TAKE_H

/* Set before load. ring_bytes: size of the ring. everybody: every process is watched. children: so
 * is what watched ones fork. skip: innermost kernel frames that are the hook's own. page_bytes. */
const volatile __u64 ring_bytes = 1 << 20;
const volatile __u64 page_bytes = 4096;
const volatile bool everybody = false;
const volatile bool children = false;
const volatile __u32 skip = 0;
/* Whether Python frames are read, set before load. */
const volatile bool with_python = false;

/* Samples on their way to user space. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} watch_ring SEC(".maps");

/* Watched processes, by id. Preallocated, as fork adds to it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EB_WATCHED);
	__type(key, __u32);
	__type(value, __u8);
} watch_who SEC(".maps");

/* Threads of watched processes that are off the CPU, by id. Preallocated: the scheduler cannot wait
 * for memory. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EB_AWAY);
	__type(key, __u32);
	__type(value, struct eb_watch_left);
} watch_away SEC(".maps");

/* Socket calls under way, by thread: what kretprobes do not tell. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EB_WATCHED);
	__type(key, __u64);
	__type(value, struct eb_watch_call);
} watch_calls SEC(".maps");

struct eb_watch_cpu {
	__u64 lost; /* events that found no room */
	__u64 busy; /* a sample is being put together: what interrupts that must not take another */
	volatile __u64 here; /* see eb_in_interrupt() */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct eb_watch_cpu);
} watch_cpu SEC(".maps");

static __always_inline void lose(void)
{
	__u32 zero = 0;
	struct eb_watch_cpu *cpu = bpf_map_lookup_elem(&watch_cpu, &zero);

	if (cpu)
		cpu->lost++;
}

static __always_inline bool is_watched(__u32 tgid)
{
	if (everybody)
		return tgid != 0;
	return bpf_map_lookup_elem(&watch_who, &tgid) != NULL;
}

static __always_inline bool put(struct eb_stack_sample *sample, __u32 words)
{
	__u64 bytes;

	if (words >= EB_SAMPLE_WORDS)
		return false;
	bytes = __builtin_offsetof(struct eb_stack_sample, frames) + words * sizeof(__u64);
	return !bpf_ringbuf_output(&watch_ring, sample, bytes,
				   eb_wakeup(&watch_ring, ring_bytes, bytes));
}

static __always_inline void identify(struct eb_stack_sample *sample, __u32 weight, __u64 value)
{
	__u64 ids = bpf_get_current_pid_tgid();

	sample->tgid = ids >> 32;
	sample->tid = (__u32)ids;
	sample->start_ns = eb_current_start_ns();
	sample->weight = weight;
	sample->value = value;
	sample->quality = EB_COMPLETE;
	sample->miss = EB_NO_MISS;
	sample->kernel_frames = 0;
	sample->user_frames = 0;
	sample->python_frames = 0;
	sample->interrupt = 0;
	sample->woken_tid = 0;
	bpf_get_current_comm(sample->comm, sizeof(sample->comm));
}

/* `ctx` is of any program that bpf_get_stack() knows, of a perf event where `of_event`. */
static __always_inline bool send(void *ctx, const bool of_event, struct eb_walk *walk, __u32 slot)
{
	struct bpf_perf_event_data *event = ctx;
	struct eb_stack_sample *sample = &walk->sample;
	bool in_kernel = !of_event || (__s64)PT_REGS_IP(&event->regs) < 0;

	if (in_kernel) {
		long bytes = bpf_get_stack(ctx, sample->frames, EB_KERNEL_DEPTH * sizeof(__u64),
					   of_event ? 0 : skip & BPF_F_SKIP_FIELD_MASK);

		if (bytes > 0)
			sample->kernel_frames = bytes / sizeof(__u64);
	}
	if (eb_has_user_mode()) {
		bool known;

		sample->quality = EB_CUT;
		if (of_event)
			known = eb_tick_user_regs(event, in_kernel, &walk->regs);
		else
			known = eb_current_user_regs(&walk->regs);
		/* An exiting task without mm would read through the page tables of another. */
		if (EB_CURRENT(mm) && known) {
			eb_walk_user(ctx, walk, slot);
			if (with_python)
				eb_walk_python(sample, slot);
		}
	}
	return put(sample,
		   sample->kernel_frames + sample->user_frames + 2 * (__u32)sample->python_frames);
}

/* Sends the stack of the current thread; false where it could not. */
static __always_inline bool take(void *ctx, const bool of_event, __u32 weight, __u64 value)
{
	struct eb_watch_cpu *cpu;
	struct eb_walk *walk;
	__u32 slot = 0;
	bool sent;

	cpu = bpf_map_lookup_elem(&watch_cpu, &slot);
	walk = eb_walk(slot);
	if (!cpu || !walk || cpu->busy)
		return false;
	cpu->busy = 1;
	identify(&walk->sample, weight, value);
	sent = send(ctx, of_event, walk, slot);
	cpu->busy = 0;
	return sent;
}

static __always_inline int happened(void *ctx, const bool of_event, __u32 weight, __u64 value)
{
	if (!take(ctx, of_event, weight, value))
		lose();
	return 0;
}

#endif
