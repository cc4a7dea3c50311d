//! The details of a process, in place of the table.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::paint_line;
use super::text::Pen;
use super::theme::Role;
use crate::app::App;
use crate::app::inspect::{GAP, Pane, PaneLine, Tone, WHAT, columns};
use crate::format;

/// Draws the part that is scrolled to, below a title.
pub fn draw(buffer: &mut Buffer, area: Rect, app: &App, pane: &Pane, pen: Pen) {
    title(buffer, area, app, pane, pen);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let columns = columns(app, pane, area.width);
    let total = columns.iter().map(Vec::len).max().unwrap_or(0);
    let offset = pane.offset(total, usize::from(body.height));
    let width = (area.width + GAP) / columns.len().max(1) as u16 - GAP;
    for (i, lines) in columns.iter().enumerate() {
        let column = Rect { x: body.x + i as u16 * (width + GAP), width, ..body };
        for (line, y) in lines.iter().skip(offset).zip(column.y..column.bottom()) {
            draw_line(buffer, Rect { y, height: 1, ..column }, line, pen);
            if pane.is_match(line) {
                paint_line(buffer, column, y, pen, Role::Match);
            }
        }
    }
    if total > offset + usize::from(body.height) {
        pen.put_right(buffer, (body.x, body.bottom().saturating_sub(1)), " ↓ more", body.width.saturating_sub(1), Role::Dim);
    }
}

/// Whose details, and as of when where that is not now.
fn title(buffer: &mut Buffer, area: Rect, app: &App, pane: &Pane, pen: Pen) {
    paint_line(buffer, area, area.y, pen, Role::Heading);
    let at_ns = app.model().sample.at_ns;
    let age_ns = pane.found.as_ref().map(|found| at_ns.saturating_sub(found.at_ns));
    let remark = match age_ns {
        _ if pane.exit.is_some() => "exited".to_owned(),
        None if pane.is_elsewhere() => "what the sample holds".to_owned(),
        None => "reading …".to_owned(),
        Some(age_ns) if age_ns > 2 * app.interval().as_nanos() as u64 => format!("as of {} ago", format::duration(age_ns, 6).trim()),
        Some(_) => String::new(),
    };
    let x = pen.put(buffer, (area.x + 1, area.y), "Details of ", area.width.saturating_sub(1), Role::Label);
    let room = area.right().saturating_sub(x + remark.width() as u16 + 2);
    pen.put(buffer, (x, area.y), &format!("{} ({})", pane.name, pane.key.pid), room, Role::Accent);
    pen.put_right(buffer, (area.x, area.y), &remark, area.width.saturating_sub(1), Role::Warning);
}

fn draw_line(buffer: &mut Buffer, area: Rect, line: &PaneLine, pen: Pen) {
    let (x, room) = (area.x + 1, area.width.saturating_sub(1));
    if line.is_heading {
        let end = pen.put(buffer, (x, area.y), &line.what, room, Role::Accent);
        pen.put(buffer, (end + 2, area.y), &line.text, area.right().saturating_sub(end + 2), Role::Dim);
        return;
    }
    let role = match line.tone {
        Tone::Plain => Role::Text,
        Tone::Dim => Role::Dim,
        Tone::Warning => Role::Warning,
    };
    pen.put(buffer, (x, area.y), &line.what, WHAT - 2, Role::Label);
    pen.put(buffer, (area.x + WHAT, area.y), &line.text, area.width.saturating_sub(WHAT), role);
}
