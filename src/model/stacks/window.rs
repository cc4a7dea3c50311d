//! What was sampled in a span of time.

use std::sync::Arc;

use super::measure::Measure;
use crate::sample::{Comm, ProcKey, StackQuality, Waker, Weight};

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
    /// What it stands for.
    pub weight: Weight,
    /// Kernel addresses, innermost first.
    pub kernel: Arc<[u64]>,
    /// User addresses, innermost first.
    pub user: Arc<[u64]>,
    /// Whether `user` is whole.
    pub quality: StackQuality,
    /// Who ended the wait, where it is one and that is known.
    pub waker: Option<Arc<Waker>>,
}

impl Stack {
    /// Memory that its parts take.
    pub(crate) fn bytes(&self) -> usize {
        let of_waker = |waker: &Waker| size_of::<Waker>() + size_of_val(&*waker.kernel) + size_of_val(&*waker.user);
        size_of_val(&*self.kernel) + size_of_val(&*self.user) + self.waker.as_deref().map_or(0, of_waker)
    }
}

/// A stack within a [`Window`].
#[derive(Clone, Copy, Debug)]
pub struct StackUse<'a> {
    /// The stack.
    pub stack: &'a Arc<Stack>,
    /// Its number; never reused within a history.
    pub id: u64,
    /// Where the history keeps it; reused.
    pub slot: u32,
    /// How often it was seen in the window.
    pub count: u64,
    /// Sum in the unit of the measure asked for.
    pub value: u64,
}

/// What was sampled in a span.
#[derive(Clone, Debug, Default)]
pub struct Window<'a> {
    /// Distinct stacks, in no particular order.
    pub stacks: Vec<StackUse<'a>>,
    /// One more than the highest slot there may be.
    pub slots: usize,
    /// What they were weighed by.
    pub measure: Measure,
    /// Times that something was sampled.
    pub count: u64,
    /// Sum in the unit of the measure asked for.
    pub value: u64,
    /// The same by [`StackQuality`].
    pub by_quality: [u64; StackQuality::ALL.len()],
    /// Samples lost on the machine in this span; whose they were is not known.
    pub lost: u64,
    /// How much of the span there is, ns: less just after the start, also that of a probe, or where the budget ran out.
    pub covered_ns: u64,
}

/// The stacks of a window, kept to compare later ones with.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// Stack, its number and its value.
    pub(super) stacks: Vec<(Arc<Stack>, u64, u64)>,
    /// All of it, in the unit of the measure.
    pub value: u64,
    /// Its length, ns.
    pub covered_ns: u64,
}

impl Window<'_> {
    /// The same, to be kept.
    pub fn keep(&self) -> Baseline {
        let stacks = self.stacks.iter().map(|used| (Arc::clone(used.stack), used.id, used.value)).collect();
        Baseline { stacks, value: self.value, covered_ns: self.covered_ns }
    }

    /// How much of [`Window::value`] has a whole stack.
    pub fn complete(&self) -> u64 {
        self.by_quality[StackQuality::Complete as usize]
    }
}
