//! Stack samples over time, and trees of them.

use crate::sample::{ProcKey, Sample, StackCount};

/// The stack samples of the last minutes, bounded in memory.
#[derive(Clone, Debug, Default)]
pub struct StackHistory {}

impl StackHistory {
    /// Adds a tick's samples, drops the oldest past the budget.
    pub fn push(&mut self, _sample: &Sample) {}

    /// Samples of one process (`None` = of the machine), no older than `span_ns` before the newest.
    pub fn of(&self, _key: Option<ProcKey>, _span_ns: u64) -> Vec<StackCount> {
        Vec::new()
    }
}
