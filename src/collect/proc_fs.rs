//! Samples without BPF and without privilege: the same table from /proc, with fewer counters known and no last words.
//!
//! Four small files a process are dear when there are thousands. The cheapest of them, `schedstat`, tells whether the first thread
//! ran at all; a process of one thread that did not run has changed nothing of its own. What others may change (its nice value, its
//! parent, pages reclaimed from it) all shows in `stat`, which is read every [`REFRESH_ROUNDS`] rounds; only if that differs are the
//! other two read.

mod list;
pub(crate) mod stat;

use std::fmt::Write;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};

use super::cgroups::CgroupReader;
use super::check::has_host_pids;
use super::machine::MachineReader;
use super::proc_file::read_fitting;
use super::tasks::TaskReading;
use super::{Source, SourceError};
use crate::clock::{self, tick_ns};
use crate::sample::{Comm, Counter, Counters, Domain, DomainStatus, Health, ProcKey, Sample, Task, Thread, Wants};
use stat::{SchedStat, Stat, Status};

/// Rounds after which an idle process is read anew; spread over the processes by pid.
const REFRESH_ROUNDS: u32 = 8;
/// The longest file, `status`, has some 1.5 KiB and a few bytes for each supplementary group: for many the buffer grows.
const BUFFER_BYTES: usize = 16 << 10;

/// Reads /proc, round after round.
pub struct ProcFs {
    reason: String,
    /// Else only the processes of a pid namespace are there.
    has_host_pids: bool,
    machine: MachineReader,
    proc: OwnedFd,
    tick_ns: u64,
    round: u32,
    /// As of the round before, ascending by pid.
    known: Vec<Known>,
    wants: Wants,
    cgroups: CgroupReader,
    buffer: Vec<u8>,
    path: String,
}

/// Without /proc there is nothing: not even BPF tells of CPUs and memory.
///
/// # Errors
/// It is not mounted; one line with the fix.
pub fn is_mounted() -> anyhow::Result<()> {
    match rustix::fs::statfs("/proc") {
        Ok(facts) if facts.f_type as u64 == PROC_SUPER_MAGIC => Ok(()),
        _ => anyhow::bail!("/proc is not mounted: `sudo mount -t proc proc /proc`"),
    }
}

/// `include/uapi/linux/magic.h`.
const PROC_SUPER_MAGIC: u64 = 0x9fa0;

/// A process of the round before.
#[derive(Clone, Copy)]
struct Known {
    task: Task,
    stat: Stat,
    sched: Option<SchedStat>,
    io_refused: bool,
}

impl ProcFs {
    /// Opens /proc. `reason`: why BPF is not used and the one command that mends it, for the screen.
    ///
    /// # Errors
    /// /proc is not mounted.
    pub fn open(reason: String) -> anyhow::Result<ProcFs> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = rustix::fs::open("/proc", flags, Mode::empty()).map_err(|error| anyhow::anyhow!("cannot open /proc: {error}"))?;
        Ok(ProcFs {
            reason,
            has_host_pids: has_host_pids(),
            machine: MachineReader::open(),
            proc,
            tick_ns: tick_ns(),
            round: 0,
            known: Vec::new(),
            wants: Wants::NONE,
            cgroups: CgroupReader::default(),
            buffer: vec![0; BUFFER_BYTES],
            path: String::new(),
        })
    }

    /// One round over all processes that /proc shows.
    fn walk(&mut self) -> Result<(), SourceError> {
        let pids = list::pids(&self.proc).map_err(|error| SourceError::Failed(format!("cannot list /proc: {error}")))?;
        let before = std::mem::take(&mut self.known);
        let mut before = before.into_iter().peekable();
        let mut now = Vec::with_capacity(pids.len());
        for pid in pids {
            while before.next_if(|known| known.task.key.pid < pid).is_some() {}
            let earlier = before.next_if(|known| known.task.key.pid == pid);
            now.extend(self.read_process(pid, earlier));
        }
        self.known = now;
        self.round = self.round.wrapping_add(1);
        Ok(())
    }

    /// One round as a reading of the task list: without exits, which /proc does not tell.
    pub(super) fn read_tasks(&mut self) -> Result<TaskReading, SourceError> {
        self.walk()?;
        let tasks = self.known.iter().map(|known| known.task).collect();
        let at_ns = clock::boottime_ns();
        let threads = if self.wants.threads { self.threads() } else { Vec::new() };
        Ok(TaskReading { at_ns, tasks, exits: Vec::new(), threads })
    }

    /// Whether to tell of threads one by one.
    pub(super) fn want_threads(&mut self, wanted: bool) {
        self.wants.threads = wanted;
    }

    /// The instant as coarse as /proc tells it.
    pub(super) fn coarse(&self, key: ProcKey) -> ProcKey {
        ProcKey { start_ns: clock::start_of_tick(clock::tick_of_start(key.start_ns)), ..key }
    }

    /// `None` when the process is gone.
    fn read_process(&mut self, pid: u32, earlier: Option<Known>) -> Option<Known> {
        let sched = self.read(pid, "schedstat").and_then(stat::schedstat);
        let idle = earlier.filter(|known| sched.is_some() && known.sched == sched && known.task.threads == 1);
        if let Some(known) = idle.filter(|_| !pid.wrapping_add(self.round).is_multiple_of(REFRESH_ROUNDS)) {
            return Some(known);
        }
        let stat = stat::stat(self.read(pid, "stat")?)?;
        if let Some(known) = idle.filter(|known| known.stat == stat) {
            return Some(known);
        }
        let key = ProcKey { pid, start_ns: clock::start_of_tick(stat.start_ticks) };
        let earlier = earlier.filter(|known| known.task.key == key);
        let status = match stat.kernel_thread {
            true => Status { uid: Some(0), ..Status::default() },
            false => stat::status(self.read(pid, "status")?),
        };
        let mut counters = counters(&stat, &status, sched, self.tick_ns);
        let is_as_before = |known: &Known| (Some(known.task.uid), known.task.exec_id) == (status.uid, name_id(stat.comm));
        let mut io_refused = earlier.is_some_and(|known| known.io_refused && is_as_before(&known));
        if !io_refused {
            match self.read(pid, "io") {
                Some(bytes) => stat::io(bytes, &mut counters),
                None => io_refused = true,
            }
        }
        if let Some(earlier) = earlier {
            counters.hold_above(&earlier.task.counters);
        }
        Some(Known { task: task(key, &stat, &status, counters), stat, sched, io_refused })
    }

    fn read(&mut self, pid: u32, file: &str) -> Option<&[u8]> {
        self.path.clear();
        let _ = write!(self.path, "{pid}/{file}");
        read_fitting(&self.proc, self.path.as_str(), &mut self.buffer).ok()
    }

    /// The threads of processes that have several, the first of each left out.
    fn threads(&mut self) -> Vec<Thread> {
        let keys: Vec<ProcKey> = self.known.iter().filter(|known| known.task.threads > 1).map(|known| known.task.key).collect();
        let mut threads = Vec::new();
        for key in keys {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let directory = rustix::fs::openat(&self.proc, format!("{}/task", key.pid), flags, Mode::empty());
            let Ok(tids) = directory.and_then(|directory| list::pids(&directory)) else { continue };
            for tid in tids.into_iter().filter(|tid| *tid != key.pid) {
                let stat = self.read(key.pid, &format!("task/{tid}/stat")).and_then(stat::stat);
                threads.extend(stat.map(|stat| thread(key, tid, &stat, self.tick_ns)));
            }
        }
        threads
    }

    fn status(&self) -> Vec<DomainStatus> {
        let mut reason = match self.has_host_pids {
            true => self.reason.clone(),
            false => format!("only this pid namespace is seen (a container); {}", self.reason),
        };
        if self.known.first().is_none_or(|known| known.task.key.pid != 1) {
            reason.push_str(" (/proc hides other users' processes)");
        }
        let health = |domain| match domain {
            Domain::Tasks => Health::Degraded { reason: reason.clone() },
            Domain::Net | Domain::Stacks | Domain::Mem | Domain::Watch => Health::Off { reason: reason.clone() },
        };
        Domain::ALL.map(|domain| DomainStatus { domain, health: health(domain), lost: 0, cost: None }).into()
    }
}

impl Source for ProcFs {
    fn sample(&mut self) -> Result<Sample, SourceError> {
        self.walk()?;
        let at_ns = clock::boottime_ns();
        let threads = if self.wants.threads { self.threads() } else { Vec::new() };
        Ok(Sample {
            at_ns,
            unix_ms: clock::unix_ms(),
            tasks: self.known.iter().map(|known| known.task).collect(),
            threads,
            cgroups: self.cgroups.read(self.wants),
            machine: self.machine.read(),
            status: self.status(),
            own_cpu_ns: clock::own_cpu_ns(),
            ..Sample::default()
        })
    }

    fn want(&mut self, wants: Wants) {
        self.wants = wants;
        self.machine.want_interfaces(wants.interfaces);
    }
}

fn task(key: ProcKey, stat: &Stat, status: &Status, counters: Counters) -> Task {
    Task {
        key,
        ppid: stat.ppid,
        uid: status.uid.unwrap_or(u32::MAX),
        comm: stat.comm,
        state: stat.state,
        kernel_thread: stat.kernel_thread,
        nice: stat.nice,
        threads: stat.threads,
        last_cpu: stat.last_cpu,
        exec_id: name_id(stat.comm),
        cgroup_id: 0,
        counters,
        memory: status.memory,
    }
}

fn thread(key: ProcKey, tid: u32, stat: &Stat, tick_ns: u64) -> Thread {
    let counters = counters(stat, &Status::default(), None, tick_ns);
    Thread { key, tid, comm: stat.comm, state: stat.state, nice: stat.nice, last_cpu: stat.last_cpu, counters }
}

/// `stat` counts for the whole process, dead threads included; `schedstat` and the switches in `status` for the first thread
/// alone. These are used only where that thread is all there ever was, which shows in its CPU time: equal to the process's, but
/// in ns instead of ticks.
fn counters(stat: &Stat, status: &Status, sched: Option<SchedStat>, tick_ns: u64) -> Counters {
    let [user_ns, system_ns] = [stat.user_ticks, stat.system_ticks].map(|ticks| ticks.saturating_mul(tick_ns));
    let ticked_ns = user_ns.saturating_add(system_ns);
    let mut counters = Counters::default()
        .with(Counter::CpuNs, ticked_ns)
        .with(Counter::UserNs, user_ns)
        .with(Counter::SystemNs, system_ns)
        .with(Counter::MinorFaults, stat.minor_faults)
        .with(Counter::MajorFaults, stat.major_faults);
    let Some(sched) = sched.filter(|_| stat.threads == 1) else { return counters };
    counters.set(Counter::WaitNs, sched.wait_ns);
    // User and kernel time are each cut to a tick, and the thread may have run between the two reads.
    if sched.cpu_ns.abs_diff(ticked_ns) > 3 * tick_ns {
        return counters;
    }
    counters.set(Counter::CpuNs, sched.cpu_ns.max(ticked_ns));
    for (counter, value) in
        [(Counter::VoluntarySwitches, status.voluntary_switches), (Counter::InvoluntarySwitches, status.involuntary_switches)]
    {
        if let Some(value) = value {
            counters.set(counter, value);
        }
    }
    counters
}

/// /proc does not count execs; the name, which changes with nearly all of them, stands in (FNV-1a, never 0).
fn name_id(comm: Comm) -> u64 {
    comm.bytes().iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)) | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_NS: u64 = 10_000_000;

    fn stat_of(threads: u32, user_ticks: u64) -> Stat {
        let mut stat = stat::stat(b"1 (x) S 0 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0\n").unwrap();
        (stat.threads, stat.user_ticks) = (threads, user_ticks);
        stat
    }

    fn of(threads: u32, user_ticks: u64, cpu_ns: u64) -> Counters {
        let status = Status { voluntary_switches: Some(4), involuntary_switches: Some(5), ..Status::default() };
        counters(&stat_of(threads, user_ticks), &status, Some(SchedStat { cpu_ns, wait_ns: 9, runs: 1 }), TICK_NS)
    }

    #[test]
    fn what_was_refused_is_asked_for_again_once_it_is_another_user_or_program() {
        let mut proc = ProcFs::open(String::new()).unwrap();
        let mut read = |change: &dyn Fn(&mut Known)| {
            let own = std::process::id();
            let mut before = proc.read_process(own, None).unwrap();
            assert!(before.task.counters.get(Counter::ReadBytes).is_some());
            (before.io_refused, before.task.counters) = (true, Counters::default());
            change(&mut before);
            proc.read_process(own, Some(before)).unwrap().task.counters.get(Counter::ReadBytes).is_some()
        };
        assert!(!read(&|_| {}), "nobody asks in vain at each refresh");
        assert!(read(&|before| before.task.uid ^= 1));
        assert!(read(&|before| before.task.exec_id ^= 1));
    }

    #[test]
    fn one_thread_is_known_to_the_nanosecond() {
        let counters = of(1, 100, 1_005_000_123);
        assert_eq!(counters.get(Counter::CpuNs), Some(1_005_000_123));
        assert_eq!((counters.get(Counter::WaitNs), counters.get(Counter::VoluntarySwitches)), (Some(9), Some(4)));
    }

    #[test]
    fn time_of_dead_threads_is_not_lost() {
        let counters = of(1, 100, 300_000_000);
        assert_eq!(counters.get(Counter::CpuNs), Some(1_000_000_000));
        assert_eq!((counters.get(Counter::WaitNs), counters.get(Counter::VoluntarySwitches)), (Some(9), None));
    }

    #[test]
    fn the_first_thread_does_not_speak_for_the_others() {
        let counters = of(2, 100, 1_005_000_123);
        assert_eq!(counters.get(Counter::CpuNs), Some(1_000_000_000));
        assert_eq!((counters.get(Counter::WaitNs), counters.get(Counter::InvoluntarySwitches)), (None, None));
    }
}
