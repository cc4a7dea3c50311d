/* SPDX-License-Identifier: GPL-2.0 */
/* What is told of a thread or a process, and where the kernel has it. */
#ifndef EB_TASKS_ROW_H
#define EB_TASKS_ROW_H

#define EB_PF_KTHREAD 0x00200000
#define EB_EXIT_DEAD  0x10

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

#endif
