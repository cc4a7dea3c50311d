//! The source over the kernel: one collector per domain, each live, degraded or off by itself, merged into one [`Sample`].

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::ScopedJoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::event::epoll;
use rustix::time::ClockId;

use super::machine::MachineReader;
use super::mem::Mem;
use super::net::{Net, NetReading};
use super::stacks::Stacks;
use super::tasks::{TaskReading, Tasks};
use super::{Source, SourceError};
use crate::bpf::memory;
use crate::sample::{self, Counter, Counters, Domain, DomainStatus, Health, ProcKey, Sample, Task, TaskList, Wants};

/// All that the kernel gives on this machine.
pub struct Live {
    tasks: Tasks,
    net: Result<Net, String>,
    stacks: Result<Stacks, String>,
    mem: Result<Mem, String>,
    machine: MachineReader,
    wants: Wants,
    /// Processes with totals that stood on no list at the last reading.
    strangers: Vec<ProcKey>,
    /// Readable when a ring fills before the tick.
    rings: OwnedFd,
}

impl Live {
    /// Loads and attaches every domain. Only the task list is indispensable: its refusal is the error, in one line with the fix.
    pub fn open(hz: u32) -> Result<Live, String> {
        // Its words would spoil the screen; each refusal is told as the reason of its domain.
        libbpf_rs::set_print(None);
        memory::before_loading();
        // Most of opening is libbpf reading the kernel's types anew for each object: side by side, the screen is up sooner.
        let (tasks, stacks, net, mem) = std::thread::scope(|scope| {
            let net = scope.spawn(Net::open);
            let mem = scope.spawn(Mem::open);
            (Tasks::open(), open_stacks(hz), joined(net), joined(mem))
        });
        memory::after_loading();
        let tasks = tasks?;
        let rings = watch_rings(&tasks, stacks.as_ref().ok()).map_err(|e| format!("epoll: {e}"))?;
        Ok(Live { tasks, net, stacks, mem, machine: MachineReader::open(), wants: Wants::default(), strangers: Vec::new(), rings })
    }

    fn status(&self) -> Vec<DomainStatus> {
        vec![
            self.tasks.status(),
            status_or_off(Domain::Net, &self.net, Net::status),
            status_or_off(Domain::Stacks, &self.stacks, Stacks::status),
            status_or_off(Domain::Mem, &self.mem, Mem::status),
        ]
    }

    /// Bytes and page allocations belong into the process they were counted for, alive or just gone.
    fn merge_counters(&mut self, reading: &mut TaskReading) -> Vec<sample::Socket> {
        let mut sockets = Vec::new();
        let mut strangers = Vec::new();
        if let Ok(net) = &mut self.net {
            let NetReading { totals, none, sockets: found } = net.read(self.wants.sockets);
            strangers.extend(add_totals(reading, &totals, none));
            sockets = found;
        }
        if let Ok(mem) = &mut self.mem
            && let Some(totals) = mem.read()
        {
            let none = Counters::default().with(Counter::PageAllocs, 0).with(Counter::PageAllocBytes, 0);
            strangers.extend(add_totals(reading, &totals, none));
        }
        let exited: Vec<ProcKey> = reading.exits.iter().map(|exit| exit.task.key).collect();
        if let Ok(stacks) = &mut self.stacks {
            stacks.forget(exited.clone());
        }
        let missed = self.gone_unheard(strangers, reading);
        for key in exited.into_iter().chain(missed) {
            self.net.iter_mut().for_each(|net| net.forget(key));
            self.mem.iter_mut().for_each(|mem| mem.forget(key));
        }
        sockets
    }

    /// Of the processes with totals that are on no list now, those that were on none before either: they are not newborn, but ended
    /// without a word.
    fn gone_unheard(&mut self, mut strangers: Vec<ProcKey>, reading: &TaskReading) -> Vec<ProcKey> {
        if reading.tasks.is_empty() {
            // The walk failed, and nothing is known of anybody.
            return Vec::new();
        }
        strangers.sort_unstable();
        strangers.dedup();
        let before = std::mem::take(&mut self.strangers);
        let (gone, new) = strangers.into_iter().partition(|key| before.binary_search(key).is_ok());
        self.strangers = new;
        gone
    }
}

impl Source for Live {
    fn sample(&mut self) -> Result<Sample, SourceError> {
        let mut reading = self.tasks.read();
        let sockets = self.merge_counters(&mut reading);
        let mut machine = self.machine.read();
        (machine.irq_apart, machine.steal_apart) = self.tasks.apart();
        let tasks = TaskList::from(reading.tasks);
        self.tasks.remember(tasks.clone());
        let stacks = match &mut self.stacks {
            Ok(stacks) => stacks.read(),
            Err(_) => sample::Stacks::default(),
        };
        Ok(Sample {
            at_ns: reading.at_ns,
            unix_ms: unix_ms(),
            tasks,
            threads: reading.threads,
            exits: reading.exits,
            sockets,
            stacks,
            machine,
            status: self.status(),
            own_cpu_ns: own_cpu_ns(),
        })
    }

    fn want(&mut self, wants: Wants) {
        self.wants = wants;
        self.tasks.want_threads(wants.threads);
        if let Ok(mem) = &mut self.mem {
            mem.want(wants.page_allocs);
        }
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.rings.as_fd())
    }

    fn drain(&mut self) {
        self.tasks.drain();
        if let Ok(stacks) = &mut self.stacks {
            stacks.drain();
        }
    }
}

fn open_stacks(hz: u32) -> Result<Stacks, String> {
    match hz {
        0 => Err("sampling is off: start without --hz 0".to_owned()),
        hz => Stacks::open(hz),
    }
}

fn joined<T>(opening: ScopedJoinHandle<'_, Result<T, String>>) -> Result<T, String> {
    opening.join().unwrap_or_else(|_| Err("it failed to start; please report this".to_owned()))
}

fn watch_rings(tasks: &Tasks, stacks: Option<&Stacks>) -> rustix::io::Result<OwnedFd> {
    let rings = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (id, fd) in [Some(tasks.wake_fd()), stacks.map(Stacks::wake_fd)].into_iter().flatten().enumerate() {
        epoll::add(&rings, fd, epoll::EventData::new_u64(id as u64), epoll::EventFlags::IN)?;
    }
    Ok(rings)
}

fn status_or_off<T>(domain: Domain, opened: &Result<T, String>, status: fn(&T) -> DomainStatus) -> DomainStatus {
    match opened {
        Ok(collector) => status(collector),
        Err(reason) => DomainStatus { domain, health: Health::Off { reason: reason.clone() }, lost: 0, cost: None },
    }
}

/// Adds `totals` (ascending by key) to the processes they belong to; a process without any has counted `none` so far. Gives back
/// whose totals belong to nobody.
fn add_totals(reading: &mut TaskReading, totals: &[(ProcKey, Counters)], none: Counters) -> Vec<ProcKey> {
    let mut strangers = Vec::new();
    let mut rest = totals.iter().peekable();
    for task in &mut reading.tasks {
        while let Some((key, _)) = rest.next_if(|(key, _)| *key < task.key) {
            strangers.push(*key);
        }
        let own = rest.next_if(|(key, _)| *key == task.key);
        task.counters.adopt(own.map_or(&none, |(_, counters)| counters));
    }
    strangers.extend(rest.map(|(key, _)| *key));
    for Task { key, counters, .. } in reading.exits.iter_mut().map(|exit| &mut exit.task) {
        let own = totals.binary_search_by_key(key, |(key, _)| *key);
        counters.adopt(own.map_or(&none, |i| &totals[i].1));
        strangers.retain(|stranger| stranger != key);
    }
    strangers
}

pub(super) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

pub(super) fn own_cpu_ns() -> u64 {
    let t = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Exit;

    fn task(pid: u32) -> Task {
        Task { key: ProcKey { pid, start_ns: 1 }, ..Task::default() }
    }

    #[test]
    fn totals_reach_the_living_and_the_dead() {
        let mut reading =
            TaskReading { tasks: vec![task(1), task(3)], exits: vec![Exit { task: task(2), ..Exit::default() }], ..TaskReading::default() };
        let totals = [2, 3, 4].map(|pid| (task(pid).key, Counters::default().with(Counter::TxBytes, u64::from(pid) * 10)));
        let strangers = add_totals(&mut reading, &totals, Counters::default().with(Counter::TxBytes, 0));
        let tx = |t: &Task| t.counters.get(Counter::TxBytes);
        assert_eq!(reading.tasks.iter().map(tx).collect::<Vec<_>>(), [Some(0), Some(30)]);
        assert_eq!(tx(&reading.exits[0].task), Some(20));
        assert_eq!(strangers, [task(4).key]);
    }
}
