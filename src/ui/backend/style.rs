//! How a cell looks, as one SGR sequence.

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

/// Colours and modifiers; the default is the terminal's own.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    foreground: Color,
    background: Color,
    modifier: Modifier,
}

const MODIFIERS: [(Modifier, u8); 9] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::SLOW_BLINK, 5),
    (Modifier::RAPID_BLINK, 6),
    (Modifier::REVERSED, 7),
    (Modifier::HIDDEN, 8),
    (Modifier::CROSSED_OUT, 9),
];

impl Style {
    /// The style of a cell.
    pub fn of(cell: &Cell) -> Style {
        Style { foreground: cell.fg, background: cell.bg, modifier: cell.modifier }
    }

    /// Appends what makes this style the other one.
    pub fn change_to(&mut self, next: Style, bytes: &mut Vec<u8>) {
        if *self == next {
            return;
        }
        let start = bytes.len();
        bytes.extend_from_slice(b"\x1b[");
        // A modifier cannot be taken away alone: bold and dim have one end.
        let from = match next.modifier.contains(self.modifier) {
            true => *self,
            false => {
                bytes.extend_from_slice(b"0;");
                Style::default()
            }
        };
        for (modifier, code) in MODIFIERS {
            if next.modifier.contains(modifier) && !from.modifier.contains(modifier) {
                bytes.extend_from_slice(&[b'0' + code, b';']);
            }
        }
        if next.foreground != from.foreground {
            colour(bytes, next.foreground, 30);
        }
        if next.background != from.background {
            colour(bytes, next.background, 40);
        }
        if let Some(last) = bytes.last_mut() {
            *last = b'm';
        }
        if next == Style::default() {
            bytes.truncate(start);
            bytes.extend_from_slice(b"\x1b[m");
        }
        *self = next;
    }
}

/// The code of a colour and a `;`. `base`: 30 for letters, 40 for what is behind them.
fn colour(bytes: &mut Vec<u8>, colour: Color, base: u16) {
    let mut say = |numbers: &[u16]| {
        for &number in numbers {
            super::decimal(bytes, number);
            bytes.push(b';');
        }
    };
    match colour {
        Color::Reset => say(&[base + 9]),
        Color::Black => say(&[base]),
        Color::Red => say(&[base + 1]),
        Color::Green => say(&[base + 2]),
        Color::Yellow => say(&[base + 3]),
        Color::Blue => say(&[base + 4]),
        Color::Magenta => say(&[base + 5]),
        Color::Cyan => say(&[base + 6]),
        Color::Gray => say(&[base + 7]),
        Color::DarkGray => say(&[base + 60]),
        Color::LightRed => say(&[base + 61]),
        Color::LightGreen => say(&[base + 62]),
        Color::LightYellow => say(&[base + 63]),
        Color::LightBlue => say(&[base + 64]),
        Color::LightMagenta => say(&[base + 65]),
        Color::LightCyan => say(&[base + 66]),
        Color::White => say(&[base + 67]),
        Color::Indexed(index) => say(&[base + 8, 5, index.into()]),
        Color::Rgb(red, green, blue) => say(&[base + 8, 2, red.into(), green.into(), blue.into()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(from: Style, to: Style) -> String {
        let mut bytes = Vec::new();
        let mut style = from;
        style.change_to(to, &mut bytes);
        assert!(style == to);
        String::from_utf8(bytes).unwrap().replace('\x1b', "^")
    }

    #[test]
    fn changes_are_one_sequence() {
        let plain = Style::default();
        let red = Style { foreground: Color::Red, ..plain };
        let bold_red = Style { modifier: Modifier::BOLD, ..red };
        let grey = Style { foreground: Color::DarkGray, ..plain };
        let bar = Style { foreground: Color::Black, background: Color::Indexed(24), modifier: Modifier::BOLD };
        assert_eq!(change(plain, plain), "");
        assert_eq!(change(plain, bold_red), "^[1;31m");
        assert_eq!(change(red, bold_red), "^[1m");
        assert_eq!(change(bold_red, red), "^[0;31m");
        assert_eq!(change(red, grey), "^[90m");
        assert_eq!(change(bar, plain), "^[m");
        assert_eq!(change(plain, bar), "^[1;30;48;5;24m");
    }
}
