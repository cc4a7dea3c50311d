//! Trees and groups: turning them on, folding what is below a line.

use super::App;
use super::lines::LineKey;
use super::menu::{Item, Menu, Topic};
use super::shape::{Grouping, Shape};

impl App {
    /// How lines stand together.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    pub(super) fn set_shape(&mut self, shape: Shape) {
        self.shape = shape;
        self.rearrange();
    }

    /// Shows threads one by one, or as their processes.
    pub(super) fn toggle_threads(&mut self) {
        if self.replay && !self.shows_threads {
            return self.say("A recording holds no threads one by one".into());
        }
        if self.is_past() && !self.shows_threads {
            return self.say("Threads one by one are not kept: End leads back to now".into());
        }
        self.shows_threads = !self.shows_threads;
        self.rearrange();
    }

    /// Opens the list of what lines may be grouped by.
    pub(super) fn ask_group(&mut self) {
        let items = [Item::new("nothing", "all processes one by one")].into_iter();
        let items = items.chain(Grouping::ALL.map(|by| Item::new(by.name(), by.note()))).collect();
        let now = match self.shape {
            Shape::Groups(by) => by as usize + 1,
            _ => 0,
        };
        let mut menu = Menu::one_of(Topic::Group, "Group by", items, now);
        menu.verb = "group";
        self.menu = Some(menu);
    }

    /// Groups by what was chosen in that list.
    pub(super) fn group_by(&mut self, chosen: Option<usize>) {
        let Some(chosen) = chosen else { return self.ask_group() };
        let by = chosen.checked_sub(1).and_then(|index| Grouping::ALL.get(index));
        self.set_shape(by.map_or(Shape::Flat, |by| Shape::Groups(*by)));
    }

    /// Shows or hides what is below the selected line; of a member, its whole group.
    pub(super) fn fold(&mut self) {
        let Some(table) = self.process_table() else { return };
        let Some((key, _)) = table.current() else { return };
        let at = table.cursor();
        let has_children = self.branch(at).is_folded || self.branch(at + 1).depth > self.branch(at).depth;
        let folded = match (key, self.shape) {
            (LineKey::Exited | LineKey::Command(_), _) => LineKey::Exited,
            (LineKey::Group(_), _) => key,
            (_, Shape::Groups(_)) => match (0..at).rev().find(|&line| self.branch(line).depth == 0) {
                Some(line) => table.lines[line].0,
                None => return,
            },
            (_, Shape::Tree) if has_children => key,
            (_, Shape::Tree) => return self.say("Nothing is below this process".into()),
            (_, Shape::Flat) => return self.say("t shows the tree, g groups; + folds there".into()),
        };
        if !self.toggled.remove(&folded) {
            self.toggled.insert(folded);
        }
        if let Some(table) = self.processes.get_mut(self.view as usize).filter(|_| folded != key) {
            table.select(Some(folded));
        }
        self.rearrange();
    }

    /// Unfolds all if something is folded, else folds all.
    pub(super) fn fold_all(&mut self) {
        let Some(table) = self.process_table().filter(|_| self.shape != Shape::Flat) else {
            return self.say("t shows the tree, g groups; * folds all there".into());
        };
        let keys = || table.lines.iter().map(|(key, _)| *key);
        let is_folded = (0..table.lines.len()).any(|line| self.branch(line).is_folded);
        let toggled = match self.shape {
            Shape::Groups(_) if is_folded => keys().filter(|key| key.starts_folded()).collect(),
            Shape::Tree if !is_folded => {
                let with_children = |(line, _): &(usize, LineKey)| self.branch(line + 1).depth > self.branch(*line).depth;
                keys().enumerate().filter(with_children).map(|(_, key)| key).filter(|key| *key != LineKey::Exited).collect()
            }
            _ => Vec::new(),
        };
        self.toggled.retain(|key| matches!(key, LineKey::Exited));
        self.toggled.extend(toggled);
        self.rearrange();
    }

    /// Holds on to the selected process, in the middle of the screen at first; or lets go of it, and the first line is selected again.
    pub(super) fn follow_selected(&mut self) {
        let Some((LineKey::Process(key), _)) = self.current_line() else {
            return self.say("Choose a process to follow first".into());
        };
        let height = self.layout().map_or(1, |l| usize::from(l.body.height));
        let Some(table) = self.processes.get_mut(self.view as usize) else { return };
        if self.followed == Some(key) && table.selected().is_some() {
            self.followed = None;
            table.select(None);
            table.find_selected();
            return self.say("No process is followed; the first line is selected, whichever it is".into());
        }
        self.followed = Some(key);
        table.move_to(table.cursor());
        table.offset = table.cursor().saturating_sub(height / 2);
        let name = self.model.find(key).map(|row| self.model.task(row).comm.to_string()).unwrap_or_default();
        self.say(format!("Following {name} ({}); F lets go", key.pid));
    }

    /// In words, what is not as usual about the lines.
    pub(super) fn shape_words(&self) -> Vec<String> {
        let tags = (!self.tags.is_empty()).then(|| self.tags_in_words());
        if self.process_table().is_none() {
            return tags.into_iter().collect();
        }
        let shape = match self.shape {
            Shape::Flat => None,
            Shape::Tree => Some("tree".to_string()),
            Shape::Groups(by) => Some(format!("by {}", by.name())),
        };
        let told = if self.model.threads.leaders.is_empty() { "threads …" } else { "threads" };
        let threads = self.shows_threads.then(|| told.to_string());
        let hidden = self.hides_kernel_threads.then(|| "no kernel threads".to_string());
        shape.into_iter().chain(threads).chain(hidden).chain(tags).collect()
    }

    /// How many, and how many of them one does not see: actions are for these, too.
    fn tags_in_words(&self) -> String {
        let is_tagged = |key: &LineKey| matches!(key, LineKey::Process(key) if self.tags.contains(key));
        let seen = self.process_table().map(|table| table.lines.iter().filter(|(key, _)| is_tagged(key)).count());
        match seen.map_or(0, |seen| self.tags.len().saturating_sub(seen)) {
            0 => format!("{} tagged", self.tags.len()),
            hidden => format!("{} tagged, {hidden} not shown", self.tags.len()),
        }
    }
}
