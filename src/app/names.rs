//! Names of addresses that were asked for and answered, and what to ask next.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::stacks::{Missing, Naming};
use crate::sample::{ProcKey, Sample};
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
    asked: FxHashSet<(Option<ProcKey>, u64)>,
    version: u64,
    epoch: u64,
    now_ns: u64,
}

impl Names {
    /// Forgets names that a new program in an old process made wrong, and those of processes long gone. Call once per tick.
    pub fn tick(&mut self, sample: &Sample) {
        self.now_ns = sample.at_ns;
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
        requests
    }

    /// Gives back a request that could not be sent, so that the next [`Names::ask`] makes it again.
    pub fn not_sent(&mut self, request: &Request) {
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
        self.user.get(&key)?.shelf.frames.get(&address).map(|frames| &**frames)
    }

    fn kernel(&self, address: u64) -> Option<&[Frame]> {
        self.kernel.frames.get(&address).map(|frames| &**frames)
    }
}
