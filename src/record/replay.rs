//! Playing a recording.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::codec::{self, HEADER_LEN, Next};
use super::{RecordError, boot};
use crate::collect::{Source, SourceError};
use crate::sample::{Cgroups, Details, Origin, ProcKey, Sample, Wants};

/// A recording as a source of samples: one frame a tick, whatever the interval was when it was written; rates come out right, since
/// they follow from the times in the samples.
pub struct Replay {
    input: BufReader<File>,
    path: PathBuf,
    version: u16,
    buffer: Vec<u8>,
    /// The first frame, read when the recording was opened.
    first: Option<Next>,
    details: FxHashMap<ProcKey, Details>,
    played: u64,
    wants: Wants,
}

impl Replay {
    /// Opens a recording.
    ///
    /// # Errors
    /// The file cannot be read, is not a recording, or has another version.
    pub fn open(path: &Path) -> Result<Replay, RecordError> {
        let mut input = BufReader::new(File::open(path).map_err(RecordError::io(path))?);
        let mut header = [0; HEADER_LEN];
        codec::read_full(&mut input, &mut header).map_err(RecordError::io(path))?;
        let name = || path.display().to_string();
        let version = match codec::version_of(&header) {
            Some(version @ codec::OLDEST..=codec::VERSION) => version,
            Some(version) => return Err(RecordError::Version { path: name(), version }),
            None => return Err(RecordError::NotARecording(name())),
        };
        let mut buffer = Vec::new();
        let first = codec::next_frame(&mut input, version, &mut buffer).map_err(RecordError::io(path))?;
        Ok(Replay {
            input,
            path: path.to_owned(),
            version,
            buffer,
            first: Some(first),
            details: FxHashMap::default(),
            played: 0,
            wants: Wants::NONE,
        })
    }

    /// Drops details of processes that neither live nor ended in this sample, once they outnumber those that do.
    fn forget_ended(&mut self, sample: &Sample) {
        if self.details.len() <= 2 * (sample.tasks.len() + sample.exits.len()) + 64 {
            return;
        }
        let exits: rustc_hash::FxHashSet<ProcKey> = sample.exits.iter().map(|exit| exit.task.key).collect();
        self.details.retain(|key, _| exits.contains(key) || sample.tasks.binary_search_by_key(key, |task| task.key).is_ok());
    }

    fn broken(&self, how: &str) -> SourceError {
        SourceError::Failed(format!("{}: {how} after {} samples; what came before it is whole", self.path.display(), self.played))
    }
}

impl Source for Replay {
    fn sample(&mut self) -> Result<Sample, SourceError> {
        let next = self.first.take().map_or_else(|| codec::next_frame(&mut self.input, self.version, &mut self.buffer), Ok);
        match next {
            Ok(Next::Frame(mut frame)) => {
                self.played += 1;
                if self.wants.cgroups && frame.sample.cgroups.is_none() {
                    frame.sample.cgroups = Some(no_cgroups(frame.sample.at_ns, self.version));
                }
                self.details.extend(frame.details);
                self.forget_ended(&frame.sample);
                Ok(frame.sample)
            }
            Ok(Next::End) => Err(SourceError::End),
            Ok(Next::Torn) => Err(self.broken("the recording was cut off")),
            Ok(Next::Damaged) => Err(self.broken("the recording is damaged")),
            Err(error) => Err(self.broken(&error.to_string())),
        }
    }

    fn want(&mut self, wants: Wants) {
        self.wants = wants;
    }

    fn details(&mut self, key: ProcKey) -> Option<Details> {
        self.details.get(&key).cloned()
    }

    fn has_own_details(&self) -> bool {
        true
    }

    fn origin(&self) -> Origin {
        match &self.first {
            Some(Next::Frame(frame)) if boot::is_of_this_boot(&frame.sample) => Origin::Here,
            _ => Origin::Elsewhere,
        }
    }
}

/// Why there are none.
fn no_cgroups(at_ns: u64, version: u16) -> Arc<Cgroups> {
    let trouble = match version {
        codec::OLDEST => format!("this recording has format {version}, which holds no cgroups: record anew with this ebtop"),
        _ => "the recording holds no cgroups here".to_owned(),
    };
    Arc::new(Cgroups { at_ns, trouble: Some(trouble), ..Cgroups::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Recorder;
    use crate::sample::Task;
    use std::io::Write;

    fn sample(at_ns: u64, pids: std::ops::Range<u32>) -> Sample {
        let tasks = pids.map(|pid| Task { key: ProcKey { pid, start_ns: 1 }, state: b'S', ..Task::default() }).collect();
        Sample { at_ns, tasks, ..Sample::default() }
    }

    fn details(pid: u32) -> (ProcKey, Details) {
        (ProcKey { pid, start_ns: 1 }, Details { cmdline: format!("number {pid}"), ..Details::default() })
    }

    #[test]
    fn plays_what_was_recorded_then_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let mut recorder = Recorder::create(&path).unwrap();
        recorder.sample(&sample(1, 1..3)).unwrap();
        recorder.details(&[details(2)]);
        recorder.sample(&sample(2, 2..4)).unwrap();
        recorder.sample(&sample(3, 2..4)).unwrap();

        let mut replay = Replay::open(&path).unwrap();
        assert_eq!(replay.sample().unwrap(), sample(1, 1..3));
        assert_eq!(replay.details(details(2).0), None);
        assert_eq!(replay.sample().unwrap(), sample(2, 2..4));
        assert_eq!(replay.sample().unwrap(), sample(3, 2..4));
        assert_eq!(replay.details(details(2).0), Some(details(2).1));
        assert!(matches!(replay.sample(), Err(SourceError::End)));
    }

    #[test]
    fn an_older_recording_plays_and_says_what_it_lacks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let body = postcard::to_allocvec(&(sample(1, 1..3), vec![details(2)])).unwrap();
        let mut bytes = b"ebtop\0rec\x04\0".to_vec();
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(crc32fast::hash(&body).to_le_bytes());
        bytes.extend(body);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(Replay::open(&path).unwrap().sample().unwrap(), sample(1, 1..3));
        let mut replay = Replay::open(&path).unwrap();
        replay.want(Wants { cgroups: true, ..Wants::NONE });
        let played = replay.sample().unwrap();
        assert_eq!(replay.details(details(2).0), Some(details(2).1));
        let cgroups = played.cgroups.unwrap();
        assert!(cgroups.list.is_empty() && cgroups.trouble.as_ref().unwrap().contains("has format 4, which holds no cgroups"));
    }

    #[test]
    fn a_torn_tail_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let mut recorder = Recorder::create(&path).unwrap();
        recorder.sample(&sample(1, 1..3)).unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&[9, 0, 0, 0, 1]).unwrap();
        let mut replay = Replay::open(&path).unwrap();
        assert!(replay.sample().is_ok());
        let Err(SourceError::Failed(message)) = replay.sample() else { panic!("not told") };
        assert!(message.contains("cut off after 1 samples"), "{message}");
    }

    #[test]
    fn other_files_and_versions_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        std::fs::write(&path, "hello").unwrap();
        assert!(matches!(Replay::open(&path), Err(RecordError::NotARecording(_))));
        std::fs::write(&path, b"ebtop\0rec\x09\x01").unwrap();
        assert!(matches!(Replay::open(&path), Err(RecordError::Version { version: 0x109, .. })));
    }

    #[test]
    fn details_of_ended_processes_do_not_pile_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let mut recorder = Recorder::create(&path).unwrap();
        for tick in 0..50 {
            recorder.details(&(tick * 10..tick * 10 + 10).map(details).collect::<Vec<_>>());
            recorder.sample(&sample(1, tick * 10..tick * 10 + 10)).unwrap();
        }
        let mut replay = Replay::open(&path).unwrap();
        while replay.sample().is_ok() {
            assert!(replay.details.len() <= 2 * 10 + 64);
        }
        assert_eq!(replay.details(details(499).0), Some(details(499).1));
    }
}
