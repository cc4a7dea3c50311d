//! Joins the last words of processes: what they had when they began to exit, and their final counters when the kernel freed them.
//!
//! Between the two a process may be a zombie on the walk, or off it already (in limbo: a few ms until RCU lets it go, longer
//! only under load). It is reported as an exit once, when it is freed.

use rustc_hash::FxHashMap;

use super::fold::Fold;
use super::row::{Kind, Row};
use crate::sample::{Exit, ProcKey};

/// A process in limbo for longer has lost its final words.
const LIMBO_NS: u64 = 10_000_000_000;

struct Dying {
    words: Row,
    /// When it was last known to be on the walk.
    seen_ns: u64,
}

/// Who is on the way out.
#[derive(Default)]
pub struct Leaving {
    dying: FxHashMap<ProcKey, Dying>,
    freed: Vec<Row>,
    dropped: u64,
}

impl Leaving {
    /// Takes one record of the kernel's. Two threads that leave together may both speak for their process: the first counts.
    pub fn hear(&mut self, words: Row) {
        match words.kind {
            Kind::EB_TASK_EXIT => {
                self.dying.entry(words.key()).or_insert(Dying { seen_ns: words.at_ns, words });
            }
            Kind::EB_TASK_FREED => self.freed.push(words),
            _ => {}
        }
    }

    /// The processes freed since the last call, with their totals held above the reading before.
    pub fn take_exits(&mut self, fold: &Fold, page_bytes: u64) -> Vec<Exit> {
        let dying = &mut self.dying;
        let exit_of = |freed: Row| {
            let last = dying.remove(&freed.key()).map(|d| d.words);
            let mut task = fold.finish(&freed);
            task.memory = last.and_then(|w| w.memory(page_bytes));
            task.ppid = last.map_or(task.ppid, |w| w.ppid);
            let peak_pages = freed.peak_rss_pages;
            Exit {
                task,
                at_ns: freed.at_ns,
                code: (freed.exit_status >> 8) as u8,
                signal: (freed.exit_status & 0x7f) as u8,
                peak_rss_bytes: (peak_pages > 0).then(|| peak_pages.saturating_mul(page_bytes)),
            }
        };
        self.freed.drain(..).map(exit_of).collect()
    }

    /// The last words so far of every process that is not freed yet.
    pub fn dying(&self) -> Vec<Row> {
        self.dying.values().map(|d| d.words).collect()
    }

    /// Lets go of those that have been in `limbo` (ascending) for too long.
    pub fn expire(&mut self, limbo: &[ProcKey], now_ns: u64) {
        let before = self.dying.len();
        self.dying.retain(|key, dying| {
            if limbo.binary_search(key).is_err() {
                dying.seen_ns = now_ns;
            }
            now_ns.saturating_sub(dying.seen_ns) <= LIMBO_NS
        });
        self.dropped += (before - self.dying.len()) as u64;
    }

    /// Processes whose final words never came.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}
