//! Timed stack samples of every CPU: owns the timers and the ring of `stacks.bpf.c`, gives folded stacks.
//!
//! The timers run only while this lives. A sample is lost when the ring is full (counted in the kernel) or when nobody
//! reads for so long that the fold is full (counted here); both are in [`Stacks::status`].

pub(super) mod fold;
mod load;
mod python;
pub(super) mod timers;

use std::cell::RefCell;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use libbpf_rs::{MapCore, MapFlags, MapHandle, RingBuffer, RingBufferBuilder};
use rustix::event::epoll;

use crate::sample::{self, Domain, DomainStatus, Health, ProcKey, Task};
use crate::unwind::{Status, Unwinder};
use fold::{Fold, Folded};

use python::Python;
use timers::Timers;

pub use load::WalkMaps;
use load::{Handles, load};

const MAX_SAMPLE_RATE: &str = "/proc/sys/kernel/perf_event_max_sample_rate";
/// Pages of the ring are mapped twice in a row, and so count twice in the resident size.
const RING_BYTES_MIN: u32 = 256 << 10;
const RING_BYTES_MAX: u32 = 2 << 20;
/// Rate for which that is enough, and most for one that is higher.
const RING_HZ: u32 = 49;
const RING_BYTES_MOST: u32 = 8 << 20;

/// The stack sampler.
pub struct Stacks {
    hz: u32,
    /// Why it runs slower than asked.
    slowed: Option<String>,
    timers: Timers,
    ring: RingBuffer<'static>,
    wake: OwnedFd,
    fold: Rc<RefCell<Fold>>,
    lost: MapHandle,
    maps: WalkMaps,
    unwinder: Option<Unwinder>,
    /// Names Python frames, or why there are none.
    python: Result<Python, String>,
}

/// The program in the kernel, with nobody who reads yet.
pub(super) struct Loaded {
    hz: u32,
    slowed: Option<String>,
    handles: Handles,
}

/// Memory for unwind tables where nobody says otherwise, bytes.
pub const UNWIND_BYTES: u64 = 64 << 20;

impl Stacks {
    /// Starts sampling every online CPU `hz` times a second (at most `perf_event_max_sample_rate`).
    ///
    /// Fails, with one line for the screen, when `hz` is 0 or the kernel refuses the program or the timers on all CPUs.
    pub fn open(hz: u32) -> Result<Stacks, String> {
        Stacks::with_memory(hz, UNWIND_BYTES)
    }

    /// The same with at most `unwind_bytes` for unwind tables: half of it in the kernel, half while one is built.
    ///
    /// # Errors
    /// As of [`Stacks::open`].
    pub fn with_memory(hz: u32, unwind_bytes: u64) -> Result<Stacks, String> {
        Stacks::start(Stacks::load(hz, false)?, unwind_bytes)
    }

    /// Loads the program, on any thread; with frames of programs' own code alone where they shall be `native`.
    pub(super) fn load(hz: u32, native: bool) -> Result<Loaded, String> {
        if hz == 0 {
            return Err("stack sampling is turned off (--hz 0)".into());
        }
        let (hz, slowed) = allowed_rate(hz, fs::read_to_string(MAX_SAMPLE_RATE).ok().as_deref());
        let cpus = timers::cpus().map_err(unlisted)?;
        Ok(Loaded { hz, slowed, handles: load(ring_bytes(cpus, hz), native)? })
    }

    /// Starts to sample, for the thread that reads.
    pub(super) fn start(loaded: Loaded, unwind_bytes: u64) -> Result<Stacks, String> {
        let Loaded { hz, slowed, handles: Handles { program, ring: ring_map, lost, maps, python } } = loaded;
        let python = python.and_then(|map| Python::start(map).map_err(|e| format!("no thread for Python frames: {e}")));
        let unwinder = maps.tables.try_clone().ok().and_then(|tables| Unwinder::spawn(tables, unwind_bytes).ok());
        let fold = Rc::new(RefCell::new(Fold::default()));
        let sink = Rc::clone(&fold);
        let (ring, wake) =
            open_ring(&ring_map, move |record| sink.borrow_mut().add(record)).map_err(|e| format!("cannot map the stack ring: {e}"))?;
        let mut timers = Timers::new(hz, program).map_err(unlisted)?;
        timers.follow_cpus();
        match timers.none() {
            Some(reason) => Err(reason.to_owned()),
            None => Ok(Stacks { hz, slowed, timers, ring, wake, fold, lost, maps, unwinder, python }),
        }
    }

    /// Folded samples since the reading before. Also gives CPUs that came online a timer.
    pub fn read(&mut self) -> sample::Stacks {
        self.read_with(Vec::new(), &[])
    }

    /// The same together with what a probe took: Python frames have their names in both. `tasks`: the processes alive, ascending by key.
    pub(super) fn read_with(&mut self, watched: Vec<Folded>, tasks: &[Task]) -> sample::Stacks {
        self.timers.follow_cpus();
        self.drain();
        let mut folded = self.fold.borrow_mut().take();
        folded.extend(watched);
        let (counts, interpreted) = match &mut self.python {
            Ok(python) => python.name(folded, tasks),
            Err(_) => (folded.into_iter().map(Folded::native).collect(), Vec::new()),
        };
        sample::Stacks { hz: self.hz, counts, interpreted }
    }

    /// Readable once the ring is more than a quarter full, until it is drained.
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Folds what is in the ring, so that it has room again.
    pub fn drain(&mut self) {
        // The only error is one our callback returns, and it returns none.
        let _ = self.ring.consume();
        let sampled = self.fold.borrow_mut().take_sampled();
        if let Some(unwinder) = &self.unwinder {
            unwinder.sampled(sampled);
        }
    }

    /// Makes all that the walks of these need before that of others; `done` is dropped once their unwind tables are there.
    pub fn prepare(&mut self, processes: Vec<ProcKey>, done: impl Send + 'static) {
        if let Ok(python) = &mut self.python {
            python.prepare(&processes);
        }
        if let Some(unwinder) = &self.unwinder {
            unwinder.prepare(processes, done);
        }
    }

    /// Forgets processes that exited.
    pub fn forget(&mut self, gone: Vec<ProcKey>) {
        if let Ok(python) = &mut self.python {
            python.exited(&gone);
        }
        if let Some(unwinder) = &self.unwinder {
            unwinder.gone(gone);
        }
    }

    /// What walks of stacks read, for another object whose programs walk them.
    pub fn walk_maps(&self) -> &WalkMaps {
        &self.maps
    }

    /// Who keeps the tables; `None` where there is no thread to have.
    pub fn unwinder(&self) -> Option<&Unwinder> {
        self.unwinder.as_ref()
    }

    /// Health, and samples lost since `open`.
    pub fn status(&self) -> DomainStatus {
        let trouble = self.timers.trouble().or_else(|| self.slowed.clone()).or_else(|| self.why_cut());
        DomainStatus {
            domain: Domain::Stacks,
            health: match trouble.or_else(|| self.python.as_ref().err().cloned()) {
                Some(reason) => Health::Degraded { reason },
                None => Health::Live,
            },
            lost: self.lost_in_kernel() + self.fold.borrow().lost(),
            cost: Some(self.cost()),
        }
    }

    /// In words for the screen: what a stack costs depends on how deep it is, and is not measured here.
    fn cost(&self) -> String {
        let rate = format!("a stack {} times a second on each busy CPU", self.hz);
        let Some(Status { tables, table_bytes, evicted, .. }) = self.unwinder.as_ref().map(Unwinder::status) else { return rate };
        let gone = if evicted > 0 { format!(", {evicted} given up for others") } else { String::new() };
        format!("{rate}; unwind tables of {tables} files in {} MiB{gone}", table_bytes.div_ceil(1 << 20))
    }

    /// Why more walks than need be are by frame pointers.
    fn why_cut(&self) -> Option<String> {
        match self.unwinder.as_ref().map(Unwinder::status) {
            None => Some("stacks need frame pointers: there is no thread to read unwind tables".into()),
            Some(status) if status.left_out > 0 => {
                Some(format!("stacks through {} large files need frame pointers: raise --unwind-memory", status.left_out))
            }
            Some(_) => None,
        }
    }

    fn lost_in_kernel(&self) -> u64 {
        let by_cpu = self.lost.lookup_percpu(&0u32.to_ne_bytes(), MapFlags::ANY).ok().flatten().unwrap_or_default();
        by_cpu.iter().filter_map(|bytes| Some(u64::from_ne_bytes(*bytes.first_chunk()?))).sum()
    }
}

fn unlisted(error: impl std::fmt::Display) -> String {
    format!("cannot list CPUs: {error}")
}

/// The reading end, and a descriptor that polls readable only after a forced wake-up (the map's own does so at any data).
pub(super) fn open_ring(map: &MapHandle, mut sink: impl FnMut(&[u8]) + 'static) -> anyhow::Result<(RingBuffer<'static>, OwnedFd)> {
    let mut builder = RingBufferBuilder::new();
    builder.add(map, move |record| {
        sink(record);
        0
    })?;
    let wake = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&wake, map, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    Ok((builder.build()?, wake))
}

/// 64 KiB a CPU, at least 256 KiB, a power of two: at 49 Hz some seconds of samples of all CPUs. As much more as the rate is higher, so
/// that it is as long until it is full.
fn ring_bytes(cpus: u32, hz: u32) -> u32 {
    let usual = cpus.saturating_mul(64 << 10).clamp(RING_BYTES_MIN, RING_BYTES_MAX);
    usual.saturating_mul(hz.div_ceil(RING_HZ)).min(RING_BYTES_MOST).next_power_of_two()
}

/// The rate asked for, or the most the kernel grants, and then why.
fn allowed_rate(hz: u32, limit: Option<&str>) -> (u32, Option<String>) {
    match limit.and_then(|text| text.trim().parse::<u32>().ok()) {
        Some(limit) if limit > 0 && hz > limit => {
            (limit, Some(format!("samples {limit} times a second, not {hz}: raise kernel.perf_event_max_sample_rate")))
        }
        _ => (hz, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ring_grows_with_cpus_to_a_limit() {
        assert_eq!(ring_bytes(2, 49), 256 << 10);
        assert_eq!(ring_bytes(9, 49), 1 << 20);
        assert_eq!(ring_bytes(32, 49), 2 << 20);
        assert_eq!(ring_bytes(u32::MAX, 1), 2 << 20);
    }

    #[test]
    fn ring_holds_as_long_at_a_higher_rate() {
        assert_eq!(ring_bytes(2, 99), 1 << 20);
        assert_eq!(ring_bytes(2, 499), 4 << 20);
        assert_eq!(ring_bytes(512, u32::MAX), 8 << 20);
    }

    #[test]
    fn rate_is_capped_and_says_so() {
        assert_eq!(allowed_rate(49, Some("100000\n")), (49, None));
        assert_eq!(allowed_rate(49, None), (49, None));
        let (hz, why) = allowed_rate(5000, Some("1000\n"));
        assert_eq!(hz, 1000);
        assert!(why.is_some_and(|w| w.contains("not 5000")));
    }

    #[test]
    fn off_opens_nothing() {
        assert!(Stacks::open(0).is_err_and(|why| why.contains("--hz 0")));
    }
}
