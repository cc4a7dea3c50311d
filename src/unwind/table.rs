//! The table of a file: `.eh_frame` turned into pages of rows, in address order, without holding all rows at once.

use gimli::{BaseAddresses, CieOrFde, CommonInformationEntry, EhFrame, LittleEndian, UnwindContext, UnwindSection};
use rustc_hash::FxHashMap;

use super::arena::{Arena, Run, Words};
use super::elf::{Elf, Section};
use super::layout::{Base, PAGE_BYTES, Rule};
use super::pages::Pages;
use super::rule::{Arch, Reader, Rules, rule_of};

/// Most bytes of code of one file: its list of pages has 8 bytes for each 2 KiB.
const CODE_MAX: u64 = 1 << 30;
/// Instructions evaluated for a section of this many bytes: those of a CIE are evaluated again for each of its functions.
const WORK_PER_BYTE: u64 = 8;
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
    let eh_frame = EhFrame::new(bytes, LittleEndian);
    let bases = BaseAddresses::default().set_eh_frame(section.address);
    let mut cies = Cies { eh_frame: &eh_frame, bases: &bases, bytes: bytes.len(), seen: FxHashMap::default() };
    let functions = functions(&mut cies, first, end);
    let none = rules.pack(Rule::plain(Base::None), elf.arch);
    let mut pages = Pages::new(first, end, none, arena, memory).ok_or(NoTable::NoRoom)?;
    if !rows(&mut cies, &functions, none, rules, elf.arch, |pc, what| pages.push(pc, what)) {
        pages.give_up();
        return Err(NoTable::NoRoom);
    }
    let (pieces, runs, rows) = pages.finish().ok_or(NoTable::NoRoom)?;
    Ok(Table { first, end, pieces, runs, rows })
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

/// Calls `push` for every row, ascending, and for the end of what a function covers; false as soon as `push` is.
fn rows(
    cies: &mut Cies<'_, '_>,
    functions: &[Function],
    none: u16,
    rules: &mut Rules,
    arch: Arch,
    mut push: impl FnMut(u64, u16) -> bool,
) -> bool {
    let mut context = UnwindContext::new();
    let mut work = WORK_MIN + WORK_PER_BYTE * cies.bytes as u64;
    let mut known = Packed::new(arch);
    let mut done = 0;
    for (i, function) in functions.iter().enumerate() {
        let (eh_frame, bases) = (cies.eh_frame, cies.bases);
        let partial = eh_frame.fde_from_offset(bases, function.offset.into(), |_, _, offset| cies.get(offset));
        let Ok(fde) = partial else { continue };
        let cost = fde.entry_len() + fde.cie().entry_len() + 16;
        let Some(rest) = work.checked_sub(cost as u64) else { return true };
        work = rest;
        let Ok(mut table) = fde.rows(eh_frame, bases, &mut context) else { continue };
        let mut last = none;
        while let Ok(Some(row)) = table.next_row() {
            let start = row.start_address().max(done);
            if start >= row.end_address() || row.start_address() >= function.end {
                continue;
            }
            last = known.pack(rule_of(row, eh_frame, arch), rules);
            if !push(start, last) {
                return false;
            }
        }
        done = done.max(function.end);
        let next = functions.get(i + 1).map_or(u64::MAX, |f| f.start);
        if last != none && next > done && !push(done, none) {
            return false;
        }
    }
    true
}

/// The rule before is very often the rule again.
struct Packed {
    arch: Arch,
    last: Option<(Rule, u16)>,
}

impl Packed {
    fn new(arch: Arch) -> Packed {
        Packed { arch, last: None }
    }

    fn pack(&mut self, rule: Rule, rules: &mut Rules) -> u16 {
        match self.last {
            Some((last, what)) if last == rule => what,
            _ => {
                let what = rules.pack(rule, self.arch);
                self.last = Some((rule, what));
                what
            }
        }
    }
}
