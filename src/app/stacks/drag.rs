//! The flame graph under the mouse: a press chooses a frame, holding on to it moves the graph, letting go of one that was chosen already
//! zooms in.

use ratatui::layout::{Position, Rect};

use super::boxes::Flame;
use super::places::Places;
use super::{StackMode, StacksView};

/// What the mouse holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grip {
    /// Line of the screen it was pressed on.
    line: u16,
    /// Rows above the view then.
    above: usize,
    /// Letting go without having moved zooms in.
    zooms: bool,
}

impl StacksView {
    /// Rows that the mouse put above the view; `None` where the view follows the chosen frame.
    pub(super) fn rows_above(&self) -> Option<usize> {
        self.rows_above
    }

    /// The button went down on a cell within `area`. Outside the graph that is a click.
    pub fn press(&mut self, area: Rect, at: Position) {
        let body = Places::of(self, area).body;
        if self.mode() != StackMode::Flame || self.listing().is_some() || !body.contains(at) {
            return self.click(area, at);
        }
        let frame = self.frame_at(body, at);
        let zooms = frame.is_some() && frame == self.chosen();
        if let Some(frame) = frame.filter(|_| !zooms) {
            self.choose(frame);
        }
        let above = Flame::of(self, body.width, body.height).above;
        self.grip = Some(Grip { line: at.y, above, zooms });
    }

    /// The mouse moved to a cell with its button held down.
    pub fn drag(&mut self, area: Rect, at: Position) {
        let Some(grip) = self.grip.filter(|grip| grip.line != at.y) else { return };
        let body = Places::of(self, area).body;
        self.rows_above = Some((grip.above + usize::from(grip.line)).saturating_sub(usize::from(at.y)));
        // No further than the graph goes, so that turning round at its end answers at once.
        let above = Flame::of(self, body.width, body.height).above;
        self.rows_above = Some(above);
        self.grip = Some(Grip { line: at.y, above, zooms: false });
    }

    /// The button was let go.
    pub fn release(&mut self) {
        if self.grip.take().is_some_and(|grip| grip.zooms) {
            self.rows_above = None;
            self.zoom_in_or_open();
        }
    }
}
