//! One process looked at closely: what /proc tells of it and is too dear, or too private, to read of all.
//!
//! Every text is fit for a terminal and every list bounded; each says how much of it was left out.

use std::sync::Arc;

use super::ProcKey;

/// What is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Whom.
    pub key: ProcKey,
    /// The environment, too: it may hold passwords.
    pub environment: bool,
    /// The memory map, however long that takes.
    pub all_memory: bool,
}

/// A fact, or why there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Fact<T> {
    /// Not read yet; where that lasts, the process holds the lock of its memory.
    #[default]
    Pending,
    /// Why it is not to be had, in words.
    Refused(Arc<str>),
    /// As it was.
    Known(T),
}

impl<T> Fact<T> {
    /// The fact, where there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Fact::Known(fact) => Some(fact),
            Fact::Pending | Fact::Refused(_) => None,
        }
    }

    /// The same, with another form of what is known.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Fact::Pending => Fact::Pending,
            Fact::Refused(why) => Fact::Refused(why),
            Fact::Known(fact) => Fact::Known(form(fact)),
        }
    }
}

/// The first of a list, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// As many as are kept, in order.
    pub first: Vec<T>,
    /// Of so many.
    pub total: usize,
    /// There are more than `total`, which nobody counted.
    pub is_cut: bool,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Listing { first: Vec::new(), total: 0, is_cut: false }
    }
}

/// All that was found about one process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspection {
    /// Who.
    pub key: ProcKey,
    /// When, `CLOCK_BOOTTIME`.
    pub at_ns: u64,
    /// Seconds that local time is ahead of UTC.
    pub utc_offset_s: i32,
    /// Its arguments, the program's name first.
    pub arguments: Fact<Listing<String>>,
    /// Path of the executable.
    pub exe: Fact<String>,
    /// Its working directory.
    pub cwd: Fact<String>,
    /// Its root directory.
    pub root: Fact<String>,
    /// The kernel function it sleeps in; empty where it runs.
    pub waits_in: Fact<String>,
    /// What `status` tells.
    pub status: Fact<Status>,
    /// Its scheduling.
    pub scheduling: Fact<Scheduling>,
    /// How likely the kernel kills it when memory runs out.
    pub oom: Fact<Oom>,
    /// Its resource limits.
    pub limits: Fact<Vec<Limit>>,
    /// Its namespaces.
    pub namespaces: Fact<Vec<Namespace>>,
    /// The path of each control group it is in, as `hierarchy:controllers:path`.
    pub cgroups: Fact<Vec<String>>,
    /// What it has open.
    pub files: Fact<Files>,
    /// What it has mapped.
    pub memory: Fact<MemoryMap>,
    /// `NAME=value`; `None` where nobody asked.
    pub environment: Option<Fact<Listing<String>>>,
}

/// Users, rights and places, from `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Real, effective, saved and file system user, by number and by name.
    pub users: Vec<(u32, String)>,
    /// Real, effective, saved and file system group.
    pub groups: Vec<u32>,
    /// Other groups, the first of them.
    pub more_groups: Listing<u32>,
    /// Its pid in each of its pid namespaces, the innermost last.
    pub pids: Vec<u32>,
    /// Capabilities in force, one bit each.
    pub effective: u64,
    /// Capabilities it may take.
    pub permitted: u64,
    /// Capabilities it can ever get.
    pub bounding: u64,
    /// Its programs get no more rights than it has.
    pub no_new_privs: bool,
    /// 0 = none, 1 = strict, 2 = filtered.
    pub seccomp: u8,
    /// Filters of seccomp, where the kernel tells (5.9).
    pub seccomp_filters: Option<u32>,
    /// CPUs it may run on, as the kernel writes them: `0-3,6`.
    pub cpus: String,
    /// Memory nodes it may use.
    pub nodes: String,
}

/// How its leader thread is scheduled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scheduling {
    /// `SCHED_…` (`include/uapi/linux/sched.h`).
    pub policy: u32,
    /// Priority of the realtime policies, 1 to 99.
    pub realtime_priority: u32,
    /// Nice value.
    pub nice: i32,
}

/// How likely the kernel kills it when memory runs out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oom {
    /// 0 to 2000; the highest goes first.
    pub score: i32,
    /// -1000 to 1000, as somebody set it.
    pub adjustment: i32,
}

/// A resource limit; `None` = unlimited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// As the kernel calls it, `Max open files`.
    pub name: String,
    /// In force.
    pub soft: Option<u64>,
    /// What the process may raise it to.
    pub hard: Option<u64>,
    /// `bytes`, `files`, …
    pub unit: String,
}

/// A namespace of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// `pid`, `net`, …
    pub kind: String,
    /// Its number.
    pub inode: u64,
    /// It is another one than ebtop's.
    pub is_other: bool,
}

/// What a descriptor stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// A file or directory with a path.
    Path,
    /// The same, whose path is gone: it takes its space until it is closed.
    Deleted,
    /// A device.
    Device,
    /// Memory with a name.
    Memory,
    /// A socket.
    Socket,
    /// A pipe.
    Pipe,
    /// epoll, event, timer and signal descriptors, and what else has no path.
    Anonymous,
}

impl FileKind {
    /// All there are.
    pub const ALL: [FileKind; 7] =
        [FileKind::Path, FileKind::Deleted, FileKind::Device, FileKind::Memory, FileKind::Socket, FileKind::Pipe, FileKind::Anonymous];

    /// In a word, for many.
    pub fn name(self) -> &'static str {
        ["files", "deleted", "devices", "memory", "sockets", "pipes", "other"][self as usize]
    }
}

/// An open file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFile {
    /// Its descriptor.
    pub fd: u32,
    /// What the kernel calls it.
    pub target: String,
    /// What that is.
    pub kind: FileKind,
}

/// What a process has open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// By descriptor.
    pub list: Listing<OpenFile>,
    /// How many of each kind of [`FileKind::ALL`] are among those that were looked at.
    pub by_kind: [usize; FileKind::ALL.len()],
    /// How many were looked at.
    pub looked_at: usize,
}

/// What is mapped from one file, or by one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Path, or the kernel's name: `[heap]`, `[stack]`, `anonymous`.
    pub name: String,
    /// How many mappings.
    pub count: usize,
    /// Address space.
    pub size_bytes: u64,
    /// Resident.
    pub rss_bytes: u64,
    /// Resident, shared pages divided by who shares them.
    pub pss_bytes: u64,
    /// Swapped out.
    pub swap_bytes: u64,
}

/// What a process has mapped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryMap {
    /// The sum of all.
    pub sum: Mapping,
    /// Resident and its own alone.
    pub private_bytes: u64,
    /// By name, the largest resident first.
    pub top: Listing<Mapping>,
    /// How long reading took, ns.
    pub took_ns: u64,
    /// When, `CLOCK_BOOTTIME`.
    pub at_ns: u64,
    /// Time ran out before all was read.
    pub is_cut: bool,
}
