// SPDX-License-Identifier: GPL-2.0
/*
 * Stacks of watched processes by what is costly to follow: time off the CPU, page faults, page
 * allocations, bytes over sockets. Produces stack samples (sample.bpf.h) with a value each; time
 * off the CPU as up to three records, one when a thread leaves (its value: when), one of who wakes
 * it, and one when it is back.
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
#include "python.bpf.h"
#include "socket.bpf.h"
#include "watch.h"
#include "watch_take.h"

char LICENSE[] SEC("license") = "GPL";

#define EB_UNINTERRUPTIBLE 0x0002
#define EB_TASK_DEAD	   0x0080
#define EB_NOLOAD	   0x0400
#define EB_RTLOCK_WAIT	   0x1000

/* The kernel's part of an interrupt: what it met below that says nothing. */
#define EB_INTERRUPT_DEPTH 12

/*
 * Sends the stack of the current thread, which wakes another that left the CPU at `left_ns`. Where
 * an interrupt does it, the thread stands for nothing but what was met, unless that is its system
 * call, which may have caused the interrupt. Python frames of a waker are not read.
 */
static __always_inline void wakes(void *ctx, __u32 woken_tid, __u64 left_ns)
{
	struct eb_stack_sample *sample;
	struct eb_watch_cpu *cpu;
	struct eb_walk *walk;
	__u32 slot = 0;
	long bytes;
	bool user;

	cpu = bpf_map_lookup_elem(&watch_cpu, &slot);
	walk = eb_walk(slot);
	/* Without this the thread was woken all the same, only nobody knows by whom. */
	if (!cpu || !walk || cpu->busy)
		return;
	cpu->busy = 1;
	sample = &walk->sample;
	identify(sample, EB_WAKER, left_ns);
	sample->woken_tid = woken_tid;
	user = eb_has_user_mode() && EB_CURRENT(mm);
	sample->interrupt = eb_in_interrupt(ctx, &cpu->here) || (user && !eb_in_syscall());
	bytes = bpf_get_stack(ctx, sample->frames, EB_KERNEL_DEPTH * sizeof(__u64),
			      skip & BPF_F_SKIP_FIELD_MASK);
	if (bytes > 0)
		sample->kernel_frames = bytes / sizeof(__u64);
	if (sample->interrupt && !(user && eb_in_syscall())) {
		sample->tgid = 0;
		sample->tid = 0;
		sample->start_ns = 0;
		if (sample->kernel_frames > EB_INTERRUPT_DEPTH)
			sample->kernel_frames = EB_INTERRUPT_DEPTH;
	} else if (user) {
		sample->quality = EB_CUT;
		if (eb_current_user_regs(&walk->regs))
			eb_walk_user(ctx, walk, slot);
	}
	if (!put(sample, sample->kernel_frames + sample->user_frames))
		cpu->lost++;
	cpu->busy = 0;
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

	if (!tid || !is_watched(task->tgid))
		return;
	left.left_ns = bpf_ktime_get_ns();
	left.ran_ns = task->se.sum_exec_runtime;
	/* Some kernels do not show every switch to it: it came back as long ago as it ran since. */
	unseen = bpf_map_lookup_elem(&watch_away, &tid);
	if (unseen)
		is_back(unseen, tid, left.left_ns - (left.ran_ns - unseen->ran_ns));
	if (state & EB_TASK_DEAD)
		return;
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

	if (left && !left->woken_ns) {
		left->woken_ns = bpf_ktime_get_ns();
		wakes(ctx, tid, left->left_ns);
	}
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

/* Without those either: the same functions by kprobes; user space attaches each pair to the v4 and
 * the v6 one. */
static __always_inline int call_begins(struct socket *sock, __u64 flags)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct eb_watch_call call = {.sk = (__u64)BPF_CORE_READ(sock, sk), .flags = flags};

	if (!is_watched(id >> 32))
		return 0;
	/* The kernel follows only so many calls at once to their return: each thread that waits in
	 * one takes a place. */
	if (bpf_map_lookup_elem(&watch_calls, &id))
		lose();
	if (bpf_map_update_elem(&watch_calls, &id, &call, BPF_ANY))
		lose();
	return 0;
}

static __always_inline int call_ends(void *ctx, int ret, __u32 weight)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct eb_watch_call *call = bpf_map_lookup_elem(&watch_calls, &id);
	struct eb_watch_call done;

	if (!call)
		return 0;
	done = *call;
	bpf_map_delete_elem(&watch_calls, &id);
	if (done.flags & (EB_MSG_PEEK | EB_MSG_ERRQUEUE))
		return 0;
	return moved(ctx, (struct sock *)done.sk, ret, weight);
}

SEC("kprobe")
int BPF_KPROBE(watch_k_send, struct socket *sock)
{
	return call_begins(sock, 0);
}

SEC("kprobe")
int BPF_KPROBE(watch_k_recv, struct socket *sock, struct msghdr *msg, size_t size, int flags)
{
	return call_begins(sock, flags);
}

SEC("kretprobe")
int BPF_KRETPROBE(watch_kr_send, int ret)
{
	return call_ends(ctx, ret, EB_SENT);
}

SEC("kretprobe")
int BPF_KRETPROBE(watch_kr_recv, int ret)
{
	return call_ends(ctx, ret, EB_RECEIVED);
}
