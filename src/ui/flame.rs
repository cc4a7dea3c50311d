//! The flame graph: callers above callees, each as wide as its share of the samples. See [`crate::app::stacks::boxes`].

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::stacks::text::{changed, fit_name, letter, put, short_percent};
use super::theme::{Role, Theme};
use crate::app::stacks::boxes::{Flame, FlameBox};
use crate::app::stacks::{Change, StacksView};
use crate::format::cut;
use crate::model::stacks::{NodeId, StackTree};
use crate::symbols::FrameKind;

/// Cells below which a name says nothing: then its share gives way.
const LEGIBLE: usize = 8;

/// Draws the graph; returns how many rows lie below what is shown.
pub fn draw(buf: &mut Buffer, area: Rect, view: &StacksView, theme: Theme) -> usize {
    let flame = Flame::of(view, area.width, area.height);
    if flame.above > 0 {
        let text = text_above(view.tree(), &flame.rows[..flame.above]);
        put(buf, Rect { height: area.height.min(1), ..area }, &text, Style::new().add_modifier(Modifier::DIM));
    }
    for (line, row) in flame.in_view().take_while(|(line, _)| *line < area.height) {
        draw_row(buf, Rect { y: area.y + line, height: 1, ..area }, row, view, theme);
    }
    flame.below
}

/// Names the rows that are not in view, nearest first, where each is one function.
fn text_above(tree: &StackTree, rows: &[Vec<FlameBox>]) -> String {
    let only = |row: &Vec<FlameBox>| match row[..] {
        [FlameBox { node: Some(id), .. }] => Some(tree.label(id).name.as_str()),
        _ => None,
    };
    let names: Option<Vec<&str>> = rows.iter().rev().map(only).collect();
    match names {
        Some(names) => format!("⋯ {} rows above: {}", rows.len(), names.join(" ‹ ")),
        None => format!("⋯ {} rows above", rows.len()),
    }
}

fn draw_row(buf: &mut Buffer, line: Rect, row: &[FlameBox], view: &StacksView, theme: Theme) {
    for (i, flame_box) in row.iter().enumerate() {
        let area = Rect { x: line.x + flame_box.x, width: flame_box.width, ..line };
        let is_chosen = flame_box.node.is_some() && flame_box.node == view.chosen();
        let (text, style) = match flame_box.node {
            Some(id) => {
                let (text, role) = box_text(view, id, usize::from(flame_box.width).saturating_sub(1));
                (text, theme.style(role))
            }
            None => ("…".to_string(), Style::new().add_modifier(Modifier::DIM)),
        };
        let style = if is_chosen { style.add_modifier(Modifier::REVERSED | Modifier::BOLD) } else { style };
        buf.set_style(area, style);
        let edge = match (is_chosen, flame_box.node) {
            (true, _) => "▸",
            (false, None) if flame_box.width == 1 => "…",
            (false, _) => "│",
        };
        put(buf, Rect { width: 1, ..area }, edge, style);
        put(buf, Rect { x: area.x + 1, width: area.width - 1, ..area }, &text, style);
        let end = flame_box.x + flame_box.width;
        if end < line.width && row.get(i + 1).is_none_or(|next| next.x > end) {
            put(buf, Rect { x: line.x + end, width: 1, ..line }, "│", Style::new().add_modifier(Modifier::DIM));
        }
    }
}

/// `K name 52%` as far as it fits, or by how much it changed; a match of the search has a `*` before it.
fn box_text(view: &StacksView, id: NodeId, width: usize) -> (String, Role) {
    let tree = view.tree();
    let (node, label) = (tree.node(id), tree.label(id));
    let is_match = view.is_match_at(id);
    let prefix = format!("{}{}", if is_match { "*" } else { "" }, letter(label, node.inlined));
    let share = match tree.is_compared() {
        true => changed(view, tree.total_before(id), node.total),
        false => short_percent(node.total, tree.total()),
    };
    let name_width = width.saturating_sub(prefix.width());
    let beside_share = name_width.saturating_sub(share.width() + 1);
    let text = match beside_share >= label.name.width().min(LEGIBLE) {
        true => format!("{prefix}{} {share}", fit_name(&label.name, beside_share)),
        false => format!("{prefix}{}", fit_name(&label.name, name_width)),
    };
    let role = match view.change(tree.total_before(id), node.total) {
        _ if is_match => Role::Match,
        _ if !tree.is_compared() => role_of(label.kind, node.inlined),
        Change::Grew => Role::Grown,
        Change::Shrank => Role::Shrunk,
        Change::Same => Role::NoCode,
    };
    (cut(&text, width).into_owned(), role)
}

/// The colours of a kind of code.
pub fn role_of(kind: Option<FrameKind>, inlined: bool) -> Role {
    match kind {
        Some(FrameKind::Kernel) => Role::KernelCode,
        Some(FrameKind::Native) if inlined => Role::InlinedCode,
        Some(FrameKind::Native) => Role::NativeCode,
        Some(FrameKind::Jit) => Role::JitCode,
        Some(FrameKind::Python) => Role::PythonCode,
        None => Role::NoCode,
    }
}
