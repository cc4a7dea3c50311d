//! Where the parts of the view stand, and what a click on them means.

use ratatui::layout::{Position, Rect};

use super::boxes::{Flame, rows};
use super::{StackMode, StacksView};
use crate::model::stacks::NodeId;

/// Rows from which the graph has the table below it.
const ROWS_FOR_BOTH: u16 = 18;
/// The graph grows and shrinks in steps, so that the table below it seldom moves.
const HEIGHT_STEP: usize = 4;
/// The least that the table below the graph gets, with its heading.
const TABLE_ROWS: u16 = 7;

/// The parts of the view, top to bottom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Whose stacks and how good they are.
    pub header: Rect,
    /// Where the zoom stands, what the user should know.
    pub remarks: Rect,
    /// Graph or list.
    pub body: Rect,
    /// The table below the graph; empty where there is none.
    pub table: Rect,
    /// The chosen frame.
    pub detail: Rect,
}

/// What is under a cell.
enum Target {
    Frame(NodeId),
    Function(usize),
    Process(usize),
}

impl Places {
    /// The parts of a view within `area`.
    pub fn of(view: &StacksView, area: Rect) -> Places {
        let mut y = area.y;
        let mut take = |rows: u16| {
            let height = rows.min(area.bottom() - y);
            let rect = Rect { y, height, ..area };
            y += height;
            rect
        };
        let rows = area.height.saturating_sub(3);
        let (header, remarks) = (take(1), take(1));
        let graph = if view.has_table_below(rows) { view.graph_height(area.width).min(rows - TABLE_ROWS - 1) } else { rows };
        let body = take(graph);
        let table = take(rows - graph);
        // A blank line parts the two.
        let table = Rect { y: table.y + table.height.min(1), height: table.height.saturating_sub(1), ..table };
        Places { header, remarks, body, table, detail: take(1) }
    }
}

/// The first line of a list in view. It turns pages, so that the cursor moves and the list mostly does not.
pub fn first_line(chosen: usize, lines: usize) -> usize {
    chosen - chosen % lines.max(1)
}

impl StacksView {
    /// Chooses what is at a cell of the view within `area`; zooms in where it was chosen already.
    pub fn click(&mut self, area: Rect, at: Position) {
        let Some(target) = self.target(&Places::of(self, area), at) else { return };
        let was_chosen = match target {
            Target::Frame(id) => self.chosen() == Some(id),
            Target::Function(at) => self.has_function_chosen() && self.function_index() == at,
            Target::Process(at) => self.listing().is_some_and(|(_, chosen)| chosen == at),
        };
        match target {
            _ if was_chosen => self.zoom_in_or_open(),
            Target::Frame(id) => self.choose(id),
            Target::Function(at) => self.choose_function(at),
            Target::Process(at) => self.choose_process(at),
        }
    }

    fn target(&self, places: &Places, at: Position) -> Option<Target> {
        let line_of = |area: Rect, chosen: usize| -> Option<usize> {
            let row = at.y.checked_sub(area.y + 1)?;
            Some(first_line(chosen, usize::from(area.height) - 1) + usize::from(row))
        };
        if places.table.contains(at) {
            let function = self.functions().get(line_of(places.table, 0)?)?;
            return self.hottest_frame_of(&function.label).map(Target::Frame);
        }
        if !places.body.contains(at) {
            return None;
        }
        if let Some((processes, chosen)) = self.listing() {
            let line = line_of(places.body, chosen)?;
            return (line < processes.len()).then_some(Target::Process(line));
        }
        match self.mode() {
            StackMode::Flame => self.frame_at(places.body, at).map(Target::Frame),
            StackMode::Table => {
                let line = line_of(places.body, self.function_index())?;
                (line < self.functions().len()).then_some(Target::Function(line))
            }
            StackMode::Tree => {
                let rows = self.tree_rows();
                let chosen = rows.iter().position(|row| Some(row.node) == self.chosen()).unwrap_or(0);
                rows.get(line_of(places.body, chosen)?).map(|row| Target::Frame(row.node))
            }
        }
    }

    /// The frame of the graph at a cell of its `body`.
    pub(super) fn frame_at(&self, body: Rect, at: Position) -> Option<NodeId> {
        Flame::of(self, body.width, body.height).at(at.x - body.x, at.y - body.y)
    }

    fn has_table_below(&self, rows: u16) -> bool {
        self.mode() == StackMode::Flame && self.listing().is_none() && self.callers().is_none() && rows >= ROWS_FOR_BOTH
    }

    /// Lines the graph would like.
    fn graph_height(&self, width: u16) -> u16 {
        let rows = rows(self.tree(), self.zoomed(), width).len();
        u16::try_from(rows.next_multiple_of(HEIGHT_STEP)).unwrap_or(u16::MAX)
    }
}
