//! Where the boxes of the flame graph stand. Drawing and clicks both ask here.
//!
//! A box always covers at least the cells its samples are worth; functions worth less than a cell share one box, `…`. So boxes never
//! overlap and never leave their caller's.

use super::StacksView;
use crate::model::stacks::{NodeId, StackTree};

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

/// A graph and the part of it in view.
#[derive(Clone, Debug)]
pub struct Flame {
    /// Callers above callees.
    pub rows: Vec<Vec<FlameBox>>,
    /// Rows above the view; if any, the view's first line counts them.
    pub above: usize,
    /// Rows below the view.
    pub below: usize,
}

impl Flame {
    /// The graph of the view as it stands on so many cells.
    pub fn of(view: &StacksView, width: u16, height: u16) -> Flame {
        let tree = view.tree();
        let rows = rows(tree, view.zoomed(), width);
        let depth = |id: NodeId| tree.node(id).depth();
        // A chosen frame too small for a box stands deeper than the last row.
        let chosen = view.chosen().map(|id| depth(id).saturating_sub(depth(view.zoomed())).min(rows.len().saturating_sub(1)));
        let (above, below) = match view.rows_above() {
            Some(above) => scroll_to(rows.len(), usize::from(height), above),
            None => scroll(&rows, usize::from(height), chosen),
        };
        Flame { rows, above, below }
    }

    /// The rows in view, each with the line it stands on.
    pub fn in_view(&self) -> impl Iterator<Item = (u16, &[FlameBox])> {
        let first = u16::from(self.above > 0);
        (first..).zip(self.rows.iter().skip(self.above).map(Vec::as_slice))
    }

    /// The function under a cell of the view.
    pub fn at(&self, x: u16, line: u16) -> Option<NodeId> {
        let (_, row) = self.in_view().find(|(at, _)| *at == line)?;
        row.iter().find(|b| (b.x..b.x + b.width).contains(&x))?.node
    }
}

/// Rows above and below where so many are to be above, as far as there are more than fit.
fn scroll_to(rows: usize, height: usize, above: usize) -> (usize, usize) {
    if above == 0 || rows <= height || height < 2 {
        return (0, rows.saturating_sub(height));
    }
    let most = rows + 1 - height;
    (above.min(most), most.saturating_sub(above))
}

/// Where the graph does not fit, the callers that everything runs through go first, then what is above the chosen frame. Gives the rows
/// above and below.
fn scroll(rows: &[Vec<FlameBox>], height: usize, chosen: Option<usize>) -> (usize, usize) {
    if rows.len() <= height || height < 2 {
        return (0, rows.len().saturating_sub(height));
    }
    let shown = height - 1;
    let trunk = rows.windows(2).take_while(|pair| is_as_wide(&pair[1], &pair[0])).count();
    let above = trunk.min(rows.len() - shown).min(chosen.unwrap_or(usize::MAX));
    let above = above.max(chosen.map_or(0, |chosen| (chosen + 1).saturating_sub(shown)));
    match above {
        0 | 1 if chosen.is_none_or(|chosen| chosen < height) => (0, rows.len() - height),
        _ => (above, rows.len() - above - shown),
    }
}

fn is_as_wide(row: &[FlameBox], above: &[FlameBox]) -> bool {
    matches!((row, above), ([only], [caller]) if only.node.is_some() && only.width == caller.width)
}
