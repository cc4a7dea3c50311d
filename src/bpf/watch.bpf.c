// SPDX-License-Identifier: GPL-2.0
/*
 * Stacks of watched processes by what is costly to follow: time off the CPU, page faults, page
 * allocations, bytes over sockets. Produces stack samples (sample.bpf.h) with a value each; time
 * off the CPU as two records, one when a thread leaves (its value: when) and one when it is back.
 *
 * User space loads only the programs of the probe that is wanted, and only while it is. Each asks
 * first whether the process is watched at all.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "compat.bpf.h"
#include "unwind.bpf.h"
#include "watch.h"

char LICENSE[] SEC("license") = "GPL";

#define EB_PF_KTHREAD	   0x00200000
#define EB_PF_IO_WORKER	   0x00000010
#define EB_UNINTERRUPTIBLE 0x0002
#define EB_TASK_DEAD	   0x0080
#define EB_NOLOAD	   0x0400
#define EB_RTLOCK_WAIT	   0x1000
#define EB_AF_INET	   2
#define EB_AF_INET6	   10
#define EB_IPPROTO_TCP	   6
#define EB_IPPROTO_UDP	   17
#define EB_IPPROTO_MPTCP   262
#define EB_MSG_PEEK	   0x2
#define EB_MSG_ERRQUEUE	   0x2000

/* Set before load. ring_bytes: size of the ring. everybody: every process is watched. children: so
 * is what watched ones fork. skip: innermost kernel frames that are the hook's own. page_bytes. */
const volatile __u64 ring_bytes = 1 << 20;
const volatile __u64 page_bytes = 4096;
const volatile bool everybody = false;
const volatile bool children = false;
const volatile __u32 skip = 0;

/* Samples on their way to user space. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} watch_ring SEC(".maps");

/* Watched processes, by id. Preallocated, as fork adds to it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EB_WATCHED);
	__type(key, __u32);
	__type(value, __u8);
} watch_who SEC(".maps");

/* Threads of watched processes that are off the CPU, by id. Preallocated: the scheduler cannot wait
 * for memory. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EB_AWAY);
	__type(key, __u32);
	__type(value, struct eb_watch_left);
} watch_away SEC(".maps");

struct eb_watch_cpu {
	__u64 lost; /* events that found no room */
	__u64 busy; /* a sample is being put together: what interrupts that must not take another */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct eb_watch_cpu);
} watch_cpu SEC(".maps");

static __always_inline void lose(void)
{
	__u32 zero = 0;
	struct eb_watch_cpu *cpu = bpf_map_lookup_elem(&watch_cpu, &zero);

	if (cpu)
		cpu->lost++;
}

static __always_inline bool is_watched(__u32 tgid)
{
	if (everybody)
		return tgid != 0;
	return bpf_map_lookup_elem(&watch_who, &tgid) != NULL;
}

static __always_inline bool put(struct eb_stack_sample *sample, __u32 frames)
{
	__u64 bytes;

	if (frames >= EB_FRAMES)
		return false;
	bytes = __builtin_offsetof(struct eb_stack_sample, frames) + frames * sizeof(__u64);
	return !bpf_ringbuf_output(&watch_ring, sample, bytes,
				   eb_wakeup(&watch_ring, ring_bytes, bytes));
}

static __always_inline void identify(struct eb_stack_sample *sample, __u32 weight, __u64 value)
{
	__u64 ids = bpf_get_current_pid_tgid();

	sample->tgid = ids >> 32;
	sample->tid = (__u32)ids;
	sample->start_ns = eb_current_start_ns();
	sample->weight = weight;
	sample->value = value;
	sample->quality = EB_COMPLETE;
	sample->miss = EB_NO_MISS;
	sample->kernel_frames = 0;
	sample->user_frames = 0;
	bpf_get_current_comm(sample->comm, sizeof(sample->comm));
}

/* `ctx` is of any program that bpf_get_stack() knows, of a perf event where `of_event`. */
static __always_inline bool send(void *ctx, const bool of_event, struct eb_walk *walk, __u32 slot)
{
	struct bpf_perf_event_data *event = ctx;
	struct eb_stack_sample *sample = &walk->sample;
	bool in_kernel = !of_event || (__s64)PT_REGS_IP(&event->regs) < 0;

	if (in_kernel) {
		long bytes = bpf_get_stack(ctx, sample->frames, EB_KERNEL_DEPTH * sizeof(__u64),
					   of_event ? 0 : skip & BPF_F_SKIP_FIELD_MASK);

		if (bytes > 0)
			sample->kernel_frames = bytes / sizeof(__u64);
	}
	if (!(EB_CURRENT(flags) & (EB_PF_KTHREAD | EB_PF_IO_WORKER))) {
		bool known;

		sample->quality = EB_CUT;
		if (of_event)
			known = eb_tick_user_regs(event, in_kernel, &walk->regs);
		else
			known = eb_current_user_regs(&walk->regs);
		/* An exiting task without mm would read through the page tables of another. */
		if (EB_CURRENT(mm) && known)
			eb_walk_user(ctx, walk, slot);
	}
	return put(sample, sample->kernel_frames + sample->user_frames);
}

/* Sends the stack of the current thread; false where it could not. */
static __always_inline bool take(void *ctx, const bool of_event, __u32 weight, __u64 value)
{
	struct eb_watch_cpu *cpu;
	struct eb_walk *walk;
	__u32 slot = 0;
	bool sent;

	cpu = bpf_map_lookup_elem(&watch_cpu, &slot);
	walk = eb_walk(slot);
	if (!cpu || !walk || cpu->busy)
		return false;
	cpu->busy = 1;
	identify(&walk->sample, weight, value);
	sent = send(ctx, of_event, walk, slot);
	cpu->busy = 0;
	return sent;
}

static __always_inline int happened(void *ctx, const bool of_event, __u32 weight, __u64 value)
{
	if (!take(ctx, of_event, weight, value))
		lose();
	return 0;
}

/* The thread that `left` is on a CPU again since `back_ns`. */
static __always_inline void is_back(const struct eb_watch_left *left, __u32 tid, __u64 back_ns)
{
	struct eb_watch_back back = {
		.left_ns = left->left_ns,
		.woken_ns = left->woken_ns,
		.back_ns = back_ns,
		.tid = tid,
	};

	bpf_map_delete_elem(&watch_away, &tid);
	if (bpf_ringbuf_output(&watch_ring, &back, sizeof(back),
			       eb_wakeup(&watch_ring, ring_bytes, sizeof(back))))
		lose();
}

/* A thread in `state` leaves the CPU; it is the current one. */
static __always_inline void leaves(void *ctx, bool preempt, struct task_struct *task, __u32 state)
{
	struct eb_watch_left left = {}, *unseen;
	__u32 tid = task->pid;
	__u32 weight;

	if (!tid || !is_watched(task->tgid) || state & EB_TASK_DEAD)
		return;
	left.left_ns = bpf_ktime_get_ns();
	left.ran_ns = task->se.sum_exec_runtime;
	/* Some kernels do not show every switch to it: it came back as long ago as it ran since. */
	unseen = bpf_map_lookup_elem(&watch_away, &tid);
	if (unseen)
		is_back(unseen, tid, left.left_ns - (left.ran_ns - unseen->ran_ns));
	if (preempt || !state)
		weight = EB_RUNNABLE;
	else if (state & (EB_UNINTERRUPTIBLE | EB_RTLOCK_WAIT) && !(state & EB_NOLOAD))
		weight = EB_BLOCKED;
	else
		weight = EB_SLEEPING;
	if (!take(ctx, false, weight, left.left_ns) ||
	    bpf_map_update_elem(&watch_away, &tid, &left, BPF_ANY))
		lose();
}

static __always_inline void returns(__u32 tid)
{
	struct eb_watch_left *left = bpf_map_lookup_elem(&watch_away, &tid);

	if (left)
		is_back(left, tid, bpf_ktime_get_ns());
}

/* From 5.18 the state comes along (fa2c3254d7cf, "sched/tracing: Don't re-read p->state when
 * emitting sched_switch event"). */
SEC("tp_btf/sched_switch")
int BPF_PROG(watch_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int state)
{
	leaves(ctx, preempt, prev, state);
	returns(next->pid);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(watch_switch_o, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	leaves(ctx, preempt, prev, eb_task_state(prev));
	returns(next->pid);
	return 0;
}

/* Who wakes is current here, and it is called before the thread can run. */
SEC("tp_btf/sched_waking")
int BPF_PROG(watch_waking, struct task_struct *task)
{
	__u32 tid = task->pid;
	struct eb_watch_left *left = bpf_map_lookup_elem(&watch_away, &tid);

	if (left && !left->woken_ns)
		left->woken_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(watch_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = child->tgid;
	__u8 one = 1;

	if (!children || tgid == parent->tgid || !is_watched(parent->tgid))
		return 0;
	if (bpf_map_update_elem(&watch_who, &tgid, &one, BPF_ANY))
		lose();
	return 0;
}

SEC("perf_event")
int watch_minor(struct bpf_perf_event_data *ctx)
{
	if (!is_watched(bpf_get_current_pid_tgid() >> 32))
		return 0;
	return happened(ctx, true, EB_MINOR_FAULT, 1);
}

SEC("perf_event")
int watch_major(struct bpf_perf_event_data *ctx)
{
	if (!is_watched(bpf_get_current_pid_tgid() >> 32))
		return 0;
	return happened(ctx, true, EB_MAJOR_FAULT, 1);
}

SEC("tp_btf/mm_page_alloc")
int BPF_PROG(watch_alloc, struct page *page, unsigned int order)
{
	if (!page || !is_watched(bpf_get_current_pid_tgid() >> 32))
		return 0;
	return happened(ctx, false, EB_ALLOC, page_bytes << (order & 31));
}

/* What net.bpf.c counts: TCP and UDP. */
static __always_inline int moved(void *ctx, struct sock *sk, __s64 bytes, __u32 weight)
{
	__u16 family, protocol;

	if (bytes <= 0 || !sk || !is_watched(bpf_get_current_pid_tgid() >> 32))
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	protocol = BPF_CORE_READ(sk, sk_protocol);
	if (family != EB_AF_INET && family != EB_AF_INET6)
		return 0;
	if (protocol != EB_IPPROTO_TCP && protocol != EB_IPPROTO_UDP &&
	    protocol != EB_IPPROTO_MPTCP)
		return 0;
	return happened(ctx, false, weight, bytes);
}

/* 6.3+. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(watch_send, struct sock *sk, int ret)
{
	return moved(ctx, sk, ret, EB_SENT);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(watch_recv, struct sock *sk, int ret, int flags)
{
	if (flags & (EB_MSG_PEEK | EB_MSG_ERRQUEUE))
		return 0;
	return moved(ctx, sk, ret, EB_RECEIVED);
}

/* Before that, the functions behind it, on their way out. */
SEC("fexit/inet_sendmsg")
int BPF_PROG(watch_x_send, struct socket *sock, struct msghdr *msg, size_t size, int ret)
{
	return moved(ctx, sock->sk, ret, EB_SENT);
}

SEC("fexit/inet6_sendmsg")
int BPF_PROG(watch_x_send6, struct socket *sock, struct msghdr *msg, size_t size, int ret)
{
	return moved(ctx, sock->sk, ret, EB_SENT);
}

SEC("fexit/inet_recvmsg")
int BPF_PROG(watch_x_recv, struct socket *sock, struct msghdr *msg, size_t size, int flags, int ret)
{
	if (flags & (EB_MSG_PEEK | EB_MSG_ERRQUEUE))
		return 0;
	return moved(ctx, sock->sk, ret, EB_RECEIVED);
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(watch_x_recv6, struct socket *sock, struct msghdr *msg, size_t size, int flags,
	     int ret)
{
	if (flags & (EB_MSG_PEEK | EB_MSG_ERRQUEUE))
		return 0;
	return moved(ctx, sock->sk, ret, EB_RECEIVED);
}
