//! Reading /proc: files of the machine that stay open, and bounded reads of files of processes.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags};
use rustix::path::Arg;

/// No file of the machine that ebtop reads is longer, not even /proc/stat with the interrupts of the largest machines.
const LIMIT: usize = 8 << 20;

/// A file of the machine, opened once and read again from its start.
pub(super) struct ProcFile {
    file: Option<File>,
    buffer: Vec<u8>,
    /// Bytes of the last text.
    length: usize,
}

impl ProcFile {
    /// Opens the file; one that is absent or refused reads as `None` for ever.
    pub(super) fn open(path: &str) -> ProcFile {
        ProcFile { file: File::open(path).ok(), buffer: vec![0; 4096], length: 0 }
    }

    /// The text as it is now. Where the kernel has no memory for it just now, that of before: counters would look as if they had begun
    /// anew.
    pub(super) fn read(&mut self) -> Option<Cow<'_, str>> {
        let file = self.file.as_ref()?;
        let mut length = 0;
        loop {
            if length == self.buffer.len() {
                self.buffer.resize((length * 2).min(LIMIT), 0);
            }
            match file.read_at(&mut self.buffer[length..], length as u64) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if length == 0 && self.length > 0 => {
                    length = self.length;
                    break;
                }
                Err(_) => return None,
            }
        }
        self.length = length;
        Some(String::from_utf8_lossy(&self.buffer[..length]))
    }
}

/// Reads a file below `dir` into `buffer` with a single read and gives what came: a file of /proc/PID gives all it has, as far as
/// the buffer reaches.
pub(super) fn read_once(dir: impl AsFd, path: impl Arg, buffer: &mut [u8]) -> io::Result<&[u8]> {
    let file = rustix::fs::openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let length = rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut *buffer))?;
    Ok(&buffer[..length])
}

/// Most bytes of a file of a process that grows: `status` has 720 KiB where a process is in 65,536 groups (NGROUPS_MAX).
const GROWS_TO: usize = 1 << 20;

/// The same into a buffer that grows where the file does not fit.
pub(super) fn read_fitting(dir: impl AsFd, path: impl Arg, buffer: &mut Vec<u8>) -> io::Result<&[u8]> {
    let file = rustix::fs::openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    loop {
        let length = rustix::io::retry_on_intr(|| rustix::io::pread(&file, &mut buffer[..], 0))?;
        if length < buffer.len() || length >= GROWS_TO {
            return Ok(&buffer[..length]);
        }
        buffer.resize(4 * length.max(1024), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_does_not_fit_makes_room() {
        let dir = tempfile::tempdir().unwrap();
        for bytes in [0, 15, 16, 17, 100_000, 2 << 20] {
            let text: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
            std::fs::write(dir.path().join("status"), &text).unwrap();
            let mut buffer = vec![0; 16];
            let read = read_fitting(rustix::fs::CWD, dir.path().join("status"), &mut buffer).unwrap();
            assert!(read.len() >= bytes.min(GROWS_TO) && text.starts_with(read), "{bytes}: {}", read.len());
        }
    }
}
