//! What stands between the root of a tree and its frames.

use super::label::{part_of, remark_on};
use super::window::Stack;

/// What stands between the root and the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Processes.
    pub processes: ByProcess,
    /// Threads, below their process.
    pub threads: bool,
    /// Below the frames of a wait, who ended it, with the frames of that.
    pub wakers: bool,
}

/// How processes are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ByProcess {
    /// Not at all.
    #[default]
    No,
    /// By name: those of one name are one.
    Name,
    /// By name and pid.
    Pid,
}

impl Shape {
    /// What stands above the frames of a stack, outermost first.
    pub(super) fn above(self, stack: &Stack) -> impl Iterator<Item = String> {
        let process = match self.processes {
            ByProcess::No => None,
            ByProcess::Name => Some(stack.process.to_string()),
            ByProcess::Pid => Some(format!("{} ({})", stack.process, stack.key.pid)),
        };
        let thread = self.threads.then(|| format!("{} ({})", stack.comm, stack.tid));
        let remarks = [part_of(stack.weight), remark_on(stack.quality)].map(|text| text.map(str::to_string));
        [process, thread].into_iter().chain(remarks).flatten()
    }
}
