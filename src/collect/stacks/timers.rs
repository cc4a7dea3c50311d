//! One sampling timer for each CPU that is online, for as long as it is online.
//!
//! A timer can die without a word ([`Event::went_on`]). So now and then each must show that its clock went on, and one that did not is
//! made anew.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use libbpf_rs::ProgramHandle;

use crate::bpf::perf_event::{self, Event};
use crate::bpf::refusal::OUT_OF_FILES;
use crate::collect::check::why_no_perf_events;

const ONLINE_CPUS: &str = "/sys/devices/system/cpu/online";
/// Rounds from one look at the clocks of events to the next. A look interrupts the CPU.
pub(in crate::collect) const ROUNDS: u32 = 4;

/// The timers.
pub(super) struct Timers {
    hz: u32,
    program: ProgramHandle,
    online: File,
    running: BTreeMap<u32, Event>,
    /// CPUs without a timer, by error text.
    refused: BTreeMap<u32, String>,
    round: u32,
    /// The CPU whose timer had died, and the rounds for which that is worth a word.
    restarted: Option<(u32, u32)>,
}

impl Timers {
    /// None yet: [`Timers::follow_cpus`] starts them.
    ///
    /// # Errors
    /// The list of CPUs cannot be read.
    pub(super) fn new(hz: u32, program: ProgramHandle) -> io::Result<Timers> {
        let online = File::open(ONLINE_CPUS)?;
        Ok(Timers { hz, program, online, running: BTreeMap::new(), refused: BTreeMap::new(), round: 0, restarted: None })
    }

    /// Gives each CPU that is online a timer that works.
    pub(super) fn follow_cpus(&mut self) {
        let online = parse_cpu_list(&read_again(&self.online));
        self.running.retain(|cpu, _| online.binary_search(cpu).is_ok());
        self.refused.retain(|cpu, _| online.binary_search(cpu).is_ok());
        self.round = self.round.wrapping_add(1);
        self.restarted = self.restarted.and_then(|(cpu, left)| Some((cpu, left.checked_sub(1)?)));
        if self.round.is_multiple_of(ROUNDS) {
            self.bury_dead();
            // Descriptors may be free by now, or a CPU that was only coming is there.
            self.refused.clear();
        }
        for cpu in online {
            if self.running.contains_key(&cpu) || self.refused.contains_key(&cpu) {
                continue;
            }
            match perf_event::tick_on_cpu(cpu, self.hz, self.program.as_fd()) {
                Ok(timer) => drop(self.running.insert(cpu, timer)),
                Err(error) => drop(self.refused.insert(cpu, refusal(&error))),
            }
        }
    }

    fn bury_dead(&mut self) {
        let restarted = &mut self.restarted;
        self.running.retain(|&cpu, timer| {
            let lives = timer.went_on();
            if !lives {
                *restarted = Some((cpu, 2 * ROUNDS));
            }
            lives
        });
    }

    /// Why there is not a single timer.
    pub(super) fn none(&self) -> Option<&str> {
        self.refused.values().next().filter(|_| self.running.is_empty()).map(String::as_str)
    }

    /// What is not as it should be.
    pub(super) fn trouble(&self) -> Option<String> {
        let refused = self.refused.iter().next().map(|(cpu, why)| match self.refused.len() {
            1 => format!("no stacks from CPU {cpu}: {why}"),
            n => format!("no stacks from {n} CPUs: {why}"),
        });
        let restarted = || {
            let (cpu, _) = self.restarted?;
            Some(format!("the timer of CPU {cpu} had stopped and runs again: up to {} refreshes lack its stacks", 2 * ROUNDS))
        };
        refused.or_else(restarted)
    }
}

/// How many CPUs there may be: one more than the highest number that is online.
///
/// # Errors
/// The list of CPUs cannot be read.
pub(super) fn cpus() -> io::Result<u32> {
    Ok(online_cpus()?.last().map_or(1, |last| last + 1))
}

/// CPUs that are online now, ascending.
pub(in crate::collect) fn online_cpus() -> io::Result<Vec<u32>> {
    Ok(parse_cpu_list(&read_again(&File::open(ONLINE_CPUS)?)))
}

/// One line for the screen: why a perf event was refused.
pub(in crate::collect) fn refusal(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM | libc::ENOSYS) => {
            why_no_perf_events().map_or_else(|| format!("perf events are refused: {error}"), str::to_owned)
        }
        Some(libc::EMFILE) => OUT_OF_FILES.into(),
        _ => format!("perf_event_open: {error}"),
    }
}

/// A sysfs file from its start, fresh each time.
fn read_again(file: &File) -> String {
    let mut bytes = [0; 4096];
    let len = file.read_at(&mut bytes, 0).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..len]).into_owned()
}

/// Ascending CPU numbers of a list like `0-3,8`.
fn parse_cpu_list(text: &str) -> Vec<u32> {
    /// More than any kernel has (CONFIG_NR_CPUS).
    const CPUS_MAX: u32 = 8192;
    let mut cpus = Vec::new();
    for range in text.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            cpus.extend(first..=last.min(CPUS_MAX));
        }
    }
    cpus.sort_unstable();
    cpus.dedup();
    cpus
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cpu_lists() {
        assert_eq!(parse_cpu_list("0-2,5\n"), [0, 1, 2, 5]);
        assert_eq!(parse_cpu_list("3"), [3]);
        assert!(parse_cpu_list("").is_empty());
        assert_eq!(parse_cpu_list("x,7-,1-0,4"), [4]);
        assert_eq!(parse_cpu_list("0-4294967295").len(), 8193);
    }

    proptest! {
        #[test]
        fn odd_cpu_lists_are_bounded(text in "([0-9]{0,11}[-, ]?){0,8}|\\PC{0,20}") {
            let cpus = parse_cpu_list(&text);
            prop_assert!(cpus.len() <= 8 * 8193 && cpus.is_sorted());
        }
    }
}
