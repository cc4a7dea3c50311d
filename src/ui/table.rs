//! The table: headings and the lines that are on screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::text::{Pen, centre};
use super::theme::Role;
use super::{cgroups, paint_line};
use crate::app::column::{Align, Cell, Column, Columns, Tone};
use crate::app::forest::Branch;
use crate::app::layout::Layout;
use crate::app::lines::LineKey;
use crate::app::status::instead_of_lines;
use crate::app::table::{Placed, Table};
use crate::app::{App, ProcessTable, table_width};

/// Draws the table of the view on screen; in place of its lines, where there are none, why.
pub fn draw(buffer: &mut Buffer, layout: &Layout, app: &App, pen: Pen) {
    let instead = instead_of_lines(app);
    if let Some(table) = app.process_table() {
        let columns = headings(buffer, layout, table, pen);
        if instead.is_none() {
            processes(buffer, layout, app, (table, &columns), pen);
        }
    }
    if let Some(table) = app.socket_table() {
        let shown = |line| app.socket(line).map(|row| (if row.socket.closed { Role::Exited } else { Role::Text }, row));
        others(buffer, layout, app, table, instead.is_none(), shown, pen);
    }
    if let Some(table) = app.remote_table() {
        let shown = |line| app.remote(line).map(|row| (if row.remote.sockets == 0 { Role::Exited } else { Role::Text }, row));
        others(buffer, layout, app, table, instead.is_none(), shown, pen);
    }
    if let Some(table) = app.interface_table() {
        others(buffer, layout, app, table, instead.is_none(), |line| app.interface(line).map(|row| (Role::Text, row)), pen);
    }
    if let Some(table) = app.cgroup_table() {
        let columns = headings(buffer, layout, table, pen);
        if instead.is_none() {
            cgroups::draw(buffer, layout, app, (table, &columns), pen);
        }
    }
    if let Some(paragraphs) = instead {
        centre(buffer, layout.body, &paragraphs, pen);
    }
}

fn processes(buffer: &mut Buffer, layout: &Layout, app: &App, (table, columns): (&ProcessTable, &[Placed<Column>]), pen: Pen) {
    let has_inner_pid = columns.iter().any(|placed| placed.column == Column::InnerPid);
    for (index, (y, selected, (key, line))) in (table.visible(0).0..).zip(on_screen(layout, table)) {
        let Some(row) = app.row(line).map(|row| row.with_trends(app.trends()).with_inner_pid(!has_inner_pid)) else { continue };
        let branch = app.branch(index);
        let role = match row.task() {
            Some(task) if app.is_tagged(task.key) => Role::Tagged,
            Some(_) if branch.is_context => Role::Dim,
            _ if row.is_exited() => Role::Exited,
            _ if row.is_new() => Role::New,
            _ => Role::Text,
        };
        pen.put(buffer, (layout.body.x, y), mark(app, key, role), 1, role);
        for placed in columns {
            let mut cell = placed.column.cell_in(&row, placed.width, app.look().units);
            if placed.column.takes_the_rest() {
                hide(&mut cell, table.hidden_cells());
                indent(&mut cell, placed.width, key, branch);
            }
            put_cell(buffer, y, layout.body.x + 1, placed, &cell, (placed.column == table.sort, role), pen);
        }
        if selected {
            paint_line(buffer, layout.body, y, pen, Role::Selected);
        }
    }
}

/// Tables of anything but processes: headings, and lines where there are any. `shown` gives a line its role and its figures.
fn others<'a, K: Copy + Ord, C: Columns>(
    buffer: &mut Buffer,
    layout: &Layout,
    app: &App,
    table: &Table<K, u32, C>,
    has_lines: bool,
    shown: impl Fn(u32) -> Option<(Role, C::Row<'a>)>,
    pen: Pen,
) {
    let columns = headings(buffer, layout, table, pen);
    for (y, selected, (_, line)) in on_screen(layout, table).filter(|_| has_lines) {
        let Some((role, row)) = shown(line) else { continue };
        for placed in &columns {
            let mut cell = placed.column.cell_in(&row, placed.width, app.look().units);
            if placed.column.takes_the_rest() {
                hide(&mut cell, table.hidden_cells());
            }
            put_cell(buffer, y, layout.body.x + 1, placed, &cell, (placed.column == table.sort, role), pen);
        }
        if selected {
            paint_line(buffer, layout.body, y, pen, Role::Selected);
        }
    }
}

/// Takes away the beginning of a text that stands left of the screen.
pub(super) fn hide(cell: &mut Cell, cells: usize) {
    if cells > 0 {
        let at = cell.text.char_indices().nth(cells).map_or(cell.text.len(), |(at, _)| at);
        cell.text.drain(..at);
    }
}

/// The lines in the window: row of the screen, whether selected, the line.
pub(super) fn on_screen<K: Copy + Ord, L: Copy, C: Columns>(
    layout: &Layout,
    table: &Table<K, L, C>,
) -> impl Iterator<Item = (u16, bool, (K, L))> {
    let (from, lines) = table.visible(usize::from(layout.body.height));
    let (y, cursor) = (layout.body.y, table.cursor());
    lines.iter().enumerate().map(move |(i, line)| (y + i as u16, from + i == cursor, *line))
}

/// Draws the headings and says where the columns stand.
fn headings<K: Copy + Ord, L: Copy, C: Columns>(buffer: &mut Buffer, layout: &Layout, table: &Table<K, L, C>, pen: Pen) -> Vec<Placed<C>> {
    let area = layout.headings;
    let columns = table.placed(table_width(layout));
    paint_line(buffer, area, area.y, pen, Role::Heading);
    if table.is_shifted() {
        pen.put(buffer, (area.x, area.y), "<", 1, Role::Accent);
    }
    for placed in &columns {
        let spec = placed.column.spec();
        let sorted = placed.column == table.sort;
        let x = area.x + 1 + placed.x;
        let role = if sorted { Role::Accent } else { Role::Heading };
        match spec.align {
            Align::Left => {
                pen.put(buffer, (x, area.y), spec.title, placed.width, role);
            }
            Align::Right => pen.put_right(buffer, (x, area.y), spec.title, placed.width, role),
        }
    }
    if let Some(placed) = columns.iter().find(|placed| placed.column == table.sort) {
        arrow(buffer, area, placed, table.descending, pen);
    }
    columns
}

/// Marks the sorted column beside its title: on the right, or where the next title would stick to it, on the left. The column has
/// room for it on one side.
fn arrow<C: Columns>(buffer: &mut Buffer, area: Rect, placed: &Placed<C>, descending: bool, pen: Pen) {
    let spec = placed.column.spec();
    let (left, title) = (area.x + 1 + placed.x, (spec.title.width() as u16).min(placed.width));
    let x = match spec.align {
        Align::Left => left + title,
        Align::Right => {
            let end = left + placed.width;
            let is_free = end < area.right() && (end + 1 == area.right() || buffer[(end + 1, area.y)].symbol() == " ");
            if is_free || title == placed.width { end } else { end - title - 1 }
        }
    };
    if x < area.right() {
        pen.put(buffer, (x, area.y), if descending { "▾" } else { "▴" }, 1, Role::Accent);
    }
}

/// The mark left of a line, so that colour does not stand alone: tagged, new; and whether the exited are unfolded.
fn mark(app: &App, key: LineKey, role: Role) -> &'static str {
    match (role, key) {
        (Role::Tagged, _) => "*",
        (Role::New, _) => "+",
        (_, LineKey::Exited) if app.unfolded() => "▾",
        (_, LineKey::Exited) => "▸",
        _ => "",
    }
}

/// Sets a line off from the one it is below, and says whether something is hidden below it.
fn indent(cell: &mut Cell, width: u16, key: LineKey, branch: Branch) {
    let sign = match key {
        LineKey::Command(_) => return cell.text.insert_str(0, "  "),
        _ if branch.is_folded => "▸",
        LineKey::Group(_) => "▾",
        _ if branch.depth > 0 => " ",
        _ => return,
    };
    cell.text.insert_str(0, &(branch.drawn(usize::from(width / 2)) + sign));
}

pub(super) fn put_cell<C: Columns>(
    buffer: &mut Buffer,
    y: u16,
    left: u16,
    placed: &Placed<C>,
    cell: &Cell,
    (sorted, line): (bool, Role),
    pen: Pen,
) {
    let role = match cell.tone {
        Tone::Dim => Role::Dim,
        Tone::Hot if line == Role::Text => Role::Hot,
        _ => line,
    };
    let at = (left + placed.x, y);
    match placed.column.spec().align {
        Align::Left => {
            pen.put(buffer, at, &cell.text, placed.width, role);
        }
        Align::Right => pen.put_right(buffer, at, &cell.text, placed.width, role),
    }
    if sorted && cell.tone != Tone::Dim {
        buffer.set_style(Rect::new(at.0, y, placed.width, 1), pen.theme.style(Role::Sorted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::column::sets;
    use crate::app::look::Header;
    use crate::app::table::List;

    /// The headings of a table that is sorted by each of its columns, at each width and step to the right.
    fn check<C: Columns>(set: crate::app::column::Set<C>) {
        for &sort in C::all() {
            let mut table: Table<u32, u32, C> = Table::new(set, sort);
            for (width, shifts) in (60..=240).map(|width| (width, width % 4)) {
                (0..4).for_each(|_| table.shift_by(false));
                (0..shifts).for_each(|_| table.shift_by(true));
                let layout = Layout::of(width, 24, 2, Header::Auto).unwrap();
                let mut buffer = Buffer::empty(Rect::new(0, 0, width, 24));
                let shown = headings(&mut buffer, &layout, &table, Pen::new(crate::ui::theme::Theme::default()));
                // The first cell says that something stands left of the screen.
                let line: String = (1..width).map(|x| buffer[(x, layout.headings.y)].symbol()).collect();
                let found: Vec<&str> = line.split_whitespace().collect();
                let mut titles: Vec<String> = shown.iter().map(|placed| placed.column.spec().title.to_owned()).collect();
                let marked = found.iter().position(|title| title.contains(['▾', '▴']));
                assert_eq!(marked.is_some(), shown.iter().any(|placed| placed.column == sort), "{sort:?} at {width}: {line}");
                if let Some(at) = marked {
                    let bare: String = found[at].chars().filter(|c| !"▾▴".contains(*c)).collect();
                    assert_eq!(bare, sort.spec().title, "{sort:?} at {width}: {line}");
                    titles[at] = found[at].to_owned();
                }
                assert_eq!(found, titles, "{sort:?} at {width}: {line}");
            }
        }
    }

    #[test]
    fn the_mark_of_the_order_sticks_to_its_own_title_alone() {
        [sets::PROCESSES, sets::CPU, sets::MEMORY, sets::NETWORK, sets::DISK].into_iter().for_each(check);
        [sets::SOCKETS, sets::LISTENERS].into_iter().for_each(check);
        check(sets::REMOTES);
        check(sets::INTERFACES);
        check(sets::CGROUPS);
    }
}
