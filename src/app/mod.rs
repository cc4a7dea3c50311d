//! Stub.
pub mod column;
pub mod filter;
