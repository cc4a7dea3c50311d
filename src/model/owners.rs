//! Who owned the sockets of processes that are gone: such a socket is told of once more when it closes, and TCP may keep it for minutes.

use rustc_hash::FxHashMap;

use crate::sample::{ProcKey, Sample, Task};

/// The last that is known of each process that owns a socket of the sample and is not among its processes. As many as there are sockets
/// at most.
#[derive(Clone, Debug, Default)]
pub struct GoneOwners(FxHashMap<ProcKey, Option<Task>>);

impl GoneOwners {
    /// By the last words that came with the sample, or else by the sample before.
    pub(super) fn between(prev: Option<&Sample>, next: &Sample) -> GoneOwners {
        let is_alive = |key: &ProcKey| next.tasks.binary_search_by_key(key, |task| task.key).is_ok();
        let mut last_seen = None;
        let owners = next.sockets.iter().filter_map(|socket| socket.owner);
        // Sockets of one process often stand together.
        let gone = owners.filter(|key| last_seen.replace(*key) != Some(*key) && !is_alive(key));
        let mut found: FxHashMap<_, Option<Task>> = gone.map(|key| (key, None)).collect();
        if found.is_empty() {
            return GoneOwners(found);
        }
        let older = |key: &ProcKey| {
            let tasks = &prev?.tasks;
            tasks.binary_search_by_key(key, |task| task.key).ok().map(|at| tasks[at])
        };
        found.iter_mut().for_each(|(key, task)| *task = older(key));
        for exit in &next.exits {
            if let Some(task) = found.get_mut(&exit.task.key) {
                *task = Some(exit.task);
            }
        }
        GoneOwners(found)
    }

    /// Takes over who is still wanted, and was known to the model before.
    pub fn remember(&mut self, before: &GoneOwners) {
        for (key, task) in self.0.iter_mut().filter(|(_, task)| task.is_none()) {
            *task = before.get(*key).copied();
        }
    }

    /// The last that is known of one of them.
    pub fn get(&self, key: ProcKey) -> Option<&Task> {
        self.0.get(&key)?.as_ref()
    }
}
