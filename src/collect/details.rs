//! Slow facts about processes, from /proc, cached by [`ProcKey`] and exec.

use crate::sample::{Details, ProcKey, Sample};

/// What was read, until its process is gone.
#[derive(Default)]
pub struct DetailsCache {}

impl DetailsCache {
    /// The details of a process, read at most once per exec; `None` when it is gone (or its pid is another process by now).
    pub fn get(&mut self, _key: ProcKey, _exec_id: u64) -> Option<Details> {
        None
    }

    /// Forgets processes that are no longer in `sample`.
    pub fn retain(&mut self, _sample: &Sample) {}
}
