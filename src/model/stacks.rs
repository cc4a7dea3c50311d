//! Stack samples over time, and trees of them.
//!
//! [`StackHistory`] keeps the samples of the last minutes; [`StackTree`] folds a window of them into functions, root first.

mod history;
mod hottest;
mod tree;

pub use history::{Stack, StackHistory, StackUse, Window};
pub use hottest::HotFunction;
pub use tree::{Label, Missing, Naming, Node, NodeId, StackTree};
