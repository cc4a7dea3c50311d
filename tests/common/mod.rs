//! Builders of samples: a machine with two CPUs, all domains live, and processes as the test says.
#![allow(dead_code, reason = "each test file uses its own share")]

use std::sync::Arc;

use ebtop::collect::{Collector, Source, SourceError};
use ebtop::sample::*;

/// A second, ns.
pub const SECOND: u64 = 1_000_000_000;
/// A millisecond, ns.
pub const MS: u64 = 1_000_000;
/// A mebibyte.
pub const MIB: u64 = 1 << 20;

/// A sleeping process that started at second 1 and has done nothing.
pub fn task(pid: u32, comm: &str) -> Task {
    Task {
        key: ProcKey { pid, start_ns: SECOND },
        ppid: 1,
        uid: 1000,
        comm: Comm::new(comm.as_bytes()),
        state: b'S',
        threads: 1,
        exec_id: 1,
        counters: counters(&[]),
        memory: Some(Memory { anon_bytes: 3 * MIB, file_bytes: MIB, vm_bytes: 64 * MIB, ..Memory::default() }),
        ..Task::default()
    }
}

/// All counters known and 0, but for these.
pub fn counters(values: &[(Counter, u64)]) -> Counters {
    let mut counters = Counters::default();
    for counter in Counter::ALL {
        counters.set(counter, 0);
    }
    for (counter, value) in values {
        counters.set(*counter, *value);
    }
    counters
}

/// Words on the way to a process.
pub trait With {
    /// With that counter.
    fn with(self, counter: Counter, value: u64) -> Self;
    /// Started then.
    fn born(self, start_ns: u64) -> Self;
}

impl With for Task {
    fn with(mut self, counter: Counter, value: u64) -> Task {
        self.counters.set(counter, value);
        self
    }

    fn born(mut self, start_ns: u64) -> Task {
        self.key.start_ns = start_ns;
        self
    }
}

/// The end of a process.
pub fn exit(task: Task, at_ns: u64) -> Exit {
    Exit { task: Task { state: b'X', ..task }, at_ns, code: 0, signal: 0, peak_rss_bytes: Some(5 * MIB) }
}

/// A sample with these processes, in key order.
pub fn sample(at_ns: u64, tasks: impl IntoIterator<Item = Task>) -> Sample {
    let mut tasks: Vec<Task> = tasks.into_iter().collect();
    tasks.sort_by_key(|t| t.key);
    Sample {
        at_ns,
        unix_ms: 1_750_000_000_000 + at_ns / MS,
        tasks: tasks.into(),
        machine: machine(at_ns),
        status: all_live(),
        ..Sample::default()
    }
}

/// Two CPUs that have been idle since boot, 16 GiB.
pub fn machine(at_ns: u64) -> Machine {
    let idle = CpuTimes { idle_ns: at_ns, ..CpuTimes::default() };
    Machine {
        host: "web-07".into(),
        kernel: "6.12.0".into(),
        cpus: vec![(0, idle), (1, idle)],
        total: CpuTimes { idle_ns: 2 * at_ns, ..CpuTimes::default() },
        irq_apart: Some(true),
        steal_apart: Some(false),
        memory: MachineMemory {
            total_bytes: 16 << 30,
            free_bytes: 4 << 30,
            available_bytes: 10 << 30,
            buffers_bytes: 1 << 30,
            cache_bytes: 4 << 30,
            shared_bytes: 1 << 30,
            swap_total_bytes: 2 << 30,
            swap_free_bytes: 2 << 30,
        },
        load: [3.12, 2.8, 2.51],
        uptime_ns: at_ns,
        running: 2,
        threads: 4,
        ..Machine::default()
    }
}

/// Every domain live, nothing lost.
pub fn all_live() -> Vec<DomainStatus> {
    Domain::ALL.map(|domain| DomainStatus { domain, health: Health::Live, lost: 0, cost: None }).into()
}

/// A TCP socket of a process.
pub fn socket(cookie: u64, owner: Option<ProcKey>, local: &str, remote: &str) -> Socket {
    Socket {
        cookie,
        owner,
        protocol: Protocol::Tcp,
        state: 1,
        local: local.parse().expect("a socket address"),
        remote: remote.parse().expect("a socket address"),
        netns: 1,
        tx_bytes: 0,
        rx_bytes: 0,
        tx_messages: 0,
        rx_messages: 0,
        since_ns: SECOND,
        tcp: Some(TcpInfo { rtt_us: Some(1200), ..TcpInfo::default() }),
        closed: false,
    }
}

/// Details as /proc would tell them.
pub fn details(cmdline: &str, user: &str) -> Details {
    Details { cmdline: cmdline.into(), user: user.into(), cgroup: Some("/system.slice/web.service".into()), ..Details::default() }
}

/// Plays samples from a list, then ends.
pub struct Script {
    samples: std::vec::IntoIter<Sample>,
    details: Vec<(u32, Details)>,
    /// What was wanted last.
    pub wants: Arc<std::sync::Mutex<Wants>>,
}

impl Source for Script {
    fn sample(&mut self) -> Result<Sample, SourceError> {
        self.samples.next().ok_or(SourceError::End)
    }

    fn want(&mut self, wants: Wants) {
        if let Ok(mut now) = self.wants.lock() {
            *now = wants;
        }
    }

    fn details(&mut self, key: ProcKey) -> Option<Details> {
        self.details.iter().find(|(pid, _)| *pid == key.pid).map(|(_, d)| d.clone())
    }

    fn has_own_details(&self) -> bool {
        true
    }
}

/// A collector over a list of samples, and what it was asked to collect.
pub fn collector(samples: Vec<Sample>, details: Vec<(u32, Details)>) -> (Collector, Arc<std::sync::Mutex<Wants>>) {
    let wants = Arc::default();
    let script = Script { samples: samples.into_iter(), details, wants: Arc::clone(&wants) };
    let interval = std::time::Duration::from_millis(100);
    (Collector::start(interval, move || Ok(script)).expect("a script always starts"), wants)
}
