//! Stub.
pub mod flame;
pub mod stacks;
