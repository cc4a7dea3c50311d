//! The details of one process, in place of the table: what is known of it, read anew with every sample while it is looked at.

mod fold;
mod rights;
mod sections;

use std::sync::Arc;

use super::keys::{Action, Place};
use super::lines::LineKey;
use super::net::SocketScope;
use super::view::View;
use super::{App, Effect};
use crate::sample::inspection::{Ask, Inspection};
use crate::sample::{Command, Exit, ProcKey};
pub use sections::{GAP, PaneLine, Tone, WHAT, columns};

/// The details that are open.
#[derive(Clone, Debug)]
pub struct Pane {
    /// Whose.
    pub key: ProcKey,
    /// Name of its leader thread, fit for a terminal.
    pub name: String,
    /// How it ended.
    pub exit: Option<Exit>,
    /// What was found last.
    pub found: Option<Arc<Inspection>>,
    /// The environment is shown.
    pub environment: bool,
    /// Nothing is to be found: it is gone, or belongs to a recording.
    is_elsewhere: bool,
    /// The memory map is read however long that takes.
    all_memory: bool,
    /// A sample came since it was looked at.
    is_due: bool,
    offset: usize,
    search: String,
}

impl Pane {
    fn new(key: ProcKey, name: String) -> Pane {
        Pane {
            key,
            name,
            exit: None,
            found: None,
            environment: false,
            is_elsewhere: false,
            all_memory: false,
            is_due: true,
            offset: 0,
            search: String::new(),
        }
    }

    /// What is to be found out; nothing more of a process that ended.
    fn ask(&self) -> Option<Ask> {
        let ask = Ask { key: self.key, environment: self.environment, all_memory: self.all_memory };
        (self.exit.is_none() && !self.is_elsewhere).then_some(ask)
    }

    /// Nothing is to be found of it: it is gone, or belongs to a recording.
    pub fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    /// First line on screen, of so many in that height.
    pub fn offset(&self, total: usize, height: usize) -> usize {
        self.offset.min(total.saturating_sub(height))
    }

    /// The text that is searched for stands in a line.
    pub fn is_match(&self, line: &PaneLine) -> bool {
        let contains = |text: &str| match self.search.chars().any(char::is_uppercase) {
            true => text.contains(&self.search),
            false => text.to_lowercase().contains(&self.search),
        };
        !self.search.is_empty() && (contains(&line.what) || contains(&line.text))
    }
}

impl App {
    /// The details that are open.
    pub fn pane(&self) -> Option<&Pane> {
        self.pane.as_ref()
    }

    /// Something stands in place of the table.
    pub fn is_covered(&self) -> bool {
        self.help.is_some() || self.pane.is_some()
    }

    /// Opens the details of the selected process; again, closes them.
    pub(super) fn toggle_pane(&mut self) {
        if self.pane.take().is_some() {
            return;
        }
        let key = match self.current_line() {
            Some((LineKey::Process(key) | LineKey::Thread(key, _), _)) => Some(key),
            Some((LineKey::Command(name), _)) => {
                let last = self.model.departed.iter().map(|d| d.exit).filter(|exit| exit.task.comm == name).max_by_key(|exit| exit.at_ns);
                if let Some(exit) = last {
                    self.pane = Some(Pane { exit: Some(exit), ..Pane::new(exit.task.key, name.to_string()) });
                }
                return;
            }
            Some((LineKey::Exited, _)) => {
                return self.say("Space lists the commands that exited; i on one tells of the last of that name".into());
            }
            Some((LineKey::Group(_), _)) => return self.say("+ shows the processes of the group; i on one tells of it".into()),
            None => self.sockets_owner().or_else(|| self.stacks.whose()),
        };
        match key.and_then(|key| self.model.find(key)).map(|row| self.model.task(row)) {
            Some(task) => self.pane = Some(Pane::new(task.key, task.comm.to_string())),
            None => self.say_choose_process(),
        }
    }

    /// A key for one process was pressed where none is selected.
    pub(super) fn say_choose_process(&mut self) {
        let words = match self.view() {
            View::Cgroups => "That is for one process: Enter shows those of the cgroup",
            _ => "Choose a process that runs first",
        };
        self.say(words.into());
    }

    /// The owner of the selected socket.
    fn sockets_owner(&self) -> Option<ProcKey> {
        self.socket_table()?.current()?.0.owner
    }

    /// Gives an action to the open details; what is not for them comes back.
    pub(super) fn take_in_pane(&mut self, action: Action) -> Option<Action> {
        let Some(pane) = self.pane.as_mut().filter(|_| self.help.is_none()) else { return Some(action) };
        match action {
            Action::Environment => {
                pane.environment = !pane.environment;
                if !pane.environment
                    && let Some(found) = &mut pane.found
                {
                    Arc::make_mut(found).environment = None;
                }
                self.go_to_heading("Environment");
            }
            Action::MemoryMap => {
                pane.all_memory = true;
                self.go_to_heading("Memory");
            }
            Action::Move(lines) => self.scroll_pane(lines),
            Action::Page(pages) => self.scroll_pane(pages * self.pane_height() as isize),
            Action::Home => self.scroll_pane(isize::MIN),
            Action::End => self.scroll_pane(isize::MAX),
            Action::Why(measure) => {
                let key = pane.key;
                self.pane = None;
                self.show_stacks(key, measure);
            }
            Action::Sockets => {
                let key = pane.key;
                self.pane = None;
                self.show_sockets(SocketScope::Of(key));
            }
            Action::View(_) | Action::NextView | Action::PreviousView => {
                self.pane = None;
                return Some(action);
            }
            _ => return Some(action),
        }
        None
    }

    /// The places whose keys hold while details are open.
    pub(super) fn places_in_pane(&self) -> &'static [Place] {
        match self.search.is_some() {
            true => &[Place::Searching, Place::Details, Place::Anywhere],
            false => &[Place::Details, Place::Anywhere],
        }
    }

    /// The processes that an action in the details is for.
    pub(super) fn process_in_pane(&self) -> Option<ProcKey> {
        self.pane.as_ref().filter(|pane| pane.exit.is_none()).map(|pane| pane.key)
    }

    fn pane_height(&self) -> usize {
        // The first line is the title.
        self.layout().map_or(1, |layout| usize::from(layout.canvas().height).saturating_sub(1).max(1))
    }

    fn pane_columns(&self) -> Vec<Vec<PaneLine>> {
        self.pane.as_ref().zip(self.layout()).map_or_else(Vec::new, |(pane, layout)| columns(self, pane, layout.body.width))
    }

    fn scroll_pane(&mut self, lines: isize) {
        let (total, height) = (self.pane_columns().iter().map(Vec::len).max().unwrap_or(0), self.pane_height());
        if let Some(pane) = &mut self.pane {
            pane.offset = pane.offset(total, height).saturating_add_signed(lines).min(total.saturating_sub(height));
        }
    }

    fn go_to_heading(&mut self, title: &str) {
        let at = self.pane_columns().iter().find_map(|column| column.iter().position(|line| line.is_heading && line.what == title));
        if let Some((pane, at)) = self.pane.as_mut().zip(at) {
            pane.offset = at;
        }
    }

    /// The text of the search changed: to the first line it stands in, from the line on top.
    pub(super) fn search_in_pane(&mut self, text: &str) -> Result<(), String> {
        if let Some(pane) = &mut self.pane {
            pane.search = text.into();
        }
        match self.find_in_pane(0, true) {
            Some(line) => self.show_line_of_pane(line),
            None if text.is_empty() => {}
            None => return Err("nothing found".into()),
        }
        Ok(())
    }

    /// To the next line found, or the one before; round the end.
    pub(super) fn find_next_in_pane(&mut self, forward: bool) {
        match self.find_in_pane(1, forward) {
            Some(line) => self.show_line_of_pane(line),
            None => self.say("Nothing found".into()),
        }
    }

    fn show_line_of_pane(&mut self, line: usize) {
        if let Some(pane) = &mut self.pane {
            pane.offset = line;
        }
    }

    /// The line of the next match, `from` lines from the one on top. Of two columns, whichever has one first.
    fn find_in_pane(&self, from: usize, forward: bool) -> Option<usize> {
        let pane = self.pane.as_ref()?;
        let columns = self.pane_columns();
        let total = columns.iter().map(Vec::len).max().filter(|&total| total > 0)?;
        let top = pane.offset.min(total - 1);
        let at = |step: usize| if forward { (top + step) % total } else { (top + total - step) % total };
        (from..total + from).map(at).find(|&line| columns.iter().filter_map(|column| column.get(line)).any(|line| pane.is_match(line)))
    }

    /// A sample came.
    pub(super) fn tick_pane(&mut self) {
        let Some(pane) = &mut self.pane else { return };
        pane.is_due = true;
        if pane.exit.is_none() && self.model.find(pane.key).is_none() {
            pane.exit = self.model.departed.iter().map(|d| d.exit).find(|exit| exit.task.key == pane.key);
            pane.is_elsewhere = true;
        }
    }

    /// What was found came.
    pub(super) fn learn_inspection(&mut self, key: ProcKey, found: Option<Arc<Inspection>>) {
        let Some(pane) = self.pane.as_mut().filter(|pane| pane.key == key) else { return };
        match found {
            Some(found) => pane.found = Some(found),
            None => pane.is_elsewhere = true,
        }
    }

    /// Asks for what the open details need, once a sample; says when nobody needs it any more.
    pub(super) fn ask_for_pane(&mut self, effects: &mut Vec<Effect>) {
        let ask = self.pane.as_ref().and_then(Pane::ask);
        let is_due = self.pane.as_mut().is_some_and(|pane| std::mem::take(&mut pane.is_due));
        if ask != self.inspected || (is_due && ask.is_some()) {
            self.inspected = ask;
            effects.push(Effect::Command(Command::Inspect(ask)));
        }
    }
}
