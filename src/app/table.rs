//! A table as its reader left it: sorted column, order, selection and scroll position. The same for processes and sockets.

mod list;
mod place;

use super::column::{self, Columns, Set};
use super::order::{self, Entry, Ranks};
pub use list::List;
use place::room_for_mark;
pub use place::{Placed, place};

/// Cells the command line gets beyond its least before further columns are added.
const ROOM_FOR_COMMAND: u16 = 28;

/// Cells that a step to the right shifts command lines.
const SHIFT: usize = 10;
/// Steps beyond the last column; no command line is kept that long.
const SHIFTS_MAX: usize = 512;

/// Lines of type `L`, known by `K`, under columns `C`.
#[derive(Clone, Debug)]
pub struct Table<K, L, C: 'static> {
    /// Its columns.
    pub set: Set<C>,
    /// Columns that somebody chose in their place.
    pub chosen: Option<Vec<C>>,
    /// Those of its columns that have nothing to show: they do not come by themselves where there is room.
    left_out: Vec<C>,
    /// Column it is sorted by.
    pub sort: C,
    /// Largest first.
    pub descending: bool,
    /// The lines in order, after the filter.
    pub lines: Vec<(K, L)>,
    /// Index of the first line on screen.
    pub offset: usize,
    /// Steps to the right: each takes a column away on the left, then a part of the command lines.
    shift: usize,
    /// The selected line. `None`: whichever is first, so that the hottest stays in sight until somebody chooses.
    selected: Option<K>,
    /// Index of the selected line.
    cursor: usize,
    /// What was selected when somebody set out to search.
    mark: Option<K>,
    ranks: Ranks<K>,
}

impl<K: Copy + Ord, L: Copy, C: Columns> Table<K, L, C> {
    /// An empty table.
    pub fn new(set: Set<C>, sort: C) -> Self {
        Table {
            set,
            chosen: None,
            left_out: Vec::new(),
            sort,
            descending: sort.descends(),
            lines: Vec::new(),
            offset: 0,
            shift: 0,
            selected: None,
            cursor: 0,
            mark: None,
            ranks: Ranks::default(),
        }
    }

    /// Takes a tick's lines, ascending by key. Returns the selected key if it is not among them; the selection then moves to its neighbour.
    pub fn arrange(&mut self, entries: &[Entry<'_, K, L>]) -> Option<K> {
        let lines = self.sort(entries);
        self.show(lines)
    }

    /// Brings entries, ascending by key, in the order that somebody asked for.
    pub fn sort<M: Copy>(&mut self, entries: &[Entry<'_, K, M>]) -> Vec<(K, M)> {
        order::sort(entries, self.descending, &mut self.ranks)
    }

    /// Takes lines as they are to stand; see [`Table::arrange`].
    pub fn show(&mut self, lines: Vec<(K, L)>) -> Option<K> {
        self.lines = lines;
        self.find_selected()
    }

    /// Puts `more` below the line of that key.
    pub fn insert_below(&mut self, key: K, more: impl Iterator<Item = (K, L)>) {
        if let Some(at) = self.lines.iter().position(|(k, _)| *k == key) {
            self.lines.splice(at + 1..at + 1, more);
        }
    }

    /// Finds the selected line after the lines changed.
    pub fn find_selected(&mut self) -> Option<K> {
        let Some(key) = self.selected else {
            self.cursor = 0;
            return None;
        };
        if let Some(at) = self.lines.iter().position(|(k, _)| *k == key) {
            self.cursor = at;
            return None;
        }
        self.move_to(self.cursor);
        Some(key)
    }

    /// The selected line, unless the table is empty.
    pub fn current(&self) -> Option<(K, L)> {
        self.lines.get(self.cursor).copied()
    }

    /// Index of the selected line.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// The key somebody chose.
    pub fn selected(&self) -> Option<K> {
        self.selected
    }

    /// Selects a key, present or not; see [`Table::find_selected`].
    pub fn select(&mut self, key: Option<K>) {
        self.selected = key;
    }

    /// Selects the line at an index, or the last.
    pub fn move_to(&mut self, index: usize) {
        self.cursor = index.min(self.lines.len().saturating_sub(1));
        self.selected = self.lines.get(self.cursor).map(|(k, _)| *k);
    }

    /// Sorts by `column`; a second time inverts.
    pub fn sort_by(&mut self, column: C) {
        self.descending = if column == self.sort { !self.descending } else { column.descends() };
        self.sort = column;
        self.ranks = Ranks::default();
    }

    /// The columns that fit in `width`. Further ones come only where the command line stays readable beside them; the one it is sorted
    /// by is always there.
    pub fn columns(&self, width: u16) -> Vec<C> {
        let width = width.saturating_sub(room_for_mark(self.sort));
        if self.shift > 0 {
            return self.shifted(width);
        }
        let fit = |width| {
            if let Some(chosen) = &self.chosen {
                return column::fit(chosen, &[], width);
            }
            let lean = column::fit(self.set.first, &[], width);
            let more: Vec<C> = self.set.more.iter().copied().filter(|column| !self.left_out.contains(column)).collect();
            let rich = column::fit(self.set.first, &more, width.saturating_sub(ROOM_FOR_COMMAND));
            if rich.len() > lean.len() { rich } else { lean }
        };
        let columns = fit(width);
        if columns.contains(&self.sort) {
            return columns;
        }
        let mut columns = fit(width.saturating_sub(self.sort.spec().width + 1));
        let at = columns.iter().position(|c| c.takes_the_rest()).unwrap_or(columns.len());
        columns.insert(at, self.sort);
        columns
    }

    /// Leaves out those of its columns that have nothing to show.
    pub fn leave_out(&mut self, columns: &[C]) {
        self.left_out.clear();
        self.left_out.extend_from_slice(columns);
    }

    /// The same with their places.
    pub fn placed(&self, width: u16) -> Vec<Placed<C>> {
        place(&self.columns(width), self.sort, width)
    }

    /// All columns it has on a screen that is wide enough, in order.
    pub fn all(&self) -> Vec<C> {
        if let Some(chosen) = &self.chosen {
            return chosen.clone();
        }
        let numbers = self.set.first.iter().chain(self.set.more).filter(|c| !c.takes_the_rest());
        numbers.chain(self.set.first.iter().filter(|c| c.takes_the_rest())).copied().collect()
    }

    /// The first column stays, so that one knows whose line it is; as many others from there on as have room.
    fn shifted(&self, width: u16) -> Vec<C> {
        let all = self.all();
        let kept = all.iter().take(1).chain(all.iter().skip(1 + self.shift.min(all.len().saturating_sub(2))));
        let last = all.last().map_or(0, |c| c.spec().width);
        let mut columns = Vec::new();
        let mut left = width.saturating_sub(last);
        for column in kept.filter(|c| !c.takes_the_rest()) {
            let needs = column.spec().width + 1;
            if needs > left {
                break;
            }
            left -= needs;
            columns.push(*column);
        }
        columns.extend(all.last().filter(|c| c.takes_the_rest()));
        columns
    }

    /// Cells of command lines that stand left of the screen.
    pub fn hidden_cells(&self) -> usize {
        self.shift.saturating_sub(self.all().len().saturating_sub(2)) * SHIFT
    }

    /// Something stands left of the screen.
    pub fn is_shifted(&self) -> bool {
        self.shift > 0
    }

    /// Whether it has a column, if the screen is wide enough.
    pub fn has(&self, column: C) -> bool {
        self.chosen.as_ref().map_or(self.set.first.contains(&column) || self.set.more.contains(&column), |chosen| chosen.contains(&column))
    }

    /// The lines on a screen of `height` lines, with the index of the first.
    pub fn visible(&self, height: usize) -> (usize, &[(K, L)]) {
        let from = self.offset.min(self.lines.len());
        (from, &self.lines[from..(from + height).min(self.lines.len())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::column::{Column, Value, sets};

    type Numbers = Table<u32, (), Column>;

    fn table(values: &[(u32, f64)]) -> Numbers {
        let mut table = Table::new(sets::PROCESSES, Column::CpuPct);
        fill(&mut table, values);
        table
    }

    fn fill(table: &mut Numbers, values: &[(u32, f64)]) -> Option<u32> {
        let entries: Vec<_> = values.iter().map(|&(key, v)| Entry { key, line: (), value: Value::Percent(v) }).collect();
        table.arrange(&entries)
    }

    fn current(table: &Numbers) -> Option<u32> {
        table.current().map(|(key, ())| key)
    }

    #[test]
    fn nobody_chose_so_the_first_is_selected() {
        let mut table = table(&[(1, 10.0), (2, 50.0)]);
        assert_eq!(current(&table), Some(2));
        fill(&mut table, &[(1, 90.0), (2, 50.0)]);
        assert_eq!(current(&table), Some(1));
    }

    #[test]
    fn the_choice_stays_with_its_key() {
        let mut table = table(&[(1, 10.0), (2, 50.0), (3, 30.0)]);
        table.move_by(1);
        assert_eq!(current(&table), Some(3));
        fill(&mut table, &[(1, 99.0), (2, 50.0), (3, 1.0)]);
        assert_eq!((current(&table), table.cursor()), (Some(3), 2));
    }

    #[test]
    fn a_lost_choice_moves_to_the_neighbour() {
        let mut table = table(&[(1, 10.0), (2, 50.0), (3, 30.0)]);
        table.move_by(1);
        assert_eq!(fill(&mut table, &[(1, 10.0), (2, 50.0)]), Some(3));
        assert_eq!(current(&table), Some(1));
        assert_eq!(fill(&mut table, &[]), Some(1));
        assert_eq!(current(&table), None);
    }

    #[test]
    fn the_window_follows_and_stays_full() {
        let values: Vec<_> = (0..100).map(|i| (i, f64::from(100 - i))).collect();
        let mut table = table(&values);
        table.move_by(25);
        table.follow(10);
        assert_eq!(table.offset, 16);
        table.end();
        table.follow(10);
        assert_eq!((table.offset, table.cursor()), (90, 99));
        table.scroll(-40, 10);
        assert_eq!((table.offset, table.cursor()), (50, 59));
        fill(&mut table, &values[..5]);
        table.follow(10);
        assert_eq!(table.offset, 0);
    }

    #[test]
    fn headings_sort_and_a_second_click_inverts() {
        let mut table = table(&[(1, 1.0)]);
        assert!(table.sort_at(2, 80));
        assert_eq!((table.sorted_by(), table.descending), ("PID", Column::Pid.descends()));
        assert!(table.sort_at(2, 80));
        assert_eq!(table.descending, !Column::Pid.descends());
    }

    #[test]
    fn the_sorted_column_is_always_shown() {
        let mut table = table(&[]);
        for column in [Column::Time, Column::Cgroup, Column::Age] {
            table.sort_by(column);
            for width in [59, 79, 119] {
                let columns = table.columns(width);
                assert!(columns.contains(&column) && columns.last() == Some(&Column::Command), "{columns:?}");
                let placed = table.placed(width);
                assert!(placed.last().is_some_and(|p| p.x + p.width == width && p.width >= 12), "{placed:?}");
            }
        }
    }

    #[test]
    fn the_rest_goes_to_the_command() {
        let placed = table(&[]).placed(80);
        let last = placed.last().unwrap();
        assert_eq!((last.column, last.x + last.width), (Column::Command, 80));
        assert!(placed.windows(2).all(|p| p[0].x + p[0].width < p[1].x + 1));
    }
}
