//! A timer on each CPU that is online.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::refusal;

/// CPUs without a timer are tried again after this time: descriptors may be free by then, or a CPU that was coming is there.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// The timers there are, and why others are missing.
pub(super) struct Timers {
    open: BTreeMap<u32, OwnedFd>,
    /// Error texts.
    refused: BTreeMap<u32, String>,
    /// When those refused were tried last.
    tried: Instant,
}

impl Timers {
    /// None yet.
    pub(super) fn new(now: Instant) -> Timers {
        Timers { open: BTreeMap::new(), refused: BTreeMap::new(), tried: now }
    }

    /// Has a timer on each CPU of the ascending list and on no other. A CPU that goes offline kills its timer for good: it needs a new one
    /// when it comes back.
    pub(super) fn follow(&mut self, online: &[u32], now: Instant, tick_on: impl Fn(u32) -> io::Result<OwnedFd>) {
        self.open.retain(|cpu, _| online.binary_search(cpu).is_ok());
        self.refused.retain(|cpu, _| online.binary_search(cpu).is_ok());
        let again = now.saturating_duration_since(self.tried) >= TRY_AGAIN;
        if again {
            self.tried = now;
        }
        for &cpu in online {
            if self.open.contains_key(&cpu) || self.refused.contains_key(&cpu) && !again {
                continue;
            }
            match tick_on(cpu) {
                Ok(timer) => {
                    self.refused.remove(&cpu);
                    self.open.insert(cpu, timer);
                }
                Err(error) => drop(self.refused.insert(cpu, refusal(&error))),
            }
        }
    }

    /// Why no CPU has a timer, where that is so.
    pub(super) fn why_none(&self) -> Option<&str> {
        self.refused.values().next().filter(|_| self.open.is_empty()).map(String::as_str)
    }

    /// Which CPUs have none and why, in one line.
    pub(super) fn why_fewer(&self) -> Option<String> {
        let (cpu, why) = self.refused.first_key_value()?;
        Some(match self.refused.len() {
            1 => format!("no stacks from CPU {cpu}: {why}"),
            n => format!("no stacks from {n} CPUs: {why}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn null(_: u32) -> io::Result<OwnedFd> {
        Ok(std::fs::File::open("/dev/null")?.into())
    }

    fn full(_: u32) -> io::Result<OwnedFd> {
        Err(io::Error::from_raw_os_error(libc::EMFILE))
    }

    #[test]
    fn a_cpu_that_was_refused_is_tried_again_after_a_while() {
        let now = Instant::now();
        let mut timers = Timers::new(now);
        timers.follow(&[0, 1], now, |cpu| if cpu == 1 { full(cpu) } else { null(cpu) });
        assert_eq!(timers.why_none(), None);
        assert!(timers.why_fewer().is_some_and(|why| why.contains("CPU 1") && why.contains("ulimit")));
        timers.follow(&[0, 1], now + TRY_AGAIN / 2, |_| panic!("it is too early"));
        timers.follow(&[0, 1], now + TRY_AGAIN, |cpu| if cpu == 0 { panic!("it has one") } else { null(cpu) });
        assert_eq!(timers.why_fewer(), None);
    }

    #[test]
    fn a_cpu_that_comes_back_gets_a_new_timer() {
        let now = Instant::now();
        let mut timers = Timers::new(now);
        timers.follow(&[0, 1], now, null);
        timers.follow(&[0], now, null);
        timers.follow(&[0, 1], now, |cpu| if cpu == 1 { full(cpu) } else { panic!("it has one") });
        assert!(timers.why_fewer().is_some());
        timers.follow(&[0], now, null);
        assert_eq!(timers.why_fewer(), None, "it is not missed while it is offline");
    }
}
