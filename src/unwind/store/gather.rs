//! Gathers the files of a process, and builds the tables that they lack.

use std::time::Instant;

use rustc_hash::FxHashSet;

use super::{Kernel, LARGE_BYTES, Looked, Store};
use crate::sample::ProcKey;
use crate::symbols::copy_vdso;
use crate::symbols::process::{Backing, FileId, Mapping};
use crate::unwind::files::{FileNumber, Site};
use crate::unwind::reading::Source;

impl<K: Kernel> Store<K> {
    /// The files of all mappings, tables built: start and inode of each mapping with its file.
    pub(super) fn files_of(&mut self, key: ProcKey, mappings: &[Mapping]) -> Result<Vec<(u64, u64, FileNumber)>, Looked> {
        let now = Instant::now();
        let settled: Vec<Option<FileNumber>> = mappings.iter().map(|mapping| self.settled(key, mapping, now)).collect();
        self.held.extend(settled.iter().flatten());
        let is_open = |(mapping, settled): &(&Mapping, &Option<_>)| mapping.backing == Backing::File && settled.is_none();
        let open: Vec<Mapping> = mappings.iter().zip(&settled).filter(is_open).map(|(mapping, _)| mapping.clone()).collect();
        let ids = self.reading.files(key, &open)?;
        let mut files = Vec::new();
        for (mapping, settled) in mappings.iter().zip(settled) {
            let file = match (mapping.backing, ids.get(&mapping.start)) {
                (Backing::Anonymous, _) => None,
                (Backing::Vdso, _) => self.vdso()?,
                (Backing::File, Some(id)) if settled.is_none() => Some(self.file_of(key, mapping, *id)?),
                (Backing::File, _) => settled,
            };
            if let Some(file) = file {
                self.files.touch(file, Instant::now());
                self.held.push(file);
                files.push((mapping.start, mapping.inode, file));
            }
        }
        Ok(files)
    }

    /// The file of a mapping that was there before, where nothing more is wanted of it.
    fn settled(&self, key: ProcKey, mapping: &Mapping, now: Instant) -> Option<FileNumber> {
        let known = self.procs.get(&key).map_or(&[][..], |known| &known.files);
        let before = known.iter().find(|(start, inode, _)| (*start, *inode) == (mapping.start, mapping.inode));
        before.map(|(.., file)| *file).filter(|file| self.files.is_known(*file) && !self.wants_table(*file, now))
    }

    fn vdso(&mut self) -> Result<Option<FileNumber>, Looked> {
        let (now, known) = (Instant::now(), self.vdso.and_then(|vdso| self.files.id(vdso)));
        if known.is_none() || self.vdso.is_some_and(|vdso| self.wants_table(vdso, now)) {
            let Some((file, id)) = copy_vdso() else { return Ok(None) };
            // Each copy is another file, with the same content.
            self.vdso = Some(self.build(Source::Own(&file), known.unwrap_or(id))?);
        }
        Ok(self.vdso)
    }

    fn file_of(&mut self, key: ProcKey, mapping: &Mapping, id: FileId) -> Result<FileNumber, Looked> {
        let now = Instant::now();
        match self.files.number(id).filter(|&number| !self.wants_table(number, now)) {
            Some(number) => Ok(number),
            None => self.build(Source::Theirs(key, mapping), id),
        }
    }

    fn wants_table(&self, number: FileNumber, now: Instant) -> bool {
        let may_have_room = || self.files.coldest(&self.mapped(), &self.held, now).is_some();
        self.files.wants_table(number, self.large_bytes, &self.arena, may_have_room, now)
    }

    /// Files that known processes map, and the one that is being looked at.
    pub(super) fn mapped(&self) -> FxHashSet<FileNumber> {
        let known = self.procs.values().flat_map(|known| &known.files).map(|(_, _, file)| *file);
        known.chain(self.vdso).chain(self.held.iter().copied()).collect()
    }

    /// Builds a table, if need be in place of those that were not used for long.
    fn build(&mut self, source: Source<'_>, id: FileId) -> Result<FileNumber, Looked> {
        /// Rounds of making room: each makes twice as much as the one before.
        const ROUNDS: u32 = 4;
        let mut number = self.add(source, id)?;
        if self.files.bytes_for_later(number).is_none() {
            self.large_bytes = self.large_bytes.min(LARGE_BYTES);
        }
        for round in 0..ROUNDS {
            if !self.files.lacks_room(number) || !self.make_room(1 << round) {
                break;
            }
            number = self.add(source, id)?;
        }
        Ok(number)
    }

    fn add(&mut self, source: Source<'_>, id: FileId) -> Result<FileNumber, Looked> {
        let mut site = Site {
            reading: &mut self.reading,
            rules: &mut self.rules,
            arena: &mut self.arena,
            memory: &mut self.kernel,
            work_bytes: self.work_bytes,
            large_bytes: self.large_bytes,
        };
        self.files.add(source, id, &mut site)
    }
}
