//! Stub.
use crate::sample::{DomainStatus, Exit, Task};
use std::os::fd::BorrowedFd;

/// One reading of the task list.
#[derive(Default)]
pub struct TaskReading {
    /// When the walk ended, CLOCK_BOOTTIME ns.
    pub at_ns: u64,
    /// Processes, ascending by key.
    pub tasks: Vec<Task>,
    /// Processes that ended since the reading before.
    pub exits: Vec<Exit>,
}
pub struct Tasks {}
impl Tasks {
    pub fn open() -> Result<Tasks, String> {
        Err("stub".into())
    }
    pub fn read(&mut self) -> TaskReading {
        TaskReading::default()
    }
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        unimplemented!()
    }
    pub fn drain(&mut self) {}
    pub fn status(&self) -> DomainStatus {
        unimplemented!()
    }
    /// (irq_apart, steal_apart)
    pub fn apart(&self) -> (Option<bool>, Option<bool>) {
        (None, None)
    }
}
