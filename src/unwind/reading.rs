//! Reads what tables are made of, from processes and files that need not answer: other threads do it, which may be left behind
//! ([`Readers`]), and what they read is handed over in small pieces, so that those that hang hold little memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::elf::{self, Elf, Section};
use super::store::Looked;
use crate::clock::thread_cpu_ns;
use crate::readers::{Devices, Readers};
use crate::sample::ProcKey;
use crate::symbols::process::{FileId, Mapping, Process};

/// Most bytes of a section that are read at once.
const PIECE_BYTES: u64 = 1 << 20;
/// Most files that are looked at at once.
const FILES_AT_ONCE: usize = 64;
/// Time that reading may sleep in one look at a process, however many pieces it takes. What was read by then need not be read again.
const LOOK_MAX: Duration = Duration::from_secs(5);
/// A process that took longer is left alone for so long.
const REST: Duration = Duration::from_secs(30);

/// Whose a file is.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// Our own, in memory: it is read at once.
    Own(&'a File),
    /// It is mapped by that process.
    Theirs(ProcKey, &'a Mapping),
}

/// What is asked of one process.
#[derive(Clone)]
pub(super) enum Question {
    /// Its mappings.
    Mappings,
    /// Which files are behind these.
    Files(Vec<Mapping>),
    /// The headers of a file.
    Head(Mapping, FileId),
    /// So many bytes of it from an offset on.
    Bytes(Mapping, FileId, u64, u64),
}

/// What comes of it.
pub(super) enum Answer {
    Mappings(Vec<Mapping>),
    /// By the start of their mapping; without those that cannot be opened.
    Files(Vec<(u64, FileId)>),
    /// `None` where it is no program.
    Head(Option<Elf>),
    Bytes(Vec<u8>),
    /// It cannot be read.
    Nothing,
    /// The process is gone, or that mapping of it: nothing is told of the file.
    Gone,
    /// Its file system does not answer, as another process showed.
    Silent,
}

/// An answer, and what it took.
pub(super) struct Reply {
    answer: Answer,
    cpu_ns: u64,
    /// Neither did the thread run nor wait for a CPU.
    asleep: Duration,
}

type Read = Box<dyn FnMut(ProcKey, Question) -> Reply>;
type NewRead = Box<dyn Fn() -> Read + Send + Sync>;

/// Reads for one who must not wait. Fails with [`Looked::Silent`] where there is no answer.
pub(super) struct Reading {
    readers: Readers<Question, Reply, NewRead>,
    /// Time to sleep that is left in this look.
    left: Duration,
    /// Processes that took too long, and since when they are left alone.
    resting: FxHashMap<ProcKey, Instant>,
    cpu_ns: u64,
}

impl Default for Reading {
    fn default() -> Self {
        let devices = Devices::default();
        Reading::by(move || {
            let (devices, stopwatch) = (devices.clone(), Stopwatch::of_this_thread());
            Box::new(move |key, question| read(key, question, &devices, &stopwatch))
        })
    }
}

impl Reading {
    /// Each thread reads by what `new_reader` gives it.
    pub(super) fn by(new_reader: impl Fn() -> Read + Send + Sync + 'static) -> Reading {
        Reading { readers: Readers::new("unwind-read", Box::new(new_reader)), left: LOOK_MAX, resting: FxHashMap::default(), cpu_ns: 0 }
    }

    /// CPU time that reading took, ns.
    pub(super) fn cpu_ns(&self) -> u64 {
        self.cpu_ns
    }

    /// Begins a look at a process with its mappings.
    pub(super) fn mappings(&mut self, key: ProcKey) -> Result<Vec<Mapping>, Looked> {
        self.resting.retain(|_, since| since.elapsed() < REST);
        self.left = LOOK_MAX;
        match self.ask(key, Question::Mappings)? {
            Answer::Mappings(mappings) => Ok(mappings),
            _ => Err(Looked::Failed),
        }
    }

    /// The files behind mappings, as far as they can be opened, by the start of their mapping.
    pub(super) fn files(&mut self, key: ProcKey, mappings: &[Mapping]) -> Result<FxHashMap<u64, FileId>, Looked> {
        let mut found = FxHashMap::default();
        for some in mappings.chunks(FILES_AT_ONCE) {
            if let Answer::Files(files) = self.ask(key, Question::Files(some.to_vec()))? {
                found.extend(files);
            }
        }
        Ok(found)
    }

    /// What a file says of itself; `None` where it is no program, or cannot be read. Fails with [`Looked::Failed`] where it is mapped no
    /// more: others may map it yet.
    pub(super) fn head(&mut self, source: Source<'_>, id: FileId) -> Result<Option<Elf>, Looked> {
        match source {
            Source::Own(file) => Ok(Elf::read(file, id.bytes).ok().flatten()),
            Source::Theirs(key, mapping) => match self.ask(key, Question::Head(mapping.clone(), id))? {
                Answer::Head(elf) => Ok(elf),
                Answer::Gone => Err(Looked::Failed),
                _ => Ok(None),
            },
        }
    }

    /// The content of a section that lies in a file; `None` where it cannot be read. Fails as [`Self::head`] does.
    pub(super) fn section(&mut self, source: Source<'_>, id: FileId, section: Section) -> Result<Option<Vec<u8>>, Looked> {
        let (key, mapping) = match source {
            Source::Own(file) => return Ok(elf::read(file, id.bytes, section.offset, section.bytes).ok()),
            Source::Theirs(key, mapping) => (key, mapping),
        };
        let mut bytes = Vec::with_capacity(usize::try_from(section.bytes).unwrap_or(0));
        while (bytes.len() as u64) < section.bytes {
            let at = bytes.len() as u64;
            let question = Question::Bytes(mapping.clone(), id, section.offset + at, PIECE_BYTES.min(section.bytes - at));
            match self.ask(key, question)? {
                Answer::Bytes(piece) if !piece.is_empty() => bytes.extend(piece),
                Answer::Gone => return Err(Looked::Failed),
                _ => return Ok(None),
            }
        }
        Ok(Some(bytes))
    }

    fn ask(&mut self, key: ProcKey, question: Question) -> Result<Answer, Looked> {
        if self.resting.contains_key(&key) {
            return Err(Looked::Silent);
        }
        let Reply { answer, cpu_ns, asleep } = self.readers.ask(key, question).ok_or(Looked::Silent)?;
        self.cpu_ns += cpu_ns;
        if let Answer::Silent = answer {
            return Err(Looked::Silent);
        }
        self.left = self.left.saturating_sub(asleep);
        if self.left.is_zero() {
            self.resting.insert(key, Instant::now());
            return Err(Looked::Silent);
        }
        Ok(answer)
    }
}

/// What a reader does.
pub(super) fn read(key: ProcKey, question: Question, devices: &Devices, stopwatch: &Stopwatch) -> Reply {
    let began = stopwatch.now();
    let answer = answer(key, question, devices).unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::TimedOut => Answer::Silent,
        io::ErrorKind::NotFound => Answer::Gone,
        _ => Answer::Nothing,
    });
    let (cpu_ns, asleep) = stopwatch.since(&began);
    Reply { answer, cpu_ns, asleep }
}

/// Files are opened and closed here, since either may hang.
fn answer(key: ProcKey, question: Question, devices: &Devices) -> io::Result<Answer> {
    let process = Process::find(key).ok_or(io::ErrorKind::NotFound)?;
    // The process may have begun another program since it was asked which files there are.
    let open = |mapping: &Mapping, id: FileId| match process.open(mapping, devices) {
        Ok((file, found)) if found == id => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(error),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    Ok(match question {
        Question::Mappings => Answer::Mappings(process.mappings()?),
        Question::Files(mappings) => {
            let mut files = Vec::with_capacity(mappings.len());
            for mapping in mappings {
                match process.open(&mapping, devices) {
                    Ok((_, id)) => files.push((mapping.start, id)),
                    Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(error),
                    Err(_) => {}
                }
            }
            Answer::Files(files)
        }
        Question::Head(mapping, id) => Answer::Head(Elf::read(&open(&mapping, id)?, id.bytes)?),
        Question::Bytes(mapping, id, offset, bytes) => Answer::Bytes(elf::read(&open(&mapping, id)?, id.bytes, offset, bytes)?),
    })
}

/// Tells how a thread spends its time.
pub(super) struct Stopwatch {
    /// Its `/proc/thread-self/schedstat`, which not every kernel has: there, waiting for a CPU counts as sleep.
    schedstat: Option<File>,
}

/// What a stopwatch shows.
struct Instants {
    at: Instant,
    cpu_ns: u64,
    /// Time spent waiting for a CPU.
    queued_ns: u64,
}

impl Stopwatch {
    /// Of the thread that calls, for its use only.
    pub(super) fn of_this_thread() -> Stopwatch {
        Stopwatch { schedstat: File::open("/proc/thread-self/schedstat").ok() }
    }

    fn now(&self) -> Instants {
        Instants { at: Instant::now(), cpu_ns: thread_cpu_ns(), queued_ns: self.queued_ns().unwrap_or(0) }
    }

    /// CPU time since then, ns, and how long it slept.
    fn since(&self, began: &Instants) -> (u64, Duration) {
        let ended = self.now();
        let cpu_ns = ended.cpu_ns.saturating_sub(began.cpu_ns);
        let awake = Duration::from_nanos(cpu_ns + ended.queued_ns.saturating_sub(began.queued_ns));
        (cpu_ns, ended.at.duration_since(began.at).saturating_sub(awake))
    }

    /// The second number (Documentation/scheduler/sched-stats.rst).
    fn queued_ns(&self) -> Option<u64> {
        let mut text = [0; 64];
        let len = self.schedstat.as_ref()?.read_at(&mut text, 0).ok()?;
        std::str::from_utf8(&text[..len]).ok()?.split_whitespace().nth(1)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time that is slept, not that which others take, is held against a process.
    #[test]
    fn a_stopwatch_tells_sleep_from_work() {
        let stopwatch = Stopwatch::of_this_thread();
        let asleep = |work: &dyn Fn()| {
            let began = stopwatch.now();
            work();
            stopwatch.since(&began).1
        };
        let slept = asleep(&|| std::thread::sleep(Duration::from_millis(100)));
        assert!(slept > Duration::from_millis(90), "{slept:?}");
        let spin = || {
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(200) {
                std::hint::spin_loop();
            }
        };
        let slept = asleep(&spin);
        assert!(slept < Duration::from_millis(50), "{slept:?}");
    }
}
