//! Names of addresses that were asked for and answered, and what to ask next.

mod held;
mod shelf;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::stacks::{Missing, Naming};
use crate::sample::{INTERPRETED, ProcKey, Sample};
use crate::symbols::{Answer, Asked, Frame, Request};
use held::Held;
use shelf::{MAX_NAMES, News, Shelf};

/// Processes that nothing was answered about for this long go first when there are too many names.
const UNUSED_NS: u64 = 60_000_000_000;
/// How long the names of a process that is gone are kept: longer than its samples.
const KEEP_GONE_NS: u64 = 600_000_000_000;

/// Processes that the symbol thread is told of at one tick, so that their stacks have names when they are gone: each costs it about
/// 0.2 ms.
const NOTES_PER_TICK: usize = 8;
/// It is told again after this long, should the process have loaded more code.
const NOTE_AGAIN_NS: u64 = 60_000_000_000;
/// A process that did not answer is asked again after this long.
const SILENT_NS: u64 = 5_000_000_000;
/// Interpreted lines kept beyond those that samples held lately.
const MAX_LINES: usize = 16_384;

/// Names of one process's addresses.
#[derive(Clone, Debug, Default)]
struct ProcNames {
    shelf: Shelf,
    exec_id: u64,
    /// Last seen alive.
    alive_ns: u64,
    /// When the last answer came.
    answered_ns: u64,
    /// It did not answer at that time, nor since.
    silent_ns: Option<u64>,
    reason: Option<String>,
}

/// The cache of symbol answers. Kernel names are shared by all processes.
#[derive(Clone, Debug, Default)]
pub struct Names {
    user: FxHashMap<ProcKey, ProcNames>,
    kernel: Shelf,
    kernel_reason: Option<String>,
    /// Lines of interpreted code, which come with the samples; and when one held them last.
    lines: FxHashMap<u64, (Box<[Frame]>, u64)>,
    asked: Asked,
    /// Processes the symbol thread was told of: their program, and when.
    noted: FxHashMap<ProcKey, (u64, u64)>,
    /// While the screen is held.
    held: Option<Held>,
    version: u64,
    epoch: u64,
    programs: u64,
    now_ns: u64,
}

impl Names {
    /// Forgets names that a new program in an old process made wrong, and those of processes long gone. Call once per tick.
    pub fn tick(&mut self, sample: &Sample) {
        self.now_ns = sample.at_ns;
        self.learn_lines(sample);
        self.put_aside(sample);
        let before = self.user.len();
        for (key, names) in &mut self.user {
            let Ok(at) = sample.tasks.binary_search_by_key(key, |task| task.key) else { continue };
            let exec_id = sample.tasks[at].exec_id;
            names.alive_ns = sample.at_ns;
            if names.exec_id != exec_id && names.exec_id != 0 {
                names.shelf = Shelf::new(sample.at_ns);
                self.asked.program_changed(*key);
                let is_shown = self.held.as_ref().is_none_or(|held| held.former(*key).is_none());
                self.epoch += u64::from(is_shown);
                self.programs += u64::from(is_shown);
                self.version += u64::from(is_shown);
            }
            names.exec_id = exec_id;
        }
        self.user.retain(|_, names| sample.at_ns.saturating_sub(names.alive_ns) <= KEEP_GONE_NS);
        if self.user.len() < before {
            self.version += 1;
        }
    }

    fn learn_lines(&mut self, sample: &Sample) {
        let before = self.lines.len();
        for (number, line) in &sample.stacks.interpreted {
            let (_, seen_ns) = self.lines.entry(*number).or_insert_with(|| ([line.into()].into(), 0));
            *seen_ns = sample.at_ns;
        }
        self.version += u64::from(self.lines.len() > before);
        if self.lines.len() > MAX_LINES {
            self.lines.retain(|_, (_, seen_ns)| sample.at_ns.saturating_sub(*seen_ns) <= KEEP_GONE_NS);
        }
    }

    /// What to tell the symbol thread of the processes in a sample, hottest first; it counts as sent.
    pub fn note(&mut self, sample: &Sample) -> Vec<Request> {
        let now_ns = sample.at_ns;
        self.noted.retain(|_, (_, at_ns)| now_ns.saturating_sub(*at_ns) <= KEEP_GONE_NS);
        let exec_id = |key| sample.tasks.binary_search_by_key(key, |task| task.key).ok().map(|at| sample.tasks[at].exec_id);
        let is_due = |key: &ProcKey, exec_id| match self.noted.get(key) {
            Some((noted, at_ns)) => *noted != exec_id || now_ns.saturating_sub(*at_ns) > NOTE_AGAIN_NS,
            None => true,
        };
        let mut due: FxHashMap<ProcKey, (u64, u32)> = FxHashMap::default();
        for count in sample.stacks.counts.iter().filter(|count| !count.user.is_empty()) {
            if let Some(exec_id) = exec_id(&count.key).filter(|&exec_id| is_due(&count.key, exec_id)) {
                let samples = &mut due.entry(count.key).or_insert((exec_id, 0)).1;
                *samples = samples.saturating_add(count.count);
            }
        }
        let mut due: Vec<_> = due.into_iter().collect();
        due.sort_unstable_by_key(|(key, (_, samples))| (std::cmp::Reverse(*samples), *key));
        due.truncate(NOTES_PER_TICK);
        let request = |(key, (exec_id, _))| {
            self.noted.insert(key, (exec_id, now_ns));
            let stacks = sample.stacks.counts.iter().filter(|count| count.key == key);
            let user: FxHashSet<u64> = stacks.flat_map(|count| &*count.user).copied().filter(|a| *a < INTERPRETED).collect();
            Request { key, user: user.into_iter().collect(), only_keep: true, ..Request::default() }
        };
        due.into_iter().map(request).collect()
    }

    /// Takes in an answer of the symbol thread.
    pub fn answer(&mut self, answer: Answer) {
        if !self.asked.answered(&answer) {
            return;
        }
        self.version += 1;
        if !answer.kernel.is_empty() {
            self.kernel_reason.clone_from(&answer.reason);
        }
        for (address, frames) in answer.kernel {
            let news = self.kernel.learn(address, frames, self.now_ns);
            self.epoch += u64::from(news == News::Other);
        }
        if !answer.user.is_empty() {
            let new = || ProcNames { shelf: Shelf::new(self.now_ns), ..ProcNames::default() };
            let names = self.user.entry(answer.key).or_insert_with(new);
            names.alive_ns = names.alive_ns.max(self.now_ns);
            names.answered_ns = self.now_ns;
            names.silent_ns = answer.silent.then_some(self.now_ns);
            if answer.silent {
                names.reason = answer.reason;
                return;
            }
            let mut is_news = answer.reason.is_some();
            for (address, frames) in answer.user {
                let news = names.shelf.learn(address, frames, self.now_ns);
                self.epoch += u64::from(news == News::Other);
                is_news |= news != News::None;
            }
            // What is asked again is not all that names may be missing of.
            if is_news {
                names.reason = answer.reason;
            }
        }
    }

    /// Requests for those of `missing` that are not asked for yet, in order, as many as may be under way. Each counts as sent.
    pub fn ask(&mut self, missing: &[Missing]) -> Vec<Request> {
        let answering = missing.iter().filter(|m| m.key.is_none_or(|key| self.may_ask(key)));
        let mut new = self.asked.choose(answering.map(|m| (m.key, m.address)));
        self.make_room();
        let mut user_room = (2 * MAX_NAMES).saturating_sub(self.user_count());
        new.retain(|(key, _)| {
            let has_room = (key.is_none() || user_room > 0) && self.has_room(*key);
            user_room -= usize::from(has_room && key.is_some());
            has_room
        });
        self.asked.send(new)
    }

    /// Requests for names that are there, but may be wrong by now. Each counts as sent.
    pub fn ask_again(&mut self, aged: &[Missing]) -> Vec<Request> {
        let places = self.asked.choose(aged.iter().map(|m| (m.key, m.address)));
        self.asked.send(places)
    }

    /// Whether the address was named so long ago that the code there, which a runtime writes, may be another now, or its runtime may
    /// have told its name since; or that it has a name by now, as code that the kernel loaded.
    pub fn is_aged(&self, key: Option<ProcKey>, address: u64) -> bool {
        let Some(key) = key else { return self.kernel_reason.is_none() && self.kernel.is_aged(address, self.now_ns) };
        let alive = self.user.get(&key).filter(|names| names.alive_ns == self.now_ns);
        alive.is_some_and(|names| names.shelf.is_aged(address, self.now_ns))
    }

    /// Whether there is a name that will age.
    pub fn has_aging(&self) -> bool {
        let of_kernel = self.kernel_reason.is_none() && self.kernel.has_aging();
        of_kernel || self.user.values().any(|names| names.alive_ns == self.now_ns && names.shelf.has_aging())
    }

    /// Time of the newest sample, ns.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Gives back a request that could not be sent, so that the next [`Names::ask`] makes it again.
    pub fn not_sent(&mut self, request: &Request) {
        if request.only_keep {
            self.noted.remove(&request.key);
        } else {
            self.asked.not_sent(request);
        }
    }

    /// Why some names of this process (or of the kernel) are missing.
    pub fn reason(&self, key: Option<ProcKey>) -> Option<&str> {
        key.and_then(|key| self.own_reason(key)).or(self.kernel_reason.as_deref())
    }

    /// Why some names of this process's own code are missing.
    pub fn own_reason(&self, key: ProcKey) -> Option<&str> {
        self.user.get(&key)?.reason.as_deref()
    }

    /// Changes when names that were right became wrong: what was made of them must be made anew.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Changes when a process with names runs another program: addresses of before are not those of now.
    pub fn programs(&self) -> u64 {
        self.programs
    }

    /// Whether a process did not answer when it was asked last.
    pub fn is_silent(&self, key: ProcKey) -> bool {
        self.user.get(&key).is_some_and(|names| names.silent_ns.is_some())
    }

    fn may_ask(&self, key: ProcKey) -> bool {
        let silent_ns = self.user.get(&key).and_then(|names| names.silent_ns);
        silent_ns.is_none_or(|at_ns| self.now_ns.saturating_sub(at_ns) >= SILENT_NS)
    }

    fn has_room(&mut self, key: Option<ProcKey>) -> bool {
        match key {
            Some(key) => self.user.get_mut(&key).is_none_or(|names| names.shelf.has_room(self.now_ns)),
            None => self.kernel.has_room(self.now_ns),
        }
    }

    fn user_count(&self) -> usize {
        self.user.values().map(|names| names.shelf.len()).sum()
    }

    fn make_room(&mut self) {
        if self.user_count() > MAX_NAMES {
            self.user.retain(|_, names| self.now_ns.saturating_sub(names.answered_ns) <= UNUSED_NS);
        }
    }
}

impl Naming for Names {
    fn version(&self) -> u64 {
        self.version
    }

    fn user(&self, key: ProcKey, address: u64) -> Option<&[Frame]> {
        if address >= INTERPRETED {
            return Some(self.lines.get(&address).map_or(&[], |(frames, _)| frames));
        }
        match self.held.as_ref().and_then(|held| held.former(key)) {
            Some(former) => Some(former.frames(address).unwrap_or_default()),
            None => self.user.get(&key)?.shelf.frames(address),
        }
    }

    fn kernel(&self, address: u64) -> Option<&[Frame]> {
        self.kernel.frames(address)
    }
}
