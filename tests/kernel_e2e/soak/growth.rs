//! What a process holds, over time.

use std::fs;
use std::time::{Duration, Instant};

use crate::lifecycle::rss_kib;
use crate::objects;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(5);
/// In these first minutes, or the first third where all is shorter, buffers find their size.
const WARM_UP: Duration = Duration::from_secs(180);

/// The sizes of one process.
pub struct Growth {
    name: &'static str,
    pid: u32,
    began: Instant,
    looks: Vec<(Instant, Sizes)>,
}

/// Resident KiB, entries of BPF hash maps, open files, threads.
type Sizes = [u64; 4];

const WHAT: [&str; 4] = ["KiB resident", "map entries", "open files", "threads"];
/// Growth that is none: buffers that a storm larger than all before brought to a new size, processes that live just now, and of the files
/// those of programs nobody met before, of which a bounded number stays open for names and unwind tables.
const SLACK: [u64; 4] = [4096, 1000, 64, 2];

impl Growth {
    pub fn of(name: &'static str, pid: u32) -> Growth {
        Growth { name, pid, began: Instant::now(), looks: Vec::new() }
    }

    /// Looks, unless it was just now.
    pub fn look(&mut self) {
        if self.looks.last().is_some_and(|(at, _)| at.elapsed() < PAUSE) {
            return;
        }
        let count = |what: &str| fs::read_dir(format!("/proc/{}/{what}", self.pid)).unwrap().count() as u64;
        let sizes = [rss_kib(self.pid), objects::map_entries(self.pid) as u64, count("fd"), count("task")];
        if self.looks.len().is_multiple_of(6) {
            println!("{:4} s {}: {}", self.began.elapsed().as_secs(), self.name, in_words(&sizes));
        }
        self.looks.push((Instant::now(), sizes));
    }

    /// The middle of what it held in the last third is no more than the most in the first minutes.
    pub fn assert_over(&self) {
        let whole = self.looks.last().unwrap().0 - self.began;
        let (early, late) = (WARM_UP.min(whole / 3), whole * 2 / 3);
        let of = |i: usize, wanted: &dyn Fn(Duration) -> bool| -> Vec<u64> {
            let mut sizes: Vec<u64> = self.looks.iter().filter(|(at, _)| wanted(*at - self.began)).map(|(_, sizes)| sizes[i]).collect();
            sizes.sort_unstable();
            sizes
        };
        for (i, what) in WHAT.iter().enumerate() {
            let (first, last) = (of(i, &|at| at <= early), of(i, &|at| at >= late));
            let (most, middle) = (*first.last().unwrap(), last[last.len() / 2]);
            println!("{}: at most {most} {what} at first, {middle} in the last third", self.name);
            assert!(middle <= most + most / 10 + SLACK[i], "{}: {what} grew from {most} to {middle}: {:?}", self.name, self.looks);
        }
    }
}

fn in_words(sizes: &Sizes) -> String {
    sizes.iter().zip(WHAT).map(|(size, what)| format!("{size} {what}")).collect::<Vec<_>>().join(", ")
}
