//! The address space of a process as it was seen last: its mappings, the files behind them, and its perf map.

use std::io;
use std::rc::Rc;

use rustc_hash::FxHashSet;

use super::namer::Code;
use super::perf_map::{self, PerfMap, Version};
use super::process::{Backing, FileId, Mapping, Process};
use super::{Frame, FrameKind};

pub(super) const EXITED: &str = "the process has exited: only what was seen of it before can be named";

/// What a look at a process is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// To name addresses now.
    Names,
    /// To be able to name them once it is gone. Perf maps are left alone: they may be large.
    Files,
}

/// An address space as last seen.
#[derive(Default)]
pub(super) struct Space {
    mappings: Vec<Mapped>,
    pub(super) perf_map: Option<(Version, Rc<PerfMap>)>,
}

pub(super) struct Mapped {
    pub(super) mapping: Mapping,
    /// `None` where nobody asked yet or the file could not be opened.
    pub(super) file: Option<FileId>,
    /// Its file system did not answer.
    silent: bool,
}

impl Space {
    /// Memory it takes.
    pub(super) fn bytes(&self) -> usize {
        let mappings = self.mappings.iter().map(|m| size_of::<Mapped>() + m.mapping.path.as_os_str().len()).sum::<usize>();
        mappings + self.perf_map.as_ref().map_or(0, |(_, map)| map.bytes())
    }

    /// Looks at a process; `None` if its pid may have changed hands meanwhile. The text says why names will be missing.
    pub(super) fn of(
        process: &Process,
        addresses: &[u64],
        known: Option<&Space>,
        code: &mut Code,
        depth: Depth,
    ) -> (Option<Space>, Option<String>) {
        let mut space = Space { perf_map: known.and_then(|k| k.perf_map.clone()), ..Space::default() };
        let reason = space.look(process, addresses, code, depth);
        // The mappings of a zombie are gone before it is; those that cannot be read have a reason.
        if !process.is_alive() || (space.mappings.is_empty() && reason.is_none()) {
            return (None, Some(EXITED.into()));
        }
        space.inherit(known);
        (Some(space), reason)
    }

    /// Reads the mappings, and opens the files that hold `addresses`.
    fn look(&mut self, process: &Process, addresses: &[u64], code: &mut Code, depth: Depth) -> Option<String> {
        match process.mappings() {
            Ok(mappings) => self.mappings = mappings.into_iter().map(|mapping| Mapped { mapping, file: None, silent: false }).collect(),
            Err(error) => return Some(format!("its memory map cannot be read: {error}; run as root")),
        }
        let mut reason = None;
        let asked: FxHashSet<usize> = addresses.iter().filter_map(|&a| self.index(a)).collect();
        for &i in &asked {
            let mapped = &mut self.mappings[i];
            if mapped.mapping.backing != Backing::File {
                continue;
            }
            match code.open(process, &mapped.mapping) {
                Ok(id) => mapped.file = Some(id),
                Err(error) => {
                    mapped.silent = error.kind() == io::ErrorKind::TimedOut;
                    reason = Some(format!("{} cannot be read: {error}", mapped.mapping.module()));
                }
            }
        }
        if depth == Depth::Names && asked.iter().any(|&i| self.mappings[i].mapping.backing == Backing::Anonymous) {
            reason = self.look_at_perf_map(process).or(reason);
        }
        reason
    }

    /// Takes over files of mappings that nobody asked about this time.
    fn inherit(&mut self, known: Option<&Space>) {
        let earlier = known.map_or(&[][..], |k| &k.mappings);
        for mapped in &mut self.mappings {
            mapped.mapping.slim();
            if mapped.file.is_none() {
                let same = earlier.binary_search_by_key(&mapped.mapping.start, |m| m.mapping.start);
                let same = same.ok().map(|i| &earlier[i]).filter(|m| m.mapping.is(&mapped.mapping));
                mapped.file = same.and_then(|m| m.file);
            }
        }
    }

    fn look_at_perf_map(&mut self, process: &Process) -> Option<String> {
        match perf_map::open(process) {
            Ok(Some((_, version))) if self.perf_map.as_ref().is_some_and(|(v, _)| *v == version) => None,
            Ok(Some((file, version))) => match perf_map::read(&file, version) {
                Ok(map) => {
                    self.perf_map = Some((version, Rc::new(map)));
                    None
                }
                Err(error) => Some(format!("its perf map cannot be read: {error}")),
            },
            Ok(None) => Some(perf_map::how_to_get(process.pid(), self.mappings.iter().map(|m| m.mapping.module()))),
            Err(reason) => Some(reason),
        }
    }

    fn index(&self, address: u64) -> Option<usize> {
        let i = self.mappings.partition_point(|m| m.mapping.end <= address);
        (self.mappings.get(i)?.mapping.start <= address).then_some(i)
    }

    /// Whether a file was not to be had, nor is known from before, since its file system does not answer.
    pub(super) fn is_silent(&self, addresses: &[u64]) -> bool {
        addresses.iter().filter_map(|&address| self.find(address)).any(|mapped| mapped.silent && mapped.file.is_none())
    }

    pub(super) fn find(&self, address: u64) -> Option<&Mapped> {
        self.mappings.get(self.index(address)?)
    }

    pub(super) fn jit(&self, mapping: &Mapping, address: u64) -> Frame {
        let found = self.perf_map.as_ref().and_then(|(_, map)| map.find(address));
        let (function, start) = found.map_or((None, mapping.start), |(name, start)| (Some(name), start));
        Frame { function, module: mapping.module(), offset: address - start, kind: FrameKind::Jit, source: None }
    }
}
