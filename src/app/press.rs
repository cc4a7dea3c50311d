//! Where a key goes: to what is typed into, to the open list, or to the screen.

use crossterm::event::{KeyCode, KeyEvent};

use super::keys::{Action, Key};
use super::menu::{Menu, Pressed, Topic};
use super::{App, Effect};

impl App {
    pub(super) fn press(&mut self, event: &KeyEvent, effects: &mut Vec<Effect>) {
        self.message = None;
        let key = Key::of(event);
        if let Some(next) = key.after_escape() {
            self.press(&KeyEvent::from(KeyCode::Esc), effects);
            return self.press(&next.event(), effects);
        }
        if self.layout().is_none() {
            return self.press_unseen(key, effects);
        }
        if self.type_into_prompt(event, effects) || self.press_in_menu(event, effects) {
            return;
        }
        match self.keymap.action(key, self.places()) {
            Some(action) => {
                self.give_up_late_finds();
                self.act(action, effects);
            }
            None => self.say(format!("{} does nothing here; ? lists the keys", key.name())),
        }
    }

    /// A screen too small for anything shows neither what is selected nor what is asked: nothing is done there but to leave. Letters may
    /// be meant for a text that is being typed.
    fn press_unseen(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let is_typed = self.prompt.is_some() && key.types();
        let action = self.keymap.action(key, self.places()).filter(|_| !is_typed);
        if let Some(action @ (Action::Quit | Action::Suspend | Action::Redraw)) = action {
            self.act(action, effects);
        }
    }

    /// Gives a key to the open list. False if there is none, or the key is not for it.
    fn press_in_menu(&mut self, event: &KeyEvent, effects: &mut Vec<Effect>) -> bool {
        let Some(menu) = &mut self.menu else { return false };
        match menu.press(event) {
            Pressed::Accepted => {
                if let Some(menu) = self.menu.take() {
                    self.accept(menu, effects);
                }
            }
            Pressed::Cancelled => self.close_menu(),
            Pressed::Moved | Pressed::Toggled => self.preview(),
            Pressed::Foreign => {
                return !matches!(self.keymap.action(Key::of(event), self.places()), Some(Action::Redraw | Action::Suspend));
            }
        }
        true
    }

    /// Closes the list and takes nothing.
    pub(super) fn close_menu(&mut self) {
        if let Some(menu) = self.menu.take() {
            self.take_back(menu.topic);
        }
    }

    /// Takes what is chosen in a list.
    pub(super) fn accept(&mut self, menu: Menu, effects: &mut Vec<Effect>) {
        match menu.topic {
            Topic::Group => self.group_by(menu.chosen()),
            Topic::Sort => self.sort_by_chosen(menu),
            Topic::User(_) => self.filter_by_chosen(menu),
            Topic::Palette(_) => self.do_chosen(menu, effects),
            Topic::Setup => self.open_setup(menu.chosen()),
            Topic::Theme(_) | Topic::Units(_) | Topic::Header(_) | Topic::Columns(..) => self.keep_look(effects),
            _ => self.accept_change(menu, effects),
        }
    }
}
