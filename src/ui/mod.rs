//! Stub.
pub mod format;
pub mod flame;
pub mod stacks;
