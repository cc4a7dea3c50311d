//! The clocks that samples are stamped with: always the kernel's own, as eBPF programs read them.

use std::sync::LazyLock;
use std::time::SystemTime;

use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_BOOTTIME`, ns: the clock of `task_struct::start_boottime`, which runs on while the machine sleeps.
pub fn boottime_ns() -> u64 {
    read(ClockId::Boottime).saturating_add_signed(-AHEAD.boottime_ns)
}

/// `CLOCK_MONOTONIC`, ns.
pub fn monotonic_ns() -> u64 {
    read(ClockId::Monotonic).saturating_add_signed(-AHEAD.monotonic_ns)
}

/// CPU time of this process, ns.
pub fn own_cpu_ns() -> u64 {
    read(ClockId::ProcessCPUTime)
}

/// CPU time of the calling thread, ns.
pub fn thread_cpu_ns() -> u64 {
    read(ClockId::ThreadCPUTime)
}

/// The wall clock, ms since 1970; 0 where it stands before that.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

/// Length of the ticks that /proc counts in, ns.
pub fn tick_ns() -> u64 {
    1_000_000_000 / rustix::param::clock_ticks_per_second().max(1)
}

/// The start time that /proc/PID/stat tells of a process that began at this instant of `CLOCK_BOOTTIME`. The kernel cuts it to whole
/// ticks (`nsec_to_clock_t`).
pub fn tick_of_start(start_ns: u64) -> u64 {
    start_ns.saturating_add_signed(AHEAD.boottime_ns) / tick_ns()
}

/// The first instant of `CLOCK_BOOTTIME`, ns, of which /proc/PID/stat tells that start time.
pub fn start_of_tick(tick: u64) -> u64 {
    tick.saturating_mul(tick_ns()).saturating_add_signed(-AHEAD.boottime_ns)
}

/// How far the clocks of this process's time namespace, and the start times that /proc shows it, are ahead of the kernel's.
#[derive(Debug, Default, PartialEq)]
struct Ahead {
    monotonic_ns: i64,
    boottime_ns: i64,
}

/// No process changes its time namespace while it runs (time_namespaces(7)).
static AHEAD: LazyLock<Ahead> =
    LazyLock::new(|| std::fs::read_to_string("/proc/self/timens_offsets").map(|text| ahead(&text)).unwrap_or_default());

/// Lines of a clock's name, seconds and nanoseconds.
fn ahead(text: &str) -> Ahead {
    let of = |clock: &str| {
        let mut words = text.lines().map(str::split_whitespace).find_map(|mut words| (words.next()? == clock).then_some(words))?;
        let (seconds, ns): (i64, i64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(seconds.saturating_mul(1_000_000_000).saturating_add(ns))
    };
    Ahead { monotonic_ns: of("monotonic").unwrap_or(0), boottime_ns: of("boottime").unwrap_or(0) }
}

fn read(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    (now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_a_time_namespace() {
        let text = "monotonic      172800         0\nboottime      -604800   5000000\n";
        assert_eq!(ahead(text), Ahead { monotonic_ns: 172_800_000_000_000, boottime_ns: -604_799_995_000_000 });
        for none in ["", "monotonic", "boottime x y\n", "boottime 1\n"] {
            assert_eq!(ahead(none), Ahead::default(), "{none:?}");
        }
    }
}
