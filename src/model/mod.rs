//! Pure data made of samples: rates, the CPU ledger, stack trees. No clock, no I/O, no terminal.

pub mod ledger;
pub mod stacks;

use std::sync::Arc;

use crate::sample::{Counters, Exit, Sample};

/// A live process and its growth over the tick.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Index of the process in `sample.tasks`.
    pub task: u32,
    /// Growth over [`Model::elapsed_ns`]; for a process first seen, since its start if it was born within the tick, else unknown.
    pub delta: Counters,
}

/// A process that ended within the tick and what it used since the sample before.
#[derive(Clone, Copy, Debug)]
pub struct Departed {
    /// Its last words.
    pub exit: Exit,
    /// Growth from the sample before (or its birth) to its end.
    pub delta: Counters,
}

/// What happened between two samples.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The newer sample.
    pub sample: Arc<Sample>,
    /// Time between the two; 0 when there is no older one (then no delta is known).
    pub elapsed_ns: u64,
    /// One for each task, same order.
    pub rows: Vec<Row>,
    /// Processes that ended.
    pub departed: Vec<Departed>,
    /// Where the machine's CPU time went.
    pub ledger: ledger::Ledger,
}

impl Model {
    /// Compares two samples by merging their tasks, which stand in key order.
    pub fn between(_prev: Option<&Sample>, next: Arc<Sample>) -> Model {
        Model { sample: next, ..Model::default() }
    }
}
