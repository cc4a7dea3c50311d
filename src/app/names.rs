//! Names of addresses that were asked for and answered, and what to ask next.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::stacks::{Missing, Naming};
use crate::sample::{ProcKey, Sample};
use crate::symbols::{Answer, Frame, Request};

/// Addresses in one request: few enough that the hottest names come back at once.
const REQUEST_ADDRESSES: usize = 256;
/// Addresses asked for and not answered at one time; more are asked for as answers come.
const MAX_ASKED: usize = 8 * REQUEST_ADDRESSES;
/// Addresses kept, of the kernel and of all processes each. Past it the process whose names came first goes, or all kernel names.
const MAX_NAMES: usize = 32_768;
/// How long the names of a process that is gone are kept: longer than its samples.
const KEEP_GONE_NS: u64 = 600_000_000_000;

type Frames = Box<[Frame]>;

/// Names of one process's addresses.
#[derive(Clone, Debug, Default)]
struct ProcNames {
    frames: FxHashMap<u64, Frames>,
    exec_id: u64,
    /// Last seen alive.
    alive_ns: u64,
    /// When the last answer came, counted in answers.
    answered: u64,
    reason: Option<String>,
}

/// The cache of symbol answers. Kernel names are shared by all processes.
#[derive(Clone, Debug, Default)]
pub struct Names {
    user: FxHashMap<ProcKey, ProcNames>,
    kernel: FxHashMap<u64, Frames>,
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
                names.frames.clear();
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
            self.kernel.insert(address, frames.into());
        }
        if !answer.user.is_empty() {
            let names = self.user.entry(answer.key).or_default();
            names.alive_ns = names.alive_ns.max(self.now_ns);
            names.answered = self.version;
            names.reason = answer.reason;
            for (address, frames) in answer.user {
                self.asked.remove(&(Some(answer.key), address));
                names.frames.insert(address, frames.into());
            }
        }
        self.make_room();
    }

    /// Requests for those of `missing` that are not asked for yet, in order, as many as may be under way. Each counts as sent.
    pub fn ask(&mut self, missing: &[Missing]) -> Vec<Request> {
        let room = MAX_ASKED.saturating_sub(self.asked.len());
        let new: Vec<&Missing> = missing.iter().filter(|m| !self.asked.contains(&(m.key, m.address))).take(room).collect();
        let mut requests: Vec<Request> = Vec::new();
        let mut open: FxHashMap<Option<ProcKey>, usize> = FxHashMap::default();
        for Missing { key, address, .. } in new {
            self.asked.insert((*key, *address));
            let at = *open.entry(*key).or_insert(requests.len());
            if at == requests.len() {
                requests.push(Request { key: key.unwrap_or_default(), ..Request::default() });
            }
            let request = &mut requests[at];
            match key {
                Some(_) => request.user.push(*address),
                None => request.kernel.push(*address),
            }
            if request.user.len() + request.kernel.len() == REQUEST_ADDRESSES {
                open.remove(key);
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
        let own = key.and_then(|key| self.user.get(&key)).and_then(|names| names.reason.as_deref());
        own.or(self.kernel_reason.as_deref())
    }

    /// Changes when names that were right became wrong: what was made of them must be made anew.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    fn make_room(&mut self) {
        if self.kernel.len() > MAX_NAMES {
            self.kernel.clear();
        }
        while self.user.values().map(|names| names.frames.len()).sum::<usize>() > MAX_NAMES {
            let Some(&oldest) = self.user.iter().min_by_key(|(_, names)| names.answered).map(|(key, _)| key) else { return };
            self.user.remove(&oldest);
        }
    }
}

impl Naming for Names {
    fn version(&self) -> u64 {
        self.version
    }

    fn user(&self, key: ProcKey, address: u64) -> Option<&[Frame]> {
        self.user.get(&key)?.frames.get(&address).map(|frames| &**frames)
    }

    fn kernel(&self, address: u64) -> Option<&[Frame]> {
        self.kernel.get(&address).map(|frames| &**frames)
    }
}
