//! Writing a recording.

use std::fs::File;
use std::io::{ErrorKind, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::RecordError;
use super::codec::{self, FRAME_LIMIT, FrameRef, HEADER_LEN};
use crate::files::{Opened, open_or_make};
use crate::sample::{Details, ProcKey, Sample};

/// Bytes of details that go out with one sample; what is more follows with the next. Command lines of everybody are in them.
const DETAILS_BYTES: usize = FRAME_LIMIT / 4;

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
    /// The file cannot be made, the name is taken by something that is not a recording of this user, or another ebtop is writing it.
    pub fn create(path: &Path) -> Result<Recorder, RecordError> {
        let file = create(path)?;
        let mut recorder = Recorder { file, path: path.to_owned(), details: Vec::new(), buffer: Vec::new() };
        recorder.write(&codec::header())?;
        Ok(recorder)
    }

    /// Into any file, as it is.
    #[cfg(test)]
    pub(super) fn over(file: File, path: &str) -> Recorder {
        Recorder { file, path: path.into(), details: Vec::new(), buffer: Vec::new() }
    }

    /// Keeps details for the next frame.
    pub fn details(&mut self, details: &[(ProcKey, Details)]) {
        self.details.extend_from_slice(details);
    }

    /// Writes one frame, with the oldest of the details that it has room for.
    ///
    /// # Errors
    /// The disk is full or gone, or the sample is too large.
    pub fn sample(&mut self, sample: &Sample) -> Result<(), RecordError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut room = DETAILS_BYTES;
        let fits = |(_, details): &&(ProcKey, Details)| {
            let left = room.checked_sub(bytes_of(details));
            room = left.unwrap_or(0);
            left.is_some()
        };
        let fitting = self.details.iter().take_while(fits).count();
        let encoded = codec::encode(&FrameRef::new(sample, &self.details[..fitting]), &mut buffer);
        if encoded.is_err() || buffer.len() - 8 > FRAME_LIMIT {
            return Err(RecordError::TooLarge(buffer.len()));
        }
        self.write(&buffer)?;
        self.buffer = buffer;
        self.details.drain(..fitting);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        self.file.write_all(bytes).map_err(RecordError::io(&self.path))
    }
}

/// About what details take in a frame, at most.
fn bytes_of(details: &Details) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    1024 + details.cmdline.len() + details.user.len() + optional(&details.exe) + optional(&details.cgroup)
}

fn create(path: &Path) -> Result<File, RecordError> {
    let not_ours = || RecordError::NotOurs(path.display().to_string());
    let mut file = match open_or_make(path) {
        Ok(Opened::New(file)) => return lock(&file, path).map(|()| file),
        Ok(Opened::Old(file)) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(not_ours()),
        Err(error) => return Err(RecordError::io(path)(error)),
    };
    if !is_recording(&mut file).map_err(RecordError::io(path))? {
        return Err(not_ours());
    }
    lock(&file, path)?;
    let restart = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.set_permissions(PermissionsExt::from_mode(0o600)));
    restart.map_err(RecordError::io(path))?;
    Ok(file)
}

/// Two at a time would each write over what the other wrote. The lock goes with the process.
fn lock(file: &File, path: &Path) -> Result<(), RecordError> {
    let locked = rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive);
    match locked {
        Err(Errno::WOULDBLOCK) => Err(RecordError::InUse(path.display().to_string())),
        // Not every file system can.
        _ => Ok(()),
    }
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
    use crate::collect::Source;
    use crate::record::Replay;
    use crate::sample::Task;
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
    fn one_writes_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let mut first = Recorder::create(&path).unwrap();
        first.sample(&Sample::default()).unwrap();
        let length = std::fs::metadata(&path).unwrap().len();
        assert!(matches!(Recorder::create(&path), Err(RecordError::InUse(_))));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), length, "as it was");
        drop(first);
        Recorder::create(&path).unwrap();
    }

    #[test]
    fn details_that_no_frame_has_room_for_are_spread_over_some() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let mut recorder = Recorder::create(&path).unwrap();
        let cmdline = "\u{fffd}".repeat(4096);
        let told = |pid| (ProcKey { pid, start_ns: 1 }, Details { cmdline: cmdline.clone(), ..Details::default() });
        let count = 2 * FRAME_LIMIT / cmdline.len();
        recorder.details(&(0..count as u32).map(told).collect::<Vec<_>>());
        // Those that are asked for must live.
        let tasks: Vec<_> = (0..count as u32).map(|pid| Task { key: ProcKey { pid, start_ns: 1 }, ..Task::default() }).collect();
        let sample = Sample { tasks: tasks.into(), ..Sample::default() };
        (0..10).for_each(|_| recorder.sample(&sample).unwrap());
        let mut replay = Replay::open(&path).unwrap();
        let mut known_after = || {
            replay.sample().unwrap();
            sample.tasks.iter().filter(|task| replay.details(task.key).is_some()).count()
        };
        assert!((1..count / 2).contains(&known_after()));
        (0..8).for_each(|_| {
            known_after();
        });
        assert_eq!(known_after(), count);
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
