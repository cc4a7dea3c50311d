//! Draws the Stacks view.

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::app::stacks::StacksView;

/// Draws the whole view, header line included, without the key hints.
pub fn draw(_frame: &mut Frame, _area: Rect, _view: &StacksView) {}
