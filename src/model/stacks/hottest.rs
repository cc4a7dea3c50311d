//! The hottest functions of a tree, whoever called them.

use std::cmp::Reverse;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::tree::{Label, NodeId, StackTree};

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

/// Counts of one label, while walking.
#[derive(Clone, Copy, Default)]
struct Tally {
    own: u64,
    total: u64,
    /// How often the label stands between the root and here.
    on_path: u32,
}

enum Step {
    Enter(NodeId),
    Leave(usize),
}

impl StackTree {
    /// The 1000 hottest functions at and below `from`, by self count.
    pub fn hottest(&self, from: NodeId) -> Vec<HotFunction> {
        let mut tallies = vec![Tally::default(); self.labels().len()];
        let mut inside = vec![false; self.node_count()];
        let mut steps = vec![Step::Enter(from)];
        while let Some(step) = steps.pop() {
            match step {
                Step::Enter(id) => {
                    let node = self.node(id);
                    let tally = &mut tallies[node.label()];
                    inside[id as usize] = true;
                    tally.own += node.own;
                    if tally.on_path == 0 {
                        tally.total += node.total;
                    }
                    tally.on_path += 1;
                    steps.push(Step::Leave(node.label()));
                    steps.extend(self.children(id).map(Step::Enter));
                }
                Step::Leave(label) => tallies[label].on_path -= 1,
            }
        }
        let sources = self.hottest_sources(&inside);
        let is_function = |(id, tally): &(usize, Tally)| tally.total > 0 && self.labels()[*id].kind.is_some();
        let named = |(id, tally): (usize, Tally)| HotFunction {
            label: Arc::clone(&self.labels()[id]),
            own: tally.own,
            total: tally.total,
            source: sources.get(&id).map(|&source| Arc::clone(&self.sources()[source as usize])),
        };
        let mut hot: Vec<(usize, Tally)> = tallies.into_iter().enumerate().filter(is_function).collect();
        if hot.len() > MAX_FUNCTIONS {
            hot.select_nth_unstable_by_key(MAX_FUNCTIONS, |(id, tally)| (Reverse(tally.own), Reverse(tally.total), *id));
            hot.truncate(MAX_FUNCTIONS);
        }
        let mut functions: Vec<HotFunction> = hot.into_iter().map(named).collect();
        functions.sort_unstable_by(|a, b| (Reverse(a.own), Reverse(a.total), &a.label).cmp(&(Reverse(b.own), Reverse(b.total), &b.label)));
        functions
    }

    /// The source line in which most of a function's own samples lie, by label.
    fn hottest_sources(&self, inside: &[bool]) -> FxHashMap<usize, u32> {
        let mut counts: FxHashMap<(usize, u32), u64> = FxHashMap::default();
        for (leaf, count) in self.counted() {
            if let Some(source) = leaf.source.filter(|_| inside[leaf.node as usize]) {
                *counts.entry((self.node(leaf.node).label(), source)).or_default() += count;
            }
        }
        let mut best: FxHashMap<usize, (u64, Reverse<u32>)> = FxHashMap::default();
        for ((label, source), count) in counts {
            let so_far = best.entry(label).or_default();
            *so_far = (*so_far).max((count, Reverse(source)));
        }
        best.into_iter().map(|(label, (_, Reverse(source)))| (label, source)).collect()
    }
}
