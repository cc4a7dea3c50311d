//! Stack history, names and trees.

#[path = "../stack_world/mod.rs"]
mod stack_world;

mod even;
mod history;
mod names;
mod tree;

use ebtop::app::stacks::StacksView;
use ebtop::model::stacks::{NodeId, StackTree};
use stack_world::{World, view_of};

const S: u64 = 1_000_000_000;

/// The tree as lines `indent name total/own`.
fn outline(tree: &StackTree) -> String {
    fn add(tree: &StackTree, id: NodeId, out: &mut String) {
        let node = tree.node(id);
        *out += &format!("{}{} {}/{}\n", " ".repeat(node.depth()), tree.label(id).name, node.total, node.own);
        tree.children(id).for_each(|child| add(tree, child, out));
    }
    let mut out = String::new();
    add(tree, StackTree::ROOT, &mut out);
    out
}

/// Every path with its counts, whatever the order of siblings.
fn sorted_outline(tree: &StackTree) -> Vec<String> {
    let mut lines = Vec::new();
    let mut todo = vec![StackTree::ROOT];
    while let Some(id) = todo.pop() {
        let names: Vec<_> = tree.path(id).iter().map(|label| label.name.clone()).collect();
        lines.push(format!("{} {}/{}", names.join(";"), tree.node(id).total, tree.node(id).own));
        todo.extend(tree.children(id));
    }
    lines.sort();
    lines
}

fn outline_of(stacks: &[(&str, u32)]) -> String {
    outline(view_of(&World::of(stacks)).0.tree())
}

/// `name own/total` of the hottest functions.
fn hottest_of(view: &StacksView) -> Vec<String> {
    view.functions().iter().map(|f| format!("{} {}/{}", f.label.name, f.own, f.total)).collect()
}
