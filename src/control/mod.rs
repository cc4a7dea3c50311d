//! Changes to running processes: signals, nice values, I/O priorities, CPU affinity. Nothing else in ebtop changes the system.
//!
//! The screen says what it wants as an [`Errand`], the loop has it run, and the [`Outcome`] comes back as an event. A process is named by
//! its key, never by a pid alone: see [`pinned`].

mod perform;
mod pinned;
pub mod signals;

use std::fmt;

use crate::sample::ProcKey;
pub use perform::run;

/// A process somebody chose, by the name it was shown under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Who, for good.
    pub key: ProcKey,
    /// Name of its leader thread, fit for a terminal.
    pub name: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.key.pid)
    }
}

/// When a thread's I/O is served (`include/uapi/linux/ioprio.h`). Levels are 0 (first) to 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoPriority {
    /// As the nice value says.
    ByNice,
    /// Before all others.
    Realtime(u8),
    /// In turn.
    BestEffort(u8),
    /// When nobody else wants the device.
    Idle,
}

impl IoPriority {
    const CLASS_SHIFT: i32 = 13;

    /// All there are.
    pub fn all() -> impl Iterator<Item = IoPriority> {
        let levels = |class: fn(u8) -> IoPriority| (0..8).map(class);
        [IoPriority::ByNice].into_iter().chain(levels(IoPriority::Realtime)).chain(levels(IoPriority::BestEffort)).chain([IoPriority::Idle])
    }

    fn raw(self) -> i32 {
        let (class, level) = match self {
            IoPriority::ByNice => (0, 0),
            IoPriority::Realtime(level) => (1, level),
            IoPriority::BestEffort(level) => (2, level),
            IoPriority::Idle => (3, 0),
        };
        class << Self::CLASS_SHIFT | i32::from(level)
    }

    /// Of a kernel's answer; what it does not say goes by the nice value.
    fn of_raw(raw: i32) -> IoPriority {
        let level = (raw & 7) as u8;
        match raw >> Self::CLASS_SHIFT {
            1 => IoPriority::Realtime(level),
            2 => IoPriority::BestEffort(level),
            3 => IoPriority::Idle,
            _ => IoPriority::ByNice,
        }
    }
}

impl fmt::Display for IoPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IoPriority::ByNice => f.write_str("by nice value"),
            IoPriority::Realtime(level) => write!(f, "realtime {level}"),
            IoPriority::BestEffort(level) => write!(f, "best effort {level}"),
            IoPriority::Idle => f.write_str("idle"),
        }
    }
}

/// What is to become different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A signal of that number is sent to the process.
    Signal(u8),
    /// Every thread gets that nice value, -20 to 19.
    Nice(i8),
    /// Every thread gets that I/O priority.
    Io(IoPriority),
    /// Every thread may run on these CPUs only.
    Cpus(Vec<u32>),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Signal(number) => f.write_str(&signals::name(*number)),
            Change::Nice(nice) => write!(f, "nice {nice}"),
            Change::Io(priority) => write!(f, "I/O priority {priority}"),
            Change::Cpus(cpus) => write!(f, "CPUs {}", ranges(cpus)),
        }
    }
}

/// What the kernel is asked about a process before it is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Its I/O priority.
    Io,
    /// CPUs it may run on.
    Cpus,
}

/// The answer, for the leader thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Its I/O priority.
    Io(IoPriority),
    /// CPUs it may run on, ascending.
    Cpus(Vec<u32>),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Change these processes.
    Change(Change, Vec<Target>),
    /// Look how the first of these processes is set.
    Look(Question, Vec<Target>),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Changed, or not.
    Changed(Report),
    /// How the first of these processes is set.
    Seen(Setting, Vec<Target>),
    /// Why nothing could be seen.
    Unseen(String),
}

/// Which processes were changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was asked for.
    pub change: Change,
    /// Those that took it.
    pub done: Vec<Target>,
    /// Those that did not, and why.
    pub refused: Vec<(Target, String)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if matches!(self.change, Change::Signal(_)) { "sent to" } else { "set for" };
        let change = &self.change;
        match (&self.done[..], &self.refused[..]) {
            ([one], []) => write!(f, "{change} {verb} {one}"),
            (done, []) => write!(f, "{change} {verb} {} processes", done.len()),
            ([], [(one, why)]) => write!(f, "{change} not {verb} {one}: {why}"),
            (done, [(first, why), ..]) => {
                write!(f, "{change} {verb} {} of {}; {first}: {why}", done.len(), done.len() + self.refused.len())
            }
        }
    }
}

/// `0-3,6`.
pub fn ranges(numbers: &[u32]) -> String {
    let mut text = String::new();
    for run in numbers.chunk_by(|a, b| a + 1 == *b) {
        let between = if text.is_empty() { "" } else { "," };
        text += &match run {
            [first, .., last] => format!("{between}{first}-{last}"),
            [only] => format!("{between}{only}"),
            [] => String::new(),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(pid: u32) -> Target {
        Target { key: ProcKey { pid, start_ns: 1 }, name: "nginx".into() }
    }

    #[test]
    fn reports_name_who_took_it_and_who_did_not() {
        let report = |done: &[u32], refused: &[u32]| {
            let refused = refused.iter().map(|&pid| (target(pid), "not permitted".to_string())).collect();
            Report { change: Change::Signal(15), done: done.iter().map(|&pid| target(pid)).collect(), refused }.to_string()
        };
        assert_eq!(report(&[1], &[]), "SIGTERM sent to nginx (1)");
        assert_eq!(report(&[1, 2], &[]), "SIGTERM sent to 2 processes");
        assert_eq!(report(&[], &[1]), "SIGTERM not sent to nginx (1): not permitted");
        assert_eq!(report(&[3], &[1, 2]), "SIGTERM sent to 1 of 3; nginx (1): not permitted");
        let changes = [Change::Nice(-5), Change::Io(IoPriority::BestEffort(4)), Change::Cpus(vec![0, 1, 2, 5])];
        assert_eq!(changes.map(|c| c.to_string()), ["nice -5", "I/O priority best effort 4", "CPUs 0-2,5"]);
    }

    #[test]
    fn io_priorities_survive_the_kernels_form() {
        assert_eq!(IoPriority::all().count(), 18);
        for priority in IoPriority::all() {
            assert_eq!(IoPriority::of_raw(priority.raw()), priority);
        }
        assert_eq!(IoPriority::of_raw(-1), IoPriority::ByNice);
    }
}
