//! The thread that keeps the tables: the hottest process first, never more often than it is worth.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rustc_hash::FxHashMap;

use super::maps::{Live, TableMaps};
use super::reading::Reading;
use super::store::{Kernel, LARGE_BYTES, Looked, Store};
use crate::bpf::memory;
use crate::clock::thread_cpu_ns;
use crate::rights::{Work, narrow};
use crate::sample::ProcKey;

/// What the walks of a process lacked (`enum eb_miss`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Miss {
    /// Nothing.
    #[default]
    Nothing,
    /// Nothing that is known, but they ended early.
    Cut,
    /// The table of a file.
    Table,
    /// Newer mappings.
    Mapping,
    /// All mappings.
    Process,
}

/// A process that was sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampled {
    /// Which.
    pub key: ProcKey,
    /// How often since it was told last.
    pub samples: u32,
    /// The worst that happened.
    pub miss: Miss,
}

/// What is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Processes whose mappings are known.
    pub processes: usize,
    /// Files with a table.
    pub tables: usize,
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes of kernel memory that tables and mappings take.
    pub table_bytes: u64,
    /// Files whose table found no room.
    pub left_out: usize,
    /// Tables given up since the start to make room for others.
    pub evicted: u64,
    /// CPU time that it took, ns.
    pub cpu_ns: u64,
}

enum Message {
    Sampled(Vec<Sampled>),
    Gone(Vec<ProcKey>),
    Prepare(Awaited),
}

/// Processes whose tables somebody waits for, and what is dropped once they are there.
struct Awaited {
    keys: Vec<ProcKey>,
    _done: Box<dyn Send>,
}

/// The thread's handle; it ends when the last is dropped.
#[derive(Clone, Debug)]
pub struct Unwinder {
    messages: Sender<Message>,
    status: Arc<Mutex<Status>>,
}

impl Unwinder {
    /// Starts the thread, which uses at most `memory_bytes`: half of it for tables in the kernel, half while it builds one.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn spawn(maps: TableMaps, memory_bytes: u64) -> std::io::Result<Unwinder> {
        let (messages, inbox) = crossbeam_channel::bounded(64);
        let status = Arc::new(Mutex::new(Status::default()));
        let told = Arc::clone(&status);
        let work = move || {
            // Where the kernel refuses, it works with the rights it has.
            let _ = narrow(Work::Collect);
            Worker::new(Store::new(Live::new(maps), Reading::default(), memory_bytes / 2), told).run(&inbox);
        };
        std::thread::Builder::new().name("unwind".into()).spawn(work)?;
        Ok(Unwinder { messages, status })
    }

    /// Tells which processes were sampled. Never waits: what the thread cannot take now will be told again.
    pub fn sampled(&self, processes: Vec<Sampled>) {
        if !processes.is_empty() {
            let _ = self.messages.try_send(Message::Sampled(processes));
        }
    }

    /// Makes the tables of these before those of others, the last first; then `done` is dropped. Never waits; what the thread cannot
    /// take now is dropped at once, and will be made when the processes are sampled.
    pub fn prepare(&self, mut processes: Vec<ProcKey>, done: impl Send + 'static) {
        processes.truncate(AWAITED_MAX);
        let _ = self.messages.try_send(Message::Prepare(Awaited { keys: processes, _done: Box::new(done) }));
    }

    /// Tells which processes exited; those it misses it finds out by itself.
    pub fn gone(&self, processes: Vec<ProcKey>) {
        if !processes.is_empty() {
            let _ = self.messages.try_send(Message::Gone(processes));
        }
    }

    /// What is there now.
    pub fn status(&self) -> Status {
        self.status.lock().map_or_else(|e| *e.into_inner(), |status| *status)
    }
}

/// Processes that one wait may be for.
const AWAITED_MAX: usize = 1024;
/// Looks at one process until all its tables are there: each look builds one of those that take long.
const AWAITED_LOOKS: u32 = 64;
/// Looks at processes in this time; more wait.
const SPAN: Duration = Duration::from_secs(1);
const LOOKS: u32 = 32;
/// From look to look at one process.
const WAIT_MIN: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(60);
/// At most so long where walks say what they lack: it may have come only now, however often there was nothing new before.
const WAIT_LACK: Duration = Duration::from_secs(1);
/// A process whose walks end early for no known reason may have other mappings now.
const WAIT_CUT: Duration = Duration::from_secs(5);
/// Bytes of call frame information that a sample is worth: some 4 ms of reading, where a sample stands for 20 ms (at 49 Hz) that
/// the process ran. Who hardly ever runs shall not cost more than that.
const WORTH_BYTES: u64 = 128 << 10;
/// How often exited processes are looked for.
const SWEEP: Duration = Duration::from_secs(30);

struct Worker<K> {
    store: Store<K>,
    wanted: FxHashMap<ProcKey, Sampled>,
    /// Processes that lack tables which were not worth their while, and their samples.
    large: FxHashMap<ProcKey, u32>,
    looked: FxHashMap<ProcKey, (Instant, Duration)>,
    awaited: VecDeque<Awaited>,
    swept: Instant,
    span: (Instant, u32),
    status: Arc<Mutex<Status>>,
}

impl<K: Kernel> Worker<K> {
    fn new(store: Store<K>, status: Arc<Mutex<Status>>) -> Worker<K> {
        let now = Instant::now();
        Worker {
            store,
            wanted: FxHashMap::default(),
            large: FxHashMap::default(),
            looked: FxHashMap::default(),
            awaited: VecDeque::new(),
            swept: now,
            span: (now, 0),
            status,
        }
    }

    fn run(mut self, inbox: &Receiver<Message>) {
        loop {
            let next = match (self.wanted.is_empty(), self.next_large()) {
                _ if !self.awaited.is_empty() => inbox.recv_timeout(Duration::ZERO),
                (true, None) => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                (true, Some(_)) => inbox.recv_timeout(Duration::ZERO),
                (false, _) => inbox.recv_timeout(Duration::from_millis(20)),
            };
            match next {
                Ok(message) => self.hear(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Ok(message) = inbox.try_recv() {
                self.hear(message);
            }
            match self.awaited.pop_front() {
                Some(awaited) => self.prepare(awaited),
                None => self.work(Instant::now()),
            }
        }
    }

    /// Makes the tables of one process that is waited for, and puts the rest in line again, so that news are heard between two.
    fn prepare(&mut self, mut awaited: Awaited) {
        let Some(key) = awaited.keys.pop() else { return };
        self.wanted.remove(&key);
        for _ in 0..AWAITED_LOOKS {
            if self.look(key, 0, u64::MAX) == Looked::Silent || self.store.lacks_bytes(key).is_none() {
                break;
            }
        }
        self.tell();
        self.awaited.push_front(awaited);
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Prepare(awaited) => self.awaited.push_back(awaited),
            Message::Sampled(processes) => processes.into_iter().for_each(|sampled| self.want(sampled)),
            Message::Gone(keys) => keys.into_iter().for_each(|key| {
                self.store.forget(key);
                self.wanted.remove(&key);
                self.looked.remove(&key);
                self.large.remove(&key);
            }),
        }
    }

    fn want(&mut self, sampled: Sampled) {
        self.store.touch(sampled.key, Instant::now());
        if let Some(samples) = self.large.get_mut(&sampled.key) {
            *samples = samples.saturating_add(sampled.samples);
            if sampled.miss == Miss::Table {
                return;
            }
        }
        if sampled.miss == Miss::Nothing {
            return;
        }
        let wanted = self.wanted.entry(sampled.key).or_insert(Sampled { samples: 0, ..sampled });
        wanted.samples = wanted.samples.saturating_add(sampled.samples);
        wanted.miss = wanted.miss.max(sampled.miss);
    }

    /// Looks at what is wanted, the hottest first, as far as it is time for that.
    fn work(&mut self, now: Instant) {
        self.wanted.retain(|key, wanted| is_time(self.looked.get(key), wanted.miss, now));
        let mut wanted: Vec<Sampled> = self.wanted.values().copied().collect();
        wanted.sort_by_key(|w| std::cmp::Reverse(w.samples));
        if now.duration_since(self.span.0) > SPAN {
            self.span = (now, 0);
        }
        let looks = wanted.len().min((LOOKS - self.span.1) as usize);
        for sampled in &wanted[..looks] {
            self.wanted.remove(&sampled.key);
            self.span.1 += 1;
            self.look(sampled.key, sampled.samples, worth_bytes(sampled.samples).min(LARGE_BYTES));
        }
        let large = self.next_large().filter(|_| looks == 0);
        if let Some((key, samples)) = large {
            self.look(key, samples, worth_bytes(samples));
        }
        if now.duration_since(self.swept) > SWEEP {
            self.swept = now;
            self.store.sweep(now);
            self.looked.retain(|_, (at, _)| now.duration_since(*at) < 2 * WAIT_MAX);
        }
        if looks > 0 || large.is_some() {
            self.tell();
        }
    }

    /// The hottest process that lacks a table which is worth its while by now, and its samples.
    fn next_large(&self) -> Option<(ProcKey, u32)> {
        let is_worth = |key: &ProcKey, samples: u32| self.store.lacks_bytes(*key).is_none_or(|bytes| bytes <= worth_bytes(samples));
        let ripe = self.large.iter().map(|(key, samples)| (*key, *samples)).filter(|(key, samples)| is_worth(key, *samples));
        ripe.max_by_key(|(_, samples)| *samples)
    }

    fn look(&mut self, key: ProcKey, samples: u32, most_bytes: u64) -> Looked {
        let before = self.looked.get(&key).map_or(WAIT_MIN, |(_, wait)| *wait);
        let looked = self.store.look(key, most_bytes);
        let wait = match looked {
            Looked::Changed => WAIT_MIN,
            Looked::Same | Looked::Failed | Looked::Silent => (before * 2).min(WAIT_MAX),
        };
        self.looked.insert(key, (Instant::now(), wait));
        // Who does not answer is in no line: it is looked at again when it was sampled again.
        match self.store.lacks_bytes(key).filter(|_| looked != Looked::Silent) {
            Some(_) => drop(self.large.entry(key).or_insert(samples)),
            None => drop(self.large.remove(&key)),
        }
        looked
    }

    fn tell(&self) {
        let counted = self.store.count();
        let Ok(mut status) = self.status.lock() else { return };
        if status.rows != counted.rows {
            // Reading a table takes megabytes for a moment.
            memory::give_back();
        }
        *status = Status { cpu_ns: counted.cpu_ns + thread_cpu_ns(), ..counted };
    }
}

/// Bytes of the largest section whose table is worth so many samples.
fn worth_bytes(samples: u32) -> u64 {
    u64::from(samples) * WORTH_BYTES
}

/// Whether to look at a process again that was looked at before.
fn is_time(looked: Option<&(Instant, Duration)>, miss: Miss, now: Instant) -> bool {
    let Some((at, wait)) = looked else { return true };
    let wait = match miss {
        Miss::Nothing => return false,
        Miss::Cut => WAIT_CUT.max(*wait),
        Miss::Table | Miss::Mapping | Miss::Process => WAIT_LACK.min(*wait),
    };
    now.duration_since(*at) >= wait
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_looked_for_soon_however_often_there_was_nothing() {
        let now = Instant::now();
        let looked = |ago: Duration, wait: Duration| now.checked_sub(ago).map(|at| (at, wait));
        let is_time = |ago, wait, miss| is_time(looked(ago, wait).as_ref(), miss, now);
        assert!(is_time(WAIT_LACK, WAIT_MAX, Miss::Mapping) && is_time(WAIT_LACK, WAIT_MAX, Miss::Process));
        assert!(!is_time(WAIT_LACK, WAIT_MAX, Miss::Cut) && is_time(WAIT_MAX, WAIT_MAX, Miss::Cut));
        assert!(!is_time(WAIT_MIN / 2, WAIT_MIN, Miss::Table) && is_time(WAIT_MIN, WAIT_MIN, Miss::Table));
        assert!(!is_time(WAIT_MAX, WAIT_MIN, Miss::Nothing) && super::is_time(None, Miss::Cut, now));
    }
}
