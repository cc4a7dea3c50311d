/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Python frames of the current thread. User space finds the interpreter of a process once and tells
 * where its structures are; each sample then walks thread state and frames (CPython 3.8 to 3.14).
 *
 * The walk runs while the thread is interrupted, and reads what only this thread writes: what it
 * sees is consistent, but for the few instructions with which the interpreter links a frame.
 * Nothing it reads is trusted: a wrong address only ends the walk.
 */
#ifndef EB_PYTHON_BPF_H
#define EB_PYTHON_BPF_H

#include "unwind.bpf.h"

/* Threads of a process looked at before its thread state counts as not there. */
#define EB_PY_THREADS 256
/* Bytes of a frame that are read at most. */
#define EB_PY_FRAME_BYTES 128
/* In the first word of a frame: the interpreter's C function was called anew for it, and returns
 * with it. */
#define EB_PY_ENTRY (1ULL << 63)

enum eb_py_entry {
	EB_PY_EACH = 0, /* each frame has a C function of its own: up to 3.10 */
	EB_PY_FLAG = 1, /* a byte of the frame says so: 3.11 */
	EB_PY_OWNER = 2, /* a frame that is no function stands behind it: from 3.12 */
};

/* Where a process keeps its interpreter: an address, then offsets and sizes in bytes. */
struct eb_py_proc {
	__u64 start_ns; /* of the process: half of its identity */
	__u64 interpreters; /* address of the head of the list of interpreters */
	__u32 interp_next;
	__u32 interp_threads;
	__u16 thread_next;
	__u16 thread_id; /* what pthread_self() gave in that thread */
	__u16 thread_frame; /* the innermost frame, or where to find it */
	__u8 indirect; /* 1: it is behind one pointer more, */
	__u8 indirect_at; /* at this offset */
	__u8 frame_bytes; /* enough of a frame for the five below */
	__u8 frame_code;
	__u8 frame_back;
	__u8 frame_at; /* the instruction: a pointer, or 4 bytes of an index */
	__u8 frame_entry; /* the byte that enum eb_py_entry speaks of */
	__u8 entry; /* enum eb_py_entry */
	__u8 owner_min; /* EB_PY_OWNER: from this value on the frame is no function */
	__u8 at_bytes; /* 4 or 8 */
};
_Static_assert(sizeof(struct eb_py_proc) == 40, "no padding: user space writes it as bytes");

/*
 * A walk. It is memory of a map, and each step is a function of its own that finds it there: the
 * verifier looks at the step once, not at each of hundreds.
 */
struct eb_py_walk {
	struct eb_py_proc proc;
	__u64 interp, thread, frame;
	__u32 first; /* where the first frame goes in the sample */
	__u32 count;
	__u64 bytes[EB_PY_FRAME_BYTES / sizeof(__u64)];
};

/* Where walks have their state; as many as there are walks of user stacks. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EB_WALKS);
	__type(key, __u32);
	__type(value, struct eb_py_walk);
} stacks_pywalk SEC(".maps");

/* By thread-group id: processes known to be Python. Not allocated on demand: perf_event programs
 * may not use such maps before 6.1. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct eb_py_proc);
} stacks_python SEC(".maps");

/* By thread id: address of its thread state, as found last. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} stacks_pythread SEC(".maps");

static __always_inline __u64 eb_py_load(__u64 address)
{
	__u64 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (void *)address);
	return word;
}

/* What tells threads apart: pthread_self() of x86_64 is the thread pointer, that of arm64 lies
 * before it by the size of libc's descriptor, which is smaller than any stack. */
static __always_inline bool eb_py_is_self(__u64 thread_id)
{
#ifdef __TARGET_ARCH_arm64
	return EB_CURRENT(thread.uw.tp_value) - thread_id < 4096;
#else
	return EB_CURRENT(thread.fsbase) == thread_id;
#endif
}

/* The innermost frame of a thread state; 0 where it is not the current thread's, or runs nothing.
 */
static __always_inline __u64 eb_py_innermost(const struct eb_py_proc *proc, __u64 thread)
{
	__u64 frame;

	if (!thread || !eb_py_is_self(eb_py_load(thread + proc->thread_id)))
		return 0;
	frame = eb_py_load(thread + proc->thread_frame);
	if (proc->indirect && frame)
		frame = eb_py_load(frame + proc->indirect_at);
	return frame;
}

/* Looks at a thread, or goes to the next interpreter; not 0 once there is nothing more to look for.
 */
__noinline int eb_py_seek(__u32 slot)
{
	struct eb_py_walk *walk = bpf_map_lookup_elem(&stacks_pywalk, &slot);

	if (!walk || !walk->interp)
		return 1;
	if (!walk->thread) {
		walk->interp = eb_py_load(walk->interp + walk->proc.interp_next);
		walk->thread = eb_py_load(walk->interp + walk->proc.interp_threads);
		return 0;
	}
	walk->frame = eb_py_innermost(&walk->proc, walk->thread);
	if (walk->frame)
		return 1;
	walk->thread = eb_py_load(walk->thread + walk->proc.thread_next);
	return 0;
}

/* Goes through the threads of all interpreters. */
static __always_inline void eb_py_find(struct eb_py_walk *walk, __u32 slot)
{
	walk->interp = eb_py_load(walk->proc.interpreters);
	walk->thread = eb_py_load(walk->interp + walk->proc.interp_threads);
#pragma clang loop unroll(disable)
	for (int i = 0; i < EB_PY_THREADS; i++)
		if (eb_py_seek(slot))
			return;
}

/* Sets the innermost frame of the current thread; false where it runs no Python. */
static __always_inline bool eb_py_start(struct eb_py_walk *walk, __u32 tid, __u32 slot)
{
	__u64 *known = bpf_map_lookup_elem(&stacks_pythread, &tid);
	__u64 found;

	walk->frame = 0;
	if (known) {
		walk->frame = eb_py_innermost(&walk->proc, *known);
		if (walk->frame)
			return true;
	}
	eb_py_find(walk, slot);
	if (!walk->frame)
		return false;
	found = walk->thread;
	bpf_map_update_elem(&stacks_pythread, &tid, &found, BPF_ANY);
	return true;
}

/* A word of the frame that was read. */
static __always_inline __u64 eb_py_word(const struct eb_py_walk *walk, __u32 at)
{
	return walk->bytes[(at / sizeof(__u64)) & (EB_PY_FRAME_BYTES / sizeof(__u64) - 1)];
}

static __always_inline __u8 eb_py_byte(const struct eb_py_walk *walk, __u32 at)
{
	return eb_py_word(walk, at) >> (8 * (at & 7));
}

/* The frame that was read becomes one of the sample. */
static __always_inline void eb_py_add(struct eb_py_walk *walk, struct eb_stack_sample *sample)
{
	const struct eb_py_proc *proc = &walk->proc;
	/* References are tagged in the low bits from 3.14 on. */
	__u64 code = eb_py_word(walk, proc->frame_code) & ~(EB_PY_ENTRY | 7);
	__u64 instruction = eb_py_word(walk, proc->frame_at);
	__u32 at = walk->first + 2 * walk->count;

	if (proc->at_bytes == 4)
		instruction = (__u32)instruction;
	if (proc->entry == EB_PY_EACH ||
	    (proc->entry == EB_PY_FLAG && eb_py_byte(walk, proc->frame_entry)))
		code |= EB_PY_ENTRY;
	sample->frames[at & (EB_SAMPLE_WORDS - 1)] = code;
	sample->frames[(at + 1) & (EB_SAMPLE_WORDS - 1)] = instruction;
	walk->count++;
}

/* Takes a frame and goes to its caller; not 0 at the end. */
__noinline int eb_py_step(__u32 slot)
{
	struct eb_py_walk *walk = bpf_map_lookup_elem(&stacks_pywalk, &slot);
	struct eb_walk *native = eb_walk(slot);
	__u32 bytes, last;

	if (!walk || !native || !walk->frame || walk->count >= EB_PY_FRAMES)
		return 1;
	bytes = walk->proc.frame_bytes & (EB_PY_FRAME_BYTES - 1);
	if (bpf_probe_read_user(walk->bytes, bytes, (void *)walk->frame))
		return 1;
	if (walk->proc.entry != EB_PY_OWNER ||
	    eb_py_byte(walk, walk->proc.frame_entry) < walk->proc.owner_min) {
		eb_py_add(walk, &native->sample);
	} else if (walk->count) {
		last = walk->first + 2 * walk->count - 2;
		native->sample.frames[last & (EB_SAMPLE_WORDS - 1)] |= EB_PY_ENTRY;
	}
	walk->frame = eb_py_word(walk, walk->proc.frame_back);
	return 0;
}

/*
 * Puts the Python frames of the current thread behind the others of a sample, innermost first, as
 * pairs of words: the code object (with EB_PY_ENTRY) and the instruction. Does nothing where the
 * process is not known to be Python.
 */
static __always_inline void eb_walk_python(struct eb_stack_sample *sample, __u32 slot)
{
	struct eb_py_walk *walk = bpf_map_lookup_elem(&stacks_pywalk, &slot);
	const struct eb_py_proc *proc;
	__u32 tgid = sample->tgid;

	proc = bpf_map_lookup_elem(&stacks_python, &tgid);
	if (!proc || !walk || proc->start_ns != sample->start_ns)
		return;
	walk->proc = *proc;
	walk->first = sample->kernel_frames + sample->user_frames;
	walk->count = 0;
	if (!eb_py_start(walk, sample->tid, slot))
		return;
		/* Each function may have a frame that is none behind it. */
#pragma clang loop unroll(disable)
	for (int i = 0; i < 2 * EB_PY_FRAMES; i++)
		if (eb_py_step(slot))
			break;
	sample->python_frames = walk->count;
}

#endif
