//! Network interfaces of ebtop's own network namespace.

use serde::{Deserialize, Serialize};

/// What an interface counted since it was made, as /proc/net/dev tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceCounters {
    /// Bytes received, with what the link adds to them.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets received broken.
    pub rx_errors: u64,
    /// Packets received and dropped: no room, or a protocol that nobody listens to.
    pub rx_dropped: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets dropped before they were sent.
    pub tx_dropped: u64,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name, fit for a terminal.
    pub name: String,
    /// `up`, `down`, `unknown` (as of loopback) …, as /sys/class/net/NAME/operstate says; empty where it does not.
    pub state: String,
    /// Megabits a second that the link agreed on; `None` where there is no link or the driver does not tell.
    pub speed_mbit: Option<u32>,
    /// What it counted.
    pub counters: InterfaceCounters,
}
