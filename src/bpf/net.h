/* SPDX-License-Identifier: GPL-2.0 */
/* Wire structs and limits of net.bpf.c. Integers only, no padding: user space reads them as bytes.
 */
#ifndef EB_NET_H
#define EB_NET_H

#define EB_SOCK_DEAD 0
#define EB_SOCK_DONE 1

#define EB_MAX_USES  32768
#define EB_MAX_FREE  8192
#define EB_MAX_PROCS 8192
#define EB_MAX_CALLS 8192

/* State of a use. */
#define EB_USE_EMPTY	 0
#define EB_USE_OPEN	 1
#define EB_USE_CLOSED	 2
#define EB_USE_DISCARDED 3

/* Which process. start_ns: start_boottime of its group leader. tgid 0: not known. */
struct eb_net_proc_key {
	__u64 start_ns;
	__u32 tgid;
	__u32 zero;
};

/* What calls returned, cumulative. */
struct eb_net_moved {
	__u64 tx_bytes;
	__u64 rx_bytes;
	__u64 tx_messages;
	__u64 rx_messages;
};

/* Which process on which socket. */
struct eb_net_use_key {
	__u64 cookie;
	struct eb_net_proc_key proc;
};

/* Which socket, in words: addresses in network order (v4: the first 4 bytes), ports in host order.
 */
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

/* TCP's own counters. consumed_bytes: read by anyone, by any path, since the socket was first seen.
 * receive_queue: of a listener, connections that wait; backlog and dropped are a listener's alone.
 */
struct eb_net_tcp {
	__u64 acked_bytes;
	__u64 received_bytes;
	__u64 consumed_bytes;
	__u32 retransmits;
	__u32 srtt_us;
	__u32 send_queue;
	__u32 receive_queue;
	__u32 backlog;
	__u32 dropped;
};

/* What a tick reads of a use: one cache line. retransmits: while ebtop watched. */
struct eb_net_head {
	__u64 cookie;
	__u64 start_ns;
	__u32 tgid;
	__u32 state;
	struct eb_net_moved moved;
	__u64 retransmits;
};

/*
 * What a process moved over a socket. seen: number of the last walk that found the socket alive.
 * shared: found through net_shared. guess: with tgid 0 in the head, who probably owns the socket.
 */
struct eb_net_use {
	struct eb_net_head head;
	struct eb_net_name name;
	struct eb_net_tcp tcp;
	struct eb_net_proc_key guess;
	__u64 since_ns;
	__u32 seen;
	__u32 shared;
};

/*
 * Kept on the socket itself. slot: index + 1 of the use of the first process that moved bytes; 0 =
 * none yet. shared: what was read from it is not all counted by that use. base_bytes: what had been
 * read from it before it was first seen. guess: who made it, or has it open. found: number of the
 * search that was the last when it was known to be so. other: who else has it open, from a search
 * to the walk after it.
 */
struct eb_net_sk {
	__u64 cookie;
	__u64 base_bytes;
	struct eb_net_proc_key guess;
	struct eb_net_proc_key other;
	__u32 slot;
	__u32 shared;
	__u32 retransmits;
	__u32 found;
};

/* Written by user space. walk: number of the walk that runs now; list_idle: so many sockets that
 * moved nothing it may list; search: number of the last search of all open files. */
struct eb_net_control {
	__u32 walk;
	__u32 list_idle;
	__u32 search;
};

/* Written by the kernel half. taken: slots taken from net_free, in its order. unlisted: how often a
 * walk met a socket that it might not list. lost_calls: calls whose result nobody saw. */
struct eb_net_stats {
	__u64 taken;
	__u64 unlisted;
	__u64 lost_calls;
	__u64 lost_uses;
	__u64 lost_procs;
	__u64 lost_sockets;
};

_Static_assert(sizeof(struct eb_net_use_key) == 24, "eb_net_use_key");
_Static_assert(sizeof(struct eb_net_head) == 64, "eb_net_head");
_Static_assert(sizeof(struct eb_net_name) == 48, "eb_net_name");
_Static_assert(sizeof(struct eb_net_use) == 192, "eb_net_use");

#endif
