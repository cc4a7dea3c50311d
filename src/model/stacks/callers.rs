//! Who calls a function: the stacks above it, turned round.

use super::label::Label;
use super::node::{NONE, NodeId};
use super::tree::StackTree;

impl StackTree {
    /// A tree with one function below the root and its callers below it, theirs below them, as far as they are live. What is its own
    /// anywhere is what came from a stack that begins there. A recursive function is met where it was first called.
    pub fn callers_of(&self, function: &Label) -> StackTree {
        let mut callers = self.sibling();
        let Some(label) = self.labels().number_of(function) else { return callers };
        let mut ends: Vec<(NodeId, NodeId)> = Vec::new();
        for (at, node) in self.nodes().iter().enumerate() {
            let id = at as NodeId;
            if node.label != label || node.same_above != NONE || node.total == 0 && self.compared.total(id) == 0 {
                continue;
            }
            let (mut from, mut to) = (id, StackTree::ROOT);
            while from != StackTree::ROOT {
                let caller = self.node(from);
                to = callers.child(to, caller.label, caller.inlined);
                from = caller.parent;
            }
            ends.push((to, id));
        }
        callers.compared = self.compared.sibling(callers.nodes().len());
        for (end, id) in ends {
            callers.add_own(end, self.node(id).total);
            callers.compared.add_own(end, self.compared.total(id));
        }
        callers.sum();
        callers.order();
        callers
    }
}
