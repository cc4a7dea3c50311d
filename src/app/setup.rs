//! Setup: columns of the table, colours, units. What is chosen shows at once behind the list; Enter keeps it and saves it, Esc takes it back.

use super::column::Spec;
use super::look::{Header, Look, Palette, Units};
use super::menu::{Item, Menu, Topic};
use super::{App, Effect};

/// The parts of the setup, in the order of its list.
const PARTS: [(&str, &str); 4] = [
    ("columns", "which columns this table has, and their order"),
    ("theme", "colours"),
    ("units", "how bytes are counted"),
    ("header", "how much of the screen the header takes"),
];

impl App {
    /// What somebody chose about the looks.
    pub fn look(&self) -> &Look {
        &self.look
    }

    /// The next form of the header. On a low screen all are one.
    pub(super) fn next_header(&mut self) {
        self.look.header = self.look.header.next();
        self.say(format!("Header: {}; F2 keeps it", self.look.header.note()));
    }

    /// Opens the setup.
    pub(super) fn ask_setup(&mut self) {
        let items = PARTS.map(|(part, note)| Item::new(part, note)).to_vec();
        let mut menu = Menu::new(Topic::Setup, "Setup", items, 0);
        menu.verb = "open";
        self.menu = Some(menu);
    }

    /// Opens a part of it.
    pub(super) fn open_setup(&mut self, part: Option<usize>) {
        let before = self.look.clone();
        let menu = match part {
            Some(0) => return self.ask_columns(before),
            Some(1) => {
                let items = Palette::ALL.map(|p| Item::new(p.name(), p.note())).to_vec();
                Menu::one_of(Topic::Theme(before), "Theme", items, self.look.palette as usize)
            }
            Some(2) => {
                let items = Units::ALL.map(|u| Item::new(u.name(), u.note())).to_vec();
                Menu::one_of(Topic::Units(before), "Units of bytes", items, self.look.units as usize)
            }
            Some(_) => {
                let items = Header::ALL.map(|h| Item::new(h.name(), h.note())).to_vec();
                let now = Header::ALL.iter().position(|h| *h == self.look.header).unwrap_or(0);
                Menu::one_of(Topic::Header(before), "Header", items, now)
            }
            None => return self.ask_setup(),
        };
        self.open_to_save(menu);
    }

    fn open_to_save(&mut self, mut menu: Menu) {
        menu.verb = "save";
        menu.previews = true;
        self.menu = Some(menu);
    }

    fn ask_columns(&mut self, before: Look) {
        let shown = self.shown();
        let Some((choice, last)) = self.table(shown).map(|table| (table.choice(), table.last_title())) else {
            return self.say(format!("{} has no columns to choose", shown.title()));
        };
        let item = |&(spec, is_checked): &(&Spec, bool)| Item { is_checked, ..Item::new(spec.title, spec.help) };
        let items = choice.iter().map(item).collect();
        let names = choice.iter().map(|(spec, _)| spec.name).collect();
        let mut menu = Menu::new(Topic::Columns(before, names), format!("Columns of {}", shown.title()), items, 0);
        menu.is_checklist = true;
        menu.is_orderable = true;
        menu.about = vec![format!("< and > move a column; {last} stands last")];
        self.open_to_save(menu);
    }

    /// Shows what is chosen in the list that is open.
    pub(super) fn preview(&mut self) {
        let Some(menu) = &self.menu else { return };
        let chosen = menu.chosen();
        match &menu.topic {
            Topic::Theme(_) => self.look.palette = chosen.and_then(|i| Palette::ALL.get(i)).copied().unwrap_or(self.look.palette),
            Topic::Units(_) => self.look.units = chosen.and_then(|i| Units::ALL.get(i)).copied().unwrap_or(self.look.units),
            Topic::Header(_) => self.look.header = chosen.and_then(|i| Header::ALL.get(i)).copied().unwrap_or(self.look.header),
            Topic::Columns(_, columns) => {
                let checked = menu.in_order().filter(|(_, item)| item.is_checked);
                let names = checked.filter_map(|(index, _)| columns.get(index).copied()).collect();
                let shown = self.shown();
                self.look.choose_columns(shown, names);
                self.apply_columns();
            }
            _ => {}
        }
    }

    /// The list was closed without Enter.
    pub(super) fn take_back(&mut self, topic: Topic) {
        if let Topic::Theme(before) | Topic::Units(before) | Topic::Header(before) | Topic::Columns(before, _) = topic {
            self.look = before;
            self.apply_columns();
        }
    }

    /// The list was closed with Enter.
    pub(super) fn keep_look(&mut self, effects: &mut Vec<Effect>) {
        effects.push(Effect::Save(self.look.clone()));
    }
}
