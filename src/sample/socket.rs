//! Sockets: what each process moved over them, and what TCP says.

use serde::{Deserialize, Serialize};

use super::ProcKey;

/// Transport of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

/// TCP's own truth for one socket, cumulative, whatever path the bytes took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpInfo {
    /// Bytes the peer acknowledged.
    pub acked_bytes: u64,
    /// In-order bytes received.
    pub received_bytes: u64,
    /// Segments retransmitted.
    pub retransmits: u64,
    /// Smoothed round-trip time, µs; `None` = no sample yet.
    pub rtt_us: Option<u32>,
    /// Bytes queued and not yet acknowledged.
    pub send_queue_bytes: u32,
    /// Bytes received and not yet read; for a listener, connections waiting to be accepted.
    pub receive_queue_bytes: u32,
    /// Of a listener alone.
    pub backlog: Option<Backlog>,
}

/// Connections that a listener keeps for whoever is to accept them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backlog {
    /// Made and not yet accepted.
    pub waiting: u32,
    /// As many may wait, as `listen` was told and net.core.somaxconn allowed (one more than that finds room: the kernel compares with >).
    pub most: u32,
    /// Connections and requests for them that were turned away since it listens, for want of room or memory, or as not wanted.
    pub dropped: u32,
}

/// What one process moved over one socket. A socket shared by several processes has one of these for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// The kernel's socket cookie: never reused while the machine is up.
    pub cookie: u64,
    /// Who moved the bytes; `None` = an open socket whose owner is not known.
    pub owner: Option<ProcKey>,
    /// Transport.
    pub protocol: Protocol,
    /// TCP state number of `include/net/tcp_states.h` (1 = ESTABLISHED); 7 = CLOSE, also an unconnected UDP socket.
    pub state: u8,
    /// Local address; v4-mapped addresses are shown as v4.
    pub local: std::net::SocketAddr,
    /// Remote address; unspecified when not connected.
    pub remote: std::net::SocketAddr,
    /// Inode number of its network namespace.
    pub netns: u32,
    /// Application bytes sent by this process.
    pub tx_bytes: u64,
    /// Application bytes received by this process.
    pub rx_bytes: u64,
    /// Send calls.
    pub tx_messages: u64,
    /// Receive calls.
    pub rx_messages: u64,
    /// First seen by ebtop.
    pub since_ns: u64,
    /// TCP's counters.
    pub tcp: Option<TcpInfo>,
    /// It closed since the sample before: these are its last words.
    pub closed: bool,
}
