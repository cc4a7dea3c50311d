//! Stack samples over time, and trees of them.
//!
//! [`StackHistory`] keeps the samples of the last minutes; [`StackTree`] folds a window of them into functions, root first.

mod frames;
mod history;
mod hottest;
mod label;
mod node;
mod tree;

pub use frames::Naming;
pub use history::{Stack, StackHistory, StackUse, Window};
pub use hottest::{HotFunction, Hottest};
pub use label::Label;
pub use node::{Node, NodeId};
pub use tree::{Missing, StackTree};
