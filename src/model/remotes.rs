//! Sockets folded by who is at the other end.

use std::cmp::Reverse;
use std::net::IpAddr;

use rustc_hash::FxHashMap;

use super::Model;
use super::sockets::SocketRow;
use crate::sample::{ProcKey, Socket};

/// All sockets that are connected to one address. Growth is over the tick; what is not known of one socket is left out of the sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Remote {
    /// The address.
    pub address: IpAddr,
    /// Open sockets; one that several processes share counts once.
    pub sockets: u32,
    /// Processes that are known to use them.
    pub processes: u32,
    /// Application bytes received; `None` where no socket's growth is known.
    pub rx_bytes: Option<u64>,
    /// Application bytes sent.
    pub tx_bytes: Option<u64>,
    /// Application bytes received since ebtop first saw each of the sockets that are open now, or closed within the tick.
    pub rx_bytes_total: u64,
    /// The same, sent.
    pub tx_bytes_total: u64,
    /// Smallest smoothed round-trip time of its sockets, µs.
    pub rtt_least_us: Option<u32>,
    /// Largest one.
    pub rtt_most_us: Option<u32>,
    /// TCP segments retransmitted.
    pub retransmits: Option<u64>,
    /// The same over the life of the sockets.
    pub retransmits_total: u64,
    /// Bytes sent and not yet acknowledged.
    pub send_queue_bytes: u64,
    /// The process that moved the most bytes over them.
    pub owner: Option<ProcKey>,
}

impl Remote {
    fn new(address: IpAddr) -> Remote {
        Remote {
            address,
            sockets: 0,
            processes: 0,
            rx_bytes: None,
            tx_bytes: None,
            rx_bytes_total: 0,
            tx_bytes_total: 0,
            rtt_least_us: None,
            rtt_most_us: None,
            retransmits: None,
            retransmits_total: 0,
            send_queue_bytes: 0,
            owner: None,
        }
    }

    /// Adds what one process moved over a socket.
    fn add_use(&mut self, socket: &Socket, row: &SocketRow) {
        add(&mut self.rx_bytes, row.rx_bytes);
        add(&mut self.tx_bytes, row.tx_bytes);
        self.rx_bytes_total = self.rx_bytes_total.saturating_add(socket.rx_bytes);
        self.tx_bytes_total = self.tx_bytes_total.saturating_add(socket.tx_bytes);
    }

    /// Adds what TCP says of a socket, once however many processes share it.
    fn add_socket(&mut self, socket: &Socket, row: &SocketRow) {
        self.sockets += u32::from(!socket.closed);
        add(&mut self.retransmits, row.retransmits);
        let Some(tcp) = socket.tcp else { return };
        self.retransmits_total = self.retransmits_total.saturating_add(tcp.retransmits);
        if socket.closed {
            return;
        }
        self.send_queue_bytes = self.send_queue_bytes.saturating_add(tcp.send_queue_bytes.into());
        if let Some(rtt) = tcp.rtt_us {
            self.rtt_least_us = Some(self.rtt_least_us.map_or(rtt, |least| least.min(rtt)));
            self.rtt_most_us = Some(self.rtt_most_us.map_or(rtt, |most| most.max(rtt)));
        }
    }
}

fn add(sum: &mut Option<u64>, more: Option<u64>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or(0).saturating_add(more));
    }
}

/// The remotes of those sockets of a model that pass, ascending by address. Sockets that are not connected are nobody's.
pub fn remotes(model: &Model, passes: impl Fn(&Socket) -> bool) -> Vec<Remote> {
    let sockets = &model.sample.sockets;
    let known = model.sockets.iter().filter_map(|row| Some((sockets.get(row.socket as usize)?, row)));
    let mut uses: Vec<(&Socket, &SocketRow)> = known.filter(|(socket, _)| is_connected(socket) && passes(socket)).collect();
    uses.sort_unstable_by_key(|(socket, _)| (socket.remote.ip(), socket.cookie, socket.owner));
    let one = |of_address: &[(&Socket, &SocketRow)]| {
        let mut remote = Remote::new(of_address[0].0.remote.ip());
        for of_socket in of_address.chunk_by(|a, b| a.0.cookie == b.0.cookie) {
            of_socket.iter().for_each(|(socket, row)| remote.add_use(socket, row));
            remote.add_socket(of_socket[0].0, of_socket[0].1);
        }
        let owners = moved_by_owner(of_address.iter().map(|(socket, _)| *socket));
        remote.processes = owners.len() as u32;
        remote.owner = owners.into_iter().max_by_key(|(key, moved)| (*moved, Reverse(*key))).map(|(key, _)| key);
        remote
    };
    uses.chunk_by(|a, b| a.0.remote.ip() == b.0.remote.ip()).map(one).collect()
}

fn moved_by_owner<'a>(sockets: impl Iterator<Item = &'a Socket>) -> FxHashMap<ProcKey, u64> {
    let mut owners = FxHashMap::default();
    for socket in sockets {
        if let Some(owner) = socket.owner {
            let moved: &mut u64 = owners.entry(owner).or_default();
            *moved = moved.saturating_add(socket.rx_bytes).saturating_add(socket.tx_bytes);
        }
    }
    owners
}

/// It has somebody at its other end.
pub fn is_connected(socket: &Socket) -> bool {
    !socket.remote.ip().is_unspecified()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sample::{Protocol, Sample, TcpInfo};

    fn socket(cookie: u64, pid: u32, remote: &str, moved: u64) -> Socket {
        Socket {
            cookie,
            owner: (pid > 0).then_some(ProcKey { pid, start_ns: 1 }),
            protocol: Protocol::Tcp,
            state: 1,
            local: "10.0.0.1:80".parse().unwrap(),
            remote: remote.parse().unwrap(),
            netns: 1,
            tx_bytes: moved,
            rx_bytes: 2 * moved,
            tx_messages: 0,
            rx_messages: 0,
            since_ns: 0,
            tcp: Some(TcpInfo { rtt_us: Some(cookie as u32 * 100), retransmits: moved, send_queue_bytes: 5, ..TcpInfo::default() }),
            closed: false,
        }
    }

    fn model(before: &[Socket], now: &[Socket]) -> Model {
        let sample = |at_ns, sockets: &[Socket]| Sample { at_ns, sockets: sockets.to_vec(), ..Sample::default() };
        Model::between(Some(&sample(1, before)), Arc::new(sample(2, now)))
    }

    #[test]
    fn sockets_of_an_address_add_up() {
        let before = [socket(1, 7, "192.0.2.1:10", 10), socket(2, 8, "192.0.2.1:11", 10), socket(3, 7, "[2001:db8::1]:1", 0)];
        let now = [socket(1, 7, "192.0.2.1:10", 15), socket(2, 8, "192.0.2.1:11", 30), socket(3, 7, "[2001:db8::1]:1", 1)];
        let found = remotes(&model(&before, &now), |_| true);
        assert_eq!(found.iter().map(|r| r.address.to_string()).collect::<Vec<_>>(), ["192.0.2.1", "2001:db8::1"]);
        let one = &found[0];
        assert_eq!((one.sockets, one.processes, one.tx_bytes, one.rx_bytes), (2, 2, Some(25), Some(50)));
        assert_eq!((one.tx_bytes_total, one.retransmits, one.retransmits_total), (45, Some(25), 45));
        assert_eq!(one.owner, Some(ProcKey { pid: 8, start_ns: 1 }));
        assert_eq!((one.rtt_least_us, one.rtt_most_us, one.send_queue_bytes), (Some(100), Some(200), 10));
    }

    #[test]
    fn a_shared_socket_counts_once_and_its_bytes_for_each() {
        let shared = [socket(1, 7, "192.0.2.1:10", 4), socket(1, 8, "192.0.2.1:10", 6)];
        let [one] = remotes(&model(&[], &shared), |_| true)[..] else { panic!() };
        assert_eq!((one.sockets, one.processes, one.tx_bytes_total, one.send_queue_bytes), (1, 2, 10, 5));
        assert_eq!((one.tx_bytes, one.retransmits), (None, None), "first seen: growth is not known");
    }

    #[test]
    fn the_closed_leave_their_bytes_and_the_unconnected_nothing() {
        let closed = Socket { closed: true, ..socket(1, 7, "192.0.2.1:10", 4) };
        let [one] = remotes(&model(&[], &[closed, socket(2, 7, "0.0.0.0:0", 9)]), |_| true)[..] else { panic!() };
        assert_eq!((one.sockets, one.tx_bytes_total, one.rtt_most_us), (0, 4, None));
    }
}
