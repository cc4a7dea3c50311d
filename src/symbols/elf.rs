//! Names of addresses in executables and libraries, with a bounded number of them held open.
//!
//! A file is mapped while it is held. One that is cut short meanwhile would end the reader, so it is looked at
//! only after its size and time were found unchanged ([`FileId`] is part of the key).

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use blazesym::helper::ElfResolver;
use blazesym::symbolize::source::{self, Source};
use blazesym::symbolize::{CodeInfo, FindSymOpts, Input, Symbolize, Symbolizer, TranslateFileOffset};
use rustc_hash::FxHashMap;

use super::debug_file;
use super::demangle::demangle;
use super::exported::Exported;
use super::opened::Opened;
use super::process::{FileId, reopen_path};
use super::sections::Sections;
use crate::sample::printable;
use crate::unwind::elf::Elf;

/// Files held open.
const FILES_MAX: usize = 48;
/// Bytes of all of them: debug information takes about as much memory as it has bytes.
const BYTES_MAX: u64 = 192 << 20;
/// From this size on a file's debug information is left alone, and only its symbols are read.
const DEBUG_BYTES_MAX: u64 = 96 << 20;
/// Where the library looks for debug files by itself: they were looked for already, in the root of the process.
const NO_DIRS: [&str; 0] = [];

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
    /// The debug file, or else the symbols the program carries packed, and what it exports: asked first, by address.
    better: Vec<Names>,
    addresses: Option<Elf>,
    /// Keep the paths inside `names` and `better` valid.
    _files: (File, Option<File>),
    bytes: u64,
    used: u64,
}

enum Names {
    /// With debug information where there is any.
    Full(Box<ElfResolver>),
    /// Symbols only.
    Symbols(Box<Symbolizer>, Box<Source<'static>>),
    /// Beside packed symbols, which the library refuses, and the whole file with them.
    Exported(Exported),
    /// Not an ELF file, or a broken one.
    None,
}

impl ElfFiles {
    /// Holds `file` from now on.
    pub(super) fn hold(&mut self, id: FileId, file: Opened) {
        if self.files.contains_key(&id) {
            return;
        }
        let packed = if file.debug.is_none() { debug_file::unpack(&file.program) } else { None };
        let exported = packed.as_ref().map(|_| Names::Exported(Exported::read(&file.program)));
        let apart = file.debug.or(packed);
        let better: Vec<Names> = apart.as_ref().map(Names::open).into_iter().chain(exported).collect();
        let apart_bytes = apart.as_ref().and_then(|f| f.metadata().ok()).map_or(0, |meta| meta.len());
        let bytes = id.bytes.saturating_add(apart_bytes);
        self.make_room(bytes);
        let held = Held {
            names: Names::open(&file.program),
            addresses: (!better.is_empty()).then(|| Elf::read(&file.program, id.bytes).ok()?).flatten(),
            better,
            _files: (file.program, apart),
            bytes,
            used: self.clock,
        };
        self.files.insert(id, held);
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
        held.at(offset)
    }

    /// Lets go of files that are kept open no more.
    pub(super) fn retain(&mut self, is_kept: impl Fn(FileId) -> bool) {
        self.files.retain(|id, _| is_kept(*id));
    }

    /// Drops files until one more of `bytes` fits.
    fn make_room(&mut self, bytes: u64) {
        let mut held = self.files.values().fold(0u64, |sum, h| sum.saturating_add(h.bytes));
        while !self.files.is_empty() && (self.files.len() >= FILES_MAX || held.saturating_add(bytes) > BYTES_MAX) {
            let Some(oldest) = self.files.iter().min_by_key(|(_, h)| h.used).map(|(id, _)| *id) else { return };
            held = held.saturating_sub(self.files.remove(&oldest).map_or(0, |h| h.bytes));
        }
    }
}

impl Held {
    fn at(&self, offset: u64) -> Vec<Place> {
        let address = self.addresses.as_ref().and_then(|elf| elf.address_of(offset));
        let mut better = address.into_iter().flat_map(|address| self.better.iter().map(move |names| names.at_address(address)));
        better.find(|places| !places.is_empty()).unwrap_or_else(|| self.names.at(offset))
    }
}

impl Names {
    fn open(file: &File) -> Names {
        let path = reopen_path(file);
        if debug_info_is_fit(file) {
            return ElfResolver::open_with_debug_dirs(&path, NO_DIRS).map_or(Names::None, |r| Names::Full(Box::new(r)));
        }
        let mut elf = source::Elf::new(path);
        elf.debug_syms = false;
        let symbolizer = Symbolizer::builder().enable_code_info(false).enable_inlined_fns(false).enable_demangling(false).build();
        Names::Symbols(Box::new(symbolizer), Box::new(elf.into()))
    }

    /// At an offset in the file.
    fn at(&self, offset: u64) -> Vec<Place> {
        match self {
            Names::Full(resolver) => match resolver.file_offset_to_virt_offset(offset) {
                Ok(Some(address)) => in_resolver(resolver, address),
                _ => Vec::new(),
            },
            Names::Symbols(symbolizer, source) => by_symbols(symbolizer, source, Input::FileOffset(offset)),
            Names::Exported(_) | Names::None => Vec::new(),
        }
    }

    /// At an address, as the file counts them. A debug file has no offsets: the code is not in it.
    fn at_address(&self, address: u64) -> Vec<Place> {
        match self {
            Names::Full(resolver) => in_resolver(resolver, address),
            Names::Symbols(symbolizer, source) => by_symbols(symbolizer, source, Input::VirtOffset(address)),
            Names::Exported(exported) => {
                let name = exported.find(address).map(|name| demangle(&name));
                name.map(|function| Place { function, source: None }).into_iter().collect()
            }
            Names::None => Vec::new(),
        }
    }
}

/// Whether the library may read the debug information of a file: it unpacks without a bound what is compressed, and opens whatever path
/// the file names, be it a pipe that never ends. So a debug link, which was followed already, is left alone, and of files that are not
/// root's also those that are compressed or continue elsewhere.
fn debug_info_is_fit(file: &File) -> bool {
    let (Ok(meta), Ok(sections)) = (file.metadata(), Sections::read(file)) else { return false };
    let is_roots = meta.uid() == 0 && meta.mode() & 0o022 == 0;
    let leads_on = sections.has(b".gnu_debugaltlink") || sections.has(b".debug_sup");
    meta.len() < DEBUG_BYTES_MAX && !sections.has(b".gnu_debuglink") && (is_roots || !(leads_on || sections.any_compressed()))
}

fn by_symbols(symbolizer: &Symbolizer, source: &Source<'_>, input: Input<u64>) -> Vec<Place> {
    let found = symbolizer.symbolize_single(source, input);
    let name = found.ok().and_then(|sym| sym.as_sym().map(|s| demangle(&s.name)));
    name.map(|function| Place { function, source: None }).into_iter().collect()
}

fn in_resolver(resolver: &ElfResolver, address: u64) -> Vec<Place> {
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
