//! A profile: named stacks of a span of time, ready to be written in any of the forms that other tools read.

use std::collections::BTreeMap;

use crate::model::stacks::{Measure, Naming, Stack, Unit, part_of, remark_on, remark_on_waker};
use crate::sample::{ProcKey, StackQuality, Weight, printable};
use crate::symbols::{Frame, FrameKind};

/// Stacks of a span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Whose, in words.
    pub title: String,
    /// What they add up.
    pub measure: Measure,
    /// Timed samples a second on each CPU; 0 where they are not timed.
    pub hz: u32,
    /// When the span began, Unix time, ms.
    pub began_unix_ms: u64,
    /// Its length.
    pub duration_ns: u64,
    /// Samples lost on the machine meanwhile.
    pub lost: u64,
    /// The stacks, in a fixed order.
    pub stacks: Vec<ProfileStack>,
}

/// A distinct stack of one thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileStack {
    /// Whose.
    pub key: ProcKey,
    /// Which thread.
    pub tid: u32,
    /// Name of the thread, fit for a terminal.
    pub thread: String,
    /// Name of the process, likewise.
    pub process: String,
    /// Container that it runs in, where it is in one and that is known.
    pub container: Option<String>,
    /// What it stands for.
    pub weight: Weight,
    /// Whether it is whole.
    pub quality: StackQuality,
    /// How often it was seen.
    pub count: u64,
    /// Sum in the unit of the measure.
    pub value: u64,
    /// Outermost first: user code, then kernel code. All text is as processes and files have it.
    pub frames: Vec<Frame>,
}

impl ProfileStack {
    /// Names the addresses of a stack. Who ended a wait follows its frames as one more, and then the frames of that.
    pub fn new(stack: &Stack, (count, value): (u64, u64), container: Option<String>, names: &impl Naming) -> ProfileStack {
        let mut frames = Vec::new();
        add_frames(&mut frames, stack.key, &stack.user, &stack.kernel, names);
        if let Some(waker) = stack.waker.as_deref() {
            let remark = Some(remark_on_waker(waker));
            frames.push(Frame { function: remark, module: String::new(), offset: 0, kind: FrameKind::Native, source: None });
            add_frames(&mut frames, waker.key, &waker.user, &waker.kernel, names);
        }
        ProfileStack {
            key: stack.key,
            tid: stack.tid,
            thread: stack.comm.to_string(),
            process: stack.process.to_string(),
            container,
            weight: stack.weight,
            quality: stack.quality,
            count,
            value,
            frames,
        }
    }

    /// Texts from the outermost to the innermost: process, part of the measure, why callers are missing, functions.
    fn path(&self) -> Vec<String> {
        let remarks = [part_of(self.weight), remark_on(self.quality)].into_iter().flatten().map(str::to_owned);
        std::iter::once(self.process.clone()).chain(remarks).chain(self.frames.iter().map(marked_name)).collect()
    }
}

impl Profile {
    /// Sum of all stacks, in the unit of the measure.
    pub fn value(&self) -> u64 {
        self.stacks.iter().map(|stack| stack.value).sum()
    }

    /// How often anything was seen.
    pub fn count(&self) -> u64 {
        self.stacks.iter().map(|stack| stack.count).sum()
    }

    /// Percent of what was seen whose stack is whole; 100 where nothing was.
    pub fn complete_pct(&self) -> f64 {
        let whole: u64 = self.stacks.iter().filter(|stack| stack.quality == StackQuality::Complete).map(|stack| stack.count).sum();
        match self.count() {
            0 => 100.0,
            all => whole as f64 * 100.0 / all as f64,
        }
    }

    /// The value of a stack in time where samples are timed, else in the unit of the measure.
    pub(super) fn weight_of(&self, stack: &ProfileStack) -> u64 {
        match (self.measure.unit(), self.hz) {
            (Unit::Samples, hz @ 1..) => stack.value.saturating_mul(1_000_000_000) / u64::from(hz),
            _ => stack.value,
        }
    }

    /// The stacks as lines of texts, outermost first, equal ones together, in order; values in the unit of the measure.
    pub(super) fn paths(&self) -> BTreeMap<Vec<String>, u64> {
        let mut paths = BTreeMap::new();
        for stack in &self.stacks {
            let sum: &mut u64 = paths.entry(stack.path()).or_default();
            *sum = sum.saturating_add(stack.value);
        }
        paths
    }
}

/// Adds the frames of a stack, outermost first.
fn add_frames(frames: &mut Vec<Frame>, key: ProcKey, user: &[u64], kernel: &[u64], names: &impl Naming) {
    let user = user.iter().rev().map(|&address| (address, names.user(key, address), FrameKind::Native));
    let kernel = kernel.iter().rev().map(|&address| (address, names.kernel(address), FrameKind::Kernel));
    for (address, found, kind) in user.chain(kernel) {
        match found.filter(|found| !found.is_empty()) {
            Some(inlined) => frames.extend(inlined.iter().rev().cloned()),
            None => frames.push(nameless(address, kind)),
        }
    }
}

/// The frame of an address of which nothing is known.
pub(crate) fn nameless(address: u64, kind: FrameKind) -> Frame {
    Frame { function: None, module: "[unknown]".into(), offset: address, kind, source: None }
}

/// Function, or module+offset where it has no name; fit for a terminal.
pub fn name(frame: &Frame) -> String {
    match &frame.function {
        Some(function) => printable(function.as_bytes()),
        None => format!("{}+{:#x}", printable(frame.module.as_bytes()), frame.offset),
    }
}

/// With the mark of its kind by which flame graph tools choose colours.
fn marked_name(frame: &Frame) -> String {
    let mark = match frame.kind {
        FrameKind::Kernel => "_[k]",
        FrameKind::Jit => "_[j]",
        FrameKind::Native | FrameKind::Python => "",
    };
    name(frame) + mark
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn frame(function: &str, kind: FrameKind) -> Frame {
        let source = (kind == FrameKind::Native).then(|| ("src/a.c".to_owned(), 7));
        Frame { function: Some(function.into()), module: "app".into(), offset: 0x10, kind, source }
    }

    pub fn stack(names: &[&str], value: u64) -> ProfileStack {
        ProfileStack {
            key: ProcKey { pid: 7, start_ns: 1 },
            tid: 8,
            thread: "worker".into(),
            process: "app".into(),
            container: None,
            weight: Weight::OnCpu,
            quality: StackQuality::Complete,
            count: value,
            value,
            frames: names.iter().map(|name| frame(name, FrameKind::Native)).collect(),
        }
    }

    pub fn profile(stacks: Vec<ProfileStack>) -> Profile {
        Profile {
            title: "app (7)".into(),
            hz: 100,
            began_unix_ms: 1_750_000_000_123,
            duration_ns: 5_000_000_000,
            stacks,
            ..Profile::default()
        }
    }

    #[test]
    fn cut_stacks_say_so_and_parts_stand_apart() {
        let mut waiting = stack(&["main"], 5);
        (waiting.weight, waiting.quality) = (Weight::Blocked, StackQuality::Cut);
        waiting.frames.push(frame("schedule", FrameKind::Kernel));
        let paths: Vec<_> = profile(vec![waiting]).paths().into_keys().collect();
        assert_eq!(paths, [["app", "[blocked in the kernel]", "[callers unknown]", "main", "schedule_[k]"].map(str::to_owned)]);
    }

    #[test]
    fn whole_stacks_are_counted_by_events() {
        let mut cut = stack(&["a"], 1);
        cut.quality = StackQuality::NoTable;
        assert_eq!(profile(vec![stack(&["a"], 3), cut]).complete_pct(), 75.0);
        assert_eq!(profile(vec![]).complete_pct(), 100.0);
    }
}
