//! How far it is, on a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// A line on the terminal's standard error, gone at the end.
pub(super) struct Progress {
    time: Duration,
    shown: bool,
}

impl Progress {
    pub(super) fn new(time: Duration) -> Progress {
        Progress { time, shown: false }
    }

    /// Writes it anew: when it ends, and how much was seen so far.
    pub(super) fn show(&mut self, end: Instant, count: u64) {
        if io::stderr().is_terminal() {
            let left = end.saturating_duration_since(Instant::now());
            let passed = self.time.saturating_sub(left).as_secs_f64();
            let all = self.time.as_secs_f64();
            let _ = write!(io::stderr(), "\r\x1b[K{passed:.0} of {all:.0} s, {count} seen; Ctrl-C writes what there is");
            self.shown = true;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
