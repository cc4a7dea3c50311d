/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The user-space unwinder: from the registers of the current thread to return addresses.
 * stacks.bpf.c knows only eb_unwind_user(); unwinding by tables comes in behind it.
 *
 * It walks frame records {caller's frame pointer, return address}, the same on x86_64 and arm64, by
 * itself rather than by bpf_get_stack(), because only so does it learn how the walk ended:
 *   EB_COMPLETE  a frame record was read whose saved frame pointer or return address is 0: both
 * ABIs ask start code to clear the frame pointer, so this is the outermost frame. A 0 in the
 * register itself proves nothing (code without frame pointers may keep any number there) and counts
 * as cut. EB_DEEP      EB_DEPTH addresses, and more to come. EB_CUT       anything else: a record
 * that is unreadable, misaligned, below the one before or far above it (the first by the stack
 * pointer), or an address no program can have. So a walk ends, too, where a signal handler or a
 * runtime (Go's systemstack) changed stacks. What frame pointers cannot give: a function that made
 * no frame (yet) hides its caller, and a frame pointer used for something else may yield addresses
 * that are no callers.
 */
#ifndef EB_UNWIND_BPF_H
#define EB_UNWIND_BPF_H

#define EB_DEPTH 127
/* Room for a kernel and a user stack, a power of two so that a masked index is in bounds. */
#define EB_FRAMES 256
/* Most bytes from one record to the next: what lies further is hardly a frame, but a pointer to the
 * heap. */
#define EB_FRAME_BYTES (1ULL << 20)

enum eb_quality {
	EB_COMPLETE = 0,
	EB_CUT = 1,
	EB_DEEP = 2,
	EB_NO_TABLE = 3,
	EB_UNREADABLE = 4,
	EB_JIT = 5,
};

struct eb_regs {
	__u64 ip, sp, fp;
};

#ifdef __TARGET_ARCH_arm64
/* Return addresses may be signed in the bits above the address. */
#define EB_ADDR(a) ((a) & ((1ULL << 52) - 1))
#else
#define EB_ADDR(a) (a)
#endif

/*
 * Registers of the thread in user mode, from before the system call or interrupt if it is in the
 * kernel. False where this kernel cannot tell (before 5.15, in kernel mode).
 */
static __always_inline bool eb_user_regs(struct bpf_perf_event_data *ctx, bool in_kernel,
					 struct eb_regs *regs)
{
	if (!in_kernel) {
		regs->ip = PT_REGS_IP(&ctx->regs);
		regs->sp = PT_REGS_SP(&ctx->regs);
		regs->fp = PT_REGS_FP(&ctx->regs);
		return true;
	}
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) {
		struct pt_regs *user =
			(struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

		regs->ip = PT_REGS_IP_CORE(user);
		regs->sp = PT_REGS_SP_CORE(user);
		regs->fp = PT_REGS_FP_CORE(user);
		return true;
	}
	return false;
}

/* By the kernel's own walk, which knows 32-bit frames and old kernels but not how it ended: never
 * complete. */
static __always_inline __u32 eb_unwind_kernel_walk(struct bpf_perf_event_data *ctx, __u64 *frames,
						   __u32 first, __u32 *quality)
{
	long bytes = bpf_get_stack(ctx, &frames[first & (EB_FRAMES / 2 - 1)],
				   EB_DEPTH * sizeof(__u64), BPF_F_USER_STACK);

	if (bytes <= 0)
		return 0;
	if (bytes == EB_DEPTH * sizeof(__u64))
		*quality = EB_DEEP;
	return bytes / sizeof(__u64);
}

/*
 * Writes the user addresses of the current thread, innermost first, to frames[first...], at most
 * EB_DEPTH. `count` is memory of a map, so that the verifier does not tell apart the states of each
 * depth.
 */
static __always_inline void eb_unwind_user(struct bpf_perf_event_data *ctx, bool in_kernel,
					   __u64 *frames, __u32 first, volatile __u32 *count,
					   __u32 *quality)
{
	struct eb_regs regs = {};
	__u64 fp, below;

	*quality = EB_CUT;
	*count = 0;
	if (!eb_user_regs(ctx, in_kernel, &regs) || !(regs.sp >> 32)) {
		*count = eb_unwind_kernel_walk(ctx, frames, first, quality);
		return;
	}
	frames[first & (EB_FRAMES - 1)] = regs.ip;
	*count = 1;
	fp = regs.fp;
	below = regs.sp;
#pragma clang loop unroll(disable)
	for (int i = 1; i <= EB_DEPTH; i++) {
		__u64 record[2], at;

		if (fp < below || fp - below > EB_FRAME_BYTES || fp & 7)
			return;
		if (bpf_probe_read_user(record, sizeof(record), (void *)fp))
			return;
		record[1] = EB_ADDR(record[1]);
		if (!record[1]) {
			*quality = EB_COMPLETE;
			return;
		}
		if (record[1] < 4096 || (__s64)record[1] < 0)
			return;
		if (i == EB_DEPTH) {
			*quality = EB_DEEP;
			return;
		}
		at = first + i;
		frames[at & (EB_FRAMES - 1)] = record[1];
		*count = i + 1;
		if (!record[0]) {
			*quality = EB_COMPLETE;
			return;
		}
		below = fp + sizeof(record);
		fp = record[0];
	}
}

#endif
