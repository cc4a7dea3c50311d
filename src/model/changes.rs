//! How the processes of two samples differ.

use super::{Births, Row, Since};
use crate::sample::{ProcKey, Sample, Task};

/// The rows of a newer sample, and the processes of the older one that are not as they were: of 10,000 nearly all are idle, and a list
/// of them all is megabytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Merged {
    pub(super) rows: Vec<Row>,
    pub(super) changed: Vec<Task>,
    pub(super) gone: Vec<Task>,
}

/// What is needed to get from a sample back to the one before.
#[derive(Clone, Debug, Default)]
pub struct Changes<'a> {
    /// Processes of the older sample that the newer has in another state.
    pub changed: &'a [Task],
    /// Processes of the older sample that the newer has not.
    pub gone: &'a [Task],
    /// Processes of the newer sample that the older had not.
    pub born: Vec<ProcKey>,
}

impl Merged {
    /// Merges two task lists, both ascending by key.
    pub(super) fn of(prev: Option<&Sample>, births: Option<&Births>, tasks: &[Task]) -> Merged {
        let older = prev.map_or(&[][..], |p| &p.tasks);
        let (mut changed, mut gone) = (Vec::new(), Vec::new());
        let mut at = 0;
        let row = |(index, task): (usize, &Task)| {
            let passed = older[at..].iter().take_while(|o| o.key < task.key).count();
            gone.extend_from_slice(&older[at..at + passed]);
            at += passed;
            let since = match older.get(at).filter(|before| before.key == task.key) {
                Some(before) => {
                    at += 1;
                    if before == task {
                        Since::Same
                    } else {
                        changed.push(*before);
                        Since::Older(changed.len() as u32 - 1)
                    }
                }
                None if births.is_some_and(|b| b.include(task)) => Since::Birth,
                None => Since::Unknown,
            };
            Row { task: index as u32, since }
        };
        let rows = tasks.iter().enumerate().map(row).collect();
        gone.extend_from_slice(&older[at..]);
        Merged { rows, changed, gone }
    }
}

/// Of what was found in a merge.
pub(super) fn changes<'a>(rows: &[Row], tasks: &[Task], changed: &'a [Task], gone: &'a [Task]) -> Changes<'a> {
    let is_new = |row: &&Row| matches!(row.since, Since::Birth | Since::Unknown);
    Changes { changed, gone, born: rows.iter().filter(is_new).map(|row| tasks[row.task as usize].key).collect() }
}

impl Changes<'_> {
    /// Finds them for two samples that no model is made of.
    pub fn between<T>(prev: Option<&Sample>, next: &Sample, then: impl FnOnce(&Changes<'_>) -> T) -> T {
        let Merged { rows, changed, gone } = Merged::of(prev, None, &next.tasks);
        then(&changes(&rows, &next.tasks, &changed, &gone))
    }
}
