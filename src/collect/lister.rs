//! The task list: from the kernel's own walk or, where that is not to be had, from /proc.

use std::os::fd::BorrowedFd;

use super::proc_fs::ProcFs;
use super::tasks::{TaskReading, Tasks};
use crate::sample::{Domain, DomainStatus, Exit, Health, ProcKey, Sample, TaskList};

/// Who lists the processes.
pub(super) enum Lister {
    /// The tasks domain.
    Kernel(Box<Tasks>),
    /// /proc: what lives between two readings is not seen, and times are as coarse as the clock tick.
    Proc {
        /// The reader.
        proc: Box<ProcFs>,
        /// Why it is not the kernel, and the fix.
        reason: String,
        /// Readings that failed.
        failed: u64,
    },
}

impl Lister {
    /// Reads every process once.
    ///
    /// # Errors
    /// They could not be read this time: why, and the exits that were seen all the same.
    pub fn read(&mut self) -> Result<TaskReading, (String, Vec<Exit>)> {
        match self {
            Lister::Kernel(tasks) => {
                let reading = tasks.read();
                match tasks.fault() {
                    Some(why) => Err((why.to_owned(), reading.exits)),
                    None => Ok(reading),
                }
            }
            Lister::Proc { proc, failed, .. } => proc.read_tasks().map_err(|error| {
                *failed += 1;
                (error.to_string(), Vec::new())
            }),
        }
    }

    /// Whether to tell of threads one by one.
    pub fn want_threads(&mut self, wanted: bool) {
        match self {
            Lister::Kernel(tasks) => tasks.want_threads(wanted),
            Lister::Proc { proc, .. } => proc.want_threads(wanted),
        }
    }

    /// Tells what became of the processes read last: [`Tasks::remember`].
    pub fn remember(&mut self, list: TaskList) {
        if let Lister::Kernel(tasks) = self {
            tasks.remember(list);
        }
    }

    /// Readable when [`Lister::drain`] should be called.
    pub fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Lister::Kernel(tasks) => Some(tasks.wake_fd()),
            Lister::Proc { .. } => None,
        }
    }

    /// Takes last words out of their ring.
    pub fn drain(&mut self) {
        if let Lister::Kernel(tasks) = self {
            tasks.drain();
        }
    }

    /// How the list is doing.
    pub fn status(&self) -> DomainStatus {
        match self {
            Lister::Kernel(tasks) => tasks.status(),
            Lister::Proc { reason, failed, .. } => {
                let reason = format!("processes come from /proc, and the short-lived are missed: {reason}");
                DomainStatus { domain: Domain::Tasks, health: Health::Degraded { reason }, lost: *failed, cost: None }
            }
        }
    }

    /// Whether the kernel keeps (interrupt time, stolen time) out of tasks' run time.
    pub fn apart(&self) -> (Option<bool>, Option<bool>) {
        match self {
            Lister::Kernel(tasks) => tasks.apart(),
            Lister::Proc { .. } => (None, None),
        }
    }

    /// The key under which the list has a process that BPF counted for.
    pub fn listed(&self, key: ProcKey) -> ProcKey {
        match self {
            Lister::Kernel(_) => key,
            Lister::Proc { proc, .. } => proc.coarse(key),
        }
    }

    /// Gives what BPF counted to the processes as they are listed.
    pub fn name_alike(&self, sample: &mut Sample) {
        if matches!(self, Lister::Kernel(_)) {
            return;
        }
        sample.sockets.iter_mut().filter_map(|socket| socket.owner.as_mut()).for_each(|owner| *owner = self.listed(*owner));
        sample.stacks.counts.iter_mut().for_each(|stack| stack.key = self.listed(stack.key));
    }
}
