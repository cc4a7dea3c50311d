//! The last line: a prompt, else a message, else the keys that hold here.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::text::Pen;
use super::theme::Role;
use crate::app::App;
use crate::app::filter::FilterOf;
use crate::app::layout::hints;
use crate::app::prompt::Prompt;

/// Draws it.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, pen: Pen) {
    match (app.prompt(), app.message()) {
        (Some(prompt), _) => draw_prompt(frame, area, prompt, app.filter_of(), pen),
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

/// Label, text with the cursor in it, on the right (above, where it is long) what is wrong with all of it, and above what is wrong with a
/// place in it.
fn draw_prompt(frame: &mut Frame, area: Rect, prompt: &Prompt, of: FilterOf, pen: Pen) {
    let label = prompt.purpose.label();
    let mut error = prompt.error.as_ref().filter(|e| e.at.is_none()).map_or(String::new(), |e| format!("× {}", e.text));
    let half = area.width / 2;
    let buffer = frame.buffer_mut();
    if 4 + label.width() + prompt.text().width() + error.width() > usize::from(area.width) && area.y > 0 {
        let above = Rect { y: area.y - 1, ..area };
        Clear.render(above, buffer);
        pen.put(buffer, (above.x + 1, above.y), &std::mem::take(&mut error), above.width.saturating_sub(2), Role::Bad);
    }
    let error_width = error.width() as u16;
    let x = pen.put(buffer, (area.x + 1, area.y), label, half, Role::Label);
    let room = area.right().saturating_sub(x + error_width + 2);
    let (scroll, cursor) = prompt.visible(usize::from(room));
    pen.put(buffer, (x, area.y), skip_cells(prompt.text(), scroll), room, Role::Text);
    pen.put(buffer, (area.right() - error_width - 1, area.y), &error, error_width, Role::Bad);
    frame.set_cursor_position((x + cursor as u16, area.y));
    let column = |byte| x + prompt.cells_before(byte).saturating_sub(scroll).min(usize::from(room.saturating_sub(1))) as u16;
    draw_above(frame.buffer_mut(), Rect { y: area.y.saturating_sub(1), ..area }, prompt, of, column, pen);
}

/// Over the prompt: what the word at the cursor could become, or the place of a mistake or a doubt. `column` says where a byte of the text stands.
fn draw_above(buffer: &mut Buffer, area: Rect, prompt: &Prompt, of: FilterOf, column: impl Fn(usize) -> u16, pen: Pen) {
    let mistake = prompt.error.as_ref().and_then(|e| Some((e.at?, &e.text)));
    // What goes wrong after the word that is being typed may come right with it.
    let completion = prompt.completion(of).filter(|found| mistake.is_none_or(|(at, _)| at >= found.start));
    if let Some(found) = completion {
        let (x, names) = (column(found.start), format!("{}   Tab completes", found.names.join("  ")));
        Clear.render(area, buffer);
        pen.put(buffer, (x, area.y), &names, area.right().saturating_sub(x + 1), Role::Dim);
    } else if let Some((at, error)) = mistake {
        point(buffer, area, column(at), (error, Role::Bad), pen);
    } else if let Some((at, doubt)) = prompt.doubt.as_ref().and_then(|doubt| Some((doubt.at?, &doubt.text))) {
        point(buffer, area, column(at), (doubt, Role::Warning), pen);
    }
}

/// A caret under which the mistake stands, and beside it, where there is more room, what it is.
fn point(buffer: &mut Buffer, area: Rect, column: u16, (error, role): (&str, Role), pen: Pen) {
    let (left, right) = (column.saturating_sub(area.x + 2), area.right().saturating_sub(column + 3));
    Clear.render(area, buffer);
    pen.put(buffer, (column, area.y), "▾", 1, role);
    if usize::from(right) >= error.width() || right >= left {
        pen.put(buffer, (column + 2, area.y), error, right, role);
    } else {
        pen.put_right(buffer, (area.x + 1, area.y), error, left, role);
    }
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
