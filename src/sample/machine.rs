//! What belongs to no process.

use serde::{Deserialize, Serialize};

use super::Interface;

/// Time of one CPU by kind, cumulative ns (10 ms resolution from /proc/stat).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuTimes {
    /// User, virtual machines included (the kernel counts guest time here too), without nice.
    pub user_ns: u64,
    /// Niced user, niced virtual machines included.
    pub nice_ns: u64,
    /// Kernel.
    pub system_ns: u64,
    /// Idle.
    pub idle_ns: u64,
    /// Idle with I/O outstanding.
    pub iowait_ns: u64,
    /// Hard interrupts.
    pub irq_ns: u64,
    /// Soft interrupts.
    pub softirq_ns: u64,
    /// Taken by the hypervisor.
    pub steal_ns: u64,
}

/// Machine memory, bytes, from /proc/meminfo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineMemory {
    /// MemTotal.
    pub total_bytes: u64,
    /// MemFree.
    pub free_bytes: u64,
    /// MemAvailable.
    pub available_bytes: u64,
    /// Buffers.
    pub buffers_bytes: u64,
    /// Cached + SReclaimable - Shmem, as htop counts cache.
    pub cache_bytes: u64,
    /// Shmem.
    pub shared_bytes: u64,
    /// SwapTotal.
    pub swap_total_bytes: u64,
    /// SwapFree.
    pub swap_free_bytes: u64,
}

/// Share of time that something waited for a resource, last 10 s, percent ("some" of /proc/pressure).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pressure {
    /// CPU.
    pub cpu_pct: f32,
    /// Memory.
    pub memory_pct: f32,
    /// I/O.
    pub io_pct: f32,
}

/// What a block device did since it is there, from /proc/diskstats. The kernel writes its times as 32 bits of ms, so they begin anew
/// after 2³² ms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Its name, fit for a terminal.
    pub name: String,
    /// Reads that were finished, those merged into others not counted.
    pub reads: u64,
    /// Writes likewise.
    pub writes: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub write_bytes: u64,
    /// Time from issue to end of all reads together.
    pub read_ms: u32,
    /// The same of all writes.
    pub write_ms: u32,
    /// Time with at least one request under way. From 5.0 the kernel looks once a timer tick.
    pub busy_ms: u32,
    /// Time of all requests under way together.
    pub queue_ms: u32,
    /// Requests under way now.
    pub in_flight: u32,
}

/// What belongs to no process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Host name.
    pub host: String,
    /// Kernel release.
    pub kernel: String,
    /// Online CPUs in order of their number.
    pub cpus: Vec<(u32, CpuTimes)>,
    /// All CPUs together (includes those that went offline).
    pub total: CpuTimes,
    /// This kernel keeps interrupt time out of on-CPU time (CONFIG_IRQ_TIME_ACCOUNTING), so that the two add up;
    /// else it is inside the run time of whoever was interrupted. `None` = not known.
    pub irq_apart: Option<bool>,
    /// The same for steal (CONFIG_PARAVIRT_TIME_ACCOUNTING).
    pub steal_apart: Option<bool>,
    /// Memory.
    pub memory: MachineMemory,
    /// Load averages of 1, 5 and 15 minutes.
    pub load: [f32; 3],
    /// Time since boot.
    pub uptime_ns: u64,
    /// Runnable threads now.
    pub running: u32,
    /// Threads now.
    pub threads: u32,
    /// Bytes received on the wire, cumulative: by interfaces with hardware; where there are none (a container), by all but loopback.
    pub wire_rx_bytes: u64,
    /// Bytes sent on the wire.
    pub wire_tx_bytes: u64,
    /// Interfaces one by one, in the order of the kernel; empty unless wanted ([`Wants::interfaces`](super::Wants)).
    pub interfaces: Vec<Interface>,
    /// Bytes read from disks (whole devices; no partitions, no devices stacked on others, none in memory), cumulative.
    pub disk_read_bytes: u64,
    /// Bytes written to disks.
    pub disk_write_bytes: u64,
    /// Block devices that ever did something; no partitions.
    pub disks: Vec<Disk>,
    /// Pressure, where the kernel has it.
    pub pressure: Option<Pressure>,
}
