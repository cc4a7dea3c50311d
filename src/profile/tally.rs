//! Equal stacks of the whole span, each once.

use std::collections::hash_map::Entry;
use std::mem::size_of;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::names::Names;
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
    /// Events of processes at a time when they began to run another program.
    doubtful: FxHashMap<ProcKey, u64>,
    unnamed: FxHashMap<(Option<ProcKey>, u64), u64>,
}

impl Tally {
    /// Adds those records of a sample that are of the measure and of a process that `is_wanted`, with or without who ended a wait. Those
    /// of processes whose program `changed` meanwhile may be of either program: they are left out.
    pub(super) fn add(
        &mut self,
        sample: &Sample,
        (measure, wakers): (Measure, bool),
        changed: &FxHashSet<ProcKey>,
        names: &impl Naming,
        is_wanted: impl Fn(ProcKey) -> bool,
    ) {
        for count in sample.stacks.counts.iter().filter(|c| Measure::of(c.weight) == measure && is_wanted(c.key)) {
            if changed.contains(&count.key) {
                *self.doubtful.entry(count.key).or_default() += u64::from(count.count);
                continue;
            }
            let mut waker = count.waker.clone().filter(|_| wakers);
            if let Some(waker) = waker.as_mut().filter(|waker| changed.contains(&waker.key)) {
                Arc::make_mut(waker).user = Arc::default();
            }
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
            waker: waker.clone(),
        };
        if !self.count_in(stack, (u64::from(count.count), count.value)) {
            return;
        }
        let woken = waker.iter().map(|w| (w.key, &w.user, &w.kernel));
        for (key, user, kernel) in woken.chain([(count.key, &count.user, &count.kernel)]) {
            let user = user.iter().filter(|&&a| names.user(key, a).is_none()).map(|&a| (Some(key), a));
            let kernel = kernel.iter().filter(|&&a| names.kernel(a).is_none()).map(|&a| (None, a));
            for place in user.chain(kernel) {
                *self.unnamed.entry(place).or_default() += u64::from(count.count).max(1);
            }
        }
    }

    /// Adds to a stack; whether there was room for it.
    fn count_in(&mut self, stack: Stack, (count, value): (u64, u64)) -> bool {
        let bytes = bytes_of(&stack);
        let sums = match self.stacks.entry(stack) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if self.bytes + bytes > BYTES_MAX => {
                self.lost += count;
                return false;
            }
            Entry::Vacant(new) => {
                self.bytes += bytes;
                new.insert((0, 0))
            }
        };
        *sums = (sums.0 + count, sums.1.saturating_add(value));
        true
    }

    /// Ties the stacks of processes that run another program now to the names which their addresses had until now.
    pub(super) fn settle(&mut self, changed: &FxHashSet<ProcKey>, names: &mut Names) {
        if changed.is_empty() {
            return;
        }
        self.unnamed.retain(|(key, _), _| !key.is_some_and(|key| changed.contains(&key)));
        let is_theirs = |stack: &Stack, _: &mut (u64, u64)| {
            changed.contains(&stack.key) || stack.waker.as_ref().is_some_and(|waker| changed.contains(&waker.key))
        };
        let theirs: Vec<_> = self.stacks.extract_if(is_theirs).collect();
        let mut former = |key, user: &mut Arc<[u64]>| {
            if changed.contains(&key) {
                *user = user.iter().map(|&address| names.former(key, address)).collect();
            }
        };
        for (mut stack, sums) in theirs {
            self.bytes -= bytes_of(&stack);
            former(stack.key, &mut stack.user);
            if let Some(waker) = stack.waker.as_mut().map(Arc::make_mut) {
                former(waker.key, &mut waker.user);
            }
            self.count_in(stack, sums);
        }
        changed.iter().for_each(|key| names.program_changed(*key));
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

    /// Events that found no room, and those that were left out of processes that belong to it.
    pub(super) fn lost(&self, belongs: impl Fn(ProcKey) -> bool) -> u64 {
        self.lost + self.doubtful.iter().filter(|(key, _)| belongs(**key)).map(|(_, count)| count).sum::<u64>()
    }

    /// All stacks with count and value, in a fixed order.
    pub(super) fn into_stacks(self) -> Vec<(Stack, (u64, u64))> {
        let mut stacks: Vec<_> = self.stacks.into_iter().collect();
        let order = |s: &Stack| (s.key, s.tid, s.weight, s.user.clone(), s.kernel.clone());
        stacks.sort_by_key(|(stack, _)| order(stack));
        stacks
    }
}

/// Memory that a stack takes.
fn bytes_of(stack: &Stack) -> usize {
    size_of::<(Stack, u64, u64)>() + stack.bytes()
}

/// Name of its process, alive or just gone; else the thread's.
fn process_of(sample: &Sample, count: &StackCount) -> Comm {
    let alive = sample.tasks.binary_search_by_key(&count.key, |task| task.key).ok().map(|at| sample.tasks[at].comm);
    let gone = || sample.exits.iter().find(|exit| exit.task.key == count.key).map(|exit| exit.task.comm);
    alive.or_else(gone).unwrap_or(count.comm)
}
