//! The kernel half of this domain: loads it in the best form this kernel takes, walks, listens.

use std::io::{self, Read};
use std::mem::{MaybeUninit, offset_of};
use std::os::fd::{AsFd, OwnedFd};

use libbpf_rs::skel::{OpenSkel, SkelBuilder};
use libbpf_rs::{Iter, Link, MapCore, MapFlags, MapHandle};

use super::row::Row;
use super::words::Words;
use crate::bpf::builder;
use crate::bpf::missed::Missed;
use crate::bpf::plain::{MappedArray, decode};
use crate::bpf::run::run_syscall;
use crate::bpf::tasks::types::eb_walk;
use crate::bpf::tasks::{TasksSkel, TasksSkelBuilder};
use crate::collect::check;

/// How the task list is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// A program that runs through all tasks at once, into mapped memory (6.7).
    OpenCoded,
    /// A task iterator read as a stream of rows (5.8).
    Iterator,
}

/// Above this the open-coded walk would hold off the scheduler of a kernel without preemption for too long; `iter/task` reschedules.
const MANY_THREADS: usize = 50_000;
/// Per-CPU batches of resident pages that one walk may add. Each is a cache miss or two: with more, memory is as exact as
/// `mm->rss_stat` without them, off by at most max(32, 2 × CPUs) pages for each CPU.
const BATCHES: usize = 40_000;
/// Nor are they added for more threads than this, to keep the walk of a crowded machine short.
const BATCHED_THREADS: usize = 3000;
/// Room for rows to begin with.
const FEW_THREADS: usize = 4096;
/// After each refusal of more room it is twice as long until it is asked for again, up to 2 to the power of this.
const REFUSALS_COUNTED: u32 = 6;
/// The kernel hands out at most this much of an iterator's stream at once.
const STREAM_BYTES: usize = 32 * 1024;

/// The loaded programs. Nothing is pinned: all of it goes when the process does, however it dies.
pub struct Kernel {
    /// The walk.
    pub walk: Walk,
    /// Last words of processes.
    pub words: Words,
    /// Last words that were never spoken.
    pub missed: Missed,
    /// Why last words are not to be had.
    pub deaf: Option<String>,
    /// How often more room was refused, one time after the other.
    refusals: u32,
    /// Before it is asked for again.
    walks_to_wait: u32,
    _hooks: Vec<Link>,
}

impl Kernel {
    /// Loads the best form that works among `rungs`; last words are given up before the walk is, or at once where nobody wants them.
    pub fn open(rungs: &[Rung], deaf: bool) -> Result<Kernel, String> {
        let mut refused = deaf.then(|| "they were not asked for (EBTOP_FORCE)".to_owned());
        for hooks in [true, false].into_iter().filter(|hooks| !(deaf && *hooks)) {
            for &rung in rungs {
                match load(rung, hooks, room_for(threads_now())) {
                    Ok(mut kernel) => {
                        if !hooks {
                            kernel.deaf = refused;
                        }
                        return Ok(kernel);
                    }
                    Err(error) => refused = Some(check::refused(&error)),
                }
            }
        }
        Err(refused.unwrap_or_else(|| "no way to walk the task list was asked for".into()))
    }

    /// Makes room for more rows where the last walk had too few; whether it did. Then rounds are counted anew.
    pub fn make_room(&mut self) -> bool {
        if !self.walk.outgrown() {
            return false;
        }
        if self.walks_to_wait > 0 {
            self.walks_to_wait -= 1;
            return false;
        }
        match load(Rung::OpenCoded, false, room_for(self.walk.seen)) {
            Ok(larger) => {
                self.walk = larger.walk;
                self.refusals = 0;
                true
            }
            // Memory is short, perhaps: asking takes some, too.
            Err(_) => {
                self.refusals = (self.refusals + 1).min(REFUSALS_COUNTED);
                self.walks_to_wait = 1 << self.refusals;
                false
            }
        }
    }
}

/// One pass over every thread.
pub struct Walk {
    open_coded: Option<OpenCoded>,
    iterator: Link,
    stream: Vec<Row>,
    chunk: Vec<u8>,
    seen: usize,
}

struct OpenCoded {
    program: OwnedFd,
    rows: MappedArray<Row>,
    control: MapHandle,
    cpus: usize,
    adds_batches: bool,
    /// Rows of processes that the last walk wrote at the front.
    processes: usize,
}

impl OpenCoded {
    fn open(skel: &TasksSkel<'_>, room: usize) -> libbpf_rs::Result<OpenCoded> {
        let found = run_syscall(skel.progs.task_cpu_find.as_fd())? as usize;
        let open_coded = OpenCoded {
            program: skel.progs.task_walk.as_fd().try_clone_to_owned()?,
            rows: MappedArray::map(&skel.maps.task_rows.as_fd(), room)?,
            control: MapHandle::try_from(&skel.maps.task_control)?,
            cpus: found.min(last_online_cpu() + 1),
            adds_batches: false,
            processes: 0,
        };
        open_coded.tell(offset_of!(eb_walk, room), room as u32)?;
        Ok(open_coded)
    }

    /// Sets a field of `eb_walk`.
    fn tell(&self, field: usize, number: u32) -> libbpf_rs::Result<()> {
        let key = 0u32.to_ne_bytes();
        if let Some(mut value) = self.control.lookup(&key, MapFlags::ANY)? {
            value[field..][..4].copy_from_slice(&number.to_ne_bytes());
            self.control.update(&key, &value, MapFlags::ANY)?;
        }
        Ok(())
    }

    /// Walks, and gives the number of threads met.
    fn walk(&mut self) -> io::Result<usize> {
        let seen = run_syscall(self.program.as_fd())? as usize;
        let value = self.control.lookup(&0u32.to_ne_bytes(), MapFlags::ANY).map_err(io::Error::other)?.unwrap_or_default();
        let processes = value.get(offset_of!(eb_walk, processes)..).and_then(|bytes| bytes.first_chunk());
        self.processes = processes.map_or(0, |bytes| u32::from_ne_bytes(*bytes)) as usize;
        Ok(seen)
    }

    /// Has the next walks add the per-CPU batches if that is affordable with so many threads.
    fn choose_batches(&mut self, threads: usize) -> libbpf_rs::Result<()> {
        let affordable = threads <= BATCHED_THREADS && threads.saturating_mul(self.cpus) <= BATCHES;
        if affordable != self.adds_batches {
            self.tell(offset_of!(eb_walk, cpus), if affordable { self.cpus as u32 } else { 0 })?;
            self.adds_batches = affordable;
        }
        Ok(())
    }
}

impl Walk {
    fn outgrown(&self) -> bool {
        self.seen <= MANY_THREADS && self.open_coded.as_ref().is_some_and(|o| o.rows.len() < self.seen)
    }

    /// A row for each thread, in two parts that have no order among each other. None is ever cut off: where rows are too few, the
    /// iterator is read instead.
    pub fn rows(&mut self) -> io::Result<[&[Row]; 2]> {
        let direct = self.seen <= MANY_THREADS && self.walk_at_once()?;
        if !direct {
            self.read_stream()?;
            self.seen = self.stream.len();
        }
        match &self.open_coded {
            // SAFETY: only our own run writes the rows, and the borrow of self keeps the next one away.
            Some(open_coded) if direct => Ok(unsafe { open_coded.rows.ends(open_coded.processes, self.seen - open_coded.processes) }),
            _ => Ok([&self.stream, &[]]),
        }
    }

    /// Runs the open-coded walk; false where there is none or its rows did not fit.
    fn walk_at_once(&mut self) -> io::Result<bool> {
        let Some(open_coded) = self.open_coded.as_mut().filter(|o| self.seen <= o.rows.len()) else { return Ok(false) };
        open_coded.choose_batches(self.seen).map_err(io::Error::other)?;
        self.seen = open_coded.walk()?;
        Ok(self.seen <= open_coded.rows.len())
    }

    fn read_stream(&mut self) -> io::Result<()> {
        let mut iter = Iter::new(&self.iterator).map_err(|_| io::Error::last_os_error())?;
        self.stream.clear();
        self.chunk.resize(STREAM_BYTES, 0);
        let mut filled = 0;
        loop {
            match iter.read(&mut self.chunk[filled..]) {
                Ok(0) => return Ok(()),
                Ok(count) => filled += count,
                // Many tasks in a row gave nothing to read: the kernel wants to be asked again.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => continue,
                Err(error) => return Err(error),
            }
            let whole = filled - filled % size_of::<Row>();
            self.stream.extend(self.chunk[..whole].chunks_exact(size_of::<Row>()).filter_map(decode::<Row>));
            self.chunk.copy_within(whole..filled, 0);
            filled -= whole;
        }
    }
}

fn load(rung: Rung, hooks: bool, room: usize) -> libbpf_rs::Result<Kernel> {
    let mut object = MaybeUninit::uninit();
    let mut skel = builder::<TasksSkelBuilder>().open(&mut object)?;
    let open_coded = rung == Rung::OpenCoded;
    skel.progs.task_walk.set_autoload(open_coded);
    skel.progs.task_cpu_find.set_autoload(open_coded);
    skel.progs.task_exit.set_autoload(hooks);
    skel.progs.task_free.set_autoload(hooks);
    let room = if open_coded { room } else { 1 };
    skel.maps.task_rows.set_max_entries(room as u32)?;
    let skel = skel.load()?;

    let (mut links, mut missed) = (Vec::new(), Missed::default());
    if hooks {
        // Without its first word a process has neither parent nor memory; without its last it is reported with the first.
        missed = Missed::of([skel.progs.task_exit.as_fd()])?;
        links.push(skel.progs.task_exit.attach()?);
        links.push(skel.progs.task_free.attach()?);
    }
    let open_coded = if open_coded { Some(OpenCoded::open(&skel, room)?) } else { None };
    let iterator = skel.progs.task_iter.attach()?;
    let mut walk = Walk { open_coded, iterator, stream: Vec::new(), chunk: Vec::new(), seen: threads_now() };
    // A form that loads but does not run is no better than one that does not load.
    walk.rows()?;
    Ok(Kernel { walk, words: Words::open(&skel)?, missed, deaf: None, refusals: 0, walks_to_wait: 0, _hooks: links })
}

/// Rows to make room for, so that ordinary growth does not need more. All of them count as resident.
fn room_for(threads: usize) -> usize {
    (threads + threads / 8).max(FEW_THREADS)
}

/// Threads on the machine: the second number of the fourth field of /proc/loadavg.
fn threads_now() -> usize {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(['/', ' ']).nth(4).and_then(|n| n.parse().ok()).unwrap_or(FEW_THREADS)
}

/// The highest number in /sys/devices/system/cpu/online (`0-3,6`). Batches of a CPU that goes offline are handed in.
fn last_online_cpu() -> usize {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    text.trim().rsplit([',', '-']).next().and_then(|n| n.parse().ok()).unwrap_or(usize::MAX - 1)
}
