//! Processes: who they are, what they have, how they ended.

use serde::{Deserialize, Serialize};

use super::{Comm, Counters};

/// A process, for good: the kernel reuses pids, but never with the same start time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcKey {
    /// Thread-group id in the initial pid namespace.
    pub pid: u32,
    /// Start of the group leader, ns since boot (10 ms resolution when it came from /proc).
    pub start_ns: u64,
}

/// What a process has resident, bytes. From 6.2 the kernel batches these per CPU: where
/// the walk does not add the batches up (above 3,000 threads, and for the exited) each may be off by max(32, 2 × CPUs) pages × CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Anonymous resident bytes.
    pub anon_bytes: u64,
    /// File-backed resident bytes.
    pub file_bytes: u64,
    /// Shared-memory resident bytes.
    pub shmem_bytes: u64,
    /// Bytes swapped out.
    pub swap_bytes: u64,
    /// Address space (`mm->total_vm`).
    pub vm_bytes: u64,
}

impl Memory {
    /// Resident set: anon + file + shmem.
    pub fn rss_bytes(&self) -> u64 {
        self.anon_bytes + self.file_bytes + self.shmem_bytes
    }
}

/// One process (all its threads folded), raw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Who.
    pub key: ProcKey,
    /// Parent process.
    pub ppid: u32,
    /// Real user id.
    pub uid: u32,
    /// Name of the leader thread.
    pub comm: Comm,
    /// `R S D T t Z X I` as in ps; `X` also for one that left the task list and whose last words are still to come.
    pub state: u8,
    /// True for kernel threads (no address space of their own).
    pub kernel_thread: bool,
    /// Nice value, -20 to 19.
    pub nice: i8,
    /// Threads alive.
    pub threads: u32,
    /// CPU it last ran on.
    pub last_cpu: u32,
    /// Changes at every exec, so that a stale command line can be told (0 = unknown).
    pub exec_id: u64,
    /// Id of its cgroup in the default hierarchy (0 = unknown).
    pub cgroup_id: u64,
    /// Cumulative counters since its start.
    pub counters: Counters,
    /// Resident memory; `None` for kernel threads, zombies and where refused.
    pub memory: Option<Memory>,
}

impl Task {
    /// It left the task list, and its last words are still to come: nothing can be done to it any more.
    pub fn is_leaving(&self) -> bool {
        self.state == b'X'
    }

    /// It has ended, and so have its threads; its parent has not asked yet how.
    pub fn is_zombie(&self) -> bool {
        self.state == b'Z' && self.threads <= 1
    }
}

/// A thread that is not the leader of its process. What it counted is in the process's counters too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// Its process.
    pub key: ProcKey,
    /// Its id in the initial pid namespace.
    pub tid: u32,
    /// Its name.
    pub comm: Comm,
    /// As [`Task::state`].
    pub state: u8,
    /// Nice value, -20 to 19.
    pub nice: i8,
    /// CPU it last ran on.
    pub last_cpu: u32,
    /// Cumulative counters since its start, as far as they are kept by thread.
    pub counters: Counters,
}

/// The last words of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Final state: counters are its lifetime's totals, memory what it held when it began to exit (where the kernel still had it).
    pub task: Task,
    /// When the kernel let go of it.
    pub at_ns: u64,
    /// `exit()` status, 0–255.
    pub code: u8,
    /// Signal that killed it, 0 = none.
    pub signal: u8,
    /// Peak resident bytes over its life, where known.
    pub peak_rss_bytes: Option<u64>,
}
