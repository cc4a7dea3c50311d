//! The contract between the kernel half and the screen half: plain data, no imports from other rooms.
//!
//! A [`Sample`] holds raw, cumulative counters read at one instant; a rate is a pure function of two samples
//! (`model::Model::between`). Times are nanoseconds of `CLOCK_BOOTTIME`, the clock of `task_struct::start_boottime`,
//! unless a name says otherwise. Unknown is never 0: counters carry which of them are known, gauges are `Option`.

pub mod cgroup_path;
pub mod inspection;

mod cgroup;
mod container;
mod counters;
mod health;
mod interface;
mod list;
mod machine;
mod socket;
mod stack;
mod talk;
mod task;
mod text;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use cgroup::{Cgroup, Cgroups};
pub use container::{Container, Runtime};
pub use counters::{Counter, CounterSet, Counters};
pub use health::{Domain, DomainStatus, Health};
pub use interface::{Interface, InterfaceCounters};
pub use list::TaskList;
pub use machine::{CpuTimes, Disk, Machine, MachineMemory, Pressure};
pub use socket::{Backlog, Protocol, Socket, TcpInfo};
pub use stack::{INTERPRETED, InterpretedFrame, Origin, StackCount, StackQuality, Stacks, Waker, Weight};
pub use talk::{Command, Details, Probe, Update, Wants, Watch, Watched};
pub use task::{Exit, Memory, ProcKey, Task, Thread};
pub use text::{Comm, printable};

/// Everything read at one instant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When the task walk ended, `CLOCK_BOOTTIME`.
    pub at_ns: u64,
    /// The same instant, Unix time, ms.
    pub unix_ms: u64,
    /// Live processes, ascending by key, each key once.
    pub tasks: TaskList,
    /// Threads beside the leaders, ascending by process and id; empty unless wanted ([`Wants::threads`]). Not recorded: whoever records
    /// does not look at threads.
    #[serde(skip)]
    pub threads: Vec<Thread>,
    /// Processes that ended since the sample before.
    pub exits: Vec<Exit>,
    /// Sockets; empty unless wanted ([`Wants::sockets`]).
    pub sockets: Vec<Socket>,
    /// Control groups, if they are wanted ([`Wants::cgroups`]). Recordings hold them beside the sample.
    #[serde(skip)]
    pub cgroups: Option<Arc<Cgroups>>,
    /// Stack samples since the sample before.
    pub stacks: Stacks,
    /// The machine.
    pub machine: Machine,
    /// One status for each domain.
    pub status: Vec<DomainStatus>,
    /// On-CPU time of ebtop itself, cumulative ns.
    pub own_cpu_ns: u64,
}

impl Sample {
    /// Takes over the events of an `earlier` sample that nobody saw, so that merging two ticks loses no exit, closed socket or stack.
    /// Of each kind the newest [`EVENTS_MAX`] stay; what is given back was lost.
    #[must_use]
    pub fn keep_events_of(&mut self, mut earlier: Sample) -> [(Domain, u64); 3] {
        let exits = prepend(earlier.exits, &mut self.exits, |_| 1);
        self.stacks.keep_lines_of(earlier.stacks.interpreted);
        let stacks = prepend(earlier.stacks.counts, &mut self.stacks.counts, |stack| stack.count.into());
        earlier.sockets.retain(|socket| socket.closed);
        let (mut closed, live): (Vec<_>, Vec<_>) = self.sockets.drain(..).partition(|socket| socket.closed);
        let sockets = prepend(earlier.sockets, &mut closed, |_| 1);
        self.sockets.extend(live.into_iter().chain(closed));
        [(Domain::Tasks, exits), (Domain::Net, sockets), (Domain::Stacks, stacks)]
    }
}

/// Events of one kind that merged samples hold at most: minutes of a busy machine without a screen that looks.
pub const EVENTS_MAX: usize = 16_384;

/// Puts `earlier` events before `later` ones and drops the oldest where they are too many; the sum of their weights.
fn prepend<T>(mut earlier: Vec<T>, later: &mut Vec<T>, weight: fn(&T) -> u64) -> u64 {
    earlier.append(later);
    let excess = earlier.len().saturating_sub(EVENTS_MAX);
    let lost = earlier.drain(..excess).map(|event| weight(&event)).sum();
    *later = earlier;
    lost
}
