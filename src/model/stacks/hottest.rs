//! The hottest functions of a tree, whoever called them.

use std::cmp::Reverse;
use std::sync::Arc;

use super::label::Label;
use super::node::{NONE, NodeId};
use super::tree::StackTree;

/// Nobody reads further, and naming and sorting all of them costs at every tick.
const MAX_FUNCTIONS: usize = 1000;

/// A function and its share, over all its callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotFunction {
    /// Which.
    pub label: Arc<Label>,
    /// Samples taken in the function itself.
    pub own: u64,
    /// Samples with the function anywhere in the stack; a recursive one counts once per stack.
    pub total: u64,
    /// Its source line with most samples, `file:line`.
    pub source: Option<Arc<str>>,
}

/// The hottest functions.
#[derive(Clone, Debug, Default)]
pub struct Hottest {
    /// At most 1000, by self count.
    pub functions: Vec<HotFunction>,
    /// How many more there are.
    pub further: usize,
}

/// Counts of one label.
#[derive(Clone, Copy, Default)]
struct Tally {
    own: u64,
    total: u64,
}

impl StackTree {
    /// The 1000 hottest functions at and below `from`, by self count.
    pub fn hottest(&self, from: NodeId) -> Hottest {
        let inside = self.inside(from);
        let tallies = self.tallies(&inside);
        let labels = self.labels().all();
        let is_function = |&id: &u32| tallies[id as usize].total > 0 && labels[id as usize].kind.is_some();
        let rank = |&id: &u32| (Reverse(tallies[id as usize].own), Reverse(tallies[id as usize].total), id);
        let mut hot: Vec<u32> = (0..labels.len() as u32).filter(is_function).collect();
        let further = hot.len().saturating_sub(MAX_FUNCTIONS);
        if further > 0 {
            hot.select_nth_unstable_by_key(MAX_FUNCTIONS, rank);
            hot.truncate(MAX_FUNCTIONS);
        }
        let sources = self.hottest_sources(&inside, &hot);
        let named = |id: u32| HotFunction {
            label: Arc::clone(&labels[id as usize]),
            own: tallies[id as usize].own,
            total: tallies[id as usize].total,
            source: sources[id as usize].map(|source| Arc::clone(self.labels().source(source))),
        };
        let mut functions: Vec<HotFunction> = hot.into_iter().map(named).collect();
        functions.sort_unstable_by(|a, b| (Reverse(a.own), Reverse(a.total), &a.label).cmp(&(Reverse(b.own), Reverse(b.total), &b.label)));
        Hottest { functions, further }
    }

    /// Which nodes are `from` or below it. A child stands behind its parent in the list.
    fn inside(&self, from: NodeId) -> Vec<bool> {
        let mut inside = vec![false; self.nodes().len()];
        for (at, node) in self.nodes().iter().enumerate().skip(from as usize) {
            inside[at] = at == from as usize || inside[node.parent as usize];
        }
        inside
    }

    /// Counts by label.
    fn tallies(&self, inside: &[bool]) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); self.labels().all().len()];
        for (node, _) in self.nodes().iter().zip(inside).filter(|(_, inside)| **inside) {
            let tally = &mut tallies[node.label as usize];
            tally.own += node.own;
            if node.same_above == NONE || !inside[node.same_above as usize] {
                tally.total += node.total;
            }
        }
        tallies
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
