//! What typing into a prompt does, letter by letter.

use std::path::Path;

use crossterm::event::{KeyCode, KeyEvent};

use super::filter::{self, Filter, FilterError, FilterOf};
use super::keys::{Action, Key};
use super::prompt::{Mistake, Prompt, Purpose, TEXT_MAX, Typed};
use super::view::View;
use super::{App, Effect};
use crate::delay;
use crate::sample::Command;

impl App {
    /// What a filter is for on this screen.
    pub fn filter_of(&self) -> FilterOf {
        match self.view() {
            View::Cgroups => FilterOf::Cgroups,
            _ => FilterOf::Net(self.net_table()),
        }
    }

    /// Gives a key to the open prompt. False if there is none, or the key is not for it.
    pub(super) fn type_into_prompt(&mut self, key: &KeyEvent, effects: &mut Vec<Effect>) -> bool {
        let of = self.filter_of();
        let Some(prompt) = &mut self.prompt else { return false };
        let typed = if key.code == KeyCode::Tab { prompt.complete(of) } else { prompt.press(key) };
        match typed {
            Typed::Changed => self.prompt_changed(),
            Typed::Accepted => self.accept_text(effects),
            Typed::Cancelled => self.cancel(),
            Typed::Nothing => {}
            Typed::NotText => return !self.moves(key),
        }
        true
    }

    /// While a search or a filter is typed, the arrows still move the selection.
    fn moves(&self, key: &KeyEvent) -> bool {
        matches!(
            self.keymap.action(Key::of(key), self.places()),
            Some(Action::Move(_) | Action::Page(_) | Action::Redraw | Action::Suspend)
        )
    }

    /// Pasted text goes where text is typed, and nowhere else.
    pub(super) fn paste(&mut self, text: &str) {
        if let Some(prompt) = &mut self.prompt {
            match prompt.paste(text) {
                true => self.prompt_changed(),
                false => prompt.error = Some(format!("too long to paste: {TEXT_MAX} letters at most").into()),
            }
        }
    }

    fn prompt_changed(&mut self) {
        let Some(prompt) = &self.prompt else { return };
        let (purpose, text, cursor) = (prompt.purpose, prompt.text().to_string(), prompt.cursor());
        let error = match purpose {
            Purpose::Search => self.search_for(&text).err().map(Mistake::from),
            Purpose::Filter => self.filter_so_far(&text, cursor).err().map(Mistake::from),
            Purpose::Delay | Purpose::Export | Purpose::Time => None,
        };
        let doubt = if purpose == Purpose::Filter { self.doubt_of_filter(&text) } else { None };
        if let Some(prompt) = &mut self.prompt {
            (prompt.error, prompt.doubt) = (error, doubt.map(Mistake::from));
        }
    }

    /// Filters by what is typed so far. A word that may yet become `and` or a column is left out as long as it is not whole: as text it would
    /// hide what is looked for. Only where it is all there is, and found, it counts.
    fn filter_so_far(&mut self, text: &str, cursor: usize) -> Result<(), FilterError> {
        let Some(start) = filter::half_word(text, cursor, self.filter_of()) else { return self.filter_by(text) };
        let rest = format!("{}{}", &text[..start], &text[cursor..]);
        if rest.trim().is_empty() {
            self.filter_by(text)?;
            return if self.line_count() > 0 { Ok(()) } else { self.filter_by("") };
        }
        // What is left may end in `or`: then the filter before it stays.
        let _ = self.filter_by(&rest);
        Ok(())
    }

    /// What in a filter may have been meant otherwise, and where: text that looks like a column; a user nobody knows.
    fn doubt_of_filter(&self, text: &str) -> Option<FilterError> {
        let (filter, doubt) = filter::parse_doubting(text).ok()?;
        // The users of a recording are known once they were looked up.
        let of_user = || {
            let name = (!self.replay).then_some(&filter)?.unknown_user(|is_called| self.details.users().any(is_called))?;
            Some(FilterError { at: text.rfind(&name).unwrap_or(0), message: no_such_user(&name) })
        };
        doubt.or_else(of_user)
    }

    /// Why the filter in force may show less than was meant.
    pub fn filter_doubt(&self) -> Option<String> {
        self.doubt_of_filter(&self.filter_text).map(|doubt| doubt.message)
    }

    fn accept_text(&mut self, effects: &mut Vec<Effect>) {
        let Some(prompt) = self.prompt.take() else { return };
        match prompt.purpose {
            Purpose::Search if prompt.text().is_empty() => self.search = None,
            Purpose::Search => {}
            Purpose::Filter => match self.filter_by(prompt.text()) {
                Err(error) => self.prompt = Some(prompt.with_error(error)),
                // Where no lines are left, it stands in their place.
                Ok(()) => self.filter_doubt().filter(|_| self.line_count() > 0).into_iter().for_each(|doubt| self.say(doubt)),
            },
            Purpose::Delay => match delay::parse(prompt.text()) {
                Ok(interval) => {
                    self.interval = interval;
                    effects.push(Effect::Command(Command::SetInterval(interval)));
                }
                Err(error) => self.prompt = Some(prompt.with_error(error)),
            },
            Purpose::Time => {
                if let Err(error) = self.go_to_time(prompt.text(), effects) {
                    self.prompt = Some(prompt.with_error(error));
                }
            }
            Purpose::Export => self.export(prompt, effects),
        }
    }

    /// A file could not be written: its name is asked for again, so that what somebody types on does not become keys of the screen.
    pub(super) fn ask_again(&mut self, path: &Path, error: String) {
        self.prompt = Some(Prompt::new(Purpose::Export, &path.to_string_lossy()).with_error(error));
    }

    fn cancel(&mut self) {
        let Some(prompt) = self.prompt.take() else { return };
        match prompt.purpose {
            Purpose::Search => self.end_search(),
            Purpose::Filter => {
                let _ = self.filter_by(&prompt.before);
            }
            Purpose::Delay | Purpose::Export | Purpose::Time => {}
        }
    }

    /// Filters by `text`; if it cannot be read, the last good filter stays.
    pub(super) fn filter_by(&mut self, text: &str) -> Result<(), FilterError> {
        self.filter = filter::parse(text)?;
        self.filter_text = text.trim().to_string();
        self.arrange();
        Ok(())
    }

    pub(super) fn clear_filter(&mut self) {
        self.filter = Filter::default();
        self.filter_text.clear();
        self.arrange();
    }
}

/// Those of containers have numbers that this machine has no names for.
fn no_such_user(name: &str) -> String {
    format!("no user `{name}` is known here; in containers: uid=NUMBER")
}
