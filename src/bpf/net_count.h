/* SPDX-License-Identifier: GPL-2.0 */
/* Finds the use that a call belongs to, or makes it, and adds to it. */
#ifndef EB_NET_COUNT_H
#define EB_NET_COUNT_H

/* Takes an empty slot and names it; NULL when none is left. */
static __always_inline struct eb_net_use *
take_slot(struct sock *sk, const struct eb_net_use_key *key, __u32 *slot, const bool probe)
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
	read_name(sk, &use->name, probe);
	use->head.state = EB_USE_OPEN;
	return use;
}

/* The first use of a socket, whoever makes it first; NULL when no slot is left. */
static __always_inline struct eb_net_use *make_first(struct sock *sk, struct eb_net_sk *st,
						     const struct eb_net_use_key *key)
{
	__u32 before = st->slot;
	struct eb_net_use *use;
	__u32 slot = 0;

	use = take_slot(sk, key, &slot, false);
	if (!use)
		return NULL;
	/* An earlier use has counted some of what was read. */
	if (before)
		st->shared = 1;
	if (__sync_val_compare_and_swap(&st->slot, before, slot + 1) == before)
		return use;
	use->head.state = EB_USE_DISCARDED;
	return first_of(st);
}

/* The use of a process that is not the first on its socket, made on first sight. */
static __always_inline struct eb_net_use *
shared_use(struct sock *sk, const struct eb_net_use_key *key, const bool probe)
{
	__u32 *known = bpf_map_lookup_elem(&net_shared, key);
	struct eb_net_use *use;
	__u32 slot = 0;

	if (known)
		return use_at(*known);
	use = take_slot(sk, key, &slot, probe);
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

/* A process moves bytes over a socket that is not known to be its own: the first to do so gets the
 * socket's own slot. */
static __always_inline struct eb_net_use *claim(struct sock *sk, const struct eb_net_proc_key *proc,
						__u64 just_read)
{
	struct eb_net_sk *st = watch(sk, just_read);
	struct eb_net_use_key key = {.proc = *proc};
	struct eb_net_use *use;

	if (!st)
		return NULL;
	key.cookie = st->cookie;
	use = first_of(st);
	if (!use)
		use = make_first(sk, st, &key);
	if (!use) {
		/* Counted by process alone, so that TCP's own count cannot be set against it any
		 * more. */
		st->shared = 1;
		return NULL;
	}
	if (!use->head.tgid && !__sync_val_compare_and_swap(&use->head.tgid, 0, proc->tgid)) {
		use->head.start_ns = proc->start_ns;
		return use;
	}
	if (use->head.tgid == proc->tgid && use->head.start_ns == proc->start_ns)
		return use;
	st->shared = 1;
	return shared_use(sk, &key, false);
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

/* Where the current process counts what it moves over this socket; NULL for sockets that are not
 * counted. What is stored with a socket says that it is, so that most calls look at nothing else.
 */
static __always_inline struct eb_net_moved *counters(struct sock *sk, __u64 just_read,
						     const bool probe)
{
	struct eb_net_proc_key proc = {};
	struct eb_net_use *use = NULL;
	struct eb_net_sk *st;

	if (!probe) {
		st = bpf_sk_storage_get(&net_sks, sk, 0, 0);
		if (!st && !is_counted(sk, probe))
			return NULL;
		current_proc(&proc, probe);
		use = st ? first_of(st) : NULL;
		if (!use || use->head.tgid != proc.tgid || use->head.start_ns != proc.start_ns)
			use = claim(sk, &proc, just_read);
	} else if (is_counted(sk, probe)) {
		struct eb_net_use_key key = {.cookie = sock_inode(sk)};

		current_proc(&proc, probe);
		key.proc = proc;
		use = shared_use(sk, &key, probe);
	} else {
		return NULL;
	}
	return use ? &use->head.moved : proc_entry(&proc);
}

/* A call returned. A read of 0 bytes is a message for UDP, the end for TCP. */
static __always_inline int moved(struct sock *sk, int ret, bool rx, const bool probe)
{
	struct eb_net_moved *sum;

	if (ret < 0 || !sk)
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

#endif
