//! Puts words on the screen, cut to their room.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::theme::{Role, Theme};
use crate::app::help::wrap;
use crate::format::{cells, cut, is_plain};

/// Writes in the colours of a theme.
#[derive(Clone, Copy, Debug)]
pub struct Pen {
    /// Whose colours.
    pub theme: Theme,
}

impl Pen {
    /// Writes in the colours of `theme`.
    pub fn new(theme: Theme) -> Pen {
        Pen { theme }
    }

    /// Writes from `x` on, at most `width` cells; returns where it ended. What is cut ends in `…`.
    pub fn put(self, buffer: &mut Buffer, (x, y): (u16, u16), text: &str, width: u16, role: Role) -> u16 {
        let (style, room) = (self.theme.style(role), usize::from(width));
        if !is_plain(text) {
            return buffer.set_stringn(x, y, cut(text, room), room, style).0;
        }
        match (text.len() <= room, room.checked_sub(1).and_then(|start| text.get(..start))) {
            (false, None) => x,
            (false, Some(start)) => {
                let end = put_plain(buffer, (x, y), start, style);
                buffer.set_stringn(end, y, "…", 1, style).0
            }
            (true, _) => put_plain(buffer, (x, y), text, style),
        }
    }

    /// Writes so that the text ends at the right edge of its room.
    pub fn put_right(self, buffer: &mut Buffer, (x, y): (u16, u16), text: &str, width: u16, role: Role) {
        let used = (cells(text) as u16).min(width);
        self.put(buffer, (x + width - used, y), text, used, role);
    }

    /// Writes pieces one after the other in a line, each in its role, until `end`; returns where they ended.
    pub fn put_all(self, buffer: &mut Buffer, (x, y): (u16, u16), end: u16, pieces: &[(Role, String)]) -> u16 {
        let mut at = x;
        for (role, text) in pieces {
            at = self.put(buffer, (at, y), text, end.saturating_sub(at), *role);
        }
        at
    }
}

/// A cell for each letter, without a search for where characters end.
fn put_plain(buffer: &mut Buffer, (x, y): (u16, u16), text: &str, style: Style) -> u16 {
    let end = buffer.area.right().min(x.saturating_add(text.len() as u16));
    if !buffer.area.contains((x, y).into()) {
        return x;
    }
    for (at, letter) in (x..end).zip(text.chars()) {
        buffer[(at, y)].set_char(letter).set_style(style);
    }
    end
}

/// Cells that pieces take together.
pub fn width_of(pieces: &[(Role, String)]) -> u16 {
    pieces.iter().map(|(_, text)| cells(text) as u16).sum()
}

/// Paragraphs in the middle of an area: the first says what is, the others why and what to do.
pub fn centre(buffer: &mut Buffer, area: Rect, paragraphs: &[String], pen: Pen) {
    let room = area.width.saturating_sub(4).clamp(1, 76);
    let lines: Vec<(Role, String)> = paragraphs
        .iter()
        .enumerate()
        .flat_map(|(i, p)| wrap(p, usize::from(room)).into_iter().map(move |line| (if i == 0 { Role::Sorted } else { Role::Text }, line)))
        .collect();
    let top = area.y + area.height.saturating_sub(lines.len() as u16) / 2;
    for (i, (role, line)) in lines.iter().take(usize::from(area.height)).enumerate() {
        let used = (cells(line) as u16).min(area.width);
        pen.put(buffer, (area.x + (area.width - used) / 2, top + i as u16), line, used, *role);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_aligned_text_ends_at_the_edge() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
        Pen::new(Theme::default()).put_right(&mut buffer, (0, 0), "12", 5, Role::Text);
        assert_eq!(buffer, Buffer::with_lines(["   12 "]));
    }
}
