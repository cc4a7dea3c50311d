//! What was sampled in a span of time.

use std::sync::Arc;

use crate::sample::{Comm, ProcKey, StackQuality};

/// A distinct stack of one thread.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stack {
    /// Whose.
    pub key: ProcKey,
    /// Which thread.
    pub tid: u32,
    /// The thread's name.
    pub comm: Comm,
    /// The process's name (the thread's, where the process was already gone).
    pub process: Comm,
    /// Kernel addresses, innermost first.
    pub kernel: Arc<[u64]>,
    /// User addresses, innermost first.
    pub user: Arc<[u64]>,
    /// Whether `user` is whole.
    pub quality: StackQuality,
}

/// A stack within a [`Window`].
#[derive(Clone, Copy, Debug)]
pub struct StackUse<'a> {
    /// The stack.
    pub stack: &'a Stack,
    /// Its number; never reused within a history.
    pub id: u64,
    /// Where the history keeps it; reused.
    pub slot: u32,
    /// How often it was seen in the window.
    pub count: u32,
}

/// What was sampled in a span that ends at the newest sample.
#[derive(Clone, Debug, Default)]
pub struct Window<'a> {
    /// Distinct stacks, in no particular order.
    pub stacks: Vec<StackUse<'a>>,
    /// One more than the highest slot there may be.
    pub slots: usize,
    /// Samples in all.
    pub samples: u64,
    /// Samples whose stack is whole.
    pub complete: u64,
    /// Samples lost on the machine in this span; whose they were is not known.
    pub lost: u64,
    /// How much of the span there is, ns: less just after the start, or where the budget ran out.
    pub covered_ns: u64,
}
