//! Slow facts that were asked for, and which to ask for next.

use rustc_hash::FxHashMap;

use crate::sample::{Details, ProcKey, Sample, Task};

/// Processes asked about at once, so that an answer never takes long.
const CHUNK: usize = 256;
/// Ticks between two cleanings.
const KEEP_TICKS: u32 = 16;

#[derive(Clone, Debug, Default)]
struct Entry {
    /// The exec it was last asked for.
    exec_id: u64,
    details: Option<Details>,
}

/// Details by process; what was asked for once is not asked for again before its next exec.
#[derive(Clone, Debug, Default)]
pub struct DetailsBook {
    entries: FxHashMap<ProcKey, Entry>,
    ticks: u32,
}

impl DetailsBook {
    /// What is known of a process.
    pub fn get(&self, key: ProcKey) -> Option<&Details> {
        self.entries.get(&key)?.details.as_ref()
    }

    /// Takes an answer.
    pub fn learn(&mut self, answer: Vec<(ProcKey, Details)>) {
        for (key, details) in answer {
            self.entries.entry(key).or_default().details = Some(details);
        }
    }

    /// Which of these to ask for now, at most a chunk; they count as asked.
    pub fn ask<'a>(&mut self, tasks: impl Iterator<Item = &'a Task>) -> Vec<(ProcKey, u64)> {
        let mut wanted = Vec::new();
        for task in tasks {
            let known = self.entries.get(&task.key).is_some_and(|e| e.exec_id == task.exec_id);
            if known {
                continue;
            }
            self.entries.entry(task.key).or_default().exec_id = task.exec_id;
            wanted.push((task.key, task.exec_id));
            if wanted.len() == CHUNK {
                break;
            }
        }
        wanted
    }

    /// Forgets, now and then, processes that are gone.
    pub fn tick(&mut self, sample: &Sample) {
        self.ticks += 1;
        if self.ticks.is_multiple_of(KEEP_TICKS) {
            self.entries.retain(|key, _| sample.tasks.binary_search_by_key(key, |t| t.key).is_ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(pid: u32, exec_id: u64) -> Task {
        Task { key: ProcKey { pid, start_ns: 1 }, exec_id, ..Task::default() }
    }

    #[test]
    fn asks_once_for_each_exec() {
        let mut book = DetailsBook::default();
        let key = task(1, 0).key;
        assert_eq!(book.ask([task(1, 7)].iter()), [(key, 7)]);
        assert_eq!(book.ask([task(1, 7)].iter()), []);
        book.learn(vec![(key, Details { cmdline: "sh".into(), ..Details::default() })]);
        assert_eq!(book.ask([task(1, 8)].iter()), [(key, 8)]);
        assert_eq!(book.get(key).unwrap().cmdline, "sh", "the old one stays until the new one comes");
    }

    #[test]
    fn asks_in_chunks() {
        let mut book = DetailsBook::default();
        let tasks: Vec<_> = (0..CHUNK as u32 + 5).map(|pid| task(pid, 1)).collect();
        assert_eq!(book.ask(tasks.iter()).len(), CHUNK);
        assert_eq!(book.ask(tasks.iter()).len(), 5);
    }

    #[test]
    fn forgets_who_is_gone() {
        let mut book = DetailsBook::default();
        let stays = task(1, 1);
        book.ask([stays, task(2, 1)].iter());
        let sample = Sample { tasks: vec![stays], ..Sample::default() };
        (0..KEEP_TICKS).for_each(|_| book.tick(&sample));
        assert_eq!(book.entries.len(), 1);
    }
}
