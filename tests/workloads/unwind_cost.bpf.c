// SPDX-License-Identifier: GPL-2.0
/* What a tick costs before it does anything, and with the kernel's own walk by frame pointers. Compiled by the test that loads it. */
#define SEC(name) __attribute__((section(name), used))

static long (*bpf_get_stack)(void *ctx, void *buffer, unsigned int bytes, unsigned long long flags) = (void *)67;

char LICENSE[] SEC("license") = "GPL";

/* Two CPUs may write at once: nobody reads it. */
static char stack[128 * 8];

SEC("perf_event")
int cost_empty(void *ctx)
{
	return 0;
}

SEC("perf_event")
int cost_get_stack(void *ctx)
{
	return bpf_get_stack(ctx, stack, sizeof(stack), 1 << 8) < 0;
}
