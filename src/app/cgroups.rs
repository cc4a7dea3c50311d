//! The Cgroups view: a tree of control groups, and the processes of one of them.

use rustc_hash::FxHashSet;

use super::App;
use super::column::{CgroupColumn, CgroupView, Column, Columns, sets};
use super::forest::{self, Branch, Node};
use super::order::Entry;
use super::table::Table;
use super::view::View;
use crate::model::Model;
use crate::model::cgroups::Members;
use crate::model::stacks::{Measure, Scope};
use crate::sample::{Cgroup, ProcKey, Sample, Socket, Task};

/// A table of control groups: by their keys, with the indices of their rows.
pub type CgroupTable = Table<u64, u32, CgroupColumn>;

/// The control group whose processes are shown alone.
#[derive(Clone, Debug)]
struct Within {
    key: u64,
    path: String,
    members: Members,
}

/// What the user left the view at.
#[derive(Clone, Debug)]
pub struct CgroupsView {
    pub(super) table: CgroupTable,
    /// Without the tree.
    is_flat: bool,
    /// Groups that hide what is below them.
    folded: FxHashSet<u64>,
    /// Where each line stands, in the order of the table.
    branches: Vec<Branch>,
    within: Option<Within>,
}

impl Default for CgroupsView {
    fn default() -> Self {
        CgroupsView {
            table: Table::new(sets::CGROUPS, CgroupColumn::CpuPct),
            is_flat: false,
            folded: FxHashSet::default(),
            branches: Vec::new(),
            within: None,
        }
    }
}

impl CgroupsView {
    /// Whom a view of processes leaves out.
    pub(super) fn members(&self) -> Option<&Members> {
        self.within.as_ref().map(|within| &within.members)
    }

    /// A socket belongs to nobody that is left out.
    pub(super) fn holds(&self, socket: &Socket) -> bool {
        self.members().is_none_or(|members| socket.owner.is_some_and(|owner| members.has(owner)))
    }

    /// Looks who is in the chosen group now. One that is gone has nobody.
    pub(super) fn look(&mut self, sample: &Sample) {
        if let Some(within) = &mut self.within
            && sample.cgroups.is_some()
        {
            within.members = Members::of(sample, within.key).unwrap_or_default();
        }
    }

    /// The groups that pass, as a tree or one by one.
    fn arrange(&mut self, model: &Model, passes: impl Fn(&CgroupView<'_>) -> bool) {
        let mut order: Vec<CgroupView<'_>> = CgroupView::all(model).collect();
        order.sort_by_key(|view| view.group.key);
        self.branches.clear();
        let sort = self.table.sort;
        if self.is_flat {
            let entries = order.iter().filter(|view| passes(view));
            let entries: Vec<_> =
                entries.map(|view| Entry { key: view.group.key, line: view.row.group, value: sort.value(view) }).collect();
            self.table.arrange(&entries);
            return;
        }
        let mut node_of = vec![0; order.len()];
        (0..).zip(&order).for_each(|(node, view)| node_of[view.row.group as usize] = node);
        let parent_of = |group: &Cgroup, index: u32| Some(node_of[group.parent.filter(|&parent| parent < index)? as usize]);
        let nodes = order.iter().map(|view| Node {
            key: view.group.key,
            parent: parent_of(view.group, view.row.group),
            value: sort.value(&view.with_path(false)),
            passes: passes(view),
        });
        let nodes: Vec<_> = nodes.collect();
        let folded = &self.folded;
        let table = &mut self.table;
        let places = forest::arrange_as_counted(&nodes, |key| folded.contains(&key), |entries| table.sort(entries));
        let line = |place: &forest::Place| (nodes[place.node as usize].key, order[place.node as usize].row.group);
        let lines = places.iter().map(line).collect();
        self.branches = places.into_iter().map(|place| place.branch).collect();
        self.table.show(lines);
    }
}

impl App {
    /// The table of control groups, if it is on screen.
    pub fn cgroup_table(&self) -> Option<&CgroupTable> {
        (self.view() == View::Cgroups).then_some(&self.cgroups.table)
    }

    /// What a line of it shows.
    pub fn cgroup(&self, line: u32) -> Option<CgroupView<'_>> {
        let model = self.model();
        Some(CgroupView::new(model, model.cgroups.get(line as usize)?)?.with_path(self.cgroups.is_flat))
    }

    /// Where a line of it stands in the tree.
    pub fn cgroup_branch(&self, index: usize) -> Branch {
        self.cgroups.branches.get(index).copied().unwrap_or_default()
    }

    pub(super) fn arrange_cgroups(&mut self) {
        self.unfiltered = self.model.cgroups.len();
        let filter = &self.filter;
        self.cgroups.arrange(&self.model, |view| filter.matches_cgroup(view));
    }

    /// The control group whose processes are shown alone.
    pub fn within(&self) -> Option<&str> {
        self.cgroups.within.as_ref().map(|within| within.path.as_str())
    }

    /// A process is left out because it is not in that group.
    pub(super) fn is_outside(&self, key: ProcKey) -> bool {
        self.cgroups.members().is_some_and(|members| !members.has(key))
    }

    /// In words, what is not as usual about the groups, and what is missing.
    pub(super) fn cgroup_words(&self) -> Vec<String> {
        let Some(cgroups) = self.model.sample.cgroups.as_deref() else { return Vec::new() };
        let flat = self.cgroups.is_flat.then(|| "one by one".to_owned());
        let left_out = (cgroups.left_out > 0).then(|| format!("{} or more not read", cgroups.left_out));
        flat.into_iter().chain(left_out).chain(cgroups.trouble.clone()).collect()
    }

    fn current_cgroup(&self) -> Option<CgroupView<'_>> {
        self.cgroup(self.cgroup_table()?.current()?.1)
    }

    /// From a group to the processes in it and below.
    pub(super) fn enter_cgroup(&mut self) {
        let Some(group) = self.current_cgroup().map(|view| view.group) else { return };
        let (key, path) = (group.key, group.path.clone());
        let members = Members::of(&self.model.sample, key).unwrap_or_default();
        self.cgroups.within = Some(Within { key, path, members });
        self.change_view(View::Processes);
        self.trail.push(View::Cgroups);
    }

    /// Back to the group whose processes are shown; false if there is none.
    pub(super) fn leave_cgroup(&mut self) -> bool {
        let leads_there = self.trail.last().is_none_or(|view| *view == View::Cgroups);
        let Some(within) = self.cgroups.within.take_if(|_| leads_there) else { return false };
        self.trail.clear();
        self.cgroups.table.select(Some(within.key));
        self.change_view(View::Cgroups);
        true
    }

    /// Forgets whose processes were shown: the view of all groups is asked for.
    pub(super) fn forget_within(&mut self) {
        self.cgroups.within = None;
    }

    /// The stacks of all in the selected group and below.
    pub(super) fn why_of_cgroup(&mut self, measure: Measure) {
        let Some(group) = self.current_cgroup().map(|view| view.group) else { return self.say("Choose a cgroup first".into()) };
        let sample = &self.model.sample;
        let members = Members::of(sample, group.key).unwrap_or_default();
        let title = format!("cgroup {}", group.path);
        let scope = match members.are_by_id(sample) {
            true => Scope::Cgroup(members.ids),
            false => Scope::Set(members.living().iter().copied().collect()),
        };
        self.open_stacks(scope, &title, measure);
    }

    /// The tree, or groups one by one by their whole paths.
    pub(super) fn toggle_cgroup_tree(&mut self) {
        self.cgroups.is_flat = !self.cgroups.is_flat;
        self.rearrange();
    }

    /// Shows or hides what is below the selected group.
    pub(super) fn fold_cgroup(&mut self) {
        let table = &self.cgroups.table;
        let Some((key, _)) = table.current() else { return };
        let at = table.cursor();
        if self.cgroups.is_flat {
            return self.say("t shows the tree; + folds there".into());
        }
        if !self.cgroup_branch(at).is_folded && self.cgroup_branch(at + 1).depth <= self.cgroup_branch(at).depth {
            return self.say("Nothing is below this cgroup".into());
        }
        if !self.cgroups.folded.remove(&key) {
            self.cgroups.folded.insert(key);
        }
        self.cgroups.table.select(Some(key));
        self.rearrange();
    }

    /// Unfolds all if something is folded, else folds all but the root.
    pub(super) fn fold_all_cgroups(&mut self) {
        let is_folded = self.cgroups.branches.iter().any(|branch| branch.is_folded);
        self.cgroups.folded.clear();
        let list = self.model.sample.cgroups.as_deref().map_or(&[][..], |groups| &groups.list);
        let parents = list.iter().filter_map(|group| list.get(group.parent? as usize)).filter(|parent| parent.parent.is_some());
        self.cgroups.folded.extend(parents.filter(|_| !is_folded).map(|parent| parent.key));
        self.rearrange();
    }

    /// Sorts by the column that means the same for groups.
    pub(super) fn sort_cgroups(&mut self, column: Column) {
        let known = CgroupColumn::named(column.spec().name);
        let Some(known) = known else { return self.say(format!("This view has no column {}", column.spec().title)) };
        let table = &mut self.cgroups.table;
        match table.sort == known {
            true => table.descending = known.descends(),
            false => table.sort_by(known),
        }
        self.rearrange();
    }
}

/// Those that a view of processes shows of the ones that exited.
pub(super) fn is_shown(members: Option<&Members>, exited: &Task) -> bool {
    members.is_none_or(|members| members.had(exited))
}
