//! Joins the last words of processes: what they had when they began to exit, and their final counters when the kernel freed them.
//!
//! Between the two a process may be a zombie on the walk, or off it already (in limbo: a few ms until RCU lets it go, longer
//! only under load). It is reported as an exit once, when it is freed; one that is in limbo for too long is given up.

use rustc_hash::{FxHashMap, FxHashSet};

use super::fold::Fold;
use super::row::{Kind, Row};
use crate::sample::{Exit, ProcKey};

/// Who has been in limbo for longer has lost its last words.
const LIMBO_NS: u64 = 10_000_000_000;

/// Who is on the way out.
#[derive(Default)]
pub struct Leaving {
    dying: FxHashMap<ProcKey, Row>,
    freed: Vec<Row>,
    /// Since when each has been in limbo.
    limbo: FxHashMap<ProcKey, u64>,
    given_up: FxHashSet<ProcKey>,
    lost: u64,
}

impl Leaving {
    /// Takes one record of the kernel's. Two threads that leave together may both speak for their process: the first counts.
    pub fn hear(&mut self, words: Row) {
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
        let dying = &mut self.dying;
        let exit_of = |freed: Row| {
            let last = dying.remove(&freed.key());
            let mut task = fold.finish(&freed);
            task.memory = last.and_then(|w| w.memory(page_bytes));
            task.ppid = last.map_or(task.ppid, |w| w.ppid);
            Exit {
                task,
                at_ns: freed.at_ns,
                code: (freed.exit_status >> 8) as u8,
                signal: (freed.exit_status & 0x7f) as u8,
                peak_rss_bytes: (freed.peak_rss_pages > 0).then(|| freed.peak_rss_pages.saturating_mul(page_bytes)),
            }
        };
        self.freed.drain(..).map(exit_of).collect()
    }

    /// The words of those that began to exit and are not freed yet.
    pub fn dying(&self) -> Vec<Row> {
        self.dying.values().copied().collect()
    }

    /// Those to leave out of the next reading: the `exits` it reports, and who was given up.
    pub fn gone(&mut self, exits: &[Exit]) -> FxHashSet<ProcKey> {
        let mut gone = std::mem::take(&mut self.given_up);
        gone.extend(exits.iter().map(|e| e.task.key));
        gone
    }

    /// Is told who is in limbo now; gives up those who have been there for too long.
    pub fn expire(&mut self, limbo: &[ProcKey], now_ns: u64) {
        let since = |key: &ProcKey| (*key, self.limbo.get(key).copied().unwrap_or(now_ns));
        self.limbo = limbo.iter().map(since).collect();
        let expired = self.limbo.iter().filter(|&(_, since)| now_ns.saturating_sub(*since) > LIMBO_NS);
        self.given_up = expired.map(|(&key, _)| key).collect();
        self.lost += self.given_up.len() as u64;
        for key in &self.given_up {
            self.dying.remove(key);
        }
    }

    /// Processes whose last words never came.
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
    fn limbo_ends_after_a_while_and_counts_as_lost() {
        let mut leaving = Leaving::default();
        leaving.hear(words(Kind::EB_TASK_EXIT, 90));
        let key = leaving.dying()[0].key();
        leaving.expire(&[key], 1);
        leaving.expire(&[], 5_000_000_000);
        leaving.expire(&[key], 9_000_000_000);
        leaving.expire(&[key], 19_000_000_000);
        assert!(leaving.gone(&[]).is_empty(), "it was back on the walk in between");
        leaving.expire(&[key], 19_000_000_001);
        assert_eq!(leaving.gone(&[]), FxHashSet::from_iter([key]));
        assert_eq!((leaving.lost(), leaving.dying().len()), (1, 0));
        assert!(leaving.gone(&[]).is_empty(), "told once");
    }
}
