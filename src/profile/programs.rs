//! Which processes began to run another program.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::sample::{ProcKey, Sample, Task};

/// The program that each process ran when it was last seen: its `exec_id`.
#[derive(Default)]
pub(super) struct Programs(FxHashMap<ProcKey, u64>);

impl Programs {
    /// Who runs another program than in the sample before, or did when it ended.
    pub(super) fn changed(&mut self, sample: &Sample) -> FxHashSet<ProcKey> {
        let known = |task: &Task| (task.exec_id != 0).then_some((task.key, task.exec_id));
        let now: FxHashMap<ProcKey, u64> = sample.tasks.iter().filter_map(known).collect();
        let gone = sample.exits.iter().filter_map(|exit| known(&exit.task)).filter(|(key, _)| !now.contains_key(key));
        let is_other = |(key, program): &(ProcKey, u64)| self.0.get(key).is_some_and(|before| before != program);
        let changed = now.iter().map(|(key, program)| (*key, *program)).chain(gone).filter(is_other).map(|(key, _)| key).collect();
        self.0 = now;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Exit;

    fn task(pid: u32, exec_id: u64) -> Task {
        Task { key: ProcKey { pid, start_ns: 1 }, exec_id, ..Task::default() }
    }

    #[test]
    fn who_ran_another_program_before_is_told_once() {
        let mut programs = Programs::default();
        let mut changed = |tasks: Vec<Task>, gone: Vec<Task>| {
            let exits = gone.into_iter().map(|task| Exit { task, ..Exit::default() }).collect();
            let mut pids: Vec<u32> =
                programs.changed(&Sample { tasks: tasks.into(), exits, ..Sample::default() }).iter().map(|key| key.pid).collect();
            pids.sort_unstable();
            pids
        };
        assert_eq!(changed(vec![task(1, 1), task(2, 1), task(3, 1), task(4, 0)], vec![]), [0; 0]);
        assert_eq!(changed(vec![task(1, 1), task(2, 2), task(4, 1), task(5, 9)], vec![task(3, 2), task(6, 4)]), [2, 3]);
        assert_eq!(changed(vec![task(1, 1), task(2, 2)], vec![task(4, 1)]), [0; 0]);
    }
}
