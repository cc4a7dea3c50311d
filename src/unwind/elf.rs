//! The few facts of an ELF file that unwinding needs, read from the file piece by piece. The file is hostile: what it says is bounded by
//! what it holds, and it is read, not mapped, as it may shrink meanwhile.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use object::elf::{self, FileHeader64, ProgramHeader64, SectionHeader64};
use object::pod::{from_bytes, slice_from_bytes};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::{LittleEndian, Pod};

use super::rule::Arch;

/// Most program and section headers: real files have dozens, those with a section per function tens of thousands.
const HEADERS_MAX: usize = 1 << 16;
/// Most segments with code that are kept: real files have one or two, and what is kept of each of a process's files adds up.
const CODE_SEGMENTS_MAX: usize = 64;
/// Most bytes of section names looked at.
const NAMES_MAX: u64 = 4 << 20;

/// A loaded part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// In the file.
    pub(super) offset: u64,
    /// Bytes in the file.
    pub(super) bytes: u64,
    /// Address it asks for.
    pub(super) address: u64,
    /// Whether it holds code.
    pub(super) executable: bool,
}

/// Where a table lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// What unwinding needs to know.
#[derive(Debug)]
pub(crate) struct Elf {
    pub(super) arch: Arch,
    /// Those with code.
    pub(super) segments: Vec<Segment>,
    pub(super) eh_frame: Option<Section>,
}

impl Elf {
    /// Reads the headers; `None` for anything but a 64-bit little-endian ELF file of an architecture we unwind.
    pub(crate) fn read(file: &File, file_bytes: u64) -> io::Result<Option<Elf>> {
        let head = read(file, file_bytes, 0, size_of::<FileHeader64<LittleEndian>>() as u64)?;
        let Ok((header, _)) = from_bytes::<FileHeader64<LittleEndian>>(&head) else { return Ok(None) };
        let ident = header.e_ident();
        if ident.magic != elf::ELFMAG || ident.class != elf::ELFCLASS64 || ident.data != elf::ELFDATA2LSB {
            return Ok(None);
        }
        let arch = match header.e_machine(LittleEndian) {
            elf::EM_X86_64 => Arch::X86_64,
            elf::EM_AARCH64 => Arch::Aarch64,
            _ => return Ok(None),
        };
        let programs: Vec<ProgramHeader64<LittleEndian>> =
            table(file, file_bytes, header.e_phoff(LittleEndian), header.e_phnum(LittleEndian).into())?;
        let eh_frame = match section(file, file_bytes, header)? {
            Some(section) => Some(section),
            None => from_eh_frame_hdr(file, file_bytes, &programs)?,
        };
        let code = programs.iter().filter(|p| p.p_type(LittleEndian) == elf::PT_LOAD).map(segment).filter(|s| s.executable);
        let segments = code.take(CODE_SEGMENTS_MAX).collect();
        Ok(Some(Elf { arch, segments, eh_frame: eh_frame.filter(|s| s.offset.checked_add(s.bytes).is_some_and(|end| end <= file_bytes)) }))
    }

    /// Address that the file asks for the byte at `offset`, which is mapped as code.
    pub(crate) fn address_of(&self, offset: u64) -> Option<u64> {
        /// Mappings begin at a page, up to that many bytes before the segment.
        const PAGE: u64 = 65536;
        let code = self.segments.iter().filter(|s| s.executable);
        let distance = |s: &Segment| match offset {
            o if o >= s.offset && o - s.offset < s.bytes => Some(0),
            o if o < s.offset && s.offset - o < PAGE => Some(s.offset - o),
            _ => None,
        };
        let (_, segment) = code.filter_map(|s| Some((distance(s)?, s))).min_by_key(|(d, _)| *d)?;
        Some(offset.wrapping_sub(segment.offset).wrapping_add(segment.address))
    }
}

fn segment(header: &ProgramHeader64<LittleEndian>) -> Segment {
    Segment {
        offset: header.p_offset(LittleEndian),
        bytes: header.p_filesz(LittleEndian),
        address: header.p_vaddr(LittleEndian),
        executable: header.p_flags(LittleEndian).contains(elf::PF_X),
    }
}

/// `.eh_frame` by the section headers.
fn section(file: &File, file_bytes: u64, header: &FileHeader64<LittleEndian>) -> io::Result<Option<Section>> {
    let count = usize::from(header.e_shnum(LittleEndian));
    let sections: Vec<SectionHeader64<LittleEndian>> = table(file, file_bytes, header.e_shoff(LittleEndian), count)?;
    let Some(names) = sections.get(usize::from(header.e_shstrndx(LittleEndian).0)) else { return Ok(None) };
    let (names_at, names_bytes) = (names.sh_offset(LittleEndian), names.sh_size(LittleEndian).min(NAMES_MAX));
    let names = read(file, file_bytes, names_at, names_bytes)?;
    let is_eh_frame = |s: &&SectionHeader64<LittleEndian>| {
        let name = names.get(s.sh_name(LittleEndian) as usize..).unwrap_or_default();
        // A separate file with debug information has the section, but not its bytes.
        name.starts_with(b".eh_frame\0") && s.sh_type(LittleEndian) != elf::SHT_NOBITS
    };
    Ok(sections.iter().find(is_eh_frame).map(|s| Section {
        address: s.sh_addr(LittleEndian),
        offset: s.sh_offset(LittleEndian),
        bytes: s.sh_size(LittleEndian),
    }))
}

/// `.eh_frame` of a file without section headers: its address is in `.eh_frame_hdr`, and it ends with its segment at the latest.
fn from_eh_frame_hdr(file: &File, file_bytes: u64, programs: &[ProgramHeader64<LittleEndian>]) -> io::Result<Option<Section>> {
    /// Version 1, address of `.eh_frame` as a signed 32-bit distance from itself (DW_EH_PE_pcrel | DW_EH_PE_sdata4).
    const USUAL: [u8; 2] = [1, 0x1b];
    let Some(found) = programs.iter().find(|p| p.p_type(LittleEndian) == elf::PT_GNU_EH_FRAME) else { return Ok(None) };
    let start = read(file, file_bytes, found.p_offset(LittleEndian), 8)?;
    let Some((&distance, true)) = start.get(4..8).and_then(|d| d.first_chunk::<4>()).zip(Some(start.starts_with(&USUAL))) else {
        return Ok(None);
    };
    let address = found.p_vaddr(LittleEndian).wrapping_add(4).wrapping_add_signed(i32::from_le_bytes(distance).into());
    let holds = |s: &Segment| address.checked_sub(s.address).is_some_and(|at| at < s.bytes);
    let segment = programs.iter().filter(|p| p.p_type(LittleEndian) == elf::PT_LOAD).map(segment).find(holds);
    Ok(segment.map(|s| {
        let at = address - s.address;
        Section { address, offset: s.offset.saturating_add(at), bytes: s.bytes - at }
    }))
}

/// `count` entries of a table; none where the file does not hold them, or they are far too many.
pub(crate) fn table<T: Pod + Clone>(file: &File, file_bytes: u64, offset: u64, count: usize) -> io::Result<Vec<T>> {
    if count == 0 || count > HEADERS_MAX {
        return Ok(Vec::new());
    }
    let bytes = read(file, file_bytes, offset, (count * size_of::<T>()) as u64)?;
    Ok(slice_from_bytes::<T>(&bytes, count).map(|(headers, _)| headers.to_vec()).unwrap_or_default())
}

/// Bytes of a file; empty where it does not hold them.
pub(crate) fn read(file: &File, file_bytes: u64, offset: u64, bytes: u64) -> io::Result<Vec<u8>> {
    if offset.checked_add(bytes).is_none_or(|end| end > file_bytes) {
        return Ok(Vec::new());
    }
    let mut buffer = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
    file.read_exact_at(&mut buffer, offset)?;
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(segments: Vec<Segment>) -> Elf {
        Elf { arch: Arch::X86_64, segments, eh_frame: None }
    }

    #[test]
    fn mapped_offsets_have_the_address_of_their_segment() {
        let code = Segment { offset: 0x1234, bytes: 0x5000, address: 0x40_2234, executable: true };
        let data = Segment { offset: 0, bytes: 0x2000, address: 0x40_0000, executable: false };
        let elf = elf(vec![data, code]);
        assert_eq!(elf.address_of(0x1000), Some(0x40_2000), "the mapping begins at the page");
        assert_eq!(elf.address_of(0x3000), Some(0x40_4000), "a later part of it");
        assert_eq!(elf.address_of(0x20_0000), None);
    }

    /// Any user may map any number of such files.
    #[test]
    fn a_file_with_ever_so_many_segments_takes_little_memory() {
        const COUNT: u16 = 65_535;
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend([[2, 0], [if Arch::HERE == Arch::X86_64 { 62 } else { 183 }, 0], [1, 0], [0, 0]].concat());
        bytes.extend([0u64, 64, 0].map(u64::to_le_bytes).concat());
        bytes.extend([0, 0, 0, 0, 64, 0, 56, 0]);
        bytes.extend([COUNT.to_le_bytes(), [0; 2], [0; 2], [0; 2]].concat());
        for at in 0..u64::from(COUNT) {
            bytes.extend([1u32, 5].map(u32::to_le_bytes).concat());
            bytes.extend([at << 16, at << 16, 0, 4096, 4096, 4096].map(u64::to_le_bytes).concat());
        }
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &bytes).unwrap();
        let elf = Elf::read(&file, bytes.len() as u64).unwrap().unwrap();
        assert!((1..=64).contains(&elf.segments.len()), "{}", elf.segments.len());
        assert_eq!(elf.address_of(1 << 16), Some(1 << 16));
    }

    #[test]
    fn own_program_has_a_table() {
        let file = File::open("/proc/self/exe").unwrap();
        let bytes = file.metadata().unwrap().len();
        let elf = Elf::read(&file, bytes).unwrap().unwrap();
        assert!(elf.segments.iter().any(|s| s.executable));
        assert!(elf.eh_frame.is_some_and(|s| s.bytes > 1000));
    }
}
