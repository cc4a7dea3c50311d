//! All control groups of all hierarchies as one tree, level by level, within a number and a time.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustc_hash::FxHashMap;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::path::Arg;

use super::hierarchies::Hierarchy;
use super::node::{self, Files};
use crate::clock::{boottime_ns, thread_cpu_ns};
use crate::sample::{Cgroup, Cgroups, printable};

/// Groups read at most.
const GROUPS_MAX: usize = 4096;
/// Levels below the root.
const DEPTH_MAX: usize = 64;
/// The inode of the root directory of a whole hierarchy (`kernfs_create_root` gives the first number to it).
const REAL_ROOT: u64 = 1;

/// A directory to be looked at.
struct Place {
    hierarchy: usize,
    /// Index of the group it is in; `None` = it is a root.
    parent: Option<u32>,
    /// Path below the root, without a leading `/`.
    path: Vec<u8>,
    depth: usize,
}

struct Walk<'a> {
    hierarchies: &'a [Hierarchy],
    /// Their root directories, open.
    roots: Vec<Option<OwnedFd>>,
    /// Tell of the kinds of memory.
    memory: bool,
    files: Files,
    groups: Vec<Cgroup>,
    /// Index of each group by its path.
    known: FxHashMap<Vec<u8>, u32>,
    queue: VecDeque<Place>,
    left_out: u32,
}

/// Reads all groups within so much CPU time. Those nearer to the root come first, so that what there is no time for is deep down.
pub(super) fn walk(hierarchies: &[Hierarchy], memory: bool, budget: Duration) -> Cgroups {
    let mut walk = Walk {
        hierarchies,
        roots: Vec::new(),
        memory,
        files: Files::default(),
        groups: Vec::new(),
        known: FxHashMap::default(),
        queue: VecDeque::new(),
        left_out: 0,
    };
    for (index, hierarchy) in hierarchies.iter().enumerate() {
        let root = open(rustix::fs::CWD, hierarchy.root.as_path());
        if let Err(error) = &root {
            walk.files.note(&hierarchy.root.to_string_lossy(), *error);
        }
        walk.roots.push(root.ok());
        walk.queue.push_back(Place { hierarchy: index, parent: None, path: Vec::new(), depth: 0 });
    }
    let at_ns = boottime_ns();
    let end_ns = thread_cpu_ns().saturating_add(budget.as_nanos() as u64);
    while let Some(place) = walk.queue.pop_front() {
        if thread_cpu_ns() >= end_ns {
            walk.left_out += 1 + walk.queue.len() as u32;
            break;
        }
        walk.look(place);
    }
    Cgroups { at_ns, list: walk.groups, left_out: walk.left_out, trouble: walk.files.trouble() }
}

impl Walk<'_> {
    fn look(&mut self, place: Place) {
        let Some(root) = &self.roots[place.hierarchy] else { return };
        let path: &[u8] = if place.path.is_empty() { b"." } else { &place.path };
        let dir = match open(root, path) {
            Ok(dir) => dir,
            Err(error) => return self.miss(path, error),
        };
        let Ok(facts) = rustix::fs::fstat(&dir) else { return };
        let Some(index) = self.group_of(&place) else {
            self.left_out += 1;
            return;
        };
        let hierarchy = &self.hierarchies[place.hierarchy];
        let group = &mut self.groups[index as usize];
        group.inode = group.inode.wrapping_add(facts.st_ino);
        group.holds_all |= place.parent.is_none() && facts.st_ino == REAL_ROOT;
        if hierarchy.is_default {
            group.id = facts.st_ino;
        }
        node::read(&dir, &mut self.files, hierarchy, self.memory, group);
        // Each directory below is one link more; a file system that does not count them says 1.
        if facts.st_nlink != 2 {
            self.queue_below(&place, index, &dir);
        }
    }

    /// Tells of a directory that could not be read. One that is gone by now is no trouble.
    fn miss(&mut self, path: &[u8], error: Errno) {
        if error != Errno::NOENT {
            self.left_out += 1;
            self.files.note(&String::from_utf8_lossy(path), error);
        }
    }

    /// The group of that path, made where no other hierarchy has it; `None` where there are too many.
    fn group_of(&mut self, place: &Place) -> Option<u32> {
        if let Some(&index) = self.known.get(&place.path) {
            return Some(index);
        }
        if self.groups.len() >= GROUPS_MAX {
            return None;
        }
        let index = self.groups.len() as u32;
        let path = format!("/{}", printable(&place.path));
        self.groups.push(Cgroup { path, key: key_of(&place.path), parent: place.parent, ..Cgroup::default() });
        self.known.insert(place.path.clone(), index);
        Some(index)
    }

    fn queue_below(&mut self, place: &Place, index: u32, dir: &OwnedFd) {
        if place.depth == DEPTH_MAX {
            self.left_out += 1;
            return;
        }
        let names = match node::directories(dir, GROUPS_MAX) {
            Ok(names) => names,
            Err(error) => return self.miss(&place.path, error),
        };
        for name in names {
            let mut path = place.path.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend(name);
            self.queue.push_back(Place { hierarchy: place.hierarchy, parent: Some(index), path, depth: place.depth + 1 });
        }
    }
}

fn open(dir: impl AsFd, path: impl Arg) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(dir, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())
}

/// A number for a path that stays the same (FNV-1a).
fn key_of(path: &[u8]) -> u64 {
    path.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
