//! Equal stacks of the whole span, each once.

use std::collections::hash_map::Entry;
use std::mem::size_of;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::stacks::{Measure, Missing, Naming, Stack};
use crate::sample::{Comm, ProcKey, Sample, StackCount, Waker};

/// Bytes that stacks may take: some hundred thousand distinct ones.
const BYTES_MAX: usize = 128 << 20;

/// Distinct stacks, and the addresses in them that have no name yet.
#[derive(Default)]
pub(super) struct Tally {
    stacks: FxHashMap<Stack, (u64, u64)>,
    bytes: usize,
    lost: u64,
    unnamed: FxHashMap<(Option<ProcKey>, u64), u64>,
}

impl Tally {
    /// Adds those records of a sample that are of the measure and of a process that `is_wanted`, with or without who ended a wait.
    pub(super) fn add(
        &mut self,
        sample: &Sample,
        measure: Measure,
        wakers: bool,
        names: &impl Naming,
        is_wanted: impl Fn(ProcKey) -> bool,
    ) {
        for count in sample.stacks.counts.iter().filter(|c| Measure::of(c.weight) == measure && is_wanted(c.key)) {
            let waker = count.waker.clone().filter(|_| wakers);
            self.add_one(count, process_of(sample, count), waker, names);
        }
    }

    fn add_one(&mut self, count: &StackCount, process: Comm, waker: Option<Arc<Waker>>, names: &impl Naming) {
        let stack = Stack {
            key: count.key,
            tid: count.tid,
            comm: count.comm,
            process,
            weight: count.weight,
            kernel: count.kernel.clone(),
            user: count.user.clone(),
            quality: count.quality,
            waker,
        };
        let wakers = stack.waker.is_some();
        let bytes = size_of::<(Stack, u64, u64)>() + stack.bytes();
        let is_full = self.bytes + bytes > BYTES_MAX;
        let sums = match self.stacks.entry(stack) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if is_full => {
                self.lost += u64::from(count.count);
                return;
            }
            Entry::Vacant(new) => {
                self.bytes += bytes;
                new.insert((0, 0))
            }
        };
        *sums = (sums.0 + u64::from(count.count), sums.1.saturating_add(count.value));
        let woken = count.waker.iter().filter(|_| wakers).map(|w| (w.key, &w.user, &w.kernel));
        for (key, user, kernel) in woken.chain([(count.key, &count.user, &count.kernel)]) {
            let user = user.iter().filter(|&&a| names.user(key, a).is_none()).map(|&a| (Some(key), a));
            let kernel = kernel.iter().filter(|&&a| names.kernel(a).is_none()).map(|&a| (None, a));
            for place in user.chain(kernel) {
                *self.unnamed.entry(place).or_default() += u64::from(count.count).max(1);
            }
        }
    }

    /// What is to be named, in most samples first; what has got a name is forgotten.
    pub(super) fn missing(&mut self, names: &impl Naming) -> Vec<Missing> {
        self.unnamed.retain(|&(key, address), _| match key {
            Some(key) => names.user(key, address).is_none(),
            None => names.kernel(address).is_none(),
        });
        let mut missing: Vec<_> = self.unnamed.iter().map(|(&(key, address), &count)| Missing { key, address, count }).collect();
        missing.sort_unstable_by_key(|m| (std::cmp::Reverse(m.count), m.key, m.address));
        missing
    }

    /// Waits that are over, or other events, so far.
    pub(super) fn count(&self) -> u64 {
        self.stacks.values().map(|(count, _)| count).sum()
    }

    /// Events that found no room.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// All stacks with count and value, in a fixed order.
    pub(super) fn into_stacks(self) -> Vec<(Stack, (u64, u64))> {
        let mut stacks: Vec<_> = self.stacks.into_iter().collect();
        let order = |s: &Stack| (s.key, s.tid, s.weight, s.user.clone(), s.kernel.clone());
        stacks.sort_by_key(|(stack, _)| order(stack));
        stacks
    }
}

/// Name of its process, alive or just gone; else the thread's.
fn process_of(sample: &Sample, count: &StackCount) -> Comm {
    let alive = sample.tasks.binary_search_by_key(&count.key, |task| task.key).ok().map(|at| sample.tasks[at].comm);
    let gone = || sample.exits.iter().find(|exit| exit.task.key == count.key).map(|exit| exit.task.comm);
    alive.or_else(gone).unwrap_or(count.comm)
}
