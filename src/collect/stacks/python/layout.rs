//! Where each version of CPython keeps what is read of it. Up to 3.12 by the headers of the version, from 3.13 on by the
//! `_Py_DebugOffsets` that `_PyRuntime` begins with.

use super::lines::Format;
use crate::bpf::stacks::types::eb_py_proc;

/// Versions 3.x that can be read.
pub(super) const MINORS: std::ops::RangeInclusive<u8> = 8..=14;
/// From this one on the process tells.
pub(super) const FIRST_THAT_TELLS: u8 = 13;
/// Bytes of `_Py_DebugOffsets` that are looked at.
pub(super) const TOLD_BYTES: usize = 81 * 8;

/// `enum eb_py_entry`.
const EACH: u8 = 0;
const FLAG: u8 = 1;
const OWNER: u8 = 2;
/// `FRAME_OWNED_BY_CSTACK` of 3.12 and 3.13, `FRAME_OWNED_BY_INTERPRETER` of 3.14: no function from here on.
const OWNER_MIN: u8 = 3;

/// Offsets and sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Of the list of interpreters, in `_PyRuntime`.
    pub(super) interpreters: u64,
    /// What the kernel half walks by; the addresses are not set.
    pub(super) walk: eb_py_proc,
    /// Of code objects.
    pub(super) code: CodeLayout,
    /// Of strings.
    pub(super) text: TextLayout,
    /// Of `bytes`: number of bytes, first byte.
    pub(super) bytes: (usize, usize),
}

/// Fields of `PyCodeObject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CodeLayout {
    pub(super) object_type: usize,
    pub(super) file: usize,
    /// The qualified name, where there is one (3.11).
    pub(super) name: usize,
    pub(super) first_line: usize,
    pub(super) lines: usize,
    pub(super) format: Format,
    pub(super) position: Position,
}

/// What a frame says about the instruction it is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// A number of units of so many bytes.
    Index(u32),
    /// An address; instructions begin at this offset of the code object.
    Address(usize),
}

/// Fields of `PyASCIIObject` and `PyCompactUnicodeObject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextLayout {
    pub(super) length: usize,
    pub(super) state: usize,
    /// Lowest bit of the kind in the state.
    pub(super) kind_shift: u32,
    /// First character where all are ASCII, and where not.
    pub(super) ascii: usize,
    pub(super) compact: usize,
}

impl Layout {
    /// The layout of 3.`minor`, for the versions before [`FIRST_THAT_TELLS`].
    pub(super) fn known(minor: u8) -> Option<Layout> {
        let walk = |thread_id, thread_frame, [bytes, code, back, at]: [u8; 4]| eb_py_proc {
            thread_next: 8,
            interp_threads: if minor == 12 { 72 } else { 8 + 8 * u32::from(minor == 11) },
            thread_id,
            thread_frame,
            frame_bytes: bytes,
            frame_code: code,
            frame_back: back,
            frame_at: at,
            entry: EACH,
            at_bytes: 4,
            ..eb_py_proc::default()
        };
        let code = |name, first_line, lines, format, position| CodeLayout {
            object_type: 8,
            file: name - 8,
            name,
            first_line,
            lines,
            format,
            position,
        };
        let (interpreters, walk, code) = match minor {
            8 | 9 => (32, walk(176, 24, [112, 32, 24, 104]), code(112, 40, 120, Format::Steps, Position::Index(1))),
            10 => (32, walk(176, 24, [104, 32, 24, 96]), code(112, 40, 120, Format::Ranges, Position::Index(2))),
            11 => {
                let walk = walk(152, 56, [72, 32, 48, 56]);
                let walk = eb_py_proc { indirect: 1, indirect_at: 8, frame_entry: 68, entry: FLAG, at_bytes: 8, ..walk };
                (40, walk, CodeLayout { name: 128, ..code(120, 72, 136, Format::Locations, Position::Address(184)) })
            }
            12 => {
                let walk = walk(136, 56, [72, 0, 8, 56]);
                let walk = eb_py_proc { indirect: 1, frame_entry: 70, entry: OWNER, owner_min: OWNER_MIN, at_bytes: 8, ..walk };
                (40, walk, CodeLayout { name: 128, ..code(120, 68, 136, Format::Locations, Position::Address(192)) })
            }
            _ => return None,
        };
        // 3.12 dropped `wstr`.
        let (ascii, compact) = if minor < 12 { (48, 72) } else { (40, 56) };
        let text = TextLayout { length: 16, state: 32, kind_shift: 2, ascii, compact };
        Some(Layout { interpreters, walk, code, text, bytes: (16, 32) })
    }

    /// What a process of 3.13 or 3.14 tells at the start of `_PyRuntime` (`pycore_runtime.h`, `pycore_debug_offsets.h`); `None` where
    /// it does not, or tells nonsense.
    pub(super) fn told(minor: u8, bytes: &[u8]) -> Option<Layout> {
        if !bytes.starts_with(b"xdebugpy") {
            return None;
        }
        let word = |at: usize| -> Option<u64> { Some(u64::from_le_bytes(*bytes.get(8 * at..)?.first_chunk()?)) };
        let near = |at: usize| word(at).filter(|offset| *offset < 1024).map(|offset| offset as usize);
        let in_frame = |at: usize| word(at).filter(|offset| *offset < 112).map(|offset| offset as u8);
        // Numbers of words; 3.14 has some more in front of most.
        let (thread, frame, code, object, bytes_object, text) = match minor {
            13 => (19, 28, 34, 44, 64, 67),
            14 => (22, 31, 39, 50, 74, 77),
            _ => return None,
        };
        let free_threaded = word(2)? != 0;
        let owner = in_frame(frame + 5)?;
        let last = [in_frame(frame + 1)?, in_frame(frame + 2)?, in_frame(frame + 3)?, owner].into_iter().max()?;
        let walk = eb_py_proc {
            interp_next: u32::try_from(word(8)?).ok()?,
            interp_threads: u32::try_from(word(9)?).ok()?,
            thread_next: near(thread + 2)? as u16,
            thread_id: near(thread + 5)? as u16,
            thread_frame: near(thread + 4)? as u16,
            frame_bytes: last / 8 * 8 + 8,
            frame_back: in_frame(frame + 1)?,
            frame_code: in_frame(frame + 2)?,
            frame_at: in_frame(frame + 3)?,
            frame_entry: owner,
            entry: OWNER,
            owner_min: OWNER_MIN,
            at_bytes: 8,
            ..eb_py_proc::default()
        };
        let ascii = near(text + 3)?;
        Some(Layout {
            interpreters: word(5).filter(|offset| *offset < 1 << 20)?,
            walk,
            code: CodeLayout {
                object_type: near(object + 1)?,
                file: near(code + 1)?,
                name: near(code + 3)?,
                lines: near(code + 4)?,
                first_line: near(code + 5)?,
                format: Format::Locations,
                position: Position::Address(near(code + 9)?),
            },
            text: TextLayout {
                length: near(text + 2)?,
                state: near(text + 1)?,
                // A byte of its own in free-threaded 3.14, two bits else.
                kind_shift: if free_threaded && minor == 14 { 8 } else { 2 },
                ascii,
                compact: ascii + 16,
            },
            bytes: (near(bytes_object + 1)?, near(bytes_object + 2)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_without_their_own_word_are_in_the_table() {
        let known: Vec<u8> = (0..20).filter(|&minor| Layout::known(minor).is_some()).collect();
        assert_eq!(known, (*MINORS.start()..FIRST_THAT_TELLS).collect::<Vec<_>>());
    }

    #[test]
    fn what_3_13_tells() {
        let mut words = [0u64; TOLD_BYTES / 8];
        words[0] = u64::from_le_bytes(*b"xdebugpy");
        for (at, offset) in [(5, 632), (8, 7264), (9, 7344), (21, 8), (23, 72), (24, 152), (29, 8), (31, 56), (33, 70)] {
            words[at] = offset;
        }
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let layout = Layout::told(13, &bytes).unwrap();
        assert_eq!((layout.interpreters, layout.walk.interp_next, layout.walk.thread_id), (632, 7264, 152));
        assert_eq!((layout.walk.frame_bytes, layout.walk.frame_at, layout.walk.frame_entry), (72, 56, 70));
        assert!(Layout::told(15, &bytes).is_none());
        assert!(Layout::told(13, &bytes[..100]).is_none());
    }

    proptest! {
        #[test]
        fn any_words_stay_in_bounds(words in prop::collection::vec(prop_oneof![any::<u64>(), 0u64..200], 80..82), minor in 12u8..16) {
            let mut bytes = b"xdebugpy".to_vec();
            bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            if let Some(layout) = Layout::told(minor, &bytes) {
                let walk = layout.walk;
                let fields = [walk.frame_back, walk.frame_code, walk.frame_at, walk.frame_entry];
                prop_assert!(fields.iter().all(|field| field < &walk.frame_bytes) && walk.frame_bytes < 128);
            }
        }
    }
}
