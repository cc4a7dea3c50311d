//! Which lines a table has: filtered, sorted, the exited folded into one.

use rustc_hash::FxHashSet;

use super::column::{Columns, RowView, SocketView};
use super::details::DetailsBook;
use super::filter::Filter;
use super::find::Search;
use super::order::Entry;
use super::view::View;
use super::{App, List};
use crate::model::exited::Exited;
use crate::model::{Departed, Model};
use crate::sample::{Comm, ProcKey, Task};

/// Who a line of a process table is about, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineKey {
    /// A process.
    Process(ProcKey),
    /// All that exited within the tick.
    Exited,
    /// Those of them with one name.
    Command(Comm),
}

/// Where its figures are on this tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Index of the row in the model.
    Process(u32),
    /// The total of the exited.
    Exited,
    /// Index of the group of exited.
    Command(u32),
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
fn view_of<'a>(model: &'a Model, exited: &'a Exited, details: &'a DetailsBook, line: Line) -> Option<RowView<'a>> {
    match line {
        Line::Process(row) => {
            let row = model.rows.get(row as usize)?;
            Some(RowView::live(model, row, details.get(model.task(row).key)))
        }
        Line::Exited => Some(RowView::exited(model, &exited.total)),
        Line::Command(group) => Some(RowView::exited(model, exited.groups.get(group as usize)?)),
    }
}

/// The exited that pass a filter by themselves, or whose command does as a whole: many small ones make a large one.
fn exited_that_pass(model: &Model, filter: &Filter) -> Exited {
    let groups: FxHashSet<&str> =
        model.exited.groups.iter().filter(|g| filter.matches(&RowView::exited(model, g))).map(|g| g.name.as_str()).collect();
    let passes = |d: &&Departed| groups.contains(d.exit.task.comm.to_string().as_str()) || filter.matches(&RowView::departed(model, d));
    Exited::fold(&model.departed.iter().filter(passes).copied().collect::<Vec<_>>())
}

impl App {
    /// What a line of the process table shows.
    pub fn row(&self, line: Line) -> Option<RowView<'_>> {
        view_of(&self.model, &self.exited, &self.details, line).map(|view| view.with_paths(self.program_paths))
    }

    /// What a line of the socket table shows.
    pub fn socket(&self, line: u32) -> Option<SocketView<'_>> {
        let row = self.model.sockets.get(line as usize)?;
        let owner = self.model.sample.sockets.get(row.socket as usize)?.owner;
        Some(SocketView::new(&self.model, row, owner.and_then(|key| self.details.get(key))).with_paths(self.program_paths))
    }

    /// The commands of the exited row are shown below it.
    pub fn unfolded(&self) -> bool {
        self.unfolded
    }

    /// Lines on this view.
    pub fn line_count(&self) -> usize {
        match self.process_table() {
            Some(table) => table.lines.len(),
            None => self.sockets.lines.len(),
        }
    }

    /// Lines that there would be without the filter.
    pub fn lines_before_filter(&self) -> usize {
        self.unfiltered
    }

    /// The sockets that were asked for have come.
    pub fn knows_sockets(&self) -> bool {
        !self.model.sample.sockets.is_empty()
    }

    /// Sorts and filters the view on screen anew. Returns the selected process if it has no line any more.
    pub(super) fn arrange(&mut self) -> Option<ProcKey> {
        match self.view {
            View::Stacks => None,
            View::Network if self.shows_sockets => {
                self.arrange_sockets();
                None
            }
            view => match self.arrange_processes(view as usize) {
                Some(LineKey::Process(key)) => Some(key),
                _ => None,
            },
        }
    }

    fn arrange_processes(&mut self, view: usize) -> Option<LineKey> {
        let model = &self.model;
        let table = self.processes.get_mut(view)?;
        let all_pass = self.filter.is_empty();
        self.exited = match all_pass {
            true => model.exited.clone(),
            false => exited_that_pass(model, &self.filter),
        };
        let exited = (self.exited.total.count > 0).then_some((LineKey::Exited, Line::Exited));
        self.unfiltered = model.rows.len() + usize::from(!model.departed.is_empty());

        let reads_details = !table.sort.descends() || !all_pass;
        let live = model.rows.iter().enumerate().filter_map(|(i, row)| {
            let key = model.task(row).key;
            let details = if reads_details { self.details.get(key) } else { None };
            let view = RowView::live(model, row, details);
            let passes = all_pass || self.filter.matches(&view);
            passes.then(|| Entry { key: LineKey::Process(key), line: Line::Process(i as u32), value: table.sort.value(&view) })
        });
        let exited_entry = exited.and_then(|(key, line)| {
            let value = table.sort.value(&view_of(model, &self.exited, &self.details, line)?);
            Some(Entry { key, line, value })
        });
        let mut entries = Vec::with_capacity(self.unfiltered.next_multiple_of(512));
        entries.extend(live.chain(exited_entry));
        let gone = table.arrange(&entries);
        drop(entries);
        if self.unfolded {
            let commands = self.exited.groups.iter().enumerate();
            table.insert_below(
                LineKey::Exited,
                commands.map(|(i, g)| (LineKey::Command(Comm::new(g.name.as_bytes())), Line::Command(i as u32))),
            );
            return table.find_selected();
        }
        gone
    }

    fn arrange_sockets(&mut self) {
        let model = &self.model;
        let sockets = &model.sample.sockets;
        let table = &mut self.sockets;
        let mut of_owner: Vec<(SocketKey, u32)> = model
            .sockets
            .iter()
            .enumerate()
            .filter_map(|(i, row)| sockets.get(row.socket as usize).map(|s| (SocketKey { cookie: s.cookie, owner: s.owner }, i as u32)))
            .filter(|(key, _)| self.socket_owner.is_none() || key.owner == self.socket_owner)
            .collect();
        of_owner.sort_unstable_by_key(|(key, _)| *key);
        of_owner.dedup_by_key(|(key, _)| *key);
        self.unfiltered = of_owner.len();
        let entries: Vec<_> = of_owner
            .into_iter()
            .filter_map(|(key, line)| {
                let details = key.owner.and_then(|owner| self.details.get(owner));
                let view = SocketView::new(model, &model.sockets[line as usize], details);
                self.filter.matches_socket(&view).then(|| Entry { key, line, value: table.sort.value(&view) })
            })
            .collect();
        table.arrange(&entries);
    }

    /// Order, filter or search read command lines or users of every process.
    pub(super) fn order_needs_details(&self) -> bool {
        let sorts_words = match self.process_table() {
            Some(table) => !table.sort.descends(),
            None => self.shows_sockets() && !self.sockets.sort.descends(),
        };
        sorts_words || self.filter.needs_details()
    }

    /// What to ask the collector for: visible rows first, all rows where words decide.
    pub(super) fn missing_details(&mut self, height: usize) -> Vec<ProcKey> {
        let model = &self.model;
        let task = |key: ProcKey| model.find(key).map(|row| model.task(row));
        let visible: Vec<&Task> = match (self.view, self.shows_sockets) {
            (View::Stacks, _) => Vec::new(),
            (View::Network, true) => self.sockets.visible(height).1.iter().filter_map(|(key, _)| task(key.owner?)).collect(),
            (view, _) => {
                let lines = self.processes.get(view as usize).map_or(&[][..], |t| t.visible(height).1);
                let process = |(key, _): &(LineKey, Line)| match key {
                    LineKey::Process(key) => task(*key),
                    _ => None,
                };
                lines.iter().filter_map(process).collect()
            }
        };
        let needs_all = self.order_needs_details() || self.search.as_ref().is_some_and(Search::is_on);
        let others = if needs_all { &self.model.sample.tasks[..] } else { &[] };
        self.details.ask(visible.into_iter().chain(others), self.model.sample.at_ns)
    }

    /// Says what became of the selected process.
    pub(super) fn report_gone(&mut self, key: ProcKey) {
        if self.model.find(key).is_some() {
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
