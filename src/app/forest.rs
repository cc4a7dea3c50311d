//! Puts lines below their parents: trees of processes, members below their group. Siblings are sorted by what their whole subtree has.

use super::column::Value;
use super::order::Entry;

/// A line before it has its place. Nodes come ascending by key.
#[derive(Debug)]
pub struct Node<'a, K> {
    /// Who, for good.
    pub key: K,
    /// Index of the node above; it is not below this one.
    pub parent: Option<u32>,
    /// What it has itself.
    pub value: Value<'a>,
    /// It passes the filter.
    pub passes: bool,
}

/// Where a line stands among others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Branch {
    /// How many lines it is below.
    pub depth: u16,
    /// Bit n: nothing follows below its ancestor at depth n, itself included. Deeper ones are not kept.
    pub last: u64,
    /// What is below it is not shown.
    pub is_folded: bool,
    /// It is there for the sake of a line below it that passes the filter.
    pub is_context: bool,
}

/// A line in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of its node.
    pub node: u32,
    /// Where it stands.
    pub branch: Branch,
    /// Folded: the nodes it stands for, itself first.
    pub within: Vec<u32>,
}

/// Levels whose lines are drawn.
const DRAWN_DEPTH: u16 = 63;

/// Children of each node, in some order: those of node n are `all[from[n]..from[n + 1]]`; the last place holds the roots.
struct Children {
    from: Vec<u32>,
    all: Vec<u32>,
}

impl Children {
    /// `order`: nodes in the order wanted.
    fn new<K>(nodes: &[Node<'_, K>], order: impl Iterator<Item = u32> + Clone) -> Children {
        let place = |node: u32| nodes[node as usize].parent.map_or(nodes.len(), |p| p as usize);
        let mut from = vec![0; nodes.len() + 2];
        order.clone().for_each(|node| from[place(node) + 1] += 1);
        for i in 1..from.len() {
            from[i] += from[i - 1];
        }
        let mut next = from.clone();
        let mut all = vec![0; order.clone().count()];
        for node in order {
            let at = &mut next[place(node)];
            all[*at as usize] = node;
            *at += 1;
        }
        Children { from, all }
    }

    fn of(&self, place: usize) -> &[u32] {
        &self.all[self.from[place] as usize..self.from[place + 1] as usize]
    }

    /// A node and all below it, parents before children.
    fn subtree(&self, node: u32) -> Vec<u32> {
        let mut found = vec![node];
        let mut next = 0;
        while let Some(&node) = found.get(next) {
            found.extend(self.of(node as usize));
            next += 1;
        }
        found
    }
}

/// Nodes that pass, and those they are below.
fn kept<K>(nodes: &[Node<'_, K>]) -> Vec<bool> {
    let mut kept = vec![false; nodes.len()];
    for (index, _) in nodes.iter().enumerate().filter(|(_, node)| node.passes) {
        let mut at = Some(index as u32);
        while let Some(node) = at.filter(|&node| !kept[node as usize]) {
            kept[node as usize] = true;
            at = nodes[node as usize].parent;
        }
    }
    kept
}

/// Arranges nodes whose links make no circle. `sort` brings entries, given ascending by key, in order; `is_folded` says which nodes
/// hide what is below.
pub fn arrange<'a, K: Copy>(
    nodes: &[Node<'a, K>],
    is_folded: impl Fn(K) -> bool,
    sort: impl FnOnce(&[Entry<'a, K, u32>]) -> Vec<(K, u32)>,
) -> Vec<Place> {
    let kept = kept(nodes);
    let all = (0..nodes.len() as u32).filter(|&node| kept[node as usize]);
    let children = Children::new(nodes, all);
    let mut values: Vec<Value<'a>> = nodes.iter().map(|node| node.value.clone()).collect();
    let roots = children.of(nodes.len()).iter();
    let down: Vec<u32> = roots.flat_map(|&root| children.subtree(root)).collect();
    for &node in down.iter().rev() {
        if let Some(parent) = nodes[node as usize].parent {
            values[parent as usize] = values[parent as usize].plus(&values[node as usize]);
        }
    }
    place(nodes, &values, &kept, is_folded, sort)
}

/// The same where the value of a node is already that of all below it.
pub fn arrange_as_counted<'a, K: Copy>(
    nodes: &[Node<'a, K>],
    is_folded: impl Fn(K) -> bool,
    sort: impl FnOnce(&[Entry<'a, K, u32>]) -> Vec<(K, u32)>,
) -> Vec<Place> {
    let values: Vec<Value<'a>> = nodes.iter().map(|node| node.value.clone()).collect();
    place(nodes, &values, &kept(nodes), is_folded, sort)
}

/// Sorts those that are kept by these values, and puts each below its parent.
fn place<'a, K: Copy>(
    nodes: &[Node<'a, K>],
    values: &[Value<'a>],
    kept: &[bool],
    is_folded: impl Fn(K) -> bool,
    sort: impl FnOnce(&[Entry<'a, K, u32>]) -> Vec<(K, u32)>,
) -> Vec<Place> {
    let all = (0..nodes.len() as u32).filter(|&node| kept[node as usize]);
    let entry = |node: u32| Entry { key: nodes[node as usize].key, line: node, value: values[node as usize].clone() };
    let entries: Vec<_> = all.map(entry).collect();
    let order = sort(&entries);
    let children = Children::new(nodes, order.iter().map(|(_, node)| *node));
    descend(nodes, &children, is_folded)
}

/// From the roots down, depth first.
fn descend<K: Copy>(nodes: &[Node<'_, K>], children: &Children, is_folded: impl Fn(K) -> bool) -> Vec<Place> {
    let mut places = Vec::with_capacity(children.all.len());
    let mut open: Vec<(u32, Branch)> = Vec::new();
    push_all(&mut open, children.of(nodes.len()), None);
    while let Some((index, branch)) = open.pop() {
        let (node, below) = (&nodes[index as usize], children.of(index as usize));
        let is_folded = !below.is_empty() && is_folded(node.key);
        let within = if is_folded { children.subtree(index) } else { Vec::new() };
        places.push(Place { node: index, branch: Branch { is_folded, is_context: !node.passes, ..branch }, within });
        if !is_folded {
            push_all(&mut open, below, Some(branch));
        }
    }
    places
}

/// The first is taken from the stack first.
fn push_all(open: &mut Vec<(u32, Branch)>, siblings: &[u32], above: Option<Branch>) {
    let depth = above.map_or(0, |above| above.depth.saturating_add(1));
    let last = above.map_or(0, |above| above.last);
    for (from_the_end, &node) in siblings.iter().rev().enumerate() {
        let bit = if from_the_end == 0 && depth <= DRAWN_DEPTH { 1 << depth } else { 0 };
        open.push((node, Branch { depth, last: last | bit, ..Branch::default() }));
    }
}

impl Branch {
    /// The lines that lead to it, at most so many cells: what is deeper begins with `…`.
    pub fn drawn(&self, cells: usize) -> String {
        if self.depth == 0 {
            return String::new();
        }
        let ends = |depth: u16| depth > DRAWN_DEPTH || self.last & 1 << depth != 0;
        let shown = (cells / 2).clamp(1, usize::from(DRAWN_DEPTH)).min(usize::from(self.depth)) as u16;
        let first = self.depth - shown + 1;
        let mut text = String::new();
        for depth in first..self.depth {
            text += if depth == first && first > 1 {
                "… "
            } else if ends(depth) {
                "  "
            } else {
                "│ "
            };
        }
        text + if ends(self.depth) { "└─" } else { "├─" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::order::{self, Ranks};
    use proptest::prelude::*;

    fn nodes(all: &[(Option<u32>, f64, bool)]) -> Vec<Node<'static, u32>> {
        let node = |(key, &(parent, value, passes))| Node { key, parent, value: Value::Percent(value), passes };
        (0..).zip(all).map(node).collect()
    }

    fn arranged(all: &[(Option<u32>, f64, bool)], folded: &[u32]) -> Vec<Place> {
        let sort = |entries: &[Entry<'static, u32, u32>]| order::sort(entries, true, &mut Ranks::default());
        arrange(&nodes(all), |key| folded.contains(&key), sort)
    }

    fn drawn(all: &[(Option<u32>, f64, bool)], folded: &[u32]) -> Vec<String> {
        arranged(all, folded).iter().map(|p| format!("{}{}", p.branch.drawn(40), p.node)).collect()
    }

    const FAMILY: [(Option<u32>, f64, bool); 6] =
        [(None, 1.0, true), (Some(0), 2.0, true), (Some(1), 50.0, true), (Some(0), 30.0, true), (None, 60.0, true), (Some(1), 3.0, true)];

    #[test]
    fn a_hot_child_lifts_its_parents() {
        assert_eq!(drawn(&FAMILY, &[]), ["0", "├─1", "│ ├─2", "│ └─5", "└─3", "4"]);
    }

    #[test]
    fn a_fold_stands_for_what_is_below() {
        let places = arranged(&FAMILY, &[1, 4]);
        assert_eq!(places.iter().map(|p| p.node).collect::<Vec<_>>(), [0, 1, 3, 4]);
        assert_eq!(places[1].within, [1, 2, 5]);
        assert!(places[3].within.is_empty() && !places[3].branch.is_folded, "nothing is below it");
    }

    #[test]
    fn what_is_counted_with_all_below_is_not_summed_again() {
        let sort = |entries: &[Entry<'static, u32, u32>]| order::sort(entries, true, &mut Ranks::default());
        let family = [(None, 50.0, true), (Some(0), 50.0, true), (None, 60.0, true)];
        let places = arrange_as_counted(&nodes(&family), |_| false, sort);
        assert_eq!(places.iter().map(|p| p.node).collect::<Vec<_>>(), [2, 0, 1]);
    }

    #[test]
    fn a_filter_keeps_the_way_to_what_passes() {
        let mut family = FAMILY.map(|(parent, value, _)| (parent, value, false));
        family[2].2 = true;
        let places = arranged(&family, &[]);
        assert_eq!(places.iter().map(|p| (p.node, p.branch.is_context)).collect::<Vec<_>>(), [(0, true), (1, true), (2, false)]);
    }

    #[test]
    fn what_is_deep_is_drawn_in_its_room() {
        let chain: Vec<_> = (0..2000u32).map(|i| (i.checked_sub(1), 1.0, true)).collect();
        let places = arranged(&chain, &[]);
        assert_eq!(places.len(), 2000);
        for place in &places {
            assert!(place.branch.drawn(20).chars().count() <= 20);
        }
        assert!(places[1999].branch.drawn(20).starts_with("… "));
    }

    proptest! {
        #[test]
        fn nobody_is_lost_and_parents_come_first(links in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), 0.0..100.0f64), 1..80)) {
            let all: Vec<_> = links.iter().enumerate()
                .map(|(i, (to, root, value))| ((!root && i > 0).then(|| to.index(i) as u32), *value, true)).collect();
            let places = arranged(&all, &[]);
            let mut seen = vec![false; all.len()];
            for place in &places {
                let parent = all[place.node as usize].0;
                prop_assert!(parent.is_none_or(|p| seen[p as usize]));
                prop_assert!(!std::mem::replace(&mut seen[place.node as usize], true));
            }
            prop_assert!(seen.iter().all(|&s| s));
        }
    }
}
