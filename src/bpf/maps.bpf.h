/* SPDX-License-Identifier: GPL-2.0 */
/* What every program that reports events shares: when to wake the reader. */
#ifndef EBTOP_MAPS_BPF_H
#define EBTOP_MAPS_BPF_H

/* The reader comes by at every tick: it is woken before that only when a quarter of the ring is
 * full. */
static __always_inline __u64 eb_wake_flag(void *ring, __u64 ring_bytes)
{
	if (bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) > ring_bytes / 4)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

#endif
