//! Where in the chunks tables lie: hands out runs of slabs, and takes them back a while after they were last used.

use std::time::{Duration, Instant};

use super::layout::{CHUNK_WORDS, CHUNKS_MAX};

/// Words of a slab, the unit of allocation: 4 KiB.
pub(super) const SLAB_WORDS: u32 = 1024;
const SLABS: u32 = CHUNK_WORDS / SLAB_WORDS;

/// Memory of the kernel that tables are written to.
pub(super) trait Words {
    /// Makes a chunk.
    fn add_chunk(&mut self, chunk: u32) -> std::io::Result<()>;
    /// Writes words that lie in one chunk.
    fn write(&mut self, at: u32, words: &[u32]) -> std::io::Result<()>;
}

/// Slabs in a row, in one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// First word.
    pub(super) at: u32,
    /// How many.
    pub(super) slabs: u32,
}

impl Run {
    pub(super) fn words(&self) -> u32 {
        self.slabs * SLAB_WORDS
    }
}

/// The slabs of all chunks.
pub(super) struct Arena {
    /// A bit for each free slab.
    free: Vec<u64>,
    chunks_max: usize,
    resting: Vec<(Instant, Run)>,
}

impl Arena {
    /// Of at most `bytes`, but at least one chunk.
    pub(super) fn new(bytes: u64) -> Arena {
        let chunks = (bytes / u64::from(CHUNK_WORDS * 4)).clamp(1, u64::from(CHUNKS_MAX));
        Arena { free: Vec::new(), chunks_max: chunks as usize, resting: Vec::new() }
    }

    /// Bytes of chunks there are.
    pub(super) fn bytes(&self) -> u64 {
        self.free.len() as u64 * u64::from(CHUNK_WORDS) * 4
    }

    /// Bytes that no table has, in chunks that there are or may be; also those that rest.
    pub(super) fn spare_bytes(&self) -> u64 {
        let free: u32 = self.free.iter().map(|chunk| chunk.count_ones()).sum();
        let resting: u32 = self.resting.iter().map(|(_, run)| run.slabs).sum();
        let unmade = (self.chunks_max.saturating_sub(self.free.len())) as u64 * u64::from(SLABS);
        (u64::from(free) + u64::from(resting) + unmade) * u64::from(SLAB_WORDS) * 4
    }

    /// A walk that found a place just before it was given back has long ended after this time.
    pub(super) const REST: Duration = Duration::from_millis(200);
    /// Most words in a row that there can be.
    pub(super) const RUN_WORDS_MAX: u32 = CHUNK_WORDS;

    /// A run of at least `words`; `None` where none is free and no further chunk may or can be made.
    pub(super) fn take(&mut self, words: u32, memory: &mut impl Words, now: Instant) -> Option<Run> {
        let slabs = words.div_ceil(SLAB_WORDS).max(1);
        if slabs > SLABS {
            return None;
        }
        self.wake(now);
        if let Some(run) = self.find(slabs) {
            return Some(run);
        }
        if self.free.len() >= self.chunks_max || memory.add_chunk(self.free.len() as u32).is_err() {
            return None;
        }
        self.free.push(u64::MAX);
        self.find(slabs)
    }

    fn find(&mut self, slabs: u32) -> Option<Run> {
        let mask = u64::MAX >> (SLABS - slabs);
        for (chunk, free) in self.free.iter_mut().enumerate() {
            let place = (0..=SLABS - slabs).find(|&i| (*free >> i) & mask == mask);
            if let Some(i) = place {
                *free &= !(mask << i);
                return Some(Run { at: chunk as u32 * CHUNK_WORDS + i * SLAB_WORDS, slabs });
            }
        }
        None
    }

    /// Takes a run back; nothing may lead to it any more.
    pub(super) fn give(&mut self, run: Run, now: Instant) {
        self.resting.push((now, run));
    }

    /// Makes free what has rested.
    fn wake(&mut self, now: Instant) {
        let free = &mut self.free;
        self.resting.retain(|(since, run)| {
            let rests = now.duration_since(*since) < Self::REST;
            if !rests {
                let mask = (u64::MAX >> (SLABS - run.slabs)) << (run.at % CHUNK_WORDS / SLAB_WORDS);
                free[(run.at / CHUNK_WORDS) as usize] |= mask;
            }
            rests
        });
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Chunks in ordinary memory.
    #[derive(Default)]
    pub(in crate::unwind) struct Memory(pub(in crate::unwind) Vec<u32>);

    impl Words for Memory {
        fn add_chunk(&mut self, chunk: u32) -> std::io::Result<()> {
            self.0.resize((chunk as usize + 1) * CHUNK_WORDS as usize, 0);
            Ok(())
        }

        fn write(&mut self, at: u32, words: &[u32]) -> std::io::Result<()> {
            assert_eq!(at / CHUNK_WORDS, (at + words.len() as u32 - 1) / CHUNK_WORDS, "crosses the end of a chunk");
            self.0[at as usize..][..words.len()].copy_from_slice(words);
            Ok(())
        }
    }

    #[test]
    fn runs_do_not_overlap_and_come_back_after_a_rest() {
        let mut memory = Memory::default();
        let mut arena = Arena::new(2 * 4 * u64::from(CHUNK_WORDS));
        let now = Instant::now();
        let mut runs: Vec<Run> = std::iter::from_fn(|| arena.take(3 * SLAB_WORDS - 5, &mut memory, now)).collect();
        assert_eq!(runs.len(), 42, "21 of three slabs in each of two chunks");
        runs.sort_by_key(|r| r.at);
        assert!(runs.windows(2).all(|w| w[0].at + w[0].words() <= w[1].at));
        assert!(runs.iter().all(|r| r.at / CHUNK_WORDS == (r.at + r.words() - 1) / CHUNK_WORDS));
        arena.give(runs[4], now);
        assert_eq!(arena.take(3 * SLAB_WORDS, &mut memory, now), None, "it still rests");
        assert_eq!(arena.take(3 * SLAB_WORDS, &mut memory, now + Arena::REST), Some(runs[4]));
        assert_eq!(arena.take(CHUNK_WORDS + 1, &mut memory, now), None);
        assert_eq!(arena.bytes(), 512 << 10);
    }

    #[test]
    fn the_smallest_budget_is_a_chunk() {
        let mut arena = Arena::new(0);
        assert!(arena.take(CHUNK_WORDS, &mut Memory::default(), Instant::now()).is_some());
        assert!(arena.take(1, &mut Memory::default(), Instant::now()).is_none());
    }
}
