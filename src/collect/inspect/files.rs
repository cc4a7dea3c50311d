//! What a process has open.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{Dir, Mode, OFlags};

use super::{Deadline, fact};
use crate::sample::inspection::{Fact, FileKind, Files, Listing, OpenFile};
use crate::sample::printable;

/// Descriptors that are counted.
const COUNTED: usize = 1 << 20;
/// Descriptors that are looked at.
const LOOKED_AT: usize = 16_384;
/// Of these, so many are kept.
const KEPT: usize = 1024;
/// Time for all of it.
const TIME: Duration = Duration::from_millis(100);

/// Counts all descriptors and looks at the first.
pub(super) fn read(process: &OwnedFd) -> Fact<Files> {
    fact(list(process))
}

fn list(process: &OwnedFd) -> io::Result<Files> {
    let deadline = Deadline::after(TIME);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(process, "fd", flags, Mode::empty())?;
    let (mut fds, is_cut) = descriptors(&directory, deadline)?;
    fds.sort_unstable();
    let mut files = Files { list: Listing { total: fds.len(), is_cut, ..Listing::default() }, ..Files::default() };
    for fd in fds.into_iter().take(LOOKED_AT) {
        if deadline.is_past() {
            break;
        }
        // One that was closed meanwhile is none.
        let Ok(target) = rustix::fs::readlinkat(&directory, fd.to_string(), Vec::new()) else { continue };
        let kind = kind_of(target.to_bytes());
        files.by_kind[kind as usize] += 1;
        files.looked_at += 1;
        if files.list.first.len() < KEPT {
            files.list.first.push(OpenFile { fd, target: printable(target.to_bytes()), kind });
        }
    }
    Ok(files)
}

/// The numbers in the directory, and whether there are more.
fn descriptors(directory: &OwnedFd, deadline: Deadline) -> io::Result<(Vec<u32>, bool)> {
    let mut fds = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        fds.extend(entry.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
        if fds.len() >= COUNTED || (fds.len() % 1024 == 0 && deadline.is_past()) {
            return Ok((fds, true));
        }
    }
    Ok((fds, false))
}

/// By what the kernel calls it: `/path`, `socket:[123]`, `pipe:[123]`, `anon_inode:[eventpoll]`, `/memfd:name (deleted)`.
fn kind_of(target: &[u8]) -> FileKind {
    let starts = |start: &str| target.starts_with(start.as_bytes());
    match target {
        _ if starts("/memfd:") || starts("/dev/shm/") || starts("/SYSV") => FileKind::Memory,
        _ if starts("/dev/") => FileKind::Device,
        _ if starts("/") && target.ends_with(b" (deleted)") => FileKind::Deleted,
        _ if starts("/") => FileKind::Path,
        _ if starts("socket:") => FileKind::Socket,
        _ if starts("pipe:") => FileKind::Pipe,
        _ => FileKind::Anonymous,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kinds_by_what_the_kernel_calls_them() {
        for (target, kind) in [
            ("/var/log/syslog", FileKind::Path),
            ("/var/log/old.log (deleted)", FileKind::Deleted),
            ("/dev/null", FileKind::Device),
            ("/memfd:pulse (deleted)", FileKind::Memory),
            ("/dev/shm/x", FileKind::Memory),
            ("socket:[12345]", FileKind::Socket),
            ("pipe:[12345]", FileKind::Pipe),
            ("anon_inode:[eventpoll]", FileKind::Anonymous),
            ("net:[4026531840]", FileKind::Anonymous),
            ("", FileKind::Anonymous),
        ] {
            assert_eq!(kind_of(target.as_bytes()), kind, "{target}");
        }
    }

    proptest! {
        #[test]
        fn every_target_has_a_kind(bytes: Vec<u8>) {
            prop_assert!(FileKind::ALL.contains(&kind_of(&bytes)));
        }
    }
}
