//! A recording beside the screen: what it was given is written by a thread of its own, so that a slow disk holds up neither.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use rustc_hash::FxHashMap;

use super::keep::{Known, changed, to_ask};
use super::{RecordError, Recorder};
use crate::sample::{Details, ProcKey, Sample};

/// Samples on their way to the disk; with 10,000 processes each is megabytes.
const IN_FLIGHT: usize = 2;
/// How long the end of the writing is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// Names that are tried, where one is taken.
const NAMES: u32 = 100;

/// What goes into one frame.
type Written = (Arc<Sample>, Vec<(ProcKey, Details)>);

/// A recording under way. Dropping it ends it.
pub struct Recording {
    path: PathBuf,
    known: FxHashMap<ProcKey, Known>,
    /// Is written when the next sample comes: by then the details of its processes are there.
    waiting: Option<Arc<Sample>>,
    details: Vec<(ProcKey, Details)>,
    to_writer: Option<Sender<Written>>,
    /// Samples written, or why no more could be.
    outcome: Receiver<Result<u64, RecordError>>,
    /// Samples that found no room on their way.
    left_out: u64,
}

impl Recording {
    /// Makes the file, with the rights of the calling thread, and begins. Where the name is taken it gets a number.
    ///
    /// # Errors
    /// As [`Recorder::create`]; or there is no thread to be had.
    pub fn begin(stem: &str) -> Result<Recording, RecordError> {
        let name = |number: u32| if number == 1 { format!("{stem}.rec") } else { format!("{stem}-{number}.rec") };
        let is_free = |path: &PathBuf| path.symlink_metadata().is_err();
        let path = (1..NAMES).map(|number| PathBuf::from(name(number))).find(is_free).unwrap_or_else(|| name(NAMES).into());
        Recording::create(&path)
    }

    fn create(path: &Path) -> Result<Recording, RecordError> {
        let recorder = Recorder::create(path)?;
        let (to_writer, frames) = bounded(IN_FLIGHT);
        let (tell, outcome) = bounded(1);
        let work = move || drop(tell.send(write(recorder, &frames)));
        std::thread::Builder::new().name("recorder".into()).spawn(work).map_err(RecordError::io(path))?;
        Ok(Recording {
            path: path.to_owned(),
            known: FxHashMap::default(),
            waiting: None,
            details: Vec::new(),
            to_writer: Some(to_writer),
            outcome,
            left_out: 0,
        })
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes in a sample; whose details are to be asked for.
    pub fn sample(&mut self, sample: &Arc<Sample>) -> Vec<ProcKey> {
        if let Some(earlier) = self.waiting.replace(Arc::clone(sample)) {
            self.hand_over(earlier);
        }
        to_ask(&mut self.known, sample)
    }

    /// Takes in details, asked for by whomever.
    pub fn details(&mut self, found: &[(ProcKey, Details)]) {
        self.details.append(&mut changed(&mut self.known, found));
    }

    /// Counters go on, so rates stay right over one that is left out; its events are lost.
    fn hand_over(&mut self, sample: Arc<Sample>) {
        let Some(to_writer) = &self.to_writer else { return };
        match to_writer.try_send((sample, std::mem::take(&mut self.details))) {
            Ok(()) => {}
            Err(TrySendError::Full((_, details)) | TrySendError::Disconnected((_, details))) => {
                self.details = details;
                self.left_out += 1;
            }
        }
    }

    /// Why nothing more is written, if that is so.
    pub fn trouble(&self) -> Option<RecordError> {
        self.outcome.try_recv().ok().and_then(Result::err)
    }

    /// Writes what is still on its way. What came of it, in one line.
    ///
    /// # Errors
    /// Not all could be written; what was, plays.
    pub fn finish(mut self) -> Result<String, String> {
        let path = self.path.display().to_string();
        match self.end() {
            Ok(Ok(written)) if self.left_out > 0 => {
                Ok(format!("{written} samples are in {path}, {} are not: the disk did not keep up", self.left_out))
            }
            Ok(Ok(written)) => Ok(format!("{written} samples are in {path}: ebtop replay plays them")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("{path} is still being written: the disk does not keep up")),
        }
    }

    fn end(&mut self) -> Result<Result<u64, RecordError>, RecvTimeoutError> {
        if let Some(last) = self.waiting.take() {
            self.hand_over(last);
        }
        self.to_writer = None;
        self.outcome.recv_timeout(PATIENCE)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if self.to_writer.is_some() {
            let _ = self.end();
        }
    }
}

/// Writes until there is no more, or it fails.
fn write(mut recorder: Recorder, frames: &Receiver<Written>) -> Result<u64, RecordError> {
    let mut written = 0;
    for (sample, details) in frames {
        recorder.details(&details);
        recorder.sample(&sample)?;
        written += 1;
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::Source;
    use crate::record::Replay;
    use crate::sample::Task;

    fn sample(at_ns: u64) -> Arc<Sample> {
        let task = Task { key: ProcKey { pid: at_ns as u32, start_ns: 1 }, state: b'S', ..Task::default() };
        Arc::new(Sample { at_ns, tasks: vec![task].into(), ..Sample::default() })
    }

    fn told(key: ProcKey) -> (ProcKey, Details) {
        (key, Details { cmdline: format!("number {}", key.pid), ..Details::default() })
    }

    #[test]
    fn all_that_was_given_plays_with_its_details() {
        let dir = tempfile::tempdir().unwrap();
        let stem = dir.path().join("r").display().to_string();
        let mut recording = Recording::begin(&stem).unwrap();
        for at_ns in 1..=5 {
            let asked = recording.sample(&sample(at_ns));
            assert_eq!(asked, [sample(at_ns).tasks[0].key]);
            recording.details(&asked.into_iter().map(told).collect::<Vec<_>>());
            // The writer is given its time.
            while recording.to_writer.as_ref().is_some_and(|to_writer| !to_writer.is_empty()) {
                std::thread::yield_now();
            }
        }
        let path = recording.path().to_owned();
        assert_eq!(path, dir.path().join("r.rec"));
        assert_eq!(recording.finish().unwrap(), format!("5 samples are in {}: ebtop replay plays them", path.display()));
        let mut replay = Replay::open(&path).unwrap();
        for at_ns in 1..=5 {
            let played = replay.sample().unwrap();
            assert_eq!(played, *sample(at_ns));
            assert_eq!(replay.details(played.tasks[0].key), Some(told(played.tasks[0].key).1));
        }
        assert!(replay.sample().is_err());
    }

    #[test]
    fn a_name_that_is_taken_stays_as_it_is_and_dropping_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let stem = dir.path().join("r").display().to_string();
        std::fs::write(format!("{stem}.rec"), "precious").unwrap();
        let mut recording = Recording::begin(&stem).unwrap();
        assert_eq!(recording.path().display().to_string(), format!("{stem}-2.rec"));
        recording.sample(&sample(1));
        drop(recording);
        assert_eq!(std::fs::read(format!("{stem}.rec")).unwrap(), b"precious");
        assert_eq!(Replay::open(Path::new(&format!("{stem}-2.rec"))).unwrap().sample().unwrap(), *sample(1));
    }

    #[test]
    fn what_cannot_be_written_is_told() {
        let Err(error) = Recording::begin("/none/such/r") else { panic!("there is no such directory") };
        assert!(error.to_string().starts_with("/none/such/r.rec: "), "{error}");
        // Writing there always fails.
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (to_writer, frames) = bounded(1);
        to_writer.send((sample(1), Vec::new())).unwrap();
        assert!(write(Recorder::over(full, "full"), &frames).unwrap_err().to_string().contains("No space left"));
    }
}
