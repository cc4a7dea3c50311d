//! A list to choose from, in a box over the view.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::paint_line;
use super::text::Pen;
use super::theme::Role;
use crate::app::help::wrap;
use crate::app::menu::Menu;

/// Draws it.
pub fn draw(buffer: &mut Buffer, canvas: Rect, menu: &Menu, pen: Pen) {
    let placed = menu.place(canvas);
    frame(buffer, placed.frame, menu, pen);
    for (line, y) in menu.about.iter().zip(placed.about.y..placed.about.bottom()) {
        pen.put(buffer, (placed.about.x, y), line, placed.about.width, Role::Sorted);
    }
    let list = placed.list;
    scroll_signs(buffer, placed.frame, (placed.offset, menu.shown().count(), usize::from(list.height)), pen);
    let labels = menu.label_width() as u16;
    for ((chosen, item), y) in menu.shown().skip(placed.offset).zip(list.y..list.bottom()) {
        let mut x = list.x;
        if menu.is_checklist {
            x = pen.put(buffer, (x, y), if item.is_checked { "[x] " } else { "[ ] " }, list.width, Role::Key);
        } else if menu.marks_present {
            x = pen.put(buffer, (x, y), if item.is_checked { "(*) " } else { "( ) " }, list.width, Role::Key);
        }
        pen.put(buffer, (x, y), &item.label, list.right().saturating_sub(x), Role::Text);
        x = x.saturating_add(labels + 2);
        pen.put(buffer, (x, y), &item.note, list.right().saturating_sub(x), Role::Dim);
        if chosen {
            paint_line(buffer, Rect { x: list.x - 1, width: list.width + 2, ..list }, y, pen, Role::Selected);
        }
    }
    if let Some((_, item)) = menu.shown().find(|(chosen, _)| *chosen) {
        let below = placed.explanation;
        let text = wrap(&item.note, usize::from(below.width));
        for (line, y) in text.iter().zip(below.y.saturating_add(1)..below.bottom()) {
            pen.put(buffer, (below.x, y), line, below.width, Role::Text);
        }
    }
    if menu.shown().next().is_none() && list.height > 0 {
        pen.put(buffer, (list.x, list.y), "nothing like this; Backspace widens", list.width, Role::Dim);
    }
}

/// In the border, how many lines of `all` stand above and below the `height` that are shown from `first` on.
fn scroll_signs(buffer: &mut Buffer, area: Rect, (first, all, height): (usize, usize, usize), pen: Pen) {
    if area.width < 4 || area.height < 2 {
        return;
    }
    let signs = [("↑", first.min(all), area.y), ("↓", all.saturating_sub(first + height), area.bottom() - 1)];
    for (sign, hidden, y) in signs.into_iter().filter(|(_, hidden, _)| *hidden > 0) {
        let text = format!(" {sign} {hidden} more ");
        // The title and the keys stand in the border, too.
        let free = |width: usize| (area.x + 2..area.x + 2 + width as u16).all(|x| x + 1 < area.right() && buffer[(x, y)].symbol() == "─");
        let (x, text) = match () {
            () if free(text.width()) => (area.x + 2, text),
            () if y == area.y => (area.right().saturating_sub(2 + text.width() as u16), text),
            () => (area.x + 1, sign.to_owned()),
        };
        pen.put(buffer, (x, y), &text, text.width() as u16, Role::Label);
    }
}

/// The border: title above, keys below.
fn frame(buffer: &mut Buffer, area: Rect, menu: &Menu, pen: Pen) {
    if area.width < 4 || area.height < 2 {
        return;
    }
    let between = "─".repeat(usize::from(area.width - 2));
    let blank = " ".repeat(usize::from(area.width - 2));
    let put = |buffer: &mut Buffer, y, text: String| pen.put(buffer, (area.x, y), &text, area.width, Role::Accent);
    put(buffer, area.y, format!("┌{between}┐"));
    for y in area.y + 1..area.bottom() - 1 {
        // The blanks hide what is below, colours included.
        buffer.set_style(Rect { y, height: 1, ..area }, ratatui::style::Style::reset());
        put(buffer, y, format!("│{blank}│"));
    }
    put(buffer, area.bottom() - 1, format!("└{between}┘"));
    pen.put(buffer, (area.x + 2, area.y), &format!(" {} ", menu.title), area.width - 4, Role::Accent);
    let keys = match (menu.typed(), menu.is_checklist) {
        ("", true) => format!(" Space check  Enter {}  Esc cancel ", menu.verb),
        ("", false) => format!(" Enter {}  Esc cancel  or type ", menu.verb),
        (typed, true) => format!(" {typed}_  Space check "),
        (typed, false) => format!(" {typed}_ "),
    };
    let width = (keys.width() as u16).min(area.width - 4);
    pen.put(buffer, (area.right() - 2 - width, area.bottom() - 1), &keys, width, Role::Label);
}
