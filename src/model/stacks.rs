//! Stack samples over time, and trees of them.
//!
//! [`StackHistory`] keeps the samples of the last minutes; [`StackTree`] folds a window of them into functions, root first.

mod callers;
mod compare;
mod frames;
mod grow;
mod history;
mod hottest;
mod label;
mod measure;
mod node;
mod scope;
mod shape;
mod slots;
mod tree;
mod window;

pub use frames::Naming;
pub use history::{Sampled, StackHistory};
pub use hottest::{HotFunction, Hottest};
pub use label::Label;
pub(crate) use label::{part_of, remark_on, remark_on_waker};
pub use measure::{Measure, Unit};
pub use node::{Node, NodeId};
pub use scope::Scope;
pub use shape::{ByProcess, Shape};
pub use tree::{Missing, StackTree};
pub use window::{Baseline, Stack, StackUse, Window};
