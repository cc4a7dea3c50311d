//! The memory of a process, read while it runs: it is neither stopped nor touched.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// An address space, through `/proc/PID/mem`: what is opened stays that of the program that ran then, also after an exec.
pub(super) struct Memory {
    file: File,
}

impl Memory {
    /// # Errors
    /// The process is gone, or may not be looked at.
    pub(super) fn open(pid: u32) -> io::Result<Memory> {
        Ok(Memory { file: File::open(format!("/proc/{pid}/mem"))? })
    }

    /// As many bytes as there are, at most what fits; 0 where nothing is mapped.
    pub(super) fn read(&self, address: u64, into: &mut [u8]) -> usize {
        let mut len = 0;
        while len < into.len() {
            match self.file.read_at(&mut into[len..], address.saturating_add(len as u64)) {
                Ok(0) | Err(_) => break,
                Ok(read) => len += read,
            }
        }
        len
    }

    /// Exactly `N` bytes.
    pub(super) fn array<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        (self.read(address, &mut bytes) == N).then_some(bytes)
    }

    /// Exactly `len` bytes; the caller bounds them.
    pub(super) fn vec(&self, address: u64, len: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; len];
        (self.read(address, &mut bytes) == len).then_some(bytes)
    }
}
