//! What the keys of the Stacks view do.

use std::sync::Arc;

use super::{StackMode, StacksView};
use crate::model::stacks::{NodeId, StackTree};

/// Rows of a page step.
const PAGE: usize = 10;
/// Frames with a smaller share of the samples have no row in the tree.
const TREE_MIN_PCT: u64 = 1;

/// What the user asks of the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StackAction {
    /// Flame: the caller. Else a row up.
    Up,
    /// Flame: the hottest callee. Else a row down.
    Down,
    /// Flame: the frame on the left. Tree: the caller.
    Left,
    /// Flame: the frame on the right. Tree: the hottest callee.
    Right,
    /// Ten rows up.
    PageUp,
    /// Ten rows down.
    PageDown,
    /// The first row or the zoomed frame.
    First,
    /// The last row; flame: down the hottest path to its end.
    Last,
    /// Only the chosen frame and its callees; from the table, in the flame graph.
    ZoomIn,
    /// The zoom before; without one, out of the view.
    ZoomOut,
    /// Flame, table, tree.
    NextMode,
    /// 5 s, 30 s, all.
    NextSpan,
    /// The next match of the search.
    NextMatch,
    /// The match before.
    PreviousMatch,
}

/// Whether the view stays on screen.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It does.
    Stay,
    /// The user left it.
    Leave,
}

/// A line of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeRow {
    /// The frame.
    pub node: NodeId,
    /// How many callers above it call more than one function shown: the steps to indent it by.
    pub indent: usize,
}

impl StacksView {
    /// Does it; call [`StacksView::refresh`] afterwards.
    pub fn act(&mut self, action: StackAction) -> After {
        match action {
            StackAction::ZoomIn => self.zoom_in(),
            StackAction::ZoomOut if self.zoom.pop().is_none() => return After::Leave,
            StackAction::ZoomOut => {}
            StackAction::NextSpan => self.span = self.span.next(),
            StackAction::NextMode => {
                self.mode = match self.mode {
                    StackMode::Flame => StackMode::Table,
                    StackMode::Table => StackMode::Tree,
                    StackMode::Tree => StackMode::Flame,
                }
            }
            StackAction::NextMatch => self.go_to_match(true),
            StackAction::PreviousMatch => self.go_to_match(false),
            step => match self.mode {
                StackMode::Flame => self.step_in_flame(step),
                StackMode::Table => self.step_in_table(step),
                StackMode::Tree => self.step_in_tree(step),
            },
        }
        self.settle();
        After::Stay
    }

    /// Lines of the tree mode: frames with at least 1 % of the samples, and the chosen one with its callers.
    pub fn tree_rows(&self) -> Vec<TreeRow> {
        let tree = &self.tree;
        let mut kept = Vec::new();
        let mut at = self.cursor_node;
        while at != self.zoom_node {
            kept.push(at);
            at = tree.node(at).parent;
        }
        let is_shown = |id: &NodeId| tree.node(*id).total * 100 >= tree.total() * TREE_MIN_PCT || kept.contains(id);
        let mut rows = Vec::new();
        let mut todo = vec![TreeRow { node: self.zoom_node, indent: 0 }];
        while let Some(row) = todo.pop() {
            rows.push(row);
            let shown: Vec<NodeId> = tree.children(row.node).filter(is_shown).collect();
            let indent = row.indent + usize::from(shown.len() > 1);
            todo.extend(shown.iter().rev().map(|&node| TreeRow { node, indent }));
        }
        rows
    }

    fn choose(&mut self, node: NodeId) {
        self.cursor = Some(self.tree.path(node));
        self.cursor_node = node;
    }

    fn zoom_in(&mut self) {
        if self.mode == StackMode::Table {
            let Some(function) = self.functions().get(self.function_index()) else { return };
            let of_function = self.below_zoom().into_iter().filter(|&id| self.tree.label(id) == &function.label);
            let Some(hottest) = of_function.max_by_key(|&id| self.tree.node(id).total) else { return };
            self.choose(hottest);
            self.mode = StackMode::Flame;
        }
        if self.cursor_node != self.zoom_node {
            self.zoom.push(self.tree.path(self.cursor_node));
        }
    }

    fn step_in_flame(&mut self, step: StackAction) {
        let at = self.cursor_node;
        let to = match step {
            StackAction::Up => self.up_from(at, 1),
            StackAction::PageUp => self.up_from(at, PAGE),
            StackAction::Down => self.down_from(at, 1),
            StackAction::PageDown => self.down_from(at, PAGE),
            StackAction::First => self.zoom_node,
            StackAction::Last => self.down_from(at, usize::MAX),
            StackAction::Left => self.beside(at, false),
            StackAction::Right => self.beside(at, true),
            _ => at,
        };
        self.choose(to);
    }

    fn step_in_table(&mut self, step: StackAction) {
        let to = step_in_list(step, self.function_index(), self.functions().len());
        self.function = self.functions().get(to).map(|f| Arc::clone(&f.label));
    }

    fn step_in_tree(&mut self, step: StackAction) {
        let to = match step {
            StackAction::Left => self.up_from(self.cursor_node, 1),
            StackAction::Right => self.down_from(self.cursor_node, 1),
            step => {
                let rows = self.tree_rows();
                let at = rows.iter().position(|row| row.node == self.cursor_node).unwrap_or(0);
                rows.get(step_in_list(step, at, rows.len())).map_or(self.zoom_node, |row| row.node)
            }
        };
        self.choose(to);
    }

    fn up_from(&self, node: NodeId, steps: usize) -> NodeId {
        (0..steps).fold(node, |at, _| if at == self.zoom_node { at } else { self.tree.node(at).parent })
    }

    fn down_from(&self, node: NodeId, steps: usize) -> NodeId {
        let mut at = node;
        for _ in 0..steps {
            let Some(child) = self.tree.children(at).next() else { break };
            at = child;
        }
        at
    }

    /// The next frame to the left or right at the same depth.
    fn beside(&self, node: NodeId, right: bool) -> NodeId {
        let depth = self.tree.node(node).depth();
        let row: Vec<NodeId> = self.below_zoom().into_iter().filter(|&id| self.tree.node(id).depth() == depth).collect();
        let at = row.iter().position(|&id| id == node).unwrap_or(0);
        let to = if right { (at + 1).min(row.len().saturating_sub(1)) } else { at.saturating_sub(1) };
        row.get(to).copied().unwrap_or(node)
    }

    /// The zoomed frame and all below it, each before its callees, hottest first.
    fn below_zoom(&self) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut todo = vec![self.zoom_node];
        while let Some(id) = todo.pop() {
            found.push(id);
            let first = todo.len();
            todo.extend(self.tree.children(id));
            todo[first..].reverse();
        }
        found
    }

    fn go_to_match(&mut self, forward: bool) {
        if self.mode == StackMode::Table {
            let hits: Vec<usize> = (0..self.functions().len()).filter(|&i| self.is_match(&self.functions()[i].label)).collect();
            if let Some(to) = next_of(&hits, self.function_index(), forward) {
                self.function = Some(Arc::clone(&self.functions()[to].label));
            }
            return;
        }
        let order = self.below_zoom();
        let at = order.iter().position(|&id| id == self.cursor_node).unwrap_or(0);
        let hits: Vec<usize> =
            (0..order.len()).filter(|&i| order[i] != StackTree::ROOT && self.is_match(self.tree.label(order[i]))).collect();
        if let Some(to) = next_of(&hits, at, forward) {
            self.choose(order[to]);
        }
    }
}

/// The hit after (or before) `at`, around the end.
fn next_of(hits: &[usize], at: usize, forward: bool) -> Option<usize> {
    match forward {
        true => hits.iter().find(|&&hit| hit > at).or(hits.first()).copied(),
        false => hits.iter().rev().find(|&&hit| hit < at).or(hits.last()).copied(),
    }
}

fn step_in_list(step: StackAction, at: usize, len: usize) -> usize {
    let to = match step {
        StackAction::Up => at.saturating_sub(1),
        StackAction::Down => at + 1,
        StackAction::PageUp => at.saturating_sub(PAGE),
        StackAction::PageDown => at + PAGE,
        StackAction::First => 0,
        StackAction::Last => len,
        _ => at,
    };
    to.min(len.saturating_sub(1))
}
