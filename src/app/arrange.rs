//! Brings the processes of the view on screen in order: filtered, sorted, in their shape, the exited folded into one.

use std::borrow::Cow;

use rustc_hash::{FxHashMap, FxHashSet};

use super::column::{Column, Columns, RowView, Value};
use super::details::DetailsBook;
use super::filter::Filter;
use super::forest::{self, Branch, Node};
use super::lines::{GroupLine, Line, LineKey, Lines, view_of};
use super::order::Entry;
use super::shape::{Grouping, Shape, group_id};
use super::{App, ProcessTable};
use crate::model::exited::Exited;
use crate::model::sum::Sum;
use crate::model::{Departed, Model, Row};
use crate::sample::{Comm, ProcKey, Task};

/// Reads the processes of a model for a table.
struct Reader<'a> {
    model: &'a Model,
    details: &'a DetailsBook,
    filter: &'a Filter,
    sort: Column,
    hides_kernel_threads: bool,
    all_pass: bool,
    reads_details: bool,
}

impl<'a> Reader<'a> {
    /// Index in the model, process, whether it passes the filter, what it is sorted by. Kernel threads are left out where they are hidden.
    fn processes(&self) -> impl Iterator<Item = (usize, &'a Row, bool, Value<'a>)> {
        self.model.rows.iter().enumerate().filter(|(_, row)| !self.hides_kernel_threads || !self.model.task(row).kernel_thread).map(
            |(index, row)| {
                let details = if self.reads_details { self.details.get(self.model.task(row).key) } else { None };
                let view = RowView::live(self.model, row, details);
                (index, row, self.all_pass || self.filter.matches(&view), self.sort.value(&view))
            },
        )
    }

    fn key(&self, row: &Row) -> LineKey {
        LineKey::Process(self.model.task(row).key)
    }

    /// Each process below its parent, then the exited.
    fn tree(&self, exited: Option<Value<'a>>) -> (Vec<Node<'a, LineKey>>, Vec<Line>) {
        let mut node_of = vec![None; self.model.rows.len()];
        let (mut nodes, mut lines) = (Vec::new(), Vec::new());
        for (index, row, passes, value) in self.processes() {
            node_of[index] = Some(nodes.len() as u32);
            nodes.push(Node { key: self.key(row), parent: self.parent_of(row), value, passes });
            lines.push(Line::Process(index as u32));
        }
        for node in &mut nodes {
            node.parent = node.parent.and_then(|index| node_of[index as usize]);
        }
        if let Some(value) = exited {
            nodes.push(Node { key: LineKey::Exited, parent: None, value, passes: true });
            lines.push(Line::Exited);
        }
        (nodes, lines)
    }

    /// Index of the parent in the model. Whoever started later is not a parent, so that no links of a hostile recording make a circle.
    fn parent_of(&self, row: &Row) -> Option<u32> {
        let (tasks, task) = (&self.model.sample.tasks, self.model.task(row));
        let index = tasks.partition_point(|t| t.key.pid <= task.ppid).checked_sub(1)?;
        let age = |key: ProcKey| (key.start_ns, key.pid);
        (tasks[index].key.pid == task.ppid && age(tasks[index].key) < age(task.key)).then_some(index as u32)
    }

    /// Each process below its group, and the groups with the sums of those that pass.
    fn groups(&self, by: Grouping, exited: Option<Value<'a>>) -> (Vec<Node<'a, LineKey>>, Vec<Line>, Vec<GroupLine>) {
        let mut found: FxHashMap<String, u32> = FxHashMap::default();
        let mut groups: Vec<GroupLine> = Vec::new();
        let (mut nodes, mut lines) = (Vec::new(), Vec::new());
        for (index, row, passes, value) in self.processes() {
            let task = self.model.task(row);
            let name = by.group_of(task, self.details.get(task.key));
            let group = *found.entry(name).or_insert_with_key(|name| {
                groups.push(GroupLine { name: name.clone(), sum: Sum::default() });
                groups.len() as u32 - 1
            });
            if passes {
                groups[group as usize].sum.add(task, row);
            }
            nodes.push(Node { key: self.key(row), parent: Some(group), value, passes });
            lines.push(Line::Process(index as u32));
        }
        let mut order: Vec<u32> = (0..groups.len() as u32).collect();
        order.sort_by_key(|&group| group_id(&groups[group as usize].name));
        let first = nodes.len() as u32 + u32::from(exited.is_some());
        let mut place = vec![0; groups.len()];
        order.iter().zip(first..).for_each(|(&group, node)| place[group as usize] = node);
        nodes.iter_mut().for_each(|node| node.parent = node.parent.map(|group| place[group as usize]));
        if let Some(value) = exited {
            nodes.push(Node { key: LineKey::Exited, parent: None, value, passes: true });
            lines.push(Line::Exited);
        }
        for group in order {
            let line = &mut groups[group as usize];
            line.sum = line.sum.nameless();
            let value = if self.sort.descends() { Value::Unknown } else { Value::Text(Cow::Owned(line.name.clone())) };
            nodes.push(Node { key: LineKey::Group(group_id(&line.name)), parent: None, value, passes: false });
            lines.push(Line::Group(group));
        }
        (nodes, lines, groups)
    }
}

/// The exited that pass a filter by themselves, or whose command does as a whole: many small ones make a large one.
fn exited_that_pass(model: &Model, filter: &Filter) -> Exited {
    let groups: FxHashSet<&str> =
        model.exited.groups.iter().filter(|g| filter.matches(&RowView::exited(model, g))).map(|g| g.name.as_str()).collect();
    let passes = |d: &&Departed| groups.contains(d.exit.task.comm.to_string().as_str()) || filter.matches(&RowView::departed(model, d));
    Exited::fold(&model.departed.iter().filter(passes).copied().collect::<Vec<_>>())
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
        let exited = if all_pass { model.exited.clone() } else { exited_that_pass(model, &self.filter) };
        self.lines = Lines { exited, ..Lines::default() };
        self.unfiltered = model.rows.len() + usize::from(!model.departed.is_empty());
        let reader = Reader {
            model,
            details: &self.details,
            filter: &self.filter,
            sort: table.sort,
            hides_kernel_threads: self.hides_kernel_threads,
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
    Some(reader.sort.value(&view))
}

fn flat(reader: &Reader<'_>, table: &mut ProcessTable, lines: &Lines, unfolded: bool) -> Option<LineKey> {
    let live = reader.processes().filter(|(_, _, passes, _)| *passes);
    let live = live.map(|(index, row, _, value)| Entry { key: reader.key(row), line: Line::Process(index as u32), value });
    let exited = exited_value(reader, lines).map(|value| Entry { key: LineKey::Exited, line: Line::Exited, value });
    let mut entries = Vec::with_capacity((reader.model.rows.len() + 1).next_multiple_of(512));
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
    let (nodes, kinds, groups) = match shape {
        Shape::Groups(by) => reader.groups(by, exited),
        _ => {
            let (nodes, kinds) = reader.tree(exited);
            (nodes, kinds, Vec::new())
        }
    };
    let places = forest::arrange(&nodes, |key| key.starts_folded() != toggled.contains(&key), |entries| table.sort(entries));
    let mut made = Lines { groups, ..Lines::default() };
    let mut shown = Vec::with_capacity(places.len());
    for place in places {
        let (key, mut line) = (nodes[place.node as usize].key, kinds[place.node as usize]);
        if !place.within.is_empty() && matches!(line, Line::Process(_)) {
            let members = place.within.iter().filter_map(|&node| process(reader.model, kinds[node as usize]));
            made.sums.push(Sum::of(members));
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

fn process(model: &Model, line: Line) -> Option<(&Task, &Row)> {
    match line {
        Line::Process(index) => model.rows.get(index as usize).map(|row| (model.task(row), row)),
        _ => None,
    }
}
