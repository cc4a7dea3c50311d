// SPDX-License-Identifier: GPL-2.0
/* Empty programs on the tracepoints of net.bpf.c: what a hook costs before it does anything. Compiled by the test that loads it. */
#define SEC(name) __attribute__((section(name), used))

char LICENSE[] SEC("license") = "GPL";

SEC("tp_btf/sock_send_length")
int eb_empty_send(void *ctx)
{
	return 0;
}

SEC("tp_btf/sock_recv_length")
int eb_empty_recv(void *ctx)
{
	return 0;
}
