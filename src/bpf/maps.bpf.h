/* SPDX-License-Identifier: GPL-2.0 */
/* What every program that reports events shares: counting what was lost, and when to wake the
 * reader. */
#ifndef EBTOP_MAPS_BPF_H
#define EBTOP_MAPS_BPF_H

/* Adds one to the first value of an array map of __u64. */
static __always_inline void eb_count_loss(void *losses)
{
	__u32 zero = 0;
	__u64 *lost = bpf_map_lookup_elem(losses, &zero);

	if (lost)
		__sync_fetch_and_add(lost, 1);
}

/* The reader comes by at every tick: it is woken before that only when a quarter of the ring is
 * full. */
static __always_inline __u64 eb_wake_flag(void *ring, __u64 ring_bytes)
{
	if (bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) > ring_bytes / 4)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

#endif
