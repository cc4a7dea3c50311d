//! Uses to sockets: who is alive, who closed, which slots may be given back. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustc_hash::FxHashSet;

use crate::bpf::net::types::{eb_net_head, eb_net_proc_key, eb_net_tcp, eb_net_use};
use crate::sample::{Backlog, ProcKey, Protocol, Socket, TcpInfo};

/// `state` of a use: a slot that was taken and is not named yet.
pub const EMPTY: u32 = 0;
/// The kernel half has seen the socket's end.
pub const CLOSED: u32 = 2;
/// Taken by a thread that lost a race; nothing refers to it.
pub const DISCARDED: u32 = 3;

const AF_INET: u16 = 2;
const IPPROTO_TCP: u16 = 6;
const IPPROTO_UDP: u16 = 17;
/// Number of the state in `include/net/tcp_states.h`.
const TCP_LISTEN: u32 = 10;

/// What a walk found.
#[derive(Default)]
pub struct Joined {
    /// One for each process on each socket, ascending by cookie and process.
    pub sockets: Vec<Socket>,
    /// Slots that will never change again.
    pub gone: Vec<u32>,
    /// Bytes that processes read past the hooks, on live sockets.
    pub unhooked: Vec<(ProcKey, u64)>,
    /// Owners of sockets that moved nothing: who made them or has them open.
    pub guessed: FxHashSet<ProcKey>,
}

/// The process that a use belongs to; `None` while nobody moved anything.
pub fn owner(head: &eb_net_head) -> Option<ProcKey> {
    (head.tgid != 0).then_some(ProcKey { pid: head.tgid, start_ns: head.start_ns })
}

fn guessed(guess: &eb_net_proc_key) -> Option<ProcKey> {
    (guess.tgid != 0).then_some(ProcKey { pid: guess.tgid, start_ns: guess.start_ns })
}

/// Groups (slot, use) by socket. `walk` is the number of the walk that just ended: the kernel half wrote it to the first use of every
/// live socket, and to every use made since.
pub fn join(uses: &mut [(u32, eb_net_use)], walk: u32) -> Joined {
    uses.sort_unstable_by_key(|(_, u)| (u.head.cookie, owner(&u.head)));
    let mut joined = Joined::default();
    for group in uses.chunk_by(|a, b| a.1.head.cookie == b.1.head.cookie) {
        join_socket(group, walk, &mut joined);
    }
    joined.gone.sort_unstable();
    joined
}

/// All uses of one socket. Only one of them, that of its first process, carries what TCP says.
fn join_socket(group: &[(u32, eb_net_use)], walk: u32, joined: &mut Joined) {
    let closed = group.iter().any(|(_, u)| u.head.state == CLOSED) || group.iter().all(|(_, u)| u.seen != walk);
    let Some((_, told)) = group.iter().max_by_key(|(_, u)| u.tcp.acked_bytes.saturating_add(u.tcp.received_bytes)) else { return };
    for (slot, u) in group {
        if closed {
            joined.gone.push(*slot);
        }
        let owner = owner(&u.head);
        if owner.is_none() && closed {
            continue;
        }
        let hooked = u.head.moved.rx_bytes;
        let read = hooked.max(u.tcp.consumed_bytes);
        if let Some(owner) = owner
            && read > hooked
        {
            joined.unhooked.push((owner, read - hooked));
        }
        let guess = guessed(&u.guess).filter(|_| owner.is_none());
        joined.guessed.extend(guess);
        joined.sockets.push(Socket { rx_bytes: read, ..socket(owner.or(guess), u, told, closed) });
    }
}

fn socket(owner: Option<ProcKey>, u: &eb_net_use, told: &eb_net_use, closed: bool) -> Socket {
    let name = &told.name;
    Socket {
        cookie: u.head.cookie,
        owner,
        protocol: if name.protocol == IPPROTO_UDP { Protocol::Udp } else { Protocol::Tcp },
        state: u8::try_from(name.state).unwrap_or(0),
        local: address(name.family, &name.local, name.local_port),
        remote: address(name.family, &name.remote, name.remote_port),
        netns: name.netns,
        tx_bytes: u.head.moved.tx_bytes,
        rx_bytes: u.head.moved.rx_bytes,
        tx_messages: u.head.moved.tx_messages,
        rx_messages: u.head.moved.rx_messages,
        since_ns: u.since_ns,
        tcp: (name.protocol == IPPROTO_TCP).then(|| tcp_info(&told.tcp, name.state)),
        closed,
    }
}

fn tcp_info(tcp: &eb_net_tcp, state: u32) -> TcpInfo {
    TcpInfo {
        acked_bytes: tcp.acked_bytes,
        received_bytes: tcp.received_bytes,
        retransmits: u64::from(tcp.retransmits),
        rtt_us: (tcp.srtt_us != 0).then_some(tcp.srtt_us),
        send_queue_bytes: tcp.send_queue,
        receive_queue_bytes: tcp.receive_queue,
        backlog: (state == TCP_LISTEN).then_some(Backlog { waiting: tcp.receive_queue, most: tcp.backlog, dropped: tcp.dropped }),
    }
}

/// A v4 address, also one that a v6 socket wears as `::ffff:a.b.c.d`, is shown as v4.
fn address(family: u16, bytes: &[u8; 16], port: u16) -> SocketAddr {
    let [a, b, c, d, ..] = *bytes;
    let ip = match family {
        AF_INET => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        _ => IpAddr::V6(Ipv6Addr::from(*bytes)).to_canonical(),
    };
    SocketAddr::new(ip, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(cookie: u64, tgid: u32, seen: u32) -> eb_net_use {
        let mut u = eb_net_use::default();
        u.head.cookie = cookie;
        u.head.tgid = tgid;
        u.head.state = 1;
        u.name.family = AF_INET;
        u.name.protocol = IPPROTO_TCP;
        u.seen = seen;
        u
    }

    #[test]
    fn a_v4_mapped_address_is_v4() {
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3];
        assert_eq!(address(10, &mapped, 80), "10.1.2.3:80".parse().unwrap());
        let v4 = [10, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(address(AF_INET, &v4, 80), "10.1.2.3:80".parse().unwrap());
        let v6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(address(10, &v6, 80), "[2001:db8::1]:80".parse().unwrap());
        assert_eq!(address(10, &[0; 16], 0), "[::]:0".parse().unwrap());
    }

    #[test]
    fn a_socket_the_walk_missed_is_gone_and_said_so() {
        let mut uses = [(4, made(1, 7, 2)), (2, made(2, 7, 3))];
        let joined = join(&mut uses, 3);
        assert_eq!(joined.gone, [4]);
        assert_eq!(joined.sockets.iter().map(|s| (s.cookie, s.closed)).collect::<Vec<_>>(), [(1, true), (2, false)]);
    }

    #[test]
    fn a_second_process_lives_and_dies_with_the_socket() {
        let mut first = made(1, 7, 3);
        first.tcp.acked_bytes = 10;
        first.name.state = 1;
        let mut uses = [(9, made(1, 8, 1)), (3, first)];
        let joined = join(&mut uses, 3);
        assert!(joined.gone.is_empty());
        assert_eq!(joined.sockets.iter().map(|s| s.tcp.map(|t| t.acked_bytes)).collect::<Vec<_>>(), [Some(10), Some(10)]);
        uses[0].1.head.state = CLOSED;
        let joined = join(&mut uses, 3);
        assert_eq!(joined.gone, [3, 9]);
        assert!(joined.sockets.iter().all(|s| s.closed));
    }

    #[test]
    fn an_idle_socket_shows_its_guessed_owner_and_ends_silently() {
        let mut idle = made(1, 0, 3);
        idle.guess.tgid = 12;
        let joined = join(&mut [(0, idle), (1, made(2, 0, 3))], 3);
        assert_eq!(joined.sockets.iter().map(|s| s.owner.map(|o| o.pid)).collect::<Vec<_>>(), [Some(12), None]);
        assert_eq!(joined.guessed.iter().map(|key| key.pid).collect::<Vec<_>>(), [12]);
        let joined = join(&mut [(0, idle)], 4);
        assert_eq!((joined.sockets.len(), joined.gone), (0, vec![0]));
    }

    #[test]
    fn a_listener_tells_who_waits() {
        let mut listener = made(1, 0, 3);
        listener.name.state = TCP_LISTEN;
        (listener.tcp.receive_queue, listener.tcp.backlog, listener.tcp.dropped) = (3, 128, 2);
        let joined = join(&mut [(0, listener), (1, made(2, 7, 3))], 3);
        let backlogs: Vec<_> = joined.sockets.iter().map(|s| s.tcp.unwrap().backlog).collect();
        assert_eq!(backlogs, [Some(Backlog { waiting: 3, most: 128, dropped: 2 }), None]);
    }

    #[test]
    fn bytes_read_past_the_hooks_are_added_once() {
        let mut u = made(1, 7, 3);
        u.head.moved.rx_bytes = 40;
        u.tcp.consumed_bytes = 100;
        let joined = join(&mut [(0, u)], 3);
        assert_eq!(joined.sockets[0].rx_bytes, 100);
        assert_eq!(joined.unhooked, [(ProcKey { pid: 7, start_ns: 0 }, 60)]);
        u.tcp.consumed_bytes = 30;
        assert!(join(&mut [(0, u)], 3).unhooked.is_empty());
    }

    #[test]
    fn odd_kernel_values_do_no_harm() {
        let mut u = made(u64::MAX, u32::MAX, 3);
        u.name.state = u32::MAX;
        u.name.family = 99;
        u.tcp.acked_bytes = u64::MAX;
        u.tcp.received_bytes = u64::MAX;
        assert_eq!(join(&mut [(0, u)], 3).sockets[0].state, 0);
        assert_eq!(join(&mut [], 3).sockets, []);
    }
}
