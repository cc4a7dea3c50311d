//! Names of all that a profile met, until it is written: nothing asks for the addresses of a process that ended long ago a second time.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::export::profile::nameless;
use crate::model::stacks::{Missing, Naming};
use crate::sample::{INTERPRETED, ProcKey, Sample};
use crate::symbols::{Answer, Asked, Frame, FrameKind, Request};

/// Memory that names may take: those of half a million addresses at least. What comes later is written as an address, and told.
const BYTES_MAX: usize = 128 << 20;
/// Addresses from here to [`INTERPRETED`] are numbers of frames that a process had before it ran another program. No program has code here.
const FORMER: u64 = 1 << 62;

/// Distinct frames, by number. Processes of one program share them.
struct Table {
    frames: Vec<Arc<[Frame]>>,
    numbers: FxHashMap<Arc<[Frame]>, u32>,
    bytes: usize,
    bytes_max: usize,
    /// Something found no room.
    has_refused: bool,
}

impl Table {
    fn is_full(&self) -> bool {
        self.bytes > self.bytes_max
    }

    /// The number of frames that an address, or a line, is to have; `None` without room.
    fn number(&mut self, frames: &[Frame]) -> Option<u32> {
        if self.is_full() {
            self.has_refused = true;
            return None;
        }
        // The entry of the address; tables are half empty at worst.
        self.bytes += 2 * size_of::<(u64, u32)>();
        if let Some(&number) = self.numbers.get(frames) {
            return Some(number);
        }
        let number = u32::try_from(self.frames.len()).ok()?;
        let text = |f: &Frame| f.function.as_ref().map_or(0, String::len) + f.module.len() + f.source.as_ref().map_or(0, |(s, _)| s.len());
        self.bytes += 4 * size_of::<Arc<[Frame]>>() + frames.iter().map(|frame| size_of::<Frame>() + text(frame)).sum::<usize>();
        let frames: Arc<[Frame]> = frames.into();
        self.frames.push(Arc::clone(&frames));
        self.numbers.insert(frames, number);
        Some(number)
    }
}

/// Names of all that a profile met.
pub(super) struct Names {
    table: Table,
    user: FxHashMap<ProcKey, FxHashMap<u64, u32>>,
    kernel: FxHashMap<u64, u32>,
    lines: FxHashMap<u64, u32>,
    /// User addresses that were named since the last sample.
    fresh: FxHashSet<(ProcKey, u64)>,
    /// Processes that did not answer since the last sample: they are not asked again before the next.
    silent: FxHashSet<ProcKey>,
    asked: Asked,
    version: u64,
}

impl Default for Names {
    fn default() -> Self {
        Names::within(BYTES_MAX)
    }
}

impl Names {
    fn within(bytes_max: usize) -> Names {
        let mut table = Table { frames: Vec::new(), numbers: FxHashMap::default(), bytes: 0, bytes_max, has_refused: false };
        // What [`Names::former`] falls back to.
        table.number(&[nameless(0, FrameKind::Native)]);
        Names {
            table,
            user: FxHashMap::default(),
            kernel: FxHashMap::default(),
            lines: FxHashMap::default(),
            fresh: FxHashSet::default(),
            silent: FxHashSet::default(),
            asked: Asked::default(),
            version: 0,
        }
    }

    /// Takes in the lines of interpreted code that came with a sample. Call once per sample.
    pub(super) fn tick(&mut self, sample: &Sample) {
        self.fresh.clear();
        self.silent.clear();
        for (number, line) in &sample.stacks.interpreted {
            if !self.lines.contains_key(number)
                && let Some(frames) = self.table.number(&[line.into()])
            {
                self.lines.insert(*number, frames);
                self.version += 1;
            }
        }
    }

    /// Takes in an answer of the symbol thread.
    pub(super) fn answer(&mut self, answer: Answer) {
        if !self.asked.answered(&answer) {
            return;
        }
        self.version += 1;
        for (address, frames) in answer.kernel {
            if let Some(frames) = self.table.number(&frames) {
                self.kernel.insert(address, frames);
            }
        }
        if answer.silent {
            self.silent.insert(answer.key);
            return;
        }
        for (address, frames) in answer.user {
            if let Some(frames) = self.table.number(&frames) {
                self.user.entry(answer.key).or_default().insert(address, frames);
                self.fresh.insert((answer.key, address));
            }
        }
    }

    /// Requests for those of `missing` that are not asked for yet, in order, as many as may be under way. Each counts as sent.
    pub(super) fn ask(&mut self, missing: &[Missing]) -> Vec<Request> {
        if self.table.is_full() {
            self.table.has_refused |= !missing.is_empty();
            return Vec::new();
        }
        let answering = missing.iter().filter(|m| !m.key.is_some_and(|key| self.silent.contains(&key)));
        let new = self.asked.choose(answering.map(|m| (m.key, m.address)));
        self.asked.send(new)
    }

    /// Gives back a request that could not be sent, so that the next [`Names::ask`] makes it again.
    pub(super) fn not_sent(&mut self, request: &Request) {
        self.asked.not_sent(request);
    }

    /// Whether answers are still to come.
    pub(super) fn is_waiting(&self) -> bool {
        !self.asked.is_empty()
    }

    /// How many processes did not answer when they were asked last.
    pub(super) fn silent(&self) -> usize {
        self.silent.len()
    }

    /// Whether names found no room.
    pub(super) fn lacks_room(&self) -> bool {
        self.table.has_refused
    }

    /// An address of a process that runs another program by now, as one that keeps the name which it had in the program before.
    pub(super) fn former(&mut self, key: ProcKey, address: u64) -> u64 {
        if address >= FORMER {
            return address;
        }
        let named = self.user.get(&key).and_then(|names| names.get(&address)).copied();
        // What was answered since the last sample may already be of the new program.
        let named = named.filter(|_| !self.fresh.contains(&(key, address)));
        let number = named.or_else(|| self.table.number(&[nameless(address, FrameKind::Native)]));
        FORMER + u64::from(number.unwrap_or(0))
    }

    /// Forgets the names of a process that runs another program, but for those that became [`Names::former`].
    pub(super) fn program_changed(&mut self, key: ProcKey) {
        self.user.remove(&key);
        self.asked.program_changed(key);
    }

    fn frames(&self, number: u32) -> Option<&[Frame]> {
        self.table.frames.get(number as usize).map(|frames| &**frames)
    }
}

impl Naming for Names {
    fn version(&self) -> u64 {
        self.version
    }

    fn user(&self, key: ProcKey, address: u64) -> Option<&[Frame]> {
        let number = match address {
            INTERPRETED.. => self.lines.get(&address).copied(),
            FORMER.. => u32::try_from(address - FORMER).ok(),
            _ => return self.frames(*self.user.get(&key)?.get(&address)?),
        };
        Some(number.and_then(|number| self.frames(number)).unwrap_or_default())
    }

    fn kernel(&self, address: u64) -> Option<&[Frame]> {
        self.frames(*self.kernel.get(&address)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ProcKey = ProcKey { pid: 7, start_ns: 1 };

    fn missing(addresses: &[u64]) -> Vec<Missing> {
        addresses.iter().map(|&address| Missing { key: Some(KEY), address, count: 1 }).collect()
    }

    fn answer(request: Request, program: &str) -> Answer {
        let frame = |address| Frame { function: Some(format!("{program} {address}")), ..nameless(address, FrameKind::Native) };
        Answer { key: request.key, user: request.user.iter().map(|&a| (a, vec![frame(a)])).collect(), ..Answer::default() }
    }

    fn name(names: &Names, address: u64) -> Option<&str> {
        names.user(KEY, address)?[0].function.as_deref()
    }

    #[test]
    fn without_room_nothing_more_is_asked_for_or_waited_for() {
        let mut names = Names::within(4096);
        assert!(!names.lacks_room());
        names.ask(&missing(&(0..256).collect::<Vec<_>>())).into_iter().for_each(|request| names.answer(answer(request, "old")));
        assert!(names.lacks_room() && name(&names, 0).is_some() && name(&names, 255).is_none());
        assert!(names.ask(&missing(&[255])).is_empty() && !names.is_waiting());
        names.tick(&Sample::default());
        let known = names.former(KEY, 0);
        let unknown = names.former(KEY, 255);
        assert_eq!((name(&names, known), name(&names, unknown)), (Some("old 0"), None));
        assert_eq!(names.user(KEY, unknown).map(|frames| frames[0].module.as_str()), Some("[unknown]"));
    }

    #[test]
    fn who_does_not_answer_is_asked_again_at_the_next_sample() {
        let mut names = Names::default();
        let silent = |mut asked: Vec<Request>| Answer { silent: true, ..answer(asked.remove(0), "none") };
        let first = silent(names.ask(&missing(&[1])));
        names.answer(first);
        assert!(name(&names, 1).is_none() && names.silent() == 1 && !names.is_waiting());
        assert!(names.ask(&missing(&[1, 2])).is_empty(), "else the end of a profile would ask for ever");
        names.tick(&Sample::default());
        let mut again = names.ask(&missing(&[1]));
        names.answer(answer(again.remove(0), "late"));
        assert_eq!((name(&names, 1), names.silent()), (Some("late 1"), 0));
    }

    #[test]
    fn names_of_the_program_before_stay_with_its_stacks_alone() {
        let mut names = Names::default();
        let mut asked = names.ask(&missing(&[1, 2]));
        names.answer(answer(asked.remove(0), "old"));
        names.tick(&Sample::default());
        let mut late = names.ask(&missing(&[3]));
        // It came so late that the symbol thread may have read the new program.
        names.answer(answer(late.remove(0), "new"));
        let former = [1, 2, 3].map(|address| names.former(KEY, address));
        names.program_changed(KEY);
        names.tick(&Sample::default());
        assert_eq!(former.map(|address| name(&names, address).map(str::to_owned)), [Some("old 1".into()), Some("old 2".into()), None]);
        assert_eq!(names.user(KEY, former[2]).map(|frames| frames[0].offset), Some(3));
        assert!(names.user(KEY, 1).is_none());
        assert_eq!(names.former(KEY, former[0]), former[0], "and again");
    }
}
