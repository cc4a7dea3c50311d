//! When the files of all processes are searched for who has idle sockets open.

use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;

use crate::sample::ProcKey;

/// This often while sockets are on screen: who hands a socket to another lives on, and nobody tells of it.
const EVERY: Duration = Duration::from_secs(30);
/// And this often while some have no known owner.
const UNKNOWN_EVERY: Duration = Duration::from_secs(5);
/// Between two searches so many times as long as one took: with a million open files it holds the other readings up.
const REST: u32 = 100;

/// The searches that were, and what calls for the next.
#[derive(Default)]
pub struct Searches {
    /// When the last one began, and how long it took.
    last: Option<(Instant, Duration)>,
    has_unknown: bool,
    /// Who was the owner of an idle socket by the last walk.
    guessed: FxHashSet<ProcKey>,
    /// One of those ended.
    has_heirs: bool,
}

impl Searches {
    /// The table is opened or closed: an old search says nothing.
    pub fn begin_anew(&mut self) {
        self.last = None;
    }

    /// Whether it is time for one.
    pub fn is_due(&self, now: Instant) -> bool {
        let every = match (self.has_heirs, self.has_unknown) {
            (true, _) => Duration::ZERO,
            (false, true) => UNKNOWN_EVERY,
            (false, false) => EVERY,
        };
        self.last.is_none_or(|(began, took)| now.duration_since(began) >= every.max(took * REST))
    }

    /// One began and took so long.
    pub fn note(&mut self, began: Instant, took: Duration) {
        self.last = Some((began, took));
        self.has_heirs = false;
    }

    /// What a walk found: owners that are guesses, and whether sockets are nobody's.
    pub fn note_owners(&mut self, guessed: FxHashSet<ProcKey>, has_unknown: bool) {
        self.guessed = guessed;
        self.has_unknown = has_unknown;
    }

    /// A process ended: its idle sockets may be another's now.
    pub fn forget(&mut self, key: ProcKey) {
        self.has_heirs |= self.guessed.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: ProcKey = ProcKey { pid: 7, start_ns: 1 };
    const OTHER: ProcKey = ProcKey { pid: 8, start_ns: 1 };

    #[test]
    fn a_search_follows_the_end_of_an_owner_but_leaves_time_for_the_rest() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut searches = Searches::default();
        assert!(searches.is_due(start));
        searches.note(start, Duration::from_millis(20));
        searches.note_owners(FxHashSet::from_iter([OWNER]), false);
        searches.forget(OTHER);
        assert!(!searches.is_due(after(29)) && searches.is_due(after(30)));
        searches.forget(OWNER);
        assert!(!searches.is_due(after(1)) && searches.is_due(after(2)));
        searches.note(after(2), Duration::ZERO);
        assert!(!searches.is_due(after(31)), "once");
        searches.note_owners(FxHashSet::default(), true);
        assert!(searches.is_due(after(7)));
        searches.note(after(7), Duration::ZERO);
        searches.begin_anew();
        assert!(searches.is_due(after(7)));
    }
}
