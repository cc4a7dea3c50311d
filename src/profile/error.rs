//! Why there is no profile.

use std::io;

/// Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Options that make no sense.
    #[error("{0}")]
    Usage(String),
    /// There is no such process.
    #[error("there is no process {0}")]
    NoProcess(u32),
    /// The kernel half refuses.
    #[error("no stacks here: {0}")]
    Refused(String),
    /// The source failed.
    #[error("{0}")]
    Source(String),
    /// Nothing was seen.
    #[error("{0}")]
    Nothing(String),
    /// The output cannot be written.
    #[error("cannot write {0}: {1}")]
    Output(String, #[source] io::Error),
    /// Something else has that name already.
    #[error("{0} exists and is not a profile of yours: give another name, or remove it first")]
    NotOurs(String),
    /// Signals cannot be caught.
    #[error("cannot catch signals: {0}")]
    Signals(io::Error),
}
