//! Brings the processes of the view on screen in order: filtered, sorted, in their shape, the exited folded into one.

use std::borrow::Cow;

use rustc_hash::{FxHashMap, FxHashSet};

use super::cgroups::is_shown;
use super::column::{Column, Columns, RowView, Value};
use super::details::DetailsBook;
use super::filter::Filter;
use super::forest::{self, Branch, Node};
use super::lines::{GroupLine, Line, LineKey, Lines, view_of};
use super::order::Entry;
use super::quiet;
use super::shape::{Grouping, Shape, group_id};
use super::view::View;
use super::{App, ProcessTable};
use crate::model::cgroups::Members;
use crate::model::exited::{Ended, Exited};
use crate::model::sum::Sum;
use crate::model::threads::Part;
use crate::model::{Model, Row};
use crate::sample::{Comm, Details, ProcKey, Task};

/// Reads the processes of a model for a table.
struct Reader<'a> {
    model: &'a Model,
    details: &'a DetailsBook,
    filter: &'a Filter,
    sort: Column,
    /// The Network view, the largest first.
    by_net: bool,
    shows_threads: bool,
    hides_kernel_threads: bool,
    /// Those that are shown alone.
    within: Option<&'a Members>,
    all_pass: bool,
    reads_details: bool,
}

/// A line of a process or a thread, before it has its place.
struct Found<'a> {
    key: LineKey,
    line: Line,
    /// Index of the process in the model.
    process: u32,
    passes: bool,
    value: Value<'a>,
}

impl<'a> Found<'a> {
    fn below(self, parent: Option<u32>) -> Node<'a, LineKey> {
        Node { key: self.key, parent, value: self.value, passes: self.passes }
    }
}

impl<'a> Reader<'a> {
    /// Every process; where threads are shown, its leader. Kernel threads are left out where they are hidden, and those that are leaving:
    /// they stand among the exited.
    fn processes(&self) -> impl Iterator<Item = Found<'a>> {
        let leaders = if self.shows_threads { &self.model.threads.leaders[..] } else { &[] };
        let mut leaders = (0..).zip(leaders).peekable();
        (0..).zip(&self.model.rows).filter_map(move |(process, row)| {
            let leader = leaders.next_if(|(_, part)| part.process == process);
            let task = self.model.task(row);
            if task.is_leaving() || self.hides(task) {
                return None;
            }
            let details = self.details_of(task.key);
            let (line, view) = match leader {
                Some((index, part)) => (Line::Leader(index), RowView::thread(self.model, part, details)),
                None => (Line::Process(process), RowView::live(self.model, row, details)),
            };
            Some(self.found(LineKey::Process(task.key), line, process, &view.with_users(self.details.users())))
        })
    }

    /// Every thread that is not a leader, where threads are shown.
    fn threads(&self) -> impl Iterator<Item = Found<'a>> {
        let others = if self.shows_threads { &self.model.threads.others[..] } else { &[] };
        (0..).zip(others).filter(|(_, part)| !part.task.is_leaving() && !self.hides(&part.task)).map(|(index, part)| {
            let view = RowView::thread(self.model, part, self.details_of(part.key)).with_users(self.details.users());
            self.found(LineKey::Thread(part.key, part.tid), Line::Thread(index), part.process, &view)
        })
    }

    fn found(&self, key: LineKey, line: Line, process: u32, view: &RowView<'a>) -> Found<'a> {
        let value = self.sort.value(view);
        let value = match view.task() {
            Some(task) if self.by_net => quiet::rank(self.sort, value, task),
            _ => value,
        };
        Found { key, line, process, passes: self.all_pass || self.filter.matches(view), value }
    }

    fn hides(&self, task: &Task) -> bool {
        self.hides_kernel_threads && task.kernel_thread || self.within.is_some_and(|members| !members.has(task.key))
    }

    fn details_of(&self, key: ProcKey) -> Option<&'a Details> {
        if self.reads_details { self.details.get(key) } else { None }
    }

    /// Each process below its parent, threads below their process; then the exited.
    fn tree(&self, exited: Option<Value<'a>>) -> Forest<'a> {
        let mut node_of = vec![None; self.model.rows.len()];
        let mut forest = Forest::default();
        let pids: Vec<u32> = self.model.sample.tasks.iter().map(|task| task.key.pid).collect();
        for found in self.processes() {
            node_of[found.process as usize] = Some(forest.nodes.len() as u32);
            let parent = self.parent_of(&pids, &self.model.rows[found.process as usize]);
            forest.push(found, parent);
        }
        for node in &mut forest.nodes {
            node.parent = node.parent.and_then(|index| node_of[index as usize]);
        }
        for found in self.threads() {
            let parent = node_of[found.process as usize];
            forest.push(found, parent);
        }
        forest.push_exited(exited);
        forest
    }

    /// Index of the parent in the model. Whoever started later is not a parent, so that no links of a hostile recording make a circle.
    /// `pids` are those of all tasks: to search among the tasks themselves is to wait for memory.
    fn parent_of(&self, pids: &[u32], row: &Row) -> Option<u32> {
        let (tasks, task) = (&self.model.sample.tasks, self.model.task(row));
        let index = pids.partition_point(|pid| *pid <= task.ppid).checked_sub(1)?;
        let age = |key: ProcKey| (key.start_ns, key.pid);
        (tasks[index].key.pid == task.ppid && age(tasks[index].key) < age(task.key)).then_some(index as u32)
    }

    /// Each process below its group, threads below their process; the exited; and the groups with the sums of those that pass.
    fn groups(&self, by: Grouping, exited: Option<Value<'a>>) -> Forest<'a> {
        let mut found_groups: FxHashMap<String, u32> = FxHashMap::default();
        let mut node_of = vec![None; self.model.rows.len()];
        let mut forest = Forest::default();
        for found in self.processes() {
            let row = &self.model.rows[found.process as usize];
            let task = self.model.task(row);
            let groups = &mut forest.groups;
            let group = *found_groups.entry(by.group_of(task, self.details)).or_insert_with_key(|name| {
                groups.push(GroupLine { name: name.clone(), sum: Sum::default() });
                groups.len() as u32 - 1
            });
            if found.passes {
                groups[group as usize].sum.add(task, &self.model.growth(row).work_out(), row.is_new());
            }
            node_of[found.process as usize] = Some(forest.nodes.len() as u32);
            forest.push(found, Some(group));
        }
        let members = forest.nodes.len();
        for found in self.threads() {
            let parent = node_of[found.process as usize];
            forest.push(found, parent);
        }
        forest.push_exited(exited);
        forest.push_groups(members, self.sort);
        forest
    }
}

/// Nodes, what each of them is, and the groups among them.
#[derive(Default)]
struct Forest<'a> {
    nodes: Vec<Node<'a, LineKey>>,
    lines: Vec<Line>,
    groups: Vec<GroupLine>,
}

impl<'a> Forest<'a> {
    fn push(&mut self, found: Found<'a>, parent: Option<u32>) {
        self.lines.push(found.line);
        self.nodes.push(found.below(parent));
    }

    fn push_exited(&mut self, value: Option<Value<'a>>) {
        if let Some(value) = value {
            self.nodes.push(Node { key: LineKey::Exited, parent: None, value, passes: true });
            self.lines.push(Line::Exited);
        }
    }

    /// Puts the groups behind all others, by their numbers. The first `members` nodes have the index of their group for a parent.
    fn push_groups(&mut self, members: usize, sort: Column) {
        let mut order: Vec<u32> = (0..self.groups.len() as u32).collect();
        order.sort_by_key(|&group| group_id(&self.groups[group as usize].name));
        let mut place = vec![0; self.groups.len()];
        order.iter().zip(self.nodes.len() as u32..).for_each(|(&group, node)| place[group as usize] = node);
        for node in &mut self.nodes[..members] {
            node.parent = node.parent.map(|group| place[group as usize]);
        }
        for group in order {
            let line = &mut self.groups[group as usize];
            line.sum = line.sum.nameless();
            let value = if sort.descends() { Value::Unknown } else { Value::Text(Cow::Owned(line.name.clone())) };
            self.nodes.push(Node { key: LineKey::Group(group_id(&line.name)), parent: None, value, passes: false });
            self.lines.push(Line::Group(group));
        }
    }
}

/// The exited that pass a filter, one by one as in batch output: a command that is folded has neither user nor pid that could be asked.
fn exited_that_pass(model: &Model, details: &DetailsBook, filter: &Filter, within: Option<&Members>) -> Exited {
    let passes = |ended: &Ended<'_>| {
        let task = ended.task(model);
        let view = || RowView::ended(model, *ended).with_details(details.get(task.key)).with_users(details.users());
        is_shown(within, task) && filter.matches(&view())
    };
    Exited::fold(model, model.ended().filter(passes))
}

/// The commands of the exited, each as a line.
fn commands(exited: &Exited) -> impl Iterator<Item = (LineKey, Line)> {
    let line = |(i, name): (u32, &String)| (LineKey::Command(Comm::new(name.as_bytes())), Line::Command(i));
    (0..).zip(exited.groups.iter().map(|g| &g.name)).map(line)
}

impl App {
    /// Sorts and filters a process table anew. Returns the selected line if it is there no more.
    pub(super) fn arrange_processes(&mut self, view: usize) -> Option<LineKey> {
        let table = self.processes.get_mut(view)?;
        let model = &self.model;
        let all_pass = self.filter.is_empty();
        let within = self.cgroups.members();
        let exited = match within {
            None if all_pass => model.exited.clone(),
            _ => exited_that_pass(model, &self.details, &self.filter, within),
        };
        self.lines = Lines { exited, ..Lines::default() };
        let leaving = model.ended().filter(|ended| matches!(ended, Ended::Leaving(_))).count();
        self.unfiltered =
            within.map_or(model.rows.len() - leaving, |members| members.living().len()) + usize::from(model.exited.total.count > 0);
        let reader = Reader {
            model,
            details: &self.details,
            filter: &self.filter,
            sort: table.sort,
            by_net: view == View::Network as usize && table.descending,
            shows_threads: self.shows_threads,
            hides_kernel_threads: self.hides_kernel_threads,
            within,
            all_pass,
            reads_details: !table.sort.descends() || !all_pass,
        };
        match self.shape {
            Shape::Flat => flat(&reader, table, &self.lines, self.toggled.contains(&LineKey::Exited)),
            shape => {
                let (lines, gone) = shaped(&reader, shape, table, &self.lines, &self.toggled);
                self.lines = Lines { exited: std::mem::take(&mut self.lines.exited), ..lines };
                gone
            }
        }
    }
}

/// What the exited are sorted by, if there are any.
fn exited_value<'a>(reader: &Reader<'a>, lines: &'a Lines) -> Option<Value<'a>> {
    let view = view_of(reader.model, lines, reader.details, Line::Exited).filter(|_| lines.exited.total.count > 0)?;
    let value = reader.sort.value(&view);
    Some(if reader.by_net { quiet::rank_of_exited(value) } else { value })
}

fn flat(reader: &Reader<'_>, table: &mut ProcessTable, lines: &Lines, unfolded: bool) -> Option<LineKey> {
    let live = reader.processes().chain(reader.threads()).filter(|found| found.passes);
    let live = live.map(|found| Entry { key: found.key, line: found.line, value: found.value });
    let exited = exited_value(reader, lines).map(|value| Entry { key: LineKey::Exited, line: Line::Exited, value });
    let mut entries = Vec::with_capacity((reader.model.rows.len() + reader.model.threads.others.len() + 1).next_multiple_of(512));
    entries.extend(live.chain(exited));
    let gone = table.arrange(&entries);
    if unfolded {
        table.insert_below(LineKey::Exited, commands(&lines.exited));
        return table.find_selected();
    }
    gone
}

/// A tree or groups.
fn shaped(
    reader: &Reader<'_>,
    shape: Shape,
    table: &mut ProcessTable,
    lines: &Lines,
    toggled: &FxHashSet<LineKey>,
) -> (Lines, Option<LineKey>) {
    let exited = exited_value(reader, lines);
    let Forest { nodes, lines: kinds, groups } = match shape {
        Shape::Groups(by) => reader.groups(by, exited),
        Shape::Tree | Shape::Flat => reader.tree(exited),
    };
    let places = forest::arrange(&nodes, |key| key.starts_folded() != toggled.contains(&key), |entries| table.sort(entries));
    let mut made = Lines { groups, ..Lines::default() };
    let mut shown = Vec::with_capacity(places.len());
    for place in places {
        let (key, mut line) = (nodes[place.node as usize].key, kinds[place.node as usize]);
        if !place.within.is_empty() && !matches!(line, Line::Group(_)) {
            made.sums.push(sum(reader.model, place.within.iter().map(|&node| kinds[node as usize])));
            line = Line::Sum(made.sums.len() as u32 - 1);
        }
        shown.push((key, line));
        made.branches.push(place.branch);
        if key == LineKey::Exited && toggled.contains(&key) {
            let before = shown.len();
            shown.extend(commands(&lines.exited));
            made.branches.extend(std::iter::repeat_n(Branch { depth: 1, ..Branch::default() }, shown.len() - before));
        }
    }
    (made, table.show(shown))
}

/// The sum of processes and threads.
fn sum(model: &Model, members: impl Iterator<Item = Line>) -> Sum {
    let mut sum = Sum::default();
    for line in members {
        match line {
            Line::Process(index) => {
                if let Some(row) = model.rows.get(index as usize) {
                    sum.add(model.task(row), &model.growth(row).work_out(), row.is_new());
                }
            }
            Line::Leader(index) => add_part(&mut sum, model.threads.leaders.get(index as usize)),
            Line::Thread(index) => add_part(&mut sum, model.threads.others.get(index as usize)),
            Line::Exited | Line::Command(_) | Line::Sum(_) | Line::Group(_) => {}
        }
    }
    sum
}

fn add_part(sum: &mut Sum, part: Option<&Part>) {
    if let Some(part) = part {
        sum.add(&part.task, &part.gain, part.is_new);
    }
}
