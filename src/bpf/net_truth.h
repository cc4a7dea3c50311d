/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel itself knows of a socket: its name, and TCP's own counters. */
#ifndef EB_NET_TRUTH_H
#define EB_NET_TRUTH_H

static __always_inline void read_name(struct sock *sk, struct eb_net_name *name, const bool probe)
{
	name->family = GET(probe, sk, __sk_common.skc_family);
	name->protocol = GET(probe, sk, sk_protocol);
	name->state = GET(probe, sk, __sk_common.skc_state);
	name->netns = probe ? BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum)
			    : sk->__sk_common.skc_net.net->ns.inum;
	name->local_port = GET(probe, sk, __sk_common.skc_num);
	name->remote_port = bpf_ntohs(GET(probe, sk, __sk_common.skc_dport));
	if (name->family == EB_AF_INET) {
		__u32 local = GET(probe, sk, __sk_common.skc_rcv_saddr);
		__u32 remote = GET(probe, sk, __sk_common.skc_daddr);

		__builtin_memcpy(name->local, &local, 4);
		__builtin_memcpy(name->remote, &remote, 4);
	} else {
		BPF_CORE_READ_INTO(&name->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&name->remote, sk, __sk_common.skc_v6_daddr);
	}
}

static __always_inline bool has_flag(struct sock *sk, int flag)
{
	return sk->__sk_common.skc_flags & (1UL << flag);
}

/*
 * Payload taken out of the receive queue, by whatever path; 0 where the bytes a process gets are
 * not those of TCP (kTLS, sockmap, in-kernel users). bytes_received first: a segment that arrives
 * between the reads must make the result too small, never too large.
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
	if (bytes && has_flag(sk, EB_SOCK_DONE))
		bytes--;
	return bytes;
}

/* Never falls, though a disconnect clears TCP's counters. Unknown once several processes share the
 * socket: then it cannot be told who read. */
static __always_inline void read_consumed(struct sock *sk, struct tcp_sock *tp,
					  const struct eb_net_sk *st, struct eb_net_tcp *out)
{
	__u64 bytes = consumed(sk, tp);

	if (st->shared)
		out->consumed_bytes = 0;
	else if (bytes > st->base_bytes && bytes - st->base_bytes > out->consumed_bytes)
		out->consumed_bytes = bytes - st->base_bytes;
}

static __always_inline void read_tcp(struct sock *sk, const struct eb_net_sk *st,
				     struct eb_net_tcp *out)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__s32 unread;

	if (!tp)
		return;
	out->retransmits = tp->total_retrans;
	out->srtt_us = tp->srtt_us >> 3;
	if (sk->__sk_common.skc_state == BPF_TCP_LISTEN) {
		out->receive_queue = sk->sk_ack_backlog;
		out->backlog = sk->sk_max_ack_backlog;
		out->dropped = sk->sk_drops.counter;
		return;
	}
	out->acked_bytes = tp->bytes_acked;
	out->received_bytes = tp->bytes_received;
	out->send_queue = tp->write_seq - tp->snd_una;
	unread = tp->rcv_nxt - tp->copied_seq;
	/* An unread FIN is in rcv_nxt too. */
	if (unread > 0 && has_flag(sk, EB_SOCK_DONE))
		unread--;
	out->receive_queue = unread > 0 ? unread : 0;
	read_consumed(sk, tp, st, out);
}

/* The socket's storage, made on first sight. just_read: bytes that were read just now and will be
 * counted. */
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

#endif
