//! The loop behind `ebtop record`: every sample to the file, with the details of each process once.

use std::path::Path;

use crossbeam_channel::{Receiver, select};
use rustc_hash::FxHashMap;

use super::Recorder;
use crate::collect::Collector;
use crate::interrupt::Interrupt;
use crate::sample::{Command, ProcKey, Sample, Update};

/// Records until there are `iterations` samples, the source ends, or SIGINT, SIGTERM or SIGHUP; what was recorded stays.
///
/// # Errors
/// The file cannot be made or written, signals cannot be caught, or the source failed for good.
pub fn keep(collector: &Collector, path: &Path, iterations: Option<u64>) -> anyhow::Result<()> {
    let mut recorder = Recorder::create(path)?;
    let interrupt = Interrupt::catch()?;
    record(collector, &mut recorder, iterations.unwrap_or(u64::MAX), &interrupt.stopped)
}

fn record(collector: &Collector, recorder: &mut Recorder, iterations: u64, stopped: &Receiver<()>) -> anyhow::Result<()> {
    let mut known = FxHashMap::default();
    let mut written = 0;
    while written < iterations {
        let update = select! {
            recv(stopped) -> _ => return Ok(()),
            recv(collector.updates) -> update => update,
        };
        match update {
            Ok(Update::Sample(sample)) => {
                let new = not_yet_known(&mut known, &sample);
                collector.send(Command::Details(new));
                recorder.sample(&sample)?;
                written += 1;
            }
            Ok(Update::Details(details)) => recorder.details(&details),
            Ok(Update::End(None)) | Err(_) => return Ok(()),
            Ok(Update::End(Some(reason))) => anyhow::bail!(reason),
        }
    }
    Ok(())
}

/// Processes whose details are not in the file yet, or are older than their last exec.
fn not_yet_known(known: &mut FxHashMap<ProcKey, u64>, sample: &Sample) -> Vec<(ProcKey, u64)> {
    let tasks = &sample.tasks;
    if known.len() > tasks.len() * 2 {
        known.retain(|key, _| tasks.binary_search_by_key(key, |task| task.key).is_ok());
    }
    tasks.iter().map(|task| (task.key, task.exec_id)).filter(|&(key, exec_id)| known.insert(key, exec_id) != Some(exec_id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Task;

    #[test]
    fn details_are_asked_for_once_and_after_each_exec() {
        let task = |pid, exec_id| Task { key: ProcKey { pid, start_ns: 1 }, exec_id, ..Task::default() };
        let asked = |known: &mut FxHashMap<_, _>, tasks| {
            let new = not_yet_known(known, &Sample { tasks, ..Sample::default() });
            new.into_iter().map(|(key, _)| key.pid).collect::<Vec<_>>()
        };
        let mut known = FxHashMap::default();
        assert_eq!(asked(&mut known, vec![task(1, 1), task(2, 1)]), [1, 2]);
        assert_eq!(asked(&mut known, vec![task(1, 1), task(2, 2), task(3, 1)]), [2, 3]);
        asked(&mut known, vec![task(3, 1)]);
        assert_eq!(known.len(), 1);
    }
}
