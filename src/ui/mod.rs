//! Stub.
pub mod format;
