//! Makes the tree of the samples in view, and the facts about them.

use rustc_hash::FxHashMap;

use super::compare::Compare;
use super::{Names, StacksView};
use crate::export::profile::{Profile, ProfileStack};
use crate::model::stacks::{Measure, Scope, Stack, StackHistory, StackUse, Window};
use crate::sample::{Comm, Health, ProcKey, StackQuality};

/// Facts about the samples shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Times that something was sampled.
    pub samples: u64,
    /// What they add up to, in the unit of the measure.
    pub value: u64,
    /// The same by `StackQuality`: why stacks are cut.
    pub by_quality: [u64; StackQuality::ALL.len()],
    /// Samples lost on the machine in this span.
    pub lost: u64,
    /// When the newest were taken, ns since boot.
    pub at_ns: u64,
    /// How much of the span there is, ns.
    pub covered_ns: u64,
    /// Length of what they are compared with, ns.
    pub before_ns: u64,
    /// Samples in the whole history, where the span has none.
    pub older: u64,
    /// Rate of the sampling timer on each CPU; 0 = off.
    pub hz: u32,
    /// How sampling is doing; `None` before the first tick.
    pub health: Option<Health>,
    /// What sampling costs, in words.
    pub cost: Option<String>,
    /// Addresses whose names are not known yet; without those of processes that do not answer.
    pub pending: usize,
    /// Why some names are missing.
    pub reason: Option<String>,
}

impl StacksView {
    /// Makes everything anew of the samples that there are now.
    pub(super) fn make(&mut self, history: &StackHistory, names: &Names) {
        if std::mem::take(&mut self.marks) {
            let baseline = history.window(&self.scope, self.measure, self.span.ns()).keep();
            self.compare = Compare::Mark(history.newest_ns(), Box::new(baseline));
        }
        let (ns, before) = self.compared(history);
        let window = history.between(&self.scope, self.measure, ns);
        self.tree.update(&window, before.as_ref(), names);
        if let Some(callers) = &mut self.callers {
            callers.tree = self.tree.callers_of(&callers.function);
        }
        if let Some(listing) = &mut self.listing {
            listing.processes = history.processes(self.measure);
        }
        self.missing = self.tree.missing();
        let is_empty = window.value == 0;
        self.summary = Summary {
            samples: window.count,
            value: window.value,
            by_quality: window.by_quality,
            lost: window.lost,
            at_ns: history.newest_ns(),
            covered_ns: window.covered_ns,
            before_ns: before.map_or(0, |before| before.covered_ns),
            older: if is_empty { history.window(&self.scope, self.measure, u64::MAX).count } else { 0 },
            hz: history.hz(),
            health: history.status(self.measure).map(|status| status.health.clone()),
            cost: history.status(self.measure).and_then(|status| status.cost.clone()),
            pending: self.missing.iter().filter(|m| m.key.is_none_or(|key| !names.is_silent(key))).count(),
            reason: reason(&self.scope, &window, names),
        };
        self.settle();
    }
}

impl StacksView {
    /// The samples in view, without what they are compared with, and with the names known by now; `now_ms`: Unix time of the newest.
    pub fn profile(&self, history: &StackHistory, names: &Names, now_ms: u64) -> Profile {
        let (ns, _) = self.compared(history);
        let window = history.between(&self.scope, self.measure, ns);
        let named = |used: &StackUse<'_>| {
            let waker = used.stack.waker.clone().filter(|_| self.shows_wakers());
            ProfileStack::new(&Stack { waker, ..(**used.stack).clone() }, (used.count, used.value), None, names)
        };
        let mut stacks: Vec<_> = window.stacks.iter().map(named).collect();
        stacks.sort_by_key(|stack| (stack.key, stack.tid, std::cmp::Reverse(stack.value)));
        Profile {
            title: self.title.clone(),
            measure: self.measure,
            hz: if self.measure == Measure::OnCpu { history.hz() } else { 0 },
            began_unix_ms: now_ms.saturating_sub(window.covered_ns / 1_000_000),
            duration_ns: window.covered_ns,
            lost: window.lost,
            stacks,
        }
    }
}

/// Why names are missing; of several processes, in the one with most samples.
fn reason(scope: &Scope, window: &Window, names: &Names) -> Option<String> {
    if let Some(key) = scope.process() {
        return names.reason(Some(key)).map(str::to_string);
    }
    let mut values: FxHashMap<ProcKey, (u64, Comm)> = FxHashMap::default();
    for used in &window.stacks {
        values.entry(used.stack.key).or_insert((0, used.stack.process)).0 += used.value;
    }
    let hottest = values.into_iter().max_by_key(|(key, (value, _))| (*value, *key));
    let of_hottest = hottest.and_then(|(key, (_, name))| Some(format!("{name} ({}): {}", key.pid, names.own_reason(key)?)));
    of_hottest.or_else(|| names.reason(None).map(str::to_string))
}
