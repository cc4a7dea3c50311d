//! A tree compared with what was sampled before.

use rustc_hash::FxHashMap;

use super::frames::Naming;
use super::grow::{Trail, put_in_order};
use super::node::NodeId;
use super::tree::{Leaf, StackTree};
use super::window::Baseline;

/// Stacks of the baseline that are no longer in it may outnumber the others by this many before they are forgotten.
const SPARE_LEAVES: usize = 4096;

/// What was sampled before, by node; empty without a baseline.
#[derive(Clone, Debug, Default)]
pub(super) struct Compared {
    /// Own and total.
    values: Vec<(u64, u64)>,
    /// By number of the stack.
    leaves: FxHashMap<u64, Leaf>,
    /// Length of the window by that of the baseline.
    scale: f64,
}

impl Compared {
    /// An empty one for so many nodes, of the same baseline.
    pub(super) fn sibling(&self, nodes: usize) -> Compared {
        let nodes = if self.values.is_empty() { 0 } else { nodes };
        Compared { values: vec![(0, 0); nodes], leaves: FxHashMap::default(), scale: self.scale }
    }

    pub(super) fn own(&self, id: NodeId) -> u64 {
        self.values.get(id as usize).map_or(0, |(own, _)| *own)
    }

    pub(super) fn total(&self, id: NodeId) -> u64 {
        self.values.get(id as usize).map_or(0, |(_, total)| *total)
    }

    pub(super) fn add_own(&mut self, id: NodeId, value: u64) {
        if let Some((own, _)) = self.values.get_mut(id as usize) {
            *own += value;
        }
    }

    /// A node's total is whole; it counts for its caller too.
    pub(super) fn add_up(&mut self, at: usize, parent: usize) {
        let Some((own, total)) = self.values.get_mut(at) else { return };
        *total += *own;
        let total = *total;
        if at > 0 {
            self.values[parent].1 += total;
        }
    }

    /// What a value of the baseline would be in a window as long as the one shown.
    pub(super) fn scaled(&self, value: u64) -> f64 {
        value as f64 * self.scale
    }
}

impl StackTree {
    /// There is a baseline.
    pub fn is_compared(&self) -> bool {
        !self.compared.values.is_empty()
    }

    /// Length of the window by that of the baseline.
    pub fn scale(&self) -> f64 {
        self.compared.scale
    }

    /// What was sampled before in a function itself, scaled to the length of the window; 0 without a baseline.
    pub fn own_before(&self, id: NodeId) -> f64 {
        self.compared.scaled(self.compared.own(id))
    }

    /// What was sampled before in a function and what it called, scaled to the length of the window; 0 without a baseline.
    pub fn total_before(&self, id: NodeId) -> f64 {
        self.compared.scaled(self.compared.total(id))
    }

    /// Walks the stacks of the baseline.
    pub(super) fn compare(&mut self, before: Option<&Baseline>, covered_ns: u64, renamed: bool, names: &impl Naming) {
        let Some(before) = before else { return self.compared = Compared::default() };
        let mut leaves = std::mem::take(&mut self.compared.leaves);
        if leaves.len() > 2 * before.stacks.len() + SPARE_LEAVES {
            leaves.clear();
        }
        let mut owns = Vec::with_capacity(before.stacks.len());
        let mut new = Vec::new();
        for used in &before.stacks {
            match leaves.get(&used.1) {
                Some(leaf) if leaf.named || !renamed => owns.push((leaf.node, used.2)),
                known => {
                    self.leaves_made += usize::from(known.is_none());
                    new.push(used);
                }
            }
        }
        put_in_order(&mut new, self.shape(), |used| &used.0);
        let mut trail = Trail::default();
        for (stack, id, value) in new {
            let leaf = self.grow(&mut trail, stack, *value, names);
            leaves.insert(*id, leaf);
            owns.push((leaf.node, *value));
        }
        self.leave(&mut trail, 0);
        let scale = covered_ns as f64 / before.covered_ns.max(1) as f64;
        self.compared = Compared { values: vec![(0, 0); self.nodes().len()], leaves, scale };
        owns.into_iter().for_each(|(node, value)| self.compared.add_own(node, value));
    }
}
