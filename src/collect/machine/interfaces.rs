//! Bytes on the wire, from /proc/net/dev.

use std::path::Path;

/// Interfaces of this network namespace, and which of them count.
///
/// A packet that a container sends passes its veth, a bridge and the network card; it was on the wire once. So only interfaces
/// with hardware under them count, and of two that are one (a virtual function below a synthetic card) the upper. A namespace
/// without hardware, as in a container, counts all but loopback.
///
/// An interface that appears brings counters of the time before: of it only what it gains from then on counts. One that goes, or
/// starts anew under the same name, takes nothing away.
#[derive(Default)]
pub(super) struct Interfaces {
    known: Vec<Known>,
    /// What all of them have counted so far; `None` before the first reading.
    total: Option<(u64, u64)>,
}

struct Known {
    name: String,
    is_wire: bool,
    rx_bytes: u64,
    tx_bytes: u64,
}

impl Interfaces {
    /// Bytes received and sent.
    pub(super) fn sum(&mut self, net_dev: &str) -> (u64, u64) {
        let rows: Vec<_> = rows(net_dev).collect();
        let same = rows.iter().map(|row| row.name).eq(self.known.iter().map(|known| known.name.as_str()));
        let before = std::mem::take(&mut self.known);
        let is_known_wire = |i: usize, name| if same { before[i].is_wire } else { is_wire(Path::new("/sys/class/net"), name) };
        let wires: Vec<bool> = rows.iter().enumerate().map(|(i, row)| is_known_wire(i, row.name)).collect();
        let hardware = wires.contains(&true);
        let (mut rx, mut tx) = self.total.unwrap_or_default();
        for (row, _) in rows.iter().zip(&wires).filter(|(_, wire)| **wire || !hardware) {
            let (rx_from, tx_from) = match before.iter().find(|known| known.name == row.name) {
                Some(known) if known.rx_bytes <= row.rx_bytes && known.tx_bytes <= row.tx_bytes => (known.rx_bytes, known.tx_bytes),
                None if self.total.is_none() => (0, 0),
                _ => (row.rx_bytes, row.tx_bytes),
            };
            rx = rx.saturating_add(row.rx_bytes - rx_from);
            tx = tx.saturating_add(row.tx_bytes - tx_from);
        }
        let known =
            |(row, is_wire): (&Row<'_>, bool)| Known { name: row.name.to_owned(), is_wire, rx_bytes: row.rx_bytes, tx_bytes: row.tx_bytes };
        self.known = rows.iter().zip(wires).map(known).collect();
        *self.total.insert((rx, tx))
    }
}

struct Row<'a> {
    name: &'a str,
    rx_bytes: u64,
    tx_bytes: u64,
}

/// The interfaces but loopback.
fn rows(net_dev: &str) -> impl Iterator<Item = Row<'_>> {
    net_dev.lines().filter_map(row).filter(|row| row.name != "lo")
}

/// `name: rx_bytes packets errs drop fifo frame compressed multicast tx_bytes …`; the two header lines have no colon.
fn row(line: &str) -> Option<Row<'_>> {
    let (name, counters) = line.rsplit_once(':')?;
    let mut counters = counters.split_ascii_whitespace().map(str::parse);
    Some(Row { name: name.trim(), rx_bytes: counters.next()?.ok()?, tx_bytes: counters.nth(7)?.ok()? })
}

/// Has hardware, and no upper interface with hardware that counts the same bytes.
fn is_wire(class: &Path, name: &str) -> bool {
    let interface = class.join(name);
    interface.join("device").exists() && !interface.join("master/device").exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs::create_dir_all;

    const NET_DEV: &str = "Inter-|   Receive                   |  Transmit\n face |bytes packets errs|bytes packets\n    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0\n  none-such0: 100 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\nnone-such1:1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n";

    #[test]
    fn without_hardware_all_but_loopback_count() {
        let mut interfaces = Interfaces::default();
        assert_eq!(interfaces.sum(NET_DEV), (101, 22));
    }

    #[test]
    fn those_that_come_and_go_make_no_jump() {
        let line = |name: &str, rx: u64, tx: u64| format!("{name}:{rx} 1 0 0 0 0 0 0 {tx} 1\n");
        let mut interfaces = Interfaces::default();
        let first = line("none-such0", 1000, 500);
        assert_eq!(interfaces.sum(&first), (1000, 500));
        assert_eq!(interfaces.sum(&(first.clone() + &line("none-such1", 1 << 40, 1 << 39))), (1000, 500), "its past is not of this tick");
        assert_eq!(interfaces.sum(&(first.clone() + &line("none-such1", (1 << 40) + 7, 1 << 39))), (1007, 500));
        assert_eq!(interfaces.sum(&line("none-such0", 1001, 500)), (1008, 500), "one that goes takes nothing away");
        assert_eq!(interfaces.sum(&line("none-such0", 3, 1)), (1008, 500), "made anew under the same name");
        assert_eq!(interfaces.sum(&line("none-such0", 5, 2)), (1010, 501));
    }

    #[test]
    fn with_hardware_only_that_counts() {
        let known = |name: &str, is_wire| Known { name: name.to_owned(), is_wire, rx_bytes: 0, tx_bytes: 0 };
        let known = vec![known("none-such0", false), known("none-such1", true)];
        assert_eq!(Interfaces { known, total: Some((0, 0)) }.sum(NET_DEV), (1, 2));
    }

    #[test]
    fn a_function_below_a_card_does_not_count_twice() {
        let class = tempfile::tempdir().unwrap();
        for path in ["card/device", "function/device", "function/master/device", "port/device", "port/master", "bridge"] {
            create_dir_all(class.path().join(path)).unwrap();
        }
        let wire = |name| is_wire(class.path(), name);
        assert_eq!([wire("card"), wire("function"), wire("port"), wire("bridge")], [true, false, true, false]);
    }

    proptest! {
        #[test]
        fn odd_text_never_panics(text in "( {0,2}[a-z:]{0,5}:( [0-9x]{0,21}){0,12}\n|\\PC{0,20}\n){0,8}") {
            Interfaces::default().sum(&text);
        }
    }
}
