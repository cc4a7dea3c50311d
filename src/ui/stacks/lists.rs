//! The hottest functions as a table, and callers with callees as an indented tree.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::text::{fit_name, grouped, letter, percent, put};
use crate::app::stacks::{StacksView, TreeRow};
use crate::model::stacks::{HotFunction, Label};

/// Cells of ` SELF% TOTAL%  SAMPLES `.
const NUMBERS: u16 = 23;
/// Cells of the module and source columns, and the width from which they appear.
const MODULE: (u16, u16) = (20, 60);
const SOURCE: (u16, u16) = (26, 100);

/// Draws the hottest functions; the chosen one is marked where `is_chosen` says that this list has the cursor.
pub fn draw_functions(buf: &mut Buffer, area: Rect, view: &StacksView, has_cursor: bool) {
    let mut lines = area.rows();
    let Some(head) = lines.next() else { return };
    let columns = Columns::of(area.width, true);
    columns.draw(buf, head, " SELF% TOTAL%  SAMPLES", ["FUNCTION", "MODULE", "WHERE"], heading());
    let chosen = if has_cursor { view.function_index() } else { 0 };
    let first = first_line(chosen, usize::from(area.height) - 1);
    for ((i, function), line) in view.functions().iter().enumerate().skip(first).zip(lines) {
        let is_chosen = has_cursor && i == chosen;
        let whole = view.tree().total();
        let HotFunction { label, own, total, source } = function;
        let numbers = format!("{:>6} {:>6} {:>8}", percent(*own, whole), percent(*total, whole), grouped(*own));
        let name = name_cell(view, label, columns.name);
        let style = line_style(is_chosen, *own == 0, view.is_match(label));
        columns.draw(buf, line, &numbers, [&name, &label.module, source.as_deref().unwrap_or("")], style);
        mark(buf, line, is_chosen);
    }
}

/// Draws callers and callees.
pub fn draw_tree(buf: &mut Buffer, area: Rect, view: &StacksView) {
    let mut lines = area.rows();
    let Some(head) = lines.next() else { return };
    let columns = Columns::of(area.width, false);
    columns.draw(buf, head, "TOTAL%  SELF%  SAMPLES", ["FUNCTION", "MODULE", ""], heading());
    let rows = view.tree_rows();
    let chosen = rows.iter().position(|row| Some(row.node) == view.chosen());
    let first = first_line(chosen.unwrap_or(0), usize::from(area.height) - 1);
    for ((i, row), line) in rows.iter().enumerate().skip(first).zip(lines) {
        draw_tree_row(buf, line, view, *row, &columns, Some(i) == chosen);
    }
}

fn draw_tree_row(buf: &mut Buffer, line: Rect, view: &StacksView, row: TreeRow, columns: &Columns, is_chosen: bool) {
    let tree = view.tree();
    let (node, label, whole) = (tree.node(row.node), tree.label(row.node), tree.total());
    let numbers = format!("{:>6} {:>6} {:>8}", percent(node.total, whole), percent(node.own, whole), grouped(node.total));
    let indent = (2 * row.indent).min(usize::from(columns.name) / 2);
    let name = format!("{}{}", " ".repeat(indent), name_cell(view, label, columns.name - indent as u16));
    columns.draw(buf, line, &numbers, [&name, &label.module, ""], line_style(is_chosen, false, view.is_match(label)));
    mark(buf, line, is_chosen);
}

/// Widths of the columns after the numbers.
struct Columns {
    name: u16,
    module: u16,
    source: u16,
}

impl Columns {
    fn of(width: u16, has_source: bool) -> Self {
        let shown = |(cells, from): (u16, u16)| if width >= from { cells } else { 0 };
        let (module, source) = (shown(MODULE), if has_source { shown(SOURCE) } else { 0 });
        Columns { name: width.saturating_sub(NUMBERS + module + source), module, source }
    }

    fn draw(&self, buf: &mut Buffer, line: Rect, numbers: &str, [name, module, source]: [&str; 3], style: Style) {
        buf.set_style(line, style);
        put(buf, line, numbers, style);
        let mut x = line.x + NUMBERS.min(line.width);
        for (text, cells) in [(name, self.name), (module, self.module), (source, self.source)] {
            put(buf, Rect { x, width: cells.saturating_sub(1), ..line }, text, style);
            x += cells;
        }
    }
}

fn name_cell(view: &StacksView, label: &Label, width: u16) -> String {
    let prefix = format!("{}{}", if view.is_match(label) { "*" } else { "" }, letter(label));
    let cells = usize::from(width).saturating_sub(prefix.width() + 1);
    format!("{prefix}{}", fit_name(&label.name, cells))
}

/// Pages, so that the cursor moves and the list mostly does not.
fn first_line(chosen: usize, lines: usize) -> usize {
    chosen - chosen % lines.max(1)
}

fn mark(buf: &mut Buffer, line: Rect, is_chosen: bool) {
    if is_chosen {
        put(buf, Rect { width: 1, ..line }, "▸", Style::new());
    }
}

fn heading() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

fn line_style(is_chosen: bool, is_faint: bool, is_match: bool) -> Style {
    let mut style = Style::new();
    if is_chosen {
        style = style.add_modifier(Modifier::REVERSED);
    } else if is_faint {
        style = style.add_modifier(Modifier::DIM);
    }
    if is_match { style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED) } else { style }
}
