// SPDX-License-Identifier: GPL-2.0
/*
 * Page allocations of the kernel, by the process that was current: its own pages, but also page
 * cache, slab and whatever an interrupt allocated meanwhile. Produces a cumulative count and sum of
 * bytes for each process.
 *
 * A hook on a hot path: attached only while something shows its numbers.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "current.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct eb_mem_key {
	__u64 start_ns; /* of the group leader, CLOCK_BOOTTIME */
	__u32 tgid;
	__u32 pad;
};

struct eb_mem_pages {
	__u64 allocs;
	__u64 pages;
};
_Static_assert(sizeof(struct eb_mem_key) == 16 && sizeof(struct eb_mem_pages) == 16,
	       "without padding: bpf/batch.rs reads them whole");

/* Process to totals. Preallocated, since this runs inside the page allocator. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct eb_mem_key);
	__type(value, struct eb_mem_pages);
} mem_pages SEC(".maps");

/* Allocations of processes that found no room in mem_pages, by CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} mem_lost SEC(".maps");

static __always_inline void lose(void)
{
	__u32 zero = 0;
	__u64 *lost = bpf_map_lookup_elem(&mem_lost, &zero);

	if (lost)
		(*lost)++;
}

/* `page` is NULL where the allocation failed. The idle task allocates only for interrupts:
 * nobody's. */
static __always_inline int count(const void *page, __u32 order)
{
	struct eb_mem_key key = {.tgid = bpf_get_current_pid_tgid() >> 32};
	struct eb_mem_pages *pages, none = {};

	if (!page || !key.tgid)
		return 0;
	key.start_ns = eb_current_start_ns();
	pages = bpf_map_lookup_elem(&mem_pages, &key);
	if (!pages) {
		bpf_map_update_elem(&mem_pages, &key, &none, BPF_NOEXIST);
		pages = bpf_map_lookup_elem(&mem_pages, &key);
		if (!pages) {
			lose();
			return 0;
		}
	}
	__sync_fetch_and_add(&pages->allocs, 1);
	__sync_fetch_and_add(&pages->pages, 1ULL << (order & 31));
	return 0;
}

SEC("tp_btf/mm_page_alloc")
int BPF_PROG(mem_alloc, struct page *page, unsigned int order)
{
	return count(page, order);
}

/* The same where BTF of tracepoints is missing or refused. */
SEC("raw_tp/mm_page_alloc")
int mem_alloc_raw(struct bpf_raw_tracepoint_args *ctx)
{
	return count((const void *)ctx->args[0], (__u32)ctx->args[1]);
}
