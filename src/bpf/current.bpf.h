/* SPDX-License-Identifier: GPL-2.0 */
/* The current task: plain loads where the kernel has a typed pointer to it (5.11), else reads that may fault. */
#ifndef EB_CURRENT_BPF_H
#define EB_CURRENT_BPF_H

/* A field of the current task. */
#define EB_CURRENT(field)                                                                                              \
	(bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf) ?                                  \
		 bpf_get_current_task_btf()->field :                                                                    \
		 BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), field))

/* Start of the process of the current task, ns of CLOCK_BOOTTIME: half of its identity. */
static __always_inline __u64 eb_current_start_ns(void)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		return bpf_get_current_task_btf()->group_leader->start_boottime;
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), group_leader, start_boottime);
}

#endif
