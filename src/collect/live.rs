//! The source over the kernel: one collector per domain, each live, degraded or off by itself, merged into one [`Sample`].

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll;

use super::cgroups::CgroupReader;
use super::check::{has_host_pids, why_no_details};
use super::choice::Choice;
use super::lister::Lister;
use super::machine::MachineReader;
use super::mem::Mem;
use super::net::{Net, NetReading};
use super::proc_fs::ProcFs;
use super::rest::{Loading, Rest};
use super::stacks::Stacks;
use super::stacks::fold::Folded;
use super::tasks::{TaskReading, Tasks};
use super::watch::Watcher;
use super::{Ready, Source, SourceError};
use crate::bpf::{memory, words};
use crate::clock;
use crate::rights::{Work, narrow};
use crate::sample::{
    self, Counter, Counters, Domain, DomainStatus, EVENTS_MAX, Exit, Health, ProcKey, Sample, Task, TaskList, Wants, Watch,
};

/// All that the kernel gives on this machine.
pub struct Live {
    tasks: Lister,
    net: Result<Net, String>,
    stacks: Result<Stacks, String>,
    mem: Result<Mem, String>,
    /// What comes in the place of `net`, `stacks` and `mem`.
    rest: Beside,
    /// When it wants to be asked again, from now; told once.
    soon: Option<Duration>,
    watcher: Watcher,
    machine: MachineReader,
    cgroups: CgroupReader,
    wants: Wants,
    /// Exits that were seen while the processes could not be listed.
    untold: Vec<Exit>,
    /// Those that were too many to keep, since the start.
    untold_lost: u64,
    /// Processes with totals that stood on no list at the last reading.
    strangers: Vec<ProcKey>,
    /// Why /proc knows none of the processes by the pids that BPF has for them.
    apart: Option<String>,
    /// Readable when a ring fills before the tick.
    rings: OwnedFd,
}

/// How far the domains beside the task list are.
enum Beside {
    /// They wait for the first sample.
    Asked(Rest),
    Loading(Box<Loading>),
    Here,
}

/// In haste, from the first sample to the second, which has the first rates: the screen draws meanwhile, and the rest is being loaded.
const FIRST_RATES: Duration = Duration::from_millis(60);
/// From the end of loading to a sample that shows what is new: its rates need a time that they hold for.
const NEW_DOMAINS: Duration = Duration::from_millis(20);

impl Live {
    /// Loads and attaches every domain that was asked for; in `haste` the task list alone, and the others in the background of the first
    /// samples. Once all is there, the calling thread has no more rights than it needs. Where no domain works, the error is that of the
    /// task list, in one line with the fix.
    pub fn open(rest: Rest, haste: bool) -> Result<Live, String> {
        words::listen(false);
        memory::before_loading();
        let tasks = open_tasks(rest.choice);
        let rings = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|e| format!("epoll: {e}"))?;
        let (refused, tasks) = match tasks {
            Ok(tasks) => (None, Lister::Kernel(Box::new(tasks))),
            Err(reason) => (Some(reason.clone()), list_from_proc(reason)?),
        };
        if let Some(fd) = tasks.wake_fd() {
            watch(&rings, fd)?;
        }
        let mut live = Live {
            tasks,
            net: Err(String::new()),
            stacks: Err(String::new()),
            mem: Err(String::new()),
            rest: Beside::Asked(rest),
            soon: None,
            watcher: Watcher::new(rest.choice),
            machine: MachineReader::open(),
            cgroups: CgroupReader::default(),
            wants: Wants::default(),
            untold: Vec::new(),
            untold_lost: 0,
            strangers: Vec::new(),
            apart: why_no_details(has_host_pids()),
            rings,
        };
        if !haste || refused.is_some() {
            live.complete();
        }
        match refused {
            Some(reason) if live.net.is_err() && live.stacks.is_err() && live.mem.is_err() => Err(reason),
            _ => Ok(live),
        }
    }

    /// Begins to load what was put off.
    fn begin_rest(&mut self) {
        let Beside::Asked(rest) = self.rest else { return };
        let loading = rest.load();
        // A descriptor that cannot be added is looked at with each sample.
        let _ = loading.wake_fd().map(|fd| watch(&self.rings, fd));
        self.rest = Beside::Loading(Box::new(loading));
        self.soon = Some(FIRST_RATES);
    }

    /// Takes over what was loaded, if it is there by now.
    fn take_rest(&mut self) {
        let Beside::Loading(loading) = &mut self.rest else { return };
        if loading.is_done() {
            self.complete();
            self.soon = Some(NEW_DOMAINS);
        }
    }

    /// Waits for what is being loaded, takes it over, and gives up the rights it took.
    fn complete(&mut self) {
        self.begin_rest();
        let Beside::Loading(loading) = std::mem::replace(&mut self.rest, Beside::Here) else { return };
        let domains = loading.join();
        (self.net, self.mem) = (domains.net, domains.mem);
        self.stacks = domains.stacks.and_then(|stacks| watch(&self.rings, stacks.wake_fd()).map(|()| stacks));
        self.soon = None;
        memory::after_loading();
        self.want(self.wants);
        // The thread that asked for a source gives up its own rights, meets the same refusal and says so.
        let _ = narrow(Work::Collect);
    }

    fn status(&self) -> Vec<DomainStatus> {
        let mut status = vec![
            self.tasks.status(),
            status_or_off(Domain::Net, &self.net, Net::status),
            status_or_off(Domain::Stacks, &self.stacks, Stacks::status),
            status_or_off(Domain::Mem, &self.mem, Mem::status),
            self.watcher.status(),
        ];
        status[0].lost += self.untold_lost;
        if let Some(apart) = &self.apart {
            match &mut status[0].health {
                Health::Degraded { reason } => *reason = format!("{reason}; {apart}"),
                health => *health = Health::Degraded { reason: apart.clone() },
            }
        }
        if !matches!(self.rest, Beside::Here) {
            let loading = [Domain::Net, Domain::Stacks, Domain::Mem];
            let waiting = status.iter_mut().filter(|status| loading.contains(&status.domain));
            waiting.for_each(|status| status.health = Health::Loading);
        }
        status
    }

    /// Tables for the processes that are watched.
    fn tell_unwinder(&mut self) {
        let sampled = self.watcher.take_sampled();
        if let Some(unwinder) = self.stacks.as_ref().ok().and_then(Stacks::unwinder)
            && !sampled.is_empty()
        {
            unwinder.sampled(sampled);
        }
    }

    /// Processes and exits. Without a list there is no sample, as nothing is known of anybody: its exits are in the next reading.
    fn read_tasks(&mut self) -> Result<TaskReading, SourceError> {
        match self.tasks.read() {
            Ok(mut reading) => {
                let now = std::mem::replace(&mut reading.exits, std::mem::take(&mut self.untold));
                reading.exits.extend(now);
                Ok(reading)
            }
            Err((why, exits)) => {
                self.untold.extend(exits);
                let excess = self.untold.len().saturating_sub(EVENTS_MAX);
                self.untold_lost += self.untold.drain(..excess).count() as u64;
                Err(SourceError::NotNow(why))
            }
        }
    }

    /// Bytes and page allocations belong into the process they were counted for, alive or just gone.
    fn merge_counters(&mut self, reading: &mut TaskReading) -> Vec<sample::Socket> {
        let mut sockets = Vec::new();
        let mut strangers = Vec::new();
        if let Ok(net) = &mut self.net {
            let NetReading { totals, none, sockets: found } = net.read(self.wants.sockets);
            strangers.extend(add_totals(reading, &totals, none, |key| self.tasks.listed(key)));
            sockets = found;
        }
        if let Ok(mem) = &mut self.mem
            && let Some(totals) = mem.read()
        {
            let none = Counters::default().with(Counter::PageAllocs, 0).with(Counter::PageAllocBytes, 0);
            strangers.extend(add_totals(reading, &totals, none, |key| self.tasks.listed(key)));
        }
        let exited: Vec<ProcKey> = reading.exits.iter().map(|exit| exit.task.key).collect();
        if let Ok(stacks) = &mut self.stacks {
            stacks.forget(exited.clone());
        }
        let missed = self.gone_unheard(strangers);
        for key in exited.into_iter().chain(missed) {
            self.net.iter_mut().for_each(|net| net.forget(key));
            self.mem.iter_mut().for_each(|mem| mem.forget(key));
        }
        sockets
    }

    /// Of the processes with totals that are on no list now, those that were on none before either: they are not newborn, but ended
    /// without a word.
    fn gone_unheard(&mut self, mut strangers: Vec<ProcKey>) -> Vec<ProcKey> {
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
        self.take_rest();
        let mut reading = self.read_tasks()?;
        // Right after the run times that its idle times are set against: what follows may take long.
        let mut machine = self.machine.read();
        let cgroups = self.cgroups.read(self.wants);
        let sockets = self.merge_counters(&mut reading);
        (machine.irq_apart, machine.steal_apart) = self.tasks.apart();
        let tasks = TaskList::from(reading.tasks);
        self.tasks.remember(tasks.clone());
        let watched = self.watcher.take(&tasks);
        let stacks = match &mut self.stacks {
            Ok(stacks) => stacks.read_with(watched, &tasks),
            Err(_) => sample::Stacks { counts: watched.into_iter().map(Folded::native).collect(), ..sample::Stacks::default() },
        };
        self.tell_unwinder();
        let mut sample = Sample {
            at_ns: reading.at_ns,
            unix_ms: clock::unix_ms(),
            tasks,
            threads: reading.threads,
            exits: reading.exits,
            sockets,
            cgroups,
            stacks,
            machine,
            status: self.status(),
            own_cpu_ns: clock::own_cpu_ns(),
        };
        self.tasks.name_alike(&mut sample);
        self.begin_rest();
        Ok(sample)
    }

    fn soon(&mut self) -> Option<Duration> {
        self.soon.take()
    }

    fn want(&mut self, wants: Wants) {
        self.wants = wants;
        self.tasks.want_threads(wants.threads);
        self.machine.want_interfaces(wants.interfaces);
        if let Ok(mem) = &mut self.mem {
            mem.want(wants.page_allocs);
        }
    }

    fn watch(&mut self, watch: Option<Watch>) {
        self.complete();
        self.watcher.want(watch, self.stacks.as_ref().ok().map(Stacks::walk_maps));
        self.tell_unwinder();
        if let Some(fd) = self.watcher.wake_fd() {
            // A ring that is there already stays; one that cannot be added is read at the tick.
            let _ = epoll::add(&self.rings, fd, epoll::EventData::new_u64(u64::MAX), epoll::EventFlags::IN);
        }
    }

    fn prepare(&mut self, processes: Vec<ProcKey>, ready: Ready) {
        self.complete();
        if let Ok(stacks) = &mut self.stacks {
            stacks.prepare(processes, ready);
        }
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.rings.as_fd())
    }

    fn drain(&mut self) {
        self.take_rest();
        self.tasks.drain();
        if let Ok(stacks) = &mut self.stacks {
            stacks.drain();
        }
        self.watcher.drain();
        self.tell_unwinder();
    }
}

fn open_tasks(choice: Choice) -> Result<Tasks, String> {
    choice.wants(Domain::Tasks)?;
    Tasks::open_chosen(&choice)
}

fn list_from_proc(reason: String) -> Result<Lister, String> {
    let proc = ProcFs::open(String::new()).map_err(|error| format!("{error:#}"))?;
    Ok(Lister::Proc { proc: Box::new(proc), reason, failed: 0 })
}

/// Has `rings` be readable when `ring` is.
fn watch(rings: &OwnedFd, ring: BorrowedFd<'_>) -> Result<(), String> {
    epoll::add(rings, ring, epoll::EventData::new_u64(0), epoll::EventFlags::IN).map_err(|e| format!("epoll: {e}"))
}

fn status_or_off<T>(domain: Domain, opened: &Result<T, String>, status: fn(&T) -> DomainStatus) -> DomainStatus {
    match opened {
        Ok(collector) => status(collector),
        Err(reason) => DomainStatus { domain, health: Health::Off { reason: reason.clone() }, lost: 0, cost: None },
    }
}

/// Adds `totals` (ascending by key) to the processes they belong to; a process without any has counted `none` so far. `listed` gives
/// the key by which the list knows a process. Gives back whose totals belong to nobody.
fn add_totals(
    reading: &mut TaskReading,
    totals: &[(ProcKey, Counters)],
    none: Counters,
    listed: impl Fn(ProcKey) -> ProcKey,
) -> Vec<ProcKey> {
    let mut strangers = Vec::new();
    let mut rest = totals.iter().peekable();
    for task in &mut reading.tasks {
        while let Some((key, _)) = rest.next_if(|(key, _)| listed(*key) < task.key) {
            strangers.push(*key);
        }
        let own = rest.next_if(|(key, _)| listed(*key) == task.key);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn task(pid: u32) -> Task {
        Task { key: ProcKey { pid, start_ns: 1 }, ..Task::default() }
    }

    #[test]
    fn totals_reach_the_living_and_the_dead() {
        let mut reading =
            TaskReading { tasks: vec![task(1), task(3)], exits: vec![Exit { task: task(2), ..Exit::default() }], ..TaskReading::default() };
        let totals = [2, 3, 4].map(|pid| (task(pid).key, Counters::default().with(Counter::TxBytes, u64::from(pid) * 10)));
        let strangers = add_totals(&mut reading, &totals, Counters::default().with(Counter::TxBytes, 0), |key| key);
        let tx = |t: &Task| t.counters.get(Counter::TxBytes);
        assert_eq!(reading.tasks.iter().map(tx).collect::<Vec<_>>(), [Some(0), Some(30)]);
        assert_eq!(tx(&reading.exits[0].task), Some(20));
        assert_eq!(strangers, [task(4).key]);
    }

    #[test]
    fn totals_reach_a_list_with_coarser_times() {
        let mut reading = TaskReading { tasks: vec![task(1), task(2)], ..TaskReading::default() };
        let counted = |pid, start_ns, bytes| (ProcKey { pid, start_ns }, Counters::default().with(Counter::TxBytes, bytes));
        let listed = |key: ProcKey| ProcKey { start_ns: key.start_ns / 1000, ..key };
        let strangers = add_totals(&mut reading, &[counted(1, 1700, 10), counted(2, 900, 20)], Counters::default(), listed);
        assert_eq!(reading.tasks[0].counters.get(Counter::TxBytes), Some(10));
        assert_eq!(strangers, [ProcKey { pid: 2, start_ns: 900 }], "whoever had the pid before; the key is the kernel half's");
    }
}
