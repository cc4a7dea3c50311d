//! The last line: a prompt, else a message, else the keys that hold here.

use ratatui::Frame;
use ratatui::layout::Rect;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::text::Pen;
use super::theme::Role;
use crate::app::App;
use crate::app::layout::hints;
use crate::app::prompt::Prompt;

/// Draws it.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, pen: Pen) {
    match (app.prompt(), app.message()) {
        (Some(prompt), _) => draw_prompt(frame, area, prompt, pen),
        (None, Some(message)) => {
            pen.put(frame.buffer_mut(), (area.x + 1, area.y), message, area.width.saturating_sub(2), Role::Warning);
        }
        (None, None) => {
            for hint in hints(app.keymap(), app.places(), area.width) {
                let x = pen.put(frame.buffer_mut(), (hint.x, area.y), &hint.key, area.right() - hint.x, Role::Key);
                pen.put(frame.buffer_mut(), (x + 1, area.y), hint.word, area.right().saturating_sub(x + 1), Role::Text);
            }
        }
    }
}

/// Label, text with the cursor in it, and on the right what is wrong.
fn draw_prompt(frame: &mut Frame, area: Rect, prompt: &Prompt, pen: Pen) {
    let error = prompt.error.as_ref().map_or(String::new(), |e| format!("× {e}"));
    let half = area.width / 2;
    let error_width = (error.width() as u16).min(half);
    let buffer = frame.buffer_mut();
    let x = pen.put(buffer, (area.x + 1, area.y), prompt.purpose.label(), half, Role::Label);
    let room = area.right().saturating_sub(x + error_width + 2);
    let (scroll, cursor) = prompt.visible(usize::from(room));
    pen.put(buffer, (x, area.y), skip_cells(prompt.text(), scroll), room, Role::Text);
    pen.put(buffer, (area.right() - error_width - 1, area.y), &error, error_width, Role::Bad);
    frame.set_cursor_position((x + cursor as u16, area.y));
}

/// The text after its first `cells` cells.
fn skip_cells(text: &str, cells: usize) -> &str {
    let mut skipped = 0;
    let start = text.char_indices().find(|(_, c)| {
        let here = skipped >= cells;
        skipped += c.width().unwrap_or(0);
        here
    });
    start.map_or("", |(at, _)| &text[at..])
}
