//! Control groups between two samples: growth of what the kernel counts for them, and sums over the processes in them.

use rustc_hash::FxHashMap;

use super::Model;
use crate::sample::{Cgroup, Cgroups, Counters, ProcKey, Sample, Task};

/// What a control group and all below it gained.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CgroupRow {
    /// Index in the list of the sample.
    pub group: u32,
    /// Time over which its own counters grew; 0 = they are not known.
    pub elapsed_ns: u64,
    /// CPU time.
    pub cpu_ns: Option<u64>,
    /// Periods under its limit of CPU time.
    pub periods: Option<u64>,
    /// Those of them in which it was stopped.
    pub throttled_periods: Option<u64>,
    /// Time it was stopped, of all CPUs together.
    pub throttled_ns: Option<u64>,
    /// Bytes read from devices.
    pub device_read_bytes: Option<u64>,
    /// Bytes written to devices.
    pub device_write_bytes: Option<u64>,
    /// Processes in it and below; `None` where the kernel does not tell.
    pub processes: Option<u32>,
    /// What those gained over [`Model::elapsed_ns`], and what those gained that exited; of these only where the default hierarchy has
    /// the group.
    pub gain: Counters,
}

/// Who is in a control group or below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Those that live, ascending.
    living: Vec<ProcKey>,
    /// Ids of the groups in the default hierarchy, ascending: of those that exited only these are known.
    pub ids: Vec<u64>,
}

impl Members {
    /// Those of the group with that number, see [`Cgroup::key`]. `None` where there is no such group.
    pub fn of(sample: &Sample, key: u64) -> Option<Members> {
        let list = &sample.cgroups.as_deref()?.list;
        let top = list.iter().position(|group| group.key == key)?;
        let mut is_within = vec![false; list.len()];
        is_within[top] = true;
        for (index, group) in list.iter().enumerate().skip(top) {
            is_within[index] |= group.parent.is_some_and(|parent| is_within.get(parent as usize) == Some(&true));
        }
        let within = || list.iter().zip(&is_within).filter(|(_, within)| **within).map(|(group, _)| group);
        let mut living: Vec<ProcKey> = match list[top].holds_all {
            true => sample.tasks.iter().map(|task| task.key).collect(),
            false => {
                within().flat_map(|group| group.pids.iter().flatten()).filter_map(|&pid| Some(task_of(&sample.tasks, pid)?.1.key)).collect()
            }
        };
        living.sort_unstable();
        living.dedup();
        let mut ids: Vec<u64> = within().map(|group| group.id).filter(|&id| id != 0).collect();
        ids.sort_unstable();
        Some(Members { living, ids })
    }

    /// A process that lives is one of them.
    pub fn has(&self, key: ProcKey) -> bool {
        self.living.binary_search(&key).is_ok()
    }

    /// One that exited was.
    pub fn had(&self, task: &Task) -> bool {
        self.ids.binary_search(&task.cgroup_id).is_ok()
    }

    /// Those that live, ascending.
    pub fn living(&self) -> &[ProcKey] {
        &self.living
    }

    /// The default hierarchy alone says who is one of them: then those that come and go are found by it.
    pub fn are_by_id(&self, sample: &Sample) -> bool {
        let by_id = sample.tasks.iter().filter(|task| self.had(task)).map(|task| task.key);
        !self.ids.is_empty() && by_id.eq(self.living.iter().copied())
    }
}

/// One row for each group of the newer sample, same order.
pub(super) fn rows(prev: Option<&Sample>, model: &Model) -> Vec<CgroupRow> {
    let Some(now) = model.sample.cgroups.as_deref() else { return Vec::new() };
    // No list at all was read where not even the root is in it.
    let before = prev.and_then(|prev| prev.cgroups.as_deref()).filter(|before| before.at_ns < now.at_ns && !before.list.is_empty());
    let mut rows = grown(before, now);
    add_processes(&mut rows, &now.list, model);
    rows
}

/// Growth of the kernel's own counters. A group that was not there before, or was made anew, began at 0.
fn grown(before: Option<&Cgroups>, now: &Cgroups) -> Vec<CgroupRow> {
    let older: FxHashMap<u64, &Cgroup> = before.iter().flat_map(|before| &before.list).map(|group| (group.key, group)).collect();
    let row = |(index, group): (u32, &Cgroup)| {
        let row = CgroupRow { group: index, ..CgroupRow::default() };
        let Some(before) = before else { return row };
        let same = older.get(&group.key).filter(|older| older.inode == group.inode);
        if same.is_none() && (before.left_out > 0 || now.left_out > 0) {
            // It, or a part of it, may only not have been read.
            return row;
        }
        let grown = |read: fn(&Cgroup) -> Option<u64>| match same {
            Some(older) => read(group)?.checked_sub(read(older)?),
            None => read(group),
        };
        CgroupRow {
            elapsed_ns: now.at_ns - before.at_ns,
            cpu_ns: grown(|g| g.cpu_ns),
            periods: grown(|g| g.periods),
            throttled_periods: grown(|g| g.throttled_periods),
            throttled_ns: grown(|g| g.throttled_ns),
            device_read_bytes: grown(|g| g.device_read_bytes),
            device_write_bytes: grown(|g| g.device_write_bytes),
            ..row
        }
    };
    (0..).zip(&now.list).map(row).collect()
}

/// Adds each process once to every group that it is in, and to those above.
fn add_processes(rows: &mut [CgroupRow], list: &[Cgroup], model: &Model) {
    let tasks = &model.sample.tasks;
    let mut places: Vec<(u32, u32)> = Vec::new();
    for (index, group) in (0..).zip(list) {
        if group.holds_all || group.pids.is_some() {
            rows[index as usize].processes = Some(0);
        }
        match group.holds_all {
            true => places.extend((0..tasks.len() as u32).map(|task| (task, index))),
            false => places.extend(group.pids.iter().flatten().filter_map(|&pid| Some((task_of(tasks, pid)?.0 as u32, index)))),
        }
    }
    places.sort_unstable();
    let mut last_in = vec![u32::MAX; list.len()];
    for of_task in places.chunk_by(|a, b| a.0 == b.0) {
        let task = of_task[0].0;
        let gain = model.rows.get(task as usize).map(|row| model.growth(row).work_out().counters).unwrap_or_default();
        for &(_, group) in of_task {
            for above in and_above(list, group) {
                if std::mem::replace(&mut last_in[above as usize], task) == task {
                    break;
                }
                let row = &mut rows[above as usize];
                row.processes = Some(row.processes.unwrap_or(0).saturating_add(1));
                row.gain.add(&gain);
            }
        }
    }
    let by_id: FxHashMap<u64, u32> = (0..).zip(list).filter(|(_, group)| group.id != 0).map(|(index, group)| (group.id, index)).collect();
    for departed in &model.departed {
        let group = by_id.get(&departed.exit.task.cgroup_id).copied();
        for above in group.into_iter().flat_map(|group| and_above(list, group)) {
            rows[above as usize].gain.add(&departed.delta);
        }
    }
}

/// A group and those it is in, inside out. Parents stand before their children, so that no links make a circle.
fn and_above(list: &[Cgroup], group: u32) -> impl Iterator<Item = u32> {
    let parent = |&index: &u32| list.get(index as usize).and_then(|group| group.parent).filter(|&parent| parent < index);
    std::iter::successors(Some(group), parent)
}

/// A process by its pid.
fn task_of(tasks: &[Task], pid: u32) -> Option<(usize, &Task)> {
    let index = tasks.partition_point(|task| task.key.pid < pid);
    tasks.get(index).filter(|task| task.key.pid == pid).map(|task| (index, task))
}
