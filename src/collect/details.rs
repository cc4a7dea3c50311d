//! Slow facts about processes, from /proc, cached by [`ProcKey`] and exec.

mod cgroup;
mod users;

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};
use rustix::fs::{Mode, OFlags};

use super::machine::tick_ns;
use super::proc_file::read_once;
use super::proc_fs::stat;
use crate::sample::{Details, ProcKey, Sample, printable};
use users::Users;

/// Longer command lines are cut.
const CMDLINE_BYTES: usize = 4096;
/// A process may change its command line, user and cgroup without exec; this old, they are read again.
const REREAD_AFTER: Duration = Duration::from_secs(30);
/// Right after its birth a process often changes all of them: it is read again this soon.
const REREAD_YOUNG_AFTER: Duration = Duration::from_secs(1);
/// A process is young for so long.
const YOUTH: Duration = Duration::from_secs(2);
/// The cache is searched for processes that are gone only when it grew by so many, and by half.
const PRUNE_STEP: usize = 256;

/// What was read, until its process is gone.
#[derive(Default)]
pub struct DetailsCache {
    entries: FxHashMap<ProcKey, Entry>,
    users: Users,
    prune_at: usize,
}

struct Entry {
    exec_id: u64,
    read_again: Instant,
    details: Details,
}

impl DetailsCache {
    /// The details of a process, read once per exec and again now and then; `None` when it is gone before they were read (or its
    /// pid is another process by now).
    pub fn get(&mut self, key: ProcKey, exec_id: u64) -> Option<Details> {
        let now = Instant::now();
        let old = self.entries.get(&key);
        if let Some(entry) = old.filter(|entry| entry.exec_id == exec_id && now < entry.read_again) {
            return Some(entry.details.clone());
        }
        let Some((details, is_final)) = self.read(key) else { return self.entries.get(&key).map(|entry| entry.details.clone()) };
        let read_again = now + if is_final && !is_young(key) { REREAD_AFTER } else { REREAD_YOUNG_AFTER };
        self.entries.insert(key, Entry { exec_id, read_again, details: details.clone() });
        Some(details)
    }

    /// Forgets processes that are no longer in `sample`, some time after they are gone: a few searches for each new entry, nothing
    /// on a tick without new ones.
    pub fn retain(&mut self, sample: &Sample) {
        if self.entries.len() < self.prune_at.max(PRUNE_STEP) {
            return;
        }
        let exits: FxHashSet<ProcKey> = sample.exits.iter().map(|exit| exit.task.key).collect();
        self.entries.retain(|key, _| sample.tasks.binary_search_by_key(key, |task| task.key).is_ok() || exits.contains(key));
        self.prune_at = self.entries.len() + self.entries.len() / 2 + PRUNE_STEP;
    }

    /// The details, and whether the user's name is among them already.
    fn read(&mut self, key: ProcKey) -> Option<(Details, bool)> {
        let process = open_process(key)?;
        let mut buffer = [0; 16 << 10];
        // A process without an owner is gone.
        let uid = stat::status(read_once(&process, "status", &mut buffer).ok()?).uid?;
        let cmdline = read_once(&process, "cmdline", &mut buffer[..CMDLINE_BYTES]).map(join_arguments).unwrap_or_default();
        let cgroup = read_once(&process, "cgroup", &mut buffer).ok().and_then(cgroup::path);
        let exe = rustix::fs::readlinkat(&process, "exe", Vec::new()).ok().map(|path| printable(path.to_bytes()));
        let name = self.users.name(uid);
        let is_final = name.is_some();
        Some((Details { cmdline, exe, user: name.unwrap_or_else(|| uid.to_string()), cgroup }, is_final))
    }
}

/// The directory of a process, checked to be that process. It stays bound to it: once the process is gone reads fail, even if the
/// pid is used again, and so one check is enough.
fn open_process(key: ProcKey) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let process = rustix::fs::open(format!("/proc/{}", key.pid), flags, Mode::empty()).ok()?;
    is_same(&process, key)?.then_some(process)
}

/// /proc cuts the start time to ticks.
fn is_same(process: impl AsFd, key: ProcKey) -> Option<bool> {
    let mut buffer = [0; 1024];
    let stat = stat::stat(read_once(process, "stat", &mut buffer).ok()?)?;
    Some(stat.start_ticks.abs_diff(key.start_ns / tick_ns()) <= 1)
}

fn is_young(key: ProcKey) -> bool {
    let now = super::machine::clock_ns(rustix::time::ClockId::Boottime);
    u128::from(now.saturating_sub(key.start_ns)) < YOUTH.as_nanos()
}

/// Arguments end in NUL; a process that writes its own title leaves NULs or spaces behind it.
fn join_arguments(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|&b| b != 0 && b != b' ').map_or(0, |last| last + 1);
    let joined: Vec<u8> = bytes[..end].iter().map(|&b| if b == 0 { b' ' } else { b }).collect();
    printable(&joined)
}

#[cfg(test)]
mod tests;
