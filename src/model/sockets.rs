//! Growth of each socket between two samples.

use std::cell::LazyCell;

use rustc_hash::{FxHashMap, FxHashSet};

use super::remotes::is_connected;
use crate::sample::{ProcKey, Protocol, Sample, Socket};

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

/// Open TCP connections by network namespace and local port; a socket that several processes share counts once.
pub fn connections(sockets: &[Socket]) -> FxHashMap<(u32, u16), u32> {
    let is_connection = |socket: &&Socket| socket.protocol == Protocol::Tcp && !socket.closed && is_connected(socket);
    let mut seen = FxHashSet::default();
    let mut found = FxHashMap::default();
    for socket in sockets.iter().filter(is_connection).filter(|socket| seen.insert(socket.cookie)) {
        *found.entry((socket.netns, socket.local.port())).or_default() += 1;
    }
    found
}

/// Matches sockets by cookie and owner; one over which nothing had gone was nobody's for certain, and is matched by cookie alone. One
/// first seen counts from zero if ebtop saw it open after the older sample.
pub(super) fn rows(prev: Option<&Sample>, next: &Sample) -> Vec<SocketRow> {
    let older: FxHashMap<(u64, Option<ProcKey>), &Socket> =
        prev.map_or(&[][..], |p| &p.sockets).iter().filter(|s| !s.closed).map(|s| ((s.cookie, s.owner), s)).collect();
    let idle = LazyCell::new(|| -> FxHashMap<u64, &Socket> {
        older.values().filter(|socket| is_idle(socket)).map(|socket| (socket.cookie, *socket)).collect()
    });
    let row = |(index, socket): (usize, &Socket)| {
        let from_zero = prev.filter(|p| socket.since_ns > p.at_ns).map(|_| 0);
        let before = older.get(&(socket.cookie, socket.owner));
        let before = before.or_else(|| from_zero.is_none().then(|| idle.get(&socket.cookie))?);
        // TCP counts from the birth of the socket, which may lie before ebtop saw it: no growth is known at first sight.
        let tcp = before.and_then(|b| b.tcp).zip(socket.tcp);
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

/// Nobody moved anything over it since ebtop saw it first: its owner is a guess, if there is one.
fn is_idle(socket: &Socket) -> bool {
    socket.tx_bytes == 0 && socket.rx_bytes == 0 && socket.tx_messages == 0 && socket.rx_messages == 0
}
