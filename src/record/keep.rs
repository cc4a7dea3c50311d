//! The loop behind `ebtop record`: every sample to the file, with the details of each process when they change.

use std::hash::BuildHasher;
use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::{Receiver, select};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::Recorder;
use crate::app::details::hold_for;
use crate::collect::Collector;
use crate::interrupt::Interrupt;
use crate::sample::{Command, Details, ProcKey, Sample, Task, Update};

/// A process may change its command line without anything that a sample tells: it is read again this often, one process after the other.
const REREAD_NS: u64 = 300_000_000_000;
/// Those that were asked for at once are asked for again over so long.
const SPREAD_SECONDS: u32 = 64;

/// Of a process, what its details hang on, and which were told.
pub(super) struct Known {
    exec_id: u64,
    uid: u32,
    cgroup_id: u64,
    again_ns: u64,
    /// A number made of the details in the file.
    told: Option<u64>,
}

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
                collector.send(Command::Details(to_ask(&mut known, sample)));
                Some(Arc::clone(sample))
            }
            Update::Details(details) => {
                recorder.details(&changed(&mut known, details));
                None
            }
            Update::Inspected(..) | Update::Ready | Update::Missed(_) | Update::End(_) => None,
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

/// Processes whose details are not in the file yet, or may be others by now.
pub(super) fn to_ask(known: &mut FxHashMap<ProcKey, Known>, sample: &Sample) -> Vec<ProcKey> {
    let tasks = &sample.tasks;
    if known.len() > tasks.len() * 2 {
        known.retain(|key, _| tasks.binary_search_by_key(key, |task| task.key).is_ok());
    }
    let holds = |known: &Known, task: &Task| {
        (known.exec_id, known.uid, known.cgroup_id) == (task.exec_id, task.uid, task.cgroup_id) && sample.at_ns < known.again_ns
    };
    let mut keys = Vec::new();
    for task in tasks.iter() {
        let earlier = known.get(&task.key);
        if earlier.is_some_and(|earlier| holds(earlier, task)) {
            continue;
        }
        let told = earlier.and_then(|earlier| earlier.told);
        let spread_ns = u64::from(task.key.pid % SPREAD_SECONDS) * 1_000_000_000;
        let again_ns = hold_for(task, sample.at_ns, REREAD_NS + spread_ns);
        known.insert(task.key, Known { exec_id: task.exec_id, uid: task.uid, cgroup_id: task.cgroup_id, again_ns, told });
        keys.push(task.key);
    }
    keys
}

/// Those of the answers that are not in the file as they are.
pub(super) fn changed(known: &mut FxHashMap<ProcKey, Known>, found: &[(ProcKey, Details)]) -> Vec<(ProcKey, Details)> {
    let is_new = |(key, details): &&(ProcKey, Details)| {
        let now = FxBuildHasher.hash_one(details);
        known.get_mut(key).is_none_or(|known| known.told.replace(now) != Some(now))
    };
    found.iter().filter(is_new).cloned().collect()
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
    fn details_are_asked_for_when_they_may_have_changed() {
        let task = |pid, exec_id| Task { key: ProcKey { pid, start_ns: 1 }, exec_id, ..Task::default() };
        let mut known = FxHashMap::default();
        let mut asked = |at_s: u64, tasks: Vec<Task>| {
            let new = to_ask(&mut known, &Sample { at_ns: at_s * 1_000_000_000, tasks: tasks.into(), ..Sample::default() });
            (new.into_iter().map(|key| key.pid).collect::<Vec<_>>(), known.len())
        };
        assert_eq!(asked(10, vec![task(1, 1), task(2, 1)]).0, [1, 2]);
        assert_eq!(asked(11, vec![task(1, 1), task(2, 2), task(3, 1)]).0, [2, 3], "an exec");
        assert_eq!(asked(12, vec![Task { uid: 7, ..task(1, 1) }, Task { cgroup_id: 7, ..task(2, 2) }, task(3, 1)]).0, [1, 2]);
        assert_eq!(asked(314, vec![task(3, 1)]), (vec![3], 1), "a while later; the others are forgotten");
        let young = |uid| Task { key: ProcKey { pid: 4, start_ns: 400_000_000_000 }, uid, ..Task::default() };
        assert_eq!([400, 401].map(|at_s| asked(at_s, vec![young(0)]).0), [[4], [4]], "right after its birth a process changes");
    }

    #[test]
    fn what_is_in_the_file_is_not_written_again() {
        let key = ProcKey { pid: 1, start_ns: 1 };
        let details = |cmdline: &str| vec![(key, Details { cmdline: cmdline.into(), ..Details::default() })];
        let mut known = FxHashMap::default();
        to_ask(&mut known, &Sample { tasks: vec![Task { key, ..Task::default() }].into(), ..Sample::default() });
        let mut written = |cmdline| changed(&mut known, &details(cmdline)).len();
        assert_eq!(["a", "a", "b", "a"].map(&mut written), [1, 0, 1, 1]);
    }
}
