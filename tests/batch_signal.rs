//! A signal ends batch output cleanly, between two ticks. Alone in its file: signals reach the whole process.

mod common;

use std::io::{self, Write};
use std::time::Duration;

use common::*;
use ebtop::app::view::View;
use ebtop::batch::{BatchOptions, Format, run};
use ebtop::collect::{Collector, Source, SourceError};
use ebtop::sample::*;
use signal_hook::consts::SIGINT;
use signal_hook::low_level::raise;

/// Samples without end.
struct Endless(u64);

impl Source for Endless {
    fn sample(&mut self) -> Result<Sample, SourceError> {
        self.0 += 1;
        Ok(sample(self.0 * SECOND, [task(1, "init")]))
    }

    fn want(&mut self, _wants: Wants) {}
}

/// Raises SIGINT while the third tick is written.
struct Interrupting {
    lines: Vec<u8>,
    ticks: u32,
}

impl Write for Interrupting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lines.extend_from_slice(bytes);
        self.ticks += 1;
        if self.ticks == 3 {
            raise(SIGINT)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn sigint_ends_the_run_after_a_whole_line() {
    let collector = Collector::start(Duration::from_millis(10), || Ok(Endless(1))).expect("it starts");
    let options = BatchOptions::new(Format::Json, View::Processes.into(), &[], None).expect("defaults");
    let mut out = Interrupting { lines: Vec::new(), ticks: 0 };
    let outcome = run(&collector, &options, &mut out).expect("no error");
    let text = String::from_utf8(out.lines).expect("text");
    assert_eq!(outcome.ticks as usize, text.lines().count());
    assert!(outcome.ticks >= 3 && text.ends_with('\n'));
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}
