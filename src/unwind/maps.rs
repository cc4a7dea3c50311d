//! The maps that tables are written to, shared by every program that walks stacks.

use std::io;

use libbpf_rs::{MapCore, MapFlags, MapHandle, OpenMapMut};

use super::arena::Words;
use super::layout::{CHUNK_WORDS, Rule};
use super::store::Kernel;
use crate::bpf::chunks::Chunks;

/// Handles to `unwind_chunks`, `unwind_rules` and `unwind_procs`.
#[derive(Debug)]
pub struct TableMaps {
    /// `unwind_chunks`.
    pub chunks: MapHandle,
    /// `unwind_rules`.
    pub rules: MapHandle,
    /// `unwind_procs`.
    pub procs: MapHandle,
}

impl TableMaps {
    /// Makes another object, not yet loaded, use these in place of its own `unwind_chunks`, `unwind_rules` and `unwind_procs`.
    ///
    /// # Errors
    /// Its maps are loaded already, or no descriptor is left.
    pub fn share(&self, chunks: &mut OpenMapMut<'_>, rules: &mut OpenMapMut<'_>, procs: &mut OpenMapMut<'_>) -> libbpf_rs::Result<()> {
        use std::os::fd::AsFd;
        chunks.reuse_fd(self.chunks.as_fd())?;
        rules.reuse_fd(self.rules.as_fd())?;
        procs.reuse_fd(self.procs.as_fd())
    }

    /// The same maps by other descriptors.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn try_clone(&self) -> libbpf_rs::Result<TableMaps> {
        Ok(TableMaps {
            chunks: MapHandle::try_from(&self.chunks)?,
            rules: MapHandle::try_from(&self.rules)?,
            procs: MapHandle::try_from(&self.procs)?,
        })
    }
}

/// The kernel's side of the tables.
pub(super) struct Live {
    chunks: Chunks,
    rules: MapHandle,
    procs: MapHandle,
}

impl Live {
    pub(super) fn new(maps: TableMaps) -> Live {
        Live { chunks: Chunks::new(maps.chunks, CHUNK_WORDS), rules: maps.rules, procs: maps.procs }
    }
}

impl Words for Live {
    fn add_chunk(&mut self, chunk: u32) -> io::Result<()> {
        self.chunks.add(chunk)
    }

    fn write(&mut self, at: u32, words: &[u32]) -> io::Result<()> {
        self.chunks.write(at, words)
    }
}

impl Kernel for Live {
    fn set_rule(&mut self, number: u16, rule: &Rule) -> io::Result<()> {
        self.rules.update(&u32::from(number).to_ne_bytes(), &rule.bytes(), MapFlags::ANY).map_err(io::Error::other)
    }

    fn set_proc(&mut self, tgid: u32, value: &[u8]) -> io::Result<()> {
        self.procs.update(&tgid.to_ne_bytes(), value, MapFlags::ANY).map_err(io::Error::other)
    }

    fn drop_proc(&mut self, tgid: u32) {
        // It may be gone already: an entry that stays is never right for another process, and falls to the next with its number.
        let _ = self.procs.delete(&tgid.to_ne_bytes());
    }

    fn rest(&mut self) {
        self.chunks.unmap();
    }
}
