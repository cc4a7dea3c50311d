//! Tells a double click: terminals report each press by itself.

use std::time::{Duration, Instant};

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

/// Two presses further apart are two clicks; the default of most desktops.
const SOON: Duration = Duration::from_millis(400);

/// The last press that may be the first of two.
#[derive(Debug, Default)]
pub(super) struct Clicks {
    first: Option<(Instant, u16, u16)>,
}

impl Clicks {
    /// The left button went down where it did just before. A third press begins anew, and so does one after the wheel or a drag: what stood
    /// there may stand elsewhere.
    pub(super) fn is_second(&mut self, event: &MouseEvent, now: Instant) -> bool {
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => {}
            MouseEventKind::Up(MouseButton::Left) => return false,
            _ => {
                self.first = None;
                return false;
            }
        }
        let here = (event.column, event.row);
        let is_second = self.first.is_some_and(|(at, column, row)| (column, row) == here && now.saturating_duration_since(at) <= SOON);
        self.first = if is_second { None } else { Some((now, here.0, here.1)) };
        is_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyModifiers;

    #[test]
    fn two_presses_in_one_place_within_a_moment_are_one_double_click() {
        use MouseEventKind::{Down, ScrollDown, Up};
        let (down, up) = (Down(MouseButton::Left), Up(MouseButton::Left));
        let begin = Instant::now();
        let mut clicks = Clicks::default();
        let mut at = |ms: u64, kind, column, row| {
            let event = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
            clicks.is_second(&event, begin + Duration::from_millis(ms))
        };
        let doubles = [at(0, down, 4, 9), at(50, up, 4, 9), at(200, down, 4, 9), at(210, up, 4, 9), at(300, down, 4, 9)];
        assert_eq!(doubles, [false, false, true, false, false], "the third press begins anew");
        assert!(!at(800, down, 4, 9), "too late");
        assert!(!at(900, down, 5, 9), "elsewhere");
        assert!(!at(910, ScrollDown, 5, 9) && !at(920, down, 5, 9), "scrolled in between");
        assert!(!at(930, Down(MouseButton::Right), 5, 9) && !at(940, down, 5, 9));
        assert!(at(1000, down, 5, 9));
    }
}
