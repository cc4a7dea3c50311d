//! The loop behind `ebtop record`: every sample to the file, with the details of each process once.

use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::{Receiver, select};
use rustc_hash::FxHashMap;

use super::Recorder;
use crate::collect::Collector;
use crate::interrupt::Interrupt;
use crate::sample::{Command, ProcKey, Sample, Task, Update};

/// Records until there are `iterations` samples, the source ends, or SIGINT, SIGTERM or SIGHUP; what was recorded stays.
///
/// # Errors
/// The file cannot be made or written, signals cannot be caught, or the source failed for good.
pub fn keep(collector: &Collector, path: &Path, iterations: Option<u64>) -> anyhow::Result<()> {
    let mut recorder = Recorder::create(path)?;
    let interrupt = Interrupt::catch()?;
    record(collector, &mut recorder, iterations.unwrap_or(u64::MAX), &interrupt.stopped)
}

/// A sample is written once the details of its new processes are there, so that the two play together; one whose details are long
/// in coming is written when the next sample comes.
fn record(collector: &Collector, recorder: &mut Recorder, iterations: u64, stopped: &Receiver<()>) -> anyhow::Result<()> {
    let mut known = FxHashMap::default();
    let mut waiting: Option<Arc<Sample>> = None;
    let mut written = 0;
    while written < iterations {
        let update = select! {
            recv(stopped) -> _ => Update::End(None),
            recv(collector.updates) -> update => update.unwrap_or_else(|_| Update::End(Some("the collector stopped".into()))),
        };
        let next = match &update {
            Update::Sample(sample) => {
                collector.send(Command::Details(not_yet_known(&mut known, sample)));
                Some(Arc::clone(sample))
            }
            Update::Details(details) => {
                recorder.details(details);
                None
            }
            Update::Inspected(..) | Update::End(_) => None,
        };
        if let Some(sample) = std::mem::replace(&mut waiting, next) {
            recorder.sample(&sample)?;
            written += 1;
        }
        match update {
            Update::End(Some(reason)) => anyhow::bail!(reason),
            Update::End(None) => break,
            _ => {}
        }
    }
    Ok(())
}

/// Processes whose details are not in the file yet, or are older than their last exec.
fn not_yet_known(known: &mut FxHashMap<ProcKey, u64>, sample: &Sample) -> Vec<ProcKey> {
    let tasks = &sample.tasks;
    if known.len() > tasks.len() * 2 {
        known.retain(|key, _| tasks.binary_search_by_key(key, |task| task.key).is_ok());
    }
    let is_new = |task: &&Task| known.insert(task.key, task.exec_id) != Some(task.exec_id);
    tasks.iter().filter(is_new).map(|task| task.key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::{Source, SourceError};
    use crate::record::Replay;
    use crate::sample::{Details, Wants};

    /// A new process at every tick.
    struct Births(u32);

    impl Source for Births {
        fn sample(&mut self) -> Result<Sample, SourceError> {
            self.0 += 1;
            let task = Task { key: ProcKey { pid: self.0, start_ns: 1 }, ..Task::default() };
            Ok(Sample { at_ns: self.0.into(), tasks: vec![task].into(), ..Sample::default() })
        }

        fn want(&mut self, _wants: Wants) {}

        fn details(&mut self, key: ProcKey) -> Option<Details> {
            Some(Details { cmdline: key.pid.to_string(), ..Details::default() })
        }

        fn has_own_details(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_sample_and_the_details_of_its_processes_play_together() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let collector = Collector::start(std::time::Duration::from_millis(100), || Ok(Births(0))).unwrap();
        let stopped = crossbeam_channel::never();
        record(&collector, &mut Recorder::create(&path).unwrap(), 2, &stopped).unwrap();
        let mut replay = Replay::open(&path).unwrap();
        for pid in [1, 2] {
            let sample = replay.sample().unwrap();
            let told = replay.details(sample.tasks[0].key).map(|details| details.cmdline);
            assert_eq!((sample.at_ns, told), (pid, Some(pid.to_string())));
        }
        assert!(replay.sample().is_err());
    }

    #[test]
    fn details_are_asked_for_once_and_after_each_exec() {
        let task = |pid, exec_id| Task { key: ProcKey { pid, start_ns: 1 }, exec_id, ..Task::default() };
        let asked = |known: &mut FxHashMap<_, _>, tasks: Vec<Task>| {
            let new = not_yet_known(known, &Sample { tasks: tasks.into(), ..Sample::default() });
            new.into_iter().map(|key| key.pid).collect::<Vec<_>>()
        };
        let mut known = FxHashMap::default();
        assert_eq!(asked(&mut known, vec![task(1, 1), task(2, 1)]), [1, 2]);
        assert_eq!(asked(&mut known, vec![task(1, 1), task(2, 2), task(3, 1)]), [2, 3]);
        asked(&mut known, vec![task(3, 1)]);
        assert_eq!(known.len(), 1);
    }
}
