//! The help, in place of the table.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text::Pen;
use super::theme::Role;
use crate::app::App;
use crate::app::help::{HelpLine, LEFT, lines};

/// Draws the part that is scrolled to.
pub fn draw(buffer: &mut Buffer, area: Rect, app: &App, pen: Pen) {
    let lines = lines(app, usize::from(area.width));
    let offset = app.help().map_or(0, |h| h.offset);
    for (i, line) in lines.iter().skip(offset).take(usize::from(area.height)).enumerate() {
        let y = area.y + i as u16;
        match line {
            HelpLine::Heading(title) => {
                pen.put(buffer, (area.x + 1, y), title, area.width.saturating_sub(2), Role::Accent);
            }
            HelpLine::Entry { what, text } => {
                let left = LEFT as u16;
                pen.put(buffer, (area.x + 1, y), what, left - 2, Role::Key);
                pen.put(buffer, (area.x + left, y), text, area.width.saturating_sub(left + 1), Role::Text);
            }
            HelpLine::Blank => {}
        }
    }
    if lines.len() > offset + usize::from(area.height) {
        pen.put_right(buffer, (area.x, area.bottom() - 1), "↓ more", area.width.saturating_sub(1), Role::Dim);
    }
}
