//! Control groups, from the files of cgroup v1 and v2: read only while somebody looks at them, on a thread of their own.
//!
//! A file of a cgroup may wait for locks that the whole machine shares. The collector waits a little for the answer, and goes on without
//! it where it does not come.

mod hierarchies;
mod node;
mod parse;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::clock::boottime_ns;
use crate::rights::{Work, narrow};
use crate::sample::{Cgroups, Wants};
use hierarchies::Hierarchy;
use walk::walk;

/// CPU time that one look at all groups may take; what is not read by then is left out. A machine that lets it wait does not shorten it.
const BUDGET: Duration = Duration::from_millis(200);
/// How long a sample waits for it.
const PATIENCE: Duration = Duration::from_millis(400);

/// Has the groups read.
#[derive(Default)]
pub(super) struct CgroupReader {
    thread: Option<Thread>,
    /// The last answer.
    last: Option<Arc<Cgroups>>,
}

struct Thread {
    /// Whether to tell of the kinds of memory.
    questions: Sender<bool>,
    answers: Receiver<Cgroups>,
    /// A question was not answered yet.
    waits: bool,
}

impl CgroupReader {
    /// The groups now, if they are wanted. What the files did not answer in time is the last answer, with the reason.
    pub(super) fn read(&mut self, wants: Wants) -> Option<Arc<Cgroups>> {
        if !wants.cgroups {
            self.last = None;
            return None;
        }
        let thread = self.thread.get_or_insert_with(spawn);
        let was_late = thread.waits;
        if !was_late {
            thread.waits = thread.questions.try_send(wants.cgroup_memory).is_ok();
        }
        // Where the last question still waits, the next sample should not wait for it, too.
        let patience = if was_late { Duration::ZERO } else { PATIENCE };
        match thread.answers.recv_timeout(patience) {
            Ok(answer) => {
                thread.waits = false;
                self.last = Some(Arc::new(answer));
            }
            Err(_) => {
                let late = self.last.as_deref().cloned().unwrap_or_else(|| Cgroups { at_ns: boottime_ns(), ..Cgroups::default() });
                let trouble = Some(format!("the files of the cgroups did not answer within {PATIENCE:?}"));
                self.last = Some(Arc::new(Cgroups { trouble, ..late }));
            }
        }
        self.last.clone()
    }
}

fn spawn() -> Thread {
    let (questions, inbox) = bounded::<bool>(1);
    let (outbox, answers) = bounded(1);
    let work = move || {
        // It may be started while all rights are still there.
        let _ = narrow(Work::Collect);
        for memory in inbox {
            if outbox.send(read(&hierarchies::mounted(), memory)).is_err() {
                return;
            }
        }
    };
    // A thread that cannot be started shows as answers that never come.
    let _ = std::thread::Builder::new().name("cgroups".into()).spawn(work);
    Thread { questions, answers, waits: false }
}

fn read(hierarchies: &[Hierarchy], memory: bool) -> Cgroups {
    if hierarchies.is_empty() {
        let trouble = "no cgroup file system is mounted here: mount one with `mount -t cgroup2 none /sys/fs/cgroup`".to_owned();
        return Cgroups { at_ns: boottime_ns(), trouble: Some(trouble), ..Cgroups::default() };
    }
    walk(hierarchies, memory, BUDGET)
}

#[cfg(test)]
mod tests;
