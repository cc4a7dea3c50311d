//! What stands on the terminal, as far as it was drawn: a few letters that stay are written again where that is shorter than a move.

use super::style::Style;

/// The longest gap between two changes that is written over: a move to the right takes three bytes at least, mostly four.
const GAP: u16 = 3;

/// A letter of one byte and its style; `None` for what is longer, or not known.
type Letter = Option<(u8, Style)>;

/// The letters of the screen, row by row.
#[derive(Default)]
pub(super) struct Shown {
    columns: u16,
    cells: Vec<Letter>,
    /// What the cells after those are.
    rest: Letter,
}

impl Shown {
    /// Rows have so many columns; if they had others before, nothing is known.
    pub(super) fn fit(&mut self, columns: u16) {
        if columns != self.columns {
            *self = Shown { columns, ..Shown::default() };
        }
    }

    /// All is blank.
    pub(super) fn clear(&mut self, columns: u16) {
        *self = Shown { columns, cells: Vec::new(), rest: Some((b' ', Style::default())) };
    }

    /// Nothing is known any more.
    pub(super) fn forget(&mut self) {
        *self = Shown { columns: self.columns, ..Shown::default() };
    }

    /// A cell, and those that a wide character covers, show this now.
    pub(super) fn note(&mut self, (x, y): (u16, u16), width: u16, symbol: &str, style: Style) {
        let at = usize::from(y) * usize::from(self.columns) + usize::from(x);
        let end = at + usize::from(width.max(1));
        if self.cells.len() < end {
            self.cells.resize(end, self.rest);
        }
        let letter = match symbol.as_bytes() {
            [letter @ b' '..=b'~'] => Some((*letter, style)),
            _ => None,
        };
        self.cells[at..end].fill(letter);
    }

    /// The letters from one cell of a row up to another, if they are few, known, and in this style.
    pub(super) fn between(&self, from: u16, to: u16, y: u16, style: Style) -> Option<impl Iterator<Item = u8>> {
        let start = usize::from(y) * usize::from(self.columns);
        let count = to.checked_sub(from).filter(|count| (1..=GAP).contains(count))?;
        let start = start + usize::from(from);
        let cells = (start..start + usize::from(count)).map(|at| self.cells.get(at).copied().unwrap_or(self.rest));
        let are_known = cells.clone().all(|cell| cell.is_some_and(|(_, of)| of == style));
        are_known.then(|| cells.flatten().map(|(letter, _)| letter))
    }
}
