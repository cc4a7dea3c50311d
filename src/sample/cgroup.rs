//! Control groups: what the kernel counts for each, and who is in it.

use serde::{Deserialize, Serialize};

/// All control groups at one instant, those of all hierarchies in one tree: what has the same path is one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cgroups {
    /// When they were read, `CLOCK_BOOTTIME`.
    pub at_ns: u64,
    /// Parents before those below them.
    pub list: Vec<Cgroup>,
    /// How many more were found and not read, because there were too many or it took too long. At least.
    pub left_out: u32,
    /// What else is missing and why, in one line fit for a terminal.
    pub trouble: Option<String>,
}

/// A control group. Figures of the kernel are those of itself and all below it; what no file tells is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cgroup {
    /// Its path in its hierarchy, fit for a terminal; `/` is the root.
    pub path: String,
    /// A number made of the path, the same from reading to reading.
    pub key: u64,
    /// Index of the one it is in.
    pub parent: Option<u32>,
    /// Its id in the default hierarchy, as [`Task::cgroup_id`](super::Task) has it; 0 = it is not in that.
    pub id: u64,
    /// Changes when it is removed and made again.
    pub inode: u64,
    /// Every process of the machine is in it or below.
    pub holds_all: bool,
    /// The processes in it, not those below it, ascending by pid. `None`: the kernel does not tell (its threads are of processes above).
    pub pids: Option<Vec<u32>>,
    /// CPU time, cumulative: `usage_usec` of cpu.stat, `cpuacct.usage`.
    pub cpu_ns: Option<u64>,
    /// Periods in which it ran under its limit of CPU time, cumulative (`nr_periods`).
    pub periods: Option<u64>,
    /// Those of them in which it had to stop (`nr_throttled`).
    pub throttled_periods: Option<u64>,
    /// Time it was stopped, of all CPUs together, cumulative.
    pub throttled_ns: Option<u64>,
    /// Its limit in thousandths of a CPU; `None` = no limit, or not known.
    pub cpu_max_milli: Option<u64>,
    /// Memory it is charged for, page cache included.
    pub memory_bytes: Option<u64>,
    /// Its own limit; `None` = no limit, or not known.
    pub memory_max_bytes: Option<u64>,
    /// Anonymous memory of it.
    pub anon_bytes: Option<u64>,
    /// Page cache of it.
    pub file_bytes: Option<u64>,
    /// Share of the last 10 s that some of its tasks waited for CPU, memory, I/O; percent.
    pub pressure: [Option<f32>; 3],
    /// Bytes read from devices, cumulative (`io.stat`, `blkio.throttle`).
    pub device_read_bytes: Option<u64>,
    /// Bytes written to devices.
    pub device_write_bytes: Option<u64>,
}
