//! The columns of the table of network interfaces.

use super::value::{Value, Value::*, bytes, known};
use super::{Columns, Spec, columns, num, share, size, word};
use crate::model::Model;
use crate::sample::{Interface, InterfaceCounters};

/// A line of a table of network interfaces.
#[derive(Clone, Copy, Debug)]
pub struct InterfaceView<'a> {
    /// The interface.
    pub interface: &'a Interface,
    /// What it gained over the tick, where that is known.
    pub growth: Option<InterfaceCounters>,
    /// Length of the tick; 0 = no rates.
    pub elapsed_ns: u64,
}

impl<'a> InterfaceView<'a> {
    /// An interface of the model, by its index in the sample.
    pub fn new(model: &'a Model, index: usize) -> Option<Self> {
        let interface = model.sample.machine.interfaces.get(index)?;
        Some(InterfaceView { interface, growth: *model.interfaces.get(index)?, elapsed_ns: model.elapsed_ns })
    }

    /// Growth of a counter, a second.
    fn per_sec(&self, read: fn(&InterfaceCounters) -> u64) -> Option<f64> {
        let growth = self.growth.as_ref().filter(|_| self.elapsed_ns > 0)?;
        Some(read(growth) as f64 * 1e9 / self.elapsed_ns as f64)
    }

    fn per_sec_of_both(&self, a: fn(&InterfaceCounters) -> u64, b: fn(&InterfaceCounters) -> u64) -> Option<f64> {
        Some(self.per_sec(a)? + self.per_sec(b)?)
    }

    /// Bits a second, of 100 that the link can carry.
    fn percent_of_speed(&self, read: fn(&InterfaceCounters) -> u64) -> Option<f64> {
        Some(self.per_sec(read)? * 8.0 / 1e6 / f64::from(self.interface.speed_mbit?) * 100.0)
    }
}

columns! {
    /// A column of a table of network interfaces.
    pub enum InterfaceColumn(row: InterfaceView)
    State: word("STATE", "state", &["state"], 8, 160),
        "up, down, or unknown where there is no link to speak of, as of loopback (operstate in /sys/class/net)."
        => if row.interface.state.is_empty() { Unknown } else { Text(row.interface.state.as_str().into()) };
    Speed: num("BIT/s", "speed", &["speed_mbit"], 6, 150),
        "Bits a second that the link agreed on, 1G = 1,000,000,000; blank where there is none, or where the driver does not tell."
        => known(row.interface.speed_mbit, |mbit| Count(f64::from(mbit) * 1e6));
    Rx: size("RX/s", "rx", &["rx_bytes"], 6, 230),
        "Bytes a second received, headers included. Of this network namespace, from /proc/net/dev."
        => known(row.per_sec(|c| c.rx_bytes), BytesPerSec);
    Tx: size("TX/s", "tx", &["tx_bytes"], 6, 229),
        "Bytes a second sent, headers included."
        => known(row.per_sec(|c| c.tx_bytes), BytesPerSec);
    RxUse: share("RX%", "rxuse", &["rx_bytes", "speed_mbit"], 5, 190),
        "Received bits as a share of what the link can carry; blank where its speed is not known."
        => known(row.percent_of_speed(|c| c.rx_bytes), Percent);
    TxUse: share("TX%", "txuse", &["tx_bytes", "speed_mbit"], 5, 189),
        "Sent bits as a share of what the link can carry; blank where its speed is not known."
        => known(row.percent_of_speed(|c| c.tx_bytes), Percent);
    RxPackets: num("RXPK/s", "rxpk", &["rx_packets"], 6, 210),
        "Packets a second received. Where the card joins packets (GRO), the joined ones count once."
        => known(row.per_sec(|c| c.rx_packets), PerSec);
    TxPackets: num("TXPK/s", "txpk", &["tx_packets"], 6, 209),
        "Packets a second sent. Where the card cuts packets (TSO), some drivers count what it got, others what it sent."
        => known(row.per_sec(|c| c.tx_packets), PerSec);
    Errors: num("ERR/s", "err", &["rx_errors", "tx_errors"], 5, 200),
        "Broken packets received, and packets that could not be sent, a second."
        => known(row.per_sec_of_both(|c| c.rx_errors, |c| c.tx_errors), PerSec);
    Dropped: num("DROP/s", "drop", &["rx_dropped", "tx_dropped"], 6, 199),
        "Packets a second dropped on their way in (no room, or a protocol that nobody listens to) or out."
        => known(row.per_sec_of_both(|c| c.rx_dropped, |c| c.tx_dropped), PerSec);
    RxTotal: size("RX", "rxtotal", &["rx_bytes_total"], 5, 100),
        "Bytes received since the interface was made."
        => bytes(Some(row.interface.counters.rx_bytes));
    TxTotal: size("TX", "txtotal", &["tx_bytes_total"], 5, 99),
        "Bytes sent since the interface was made."
        => bytes(Some(row.interface.counters.tx_bytes));
    ErrorsTotal: num("ERR", "errtotal", &["rx_errors_total", "tx_errors_total"], 5, 110),
        "Broken packets received and packets that could not be sent, since the interface was made."
        => Count(row.interface.counters.rx_errors.saturating_add(row.interface.counters.tx_errors) as f64);
    DroppedTotal: num("DROP", "droptotal", &["rx_dropped_total", "tx_dropped_total"], 5, 109),
        "Packets dropped on their way in or out, since the interface was made."
        => Count(row.interface.counters.rx_dropped.saturating_add(row.interface.counters.tx_dropped) as f64);
    Command: word("INTERFACE", "interface", &["interface"], 10, 255),
        "Name of the interface."
        => Text(row.interface.name.as_str().into());
}
