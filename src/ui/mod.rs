//! Draws what [`App`] holds. No state, no decisions; colours come from [`theme`], numbers from [`format`].

pub mod flame;
pub mod format;
pub mod input;
pub mod stacks;
pub mod terminal;
