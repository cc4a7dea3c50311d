//! The columns of the table of remote addresses.

use super::value::{Value, Value::*, bytes, known};
use super::{Columns, Spec, columns, num, size, time, word};
use crate::model::Model;
use crate::model::remotes::Remote;
use crate::sample::Task;

/// A line of a table of remote addresses.
#[derive(Clone, Copy, Debug)]
pub struct RemoteView<'a> {
    /// Its figures.
    pub remote: Remote,
    /// The process that moved the most, if it lives.
    pub task: Option<&'a Task>,
    /// Length of the tick; 0 = no rates.
    pub elapsed_ns: u64,
}

impl<'a> RemoteView<'a> {
    /// A remote of the model.
    pub fn new(model: &'a Model, remote: Remote) -> Self {
        let task = remote.owner.and_then(|key| model.owner(key));
        RemoteView { remote, task, elapsed_ns: model.elapsed_ns }
    }

    /// Growth as a rate.
    fn per_sec(&self, growth: Option<u64>) -> Option<f64> {
        growth.filter(|_| self.elapsed_ns > 0).map(|g| g as f64 * 1e9 / self.elapsed_ns as f64)
    }
}

columns! {
    /// A column of a table of remote addresses.
    pub enum RemoteColumn(row: RemoteView)
    Sockets: num("CONN", "conn", &["sockets"], 6, 205),
        "Sockets that are open to the address; one that several processes share counts once."
        => Count(row.remote.sockets.into());
    Processes: num("PROCS", "procs", &["processes"], 5, 90),
        "Processes that are known to use those sockets."
        => Count(row.remote.processes.into());
    Rx: size("RX/s", "rx", &["rx_bytes"], 6, 220),
        "Application bytes a second received from the address over TCP and connected UDP; peeks excluded."
        => known(row.per_sec(row.remote.rx_bytes), BytesPerSec);
    Tx: size("TX/s", "tx", &["tx_bytes"], 6, 219),
        "Application bytes a second sent to the address over TCP and connected UDP."
        => known(row.per_sec(row.remote.tx_bytes), BytesPerSec);
    RxTotal: size("RX", "rxtotal", &["rx_bytes_total"], 5, 180),
        "Application bytes received over the sockets that are open now, since ebtop first saw each. What closed is no longer in it."
        => bytes(Some(row.remote.rx_bytes_total));
    TxTotal: size("TX", "txtotal", &["tx_bytes_total"], 5, 179),
        "Application bytes sent over the sockets that are open now, since ebtop first saw each. What closed is no longer in it."
        => bytes(Some(row.remote.tx_bytes_total));
    RttLeast: time("RTT", "rtt", &["rtt_min_us"], 6, 200),
        "Smallest of TCP's smoothed round-trip times among its sockets: the distance. Blank without a measurement."
        => known(row.remote.rtt_least_us, Micros);
    RttMost: time("RTTMAX", "rttmax", &["rtt_max_us"], 6, 170),
        "Largest of TCP's smoothed round-trip times among its sockets: far above RTT, something queues on one of them."
        => known(row.remote.rtt_most_us, Micros);
    Retransmits: num("RETR/s", "retr", &["retransmits"], 6, 190),
        "TCP segments a second that were sent to the address again."
        => known(row.per_sec(row.remote.retransmits), PerSec);
    RetransmitsTotal: num("RETRS", "retrtotal", &["retransmits_total"], 5, 120),
        "TCP segments sent to the address again over the lives of the sockets that are open now."
        => Count(row.remote.retransmits_total as f64);
    SendQueue: size("SENDQ", "sendq", &["send_queue_bytes"], 5, 130),
        "Bytes sent to the address and not yet acknowledged."
        => bytes(Some(row.remote.send_queue_bytes));
    By: word("BY", "by", &["comm"], 15, 195),
        "Name of the process that moved the most bytes to and from the address; PROCS tells whether there are others."
        => known(row.task, |task| Text(task.comm.to_string().into()));
    Command: word("REMOTE", "remote", &["remote"], 20, 255),
        "Address at the other end, as a number: ebtop asks no name server. v4-mapped addresses are shown as v4."
        => Text(row.remote.address.to_string().into());
}
