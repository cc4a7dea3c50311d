/* SPDX-License-Identifier: GPL-2.0 */
/* Where kernels differ: each flavour names the kernel commit that made it. Decided by BTF, never by
 * version. */
#ifndef EBTOP_COMPAT_BPF_H
#define EBTOP_COMPAT_BPF_H

/* Before 5.14, 2f064a59a11f ("sched: Change task_struct::state"). */
struct task_struct___long_state {
	volatile long state;
} __attribute__((preserve_access_index));

/* Before 5.16, bcf9033e5449 ("sched: move CPU field back into thread_info if
 * THREAD_INFO_IN_TASK=y"). */
struct task_struct___own_cpu {
	unsigned int cpu;
} __attribute__((preserve_access_index));

/* Before 6.2, f1a7941243c1 ("mm: convert mm's rss stats into percpu_counter"). */
struct mm_rss_stat___atomic {
	atomic_long_t count[4];
} __attribute__((preserve_access_index));

struct mm_struct___atomic_rss {
	struct mm_rss_stat___atomic rss_stat;
} __attribute__((preserve_access_index));

/* Until then each task kept up to 64 pages to itself. */
struct task_rss_stat___cache {
	int count[4];
} __attribute__((preserve_access_index));

struct task_struct___cached_rss {
	struct task_rss_stat___cache rss_stat;
} __attribute__((preserve_access_index));

/* Fields that tell what the scheduler's clock leaves out. */
struct rq___apart {
	u64 prev_irq_time;
	u64 prev_steal_time_rq;
} __attribute__((preserve_access_index));

/* Open-coded task iterator, 6.7, c68a78ffe2cb ("bpf: Introduce task open coded iterator kfuncs").
 */
#define EB_ITER_ALL_PROCS    0
#define EB_ITER_PROC_THREADS 2
extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, unsigned int flags)
	__weak __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __weak __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __weak __ksym;
/* 6.1, 90660309b0c7 ("bpf: Add kfuncs for storing struct task_struct * as a kptr"). */
extern struct task_struct *bpf_task_acquire(struct task_struct *task) __weak __ksym;
extern void bpf_task_release(struct task_struct *task) __weak __ksym;
/* 6.2, 9bb00b2895cb ("bpf: Add kfunc bpf_rcu_read_lock/unlock()"). */
extern void bpf_rcu_read_lock(void) __weak __ksym;
extern void bpf_rcu_read_unlock(void) __weak __ksym;

/* 6.2, a35b9af4ec2c ("bpf: Add a kfunc for generic type cast"). */
extern void *bpf_rdonly_cast(const void *object, __u32 btf_id) __weak __ksym;

/*
 * The same task without the verifier's trust. For each pointer read through a trusted one the
 * verifier searches all of the kernel's BTF, which makes loading several times slower; nothing
 * here needs the trust.
 */
static __always_inline struct task_struct *eb_untrusted(struct task_struct *task)
{
	if (bpf_ksym_exists(bpf_rdonly_cast))
		return bpf_core_cast(task, struct task_struct);
	return task;
}

static __always_inline __u32 eb_task_state(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return ((struct task_struct___long_state *)task)->state;
}

static __always_inline __u32 eb_task_cpu(struct task_struct *task)
{
	struct task_struct___own_cpu *old = (void *)task;

	if (bpf_core_field_exists(old->cpu))
		return old->cpu;
	return task->thread_info.cpu;
}

/* What a task has counted of one kind of pages (MM_FILEPAGES …) and not yet handed in to its mm. */
static __always_inline __s64 eb_cached_pages(struct task_struct *task, int kind)
{
	struct task_struct___cached_rss *old = (void *)task;

	if (bpf_core_field_exists(old->rss_stat))
		return BPF_CORE_READ(old, rss_stat.count[kind]);
	return 0;
}

/* Pages of one kind (MM_FILEPAGES …) as far as they were handed in: from 6.2 each CPU keeps a batch
 * to itself. Verifiers before that refuse a load from an array of a typedef, hence the helper. */
static __always_inline __s64 eb_rss_pages(struct mm_struct *mm, int kind)
{
	struct mm_struct___atomic_rss *old = (void *)mm;

	if (bpf_core_type_exists(struct mm_rss_stat___atomic))
		return BPF_CORE_READ(old, rss_stat.count[kind].counter);
	return mm->rss_stat[kind].count;
}

#endif
