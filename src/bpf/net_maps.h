/* SPDX-License-Identifier: GPL-2.0 */
/* Maps of net.bpf.c, and who asks: the socket, the process. */
#ifndef EB_NET_MAPS_H
#define EB_NET_MAPS_H

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

/* Socket calls under way, by thread: only the return probe knows the result, only the entry probe
 * the socket. */
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

#define COUNT(field)                                                                               \
	({                                                                                         \
		__u32 zero_ = 0;                                                                   \
		struct eb_net_stats *stats_ = bpf_map_lookup_elem(&net_stats, &zero_);             \
		if (stats_)                                                                        \
			__sync_fetch_and_add(&stats_->field, 1);                                   \
	})

/* A kprobe's pointers are plain numbers to the verifier and must be read through a helper; those of
 * BTF programs are loaded at once. */
#define GET(probe, ptr, field) ((probe) ? BPF_CORE_READ(ptr, field) : (ptr)->field)

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
	key->zero = 0;
	if (probe) {
		struct task_struct *task = (void *)bpf_get_current_task();

		key->tgid = bpf_get_current_pid_tgid() >> 32;
		key->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	} else {
		struct task_struct *task = bpf_get_current_task_btf();

		key->tgid = task->tgid;
		key->start_ns = task->group_leader->start_boottime;
	}
}

static __always_inline struct eb_net_control *control(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&net_control, &zero);
}

static __always_inline struct eb_net_use *use_at(__u32 slot)
{
	return bpf_map_lookup_elem(&net_uses, &slot);
}

/* The use of the first process on a socket; NULL while there is none, or where user space gave its
 * slot to another. */
static __always_inline struct eb_net_use *first_of(const struct eb_net_sk *st)
{
	struct eb_net_use *use = st->slot ? use_at(st->slot - 1) : NULL;

	return use && use->head.cookie == st->cookie ? use : NULL;
}

#endif
