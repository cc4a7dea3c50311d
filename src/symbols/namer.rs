//! Names user addresses of one process at a time, with what it learnt from earlier ones.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::time::Instant;

use rustc_hash::FxHashMap;
use rustix::fs::MemfdFlags;

use super::elf::{ElfFiles, Place};
use super::opened::{KEPT, OpenFiles, Opened};
use super::process::{Backing, FileId, Mapping, Process};
use super::space::{Depth, EXITED, Space};
use super::{Frame, FrameKind, debug_file};
use crate::readers::Devices;
use crate::sample::ProcKey;

/// Bytes of frames remembered by file and offset.
const FRAMES_BYTES_MAX: usize = 16 << 20;
/// Bytes of mappings and perf maps remembered, over all processes, so that the last stacks of a process are named after it exited.
const SPACES_BYTES_MAX: usize = 64 << 20;
/// Of the processes remembered, how many keep their perf map, which may be large.
const PERF_MAPS_MAX: usize = 2;

/// What came of addresses.
#[derive(Default)]
pub(super) struct Named {
    /// Each with its frames.
    pub(super) frames: Vec<(u64, Vec<Frame>)>,
    /// Why some are nameless.
    pub(super) reason: Option<String>,
    /// A file system that holds their files is known not to answer.
    pub(super) silent: bool,
}

/// Everything that is known of processes and their files.
#[derive(Default)]
pub(super) struct Namer {
    code: Code,
    /// Newest last, each with when it was last seen alive.
    processes: VecDeque<(ProcKey, Space, Instant)>,
}

/// Names of code in files, whoever maps them.
#[derive(Default)]
pub(super) struct Code {
    devices: Devices,
    opened: OpenFiles,
    files: ElfFiles,
    frames: FxHashMap<(FileId, u64), Vec<Frame>>,
    frames_bytes: usize,
    vdso: Option<FileId>,
}

impl Namer {
    /// `devices` are shared with those that were left behind.
    pub(super) fn new(devices: Devices) -> Namer {
        Namer { code: Code { devices, ..Code::default() }, ..Namer::default() }
    }

    /// Learns where the addresses of a process lie while it lives.
    pub(super) fn keep(&mut self, key: ProcKey, addresses: &[u64]) {
        self.tidy(Instant::now());
        let known = self.forget(key);
        let now = Process::find(key).and_then(|process| {
            let (space, _) = Space::of(&process, addresses, known.as_ref().map(|(space, _)| space), &mut self.code, Depth::Files);
            space
        });
        if let Some((space, seen)) = now.map(|space| (space, Instant::now())).or(known) {
            self.remember(key, space, seen);
        }
    }

    /// Forgets processes that were not seen for long, and the files that only they needed.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.processes.retain(|(.., seen)| now.saturating_duration_since(*seen) < KEPT);
        let Code { opened, files, frames, frames_bytes, vdso, .. } = &mut self.code;
        opened.tidy(now);
        let is_kept = |id: FileId| Some(id) == *vdso || opened.keeps(id);
        files.retain(is_kept);
        frames.retain(|(id, _), _| is_kept(*id));
        *frames_bytes = frames.values().map(|frames| bytes_of(frames)).sum();
    }

    /// Names every address.
    pub(super) fn name(&mut self, key: ProcKey, addresses: &[u64]) -> Named {
        let known = self.forget(key);
        let (now, reason) = match Process::find(key) {
            Some(process) => Space::of(&process, addresses, known.as_ref().map(|(space, _)| space), &mut self.code, Depth::Names),
            None => (None, Some(EXITED.into())),
        };
        let silent = now.as_ref().is_some_and(|space| space.is_silent(addresses));
        let Some((space, seen)) = now.map(|space| (space, Instant::now())).or(known) else {
            return Named { frames: nameless(addresses), reason, silent: false };
        };
        let frames = addresses.iter().map(|&address| (address, self.frames(&space, address))).collect();
        self.remember(key, space, seen);
        Named { frames, reason, silent }
    }

    fn forget(&mut self, key: ProcKey) -> Option<(Space, Instant)> {
        let known = self.processes.iter().position(|(k, ..)| *k == key).and_then(|i| self.processes.remove(i));
        known.map(|(_, space, seen)| (space, seen))
    }

    fn remember(&mut self, key: ProcKey, space: Space, seen: Instant) {
        self.processes.push_back((key, space, seen));
        for (_, space, _) in self.processes.iter_mut().rev().filter(|(_, space, _)| space.perf_map.is_some()).skip(PERF_MAPS_MAX) {
            space.perf_map = None;
        }
        let mut kept: usize = self.processes.iter().map(|(_, space, _)| space.bytes()).sum();
        while kept > SPACES_BYTES_MAX && self.processes.len() > 1 {
            kept -= self.processes.pop_front().map_or(0, |(_, oldest, _)| oldest.bytes());
        }
    }

    fn frames(&mut self, space: &Space, address: u64) -> Vec<Frame> {
        let Some(mapped) = space.find(address) else { return vec![unknown(address)] };
        let mapping = &mapped.mapping;
        let file = match mapping.backing {
            Backing::Anonymous => return vec![space.jit(mapping, address)],
            Backing::Vdso => self.code.vdso(mapping),
            Backing::File => mapped.file,
        };
        self.code.frames(file, mapping.file_offset(address), &mapping.module())
    }
}

impl Code {
    /// Opens the file of a mapping, and keeps it open. Fails with `TimedOut` where its file system is known not to answer.
    pub(super) fn open(&mut self, process: &Process, mapping: &Mapping) -> io::Result<FileId> {
        let (file, id) = process.open(mapping, &self.devices)?;
        self.opened.keep(id, file, |program| debug_file::find(process, mapping, program));
        Ok(id)
    }

    fn frames(&mut self, file: Option<FileId>, offset: u64, module: &str) -> Vec<Frame> {
        let Some(file) = file else { return vec![native(None, module, offset)] };
        if let Some(frames) = self.frames.get(&(file, offset)) {
            return frames.clone();
        }
        if !self.files.holds(file) {
            let Some(opened) = self.opened.get(file) else { return vec![native(None, module, offset)] };
            self.files.hold(file, opened);
        }
        let places = self.files.places(file, offset);
        let frames = match places.is_empty() {
            true => vec![native(None, module, offset)],
            false => places.into_iter().map(|place| native(Some(place), module, offset)).collect(),
        };
        self.frames_bytes += bytes_of(&frames);
        if self.frames_bytes > FRAMES_BYTES_MAX {
            self.frames.clear();
            self.frames_bytes = bytes_of(&frames);
        }
        self.frames.insert((file, offset), frames.clone());
        frames
    }

    /// Every 64-bit process has the same vDSO: ours is read once, into memory that looks like a file.
    fn vdso(&mut self, theirs: &Mapping) -> Option<FileId> {
        let (bytes, file) = (theirs.end - theirs.start, self.vdso);
        if let Some(id) = file.filter(|&id| self.files.holds(id)) {
            return (id.bytes == bytes).then_some(id);
        }
        let (file, id) = copy_vdso()?;
        self.files.hold(id, Opened { program: file, debug: None });
        self.vdso = Some(id);
        (id.bytes == bytes).then_some(id)
    }
}

/// Memory that remembered frames take, with their place in the table.
fn bytes_of(frames: &[Frame]) -> usize {
    let texts =
        |f: &Frame| f.function.as_ref().map_or(0, String::len) + f.module.len() + f.source.as_ref().map_or(0, |(file, _)| file.len());
    let entry = size_of::<((FileId, u64), Vec<Frame>)>();
    entry + frames.iter().map(|f| size_of::<Frame>() + texts(f)).sum::<usize>()
}

fn native(place: Option<Place>, module: &str, offset: u64) -> Frame {
    let (function, source) = place.map_or((None, None), |p| (Some(p.function), p.source));
    Frame { function, module: module.into(), offset, kind: FrameKind::Native, source }
}

fn unknown(address: u64) -> Frame {
    Frame { function: None, module: "[unknown]".into(), offset: address, kind: FrameKind::Native, source: None }
}

/// Frames where nothing is known.
pub(super) fn nameless(addresses: &[u64]) -> Vec<(u64, Vec<Frame>)> {
    addresses.iter().map(|&address| (address, vec![unknown(address)])).collect()
}

pub(crate) fn copy_vdso() -> Option<(File, FileId)> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let range = maps.lines().find(|l| l.ends_with("[vdso]"))?.split(' ').next()?;
    let (start, end) = range.split_once('-')?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    let mut bytes = vec![0; usize::try_from(end - start).ok()?];
    File::open("/proc/self/mem").ok()?.read_exact_at(&mut bytes, start).ok()?;
    let mut file = File::from(rustix::fs::memfd_create("vdso", MemfdFlags::CLOEXEC).ok()?);
    file.write_all(&bytes).ok()?;
    let id = FileId::of(&file.metadata().ok()?);
    Some((file, id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::tick_ns;

    fn this_process() -> ProcKey {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let ticks: u64 = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap();
        ProcKey { pid: std::process::id(), start_ns: ticks * tick_ns() }
    }

    #[test]
    fn what_was_not_needed_for_long_is_let_go() {
        let mut namer = Namer::default();
        let address = what_was_not_needed_for_long_is_let_go as fn() as usize as u64;
        let Named { frames, reason, .. } = namer.name(this_process(), &[address]);
        assert!(frames[0].1[0].function.as_deref().is_some_and(|f| f.ends_with("is_let_go")), "{frames:?} {reason:?}");
        namer.tidy(Instant::now());
        assert!(namer.processes.len() == 1 && namer.code.frames.len() == 1 && namer.code.frames_bytes > size_of::<Frame>());
        namer.tidy(Instant::now() + KEPT);
        assert!(namer.processes.is_empty() && namer.code.frames.is_empty() && namer.code.frames_bytes == 0);
    }

    #[test]
    fn frames_are_bounded_in_bytes() {
        let mut namer = Namer::default();
        let key = this_process();
        let start = frames_are_bounded_in_bytes as fn() as usize as u64;
        namer.name(key, &[start]);
        namer.code.frames_bytes = FRAMES_BYTES_MAX;
        namer.name(key, &[start + 1]);
        assert!(namer.code.frames.len() == 1 && namer.code.frames_bytes < FRAMES_BYTES_MAX);
    }
}
