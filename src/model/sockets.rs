//! Growth of each socket between two samples.

use rustc_hash::FxHashMap;

use crate::sample::{ProcKey, Sample, Socket};

/// A socket's growth over the tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketRow {
    /// Index in `sample.sockets`.
    pub socket: u32,
    /// Application bytes its process sent; `None` where the start is unknown.
    pub tx_bytes: Option<u64>,
    /// Application bytes its process received.
    pub rx_bytes: Option<u64>,
    /// TCP segments retransmitted on the socket.
    pub retransmits: Option<u64>,
}

/// Matches sockets by cookie and owner. One first seen counts from zero if ebtop saw it open after the older sample.
pub(super) fn rows(prev: Option<&Sample>, next: &Sample) -> Vec<SocketRow> {
    let older: FxHashMap<(u64, Option<ProcKey>), &Socket> =
        prev.map_or(&[][..], |p| &p.sockets).iter().filter(|s| !s.closed).map(|s| ((s.cookie, s.owner), s)).collect();
    let row = |(index, socket): (usize, &Socket)| {
        let before = older.get(&(socket.cookie, socket.owner));
        // TCP counts from the birth of the socket, which may lie before ebtop saw it: no growth is known at first sight.
        let tcp = before.and_then(|b| b.tcp).zip(socket.tcp);
        let from_zero = prev.filter(|p| socket.since_ns > p.at_ns).map(|_| 0);
        let grown = |read: fn(&Socket) -> u64| Some(read(socket).saturating_sub(before.map(|b| read(b)).or(from_zero)?));
        SocketRow {
            socket: index as u32,
            tx_bytes: grown(|s| s.tx_bytes),
            rx_bytes: grown(|s| s.rx_bytes),
            retransmits: tcp.map(|(b, n)| n.retransmits.saturating_sub(b.retransmits)),
        }
    };
    next.sockets.iter().enumerate().map(row).collect()
}
