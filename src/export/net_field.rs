//! The fields of listeners, remote addresses and network interfaces in JSON and CSV output; see [`super::field`].

use super::field::{Raw, SOCKET, SocketField};
use crate::app::column::{InterfaceView, RemoteView};
use crate::sample::InterfaceCounters;

/// A named value of a remote address.
pub type RemoteField = (&'static str, for<'a> fn(&RemoteView<'a>) -> Raw<'a>);

/// A named value of a network interface.
pub type InterfaceField = (&'static str, for<'a> fn(&InterfaceView<'a>) -> Raw<'a>);

/// What is said of each listener, of the fields of sockets.
const LISTENER: [&str; 13] = [
    "cookie",
    "pid",
    "start_ns",
    "comm",
    "cmdline",
    "user",
    "local",
    "netns",
    "backlog",
    "backlog_max",
    "backlog_dropped_total",
    "connections",
    "since_ns",
];

/// The fields of listeners.
pub fn listener() -> Vec<SocketField> {
    LISTENER.iter().filter_map(|name| SOCKET.iter().find(|(field, _)| field == name)).copied().collect()
}

/// What is said of each remote address.
pub static REMOTE: &[RemoteField] = &[
    ("remote", |r| r.remote.address.to_string().into()),
    ("sockets", |r| r.remote.sockets.into()),
    ("processes", |r| r.remote.processes.into()),
    ("pid", |r| r.remote.owner.map(|key| key.pid).into()),
    ("start_ns", |r| r.remote.owner.map(|key| key.start_ns).into()),
    ("comm", |r| r.task.map(|task| task.comm).into()),
    ("rx_bytes", |r| r.remote.rx_bytes.into()),
    ("tx_bytes", |r| r.remote.tx_bytes.into()),
    ("rx_bytes_total", |r| r.remote.rx_bytes_total.into()),
    ("tx_bytes_total", |r| r.remote.tx_bytes_total.into()),
    ("rtt_min_us", |r| r.remote.rtt_least_us.into()),
    ("rtt_max_us", |r| r.remote.rtt_most_us.into()),
    ("retransmits", |r| r.remote.retransmits.into()),
    ("retransmits_total", |r| r.remote.retransmits_total.into()),
    ("send_queue_bytes", |r| r.remote.send_queue_bytes.into()),
];

/// What is said of each network interface.
pub static INTERFACE: &[InterfaceField] = &[
    ("interface", |i| i.interface.name.as_str().into()),
    ("state", |i| Some(i.interface.state.as_str()).filter(|state| !state.is_empty()).into()),
    ("speed_mbit", |i| i.interface.speed_mbit.into()),
    ("rx_bytes", |i| grown(i, |c| c.rx_bytes)),
    ("tx_bytes", |i| grown(i, |c| c.tx_bytes)),
    ("rx_packets", |i| grown(i, |c| c.rx_packets)),
    ("tx_packets", |i| grown(i, |c| c.tx_packets)),
    ("rx_errors", |i| grown(i, |c| c.rx_errors)),
    ("tx_errors", |i| grown(i, |c| c.tx_errors)),
    ("rx_dropped", |i| grown(i, |c| c.rx_dropped)),
    ("tx_dropped", |i| grown(i, |c| c.tx_dropped)),
    ("rx_bytes_total", |i| i.interface.counters.rx_bytes.into()),
    ("tx_bytes_total", |i| i.interface.counters.tx_bytes.into()),
    ("rx_packets_total", |i| i.interface.counters.rx_packets.into()),
    ("tx_packets_total", |i| i.interface.counters.tx_packets.into()),
    ("rx_errors_total", |i| i.interface.counters.rx_errors.into()),
    ("tx_errors_total", |i| i.interface.counters.tx_errors.into()),
    ("rx_dropped_total", |i| i.interface.counters.rx_dropped.into()),
    ("tx_dropped_total", |i| i.interface.counters.tx_dropped.into()),
];

fn grown(view: &InterfaceView<'_>, read: fn(&InterfaceCounters) -> u64) -> Raw<'static> {
    view.growth.as_ref().map(read).into()
}
