//! The stack samples of the last minutes, bounded in memory.

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::window::{Stack, StackUse, Window};
use crate::sample::{Comm, Domain, DomainStatus, ProcKey, Sample, StackCount, StackQuality, Weight};

/// How far back samples are kept, where the budget allows.
const REACH_NS: u64 = 300_000_000_000;
/// Bytes that samples may take.
const BUDGET_BYTES: usize = 4 << 20;
/// What one more distinct stack costs beside its addresses: the stack, its `Arc` and those of its two lists, its slot and its index entry.
const STACK_BYTES: usize = size_of::<Stack>() + size_of::<Slot>() + size_of::<(Arc<Stack>, u32)>() + 3 * 16;

/// Samples between two ticks.
#[derive(Clone, Debug)]
struct Tick {
    since_ns: u64,
    at_ns: u64,
    lost: u64,
    /// Slot and count.
    records: Box<[(u32, u32)]>,
}

#[derive(Clone, Debug)]
struct Slot {
    stack: Arc<Stack>,
    /// What the stack says too: a window asks it of every slot.
    key: ProcKey,
    is_whole: bool,
    id: u64,
    /// Records that point here.
    records: u32,
}

/// The stack samples of the last minutes. Equal stacks are kept once, so a steady burner costs 8 bytes a tick.
#[derive(Clone, Debug)]
pub struct StackHistory {
    budget_bytes: usize,
    reach_ns: u64,
    ticks: VecDeque<Tick>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    index: FxHashMap<Arc<Stack>, u32>,
    next_id: u64,
    bytes: usize,
    version: u64,
    /// The program that each process with samples runs: its `exec_id`.
    programs: FxHashMap<ProcKey, u64>,
    hz: u32,
    status: Option<DomainStatus>,
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
            slots: Vec::new(),
            free: Vec::new(),
            index: FxHashMap::default(),
            next_id: 0,
            bytes: 0,
            version: 0,
            programs: FxHashMap::default(),
            hz: 0,
            status: None,
        }
    }

    /// Adds a tick's samples, drops the oldest past the budget. A sample already seen adds nothing; one from the past starts afresh.
    pub fn push(&mut self, sample: &Sample) {
        let status = sample.status.iter().find(|s| s.domain == Domain::Stacks);
        let since_ns = match self.ticks.back() {
            Some(last) if last.at_ns == sample.at_ns => return,
            Some(last) if last.at_ns > sample.at_ns => {
                *self = Self { version: self.version, ..Self::new(self.budget_bytes, self.reach_ns) };
                sample.at_ns
            }
            Some(last) => last.at_ns,
            None => sample.at_ns,
        };
        let lost_before = self.status.as_ref().map_or(0, |s| s.lost);
        let lost = status.map_or(0, |s| s.lost.saturating_sub(lost_before));
        self.hz = sample.stacks.hz;
        self.status = status.cloned();
        let records: Box<[_]> = sample.stacks.counts.iter().map(|count| (self.slot_of(count, sample), count.count)).collect();
        let tick = Tick { since_ns, at_ns: sample.at_ns, lost, records };
        self.bytes += tick_bytes(&tick);
        self.ticks.push_back(tick);
        self.drop_oldest(sample.at_ns.saturating_sub(self.reach_ns));
        self.drop_former_programs(sample);
        self.version += 1;
    }

    /// Changes with every tick taken in.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Rate of the sampling timer on each CPU at the newest tick, Hz; 0 = off.
    pub fn hz(&self) -> u32 {
        self.hz
    }

    /// How the stacks domain is doing, as of the newest tick.
    pub fn status(&self) -> Option<&DomainStatus> {
        self.status.as_ref()
    }

    /// Bytes taken, by count.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was sampled of one process (`None` = of the machine), no older than `span_ns` before the newest tick.
    pub fn window(&self, key: Option<ProcKey>, span_ns: u64) -> Window<'_> {
        let mut window = Window::default();
        let Some(newest) = self.ticks.back() else { return window };
        let from_ns = newest.at_ns.saturating_sub(span_ns);
        let mut counts = vec![0u32; self.slots.len()];
        for tick in self.ticks.iter().rev().take_while(|t| t.at_ns > from_ns) {
            window.lost += tick.lost;
            window.covered_ns = newest.at_ns - tick.since_ns;
            for &(slot, count) in &tick.records {
                counts[slot as usize] = counts[slot as usize].saturating_add(count);
            }
        }
        window.slots = self.slots.len();
        let wanted = |slot: &Slot| key.is_none_or(|key| slot.key == key);
        for (at, (slot, count)) in self.slots.iter().zip(counts).enumerate() {
            let Some(slot) = slot.as_ref().filter(|slot| count > 0 && wanted(slot)) else { continue };
            window.samples += u64::from(count);
            if slot.is_whole {
                window.complete += u64::from(count);
            }
            window.stacks.push(StackUse { stack: &slot.stack, id: slot.id, slot: at as u32, count });
        }
        window
    }

    /// Samples of one process (`None` = of the machine), no older than `span_ns` before the newest, equal ones folded.
    pub fn of(&self, key: Option<ProcKey>, span_ns: u64) -> Vec<StackCount> {
        let fold = |used: &StackUse| StackCount {
            key: used.stack.key,
            tid: used.stack.tid,
            comm: used.stack.comm,
            weight: Weight::OnCpu,
            count: used.count,
            value: used.count.into(),
            kernel: Arc::clone(&used.stack.kernel),
            user: Arc::clone(&used.stack.user),
            quality: used.stack.quality,
        };
        self.window(key, span_ns).stacks.iter().map(fold).collect()
    }

    /// The slot of a stack, made where it is new; counts the record that will point to it.
    fn slot_of(&mut self, count: &StackCount, sample: &Sample) -> u32 {
        let stack = Stack {
            key: count.key,
            tid: count.tid,
            comm: count.comm,
            process: process_name(sample, count.key).unwrap_or(count.comm),
            kernel: Arc::clone(&count.kernel),
            user: Arc::clone(&count.user),
            quality: count.quality,
        };
        if let Some(&at) = self.index.get(&stack) {
            if let Some(slot) = &mut self.slots[at as usize] {
                slot.records += 1;
            }
            return at;
        }
        self.bytes += stack_bytes(&stack);
        let stack = Arc::new(stack);
        let is_whole = stack.quality == StackQuality::Complete;
        let slot = Some(Slot { key: stack.key, is_whole, stack: Arc::clone(&stack), id: self.next_id, records: 1 });
        self.next_id += 1;
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        };
        self.index.insert(stack, at);
        at
    }

    fn drop_oldest(&mut self, before_ns: u64) {
        while self.ticks.len() > 1 && (self.bytes > self.budget_bytes || self.ticks[0].at_ns <= before_ns) {
            let Some(tick) = self.ticks.pop_front() else { return };
            self.bytes -= tick_bytes(&tick);
            for (at, _) in tick.records {
                self.release(at);
            }
        }
    }

    /// Drops the samples of processes that run another program since: its names would be wrong for them. Those of the tick in which
    /// the program changed go too, since they may be of either.
    fn drop_former_programs(&mut self, sample: &Sample) {
        if self.programs.len() > self.slots.len() {
            let held: FxHashSet<ProcKey> = self.slots.iter().flatten().map(|slot| slot.key).collect();
            self.programs.retain(|key, _| held.contains(key));
        }
        let task = |key: &ProcKey| sample.tasks.binary_search_by_key(key, |task| task.key).ok().map(|at| &sample.tasks[at]);
        let mut changed = FxHashSet::default();
        self.programs.retain(|key, program| {
            let now = task(key).map_or(0, |task| task.exec_id);
            if now != 0 && now != *program {
                changed.insert(*key);
                *program = now;
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
        let is_theirs = |slot: &Option<Slot>| slot.as_ref().is_some_and(|slot| keys.contains(&slot.key));
        let theirs: Vec<bool> = self.slots.iter().map(is_theirs).collect();
        let mut dropped = Vec::new();
        for tick in &mut self.ticks {
            self.bytes -= tick_bytes(tick);
            let (out, kept): (Vec<_>, Vec<_>) = tick.records.iter().partition(|(at, _)| theirs[*at as usize]);
            tick.records = kept.into();
            self.bytes += tick_bytes(tick);
            dropped.extend(out.into_iter().map(|(at, _)| at));
        }
        dropped.into_iter().for_each(|at| self.release(at));
    }

    fn release(&mut self, at: u32) {
        let Some(slot) = &mut self.slots[at as usize] else { return };
        slot.records -= 1;
        if slot.records == 0 {
            self.bytes -= stack_bytes(&slot.stack);
            self.index.remove(&slot.stack);
            self.slots[at as usize] = None;
            self.free.push(at);
        }
    }
}

fn stack_bytes(stack: &Stack) -> usize {
    STACK_BYTES + (stack.kernel.len() + stack.user.len()) * size_of::<u64>()
}

fn tick_bytes(tick: &Tick) -> usize {
    size_of::<Tick>() + size_of_val(&*tick.records)
}

/// Tasks stand in key order; the exited are few.
fn process_name(sample: &Sample, key: ProcKey) -> Option<Comm> {
    match sample.tasks.binary_search_by_key(&key, |task| task.key) {
        Ok(at) => Some(sample.tasks[at].comm),
        Err(_) => sample.exits.iter().find(|exit| exit.task.key == key).map(|exit| exit.task.comm),
    }
}
