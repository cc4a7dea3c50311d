//! The table of a file: `.eh_frame` turned into pages of rows, in address order, without holding all rows at once.

use std::time::Instant;

use gimli::{BaseAddresses, CieOrFde, CommonInformationEntry, EhFrame, LittleEndian, UnwindContext, UnwindSection};
use rustc_hash::FxHashMap;

use super::arena::{Arena, Run, Words};
use super::elf::{Elf, Section};
use super::layout::{PAGE_BYTES, Rule};
use super::pages::Pages;
use super::rule::{Arch, Reader, Rules, Used, rule_of};

/// Most bytes of code of one file: its list of pages has 8 bytes for each 2 KiB.
const CODE_MAX: u64 = 1 << 30;
/// Instructions evaluated for a section of this many bytes: those of a CIE are evaluated again for each of its functions.
const WORK_PER_BYTE: u64 = 4;
/// And for the smallest one.
const WORK_MIN: u64 = 1 << 20;

/// Where the table of a file is.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// Address of the first page, as the file counts.
    pub(super) first: u64,
    /// Where code ends.
    pub(super) end: u64,
    /// Lists of pages, each for [`PIECE_BYTES`](super::pages::PIECE_BYTES) of code.
    pub(super) pieces: Vec<u32>,
    /// Everything that is its own.
    pub(super) runs: Vec<Run>,
    pub(super) rows: u64,
    /// Numbers of the rules that its rows name.
    pub(super) rules: Vec<u16>,
}

/// Why a file has no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoTable {
    /// It holds none that can be read.
    Nothing,
    /// It is large, and what is small goes first.
    Later,
    /// There is no room for it now.
    NoRoom,
}

/// A function's place in the table.
struct Function {
    start: u64,
    end: u64,
    /// Of its entry in the section.
    offset: usize,
}

/// Writes the table of `bytes`, the content of `section`.
pub(super) fn build(
    elf: &Elf,
    section: Section,
    bytes: &[u8],
    rules: &mut Rules,
    arena: &mut Arena,
    memory: &mut impl Words,
) -> Result<Table, NoTable> {
    let (first, end) = code(elf).ok_or(NoTable::Nothing)?;
    let eh_frame = eh_frame(elf.arch, bytes);
    let bases = BaseAddresses::default().set_eh_frame(section.address);
    let mut cies = Cies { eh_frame: &eh_frame, bases: &bases, bytes: bytes.len(), seen: FxHashMap::default() };
    let functions = functions(&mut cies, first, end);
    let none = rules.none();
    let mut pages = Pages::new(first, end, none, arena, memory).ok_or(NoTable::NoRoom)?;
    let mut packed = Packed::new(rules, elf.arch);
    let written = if rows(&mut cies, &functions, none, &mut packed, |pc, what| pages.push(pc, what)) {
        pages.finish()
    } else {
        pages.give_up();
        None
    };
    let used = packed.used;
    match written {
        Some((pieces, runs, rows)) => Ok(Table { first, end, pieces, runs, rows, rules: used.numbers() }),
        None => {
            rules.give(&used.numbers(), Instant::now());
            Err(NoTable::NoRoom)
        }
    }
}

/// With the instructions of that machine: code for arm64 says where a return address is signed.
fn eh_frame(arch: Arch, bytes: &[u8]) -> EhFrame<Reader<'_>> {
    let mut eh_frame = EhFrame::new(bytes, LittleEndian);
    if arch == Arch::Aarch64 {
        eh_frame.set_vendor(gimli::Vendor::AArch64);
    }
    eh_frame
}

/// From the first page of code to the end of the last.
fn code(elf: &Elf) -> Option<(u64, u64)> {
    let code = elf.segments.iter().filter(|s| s.executable && s.bytes > 0);
    let (mut first, mut end) = (u64::MAX, 0);
    for segment in code {
        first = first.min(segment.address & !(PAGE_BYTES - 1));
        end = end.max(segment.address.checked_add(segment.bytes)?);
    }
    (first < end && end - first <= CODE_MAX).then_some((first, end))
}

/// So many are remembered; real files have some dozens.
const CIES_MAX: usize = 4096;

/// The entries that functions share, each parsed once.
struct Cies<'a, 'b> {
    eh_frame: &'b EhFrame<Reader<'a>>,
    bases: &'b BaseAddresses,
    /// Bytes of the section.
    bytes: usize,
    seen: FxHashMap<usize, gimli::Result<CommonInformationEntry<Reader<'a>>>>,
}

impl<'a> Cies<'a, '_> {
    fn get(&mut self, offset: gimli::EhFrameOffset) -> gimli::Result<CommonInformationEntry<Reader<'a>>> {
        let (eh_frame, bases) = (self.eh_frame, self.bases);
        if self.seen.len() >= CIES_MAX && !self.seen.contains_key(&offset.0) {
            return eh_frame.cie_from_offset(bases, offset);
        }
        self.seen.entry(offset.0).or_insert_with(|| eh_frame.cie_from_offset(bases, offset)).clone()
    }
}

/// All functions in the code, ascending by start.
fn functions(cies: &mut Cies<'_, '_>, first: u64, end: u64) -> Vec<Function> {
    let mut functions = Vec::new();
    let mut entries = cies.eh_frame.entries(cies.bases);
    // What comes before a broken entry is good.
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        let Ok(fde) = partial.parse(|_, _, offset| cies.get(offset)) else { continue };
        let (start, stop) = (fde.initial_address(), fde.end_address().min(end));
        if start >= first && start < stop {
            functions.push(Function { start, end: stop, offset: fde.offset() });
        }
    }
    functions.sort_by_key(|f| f.start);
    functions
}

/// Calls `push` for every row, ascending, and for the end of what a function covers; false as soon as `push` is. Where nothing can be read,
/// or it would take too long, no rule holds, whatever held before.
fn rows(
    cies: &mut Cies<'_, '_>,
    functions: &[Function],
    none: u16,
    packed: &mut Packed<'_>,
    mut push: impl FnMut(u64, u16) -> bool,
) -> bool {
    let mut context = UnwindContext::new();
    let mut work = WORK_MIN + WORK_PER_BYTE * cies.bytes as u64;
    let mut done = 0;
    for (i, function) in functions.iter().enumerate() {
        let (eh_frame, bases) = (cies.eh_frame, cies.bases);
        let partial = eh_frame.fde_from_offset(bases, function.offset.into(), |_, _, offset| cies.get(offset));
        let cost = partial.as_ref().map_or(0, |fde| fde.entry_len() + fde.cie().entry_len() + 16);
        let rest = work.checked_sub(cost as u64);
        work = rest.unwrap_or(0);
        let fde = partial.ok().filter(|_| rest.is_some());
        let mut table = fde.as_ref().and_then(|fde| fde.rows(eh_frame, bases, &mut context).ok());
        let mut told = function.start.max(done);
        while let Some(Ok(Some(row))) = table.as_mut().map(|table| table.next_row()) {
            told = told.max(row.end_address());
            let start = row.start_address().max(done);
            if start >= row.end_address() || row.start_address() >= function.end {
                continue;
            }
            if !push(start, packed.pack(rule_of(row, eh_frame, packed.arch))) {
                return false;
            }
        }
        // What comes after an instruction that cannot be read has no rule; the one before it does not hold there.
        if told < function.end && !push(told, none) {
            return false;
        }
        done = done.max(function.end);
        let next = functions.get(i + 1).filter(|_| rest.is_some()).map_or(u64::MAX, |f| f.start);
        if next > done && !push(done, none) {
            return false;
        }
        if rest.is_none() {
            break;
        }
    }
    true
}

/// The rules of one table. The rule before is very often the rule again.
struct Packed<'a> {
    rules: &'a mut Rules,
    used: Used,
    arch: Arch,
    last: Option<(Rule, u16)>,
}

impl Packed<'_> {
    fn new(rules: &mut Rules, arch: Arch) -> Packed<'_> {
        Packed { rules, used: Used::default(), arch, last: None }
    }

    fn pack(&mut self, rule: Rule) -> u16 {
        match self.last {
            Some((last, what)) if last == rule => what,
            _ => {
                let what = self.rules.pack(rule, self.arch, &mut self.used);
                self.last = Some((rule, what));
                what
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use proptest::prelude::*;

    use super::super::arena::tests::Memory;
    use super::super::elf;
    use super::super::layout::PAGE_WORDS;
    use super::super::pages::PIECE_BYTES;
    use super::*;

    /// A table in ordinary memory.
    struct Built {
        table: Table,
        memory: Memory,
        rules: Rules,
        used: Used,
        arch: Arch,
    }

    impl Built {
        fn of(elf: &Elf, section: Section, bytes: &[u8]) -> Result<Built, NoTable> {
            let (mut rules, mut arena, mut memory) = (Rules::default(), Arena::new(64 << 20), Memory::default());
            let table = build(elf, section, bytes, &mut rules, &mut arena, &mut memory)?;
            Ok(Built { table, memory, rules, used: Used::default(), arch: elf.arch })
        }

        fn pack(&mut self, rule: Rule) -> u16 {
            self.rules.pack(rule, self.arch, &mut self.used)
        }

        /// What the kernel half finds at an address.
        fn what(&self, address: u64) -> u16 {
            let at = address - self.table.first;
            let list = self.table.pieces[(at / PIECE_BYTES) as usize];
            let page = list + (at % PIECE_BYTES / PAGE_BYTES) as u32 * PAGE_WORDS;
            let [rows_at, rows] = [self.memory.0[page as usize], self.memory.0[page as usize + 1]];
            let rows = &self.memory.0[rows_at as usize..][..rows as usize];
            assert!(rows.first().is_none_or(|first| *first as u16 == 0) && rows.is_sorted_by(|a, b| (*a as u16) < (*b as u16)));
            let after = rows.partition_point(|row| u64::from(*row as u16) <= at % PAGE_BYTES);
            after.checked_sub(1).map_or(self.rules.none(), |i| (rows[i] >> 16) as u16)
        }
    }

    fn read(path: &Path) -> (Elf, Section, Vec<u8>) {
        let file = File::open(path).unwrap();
        let bytes = file.metadata().unwrap().len();
        let elf = Elf::read(&file, bytes).unwrap().unwrap();
        let section = elf.eh_frame.unwrap();
        let content = elf::read(&file, bytes, section.offset, section.bytes).unwrap();
        (elf, section, content)
    }

    /// Every row that gimli gives for a function is what we find at its start, middle and end.
    fn agrees_with_gimli(path: &Path) -> u64 {
        let (elf, section, content) = read(path);
        let mut built = Built::of(&elf, section, &content).unwrap();
        let eh_frame = eh_frame(elf.arch, &content);
        let bases = BaseAddresses::default().set_eh_frame(section.address);
        let none = built.rules.none();
        let (mut entries, mut context, mut rows) = (eh_frame.entries(&bases), UnwindContext::new(), 0);
        while let Some(entry) = entries.next().unwrap() {
            let CieOrFde::Fde(partial) = entry else { continue };
            let fde = partial.parse(|_, bases, offset| eh_frame.cie_from_offset(bases, offset)).unwrap();
            let mut table = fde.rows(&eh_frame, &bases, &mut context).unwrap();
            while let Some(row) = table.next_row().unwrap() {
                let (start, end) = (row.start_address(), row.end_address());
                let expected = built.pack(rule_of(row, &eh_frame, built.arch));
                for address in [start, start.midpoint(end), end - 1].into_iter().filter(|a| *a < end) {
                    assert_eq!(built.what(address), expected, "{address:#x} of {path:?}");
                }
                rows += 1;
            }
        }
        assert!(rows > 0 && (built.table.first..built.table.end).step_by(97).any(|address| built.what(address) == none), "no gap");
        rows
    }

    #[test]
    fn tables_say_what_gimli_says() {
        assert!(agrees_with_gimli(Path::new("/proc/self/exe")) > 10_000);
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let libc = maps.lines().filter_map(|l| l.split_whitespace().nth(5)).find(|p| p.ends_with("/libc.so.6")).unwrap();
        assert!(agrees_with_gimli(Path::new(libc)) > 10_000);
    }

    /// The corpus: a small program's table, from which every test begins.
    const REAL: &[u8] = include_bytes!("../../tests/corpus/eh_frame_x86_64");
    const CODE: u64 = 0x1000;

    fn small(bytes: &[u8]) -> Result<Built, NoTable> {
        of_program(Arch::X86_64, CODE, 0x2048, bytes)
    }

    fn of_program(arch: Arch, code: u64, at: u64, bytes: &[u8]) -> Result<Built, NoTable> {
        let segment = elf::Segment { offset: code, bytes: 0x10_0000, address: code, executable: true };
        let elf = Elf { arch, segments: vec![segment], eh_frame: None };
        Built::of(&elf, Section { address: at, offset: at, bytes: bytes.len() as u64 }, bytes)
    }

    #[test]
    fn rows_of_a_program_for_arm64() {
        use super::super::layout::{Base, ROW_FP, Saved};
        // What readelf -wF says of the corpus.
        let mut built = of_program(Arch::Aarch64, 0x600, 0x920, include_bytes!("../../tests/corpus/eh_frame_aarch64")).unwrap();
        let end = built.pack(Rule::plain(Base::End));
        let large = Rule { base: Base::Sp, fp: Saved::No, ra: Some(-30008), add: 0, cfa: 30016 };
        let large = built.pack(large);
        assert_eq!(built.what(0x704), end, "_start has no caller");
        assert_eq!(built.what(0x7c0), 0, "the return address is in its register");
        assert_eq!(built.what(0x7c4), 1 << 11 | 4, "sp+32, the frame record lowest");
        assert_eq!(built.what(0x868), ROW_FP | 1 << 11 | 4, "x29+32");
        assert_eq!(built.what(0x86c), 0);
        assert_eq!(built.what(0x8a0), large);
    }

    /// A CIE for arm64 (the frame's address is sp) and a function of 64 bytes at `CODE` with these instructions.
    fn one_function(instructions: &[u8]) -> Vec<u8> {
        let cie = [&[0, 0, 0, 0, 1, 0, 4, 0x78, 30][..], &[0x0c, 31, 0]].concat();
        let fde = [&CODE.to_le_bytes()[..], &64u64.to_le_bytes(), instructions].concat();
        let mut bytes = [&(cie.len() as u32).to_le_bytes()[..], &cie].concat();
        bytes.extend((fde.len() as u32 + 4).to_le_bytes());
        bytes.extend((bytes.len() as u32).to_le_bytes());
        bytes.extend(fde);
        bytes
    }

    #[test]
    fn signed_return_addresses_and_unknown_instructions() {
        // At 4 DW_CFA_AARCH64_negate_ra_state; at 8 the frame is 32 bytes, the frame record lowest.
        let frame = [0x41, 0x0e, 32, 0x9d, 4, 0x9e, 3];
        let signed = of_program(Arch::Aarch64, CODE, 0x2048, &one_function(&[&[0x41, 0x2d][..], &frame].concat())).unwrap();
        assert_eq!([0, 4].map(|at| signed.what(CODE + at)), [0; 2], "the return address is in its register");
        assert_eq!(signed.what(CODE + 8), 1 << 11 | 4, "sp+32");
        // Nobody knows 0x3f: of what comes after it nothing is said.
        let broken = of_program(Arch::Aarch64, CODE, 0x2048, &one_function(&[&frame[..], &[0x41, 0x3f]].concat())).unwrap();
        let none = broken.rules.none();
        assert_eq!([0, 4, 8, 60].map(|at| broken.what(CODE + at)), [0, 1 << 11 | 4, none, none]);
    }

    /// One entry with its length before it; `of` is the offset of its CIE, of an FDE.
    fn put_entry(bytes: &mut Vec<u8>, of: Option<usize>, body: &[u8]) -> usize {
        let at = bytes.len();
        bytes.extend((body.len() as u32 + 4).to_le_bytes());
        bytes.extend(of.map_or(0, |cie| (at + 4 - cie) as u32).to_le_bytes());
        bytes.extend(body);
        at
    }

    #[test]
    fn a_rule_ends_with_its_function_whatever_comes_next() {
        const CIE: [u8; 7] = [1, 0, 4, 0x78, 30, 0x0c, 31];
        let frame = [0x41, 0x0e, 32, 0x9d, 4, 0x9e, 3];
        let function = |start: u64, size: u64| [start.to_le_bytes(), size.to_le_bytes()].concat();
        // The second begins where the first ends, and nobody knows the instruction that its CIE has.
        let mut broken = Vec::new();
        let good = put_entry(&mut broken, None, &[&CIE[..], &[0]].concat());
        put_entry(&mut broken, Some(good), &[function(CODE, 64), frame.into()].concat());
        let bad = put_entry(&mut broken, None, &[&CIE[..], &[0, 0x3f]].concat());
        put_entry(&mut broken, Some(bad), &function(CODE + 64, 64));
        let built = of_program(Arch::Aarch64, CODE, 0x2048, &broken).unwrap();
        let none = built.rules.none();
        assert_eq!([60, 64, 124, 128].map(|at| built.what(CODE + at)), [1 << 11 | 4, none, none, none]);
        // The second lies within the first.
        let mut within = Vec::new();
        let good = put_entry(&mut within, None, &[&CIE[..], &[0]].concat());
        put_entry(&mut within, Some(good), &[function(CODE, 64), frame.into()].concat());
        put_entry(&mut within, Some(good), &function(CODE + 16, 16));
        let built = of_program(Arch::Aarch64, CODE, 0x2048, &within).unwrap();
        assert_eq!([60, 64, 128].map(|at| built.what(CODE + at)), [1 << 11 | 4, none, none]);
    }

    #[test]
    fn the_corpus_is_a_table() {
        assert!(small(REAL).unwrap().table.rows > 20);
    }

    #[test]
    fn a_cie_that_is_evaluated_again_and_again_ends() {
        // One entry with 256 KiB of instructions that change nothing, and 20,000 functions that begin with it: 5 GB in all.
        let mut bytes = Vec::new();
        let cie_body: Vec<u8> = [&[0, 0, 0, 0, 1, 0, 1, 0x78, 16][..], &vec![0; 1 << 18]].concat();
        bytes.extend((cie_body.len() as u32).to_le_bytes());
        bytes.extend(&cie_body);
        for i in 0..20_000u64 {
            bytes.extend(20u32.to_le_bytes());
            bytes.extend((bytes.len() as u32).to_le_bytes());
            bytes.extend((CODE + i * 8).to_le_bytes());
            bytes.extend(8u64.to_le_bytes());
        }
        let cpu = || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).tv_sec;
        let begin = cpu();
        let built = small(&bytes).unwrap();
        assert!(cpu() - begin < 10, "{} s", cpu() - begin);
        assert_eq!(built.what(CODE + 19_999 * 8), built.rules.none(), "what was not evaluated has no rule");
    }

    proptest! {
        #[test]
        fn truncated_tables_build(len in 0..REAL.len()) {
            let built = small(&REAL[..len]);
            prop_assert!(built.is_ok_and(|b| b.table.rows <= 64 * REAL.len() as u64));
        }

        #[test]
        fn mutated_tables_build(changes in prop::collection::vec((0..REAL.len(), any::<u8>()), 1..20), at in CODE..CODE + 0x10_0000) {
            let mut bytes = REAL.to_vec();
            for (i, byte) in changes {
                bytes[i] = byte;
            }
            // Whatever it says, every address is looked up within bounds.
            let built = small(&bytes).unwrap();
            built.what(at);
        }
    }
}
