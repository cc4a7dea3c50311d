//! The flame graph: callers above callees, each as wide as its share of the samples.
//!
//! A box always covers at least the cells its samples are worth; functions worth less than a cell share one box, `…`. So boxes never
//! overlap and never leave their caller's.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::stacks::text::{fit, fit_name, letter, put, short_percent};
use super::theme::{Role, Theme};
use crate::app::stacks::StacksView;
use crate::model::stacks::{Label, NodeId, StackTree};
use crate::symbols::FrameKind;

/// Cells below which a name says nothing: then its share gives way.
const LEGIBLE: usize = 8;

/// See [`height`].
const HEIGHT_STEP: usize = 4;

/// A rectangle one row high.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlameBox {
    /// The function; `None` = several that are too small for a box each.
    pub node: Option<NodeId>,
    /// Cells from the left edge.
    pub x: u16,
    /// Cells, at least 1.
    pub width: u16,
}

/// All rows of the graph below (and with) `top`, drawn `width` cells wide; down to where nothing is worth a cell.
pub fn rows(tree: &StackTree, top: NodeId, width: u16) -> Vec<Vec<FlameBox>> {
    let mut rows = Vec::new();
    let mut row = vec![FlameBox { node: Some(top), x: 0, width }];
    row.retain(|_| width > 0 && tree.node(top).total > 0);
    while !row.is_empty() {
        let below = row.iter().flat_map(|parent| boxes_below(tree, *parent)).collect();
        rows.push(row);
        row = below;
    }
    rows
}

fn boxes_below(tree: &StackTree, parent: FlameBox) -> Vec<FlameBox> {
    let Some(id) = parent.node else { return Vec::new() };
    let (whole, width) = (u128::from(tree.node(id).total), u128::from(parent.width));
    let edge = |samples: u128| parent.x + ((2 * samples * width + whole) / (2 * whole)) as u16;
    let mut boxes = Vec::new();
    let mut from = 0;
    let mut small = 0;
    for child in tree.children(id) {
        let samples = u128::from(tree.node(child).total);
        if samples * width < whole {
            small += samples;
            continue;
        }
        boxes.push(FlameBox { node: Some(child), x: edge(from), width: edge(from + samples) - edge(from) });
        from += samples;
    }
    let rest = FlameBox { node: None, x: edge(from), width: edge(from + small) - edge(from) };
    boxes.extend((rest.width > 0).then_some(rest));
    boxes
}

/// Which rows of a graph are in view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scroll {
    /// Rows above the view; if any, the view's first line counts them.
    above: usize,
    /// Rows below the view.
    below: usize,
}

/// Where the graph does not fit, the callers that everything runs through go first, then what is above the chosen frame.
fn scroll(rows: &[Vec<FlameBox>], height: usize, chosen: Option<usize>) -> Scroll {
    if rows.len() <= height || height < 2 {
        return Scroll { above: 0, below: rows.len().saturating_sub(height) };
    }
    let shown = height - 1;
    let trunk = rows.windows(2).take_while(|pair| is_as_wide(&pair[1], &pair[0])).count();
    let above = trunk.min(rows.len() - shown).min(chosen.unwrap_or(usize::MAX));
    let above = above.max(chosen.map_or(0, |chosen| (chosen + 1).saturating_sub(shown)));
    match above {
        0 | 1 if chosen.is_none_or(|chosen| chosen < height) => Scroll { above: 0, below: rows.len() - height },
        _ => Scroll { above, below: rows.len() - above - shown },
    }
}

fn is_as_wide(row: &[FlameBox], above: &[FlameBox]) -> bool {
    matches!((row, above), ([only], [caller]) if only.node.is_some() && only.width == caller.width)
}

/// Lines the graph would like, in steps, so that what stands below it seldom moves.
pub fn height(view: &StacksView, width: u16) -> u16 {
    let rows = rows(view.tree(), view.zoomed(), width).len();
    u16::try_from(rows.next_multiple_of(HEIGHT_STEP)).unwrap_or(u16::MAX)
}

/// Draws the graph; returns how many rows lie below what is shown.
pub fn draw(buf: &mut Buffer, area: Rect, view: &StacksView, theme: Theme) -> usize {
    let tree = view.tree();
    let rows = rows(tree, view.zoomed(), area.width);
    let depth = |id: NodeId| tree.node(id).depth();
    // A chosen frame too small for a box stands deeper than the last row.
    let chosen = view.chosen().map(|id| (depth(id) - depth(view.zoomed())).min(rows.len().saturating_sub(1)));
    let scroll = scroll(&rows, usize::from(area.height), chosen);
    let mut lines = area.rows();
    if scroll.above > 0
        && let Some(line) = lines.next()
    {
        let text = text_above(tree, &rows[..scroll.above]);
        put(buf, line, &text, Style::new().add_modifier(Modifier::DIM));
    }
    for (row, line) in rows.iter().skip(scroll.above).zip(lines) {
        draw_row(buf, line, row, view, theme);
    }
    scroll.below
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

/// `K name 52%` as far as it fits; a match of the search has a `*` before it.
fn box_text(view: &StacksView, id: NodeId, width: usize) -> (String, Role) {
    let tree = view.tree();
    let label: &Label = tree.label(id);
    let is_match = view.is_match(label);
    let prefix = format!("{}{}", if is_match { "*" } else { "" }, letter(label));
    let share = short_percent(tree.node(id).total, tree.total());
    let name_width = width.saturating_sub(prefix.width());
    let beside_share = name_width.saturating_sub(share.width() + 1);
    let text = match beside_share >= label.name.width().min(LEGIBLE) {
        true => format!("{prefix}{} {share}", fit_name(&label.name, beside_share)),
        false => format!("{prefix}{}", fit_name(&label.name, name_width)),
    };
    (fit(&text, width).into_owned(), if is_match { Role::Match } else { role_of(label.kind) })
}

fn role_of(kind: Option<FrameKind>) -> Role {
    match kind {
        Some(FrameKind::Kernel) => Role::KernelCode,
        Some(FrameKind::Native) => Role::NativeCode,
        Some(FrameKind::Jit) => Role::JitCode,
        Some(FrameKind::Python) => Role::PythonCode,
        None => Role::NoCode,
    }
}
