//! Entries of (socket, process) to sockets: who is alive, who closed, which entries may go. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustc_hash::FxHashMap;

use crate::bpf::net::types::{eb_net_name, eb_net_proc_key, eb_net_tcp, eb_net_use, eb_net_use_key};
use crate::sample::{ProcKey, Protocol, Socket, TcpInfo};

const AF_INET: u16 = 2;
const IPPROTO_UDP: u16 = 17;
const IPPROTO_TCP: u16 = 6;

/// What a walk found.
#[derive(Default)]
pub struct Joined {
    /// One for each process on each socket, ascending by cookie and process.
    pub sockets: Vec<Socket>,
    /// Entries that will never change again.
    pub gone: Vec<eb_net_use_key>,
    /// Bytes that processes read past the hooks, on live sockets.
    pub unhooked: FxHashMap<ProcKey, u64>,
    /// Entries that stay.
    pub live: u64,
}

/// The process of a key in the kernel's words.
pub fn proc_key(key: &eb_net_proc_key) -> ProcKey {
    ProcKey { pid: key.tgid, start_ns: key.start_ns }
}

fn order(key: &eb_net_use_key) -> (u64, ProcKey) {
    (key.cookie, proc_key(&key.proc))
}

/// Groups the entries by socket. `walk` is the number of the walk that just ended: the kernel half has written it to every entry of a
/// live socket that it met, and to every entry made since.
pub fn join(entries: &mut [(eb_net_use_key, eb_net_use)], walk: u32) -> Joined {
    entries.sort_unstable_by_key(|(key, _)| order(key));
    let mut joined = Joined::default();
    for group in entries.chunk_by(|a, b| a.0.cookie == b.0.cookie) {
        join_socket(group, walk, &mut joined);
    }
    joined
}

/// All entries of one socket. Only that of its first owner carries what TCP says.
fn join_socket(group: &[(eb_net_use_key, eb_net_use)], walk: u32, joined: &mut Joined) {
    let closed = group.iter().any(|(_, entry)| entry.closed != 0) || group.iter().all(|(_, entry)| entry.seen != walk);
    let owned = group.iter().any(|(key, _)| key.proc.tgid != 0);
    let Some((_, told)) =
        group.iter().max_by_key(|(key, e)| (e.seen == walk, key.proc.tgid != 0, e.tcp.received_bytes + e.tcp.acked_bytes))
    else {
        return;
    };
    for (key, entry) in group {
        let nobody = key.proc.tgid == 0;
        if closed || (nobody && owned) {
            joined.gone.push(*key);
        } else {
            joined.live += 1;
        }
        if nobody && (owned || closed) {
            continue;
        }
        let by_hooks = entry.rx_bytes;
        let read = by_hooks.max(entry.tcp.consumed_bytes);
        if read > by_hooks && !closed {
            *joined.unhooked.entry(proc_key(&key.proc)).or_default() += read - by_hooks;
        }
        let owner = if nobody { &entry.guess } else { &key.proc };
        joined.sockets.push(Socket { rx_bytes: read, ..socket(key.cookie, owner, entry, told, closed) });
    }
}

fn socket(cookie: u64, owner: &eb_net_proc_key, entry: &eb_net_use, told: &eb_net_use, closed: bool) -> Socket {
    let name = &told.name;
    Socket {
        cookie,
        owner: (owner.tgid != 0).then(|| proc_key(owner)),
        protocol: if name.protocol == IPPROTO_UDP { Protocol::Udp } else { Protocol::Tcp },
        state: u8::try_from(name.state).unwrap_or(0),
        local: address(name, &name.local, name.local_port),
        remote: address(name, &name.remote, name.remote_port),
        netns: name.netns,
        tx_bytes: entry.tx_bytes,
        rx_bytes: entry.rx_bytes,
        tx_messages: entry.tx_messages,
        rx_messages: entry.rx_messages,
        since_ns: entry.since_ns,
        tcp: (name.protocol == IPPROTO_TCP).then(|| tcp_info(&told.tcp)),
        closed,
    }
}

fn tcp_info(tcp: &eb_net_tcp) -> TcpInfo {
    TcpInfo {
        acked_bytes: tcp.acked_bytes,
        received_bytes: tcp.received_bytes,
        retransmits: u64::from(tcp.retransmits),
        rtt_us: (tcp.srtt_us != 0).then_some(tcp.srtt_us),
        send_queue_bytes: tcp.send_queue,
        receive_queue_bytes: tcp.receive_queue,
    }
}

/// A v4 address, also one that a v6 socket wears as `::ffff:a.b.c.d`, is shown as v4.
fn address(name: &eb_net_name, bytes: &[u8; 16], port: u16) -> SocketAddr {
    let [a, b, c, d, ..] = *bytes;
    let ip = match name.family {
        AF_INET => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        _ => IpAddr::V6(Ipv6Addr::from(*bytes)).to_canonical(),
    };
    SocketAddr::new(ip, port)
}
