//! Frames in pieces, for slow lines: what is new goes first, what was not sent yet follows when there is room.

use std::collections::{BTreeMap, VecDeque};

use ratatui::buffer::{Cell, CellWidth};

use crate::ui::pace::Written;

/// Cells that were drawn and are still to be sent.
pub(super) struct Pieces {
    /// Bytes sent with each drawing, about.
    pub(super) bytes: usize,
    /// Those of the newest drawing, in its order: columns and rows.
    new: VecDeque<((u16, u16), Cell)>,
    /// Older ones, row by row: rows and columns.
    old: BTreeMap<(u16, u16), Cell>,
    written: Written,
}

impl Pieces {
    pub(super) fn new(bytes: usize, written: Written) -> Pieces {
        Pieces { bytes, new: VecDeque::new(), old: BTreeMap::new(), written }
    }

    /// Takes the changes of a drawing. What they stand in place of need not be sent any more.
    pub(super) fn take_in<'a>(&mut self, changes: impl Iterator<Item = (u16, u16, &'a Cell)>) {
        self.old.extend(self.new.drain(..).map(|((x, y), cell)| ((y, x), cell)));
        for (x, y, cell) in changes {
            for covered in x..x.saturating_add(cell.cell_width().max(1)) {
                self.old.remove(&(y, covered));
            }
            self.new.push_back(((x, y), cell.clone()));
        }
    }

    /// The cell that goes out next, and its column and row.
    pub(super) fn next(&mut self) -> Option<((u16, u16), Cell)> {
        self.new.pop_front().or_else(|| self.old.pop_first().map(|((y, x), cell)| ((x, y), cell)))
    }

    /// Tells whether there is more to send.
    pub(super) fn tell(&self) {
        self.written.set_behind(self.is_behind());
    }

    /// There is more to send.
    pub(super) fn is_behind(&self) -> bool {
        !self.new.is_empty() || !self.old.is_empty()
    }

    /// The terminal was cleared: all will be drawn anew.
    pub(super) fn forget(&mut self) {
        self.new.clear();
        self.old.clear();
        self.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(pieces: &mut Pieces) -> Option<(u16, u16, String)> {
        pieces.next().map(|((x, y), cell)| (x, y, cell.symbol().to_string()))
    }

    #[test]
    fn what_is_new_goes_first_and_what_it_replaces_never() {
        let mut pieces = Pieces::new(10, Written::default());
        let cell = |symbol: &'static str| Cell::new(symbol);
        let (a, b, c, wide) = (cell("a"), cell("b"), cell("c"), cell("日"));
        pieces.take_in([(0, 0, &a), (5, 1, &b), (6, 1, &c), (0, 2, &c)].into_iter());
        assert_eq!(next(&mut pieces), Some((0, 0, "a".into())));
        pieces.take_in([(0, 3, &a), (5, 1, &wide)].into_iter());
        pieces.tell();
        assert!(pieces.written.is_behind());
        assert_eq!([next(&mut pieces), next(&mut pieces)], [Some((0, 3, "a".into())), Some((5, 1, "日".into()))]);
        assert_eq!([next(&mut pieces), next(&mut pieces)], [Some((0, 2, "c".into())), None]);
        pieces.tell();
        assert!(!pieces.written.is_behind());
    }
}
