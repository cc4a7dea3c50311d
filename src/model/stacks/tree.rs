//! A window of stacks folded into functions, root first, and kept up to date from tick to tick.
//!
//! Where a stack ends in the tree is remembered by its id, so that a refresh adds one number per stack and sums once from the leaves to
//! the root; frames are walked again only for stacks that are new or have addresses without a name yet.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::history::{Stack, Window};
use crate::sample::{ProcKey, StackQuality, printable};
use crate::symbols::{Frame, FrameKind};

/// Index of a node.
pub type NodeId = u32;

/// Nodes that nothing was counted on may outnumber the others by this many before the tree is built anew.
const SPARE_NODES: usize = 4096;

/// Gives the names of addresses.
pub trait Naming {
    /// Changes whenever an address may have got a name.
    fn version(&self) -> u64;
    /// Frames of a user address, innermost first; `None` = not known yet, empty = never.
    fn user(&self, key: ProcKey, address: u64) -> Option<&[Frame]>;
    /// Frames of a kernel address, likewise.
    fn kernel(&self, address: u64) -> Option<&[Frame]>;
}

/// What frames merge by. All text is fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    /// Function; `module+0xoffset` where it has no name, `0xaddress` where nothing is known; a process or a remark where `kind` is `None`.
    pub name: String,
    /// Executable, library, kernel module or `vmlinux`; empty where not known.
    pub module: String,
    /// `None` for the root, processes and remarks.
    pub kind: Option<FrameKind>,
}

/// A function as called from its parents.
#[derive(Clone, Debug)]
pub struct Node {
    /// The caller; the root is its own.
    pub parent: NodeId,
    /// Samples taken in this function itself.
    pub own: u64,
    /// Samples taken in it or in what it called.
    pub total: u64,
    label: u32,
    depth: u32,
    /// Hottest first; those without samples stay in it, last.
    children: Vec<NodeId>,
    /// Share of the parent that decided its place among its siblings.
    place: f64,
}

/// An address without a name yet, and in how many samples it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Whose; `None` = the kernel's.
    pub key: Option<ProcKey>,
    /// What to look up.
    pub address: u64,
    /// Samples.
    pub count: u64,
}

/// Where a stack ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub(super) node: NodeId,
    /// Source line of the innermost frame.
    pub(super) source: Option<u32>,
    named: bool,
}

/// Frames of an address in the pool, outermost first.
#[derive(Clone, Copy, Debug)]
struct Frames {
    start: u32,
    len: u32,
    source: Option<u32>,
    named: bool,
}

/// Functions by caller, with self and total counts.
#[derive(Clone, Debug)]
pub struct StackTree {
    by_process: bool,
    nodes: Vec<Node>,
    edges: FxHashMap<(NodeId, u32), NodeId>,
    labels: Vec<Arc<Label>>,
    label_ids: FxHashMap<Arc<Label>, u32>,
    sources: Vec<Arc<str>>,
    source_ids: FxHashMap<Arc<str>, u32>,
    pool: Vec<u32>,
    user: FxHashMap<(ProcKey, u64), Frames>,
    kernel: FxHashMap<u64, Frames>,
    leaves: FxHashMap<u64, Leaf>,
    /// Leaf and count of every stack in the window.
    counted: Vec<(Leaf, u64)>,
    missing: FxHashMap<(Option<ProcKey>, u64), u64>,
    names_version: u64,
}

impl StackTree {
    /// The root.
    pub const ROOT: NodeId = 0;

    /// An empty tree; `by_process` puts processes below the root, for the whole machine.
    pub fn new(by_process: bool) -> Self {
        let mut tree = StackTree {
            by_process,
            nodes: Vec::new(),
            edges: FxHashMap::default(),
            labels: Vec::new(),
            label_ids: FxHashMap::default(),
            sources: Vec::new(),
            source_ids: FxHashMap::default(),
            pool: Vec::new(),
            user: FxHashMap::default(),
            kernel: FxHashMap::default(),
            leaves: FxHashMap::default(),
            counted: Vec::new(),
            missing: FxHashMap::default(),
            names_version: 0,
        };
        let all = tree.label_id(remark("all"));
        tree.nodes.push(Node::new(Self::ROOT, all, 0));
        tree
    }

    /// Makes the tree that of this window. All windows must come from one history, all names from one source.
    pub fn update(&mut self, window: &Window, names: &impl Naming) {
        if self.is_mostly_waste(window) {
            *self = Self::new(self.by_process);
        }
        for node in &mut self.nodes {
            (node.own, node.total) = (0, 0);
        }
        self.counted.clear();
        let renamed = self.names_version != names.version();
        self.names_version = names.version();
        if renamed {
            self.missing.clear();
        }
        for used in &window.stacks {
            let leaf = match self.leaves.get(&used.id) {
                Some(leaf) if leaf.named || !renamed => *leaf,
                _ => {
                    let leaf = self.grow(used.stack, u64::from(used.count), names);
                    self.leaves.insert(used.id, leaf);
                    leaf
                }
            };
            self.nodes[leaf.node as usize].own += u64::from(used.count);
            self.counted.push((leaf, u64::from(used.count)));
        }
        self.sum();
        self.order();
    }

    /// Samples in the window.
    pub fn samples(&self) -> u64 {
        self.nodes[0].total
    }

    /// A node; the root where there is none of that number.
    pub fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id as usize).unwrap_or(&self.nodes[0])
    }

    /// What a node is called.
    pub fn label(&self, id: NodeId) -> &Arc<Label> {
        &self.labels[self.node(id).label as usize]
    }

    /// Callees with samples, hottest first. Near-equal ones keep their order from tick to tick.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.node(id).children.iter().copied().filter(|&child| self.nodes[child as usize].total > 0)
    }

    /// Labels from below the root to the node: a place that outlives changes of the tree.
    pub fn path(&self, id: NodeId) -> Vec<Arc<Label>> {
        let mut path = Vec::new();
        let mut at = id;
        while at != Self::ROOT {
            path.push(Arc::clone(self.label(at)));
            at = self.node(at).parent;
        }
        path.reverse();
        path
    }

    /// The node of a path, or the deepest of its callers that still has samples.
    pub fn find(&self, path: &[Arc<Label>]) -> NodeId {
        let mut at = Self::ROOT;
        for label in path {
            match self.children(at).find(|&child| self.label(child) == label) {
                Some(child) => at = child,
                None => break,
            }
        }
        at
    }

    /// Samples below `from` that have a matching frame in their stack.
    pub fn matching(&self, from: NodeId, matches: impl Fn(&Label) -> bool) -> u64 {
        let hits: Vec<bool> = self.labels.iter().map(|label| matches(label)).collect();
        let mut samples = 0;
        let mut todo = vec![from];
        while let Some(id) = todo.pop() {
            let node = self.node(id);
            match hits[node.label as usize] {
                true => samples += node.total,
                false => todo.extend(self.children(id)),
            }
        }
        samples
    }

    /// Addresses without a name, in most samples first.
    pub fn missing(&self) -> Vec<Missing> {
        let one = |(&(key, address), &count): (&(Option<ProcKey>, u64), &u64)| Missing { key, address, count };
        let mut missing: Vec<Missing> = self.missing.iter().map(one).collect();
        missing.sort_unstable_by_key(|m| (std::cmp::Reverse(m.count), m.key, m.address));
        missing
    }

    /// How many nodes there are, those without samples too.
    pub(super) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn labels(&self) -> &[Arc<Label>] {
        &self.labels
    }

    pub(super) fn sources(&self) -> &[Arc<str>] {
        &self.sources
    }

    /// Leaf and count of every stack in the window.
    pub(super) fn counted(&self) -> &[(Leaf, u64)] {
        &self.counted
    }

    fn is_mostly_waste(&self, window: &Window) -> bool {
        let live = self.nodes.iter().filter(|node| node.total > 0).count();
        self.leaves.len() > 2 * window.stacks.len() + SPARE_NODES || self.nodes.len() > 2 * live + SPARE_NODES
    }

    /// Walks a stack from the root to its leaf, makes what is not there, and notes what has no name.
    fn grow(&mut self, stack: &Stack, count: u64, names: &impl Naming) -> Leaf {
        let mut leaf = Leaf { node: Self::ROOT, source: None, named: true };
        if self.by_process {
            let process = self.label_id(remark(&stack.process.to_string()));
            leaf.node = self.child(leaf.node, process);
        }
        if let Some(text) = remark_on(stack.quality) {
            let text = self.label_id(remark(text));
            leaf.node = self.child(leaf.node, text);
        }
        for (key, addresses) in [(Some(stack.key), &stack.user), (None, &stack.kernel)] {
            for &address in addresses.iter().rev() {
                let frames = self.frames_of(key, address, names);
                if !frames.named {
                    leaf.named = false;
                    *self.missing.entry((key, address)).or_default() += count;
                }
                for at in frames.start..frames.start + frames.len {
                    leaf.node = self.child(leaf.node, self.pool[at as usize]);
                }
                leaf.source = frames.source;
            }
        }
        leaf
    }

    fn child(&mut self, parent: NodeId, label: u32) -> NodeId {
        if let Some(&child) = self.edges.get(&(parent, label)) {
            return child;
        }
        let child = self.nodes.len() as NodeId;
        let depth = self.nodes[parent as usize].depth + 1;
        self.nodes.push(Node::new(parent, label, depth));
        self.nodes[parent as usize].children.push(child);
        self.edges.insert((parent, label), child);
        child
    }

    /// Frames of an address from the cache, or from `names`.
    fn frames_of(&mut self, key: Option<ProcKey>, address: u64, names: &impl Naming) -> Frames {
        let known = match key {
            Some(key) => self.user.get(&(key, address)),
            None => self.kernel.get(&address),
        };
        let known = known.copied();
        if let Some(frames) = known.filter(|frames| frames.named) {
            return frames;
        }
        let (answer, kind) = match key {
            Some(key) => (names.user(key, address), FrameKind::Native),
            None => (names.kernel(address), FrameKind::Kernel),
        };
        let frames = match (answer, known) {
            (None, Some(unnamed)) => return unnamed,
            (Some(frames), _) if !frames.is_empty() => self.keep(frames),
            (answer, _) => {
                let label = Label { name: format!("0x{address:x}"), module: String::new(), kind: Some(kind) };
                let label = self.label_id(label);
                self.pool.push(label);
                Frames { start: self.pool.len() as u32 - 1, len: 1, source: None, named: answer.is_some() }
            }
        };
        match key {
            Some(key) => self.user.insert((key, address), frames),
            None => self.kernel.insert(address, frames),
        };
        frames
    }

    fn keep(&mut self, frames: &[Frame]) -> Frames {
        let start = self.pool.len() as u32;
        for frame in frames.iter().rev() {
            let label = self.label_id(label_of(frame));
            self.pool.push(label);
        }
        let source = frames.first().and_then(|frame| frame.source.as_ref());
        let source = source.map(|(file, line)| self.source_id(&format!("{}:{line}", printable(file.as_bytes()))));
        Frames { start, len: frames.len() as u32, source, named: true }
    }

    fn label_id(&mut self, label: Label) -> u32 {
        if let Some(&id) = self.label_ids.get(&label) {
            return id;
        }
        let label = Arc::new(label);
        let id = self.labels.len() as u32;
        self.labels.push(Arc::clone(&label));
        self.label_ids.insert(label, id);
        id
    }

    fn source_id(&mut self, source: &str) -> u32 {
        if let Some(&id) = self.source_ids.get(source) {
            return id;
        }
        let source: Arc<str> = source.into();
        let id = self.sources.len() as u32;
        self.sources.push(Arc::clone(&source));
        self.source_ids.insert(source, id);
        id
    }

    /// A child stands behind its parent in the list, so one pass from the end sums everything.
    fn sum(&mut self) {
        for at in (0..self.nodes.len()).rev() {
            let node = &mut self.nodes[at];
            node.total += node.own;
            let (parent, total) = (node.parent as usize, node.total);
            if at > 0 {
                self.nodes[parent].total += total;
            }
        }
    }

    fn order(&mut self) {
        for at in 0..self.nodes.len() {
            if self.nodes[at].children.len() < 2 {
                continue;
            }
            let mut children = std::mem::take(&mut self.nodes[at].children);
            let parent_total = self.nodes[at].total;
            let mut moved = false;
            for &child in &children {
                moved |= self.nodes[child as usize].find_place(parent_total);
            }
            if moved {
                let place = |id: &NodeId| self.nodes[*id as usize].place;
                children.sort_by(|a, b| place(b).total_cmp(&place(a)).then(a.cmp(b)));
            }
            self.nodes[at].children = children;
        }
    }
}

impl Node {
    fn new(parent: NodeId, label: u32, depth: u32) -> Self {
        Node { parent, own: 0, total: 0, label, depth, children: Vec::new(), place: 0.0 }
    }

    /// Frames between it and the root.
    pub fn depth(&self) -> usize {
        self.depth as usize
    }

    pub(super) fn label(&self) -> usize {
        self.label as usize
    }

    /// Chooses its place among its siblings anew if its count differs from what its old place meant by more than chance explains:
    /// two standard deviations of a Poisson count. True if it did.
    fn find_place(&mut self, parent_total: u64) -> bool {
        let (total, parent_total) = (self.total as f64, parent_total as f64);
        let expected = self.place * parent_total;
        let is_chance = self.total > 0 && self.place > 0.0 && (total - expected).abs() <= 2.0 * total.max(expected).sqrt();
        let place = if self.total == 0 { 0.0 } else { total / parent_total };
        if is_chance || place == self.place {
            return false;
        }
        self.place = place;
        true
    }
}

fn remark(text: &str) -> Label {
    Label { name: text.to_string(), module: String::new(), kind: None }
}

/// Says below the root why a stack does not begin at its thread's start.
fn remark_on(quality: StackQuality) -> Option<&'static str> {
    match quality {
        StackQuality::Complete => None,
        StackQuality::Cut => Some("[callers unknown]"),
        StackQuality::Deep => Some("[too deep, callers cut]"),
    }
}

fn label_of(frame: &Frame) -> Label {
    let module = printable(frame.module.as_bytes());
    let name = match &frame.function {
        Some(function) => printable(function.as_bytes()),
        None => format!("{module}+0x{:x}", frame.offset),
    };
    Label { name, module, kind: Some(frame.kind) }
}
