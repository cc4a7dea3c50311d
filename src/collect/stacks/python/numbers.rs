//! Numbers for lines of Python: what stacks hold in place of addresses.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::sample::{INTERPRETED, InterpretedFrame, StackCount};

/// Lines that have a number at one time.
const LINES_MAX: usize = 65_536;

/// Each function and line has one number, whichever process runs it.
#[derive(Default)]
pub(super) struct Numbers {
    by_frame: FxHashMap<InterpretedFrame, u64>,
    by_number: FxHashMap<u64, InterpretedFrame>,
    given: u64,
}

impl Numbers {
    /// The number of a line. It never stands for another.
    pub(super) fn of(&mut self, frame: InterpretedFrame) -> u64 {
        if let Some(&number) = self.by_frame.get(&frame) {
            return number;
        }
        let number = INTERPRETED + self.given;
        self.given += 1;
        self.by_number.insert(number, frame.clone());
        self.by_frame.insert(frame, number);
        number
    }

    /// Forgets all lines where there are too many; true if it did.
    pub(super) fn make_room(&mut self) -> bool {
        let is_full = self.by_frame.len() >= LINES_MAX;
        if is_full {
            *self = Numbers { given: self.given, ..Numbers::default() };
        }
        is_full
    }

    /// What the numbers in these stacks stand for.
    pub(super) fn used_in(&self, stacks: &[StackCount]) -> Vec<(u64, InterpretedFrame)> {
        let numbers: FxHashSet<u64> = stacks.iter().flat_map(|stack| &*stack.user).copied().filter(|&a| a >= INTERPRETED).collect();
        numbers.into_iter().filter_map(|number| Some((number, self.by_number.get(&number)?.clone()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_never_changes_its_meaning() {
        let frame = |line| InterpretedFrame { function: "f".into(), file: "f.py".into(), line };
        let mut numbers = Numbers::default();
        let one = numbers.of(frame(1));
        assert_eq!((numbers.of(frame(1)), one >= INTERPRETED), (one, true));
        let stack = StackCount { user: [7, one].into(), ..StackCount::default() };
        assert_eq!(numbers.used_in(&[stack.clone(), stack.clone()]), [(one, frame(1))]);
        for line in 2..=LINES_MAX as u32 {
            assert!(!numbers.make_room());
            numbers.of(frame(line));
        }
        assert!(numbers.make_room());
        assert!(numbers.used_in(&[stack]).is_empty());
        assert!(numbers.of(frame(1)) >= INTERPRETED + LINES_MAX as u64);
    }
}
