/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One step of the walk: from a frame to its caller, by table, or by frame pointer where there is
 * none. Include unwind.bpf.h instead.
 *
 * A step by frame pointer reads the record {caller's frame pointer, return address}, the same on
 * x86_64 and arm64. What it cannot see: a function that made no frame (yet) hides its caller.
 */
#ifndef EB_UNWIND_STEP_BPF_H
#define EB_UNWIND_STEP_BPF_H

#include "unwind_find.bpf.h"

/* Most bytes from one record to the next: what lies further is hardly on the same stack. */
#define EB_FRAME_BYTES (1ULL << 20)

enum eb_step {
	EB_GO_ON = 0,
	EB_STOP = 1,
};

static __always_inline enum eb_step eb_end(struct eb_walk *walk, enum eb_quality quality)
{
	walk->sample.quality = quality;
	return EB_STOP;
}

/* A word of the user stack, and with it what lies above in the same page: callers' frames mostly,
 * and each read has its price. */
static __always_inline bool eb_read_word(struct eb_walk *walk, __u64 at, __u64 *word)
{
	__u64 offset = at - walk->window_at;
	__u32 words;

	if (at & 7)
		return !bpf_probe_read_user(word, sizeof(*word), (void *)at);
	if (offset >= (__u64)walk->window_words * 8) {
		words = (EB_WINDOW_PAGE - (at & (EB_WINDOW_PAGE - 1))) / 8;
		walk->window_words = words < EB_WINDOW / 2 ? words : EB_WINDOW / 2;
		words = walk->window_words & (EB_WINDOW - 1);
		if (bpf_probe_read_user(walk->window, words * 8, (void *)at)) {
			walk->window_words = 0;
			return false;
		}
		walk->window_at = at;
		offset = 0;
	}
	*word = walk->window[(offset / 8) & (EB_WINDOW - 1)];
	return true;
}

/* The registers of the caller are known. */
static __always_inline enum eb_step eb_climb(struct eb_walk *walk, __u64 ip, __u64 sp, __u64 fp)
{
	ip = EB_ADDR(ip);
	if (!ip)
		return eb_end(walk, EB_COMPLETE);
	if (!eb_may_be_code(ip))
		return eb_end(walk, EB_CUT);
	walk->regs.ip = ip;
	walk->regs.sp = sp;
	walk->regs.fp = fp;
	return EB_GO_ON;
}

/*
 * By frame pointer; `otherwise` is how the walk ends where it leads nowhere. It may lead to another
 * stack (Go's system stack, a signal stack) if the code it finds there is known.
 */
static __always_inline enum eb_step eb_step_by_fp(struct eb_walk *walk, enum eb_quality otherwise)
{
	__u64 fp = walk->regs.fp, record[2];

	/* Start code clears it. In the innermost frame it may hold any number. */
	if (!fp && walk->frames > 1)
		return eb_end(walk, EB_COMPLETE);
	if (!fp || fp & 7)
		return eb_end(walk, otherwise);
	walk->leap = fp < walk->regs.sp || fp - walk->regs.sp > EB_FRAME_BYTES;
	if (walk->leap && walk->doubt)
		return eb_end(walk, otherwise);
	if (!eb_read_word(walk, fp, &record[0]) || !eb_read_word(walk, fp + 8, &record[1]))
		return eb_end(walk, otherwise);
	if (EB_ADDR(record[1]) && !eb_may_be_code(EB_ADDR(record[1])))
		return eb_end(walk, otherwise);
	/* Without a table the register may hold anything: frames lead on up the stack, data hardly.
	 */
	if (walk->doubt && record[0] && record[0] - fp - 1 >= EB_FRAME_BYTES)
		return eb_end(walk, otherwise);
	walk->regs.lr = 0;
	return eb_climb(walk, record[1], fp + sizeof(record), record[0]);
}

/* What a signal interrupted: its registers lie on the stack. */
static __always_inline enum eb_step eb_step_by_signal(struct eb_walk *walk,
						      const struct eb_rule *rule)
{
	__u32 last = walk->sample.kernel_frames + walk->frames - 1;
	__u64 sp = walk->regs.sp, at[3];

	/* The handler returns to where that code begins: no call stands before it. */
	if (walk->frames > 1)
		walk->sample.frames[last & (EB_FRAMES - 1)]++;
	if (bpf_probe_read_user(&at[0], 8, (void *)(sp + rule->cfa)) ||
	    bpf_probe_read_user(&at[1], 8, (void *)(sp + rule->fp)) ||
	    bpf_probe_read_user(&at[2], 8, (void *)(sp + rule->ra)))
		return eb_end(walk, EB_UNREADABLE);
#ifdef __TARGET_ARCH_arm64
	if (bpf_probe_read_user(&walk->regs.lr, 8, (void *)(sp + rule->fp + 8)))
		return eb_end(walk, EB_UNREADABLE);
	walk->regs.lr = EB_ADDR(walk->regs.lr);
#else
	walk->regs.lr = 0;
#endif
	walk->exact = 1;
	return eb_climb(walk, at[2], at[0], at[1]);
}

/* Whether the code at ip is what a signal handler returns to, of a C library or runtime that has no
 * table for it (musl, Go; arm64's vDSO). */
static __always_inline bool eb_is_sigreturn(__u64 ip)
{
#ifdef __TARGET_ARCH_arm64
	__u32 code[2]; /* mov x8, #139; svc #0 */

	return !bpf_probe_read_user(code, sizeof(code), (void *)ip) && code[0] == 0xd2801168 &&
	       code[1] == 0xd4000001;
#else
	__u8 code[9]; /* mov $15, %rax; syscall */

	return !bpf_probe_read_user(code, sizeof(code), (void *)ip) && code[0] == 0x48 &&
	       code[1] == 0xc7 && code[2] == 0xc0 && code[3] == 15 && !code[4] && !code[5] &&
	       !code[6] && code[7] == 0x0f && code[8] == 0x05;
#endif
}

/* Where struct rt_sigframe of this architecture keeps sp, fp and ip, from sp. */
static __always_inline void eb_sigframe(struct eb_rule *rule)
{
#ifdef __TARGET_ARCH_arm64
	*rule = (struct eb_rule){.base = EB_BASE_SIGNAL, .cfa = 560, .fp = 544, .ra = 568};
#else
	*rule = (struct eb_rule){.base = EB_BASE_SIGNAL, .cfa = 160, .fp = 120, .ra = 168};
#endif
}

/* No row holds: code without a table. */
static __always_inline enum eb_step eb_step_without_table(struct eb_walk *walk, bool exact,
							  enum eb_quality otherwise)
{
	struct eb_rule signal;

	if (!exact && otherwise != EB_JIT && eb_is_sigreturn(walk->regs.ip)) {
		eb_sigframe(&signal);
		return eb_step_by_signal(walk, &signal);
	}
	walk->guess = otherwise == EB_NO_TABLE;
	return eb_step_by_fp(walk, otherwise);
}

/* The canonical frame address; 0 where memory for it cannot be read. */
static __always_inline __u64 eb_frame_address(struct eb_walk *walk, const struct eb_rule *rule)
{
	__u64 address = rule->base == EB_BASE_FP || rule->base == EB_BASE_FP_DEREF ? walk->regs.fp
										   : walk->regs.sp;

	if (rule->base == EB_BASE_PLT)
		return address + 8 + ((walk->regs.ip & 15) >= rule->cfa ? 8 : 0);
	address += rule->cfa;
	if (rule->base != EB_BASE_SP_DEREF && rule->base != EB_BASE_FP_DEREF)
		return address;
	if (bpf_probe_read_user(&address, sizeof(address), (void *)address))
		return 0;
	return address + rule->add;
}

static __always_inline enum eb_step eb_step_by_rule(struct eb_walk *walk,
						    const struct eb_rule *rule)
{
	__u64 fp = walk->regs.fp, ra = walk->regs.lr, frame = eb_frame_address(walk, rule);

	if (!frame)
		return eb_end(walk, EB_UNREADABLE);
	/* A stack grows down: the caller's frame cannot lie below. */
	if (frame < walk->regs.sp)
		return eb_end(walk, EB_CUT);
	if (!(rule->saved & EB_SAVED_RA)) {
		/* Only the innermost function can keep it in a register. */
		if (!ra)
			return eb_end(walk, EB_CUT);
	} else {
		if (rule->saved & (EB_SAVED_FP | EB_SAVED_AT_FP)) {
			__u64 from = rule->saved & EB_SAVED_FP ? frame : walk->regs.fp;

			if (!eb_read_word(walk, from + rule->fp, &fp))
				return eb_end(walk, EB_UNREADABLE);
		}
		if (!eb_read_word(walk, frame + rule->ra, &ra))
			return eb_end(walk, EB_UNREADABLE);
	}
	walk->regs.lr = 0;
	return eb_climb(walk, ra, frame, fp);
}

/* Adds the frame, and goes to its caller. */
static __always_inline enum eb_step eb_step(struct eb_walk *walk)
{
	__u32 at = walk->sample.kernel_frames + walk->frames;
	bool exact = walk->exact, guess = walk->guess;
	struct eb_rule rule;

	if (walk->frames >= EB_DEPTH)
		return eb_end(walk, EB_DEEP);
	/* All but the first are taken for return addresses, behind the call: so is what a signal
	 * met. */
	walk->sample.frames[at & (EB_FRAMES - 1)] = walk->regs.ip + (exact && walk->frames);
	walk->frames++;
	walk->exact = 0;
	walk->guess = 0;
	/* The instruction after a call may belong to other code already. */
	switch (eb_find_rule(walk, walk->regs.ip - !exact, &rule)) {
	case EB_FOUND_RULE:
		break;
	case EB_FOUND_JIT:
		return eb_step_without_table(walk, exact, EB_JIT);
	case EB_FOUND_NOTHING:
		if (walk->leap || (guess && walk->mappings)) {
			/* The frame pointer was none, and this no frame. */
			walk->frames--;
			return eb_end(walk, EB_NO_TABLE);
		}
		if (walk->mappings)
			walk->sample.miss = EB_MISS_MAPPING;
		walk->doubt = 1;
		return eb_step_without_table(walk, exact, EB_NO_TABLE);
	case EB_FOUND_PENDING:
		walk->sample.miss = EB_MISS_TABLE;
		walk->doubt = 1;
		return eb_step_without_table(walk, exact, EB_NO_TABLE);
	default:
		return eb_step_without_table(walk, exact, EB_NO_TABLE);
	}
	walk->leap = 0;
	if (rule.base == EB_BASE_END)
		return eb_end(walk, EB_COMPLETE);
	if (rule.base == EB_BASE_ODD)
		return eb_end(walk, EB_NO_TABLE);
	if (rule.base == EB_BASE_SIGNAL)
		return eb_step_by_signal(walk, &rule);
	return eb_step_by_rule(walk, &rule);
}

/* A global function: the verifier looks at it once, not at each of the calls. It takes no pointer,
 * which 5.10 would not let it have. */
__noinline int eb_walk_step(__u32 slot)
{
	struct eb_walk *walk = bpf_map_lookup_elem(&unwind_walk, &slot);

	return walk ? eb_step(walk) : EB_STOP;
}

#endif
