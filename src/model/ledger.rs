//! Where the machine's CPU time went: processes + exited + kernel + irq + steal + idle against cores × elapsed.

/// One tick's ledger, ns. Unknown parts are 0 and named in `inside`.
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
}
