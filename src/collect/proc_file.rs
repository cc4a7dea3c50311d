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
}

impl ProcFile {
    /// Opens the file; one that is absent or refused reads as `None` for ever.
    pub(super) fn open(path: &str) -> ProcFile {
        ProcFile { file: File::open(path).ok(), buffer: vec![0; 4096] }
    }

    /// The text as it is now.
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
                Err(_) => return None,
            }
        }
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
