//! The symbols of a 64-bit ELF file: what is linked into it (`.symtab`), or where that was stripped off, what it exports (`.dynsym`).
//!
//! Read piece by piece into memory of our own and bounded, since the file is hostile: the library would unpack tables that say they
//! are compressed without a bound, and would map the file.

use std::fs::File;

use object::LittleEndian;
use object::elf::{STB_LOCAL, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE, Sym64};
use object::pod::slice_from_bytes;
use object::read::elf::Sym;

use super::sections::Sections;

/// Most bytes of each table and of its names; the largest programs have some dozen megabytes.
const TABLE_MAX: u64 = 64 << 20;
/// Longest name, bytes: C++ templates make some kilobytes.
const NAME_MAX: usize = 8192;
/// How many earlier functions may cover an address that the nearest one does not.
const LOOK_BACK: usize = 8;
/// Tables and their names, the fuller one first.
const TABLES: [(&[u8], &[u8]); 2] = [(b".symtab", b".strtab"), (b".dynsym", b".dynstr")];

/// Functions by address.
#[derive(Debug, Default)]
pub(super) struct SymbolTable {
    /// Start, end, and where in `names` the name begins; ascending.
    functions: Vec<(u64, u64, u32)>,
    /// Likewise, those that do not tell their size, as assembly leaves it out: up to the next function of their section.
    sizeless: Vec<(u64, u64, u32)>,
    names: Vec<u8>,
}

impl SymbolTable {
    /// Reads the first table that has functions; empty where there is none.
    pub(super) fn read(file: &File) -> SymbolTable {
        let Ok(sections) = Sections::read(file) else { return SymbolTable::default() };
        let read = |table: &(&[u8], &[u8])| {
            let (symbols, names) = content(&sections, table)?;
            // What is exported does not tell where the next function begins: most have no symbol there.
            let ends = |section| sections.code_range(section).filter(|_| table.0 == b".symtab");
            Some(SymbolTable::parse(&symbols, names, ends))
        };
        TABLES.iter().filter_map(read).find(|t| !t.functions.is_empty()).unwrap_or_default()
    }

    fn parse(symbols: &[u8], names: Vec<u8>, code: impl Fn(u16) -> Option<(u64, u64)>) -> SymbolTable {
        let is_function = |s: &&Sym64<LittleEndian>| matches!(s.st_type(), STT_FUNC | STT_GNU_IFUNC);
        let mut functions: Vec<_> =
            defined(symbols).filter(is_function).map(|s| (range(s).0, range(s).1, s.st_name(LittleEndian))).collect();
        functions.sort_unstable();
        functions.shrink_to_fit();
        let sizeless = sizeless(symbols, code, &functions);
        SymbolTable { functions, sizeless, names }
    }

    /// The function at an address, as the file counts them.
    pub(super) fn find(&self, address: u64) -> Option<String> {
        let after = self.functions.partition_point(|(start, ..)| *start <= address);
        let nearest = &self.functions[after.saturating_sub(LOOK_BACK)..after];
        let (.., at) = nearest.iter().rev().find(|(_, end, _)| address < *end)?;
        self.name(*at)
    }

    /// The function without a size that an address most likely belongs to, where nobody knows one that covers it.
    pub(super) fn find_sizeless(&self, address: u64) -> Option<String> {
        let after = self.sizeless.partition_point(|(start, ..)| *start <= address);
        let (.., at) = self.sizeless[..after].last().filter(|(_, end, _)| address < *end)?;
        self.name(*at)
    }

    fn name(&self, at: u32) -> Option<String> {
        let name = name_at(&self.names, at).filter(|name| !name.is_empty())?;
        Some(String::from_utf8_lossy(name).into_owned())
    }
}

/// Functions and global labels of code without a size, each up to the next function or its section's end. (Local labels may be places
/// within a function, and so may those that a function with a size covers.)
fn sizeless(symbols: &[u8], code: impl Fn(u16) -> Option<(u64, u64)>, functions: &[(u64, u64, u32)]) -> Vec<(u64, u64, u32)> {
    let is_label = |s: &Sym64<LittleEndian>| s.st_type() == STT_NOTYPE && s.st_bind() != STB_LOCAL;
    let candidate = |s: &Sym64<LittleEndian>| {
        let is_wanted = s.st_size(LittleEndian) == 0 && (matches!(s.st_type(), STT_FUNC | STT_GNU_IFUNC) || is_label(s));
        let section = if is_wanted { code(s.st_shndx(LittleEndian).0)? } else { return None };
        let start = s.st_value(LittleEndian);
        (section.0..section.1).contains(&start).then_some((start, section.1, s.st_name(LittleEndian)))
    };
    let mut open: Vec<_> = defined(symbols).filter_map(candidate).collect();
    open.sort_unstable();
    open.dedup_by_key(|(start, ..)| *start);

    let (mut sized, mut covered_to) = (functions.iter().filter(|(start, end, _)| end - start > 1).peekable(), 0);
    let mut next_label = u64::MAX;
    for (start, end, _) in open.iter_mut().rev() {
        let after = functions.partition_point(|(other, ..)| other <= start);
        let next = functions.get(after).map_or(u64::MAX, |(start, ..)| *start).min(next_label);
        (next_label, *end) = (*start, next.min(*end));
    }
    open.retain(|(start, ..)| {
        while let Some((_, end, _)) = sized.next_if(|(other, ..)| other <= start) {
            covered_to = covered_to.max(*end);
        }
        covered_to <= *start
    });
    open
}

/// Start and end of each of these symbols, functions or data, as the file counts addresses.
pub(crate) fn ranges<const N: usize>(file: &File, wanted: [&str; N]) -> [Option<(u64, u64)>; N] {
    let mut found = [None; N];
    let Ok(sections) = Sections::read(file) else { return found };
    for (symbols, names) in TABLES.iter().filter_map(|table| content(&sections, table)) {
        for symbol in defined(&symbols) {
            let name = name_at(&names, symbol.st_name(LittleEndian));
            let at = name.and_then(|name| wanted.iter().position(|wanted| wanted.as_bytes() == name));
            if let Some(place) = at.and_then(|at| found.get_mut(at)) {
                place.get_or_insert(range(symbol));
            }
        }
    }
    found
}

fn content(sections: &Sections<'_>, (symbols, names): &(&[u8], &[u8])) -> Option<(Vec<u8>, Vec<u8>)> {
    sections.content(symbols, TABLE_MAX).zip(sections.content(names, TABLE_MAX))
}

fn defined(symbols: &[u8]) -> impl Iterator<Item = &Sym64<LittleEndian>> {
    let count = symbols.len() / size_of::<Sym64<LittleEndian>>();
    let symbols = slice_from_bytes::<Sym64<LittleEndian>>(symbols, count).map_or(&[][..], |(symbols, _)| symbols);
    symbols.iter().filter(|s| !s.is_undefined(LittleEndian))
}

fn range(symbol: &Sym64<LittleEndian>) -> (u64, u64) {
    let (start, bytes) = (symbol.st_value(LittleEndian), symbol.st_size(LittleEndian));
    (start, start.saturating_add(bytes.max(1)))
}

fn name_at(names: &[u8], at: u32) -> Option<&[u8]> {
    let name = names.get(at as usize..)?;
    let len = name.iter().take(NAME_MAX).position(|&b| b == 0)?;
    Some(&name[..len])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn symbol(name: u32, kind: u8, section: u16, start: u64, bytes: u64) -> Vec<u8> {
        let parts = [&name.to_le_bytes()[..], &[kind, 0], &section.to_le_bytes(), &start.to_le_bytes(), &bytes.to_le_bytes()];
        parts.concat()
    }

    /// Section 1 holds code.
    fn code(section: u16) -> Option<(u64, u64)> {
        (section == 1).then_some((0x100, 0x1000))
    }

    #[test]
    fn functions_but_not_data_or_imports() {
        let table = [symbol(3, 2, 1, 0x200, 0x10), symbol(1, 0x12, 1, 0x100, 0), symbol(1, 1, 1, 0x300, 8), symbol(1, 2, 0, 0x400, 8)];
        let symbols = SymbolTable::parse(&table.concat(), b"\0f\0g\0".to_vec(), code);
        let found = [0x100, 0x101, 0x20f, 0x210, 0x300, 0x400].map(|address| symbols.find(address));
        assert_eq!(found, [Some("f".into()), None, Some("g".into()), None, None, None]);
    }

    #[test]
    fn a_function_inside_another() {
        let table = [symbol(1, 2, 1, 0x100, 0x100), symbol(3, 2, 1, 0x120, 0x10)];
        let symbols = SymbolTable::parse(&table.concat(), b"\0f\0g\0".to_vec(), code);
        assert_eq!([0x128, 0x140].map(|address| symbols.find(address)), [Some("g".into()), Some("f".into())]);
    }

    #[test]
    fn what_has_no_size_reaches_to_the_next_function() {
        let (label, local_label) = (0x10, 0);
        let table = [
            symbol(1, 2, 1, 0x100, 0),
            symbol(9, local_label, 1, 0x110, 0),
            symbol(3, label, 1, 0x200, 0),
            symbol(5, 2, 1, 0x300, 0x20),
            symbol(9, label, 1, 0x310, 0),
            symbol(7, 2, 1, 0xff0, 0),
            symbol(9, label, 1, 0x1000, 0),
            symbol(9, 2, 2, 0x2000, 0),
        ];
        let symbols = SymbolTable::parse(&table.concat(), b"\0f\0g\0h\0i\0x\0".to_vec(), code);
        let found = |address| symbols.find_sizeless(address);
        for (first, last, name) in [(0x100, 0x1ff, "f"), (0x200, 0x2ff, "g"), (0xff0, 0xfff, "i")] {
            assert_eq!([first, last].map(found), [Some(name.into()), Some(name.into())]);
        }
        assert_eq!([0xff, 0x300, 0x310, 0x320, 0x1000, 0x2001].map(found), [const { None }; 6]);
        assert_eq!([0x31f, 0x320].map(|address| symbols.find(address)), [Some("h".into()), None]);
    }

    #[test]
    fn own_symbols_are_found_by_name() {
        let file = File::open("/proc/self/exe").unwrap();
        let [main, none] = ranges(&file, ["main", "there is none"]);
        assert!(main.is_some_and(|(start, end)| start < end) && none.is_none());
    }

    proptest! {
        #[test]
        fn any_table_is_safe(table: Vec<u8>, names: Vec<u8>, address: u64, start: u64, bytes: u64, end: u64, name in 0u32..20) {
            let table = [symbol(name, 2, 1, start, bytes), table].concat();
            let symbols = SymbolTable::parse(&table, names, |section| Some((section.into(), end)));
            symbols.find(address);
            symbols.find_sizeless(address);
            prop_assert!(symbols.sizeless.iter().all(|(start, end, _)| start < end));
            prop_assert!(symbols.find(start).is_none_or(|name| !name.is_empty()));
        }
    }
}
