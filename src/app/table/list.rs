//! What keys and clicks do to a table, whatever its lines are.

use super::{SHIFTS_MAX, Table};
use crate::app::column::{Columns, Spec};

/// What keys and mouse do to any table.
pub trait List {
    /// Moves the selection by so many lines.
    fn move_by(&mut self, lines: isize);
    /// First line; lets go of the selection.
    fn home(&mut self);
    /// Last line.
    fn end(&mut self);
    /// Selects a line on screen; false if there is none.
    fn click(&mut self, line: usize) -> bool;
    /// Index of the first line on screen.
    fn first_shown(&self) -> usize;
    /// Scrolls the window, and the selection as far as it must.
    fn scroll(&mut self, lines: isize, height: usize);
    /// Moves the window so that the selection is in it.
    fn follow(&mut self, height: usize);
    /// Remembers what is selected, to come back to.
    fn set_mark(&mut self);
    /// Selects that again, wherever it stands by now; whichever is first where nothing had been chosen.
    fn return_to_mark(&mut self);
    /// Turns the order round.
    fn invert(&mut self);
    /// A step to the right, or back.
    fn shift_by(&mut self, right: bool);
    /// What is fixed about its columns, in order; and the index of the one it is sorted by.
    fn specs(&self) -> (Vec<&'static Spec>, usize);
    /// Sorts by the column at an index of that list.
    fn sort_nth(&mut self, index: usize);
    /// Sorts by the column of that name, as it is sorted by at first; a name of another kind of table changes nothing.
    fn sort_named(&mut self, name: &str);
    /// Index of the column shown at `x` in that list.
    fn column_at(&self, x: u16, width: u16) -> Option<usize>;
    /// Sorts by the column shown at `x`; false if there is none.
    fn sort_at(&mut self, x: u16, width: u16) -> bool;
    /// Takes columns by their names in place of its own; those of another kind of table are left out.
    fn choose(&mut self, names: Option<&[&'static str]>);
    /// What can be chosen, each with whether it is: those first, in their order. Without the column that takes the rest.
    fn choice(&self) -> Vec<(&'static Spec, bool)>;
    /// Heading of the column that takes the rest of the width.
    fn last_title(&self) -> &'static str;
    /// Heading of the column it is sorted by.
    fn sorted_by(&self) -> &'static str;
}

impl<K: Copy + Ord, L: Copy, C: Columns> List for Table<K, L, C> {
    fn move_by(&mut self, lines: isize) {
        self.move_to(self.cursor.saturating_add_signed(lines));
    }

    fn set_mark(&mut self) {
        self.mark = self.selected;
    }

    fn return_to_mark(&mut self) {
        self.selected = self.mark;
        self.find_selected();
    }

    fn home(&mut self) {
        self.selected = None;
        self.cursor = 0;
    }

    fn end(&mut self) {
        self.move_to(usize::MAX);
    }

    fn click(&mut self, line: usize) -> bool {
        let index = self.offset + line;
        let there = index < self.lines.len();
        if there {
            self.move_to(index);
        }
        there
    }

    fn first_shown(&self) -> usize {
        self.offset
    }

    fn scroll(&mut self, lines: isize, height: usize) {
        let last = self.lines.len().saturating_sub(height);
        self.offset = self.offset.saturating_add_signed(lines).min(last);
        let window = self.offset..=self.offset + height.saturating_sub(1);
        if !window.contains(&self.cursor) {
            self.move_to(self.cursor.clamp(*window.start(), *window.end()));
        }
    }

    fn follow(&mut self, height: usize) {
        let last = self.lines.len().saturating_sub(height);
        let lowest = (self.cursor + 1).saturating_sub(height);
        self.offset = self.offset.clamp(lowest, self.cursor.max(lowest)).min(last);
    }

    fn invert(&mut self) {
        self.sort_by(self.sort);
    }

    fn shift_by(&mut self, right: bool) {
        let most = self.all().len().saturating_sub(2) + SHIFTS_MAX;
        self.shift = if right { (self.shift + 1).min(most) } else { self.shift.saturating_sub(1) };
    }

    fn specs(&self) -> (Vec<&'static Spec>, usize) {
        let mut columns = self.all();
        let at = columns.iter().position(|c| *c == self.sort).unwrap_or_else(|| {
            columns.push(self.sort);
            columns.len() - 1
        });
        (columns.into_iter().map(|c| c.spec()).collect(), at)
    }

    fn sort_nth(&mut self, index: usize) {
        let column = self.all().get(index).copied();
        if let Some(column) = column.filter(|c| *c != self.sort) {
            self.sort_by(column);
        }
    }

    fn sort_named(&mut self, name: &str) {
        if let Some(column) = C::named(name) {
            (self.sort, self.descending) = (column, column.descends());
        }
    }

    fn column_at(&self, x: u16, width: u16) -> Option<usize> {
        let hit = self.placed(width).into_iter().find(|p| (p.x..=p.x.saturating_add(p.width)).contains(&x))?;
        self.specs().0.iter().position(|spec| spec.name == hit.column.spec().name)
    }

    fn sort_at(&mut self, x: u16, width: u16) -> bool {
        let placed = self.placed(width);
        let hit = placed.into_iter().find(|p| (p.x..=p.x.saturating_add(p.width)).contains(&x));
        if let Some(hit) = &hit {
            self.sort_by(hit.column);
        }
        hit.is_some()
    }

    fn choose(&mut self, names: Option<&[&'static str]>) {
        let column = |name: &&str| C::all().iter().copied().find(|c| c.spec().name == *name);
        self.chosen = names.map(|names| names.iter().filter_map(column).chain(C::all().last().copied()).collect());
    }

    fn choice(&self) -> Vec<(&'static Spec, bool)> {
        let chosen = self.chosen.as_deref().unwrap_or(self.set.first);
        let others = C::all().iter().filter(|column| !chosen.contains(column)).map(|column| (column, false));
        let all = chosen.iter().map(|column| (column, true)).chain(others);
        all.filter(|(column, _)| !column.takes_the_rest()).map(|(column, is_chosen)| (column.spec(), is_chosen)).collect()
    }

    fn last_title(&self) -> &'static str {
        C::all().last().map_or("", |column| column.spec().title)
    }

    fn sorted_by(&self) -> &'static str {
        self.sort.spec().title
    }
}
