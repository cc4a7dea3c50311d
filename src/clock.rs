//! The clocks that samples are stamped with.

use std::time::SystemTime;

use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_BOOTTIME`, ns: the clock of `task_struct::start_boottime`, which runs on while the machine sleeps.
pub fn boottime_ns() -> u64 {
    read(ClockId::Boottime)
}

/// CPU time of this process, ns.
pub fn own_cpu_ns() -> u64 {
    read(ClockId::ProcessCPUTime)
}

/// The wall clock, ms since 1970; 0 where it stands before that.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

/// Length of the ticks that /proc counts in, ns.
pub fn tick_ns() -> u64 {
    1_000_000_000 / rustix::param::clock_ticks_per_second().max(1)
}

fn read(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    (now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64)
}
