/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel's headers call socket families, protocols and flags: BTF has no macros. */
#ifndef EB_SOCKET_BPF_H
#define EB_SOCKET_BPF_H

#define EB_AF_INET	 2
#define EB_AF_INET6	 10
#define EB_IPPROTO_TCP	 6
#define EB_IPPROTO_UDP	 17
#define EB_IPPROTO_MPTCP 262
#define EB_MSG_PEEK	 0x2
#define EB_MSG_ERRQUEUE	 0x2000

#endif
