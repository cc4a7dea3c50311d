//! Recordings: samples in a file, and the source that plays them again.
//!
//! A file is the magic, a version, then frames. Each frame is a length and a CRC-32 (both little-endian `u32`) and that many bytes:
//! the postcard form of a [`Sample`](crate::sample::Sample), of the [`Details`](crate::sample::Details) that were read since the frame
//! before, and of the control groups, which the format before had not. A writer that died leaves a torn last frame; everything before
//! it plays.

mod beside;
mod boot;
mod bound;
mod codec;
mod distrust;
mod groups;
mod keep;
mod past;
mod replay;
mod write;

pub use beside::Recording;
pub use keep::keep;
pub use past::Past;
pub use replay::Replay;
pub use write::Recorder;

/// Why a recording cannot be written or read. Each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Opening, reading or writing failed.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// What the kernel said.
        error: std::io::Error,
    },
    /// Something else has that name already.
    #[error("{0} exists and is not a recording of yours: give another name, or remove it first")]
    NotOurs(String),
    /// Somebody records into it right now.
    #[error("another ebtop is writing {0}: give another name")]
    InUse(String),
    /// The file was not written by ebtop.
    #[error("{0} is not an ebtop recording: give a file that `ebtop record -o` wrote")]
    NotARecording(String),
    /// Another ebtop wrote it.
    #[error("{path} has format {version}, this ebtop reads {} and {}: play it with the ebtop that wrote it", codec::OLDEST, codec::VERSION)]
    Version {
        /// The file.
        path: String,
        /// Its format.
        version: u16,
    },
    /// A sample is too large for the format.
    #[error("a sample of {0} bytes does not fit a recording ({limit} at most): `--probes tasks` records less", limit = codec::FRAME_LIMIT)]
    TooLarge(usize),
}

impl RecordError {
    fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> RecordError {
        let path = path.display().to_string();
        move |error| RecordError::Io { path, error }
    }
}
