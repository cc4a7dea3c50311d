//! Joins the last words of processes: what they had when they began to exit, and their final counters when the kernel freed them.
//!
//! Between the two a process may be a zombie on the walk, or off it already (in limbo: a few ms until RCU lets it go, longer
//! only under load). It is reported as an exit once, when it is freed. `sched_process_free` does not come for every process
//! (measured on 6.18: up to 1 in 100 of a fork storm has none), so who is in limbo for too long is reported with what it had
//! when it began to exit; only one that left no word at all is lost.

use rustc_hash::{FxHashMap, FxHashSet};

use super::fold::Fold;
use super::row::{Kind, Row};
use crate::sample::{Exit, ProcKey};

/// Who has been in limbo for longer is no longer waited for.
const LIMBO_NS: u64 = 3_000_000_000;
/// For so long, words that come after all are known to be too late.
const REMEMBER_NS: u64 = 60_000_000_000;

/// Room for so many words stays after a burst.
const KEPT: usize = 1024;

/// Who is on the way out.
#[derive(Default)]
pub struct Leaving {
    dying: FxHashMap<ProcKey, Row>,
    freed: Vec<Row>,
    /// Since when each has been in limbo.
    limbo: FxHashMap<ProcKey, u64>,
    /// Who left without a word, for the next reading to leave out.
    silent: Vec<ProcKey>,
    /// When each was no longer waited for, or reported before what it said when it began to exit was there.
    closed: FxHashMap<ProcKey, u64>,
    lost: u64,
}

impl Leaving {
    /// Takes one record of the kernel's. Two threads that leave together may both speak for their process: the first counts.
    pub fn hear(&mut self, words: Row) {
        if self.closed.contains_key(&words.key()) {
            return;
        }
        match words.kind {
            Kind::EB_TASK_EXIT => {
                self.dying.entry(words.key()).or_insert(words);
            }
            Kind::EB_TASK_FREED => self.freed.push(words),
            _ => {}
        }
    }

    /// The processes freed since the last call, with their totals held above the reading before.
    pub fn take_exits(&mut self, fold: &Fold, page_bytes: u64) -> Vec<Exit> {
        let (dying, closed) = (&mut self.dying, &mut self.closed);
        let exit_of = |freed: Row| {
            let last = dying.remove(&freed.key()).unwrap_or_else(|| {
                // What it said before may yet come, out of the map that takes what finds no room in the ring.
                closed.entry(freed.key()).or_insert(freed.at_ns);
                freed
            });
            let mut task = fold.finish(&freed);
            task.memory = last.memory(page_bytes);
            if last.ppid != 0 {
                task.ppid = last.ppid;
            }
            Exit {
                task,
                at_ns: freed.at_ns,
                code: (freed.exit_status >> 8) as u8,
                signal: (freed.exit_status & 0x7f) as u8,
                peak_rss_bytes: (freed.peak_rss_pages > 0).then(|| freed.peak_rss_pages.saturating_mul(page_bytes)),
            }
        };
        let exits = self.freed.drain(..).map(exit_of).collect();
        self.freed.shrink_to(KEPT);
        self.dying.shrink_to(KEPT);
        exits
    }

    /// The words of those that began to exit and are not freed yet.
    pub fn dying(&self) -> Vec<Row> {
        self.dying.values().copied().collect()
    }

    /// Those to leave out of the next reading: the `exits` it reports, and who left without a word long ago.
    pub fn gone(&mut self, exits: &[Exit]) -> FxHashSet<ProcKey> {
        exits.iter().map(|e| e.task.key).chain(self.silent.drain(..)).collect()
    }

    /// Is told who is in limbo now; the next reading reports those who have been there for too long.
    pub fn expire(&mut self, limbo: &[ProcKey], now_ns: u64) {
        let since = |key: &ProcKey| (*key, self.limbo.get(key).copied().unwrap_or(now_ns));
        self.limbo = limbo.iter().map(since).collect();
        self.closed.retain(|_, at| now_ns.saturating_sub(*at) <= REMEMBER_NS);
        for (&key, &since) in &self.limbo {
            if now_ns.saturating_sub(since) > LIMBO_NS {
                self.closed.insert(key, now_ns);
                match self.dying.remove(&key) {
                    Some(words) => self.freed.push(words),
                    None => self.silent.push(key),
                }
            }
        }
        self.lost += self.silent.len() as u64;
    }

    /// Processes that left without a word.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Counter;

    const PAGE: u64 = 4096;

    fn words(kind: Kind, run_ns: u64) -> Row {
        Row { kind, tgid: 10, tid: 10, start_ns: 5, run_ns, ..Row::default() }
    }

    #[test]
    fn joins_memory_at_exit_with_counters_at_the_end() {
        let mut leaving = Leaving::default();
        let facts = crate::collect::tasks::row::Facts::EB_HAS_MEMORY;
        leaving.hear(Row { ppid: 3, anon_pages: 2, facts, ..words(Kind::EB_TASK_EXIT, 90) });
        leaving.hear(Row { anon_pages: 9, facts, ..words(Kind::EB_TASK_EXIT, 91) });
        assert!(leaving.take_exits(&Fold::new(PAGE, true), PAGE).is_empty(), "not freed yet");
        assert_eq!(leaving.dying().len(), 1);
        leaving.hear(Row { exit_status: 7 << 8, peak_rss_pages: 4, at_ns: 77, ..words(Kind::EB_TASK_FREED, 100) });
        let exits = leaving.take_exits(&Fold::new(PAGE, true), PAGE);
        let exit = &exits[0];
        assert_eq!((exit.task.ppid, exit.code, exit.signal, exit.at_ns), (3, 7, 0, 77));
        assert_eq!(exit.task.counters.get(Counter::CpuNs), Some(100));
        assert_eq!((exit.task.memory.map(|m| m.anon_bytes), exit.peak_rss_bytes), (Some(2 * PAGE), Some(4 * PAGE)));
        assert!(leaving.dying().is_empty() && leaving.take_exits(&Fold::new(PAGE, true), PAGE).is_empty(), "reported once");
    }

    #[test]
    fn counters_alone_are_enough() {
        let mut leaving = Leaving::default();
        leaving.hear(Row { exit_status: 0x80 | 11, ..words(Kind::EB_TASK_FREED, 100) });
        let exit = leaving.take_exits(&Fold::new(PAGE, true), PAGE)[0];
        assert_eq!((exit.code, exit.signal, exit.task.memory, exit.peak_rss_bytes), (0, 11, None, None), "dumped core");
    }

    #[test]
    fn limbo_ends_after_a_while_with_the_words_there_are() {
        let mut leaving = Leaving::default();
        leaving.hear(Row { ppid: 3, ..words(Kind::EB_TASK_EXIT, 90) });
        let key = leaving.dying()[0].key();
        leaving.expire(&[key], 1);
        leaving.expire(&[], 2_000_000_000);
        leaving.expire(&[key], 3_000_000_000);
        leaving.expire(&[key], 6_000_000_000);
        assert!(leaving.take_exits(&Fold::new(PAGE, true), PAGE).is_empty(), "it was back on the walk in between");
        leaving.expire(&[key], 6_000_000_001);
        let exits = leaving.take_exits(&Fold::new(PAGE, true), PAGE);
        assert_eq!((exits.len(), exits[0].task.ppid, exits[0].task.counters.get(Counter::CpuNs)), (1, 3, Some(90)));
        assert_eq!(leaving.gone(&exits), FxHashSet::from_iter([key]));
        leaving.hear(words(Kind::EB_TASK_FREED, 100));
        assert!(leaving.take_exits(&Fold::new(PAGE, true), PAGE).is_empty(), "too late");
        assert_eq!(leaving.lost(), 0);
    }

    #[test]
    fn first_words_that_come_after_the_last_make_no_ghost() {
        let (mut leaving, mut fold) = (Leaving::default(), Fold::new(PAGE, true));
        leaving.hear(Row { at_ns: 1, ..words(Kind::EB_TASK_FREED, 100) });
        assert_eq!(leaving.take_exits(&fold, PAGE).len(), 1);
        leaving.hear(words(Kind::EB_TASK_EXIT, 90));
        for now_ns in [1, 4_000_000_000, 8_000_000_000] {
            let folded = fold.fold([&[], &[]], &leaving.dying(), &FxHashSet::default());
            assert_eq!(folded.tasks, []);
            leaving.expire(&folded.limbo, now_ns);
            assert_eq!(leaving.take_exits(&fold, PAGE), []);
        }
    }

    #[test]
    fn nothing_is_remembered_of_those_that_said_all() {
        let mut leaving = Leaving::default();
        leaving.hear(words(Kind::EB_TASK_EXIT, 90));
        leaving.hear(words(Kind::EB_TASK_FREED, 100));
        assert_eq!((leaving.take_exits(&Fold::new(PAGE, true), PAGE).len(), leaving.closed.len()), (1, 0));
    }

    #[test]
    fn one_that_never_said_a_word_is_lost() {
        let mut leaving = Leaving::default();
        let key = words(Kind::EB_TASK_EXIT, 0).key();
        leaving.expire(&[key], 1);
        leaving.expire(&[key], 4_000_000_000);
        assert_eq!(leaving.gone(&[]), FxHashSet::from_iter([key]));
        assert!(leaving.gone(&[]).is_empty(), "told once");
        assert_eq!(leaving.lost(), 1);
    }
}
