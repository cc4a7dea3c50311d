//! A running `ebtop`, and the JSON ticks it writes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

/// The program that was built together with this test.
pub const EBTOP: &str = env!("CARGO_BIN_EXE_ebtop");

/// Longest wait for anything; the machine may be very busy, or emulated.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Runs it to its end.
pub fn run(args: &[&str]) -> Output {
    Command::new(EBTOP).args(args).stdin(Stdio::null()).output().unwrap()
}

/// The ticks of JSON output.
pub fn ticks_of(output: &[u8]) -> Vec<Value> {
    output.split(|&b| b == b'\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// A list of a tick; empty where the tick has none.
pub fn list<'a>(tick: &'a Value, name: &str) -> &'a [Value] {
    tick[name].as_array().map_or(&[], Vec::as_slice)
}

/// Rows of living and of exited processes.
pub fn rows(tick: &Value) -> impl Iterator<Item = &Value> {
    list(tick, "processes").iter().chain(list(tick, "exited"))
}

/// Now, on the clock of samples.
pub fn boottime_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// A number that must be known.
pub fn number(row: &Value, field: &str) -> u64 {
    row[field].as_u64().unwrap_or_else(|| panic!("{field} is {} in {row}", row[field]))
}

/// `ebtop -b -o json`, running.
pub struct Batch {
    child: Child,
    lines: Receiver<String>,
    /// What it wrote so far, oldest first.
    pub ticks: Vec<Value>,
}

impl Batch {
    /// Starts it and waits for its first tick: what happens from now on must be in those that follow.
    pub fn start(args: &[&str]) -> Batch {
        Self::start_by(Command::new(EBTOP).args(["-b", "-o", "json"]).args(args))
    }

    /// The same by a command that becomes ebtop.
    pub fn start_by(command: &mut Command) -> Batch {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut batch = Batch { child, lines, ticks: Vec::new() };
        batch.read_until("the first tick", |batch| !batch.ticks.is_empty());
        batch
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads ticks until `done`.
    pub fn read_until(&mut self, what: &str, mut done: impl FnMut(&Batch) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|e| panic!("waited in vain for {what}: {e}"));
            self.ticks.push(serde_json::from_str(&line).unwrap());
        }
    }

    /// Reads what is written within `time`; what cannot be taken in as fast as it is written is left for later.
    pub fn read_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            let Ok(line) = self.lines.recv_timeout(left) else { return };
            self.ticks.push(serde_json::from_str(&line).unwrap());
        }
    }

    /// Reads on until the second sample after now: last words may come one tick late.
    pub fn settle(&mut self) {
        let now_ns = boottime_ns();
        let later = |batch: &Batch| batch.ticks.iter().rev().take_while(|tick| number(tick, "at_ns") > now_ns).count();
        self.read_until("later ticks", |batch| later(batch) >= 2);
    }

    /// Ends it as Ctrl-C does, and takes what was still under way.
    pub fn stop(mut self) -> Vec<Value> {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let status = self.child.wait().unwrap();
        assert!(matches!(status.code(), Some(0 | 4)), "{status}");
        self.ticks.extend(self.lines.iter().map(|line| serde_json::from_str::<Value>(&line).unwrap()));
        std::mem::take(&mut self.ticks)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sum of a growth over all ticks, of the rows that are `wanted`.
pub fn sum(ticks: &[Value], field: &str, wanted: impl Fn(&Value) -> bool) -> u64 {
    ticks.iter().flat_map(rows).filter(|row| wanted(row)).map(|row| number(row, field)).sum()
}

/// Nothing was lost in a domain, from the first tick to the last.
pub fn assert_nothing_lost(ticks: &[Value], domain: &str) {
    for tick in ticks {
        assert_eq!((tick["lost"][domain].as_u64(), tick["health"][domain]["state"].as_str()), (Some(0), Some("live")), "{domain}");
    }
}
