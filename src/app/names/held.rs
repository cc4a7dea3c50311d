//! Names for a screen that is held: what it shows is of the programs that ran when it was, whatever their processes run by now.

use rustc_hash::FxHashMap;

use super::{Names, Shelf};
use crate::sample::{ProcKey, Sample};

/// Names of programs that were running when the screen was held.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// The program of each process that has samples: its `exec_id`.
    programs: FxHashMap<ProcKey, u64>,
    /// Of the processes that run another one since: all the names there will be.
    former: FxHashMap<ProcKey, Shelf>,
}

impl Held {
    pub(super) fn former(&self, key: ProcKey) -> Option<&Shelf> {
        self.former.get(&key)
    }
}

impl Names {
    /// Has names be those of these programs (`exec_id`, 0 = unknown) from now on; `None`: of those that run.
    pub fn hold(&mut self, programs: Option<FxHashMap<ProcKey, u64>>) {
        let before = std::mem::replace(&mut self.held, programs.map(|programs| Held { programs, former: FxHashMap::default() }));
        if before.is_some_and(|held| !held.former.is_empty()) {
            self.epoch += 1;
            self.programs += 1;
            self.version += 1;
        }
    }

    /// Puts the names of programs aside that run no more but are shown. To be called before they are forgotten.
    pub(super) fn put_aside(&mut self, sample: &Sample) {
        let Some(Held { programs, former }) = &mut self.held else { return };
        for (key, program) in programs.iter().filter(|(_, program)| **program != 0) {
            let now = sample.tasks.binary_search_by_key(key, |task| task.key).map_or(0, |at| sample.tasks[at].exec_id);
            if now != 0 && now != *program && !former.contains_key(key) {
                let shelf = self.user.get_mut(key).map(|names| std::mem::take(&mut names.shelf));
                former.insert(*key, shelf.unwrap_or_default());
                self.asked.program_changed(*key);
                // Nothing more is asked about them.
                self.version += 1;
            }
        }
    }
}
