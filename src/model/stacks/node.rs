//! A function as called from its callers, and its place among its siblings.

/// Index of a node.
pub type NodeId = u32;

/// No node.
pub(super) const NONE: NodeId = NodeId::MAX;

/// A function as called from its callers.
#[derive(Clone, Debug)]
pub struct Node {
    /// The caller; the root is its own.
    pub parent: NodeId,
    /// What was sampled in this function itself, in the unit of the measure.
    pub own: u64,
    /// What was sampled in it or in what it called.
    pub total: u64,
    /// Its code stands inside its caller's wherever it was met.
    pub inlined: bool,
    pub(super) label: u32,
    depth: u32,
    /// The nearest of its callers with the same label; [`NONE`] if it is not recursive.
    pub(super) same_above: NodeId,
    /// The callee last walked to: mostly the next one too.
    pub(super) latest: NodeId,
    /// Share of the parent that decided its place among its siblings.
    pub(super) place: f64,
}

impl Node {
    pub(super) fn new(parent: NodeId, label: u32, depth: u32, same_above: NodeId) -> Self {
        Node { parent, own: 0, total: 0, inlined: true, label, depth, same_above, latest: NONE, place: 0.0 }
    }

    /// Frames between it and the root.
    pub fn depth(&self) -> usize {
        self.depth as usize
    }

    /// Chooses its place among its siblings anew if its count differs from what its old place meant by more than chance explains:
    /// two standard deviations of a Poisson count. True if it did.
    pub(super) fn find_place(&mut self, parent_total: u64) -> bool {
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
