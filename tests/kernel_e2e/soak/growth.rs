//! What a process holds, over time.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use libbpf_rs::query::MapInfoIter;

use crate::lifecycle::rss_kib;
use crate::objects;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(5);
/// In these first minutes buffers find their size, and what is known of processes that ended fills: it is kept for ten minutes.
const WARM_UP: Duration = Duration::from_secs(660);

/// The sizes of one process.
pub struct Growth {
    name: &'static str,
    pid: u32,
    began: Instant,
    looks: Vec<(Instant, Sizes)>,
}

/// One size for each of [`WHAT`].
type Sizes = [u64; 6];

/// What a size may become.
enum Bound {
    /// No more than in the first minutes, but for a tenth and so many: buffers that a storm larger than all before brought to a new size,
    /// processes that live just now. While caches still fill, as many more as the second number.
    Settles(u64, u64),
    /// A cache that fills up to so many, however long it takes.
    Fills(u64),
}

/// Mappings of processes may take 64 MiB, names of their functions 16. A program and its debug file stay open for those names, of 256
/// programs at most. Unwind tables lie in 64 MiB of maps of 256 KiB, each with a descriptor.
const WHAT: [(&str, Bound); 6] = [
    ("KiB resident", Bound::Settles(4096, 80 << 10)),
    ("map entries", Bound::Settles(1000, 0)),
    ("threads", Bound::Settles(2, 0)),
    ("files", Bound::Fills(2 * 256 + 16)),
    ("chunks of unwind tables", Bound::Fills(256)),
    ("other descriptors", Bound::Settles(2, 0)),
];

impl Growth {
    pub fn of(name: &'static str, pid: u32) -> Growth {
        Growth { name, pid, began: Instant::now(), looks: Vec::new() }
    }

    /// Looks, unless it was just now.
    pub fn look(&mut self) {
        if self.looks.last().is_some_and(|(at, _)| at.elapsed() < PAUSE) {
            return;
        }
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid)).unwrap().count() as u64;
        let [files, chunks, others] = descriptors(self.pid);
        let sizes = [rss_kib(self.pid), objects::map_entries(self.pid) as u64, threads, files, chunks, others];
        if self.looks.len().is_multiple_of(6) {
            println!("{:4} s {}: {}", self.began.elapsed().as_secs(), self.name, in_words(&sizes));
        }
        self.looks.push((Instant::now(), sizes));
    }

    /// The middle of what it held in the last third is no more than the most in the first minutes, and caches keep to their bounds.
    pub fn assert_over(&self) {
        let whole = self.looks.last().unwrap().0 - self.began;
        let (early, late) = (WARM_UP.min(whole / 3), whole * 2 / 3);
        let of = |i: usize, wanted: &dyn Fn(Duration) -> bool| -> Vec<u64> {
            let mut sizes: Vec<u64> = self.looks.iter().filter(|(at, _)| wanted(*at - self.began)).map(|(_, sizes)| sizes[i]).collect();
            sizes.sort_unstable();
            sizes
        };
        for (i, (what, bound)) in WHAT.iter().enumerate() {
            let (first, last) = (of(i, &|at| at <= early), of(i, &|at| at >= late));
            let (most, middle) = (*first.last().unwrap(), last[last.len() / 2]);
            let bound = match bound {
                Bound::Settles(slack, filling) => most + most / 10 + slack + if late < WARM_UP { *filling } else { 0 },
                Bound::Fills(bound) => *bound,
            };
            println!("{}: at most {most} {what} at first, {middle} in the last third, {bound} allowed", self.name);
            assert!(middle <= bound, "{}: {what} grew from {most} to {middle}, of {bound} allowed: {:?}", self.name, self.looks);
        }
    }
}

/// Open files, maps with chunks of unwind tables, and all other descriptors.
fn descriptors(pid: u32) -> [u64; 3] {
    let chunks: BTreeSet<u32> = MapInfoIter::default().filter(|map| map.name == "unwind_chunk").map(|map| map.id).collect();
    let mut counts = [0; 3];
    for fd in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let is_file = fs::read_link(fd.path()).is_ok_and(|to| to.is_absolute());
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", fd.file_name().display())).unwrap_or_default();
        let map = info.lines().find_map(|line| line.strip_prefix("map_id:")?.trim().parse().ok());
        let kind = if is_file { 0 } else { 2 - usize::from(map.is_some_and(|id: u32| chunks.contains(&id))) };
        counts[kind] += 1;
    }
    counts
}

fn in_words(sizes: &Sizes) -> String {
    sizes.iter().zip(WHAT).map(|(size, (what, _))| format!("{size} {what}")).collect::<Vec<_>>().join(", ")
}
