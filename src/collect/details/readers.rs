//! Threads that read, one at work at a time: one that hangs in a process is left behind, and another goes on without that process.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use rustc_hash::FxHashMap;

use crate::sample::{Details, ProcKey};

/// A process that answers does so in microseconds; one that does not within this is left alone until it does.
const PATIENCE: Duration = Duration::from_millis(500);
/// Threads that hang, at most. Where there are so many nothing is read any more until one of them comes back.
const STUCK_MAX: usize = 8;

/// Reads details of processes, however many hang.
pub(super) struct Readers<N> {
    new_reader: N,
    at_work: Option<Reader>,
    /// Processes that hang, each with the life of the thread that hangs in it.
    stuck: FxHashMap<ProcKey, Weak<()>>,
}

/// A thread; it ends when this is dropped, or once what it hangs in lets go of it.
struct Reader {
    keys: Sender<ProcKey>,
    found: Receiver<Option<Details>>,
    /// Lives as long as the thread.
    life: Weak<()>,
}

impl<R, N> Readers<N>
where
    R: FnMut(ProcKey) -> Option<Details> + Send + 'static,
    N: Fn() -> R,
{
    /// Each thread reads by what `new_reader` gives.
    pub(super) fn new(new_reader: N) -> Readers<N> {
        Readers { new_reader, at_work: None, stuck: FxHashMap::default() }
    }

    /// The details of those that are there and answer.
    pub(super) fn read(&mut self, keys: Vec<ProcKey>) -> Vec<(ProcKey, Details)> {
        self.stuck.retain(|_, life| life.strong_count() > 0);
        let mut all = Vec::new();
        let mut rest = keys;
        rest.retain(|key| !self.stuck.contains_key(key));
        while !rest.is_empty() && self.stuck.len() < STUCK_MAX {
            let Some(reader) = self.at_work.take().or_else(|| Reader::spawn((self.new_reader)())) else { break };
            let answered = reader.read(&rest, &mut all);
            match rest.get(answered) {
                Some(&hangs) => drop(self.stuck.insert(hangs, Weak::clone(&reader.life))),
                None => self.at_work = Some(reader),
            }
            rest.drain(..rest.len().min(answered + 1));
        }
        all
    }
}

impl Reader {
    fn spawn(mut read: impl FnMut(ProcKey) -> Option<Details> + Send + 'static) -> Option<Reader> {
        let (keys, inbox) = unbounded::<ProcKey>();
        let (outbox, found) = unbounded();
        let lives = Arc::new(());
        let life = Arc::downgrade(&lives);
        let work = move || {
            let _lives = lives;
            for key in inbox {
                if outbox.send(read(key)).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("details".into()).spawn(work).ok()?;
        Some(Reader { keys, found, life })
    }

    /// How many were answered before one took too long.
    fn read(&self, keys: &[ProcKey], all: &mut Vec<(ProcKey, Details)>) -> usize {
        for &key in keys {
            // A thread that died answers nothing either.
            let _ = self.keys.send(key);
        }
        for (answered, &key) in keys.iter().enumerate() {
            match self.found.recv_timeout(PATIENCE) {
                Ok(details) => all.extend(details.map(|details| (key, details))),
                Err(_) => return answered,
            }
        }
        keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn key(pid: u32) -> ProcKey {
        ProcKey { pid, start_ns: 1 }
    }

    type Read = Box<dyn FnMut(ProcKey) -> Option<Details> + Send>;

    /// Processes from 100 on hang until `release` is dropped.
    fn readers(released: Receiver<()>) -> Readers<impl Fn() -> Read> {
        Readers::new(move || {
            let released = released.clone();
            let read: Read = Box::new(move |key: ProcKey| {
                if key.pid >= 100 {
                    let _ = released.recv();
                }
                (key.pid != 7).then(|| Details { cmdline: key.pid.to_string(), ..Details::default() })
            });
            read
        })
    }

    fn pids(found: &[(ProcKey, Details)]) -> Vec<u32> {
        assert!(found.iter().all(|(key, details)| details.cmdline == key.pid.to_string()));
        found.iter().map(|(key, _)| key.pid).collect()
    }

    #[test]
    fn one_that_hangs_is_left_out_and_asked_again_once_it_answers() {
        let (release, released) = unbounded::<()>();
        let mut readers = readers(released);
        let all = vec![key(1), key(7), key(100), key(2)];
        assert_eq!(pids(&readers.read(all.clone())), [1, 2]);
        let start = Instant::now();
        assert_eq!(pids(&readers.read(all.clone())), [1, 2]);
        assert!(start.elapsed() < PATIENCE, "nobody waits for it twice");
        drop(release);
        let deadline = Instant::now() + Duration::from_secs(10);
        while readers.stuck[&key(100)].strong_count() > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(pids(&readers.read(all)), [1, 100, 2]);
    }

    #[test]
    fn no_more_than_some_threads_hang() {
        let (release, released) = unbounded::<()>();
        let mut readers = readers(released);
        let many: Vec<_> = (100..100 + 2 * STUCK_MAX as u32).chain([1]).map(key).collect();
        assert_eq!(pids(&readers.read(many)), [0; 0]);
        assert_eq!(readers.stuck.len(), STUCK_MAX);
        let start = Instant::now();
        assert_eq!(pids(&readers.read(vec![key(1)])), [0; 0]);
        assert!(start.elapsed() < PATIENCE);
        drop(release);
    }
}
