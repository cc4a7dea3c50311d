//! Growth of each network interface between two samples.

use std::cell::LazyCell;

use rustc_hash::FxHashMap;

use crate::sample::{Interface, InterfaceCounters, Sample};

/// What each interface gained, in the order of the newer sample; `None` for one that was not there before, or was made anew.
pub(super) fn growth(prev: Option<&Sample>, next: &Sample) -> Vec<Option<InterfaceCounters>> {
    let older = prev.map_or(&[][..], |p| &p.machine.interfaces);
    // Interfaces seldom come or go: most stand where they stood. Where one went, thousands behind it may have moved.
    let by_name = LazyCell::new(|| older.iter().map(|before| (before.name.as_str(), before)).collect::<FxHashMap<_, _>>());
    let growth = |(at, now): (usize, &Interface)| {
        let before = older.get(at).filter(|before| before.name == now.name);
        gained(before.or_else(|| by_name.get(now.name.as_str()).copied())?, now)
    };
    next.machine.interfaces.iter().enumerate().map(growth).collect()
}

fn gained(before: &Interface, now: &Interface) -> Option<InterfaceCounters> {
    let (b, n) = (&before.counters, &now.counters);
    Some(InterfaceCounters {
        rx_bytes: n.rx_bytes.checked_sub(b.rx_bytes)?,
        rx_packets: n.rx_packets.checked_sub(b.rx_packets)?,
        rx_errors: n.rx_errors.checked_sub(b.rx_errors)?,
        rx_dropped: n.rx_dropped.checked_sub(b.rx_dropped)?,
        tx_bytes: n.tx_bytes.checked_sub(b.tx_bytes)?,
        tx_packets: n.tx_packets.checked_sub(b.tx_packets)?,
        tx_errors: n.tx_errors.checked_sub(b.tx_errors)?,
        tx_dropped: n.tx_dropped.checked_sub(b.tx_dropped)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(interfaces: &[(&str, u64)]) -> Sample {
        let interface = |&(name, rx_bytes): &(&str, u64)| Interface {
            name: name.into(),
            counters: InterfaceCounters { rx_bytes, ..InterfaceCounters::default() },
            ..Interface::default()
        };
        let mut sample = Sample::default();
        sample.machine.interfaces = interfaces.iter().map(interface).collect();
        sample
    }

    #[test]
    fn those_that_come_go_or_start_anew_make_no_jump() {
        let before = sample(&[("lo", 10), ("gone", 5), ("eth0", 100), ("veth1", 1 << 40)]);
        let now = sample(&[("lo", 15), ("eth0", 100), ("veth1", 3), ("veth2", 7)]);
        let rx: Vec<_> = growth(Some(&before), &now).into_iter().map(|g| g.map(|g| g.rx_bytes)).collect();
        assert_eq!(rx, [Some(5), Some(0), None, None]);
        assert_eq!(growth(None, &now), [None; 4]);
    }
}
