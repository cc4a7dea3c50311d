//! Runs errands.

use std::io;

use rustc_hash::FxHashSet;
use rustix::io::Errno;
use rustix::process::{Pid, setpriority_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::pinned::Pinned;
use super::{Change, Errand, IoPriority, Outcome, Question, Report, Setting, Target};

/// Threads that start while others are changed may have inherited the old setting: the list is read again until it brings none, but
/// no more often than this.
const ROUNDS: usize = 4;
/// `IOPRIO_WHO_PROCESS`: a thread, despite its name (`include/uapi/linux/ioprio.h`).
const IOPRIO_WHO_PROCESS: libc::c_int = 1;

/// Does what an errand says and tells what came of it. Takes some 20 µs for a process, and a system call more for each thread.
pub fn run(errand: Errand) -> Outcome {
    match errand {
        Errand::Change(change, targets) => Outcome::Changed(change_all(change, targets)),
        Errand::Look(question, targets) => match targets.first().map(|first| look(question, first)) {
            Some(Ok(setting)) => Outcome::Seen(setting, targets),
            Some(Err(why)) => Outcome::Unseen(why),
            None => Outcome::Unseen("no process is chosen".into()),
        },
    }
}

fn change_all(change: Change, targets: Vec<Target>) -> Report {
    let mut report = Report { change, done: Vec::new(), refused: Vec::new() };
    for target in targets {
        match Pinned::hold(target.key).and_then(|process| change_one(&report.change, &process)) {
            Ok(()) => report.done.push(target),
            Err(error) => report.refused.push((target, reason(&error))),
        }
    }
    report
}

fn change_one(change: &Change, process: &Pinned) -> io::Result<()> {
    match change {
        Change::Signal(number) => process.send(*number),
        Change::Nice(nice) => each_thread(process, |tid| Ok(setpriority_process(Some(tid), i32::from(*nice))?)),
        Change::Io(priority) => each_thread(process, |tid| set_io_priority(tid, *priority)),
        Change::Cpus(cpus) => {
            let mut set = CpuSet::new();
            cpus.iter().map(|&cpu| cpu as usize).filter(|&cpu| cpu < CpuSet::MAX_CPU).for_each(|cpu| set.set(cpu));
            each_thread(process, |tid| Ok(sched_setaffinity(Some(tid), &set)?))
        }
    }
}

/// Changes every thread, as the kernel does it one by one. A thread that ended meanwhile needs no change.
fn each_thread(process: &Pinned, change: impl Fn(Pid) -> io::Result<()>) -> io::Result<()> {
    let mut changed = FxHashSet::default();
    for _ in 0..ROUNDS {
        let mut is_new = false;
        for tid in process.threads()? {
            if !changed.insert(tid) {
                continue;
            }
            is_new = true;
            if !process.is_alive() {
                return Err(Errno::SRCH.into());
            }
            if !process.has(tid) {
                continue;
            }
            match change(tid) {
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                result => result?,
            }
        }
        if !is_new {
            break;
        }
    }
    Ok(())
}

fn look(question: Question, target: &Target) -> Result<Setting, String> {
    let seen = Pinned::hold(target.key).and_then(|process| match question {
        Question::Io => io_priority(process.pid).map(Setting::Io),
        Question::Cpus => Ok(sched_getaffinity(Some(process.pid)).map(|set| Setting::Cpus(cpus_of(&set)))?),
    });
    seen.map_err(|error| format!("{target}: {}", reason(&error)))
}

fn cpus_of(set: &CpuSet) -> Vec<u32> {
    (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).map(|cpu| cpu as u32).collect()
}

fn set_io_priority(tid: Pid, priority: IoPriority) -> io::Result<()> {
    // SAFETY: three numbers, no memory.
    match unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, tid.as_raw_nonzero().get(), priority.raw()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn io_priority(tid: Pid) -> io::Result<IoPriority> {
    // SAFETY: two numbers, no memory.
    match unsafe { libc::syscall(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid.as_raw_nonzero().get()) } {
        raw @ 0.. => Ok(IoPriority::of_raw(raw as i32)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// In words that say what to do.
fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ESRCH) => "it is gone".into(),
        Some(libc::EPERM | libc::EACCES) => "not permitted; start ebtop as root".into(),
        Some(libc::EINVAL) => "the kernel takes no such value for it".into(),
        _ => error.to_string(),
    }
}
