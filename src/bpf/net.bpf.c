// SPDX-License-Identifier: GPL-2.0
/*
 * Traces the return values of socket sends and receives (TCP and UDP, v4 and v6), the birth, retransmits and end of TCP sockets.
 * Produces one use (net_uses) for each process on each socket: bytes, messages, and TCP's own counters.
 * A use outlives its socket: user space reads it, sums it up, and only then gives its slot back through net_free.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "net.h"

char LICENSE[] SEC("license") = "GPL";

/* Set by user space before load: whether this kernel has socket storage and cookies for tracing programs. */
const volatile bool eb_has_storage = true;

/* Index: slot. User space maps it and reads it without system calls. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EB_MAX_USES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct eb_net_use);
} net_uses SEC(".maps");

/* Empty slots of net_uses, zeroed and put there by user space, taken here. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, EB_MAX_FREE);
	__type(value, __u32);
} net_free SEC(".maps");

/* Slots of every process but the first on a socket that several use. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EB_MAX_USES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct eb_net_use_key);
	__type(value, __u32);
} net_shared SEC(".maps");

/* What processes moved over sockets that found no slot. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EB_MAX_PROCS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct eb_net_proc_key);
	__type(value, struct eb_net_moved);
} net_procs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct eb_net_sk);
} net_sks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct eb_net_control);
} net_control SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct eb_net_stats);
} net_stats SEC(".maps");

/* Socket calls under way, by thread: only the return probe knows the result, only the entry probe the socket. */
struct eb_net_call {
	__u64 sk;
	__u64 flags;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EB_MAX_CALLS);
	__type(key, __u64);
	__type(value, struct eb_net_call);
} net_calls SEC(".maps");

#define COUNT(field)                                                         \
	({                                                                   \
		__u32 zero_ = 0;                                             \
		struct eb_net_stats *stats_ =                                \
			bpf_map_lookup_elem(&net_stats, &zero_);             \
		if (stats_)                                                  \
			__sync_fetch_and_add(&stats_->field, 1);             \
	})

/* A kprobe's pointers are plain numbers to the verifier and must be read through a helper; those of BTF programs are loaded at once. */
#define GET(probe, ptr, field) \
	((probe) ? BPF_CORE_READ(ptr, field) : (ptr)->field)

static __always_inline bool is_counted(struct sock *sk, const bool probe)
{
	__u16 family = GET(probe, sk, __sk_common.skc_family);
	__u16 protocol;

	if (family != EB_AF_INET && family != EB_AF_INET6)
		return false;
	protocol = GET(probe, sk, sk_protocol);
	return protocol == EB_IPPROTO_TCP || protocol == EB_IPPROTO_UDP ||
	       protocol == EB_IPPROTO_MPTCP;
}

/* The inode number of its file: what stands for the cookie where no helper makes one. */
static __always_inline __u64 sock_inode(struct sock *sk)
{
	struct socket *socket = BPF_CORE_READ(sk, sk_socket);
	struct socket_alloc *alloc;

	if (!socket)
		return 0;
	alloc = (void *)socket - bpf_core_field_offset(struct socket_alloc, socket);
	return BPF_CORE_READ(alloc, vfs_inode.i_ino);
}

static __always_inline void current_proc(struct eb_net_proc_key *key, const bool probe)
{
	key->tgid = bpf_get_current_pid_tgid() >> 32;
	key->zero = 0;
	if (probe || !eb_has_storage) {
		struct task_struct *task = (void *)bpf_get_current_task();

		key->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	} else {
		struct task_struct *task = bpf_get_current_task_btf();

		key->start_ns = task->group_leader->start_boottime;
	}
}

static __always_inline void read_name(struct sock *sk, struct eb_net_name *name)
{
	name->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	name->protocol = BPF_CORE_READ(sk, sk_protocol);
	name->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	name->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	name->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	name->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (name->family == EB_AF_INET) {
		__u32 local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		__u32 remote = BPF_CORE_READ(sk, __sk_common.skc_daddr);

		__builtin_memcpy(name->local, &local, 4);
		__builtin_memcpy(name->remote, &remote, 4);
	} else {
		BPF_CORE_READ_INTO(&name->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&name->remote, sk, __sk_common.skc_v6_daddr);
	}
}

static __always_inline struct eb_net_control *control(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&net_control, &zero);
}

/*
 * Payload taken out of the receive queue, by whatever path; 0 where the bytes a process gets are not those of TCP (kTLS, sockmap, in-kernel users).
 * bytes_received first: a segment that arrives between the reads must make the result too small, never too large.
 */
static __always_inline __u64 consumed(struct sock *sk, struct tcp_sock *tp)
{
	__u64 bytes = *(volatile __u64 *)&tp->bytes_received;
	__s32 unread = *(volatile __u32 *)&tp->rcv_nxt;

	unread -= *(volatile __u32 *)&tp->copied_seq;
	if (sk->sk_user_data || tp->inet_conn.icsk_ulp_ops)
		return 0;
	if (unread > 0)
		return bytes > unread ? bytes - unread : 0;
	/* A FIN that was read counts as one byte. */
	if (bytes && (sk->__sk_common.skc_flags & (1UL << EB_SOCK_DONE)))
		bytes--;
	return bytes;
}

static __always_inline struct eb_net_use *use_at(__u32 slot)
{
	return bpf_map_lookup_elem(&net_uses, &slot);
}

/* The use of the first process on a socket; NULL while there is none. */
static __always_inline struct eb_net_use *first_of(const struct eb_net_sk *st)
{
	__u32 slot = st->slot;

	return slot ? use_at(slot - 1) : NULL;
}

static __always_inline void read_tcp(struct sock *sk, const struct eb_net_sk *st, struct eb_net_tcp *out)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__s32 unread;
	__u64 bytes;

	if (!tp)
		return;
	out->retransmits = tp->total_retrans;
	out->srtt_us = tp->srtt_us >> 3;
	if (sk->__sk_common.skc_state == BPF_TCP_LISTEN) {
		out->receive_queue = sk->sk_ack_backlog;
		return;
	}
	out->acked_bytes = tp->bytes_acked;
	out->received_bytes = tp->bytes_received;
	out->send_queue = tp->write_seq - tp->snd_una;
	unread = tp->rcv_nxt - tp->copied_seq;
	/* An unread FIN is in rcv_nxt too. */
	if (unread > 0 && (sk->__sk_common.skc_flags & (1UL << EB_SOCK_DONE)))
		unread--;
	out->receive_queue = unread > 0 ? unread : 0;
	bytes = consumed(sk, tp);
	out->consumed_bytes = !st->shared && bytes > st->base_bytes ? bytes - st->base_bytes : 0;
}

/* The socket's storage, made on first sight. just_read: bytes that were read just now and will be counted. */
static __always_inline struct eb_net_sk *watch(struct sock *sk, __u64 just_read)
{
	struct eb_net_sk *st = bpf_sk_storage_get(&net_sks, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	struct tcp_sock *tp;

	if (!st) {
		COUNT(lost_sockets);
		return NULL;
	}
	if (st->cookie)
		return st;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp) {
		__u64 bytes = consumed(sk, tp);

		st->base_bytes = bytes > just_read ? bytes - just_read : 0;
		st->retransmits = tp->total_retrans;
	}
	st->cookie = bpf_get_socket_cookie(sk);
	return st;
}

/* Takes an empty slot and names it; NULL when none is left. */
static __always_inline struct eb_net_use *take_slot(struct sock *sk, const struct eb_net_use_key *key, __u32 *slot)
{
	struct eb_net_control *ctl = control();
	struct eb_net_use *use;

	if (bpf_map_pop_elem(&net_free, slot)) {
		COUNT(lost_uses);
		return NULL;
	}
	COUNT(taken);
	use = use_at(*slot);
	if (!use)
		return NULL;
	use->head.cookie = key->cookie;
	use->head.start_ns = key->proc.start_ns;
	use->head.tgid = key->proc.tgid;
	use->since_ns = bpf_ktime_get_boot_ns();
	use->seen = ctl ? ctl->walk : 0;
	read_name(sk, &use->name);
	use->head.state = EB_USE_OPEN;
	return use;
}

/* The use of a process that is not the first on its socket, made on first sight. */
static __always_inline struct eb_net_use *shared_use(struct sock *sk, const struct eb_net_use_key *key)
{
	__u32 *known = bpf_map_lookup_elem(&net_shared, key);
	struct eb_net_use *use;
	__u32 slot = 0;

	if (known)
		return use_at(*known);
	use = take_slot(sk, key, &slot);
	if (!use)
		return NULL;
	use->shared = 1;
	if (!bpf_map_update_elem(&net_shared, key, &slot, BPF_NOEXIST))
		return use;
	/* Another thread was faster, or the map is full. */
	use->head.state = EB_USE_DISCARDED;
	known = bpf_map_lookup_elem(&net_shared, key);
	if (known)
		return use_at(*known);
	COUNT(lost_uses);
	return NULL;
}

/* A process moves bytes over a socket that is not known to be its own: the first to do so gets the socket's own slot. */
static __always_inline struct eb_net_use *claim(struct sock *sk, const struct eb_net_proc_key *proc, __u64 just_read)
{
	struct eb_net_sk *st = watch(sk, just_read);
	struct eb_net_use_key key = { .proc = *proc };
	struct eb_net_use *use;
	__u32 slot = 0;

	if (!st)
		return NULL;
	key.cookie = st->cookie;
	if (!st->slot) {
		use = take_slot(sk, &key, &slot);
		if (!use)
			return NULL;
		if (!__sync_val_compare_and_swap(&st->slot, 0, slot + 1))
			return use;
		use->head.state = EB_USE_DISCARDED;
	}
	use = first_of(st);
	if (!use)
		return NULL;
	if (!use->head.tgid && !__sync_val_compare_and_swap(&use->head.tgid, 0, proc->tgid)) {
		use->head.start_ns = proc->start_ns;
		return use;
	}
	if (use->head.tgid == proc->tgid && use->head.start_ns == proc->start_ns)
		return use;
	st->shared = 1;
	return shared_use(sk, &key);
}

/* Nothing could hold this use: its process gets the bytes all the same. */
static __always_inline struct eb_net_moved *proc_entry(const struct eb_net_proc_key *key)
{
	struct eb_net_moved *moved = bpf_map_lookup_elem(&net_procs, key);
	struct eb_net_moved empty = {};

	if (moved)
		return moved;
	bpf_map_update_elem(&net_procs, key, &empty, BPF_NOEXIST);
	moved = bpf_map_lookup_elem(&net_procs, key);
	if (!moved)
		COUNT(lost_procs);
	return moved;
}

/* Where the current process counts what it moves over this socket. */
static __always_inline struct eb_net_moved *counters(struct sock *sk, __u64 just_read, const bool probe)
{
	struct eb_net_proc_key proc = {};
	struct eb_net_use *use;

	current_proc(&proc, probe);
	if (!probe && eb_has_storage) {
		struct eb_net_sk *st = bpf_sk_storage_get(&net_sks, sk, 0, 0);

		use = st ? first_of(st) : NULL;
		if (!use || use->head.tgid != proc.tgid || use->head.start_ns != proc.start_ns)
			use = claim(sk, &proc, just_read);
	} else {
		struct eb_net_use_key key = { .cookie = sock_inode(sk), .proc = proc };

		use = shared_use(sk, &key);
	}
	return use ? &use->head.moved : proc_entry(&proc);
}

/* A call returned. A read of 0 bytes is a message for UDP, the end for TCP. */
static __always_inline int moved(struct sock *sk, int ret, bool rx, const bool probe)
{
	struct eb_net_moved *sum;

	if (ret < 0 || !sk || !is_counted(sk, probe))
		return 0;
	if (!ret && GET(probe, sk, sk_protocol) != EB_IPPROTO_UDP)
		return 0;
	sum = counters(sk, rx ? ret : 0, probe);
	if (!sum)
		return 0;
	__sync_fetch_and_add(rx ? &sum->rx_bytes : &sum->tx_bytes, ret);
	__sync_fetch_and_add(rx ? &sum->rx_messages : &sum->tx_messages, 1);
	return 0;
}

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

/* sendfile before 6.5. MPTCP has no sendpage of its own and falls back to sendmsg, which is counted already. */
SEC("fexit/inet_sendpage")
int BPF_PROG(net_x_page, struct socket *sock, struct page *page, int offset, size_t size, int flags, ssize_t ret)
{
	struct sock *sk = sock->sk;

	if (!sk || sk->sk_protocol == EB_IPPROTO_MPTCP)
		return 0;
	return moved(sk, ret, false, false);
}

/* Reads that no recvmsg sees. Where this cannot attach, net_end settles them from TCP's own counters. */
SEC("fexit/tcp_splice_read")
int BPF_PROG(net_x_splice, struct socket *sock, loff_t *ppos, struct pipe_inode_info *pipe, size_t len, unsigned int flags, ssize_t ret)
{
	return moved(sock->sk, ret, true, false);
}

/* Last choice: the same functions by kprobes; user space attaches each pair to the v4 and the v6 one. */
static __always_inline int call_begins(struct socket *sock, __u64 flags)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct eb_net_call call = { .sk = (__u64)BPF_CORE_READ(sock, sk), .flags = flags };

	if (bpf_map_update_elem(&net_calls, &id, &call, BPF_ANY))
		COUNT(lost_uses);
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

/* A TCP socket changes state: watched from its birth, so that reads past the hooks above are known from the first byte. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(net_state, struct sock *sk, int oldstate, int newstate)
{
	struct eb_net_proc_key proc = {};
	struct eb_net_sk *st;
	struct tcp_sock *tp;

	if (sk->sk_protocol != EB_IPPROTO_TCP)
		return 0;
	switch (newstate) {
	case BPF_TCP_SYN_SENT:
	case BPF_TCP_LISTEN:
		/* connect() and listen(): the caller is current. */
		st = watch(sk, 0);
		if (st)
			current_proc(&st->guess, false);
		return 0;
	case BPF_TCP_ESTABLISHED:
		watch(sk, 0);
		return 0;
	case BPF_TCP_FIN_WAIT1:
	case BPF_TCP_LAST_ACK:
		/* close() and shutdown(): a socket that was only ever spliced from belongs to the caller. */
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
	__u32 more;

	if (!st || !tp)
		return 0;
	use = first_of(st);
	if (!use)
		return 0;
	more = tp->total_retrans - st->retransmits;
	st->retransmits = tp->total_retrans;
	__sync_fetch_and_add(&use->head.retransmits, more);
	return 0;
}

/* The end of a TCP socket: what was read past the hooks goes to its only owner, and its last words into the use. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(net_end, struct sock *sk)
{
	struct eb_net_sk *st = bpf_sk_storage_get(&net_sks, sk, 0, 0);
	struct eb_net_use *use;

	use = st ? first_of(st) : NULL;
	if (!use)
		return 0;
	read_tcp(sk, st, &use->tcp);
	if (use->tcp.consumed_bytes > use->head.moved.rx_bytes)
		use->head.moved.rx_bytes = use->tcp.consumed_bytes;
	use->name.state = sk->__sk_common.skc_state;
	use->head.state = EB_USE_CLOSED;
	return 0;
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
	__u32 slot = 0;

	if (!sk || !st || !ctl || !st->cookie)
		return 0;
	use = first_of(st);
	if (!use) {
		if (!ctl->list_idle)
			return 0;
		key.cookie = st->cookie;
		use = take_slot(sk, &key, &slot);
		if (!use)
			return 0;
		if (__sync_val_compare_and_swap(&st->slot, 0, slot + 1)) {
			use->head.state = EB_USE_DISCARDED;
			return 0;
		}
	}
	use->guess = st->guess;
	read_name(sk, &use->name);
	read_tcp(sk, st, &use->tcp);
	use->seen = ctl->walk;
	return 0;
}

/* Every open file of every process: sockets that were open before ebtop and have been idle since are watched from here on. */
SEC("iter/task_file")
int net_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct eb_net_sk *st;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !is_counted(sk, false))
		return 0;
	st = watch(sk, 0);
	if (!st || st->guess.tgid)
		return 0;
	st->guess.tgid = task->tgid;
	st->guess.start_ns = task->group_leader->start_boottime;
	return 0;
}
