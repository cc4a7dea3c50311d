//! The stack samples of the last minutes, bounded in memory.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::mem::{size_of, size_of_val};
use std::ops::Range;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::measure::{Measure, Unit};
use super::scope::Scope;
use super::slots::Slots;
use super::window::{Stack, StackUse, Window};
use crate::sample::{Comm, Domain, DomainStatus, Probe, ProcKey, Sample, StackCount, Task};

/// How far back samples are kept, where the budget allows.
const REACH_NS: u64 = 300_000_000_000;
/// Bytes that samples may take.
const BUDGET_BYTES: usize = 4 << 20;

/// A process that was met by samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// Who.
    pub key: ProcKey,
    /// Its name when it was last met.
    pub name: Comm,
    /// What its samples add up to, in the unit of the measure.
    pub value: u64,
    /// When it was last met.
    pub last_ns: u64,
    /// It has exited.
    pub is_gone: bool,
}

/// Where samples come from: the timer, and probes.
const SOURCES: [Domain; 2] = [Domain::Stacks, Domain::Watch];

/// Which of them has the samples of a measure.
fn source(measure: Measure) -> usize {
    usize::from(measure.domain() == Domain::Watch)
}

/// Samples between two ticks.
#[derive(Clone, Debug)]
struct Tick {
    since_ns: u64,
    at_ns: u64,
    /// By [`source`].
    lost: [u64; SOURCES.len()],
    /// Slot and count of what counts itself: timed samples, faults.
    counted: Box<[(u32, u32)]>,
    /// Slot, count and value of what has another unit.
    weighed: Box<[(u32, u32, u64)]>,
}

impl Tick {
    fn bytes(&self) -> usize {
        size_of::<Tick>() + size_of_val(&*self.counted) + size_of_val(&*self.weighed)
    }

    /// Slot, count and value of every record.
    fn records(&self) -> impl Iterator<Item = (u32, u32, u64)> + '_ {
        self.counted.iter().map(|&(at, count)| (at, count, count.into())).chain(self.weighed.iter().copied())
    }

    /// Drops the records that point to some slots; returns where they pointed.
    fn drop_records_to(&mut self, dropped: &[bool]) -> Vec<u32> {
        let gone = self.records().map(|(at, ..)| at).filter(|&at| dropped[at as usize]).collect();
        let kept = |at: u32| !dropped[at as usize];
        self.counted = self.counted.iter().copied().filter(|&(at, _)| kept(at)).collect();
        self.weighed = self.weighed.iter().copied().filter(|&(at, ..)| kept(at)).collect();
        gone
    }
}

/// The stack samples of the last minutes. Equal stacks are kept once, so a steady burner costs 8 bytes a tick.
#[derive(Clone, Debug)]
pub struct StackHistory {
    budget_bytes: usize,
    reach_ns: u64,
    ticks: VecDeque<Tick>,
    tick_bytes: usize,
    slots: Slots,
    version: u64,
    /// The program that each process with samples runs: its `exec_id`.
    programs: FxHashMap<ProcKey, u64>,
    hz: u32,
    status: [Option<DomainStatus>; SOURCES.len()],
    /// The probe that was started last, and the newest tick by then.
    probe: Option<(Probe, u64)>,
    /// Ticks after this are not shown.
    until_ns: u64,
}

impl Default for StackHistory {
    /// Five minutes within 4 MiB.
    fn default() -> Self {
        Self::new(BUDGET_BYTES, REACH_NS)
    }
}

impl StackHistory {
    /// Keeps samples for `reach_ns`, or as far back as `budget_bytes` reach. The newest tick always stays.
    pub fn new(budget_bytes: usize, reach_ns: u64) -> Self {
        StackHistory {
            budget_bytes,
            reach_ns,
            ticks: VecDeque::new(),
            tick_bytes: 0,
            slots: Slots::default(),
            version: 0,
            programs: FxHashMap::default(),
            hz: 0,
            status: Default::default(),
            probe: None,
            until_ns: u64::MAX,
        }
    }

    /// Shows what was until then.
    pub fn show_until(&mut self, ns: u64) {
        self.until_ns = ns;
        self.version += 1;
    }

    /// Adds a tick's samples, drops the oldest past the budget. A sample already seen adds nothing; one from the past starts afresh.
    pub fn push(&mut self, sample: &Sample) {
        let status = SOURCES.map(|domain| sample.status.iter().find(|s| s.domain == domain));
        let since_ns = match self.ticks.back() {
            Some(last) if last.at_ns == sample.at_ns => return,
            Some(last) if last.at_ns > sample.at_ns => {
                *self = Self { version: self.version, ..Self::new(self.budget_bytes, self.reach_ns) };
                sample.at_ns
            }
            Some(last) => last.at_ns,
            None => sample.at_ns,
        };
        let lost_before = self.status.each_ref().map(|s| s.as_ref().map_or(0, |s| s.lost));
        let lost = std::array::from_fn(|at| status[at].map_or(0, |s| s.lost.saturating_sub(lost_before[at])));
        self.hz = sample.stacks.hz;
        self.status = status.map(|s| s.cloned());
        let (mut counted, mut weighed) = (Vec::new(), Vec::new());
        for count in &sample.stacks.counts {
            let at = self.refer(count, sample);
            match count.value == u64::from(count.count) {
                true => counted.push((at, count.count)),
                false => weighed.push((at, count.count, count.value)),
            }
        }
        let tick = Tick { since_ns, at_ns: sample.at_ns, lost, counted: counted.into(), weighed: weighed.into() };
        self.tick_bytes += tick.bytes();
        self.ticks.push_back(tick);
        self.drop_oldest(sample.at_ns.saturating_sub(self.reach_ns));
        self.drop_former_programs(sample);
        self.version += 1;
    }

    /// A probe starts now, or begins to watch others.
    pub fn probe_begins(&mut self, probe: Probe) {
        self.probe = Some((probe, self.newest_ns()));
    }

    /// Changes with every tick taken in.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Rate of the sampling timer on each CPU at the newest tick, Hz; 0 = off.
    pub fn hz(&self) -> u32 {
        self.hz
    }

    /// How the domain that samples of this measure come from is doing, as of the newest tick.
    pub fn status(&self, measure: Measure) -> Option<&DomainStatus> {
        self.status[source(measure)].as_ref()
    }

    /// The program that each living process with samples runs: its `exec_id`.
    pub fn programs(&self) -> &FxHashMap<ProcKey, u64> {
        &self.programs
    }

    /// Bytes taken, by count.
    pub fn bytes(&self) -> usize {
        self.tick_bytes + self.slots.bytes()
    }

    /// When the newest tick that is shown was taken; 0 before the first.
    pub fn newest_ns(&self) -> u64 {
        self.shown().next_back().map_or(0, |tick| tick.at_ns)
    }

    fn shown(&self) -> impl DoubleEndedIterator<Item = &Tick> {
        let until_ns = self.until_ns;
        self.ticks.iter().filter(move |tick| tick.at_ns <= until_ns)
    }

    /// What was sampled no older than `span_ns` before the newest tick.
    pub fn window(&self, scope: &Scope, measure: Measure, span_ns: u64) -> Window<'_> {
        let newest = self.newest_ns();
        self.between(scope, measure, newest.saturating_sub(span_ns)..newest)
    }

    /// What was sampled in the ticks that came after the start of `ns` and not after its end.
    pub fn between(&self, scope: &Scope, measure: Measure, ns: Range<u64>) -> Window<'_> {
        let slots = self.slots.all();
        let mut window = Window { measure, slots: slots.len(), ..Window::default() };
        let mut sums = vec![(0u64, 0u64); slots.len()];
        let (mut newest, mut began) = (None, self.began_ns(measure));
        let ticks = self.ticks.iter().rev().skip_while(|tick| tick.at_ns > ns.end);
        for tick in ticks.take_while(|tick| tick.at_ns > ns.start) {
            window.lost += tick.lost[source(measure)];
            let newest = *newest.get_or_insert(tick.at_ns);
            if self.has(tick, measure) {
                began = began.min(tick.since_ns);
            }
            window.covered_ns = newest.saturating_sub(tick.since_ns.max(began));
            for (at, count, value) in tick.records() {
                let sum = &mut sums[at as usize];
                *sum = (sum.0 + u64::from(count), sum.1.saturating_add(value));
            }
        }
        let counts_itself = matches!(measure.unit(), Unit::Samples | Unit::Faults);
        for (at, (slot, (count, value))) in slots.iter().zip(sums).enumerate() {
            // Of a wait that is not over there is time, but no event yet.
            let Some(slot) = slot.as_ref().filter(|_| count > 0 || value > 0) else { continue };
            if Measure::of(slot.weight) != measure || !scope.covers(slot.key, slot.cgroup_id) {
                continue;
            }
            let value = if counts_itself { count } else { value };
            // Values of a forged recording may be of any size.
            let value = value.min(u64::MAX - window.value);
            window.count += count;
            window.value += value;
            window.by_quality[slot.quality as usize] += value;
            window.stacks.push(StackUse { stack: &slot.stack, id: slot.id, slot: at as u32, count, value });
        }
        window
    }

    /// When the probe of a measure was started, as far as that is known: 0 for the timer, which always runs.
    fn began_ns(&self, measure: Measure) -> u64 {
        match (measure.probe(), self.probe) {
            (None, _) => 0,
            (Some(wanted), Some((probe, since_ns))) if wanted == probe => since_ns,
            _ => u64::MAX,
        }
    }

    /// Whether a probe was at work, as it brought something; for the timer nobody asks.
    fn has(&self, tick: &Tick, measure: Measure) -> bool {
        let slot = |at: u32| self.slots.all()[at as usize].as_ref();
        measure.probe().is_some() && tick.records().any(|(at, ..)| slot(at).is_some_and(|slot| Measure::of(slot.weight) == measure))
    }

    /// Every process with samples of this measure, the one with most first.
    pub fn processes(&self, measure: Measure) -> Vec<Sampled> {
        let mut found: FxHashMap<ProcKey, Sampled> = FxHashMap::default();
        for tick in self.shown().rev() {
            for (at, _, value) in tick.records() {
                let Some(slot) = self.slots.all()[at as usize].as_ref().filter(|slot| Measure::of(slot.weight) == measure) else {
                    continue;
                };
                let new = || Sampled {
                    key: slot.key,
                    name: slot.stack.process,
                    value: 0,
                    last_ns: tick.at_ns,
                    is_gone: !self.programs.contains_key(&slot.key),
                };
                let process = found.entry(slot.key).or_insert_with(new);
                process.value = process.value.saturating_add(value);
            }
        }
        let mut processes: Vec<Sampled> = found.into_values().collect();
        processes.sort_unstable_by_key(|process| (Reverse(process.value), process.key));
        processes
    }

    fn refer(&mut self, count: &StackCount, sample: &Sample) -> u32 {
        let task = task_of(sample, count.key);
        let stack = Stack {
            key: count.key,
            tid: count.tid,
            comm: count.comm,
            process: task.map_or(count.comm, |task| task.comm),
            weight: count.weight,
            kernel: Arc::clone(&count.kernel),
            user: Arc::clone(&count.user),
            quality: count.quality,
            waker: count.waker.clone(),
        };
        self.slots.refer(stack, task.map_or(0, |task| task.cgroup_id))
    }

    fn drop_oldest(&mut self, before_ns: u64) {
        while self.ticks.len() > 1 && (self.bytes() > self.budget_bytes || self.ticks[0].at_ns <= before_ns) {
            let Some(tick) = self.ticks.pop_front() else { return };
            self.tick_bytes -= tick.bytes();
            tick.records().for_each(|(at, ..)| self.slots.release(at));
        }
    }

    /// Drops the samples of processes that run another program since: its names would be wrong for them. Those of the tick in which
    /// the program changed go too, since they may be of either; it may be the tick in which the process ended.
    fn drop_former_programs(&mut self, sample: &Sample) {
        if self.programs.len() > self.slots.all().len() {
            let held: FxHashSet<ProcKey> = self.slots.all().iter().flatten().map(|slot| slot.key).collect();
            self.programs.retain(|key, _| held.contains(key));
        }
        let task = |key: &ProcKey| sample.tasks.binary_search_by_key(key, |task| task.key).ok().map(|at| &sample.tasks[at]);
        let gone: FxHashMap<ProcKey, u64> = sample.exits.iter().map(|exit| (exit.task.key, exit.task.exec_id)).collect();
        let mut changed = FxHashSet::default();
        self.programs.retain(|key, program| {
            let now = task(key).map_or(0, |task| task.exec_id);
            let last = if now != 0 { now } else { gone.get(key).copied().unwrap_or(0) };
            if last != 0 && last != *program {
                changed.insert(*key);
                *program = last;
            }
            now != 0
        });
        for count in &sample.stacks.counts {
            if let Some(task) = task(&count.key).filter(|task| task.exec_id != 0) {
                self.programs.entry(count.key).or_insert(task.exec_id);
            }
        }
        if !changed.is_empty() {
            self.drop_samples_of(&changed);
        }
    }

    fn drop_samples_of(&mut self, keys: &FxHashSet<ProcKey>) {
        let slots = self.slots.all().iter();
        let theirs: Vec<bool> = slots.map(|slot| slot.as_ref().is_some_and(|slot| keys.contains(&slot.key))).collect();
        for tick in &mut self.ticks {
            self.tick_bytes -= tick.bytes();
            let dropped = tick.drop_records_to(&theirs);
            self.tick_bytes += tick.bytes();
            dropped.into_iter().for_each(|at| self.slots.release(at));
        }
    }
}

/// A live process stands in key order; the exited are few.
fn task_of(sample: &Sample, key: ProcKey) -> Option<&Task> {
    match sample.tasks.binary_search_by_key(&key, |task| task.key) {
        Ok(at) => Some(&sample.tasks[at]),
        Err(_) => sample.exits.iter().map(|exit| &exit.task).find(|task| task.key == key),
    }
}
