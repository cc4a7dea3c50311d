//! Where columns stand on a line.

use unicode_width::UnicodeWidthStr;

use crate::app::column::Columns;

/// A column's place on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed<C> {
    /// Which.
    pub column: C,
    /// Cells from the left edge of the table.
    pub x: u16,
    /// Cells it takes.
    pub width: u16,
}

/// Gives each column its width, one blank between two, and the rest to the one that takes it.
pub fn place<C: Columns>(columns: &[C], sort: C, width: u16) -> Vec<Placed<C>> {
    let mut x = 0;
    let mut placed = Vec::with_capacity(columns.len());
    for &column in columns {
        let left = width.saturating_sub(x);
        let needs = column.spec().width + if column == sort { room_for_mark(sort) } else { 0 };
        let width = if column.takes_the_rest() { left } else { needs.min(left) };
        placed.push(Placed { column, x, width });
        x = x.saturating_add(width + 1);
    }
    placed
}

/// Cells that a column is wider while it is sorted by: where its title fills it, the mark beside it would take the blank to the next.
pub(super) fn room_for_mark<C: Columns>(sort: C) -> u16 {
    let spec = sort.spec();
    u16::from(spec.title.width() >= usize::from(spec.width))
}
