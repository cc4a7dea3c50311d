/* SPDX-License-Identifier: GPL-2.0 */
/* Registers of the current thread in user mode, from which its stack is walked. */
#ifndef EB_REGS_BPF_H
#define EB_REGS_BPF_H

#include "current.bpf.h"

struct eb_regs {
	__u64 ip, sp, fp;
	__u64 lr; /* arm64: the return address, before the function saves it */
};

#ifdef __TARGET_ARCH_arm64
/* Return addresses may be signed in the bits above the address; no code lies above 48 bits, as
 * only memory that was asked for by address does. */
#define EB_ADDR(a)   ((a) & ((1ULL << 48) - 1))
#define EB_REG_LR(r) BPF_CORE_READ((const struct user_pt_regs *)(r), regs[30])
/* Bits of PSTATE that tell the exception level: 0 in user mode. */
#define EB_FROM_USER(r) ((BPF_CORE_READ((const struct user_pt_regs *)(r), pstate) & 0xf) == 0)
#else
#define EB_ADDR(a)	(a)
#define EB_REG_LR(r)	0
/* The privilege level in the code segment: 3 in user mode. */
#define EB_FROM_USER(r) ((BPF_CORE_READ(r, cs) & 3) == 3)
#endif

/* Bytes of a kernel stack, THREAD_SIZE, the same on x86_64 and on arm64 with pages of 4 KiB. */
#define EB_KERNEL_STACK 16384

static __always_inline bool eb_copy_regs(const struct pt_regs *user, struct eb_regs *regs)
{
	if (!EB_FROM_USER(user))
		return false;
	regs->ip = PT_REGS_IP_CORE(user);
	regs->sp = PT_REGS_SP_CORE(user);
	regs->fp = PT_REGS_FP_CORE(user);
	regs->lr = EB_ADDR(EB_REG_LR(user));
	return true;
}

/*
 * For programs that run in the kernel on behalf of the current thread: its registers from before
 * the system call, fault or interrupt. False for kernel threads. Before 5.15 there is no helper to
 * ask, but the registers lie where they do since: at the end of the kernel stack.
 */
static __always_inline bool eb_current_user_regs(struct eb_regs *regs)
{
	void *stack;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return eb_copy_regs((void *)bpf_task_pt_regs(bpf_get_current_task_btf()), regs);
	stack = (void *)EB_CURRENT(stack);
	return eb_copy_regs(stack + EB_KERNEL_STACK - bpf_core_type_size(struct pt_regs), regs);
}

/* For the timer, whose context holds the registers of whatever it interrupted. */
static __always_inline bool eb_tick_user_regs(struct bpf_perf_event_data *ctx, bool in_kernel,
					      struct eb_regs *regs)
{
	if (in_kernel)
		return eb_current_user_regs(regs);
	regs->ip = PT_REGS_IP(&ctx->regs);
	regs->sp = PT_REGS_SP(&ctx->regs);
	regs->fp = PT_REGS_FP(&ctx->regs);
#ifdef __TARGET_ARCH_arm64
	regs->lr = EB_ADDR(ctx->regs.regs[30]);
#else
	regs->lr = 0;
#endif
	return true;
}

#endif
