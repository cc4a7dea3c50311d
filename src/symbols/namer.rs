//! Answers one [`Request`] at a time, with what it learnt from earlier ones.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};
use rustix::fs::MemfdFlags;

use super::elf::{ElfFiles, Place};
use super::kernel::{self, Kernel};
use super::opened::{KEPT, OpenFiles, Opened};
use super::perf_map::{self, PerfMap, Version};
use super::process::{Backing, FileId, Mapping, Process};
use super::{Answer, Frame, FrameKind, Request, debug_file};
use crate::sample::ProcKey;

/// Bytes of frames remembered by file and offset.
const FRAMES_BYTES_MAX: usize = 16 << 20;
/// Bytes of mappings and perf maps remembered, over all processes, so that the last stacks of a process are named after it exited.
const SPACES_BYTES_MAX: usize = 64 << 20;
/// Of the processes remembered, how many keep their perf map, which may be large.
const PERF_MAPS_MAX: usize = 2;

const EXITED: &str = "the process has exited: only what was seen of it before can be named";

const ELSEWHERE: &str = "recorded on another machine, or before this one was booted: addresses cannot be named here";

/// Everything the symbol thread knows.
#[derive(Default)]
pub(super) struct Namer {
    kernel: Kernel,
    code: Code,
    /// Newest last, each with when it was last seen alive.
    processes: VecDeque<(ProcKey, Space, Instant)>,
}

/// Names of code in files, whoever maps them.
#[derive(Default)]
struct Code {
    opened: OpenFiles,
    files: ElfFiles,
    frames: FxHashMap<(FileId, u64), Vec<Frame>>,
    frames_bytes: usize,
    vdso: Option<FileId>,
}

/// What a look at a process is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// To name addresses now.
    Names,
    /// To be able to name them once it is gone. Perf maps are left alone: they may be large.
    Files,
}

/// An address space as last seen.
#[derive(Default)]
struct Space {
    mappings: Vec<Mapped>,
    perf_map: Option<(Version, Rc<PerfMap>)>,
}

struct Mapped {
    mapping: Mapping,
    /// `None` where nobody asked yet or the file could not be opened.
    file: Option<FileId>,
}

impl Namer {
    /// Learns where the addresses of a process lie while it lives.
    pub(super) fn keep(&mut self, request: &Request) {
        self.tidy(Instant::now());
        let known = self.forget(request.key);
        let now = Process::find(request.key).and_then(|process| {
            let (space, _) = Space::of(&process, &request.user, known.as_ref().map(|(space, _)| space), &mut self.code, Depth::Files);
            space
        });
        if let Some((space, seen)) = now.map(|space| (space, Instant::now())).or(known) {
            self.remember(request.key, space, seen);
        }
    }

    /// Forgets processes that were not seen for long, and the files that only they needed.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.processes.retain(|(.., seen)| now.saturating_duration_since(*seen) < KEPT);
        let Code { opened, files, frames, frames_bytes, vdso } = &mut self.code;
        opened.tidy(now);
        let is_kept = |id: FileId| Some(id) == *vdso || opened.keeps(id);
        files.retain(is_kept);
        frames.retain(|(id, _), _| is_kept(*id));
        *frames_bytes = frames.values().map(|frames| bytes_of(frames)).sum();
    }

    /// Names every address asked for.
    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        let mut answer = Answer { key: request.key, ..Answer::default() };
        if !request.user.is_empty() {
            (answer.user, answer.reason) = self.user(request.key, &request.user);
        }
        if !request.kernel.is_empty() {
            answer.kernel = request.kernel.iter().map(|&address| (address, vec![self.kernel.frame(address)])).collect();
            let reasons: Vec<_> = answer.reason.take().into_iter().chain(self.kernel.reason()).collect();
            answer.reason = (!reasons.is_empty()).then(|| reasons.join("; "));
        }
        answer
    }

    fn user(&mut self, key: ProcKey, addresses: &[u64]) -> (Vec<(u64, Vec<Frame>)>, Option<String>) {
        let known = self.forget(key);
        let (now, reason) = match Process::find(key) {
            Some(process) => Space::of(&process, addresses, known.as_ref().map(|(space, _)| space), &mut self.code, Depth::Names),
            None => (None, Some(EXITED.into())),
        };
        let Some((space, seen)) = now.map(|space| (space, Instant::now())).or(known) else {
            return (addresses.iter().map(|&a| (a, vec![unknown(a)])).collect(), reason);
        };
        let frames = addresses.iter().map(|&address| (address, self.frames(&space, address))).collect();
        self.remember(key, space, seen);
        (frames, reason)
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

impl Space {
    /// Memory it takes.
    fn bytes(&self) -> usize {
        let mappings = self.mappings.iter().map(|m| size_of::<Mapped>() + m.mapping.path.as_os_str().len()).sum::<usize>();
        mappings + self.perf_map.as_ref().map_or(0, |(_, map)| map.bytes())
    }

    /// Looks at a process; `None` if its pid may have changed hands meanwhile. The text says why names will be missing.
    fn of(process: &Process, addresses: &[u64], known: Option<&Space>, code: &mut Code, depth: Depth) -> (Option<Space>, Option<String>) {
        let mut space = Space { perf_map: known.and_then(|k| k.perf_map.clone()), ..Space::default() };
        let reason = space.look(process, addresses, code, depth);
        // The mappings of a zombie are gone before it is; those that cannot be read have a reason.
        if !process.is_alive() || (space.mappings.is_empty() && reason.is_none()) {
            return (None, Some(EXITED.into()));
        }
        space.inherit(known);
        (Some(space), reason)
    }

    /// Reads the mappings, and opens the files that hold `addresses`.
    fn look(&mut self, process: &Process, addresses: &[u64], code: &mut Code, depth: Depth) -> Option<String> {
        match process.mappings() {
            Ok(mappings) => self.mappings = mappings.into_iter().map(|mapping| Mapped { mapping, file: None }).collect(),
            Err(error) => return Some(format!("its memory map cannot be read: {error}; run as root")),
        }
        let mut reason = None;
        let asked: FxHashSet<usize> = addresses.iter().filter_map(|&a| self.index(a)).collect();
        for &i in &asked {
            let mapped = &mut self.mappings[i];
            if mapped.mapping.backing != Backing::File {
                continue;
            }
            match process.open(&mapped.mapping) {
                Ok((file, id)) => {
                    let mapping = &mapped.mapping;
                    code.opened.keep(id, file, |program| debug_file::find(process, mapping, program));
                    mapped.file = Some(id);
                }
                Err(error) => reason = Some(format!("{} cannot be read: {error}", mapped.mapping.module())),
            }
        }
        if depth == Depth::Names && asked.iter().any(|&i| self.mappings[i].mapping.backing == Backing::Anonymous) {
            reason = self.look_at_perf_map(process).or(reason);
        }
        reason
    }

    /// Takes over files of mappings that nobody asked about this time.
    fn inherit(&mut self, known: Option<&Space>) {
        let earlier = known.map_or(&[][..], |k| &k.mappings);
        for mapped in &mut self.mappings {
            mapped.mapping.slim();
            if mapped.file.is_none() {
                let same = earlier.binary_search_by_key(&mapped.mapping.start, |m| m.mapping.start);
                let same = same.ok().map(|i| &earlier[i]).filter(|m| m.mapping.is(&mapped.mapping));
                mapped.file = same.and_then(|m| m.file);
            }
        }
    }

    fn look_at_perf_map(&mut self, process: &Process) -> Option<String> {
        match perf_map::open(process) {
            Ok(Some((_, version))) if self.perf_map.as_ref().is_some_and(|(v, _)| *v == version) => None,
            Ok(Some((file, version))) => match perf_map::read(&file, version) {
                Ok(map) => {
                    self.perf_map = Some((version, Rc::new(map)));
                    None
                }
                Err(error) => Some(format!("its perf map cannot be read: {error}")),
            },
            Ok(None) => Some(perf_map::how_to_get(process.pid(), self.mappings.iter().map(|m| m.mapping.module()))),
            Err(reason) => Some(reason),
        }
    }

    fn index(&self, address: u64) -> Option<usize> {
        let i = self.mappings.partition_point(|m| m.mapping.end <= address);
        (self.mappings.get(i)?.mapping.start <= address).then_some(i)
    }

    fn find(&self, address: u64) -> Option<&Mapped> {
        self.mappings.get(self.index(address)?)
    }

    fn jit(&self, mapping: &Mapping, address: u64) -> Frame {
        let found = self.perf_map.as_ref().and_then(|(_, map)| map.find(address));
        let (function, start) = found.map_or((None, mapping.start), |(name, start)| (Some(name), start));
        Frame { function, module: mapping.module(), offset: address - start, kind: FrameKind::Jit, source: None }
    }
}

fn native(place: Option<Place>, module: &str, offset: u64) -> Frame {
    let (function, source) = place.map_or((None, None), |p| (Some(p.function), p.source));
    Frame { function, module: module.into(), offset, kind: FrameKind::Native, source }
}

fn unknown(address: u64) -> Frame {
    Frame { function: None, module: "[unknown]".into(), offset: address, kind: FrameKind::Native, source: None }
}

/// The answer where nothing can be named.
pub(super) fn nameless(request: &Request) -> Answer {
    let all = |addresses: &[u64], frame: fn(u64) -> Frame| addresses.iter().map(|&a| (a, vec![frame(a)])).collect();
    Answer {
        key: request.key,
        user: all(&request.user, unknown),
        kernel: all(&request.kernel, kernel::nameless),
        reason: Some(ELSEWHERE.into()),
    }
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
        let answer = namer.answer(&Request { key: this_process(), user: vec![address], ..Request::default() });
        assert!(answer.user[0].1[0].function.as_deref().is_some_and(|f| f.ends_with("is_let_go")), "{answer:?}");
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
        namer.answer(&Request { key, user: vec![start], ..Request::default() });
        namer.code.frames_bytes = FRAMES_BYTES_MAX;
        namer.answer(&Request { key, user: vec![start + 1], ..Request::default() });
        assert!(namer.code.frames.len() == 1 && namer.code.frames_bytes < FRAMES_BYTES_MAX);
    }
}
