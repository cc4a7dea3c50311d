//! What a terminal sends, as keys, clicks and pastes: xterm's forms, which all others speak, and the Linux console's.
//!
//! Bytes come in any pieces. What may be the beginning of something longer waits for the rest; [`Decoder::nothing_came`] says that
//! there is none, so that an Escape was the key. Unknown sequences are left out whole.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

/// No sequence that means anything is longer.
const SEQUENCE_BYTES: usize = 64;
/// Of a paste that is longer, the rest is left out: no text that is asked for is as long.
const PASTE_BYTES: usize = 64 << 10;
/// So often nothing may come within a paste that is left out; then its end will not come any more.
const PASTE_PAUSES: u32 = 50;
const PASTE_START: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// Takes bytes, gives events.
#[derive(Default)]
pub struct Decoder {
    waiting: Vec<u8>,
    /// Of a paste that waits for its end, bytes that have been looked through for it.
    searched: usize,
    /// The rest of a paste is left out; how often nothing came meanwhile.
    left_out: Option<u32>,
}

/// What the first bytes are.
enum Step {
    /// So many bytes mean this, or nothing.
    Took(usize, Option<Event>),
    /// The rest is still to come.
    Wait,
}

impl Decoder {
    /// Takes in what was read.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.waiting.extend_from_slice(bytes);
        self.decode(false)
    }

    /// Whether something is not whole yet.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty() || self.left_out.is_some()
    }

    /// For a while no more bytes came: what waits is all there is. A paste still waits for its end.
    pub fn nothing_came(&mut self) -> Vec<Event> {
        if let Some(pauses) = self.left_out {
            self.left_out = Some(pauses + 1).filter(|pauses| *pauses < PASTE_PAUSES);
            if self.left_out.is_none() {
                self.waiting.clear();
            }
        }
        self.decode(true)
    }

    fn decode(&mut self, is_all: bool) -> Vec<Event> {
        let mut events = Vec::new();
        let mut at = 0;
        while at < self.waiting.len() {
            let bytes = &self.waiting[at..];
            let next = match self.left_out {
                Some(_) => self.leave_out(at),
                None if bytes.starts_with(PASTE_START) => self.paste(at),
                None => step(bytes, is_all),
            };
            match next {
                Step::Took(count, event) => {
                    at += count;
                    events.extend(event);
                }
                Step::Wait => break,
            }
        }
        self.waiting.drain(..at);
        events
    }

    /// The paste that begins here; the first bytes of a long one, whose rest is left out.
    fn paste(&mut self, at: usize) -> Step {
        let text = &self.waiting[at + PASTE_START.len()..];
        let event = |text: &[u8]| Some(Event::Paste(String::from_utf8_lossy(text).into_owned()));
        // The end may have begun in what was looked through.
        let from = self.searched.saturating_sub(PASTE_END.len());
        self.searched = 0;
        match end_of_paste(&text[from..]) {
            Some(end) => Step::Took(PASTE_START.len() + from + end + PASTE_END.len(), event(&text[..from + end])),
            None if text.len() > PASTE_BYTES => {
                self.left_out = Some(0);
                Step::Took(PASTE_START.len() + PASTE_BYTES, event(&text[..PASTE_BYTES]))
            }
            None => {
                self.searched = text.len();
                Step::Wait
            }
        }
    }

    fn leave_out(&mut self, at: usize) -> Step {
        let text = &self.waiting[at..];
        match end_of_paste(text) {
            Some(end) => {
                self.left_out = None;
                Step::Took(end + PASTE_END.len(), None)
            }
            None if text.len() >= PASTE_END.len() => Step::Took(text.len() + 1 - PASTE_END.len(), None),
            None => Step::Wait,
        }
    }
}

fn end_of_paste(text: &[u8]) -> Option<usize> {
    text.windows(PASTE_END.len()).position(|part| part == PASTE_END)
}

fn step(bytes: &[u8], is_all: bool) -> Step {
    match *bytes {
        [0x1b] if is_all => key(1, KeyCode::Esc, KeyModifiers::NONE),
        [0x1b] => Step::Wait,
        [0x1b, 0x1b, ..] => key(1, KeyCode::Esc, KeyModifiers::NONE),
        [0x1b, b'[' | b'O'] | [0x1b, b'[', b'['] if !is_all => Step::Wait,
        [0x1b, b'[', b'[', letter, ..] => Step::Took(4, console_key(letter)),
        [0x1b, b'[', _, ..] => sequence(bytes, is_all),
        [0x1b, b'O', letter, ..] => Step::Took(3, letter_key(letter).map(|code| key_event(code, KeyModifiers::NONE))),
        [0x1b, ..] => match character(&bytes[1..], is_all) {
            Step::Took(count, event) => Step::Took(count + 1, event.map(with_alt)),
            Step::Wait => Step::Wait,
        },
        _ => character(bytes, is_all),
    }
}

fn key_event(code: KeyCode, modifiers: KeyModifiers) -> Event {
    Event::Key(KeyEvent::new(code, modifiers))
}

fn key(count: usize, code: KeyCode, modifiers: KeyModifiers) -> Step {
    Step::Took(count, Some(key_event(code, modifiers)))
}

fn with_alt(event: Event) -> Event {
    match event {
        Event::Key(key) => key_event(key.code, key.modifiers | KeyModifiers::ALT),
        other => other,
    }
}

/// A control character or a letter in UTF-8; bytes that are neither are left out.
fn character(bytes: &[u8], is_all: bool) -> Step {
    let control = |letter: u8| key(1, KeyCode::Char(letter.into()), KeyModifiers::CONTROL);
    let length = match bytes[0] {
        b'\r' => return key(1, KeyCode::Enter, KeyModifiers::NONE),
        b'\t' => return key(1, KeyCode::Tab, KeyModifiers::NONE),
        0x7f => return key(1, KeyCode::Backspace, KeyModifiers::NONE),
        0 => return control(b' '),
        letter @ 1..=0x1a => return control(letter - 1 + b'a'),
        letter @ 0x1c..=0x1f => return control(letter - 0x1c + b'4'),
        0x1b | 0x20..=0x7e => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Step::Took(1, None),
    };
    let there = &bytes[..length.min(bytes.len())];
    match std::str::from_utf8(there) {
        Ok(text) => {
            let letter = text.chars().next().map(|letter| {
                let shift = if letter.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
                key_event(KeyCode::Char(letter), shift)
            });
            Step::Took(length, letter)
        }
        Err(error) if error.error_len().is_none() && !is_all => Step::Wait,
        Err(_) => Step::Took(1, None),
    }
}

/// `ESC [`, numbers, a letter.
fn sequence(bytes: &[u8], is_all: bool) -> Step {
    let Some(end) = bytes.iter().skip(2).position(|byte| !(0x20..=0x3f).contains(byte)).map(|at| at + 2) else {
        return match is_all || bytes.len() > SEQUENCE_BYTES {
            true => Step::Took(bytes.len(), None),
            false => Step::Wait,
        };
    };
    let last = bytes[end];
    if !(0x40..=0x7e).contains(&last) {
        // Broken off: what broke it begins something else.
        return Step::Took(end, None);
    }
    let event = match &bytes[2..end] {
        [b'<', numbers @ ..] => mouse(&numbers_of(numbers), last),
        numbers => sequence_key(&numbers_of(numbers), last),
    };
    Step::Took(end + 1, event)
}

/// The numbers between the semicolons; what is none counts as 0.
fn numbers_of(bytes: &[u8]) -> Vec<u16> {
    let number = |text: &[u8]| std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    bytes.split(|&byte| byte == b';').map(number).collect()
}

fn sequence_key(numbers: &[u16], last: u8) -> Option<Event> {
    let mut modifiers = modifiers_of(numbers.get(1).copied().unwrap_or(1));
    let code = match last {
        b'Z' => {
            modifiers |= KeyModifiers::SHIFT;
            KeyCode::BackTab
        }
        b'~' => numbered_key(*numbers.first()?)?,
        letter => letter_key(letter)?,
    };
    Some(key_event(code, modifiers))
}

/// 1 and a bit for each.
fn modifiers_of(number: u16) -> KeyModifiers {
    let held = number.saturating_sub(1);
    [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)]
        .into_iter()
        .filter(|(bit, _)| held & bit != 0)
        .fold(KeyModifiers::NONE, |all, (_, modifier)| all | modifier)
}

fn letter_key(letter: u8) -> Option<KeyCode> {
    Some(match letter {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'H' => KeyCode::Home,
        b'F' => KeyCode::End,
        b'M' => KeyCode::Enter,
        letter @ b'P'..=b'S' => KeyCode::F(1 + letter - b'P'),
        _ => return None,
    })
}

fn numbered_key(number: u16) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        // xterm leaves out 16, 22, 27 and 30.
        11..=15 => KeyCode::F(number as u8 - 10),
        17..=21 => KeyCode::F(number as u8 - 11),
        23..=26 => KeyCode::F(number as u8 - 12),
        28 | 29 => KeyCode::F(number as u8 - 13),
        31..=34 => KeyCode::F(number as u8 - 14),
        _ => return None,
    })
}

/// F1 to F5 of the Linux console.
fn console_key(letter: u8) -> Option<Event> {
    (b'A'..=b'E').contains(&letter).then(|| key_event(KeyCode::F(1 + letter - b'A'), KeyModifiers::NONE))
}

/// Buttons and wheel in SGR form: button, column, line; `M` goes down, `m` up.
fn mouse(numbers: &[u16], last: u8) -> Option<Event> {
    let &[what, column, row] = numbers else { return None };
    let button = match what & 3 {
        0 => Some(MouseButton::Left),
        1 => Some(MouseButton::Middle),
        2 => Some(MouseButton::Right),
        _ => None,
    };
    let kind = match (what & !0b11100, last) {
        (64, b'M') => MouseEventKind::ScrollUp,
        (65, b'M') => MouseEventKind::ScrollDown,
        (66, b'M') => MouseEventKind::ScrollLeft,
        (67, b'M') => MouseEventKind::ScrollRight,
        (0..=2, b'M') => MouseEventKind::Down(button?),
        (0..=2, b'm') => MouseEventKind::Up(button?),
        (32..=34, _) => MouseEventKind::Drag(button?),
        (35, _) => MouseEventKind::Moved,
        _ => return None,
    };
    let held = [(4, KeyModifiers::SHIFT), (8, KeyModifiers::ALT), (16, KeyModifiers::CONTROL)];
    let modifiers = held.into_iter().filter(|(bit, _)| what & bit != 0).fold(KeyModifiers::NONE, |all, (_, modifier)| all | modifier);
    Some(Event::Mouse(MouseEvent { kind, column: column.saturating_sub(1), row: row.saturating_sub(1), modifiers }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8]) -> Vec<Event> {
        let mut decoder = Decoder::default();
        let mut events = decoder.take(bytes);
        events.extend(decoder.nothing_came());
        events
    }

    fn one(bytes: &[u8]) -> (KeyCode, KeyModifiers) {
        match &all(bytes)[..] {
            [Event::Key(key)] => (key.code, key.modifiers),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn letters_and_controls() {
        use KeyCode::*;
        const NONE: KeyModifiers = KeyModifiers::NONE;
        assert_eq!(one(b"a"), (Char('a'), NONE));
        assert_eq!(one(b"P"), (Char('P'), KeyModifiers::SHIFT));
        assert_eq!(one("é".as_bytes()), (Char('é'), NONE));
        assert_eq!(one("日".as_bytes()), (Char('日'), NONE));
        assert_eq!(one(b"\r"), (Enter, NONE));
        assert_eq!(one(b"\t"), (Tab, NONE));
        assert_eq!(one(b"\x7f"), (Backspace, NONE));
        assert_eq!(one(b"\x03"), (Char('c'), KeyModifiers::CONTROL));
        assert_eq!(one(b"\x1a"), (Char('z'), KeyModifiers::CONTROL));
        assert_eq!(one(b"\0"), (Char(' '), KeyModifiers::CONTROL));
        assert_eq!(one(b"\x1b"), (Esc, NONE));
        assert_eq!(one(b"\x1bx"), (Char('x'), KeyModifiers::ALT));
        assert_eq!(one(b"\x1b["), (Char('['), KeyModifiers::ALT));
        assert_eq!(one(b"\x1bO"), (Char('O'), KeyModifiers::ALT | KeyModifiers::SHIFT));
    }

    #[test]
    fn keys_with_names() {
        use KeyCode::*;
        for (bytes, code) in [
            ("\x1b[A", Up),
            ("\x1bOB", Down),
            ("\x1b[H", Home),
            ("\x1b[1~", Home),
            ("\x1b[8~", End),
            ("\x1b[3~", Delete),
            ("\x1b[5~", PageUp),
            ("\x1b[6~", PageDown),
            ("\x1bOP", F(1)),
            ("\x1b[[E", F(5)),
            ("\x1b[15~", F(5)),
            ("\x1b[17~", F(6)),
            ("\x1b[21~", F(10)),
            ("\x1b[24~", F(12)),
        ] {
            assert_eq!(one(bytes.as_bytes()), (code, KeyModifiers::NONE), "{bytes:?}");
        }
        assert_eq!(one(b"\x1b[Z"), (BackTab, KeyModifiers::SHIFT));
        assert_eq!(one(b"\x1b[1;5C"), (Right, KeyModifiers::CONTROL));
        assert_eq!(one(b"\x1b[13;2~"), (F(3), KeyModifiers::SHIFT));
    }

    #[test]
    fn clicks_and_the_wheel() {
        let mouse = |bytes: &[u8]| match all(bytes)[..] {
            [Event::Mouse(m)] => (m.kind, m.column, m.row, m.modifiers),
            ref other => panic!("{other:?}"),
        };
        const NONE: KeyModifiers = KeyModifiers::NONE;
        assert_eq!(mouse(b"\x1b[<0;1;2M"), (MouseEventKind::Down(MouseButton::Left), 0, 1, NONE));
        assert_eq!(mouse(b"\x1b[<2;300;2m"), (MouseEventKind::Up(MouseButton::Right), 299, 1, NONE));
        assert_eq!(mouse(b"\x1b[<65;5;5M"), (MouseEventKind::ScrollDown, 4, 4, NONE));
        assert_eq!(mouse(b"\x1b[<20;5;5M"), (MouseEventKind::Down(MouseButton::Left), 4, 4, KeyModifiers::SHIFT | KeyModifiers::CONTROL));
        assert_eq!(all(b"\x1b[<99;5M").len(), 0);
    }

    #[test]
    fn a_paste_is_one_event_however_long_it_takes() {
        let mut decoder = Decoder::default();
        assert!(decoder.take(b"\x1b[200~a\x1b[A").is_empty());
        assert!(decoder.nothing_came().is_empty());
        assert_eq!(decoder.take(b"b\x1b[201~q"), [Event::Paste("a\x1b[Ab".into()), key_event(KeyCode::Char('q'), KeyModifiers::NONE)]);
        assert!(!decoder.is_waiting());
    }

    /// Read as keys it could send signals.
    #[test]
    fn the_rest_of_a_long_paste_is_left_out() {
        let mut decoder = Decoder::default();
        decoder.take(PASTE_START);
        let given: Vec<Event> = (0..20).flat_map(|_| decoder.take(&[b'k'; PASTE_BYTES / 8])).collect();
        assert_eq!(given, [Event::Paste("k".repeat(PASTE_BYTES))]);
        assert!(decoder.waiting.len() < PASTE_END.len() && decoder.is_waiting());
        assert!((0..PASTE_PAUSES - 1).all(|_| decoder.nothing_came().is_empty()));
        assert!(decoder.take(b"kk\x1b[2").is_empty());
        assert_eq!(decoder.take(b"01~q"), [key_event(KeyCode::Char('q'), KeyModifiers::NONE)]);

        decoder.take(PASTE_START);
        assert_eq!(decoder.take(&[b'k'; PASTE_BYTES + 1]).len(), 1);
        assert!((0..PASTE_PAUSES - 1).all(|_| decoder.nothing_came().is_empty()), "its end may still come");
        assert!(decoder.nothing_came().is_empty() && !decoder.is_waiting());
        assert_eq!(decoder.take(b"q").len(), 1, "it will not come any more");
    }

    #[test]
    fn an_escape_before_another_sequence_is_a_key() {
        let codes = |bytes: &[u8]| -> Vec<KeyCode> { all(bytes).iter().filter_map(|e| e.as_key_event().map(|k| k.code)).collect() };
        assert_eq!(codes(b"\x1b\x1b\x1b[A"), [KeyCode::Esc, KeyCode::Esc, KeyCode::Up]);
        assert_eq!(codes(b"\x1b[12\x1b[A"), [KeyCode::Up], "a broken one is left out");
        assert_eq!(codes(b"\x1b[?1;2cq"), [KeyCode::Char('q')], "so is an answer nobody asked for");
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(keys in prop::collection::vec(prop::sample::select(vec!["a", "é", "日", "\x1b[A", "\x1bOP", "\x1b[1;5C", "\x1b[<0;10;20M", "\x1b[200~x y\x1b[201~", "\r", "\x1b[[A"]), 1..8), cut in 0usize..64) {
            let bytes = keys.concat().into_bytes();
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut decoder = Decoder::default();
            let mut events = decoder.take(first);
            events.extend(decoder.take(second));
            prop_assert_eq!(events.len(), keys.len());
            prop_assert_eq!(events, all(&bytes));
            prop_assert!(!decoder.is_waiting());
        }

        #[test]
        fn odd_bytes_neither_panic_nor_stay(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = Decoder::default();
            decoder.take(&bytes);
            decoder.nothing_came();
            prop_assert!(!decoder.is_waiting() || decoder.waiting.starts_with(PASTE_START));
        }
    }
}
