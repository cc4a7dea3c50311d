//! Names of addresses that were asked for and answered, and what to ask next.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::stacks::{Missing, Naming};
use crate::sample::{INTERPRETED, ProcKey, Sample};
use crate::symbols::{Answer, Frame, Request};

/// Addresses in one request: few enough that the hottest names come back at once.
const REQUEST_ADDRESSES: usize = 256;
/// Addresses asked for and not answered at one time; more are asked for as answers come.
const MAX_ASKED: usize = 8 * REQUEST_ADDRESSES;
/// Names kept of the kernel and of each process, counted in addresses; all processes together may have twice as many.
const MAX_NAMES: usize = 32_768;
/// Processes that nothing was answered about for this long go first when there are too many names.
const UNUSED_NS: u64 = 60_000_000_000;
/// Names that fill their room this soon are those of the stacks in view: then no more are asked for, else all would be asked for forever.
const STALE_NS: u64 = 300_000_000_000;
/// How long the names of a process that is gone are kept: longer than its samples.
const KEEP_GONE_NS: u64 = 600_000_000_000;

/// Processes that the symbol thread is told of at one tick, so that their stacks have names when they are gone: each costs it about
/// 0.2 ms.
const NOTES_PER_TICK: usize = 8;
/// It is told again after this long, should the process have loaded more code.
const NOTE_AGAIN_NS: u64 = 60_000_000_000;
/// Interpreted lines kept beyond those that samples held lately.
const MAX_LINES: usize = 16_384;

/// Names of addresses in one address space.
#[derive(Clone, Debug, Default)]
struct Shelf {
    frames: FxHashMap<u64, Box<[Frame]>>,
    since_ns: u64,
}

impl Shelf {
    /// Whether more may be asked for; old names make room.
    fn has_room(&mut self, now_ns: u64) -> bool {
        if self.frames.len() < MAX_NAMES {
            return true;
        }
        let is_stale = now_ns.saturating_sub(self.since_ns) > STALE_NS;
        if is_stale {
            *self = Shelf { frames: FxHashMap::default(), since_ns: now_ns };
        }
        is_stale
    }
}

/// Names of one process's addresses.
#[derive(Clone, Debug, Default)]
struct ProcNames {
    shelf: Shelf,
    exec_id: u64,
    /// Last seen alive.
    alive_ns: u64,
    /// When the last answer came.
    answered_ns: u64,
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
    asked: FxHashSet<(Option<ProcKey>, u64)>,
    /// Processes the symbol thread was told of: their program, and when.
    noted: FxHashMap<ProcKey, (u64, u64)>,
    version: u64,
    epoch: u64,
    now_ns: u64,
}

impl Names {
    /// Forgets names that a new program in an old process made wrong, and those of processes long gone. Call once per tick.
    pub fn tick(&mut self, sample: &Sample) {
        self.now_ns = sample.at_ns;
        self.learn_lines(sample);
        let before = self.user.len();
        for (key, names) in &mut self.user {
            let Ok(at) = sample.tasks.binary_search_by_key(key, |task| task.key) else { continue };
            let exec_id = sample.tasks[at].exec_id;
            names.alive_ns = sample.at_ns;
            if names.exec_id != exec_id && names.exec_id != 0 {
                names.shelf.frames.clear();
                self.epoch += 1;
                self.version += 1;
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
        self.version += 1;
        if !answer.kernel.is_empty() {
            self.kernel_reason.clone_from(&answer.reason);
        }
        for (address, frames) in answer.kernel {
            self.asked.remove(&(None, address));
            self.kernel.frames.insert(address, frames.into());
        }
        if !answer.user.is_empty() {
            let since_ns = self.now_ns;
            let new = || ProcNames { shelf: Shelf { since_ns, ..Shelf::default() }, ..ProcNames::default() };
            let names = self.user.entry(answer.key).or_insert_with(new);
            names.alive_ns = names.alive_ns.max(self.now_ns);
            names.answered_ns = self.now_ns;
            names.reason = answer.reason;
            for (address, frames) in answer.user {
                self.asked.remove(&(Some(answer.key), address));
                names.shelf.frames.insert(address, frames.into());
            }
        }
    }

    /// Requests for those of `missing` that are not asked for yet, in order, as many as may be under way. Each counts as sent.
    pub fn ask(&mut self, missing: &[Missing]) -> Vec<Request> {
        let room = MAX_ASKED.saturating_sub(self.asked.len());
        let is_new = |m: &&Missing| !self.asked.contains(&(m.key, m.address));
        let new: Vec<Missing> = missing.iter().filter(is_new).take(room).copied().collect();
        self.make_room();
        let mut user_room = (2 * MAX_NAMES).saturating_sub(self.user_count());
        let mut requests: Vec<Request> = Vec::new();
        let mut open: FxHashMap<Option<ProcKey>, usize> = FxHashMap::default();
        for Missing { key, address, .. } in new {
            if key.is_some() && user_room == 0 || !self.has_room(key) {
                continue;
            }
            user_room -= usize::from(key.is_some());
            self.asked.insert((key, address));
            let at = *open.entry(key).or_insert(requests.len());
            if at == requests.len() {
                requests.push(Request { key: key.unwrap_or_default(), ..Request::default() });
            }
            let request = &mut requests[at];
            match key {
                Some(_) => request.user.push(address),
                None => request.kernel.push(address),
            }
            if request.user.len() + request.kernel.len() == REQUEST_ADDRESSES {
                open.remove(&key);
            }
        }
        // The first question about the kernel takes long: names of programs do not wait behind it.
        requests.sort_by_key(|request| !request.kernel.is_empty());
        requests
    }

    /// Gives back a request that could not be sent, so that the next [`Names::ask`] makes it again.
    pub fn not_sent(&mut self, request: &Request) {
        if request.only_keep {
            self.noted.remove(&request.key);
            return;
        }
        for address in &request.user {
            self.asked.remove(&(Some(request.key), *address));
        }
        for address in &request.kernel {
            self.asked.remove(&(None, *address));
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

    fn has_room(&mut self, key: Option<ProcKey>) -> bool {
        match key {
            Some(key) => self.user.get_mut(&key).is_none_or(|names| names.shelf.has_room(self.now_ns)),
            None => self.kernel.has_room(self.now_ns),
        }
    }

    fn user_count(&self) -> usize {
        self.user.values().map(|names| names.shelf.frames.len()).sum()
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
        self.user.get(&key)?.shelf.frames.get(&address).map(|frames| &**frames)
    }

    fn kernel(&self, address: u64) -> Option<&[Frame]> {
        self.kernel.frames.get(&address).map(|frames| &**frames)
    }
}
