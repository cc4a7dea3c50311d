//! Last words of processes, as the kernel half tells them: through a ring, and what finds that full through a map beside it.

use std::os::fd::BorrowedFd;

use libbpf_rs::{MapCore, MapFlags, MapHandle};

use super::row::Row;
use crate::bpf::batch::value_of;
use crate::bpf::plain::decode;
use crate::bpf::ring::Ring;
use crate::bpf::tasks::TasksSkel;
use crate::bpf::tasks::types::eb_words_count;

/// Words taken out of the map by one call.
const BATCH: u32 = 512;

/// Where they come from.
pub struct Words {
    ring: Ring<Row>,
    spill: MapHandle,
    counts: MapHandle,
    done: Done,
}

/// How many of the words that were ever put into the map are accounted for. What is left there by a call that failed, or because newer
/// words were taken in its place, is not, and is asked for again.
#[derive(Default)]
struct Done(u64);

impl Words {
    /// The ring and the map of a loaded object.
    ///
    /// # Errors
    /// The ring cannot be mapped, or no descriptor is left.
    pub fn open(skel: &TasksSkel<'_>) -> libbpf_rs::Result<Words> {
        let maps = &skel.maps;
        let (spill, counts) = (MapHandle::try_from(&maps.task_spill)?, MapHandle::try_from(&maps.task_count)?);
        Ok(Words { ring: Ring::open(&maps.task_ring)?, spill, counts, done: Done::default() })
    }

    /// Hands over all words there are. Of one process what it said at its end may come after what it said when it began to exit, or
    /// both at once, but never alone before it: the ring is emptied first.
    pub fn drain(&mut self, mut each: impl FnMut(Row)) {
        self.ring.drain(&mut each);
        let spilt = self.counts().spilt;
        let take = || {
            let batches = self.spill.lookup_and_delete_batch(BATCH, MapFlags::ANY, MapFlags::ANY).ok()?;
            let hand_over = |(_, value): (Vec<u8>, Vec<u8>)| decode::<Row>(&value).into_iter().for_each(&mut each);
            Some(batches.map(hand_over).count() as u64)
        };
        self.done.take(spilt, take, || self.spill.keys().next().is_none());
    }

    /// Readable when the ring has filled to a quarter.
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.ring.wake_fd()
    }

    /// Words that found no room anywhere.
    pub fn lost(&self) -> u64 {
        self.counts().lost
    }

    fn counts(&self) -> eb_words_count {
        let value = self.counts.lookup(&0u32.to_ne_bytes(), MapFlags::ANY).ok().flatten();
        value.and_then(|bytes| value_of(&bytes)).unwrap_or_default()
    }
}

impl Done {
    /// Empties a map that `spilt` words were put into so far. `run` takes some out and says how many. Each run ends at the first call
    /// that does not fill its batch, which the kernel does not where a whole bucket has no room left in it. No longer than for what was
    /// there at first: in a storm of exits there is always more.
    fn take(&mut self, spilt: u64, mut run: impl FnMut() -> Option<u64>, is_empty: impl Fn() -> bool) {
        let due = spilt.saturating_sub(self.0);
        let mut taken = 0;
        while taken < due {
            match run() {
                Some(more) if more > 0 => taken += more,
                // Two threads that leave together both speak for their process: that counts twice, and is there once.
                Some(_) if is_empty() => return self.0 = spilt,
                _ => break,
            }
        }
        self.0 += taken.min(due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failed_call_leaves_is_asked_for_again() {
        let mut done = Done::default();
        done.take(5, || None, || false);
        let mut runs = [Some(2), None].into_iter();
        done.take(5, || runs.next().flatten(), || false);
        let mut runs = vec![3];
        done.take(5, || runs.pop(), || true);
        assert!(runs.is_empty(), "three were left");
        done.take(5, || unreachable!("all are accounted for"), || true);
    }

    #[test]
    fn newer_words_do_not_stand_for_those_that_are_left() {
        let mut done = Done::default();
        // One was there; 512 came meanwhile and were taken first.
        done.take(1, || Some(512), || false);
        let mut runs = vec![1];
        done.take(513, || Some(runs.pop().unwrap_or(0)), || true);
        assert!(runs.is_empty());
        done.take(513, || unreachable!("the map was found empty"), || true);
    }
}
