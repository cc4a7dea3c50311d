//! Frames of addresses, as labels, taken from names once: where one changes, the tree is made anew.

use rustc_hash::FxHashMap;

use super::label::{Label, Labels};
use crate::sample::ProcKey;
use crate::symbols::{Frame, FrameKind};

/// Gives the names of addresses.
pub trait Naming {
    /// Changes whenever an address may have got a name.
    fn version(&self) -> u64;
    /// Frames of a user address, innermost first; `None` = not known yet, empty = never.
    fn user(&self, key: ProcKey, address: u64) -> Option<&[Frame]>;
    /// Frames of a kernel address, likewise.
    fn kernel(&self, address: u64) -> Option<&[Frame]>;
}

/// Frames of an address in the pool, outermost first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frames {
    start: u32,
    len: u32,
    /// Source line of the innermost.
    pub(super) source: Option<u32>,
    /// There is an answer.
    pub(super) named: bool,
}

/// What is known of addresses. A user address is that of a process; `None` stands for the kernel.
#[derive(Clone, Debug, Default)]
pub(super) struct FrameCache {
    pool: Vec<u32>,
    known: FxHashMap<(Option<ProcKey>, u64), Frames>,
}

impl FrameCache {
    /// Frames of an address from the cache, or from `names`.
    pub(super) fn frames(&mut self, key: Option<ProcKey>, address: u64, names: &impl Naming, labels: &mut Labels) -> Frames {
        let known = self.known.get(&(key, address)).copied();
        if let Some(frames) = known.filter(|frames| frames.named) {
            return frames;
        }
        let (answer, kind) = match key {
            Some(key) => (names.user(key, address), FrameKind::Native),
            None => (names.kernel(address), FrameKind::Kernel),
        };
        let frames = match (answer, known) {
            (None, Some(unnamed)) => return unnamed,
            (Some(frames), _) if !frames.is_empty() => self.keep(frames, labels),
            (answer, _) => {
                self.pool.push(labels.id(Label::address(address, kind)));
                Frames { start: self.pool.len() as u32 - 1, len: 1, source: None, named: answer.is_some() }
            }
        };
        self.known.insert((key, address), frames);
        frames
    }

    /// The labels of frames, outermost first, by position.
    pub(super) fn labels(&self, frames: Frames) -> &[u32] {
        &self.pool[frames.start as usize..][..frames.len as usize]
    }

    fn keep(&mut self, frames: &[Frame], labels: &mut Labels) -> Frames {
        let start = self.pool.len() as u32;
        self.pool.extend(frames.iter().rev().map(|frame| labels.id_of(frame)));
        let source = frames.first().and_then(|frame| labels.source_of(frame));
        Frames { start, len: frames.len() as u32, source, named: true }
    }
}
