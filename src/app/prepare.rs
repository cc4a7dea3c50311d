//! Whose stacks the user is about to read: their unwind tables are made before those of others.

use super::App;
use super::view::View;
use crate::model::stacks::Scope;
use crate::sample::ProcKey;

impl App {
    /// The processes whose stacks are on screen, where they are some and not all.
    pub(super) fn looked_at(&self) -> Vec<ProcKey> {
        match self.stacks.scope() {
            _ if self.view != View::Stacks => Vec::new(),
            Scope::Machine => Vec::new(),
            Scope::Process(key) => vec![*key],
            Scope::Set(keys) => keys.iter().copied().collect(),
            Scope::Cgroup(ids) => {
                let tasks = &self.model.sample.tasks;
                tasks.iter().filter(|task| ids.contains(&task.cgroup_id)).map(|task| task.key).collect()
            }
        }
    }
}
