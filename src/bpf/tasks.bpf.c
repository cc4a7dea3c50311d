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

#define EB_RING_BYTES (256 * 1024)
#define EB_PF_KTHREAD 0x00200000
#define EB_EXIT_DEAD  0x10
/* What others may change of an idle thread is read anew on every so many walks; a power of two. */
#define EB_REFRESH_WALKS 8
/* So many neighbours may be gone at once without what comes after them being read anew. */
#define EB_GONE_AT_ONCE	     4
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

/* Each counter of struct eb_task: its name, where a thread has it, where signal_struct sums those
 * of the dead. */
#define EB_COUNTERS(X)                                                                             \
	X(run_ns, se.sum_exec_runtime, sum_sched_runtime)                                          \
	X(user_ns, utime, utime)                                                                   \
	X(system_ns, stime, stime)                                                                 \
	X(voluntary_count, nvcsw, nvcsw)                                                           \
	X(involuntary_count, nivcsw, nivcsw)                                                       \
	X(minor_count, min_flt, min_flt)                                                           \
	X(major_count, maj_flt, maj_flt)

#define EB_IO_COUNTERS(X)                                                                          \
	X(read_bytes, ioac.read_bytes, ioac.read_bytes)                                            \
	X(write_bytes, ioac.write_bytes, ioac.write_bytes)                                         \
	X(cancelled_bytes, ioac.cancelled_write_bytes, ioac.cancelled_write_bytes)

/* Adds what a thread counted, its wait included. */
static __always_inline void eb_add_thread(struct eb_task *row, struct task_struct *task)
{
#define X(name, own, sum) row->name += task->own;
	EB_COUNTERS(X)
	if (bpf_core_field_exists(task->ioac.read_bytes)) {
		EB_IO_COUNTERS(X)
	}
#undef X
	if (bpf_core_field_exists(task->sched_info.run_delay))
		row->wait_ns += task->sched_info.run_delay;
}

/* Bytes without those of children: who waits for one gets all that it moved added to its own, and
 * to the blocks of its children, of 512 bytes (wait_task_zombie() in kernel/exit.c). */
static __always_inline __u64 eb_without(__u64 bytes, __u64 blocks_of_children)
{
	__u64 of_children = blocks_of_children << 9;

	return bytes > of_children ? bytes - of_children : 0;
}

/* Adds what the dead threads of the process left behind. */
static __always_inline void eb_add_dead(struct eb_task *row, struct signal_struct *signal)
{
#define X(name, own, sum) row->name += signal->sum;
	EB_COUNTERS(X)
#undef X
	if (bpf_core_field_exists(signal->ioac.read_bytes)) {
		row->read_bytes += eb_without(signal->ioac.read_bytes, signal->cinblock);
		row->write_bytes += eb_without(signal->ioac.write_bytes, signal->coublock);
		/* What children cancelled is in it, too, and nowhere apart. Who has waited for one
		 * has its faults. */
		if (!signal->cmin_flt)
			row->cancelled_bytes += signal->ioac.cancelled_write_bytes;
	}
}

/*
 * For a leader that is being released: the sums may hold it already, as it stood then, and it may
 * have run on since. The greater of the two is nearest to the truth and never counts it twice.
 */
static __always_inline void eb_merge_leader(struct eb_task *row, struct task_struct *leader)
{
#define X(name, own, sum)                                                                          \
	if (row->name < leader->own)                                                               \
		row->name = leader->own;
	EB_COUNTERS(X)
	if (bpf_core_field_exists(leader->ioac.read_bytes)) {
		EB_IO_COUNTERS(X)
	}
#undef X
	if (bpf_core_field_exists(leader->sched_info.run_delay))
		row->wait_ns = leader->sched_info.run_delay;
}

/* Facts about the kernel are the same in every row, so that user space needs no second channel for
 * them. */
static __always_inline __u32 eb_kernel_facts(void)
{
	struct task_struct *task = NULL;
	struct rq___apart *rq = NULL;
	__u32 facts = 0;

	if (bpf_core_field_exists(task->ioac.read_bytes))
		facts |= EB_HAS_IO;
	if (bpf_core_field_exists(task->sched_info.run_delay))
		facts |= EB_HAS_WAIT;
	if (bpf_core_field_exists(rq->prev_irq_time))
		facts |= EB_IRQ_APART;
	if (bpf_core_field_exists(rq->prev_steal_time_rq))
		facts |= EB_STEAL_APART;
	return facts;
}

static __always_inline __u32 eb_state(struct task_struct *task)
{
	return (eb_task_state(task) & 0xffff) | (__u32)task->exit_state << 16;
}

/* Clears the row; writes who the thread is and how it stands: all but counters, memory and parent.
 */
static __always_inline void eb_identify(struct eb_task *row, struct task_struct *task)
{
	__builtin_memset(row, 0, sizeof(*row));
	row->start_ns = task->group_leader->start_boottime;
	row->tgid = task->tgid;
	row->tid = task->pid;
	row->uid = task->real_cred->uid.val;
	row->cpu = eb_task_cpu(task);
	row->state = eb_state(task);
	row->static_prio = task->static_prio;
	row->exec_id = task->self_exec_id;
	row->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
	row->facts = eb_kernel_facts();
	if (task->flags & EB_PF_KTHREAD)
		row->facts |= EB_KTHREAD;
	__builtin_memcpy(row->comm, task->comm, EB_COMM_LEN);
}

struct eb_batches {
	struct eb_walk *walk;
	struct eb_task *row;
	__u64 pointer; /* per-CPU pointer to the four counters */
};

/* Adds what one CPU has counted and not yet handed in. */
static long eb_add_batch(__u64 cpu, struct eb_batches *batches)
{
	struct eb_task *row = batches->row;
	__s32 here[NR_MM_COUNTERS];
	__u64 from;

	from = batches->pointer + batches->walk->offset[cpu & (EB_MAX_CPUS - 1)];
	if (bpf_probe_read_kernel(here, sizeof(here), (void *)from))
		return 0;
	row->file_pages += here[MM_FILEPAGES];
	row->anon_pages += here[MM_ANONPAGES];
	row->swap_pages += here[MM_SWAPENTS];
	row->shmem_pages += here[MM_SHMEMPAGES];
	return 0;
}

/*
 * An mm's four counters lie side by side since they are allocated together (6.6, 14ef95be6f55);
 * where they do not, they stay as they are.
 */
static __always_inline void eb_add_batches(struct eb_task *row, struct mm_struct *mm,
					   struct eb_walk *walk)
{
	struct eb_batches batches = {.walk = walk, .row = row};
	__u64 last = (__u64)mm->rss_stat[NR_MM_COUNTERS - 1].counters;

	batches.pointer = (__u64)mm->rss_stat[0].counters;
	if (last == batches.pointer + (NR_MM_COUNTERS - 1) * sizeof(__s32))
		bpf_loop(walk->cpus, eb_add_batch, &batches, 0);
}

static __always_inline void eb_memory(struct eb_task *row, struct task_struct *task,
				      struct eb_walk *walk)
{
	struct mm_struct *mm = task->mm;

	if (!mm || row->facts & EB_KTHREAD)
		return;
	row->file_pages = eb_rss_pages(mm, MM_FILEPAGES) + eb_cached_pages(task, MM_FILEPAGES);
	row->anon_pages = eb_rss_pages(mm, MM_ANONPAGES) + eb_cached_pages(task, MM_ANONPAGES);
	row->swap_pages = eb_rss_pages(mm, MM_SWAPENTS) + eb_cached_pages(task, MM_SWAPENTS);
	row->shmem_pages = eb_rss_pages(mm, MM_SHMEMPAGES) + eb_cached_pages(task, MM_SHMEMPAGES);
	if (walk && !bpf_core_type_exists(struct mm_rss_stat___atomic))
		eb_add_batches(row, mm, walk);
	row->vm_pages = mm->total_vm;
	row->facts |= EB_HAS_MEMORY;
}

static __always_inline void eb_walk_row(struct eb_task *row, struct task_struct *task,
					struct eb_walk *walk)
{
	eb_identify(row, task);
	row->kind = EB_TASK_ROW;
	row->ppid = task->real_parent->tgid;
	if (task->pid != task->tgid) {
		eb_add_thread(row, task);
		/* A leader that called pthread_exit() has no mm any more; its threads still have.
		 */
		if (!task->group_leader->mm)
			eb_memory(row, task, walk);
		return;
	}
	eb_memory(row, task, walk);
	eb_add_dead(row, task->signal);
	/*
	 * Read after the sums: they cannot hold a leader that is not dead even now. One that is
	 * dead may be in them: then its total is not known until it is freed, and user space stays
	 * with the last.
	 */
	if (*(volatile int *)&task->exit_state != EB_EXIT_DEAD)
		eb_add_thread(row, task);
}

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

/*
 * Writes the row of the thread that the walk is at. A global function: the verifier follows it
 * once, not on each way through the loops around it.
 */
__noinline int eb_write_row(struct eb_task *row, struct eb_walk *walk)
{
	struct task_struct *task;
	__u64 own_ns;

	if (!row || !walk)
		return 0;
	task = bpf_core_cast((void *)walk->task, struct task_struct);
	/* First, so that what it runs meanwhile makes the row untrue. */
	own_ns = *(volatile __u64 *)&task->se.sum_exec_runtime;
	eb_walk_row(row, task, walk);
	row->own_ns = own_ns;
	row->changed = walk->round;
	row->task = walk->task;
	return 0;
}

/* Sets a field of a row and says in `differs` whether it held something else. */
#define EB_RENEW(field, now)                                                                       \
	({                                                                                         \
		typeof(row->field) now_ = (now);                                                   \
		differs |= row->field != now_;                                                     \
		row->field = now_;                                                                 \
	})

/*
 * Reads anew what others change of a thread that does not run: its parent, its nice value, its
 * cgroup, the pages it has. (Its name, where it is not alone: by its siblings.) All else, its
 * counters above all, only it can change itself.
 */
__noinline int eb_renew_row(struct eb_task *row, struct eb_walk *walk)
{
	__u64 comm[EB_COMM_LEN / sizeof(__u64)], *name, vm;
	__s64 anon, file, shmem, swap;
	struct task_struct *task;
	bool differs = false;

	if (!row || !walk)
		return 0;
	name = (__u64 *)row->comm;
	task = bpf_core_cast((void *)walk->task, struct task_struct);
	EB_RENEW(ppid, task->real_parent->tgid);
	EB_RENEW(static_prio, task->static_prio);
	EB_RENEW(cgroup_id, task->cgroups->dfl_cgrp->kn->id);
	__builtin_memcpy(comm, task->comm, EB_COMM_LEN);
	if (comm[0] != name[0] || comm[1] != name[1]) {
		differs = true;
		__builtin_memcpy(name, comm, EB_COMM_LEN);
	}
	if (row->tid == row->tgid || !task->group_leader->mm) {
		anon = row->anon_pages;
		file = row->file_pages;
		shmem = row->shmem_pages;
		swap = row->swap_pages;
		vm = row->vm_pages;
		eb_memory(row, task, walk);
		differs |= anon != row->anon_pages || file != row->file_pages ||
			   shmem != row->shmem_pages || swap != row->swap_pages ||
			   vm != row->vm_pages;
	}
	if (differs)
		row->changed = walk->round;
	return 0;
}

/*
 * Whether a row of the walk before still tells the truth about a thread: it is the same, has not
 * run since, and sleeps as it did. What others may have changed meanwhile shows when its turn
 * comes.
 *
 * Waiting for memory is nearly all that the walk of a machine full of idle processes does: this
 * touches four cache lines of a thread, with the one that leads to the next; a full row some 30.
 */
static __always_inline bool eb_still_true(struct eb_task *row, struct task_struct *task,
					  struct eb_walk *walk)
{
	__u32 state;

	if (row->task != (__u64)task)
		return false;
	state = eb_task_state(task) & 0xffff;
	if (!state || state != (row->state & 0xffff) || row->tid != task->pid ||
	    row->own_ns != task->se.sum_exec_runtime)
		return false;
	if ((row->tid + walk->round) % EB_REFRESH_WALKS == 0) {
		walk->task = (__u64)task;
		eb_renew_row(row, walk);
	}
	return true;
}

/*
 * The row of a process where the walk before left it: further back by those that are gone since, as
 * new ones come last. Brings it to its place; false where it is to be written anew.
 */
static __always_inline bool eb_keep_row(struct eb_task *row, __u32 place,
					struct task_struct *leader, struct eb_walk *walk)
{
	struct eb_task *before;
	__u32 step, from = place + walk->gone;

	before = bpf_map_lookup_elem(&task_rows, &from);
	if (before && eb_still_true(before, leader, walk)) {
		if (walk->gone)
			*row = *before;
		return true;
	}
	bpf_for (step, 0, EB_GONE_AT_ONCE) {
		from++;
		before = bpf_map_lookup_elem(&task_rows, &from);
		if (before && before->task == (__u64)leader) {
			walk->gone += step + 1;
			*row = *before;
			return eb_still_true(row, leader, walk);
		}
	}
	return false;
}

/* Nobody stands on the list of threads beside its head. */
static __always_inline bool eb_is_alone(struct task_struct *leader)
{
	return *(volatile __u64 *)&leader->thread_node.next ==
	       *(volatile __u64 *)&leader->thread_node.prev;
}

static __always_inline void eb_walk_threads(struct task_struct *leader, struct eb_walk *walk)
{
	struct task_struct *thread;
	struct eb_task *row;
	__u32 place;

	bpf_for_each (task, thread, leader, EB_ITER_PROC_THREADS) {
		if (thread->pid == thread->tgid)
			continue;
		place = walk->room - ++walk->threads;
		row = bpf_map_lookup_elem(&task_rows, &place);
		if (!row || eb_still_true(row, thread, walk))
			continue;
		walk->task = (__u64)thread;
		eb_write_row(row, walk);
	}
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
	eb_walk_row(row, eb_untrusted(task), NULL);
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
