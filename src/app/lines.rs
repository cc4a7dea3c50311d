//! What the lines of tables are, and what each of them shows.

use super::column::{Columns, RowView};
use super::details::DetailsBook;
use super::find::Search;
use super::forest::Branch;
use super::net::NetTable;
use super::shape::Shape;
use super::view::View;
use super::{App, List};
use crate::model::Model;
use crate::model::exited::Exited;
use crate::model::sum::Sum;
use crate::model::threads::Part;
use crate::sample::{Comm, ProcKey, Task};

/// Who a line of a process table is about, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LineKey {
    /// A process, or its leader where threads are shown.
    Process(ProcKey),
    /// Another thread of a process, by its id.
    Thread(ProcKey, u32),
    /// All that exited within the tick.
    Exited,
    /// Those of them with one name.
    Command(Comm),
    /// Processes that have something in common, by a number made of its name.
    Group(u64),
}

impl LineKey {
    /// What is below it is hidden until somebody asks.
    pub fn starts_folded(self) -> bool {
        matches!(self, LineKey::Group(_))
    }
}

/// Where its figures are on this tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Index of the row in the model.
    Process(u32),
    /// Index among the leaders of [`Model::threads`].
    Leader(u32),
    /// Index among the other threads there.
    Thread(u32),
    /// The total of the exited.
    Exited,
    /// Index of the group of exited.
    Command(u32),
    /// A process with all below it: index in [`Lines::sums`].
    Sum(u32),
    /// Index in [`Lines::groups`].
    Group(u32),
}

/// Processes that have something in common.
#[derive(Clone, Debug)]
pub struct GroupLine {
    /// What that is.
    pub name: String,
    /// Their figures.
    pub sum: Sum,
}

/// What the lines on screen are made from, beside the model.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// The exited that pass the filter.
    pub exited: Exited,
    /// Where each line stands, in the order of the table; empty where lines stand one by one.
    pub branches: Vec<Branch>,
    /// Folded processes with all that is below them.
    pub sums: Vec<Sum>,
    /// Groups.
    pub groups: Vec<GroupLine>,
}

/// A socket as one process uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketKey {
    /// The kernel's cookie.
    pub cookie: u64,
    /// Who moves the bytes.
    pub owner: Option<ProcKey>,
}

/// What a line shows. `None` for one that this model does not have.
pub(super) fn view_of<'a>(model: &'a Model, lines: &'a Lines, details: &'a DetailsBook, line: Line) -> Option<RowView<'a>> {
    let view = match line {
        Line::Process(row) => {
            let row = model.rows.get(row as usize)?;
            RowView::live(model, row, details.get(model.task(row).key))
        }
        Line::Leader(index) => thread_of(model, details, model.threads.leaders.get(index as usize)?),
        Line::Thread(index) => thread_of(model, details, model.threads.others.get(index as usize)?),
        Line::Exited => RowView::exited(model, &lines.exited.total),
        Line::Command(group) => RowView::exited(model, lines.exited.groups.get(group as usize)?),
        Line::Sum(index) => {
            let sum = lines.sums.get(index as usize)?;
            RowView::sum(model, sum, details.get(sum.task.key))
        }
        Line::Group(index) => RowView::group(model, lines.groups.get(index as usize)?),
    };
    Some(view.with_users(details.users()))
}

fn thread_of<'a>(model: &'a Model, details: &'a DetailsBook, part: &'a Part) -> RowView<'a> {
    RowView::thread(model, part, details.get(part.key))
}

impl App {
    /// What a line of the process table shows.
    pub fn row(&self, line: Line) -> Option<RowView<'_>> {
        view_of(&self.model, &self.lines, &self.details, line).map(|view| view.with_paths(self.program_paths))
    }

    /// The commands of the exited row are shown below it.
    pub fn unfolded(&self) -> bool {
        self.toggled.contains(&LineKey::Exited)
    }

    /// Where a line of the process table stands in its tree or group.
    pub fn branch(&self, index: usize) -> Branch {
        self.lines.branches.get(index).copied().unwrap_or_default()
    }

    /// Lines on this view.
    pub fn line_count(&self) -> usize {
        let of_others = || self.net_lines().map_or(0, |(count, _)| count);
        let lines = self.process_table().map(|table| table.lines.len()).or(self.cgroup_table().map(|table| table.lines.len()));
        lines.unwrap_or_else(of_others)
    }

    /// Lines that there would be without the filter.
    pub fn lines_before_filter(&self) -> usize {
        self.unfiltered
    }

    /// Sorts and filters the view on screen anew. Returns the selected process if it has no line any more.
    pub(super) fn arrange(&mut self) -> Option<ProcKey> {
        match self.view {
            View::Stacks => None,
            View::Cgroups => {
                self.arrange_cgroups();
                None
            }
            _ if self.net_table() != NetTable::Processes => {
                self.arrange_net();
                None
            }
            view => match self.arrange_processes(view as usize) {
                Some(LineKey::Process(key)) => Some(key),
                _ => None,
            },
        }
    }

    /// Order, filter or search read command lines or users of every process.
    pub(super) fn order_needs_details(&self) -> bool {
        let sorts_words = match self.process_table() {
            Some(table) => !table.sort.descends(),
            None => self.socket_table().is_some_and(|table| !table.sort.descends()),
        };
        let groups = matches!(self.shape, Shape::Groups(by) if by.needs_details());
        sorts_words || groups || self.filter.needs_details()
    }

    /// What to ask the collector for: visible rows first, all rows where words decide.
    pub(super) fn missing_details(&mut self, height: usize) -> Vec<ProcKey> {
        let model = &self.model;
        let task = |key: ProcKey| model.find(key).map(|row| model.task(row));
        let visible: Vec<&Task> = match self.socket_table() {
            Some(sockets) => sockets.visible(height).1.iter().filter_map(|(key, _)| task(key.owner?)).collect(),
            None => {
                let lines = self.process_table().map_or(&[][..], |t| t.visible(height).1);
                let process = |(key, _): &(LineKey, Line)| match key {
                    LineKey::Process(key) | LineKey::Thread(key, _) => task(*key),
                    _ => None,
                };
                lines.iter().filter_map(process).collect()
            }
        };
        let in_pane = self.process_in_pane().and_then(task);
        let needs_all = self.order_needs_details() || self.search.as_ref().is_some_and(Search::is_on);
        let others = if needs_all { &self.model.sample.tasks[..] } else { &[] };
        self.details.ask(visible.into_iter().chain(in_pane).chain(others), self.model.sample.at_ns)
    }

    /// Says what became of the selected process.
    pub(super) fn report_gone(&mut self, key: ProcKey) {
        if let Some(task) = self.model.find(key).map(|row| self.model.task(row)) {
            if task.is_leaving() {
                self.say(format!("{} ({}) has exited", task.comm, key.pid));
            }
            return;
        }
        let exit = self.model.departed.iter().map(|d| &d.exit).find(|e| e.task.key == key);
        self.say(match exit {
            Some(e) if e.signal > 0 => format!("{} ({}) was killed by signal {}", e.task.comm, key.pid, e.signal),
            Some(e) => format!("{} ({}) exited with code {}", e.task.comm, key.pid, e.code),
            None => format!("process {} is gone", key.pid),
        });
    }

    /// Lets the window follow the selection after something other than a tick moved it.
    pub(super) fn follow(&mut self) {
        let height = self.layout().map_or(1, |l| usize::from(l.body.height));
        if let Some(list) = self.list() {
            List::follow(list, height);
        }
    }
}
