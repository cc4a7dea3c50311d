//! Cumulative counters of a process, each known or not.

use serde::{Deserialize, Serialize};

/// Every cumulative counter a process has. One list serves collection, rates, sums, columns and export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Counter {
    /// On-CPU time (`se.sum_exec_runtime` of live threads + `signal->sum_sched_runtime`), ns.
    CpuNs,
    /// The user share of `CpuNs`, split by the kernel's tick-sampled ratio, ns.
    UserNs,
    /// The kernel share of `CpuNs`, ns.
    SystemNs,
    /// Time runnable but not running (`sched_info.run_delay`), ns, live threads only.
    WaitNs,
    /// Voluntary context switches.
    VoluntarySwitches,
    /// Involuntary context switches.
    InvoluntarySwitches,
    /// Minor faults.
    MinorFaults,
    /// Major faults.
    MajorFaults,
    /// Bytes of block reads caused (`ioac.read_bytes`).
    ReadBytes,
    /// Bytes of pages dirtied (`ioac.write_bytes`), not yet of device writes.
    WriteBytes,
    /// Dirtied bytes that were truncated before they reached the device.
    CancelledWriteBytes,
    /// Application bytes that send calls returned, TCP and UDP.
    TxBytes,
    /// Application bytes that receive calls returned, TCP and UDP; peeks excluded.
    RxBytes,
    /// Successful send calls (each message of sendmmsg counts).
    TxMessages,
    /// Successful receive calls.
    RxMessages,
    /// TCP segments retransmitted by the sockets the process moved bytes on.
    Retransmits,
    /// Kernel page allocations while the process was current. Counted only while something shows them.
    PageAllocs,
    /// Bytes of `PageAllocs`.
    PageAllocBytes,
}

impl Counter {
    /// How many counters there are.
    pub const COUNT: usize = 18;
    /// All of them, in order.
    pub const ALL: [Counter; Self::COUNT] = {
        use Counter::*;
        [
            CpuNs,
            UserNs,
            SystemNs,
            WaitNs,
            VoluntarySwitches,
            InvoluntarySwitches,
            MinorFaults,
            MajorFaults,
            ReadBytes,
            WriteBytes,
            CancelledWriteBytes,
            TxBytes,
            RxBytes,
            TxMessages,
            RxMessages,
            Retransmits,
            PageAllocs,
            PageAllocBytes,
        ]
    };
}

/// Some of the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterSet(u32);

impl CounterSet {
    /// Of these.
    pub const fn of(counters: &[Counter]) -> CounterSet {
        let (mut set, mut i) = (0, 0);
        while i < counters.len() {
            set |= 1 << counters[i] as u32;
            i += 1;
        }
        CounterSet(set)
    }
}

/// A value for each [`Counter`], each known or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    known: u32,
    values: [u64; Counter::COUNT],
}

impl Counters {
    /// The value, or `None` where it could not be learnt.
    pub fn get(&self, counter: Counter) -> Option<u64> {
        (self.known & (1 << counter as u32) != 0).then(|| self.values[counter as usize])
    }

    /// Makes the counter known.
    pub fn set(&mut self, counter: Counter, value: u64) {
        self.known |= 1 << counter as u32;
        self.values[counter as usize] = value;
    }

    /// The same as [`Counters::set`], for building one in an expression.
    #[must_use]
    pub fn with(mut self, counter: Counter, value: u64) -> Self {
        self.set(counter, value);
        self
    }

    /// Adds `other`; a counter is known in the sum where either side knows it.
    pub fn add(&mut self, other: &Counters) {
        self.known |= other.known;
        for (a, b) in self.values.iter_mut().zip(other.values) {
            *a = a.saturating_add(b);
        }
    }

    /// Takes over what `other` knows.
    pub fn adopt(&mut self, other: &Counters) {
        self.known |= other.known;
        let mut left = other.known;
        while left != 0 {
            let i = left.trailing_zeros() as usize;
            self.values[i] = other.values[i];
            left &= left - 1;
        }
    }

    /// The same with no others known than these.
    #[must_use]
    pub fn only(&self, set: CounterSet) -> Counters {
        let known = self.known & set.0;
        Counters { known, values: std::array::from_fn(|i| if known & (1 << i) != 0 { self.values[i] } else { 0 }) }
    }

    /// Growth since `earlier`; known where both are. A counter that shrank (a thread left mid-walk) grew by 0.
    #[must_use]
    pub fn since(&self, earlier: &Counters) -> Counters {
        let known = self.known & earlier.known;
        let mut values = [0; Counter::COUNT];
        for (i, value) in values.iter_mut().enumerate() {
            if known & (1 << i) != 0 {
                *value = self.values[i].saturating_sub(earlier.values[i]);
            }
        }
        Counters { known, values }
    }

    /// The same less a part of it, never below 0; what is not known of the part stays.
    #[must_use]
    pub fn without(&self, part: &Counters) -> Counters {
        let mut rest = *self;
        for (value, part) in rest.values.iter_mut().zip(part.values) {
            *value = value.saturating_sub(part);
        }
        rest
    }

    /// Keeps every counter that both know from falling below `floor`, so that a total never runs backwards.
    pub fn hold_above(&mut self, floor: &Counters) {
        let known = self.known & floor.known;
        for (i, value) in self.values.iter_mut().enumerate() {
            if known & (1 << i) != 0 {
                *value = (*value).max(floor.values[i]);
            }
        }
    }
}
