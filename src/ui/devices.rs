//! What stands above the table: block devices in the Disk view, or the word that the network is quiet.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::paint_line;
use super::text::Pen;
use super::theme::Role;
use crate::app::App;
use crate::app::column::Tone;
use crate::app::devices::Figure;

/// Cells of a name at the least.
const NAME: u16 = 8;
/// Cells of a name at most: figures stay near.
const NAME_MAX: u16 = 24;

/// Draws the heading and the devices that have room.
pub fn draw(buffer: &mut Buffer, area: Rect, app: &App, pen: Pen) {
    if area.height == 0 {
        return;
    }
    if let Some(words) = app.quiet_words() {
        pen.put(buffer, (area.x + 1, area.y), &words, area.width.saturating_sub(2), Role::Dim);
        return;
    }
    let figures: u16 = Figure::ALL.iter().map(|figure| figure.width() + 1).sum();
    let name = area.width.saturating_sub(figures + 2).clamp(NAME, NAME_MAX);
    let (devices, hidden) = app.devices(area.height - 1);
    paint_line(buffer, area, area.y, pen, Role::Heading);
    let title = if hidden > 0 { format!("DEVICE (+{hidden})") } else { "DEVICE".to_owned() };
    pen.put(buffer, (area.x + 1, area.y), &title, name, Role::Heading);
    let mut x = area.x + 1 + name;
    for figure in Figure::ALL {
        if x + 1 + figure.width() > area.right() {
            break;
        }
        pen.put_right(buffer, (x + 1, area.y), figure.title(), figure.width(), Role::Heading);
        for (y, (_, grown)) in (area.y + 1..).zip(&devices) {
            let cell = figure.cell(*grown, app.model().elapsed_ns, app);
            let role = if cell.tone == Tone::Dim { Role::Dim } else { Role::Text };
            pen.put_right(buffer, (x + 1, y), &cell.text, figure.width(), role);
        }
        x += 1 + figure.width();
    }
    for (y, (disk, _)) in (area.y + 1..).zip(&devices) {
        pen.put(buffer, (area.x + 1, y), &disk.name, name, Role::Label);
    }
}
