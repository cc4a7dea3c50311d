//! Stacks of watched processes by what is costly to follow: owns `watch.bpf.c`, loaded only while a probe is wanted.
//!
//! Time off the CPU is told as it passes, also of threads that are still away; what passed before the watch began is not known.

mod away;
mod fault_events;
mod load;

use std::cell::RefCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use libbpf_rs::{MapCore, MapFlags, RingBuffer};
use rustc_hash::{FxHashMap, FxHashSet};

use super::choice::Choice;
use super::stacks::fold::{Fold, Folded};
use super::stacks::{WalkMaps, open_ring};
use crate::clock;
use crate::sample::{Domain, DomainStatus, Health, Probe, ProcKey, StackCount, Task, Watch, Watched};
use crate::unwind::{Miss, Sampled};
use away::Away;
use load::{Attached, Setup};

pub use load::Rung;

/// The probes, of which at most one is at work.
#[derive(Default)]
pub struct Watcher {
    running: Option<Running>,
    refusal: Option<String>,
    /// Why the user does not want any.
    forbidden: Option<String>,
    /// The only ways that the user wants.
    choice: Choice,
    /// Of probes that ended.
    lost_before: u64,
}

/// A probe at work.
struct Running {
    setup: Setup,
    attached: Attached,
    ring: RingBuffer<'static>,
    wake: OwnedFd,
    sink: Rc<RefCell<Sink>>,
    /// Watched processes that user space knows of, by id.
    known: FxHashMap<u32, ProcKey>,
    /// Ids in the kernel's map that were nobody's at the tick before.
    strangers: FxHashSet<u32>,
    /// Those whose tables are to be made before they are sampled.
    new: Vec<Sampled>,
    /// When the kernel was asked last who is still away, and what it had lost by then.
    checked: (Instant, u64),
}

/// The kernel is asked who is still away as soon as it lost something, and after this time.
const CHECK_AGAIN: Duration = Duration::from_secs(10);

/// Where records go.
#[derive(Default)]
struct Sink {
    away: Away,
    fold: Fold,
}

impl Watcher {
    /// Without a probe, as was asked for.
    pub fn new(choice: Choice) -> Watcher {
        Watcher { forbidden: choice.wants(Domain::Watch).err(), choice, ..Watcher::default() }
    }

    /// Starts, changes or ends the probe. Its stacks are walked by what is in `maps`, where there are any.
    pub fn want(&mut self, watch: Option<Watch>, maps: Option<&WalkMaps>) {
        self.refusal = None;
        let Some(watch) = watch else { return self.end() };
        if self.forbidden.is_some() {
            self.refusal.clone_from(&self.forbidden);
            return;
        }
        let setup = Setup {
            probe: watch.probe,
            everybody: watch.who == Watched::Everyone,
            children: matches!(watch.who, Watched::Family(_)),
            net: self.choice.net,
            offcpu: self.choice.offcpu,
        };
        let who = watch.who.keys();
        let is_another = |r: &Running| r.setup != setup || !setup.children && !who.iter().all(|key| r.known.get(&key.pid) == Some(key));
        if self.running.as_ref().is_some_and(is_another) {
            self.end();
        }
        if self.running.is_none() {
            match Running::start(setup, maps) {
                Ok(running) => self.running = Some(running),
                Err(reason) => self.refusal = Some(reason),
            }
        }
        if let Some(running) = &mut self.running {
            who.iter().for_each(|key| running.follow(*key));
        }
    }

    /// What was taken since the reading before, by native frames alone. `tasks`: the processes alive, ascending by key; whoever is not
    /// among them is no longer watched.
    pub fn read(&mut self, tasks: &[Task]) -> Vec<StackCount> {
        self.take(tasks).into_iter().map(Folded::native).collect()
    }

    /// The same with Python frames, not yet named.
    pub(super) fn take(&mut self, tasks: &[Task]) -> Vec<Folded> {
        let Some(running) = &mut self.running else { return Vec::new() };
        running.drain();
        let counts = running.take();
        if !tasks.is_empty() && !running.setup.everybody {
            running.forget_the_dead(tasks);
            if running.known.is_empty() && !running.setup.children {
                self.end();
            }
        }
        counts
    }

    /// Readable once the ring is more than a quarter full, until it is drained; `None` while no probe is at work.
    pub fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        self.running.as_ref().map(|r| r.wake.as_fd())
    }

    /// Takes what is in the ring, so that it has room again.
    pub fn drain(&mut self) {
        if let Some(running) = &mut self.running {
            running.drain();
        }
    }

    /// Processes that are watched or were sampled since the last call, and what the walks of their stacks lacked.
    pub fn take_sampled(&mut self) -> Vec<Sampled> {
        let Some(running) = &mut self.running else { return Vec::new() };
        let mut sampled = std::mem::take(&mut running.new);
        sampled.extend(running.sink.borrow_mut().fold.take_sampled());
        sampled
    }

    /// Health, what the probe at work costs, and events lost.
    pub fn status(&self) -> DomainStatus {
        let health = match (&self.refusal, &self.running) {
            (Some(reason), _) => Health::Off { reason: reason.clone() },
            (None, Some(_)) => Health::Live,
            (None, None) => Health::Standby,
        };
        let lost = self.lost_before + self.running.as_ref().map_or(0, Running::lost);
        DomainStatus { domain: Domain::Watch, health, lost, cost: self.running.as_ref().map(|r| cost(r.setup.probe).into()) }
    }

    fn end(&mut self) {
        if let Some(running) = self.running.take() {
            self.lost_before += running.lost();
        }
    }
}

/// In words for the screen, as measured on a busy machine with two CPUs.
fn cost(probe: Probe) -> &'static str {
    match probe {
        Probe::OffCpu => "~0.4 µs a switch or wake-up of any thread, ~7 µs when a watched one leaves the CPU",
        Probe::Faults => "~0.1 µs a page fault of any process, and a stack of each watched one",
        Probe::Allocs => "~0.1 µs a page allocation of any process, and a stack of each watched one",
        Probe::Net => "a stack of each send and receive that is watched",
    }
}

impl Running {
    fn start(setup: Setup, maps: Option<&WalkMaps>) -> Result<Running, String> {
        let attached = load::attach(setup, maps)?;
        let sink = Rc::new(RefCell::new(Sink::default()));
        let to = Rc::clone(&sink);
        let add = move |record: &[u8]| {
            let Sink { away, fold } = &mut *to.borrow_mut();
            away.add(record, fold);
        };
        let (ring, wake) = open_ring(&attached.ring, add).map_err(|e| format!("cannot map the ring: {e}"))?;
        Ok(Running {
            setup,
            attached,
            ring,
            wake,
            sink,
            known: FxHashMap::default(),
            strangers: FxHashSet::default(),
            new: Vec::new(),
            checked: (Instant::now(), 0),
        })
    }

    fn follow(&mut self, key: ProcKey) {
        if self.known.insert(key.pid, key) != Some(key) {
            // Somebody looks at it: all its tables are worth while.
            self.new.push(Sampled { key, samples: u32::MAX, miss: Miss::Process });
            // A full map is seen as stacks that are missing: it holds thousands of processes, all of them asked for by hand.
            let _ = self.attached.who.update(&key.pid.to_ne_bytes(), &[1], MapFlags::ANY);
        }
    }

    fn drain(&mut self) {
        // The only error is one our callback returns, and it returns none.
        let _ = self.ring.consume();
    }

    fn take(&mut self) -> Vec<Folded> {
        if let Some(faults) = &mut self.attached.faults {
            faults.follow_cpus();
        }
        if self.setup.probe == Probe::OffCpu {
            self.check_who_is_away();
        }
        let Sink { away, fold } = &mut *self.sink.borrow_mut();
        away.tell(clock::monotonic_ns(), fold);
        fold.take()
    }

    /// A thread whose return found no room in the ring would stay away for good.
    fn check_who_is_away(&mut self) {
        let lost = self.lost_in_kernel();
        if lost == self.checked.1 && self.checked.0.elapsed() < CHECK_AGAIN {
            return;
        }
        let left_ns = |tid: u32| {
            let left = self.attached.away.lookup(&tid.to_ne_bytes(), MapFlags::ANY).ok().flatten()?;
            left.first_chunk().map(|ns| u64::from_ne_bytes(*ns))
        };
        let doubts = self.sink.borrow_mut().away.check(left_ns);
        // Who is doubted is asked about again in the next tick.
        let again = if doubts { u64::MAX } else { lost };
        self.checked = (Instant::now(), again);
    }

    /// A process that was just born is in the kernel's map, but not yet among `tasks`: only who is missing twice is dead.
    fn forget_the_dead(&mut self, tasks: &[Task]) {
        let alive: FxHashMap<u32, ProcKey> = tasks.iter().map(|task| (task.key.pid, task.key)).collect();
        let gone: Vec<u32> = self.known.values().filter(|key| alive.get(&key.pid) != Some(key)).map(|key| key.pid).collect();
        for pid in gone {
            self.known.remove(&pid);
            let _ = self.attached.who.delete(&pid.to_ne_bytes());
        }
        if self.setup.children {
            let watched = self.attached.who.keys().filter_map(|key| Some(u32::from_ne_bytes(*key.first_chunk()?)));
            let absent: FxHashSet<u32> = watched.filter(|pid| !alive.contains_key(pid)).collect();
            for pid in absent.intersection(&self.strangers) {
                let _ = self.attached.who.delete(&pid.to_ne_bytes());
            }
            self.strangers = absent;
        }
    }

    fn lost(&self) -> u64 {
        let sink = self.sink.borrow();
        self.lost_in_kernel() + sink.fold.lost() + sink.away.lost()
    }

    fn lost_in_kernel(&self) -> u64 {
        let by_cpu = self.attached.lost.lookup_percpu(&0u32.to_ne_bytes(), MapFlags::ANY).ok().flatten().unwrap_or_default();
        by_cpu.iter().filter_map(|bytes| Some(u64::from_ne_bytes(*bytes.first_chunk()?))).sum()
    }
}
