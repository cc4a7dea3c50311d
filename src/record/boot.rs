//! Was a sample taken on this machine since it was booted? Only then do its addresses mean here what they meant there.

use crate::clock;
use crate::sample::Sample;

/// How far the wall clock may have been set since, ms.
const CLOCK_SET_MS: u64 = 10_000;

/// The same host and kernel, booted at the same moment.
pub(super) fn is_of_this_boot(sample: &Sample) -> bool {
    let names = rustix::system::uname();
    let machine = &sample.machine;
    let is_host = names.nodename().to_string_lossy() == machine.host && names.release().to_string_lossy() == machine.kernel;
    let here = clock::unix_ms().saturating_sub(clock::boottime_ns() / 1_000_000);
    let there = sample.unix_ms.saturating_sub(sample.at_ns / 1_000_000);
    is_host && here.abs_diff(there) <= CLOCK_SET_MS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::Source;
    use crate::collect::proc_fs::ProcFs;

    #[test]
    fn only_what_was_sampled_here_since_the_boot() {
        let here = ProcFs::open("why".into()).unwrap().sample().unwrap();
        assert!(is_of_this_boot(&here));
        let mut elsewhere = here.clone();
        elsewhere.machine.host.push('x');
        assert!(!is_of_this_boot(&elsewhere));
        assert!(!is_of_this_boot(&Sample { at_ns: here.at_ns + 3_600_000_000_000, ..here.clone() }));
        assert!(!is_of_this_boot(&Sample { unix_ms: u64::MAX, ..here }));
    }
}
