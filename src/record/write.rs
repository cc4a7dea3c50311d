//! Writing a recording.

use std::fs::File;
use std::io::{ErrorKind, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::RecordError;
use super::codec::{self, FRAME_LIMIT, FrameRef, HEADER_LEN};
use crate::files::{Opened, open_or_make};
use crate::sample::{Details, ProcKey, Sample};

/// Writes samples to a file as they come, one write a frame, so that a reader beside it (or after a crash) finds whole frames.
pub struct Recorder {
    file: File,
    path: PathBuf,
    /// Read since the last sample, to go out with the next.
    details: Vec<(ProcKey, Details)>,
    buffer: Vec<u8>,
}

impl Recorder {
    /// Creates the file for its owner only (command lines hold secrets). An older recording of the same user is replaced; any other
    /// file, and a symbolic link above all, is left alone, since this may run as root in a directory that others write to.
    ///
    /// # Errors
    /// The file cannot be made, or the name is taken by something that is not a recording of this user.
    pub fn create(path: &Path) -> Result<Recorder, RecordError> {
        let file = create(path)?;
        let mut recorder = Recorder { file, path: path.to_owned(), details: Vec::new(), buffer: Vec::new() };
        recorder.write(&codec::header())?;
        Ok(recorder)
    }

    /// Keeps details for the next frame.
    pub fn details(&mut self, details: &[(ProcKey, Details)]) {
        self.details.extend_from_slice(details);
    }

    /// Writes one frame.
    ///
    /// # Errors
    /// The disk is full or gone, or the sample is too large.
    pub fn sample(&mut self, sample: &Sample) -> Result<(), RecordError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let encoded = codec::encode(&FrameRef::new(sample, &self.details), &mut buffer);
        if encoded.is_err() || buffer.len() - 8 > FRAME_LIMIT {
            return Err(RecordError::TooLarge(buffer.len()));
        }
        self.write(&buffer)?;
        self.buffer = buffer;
        self.details.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        self.file.write_all(bytes).map_err(RecordError::io(&self.path))
    }
}

fn create(path: &Path) -> Result<File, RecordError> {
    let not_ours = || RecordError::NotOurs(path.display().to_string());
    let mut file = match open_or_make(path) {
        Ok(Opened::New(file)) => return Ok(file),
        Ok(Opened::Old(file)) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(not_ours()),
        Err(error) => return Err(RecordError::io(path)(error)),
    };
    if !is_recording(&mut file).map_err(RecordError::io(path))? {
        return Err(not_ours());
    }
    let restart = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.set_permissions(PermissionsExt::from_mode(0o600)));
    restart.map_err(RecordError::io(path))?;
    Ok(file)
}

/// Whether a file is empty or begins like a recording.
fn is_recording(file: &mut File) -> std::io::Result<bool> {
    let mut header = [0; HEADER_LEN];
    let length = codec::read_full(file, &mut header)?;
    Ok(length == 0 || codec::version_of(&header).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn files_of_others_stay_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let [text, link, twice, fifo] = ["text", "link", "twice", "fifo"].map(|name| dir.path().join(name));
        std::fs::write(&text, "precious").unwrap();
        symlink(dir.path().join("new"), &link).unwrap();
        let recording = dir.path().join("recording");
        Recorder::create(&recording).unwrap();
        std::fs::hard_link(&recording, &twice).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        for path in [&text, &link, &twice, &fifo, &dir.path().to_owned()] {
            assert!(matches!(Recorder::create(path), Err(RecordError::NotOurs(_))), "{path:?}");
        }
        assert_eq!(std::fs::read(&text).unwrap(), b"precious");
        assert!(!dir.path().join("new").exists());
    }

    #[test]
    fn an_older_recording_is_replaced_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        Recorder::create(&path).unwrap().sample(&Sample::default()).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        Recorder::create(&path).unwrap();
        let facts = std::fs::metadata(&path).unwrap();
        assert_eq!((facts.len(), facts.permissions().mode() & 0o777), (HEADER_LEN as u64, 0o600));
    }
}
