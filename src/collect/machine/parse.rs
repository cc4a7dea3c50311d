//! Parsers of /proc/stat, /proc/meminfo and /proc/pressure: text to numbers. What cannot be read is left out.

use crate::sample::{CpuTimes, MachineMemory};

/// `/proc/stat`: all CPUs together, then the online ones in order of their number.
pub(super) fn cpu_times(text: &str, tick_ns: u64) -> (CpuTimes, Vec<(u32, CpuTimes)>) {
    let mut total = CpuTimes::default();
    let mut cpus = Vec::new();
    for line in text.lines().map_while(|line| line.strip_prefix("cpu")) {
        let (number, times) = line.split_once(' ').unwrap_or((line, ""));
        let times = times_of(times, tick_ns);
        match number.parse() {
            Ok(number) => cpus.push((number, times)),
            Err(_) => total = times,
        }
    }
    (total, cpus)
}

/// `user nice system idle iowait irq softirq steal guest guest_nice`: the kernel has the guests in user and nice already, and so
/// they are not added again.
fn times_of(line: &str, tick_ns: u64) -> CpuTimes {
    let mut ticks = line.split_ascii_whitespace().map(|field| field.parse::<u64>().unwrap_or(0).saturating_mul(tick_ns));
    let mut next = || ticks.next().unwrap_or(0);
    CpuTimes {
        user_ns: next(),
        nice_ns: next(),
        system_ns: next(),
        idle_ns: next(),
        iowait_ns: next(),
        irq_ns: next(),
        softirq_ns: next(),
        steal_ns: next(),
    }
}

/// `/proc/meminfo`. Without `MemAvailable` (some container file systems) it is free + buffers + cache, as `free` did before it.
pub(super) fn memory(text: &str) -> MachineMemory {
    let mut memory = MachineMemory::default();
    let (mut cached, mut reclaimable, mut available) = (0u64, 0u64, None);
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let Some(bytes) = kib(value) else { continue };
        match name {
            "MemTotal" => memory.total_bytes = bytes,
            "MemFree" => memory.free_bytes = bytes,
            "MemAvailable" => available = Some(bytes),
            "Buffers" => memory.buffers_bytes = bytes,
            "Cached" => cached = bytes,
            "SReclaimable" => reclaimable = bytes,
            "Shmem" => memory.shared_bytes = bytes,
            "SwapTotal" => memory.swap_total_bytes = bytes,
            "SwapFree" => memory.swap_free_bytes = bytes,
            _ => {}
        }
    }
    memory.cache_bytes = cached.saturating_add(reclaimable).saturating_sub(memory.shared_bytes);
    let roughly = memory.free_bytes.saturating_add(memory.buffers_bytes).saturating_add(memory.cache_bytes);
    memory.available_bytes = available.unwrap_or(roughly);
    memory
}

fn kib(value: &str) -> Option<u64> {
    value.split_ascii_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// `some avg10=0.54 …` of a file of /proc/pressure, percent.
pub(in crate::collect) fn pressure_some(text: &str) -> Option<f32> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let average = some.split_ascii_whitespace().find_map(|field| field.strip_prefix("avg10="))?;
    average.parse().ok().filter(|pct: &f32| pct.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn guests_are_counted_once() {
        let stat = "cpu  100 20 30 400 5 6 7 8 90 10\ncpu0 60 20 30 200 5 6 7 8 90 10\ncpu3 40 0 0 200\nintr 5 0\ncpu9 1";
        let (total, cpus) = cpu_times(stat, 10);
        assert_eq!((total.user_ns, total.nice_ns, total.steal_ns), (1000, 200, 80));
        assert_eq!(cpus.iter().map(|cpu| cpu.0).collect::<Vec<_>>(), [0, 3]);
        assert_eq!((cpus[1].1.user_ns, cpus[1].1.idle_ns, cpus[1].1.irq_ns), (400, 2000, 0));
    }

    #[test]
    fn cache_is_counted_as_htop_does() {
        let memory = memory("MemTotal: 1000 kB\nMemFree: 300 kB\nBuffers: 10 kB\nCached: 200 kB\nShmem: 50 kB\nSReclaimable: 30 kB\n");
        assert_eq!(memory.cache_bytes, 180 * 1024);
        assert_eq!(memory.available_bytes, 490 * 1024);
    }

    #[test]
    fn pressure_without_a_full_line() {
        assert_eq!(pressure_some("some avg10=1.25 avg60=0.00 avg300=0.00 total=3\n"), Some(1.25));
        assert_eq!(pressure_some("full avg10=1.25\n"), None);
    }

    proptest! {
        #[test]
        fn odd_text_never_panics(text in "(cpu[0-9 ]{0,30}|[A-Za-z]{3,9}:? *[0-9]{0,25} kB|some avg10=[0-9.na]{0,5}|\\PC{0,20}|\n){0,20}") {
            cpu_times(&text, 10_000_000);
            memory(&text);
            pressure_some(&text);
        }
    }
}
