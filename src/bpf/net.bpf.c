// SPDX-License-Identifier: GPL-2.0
/*
 * Traces the return values of socket sends and receives (TCP and UDP, v4 and v6), the birth,
 * retransmits and end of TCP sockets. Produces one use (net_uses) for each process on each socket:
 * bytes, messages, and TCP's own counters. A use outlives its socket: user space reads it, sums it
 * up, and only then gives its slot back through net_free.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "socket.bpf.h"
#include "net.h"
#include "net_maps.h"
#include "net_truth.h"
#include "net_count.h"

char LICENSE[] SEC("license") = "GPL";

/* First choice, 6.3+: every caller of sendmsg and recvmsg passes here with the result. */
SEC("tp_btf/sock_send_length")
int BPF_PROG(net_send, struct sock *sk, int ret, int flags)
{
	return moved(sk, ret, false, false);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(net_recv, struct sock *sk, int ret, int flags)
{
	if (flags & (EB_MSG_PEEK | EB_MSG_ERRQUEUE))
		return 0;
	return moved(sk, ret, true, false);
}

/* Second choice: the functions behind those callers, on their way out. */
SEC("fexit/inet_sendmsg")
int BPF_PROG(net_x_send, struct socket *sock, struct msghdr *msg, size_t size, int ret)
{
	return moved(sock->sk, ret, false, false);
}

SEC("fexit/inet6_sendmsg")
int BPF_PROG(net_x_send6, struct socket *sock, struct msghdr *msg, size_t size, int ret)
{
	return moved(sock->sk, ret, false, false);
}

SEC("fexit/inet_recvmsg")
int BPF_PROG(net_x_recv, struct socket *sock, struct msghdr *msg, size_t size, int flags, int ret)
{
	if (flags & (EB_MSG_PEEK | EB_MSG_ERRQUEUE))
		return 0;
	return moved(sock->sk, ret, true, false);
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(net_x_recv6, struct socket *sock, struct msghdr *msg, size_t size, int flags, int ret)
{
	if (flags & (EB_MSG_PEEK | EB_MSG_ERRQUEUE))
		return 0;
	return moved(sock->sk, ret, true, false);
}

/* sendfile before 6.5. MPTCP has no sendpage of its own and falls back to sendmsg, which is counted
 * already. */
SEC("fexit/inet_sendpage")
int BPF_PROG(net_x_page, struct socket *sock, struct page *page, int offset, size_t size, int flags,
	     ssize_t ret)
{
	struct sock *sk = sock->sk;

	if (!sk || sk->sk_protocol == EB_IPPROTO_MPTCP)
		return 0;
	return moved(sk, ret, false, false);
}

/* Reads that no recvmsg sees. Where this cannot attach, net_end settles them from TCP's own
 * counters. */
SEC("fexit/tcp_splice_read")
int BPF_PROG(net_x_splice, struct socket *sock, loff_t *ppos, struct pipe_inode_info *pipe,
	     size_t len, unsigned int flags, ssize_t ret)
{
	return moved(sock->sk, ret, true, false);
}

/* Last choice: the same functions by kprobes; user space attaches each pair to the v4 and the v6
 * one. */
static __always_inline int call_begins(struct socket *sock, __u64 flags)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct eb_net_call call = {.sk = (__u64)BPF_CORE_READ(sock, sk), .flags = flags};

	/* The kernel follows only so many calls at once to their return: each thread that waits in
	 * one takes a place. */
	if (bpf_map_lookup_elem(&net_calls, &id))
		COUNT(lost_calls);
	if (bpf_map_update_elem(&net_calls, &id, &call, BPF_ANY))
		COUNT(lost_calls);
	return 0;
}

static __always_inline int call_ends(int ret, bool rx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct eb_net_call *call = bpf_map_lookup_elem(&net_calls, &id);
	struct eb_net_call done;

	if (!call)
		return 0;
	done = *call;
	bpf_map_delete_elem(&net_calls, &id);
	if (rx && (done.flags & (EB_MSG_PEEK | EB_MSG_ERRQUEUE)))
		return 0;
	return moved((struct sock *)done.sk, ret, rx, true);
}

SEC("kprobe")
int BPF_KPROBE(net_k_call, struct socket *sock)
{
	return call_begins(sock, 0);
}

SEC("kprobe")
int BPF_KPROBE(net_k_recv, struct socket *sock, struct msghdr *msg, size_t size, int flags)
{
	return call_begins(sock, flags);
}

SEC("kretprobe")
int BPF_KRETPROBE(net_kr_send, int ret)
{
	return call_ends(ret, false);
}

SEC("kretprobe")
int BPF_KRETPROBE(net_kr_recv, int ret)
{
	return call_ends(ret, true);
}

/* A TCP socket changes state: watched from its birth, so that reads past the hooks above are known
 * from the first byte. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(net_state, struct sock *sk, int oldstate, int newstate)
{
	struct eb_net_control *ctl = control();
	struct eb_net_proc_key proc = {};
	struct eb_net_use *use;
	struct eb_net_sk *st;
	struct tcp_sock *tp;

	if (!ctl || sk->sk_protocol != EB_IPPROTO_TCP)
		return 0;
	switch (newstate) {
	case BPF_TCP_SYN_SENT:
	case BPF_TCP_LISTEN:
		/* connect() and listen(): the caller is current. */
		st = watch(sk, 0);
		if (st) {
			current_proc(&st->guess, false);
			st->found = ctl->search;
		}
		return 0;
	case BPF_TCP_ESTABLISHED:
		watch(sk, 0);
		return 0;
	case BPF_TCP_CLOSE:
		/* A reset or disconnect clears the counters right after this. */
		st = bpf_sk_storage_get(&net_sks, sk, 0, 0);
		use = st ? first_of(st) : NULL;
		if (use)
			read_tcp(sk, st, &use->tcp);
		return 0;
	case BPF_TCP_FIN_WAIT1:
	case BPF_TCP_LAST_ACK:
		/* close() and shutdown(): a socket that was only ever spliced from belongs to the
		 * caller. */
		st = bpf_sk_storage_get(&net_sks, sk, 0, 0);
		tp = bpf_skc_to_tcp_sock(sk);
		if (!st || !tp || st->slot || consumed(sk, tp) <= st->base_bytes)
			return 0;
		current_proc(&proc, false);
		claim(sk, &proc, 0);
		return 0;
	}
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(net_retransmit, struct sock *sk)
{
	struct eb_net_sk *st = bpf_sk_storage_get(&net_sks, sk, 0, 0);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct eb_net_use *use;
	__u32 total, more;

	if (!st || !tp)
		return 0;
	use = first_of(st);
	if (!use)
		return 0;
	total = tp->total_retrans;
	/* A disconnect clears TCP's counter, and the socket may connect again. */
	more = total < st->retransmits ? total : total - st->retransmits;
	st->retransmits = total;
	__sync_fetch_and_add(&use->head.retransmits, more);
	return 0;
}

/* The end of a TCP socket: what was read past the hooks goes to its only owner. What could be read
 * after its state became CLOSE counts too. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(net_end, struct sock *sk)
{
	struct eb_net_sk *st = bpf_sk_storage_get(&net_sks, sk, 0, 0);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct eb_net_use *use;

	use = st ? first_of(st) : NULL;
	if (!use || !tp)
		return 0;
	read_consumed(sk, tp, st, &use->tcp);
	if (use->tcp.consumed_bytes > use->head.moved.rx_bytes)
		use->head.moved.rx_bytes = use->tcp.consumed_bytes;
	use->name.state = BPF_TCP_CLOSE;
	use->head.state = EB_USE_CLOSED;
	return 0;
}

/* Whom the last search did not find to have the socket open any more, it is not likely to be; where
 * it found somebody else, that is the next guess. */
static __always_inline void settle_guess(struct eb_net_sk *st, __u32 search)
{
	if (st->other.tgid && st->found != search) {
		st->guess = st->other;
		st->found = search;
	}
	st->other.tgid = 0;
}

/* Every watched socket, of all network namespaces: marks it alive and refreshes what TCP says. */
SEC("iter/bpf_sk_storage_map")
int net_walk(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct eb_net_sk *st = ctx->value;
	struct eb_net_control *ctl = control();
	struct eb_net_use_key key = {};
	struct sock *sk = ctx->sk;
	struct eb_net_use *use;

	if (!sk || !st || !ctl || !st->cookie)
		return 0;
	/* A UDP socket outlives its close by a grace period, and has lost its port by then. */
	if (sk->sk_protocol == EB_IPPROTO_UDP && has_flag(sk, EB_SOCK_DEAD))
		return 0;
	use = first_of(st);
	if (!use && ctl->list_idle) {
		ctl->list_idle--;
		key.cookie = st->cookie;
		use = make_first(sk, st, &key);
	}
	if (!use) {
		COUNT(unlisted);
		return 0;
	}
	settle_guess(st, ctl->search);
	use->guess = st->guess;
	read_name(sk, &use->name, false);
	read_tcp(sk, st, &use->tcp);
	use->seen = ctl->walk;
	return 0;
}

/* Every open file of every process: sockets that were open before ebtop and have been idle since
 * are watched from here on, and of all that move nothing it becomes known who has them. */
SEC("iter/task_file")
int net_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct eb_net_control *ctl = control();
	struct eb_net_proc_key proc = {};
	struct file *file = ctx->file;
	struct socket *socket;
	struct eb_net_sk *st;
	struct sock *sk;

	if (!task || !file || !ctl)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !is_counted(sk, false))
		return 0;
	st = watch(sk, 0);
	if (!st)
		return 0;
	proc.tgid = task->tgid;
	proc.start_ns = task->group_leader->start_boottime;
	if (!st->guess.tgid)
		st->guess = proc;
	if (st->guess.tgid == proc.tgid && st->guess.start_ns == proc.start_ns)
		st->found = ctl->search;
	else if (!st->other.tgid)
		st->other = proc;
	return 0;
}
