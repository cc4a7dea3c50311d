//! Names of addresses in one address space, and which of them age.

use rustc_hash::FxHashMap;

use crate::symbols::{Frame, FrameKind};

/// Names kept of the kernel and of each process, counted in addresses; all processes together may have twice as many.
pub(super) const MAX_NAMES: usize = 32_768;
/// Names that fill their room this soon are those of the stacks in view: then no more are asked for, else all would be asked for forever.
const STALE_NS: u64 = 300_000_000_000;
/// After this long the name of code that was written at run time is in doubt: runtimes put other code there, or tell names late. So is it
/// that kernel code has none: the list of its modules and programs is not read anew for each of them.
const AGED_NS: u64 = 10_000_000_000;

/// What an answer told of an address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Its first name.
    First,
    /// Another name than before.
    Other,
    /// Nothing.
    None,
}

/// Names of addresses in one address space.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    frames: FxHashMap<u64, Box<[Frame]>>,
    /// Those in doubt some time after they were told, and when that was.
    aging: FxHashMap<u64, u64>,
    since_ns: u64,
}

impl Shelf {
    pub(super) fn new(since_ns: u64) -> Shelf {
        Shelf { since_ns, ..Shelf::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn frames(&self, address: u64) -> Option<&[Frame]> {
        self.frames.get(&address).map(|frames| &**frames)
    }

    /// Takes in what was told of an address. That it has no name any more is no news: the code went, and the samples are of it.
    pub(super) fn learn(&mut self, address: u64, frames: Vec<Frame>, now_ns: u64) -> News {
        let known = self.frames.get(&address);
        if known.is_some_and(|known| are_called_alike(known, &frames) || !is_named(&frames)) {
            self.aging.entry(address).and_modify(|at_ns| *at_ns = now_ns);
            return News::None;
        }
        let news = if known.is_some() { News::Other } else { News::First };
        match frames.iter().any(ages) {
            true => self.aging.insert(address, now_ns),
            false => self.aging.remove(&address),
        };
        self.frames.insert(address, frames.into());
        news
    }

    /// Whether the name is in doubt by now.
    pub(super) fn is_aged(&self, address: u64, now_ns: u64) -> bool {
        self.aging.get(&address).is_some_and(|told_ns| now_ns.saturating_sub(*told_ns) >= AGED_NS)
    }

    /// Whether there is a name that will be in doubt.
    pub(super) fn has_aging(&self) -> bool {
        !self.aging.is_empty()
    }

    /// Whether more may be asked for; old names make room.
    pub(super) fn has_room(&mut self, now_ns: u64) -> bool {
        if self.frames.len() < MAX_NAMES {
            return true;
        }
        let is_stale = now_ns.saturating_sub(self.since_ns) > STALE_NS;
        if is_stale {
            *self = Shelf::new(now_ns);
        }
        is_stale
    }
}

fn ages(frame: &Frame) -> bool {
    frame.kind == FrameKind::Jit || (frame.kind == FrameKind::Kernel && frame.function.is_none())
}

fn is_named(frames: &[Frame]) -> bool {
    frames.iter().any(|frame| frame.function.is_some())
}

/// Whether they are the same functions, wherever in them.
fn are_called_alike(a: &[Frame], b: &[Frame]) -> bool {
    let same = |(a, b): (&Frame, &Frame)| (&a.function, &a.module, a.kind) == (&b.function, &b.module, b.kind);
    a.len() == b.len() && a.iter().zip(b).all(same)
}
