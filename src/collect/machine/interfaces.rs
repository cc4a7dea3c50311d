//! Bytes on the wire, from /proc/net/dev.

use std::path::Path;

/// Interfaces of this network namespace, and which of them count.
///
/// A packet that a container sends passes its veth, a bridge and the network card; it was on the wire once. So only interfaces
/// with hardware under them count, and of two that are one (a virtual function below a synthetic card) the upper. A namespace
/// without hardware, as in a container, counts all but loopback.
#[derive(Default)]
pub(super) struct Interfaces {
    known: Vec<(String, bool)>,
}

impl Interfaces {
    /// Bytes received and sent.
    pub(super) fn sum(&mut self, net_dev: &str) -> (u64, u64) {
        if !rows(net_dev).map(|row| row.name).eq(self.known.iter().map(|(name, _)| name.as_str())) {
            self.known = rows(net_dev).map(|row| (row.name.to_owned(), is_wire(Path::new("/sys/class/net"), row.name))).collect();
        }
        let hardware = self.known.iter().any(|&(_, wire)| wire);
        let counted = rows(net_dev).zip(&self.known).filter(|(_, (_, wire))| *wire || !hardware).map(|(row, _)| row);
        counted.fold((0, 0), |(rx, tx), row| (rx.saturating_add(row.rx_bytes), tx.saturating_add(row.tx_bytes)))
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
        assert_eq!(interfaces.sum("none-such1:1 1 0 0 0 0 0 0 2 1"), (1, 2));
    }

    #[test]
    fn with_hardware_only_that_counts() {
        let known = [("none-such0", false), ("none-such1", true)].map(|(name, wire)| (name.to_owned(), wire)).into();
        assert_eq!(Interfaces { known }.sum(NET_DEV), (1, 2));
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
