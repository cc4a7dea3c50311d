//! A list to choose from, in a box over the view. Typing narrows it.

mod likeness;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

pub use super::changes::Topic;
use likeness::{Likeness, likeness};

/// Cells of a box at most; longer lines are cut.
const MAX_WIDTH: usize = 78;
/// Lines that a page key moves.
const PAGE: isize = 10;
/// Lines of an explanation, with a blank one above, and what is left to the list where there is little room.
const EXPLANATION: u16 = 7;
const LIST_MIN: u16 = 3;
/// Letters that narrow a list at most.
const MAX_TYPED: usize = 40;

/// Something to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// In a word or two; this is what typing finds.
    pub label: String,
    /// What is said about it.
    pub note: String,
    /// Chosen among several; where only one can be, it is how things were when the list was opened.
    pub is_checked: bool,
}

impl Item {
    /// An item with a remark.
    pub fn new(label: impl Into<String>, note: impl Into<String>) -> Item {
        Item { label: label.into(), note: note.into(), is_checked: false }
    }
}

/// What a key did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// Take what is chosen.
    Accepted,
    /// Close it.
    Cancelled,
    /// Another line is chosen, or the list is another.
    Moved,
    /// A box was checked or cleared.
    Toggled,
    /// Not a key of lists; the screen may use it.
    Foreign,
}

/// A list that is open.
#[derive(Clone, Debug)]
pub struct Menu {
    /// What the choice is for.
    pub topic: Topic,
    /// Stands in the frame.
    pub title: String,
    /// Said above the list, line by line.
    pub about: Vec<String>,
    /// What Enter does, in a word.
    pub verb: &'static str,
    /// Several can be checked.
    pub is_checklist: bool,
    /// One of its items is how things are now; it stays marked while others are looked at.
    pub marks_present: bool,
    /// `<` and `>` move the chosen item among the others.
    pub is_orderable: bool,
    /// What is chosen shows behind it at once: it stands at the bottom, and leaves half of the room to that.
    pub previews: bool,
    /// The remark about the chosen item also stands below the list, all of it.
    pub explains: bool,
    /// By index, as the topic knows them.
    items: Vec<Item>,
    typed: String,
    /// Indices of the items in the order somebody gave them.
    order: Vec<usize>,
    /// Indices of the items that the typed letters leave.
    shown: Vec<usize>,
    cursor: usize,
    /// First line on screen; `None` until it was shown.
    offset: Option<usize>,
}

/// Where its parts stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The box with its frame.
    pub frame: Rect,
    /// What is said above the list.
    pub about: Rect,
    /// The list.
    pub list: Rect,
    /// What is said about the chosen item.
    pub explanation: Rect,
    /// First shown line of the list.
    pub offset: usize,
}

impl Menu {
    /// A list with its `first` item chosen.
    pub fn new(topic: Topic, title: impl Into<String>, items: Vec<Item>, first: usize) -> Menu {
        let order: Vec<usize> = (0..items.len()).collect();
        let shown = order.clone();
        let cursor = first.min(items.len().saturating_sub(1));
        let (typed, about, title) = (String::new(), Vec::new(), title.into());
        Menu {
            topic,
            title,
            about,
            verb: "choose",
            is_checklist: false,
            marks_present: false,
            is_orderable: false,
            previews: false,
            explains: false,
            items,
            typed,
            order,
            shown,
            cursor,
            offset: None,
        }
    }

    /// A list of which the item `now` is how things are.
    pub fn one_of(topic: Topic, title: impl Into<String>, mut items: Vec<Item>, now: usize) -> Menu {
        if let Some(item) = items.get_mut(now) {
            item.is_checked = true;
        }
        Menu { marks_present: true, ..Menu::new(topic, title, items, now) }
    }

    /// Letters that narrow the list.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// All items, shown or not.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The items that are left, each with whether it is chosen.
    pub fn shown(&self) -> impl Iterator<Item = (bool, &Item)> {
        self.shown.iter().enumerate().map(|(line, &index)| (line == self.cursor, &self.items[index]))
    }

    /// The items in the order they are in now, each with its index.
    pub fn in_order(&self) -> impl Iterator<Item = (usize, &Item)> {
        self.order.iter().map(|&index| (index, &self.items[index]))
    }

    /// Index of the chosen item among all; `None` where no item is left.
    pub fn chosen(&self) -> Option<usize> {
        self.shown.get(self.cursor).copied()
    }

    /// Moves the choice by lines.
    pub fn move_by(&mut self, lines: isize) {
        self.cursor = self.cursor.saturating_add_signed(lines).min(self.shown.len().saturating_sub(1));
    }

    /// Chooses a line of the list as it is shown; false where there is none.
    pub fn click(&mut self, line: usize) -> bool {
        let there = line < self.shown.len();
        if there {
            self.cursor = line;
        }
        there
    }

    /// Takes a key.
    pub fn press(&mut self, key: &KeyEvent) -> Pressed {
        match (key.code, key.modifiers - KeyModifiers::SHIFT) {
            (KeyCode::Enter, _) => return Pressed::Accepted,
            (KeyCode::Esc, _) => return Pressed::Cancelled,
            (KeyCode::Char('c' | 'g'), KeyModifiers::CONTROL) => return Pressed::Cancelled,
            (KeyCode::Backspace, _) if self.typed.is_empty() => return Pressed::Cancelled,
            (KeyCode::Up | KeyCode::BackTab, _) => self.move_by(-1),
            (KeyCode::Down | KeyCode::Tab, _) => self.move_by(1),
            (KeyCode::PageUp, _) => self.move_by(-PAGE),
            (KeyCode::PageDown, _) => self.move_by(PAGE),
            (KeyCode::Home, _) => self.cursor = 0,
            (KeyCode::End, _) => self.move_by(isize::MAX),
            (KeyCode::Char(' '), KeyModifiers::NONE) if self.is_checklist => return self.toggle(),
            // No label begins with one: it is meant for the line, as in a list of boxes.
            (KeyCode::Char(' '), KeyModifiers::NONE) if self.typed.is_empty() => {}
            (KeyCode::Char('<'), KeyModifiers::NONE) if self.is_orderable => self.reorder(-1),
            (KeyCode::Char('>'), KeyModifiers::NONE) if self.is_orderable => self.reorder(1),
            (KeyCode::Char(c), KeyModifiers::NONE) if !c.is_control() => self.narrow(Some(c)),
            (KeyCode::Backspace, _) => self.narrow(None),
            _ => return Pressed::Foreign,
        }
        Pressed::Moved
    }

    /// Moves the chosen item past its neighbour; not while letters narrow the list.
    fn reorder(&mut self, by: isize) {
        let to = self.cursor.saturating_add_signed(by);
        if self.typed.is_empty() && to < self.order.len() {
            self.order.swap(self.cursor, to);
            self.shown.clone_from(&self.order);
            self.cursor = to;
        }
    }

    fn toggle(&mut self) -> Pressed {
        if let Some(item) = self.chosen().and_then(|index| self.items.get_mut(index)) {
            item.is_checked = !item.is_checked;
        }
        Pressed::Toggled
    }

    /// A letter more, or the last one less. The best match comes first, and is chosen; of equals, the order stays. Where no label has the
    /// letters in one piece, remarks that do stand above labels that have them scattered.
    fn narrow(&mut self, letter: Option<char>) {
        match letter {
            Some(letter) if self.typed.chars().count() < MAX_TYPED => self.typed.push(letter),
            Some(_) => return,
            None => drop(self.typed.pop()),
        }
        let chosen = self.chosen();
        let mut matches: Vec<(usize, Likeness)> =
            self.in_order().filter_map(|(i, item)| Some((i, likeness(&item.label, &self.typed)?))).collect();
        if self.explains && matches.iter().all(|(_, likeness)| *likeness == Likeness::Scattered) {
            let said = self.said(&self.typed);
            matches.retain(|(index, _)| !said.contains(index));
            matches.extend(said.into_iter().map(|index| (index, Likeness::Said)));
        }
        matches.sort_by_key(|(_, likeness)| *likeness);
        self.shown = matches.iter().map(|(i, _)| *i).collect();
        let same = self.shown.iter().position(|i| Some(*i) == chosen).filter(|_| self.typed.is_empty());
        self.cursor = same.unwrap_or(0);
    }

    /// Items in whose remark the text is.
    fn said(&self, text: &str) -> Vec<usize> {
        let text = text.to_lowercase();
        self.in_order().filter(|(_, item)| item.note.to_lowercase().contains(&text)).map(|(index, _)| index).collect()
    }

    /// Moves its window so that the choice is in it; in the middle at first.
    pub fn follow(&mut self, canvas: Rect) {
        let height = usize::from(self.place(canvas).list.height.max(1));
        let last = self.shown.len().saturating_sub(height);
        let offset = self.offset.unwrap_or(self.cursor.saturating_sub(height / 2));
        self.offset = Some(offset.clamp((self.cursor + 1).saturating_sub(height), self.cursor).min(last));
    }

    /// Where it stands within `canvas`, as large as it must be: in the middle, or in the lower half.
    pub fn place(&self, canvas: Rect) -> Placement {
        if !self.previews {
            return self.place_in(canvas);
        }
        let (about, items) = (self.about.len() as u16, self.items.len().min(usize::from(u16::MAX / 2)) as u16);
        let least = about + LIST_MIN.min(items) + 2;
        let height = (about + items + 2).min((canvas.height / 2).max(least)).min(canvas.height);
        self.place_in(Rect { y: canvas.bottom() - height, height, ..canvas })
    }

    fn place_in(&self, canvas: Rect) -> Placement {
        let widest = self.items.iter().map(|item| self.line_width(item)).chain(self.about.iter().map(|a| a.width()));
        let inner = widest.chain([self.title.width() + 2, 36]).max().unwrap_or(0).min(MAX_WIDTH) as u16;
        let width = (inner + 4).min(canvas.width);
        let room = canvas.height.saturating_sub(2);
        let about = (self.about.len() as u16).min(room.saturating_sub(1));
        let least = LIST_MIN.min(self.items.len() as u16);
        let explanation = if self.explains { EXPLANATION.min(room.saturating_sub(about + least)) } else { 0 };
        let list = (self.items.len() as u16).clamp(1, room.saturating_sub(about + explanation).max(1)).min(room);
        let frame = Rect {
            x: canvas.x + (canvas.width - width) / 2,
            y: canvas.y + (canvas.height.saturating_sub(about + list + explanation + 2)) / 2,
            width,
            height: (about + list + explanation + 2).min(canvas.height),
        };
        let inside = Rect { x: frame.x + 2, y: frame.y + 1, width: width.saturating_sub(4), height: list };
        let offset = self.offset.unwrap_or(0);
        Placement {
            frame,
            about: Rect { height: about, ..inside },
            list: Rect { y: inside.y + about, ..inside },
            explanation: Rect { y: inside.y + about + list, height: explanation, ..inside },
            offset,
        }
    }

    /// Cells of the labels' column.
    pub fn label_width(&self) -> usize {
        self.items.iter().map(|item| item.label.width()).max().unwrap_or(0)
    }

    fn line_width(&self, item: &Item) -> usize {
        let checkbox = if self.is_checklist || self.marks_present { 4 } else { 0 };
        let note = if item.note.is_empty() { 0 } else { 2 + item.note.width() };
        checkbox + self.label_width() + note
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn menu() -> Menu {
        let items = ["1 HUP", "9 KILL", "15 TERM", "19 STOP"].map(|label| Item::new(label, ""));
        Menu::new(Topic::Signal(Vec::new()), "Signal", items.to_vec(), 2)
    }

    fn press(menu: &mut Menu, code: KeyCode) -> Pressed {
        menu.press(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn typing_narrows_and_goes_to_the_best() {
        let mut menu = menu();
        assert_eq!(menu.chosen(), Some(2));
        press(&mut menu, KeyCode::Char('9'));
        assert_eq!((menu.shown().count(), menu.chosen()), (2, Some(1)));
        press(&mut menu, KeyCode::Char('x'));
        assert_eq!((menu.shown().count(), menu.chosen()), (0, None));
        press(&mut menu, KeyCode::Backspace);
        press(&mut menu, KeyCode::Backspace);
        assert_eq!((menu.shown().count(), menu.chosen()), (4, Some(1)), "the choice stays when the letters go");
        for letter in "tm".chars() {
            press(&mut menu, KeyCode::Char(letter));
        }
        assert_eq!(menu.chosen(), Some(2));
        assert_eq!(press(&mut menu, KeyCode::Enter), Pressed::Accepted);
    }

    #[test]
    fn the_best_match_comes_first() {
        let mut items =
            ["stacks-tree", "shift-right", "threads", "subtree", "tree-fold", "tree", "treetop"].map(|label| Item::new(label, ""));
        items[1].note = "the entree, and more".into();
        let mut menu = Menu::new(Topic::Group, "Do", items.to_vec(), 0);
        let shown = |menu: &Menu| menu.shown().map(|(_, item)| item.label.clone()).collect::<Vec<_>>();
        "tree".chars().map(KeyCode::Char).for_each(|code| assert_eq!(press(&mut menu, code), Pressed::Moved));
        assert_eq!(shown(&menu), ["tree", "stacks-tree", "tree-fold", "treetop", "subtree"]);
        assert_eq!(menu.chosen(), Some(5));
        menu.explains = true;
        (0..4).for_each(|_| assert_eq!(press(&mut menu, KeyCode::Backspace), Pressed::Moved));
        "more".chars().map(KeyCode::Char).for_each(|code| assert_eq!(press(&mut menu, code), Pressed::Moved));
        assert_eq!(shown(&menu), ["shift-right"], "what is said of it counts where no label has the letters");
    }

    #[test]
    fn what_shows_behind_a_list_has_the_upper_half() {
        let mut menu = menu();
        (menu.previews, menu.about) = (true, vec!["about".into()]);
        for (height, frame) in [(40, 7), (14, 7), (10, 6), (6, 6), (3, 3)] {
            let canvas = Rect::new(0, 5, 80, height);
            let placed = menu.place(canvas);
            assert_eq!((placed.frame.height, placed.frame.bottom()), (frame, canvas.bottom()), "{height}");
        }
    }

    #[test]
    fn it_fits_any_canvas_and_shows_the_choice() {
        let mut menu = menu();
        menu.about = vec!["to nginx (1)".into(); 3];
        menu.move_by(isize::MAX);
        for (width, height) in [(60, 8), (200, 40), (1, 1), (0, 0), (3, 2)] {
            let canvas = Rect::new(0, 5, width, height);
            menu.follow(canvas);
            let placed = menu.place(canvas);
            assert_eq!(placed.frame.intersection(canvas), placed.frame, "{placed:?}");
            if height >= 8 {
                assert!((placed.offset..placed.offset + usize::from(placed.list.height)).contains(&3), "{placed:?}");
                assert_eq!(placed.list.intersection(placed.frame), placed.list);
            }
        }
    }
}
