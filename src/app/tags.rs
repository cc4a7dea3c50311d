//! Processes chosen for an action.

use rustc_hash::FxHashSet;

use super::App;
use super::lines::{Line, LineKey};
use super::shape::Shape;
use crate::sample::ProcKey;

impl App {
    /// A process is tagged.
    pub fn is_tagged(&self, key: ProcKey) -> bool {
        self.tags.contains(&key)
    }

    /// The tagged processes, ascending.
    pub(super) fn tagged(&self) -> Vec<ProcKey> {
        let mut keys: Vec<ProcKey> = self.tags.iter().copied().collect();
        keys.sort_unstable();
        keys
    }

    /// The process whose details are open; else those of the selected line: one, the members of a group, the owner of a socket.
    pub(super) fn chosen_processes(&self) -> Vec<ProcKey> {
        if self.pane().is_some() {
            return self.process_in_pane().into_iter().collect();
        }
        match self.current_line() {
            Some((LineKey::Process(key) | LineKey::Thread(key, _), _)) => vec![key],
            Some((LineKey::Group(_), Line::Group(group))) => self.members(group),
            Some(_) => Vec::new(),
            None => self.socket_table().and_then(|t| t.current()).and_then(|(key, _)| key.owner).into_iter().collect(),
        }
    }

    /// The processes of a group that pass the filter.
    pub(super) fn members(&self, group: u32) -> Vec<ProcKey> {
        let (Shape::Groups(by), Some(group)) = (self.shape, self.lines.groups.get(group as usize)) else { return Vec::new() };
        let rows = self.model.rows.iter().enumerate();
        let is_member = |(index, row): &(usize, &crate::model::Row)| {
            let task = self.model.task(row);
            let hidden = self.hides_kernel_threads && task.kernel_thread || self.is_outside(task.key);
            !hidden
                && by.group_of(task, &self.details) == group.name
                && self.row(Line::Process(*index as u32)).is_some_and(|view| self.filter.matches(&view))
        };
        rows.filter(is_member).map(|(_, row)| self.model.task(row).key).collect()
    }

    /// Tags the processes of the selected line, or untags them where all are; then to the next line.
    pub(super) fn tag(&mut self) {
        if let Some((LineKey::Exited | LineKey::Command(_), _)) = self.current_line() {
            return self.fold();
        }
        let keys = self.chosen_processes();
        match keys.iter().all(|key| self.tags.contains(key)) {
            true => self.tags.retain(|key| !keys.contains(key)),
            false => self.tags.extend(keys),
        }
        self.with_list(|list, _| list.move_by(1));
    }

    /// Tags the selected process and all below it.
    pub(super) fn tag_children(&mut self) {
        let mut pids: FxHashSet<u32> = self.chosen_processes().iter().map(|key| key.pid).collect();
        let tasks = &self.model.sample.tasks;
        // Children may have lower pids than their parents: until a round finds nobody new.
        loop {
            let before = pids.len();
            let children: Vec<u32> = tasks.iter().filter(|t| pids.contains(&t.ppid)).map(|t| t.key.pid).collect();
            pids.extend(children);
            if pids.len() == before {
                break;
            }
        }
        self.tags.extend(tasks.iter().map(|t| t.key).filter(|key| pids.contains(&key.pid)));
    }

    /// Forgets tags and folds of processes that are gone.
    pub(super) fn forget_gone(&mut self) {
        let model = &self.model;
        self.tags.retain(|key| model.find(*key).is_some());
        self.toggled.retain(|key| match key {
            LineKey::Process(key) => model.find(*key).is_some(),
            _ => true,
        });
    }
}
