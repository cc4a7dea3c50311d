//! Slow facts that were asked for, and which to ask for next.

use rustc_hash::FxHashMap;

use super::user_names::UserNames;
use crate::sample::{Details, ProcKey, Sample, Task};

/// Processes asked about at once, so that an answer never takes long.
const CHUNK: usize = 256;
/// Processes that are gone and still known, for who looks back: those that were asked for last.
const GONE: usize = 1024;
/// Ticks between two cleanings.
const KEEP_TICKS: u32 = 16;
/// A process may change its command line, user and cgroup without exec: details this old are read again.
const REREAD_NS: u64 = 30_000_000_000;
/// Right after its birth it often does: then they are read again this soon.
const REREAD_YOUNG_NS: u64 = 1_000_000_000;
/// A process is young for so long.
const YOUTH_NS: u64 = 2_000_000_000;

/// Until when details hold that were asked for at `now_ns`, unless there is an exec.
pub fn hold_until_ns(task: &Task, now_ns: u64) -> u64 {
    hold_for(task, now_ns, REREAD_NS)
}

/// The same with another age at which those of a process that is not young are read again.
pub fn hold_for(task: &Task, now_ns: u64, reread_ns: u64) -> u64 {
    let is_young = now_ns.saturating_sub(task.key.start_ns) < YOUTH_NS;
    now_ns.saturating_add(if is_young { REREAD_YOUNG_NS } else { reread_ns })
}

#[derive(Clone, Debug, Default)]
struct Entry {
    /// The exec it was last asked for.
    exec_id: u64,
    /// Its user then.
    uid: u32,
    /// When to ask again without one.
    again_ns: u64,
    details: Option<Details>,
}

impl Entry {
    /// Whether it need not be asked for again.
    fn holds(&self, task: &Task, now_ns: u64) -> bool {
        (self.exec_id, self.uid) == (task.exec_id, task.uid) && now_ns < self.again_ns
    }
}

/// Details by process; what was asked for is asked for again after an exec, a change of its user, or a while.
#[derive(Clone, Debug, Default)]
pub struct DetailsBook {
    entries: FxHashMap<ProcKey, Entry>,
    ticks: u32,
    users: UserNames,
}

impl DetailsBook {
    /// Nothing but names of users.
    pub fn new(users: UserNames) -> DetailsBook {
        DetailsBook { users, ..DetailsBook::default() }
    }

    /// Names of users, those that the details told included.
    pub fn users(&self) -> &UserNames {
        &self.users
    }

    /// What is known of a process.
    pub fn get(&self, key: ProcKey) -> Option<&Details> {
        self.entries.get(&key)?.details.as_ref()
    }

    /// Takes an answer.
    pub fn learn(&mut self, answer: Vec<(ProcKey, Details)>) {
        for (key, details) in answer {
            self.users.learn(&details);
            self.entries.entry(key).or_default().details = Some(details);
        }
    }

    /// Which of these to ask for now, at most a chunk; they count as asked. `now_ns`: when the sample was taken.
    pub fn ask<'a>(&mut self, tasks: impl Iterator<Item = &'a Task>, now_ns: u64) -> Vec<ProcKey> {
        let mut wanted = Vec::new();
        for task in tasks {
            let known = self.entries.get(&task.key).is_some_and(|e| e.holds(task, now_ns));
            if known {
                continue;
            }
            let entry = self.entries.entry(task.key).or_default();
            (entry.exec_id, entry.uid, entry.again_ns) = (task.exec_id, task.uid, hold_until_ns(task, now_ns));
            wanted.push(task.key);
            if wanted.len() == CHUNK {
                break;
            }
        }
        wanted
    }

    /// Forgets, now and then, processes that are gone, all but the last of them.
    pub fn tick(&mut self, sample: &Sample) {
        self.ticks += 1;
        if !self.ticks.is_multiple_of(KEEP_TICKS) {
            return;
        }
        let lives = |key: &ProcKey| sample.tasks.binary_search_by_key(key, |t| t.key).is_ok();
        let mut gone = Vec::new();
        self.entries.retain(|key, entry| {
            let is_kept = lives(key);
            if !is_kept && entry.details.is_some() {
                gone.push((entry.again_ns, *key));
            }
            is_kept || entry.details.is_some()
        });
        gone.sort_unstable();
        gone.iter().rev().skip(GONE).for_each(|(_, key)| drop(self.entries.remove(key)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 3600 * 1_000_000_000;

    fn task(pid: u32, exec_id: u64) -> Task {
        Task { key: ProcKey { pid, start_ns: 1 }, exec_id, ..Task::default() }
    }

    #[test]
    fn asks_once_for_each_exec_and_user() {
        let mut book = DetailsBook::default();
        let key = task(1, 0).key;
        assert_eq!(book.ask([task(1, 7)].iter(), NOW), [key]);
        assert_eq!(book.ask([task(1, 7)].iter(), NOW), []);
        book.learn(vec![(key, Details { cmdline: "sh".into(), ..Details::default() })]);
        assert_eq!(book.ask([task(1, 8)].iter(), NOW), [key]);
        assert_eq!(book.get(key).unwrap().cmdline, "sh", "the old one stays until the new one comes");
        let other = Task { uid: 33, ..task(1, 8) };
        assert_eq!([(); 2].map(|()| book.ask([other].iter(), NOW).len()), [1, 0], "it has another user now");
    }

    #[test]
    fn asks_again_after_a_while_and_soon_after_a_birth() {
        let mut book = DetailsBook::default();
        let asked = |book: &mut DetailsBook, now_ns| book.ask([task(1, 7)].iter(), now_ns).len();
        assert_eq!([NOW, NOW + REREAD_NS - 1, NOW + REREAD_NS].map(|now| asked(&mut book, now)), [1, 0, 1]);
        let mut book = DetailsBook::default();
        assert_eq!([1, REREAD_YOUNG_NS, REREAD_YOUNG_NS + 1].map(|now| asked(&mut book, now)), [1, 0, 1]);
    }

    #[test]
    fn asks_in_chunks() {
        let mut book = DetailsBook::default();
        let tasks: Vec<_> = (0..CHUNK as u32 + 5).map(|pid| task(pid, 1)).collect();
        assert_eq!(book.ask(tasks.iter(), NOW).len(), CHUNK);
        assert_eq!(book.ask(tasks.iter(), NOW).len(), 5);
    }

    #[test]
    fn forgets_who_is_gone() {
        let mut book = DetailsBook::default();
        let stays = task(1, 1);
        book.ask([stays, task(2, 1)].iter(), NOW);
        let sample = Sample { tasks: vec![stays].into(), ..Sample::default() };
        (0..KEEP_TICKS).for_each(|_| book.tick(&sample));
        assert_eq!(book.entries.len(), 1);
    }

    #[test]
    fn the_last_that_went_are_known_for_who_looks_back() {
        let mut book = DetailsBook::default();
        let went = GONE as u32 + 100;
        for pid in 1..=went {
            book.ask([task(pid, 1)].iter(), NOW + u64::from(pid));
            book.learn(vec![(task(pid, 1).key, Details::default())]);
        }
        (0..KEEP_TICKS).for_each(|_| book.tick(&Sample::default()));
        assert_eq!(book.entries.len(), GONE);
        assert!(book.get(task(went, 1).key).is_some() && book.get(task(1, 1).key).is_none());
    }
}
