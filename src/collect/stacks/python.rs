//! Names Python frames. The kernel half walks the interpreter's frames and gives addresses of code objects; this finds the
//! interpreters, has the code objects read ([`reader`]), and puts functions and lines in place of the interpreter's own frames.
//!
//! A process is looked at when it is first sampled, when it runs another program, and now and then.

mod code;
mod layout;
mod lines;
mod memory;
mod merge;
mod numbers;
mod reader;
mod target;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError};
use libbpf_rs::MapHandle;
use rustc_hash::FxHashMap;

use super::fold::{Folded, PythonFrame};
use crate::sample::{Comm, InterpretedFrame, ProcKey, StackCount, StackQuality, Task};
use code::Code;
use merge::{Line, merge};
use numbers::Numbers;
use reader::{Ask, Read, ToRead, Told};
use target::Target;

/// How long a reading of samples waits for code objects that were not read yet; what is not there by then shows as native frames.
const PATIENCE: Duration = Duration::from_millis(10);
/// Code objects read for one reading of samples: the rest comes with the next.
const READ_MAX: usize = 2048;
/// How long a code object is believed to be the one that was read: one that is freed makes room for another.
const BELIEVED: Duration = Duration::from_secs(5);
/// A process is looked at again after this, then after twice as long each time, up to [`LOOK_LATEST`].
const LOOK_AGAIN: Duration = Duration::from_secs(2);
const LOOK_LATEST: Duration = Duration::from_secs(64);
/// What is known of a process goes this long after it was sampled last.
const KEPT: Duration = Duration::from_secs(120);
/// Bytes of code objects remembered, all processes together.
const CODE_BYTES_MAX: usize = 16 << 20;

/// Frames that the kernel half reads of one stack (`EB_PY_FRAMES`).
pub(super) const DEPTH: usize = 128;

/// Python, as the collector sees it.
pub(super) struct Python {
    asks: Sender<Ask>,
    told: Receiver<Told>,
    asked: u64,
    /// What the reader could not take yet: processes to look at, and to forget.
    look: Vec<ProcKey>,
    forget: Vec<ProcKey>,
    /// Their last samples may still come.
    exited: Vec<ProcKey>,
    processes: FxHashMap<ProcKey, Known>,
    code_bytes: usize,
    numbers: Numbers,
}

/// What is known of a sampled process.
struct Known {
    /// Name of its main thread at the last look: where nothing else tells of an exec, another name does.
    comm: Option<Comm>,
    /// Which program it ran then (0 = unknown).
    exec_id: u64,
    target: Option<Arc<Target>>,
    codes: FxHashMap<u64, Slot>,
    look_at: Instant,
    backoff: Duration,
    sampled: Instant,
}

/// A code object, or an address where there is none, as last read.
struct Slot {
    code: Option<Code>,
    /// Numbers of its lines.
    lines: FxHashMap<u32, u64>,
    at: Instant,
}

impl Python {
    /// Starts the reader; `map` is where the kernel half looks for interpreters.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn start(map: MapHandle) -> std::io::Result<Python> {
        let (asks, told) = reader::spawn(map)?;
        Ok(Python::asking(asks, told))
    }

    fn asking(asks: Sender<Ask>, told: Receiver<Told>) -> Python {
        let (look, forget, exited) = (Vec::new(), Vec::new(), Vec::new());
        Python { asks, told, asked: 0, look, forget, exited, processes: FxHashMap::default(), code_bytes: 0, numbers: Numbers::default() }
    }

    /// The samples with Python frames named, and what the numbers in them stand for.
    pub(super) fn name(&mut self, folded: Vec<Folded>, tasks: &[Task]) -> (Vec<StackCount>, Vec<(u64, InterpretedFrame)>) {
        let now = Instant::now();
        self.learn_all();
        self.make_room();
        let forget = self.note(&folded, tasks, now);
        let (read, is_urgent) = self.wanted(&folded, now);
        let look = self.due(now);
        if self.ask(read, look, forget) && is_urgent {
            self.await_codes(now + PATIENCE);
        }
        let counts = unite(folded, |stack| self.merged(stack));
        let interpreted = self.numbers.used_in(&counts);
        for key in std::mem::take(&mut self.exited) {
            if let Some(known) = self.processes.remove(&key) {
                self.code_bytes -= known.bytes();
                self.forget.extend(known.target.map(|_| key));
            }
        }
        (counts, interpreted)
    }

    /// These make room for others in the map, which has places for so many (`stacks_python`), once their last samples were named.
    pub(super) fn exited(&mut self, gone: &[ProcKey]) {
        self.exited.extend(gone.iter().filter(|key| self.processes.contains_key(key)));
    }

    /// Has these looked at before they are sampled; what is asked already comes first.
    pub(super) fn prepare(&mut self, keys: &[ProcKey]) {
        let now = Instant::now();
        let new: Vec<ProcKey> = keys.iter().copied().filter(|key| !self.processes.contains_key(key)).collect();
        self.processes.extend(new.iter().map(|key| (*key, Known { look_at: now + LOOK_AGAIN, ..Known::new(now) })));
        self.ask(Vec::new(), new, Vec::new());
    }

    /// Asks the reader, also what it had no room for before. Code objects are wanted again with the next samples; of whom to look at
    /// and whom to forget nobody else knows, so that is kept until the reader takes it. False where it takes nothing, or nothing is asked.
    fn ask(&mut self, read: Vec<ToRead>, look: Vec<ProcKey>, forget: Vec<ProcKey>) -> bool {
        let (mut looks, mut forgets) = (std::mem::take(&mut self.look), std::mem::take(&mut self.forget));
        looks.retain(|key| self.processes.contains_key(key) && !look.contains(key));
        looks.extend(look);
        forgets.extend(forget);
        if read.is_empty() && looks.is_empty() && forgets.is_empty() {
            return false;
        }
        self.asked += 1;
        let refused = self.asks.try_send(Ask { number: self.asked, read, look: looks, forget: forgets }).err();
        let has_asked = refused.is_none();
        if let Some(ask) = refused.map(TrySendError::into_inner) {
            (self.look, self.forget) = (ask.look, ask.forget);
        }
        has_asked
    }

    /// Whose samples these are; gives back who is of no interest any more.
    fn note(&mut self, folded: &[Folded], tasks: &[Task], now: Instant) -> Vec<ProcKey> {
        for Folded { count, .. } in folded {
            let known = self.processes.entry(count.key).or_insert_with(|| Known::new(now));
            known.sampled = now;
            let exec_id = tasks.binary_search_by_key(&count.key, |task| task.key).map_or(0, |at| tasks[at].exec_id);
            let comm = (count.tid == count.key.pid).then_some(count.comm);
            if known.runs_another(comm, exec_id) {
                (known.look_at, known.backoff) = (now, LOOK_AGAIN);
            }
        }
        let is_stale = |known: &Known| now.saturating_duration_since(known.sampled) > KEPT;
        let gone = self.processes.extract_if(|_, known| is_stale(known)).collect::<Vec<_>>();
        self.code_bytes -= gone.iter().map(|(_, known)| known.bytes()).sum::<usize>();
        gone.into_iter().filter(|(_, known)| known.target.is_some()).map(|(key, _)| key).collect()
    }

    /// Code objects in these samples that are to be read, and whether some never were.
    fn wanted(&mut self, folded: &[Folded], now: Instant) -> (Vec<ToRead>, bool) {
        let mut wanted: FxHashMap<ProcKey, FxHashMap<u64, _>> = FxHashMap::default();
        let (mut number, mut is_urgent) = (0, false);
        for Folded { count, python } in folded.iter().filter(|f| !f.python.is_empty()) {
            let Some(known) = self.processes.get(&count.key).filter(|known| known.target.is_some()) else { continue };
            for frame in python {
                let slot = known.codes.get(&frame.code);
                if number < READ_MAX && slot.is_none_or(|slot| now.saturating_duration_since(slot.at) > BELIEVED) {
                    let stamp = slot.and_then(|slot| slot.code.as_ref()).map(|code| code.stamp);
                    number += usize::from(wanted.entry(count.key).or_default().insert(frame.code, stamp).is_none());
                    is_urgent |= slot.is_none();
                }
            }
        }
        let target = |key: &ProcKey| self.processes.get(key).and_then(|known| known.target.clone());
        let with_target = wanted.into_iter().filter_map(|(key, codes)| Some((key, target(&key)?, codes.into_iter().collect())));
        (with_target.collect(), is_urgent)
    }

    /// Processes whose time to be looked at has come.
    fn due(&mut self, now: Instant) -> Vec<ProcKey> {
        let is_due = |known: &Known| known.sampled == now && known.look_at <= now;
        let due = self.processes.iter_mut().filter(|(_, known)| is_due(known));
        due.map(|(key, known)| {
            known.look_at = now + known.backoff;
            known.backoff = (2 * known.backoff).min(LOOK_LATEST);
            *key
        })
        .collect()
    }

    fn learn_all(&mut self) {
        while let Ok(told) = self.told.try_recv() {
            self.learn(told);
        }
    }

    /// Waits for the answer to the last question.
    fn await_codes(&mut self, until: Instant) {
        while let Ok(told) = self.told.recv_deadline(until) {
            let is_last = matches!(told, Told::Codes(number, _) if number == self.asked);
            self.learn(told);
            if is_last {
                return;
            }
        }
    }

    fn learn(&mut self, told: Told) {
        match told {
            Told::Process(key, target) => {
                let Some(known) = self.processes.get_mut(&key) else { return };
                let is_same = match (known.target.as_deref(), &target) {
                    (Some(before), Some(now)) => before.is(now),
                    (before, now) => before.is_none() && now.is_none(),
                };
                if !is_same {
                    self.code_bytes -= known.bytes();
                    known.codes.clear();
                    known.target = target.map(Arc::new);
                }
            }
            Told::Codes(_, codes) => {
                let at = Instant::now();
                for (key, address, read) in codes {
                    let Some(known) = self.processes.get_mut(&key) else { continue };
                    let code = match read {
                        Read::Same => {
                            known.codes.entry(address).and_modify(|slot| slot.at = at);
                            continue;
                        }
                        Read::Code(code) => Some(code),
                        Read::Nothing => None,
                    };
                    let slot = Slot { code, lines: FxHashMap::default(), at };
                    self.code_bytes += slot.bytes();
                    self.code_bytes -= known.codes.insert(address, slot).map_or(0, |former| former.bytes());
                }
            }
        }
    }

    /// Forgets what was read where it is too much, or where its numbers are gone.
    fn make_room(&mut self) {
        if self.numbers.make_room() || self.code_bytes > CODE_BYTES_MAX {
            self.processes.values_mut().for_each(|known| known.codes.clear());
            self.code_bytes = 0;
        }
    }

    /// The user stack of a sample with its Python frames.
    fn merged(&mut self, Folded { count, python }: &Folded) -> Option<Vec<u64>> {
        let known = self.processes.get_mut(&count.key)?;
        let target = known.target.clone()?;
        let line = |frame: &PythonFrame| Line { number: known.number(frame, &mut self.numbers), is_entry: frame.is_entry };
        let lines: Vec<Line> = python.iter().map(line).collect();
        let is_eval = |address| target.evals.iter().any(|(start, end)| (*start..*end).contains(&address));
        Some(merge(&count.user, is_eval, &lines, count.quality == StackQuality::Complete, python.len() < DEPTH))
    }
}

impl Known {
    fn new(now: Instant) -> Known {
        Known { comm: None, exec_id: 0, target: None, codes: FxHashMap::default(), look_at: now, backoff: LOOK_AGAIN, sampled: now }
    }

    /// Whether it ran another program before, as far as is known; takes note of what it runs now.
    fn runs_another(&mut self, comm: Option<Comm>, exec_id: u64) -> bool {
        let before = comm.and_then(|comm| self.comm.replace(comm));
        let is_renamed = before.is_some() && before != comm;
        let program = if exec_id != 0 { std::mem::replace(&mut self.exec_id, exec_id) } else { 0 };
        is_renamed || (program != 0 && program != exec_id)
    }

    fn bytes(&self) -> usize {
        self.codes.values().map(Slot::bytes).sum()
    }

    fn number(&mut self, frame: &PythonFrame, numbers: &mut Numbers) -> Option<u64> {
        let Slot { code, lines, .. } = self.codes.get_mut(&frame.code)?;
        let code = code.as_ref()?;
        let line = code.line(frame.instruction);
        let (function, file) = (&code.function, &code.file);
        let new = || numbers.of(InterpretedFrame { function: Arc::clone(function), file: Arc::clone(file), line });
        Some(*lines.entry(line).or_insert_with(new))
    }
}

impl Slot {
    /// About; lines get their numbers later, and there are no more of them than in the code's own table.
    fn bytes(&self) -> usize {
        size_of::<Slot>() + self.code.as_ref().map_or(0, |code| 2 * code.bytes())
    }
}

/// Stacks that differed in instructions may be equal by line.
fn unite(folded: Vec<Folded>, mut merged: impl FnMut(&Folded) -> Option<Vec<u64>>) -> Vec<StackCount> {
    let mut counts = Vec::with_capacity(folded.len());
    let mut places: FxHashMap<_, usize> = FxHashMap::default();
    for mut stack in folded {
        let Some(user) = (!stack.python.is_empty()).then(|| merged(&stack)).flatten() else {
            counts.push(stack.count);
            continue;
        };
        stack.count.user = user.into();
        let StackCount { key, tid, weight, quality, ref waker, .. } = stack.count;
        let same = (key, tid, weight, quality, Arc::clone(&stack.count.kernel), Arc::clone(&stack.count.user), waker.clone());
        let place = *places.entry(same).or_insert(counts.len());
        match counts.get_mut(place) {
            Some(StackCount { count, value, .. }) => {
                *count = count.saturating_add(stack.count.count);
                *value = value.saturating_add(stack.count.value);
            }
            None => counts.push(stack.count),
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_busy_reader_does_not_take_is_asked_again() {
        let (asks, inbox) = crossbeam_channel::bounded(1);
        let mut python = Python::asking(asks, crossbeam_channel::never());
        let key = |pid| ProcKey { pid, start_ns: 1 };
        python.prepare(&[key(1)]);
        // Nobody takes the first question; meanwhile one process is to be forgotten, and others to be looked at.
        python.prepare(&[key(2), key(3)]);
        assert!(!python.ask(Vec::new(), Vec::new(), vec![key(9)]));
        assert!(!python.ask(Vec::new(), vec![key(3)], Vec::new()));
        assert_eq!(inbox.recv().unwrap().look, [key(1)]);
        assert!(python.ask(Vec::new(), Vec::new(), Vec::new()));
        let ask = inbox.recv().unwrap();
        assert_eq!((ask.look, ask.forget), (vec![key(2), key(3)], vec![key(9)]));
        assert!(!python.ask(Vec::new(), Vec::new(), Vec::new()) && inbox.is_empty(), "and once only");
    }

    #[test]
    fn who_exited_is_forgotten_after_the_next_samples() {
        let (asks, _inbox) = crossbeam_channel::bounded(1);
        let mut python = Python::asking(asks, crossbeam_channel::never());
        let key = |pid| ProcKey { pid, start_ns: 1 };
        python.prepare(&[key(1), key(2)]);
        python.exited(&[key(1), key(7)]);
        assert_eq!(python.processes.len(), 2);
        python.name(Vec::new(), &[]);
        assert_eq!(python.processes.keys().collect::<Vec<_>>(), [&key(2)]);
    }

    /// It may keep its name: a server that begins anew is the same program again, and its interpreter elsewhere.
    #[test]
    fn who_runs_a_program_anew_is_looked_at_anew() {
        let (asks, inbox) = crossbeam_channel::bounded(1);
        let mut python = Python::asking(asks, crossbeam_channel::never());
        let key = ProcKey { pid: 1, start_ns: 1 };
        let mut looks_at = |exec_id| {
            let count = StackCount { key, tid: 1, comm: Comm::new(b"python3"), count: 1, ..StackCount::default() };
            python.name(vec![Folded { count, python: Vec::new() }], &[Task { key, exec_id, ..Task::default() }]);
            inbox.try_iter().flat_map(|ask: Ask| ask.look).count()
        };
        assert_eq!([1, 1, 2, 2, 0].map(&mut looks_at), [1, 0, 1, 0, 0]);
    }

    fn sample(user: &[u64], instruction: u64) -> Folded {
        let count = StackCount { user: user.into(), count: 2, value: 2, ..StackCount::default() };
        Folded { count, python: vec![PythonFrame { code: 1, is_entry: true, instruction }] }
    }

    #[test]
    fn stacks_of_one_line_are_one() {
        let native = Folded { python: Vec::new(), ..sample(&[7], 0) };
        let counts = unite(vec![sample(&[7], 4), native, sample(&[7], 6), sample(&[7], 90)], |s| Some(vec![s.python[0].instruction / 10]));
        let seen: Vec<_> = counts.iter().map(|c| (c.user[0], c.count, c.value)).collect();
        assert_eq!(seen, [(0, 4, 4), (7, 2, 2), (9, 2, 2)]);
    }
}
