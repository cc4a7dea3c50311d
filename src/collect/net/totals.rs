//! What processes moved, over live sockets and those that are gone. Pure.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::bpf::net::types::{eb_net_head, eb_net_moved};
use crate::sample::{Counter, Counters, ProcKey};

/// Cumulative sums of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Sends.
    pub tx_messages: u64,
    /// Receives.
    pub rx_messages: u64,
    /// Segments sent again.
    pub retransmits: u64,
}

impl Sum {
    fn add(&mut self, other: Sum) {
        self.tx_bytes += other.tx_bytes;
        self.rx_bytes += other.rx_bytes;
        self.tx_messages += other.tx_messages;
        self.rx_messages += other.rx_messages;
        self.retransmits += other.retransmits;
    }

    /// As counters; retransmits stay unknown where nothing counts them.
    pub fn counters(&self, with_retransmits: bool) -> Counters {
        let mut counters = Counters::default()
            .with(Counter::TxBytes, self.tx_bytes)
            .with(Counter::RxBytes, self.rx_bytes)
            .with(Counter::TxMessages, self.tx_messages)
            .with(Counter::RxMessages, self.rx_messages);
        if with_retransmits {
            counters.set(Counter::Retransmits, self.retransmits);
        }
        counters
    }
}

impl From<&eb_net_moved> for Sum {
    fn from(moved: &eb_net_moved) -> Sum {
        Sum {
            tx_bytes: moved.tx_bytes,
            rx_bytes: moved.rx_bytes,
            tx_messages: moved.tx_messages,
            rx_messages: moved.rx_messages,
            retransmits: 0,
        }
    }
}

impl From<&eb_net_head> for Sum {
    fn from(head: &eb_net_head) -> Sum {
        Sum { retransmits: head.retransmits, ..Sum::from(&head.moved) }
    }
}

/// Totals of every process, kept from one tick to the next.
#[derive(Default)]
pub struct Totals {
    /// Sums over sockets that are gone.
    retired: FxHashMap<ProcKey, Sum>,
    /// Sums over everything, as of the running tick.
    now: FxHashMap<ProcKey, Sum>,
    /// Processes that are gone while a socket they used lives on.
    forgotten: FxHashSet<ProcKey>,
    /// The most received bytes given out, for processes that ever read past the hooks.
    floors: FxHashMap<ProcKey, u64>,
}

impl Totals {
    /// A tick begins.
    pub fn begin(&mut self) {
        self.now.clear();
    }

    /// Adds what a process moved over a live socket.
    pub fn add(&mut self, key: ProcKey, sum: Sum) {
        self.now.entry(key).or_default().add(sum);
    }

    /// Adds what a process moved over a socket that is gone; call once for each.
    pub fn retire(&mut self, key: ProcKey, sum: Sum) {
        if !self.forgotten.contains(&key) {
            self.retired.entry(key).or_default().add(sum);
        }
    }

    /// Adds bytes read past the hooks from a live socket, as of the last walk.
    pub fn add_unhooked(&mut self, key: ProcKey, bytes: u64) {
        self.now.entry(key).or_default().rx_bytes += bytes;
        if !self.forgotten.contains(&key) {
            self.floors.entry(key).or_default();
        }
    }

    /// The process is gone.
    pub fn forget(&mut self, key: ProcKey) {
        self.retired.remove(&key);
        self.floors.remove(&key);
        if self.now.contains_key(&key) {
            self.forgotten.insert(key);
        }
    }

    /// The totals of the tick, ascending by key.
    pub fn finish(&mut self, with_retransmits: bool) -> Vec<(ProcKey, Counters)> {
        let now = &mut self.now;
        self.forgotten.retain(|key| now.remove(key).is_some());
        for (key, sum) in &self.retired {
            now.entry(*key).or_default().add(*sum);
        }
        for (key, floor) in &mut self.floors {
            let Some(sum) = now.get_mut(key) else { continue };
            // Hook and walk are read one after the other: a total must not fall in between.
            sum.rx_bytes = sum.rx_bytes.max(*floor);
            *floor = sum.rx_bytes;
        }
        let mut totals: Vec<_> = now.iter().map(|(key, sum)| (*key, sum.counters(with_retransmits))).collect();
        totals.sort_unstable_by_key(|(key, _)| *key);
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ProcKey = ProcKey { pid: 7, start_ns: 1 };
    const B: ProcKey = ProcKey { pid: 3, start_ns: 2 };

    fn rx(rx_bytes: u64) -> Sum {
        Sum { rx_bytes, ..Sum::default() }
    }

    fn finish(totals: &mut Totals) -> Vec<(u32, Option<u64>)> {
        totals.finish(true).iter().map(|(k, c)| (k.pid, c.get(Counter::RxBytes))).collect()
    }

    #[test]
    fn a_total_is_the_sum_of_live_and_gone_sockets_in_key_order() {
        let mut totals = Totals::default();
        totals.begin();
        totals.add(A, rx(5));
        totals.add(A, rx(6));
        totals.retire(A, rx(100));
        totals.retire(B, rx(1));
        assert_eq!(finish(&mut totals), [(3, Some(1)), (7, Some(111))]);
        totals.begin();
        assert_eq!(finish(&mut totals), [(3, Some(1)), (7, Some(100))]);
    }

    #[test]
    fn a_forgotten_process_stays_away_though_its_socket_lives_on_and_ends_later() {
        let mut totals = Totals::default();
        totals.begin();
        totals.add(A, rx(5));
        totals.retire(A, rx(9));
        finish(&mut totals);
        totals.forget(A);
        totals.begin();
        totals.add(A, rx(5));
        assert_eq!(finish(&mut totals), []);
        totals.begin();
        totals.retire(A, rx(5));
        assert_eq!(finish(&mut totals), []);
        assert!(totals.forgotten.is_empty() && totals.retired.is_empty());
    }

    #[test]
    fn a_forgotten_process_leaves_no_floor_though_its_socket_is_still_read_past_the_hooks() {
        let mut totals = Totals::default();
        for _ in 0..3 {
            totals.begin();
            totals.add(A, rx(5));
            totals.add_unhooked(A, 90);
            finish(&mut totals);
            totals.forget(A);
        }
        assert!(totals.floors.is_empty());
    }

    #[test]
    fn received_bytes_never_fall_while_hook_and_walk_catch_up() {
        let mut totals = Totals::default();
        for (hooked, unhooked, expected) in [(10, 90, 100), (60, 30, 100), (110, 0, 110)] {
            totals.begin();
            totals.add(A, rx(hooked));
            if unhooked > 0 {
                totals.add_unhooked(A, unhooked);
            }
            assert_eq!(finish(&mut totals), [(7, Some(expected))]);
        }
    }

    #[test]
    fn retransmits_are_unknown_where_nothing_counts_them() {
        let mut totals = Totals::default();
        totals.begin();
        totals.add(A, rx(1));
        assert_eq!(totals.finish(false)[0].1.get(Counter::Retransmits), None);
        totals.begin();
        totals.add(A, Sum { retransmits: 4, ..rx(1) });
        assert_eq!(totals.finish(true)[0].1.get(Counter::Retransmits), Some(4));
    }
}
