//! The hottest functions as a table, callers with callees as an indented tree, and the processes that have samples.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::text::{amount, changed, fit_name, heading_of, letter, percent, put, rate};
use crate::app::stacks::places::first_line;
use crate::app::stacks::{Change, StacksView, TreeRow};
use crate::format::{self, cut_front};
use crate::model::stacks::{HotFunction, Label, Sampled};
use crate::ui::flame::role_of;
use crate::ui::theme::{Role, Theme};

/// Cells of ` SELF% TOTAL%  SAMPLES ` and of `  CHANGE   BEFORE      NOW `.
const NUMBERS: (u16, u16) = (23, 27);
/// Cells of the module and source columns, and the width from which they appear.
const MODULE: (u16, u16) = (20, 60);
const SOURCE: (u16, u16) = (26, 100);
/// Of each cell beyond this width, a third goes to the source column.
const WIDE: u16 = 120;

/// Draws the hottest functions, or those that changed most; the chosen one is marked where `has_cursor` says that this list has it.
pub fn draw_functions(buf: &mut Buffer, area: Rect, view: &StacksView, has_cursor: bool, theme: Theme) {
    let mut lines = area.rows();
    let Some(head) = lines.next() else { return };
    let list = List::of(view, area.width, true, theme);
    list.draw(buf, head, &list.heading(" SELF% TOTAL%"), ["FUNCTION", "MODULE", "WHERE"], [heading(); 2]);
    let chosen = if has_cursor { view.function_index() } else { 0 };
    let first = first_line(chosen, usize::from(area.height) - 1);
    for ((i, function), line) in view.functions().iter().enumerate().skip(first).zip(lines) {
        let HotFunction { label, own, total, before, inlined, source } = function;
        let numbers = list.numbers([*own, *total], *own, before.0);
        let styles = list.styles(label, *inlined, has_cursor && i == chosen, *own == 0, view.change(before.0, *own));
        let name = list.name(label, *inlined, list.name, view.is_match(label));
        let source = cut_front(source.as_deref().unwrap_or(""), usize::from(list.source.saturating_sub(1)));
        list.draw(buf, line, &numbers, [&name, &label.module, &source], styles);
        mark(buf, line, has_cursor && i == chosen);
    }
}

/// Draws callers and callees.
pub fn draw_tree(buf: &mut Buffer, area: Rect, view: &StacksView, theme: Theme) {
    let mut lines = area.rows();
    let Some(head) = lines.next() else { return };
    let list = List::of(view, area.width, false, theme);
    list.draw(buf, head, &list.heading("TOTAL%  SELF%"), ["  FUNCTION", "MODULE", ""], [heading(); 2]);
    let rows = view.tree_rows();
    let chosen = rows.iter().position(|row| Some(row.node) == view.chosen());
    let first = first_line(chosen.unwrap_or(0), usize::from(area.height) - 1);
    for ((i, row), line) in rows.iter().enumerate().skip(first).zip(lines) {
        draw_tree_row(buf, line, *row, &list, Some(i) == chosen);
    }
}

fn draw_tree_row(buf: &mut Buffer, line: Rect, row: TreeRow, list: &List, is_chosen: bool) {
    let (view, tree) = (list.view, list.view.tree());
    let (node, label) = (tree.node(row.node), tree.label(row.node));
    let before = tree.total_before(row.node);
    let numbers = list.numbers([node.total, node.own], node.total, before);
    // A mark, and a blank where there is none, so that names stand below each other.
    let indent = (2 * row.indent + 2).min(usize::from(list.name) / 2);
    let sign = if row.folded { "+ " } else { "  " };
    let small = if row.small > 0 { format!("  …{} more", row.small) } else { String::new() };
    let room = list.name.saturating_sub((indent + small.width()) as u16);
    let name = list.name(label, node.inlined, room, view.is_match_at(row.node));
    let name = format!("{}{sign}{name}{small}", " ".repeat(indent.saturating_sub(2)));
    let styles = list.styles(label, node.inlined, is_chosen, false, view.change(before, node.total));
    list.draw(buf, line, &numbers, [&name, &label.module, ""], styles);
    mark(buf, line, is_chosen);
}

/// Draws the processes that have samples.
pub fn draw_processes(buf: &mut Buffer, area: Rect, view: &StacksView) {
    let Some((processes, chosen)) = view.listing() else { return };
    let mut lines = area.rows();
    let Some(head) = lines.next() else { return };
    let unit = view.measure().unit();
    put(buf, head, &format!("SHARE% {:>8} {:>8} {:>8}  PROCESS", heading_of(unit), "LAST", "PID"), heading());
    let whole = processes.iter().fold(0u64, |sum, process| sum.saturating_add(process.value));
    let first = first_line(chosen, usize::from(area.height) - 1);
    for ((i, process), line) in processes.iter().enumerate().skip(first).zip(lines) {
        let Sampled { key, name, value, last_ns, is_gone } = process;
        let ago = view.summary().at_ns.saturating_sub(*last_ns);
        let ago = if ago == 0 { "now".into() } else { format!("{} ago", format::duration(ago, 4)) };
        let gone = if *is_gone { "  exited" } else { "" };
        let share = percent(*value, whole);
        let text = format!("{share:>6} {:>8} {ago:>8} {:>8}  {name}{gone}", amount(unit, *value, 8), key.pid);
        let style = if i == chosen { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
        let style = if *is_gone && i != chosen { style.add_modifier(Modifier::DIM) } else { style };
        buf.set_style(line, style);
        put(buf, line, &text, style);
        mark(buf, line, i == chosen);
    }
}

/// Widths of the columns after the numbers, and what the lines are about.
struct List<'a> {
    view: &'a StacksView,
    theme: Theme,
    numbers: u16,
    name: u16,
    module: u16,
    source: u16,
}

impl<'a> List<'a> {
    fn of(view: &'a StacksView, width: u16, has_source: bool, theme: Theme) -> Self {
        let shown = |(cells, from): (u16, u16)| if width >= from { cells } else { 0 };
        let source = if has_source { shown(SOURCE) + width.saturating_sub(WIDE) / 3 } else { 0 };
        let module = shown(MODULE);
        let numbers = if view.tree().is_compared() { NUMBERS.1 } else { NUMBERS.0 };
        List { view, theme, numbers, name: width.saturating_sub(numbers + module + source), module, source }
    }

    fn heading(&self, shares: &str) -> String {
        match self.view.tree().is_compared() {
            true => format!("{:>8} {:>8} {:>8}", "CHANGE", "BEFORE", "NOW"),
            false => format!("{shares} {:>8}", heading_of(self.view.measure().unit())),
        }
    }

    /// Two shares and the value; compared, the change of the value, what it was and what it is.
    fn numbers(&self, shares: [u64; 2], value: u64, before: f64) -> String {
        let (view, unit, whole) = (self.view, self.view.measure().unit(), self.view.tree().total());
        match view.tree().is_compared() {
            true => {
                let [was, is] = [before, value as f64].map(|value| rate(unit, view.rate(value), 8));
                format!("{:>8} {was:>8} {is:>8}", changed(view, before, value))
            }
            false => format!("{:>6} {:>6} {:>8}", percent(shares[0], whole), percent(shares[1], whole), amount(unit, value, 8)),
        }
    }

    fn name(&self, label: &Label, inlined: bool, width: u16, is_match: bool) -> String {
        let prefix = format!("{}{}", if is_match { "*" } else { "" }, letter(label, inlined));
        let cells = usize::from(width).saturating_sub(prefix.width() + 1);
        format!("{prefix}{}", fit_name(&label.name, cells))
    }

    /// Styles of the line and of the name.
    fn styles(&self, label: &Label, inlined: bool, is_chosen: bool, is_faint: bool, change: Change) -> [Style; 2] {
        let is_match = self.view.is_match(label);
        if is_chosen {
            let style = self.theme.style(Role::Selected);
            return [style, if is_match { style.add_modifier(Modifier::BOLD | Modifier::UNDERLINED) } else { style }];
        }
        let is_compared = self.view.tree().is_compared();
        let line = match change {
            Change::Grew if is_compared => self.theme.ink(Role::Grown),
            Change::Shrank if is_compared => self.theme.ink(Role::Shrunk),
            Change::Same if is_compared => Style::new().add_modifier(Modifier::DIM),
            _ if is_faint => Style::new().add_modifier(Modifier::DIM),
            _ => Style::new(),
        };
        let name = match role_of(label.kind, inlined) {
            _ if is_match => self.theme.ink(Role::Match),
            Role::NativeCode | Role::NoCode => line,
            role if !is_compared => line.patch(self.theme.ink(role)),
            _ => line,
        };
        [line, name]
    }

    fn draw(&self, buf: &mut Buffer, line: Rect, numbers: &str, [name, module, source]: [&str; 3], [style, of_name]: [Style; 2]) {
        buf.set_style(line, style);
        put(buf, line, numbers, style);
        let mut x = line.x + self.numbers.min(line.width);
        for (text, cells, style) in [(name, self.name, of_name), (module, self.module, style), (source, self.source, style)] {
            put(buf, Rect { x, width: cells.saturating_sub(1), ..line }, text, style);
            x += cells;
        }
    }
}

fn mark(buf: &mut Buffer, line: Rect, is_chosen: bool) {
    if is_chosen {
        put(buf, Rect { width: 1, ..line }, "▸", Style::new());
    }
}

fn heading() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}
