//! A line of text being typed: a search, a filter, a delay, a file, a time.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};
use unicode_width::UnicodeWidthStr;

use super::filter::{Completion, FilterError, FilterOf, complete};

/// Letters of a text: more is no question or name a person types, and all of it is read anew at each letter.
pub const TEXT_MAX: usize = 4096;

/// What the text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Find lines.
    Search,
    /// Show only some lines.
    Filter,
    /// Time between samples.
    Delay,
    /// The file to write to.
    Export,
    /// The time to look back to.
    Time,
}

impl Purpose {
    /// What stands before the text.
    pub fn label(self) -> &'static str {
        ["Search: ", "Filter: ", "Delay: ", "Write to: ", "Look back to: "][self as usize]
    }
}

/// What a key did to the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// The text is another one now.
    Changed,
    /// Enter.
    Accepted,
    /// Esc, or Backspace on nothing.
    Cancelled,
    /// Nothing that matters to others.
    Nothing,
    /// Not a key of text; the screen may use it.
    NotText,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where, in bytes, if that can be said.
    pub at: Option<usize>,
    /// What, and what would be right.
    pub text: String,
}

impl From<String> for Mistake {
    fn from(text: String) -> Mistake {
        Mistake { at: None, text }
    }
}

impl From<FilterError> for Mistake {
    fn from(error: FilterError) -> Mistake {
        Mistake { at: Some(error.at), text: error.message }
    }
}

/// The text, and what stood there before.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// What for.
    pub purpose: Purpose,
    /// What is wrong with the text.
    pub error: Option<Mistake>,
    /// What may have been meant otherwise.
    pub doubt: Option<Mistake>,
    /// The text before, for Esc.
    pub before: String,
    input: Input,
}

impl Prompt {
    /// Begins with `text`.
    pub fn new(purpose: Purpose, text: &str) -> Prompt {
        Prompt { purpose, error: None, doubt: None, before: text.into(), input: Input::new(text.into()) }
    }

    /// The same, with something wrong.
    #[must_use]
    pub fn with_error(self, error: impl Into<Mistake>) -> Prompt {
        Prompt { error: Some(error.into()), ..self }
    }

    /// The text.
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// The part that fits in `width` cells, and the cell of the cursor in it.
    pub fn visible(&self, width: usize) -> (usize, usize) {
        let scroll = self.input.visual_scroll(width.saturating_sub(1));
        (scroll, self.input.visual_cursor().saturating_sub(scroll))
    }

    /// Cells of the text before a byte of it.
    pub fn cells_before(&self, byte: usize) -> usize {
        self.text().get(..byte).map_or(0, UnicodeWidthStr::width)
    }

    /// The byte of the text that the cursor stands at.
    pub fn cursor(&self) -> usize {
        self.text().char_indices().nth(self.input.cursor()).map_or(self.text().len(), |(at, _)| at)
    }

    /// What the word at the cursor could become in a filter.
    pub fn completion(&self, of: FilterOf) -> Option<Completion> {
        let byte = self.cursor();
        if self.purpose == Purpose::Filter { complete(self.text(), byte, of) } else { None }
    }

    /// Types as much of the word at the cursor as all its completions share.
    pub fn complete(&mut self, of: FilterOf) -> Typed {
        let Some(found) = self.completion(of) else { return Typed::Nothing };
        while self.input.cursor() > self.text()[..found.start].chars().count() {
            self.input.handle(InputRequest::DeletePrevChar);
        }
        let is_whole = self.paste(found.common());
        if is_whole { Typed::Changed } else { Typed::Nothing }
    }

    /// Takes a key.
    pub fn press(&mut self, key: &KeyEvent) -> Typed {
        use InputRequest::*;
        let request = match (key.code, key.modifiers - KeyModifiers::SHIFT) {
            (KeyCode::Enter, _) => return Typed::Accepted,
            (KeyCode::Esc, _) => return Typed::Cancelled,
            (KeyCode::Char('c'), KeyModifiers::CONTROL) => return Typed::Cancelled,
            (KeyCode::Backspace, _) if self.text().is_empty() => return Typed::Cancelled,
            (KeyCode::Char(_), KeyModifiers::NONE) if self.room() == 0 => return Typed::Nothing,
            (KeyCode::Char(c), KeyModifiers::NONE) => InsertChar(c),
            (KeyCode::Backspace, KeyModifiers::NONE) | (KeyCode::Char('h'), KeyModifiers::CONTROL) => DeletePrevChar,
            (KeyCode::Delete, _) => DeleteNextChar,
            (KeyCode::Left, _) => GoToPrevChar,
            (KeyCode::Right, _) => GoToNextChar,
            (KeyCode::Home, _) | (KeyCode::Char('a'), KeyModifiers::CONTROL) => GoToStart,
            (KeyCode::End, _) | (KeyCode::Char('e'), KeyModifiers::CONTROL) => GoToEnd,
            (KeyCode::Char('w'), KeyModifiers::CONTROL) => DeletePrevWord,
            (KeyCode::Char('u'), KeyModifiers::CONTROL) => DeleteLine,
            (KeyCode::Char('k'), KeyModifiers::CONTROL) => DeleteTillEnd,
            _ => return Typed::NotText,
        };
        match self.input.handle(request) {
            Some(state) if state.value => Typed::Changed,
            _ => Typed::Nothing,
        }
    }

    fn room(&self) -> usize {
        TEXT_MAX.saturating_sub(self.text().chars().count())
    }

    /// Inserts pasted text without its control characters; false where there is no room for all of it, and so for none.
    #[must_use]
    pub fn paste(&mut self, text: &str) -> bool {
        let room = self.room();
        let pasted: String = text.chars().filter(|c| !c.is_control()).take(room + 1).collect();
        let (letters, cursor) = (pasted.chars().count(), self.input.cursor());
        if letters <= room {
            let mut whole = self.text().to_owned();
            let at = whole.char_indices().nth(cursor).map_or(whole.len(), |(at, _)| at);
            whole.insert_str(at, &pasted);
            self.input = Input::new(whole).with_cursor(cursor + letters);
        }
        letters <= room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(prompt: &mut Prompt, code: KeyCode) -> Typed {
        prompt.press(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn text_is_edited_and_given_up() {
        let mut prompt = Prompt::new(Purpose::Search, "");
        assert_eq!(press(&mut prompt, KeyCode::Char('a')), Typed::Changed);
        assert_eq!(press(&mut prompt, KeyCode::Left), Typed::Nothing);
        assert_eq!(press(&mut prompt, KeyCode::Up), Typed::NotText);
        press(&mut prompt, KeyCode::End);
        assert_eq!(press(&mut prompt, KeyCode::Backspace), Typed::Changed);
        assert_eq!(press(&mut prompt, KeyCode::Backspace), Typed::Cancelled);
    }

    #[test]
    fn words_of_a_filter_are_completed_where_they_stand() {
        let mut prompt = Prompt::new(Purpose::Filter, "é kthr or KTH)");
        press(&mut prompt, KeyCode::Left);
        assert_eq!(prompt.complete(FilterOf::PROCESSES), Typed::Changed);
        assert_eq!(prompt.text(), "é kthr or kthread)");
        assert_eq!(prompt.complete(FilterOf::PROCESSES), Typed::Nothing);
        (0..11).for_each(|_| assert_eq!(press(&mut prompt, KeyCode::Left), Typed::Nothing));
        assert_eq!(prompt.complete(FilterOf::PROCESSES), Typed::Changed);
        assert_eq!(prompt.text(), "é kthread or kthread)");
        assert_eq!(Prompt::new(Purpose::Search, "kth").complete(FilterOf::PROCESSES), Typed::Nothing);
    }

    #[test]
    fn pasted_controls_are_dropped() {
        let mut prompt = Prompt::new(Purpose::Filter, "x");
        assert!(prompt.paste("a\x1b[31m\nb"));
        assert_eq!(prompt.text(), "xa[31mb");
    }

    #[test]
    fn pasted_text_goes_to_the_cursor_at_once_or_not_at_all() {
        let mut prompt = Prompt::new(Purpose::Search, "é!");
        press(&mut prompt, KeyCode::Left);
        assert!(prompt.paste("日本"));
        press(&mut prompt, KeyCode::Char('x'));
        assert_eq!(prompt.text(), "é日本x!");
        assert!(!prompt.paste(&"y".repeat(TEXT_MAX - 4)) && prompt.text() == "é日本x!");
        assert!(prompt.paste(&"y".repeat(TEXT_MAX - 5)));
        assert_eq!((press(&mut prompt, KeyCode::Char('x')), prompt.text().chars().count()), (Typed::Nothing, TEXT_MAX));
    }
}
