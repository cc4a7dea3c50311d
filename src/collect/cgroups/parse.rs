//! Texts of cgroup files as numbers. What cannot be read is left out.

use crate::collect::machine::pressure_some;

/// From here on a limit of version 1 means none: it writes the largest number of whole pages.
const NO_LIMIT: u64 = 1 << 60;

/// A file of one number.
pub(super) fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// A limit: a number, `max` or a very large one for none.
pub(super) fn limit(text: &str) -> Option<u64> {
    number(text).filter(|&bytes| bytes < NO_LIMIT)
}

/// The number behind a name in a file of lines `name number`.
pub(super) fn keyed(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| number(line.strip_prefix(name)?.strip_prefix(' ')?))
}

/// `cpu.max`: `quota period` or `max period`, µs. Thousandths of a CPU.
pub(super) fn cpu_max(text: &str) -> Option<u64> {
    let (quota, period) = text.trim().split_once(' ')?;
    milli_cpus(number(quota)?, number(period)?)
}

/// What so many µs of CPU time in so many µs allow, in thousandths of a CPU.
pub(super) fn milli_cpus(quota_us: u64, period_us: u64) -> Option<u64> {
    quota_us.checked_mul(1000)?.checked_div(period_us)
}

/// The share of some.
pub(super) fn pressure(text: &str) -> Option<f32> {
    pressure_some(text)
}

/// `io.stat`: lines `major:minor rbytes=1 wbytes=2 …`. Sums of read and written bytes; an empty file is a group that did nothing.
pub(super) fn io_stat(text: &str) -> (u64, u64) {
    let sum = |name: &str| {
        let fields = text.lines().flat_map(|line| line.split_ascii_whitespace().skip(1));
        fields.filter_map(|field| number(field.strip_prefix(name)?.strip_prefix('=')?)).fold(0, u64::saturating_add)
    };
    (sum("rbytes"), sum("wbytes"))
}

/// `blkio.throttle.io_service_bytes_recursive`: lines `major:minor Read 1`, `major:minor Write 2`, … and a total.
pub(super) fn blkio(text: &str) -> (u64, u64) {
    let sum = |name: &str| {
        let of_line = |line: &str| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            fields.next().filter(|kind| *kind == name).and_then(|_| number(fields.next()?))
        };
        text.lines().filter_map(of_line).fold(0, u64::saturating_add)
    };
    (sum("Read"), sum("Write"))
}

/// Numbers of `cgroup.procs`, ascending; 0 stands for a process of another pid namespace.
pub(super) fn pids(text: &str) -> Vec<u32> {
    let mut pids: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).filter(|&pid| pid > 0).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn files_of_both_versions() {
        assert_eq!((number("41\n"), number("max\n"), limit("4096\n"), limit("9223372036854771712\n")), (Some(41), None, Some(4096), None));
        let stat = "usage_usec 12\nuser_usec 7\nnr_periods 3\nnr_periods_other 9\n";
        assert_eq!((keyed(stat, "usage_usec"), keyed(stat, "nr_periods"), keyed(stat, "user")), (Some(12), Some(3), None));
        assert_eq!((cpu_max("50000 100000\n"), cpu_max("max 100000\n"), cpu_max("150000 0")), (Some(500), None, None));
        assert_eq!(io_stat("8:0 rbytes=10 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n253:0 rbytes=5 wbytes=6\n"), (15, 26));
        assert_eq!(io_stat(""), (0, 0));
        assert_eq!(blkio("8:0 Read 10\n8:0 Write 20\n8:0 Sync 30\n8:16 Read 1\nTotal 31\n"), (11, 20));
        assert_eq!(pids("7\n0\n3\n7\n"), [3, 7]);
    }

    proptest! {
        #[test]
        fn odd_text_never_panics(text in "(([0-9]{1,3}:[0-9] )?[a-zA-Z_]{0,8}[ =]?[0-9]{0,25}( [a-z]{0,6}=?[0-9]{0,25}){0,3}\n|\\PC{0,20}\n){0,6}") {
            let _ = (number(&text), limit(&text), keyed(&text, "a"), cpu_max(&text), pressure(&text));
            let _ = (io_stat(&text), blkio(&text), pids(&text));
        }
    }
}
