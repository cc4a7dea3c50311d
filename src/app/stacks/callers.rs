//! Who calls a function: a tree of its own, with the function on top.

use std::sync::Arc;

use super::{StackMode, StacksView};
use crate::model::stacks::{Label, StackTree};

/// Who calls a function, and what was shown when that was asked.
#[derive(Clone, Debug)]
pub(super) struct Callers {
    pub(super) function: Arc<Label>,
    pub(super) tree: StackTree,
    zoom: Vec<Vec<Arc<Label>>>,
    cursor: Option<Vec<Arc<Label>>>,
    mode: StackMode,
}

impl StacksView {
    /// The function whose callers are shown.
    pub fn callers(&self) -> Option<&Arc<Label>> {
        self.callers.as_ref().map(|callers| &callers.function)
    }

    /// From a function to its callers, and back to where that was asked.
    pub(super) fn toggle_callers(&mut self) {
        if let Some(Callers { zoom, cursor, mode, .. }) = self.callers.take() {
            (self.zoom, self.cursor, self.mode) = (zoom, cursor, mode);
            return;
        }
        let Some(function) = self.function_in_question() else { return };
        let tree = self.tree.callers_of(&function);
        let (zoom, cursor) = (std::mem::take(&mut self.zoom), self.cursor.take());
        self.callers = Some(Callers { function, tree, zoom, cursor, mode: self.mode });
        if self.mode == StackMode::Table {
            self.mode = StackMode::Tree;
        }
    }

    /// The function of the chosen frame or line; the hottest until one is chosen.
    fn function_in_question(&self) -> Option<Arc<Label>> {
        let of_frame = || self.chosen().map(|id| self.tree.label(id)).filter(|label| label.kind.is_some());
        let of_line = || self.functions().get(self.function_index()).map(|function| &function.label);
        match self.mode {
            StackMode::Table => of_line(),
            StackMode::Flame | StackMode::Tree => of_frame().or_else(of_line),
        }
        .cloned()
    }
}
