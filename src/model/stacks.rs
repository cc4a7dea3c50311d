//! Stack samples over time, and trees of them.
//!
//! [`StackHistory`] keeps the samples of the last minutes; [`StackTree`] folds a window of them into functions, root first.

mod frames;
mod history;
mod hottest;
mod label;
mod node;
mod tree;
mod window;

pub use frames::Naming;
pub use history::StackHistory;
pub use hottest::{HotFunction, Hottest};
pub use label::Label;
pub use node::{Node, NodeId};
pub use tree::{Missing, StackTree};
pub use window::{Stack, StackUse, Window};
