//! Joins the records of a thread's time off the CPU: the stack when it left, who woke it, and when it was back.
//!
//! A wait counts once it is over; until then its time is told as it passes, and nobody knows yet who will end it.

use rustc_hash::FxHashMap;

use crate::collect::stacks::fold::Fold;

/// Bytes of `struct eb_watch_back`; a stack sample is never as short.
const BACK: usize = 32;
/// Where a sample has its value, its thread and its weight (`struct eb_stack_sample`).
const VALUE: usize = 16;
const TID: usize = 40;
const WEIGHT: usize = 48;
/// Where that of a waker has the thread that it woke.
const WOKEN: usize = 52;
/// `enum eb_weight`.
const SLEEPING: u8 = 1;
const RUNNABLE: u8 = 3;
const WAKER: u8 = 9;
/// Bytes of stacks held for threads that are away: with 16 frames each, as many threads as the kernel half follows.
const BYTES_MAX: usize = 4 << 20;

/// Stacks of threads that are off the CPU.
#[derive(Default)]
pub(super) struct Away {
    threads: FxHashMap<u32, Left>,
    bytes: usize,
    lost: u64,
    /// Of threads that the kernel half did not know to be away when it was asked: when they left.
    doubted: FxHashMap<u32, u64>,
}

struct Left {
    record: Box<[u8]>,
    /// The sample of who woke it.
    waker: Option<Box<[u8]>>,
    left_ns: u64,
    /// Of its time, ns that were told already.
    told_ns: u64,
}

impl Away {
    /// Takes a record in; what it completes goes to `fold`.
    pub(super) fn add(&mut self, record: &[u8], fold: &mut Fold) {
        match (record.len(), record.get(WEIGHT)) {
            (BACK, _) => self.back(record, fold),
            (_, Some(SLEEPING..=RUNNABLE)) => self.leaves(record),
            (_, Some(&WAKER)) => self.wakes(record),
            _ => fold.add(record),
        }
    }

    /// Tells of every thread that is still away what it waited until `now_ns` (`CLOCK_MONOTONIC`) and was not told before.
    pub(super) fn tell(&mut self, now_ns: u64, fold: &mut Fold) {
        for left in self.threads.values_mut() {
            let new = now_ns.saturating_sub(left.left_ns).saturating_sub(left.told_ns);
            if new > 0 {
                left.told_ns = left.told_ns.saturating_add(new);
                left.tell(left.record[WEIGHT], new, 0, fold);
            }
        }
    }

    /// Drops who came back without a word, as the ring was full, or was never followed. `left_ns` says when a thread left that the
    /// kernel half knows to be away. A record may be on its way: only who is not away when asked twice is dropped. To be called between
    /// two readings of the ring, again in the next tick; whether anybody is doubted.
    pub(super) fn check(&mut self, left_ns: impl Fn(u32) -> Option<u64>) -> bool {
        let before = std::mem::take(&mut self.doubted);
        for (tid, left) in &self.threads {
            if left_ns(*tid) != Some(left.left_ns) {
                self.doubted.insert(*tid, left.left_ns);
            }
        }
        let gone: Vec<u32> = before.iter().filter(|(tid, left)| self.doubted.get(tid) == Some(left)).map(|(tid, _)| *tid).collect();
        for tid in gone {
            self.doubted.remove(&tid);
            self.bytes -= self.threads.remove(&tid).map_or(0, |left| left.bytes());
            self.lost += 1;
        }
        !self.doubted.is_empty()
    }

    /// Records whose other half never came, or that found no room.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    fn leaves(&mut self, record: &[u8]) {
        let left = Left { record: record.into(), waker: None, left_ns: long(record, VALUE), told_ns: 0 };
        if self.bytes + record.len() > BYTES_MAX {
            self.lost += 1;
            return;
        }
        self.bytes += record.len();
        if let Some(unfinished) = self.threads.insert(tid(record, TID), left) {
            self.bytes -= unfinished.bytes();
            self.lost += 1;
        }
    }

    /// Without room for it nobody will know who it was.
    fn wakes(&mut self, record: &[u8]) {
        let Some(left) = self.threads.get_mut(&tid(record, WOKEN)).filter(|left| left.left_ns == long(record, VALUE)) else { return };
        if left.waker.is_none() && self.bytes + record.len() <= BYTES_MAX {
            self.bytes += record.len();
            left.waker = Some(record.into());
        }
    }

    /// `struct eb_watch_back` {left, woken, back, thread, padding}.
    fn back(&mut self, record: &[u8], fold: &mut Fold) {
        let (left_ns, woken_ns, back_ns) = (long(record, 0), long(record, 8), long(record, 16));
        let thread = tid(record, 24);
        let Some(left) = self.threads.remove(&thread) else {
            self.lost += 1;
            return;
        };
        self.bytes -= left.bytes();
        if left.left_ns != left_ns {
            self.lost += 1;
            return;
        }
        let weight = left.record[WEIGHT];
        let woken_ns = match weight {
            RUNNABLE => left_ns,
            _ if woken_ns == 0 => back_ns,
            _ => woken_ns.clamp(left_ns, back_ns.max(left_ns)),
        };
        let asleep = woken_ns - left_ns;
        let waiting = back_ns.saturating_sub(woken_ns);
        let (told_asleep, told_beyond) = (left.told_ns.min(asleep), left.told_ns.saturating_sub(asleep));
        if asleep > 0 {
            left.tell(weight, asleep - told_asleep, 1, fold);
        }
        if waiting > 0 {
            left.tell(RUNNABLE, waiting.saturating_sub(told_beyond), 1, fold);
        }
    }
}

impl Left {
    fn bytes(&self) -> usize {
        self.record.len() + self.waker.as_ref().map_or(0, |waker| waker.len())
    }

    /// Adds `ns` of `weight`, and so many waits that are over. Who ended one has no part in the wait for a CPU after it.
    fn tell(&self, weight: u8, ns: u64, times: u32, fold: &mut Fold) {
        let mut record = self.record.clone();
        record[VALUE..VALUE + 8].copy_from_slice(&ns.to_ne_bytes());
        record[WEIGHT] = weight;
        let waker = self.waker.as_deref().filter(|_| times > 0 && weight != RUNNABLE);
        fold.add_woken(&record, times, waker);
    }
}

fn long(record: &[u8], at: usize) -> u64 {
    record.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_ne_bytes(*b))
}

fn tid(record: &[u8], at: usize) -> u32 {
    record.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_ne_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Weight;
    use proptest::prelude::*;

    fn sample(tid: u32, weight: u8, at_ns: u64) -> Vec<u8> {
        let mut bytes = vec![0; 56 + 8];
        bytes[VALUE..VALUE + 8].copy_from_slice(&at_ns.to_ne_bytes());
        bytes[TID..TID + 4].copy_from_slice(&tid.to_ne_bytes());
        bytes[46] = 1;
        bytes[WEIGHT] = weight;
        bytes
    }

    fn back(tid: u32, left_ns: u64, woken_ns: u64, back_ns: u64) -> Vec<u8> {
        let mut bytes: Vec<u8> = [left_ns, woken_ns, back_ns].iter().flat_map(|n| n.to_ne_bytes()).collect();
        bytes.extend(tid.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes
    }

    fn told(fold: &mut Fold) -> Vec<(Weight, u64, u32)> {
        let mut counts: Vec<_> = fold.take().iter().map(|f| &f.count).map(|c| (c.weight, c.value, c.count)).collect();
        counts.sort();
        counts
    }

    #[test]
    fn time_is_asleep_until_woken_and_runnable_from_then_on() {
        let (mut away, mut fold) = (Away::default(), Fold::default());
        for (weight, woken) in [(1, 700), (2, 0), (3, 0)] {
            away.add(&sample(7, weight, 100), &mut fold);
            away.add(&back(7, 100, woken, 1000), &mut fold);
        }
        assert_eq!(told(&mut fold), [(Weight::Sleeping, 600, 1), (Weight::Blocked, 900, 1), (Weight::Runnable, 1200, 2)]);
        assert_eq!((away.lost(), away.bytes), (0, 0));
    }

    #[test]
    fn who_is_still_away_is_told_bit_by_bit() {
        let (mut away, mut fold) = (Away::default(), Fold::default());
        away.add(&sample(7, 1, 100), &mut fold);
        away.tell(300, &mut fold);
        assert_eq!(told(&mut fold), [(Weight::Sleeping, 200, 0)]);
        away.tell(500, &mut fold);
        assert_eq!(told(&mut fold), [(Weight::Sleeping, 200, 0)]);
        away.add(&back(7, 100, 450, 1100), &mut fold);
        let rest = [(Weight::Sleeping, 0, 1), (Weight::Runnable, 600, 1)];
        assert_eq!(told(&mut fold), rest, "50 ns after it was woken were told as sleep already");
    }

    #[test]
    fn who_ended_a_wait_is_known_of_that_wait_alone() {
        let (mut away, mut fold) = (Away::default(), Fold::default());
        let waker = |woken: u32, left_ns| {
            let mut bytes = sample(9, WAKER, left_ns);
            bytes[WOKEN..WOKEN + 4].copy_from_slice(&woken.to_ne_bytes());
            bytes
        };
        away.add(&waker(7, 100), &mut fold);
        away.add(&sample(7, 1, 100), &mut fold);
        away.add(&waker(7, 50), &mut fold);
        away.add(&waker(8, 100), &mut fold);
        away.tell(300, &mut fold);
        away.add(&back(7, 100, 450, 1100), &mut fold);
        assert!(fold.take().into_iter().all(|folded| folded.count.waker.is_none()), "of another wait, or another thread");
        away.add(&sample(7, 1, 2000), &mut fold);
        away.add(&waker(7, 2000), &mut fold);
        away.add(&back(7, 2000, 2400, 2500), &mut fold);
        let mut told: Vec<_> = fold.take().into_iter().map(|f| (f.count.weight, f.count.value, f.count.waker.map(|w| w.tid))).collect();
        told.sort();
        assert_eq!(told, [(Weight::Sleeping, 400, Some(9)), (Weight::Runnable, 100, None)]);
        assert_eq!((away.lost(), away.bytes), (0, 0));
    }

    #[test]
    fn halves_without_the_other_are_lost() {
        let (mut away, mut fold) = (Away::default(), Fold::default());
        away.add(&back(7, 100, 0, 1000), &mut fold);
        away.add(&sample(8, 1, 100), &mut fold);
        away.add(&sample(8, 1, 200), &mut fold);
        away.add(&back(8, 100, 0, 1000), &mut fold);
        assert_eq!((told(&mut fold).len(), away.lost(), away.bytes), (0, 3, 0));
    }

    #[test]
    fn who_came_back_without_a_word_is_dropped_when_the_kernel_denies_it_twice() {
        let (mut away, mut fold) = (Away::default(), Fold::default());
        for tid in [7, 8, 9] {
            away.add(&sample(tid, 1, 100), &mut fold);
        }
        // 7 is away; 8 came back and its record was lost; that of 9 is on its way.
        let in_kernel = |tid| (tid == 7).then_some(100);
        assert!(away.check(in_kernel));
        assert_eq!((away.threads.len(), away.lost()), (3, 0));
        away.add(&back(9, 100, 0, 400), &mut fold);
        away.add(&sample(9, 1, 500), &mut fold);
        assert!(!away.check(|tid| if tid == 9 { Some(500) } else { in_kernel(tid) }));
        fold.take();
        away.tell(1000, &mut fold);
        assert_eq!(told(&mut fold), [(Weight::Sleeping, 500, 0), (Weight::Sleeping, 900, 0)]);
        assert_eq!((away.lost(), away.bytes), (1, 2 * 64));
    }

    #[test]
    fn threads_that_stay_away_cost_bounded_memory() {
        let (mut away, mut fold) = (Away::default(), Fold::default());
        for tid in 0..100_000 {
            away.add(&sample(tid, 1, 100), &mut fold);
        }
        let held: usize = away.threads.values().map(|left| left.record.len()).sum();
        assert!(held <= BYTES_MAX && away.lost() > 0, "{held}");
        assert_eq!(away.threads.len() as u64 + away.lost(), 100_000);
    }

    proptest! {
        #[test]
        fn any_records_are_taken(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..20), now in any::<u64>()) {
            let (mut away, mut fold) = (Away::default(), Fold::default());
            for record in &records {
                away.add(record, &mut fold);
                away.tell(now, &mut fold);
            }
            let held: usize = away.threads.values().map(Left::bytes).sum();
            prop_assert_eq!(held, away.bytes);
        }
    }
}
