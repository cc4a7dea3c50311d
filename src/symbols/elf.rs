//! Names of addresses in executables and libraries, with a bounded number of them held open.
//!
//! A file is mapped while it is held. One that is cut short meanwhile would end the reader, so it is looked at
//! only after its size and time were found unchanged ([`FileId`] is part of the key).

use std::fs::File;
use std::path::PathBuf;

use blazesym::helper::ElfResolver;
use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{CodeInfo, FindSymOpts, Input, Symbolize, Symbolizer, TranslateFileOffset};
use rustc_hash::FxHashMap;

use super::demangle::demangle;
use super::process::{FileId, reopen_path};
use crate::sample::printable;

/// Files held open.
const FILES_MAX: usize = 48;
/// Bytes of all of them: debug information takes about as much memory as it has bytes.
const BYTES_MAX: u64 = 192 << 20;
/// From this size on a file's debug information is left alone, and only its symbols are read.
const DEBUG_BYTES_MAX: u64 = 96 << 20;

/// A function, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Demangled.
    pub(super) function: String,
    /// File and line.
    pub(super) source: Option<(String, u32)>,
}

/// Open files, least recently used first out.
#[derive(Default)]
pub(super) struct ElfFiles {
    files: FxHashMap<FileId, Held>,
    clock: u64,
}

struct Held {
    names: Names,
    /// Keeps the path inside `names` valid.
    _file: File,
    used: u64,
}

enum Names {
    /// With debug information where there is any.
    Full(Box<ElfResolver>),
    /// Symbols only.
    Symbols(Box<Symbolizer>, Box<Source<'static>>),
    /// Not an ELF file, or a broken one.
    None,
}

impl ElfFiles {
    /// Holds `file` from now on.
    pub(super) fn hold(&mut self, id: FileId, file: File) {
        if !self.files.contains_key(&id) {
            self.make_room(id.bytes);
            let names = Names::open(reopen_path(&file), id.bytes);
            self.files.insert(id, Held { names, _file: file, used: self.clock });
        }
    }

    /// Whether [`ElfFiles::places`] can answer for this file.
    pub(super) fn holds(&self, id: FileId) -> bool {
        self.files.contains_key(&id)
    }

    /// The function at a file offset, inlined ones before it, innermost first; empty where no symbol covers it.
    pub(super) fn places(&mut self, id: FileId, offset: u64) -> Vec<Place> {
        self.clock += 1;
        let Some(held) = self.files.get_mut(&id) else { return Vec::new() };
        held.used = self.clock;
        held.names.at(offset)
    }

    /// Drops files until one more of `bytes` fits.
    fn make_room(&mut self, bytes: u64) {
        let mut held: u64 = self.files.keys().map(|id| id.bytes).sum();
        while !self.files.is_empty() && (self.files.len() >= FILES_MAX || held + bytes > BYTES_MAX) {
            let Some(oldest) = self.files.iter().min_by_key(|(_, h)| h.used).map(|(id, _)| *id) else { return };
            self.files.remove(&oldest);
            held -= oldest.bytes;
        }
    }
}

impl Names {
    fn open(path: PathBuf, bytes: u64) -> Names {
        if bytes < DEBUG_BYTES_MAX {
            return ElfResolver::open(&path).map_or(Names::None, |r| Names::Full(Box::new(r)));
        }
        let mut elf = Elf::new(path);
        elf.debug_syms = false;
        let symbolizer = Symbolizer::builder().enable_code_info(false).enable_inlined_fns(false).enable_demangling(false).build();
        Names::Symbols(Box::new(symbolizer), Box::new(elf.into()))
    }

    fn at(&self, offset: u64) -> Vec<Place> {
        match self {
            Names::Full(resolver) => in_resolver(resolver, offset),
            Names::Symbols(symbolizer, source) => {
                let found = symbolizer.symbolize_single(source, Input::FileOffset(offset));
                let name = found.ok().and_then(|sym| sym.as_sym().map(|s| demangle(&s.name)));
                name.map(|function| Place { function, source: None }).into_iter().collect()
            }
            Names::None => Vec::new(),
        }
    }
}

fn in_resolver(resolver: &ElfResolver, offset: u64) -> Vec<Place> {
    let Ok(Some(address)) = resolver.file_offset_to_virt_offset(offset) else { return Vec::new() };
    let Ok(Ok(symbol)) = resolver.find_sym(address, &FindSymOpts::CodeInfoAndInlined) else { return Vec::new() };
    let inlined = symbol.inlined.iter().rev();
    let mut places: Vec<Place> =
        inlined.map(|f| Place { function: demangle(&f.name), source: f.code_info.as_ref().and_then(line) }).collect();
    places.push(Place { function: demangle(symbol.name), source: symbol.code_info.as_deref().and_then(line) });
    places
}

fn line(info: &CodeInfo<'_>) -> Option<(String, u32)> {
    Some((printable(info.to_path().as_os_str().as_encoded_bytes()), info.line?))
}
