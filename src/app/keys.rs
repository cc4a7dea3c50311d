//! The one table of keys: what they do, where, and how that is said. Dispatch, footer and help are all made from it.

use std::borrow::Cow;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::column::Column;
use super::net::NetTable;
pub use super::place::Place;
use super::stacks::StackAction;
use super::view::View;
use crate::control::Question;
use crate::model::stacks::Measure;

/// What a key, a click or a hint asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// End ebtop.
    Quit,
    /// Stop the job, as the shell's Ctrl-Z.
    Suspend,
    /// Draw the whole screen anew.
    Redraw,
    /// Open the help.
    Help,
    /// Choose an action by its name.
    Palette,
    /// Show a view.
    View(View),
    /// The view to the right.
    NextView,
    /// The view to the left.
    PreviousView,
    /// Move the selection by lines.
    Move(isize),
    /// Move the selection by screens.
    Page(isize),
    /// To the first line, and stay there.
    Home,
    /// To the last line.
    End,
    /// From a row to its cause.
    Enter,
    /// Show or hide what is below the line.
    Fold,
    /// The same for all lines.
    FoldAll,
    /// Children below their parents, or all lines one by one.
    Tree,
    /// Choose what lines are grouped by.
    Group,
    /// Show threads one by one, or as their processes.
    Threads,
    /// Show or hide kernel threads.
    KernelThreads,
    /// Hold on to the selected line, or let go of it.
    Follow,
    /// Show all that is known of the process, or the table again.
    Details,
    /// In the details: show or hide the environment.
    Environment,
    /// In the details: read the memory map however long it takes.
    MemoryMap,
    /// Tag or untag the process.
    Tag,
    /// Tag the process and all below it.
    TagChildren,
    /// Untag all.
    Untag,
    /// The stacks, by this, of the tagged processes; where nobody is tagged, of the selected line.
    Why(Measure),
    /// Write what is in view to a file.
    Export,
    /// One step back.
    Back,
    /// The sockets of the selected process; in the sockets, back to processes.
    Sockets,
    /// Another table of the Network view.
    Net(NetTable),
    /// Sort by a column.
    Sort(Column),
    /// Choose the column to sort by.
    SortMenu,
    /// Show what is to the right, or to the left.
    Shift(bool),
    /// Choose whose processes are shown.
    Users,
    /// Turn the order round.
    Invert,
    /// Ask for a text to find.
    Search,
    /// To the next line found, or the one before.
    FindNext(bool),
    /// Ask for a filter.
    Filter,
    /// Show programs with or without their directories.
    Paths,
    /// Stop or resume the screen.
    Pause,
    /// Copy what is selected to the clipboard of the terminal.
    Copy,
    /// Begin to record, or end it.
    Record,
    /// Show the sample before the one on screen.
    Earlier,
    /// Show the sample after the one on screen.
    Later,
    /// Ask for a time, and show the sample of then.
    GoToTime,
    /// Show what is now again.
    Live,
    /// Ask for the time between samples.
    Delay,
    /// A header with more in it, or with less.
    Header,
    /// Choose columns, colours, units.
    Setup,
    /// Choose a signal for the process.
    Signal,
    /// Choose a nice value, a step from where it is.
    Nice(i8),
    /// Choose an I/O priority, or CPUs to run on.
    Setting(Question),
    /// Something in the stacks.
    Stack(StackAction),
}

/// A key as it is pressed. Shift is part of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

pub(super) const fn key(code: KeyCode) -> Key {
    Key { code, modifiers: KeyModifiers::NONE }
}

pub(super) const fn letter(c: char) -> Key {
    key(KeyCode::Char(c))
}

pub(super) const fn ctrl(c: char) -> Key {
    Key { code: KeyCode::Char(c), modifiers: KeyModifiers::CONTROL }
}

pub(super) const fn shift(code: KeyCode) -> Key {
    Key { code, modifiers: KeyModifiers::SHIFT }
}

impl Key {
    /// Ends ebtop whatever the configuration says.
    pub const WAY_OUT: Key = ctrl('c');
    /// What a double click stands for.
    pub const ENTER: Key = key(KeyCode::Enter);

    /// The key of a character.
    pub const fn letter(c: char) -> Key {
        letter(c)
    }

    /// The key that is called so: what [`Key::name`] writes, and `Up`, `Down`, `Left`, `Right` for the arrows.
    pub fn named(name: &str) -> Option<Key> {
        let mut characters = name.chars();
        if let (Some(c), None) = (characters.next(), characters.next())
            && !c.is_whitespace()
            && !c.is_control()
            && !matches!(c, '↑' | '↓' | '←' | '→')
        {
            return Some(letter(c));
        }
        if let Some(c) = name.strip_prefix("Ctrl-").filter(|c| c.len() == 1) {
            return c.chars().next().filter(char::is_ascii_alphabetic).map(|c| ctrl(c.to_ascii_lowercase()));
        }
        if let Some(key) = NAMED_KEYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Some(self::key(key.1));
        }
        let (modifiers, rest) = match name.strip_prefix("Shift-") {
            Some(rest) => (KeyModifiers::SHIFT, rest),
            None => (KeyModifiers::NONE, name),
        };
        let number = rest.strip_prefix('F')?.parse().ok().filter(|n| (1..=12).contains(n))?;
        Some(Key { code: KeyCode::F(number), modifiers })
    }

    /// The key of an event.
    pub fn of(event: &KeyEvent) -> Key {
        let kept = match event.code {
            KeyCode::Char(_) | KeyCode::BackTab => event.modifiers - KeyModifiers::SHIFT,
            _ => event.modifiers,
        };
        Key { code: event.code, modifiers: kept }
    }

    /// The key that followed Escape so closely that the terminal made one of the two: Alt and that key.
    pub fn after_escape(&self) -> Option<Key> {
        self.modifiers.contains(KeyModifiers::ALT).then_some(Key { modifiers: self.modifiers - KeyModifiers::ALT, ..*self })
    }

    /// The event that it makes.
    pub fn event(&self) -> KeyEvent {
        KeyEvent::new(self.code, self.modifiers)
    }

    /// It puts a character into a text.
    pub fn types(&self) -> bool {
        matches!(self.code, KeyCode::Char(_)) && self.modifiers.is_empty()
    }

    /// As it is written on the screen.
    pub fn name(&self) -> String {
        let code = match self.code {
            KeyCode::Char(' ') => "Space".to_string(),
            KeyCode::Char(c) if self.modifiers.contains(KeyModifiers::CONTROL) => c.to_uppercase().to_string(),
            KeyCode::Char(c) => crate::sample::printable(c.to_string().as_bytes()),
            KeyCode::F(n) => format!("F{n}"),
            KeyCode::BackTab => "Shift-Tab".into(),
            KeyCode::PageUp => "PgUp".into(),
            KeyCode::PageDown => "PgDn".into(),
            KeyCode::Backspace => "Bksp".into(),
            KeyCode::Up => "↑".into(),
            KeyCode::Down => "↓".into(),
            KeyCode::Left => "←".into(),
            KeyCode::Right => "→".into(),
            other => format!("{other:?}"),
        };
        let held = [(KeyModifiers::CONTROL, "Ctrl-"), (KeyModifiers::ALT, "Alt-"), (KeyModifiers::SHIFT, "Shift-")];
        let held: String = held.iter().filter(|(m, _)| self.modifiers.contains(*m)).map(|(_, name)| *name).collect();
        held + &code
    }
}

/// Keys that go by words.
const NAMED_KEYS: [(&str, KeyCode); 20] = [
    ("Space", KeyCode::Char(' ')),
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("Shift-Tab", KeyCode::BackTab),
    ("Bksp", KeyCode::Backspace),
    ("Delete", KeyCode::Delete),
    ("Insert", KeyCode::Insert),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PgUp", KeyCode::PageUp),
    ("PgDn", KeyCode::PageDown),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("↑", KeyCode::Up),
    ("↓", KeyCode::Down),
    ("←", KeyCode::Left),
    ("→", KeyCode::Right),
];

/// Keys, what they do and how that is said.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Any of these.
    pub keys: Cow<'static, [Key]>,
    /// What happens.
    pub action: Action,
    /// Where.
    pub place: Place,
    /// In a word, for the footer; empty = not there.
    pub hint: &'static str,
    /// In a sentence, for the help.
    pub help: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::bindings::BINDINGS;

    #[test]
    fn shift_is_part_of_the_character() {
        let event = KeyEvent::new(KeyCode::Char('P'), KeyModifiers::SHIFT);
        assert_eq!(Key::of(&event), letter('P'));
        assert_eq!(ctrl('l').name(), "Ctrl-L");
        assert_eq!(letter(' ').name(), "Space");
        assert_eq!(letter('\x07').name(), "\u{fffd}");
    }

    #[test]
    fn a_key_is_found_by_its_name() {
        for key in BINDINGS.iter().flat_map(|b| b.keys.iter()) {
            assert_eq!(Key::named(&key.name()), Some(*key), "{}", key.name());
        }
        for odd in ["", "F0", "F13", "Ctrl-", "Ctrl-é", "Shift-x", "ab", " ", "\x1b", "Hyper-F1"] {
            assert_eq!(Key::named(odd), None, "{odd:?}");
        }
    }
}
