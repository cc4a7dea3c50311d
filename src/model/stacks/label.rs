//! What frames are called: labels and source lines, each kept once.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::sample::{StackQuality, Waker, Weight, printable};
use crate::symbols::{Frame, FrameKind};

/// What frames merge by. All text is fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    /// Function; `module+0xoffset` where it has no name, `0xaddress` where nothing is known; a process, a thread or a remark where `kind` is `None`.
    pub name: String,
    /// Executable, library, kernel module or `vmlinux`; empty where not known.
    pub module: String,
    /// `None` for the root, processes, threads and remarks.
    pub kind: Option<FrameKind>,
}

impl Label {
    /// A process, a thread, a remark or the root.
    pub(super) fn plain(text: &str) -> Label {
        Label { name: text.to_string(), module: String::new(), kind: None }
    }

    /// An address without a name.
    pub(super) fn address(address: u64, kind: FrameKind) -> Label {
        Label { name: format!("0x{address:x}"), module: String::new(), kind: Some(kind) }
    }

    fn of(frame: &Frame) -> Label {
        let module = printable(frame.module.as_bytes());
        let name = match &frame.function {
            Some(function) => printable(function.as_bytes()),
            None => format!("{module}+0x{:x}", frame.offset),
        };
        Label { name, module, kind: Some(frame.kind) }
    }

    /// A way into the scheduler: each wait ends there, so it does not tell one from another. So does the kernel's way in and out,
    /// where a thread that could have gone on was made to wait for a CPU.
    pub(super) fn is_scheduler(&self) -> bool {
        let name = self.name.split('.').next().unwrap_or_default();
        let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| name.starts_with(beginning));
        self.kind == Some(FrameKind::Kernel)
            && (SCHEDULER.contains(&name) || begins(&SCHEDULER_BEGINNINGS) || ENTRY.contains(&name) || begins(&ENTRY_BEGINNINGS))
    }

    /// Stands for why a stack begins too late or what was waited for, not for code, a process or a thread.
    pub fn is_remark(&self) -> bool {
        let mut remarks = CUT.iter().flatten().chain(PARTS.iter().map(|(_, text)| text));
        self.kind.is_none() && (self.name.starts_with(WOKEN) || remarks.any(|text| *text == self.name))
    }
}

/// Functions of kernel/sched and kernel/time whose only use is to wait or to be preempted.
const SCHEDULER: [&str; 8] =
    ["__schedule", "schedule", "schedule_idle", "schedule_user", "schedule_rtlock", "__schedule_loop", "__cond_resched", "_cond_resched"];
/// And what others begin with, as of schedule_timeout_interruptible() or preempt_schedule_irq().
const SCHEDULER_BEGINNINGS: [&str; 5] =
    ["schedule_timeout", "schedule_hrtimeout", "schedule_preempt_disabled", "preempt_schedule", "io_schedule"];

/// Functions of kernel/entry and arch/*/entry* that give up the CPU on the way back from an interrupt, a fault or a system call.
const ENTRY: [&str; 8] =
    ["do_syscall_64", "common_interrupt", "do_notify_resume", "ret_to_user", "work_pending", "el0_interrupt", "el1_interrupt", "el0_svc"];
const ENTRY_BEGINNINGS: [&str; 12] = [
    "exit_to_user_mode",
    "syscall_exit_to_user_mode",
    "irqentry_exit",
    "raw_irqentry_exit",
    "asm_",
    "exc_",
    "sysvec_",
    "entry_SYSCALL",
    "do_int80",
    "el0t_",
    "el1h_",
    "arm64_preempt_schedule",
];

/// Why a stack does not begin at its thread's start, by [`StackQuality`].
const CUT: [Option<&str>; StackQuality::ALL.len()] = [
    None,
    Some("[callers unknown]"),
    Some("[too deep, callers cut]"),
    Some("[callers unknown: no unwind table]"),
    Some("[callers unknown: stack unreadable]"),
    Some("[callers unknown: code without frame pointers]"),
];

/// Parts of a measure that has several.
const PARTS: [(Weight, &str); 7] = [
    (Weight::Sleeping, "[asleep]"),
    (Weight::Blocked, "[blocked in the kernel]"),
    (Weight::Runnable, "[waiting for a CPU]"),
    (Weight::MinorFault, "[minor faults]"),
    (Weight::MajorFault, "[major faults]"),
    (Weight::Sent, "[sent]"),
    (Weight::Received, "[received]"),
];

/// Says above its first frame why a stack does not begin at its thread's start.
pub(crate) fn remark_on(quality: StackQuality) -> Option<&'static str> {
    CUT[quality as usize]
}

/// Tells a weight from the others of its measure; `None` where it is the only one.
pub(crate) fn part_of(weight: Weight) -> Option<&'static str> {
    PARTS.iter().find(|(of, _)| *of == weight).map(|(_, text)| *text)
}

/// How what is said of a waker begins.
const WOKEN: &str = "[woken by ";

/// Says who ended a wait, above the frames of that.
pub(crate) fn remark_on_waker(waker: &Waker) -> String {
    let Waker { key, comm, interrupt, .. } = waker;
    match (key.pid, interrupt) {
        (0, _) => format!("{WOKEN}an interrupt]"),
        (pid, true) => format!("{WOKEN}an interrupt during {comm} ({pid})]"),
        (pid, false) => format!("{WOKEN}{comm} ({pid})]"),
    }
}

/// All labels of a tree, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    labels: Vec<Arc<Label>>,
    label_ids: FxHashMap<Arc<Label>, u32>,
    sources: Vec<Arc<str>>,
    source_ids: FxHashMap<Arc<str>, u32>,
}

impl Labels {
    /// The number of a label.
    pub(super) fn id(&mut self, label: Label) -> u32 {
        if let Some(&id) = self.label_ids.get(&label) {
            return id;
        }
        let label = Arc::new(label);
        let id = self.labels.len() as u32;
        self.labels.push(Arc::clone(&label));
        self.label_ids.insert(label, id);
        id
    }

    /// The number of a label that there is.
    pub(super) fn number_of(&self, label: &Label) -> Option<u32> {
        self.label_ids.get(label).copied()
    }

    /// The number of a frame's label.
    pub(super) fn id_of(&mut self, frame: &Frame) -> u32 {
        self.id(Label::of(frame))
    }

    /// The number of a frame's source line, where it has one.
    pub(super) fn source_of(&mut self, frame: &Frame) -> Option<u32> {
        let (file, line) = frame.source.as_ref()?;
        let source = format!("{}:{line}", printable(file.as_bytes()));
        if let Some(&id) = self.source_ids.get(source.as_str()) {
            return Some(id);
        }
        let source: Arc<str> = source.into();
        let id = self.sources.len() as u32;
        self.sources.push(Arc::clone(&source));
        self.source_ids.insert(source, id);
        Some(id)
    }

    /// All labels, in order of their numbers.
    pub(super) fn all(&self) -> &[Arc<Label>] {
        &self.labels
    }

    /// The source line of a number.
    pub(super) fn source(&self, id: u32) -> &Arc<str> {
        &self.sources[id as usize]
    }
}
