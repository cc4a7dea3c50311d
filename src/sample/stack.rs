//! Timed stack samples.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Comm, ProcKey};

/// How far up a stack the unwinder came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StackQuality {
    /// Reached the thread's start (or the sample was in a kernel thread).
    Complete,
    /// Ended early: no frame pointer, unreadable stack.
    #[default]
    Cut,
    /// Ended at the depth limit.
    Deep,
}

/// Equal stacks of one thread since the sample before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackCount {
    /// Whose.
    pub key: ProcKey,
    /// Which thread.
    pub tid: u32,
    /// The thread's name.
    pub comm: Comm,
    /// How often it was seen.
    pub count: u32,
    /// Kernel addresses, innermost first; empty in user mode. Callers (all but the first) point into the call, one byte before the return address.
    pub kernel: Arc<[u64]>,
    /// User addresses, likewise; empty for kernel threads.
    pub user: Arc<[u64]>,
    /// Whether `user` is whole.
    pub quality: StackQuality,
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

/// The timed stack samples taken since the sample before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stacks {
    /// Rate of the timer on each CPU, Hz; 0 = off.
    pub hz: u32,
    /// Folded samples.
    pub counts: Vec<StackCount>,
}
