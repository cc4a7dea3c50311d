//! The names a program exports to the dynamic linker (`.dynsym`), which packed symbols leave out.

use std::fs::File;

use object::LittleEndian;
use object::elf::{STT_FUNC, STT_GNU_IFUNC, Sym64};
use object::pod::slice_from_bytes;
use object::read::elf::Sym;

use super::sections::Sections;

/// Most bytes of each of both tables; the largest libraries have some megabytes.
const TABLE_MAX: u64 = 32 << 20;
/// Longest name, bytes: C++ templates make some kilobytes.
const NAME_MAX: usize = 8192;

/// Exported functions.
#[derive(Debug, Default)]
pub(super) struct Exported {
    /// Start, end, and where in `names` the name begins; ascending.
    functions: Vec<(u64, u64, u32)>,
    names: Vec<u8>,
}

impl Exported {
    /// Reads the tables; empty where there are none.
    pub(super) fn read(program: &File) -> Exported {
        let tables = Sections::read(program).ok().and_then(|s| s.content(b".dynsym", TABLE_MAX).zip(s.content(b".dynstr", TABLE_MAX)));
        tables.map_or_else(Exported::default, |(symbols, names)| Exported::parse(&symbols, names))
    }

    fn parse(symbols: &[u8], names: Vec<u8>) -> Exported {
        let count = symbols.len() / size_of::<Sym64<LittleEndian>>();
        let symbols = slice_from_bytes::<Sym64<LittleEndian>>(symbols, count).map_or(&[][..], |(symbols, _)| symbols);
        let is_function = |s: &&Sym64<LittleEndian>| !s.is_undefined(LittleEndian) && matches!(s.st_type(), STT_FUNC | STT_GNU_IFUNC);
        let range = |s: &Sym64<LittleEndian>| {
            let (start, bytes) = (s.st_value(LittleEndian), s.st_size(LittleEndian));
            (start, start.saturating_add(bytes.max(1)), s.st_name(LittleEndian))
        };
        let mut functions: Vec<_> = symbols.iter().filter(is_function).map(range).collect();
        functions.sort_unstable();
        Exported { functions, names }
    }

    /// The function at an address, as the file counts them.
    pub(super) fn find(&self, address: u64) -> Option<String> {
        let after = self.functions.partition_point(|(start, ..)| *start <= address);
        let (_, _, at) = self.functions[..after].last().filter(|(_, end, _)| address < *end)?;
        let name = self.names.get(*at as usize..)?;
        let len = name.iter().take(NAME_MAX).position(|&b| b == 0)?;
        (len > 0).then(|| String::from_utf8_lossy(&name[..len]).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn symbol(name: u32, kind: u8, section: u16, start: u64, bytes: u64) -> Vec<u8> {
        let parts = [&name.to_le_bytes()[..], &[kind, 0], &section.to_le_bytes(), &start.to_le_bytes(), &bytes.to_le_bytes()];
        parts.concat()
    }

    #[test]
    fn functions_but_not_data_or_imports() {
        let table = [symbol(3, 2, 1, 0x200, 0x10), symbol(1, 0x12, 1, 0x100, 0), symbol(1, 1, 1, 0x300, 8), symbol(1, 2, 0, 0x400, 8)];
        let exported = Exported::parse(&table.concat(), b"\0f\0g\0".to_vec());
        let found = [0x100, 0x101, 0x20f, 0x210, 0x300, 0x400].map(|address| exported.find(address));
        assert_eq!(found, [Some("f".into()), None, Some("g".into()), None, None, None]);
    }

    proptest! {
        #[test]
        fn any_table_is_safe(table: Vec<u8>, names: Vec<u8>, address: u64, start: u64, bytes: u64, name in 0u32..20) {
            let table = [symbol(name, 2, 1, start, bytes), table].concat();
            let exported = Exported::parse(&table, names);
            exported.find(address);
            prop_assert!(exported.find(start).is_none_or(|name| !name.is_empty()));
        }
    }
}
