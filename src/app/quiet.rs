//! How long nobody has moved a byte over the network, and in which order the Network view has processes then: else it would be a list of
//! everything that runs, kernel threads first.

use super::App;
use super::column::{Column, Value};
use super::net::NetTable;
use super::view::View;
use crate::format;
use crate::model::{Departed, Model};
use crate::sample::{Counter, Task};

/// A pause as long as this is told; shorter ones are between two requests.
const LONG_NS: u64 = 5_000_000_000;

/// Less than nothing: stands below all that moved something once, and in a sum takes nothing that shows from others.
const NEVER: f64 = -1e-6;

/// When the last bytes were seen, or the counting began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quiet {
    since_ns: Option<u64>,
    /// Nothing was seen since the counting began.
    from_the_start: bool,
}

impl Quiet {
    /// Takes in a tick.
    pub(super) fn tick(&mut self, model: &Model) {
        let moved = |get: &dyn Fn(Counter) -> Option<u64>| Some(get(Counter::RxBytes)?.saturating_add(get(Counter::TxBytes)?));
        let of = |row| {
            let growth = model.growth(row);
            moved(&|counter| growth.get(counter))
        };
        let of_departed = |departed: &Departed| moved(&|counter| departed.delta.get(counter));
        let has_moved = |bytes: Option<u64>| bytes.is_some_and(|bytes| bytes > 0);
        if model.grown().any(|row| has_moved(of(row))) || model.departed.iter().any(|departed| has_moved(of_departed(departed))) {
            *self = Quiet { since_ns: Some(model.sample.at_ns), from_the_start: false };
        } else if !model.rows.iter().any(|row| of(row).is_some()) {
            // Nobody counts, or nobody has counted for a tick yet.
            *self = Quiet::default();
        } else if self.since_ns.is_none() {
            *self = Quiet { since_ns: Some(model.sample.at_ns.saturating_sub(model.elapsed_ns)), from_the_start: true };
        }
    }
}

/// What a process is sorted by in the Network view, the largest first: of those that move nothing, those that did so before stand first, and
/// kernel threads last.
pub(super) fn rank<'a>(column: Column, value: Value<'a>, task: &Task) -> Value<'a> {
    use Column::{Messages, Net, Retransmits, Rx, RxTotal, Tx, TxTotal};
    let is_of_net = matches!(column, Messages | Net | Retransmits | Rx | RxTotal | Tx | TxTotal);
    let moved = |counter| task.counters.get(counter).unwrap_or(0) > 0;
    match value.number() {
        Some(0.0) if is_of_net && task.kernel_thread => Value::Unknown,
        Some(0.0) if is_of_net && !moved(Counter::RxBytes) && !moved(Counter::TxBytes) => rank_of_exited(value),
        _ => value,
    }
}

/// The same of what exited: those that moved nothing are worth no place above.
pub(super) fn rank_of_exited(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Bytes(0.0) => Value::Bytes(NEVER),
        Value::BytesPerSec(0.0) => Value::BytesPerSec(NEVER),
        Value::PerSec(0.0) => Value::PerSec(NEVER),
        value => value,
    }
}

impl App {
    /// Above the processes of the Network view, where nobody has moved a byte for a while: since when. The footer says where to look instead.
    pub fn quiet_words(&self) -> Option<String> {
        if self.view() != View::Network || self.net_table() != NetTable::Processes || self.end().is_some() {
            return None;
        }
        let now_ns = self.model().sample.at_ns;
        let ns = now_ns.saturating_sub(self.quiet.since_ns?);
        if ns < LONG_NS {
            return None;
        }
        let ago = format::duration(ns, 5);
        Some(match self.quiet.from_the_start {
            true => format!("No bytes over TCP or UDP since ebtop began, {ago} ago"),
            false => format!("No bytes over TCP or UDP for {ago}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Counters;

    #[test]
    fn who_moved_something_before_stands_above_who_never_did_and_kernel_threads_are_last() {
        let task = |rx: u64, kernel_thread| {
            let counters = Counters::default().with(Counter::RxBytes, rx).with(Counter::TxBytes, 0);
            Task { counters, kernel_thread, ..Task::default() }
        };
        let of = |task: &Task, value: f64| rank(Column::Rx, Value::BytesPerSec(value), task);
        assert_eq!(of(&task(5, false), 0.0), Value::BytesPerSec(0.0));
        assert_eq!(of(&task(0, false), 0.0), Value::BytesPerSec(NEVER));
        assert_eq!(of(&task(0, false), 0.0).plus(&Value::BytesPerSec(900.0)).cell(6), Value::BytesPerSec(900.0).cell(6), "in a sum");
        assert_eq!(of(&task(0, true), 0.0), Value::Unknown);
        assert_eq!(of(&task(9, true), 9.0), Value::BytesPerSec(9.0));
        assert_eq!(rank(Column::CpuPct, Value::Percent(0.0), &task(0, true)), Value::Percent(0.0));
    }
}
