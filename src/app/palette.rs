//! The palette: every action of the screen by its name, with its keys and what it does.

use super::keys::Action;
use super::menu::{Item, Menu, Topic};
use super::{App, Effect};

impl App {
    /// Opens it.
    pub(super) fn ask_action(&mut self) {
        let (mut items, mut actions) = (Vec::new(), Vec::new());
        for binding in self.keymap.bindings(self.places()) {
            if binding.action == Action::Palette || actions.contains(&binding.action) {
                continue;
            }
            let keys: Vec<String> = self.keymap.live_keys(binding, self.places()).map(|key| key.name()).collect();
            items.push(Item::new(binding.action.name(), format!("{:<10} {}", keys.join(" "), binding.help)));
            actions.push(binding.action);
        }
        let mut menu = Menu::new(Topic::Palette(actions), "Do", items, 0);
        menu.verb = "do";
        menu.explains = true;
        self.menu = Some(menu);
    }

    /// Does what was chosen in it.
    pub(super) fn do_chosen(&mut self, menu: Menu, effects: &mut Vec<Effect>) {
        let Some(chosen) = menu.chosen() else { return self.menu = Some(menu) };
        if let Topic::Palette(actions) = menu.topic
            && let Some(action) = actions.get(chosen)
        {
            self.act(*action, effects);
        }
    }
}
