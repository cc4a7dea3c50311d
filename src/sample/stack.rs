//! Stack samples: timed ones, always; those of costlier events while they are wanted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Comm, ProcKey};

/// How far up a stack the unwinder came, and what stopped it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StackQuality {
    /// Reached the thread's start (or the sample was in a kernel thread).
    Complete,
    /// Ended early without a reason that the unwinder can tell.
    #[default]
    Cut,
    /// Ended at the depth limit.
    Deep,
    /// Ended in code that has no unwind table, or none yet.
    NoTable,
    /// Ended where registers or stack memory could not be read.
    Unreadable,
    /// Ended in code written at run time that keeps no frame pointers.
    Jit,
}

impl StackQuality {
    /// All of them, in the order of their numbers.
    pub const ALL: [StackQuality; 6] = {
        use StackQuality::*;
        [Complete, Cut, Deep, NoTable, Unreadable, Jit]
    };
}

/// What a stack stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Weight {
    /// Ticks of the timer that met it running.
    #[default]
    OnCpu,
    /// ns it slept, waiting for something to happen.
    Sleeping,
    /// ns it could not be woken (disk, locks of the kernel).
    Blocked,
    /// ns it could have run, but waited for a CPU.
    Runnable,
    /// Page faults that found the page in memory.
    MinorFault,
    /// Page faults that had to read it.
    MajorFault,
    /// Bytes of pages the kernel allocated for it.
    Alloc,
    /// Bytes it sent over sockets.
    Sent,
    /// Bytes it received from sockets.
    Received,
}

/// Equal stacks of one thread since the sample before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackCount {
    /// Whose.
    pub key: ProcKey,
    /// Which thread.
    pub tid: u32,
    /// The thread's name.
    pub comm: Comm,
    /// What was sampled.
    pub weight: Weight,
    /// How often it was seen.
    pub count: u32,
    /// Sum in the unit of `weight`; equal to `count` where that is events.
    pub value: u64,
    /// Kernel addresses, innermost first; empty in user mode. Callers (all but the first) point into the call, one byte before the return address.
    pub kernel: Arc<[u64]>,
    /// User addresses, likewise; empty for kernel threads. Those from [`INTERPRETED`] on are numbers of [`Stacks::interpreted`].
    pub user: Arc<[u64]>,
    /// Whether `user` is whole.
    pub quality: StackQuality,
    /// Who ended a wait, where that is known.
    pub waker: Option<Arc<Waker>>,
}

/// Who woke a thread, and what it was doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Waker {
    /// Its process; pid 0 for an interrupt that met nobody in a system call.
    pub key: ProcKey,
    /// Which thread.
    pub tid: u32,
    /// The thread's name.
    pub comm: Comm,
    /// An interrupt did it; if there is a thread, during a system call of that, which may have caused it (packets over loopback).
    pub interrupt: bool,
    /// As of [`StackCount::kernel`]; of an interrupt its own part alone.
    pub kernel: Arc<[u64]>,
    /// As of [`StackCount::user`], without interpreted code.
    pub user: Arc<[u64]>,
}

/// No program has code in this half of the address space: a user "address" from here on stands for a line of interpreted code.
pub const INTERPRETED: u64 = 1 << 63;

/// A frame of an interpreter, read while the process lived.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InterpretedFrame {
    /// Qualified name of the function. As the process has it: hostile.
    pub function: Arc<str>,
    /// Path of the source file. Likewise.
    pub file: Arc<str>,
    /// Line; 0 where it is not known.
    pub line: u32,
}

/// Whose addresses stacks hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// This machine's, since it was booted.
    #[default]
    Here,
    /// Another machine's, or those of this one before it was booted: the same numbers stand for other code now.
    Elsewhere,
}

/// The stack samples taken since the sample before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stacks {
    /// Rate of the timer on each CPU, Hz; 0 = off.
    pub hz: u32,
    /// Folded samples.
    pub counts: Vec<StackCount>,
    /// Every number from [`INTERPRETED`] on that `counts` hold; a number never changes its meaning.
    pub interpreted: Vec<(u64, InterpretedFrame)>,
}

impl Stacks {
    /// Takes over what numbers of an earlier sample stand for.
    pub(super) fn keep_lines_of(&mut self, earlier: Vec<(u64, InterpretedFrame)>) {
        self.interpreted.extend(earlier);
        self.interpreted.sort_unstable_by_key(|(number, _)| *number);
        self.interpreted.dedup_by_key(|(number, _)| *number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    #[test]
    fn merged_samples_know_all_their_lines() {
        let line = |n| (INTERPRETED + n, InterpretedFrame { function: "f".into(), file: "a.py".into(), line: n as u32 });
        let sample = |lines: &[u64]| Sample {
            stacks: Stacks { interpreted: lines.iter().map(|&n| line(n)).collect(), ..Stacks::default() },
            ..Sample::default()
        };
        let mut later = sample(&[3, 1]);
        let _ = later.keep_events_of(sample(&[2, 1]));
        assert_eq!(later.stacks.interpreted, [line(1), line(2), line(3)]);
    }
}
