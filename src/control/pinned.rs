//! A process held fast, so that what is done to it cannot hit another one that got its pid.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Dir, Mode, OFlags, openat};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::collect::open_process;
use crate::sample::ProcKey;

/// A living process.
pub(super) struct Pinned {
    pidfd: OwnedFd,
    directory: OwnedFd,
    /// Its id.
    pub(super) pid: Pid,
}

impl Pinned {
    /// Takes hold of a process. The pidfd comes first and the look at the start time after it: the key was read off the living process
    /// before either, so a pid that still has that start time has had one owner all the while.
    pub(super) fn hold(key: ProcKey) -> io::Result<Pinned> {
        let gone = || io::Error::from(rustix::io::Errno::SRCH);
        let pid = i32::try_from(key.pid).ok().and_then(Pid::from_raw).ok_or_else(gone)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let directory = open_process(key).ok_or_else(gone)?;
        Ok(Pinned { pidfd, directory, pid })
    }

    /// Sends a signal, to this process and no other.
    pub(super) fn send(&self, signal: u8) -> io::Result<()> {
        let signal = Signal::from_named_raw(signal.into()).ok_or_else(|| io::Error::from(rustix::io::Errno::INVAL))?;
        Ok(pidfd_send_signal(&self.pidfd, signal)?)
    }

    /// Whether it still runs: as long as it does, its own id is nobody else's.
    pub(super) fn is_alive(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&now)), Ok(0))
    }

    /// Whether a thread is one of its own now. The id of one that ended may be a stranger's by then; the directory of the process tells,
    /// as it never shows another's. Between this look and a change remain some microseconds, in which the id would have to be given back,
    /// and all others used up, before it comes round again: the kernel has no handle for changing threads that would close that gap.
    pub(super) fn has(&self, thread: Pid) -> bool {
        let path = format!("task/{}", thread.as_raw_nonzero());
        openat(&self.directory, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).is_ok()
    }

    /// The ids of its threads. Read through the directory of the process, which fails once it is gone.
    pub(super) fn threads(&self) -> io::Result<Vec<Pid>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let tasks = openat(&self.directory, "task", flags, Mode::empty())?;
        let mut threads = Vec::new();
        for entry in Dir::read_from(&tasks)? {
            let entry = entry?;
            threads.extend(entry.file_name().to_str().ok().and_then(|name| name.parse().ok()).and_then(Pid::from_raw));
        }
        Ok(threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::tick_ns;

    fn this_process() -> Pinned {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let ticks: u64 = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap();
        Pinned::hold(ProcKey { pid: std::process::id(), start_ns: ticks * tick_ns() }).unwrap()
    }

    #[test]
    fn only_its_own_living_threads_are_its() {
        let process = this_process();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            tell.send(rustix::thread::gettid()).unwrap();
            let _ = ended.recv();
        });
        let tid = told.recv().unwrap();
        assert!(process.has(tid) && process.has(process.pid));
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let stranger = Pid::from_raw(child.id() as i32).unwrap();
        assert!(!process.has(stranger), "a living process of that id, but no thread of this one");
        child.kill().unwrap();
        child.wait().unwrap();
        drop(end);
        thread.join().unwrap();
        while process.threads().unwrap().contains(&tid) {
            std::thread::yield_now();
        }
        assert!(!process.has(tid));
    }
}
