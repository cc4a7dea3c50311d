//! Names of addresses in executables and libraries, with a bounded number of them held open.
//!
//! Where a file has debug information that the library may read ([`fit`]), it is asked; the files it maps are the machine's own or
//! copies. All others are read by our own code.

use std::fs::File;

use blazesym::helper::ElfResolver;
use blazesym::symbolize::{CodeInfo, FindSymOpts, Symbolize};
use rustc_hash::FxHashMap;

use super::demangle::demangle;
use super::opened::Opened;
use super::process::{FileId, reopen_path};
use super::sections::Sections;
use super::symbol_table::SymbolTable;
use super::{debug_file, fit};
use crate::sample::printable;
use crate::unwind::elf::Elf;

/// Files held open.
const FILES_MAX: usize = 48;
/// Bytes of all of them: debug information takes about as much memory as it has bytes.
const BYTES_MAX: u64 = 192 << 20;
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

impl Place {
    /// A function without a line, by the name that a file has it by.
    fn named(name: &str) -> Place {
        Place { function: demangle(name), source: None }
    }
}

/// Open files, least recently used first out.
#[derive(Default)]
pub(super) struct ElfFiles {
    files: FxHashMap<FileId, Held>,
    clock: u64,
}

struct Held {
    /// Asked in this order: the debug file, or else the symbols the program carries packed; the program itself.
    names: Vec<Names>,
    addresses: Option<Elf>,
    bytes: u64,
    used: u64,
}

enum Names {
    /// With debug information, and where its sections with code lie. The file keeps the path that the library knows it by valid.
    Full { resolver: Box<ElfResolver>, code: Vec<(u64, u64)>, _file: File },
    /// Symbols only; none of what is no ELF file, or a broken one.
    Symbols(SymbolTable),
}

impl ElfFiles {
    /// Holds `file` from now on.
    pub(super) fn hold(&mut self, id: FileId, file: Opened) {
        if self.files.contains_key(&id) {
            return;
        }
        let apart = file.debug.or_else(|| debug_file::unpack(&file.program));
        let apart_bytes = apart.as_ref().and_then(|f| f.metadata().ok()).map_or(0, |meta| meta.len());
        let bytes = id.bytes.saturating_add(apart_bytes);
        self.make_room(bytes);
        let held = Held {
            names: apart.iter().chain([&file.program]).map(Names::open).collect(),
            addresses: Elf::read(&file.program, id.bytes).ok().flatten(),
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
        let Some(address) = self.addresses.as_ref().and_then(|elf| elf.address_of(offset)) else { return Vec::new() };
        let covering = self.names.iter().map(|names| names.at(address)).find(|places| !places.is_empty());
        covering.unwrap_or_else(|| self.names.iter().find_map(|names| names.sizeless_at(address)).into_iter().collect())
    }
}

impl Names {
    fn open(file: &File) -> Names {
        let full = fit::for_the_library(file).and_then(|fit| {
            let resolver = ElfResolver::open_with_debug_dirs(reopen_path(&fit), NO_DIRS).ok()?;
            let code = Sections::read(&fit).map(|sections| sections.code_ranges()).unwrap_or_default();
            Some(Names::Full { resolver: Box::new(resolver), code, _file: fit })
        });
        full.unwrap_or_else(|| Names::Symbols(SymbolTable::read(file)))
    }

    /// At an address, as the file counts them. (A debug file has no offsets: the code is not in it.)
    fn at(&self, address: u64) -> Vec<Place> {
        match self {
            Names::Full { resolver, code, .. } => in_resolver(resolver, code, address),
            Names::Symbols(symbols) => symbols.find(address).map(|name| Place::named(&name)).into_iter().collect(),
        }
    }

    /// (The library lets functions without a size reach to the next one by itself; here they end with their section.)
    fn sizeless_at(&self, address: u64) -> Option<Place> {
        let Names::Symbols(symbols) = self else { return None };
        symbols.find_sizeless(address).map(|name| Place::named(&name))
    }
}

fn in_resolver(resolver: &ElfResolver, code: &[(u64, u64)], address: u64) -> Vec<Place> {
    let Ok(Ok(symbol)) = resolver.find_sym(address, &FindSymOpts::CodeInfoAndInlined) else { return Vec::new() };
    let holds_both = |&(start, end): &(u64, u64)| (start..end).contains(&symbol.addr) && (start..end).contains(&address);
    if symbol.size.is_none() && !code.iter().any(holds_both) {
        return Vec::new();
    }
    let inlined = symbol.inlined.iter().rev();
    let mut places: Vec<Place> =
        inlined.map(|f| Place { function: demangle(&f.name), source: f.code_info.as_ref().and_then(line) }).collect();
    places.push(Place { function: demangle(symbol.name), source: symbol.code_info.as_deref().and_then(line) });
    places
}

fn line(info: &CodeInfo<'_>) -> Option<(String, u32)> {
    Some((printable(info.to_path().as_os_str().as_encoded_bytes()), info.line?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::fit::tests::bomb;

    /// The library would ask for 2^60 bytes, which ends the process.
    #[test]
    fn a_file_that_claims_to_be_huge_has_no_names_and_does_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        for (name, class) in [(".debug_info", 2), (".debug_info", 1), (".symtab", 2), (".strtab", 2), (".dynsym", 2)] {
            let path = dir.path().join(name);
            std::fs::write(&path, bomb(name, class)).unwrap();
            let program = File::open(&path).unwrap();
            let id = FileId::of(&program.metadata().unwrap());
            let mut files = ElfFiles::default();
            files.hold(id, Opened { program, debug: None });
            assert_eq!(files.places(id, 64), [], "{name}");
        }
    }
}
