//! A window of stacks folded into functions, root first, and kept up to date from tick to tick.
//!
//! Where a stack ends in the tree is remembered by its slot, so that a refresh adds one number per stack and sums once from the leaves to
//! the root; frames are walked again only for stacks that are new or have addresses without a name yet.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::compare::Compared;
use super::frames::{FrameCache, Frames, Naming};
use super::grow::{Trail, put_in_order};
use super::label::{Label, Labels};
use super::measure::Measure;
use super::node::{NONE, Node, NodeId};
use super::shape::Shape;
use super::window::{Baseline, Window};
use crate::sample::ProcKey;

/// Nodes that nothing was counted on may outnumber the others by this many before the tree is built anew.
const SPARE_NODES: usize = 4096;

/// An address without a name yet, and how much it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Whose; `None` = the kernel's.
    pub key: Option<ProcKey>,
    /// What to look up.
    pub address: u64,
    /// In the unit of the measure shown.
    pub count: u64,
}

/// Where a stack ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub(super) node: NodeId,
    /// Source line of the innermost frame.
    pub(super) source: Option<u32>,
    pub(super) named: bool,
}

/// Functions by caller, with self and total values.
#[derive(Clone, Debug)]
pub struct StackTree {
    shape: Shape,
    /// A child stands behind its parent.
    nodes: Vec<Node>,
    /// Of each node, hottest first; those without samples stay in it, last.
    children: Vec<Vec<NodeId>>,
    edges: FxHashMap<(NodeId, u32), NodeId>,
    labels: Labels,
    frames: FrameCache,
    /// By slot of the history: the stack that it is of, and where it ends.
    leaves: Vec<Option<(u64, Leaf)>>,
    /// Stacks that were given a leaf since the tree was begun.
    pub(super) leaves_made: usize,
    /// Nodes with samples.
    live: usize,
    /// Leaf and value of every stack in the window.
    counted: Vec<(Leaf, u64)>,
    missing: FxHashMap<(Option<ProcKey>, u64), u64>,
    names_version: u64,
    /// Its samples are of threads that are off the CPU.
    pub(super) waits: bool,
    pub(super) compared: Compared,
}

impl StackTree {
    /// The root.
    pub const ROOT: NodeId = 0;

    /// An empty tree.
    pub fn new(shape: Shape) -> Self {
        let mut labels = Labels::default();
        let all = labels.id(Label::plain("all"));
        StackTree {
            shape,
            nodes: vec![Node::new(Self::ROOT, all, 0, NONE)],
            children: vec![Vec::new()],
            edges: FxHashMap::default(),
            labels,
            frames: FrameCache::default(),
            leaves: Vec::new(),
            leaves_made: 0,
            live: 0,
            counted: Vec::new(),
            missing: FxHashMap::default(),
            names_version: 0,
            waits: false,
            compared: Compared::default(),
        }
    }

    /// Makes the tree that of this window, to be compared with what was `before`. All windows must come from one history, all names
    /// from one source.
    pub fn update(&mut self, window: &Window, before: Option<&Baseline>, names: &impl Naming) {
        if self.is_mostly_waste(window, before) {
            *self = Self::new(self.shape);
        }
        self.waits = window.measure == Measure::OffCpu;
        for node in &mut self.nodes {
            (node.own, node.total) = (0, 0);
        }
        self.counted.clear();
        let renamed = self.names_version != names.version();
        self.names_version = names.version();
        if renamed {
            self.missing.clear();
        }
        self.leaves.resize(self.leaves.len().max(window.slots), None);
        let mut new = Vec::new();
        for used in &window.stacks {
            match self.leaves[used.slot as usize].filter(|(id, _)| *id == used.id) {
                Some((_, leaf)) if leaf.named || !renamed => self.count(leaf, used.value),
                known => {
                    self.leaves_made += usize::from(known.is_none());
                    new.push(used);
                }
            }
        }
        put_in_order(&mut new, self.shape, |used| used.stack);
        let mut trail = Trail::default();
        for used in new {
            let leaf = self.grow(&mut trail, used.stack, used.value, names);
            self.leaves[used.slot as usize] = Some((used.id, leaf));
            self.count(leaf, used.value);
        }
        self.leave(&mut trail, 0);
        self.compare(before, window.covered_ns, renamed, names);
        self.sum();
        self.order();
    }

    fn count(&mut self, leaf: Leaf, value: u64) {
        self.nodes[leaf.node as usize].own += value;
        self.counted.push((leaf, value));
    }

    /// All of the window, in the unit of its measure.
    pub fn total(&self) -> u64 {
        self.nodes[0].total
    }

    /// A node; the root where there is none of that number.
    pub fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id as usize).unwrap_or(&self.nodes[0])
    }

    /// What a node is called.
    pub fn label(&self, id: NodeId) -> &Arc<Label> {
        &self.labels.all()[self.node(id).label as usize]
    }

    /// Callees with samples, now or before, hottest first. Near-equal ones keep their order from tick to tick.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let children = self.children.get(id as usize).map_or(&[][..], Vec::as_slice);
        children.iter().copied().filter(|&child| self.is_live(child))
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

    /// Samples below `from` that have a matching frame in their stack. The root is no frame.
    pub fn matching(&self, from: NodeId, matches: impl Fn(&Label) -> bool) -> u64 {
        let hits: Vec<bool> = self.labels.all().iter().map(|label| matches(label)).collect();
        let mut samples = 0;
        let mut todo = vec![from];
        while let Some(id) = todo.pop() {
            let node = self.node(id);
            match hits[node.label as usize] && id != Self::ROOT {
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

    /// Something was sampled there.
    fn is_live(&self, id: NodeId) -> bool {
        self.nodes[id as usize].total > 0 || self.compared.total(id) > 0
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(super) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Adds to what was sampled in a function itself.
    pub(super) fn add_own(&mut self, id: NodeId, value: u64) {
        self.nodes[id as usize].own += value;
    }

    /// An empty tree with the same labels.
    pub(super) fn sibling(&self) -> StackTree {
        StackTree { labels: self.labels.clone(), ..StackTree::new(Shape::default()) }
    }

    /// Leaf and value of every stack in the window.
    pub(super) fn counted(&self) -> &[(Leaf, u64)] {
        &self.counted
    }

    fn is_mostly_waste(&self, window: &Window, before: Option<&Baseline>) -> bool {
        let stacks = window.stacks.len() + before.map_or(0, |before| before.stacks.len());
        self.leaves_made > 4 * stacks + SPARE_NODES || self.nodes.len() > 2 * self.live + SPARE_NODES
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    pub(super) fn label_id(&mut self, label: Label) -> u32 {
        self.labels.id(label)
    }

    /// Frames of an address.
    pub(super) fn frames_of(&mut self, key: Option<ProcKey>, address: u64, names: &impl Naming) -> Frames {
        self.frames.frames(key, address, names, &mut self.labels)
    }

    /// Their labels, outermost first.
    pub(super) fn labels_of(&self, frames: Frames) -> &[u32] {
        self.frames.labels(frames)
    }

    /// Notes that an address has no name.
    pub(super) fn miss(&mut self, key: Option<ProcKey>, address: u64, count: u64) {
        let missing = self.missing.entry((key, address)).or_default();
        *missing = missing.saturating_add(count);
    }

    /// The callee of that label, made where it is new. It is inlined only as long as all that was asked for is.
    pub(super) fn child(&mut self, parent: NodeId, label: u32, inlined: bool) -> NodeId {
        let latest = self.nodes[parent as usize].latest;
        let known = match self.nodes.get(latest as usize) {
            Some(node) if node.label == label => Some(latest),
            _ => self.edges.get(&(parent, label)).copied(),
        };
        let child = known.unwrap_or_else(|| self.add_child(parent, label));
        self.nodes[parent as usize].latest = child;
        self.nodes[child as usize].inlined &= inlined;
        child
    }

    fn add_child(&mut self, parent: NodeId, label: u32) -> NodeId {
        let child = self.nodes.len() as NodeId;
        let depth = self.nodes[parent as usize].depth() as u32 + 1;
        let same_above = self.nearest(parent, label);
        self.nodes.push(Node::new(parent, label, depth, same_above));
        self.children.push(Vec::new());
        self.children[parent as usize].push(child);
        self.edges.insert((parent, label), child);
        child
    }

    /// The node with that label at or nearest above `from`.
    fn nearest(&self, from: NodeId, label: u32) -> NodeId {
        let mut at = from;
        while self.nodes[at as usize].label != label {
            if at == Self::ROOT {
                return NONE;
            }
            at = self.nodes[at as usize].parent;
        }
        at
    }

    /// A child stands behind its parent in the list, so one pass from the end sums everything.
    pub(super) fn sum(&mut self) {
        self.live = 0;
        for at in (0..self.nodes.len()).rev() {
            let node = &mut self.nodes[at];
            node.total += node.own;
            let (parent, total) = (node.parent as usize, node.total);
            if at > 0 {
                self.nodes[parent].total += total;
            }
            self.compared.add_up(at, parent);
            self.live += usize::from(self.is_live(at as NodeId));
        }
    }

    pub(super) fn order(&mut self) {
        for (at, children) in self.children.iter_mut().enumerate() {
            if children.len() < 2 {
                continue;
            }
            let parent_total = self.nodes[at].total;
            let mut moved = false;
            for &child in children.iter() {
                moved |= self.nodes[child as usize].find_place(parent_total);
            }
            if moved {
                let place = |id: &NodeId| self.nodes[*id as usize].place;
                children.sort_by(|a, b| place(b).total_cmp(&place(a)).then(a.cmp(b)));
            }
        }
    }
}
