//! The files of one control group in one hierarchy.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::hierarchies::{Controller, Hierarchy};
use super::parse;
use crate::sample::{Cgroup, printable};

/// No file is read further. A list of 100,000 processes fits.
const FILE_BYTES: usize = 1 << 20;
/// Bytes of the first read; nearly every file is shorter.
const FIRST_READ: usize = 8192;

/// Reads files, and counts those that it may not read.
#[derive(Default)]
pub(super) struct Files {
    buffer: Vec<u8>,
    /// Refused or broken.
    refused: u32,
    /// The first of them.
    first: Option<String>,
}

impl Files {
    /// All of a file in a directory. `None` where it is not there (the controller is off, the kernel is old, the group is gone), or it
    /// has no text; and where it is refused, which is counted.
    fn text(&mut self, dir: &OwnedFd, name: &str) -> Option<&str> {
        let length = match read_all(dir, name, &mut self.buffer) {
            Ok(length) => length,
            Err(error) => {
                self.note(name, error);
                return None;
            }
        };
        std::str::from_utf8(&self.buffer[..length]).ok()
    }

    /// Counts what could not be read, unless that is in the nature of things.
    pub(super) fn note(&mut self, name: &str, error: Errno) {
        if !matches!(error, Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP | Errno::NOTDIR) {
            self.refused = self.refused.saturating_add(1);
            self.first.get_or_insert_with(|| format!("{}: {}", printable(name.as_bytes()), describe(error)));
        }
    }

    /// What was refused, in one line.
    pub(super) fn trouble(self) -> Option<String> {
        let first = self.first?;
        Some(match self.refused {
            1 => format!("one file could not be read: {first}"),
            more => format!("{more} files could not be read, the first of them {first}"),
        })
    }
}

fn describe(error: Errno) -> String {
    let error = std::io::Error::from(error).to_string();
    error.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Reads until the end: a list of processes comes page by page.
fn read_all(dir: impl AsFd, name: &str, buffer: &mut Vec<u8>) -> Result<usize, Errno> {
    let file = rustix::fs::openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?;
    let mut length = 0;
    loop {
        if buffer.len() - length < FIRST_READ / 2 {
            buffer.resize((buffer.len() * 2).max(FIRST_READ), 0);
        }
        let read = rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut buffer[length..]))?;
        length += read;
        if read == 0 || length >= FILE_BYTES {
            return Ok(length);
        }
    }
}

/// Adds what one hierarchy tells of a group; what another one told already stays. `memory`: tell of the kinds of memory, too.
pub(super) fn read(dir: &OwnedFd, files: &mut Files, hierarchy: &Hierarchy, memory: bool, group: &mut Cgroup) {
    if !group.holds_all
        && let Some(pids) = files.text(dir, "cgroup.procs").map(parse::pids)
    {
        join(&mut group.pids, pids);
    }
    match hierarchy.is_default {
        true => {
            read_cpu(dir, files, group);
            read_v2(dir, files, memory, group);
        }
        false => hierarchy.controllers.iter().for_each(|controller| read_v1(dir, files, *controller, memory, group)),
    }
}

/// `cpu.stat`, which both versions have.
fn read_cpu(dir: &OwnedFd, files: &mut Files, group: &mut Cgroup) {
    if let Some(stat) = files.text(dir, "cpu.stat") {
        let keyed = |name| parse::keyed(stat, name);
        let micros = |name| keyed(name).map(|us| us.saturating_mul(1000));
        fill(&mut group.cpu_ns, || micros("usage_usec"));
        fill(&mut group.periods, || keyed("nr_periods"));
        fill(&mut group.throttled_periods, || keyed("nr_throttled"));
        fill(&mut group.throttled_ns, || micros("throttled_usec").or_else(|| keyed("throttled_time")));
    }
}

fn read_v2(dir: &OwnedFd, files: &mut Files, memory: bool, group: &mut Cgroup) {
    fill(&mut group.cpu_max_milli, || files.text(dir, "cpu.max").and_then(parse::cpu_max));
    fill(&mut group.memory_bytes, || files.text(dir, "memory.current").and_then(parse::number));
    fill(&mut group.memory_max_bytes, || files.text(dir, "memory.max").and_then(parse::limit));
    if memory && let Some(stat) = files.text(dir, "memory.stat") {
        fill(&mut group.anon_bytes, || parse::keyed(stat, "anon"));
        fill(&mut group.file_bytes, || parse::keyed(stat, "file"));
    }
    for (pressure, name) in group.pressure.iter_mut().zip(["cpu.pressure", "memory.pressure", "io.pressure"]) {
        fill(pressure, || files.text(dir, name).and_then(parse::pressure));
    }
    if let Some((read, written)) = files.text(dir, "io.stat").map(parse::io_stat) {
        fill(&mut group.device_read_bytes, || Some(read));
        fill(&mut group.device_write_bytes, || Some(written));
    }
}

/// The files of one controller of version 1.
fn read_v1(dir: &OwnedFd, files: &mut Files, controller: Controller, memory: bool, group: &mut Cgroup) {
    match controller {
        Controller::Cpu => {
            read_cpu(dir, files, group);
            // Without a limit the quota is -1.
            if let Some(quota) = files.text(dir, "cpu.cfs_quota_us").and_then(parse::number) {
                let period = files.text(dir, "cpu.cfs_period_us").and_then(parse::number);
                fill(&mut group.cpu_max_milli, || parse::milli_cpus(quota, period?));
            }
        }
        Controller::CpuAcct => fill(&mut group.cpu_ns, || files.text(dir, "cpuacct.usage").and_then(parse::number)),
        Controller::Memory => {
            fill(&mut group.memory_bytes, || files.text(dir, "memory.usage_in_bytes").and_then(parse::number));
            fill(&mut group.memory_max_bytes, || files.text(dir, "memory.limit_in_bytes").and_then(parse::limit));
            if memory && let Some(stat) = files.text(dir, "memory.stat") {
                fill(&mut group.anon_bytes, || parse::keyed(stat, "total_rss"));
                fill(&mut group.file_bytes, || parse::keyed(stat, "total_cache"));
            }
        }
        Controller::BlkIo => {
            if let Some((read, written)) = files.text(dir, "blkio.throttle.io_service_bytes_recursive").map(parse::blkio) {
                fill(&mut group.device_read_bytes, || Some(read));
                fill(&mut group.device_write_bytes, || Some(written));
            }
        }
    }
}

fn fill<T>(known: &mut Option<T>, read: impl FnOnce() -> Option<T>) {
    if known.is_none() {
        *known = read();
    }
}

/// A process may be in groups of one path in several hierarchies.
fn join(known: &mut Option<Vec<u32>>, more: Vec<u32>) {
    match known {
        None => *known = Some(more),
        Some(pids) if *pids != more => {
            pids.extend(more);
            pids.sort_unstable();
            pids.dedup();
        }
        Some(_) => {}
    }
}

/// Names of the directories in a directory, in order, at most so many.
pub(super) fn directories(dir: &OwnedFd, most: usize) -> Result<Vec<Vec<u8>>, Errno> {
    let mut buffer = Vec::with_capacity(8 << 10);
    let mut entries = RawDir::new(dir, buffer.spare_capacity_mut());
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        let is_directory = entry.file_type() == rustix::fs::FileType::Directory;
        if is_directory && !matches!(name, b"." | b"..") {
            names.push(name.to_vec());
            if names.len() == most {
                break;
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}
