//! Stub.
pub mod names;
pub mod stacks;
