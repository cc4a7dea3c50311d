/* SPDX-License-Identifier: GPL-2.0 */
/* Wire structs and maps of net.bpf.c. Integers only, no padding: user space reads them as bytes. */
#ifndef EB_NET_H
#define EB_NET_H

#define EB_AF_INET 2
#define EB_AF_INET6 10
#define EB_IPPROTO_TCP 6
#define EB_IPPROTO_UDP 17
#define EB_IPPROTO_MPTCP 262
#define EB_MSG_PEEK 0x2
#define EB_MSG_ERRQUEUE 0x2000
#define EB_SOCK_DONE 1

#define EB_MAX_SOCKETS 65536
#define EB_MAX_PROCS 32768
#define EB_MAX_CALLS 8192

/* Which process. start_ns: start_boottime of its group leader. */
struct eb_net_proc_key {
	__u64 start_ns;
	__u32 tgid;
	__u32 zero;
};

/* What a process moved, over all its sockets, cumulative. */
struct eb_net_proc {
	__u64 tx_bytes;
	__u64 rx_bytes;
	__u64 tx_messages;
	__u64 rx_messages;
	__u64 retransmits;
};

/* Which process on which socket. tgid 0: an open socket whose owner is not known. */
struct eb_net_use_key {
	__u64 cookie;
	struct eb_net_proc_key proc;
};

/* Which socket, in words: addresses in network order (v4: first 4 bytes), ports in host order. */
struct eb_net_name {
	__u8 local[16];
	__u8 remote[16];
	__u16 local_port;
	__u16 remote_port;
	__u32 netns;
	__u16 family;
	__u16 protocol;
	__u32 state;
};

/* TCP's own counters. consumed_bytes: read by anyone, by any path, since the socket was first seen. */
struct eb_net_tcp {
	__u64 acked_bytes;
	__u64 received_bytes;
	__u64 consumed_bytes;
	__u32 retransmits;
	__u32 srtt_us;
	__u32 send_queue;
	__u32 receive_queue;
};

/*
 * What a process moved over a socket. seen: number of the last walk that found the socket alive.
 * guess: with tgid 0 in the key, who probably owns the socket.
 */
struct eb_net_use {
	__u64 tx_bytes;
	__u64 rx_bytes;
	__u64 tx_messages;
	__u64 rx_messages;
	__u64 since_ns;
	struct eb_net_name name;
	struct eb_net_tcp tcp;
	struct eb_net_proc_key guess;
	__u32 seen;
	__u32 closed;
};

/*
 * Kept on the socket itself. owners: how many processes moved bytes; owner: the first of them, a guess while there is none.
 * base_bytes: what had been read from it before it was first seen.
 */
struct eb_net_sk {
	__u64 cookie;
	struct eb_net_proc_key owner;
	__u64 base_bytes;
	__u32 owners;
	__u32 retransmits;
};

/* Written by user space. walk: number of the walk that runs now; keep_closed: leave closed sockets for user space to read. */
struct eb_net_control {
	__u32 walk;
	__u32 keep_closed;
};

/* Written by the kernel half: what did not fit, and how many entries of net_uses were made and dropped. */
struct eb_net_stats {
	__u64 lost_uses;
	__u64 lost_procs;
	__u64 lost_sockets;
	__u64 made;
	__u64 dropped;
};

_Static_assert(sizeof(struct eb_net_use_key) == 24, "eb_net_use_key");
_Static_assert(sizeof(struct eb_net_name) == 48, "eb_net_name");
_Static_assert(sizeof(struct eb_net_use) == 152, "eb_net_use");

#endif
