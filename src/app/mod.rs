//! Stub.
pub mod column;
pub mod filter;
pub mod names;
pub mod stacks;
