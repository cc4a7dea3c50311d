// SPDX-License-Identifier: GPL-2.0
/*
 * Walks every thread when asked to (a row for each), and reports the last words of every process:
 * memory and name when its last thread begins to exit, final counters when the kernel lets go of
 * it. Nothing here runs on a hot path.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "ebtop.h"
#include "compat.bpf.h"
#include "maps.bpf.h"
#include "tasks_row.h"

#define EB_RING_BYTES	     (256 * 1024)
#define EB_SIGNAL_GROUP_EXIT 0x4

/* Key: place on the walk. Value: a thread. Limit: set before loading; threads past it are counted,
 * not stored. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct eb_task);
} task_rows SEC(".maps");

/* Last words: struct eb_task of kind EB_TASK_EXIT or EB_TASK_FREED. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EB_RING_BYTES);
} task_ring SEC(".maps");

/* Last words that found the ring full, until user space takes them out: very many processes may end
 * at once, faster than anybody reads. Memory is taken only then. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct eb_words_key);
	__type(value, struct eb_task);
} task_spill SEC(".maps");

/* Key: kind of last words. Value: where a CPU composes them; a program is not run on a CPU while it
 * runs there. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EB_TASK_KINDS);
	__type(key, __u32);
	__type(value, struct eb_task);
} task_words SEC(".maps");

/* Key: 0. Value: what became of last words. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct eb_words_count);
} task_count SEC(".maps");

/* Key: 0. Value: what the walk is told and tells. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct eb_walk);
} task_control SEC(".maps");

/* Key: 0. Value: of no use but for its address on each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} task_spot SEC(".maps");

#include "tasks_walk.h"

/*
 * Finds where each CPU keeps its per-CPU memory and returns how many there are: the address there
 * of something whose per-CPU pointer is known, less that pointer. (The kernel's own table of it is
 * not to be had without CONFIG_KALLSYMS_ALL.)
 */
SEC("syscall")
int task_cpu_find(void *ctx)
{
	struct eb_walk *walk;
	volatile __u64 *number;
	__u32 zero = 0, cpu;
	__u64 pointer = 0;
	void *spot;

	walk = bpf_map_lookup_elem(&task_control, &zero);
	if (!walk)
		return 0;
	/* Through memory, which makes a number of it: the verifier forbids such sums with pointers.
	 */
	number = &walk->offset[0];
	*number = (__u64)&task_spot;
	if (bpf_core_read(&pointer, sizeof(pointer), &((struct bpf_array *)*number)->pptrs[0]))
		return 0;
	bpf_for (cpu, 0, EB_MAX_CPUS) {
		spot = bpf_map_lookup_percpu_elem(&task_spot, &zero, cpu);
		if (!spot)
			return cpu;
		number = &walk->offset[cpu & (EB_MAX_CPUS - 1)];
		*number = (__u64)spot;
		*number -= pointer;
	}
	return EB_MAX_CPUS;
}

SEC("syscall")
int task_walk(void *ctx)
{
	struct task_struct *leader;
	struct eb_walk *walk;
	struct eb_task *row;
	__u32 place = 0;
	bool alone;

	walk = bpf_map_lookup_elem(&task_control, &place);
	if (!walk)
		return 0;
	walk->processes = walk->threads = walk->gone = 0;
	walk->round++;
	bpf_rcu_read_lock();
	bpf_for_each (task, leader, NULL, EB_ITER_ALL_PROCS) {
		if (!leader->pid)
			continue; /* the idle task */
		/* Counted in the map, where the verifier does not follow it: on the stack it sees
		 * no end. */
		place = walk->processes++;
		row = bpf_map_lookup_elem(&task_rows, &place);
		if (row && eb_keep_row(row, place, leader, walk))
			continue;
		alone = eb_is_alone(leader);
		walk->task = (__u64)leader;
		if (row)
			eb_write_row(row, walk);
		/* Asked before, for the sums of threads that leave, and again, for those that came.
		 */
		if (alone && eb_is_alone(leader))
			continue;
		/* Where other threads are beside a leader, its row holds only for now. */
		if (row)
			row->task = 0;
		/* The walk of its threads wants a leader that cannot go; one that is on its way has
		 * no threads left. */
		leader = bpf_task_acquire(leader);
		if (!leader)
			continue;
		eb_walk_threads(leader, walk);
		bpf_task_release(leader);
	}
	bpf_rcu_read_unlock();
	return walk->processes + walk->threads;
}

/* The same rows as a byte stream: for kernels without the open-coded iterator, and for very many
 * tasks, as it reschedules. */
SEC("iter/task")
int task_iter(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct eb_task *row;
	__u32 zero = 0;

	/* Composed in the map, whose first place this walk does not need: what is on the stack the
	 * verifier follows value by value. */
	row = bpf_map_lookup_elem(&task_rows, &zero);
	if (!task || !row)
		return 0;
	task = eb_untrusted(task);
	eb_walk_row(row, task, NULL);
	if (row->tid == row->tgid)
		row->threads = task->signal->nr_threads;
	bpf_seq_write(ctx->meta->seq, row, sizeof(*row));
	return 0;
}

static __always_inline struct eb_task *eb_begin_words(__u32 kind)
{
	return bpf_map_lookup_elem(&task_words, &kind);
}

/* How the process ended, as wait(2) tells it, and its peak. */
static __always_inline void eb_end(struct eb_task *words, struct task_struct *task,
				   struct signal_struct *signal)
{
	words->peak_rss_pages = signal->maxrss;
	words->exit_status =
		signal->flags & EB_SIGNAL_GROUP_EXIT ? signal->group_exit_code : task->exit_code;
}

static __always_inline void eb_submit_words(struct eb_task *words)
{
	struct eb_words_key key = {};
	struct eb_words_count *count;
	__u32 zero = 0;

	words->at_ns = bpf_ktime_get_boot_ns();
	if (!bpf_ringbuf_output(&task_ring, words, sizeof(*words),
				eb_wake_flag(&task_ring, EB_RING_BYTES)))
		return;
	count = bpf_map_lookup_elem(&task_count, &zero);
	if (!count)
		return;
	key.start_ns = words->start_ns;
	key.tgid = words->tgid;
	key.kind = words->kind;
	if (bpf_map_update_elem(&task_spill, &key, words, BPF_ANY))
		__sync_fetch_and_add(&count->lost, 1);
	else
		__sync_fetch_and_add(&count->spilt, 1);
}

/*
 * Fires for each thread; the process is over when the last one is here (two that leave together may
 * both see it: the reader merges). From 6.16 the memory is still there, before that it is gone.
 */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(task_exit, struct task_struct *trusted)
{
	struct task_struct *task = eb_untrusted(trusted);
	struct task_struct *leader = task->group_leader;
	struct signal_struct *signal = task->signal;
	struct eb_task *words;

	if (signal->live.counter)
		return 0;
	words = eb_begin_words(EB_TASK_EXIT);
	if (!words)
		return 0;
	eb_identify(words, leader);
	words->kind = EB_TASK_EXIT;
	words->ppid = leader->real_parent->tgid;
	eb_end(words, task, signal);
	eb_memory(words, task, NULL);
	eb_add_dead(words, signal);
	eb_add_thread(words, leader);
	if (task->pid != leader->pid)
		eb_add_thread(words, task);
	eb_submit_words(words);
	return 0;
}

/*
 * The task has run for the last time and is off every list. Its leader goes last (a leader that
 * lost its place to another thread's exec has that thread's old tid by now), so all counters are
 * final.
 */
SEC("tp_btf/sched_process_free")
int BPF_PROG(task_free, struct task_struct *trusted)
{
	struct task_struct *task = eb_untrusted(trusted);
	struct signal_struct *signal = task->signal;
	struct eb_task *words;

	if (task->pid != task->tgid)
		return 0;
	words = eb_begin_words(EB_TASK_FREED);
	if (!words)
		return 0;
	eb_identify(words, task);
	words->kind = EB_TASK_FREED;
	eb_end(words, task, signal);
	eb_add_dead(words, signal);
	eb_merge_leader(words, task);
	eb_submit_words(words);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
