/* SPDX-License-Identifier: GPL-2.0 */
/* Rows of a walk: written, kept from the walk before, renewed. Needs task_rows. */
#ifndef EB_TASKS_WALK_H
#define EB_TASKS_WALK_H

/* What others may change of an idle thread is read anew on every so many walks; a power of two. */
#define EB_REFRESH_WALKS 8
/* So many neighbours may be gone at once without what comes after them being read anew. */
#define EB_GONE_AT_ONCE 4

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

#endif
