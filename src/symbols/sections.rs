//! Sections of a 64-bit ELF file by name, read piece by piece: the file is hostile, and may shrink meanwhile.

use std::fs::File;
use std::io;

use object::LittleEndian;
use object::elf::{self, CompressionHeader64, FileHeader64, SectionHeader64};
use object::pod::from_bytes;
use object::read::elf::{FileHeader, SectionHeader};

use crate::unwind::elf::{read, table};

/// Most bytes of section names looked at.
const NAMES_MAX: u64 = 4 << 20;
/// Most bytes of a build id note, or of a link to a debug file: real ones have some dozens.
const NOTE_MAX: u64 = 4096;
/// Shortest build id that tells files apart, bytes.
const BUILD_ID_MIN: usize = 8;
/// Longest build id, bytes: a path is made of it.
const BUILD_ID_MAX: usize = 64;
/// `NT_GNU_BUILD_ID` of elf.h.
const NOTE_BUILD_ID: u32 = 3;

/// The section headers of a file.
pub(super) struct Sections<'f> {
    file: &'f File,
    bytes: u64,
    headers: Vec<SectionHeader64<LittleEndian>>,
    names: Vec<u8>,
    is_whole: bool,
}

impl<'f> Sections<'f> {
    /// Reads the headers; none of anything but a 64-bit little-endian ELF file.
    pub(super) fn read(file: &'f File) -> io::Result<Sections<'f>> {
        let bytes = file.metadata()?.len();
        let mut sections = Sections { file, bytes, headers: Vec::new(), names: Vec::new(), is_whole: false };
        let head = read(file, bytes, 0, size_of::<FileHeader64<LittleEndian>>() as u64)?;
        let Ok((header, _)) = from_bytes::<FileHeader64<LittleEndian>>(&head) else { return Ok(sections) };
        let ident = header.e_ident();
        if ident.magic != elf::ELFMAG || ident.class != elf::ELFCLASS64 || ident.data != elf::ELFDATA2LSB {
            return Ok(sections);
        }
        sections.headers = table(file, bytes, header.e_shoff(LittleEndian), header.e_shnum(LittleEndian).into())?;
        if let Some(names) = sections.headers.get(usize::from(header.e_shstrndx(LittleEndian).0)) {
            let is_plain = !names.sh_flags(LittleEndian).contains(elf::SHF_COMPRESSED) && names.sh_size(LittleEndian) <= NAMES_MAX;
            sections.names = read(file, bytes, names.sh_offset(LittleEndian), names.sh_size(LittleEndian).min(NAMES_MAX))?;
            sections.is_whole = is_plain && !sections.names.is_empty();
        }
        Ok(sections)
    }

    fn find(&self, name: &[u8]) -> Option<&SectionHeader64<LittleEndian>> {
        let is_it = |s: &&SectionHeader64<LittleEndian>| {
            let found = self.names.get(s.sh_name(LittleEndian) as usize..).unwrap_or_default();
            found.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&0)) && s.sh_type(LittleEndian) != elf::SHT_NOBITS
        };
        self.headers.iter().find(is_it)
    }

    /// Whether the file has a section with content.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.find(name).is_some()
    }

    /// Size of the file.
    pub(super) fn file_bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether every section and its name is known. Otherwise another reader of the file may see more of it than is told here: it may
    /// be of another kind, or count its sections in the way for more than 65,279 of them.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Sum of what the compressed sections say they take once unpacked, bytes.
    pub(super) fn unpacked_bytes(&self) -> u64 {
        let compressed = self.headers.iter().filter(|s| s.sh_flags(LittleEndian).contains(elf::SHF_COMPRESSED));
        let head = |s: &SectionHeader64<LittleEndian>| {
            read(self.file, self.bytes, s.sh_offset(LittleEndian), size_of::<CompressionHeader64<LittleEndian>>() as u64).ok()
        };
        let bytes = |s| from_bytes::<CompressionHeader64<LittleEndian>>(&head(s)?).ok().map(|(head, _)| head.ch_size.get(LittleEndian));
        compressed.fold(0, |sum: u64, s| sum.saturating_add(bytes(s).unwrap_or(u64::MAX)))
    }

    /// Whether some section is compressed.
    pub(super) fn any_compressed(&self) -> bool {
        self.headers.iter().any(|s| s.sh_flags(LittleEndian).contains(elf::SHF_COMPRESSED))
    }

    /// Content of a section; `None` where there is none, or more than `most` bytes.
    pub(super) fn content(&self, name: &[u8], most: u64) -> Option<Vec<u8>> {
        let section = self.find(name)?;
        let bytes = Some(section.sh_size(LittleEndian)).filter(|bytes| (1..=most).contains(bytes))?;
        read(self.file, self.bytes, section.sh_offset(LittleEndian), bytes).ok().filter(|content| !content.is_empty())
    }

    /// Where a section with code lies, as the file counts addresses; `None` of other sections, and of numbers that stand for none.
    pub(super) fn code_range(&self, section: u16) -> Option<(u64, u64)> {
        let header = self.headers.get(usize::from(section)).filter(|s| s.sh_flags(LittleEndian).contains(elf::SHF_EXECINSTR))?;
        let start = header.sh_addr(LittleEndian);
        Some((start, start.saturating_add(header.sh_size(LittleEndian))))
    }

    /// Where all sections with code lie.
    pub(super) fn code_ranges(&self) -> Vec<(u64, u64)> {
        let count = u16::try_from(self.headers.len()).unwrap_or(u16::MAX);
        (0..count).filter_map(|section| self.code_range(section)).collect()
    }

    /// What tells this build of the program from all others.
    pub(super) fn build_id(&self) -> Option<Vec<u8>> {
        build_id(&self.content(b".note.gnu.build-id", NOTE_MAX)?)
    }

    /// Name of the file with the debug information, and the CRC-32 of its content.
    pub(super) fn debug_link(&self) -> Option<(Vec<u8>, u32)> {
        debug_link(&self.content(b".gnu_debuglink", NOTE_MAX)?)
    }
}

/// A note: length of its owner, of its content, its type; then owner and content.
fn build_id(note: &[u8]) -> Option<Vec<u8>> {
    let word = |at: usize| note.get(at..at + 4)?.first_chunk().map(|word| u32::from_le_bytes(*word));
    if word(0)? != 4 || word(8)? != NOTE_BUILD_ID || note.get(12..16)? != b"GNU\0" {
        return None;
    }
    let id = note.get(16..)?.get(..usize::try_from(word(4)?).ok()?)?;
    (BUILD_ID_MIN..=BUILD_ID_MAX).contains(&id.len()).then(|| id.to_vec())
}

/// A name that ends with a zero, then at a multiple of four bytes the checksum. A name with a directory leads elsewhere: refused.
fn debug_link(content: &[u8]) -> Option<(Vec<u8>, u32)> {
    let len = content.iter().position(|&b| b == 0)?;
    let name = &content[..len];
    let crc = content.get((len + 1).next_multiple_of(4)..)?.first_chunk()?;
    (!name.is_empty() && !name.contains(&b'/') && name != b"." && name != b"..").then(|| (name.to_vec(), u32::from_le_bytes(*crc)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn notes_and_links() {
        let mut note = vec![4, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0];
        note.extend(b"GNU\0\x01\x02\x03\x04\x05\x06\x07\x08rest");
        assert_eq!(build_id(&note), Some(vec![1, 2, 3, 4, 5, 6, 7, 8]));
        note[4] = 200;
        assert_eq!(build_id(&note), None);
        assert_eq!(debug_link(b"a.debug\0\x78\x56\x34\x12"), Some((b"a.debug".to_vec(), 0x1234_5678)));
        assert_eq!(debug_link(b"ab\0\0\x01\0\0\0"), Some((b"ab".to_vec(), 1)));
        assert_eq!(debug_link(b"../a.debug\0\0\x01\0\0\0"), None);
        assert_eq!(debug_link(b"a.debug\0\x78"), None);
    }

    #[test]
    fn this_program_has_sections() {
        let file = File::open("/proc/self/exe").unwrap();
        let sections = Sections::read(&file).unwrap();
        assert!(sections.content(b".text", u64::MAX).is_some_and(|text| text.len() > 1000));
        assert_eq!((sections.content(b".text", 10), sections.content(b".tex", u64::MAX)), (None, None));
    }

    proptest! {
        #[test]
        fn any_file_is_safe(mut head in prop::collection::vec(any::<u8>(), 0..400), elf: bool, name in "(.text)?") {
            if elf && head.len() > 6 {
                head[..6].copy_from_slice(b"\x7fELF\x02\x01");
            }
            build_id(&head);
            debug_link(&head);
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("f");
            std::fs::write(&path, &head).unwrap();
            let file = File::open(path).unwrap();
            if let Ok(sections) = Sections::read(&file) {
                prop_assert!(sections.content(name.as_bytes(), u64::MAX).is_none_or(|c| c.len() <= head.len()));
            }
        }
    }
}
