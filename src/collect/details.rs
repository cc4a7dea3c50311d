//! Slow facts about processes, from /proc, read on threads of their own.
//!
//! /proc/PID/cmdline waits for the lock of the process's memory. A process that hangs may hold that for ever, and ebtop is needed
//! just then: its details stay away, those of others and samples keep coming.

mod cgroup;
mod containers;
mod runtimes;
mod state_file;
mod users;

use std::os::fd::{AsFd, OwnedFd};

use crossbeam_channel::{Receiver, Sender};
use rustix::fs::{Mode, OFlags};

use super::proc_file::{read_fitting, read_once};
use super::proc_fs::stat;
use crate::clock::tick_of_start;
use crate::readers::Readers;
use crate::rights::{Work, narrow};
use crate::sample::{Details, ProcKey, Update, printable};
use containers::Containers;
pub(super) use users::Users;

/// Longer command lines are cut.
const CMDLINE_BYTES: usize = 4096;
/// Questions that may wait.
const QUESTIONS_WAITING: usize = 16;

/// Processes asked about.
pub(super) type Question = Vec<ProcKey>;

/// Starts the thread; it ends when the question side is dropped. Each question gets one answer, in order, without processes that
/// are gone or do not answer.
pub(super) fn spawn(answers: Sender<Update>) -> Sender<Question> {
    let new_reader = || {
        let mut reader = DetailsReader::default();
        move |key, ()| reader.read(key)
    };
    answer_with(Readers::new("details", new_reader), answers)
}

/// A thread that cannot be started shows as questions that are never taken.
fn answer_with<R, N>(mut readers: Readers<(), Option<Details>, N>, answers: Sender<Update>) -> Sender<Question>
where
    R: FnMut(ProcKey, ()) -> Option<Details>,
    N: Fn() -> R + Send + Sync + 'static,
{
    let (questions, inbox): (Sender<Question>, Receiver<Question>) = crossbeam_channel::bounded(QUESTIONS_WAITING);
    let work = move || {
        // It may be started while all rights are still there; the readers are started here and have no more.
        let _ = narrow(Work::Name);
        for question in inbox {
            let read = readers.read(question.into_iter().map(|key| (key, ())).collect());
            let found = read.into_iter().filter_map(|(key, details)| Some((key, details?))).collect();
            if answers.send(Update::Details(found)).is_err() {
                return;
            }
        }
    };
    let _ = std::thread::Builder::new().name("details".into()).spawn(work);
    questions
}

/// Reads details.
#[derive(Default)]
pub struct DetailsReader {
    users: Users,
    containers: Containers,
}

impl DetailsReader {
    /// The details of a process; `None` when it is gone (or its pid is another process by now).
    pub fn read(&mut self, key: ProcKey) -> Option<Details> {
        let process = open_process(key)?;
        let mut buffer = vec![0; 16 << 10];
        // A process without an owner is gone.
        let status = stat::status(read_fitting(&process, "status", &mut buffer).ok()?);
        let uid = status.uid?;
        let cmdline = read_once(&process, "cmdline", &mut buffer[..CMDLINE_BYTES]).map(join_arguments).unwrap_or_default();
        let cgroup = read_once(&process, "cgroup", &mut buffer).ok().and_then(cgroup::path);
        let exe = rustix::fs::readlinkat(&process, "exe", Vec::new()).ok().map(|path| printable(path.to_bytes()));
        let user = self.users.name(uid).unwrap_or_else(|| uid.to_string());
        let container = cgroup.as_deref().and_then(|path| self.containers.of(path));
        Some(Details { cmdline, exe, user, uid: Some(uid), cgroup, container, inner_pid: status.inner_pid })
    }
}

/// The directory of a process, checked to be that process. It stays bound to it: once the process is gone reads fail, even if the
/// pid is used again, and so one check is enough.
pub(crate) fn open_process(key: ProcKey) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let process = rustix::fs::open(format!("/proc/{}", key.pid), flags, Mode::empty()).ok()?;
    is_same(&process, key)?.then_some(process)
}

fn is_same(process: impl AsFd, key: ProcKey) -> Option<bool> {
    let mut buffer = [0; 1024];
    let stat = stat::stat(read_once(process, "stat", &mut buffer).ok()?)?;
    Some(stat.start_ticks == tick_of_start(key.start_ns))
}

/// Arguments end in NUL; a process that writes its own title leaves NULs or spaces behind it.
fn join_arguments(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|&b| b != 0 && b != b' ').map_or(0, |last| last + 1);
    let joined: Vec<u8> = bytes[..end].iter().map(|&b| if b == 0 { b' ' } else { b }).collect();
    printable(&joined)
}

#[cfg(test)]
mod tests;
