//! From an instruction to its source line: the line tables that CPython keeps with each code object. They come from a process: any
//! bytes decode to something, in time and memory proportional to their number.

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `co_lnotab` of 3.8 and 3.9: steps of instruction and line (Objects/lnotab_notes.txt).
    Steps,
    /// `co_linetable` of 3.10: ranges of instructions, each with its step of lines (PEP 626).
    Ranges,
    /// `co_linetable` from 3.11 on: entries of variable length with columns (Objects/locations.md).
    Locations,
}

/// Lines of the instructions of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    /// First byte of bytecode and its line (0 = none), ascending; each holds up to the next.
    starts: Box<[(u32, u32)]>,
}

impl Lines {
    /// Decodes a table whose first line is `first`.
    pub(super) fn decode(format: Format, table: &[u8], first: u32) -> Lines {
        let mut lines = Builder { starts: Vec::new(), at: 0, line: i64::from(first) };
        match format {
            Format::Steps => lines.steps(table),
            Format::Ranges => lines.ranges(table),
            Format::Locations => lines.locations(table),
        }
        Lines { starts: lines.starts.into() }
    }

    /// The line of the instruction at this byte; 0 where it has none.
    pub(super) fn at(&self, byte: u32) -> u32 {
        let after = self.starts.partition_point(|(start, _)| *start <= byte);
        after.checked_sub(1).map_or(0, |i| self.starts[i].1)
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.starts)
    }
}

struct Builder {
    starts: Vec<(u32, u32)>,
    /// Byte of bytecode the table has come to.
    at: u32,
    line: i64,
}

impl Builder {
    fn steps(&mut self, table: &[u8]) {
        self.mark(Some(self.line));
        for step in table.chunks_exact(2) {
            self.at = self.at.saturating_add(step[0].into());
            self.line = self.line.saturating_add((step[1] as i8).into());
            self.mark(Some(self.line));
        }
    }

    fn ranges(&mut self, table: &[u8]) {
        for range in table.chunks_exact(2) {
            let step = range[1] as i8;
            if step == i8::MIN {
                self.mark(None);
            } else {
                self.line = self.line.saturating_add(step.into());
                self.mark(Some(self.line));
            }
            self.at = self.at.saturating_add(range[0].into());
        }
        self.mark(None);
    }

    fn locations(&mut self, table: &[u8]) {
        /// Bytes of an instruction.
        const UNIT: u32 = 2;
        let mut rest = table;
        while let [head, tail @ ..] = rest {
            // Only the first byte of an entry has its top bit set.
            let len = tail.iter().position(|byte| byte & 0x80 != 0).unwrap_or(tail.len());
            let (body, next) = tail.split_at(len);
            let kind = (head >> 3) & 15;
            let step = match kind {
                10..=12 => Some(i64::from(kind) - 10),
                13 | 14 => Some(signed(body)),
                15 => None,
                _ => Some(0),
            };
            if let Some(step) = step {
                self.line = self.line.saturating_add(step);
            }
            self.mark(step.map(|_| self.line));
            self.at = self.at.saturating_add(UNIT * (u32::from(head & 7) + 1));
            rest = next;
        }
        self.mark(None);
    }

    /// The instructions from here on are of `line`.
    fn mark(&mut self, line: Option<i64>) {
        let line = line.and_then(|line| u32::try_from(line).ok()).unwrap_or(0);
        match self.starts.last_mut() {
            Some((at, last)) if *at == self.at => *last = line,
            Some((_, last)) if *last == line => {}
            _ => self.starts.push((self.at, line)),
        }
    }
}

/// A signed number: groups of 6 bits, lowest first, bit 6 says that one more follows; the lowest bit of all is the sign.
fn signed(bytes: &[u8]) -> i64 {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 63) << (6 * i);
        if byte & 64 == 0 {
            break;
        }
    }
    let magnitude = (value >> 1) as i64;
    if value & 1 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(format: Format, table: &[u8], first: u32, at: &[u32]) -> Vec<u32> {
        let lines = Lines::decode(format, table, first);
        at.iter().map(|&byte| lines.at(byte)).collect()
    }

    #[test]
    fn steps_of_3_8() {
        // def f(): / a / (300 bytes) / b, three lines up: a step over 255 bytes takes two pairs.
        let table = [0, 1, 255, 0, 45, 253];
        assert_eq!(lines(Format::Steps, &table, 10, &[0, 2, 298, 300, 900]), [11, 11, 11, 8, 8]);
    }

    #[test]
    fn ranges_of_3_10() {
        let table = [4, 1, 2, 0x80, 6, 2];
        assert_eq!(lines(Format::Ranges, &table, 10, &[0, 3, 4, 6, 11, 12]), [11, 11, 0, 13, 13, 0]);
    }

    #[test]
    fn locations_of_3_11() {
        // Short form (same line), one line down, long form with a step of -40, none.
        let table = [0x80 | 1, 0, 0x80 | 11 << 3, 4, 5, 0x80 | 14 << 3 | 1, 64 | 17, 1, 0, 0, 0, 0x80 | 15 << 3];
        assert_eq!(lines(Format::Locations, &table, 100, &[0, 3, 4, 6, 8, 10]), [100, 100, 101, 61, 61, 0]);
    }

    proptest! {
        #[test]
        fn any_bytes_decode(table in prop::collection::vec(any::<u8>(), 0..300), first: u32, at: u32) {
            for format in [Format::Steps, Format::Ranges, Format::Locations] {
                let lines = Lines::decode(format, &table, first);
                prop_assert!(lines.starts.len() <= table.len() + 1 && lines.starts.is_sorted_by(|a, b| a.0 < b.0));
                lines.at(at);
            }
        }
    }
}
