//! Unwind tables as `src/bpf/unwind_tables.h` lays them out.

use std::num::NonZeroU32;

/// Words of 4 bytes in a chunk (`EB_CHUNK_WORDS`).
pub(crate) const CHUNK_WORDS: u32 = 65536;
/// Most chunks (`EB_CHUNKS_MAX`).
pub(super) const CHUNKS_MAX: u32 = 1024;
/// Bytes of code in a page (`1 << EB_PAGE_SHIFT`).
pub(super) const PAGE_BYTES: u64 = 2048;
/// Most processes (`EB_PROCS_MAX`).
pub(super) const PROCS_MAX: usize = 4096;
/// Most rules that are in no row (`EB_RULES_MAX`).
pub(super) const RULES_MAX: usize = 16384;
/// Words of a `struct eb_mapping`.
pub(super) const MAPPING_WORDS: u32 = 8;
/// Words of a `struct eb_page`.
pub(super) const PAGE_WORDS: u32 = 2;

/// `EB_ROW_RULE`.
pub(super) const ROW_RULE: u16 = 0x8000;
/// `EB_ROW_FP`.
pub(super) const ROW_FP: u16 = 0x4000;
/// `EB_ROW_SAVED_SHIFT`.
pub(super) const ROW_SAVED_SHIFT: u16 = 11;
/// `EB_ROW_WORDS_MASK`.
pub(super) const ROW_WORDS_MASK: u16 = 0x7ff;

/// `enum eb_mapping_kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// A file with a table.
    Table = 0,
    /// A file that has none.
    Bare = 1,
    /// Code written at run time.
    Jit = 2,
    /// A file whose table is not there yet.
    Pending = 3,
}

/// `struct eb_mapping`: executable memory, and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MappingEntry {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Address of the first page of the table.
    pub(super) bias: u64,
    pub(super) pages_at: u32,
    pub(super) kind: Kind,
}

impl MappingEntry {
    pub(super) fn words(&self) -> [u32; MAPPING_WORDS as usize] {
        let (low, high) = (|n: u64| n as u32, |n: u64| (n >> 32) as u32);
        [low(self.start), high(self.start), low(self.end), high(self.end), low(self.bias), high(self.bias), self.pages_at, self.kind as u32]
    }
}

/// `struct eb_proc`; `mm` is left for the first walk to set. What walks remember of a process holds as long as its `version`.
pub(super) fn proc_bytes(start_ns: u64, mappings_at: u32, mappings: u32, version: NonZeroU32) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&start_ns.to_ne_bytes());
    bytes[16..20].copy_from_slice(&mappings_at.to_ne_bytes());
    bytes[20..24].copy_from_slice(&mappings.to_ne_bytes());
    bytes[24..28].copy_from_slice(&version.get().to_ne_bytes());
    bytes
}

/// A row: what holds from `offset` in a page on.
pub(super) fn row(offset: u16, what: u16) -> u32 {
    u32::from(what) << 16 | u32::from(offset)
}

/// `enum eb_base`: how the caller's stack pointer is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Base {
    /// No row: padding, or code without a table.
    None = 0,
    /// There is no caller.
    End = 1,
    /// sp + cfa.
    Sp = 2,
    /// fp + cfa.
    Fp = 3,
    /// *(sp + cfa) + add.
    SpDeref = 4,
    /// *(fp + cfa) + add.
    FpDeref = 5,
    /// sp + 8, and 8 more from byte `cfa` of each 16 on.
    Plt = 6,
    /// All registers lie on the stack.
    Signal = 7,
    /// Cannot be told in these words.
    Odd = 8,
}

/// `struct eb_rule`: how to get from a frame to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rule {
    pub(super) base: Base,
    /// Where the caller's frame pointer is.
    pub(super) fp: Saved,
    /// Offset of the return address from the frame address; `None` while it is in a register.
    pub(super) ra: Option<i32>,
    pub(super) add: i16,
    pub(super) cfa: i32,
}

/// Where a register of the caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Saved {
    /// Still in the register.
    No,
    /// In memory, from the frame address.
    AtFrame(i32),
    /// In memory, from where the frame pointer points.
    AtFp(i32),
}

impl Rule {
    /// Without anything but a base.
    pub(super) const fn plain(base: Base) -> Rule {
        Rule { base, fp: Saved::No, ra: None, add: 0, cfa: 0 }
    }

    /// As C has it: base, `EB_SAVED_*`, add, cfa, fp, ra.
    pub(super) fn bytes(&self) -> [u8; 16] {
        let (fp_flag, fp) = match self.fp {
            Saved::No => (0, 0),
            Saved::AtFrame(at) => (1, at),
            Saved::AtFp(at) => (4, at),
        };
        let ra_flag = if self.ra.is_some() { 2 } else { 0 };
        let mut bytes = [0; 16];
        bytes[0] = self.base as u8;
        bytes[1] = fp_flag | ra_flag;
        bytes[2..4].copy_from_slice(&self.add.to_ne_bytes());
        bytes[4..8].copy_from_slice(&self.cfa.to_ne_bytes());
        bytes[8..12].copy_from_slice(&fp.to_ne_bytes());
        bytes[12..].copy_from_slice(&self.ra.unwrap_or(0).to_ne_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_mappings_are_laid_out_as_in_c() {
        let rule = Rule { base: Base::FpDeref, fp: Saved::AtFp(-8), ra: Some(-16), add: -2, cfa: 0x102 };
        assert_eq!(rule.bytes(), [5, 6, 254, 255, 2, 1, 0, 0, 248, 255, 255, 255, 240, 255, 255, 255]);
        let mapping = MappingEntry { start: 1 << 40, end: (1 << 40) + 5, bias: 7, pages_at: 9, kind: Kind::Jit };
        assert_eq!(mapping.words(), [0, 256, 5, 256, 7, 0, 9, 2]);
        assert_eq!(proc_bytes(1, 2, 3, NonZeroU32::MAX)[8..24], [0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(proc_bytes(1, 2, 3, NonZeroU32::MIN)[24..], [1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(row(3, ROW_RULE | 4), 0x8004_0003);
    }
}
