//! What the screen and the collector say to each other.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::inspection::{Ask, Inspection};
use super::{Container, ProcKey, Sample};

/// Slow facts about a process, read from /proc once per process and exec, only when asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Details {
    /// Arguments joined by spaces, control characters replaced; empty for kernel threads.
    pub cmdline: String,
    /// Path of the executable; `None` where refused.
    pub exe: Option<String>,
    /// Name of the user, or the number where there is none.
    pub user: String,
    /// The number that `user` was looked up for; recordings do not carry it.
    #[serde(skip)]
    pub uid: Option<u32>,
    /// Path of its cgroup (default hierarchy, else the named systemd one, else that of a controller); `None` where refused.
    pub cgroup: Option<String>,
    /// The container that its cgroup is in.
    pub container: Option<Arc<Container>>,
    /// Its pid in its own pid namespace, where that is another than ebtop's.
    pub inner_pid: Option<u32>,
}

/// What the screen shows now, and so what must be collected beyond the basics. Costly probes live as long as their want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wants {
    /// List sockets one by one.
    pub sockets: bool,
    /// Count page allocations.
    pub page_allocs: bool,
    /// Tell of threads one by one.
    pub threads: bool,
    /// Tell of network interfaces one by one.
    pub interfaces: bool,
    /// Read the control groups.
    pub cgroups: bool,
    /// And what kinds of memory they hold.
    pub cgroup_memory: bool,
}

impl Wants {
    /// Nothing but the basics.
    pub const NONE: Wants =
        Wants { sockets: false, page_allocs: false, threads: false, interfaces: false, cgroups: false, cgroup_memory: false };

    /// Both together.
    #[must_use]
    pub fn with(self, other: Wants) -> Wants {
        Wants {
            sockets: self.sockets || other.sockets,
            page_allocs: self.page_allocs || other.page_allocs,
            threads: self.threads || other.threads,
            interfaces: self.interfaces || other.interfaces,
            cgroups: self.cgroups || other.cgroups,
            cgroup_memory: self.cgroup_memory || other.cgroup_memory,
        }
    }
}

/// A costly way to take stacks, in use only while somebody wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// [`Weight::Sleeping`](super::Weight), `Blocked` and `Runnable`.
    OffCpu,
    /// [`Weight::MinorFault`](super::Weight) and `MajorFault`.
    Faults,
    /// [`Weight::Alloc`](super::Weight).
    Allocs,
    /// [`Weight::Sent`](super::Weight) and `Received`.
    Net,
}

/// Whose stacks a probe takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Those of every process.
    Everyone,
    /// Those of one process, for as long as it lives.
    One(ProcKey),
    /// Those of these processes and of all that they fork while they are watched. A later family adds to an earlier one.
    Family(Arc<[ProcKey]>),
}

/// A probe at work. It ends when another is wanted, or none, or when the one process it watches is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// What is taken.
    pub probe: Probe,
    /// Whose.
    pub who: Watched,
}

impl Watch {
    /// Whether these were not watched for the same before, so that nothing older is known of them.
    pub fn starts_anew(&self, before: Option<&Watch>) -> bool {
        let Some(before) = before.filter(|before| before.probe == self.probe) else { return true };
        before.who != Watched::Everyone && !self.who.keys().iter().any(|key| before.who.keys().contains(key))
    }
}

impl Watched {
    /// Those that are named.
    pub fn keys(&self) -> &[ProcKey] {
        match self {
            Watched::Everyone => &[],
            Watched::One(key) => std::slice::from_ref(key),
            Watched::Family(keys) => keys,
        }
    }
}

/// From the screen to the collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Time between two samples.
    SetInterval(Duration),
    /// What is on screen.
    Want(Wants),
    /// The probe that is to be at work; `None` ends it.
    Watch(Option<Watch>),
    /// Stacks of these are about to be looked at: what their walks need comes before that of others. Answered by [`Update::Ready`].
    Prepare(Vec<ProcKey>),
    /// Read the details of these; answered by [`Update::Details`] without waiting for the tick. Already known ones are answered again.
    Details(Vec<ProcKey>),
    /// Look at a process closely; answered by [`Update::Inspected`]. `None` = nobody is looked at any more.
    Inspect(Option<Ask>),
    /// Take a sample now.
    SampleNow,
    /// Take one sample more after this time; the clock goes on as it was.
    SampleSoon(Duration),
    /// Take no samples by the clock, or again; those that are asked for come all the same.
    Hold(bool),
    /// The same of so many, none of them close to another or to the clock's own, which counts as one of them.
    SamplesApart(u32),
    /// Stop.
    Quit,
}

/// From the collector to the screen.
#[derive(Clone, Debug)]
pub enum Update {
    /// A new sample.
    Sample(Arc<Sample>),
    /// Details that were asked for; a process that is gone is left out.
    Details(Vec<(ProcKey, Details)>),
    /// What was found about a process; `None` where it is gone, or belongs to another machine or time. It may come in two parts: first
    /// without what has to wait for the lock of its memory.
    Inspected(ProcKey, Option<Arc<Inspection>>),
    /// What [`Command::Prepare`] asked for is there, or is not to be had.
    Ready,
    /// There is no sample this time, and why; the next tells of the time since the last.
    Missed(String),
    /// The source ended (a replay ran out), or failed for good.
    End(Option<String>),
}
