//! Exit codes beside 0 and 1.

/// Wrong usage, as clap has it.
const USAGE: u8 = 2;
/// Not even /proc can be read.
const NOTHING_LEFT: u8 = 3;
/// Batch output lacks something it should have.
pub const PARTIAL: u8 = 4;

/// Failures with an exit code of their own.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A value that no flag could check by itself.
    #[error("{0}")]
    Usage(String),
    /// No source could be started.
    #[error("{0}")]
    NothingLeft(String),
}

impl Failure {
    /// Its exit code.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => USAGE,
            Failure::NothingLeft(_) => NOTHING_LEFT,
        }
    }
}
