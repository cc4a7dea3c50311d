//! Where the machine's CPU time went: processes + exited + kernel + irq + steal + idle against cores × elapsed.

use super::Model;
use crate::sample::{Counter, Sample};

/// One tick's ledger, ns. Parts the kernel keeps inside run time are 0 and flagged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ledger {
    /// CPUs × elapsed.
    pub capacity_ns: u64,
    /// Live processes.
    pub processes_ns: u64,
    /// Kernel threads.
    pub kernel_ns: u64,
    /// Processes that ended within the tick.
    pub exited_ns: u64,
    /// Hard and soft interrupts, where the kernel keeps them apart from run time.
    pub irq_ns: u64,
    /// Steal, where the kernel keeps it apart from run time.
    pub steal_ns: u64,
    /// Idle and iowait.
    pub idle_ns: u64,
    /// capacity − all of the above; negative where more was charged than passed.
    pub gap_ns: i64,
    /// Interrupt time is inside the run time of whoever was interrupted (or the kernel does not tell).
    pub irq_inside: bool,
    /// Steal is inside run time (or the kernel does not tell).
    pub steal_inside: bool,
}

impl Ledger {
    /// Sums a tick; all 0 without an older sample.
    pub(super) fn of(prev: Option<&Sample>, model: &Model) -> Ledger {
        let next = &model.sample;
        let machine = &next.machine;
        let mut ledger =
            Ledger { irq_inside: machine.irq_apart != Some(true), steal_inside: machine.steal_apart != Some(true), ..Ledger::default() };
        let Some(prev) = prev else { return ledger };
        ledger.capacity_ns = next.at_ns.saturating_sub(prev.at_ns).saturating_mul(machine.cpus.len() as u64);
        for row in model.grown() {
            let cpu_ns = model.growth(row).get(Counter::CpuNs).unwrap_or(0);
            let part = if model.task(row).kernel_thread { &mut ledger.kernel_ns } else { &mut ledger.processes_ns };
            *part = part.saturating_add(cpu_ns);
        }
        ledger.exited_ns = model.departed.iter().filter_map(|d| d.delta.get(Counter::CpuNs)).fold(0, u64::saturating_add);
        let (before, now) = (&prev.machine.total, &machine.total);
        let grown = |a: u64, b: u64| b.saturating_sub(a);
        ledger.idle_ns = grown(before.idle_ns, now.idle_ns) + grown(before.iowait_ns, now.iowait_ns);
        if !ledger.irq_inside {
            ledger.irq_ns = grown(before.irq_ns, now.irq_ns) + grown(before.softirq_ns, now.softirq_ns);
        }
        if !ledger.steal_inside {
            ledger.steal_ns = grown(before.steal_ns, now.steal_ns);
        }
        ledger.gap_ns = super::difference(ledger.charged_ns(), ledger.capacity_ns);
        ledger
    }

    /// Everything accounted for, idle included.
    pub fn charged_ns(&self) -> u64 {
        [self.processes_ns, self.kernel_ns, self.exited_ns, self.irq_ns, self.steal_ns, self.idle_ns]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}
