//! One process looked at closely, from /proc, on a thread of its own.
//!
//! Arguments, environment and memory map wait for the lock of the process's memory, which one that hangs may hold for ever. So each
//! process that is looked at gets a thread, what needs no lock is told first, and whoever is asked about next is not kept waiting.

mod files;
mod memory;
mod places;
mod status;
mod words;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use rustix::fs::{Mode, OFlags};

use super::details::Users;
use super::open_process;
use crate::clock;
use crate::rights::{Work, narrow};
use crate::sample::inspection::{Ask, Fact, Inspection};
use crate::sample::{ProcKey, Update, printable};

/// Threads that may hang at once; whoever is asked about beyond is never told of.
const THREADS: usize = 16;
/// Of the time that reading a part took, so many times that must pass before it is read again: watching takes 1 % of a CPU at most.
const REST: u32 = 100;

/// Names of users, for all threads that look: a name service that hangs holds up one thread of its own, however many ask. Made by the
/// first that asks, with its few rights.
type SharedUsers = Arc<Mutex<Option<Users>>>;

/// The threads that look.
pub(super) struct Inspectors {
    to_screen: Sender<Update>,
    current: Option<(ProcKey, Sender<Ask>)>,
    users: SharedUsers,
    /// Every thread holds one.
    alive: Arc<()>,
}

impl Inspectors {
    pub(super) fn new(to_screen: Sender<Update>) -> Inspectors {
        Inspectors { to_screen, current: None, users: SharedUsers::default(), alive: Arc::default() }
    }

    /// Has a process looked at. A thread that is still at it takes the question afterwards, or not at all if one waits already.
    pub(super) fn ask(&mut self, ask: Option<Ask>) {
        let Some(ask) = ask else { return self.current = None };
        if self.current.as_ref().is_none_or(|(key, _)| *key != ask.key) {
            self.current = self.start(ask.key).map(|questions| (ask.key, questions));
        }
        if let Some((_, questions)) = &self.current {
            let _ = questions.try_send(ask);
        }
    }

    /// A thread for one process. It ends once nobody asks it any more and it does not hang.
    fn start(&self, key: ProcKey) -> Option<Sender<Ask>> {
        if Arc::strong_count(&self.alive) > THREADS {
            return None;
        }
        let (questions, inbox): (_, Receiver<Ask>) = crossbeam_channel::bounded(1);
        let (to_screen, users, alive) = (self.to_screen.clone(), Arc::clone(&self.users), Arc::clone(&self.alive));
        let work = move || {
            let _alive = alive;
            let _ = narrow(Work::Name);
            let mut inspector = Inspector::new(key, users);
            for ask in inbox {
                let mut tell = |found: Option<&Inspection>| {
                    let _ = to_screen.send(Update::Inspected(key, found.cloned().map(Arc::new)));
                };
                inspector.look(ask, &mut tell);
            }
        };
        std::thread::Builder::new().name("inspect".into()).spawn(work).ok()?;
        Some(questions)
    }
}

/// Looks at one process, again and again.
struct Inspector {
    found: Inspection,
    users: SharedUsers,
    has_told: bool,
    files_again: Instant,
    memory_again: Instant,
}

impl Inspector {
    /// Before the first look.
    fn new(key: ProcKey, users: SharedUsers) -> Inspector {
        let now = Instant::now();
        let utc_offset_s = jiff::tz::TimeZone::system().to_offset(jiff::Timestamp::now()).seconds();
        let found = Inspection { key, utc_offset_s, ..Inspection::default() };
        Inspector { found, users, has_told: false, files_again: now, memory_again: now }
    }

    /// Looks, and tells what it found; the first time twice, since the second part may never come. `None` once the process is gone.
    fn look(&mut self, ask: Ask, tell: &mut dyn FnMut(Option<&Inspection>)) {
        let Some(process) = open_process(self.found.key) else { return tell(None) };
        self.found.at_ns = clock::boottime_ns();
        self.look_without_lock(&process);
        if !ask.environment {
            self.found.environment = None;
        }
        if !self.has_told {
            tell(Some(&self.found));
            self.has_told = true;
        }
        self.look_under_lock(&process, ask);
        tell(Some(&self.found));
    }

    /// What is to be had of every process at once.
    fn look_without_lock(&mut self, process: &OwnedFd) {
        let found = &mut self.found;
        found.exe = link(process, "exe");
        found.cwd = link(process, "cwd");
        found.root = link(process, "root");
        found.waits_in = text(process, "wchan").map(|name| if name == "0" { String::new() } else { name });
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        found.status = status::status(process, users.get_or_insert_default());
        drop(users);
        found.scheduling = status::scheduling(process);
        found.oom = status::oom(process);
        found.limits = status::limits(process);
        found.namespaces = places::namespaces(process);
        found.cgroups = places::cgroups(process);
        let began = Instant::now();
        if began >= self.files_again {
            found.files = files::read(process);
            self.files_again = began + began.elapsed() * REST;
        }
    }

    /// What waits for the lock of the process's memory.
    fn look_under_lock(&mut self, process: &OwnedFd, ask: Ask) {
        self.found.arguments = words::arguments(process);
        self.found.environment = ask.environment.then(|| words::environment(process));
        let began = Instant::now();
        // One that was asked for although it is dear is not put off.
        let is_refused = matches!(self.found.memory, Fact::Refused(_));
        if began >= self.memory_again || (ask.all_memory && is_refused) {
            self.found.memory = memory::read(process, ask.all_memory);
            self.memory_again = began + began.elapsed() * REST;
        }
    }
}

/// What the kernel writes about a file of the process that was not to be had.
fn refused<T>(error: &io::Error) -> Fact<T> {
    Fact::Refused(match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => "not permitted: needs root, or CAP_SYS_PTRACE".into(),
        Some(libc::ENOENT | libc::ESRCH) => "there is none".into(),
        _ => error.to_string().into(),
    })
}

fn fact<T>(result: io::Result<T>) -> Fact<T> {
    match result {
        Ok(fact) => Fact::Known(fact),
        Err(error) => refused(&error),
    }
}

fn link(process: &OwnedFd, name: &str) -> Fact<String> {
    let target = rustix::fs::readlinkat(process, name, Vec::new()).map(|path| printable(path.to_bytes()));
    fact(target.map_err(io::Error::from))
}

/// A file of one line.
fn text(process: &OwnedFd, name: &str) -> Fact<String> {
    fact(read(process, name, 4096).map(|(bytes, _)| printable(bytes.trim_ascii_end())))
}

/// A file of the process, so many bytes of it at most, and whether that was not all.
fn read(process: impl AsFd, name: &str, most: usize) -> io::Result<(Vec<u8>, bool)> {
    let file = open(process, name)?;
    let mut bytes = vec![0; most.min(16 << 10)];
    let mut length = 0;
    loop {
        if length == bytes.len() {
            if length == most {
                return Ok((bytes, true));
            }
            bytes.resize((length * 2).min(most), 0);
        }
        match rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut bytes[length..]))? {
            0 => break,
            more => length += more,
        }
    }
    bytes.truncate(length);
    Ok((bytes, false))
}

fn open(process: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(process, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// A moment that is not passed.
#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn after(time: Duration) -> Deadline {
        Deadline(Instant::now() + time)
    }

    fn is_past(self) -> bool {
        Instant::now() >= self.0
    }
}

#[cfg(test)]
mod tests;
