//! Stack samples over time, and trees of them.
//!
//! [`StackHistory`] keeps the samples of the last minutes; [`StackTree`] folds a window of them into functions, root first.

mod frames;
mod history;
mod hottest;
mod label;
mod measure;
mod node;
mod scope;
mod slots;
mod tree;
mod window;

pub use frames::Naming;
pub use history::StackHistory;
pub use hottest::{HotFunction, Hottest};
pub use label::Label;
pub use measure::{Measure, Unit};
pub use node::{Node, NodeId};
pub use scope::Scope;
pub use tree::{ByProcess, Missing, Shape, StackTree};
pub use window::{Stack, StackUse, Window};
