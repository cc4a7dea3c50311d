//! Rates of what belongs to no process: CPU time by kind, wire and disk bytes; and memory as bars show it.

use super::disks::{DiskGrowth, growths};
use crate::sample::{CpuTimes, Machine, MachineMemory};

/// How one CPU spent the tick, each kind a fraction of 0–1; the rest of 1 is idle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CpuUse {
    /// User, without nice.
    pub user: f64,
    /// Niced user.
    pub nice: f64,
    /// Kernel.
    pub system: f64,
    /// Hard interrupts.
    pub irq: f64,
    /// Soft interrupts.
    pub softirq: f64,
    /// Taken by the hypervisor.
    pub steal: f64,
    /// Idle with I/O outstanding.
    pub iowait: f64,
}

impl CpuUse {
    /// Fractions of the time between two readings; `None` if none passed.
    pub fn between(before: &CpuTimes, now: &CpuTimes) -> Option<CpuUse> {
        let (before, now) = (kinds(before), kinds(now));
        let grown: [u64; 8] = std::array::from_fn(|i| now[i].saturating_sub(before[i]));
        let all: u64 = grown.iter().sum();
        let [user, nice, system, _, iowait, irq, softirq, steal] = grown.map(|v| v as f64 / all.max(1) as f64);
        (all > 0).then_some(CpuUse { user, nice, system, irq, softirq, steal, iowait })
    }

    /// Time not idle, 0–1 (iowait is idle time).
    pub fn busy(&self) -> f64 {
        self.user + self.nice + self.system + self.irq + self.softirq + self.steal
    }
}

fn kinds(t: &CpuTimes) -> [u64; 8] {
    [t.user_ns, t.nice_ns, t.system_ns, t.idle_ns, t.iowait_ns, t.irq_ns, t.softirq_ns, t.steal_ns]
}

/// Rates of the machine over a tick; `None` without an older sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MachineRates {
    /// Use of each online CPU, by its number; a CPU that just came online has none.
    pub cpus: Vec<(u32, Option<CpuUse>)>,
    /// All CPUs together.
    pub total: Option<CpuUse>,
    /// Bytes a second received on the wire.
    pub wire_rx_per_sec: Option<f64>,
    /// Bytes a second sent on the wire.
    pub wire_tx_per_sec: Option<f64>,
    /// Bytes a second read from disks.
    pub disk_read_per_sec: Option<f64>,
    /// Bytes a second written to disks.
    pub disk_write_per_sec: Option<f64>,
    /// What each of [`Machine::disks`] did, same order.
    pub disks: Vec<Option<DiskGrowth>>,
}

impl MachineRates {
    /// Compares two readings `elapsed_ns` apart.
    pub fn between(prev: Option<&Machine>, next: &Machine, elapsed_ns: u64) -> MachineRates {
        let per_sec = |read: fn(&Machine) -> u64| {
            let prev = prev.filter(|_| elapsed_ns > 0)?;
            Some(read(next).saturating_sub(read(prev)) as f64 * 1e9 / elapsed_ns as f64)
        };
        let cpu = |number: u32, now: &CpuTimes| {
            let before = &prev?.cpus;
            let at = before.binary_search_by_key(&number, |(number, _)| *number).ok()?;
            CpuUse::between(&before[at].1, now)
        };
        MachineRates {
            cpus: next.cpus.iter().map(|(number, now)| (*number, cpu(*number, now))).collect(),
            total: prev.and_then(|p| CpuUse::between(&p.total, &next.total)),
            wire_rx_per_sec: per_sec(|m| m.wire_rx_bytes),
            wire_tx_per_sec: per_sec(|m| m.wire_tx_bytes),
            disk_read_per_sec: per_sec(|m| m.disk_read_bytes),
            disk_write_per_sec: per_sec(|m| m.disk_write_bytes),
            disks: growths(prev.filter(|_| elapsed_ns > 0).map(|p| &p.disks[..]), &next.disks),
        }
    }
}

/// Memory as htop divides its bar; used + buffers + shared + cache + free = total. Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// MemTotal.
    pub total_bytes: u64,
    /// Neither free nor in one of the other parts.
    pub used_bytes: u64,
    /// Buffers.
    pub buffers_bytes: u64,
    /// Shared memory.
    pub shared_bytes: u64,
    /// Page cache and reclaimable slab, without shared memory.
    pub cache_bytes: u64,
    /// SwapTotal.
    pub swap_total_bytes: u64,
    /// SwapTotal − SwapFree.
    pub swap_used_bytes: u64,
}

impl MemoryUse {
    /// Divides what /proc/meminfo said; where its parts exceed the total (it is not read atomically), used is all but free.
    pub fn of(m: &MachineMemory) -> MemoryUse {
        let rest = m.free_bytes.saturating_add(m.cache_bytes).saturating_add(m.shared_bytes).saturating_add(m.buffers_bytes);
        MemoryUse {
            total_bytes: m.total_bytes,
            used_bytes: m.total_bytes.checked_sub(rest).unwrap_or(m.total_bytes.saturating_sub(m.free_bytes)),
            buffers_bytes: m.buffers_bytes,
            shared_bytes: m.shared_bytes,
            cache_bytes: m.cache_bytes,
            swap_total_bytes: m.swap_total_bytes,
            swap_used_bytes: m.swap_total_bytes.saturating_sub(m.swap_free_bytes),
        }
    }
}
