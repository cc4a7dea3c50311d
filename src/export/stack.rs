//! Stacks with names, as exported.

use serde::Serialize;

use crate::sample::{Comm, ProcKey, StackCount, StackQuality};
use crate::symbols::{Frame, FrameKind};

/// Gives names to addresses.
pub trait NameStacks {
    /// The frames of each stack, outermost first: user code, then kernel code.
    fn name(&mut self, stacks: &[StackCount]) -> Vec<Vec<Frame>>;
}

/// Equal stacks of one thread within the tick, named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedStack {
    /// Whose.
    pub key: ProcKey,
    /// Which thread.
    pub tid: u32,
    /// The thread's name.
    pub comm: Comm,
    /// How often it was seen.
    pub samples: u32,
    /// Whether it is whole.
    pub quality: StackQuality,
    /// Outermost first.
    pub frames: Vec<Frame>,
}

impl NamedStack {
    /// Names stacks; the most frequent come first.
    pub fn all(stacks: &[StackCount], names: &mut dyn NameStacks) -> Vec<NamedStack> {
        let frames = names.name(stacks);
        let named = |(s, frames): (&StackCount, Vec<Frame>)| NamedStack {
            key: s.key,
            tid: s.tid,
            comm: s.comm,
            samples: s.count,
            quality: s.quality,
            frames,
        };
        let mut all: Vec<_> = stacks.iter().zip(frames).map(named).collect();
        all.sort_by_key(|s| std::cmp::Reverse(s.samples));
        all
    }

    /// `complete`, or what cut it: `deep`, `no-table`, `unreadable`, `jit`; `cut` where that is not known.
    pub fn quality_name(&self) -> &'static str {
        match self.quality {
            StackQuality::Complete => "complete",
            StackQuality::Cut => "cut",
            StackQuality::Deep => "deep",
            StackQuality::NoTable => "no-table",
            StackQuality::Unreadable => "unreadable",
            StackQuality::Jit => "jit",
        }
    }

    /// The frames as one text, outermost first, `;` between two.
    pub fn folded(&self) -> String {
        self.frames.iter().map(frame_name).collect::<Vec<_>>().join(";")
    }
}

/// Function, or module+offset where it has no name.
pub fn frame_name(frame: &Frame) -> String {
    frame.function.clone().unwrap_or_else(|| format!("{}+{:#x}", frame.module, frame.offset))
}

/// A frame in JSON.
#[derive(Serialize)]
pub(super) struct JsonFrame<'a> {
    name: String,
    module: &'a str,
    kind: &'static str,
}

impl<'a> From<&'a Frame> for JsonFrame<'a> {
    fn from(frame: &'a Frame) -> Self {
        let kind = match frame.kind {
            FrameKind::Kernel => "kernel",
            FrameKind::Native => "user",
            FrameKind::Jit => "jit",
            FrameKind::Python => "python",
        };
        JsonFrame { name: frame_name(frame), module: &frame.module, kind }
    }
}
