/* SPDX-License-Identifier: GPL-2.0 */
/* The current task: plain loads where the kernel has a typed pointer to it (5.11), else reads that
 * may fault. */
#ifndef EB_CURRENT_BPF_H
#define EB_CURRENT_BPF_H

/* A field of the current task. */
#define EB_CURRENT(field)                                                                          \
	(bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)               \
		 ? bpf_get_current_task_btf()->field                                               \
		 : BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), field))

/* Start of the process of the current task, ns of CLOCK_BOOTTIME: half of its identity. */
static __always_inline __u64 eb_current_start_ns(void)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		return bpf_get_current_task_btf()->group_leader->start_boottime;
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), group_leader,
			     start_boottime);
}

/*
 * Whether the current thread ever runs in user mode. The numbers of these flags are in no type
 * information: that of io_uring's workers is another since 5.12, as old as bpf_check_mtu(), and the
 * bit was PF_VCPU before; vhost's workers have one since 6.4 (include/linux/sched.h).
 */
static __always_inline bool eb_has_user_mode(void)
{
	__u32 kernel = 0x00200000; /* PF_KTHREAD */

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_check_mtu))
		kernel |= 0x00000010; /* PF_IO_WORKER */
	else
		kernel |= 0x20000000;
	if (bpf_core_field_exists(((struct kernel_clone_args *)0)->user_worker))
		kernel |= 0x00004000; /* PF_USER_WORKER */
	return !(EB_CURRENT(flags) & kernel);
}

#endif
