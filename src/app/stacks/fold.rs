//! The lines of the call tree, and which of them are folded.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::StacksView;
use crate::model::stacks::{Label, NodeId, StackTree};

/// Frames with a smaller share of the samples have no line of their own.
const LEAST_PCT: f64 = 1.0;

/// A line of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeRow {
    /// The frame.
    pub node: NodeId,
    /// How many callers above it call more than one function shown: the steps to indent it by.
    pub indent: usize,
    /// Its callees are there but not shown.
    pub folded: bool,
    /// How many of its callees are too small for a line.
    pub small: usize,
}

/// Frames whose callees are not shown, by path.
pub(super) type Folds = BTreeSet<Vec<Arc<Label>>>;

impl StacksView {
    /// Lines of the tree mode: frames with at least 1 % of the samples, now or before, and the chosen one with its callers.
    pub fn tree_rows(&self) -> Vec<TreeRow> {
        let tree = self.tree();
        let mut kept = Vec::new();
        let mut at = self.cursor_node;
        while at != self.zoom_node {
            kept.push(at);
            at = tree.node(at).parent;
        }
        let folded = self.folded_nodes();
        let weight = |id: NodeId| (tree.node(id).total as f64).max(tree.total_before(id));
        let least = weight(StackTree::ROOT) * LEAST_PCT / 100.0;
        let mut rows = Vec::new();
        let mut todo = vec![TreeRow { node: self.zoom_node, indent: 0, folded: false, small: 0 }];
        while let Some(mut row) = todo.pop() {
            let callees: Vec<NodeId> = tree.children(row.node).collect();
            row.folded = !callees.is_empty() && folded.contains(&row.node);
            let is_shown = |id: &&NodeId| weight(**id) >= least || kept.contains(id);
            let shown: Vec<NodeId> = if row.folded { Vec::new() } else { callees.iter().filter(is_shown).copied().collect() };
            row.small = if row.folded { 0 } else { callees.len() - shown.len() };
            rows.push(row);
            let indent = row.indent + usize::from(shown.len() > 1);
            todo.extend(shown.iter().rev().map(|&node| TreeRow { node, indent, folded: false, small: 0 }));
        }
        rows
    }

    /// Folds the chosen frame; if that is not possible, goes to its caller.
    pub(super) fn fold_or_go_up(&mut self) {
        let at = self.cursor_node;
        let is_leaf = self.tree().children(at).next().is_none();
        if is_leaf || !self.folds.insert(self.tree().path(at)) {
            let to = self.up_from(at, 1);
            self.choose(to);
        } else {
            self.choose(at);
        }
    }

    /// Unfolds the chosen frame; if it is not folded, goes to its hottest callee.
    pub(super) fn unfold_or_go_down(&mut self) {
        let at = self.cursor_node;
        let is_unfolded = !self.folds.remove(&self.tree().path(at));
        let to = if is_unfolded { self.down_from(at, 1) } else { at };
        self.choose(to);
    }

    /// Unfolds the chosen frame and everything below it.
    pub(super) fn unfold_all(&mut self) {
        let path = self.tree().path(self.cursor_node);
        self.folds.retain(|folded| !folded.starts_with(&path));
    }

    /// Folds each callee of the chosen frame, so that it shows one level.
    pub(super) fn fold_below(&mut self) {
        let callees: Vec<NodeId> = self.tree().children(self.cursor_node).collect();
        let paths: Vec<_> =
            callees.iter().filter(|&&id| self.tree().children(id).next().is_some()).map(|&id| self.tree().path(id)).collect();
        self.folds.extend(paths);
    }

    fn folded_nodes(&self) -> Vec<NodeId> {
        let tree = self.tree();
        let node = |path: &Vec<Arc<Label>>| Some(tree.find(path)).filter(|&id| tree.node(id).depth() == path.len());
        self.folds.iter().filter_map(node).collect()
    }
}
