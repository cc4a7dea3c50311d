//! Reads code objects: name, file and lines of a function. Everything is hostile: an address may hold anything by now.

use std::sync::Arc;

use super::layout::{Position, TextLayout};
use super::lines::Lines;
use super::memory::Memory;
use super::target::Target;
use crate::sample::printable;

/// Bytes of a code object that are read: all fields looked at are among them.
const OBJECT_BYTES: usize = 256;
/// Characters kept of a name or path.
const TEXT_MAX: usize = 1024;
/// Largest line table read, bytes.
const LINES_MAX: usize = 256 << 10;

/// What a code object says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) function: Arc<str>,
    pub(super) file: Arc<str>,
    lines: Lines,
    first_line: u32,
    position: Position,
    address: u64,
    pub(super) stamp: Stamp,
}

/// Tells a code object from another that came to its place: type, name, file, line table, first line.
pub(super) type Stamp = [u64; 5];

impl Code {
    /// Reads the code object at `address`; `None` where there is none.
    pub(super) fn read(memory: &Memory, target: &Target, address: u64) -> Option<Code> {
        let object = memory.array::<OBJECT_BYTES>(address)?;
        let stamp = stamp(target, &object)?;
        let [_, name, file, table, first_line] = stamp;
        let layout = &target.layout;
        let (size, data) = layout.bytes;
        let len = u64::from_le_bytes(memory.array(table.checked_add(size as u64)?)?);
        let len = usize::try_from(len).ok().filter(|len| *len <= LINES_MAX);
        let table = len.and_then(|len| memory.vec(table.checked_add(data as u64)?, len)).unwrap_or_default();
        let first_line = first_line as u32;
        Some(Code {
            function: text(memory, &layout.text, name)?.into(),
            file: text(memory, &layout.text, file)?.into(),
            lines: Lines::decode(layout.code.format, &table, first_line),
            first_line,
            position: layout.code.position,
            address,
            stamp,
        })
    }

    /// Whether what is at its address now is still this code object.
    pub(super) fn is_still(stamp_then: &Stamp, memory: &Memory, target: &Target, address: u64) -> bool {
        let object = memory.array::<OBJECT_BYTES>(address);
        object.and_then(|object| stamp(target, &object)).as_ref() == Some(stamp_then)
    }

    /// The line of the instruction that a frame says it is at; 0 where that is none of this code's.
    pub(super) fn line(&self, instruction: u64) -> u32 {
        let byte = match self.position {
            // One before the first: the frame is about to begin.
            Position::Index(unit) => i64::from(instruction as u32 as i32) * i64::from(unit),
            Position::Address(start) => instruction.wrapping_sub(self.address.wrapping_add(start as u64)) as i64,
        };
        match u32::try_from(byte) {
            Ok(byte) => self.lines.at(byte),
            Err(_) if (-8..0).contains(&byte) => self.first_line,
            Err(_) => 0,
        }
    }

    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Code>() + self.function.len() + self.file.len() + self.lines.bytes()
    }
}

/// `None` where the object is no code.
fn stamp(target: &Target, object: &[u8; OBJECT_BYTES]) -> Option<Stamp> {
    let code = &target.layout.code;
    let word = |at: usize| -> Option<u64> { Some(u64::from_le_bytes(*object.get(at..)?.first_chunk()?)) };
    let first_line = u32::from_le_bytes(*object.get(code.first_line..)?.first_chunk()?);
    let object_type = word(code.object_type).filter(|of| *of == target.code_type)?;
    Some([object_type, word(code.name)?, word(code.file)?, word(code.lines)?, first_line.into()])
}

/// A string object, fit for a terminal.
fn text(memory: &Memory, layout: &TextLayout, address: u64) -> Option<String> {
    let field = |at: usize| address.checked_add(at as u64);
    let length = u64::from_le_bytes(memory.array(field(layout.length)?)?);
    let state = u32::from_le_bytes(memory.array(field(layout.state)?)?) >> layout.kind_shift;
    let (kind, is_compact, is_ascii) = (state & 7, state & 8 != 0, state & 16 != 0);
    if !is_compact {
        return None;
    }
    let start = field(if is_ascii { layout.ascii } else { layout.compact })?;
    let characters = usize::try_from(length).unwrap_or(TEXT_MAX).min(TEXT_MAX);
    let bytes = memory.vec(start, characters * kind as usize)?;
    decode(&bytes, kind).map(|text| printable(text.as_bytes()))
}

/// Characters of 1, 2 or 4 bytes each.
fn decode(bytes: &[u8], kind: u32) -> Option<String> {
    let character = |code: u32| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    Some(match kind {
        1 => bytes.iter().map(|&byte| char::from(byte)).collect(),
        2 => bytes.as_chunks().0.iter().map(|&two| character(u16::from_le_bytes(two).into())).collect(),
        4 => bytes.as_chunks().0.iter().map(|&four| character(u32::from_le_bytes(four))).collect(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::layout::Layout;
    use super::*;
    use proptest::prelude::*;

    fn ourselves() -> Memory {
        Memory::open(std::process::id()).unwrap()
    }

    fn target() -> Target {
        Target { layout: Layout::known(11).unwrap(), interpreters: 0, code_type: 77, evals: Box::default() }
    }

    /// A string object of 3.11.
    fn string(characters: &[u8], kind: u32, is_ascii: bool) -> Vec<u8> {
        let mut object = vec![0; if is_ascii { 48 } else { 72 }];
        object[16..24].copy_from_slice(&(characters.len() as u64 / u64::from(kind)).to_le_bytes());
        object[32..36].copy_from_slice(&(kind << 2 | 1 << 5 | u32::from(is_ascii) << 6).to_le_bytes());
        object.extend(characters);
        object
    }

    fn at(bytes: &[u8]) -> u64 {
        bytes.as_ptr() as u64
    }

    #[test]
    fn strings_of_every_width() {
        let layout = Layout::known(11).unwrap().text;
        let wide: Vec<u8> = "grün".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let widest: Vec<u8> = "蛇🐍".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        for (object, expected) in [
            (string(b"plain", 1, true), "plain"),
            (string(b"gr\xfcn", 1, false), "grün"),
            (string(&wide, 2, false), "grün"),
            (string(&widest, 4, false), "蛇🐍"),
            (string(b"\x1b[2J", 1, true), "\u{fffd}[2J"),
        ] {
            assert_eq!(text(&ourselves(), &layout, at(&object)).as_deref(), Some(expected));
        }
        assert_eq!(text(&ourselves(), &layout, 8), None);
        assert_eq!(text(&ourselves(), &layout, u64::MAX - 3), None);
    }

    #[test]
    fn a_code_object_until_another_takes_its_place() {
        let (name, file) = (string(b"A.f", 1, true), string(b"/srv/a.py", 1, true));
        let mut table = vec![0; 32];
        table[16] = 2;
        table.extend([0x80 | 10 << 3 | 1, 0x80 | 11 << 3]);
        let mut object = [0u8; OBJECT_BYTES];
        for (field, value) in [(8, 77), (112, at(&file)), (128, at(&name)), (136, at(&table)), (72, 40)] {
            object[field..field + 8].copy_from_slice(&u64::to_le_bytes(value));
        }
        let (memory, address) = (ourselves(), at(&object));
        let code = Code::read(&memory, &target(), address).unwrap();
        assert_eq!((&*code.function, &*code.file), ("A.f", "/srv/a.py"));
        let lines = [0, 2, 4, -2, 6].map(|byte: i64| code.line((address + 184).wrapping_add_signed(byte)));
        assert_eq!(lines, [40, 40, 41, 40, 0]);
        assert!(Code::is_still(&code.stamp, &memory, &target(), address));
        object[72] = 41;
        assert!(!Code::is_still(&code.stamp, &memory, &target(), std::hint::black_box(&object).as_ptr() as u64));
        object[8] = 78;
        assert_eq!(Code::read(&memory, &target(), std::hint::black_box(&object).as_ptr() as u64), None);
    }

    proptest! {
        #[test]
        fn any_memory_is_read_without_harm(words in prop::collection::vec(any::<u64>(), 64), own in prop::collection::vec(0usize..64, 8)) {
            // Some words point back into the memory, so that the reading goes on.
            let mut words = words;
            for (i, to) in own.iter().enumerate() {
                words[[1, 14, 15, 16, 17, 20, 30, 40][i]] = (words.as_ptr() as u64) + 8 * *to as u64;
            }
            words[1] = 77;
            if let Some(code) = Code::read(&ourselves(), &target(), words.as_ptr() as u64) {
                code.line(words[3]);
                prop_assert!(code.function.chars().count() <= TEXT_MAX && code.function.chars().all(|c| !c.is_control()));
            }
        }
    }
}
