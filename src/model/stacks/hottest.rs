//! The hottest functions of a tree, whoever called them.

use std::cmp::Reverse;
use std::sync::Arc;

use super::label::Label;
use super::node::{NONE, NodeId};
use super::tree::StackTree;

/// Nobody reads further, and naming and sorting all of them costs at every tick.
const MAX_FUNCTIONS: usize = 1000;

/// A function and its share, over all its callers.
#[derive(Clone, Debug, PartialEq)]
pub struct HotFunction {
    /// Which.
    pub label: Arc<Label>,
    /// What was sampled in the function itself, in the unit of the measure. A wait is that of the function that called the scheduler.
    pub own: u64,
    /// What was sampled with the function anywhere in the stack; a recursive one counts once per stack.
    pub total: u64,
    /// The same before, scaled to the length of the window: own and total; 0 without a baseline.
    pub before: (f64, f64),
    /// Its code stands inside its callers' wherever it was met.
    pub inlined: bool,
    /// Its hottest source line, `file:line`.
    pub source: Option<Arc<str>>,
}

/// The hottest functions.
#[derive(Clone, Debug, Default)]
pub struct Hottest {
    /// At most 1000, by own value; with a baseline, by how much it changed.
    pub functions: Vec<HotFunction>,
    /// How many more there are.
    pub further: usize,
}

/// Values of one label.
#[derive(Clone, Copy)]
struct Tally {
    own: u64,
    total: u64,
    own_before: u64,
    total_before: u64,
    inlined: bool,
}

impl Tally {
    const NOTHING: Tally = Tally { own: 0, total: 0, own_before: 0, total_before: 0, inlined: true };
}

impl StackTree {
    /// The 1000 hottest functions at and below `from`; with a baseline, those that changed most.
    pub fn hottest(&self, from: NodeId) -> Hottest {
        let inside = self.inside(from);
        let tallies = self.tallies(&inside);
        let labels = self.labels().all();
        let is_live = |tally: &Tally| tally.total > 0 || tally.total_before > 0;
        let is_function = |&id: &u32| is_live(&tallies[id as usize]) && labels[id as usize].kind.is_some();
        let rank = |&id: &u32| self.rank(&tallies[id as usize], id);
        let mut hot: Vec<u32> = (0..labels.len() as u32).filter(is_function).collect();
        let further = hot.len().saturating_sub(MAX_FUNCTIONS);
        if further > 0 {
            hot.select_nth_unstable_by_key(MAX_FUNCTIONS, rank);
            hot.truncate(MAX_FUNCTIONS);
        }
        let sources = self.hottest_sources(&inside, &hot);
        hot.sort_unstable_by(|&a, &b| {
            let by_value = self.rank(&tallies[a as usize], 0).cmp(&self.rank(&tallies[b as usize], 0));
            by_value.then_with(|| labels[a as usize].cmp(&labels[b as usize]))
        });
        let function = |id: u32| {
            let Tally { own, total, own_before, total_before, inlined } = tallies[id as usize];
            HotFunction {
                label: Arc::clone(&labels[id as usize]),
                own,
                total,
                before: (self.compared.scaled(own_before), self.compared.scaled(total_before)),
                inlined,
                source: sources[id as usize].map(|source| Arc::clone(self.labels().source(source))),
            }
        };
        Hottest { functions: hot.into_iter().map(function).collect(), further }
    }

    /// What comes first: what changed most, else what has most of its own.
    fn rank(&self, tally: &Tally, id: u32) -> (Reverse<u64>, Reverse<u64>, Reverse<u64>, u32) {
        let change = match self.is_compared() {
            true => (tally.own as f64 - self.compared.scaled(tally.own_before)).abs() as u64,
            false => 0,
        };
        (Reverse(change), Reverse(tally.own), Reverse(tally.total), id)
    }

    /// Which nodes are `from` or below it. A child stands behind its parent in the list.
    fn inside(&self, from: NodeId) -> Vec<bool> {
        let mut inside = vec![false; self.nodes().len()];
        for (at, node) in self.nodes().iter().enumerate().skip(from as usize) {
            inside[at] = at == from as usize || inside[node.parent as usize];
        }
        inside
    }

    /// Values by label.
    fn tallies(&self, inside: &[bool]) -> Vec<Tally> {
        let mut tallies = vec![Tally::NOTHING; self.labels().all().len()];
        let is_scheduler: Vec<bool> = self.labels().all().iter().map(|label| self.waits && label.is_scheduler()).collect();
        for (at, (node, _)) in self.nodes().iter().zip(inside).enumerate().filter(|(_, (_, inside))| **inside) {
            let id = at as NodeId;
            let owner = &mut tallies[self.waiting(id, &is_scheduler, inside) as usize];
            owner.own += node.own;
            owner.own_before += self.compared.own(id);
            let tally = &mut tallies[node.label as usize];
            tally.inlined &= node.inlined || node.total == 0;
            if node.same_above == NONE || !inside[node.same_above as usize] {
                tally.total += node.total;
                tally.total_before += self.compared.total(id);
            }
        }
        tallies
    }

    /// The label of the innermost frame from a node up to the root that is not the scheduler's; its own where there is none.
    fn waiting(&self, id: NodeId, is_scheduler: &[bool], inside: &[bool]) -> u32 {
        let mut at = id;
        while is_scheduler[self.node(at).label as usize] && at != StackTree::ROOT {
            at = self.node(at).parent;
        }
        let found = self.node(at).label;
        let is_frame = inside[at as usize] && self.labels().all()[found as usize].kind.is_some();
        if is_frame { found } else { self.node(id).label }
    }

    /// The source line in which most of a function's own samples lie, by label, for those `among` which are asked for.
    fn hottest_sources(&self, inside: &[bool], among: &[u32]) -> Vec<Option<u32>> {
        let mut wanted = vec![false; self.labels().all().len()];
        among.iter().for_each(|&label| wanted[label as usize] = true);
        let own = self.counted().iter().filter(|(leaf, _)| inside[leaf.node as usize]);
        let mut counts: Vec<(u32, u32, u64)> =
            own.filter_map(|(leaf, count)| Some((self.node(leaf.node).label, leaf.source?, *count))).collect();
        counts.retain(|(label, ..)| wanted[*label as usize]);
        counts.sort_unstable_by_key(|&(label, source, _)| (label, source));
        let mut best: Vec<Option<u32>> = vec![None; wanted.len()];
        for of_label in counts.chunk_by(|a, b| a.0 == b.0) {
            let lines = of_label.chunk_by(|a, b| a.1 == b.1);
            let hottest = lines.max_by_key(|line| (line.iter().map(|(.., count)| count).sum::<u64>(), Reverse(line[0].1)));
            best[of_label[0].0 as usize] = hottest.map(|line| line[0].1);
        }
        best
    }
}
