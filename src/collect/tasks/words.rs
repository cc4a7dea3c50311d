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
    /// Of those, as many were in the map when it was emptied last.
    spilt: u64,
}

impl Words {
    /// The ring and the map of a loaded object.
    ///
    /// # Errors
    /// The ring cannot be mapped, or no descriptor is left.
    pub fn open(skel: &TasksSkel<'_>) -> libbpf_rs::Result<Words> {
        let maps = &skel.maps;
        let (spill, counts) = (MapHandle::try_from(&maps.task_spill)?, MapHandle::try_from(&maps.task_count)?);
        Ok(Words { ring: Ring::open(&maps.task_ring)?, spill, counts, spilt: 0 })
    }

    /// Hands over all words there are. Of one process what it said at its end may come after what it said when it began to exit, or
    /// both at once, but never alone before it: the ring is emptied first.
    pub fn drain(&mut self, mut each: impl FnMut(Row)) {
        self.ring.drain(&mut each);
        let spilt = self.counts().spilt;
        let due = spilt.saturating_sub(self.spilt);
        // What cannot be taken out now stays there, and is tried again with the next that are spilt.
        self.spilt = spilt;
        let mut taken = 0;
        // Each run ends at the first call that does not fill its batch, which the kernel does not where a whole bucket has no room left
        // in it. No longer than for what was there at first: in a storm of exits there is always more.
        while taken < due {
            let Ok(batches) = self.spill.lookup_and_delete_batch(BATCH, MapFlags::ANY, MapFlags::ANY) else { return };
            let before = taken;
            for (_, value) in batches {
                taken += 1;
                decode::<Row>(&value).into_iter().for_each(&mut each);
            }
            if taken == before {
                return;
            }
        }
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
