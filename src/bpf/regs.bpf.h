/* SPDX-License-Identifier: GPL-2.0 */
/* Registers of the current thread in user mode, from which its stack is walked. */
#ifndef EB_REGS_BPF_H
#define EB_REGS_BPF_H

#include "current.bpf.h"

struct eb_regs {
	__u64 ip, sp, fp;
	__u64 lr; /* the return address, where it is in a register (see EB_REG_LR) */
};

#ifdef __TARGET_ARCH_arm64
/* Return addresses may be signed in the bits above the address; no code lies above 48 bits, as
 * only memory that was asked for by address does. */
#define EB_USER_BITS 48
#define EB_ADDR(a)   ((a) & ((1ULL << EB_USER_BITS) - 1))
/* Before the function saves it. */
#define EB_REG_LR(r) BPF_CORE_READ((const struct user_pt_regs *)(r), regs[30])
/* Bits of PSTATE that tell the exception level: 0 in user mode. */
#define EB_FROM_USER(r) ((BPF_CORE_READ((const struct user_pt_regs *)(r), pstate) & 0xf) == 0)
#else
#define EB_USER_BITS	47
#define EB_ADDR(a)	(a)
/* rdi: where vfork() alone keeps it, as two processes run on one stack from there on. */
#define EB_REG_LR(r)	PT_REGS_PARM1_CORE(r)
/* The privilege level in the code segment: 3 in user mode. */
#define EB_FROM_USER(r) ((BPF_CORE_READ(r, cs) & 3) == 3)
#endif

/* Whether code may lie there: no program has any in its first page, nor above the lower half unless
 * it asks for that by address. */
static __always_inline bool eb_may_be_code(__u64 address)
{
	return address >= 4096 && !(address >> EB_USER_BITS);
}

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

/* Registers of the current thread from before the system call, fault or interrupt. Before 5.15
 * there is no helper to ask, but they lie where they do since: at the end of the kernel stack. */
static __always_inline const struct pt_regs *eb_user_pt_regs(void)
{
	void *stack;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	stack = (void *)EB_CURRENT(stack);
	return stack + EB_KERNEL_STACK - bpf_core_type_size(struct pt_regs);
}

/* For programs that run in the kernel on behalf of the current thread. False for kernel threads. */
static __always_inline bool eb_current_user_regs(struct eb_regs *regs)
{
	return eb_copy_regs(eb_user_pt_regs(), regs);
}

/*
 * Whether an interrupt is at work, not the current task for itself. A soft interrupt counts as one,
 * also where the task's own system call runs it on its way out (packets over loopback).
 *
 * The arguments of a tracepoint's program, `ctx`, lie on the stack in use, which on x86_64 is the
 * CPU's own in an interrupt that met the kernel. One that met a program stays on the task's stack,
 * but then what entered the kernel has no number of a system call. `scratch`: memory of a map, in
 * which the verifier forgets that an address is a pointer, of which it lets nobody compare any.
 */
static __always_inline bool eb_in_interrupt(void *ctx, volatile __u64 *scratch)
{
#ifdef __TARGET_ARCH_arm64
	/* NMI, hard interrupt, soft interrupt being served. */
	return EB_CURRENT(thread_info.preempt_count) & 0xff0100;
#else
	*scratch = (__u64)ctx;
	return *scratch - (__u64)EB_CURRENT(stack) >= EB_KERNEL_STACK;
#endif
}

/* Whether the current thread, no kernel thread, is in a system call. */
static __always_inline bool eb_in_syscall(void)
{
#ifdef __TARGET_ARCH_arm64
	return true;
#else
	return (long)BPF_CORE_READ(eb_user_pt_regs(), orig_ax) >= 0;
#endif
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
	regs->lr = PT_REGS_PARM1(&ctx->regs);
#endif
	return true;
}

#endif
