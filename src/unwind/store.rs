//! Which processes and files the kernel half knows, and what makes room for others.

mod gather;

use std::io;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::arena::{Arena, Run, Words};
use super::files::{FileNumber, Files, HOT};
use super::layout::{Kind, MAPPING_WORDS, MappingEntry, PROCS_MAX, Rule, proc_bytes};
use super::reading::Reading;
use super::rule::Rules;
use super::worker::Status;
use crate::sample::ProcKey;
use crate::symbols::process::{Backing, Mapping, Process};

/// What the kernel half reads.
pub(super) trait Kernel: Words {
    /// Sets rule number `number`.
    fn set_rule(&mut self, number: u16, rule: &Rule) -> io::Result<()>;
    /// Makes a process known, in place of what was known of it.
    fn set_proc(&mut self, tgid: u32, value: &[u8]) -> io::Result<()>;
    /// Forgets a process.
    fn drop_proc(&mut self, tgid: u32);
    /// To be called when all is written for now.
    fn rest(&mut self);
}

/// All that is known.
pub(super) struct Store<K> {
    kernel: K,
    reading: Reading,
    arena: Arena,
    rules: Rules,
    files: Files,
    vdso: Option<FileNumber>,
    procs: FxHashMap<ProcKey, Proc>,
    work_bytes: u64,
    /// Sections of more bytes are left for later, at the moment.
    large_bytes: u64,
    /// Files of the process that is being looked at, as far as they were.
    held: Vec<FileNumber>,
    /// Tables given up to make room.
    evicted: u64,
    /// Of what the kernel half was told last. That it comes round again takes years.
    version: NonZeroU32,
}

/// Sections of more bytes take long: from 100,000 rows on.
pub(super) const LARGE_BYTES: u64 = 512 << 10;

/// A process that the kernel half knows.
struct Proc {
    run: Run,
    entries: Vec<MappingEntry>,
    /// Start, inode and file of each mapping, so that files need not be opened again.
    files: Vec<(u64, u64, FileNumber)>,
    seen: Instant,
}

impl Proc {
    /// It was not sampled lately.
    fn is_cold(&self, now: Instant) -> bool {
        now.duration_since(self.seen) > HOT
    }
}

/// How a look at a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// It is known better now.
    Changed,
    /// Nothing was new.
    Same,
    /// It has exited, or may not be read, or there is no room for it.
    Failed,
    /// It does not answer, or takes very long: what was known of it stays.
    Silent,
}

impl<K: Kernel> Store<K> {
    /// Of at most `table_bytes` in the kernel, and as many to build one table with.
    pub(super) fn new(kernel: K, reading: Reading, table_bytes: u64) -> Store<K> {
        Store {
            kernel,
            reading,
            arena: Arena::new(table_bytes),
            rules: Rules::default(),
            files: Files::default(),
            vdso: None,
            procs: FxHashMap::default(),
            work_bytes: table_bytes,
            large_bytes: LARGE_BYTES,
            held: Vec::new(),
            evicted: 0,
            version: NonZeroU32::MIN,
        }
    }

    /// Whether a process is known; if so, it and its files count as used now.
    pub(super) fn touch(&mut self, key: ProcKey, now: Instant) -> bool {
        let Some(known) = self.procs.get_mut(&key) else { return false };
        known.seen = now;
        for (_, _, file) in &known.files {
            self.files.touch(*file, now);
        }
        true
    }

    /// Reads the mappings of a process, builds the tables it lacks as far as their sections have at most so many bytes, and tells the
    /// kernel half. Of those that take long, one is built at a time.
    pub(super) fn look(&mut self, key: ProcKey, most_bytes: u64) -> Looked {
        self.large_bytes = most_bytes;
        let (Ok(looked) | Err(looked)) = self.try_look(key);
        if looked == Looked::Failed {
            self.forget(key);
        }
        self.held.clear();
        self.kernel.rest();
        looked
    }

    /// Bytes of the smallest section of which a process lacks the table; 0 where all tables are there but not all are told of; `None`
    /// where it lacks nothing.
    pub(super) fn lacks_bytes(&self, key: ProcKey) -> Option<u64> {
        let known = self.procs.get(&key)?;
        let pending = known.entries.iter().any(|entry| entry.kind == Kind::Pending);
        let left = known.files.iter().filter_map(|(_, _, file)| self.files.bytes_for_later(*file)).min();
        let refused = known.files.iter().any(|(_, _, file)| self.files.lacks_room(*file));
        left.or((pending && !refused).then_some(0))
    }

    fn try_look(&mut self, key: ProcKey) -> Result<Looked, Looked> {
        let mappings = self.reading.mappings(key)?;
        let files = self.files_of(key, &mappings)?;
        let entries = self.entries(&mappings, &files);
        // What was read may be another's whose pid it is now.
        if entries.is_empty() || Process::find(key).is_none() {
            return Err(Looked::Failed);
        }
        for (number, rule) in self.rules.take_new() {
            self.kernel.set_rule(number, &rule).map_err(|_| Looked::Failed)?;
        }
        let same = self.procs.get(&key).is_some_and(|known| known.entries == entries);
        self.publish(key, entries, files).ok_or(Looked::Failed)?;
        Ok(if same { Looked::Same } else { Looked::Changed })
    }

    /// Drops processes that were not sampled lately, and so many of the tables that were not used for longest, first those that
    /// nobody maps any more, and those who use them; false where all were used lately.
    fn make_room(&mut self, tables: u32) -> bool {
        let now = Instant::now();
        let mut dropped = self.forget_all(|known| known.is_cold(now));
        for _ in 0..tables {
            let Some(file) = self.files.coldest(&self.mapped(), &self.held, now) else { break };
            self.forget_all(|known| known.files.iter().any(|(_, _, f)| *f == file));
            self.vdso.take_if(|vdso| *vdso == file);
            self.files.remove(file, &mut self.arena, &mut self.rules);
            self.evicted += 1;
            dropped = true;
        }
        if dropped {
            std::thread::sleep(Arena::REST);
        }
        dropped
    }

    fn entries(&self, mappings: &[Mapping], files: &[(u64, u64, FileNumber)]) -> Vec<MappingEntry> {
        let mut entries: Vec<MappingEntry> = Vec::new();
        for mapping in mappings {
            let (start, end) = (mapping.start, mapping.end);
            let file = files.binary_search_by_key(&start, |f| f.0).ok().map(|i| files[i].2);
            match (mapping.backing, file) {
                (Backing::Anonymous, _) => match entries.last_mut().filter(|last| last.kind == Kind::Jit && last.end == start) {
                    Some(last) => last.end = end,
                    None => entries.push(MappingEntry { start, end, bias: 0, pages_at: 0, kind: Kind::Jit }),
                },
                (_, Some(file)) => self.files.entries(file, start, end, mapping.offset, &mut entries),
                (_, None) => entries.push(MappingEntry { start, end, bias: 0, pages_at: 0, kind: Kind::Bare }),
            }
        }
        entries.truncate((Arena::RUN_WORDS_MAX / MAPPING_WORDS) as usize);
        entries
    }

    fn publish(&mut self, key: ProcKey, entries: Vec<MappingEntry>, files: Vec<(u64, u64, FileNumber)>) -> Option<()> {
        // Whoever had the pid before is gone: once this one stands there, nobody takes it away in the other's name.
        let former = self.procs.keys().find(|known| known.pid == key.pid && **known != key).copied();
        former.into_iter().for_each(|former| self.forget(former));
        let now = Instant::now();
        if self.procs.len() >= PROCS_MAX && !self.procs.contains_key(&key) {
            let oldest = self.procs.iter().min_by_key(|(_, p)| p.seen).map(|(key, _)| *key);
            oldest.into_iter().for_each(|oldest| self.forget(oldest));
        }
        let words: Vec<u32> = entries.iter().flat_map(MappingEntry::words).collect();
        let run = match self.arena.take(words.len() as u32, &mut self.kernel, now) {
            Some(run) => run,
            None if self.make_room(1) => self.arena.take(words.len() as u32, &mut self.kernel, Instant::now())?,
            None => return None,
        };
        let written = self.kernel.write(run.at, &words);
        self.version = self.version.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let value = proc_bytes(key.start_ns, run.at, entries.len() as u32, self.version);
        if written.and_then(|()| self.kernel.set_proc(key.pid, &value)).is_err() {
            self.arena.give(run, now);
            return None;
        }
        if let Some(before) = self.procs.insert(key, Proc { run, entries, files, seen: now }) {
            self.arena.give(before.run, now);
        }
        Some(())
    }

    /// Forgets a process.
    pub(super) fn forget(&mut self, key: ProcKey) {
        if let Some(known) = self.procs.remove(&key) {
            self.kernel.drop_proc(key.pid);
            self.arena.give(known.run, Instant::now());
        }
    }

    /// Forgets processes; whether there were any.
    fn forget_all(&mut self, which: impl Fn(&Proc) -> bool) -> bool {
        let keys: Vec<ProcKey> = self.procs.iter().filter(|(_, known)| which(known)).map(|(key, _)| *key).collect();
        keys.iter().for_each(|key| self.forget(*key));
        !keys.is_empty()
    }

    /// Forgets the processes that exited, of those not sampled for a while, and files that nobody maps any more.
    pub(super) fn sweep(&mut self, now: Instant) {
        const QUIET: Duration = Duration::from_secs(60);
        let quiet = self.procs.iter().filter(|(_, p)| now.duration_since(p.seen) > QUIET).map(|(key, _)| *key);
        for key in quiet.collect::<Vec<_>>() {
            if Process::find(key).is_none() {
                self.forget(key);
            }
        }
        let mapped = self.mapped();
        for file in self.files.unused(now, QUIET) {
            if !mapped.contains(&file) {
                self.files.remove(file, &mut self.arena, &mut self.rules);
            }
        }
    }

    /// What there is.
    pub(super) fn count(&self) -> Status {
        let (tables, rows, left_out) = self.files.count();
        let table_bytes = self.arena.bytes();
        let (processes, evicted, cpu_ns) = (self.procs.len(), self.evicted, self.reading.cpu_ns());
        Status { processes, tables, rows, left_out, table_bytes, evicted, cpu_ns }
    }
}

#[cfg(test)]
mod tests;
