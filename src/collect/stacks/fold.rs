//! Decodes sample records of `stacks.bpf.c` and counts equal ones.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::python;
use crate::sample::{Comm, ProcKey, StackCount, StackQuality, Waker, Weight};
use crate::unwind::{Miss, Sampled};

/// Bytes of a record before its frames.
const HEADER: usize = 56;
/// Bytes that may differ between equal stacks of one thread: its name, what the sample weighs, and how the walk ended.
const UNKEYED: usize = 28;
/// Most frames of one stack (`EB_DEPTH`).
const DEPTH: usize = 128;
/// In the first word of a Python frame (`EB_PY_ENTRY`).
const PYTHON_ENTRY: u64 = 1 << 63;
/// Bytes of distinct stacks held when nobody reads: hours of an ordinary machine.
const BYTES_MAX: usize = 4 << 20;
/// Processes whose walks are told of between two readings.
const SAMPLED_MAX: usize = 4096;
/// Bookkeeping of one entry, about: the map's slot and the allocation.
const ENTRY: usize = 64;

/// Samples since the last [`Fold::take`], equal ones together. The key is the record itself from the thread-group id on, and that of
/// who woke the thread behind it.
#[derive(Default)]
pub(in crate::collect) struct Fold {
    stacks: FxHashMap<Box<[u8]>, Seen>,
    bytes: usize,
    lost: u64,
    sampled: FxHashMap<ProcKey, Sampled>,
}

/// A stack as counted.
#[derive(Debug)]
pub(in crate::collect) struct Folded {
    pub(in crate::collect) count: StackCount,
    /// Its Python frames, not yet among the others; innermost first.
    pub(super) python: Vec<PythonFrame>,
}

/// A frame of a Python interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PythonFrame {
    /// Address of the code object.
    pub(super) code: u64,
    /// The interpreter's C function was called anew for it.
    pub(super) is_entry: bool,
    /// Where in the code it is, as the interpreter's version has it.
    pub(super) instruction: u64,
}

impl Folded {
    /// With native frames alone.
    pub(in crate::collect) fn native(self) -> StackCount {
        self.count
    }
}

struct Seen {
    count: u32,
    value: u64,
    comm: Comm,
    /// Of who woke it.
    waker: Comm,
    quality: StackQuality,
}

impl Fold {
    /// Counts one record. One that is malformed, or finds the fold full, is lost.
    pub(in crate::collect) fn add(&mut self, record: &[u8]) {
        self.add_woken(record, 1, None);
    }

    /// Adds the value of a record that stands for so many events (0 = for a part of one), and who ended them.
    pub(in crate::collect) fn add_woken(&mut self, record: &[u8], times: u32, waker: Option<&[u8]>) {
        let Some((comm, value, quality)) = check(record) else {
            self.lost += 1;
            return;
        };
        let (key, waker) = (&record[UNKEYED..], waker.filter(|waker| has_its_length(waker)));
        self.note(key, miss_of(record, quality));
        let Some(waker) = waker else { return self.count(key, Seen { count: times, value, comm, waker: Comm::default(), quality }) };
        self.note(&waker[UNKEYED..], miss_of(waker, quality_of(waker)));
        let both = [key, &waker[UNKEYED..]].concat();
        self.count(&both, Seen { count: times, value, comm, waker: comm_of(waker), quality });
    }

    fn count(&mut self, key: &[u8], new: Seen) {
        if let Some(seen) = self.stacks.get_mut(key) {
            seen.count = seen.count.saturating_add(new.count);
            seen.value = seen.value.saturating_add(new.value);
            return;
        }
        if self.bytes + key.len() + ENTRY > BYTES_MAX {
            self.lost += 1;
            return;
        }
        self.bytes += key.len() + ENTRY;
        self.stacks.insert(key.into(), new);
    }

    /// The processes of the records since the last call, and what their walks lacked; none of those without a user stack.
    pub(in crate::collect) fn take_sampled(&mut self) -> Vec<Sampled> {
        self.sampled.drain().map(|(_, sampled)| sampled).collect()
    }

    fn note(&mut self, key: &[u8], miss: Miss) {
        let [_, user, _] = frame_counts(key);
        if user == 0 || (self.sampled.len() >= SAMPLED_MAX) {
            return;
        }
        let key = key_of(key);
        let sampled = self.sampled.entry(key).or_insert(Sampled { key, ..Sampled::default() });
        sampled.samples = sampled.samples.saturating_add(1);
        sampled.miss = sampled.miss.max(miss);
    }

    /// Everything counted, and starts anew.
    pub(in crate::collect) fn take(&mut self) -> Vec<Folded> {
        self.bytes = 0;
        let counts = self.stacks.drain().map(|(key, seen)| unpack(&key, &seen)).collect();
        if self.stacks.capacity() > 4096 {
            self.stacks.shrink_to(1024);
        }
        counts
    }

    /// Samples this could not hold, since the start.
    pub(in crate::collect) fn lost(&self) -> u64 {
        self.lost
    }
}

/// Name, value and quality of a record whose length is what its counts say.
fn check(record: &[u8]) -> Option<(Comm, u64, StackQuality)> {
    if !has_its_length(record) {
        return None;
    }
    weight_of(record.get(UNKEYED..)?)?;
    Some((comm_of(record), u64::from_ne_bytes(*record[16..].first_chunk()?), quality_of(record)))
}

/// Whether a record is as long as its counts say.
fn has_its_length(record: &[u8]) -> bool {
    let Some(header) = record.get(UNKEYED..HEADER) else { return false };
    let counts @ [kernel, user, python] = frame_counts(header);
    kernel <= DEPTH && user <= DEPTH && python <= python::DEPTH && record.len() == HEADER + frame_bytes(counts)
}

fn comm_of(record: &[u8]) -> Comm {
    record.first_chunk().copied().map(Comm).unwrap_or_default()
}

fn quality_of(record: &[u8]) -> StackQuality {
    match record.get(24) {
        Some(0) => StackQuality::Complete,
        Some(2) => StackQuality::Deep,
        Some(3) => StackQuality::NoTable,
        Some(4) => StackQuality::Unreadable,
        Some(5) => StackQuality::Jit,
        _ => StackQuality::Cut,
    }
}

/// `enum eb_miss`, or that the walk ended early without one.
fn miss_of(record: &[u8], quality: StackQuality) -> Miss {
    match (record.get(25), quality) {
        (Some(1), _) => Miss::Process,
        (Some(2), _) => Miss::Mapping,
        (Some(3), _) => Miss::Table,
        (_, StackQuality::Complete | StackQuality::Deep | StackQuality::Jit) => Miss::Nothing,
        _ => Miss::Cut,
    }
}

/// `enum eb_weight`, of the keyed part of a header.
fn weight_of(key: &[u8]) -> Option<Weight> {
    Some(match key.get(20)? {
        0 => Weight::OnCpu,
        1 => Weight::Sleeping,
        2 => Weight::Blocked,
        3 => Weight::Runnable,
        4 => Weight::MinorFault,
        5 => Weight::MajorFault,
        6 => Weight::Alloc,
        7 => Weight::Sent,
        8 => Weight::Received,
        _ => return None,
    })
}

/// Kernel, user and Python frames, of the keyed part of a header: tgid (4), start (8), tid (4), counts (2 + 2), weight (1), count of
/// Python frames (1), of a waker whether it was an interrupt (1), padding (1), of a waker whom it woke (4).
fn frame_counts(key: &[u8]) -> [usize; 3] {
    let count = |at: usize| usize::from(u16::from_ne_bytes([key[at], key[at + 1]]));
    [count(16), count(18), usize::from(key[21])]
}

/// Bytes of the frames behind a header; a Python frame takes two words.
fn frame_bytes([kernel, user, python]: [usize; 3]) -> usize {
    8 * (kernel + user + 2 * python)
}

fn number(key: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([key[at], key[at + 1], key[at + 2], key[at + 3]])
}

fn long(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |b| u64::from_ne_bytes(*b))
}

/// Whose stack it is, of the keyed part of a header.
fn key_of(key: &[u8]) -> ProcKey {
    ProcKey { pid: number(key, 0), start_ns: long(&key[4..12]) }
}

/// Kernel, user and Python frames, and what comes behind them, of a keyed part.
fn parts(key: &[u8]) -> [&[u8]; 4] {
    let [kernel, user, python] = frame_counts(key);
    let (kernel, rest) = key[HEADER - UNKEYED..].split_at(8 * kernel);
    let (user, rest) = rest.split_at(8 * user);
    let (python, rest) = rest.split_at(16 * python);
    [kernel, user, python, rest]
}

/// All but the innermost are return addresses, and those may already belong to the next function or line: the byte before is the call's.
fn addresses(bytes: &[u8]) -> Arc<[u64]> {
    bytes.chunks_exact(8).enumerate().map(|(i, b)| long(b).saturating_sub(u64::from(i > 0))).collect()
}

/// Who woke a thread, of the keyed part of its record.
fn waker_of(key: &[u8], comm: Comm) -> Waker {
    let [kernel, user, ..] = parts(key);
    let interrupt = key[22] != 0;
    Waker { key: key_of(key), tid: number(key, 12), comm, interrupt, kernel: addresses(kernel), user: addresses(user) }
}

fn unpack(key: &[u8], seen: &Seen) -> Folded {
    let [kernel, user, python, waker] = parts(key);
    let count = StackCount {
        key: key_of(key),
        tid: number(key, 12),
        comm: seen.comm,
        weight: weight_of(key).unwrap_or_default(),
        count: seen.count,
        value: seen.value,
        kernel: addresses(kernel),
        user: addresses(user),
        quality: seen.quality,
        waker: (!waker.is_empty()).then(|| Arc::new(waker_of(waker, seen.waker))),
    };
    let frame = |words: &[u8]| PythonFrame {
        code: long(words) & !PYTHON_ENTRY,
        is_entry: long(words) & PYTHON_ENTRY != 0,
        instruction: long(&words[8..]),
    };
    Folded { count, python: python.chunks_exact(16).map(frame).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(tid: u32, comm: &str, quality: u32, kernel: &[u64], user: &[u64]) -> Vec<u8> {
        let mut bytes = Comm::new(comm.as_bytes()).0.to_vec();
        bytes.extend(1u64.to_ne_bytes());
        bytes.extend(quality.to_ne_bytes());
        bytes.extend(7u32.to_ne_bytes());
        bytes.extend(1234u64.to_ne_bytes());
        bytes.extend(tid.to_ne_bytes());
        bytes.extend((kernel.len() as u16).to_ne_bytes());
        bytes.extend((user.len() as u16).to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(kernel.iter().chain(user).flat_map(|a| a.to_ne_bytes()));
        bytes
    }

    #[test]
    fn equal_stacks_of_a_thread_become_one() {
        let mut fold = Fold::default();
        fold.add(&record(8, "a", 0, &[u64::MAX], &[10, 20]));
        fold.add(&record(8, "renamed", 0, &[u64::MAX], &[10, 20]));
        fold.add(&record(9, "a", 1, &[u64::MAX], &[10, 20]));
        fold.add(&record(8, "a", 2, &[], &[10, 20]));
        let mut counts: Vec<_> = fold.take().into_iter().map(|f| f.count).collect();
        counts.sort_by_key(|c| (c.tid, c.kernel.len()));
        let seen: Vec<_> = counts.iter().map(|c| (c.tid, c.count, c.kernel.len(), &*c.user, c.quality)).collect();
        assert_eq!(
            seen,
            [
                (8, 1, 0, &[10, 19][..], StackQuality::Deep),
                (8, 2, 1, &[10, 19][..], StackQuality::Complete),
                (9, 1, 1, &[10, 19][..], StackQuality::Cut),
            ]
        );
        assert_eq!(counts[1].key, ProcKey { pid: 7, start_ns: 1234 });
        assert_eq!(counts[1].comm, Comm::new(b"a"));
        assert!(fold.take().is_empty());
        assert_eq!(fold.lost(), 0);
    }

    #[test]
    fn python_frames_are_kept_apart() {
        let mut bytes = record(8, "a", 0, &[u64::MAX], &[10, 20, 1 << 63 | 0x7f00, 4, 0x7f10, 6]);
        bytes[46..48].copy_from_slice(&2u16.to_ne_bytes());
        bytes[49] = 2;
        let mut fold = Fold::default();
        fold.add(&bytes);
        let [folded] = &fold.take()[..] else { panic!("one stack") };
        assert_eq!((folded.count.kernel.len(), &*folded.count.user), (1, &[10, 19][..]));
        let frame = |code, is_entry, instruction| PythonFrame { code, is_entry, instruction };
        assert_eq!(folded.python, [frame(0x7f00, true, 4), frame(0x7f10, false, 6)]);
        bytes[49] = 1;
        fold.add(&bytes);
        assert_eq!(fold.lost(), 1);
    }

    #[test]
    fn equal_waits_are_told_apart_by_who_ended_them() {
        let wait = record(8, "a", 0, &[u64::MAX], &[10, 20]);
        let mut interrupt = record(0, "", 0, &[5], &[]);
        interrupt[50] = 1;
        let mut fold = Fold::default();
        for waker in [Some(record(9, "b", 3, &[7], &[30, 40])), Some(interrupt), None, Some(vec![1, 2, 3])] {
            fold.add_woken(&wait, 2, waker.as_deref());
        }
        let sampled = fold.take_sampled();
        assert!(sampled.len() == 1 && sampled[0].samples == 5 && sampled[0].miss == Miss::Cut, "{sampled:?}");
        let mut found: Vec<_> = fold.take().into_iter().map(|f| (f.count.waker, f.count.count, f.count.user.len())).collect();
        found.sort();
        let [none, (Some(first), ..), (Some(second), 2, 2)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(*none, (None, 4, 2), "a waker that cannot be read is none");
        assert!(first.interrupt && first.tid == 0 && *first.kernel == [5], "{first:?}");
        assert_eq!((second.tid, second.comm, &*second.user, second.interrupt), (9, Comm::new(b"b"), &[30, 39][..], false));
    }

    #[test]
    fn lengths_that_do_not_fit_are_lost() {
        let good = record(8, "a", 0, &[3], &[1, 2]);
        let mut fold = Fold::default();
        fold.add(&good[..good.len() - 8]);
        fold.add(&good[..HEADER - 1]);
        fold.add(&[]);
        let deep: Vec<u64> = (0..129).collect();
        fold.add(&record(8, "a", 0, &deep, &[]));
        assert_eq!((fold.take().len(), fold.lost()), (0, 4));
    }

    #[test]
    fn unread_folds_stay_bounded() {
        let mut fold = Fold::default();
        let frames: Vec<u64> = (0..100).collect();
        let samples = 20_000;
        for tid in 0..samples {
            fold.add(&record(tid, "a", 0, &[], &frames));
        }
        let held: usize = fold.stacks.keys().map(|k| k.len()).sum();
        assert!(held <= BYTES_MAX, "{held}");
        assert_eq!(fold.take().len() as u64 + fold.lost(), u64::from(samples));
        fold.add(&record(1, "a", 0, &[], &frames));
        assert_eq!(fold.take().len(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_counted_or_lost(bytes in prop::collection::vec(any::<u8>(), 0..2200), kernel in 0u16..130, user in 0u16..130, python: u8) {
            let mut bytes = bytes;
            if bytes.len() >= HEADER {
                bytes[44..46].copy_from_slice(&kernel.to_ne_bytes());
                bytes[46..48].copy_from_slice(&user.to_ne_bytes());
                bytes[49] = python;
                bytes[48] %= 9;
                bytes.resize(HEADER + 8 * (usize::from(kernel) + usize::from(user) + 2 * usize::from(python)), 7);
            }
            let mut fold = Fold::default();
            fold.add(&bytes);
            let counted: u64 = fold.take().iter().map(|f| u64::from(f.count.count)).sum();
            prop_assert_eq!(counted + fold.lost(), 1);
        }
    }
}
