//! The processes of a sample, shared: with 10,000 of them one list is megabytes.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Task;

/// A list of processes, ascending by key. A clone is the same list; changing one that is shared copies it first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskList(Arc<Vec<Task>>);

impl Deref for TaskList {
    type Target = Vec<Task>;

    fn deref(&self) -> &Vec<Task> {
        &self.0
    }
}

impl DerefMut for TaskList {
    fn deref_mut(&mut self) -> &mut Vec<Task> {
        Arc::make_mut(&mut self.0)
    }
}

impl From<Vec<Task>> for TaskList {
    fn from(tasks: Vec<Task>) -> Self {
        TaskList(Arc::new(tasks))
    }
}

impl FromIterator<Task> for TaskList {
    fn from_iter<I: IntoIterator<Item = Task>>(tasks: I) -> Self {
        tasks.into_iter().collect::<Vec<_>>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_stays_with_who_made_it() {
        let first = TaskList::from(vec![Task::default()]);
        let mut second = first.clone();
        assert!(std::ptr::eq(&first[0], &second[0]));
        second[0].ppid = 7;
        assert_eq!((first[0].ppid, second[0].ppid), (0, 7));
    }
}
