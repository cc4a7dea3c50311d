//! What the keys of the Stacks view do.

use std::sync::Arc;

use super::compare::Compare;
use super::{StackMode, StacksView};
use crate::model::stacks::{Label, Measure, NodeId};

/// Rows of a page step.
const PAGE: usize = 10;

/// What the user asks of the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StackAction {
    /// Flame: the caller. Else a row up.
    Up,
    /// Flame: the hottest callee. Else a row down.
    Down,
    /// Flame: the frame on the left. Tree: fold, or the caller.
    Left,
    /// Flame: the frame on the right. Tree: unfold, or the hottest callee.
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
    /// 5 s, 30 s, 2 min, all; or back.
    Span(bool),
    /// Who calls the chosen function; again, back.
    Callers,
    /// Threads apart, or together.
    Threads,
    /// Below each wait off the CPU, who ended it; or no longer.
    Wakers,
    /// Compare with what was sampled before the span; again, no longer.
    Compare,
    /// Compare with what is shown now, from now on.
    Mark,
    /// The list of processes with samples.
    Processes,
    /// Add up this; again, time on the CPU.
    Weigh(Measure),
    /// Faults, then page allocations, then time on the CPU.
    Memory,
    /// Tree: show everything below the chosen frame.
    UnfoldAll,
    /// Tree: fold what the chosen frame calls.
    FoldBelow,
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

impl StacksView {
    /// Does it; call [`StacksView::refresh`] afterwards.
    pub fn act(&mut self, action: StackAction) -> After {
        self.rows_above = None;
        match action {
            StackAction::ZoomIn => self.zoom_in_or_open(),
            StackAction::ZoomOut if !self.step_back() => return After::Leave,
            StackAction::ZoomOut => {}
            StackAction::Span(longer) => {
                self.span = self.span.step(longer);
                self.stale = true;
            }
            StackAction::NextMode => self.next_mode(),
            StackAction::Callers => self.toggle_callers(),
            StackAction::Threads => {
                self.by_thread = !self.by_thread;
                self.reshape();
            }
            StackAction::Wakers => {
                self.wakers = !self.shows_wakers();
                if self.wakers {
                    self.set_measure(Measure::OffCpu);
                }
                self.reshape();
            }
            StackAction::Compare => {
                self.compare = match self.compare {
                    Compare::Off => Compare::Before,
                    Compare::Before | Compare::Mark(..) => Compare::Off,
                };
                self.stale = true;
            }
            StackAction::Mark => (self.marks, self.stale) = (true, true),
            StackAction::Processes => self.toggle_listing(),
            StackAction::Weigh(measure) if self.measure == measure => self.set_measure(Measure::OnCpu),
            StackAction::Weigh(measure) => self.set_measure(measure),
            StackAction::Memory => self.set_measure(match self.measure {
                Measure::Faults => Measure::Allocs,
                Measure::Allocs => Measure::OnCpu,
                _ => Measure::Faults,
            }),
            StackAction::NextMatch => self.go_to_match(true),
            StackAction::PreviousMatch => self.go_to_match(false),
            step => return self.step(step),
        }
        self.settle();
        After::Stay
    }

    fn step(&mut self, step: StackAction) -> After {
        match self.mode {
            _ if self.listing.is_some() => self.step_in_listing(step),
            StackMode::Flame => self.step_in_flame(step),
            StackMode::Table => self.step_in_table(step),
            StackMode::Tree => self.step_in_tree(step),
        }
        After::Stay
    }

    /// Closes what was opened last. False if nothing is open.
    fn step_back(&mut self) -> bool {
        if self.listing.take().is_some() || self.zoom.pop().is_some() {
            return true;
        }
        if self.callers.is_some() {
            self.toggle_callers();
            return true;
        }
        if let Compare::Before | Compare::Mark(..) = self.compare {
            self.compare = Compare::Off;
            self.stale = true;
            return true;
        }
        self.go_back_to_listing()
    }

    /// Callers have no table: what is a function's own there is not what it used.
    fn next_mode(&mut self) {
        self.mode = match self.mode {
            StackMode::Flame if self.callers.is_some() => StackMode::Tree,
            StackMode::Flame => StackMode::Table,
            StackMode::Table => StackMode::Tree,
            StackMode::Tree => StackMode::Flame,
        };
    }

    pub(super) fn choose(&mut self, node: NodeId) {
        self.cursor = Some(self.tree().path(node));
        self.cursor_node = node;
    }

    pub(super) fn zoom_in_or_open(&mut self) {
        match self.listing.is_some() {
            true => self.open_process(),
            false => self.zoom_in(),
        }
        self.settle();
    }

    fn zoom_in(&mut self) {
        if self.mode == StackMode::Table {
            let Some(function) = self.functions().get(self.function_index()) else { return };
            let Some(hottest) = self.hottest_frame_of(&function.label) else { return };
            self.choose(hottest);
            self.mode = StackMode::Flame;
        }
        if self.cursor_node != self.zoom_node {
            self.zoom.push(self.tree().path(self.cursor_node));
        }
    }

    /// Below the zoomed frame.
    pub(super) fn hottest_frame_of(&self, function: &Label) -> Option<NodeId> {
        let tree = self.tree();
        let of_function = self.below_zoom().into_iter().filter(|&id| **tree.label(id) == *function);
        of_function.max_by_key(|&id| tree.node(id).total)
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
        self.choose_function(to);
    }

    /// Chooses a line of the table.
    pub(super) fn choose_function(&mut self, at: usize) {
        self.function = self.functions().get(at).map(|f| Arc::clone(&f.label));
    }

    fn step_in_listing(&mut self, step: StackAction) {
        let Some((processes, at)) = self.listing() else { return };
        let to = step_in_list(step, at, processes.len());
        self.choose_process(to);
    }

    fn step_in_tree(&mut self, step: StackAction) {
        let to = match step {
            StackAction::Left => return self.fold_or_go_up(),
            StackAction::Right => return self.unfold_or_go_down(),
            StackAction::UnfoldAll => return self.unfold_all(),
            StackAction::FoldBelow => return self.fold_below(),
            step => {
                let rows = self.tree_rows();
                let at = rows.iter().position(|row| row.node == self.cursor_node).unwrap_or(0);
                rows.get(step_in_list(step, at, rows.len())).map_or(self.zoom_node, |row| row.node)
            }
        };
        self.choose(to);
    }

    pub(super) fn up_from(&self, node: NodeId, steps: usize) -> NodeId {
        (0..steps).fold(node, |at, _| if at == self.zoom_node { at } else { self.tree().node(at).parent })
    }

    pub(super) fn down_from(&self, node: NodeId, steps: usize) -> NodeId {
        let mut at = node;
        for _ in 0..steps {
            let Some(child) = self.tree().children(at).next() else { break };
            at = child;
        }
        at
    }

    /// The next frame to the left or right at the same depth.
    fn beside(&self, node: NodeId, right: bool) -> NodeId {
        let depth = self.tree().node(node).depth();
        let row: Vec<NodeId> = self.below_zoom().into_iter().filter(|&id| self.tree().node(id).depth() == depth).collect();
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
            todo.extend(self.tree().children(id));
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
        let hits: Vec<usize> = (0..order.len()).filter(|&i| self.is_match_at(order[i])).collect();
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
