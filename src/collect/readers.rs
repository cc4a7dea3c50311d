//! Threads that read, one at work at a time: one that hangs in a process is left behind, and another goes on without that process.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use rustc_hash::FxHashMap;

use crate::sample::ProcKey;

/// A process that answers does so in microseconds; one that does not within this is left alone until it does.
const PATIENCE: Duration = Duration::from_millis(500);
/// Threads that hang, at most. Where there are so many nothing is read any more until one of them comes back.
const STUCK_MAX: usize = 8;

/// Asks processes, however many hang: questions `Q`, answers `A`.
pub(super) struct Readers<Q, A, N> {
    name: &'static str,
    new_reader: N,
    at_work: Option<Reader<Q, A>>,
    /// Processes that hang, each with the life of the thread that hangs in it.
    stuck: FxHashMap<ProcKey, Weak<()>>,
}

/// A thread; it ends when this is dropped, or once what it hangs in lets go of it.
struct Reader<Q, A> {
    questions: Sender<(ProcKey, Q)>,
    answers: Receiver<A>,
    /// Lives as long as the thread.
    life: Weak<()>,
}

impl<Q, A, R, N> Readers<Q, A, N>
where
    Q: Clone + Send + 'static,
    A: Send + 'static,
    R: FnMut(ProcKey, Q) -> A + Send + 'static,
    N: Fn() -> R,
{
    /// Each thread has this name, and reads by what `new_reader` gives.
    pub(super) fn new(name: &'static str, new_reader: N) -> Self {
        Readers { name, new_reader, at_work: None, stuck: FxHashMap::default() }
    }

    /// The answers of those that do not hang.
    pub(super) fn read(&mut self, asked: Vec<(ProcKey, Q)>) -> Vec<(ProcKey, A)> {
        self.stuck.retain(|_, life| life.strong_count() > 0);
        let mut all = Vec::new();
        let mut rest = asked;
        rest.retain(|(key, _)| !self.stuck.contains_key(key));
        while !rest.is_empty() && self.stuck.len() < STUCK_MAX {
            let Some(reader) = self.at_work.take().or_else(|| Reader::spawn(self.name, (self.new_reader)())) else { break };
            let answered = reader.read(&rest, &mut all);
            match rest.get(answered) {
                Some((hangs, _)) => drop(self.stuck.insert(*hangs, Weak::clone(&reader.life))),
                None => self.at_work = Some(reader),
            }
            rest.drain(..rest.len().min(answered + 1));
        }
        all
    }
}

impl<Q: Clone + Send + 'static, A: Send + 'static> Reader<Q, A> {
    fn spawn(name: &str, mut read: impl FnMut(ProcKey, Q) -> A + Send + 'static) -> Option<Self> {
        let (questions, inbox) = unbounded::<(ProcKey, Q)>();
        let (outbox, answers) = unbounded();
        let lives = Arc::new(());
        let life = Arc::downgrade(&lives);
        let work = move || {
            let _lives = lives;
            for (key, question) in inbox {
                if outbox.send(read(key, question)).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name(name.into()).spawn(work).ok()?;
        Some(Reader { questions, answers, life })
    }

    /// How many were answered before one took too long.
    fn read(&self, asked: &[(ProcKey, Q)], all: &mut Vec<(ProcKey, A)>) -> usize {
        for question in asked {
            // A thread that died answers nothing either.
            let _ = self.questions.send(question.clone());
        }
        for (answered, (key, _)) in asked.iter().enumerate() {
            match self.answers.recv_timeout(PATIENCE) {
                Ok(answer) => all.push((*key, answer)),
                Err(_) => return answered,
            }
        }
        asked.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn key(pid: u32) -> ProcKey {
        ProcKey { pid, start_ns: 1 }
    }

    type Read = Box<dyn FnMut(ProcKey, ()) -> String + Send>;

    /// Processes from 100 on hang until `release` is dropped.
    fn readers(released: Receiver<()>) -> Readers<(), String, impl Fn() -> Read> {
        Readers::new("test", move || {
            let released = released.clone();
            let read: Read = Box::new(move |key: ProcKey, ()| {
                if key.pid >= 100 {
                    let _ = released.recv();
                }
                key.pid.to_string()
            });
            read
        })
    }

    fn asked(pids: impl IntoIterator<Item = u32>) -> Vec<(ProcKey, ())> {
        pids.into_iter().map(|pid| (key(pid), ())).collect()
    }

    fn pids(found: &[(ProcKey, String)]) -> Vec<u32> {
        assert!(found.iter().all(|(key, answer)| *answer == key.pid.to_string()));
        found.iter().map(|(key, _)| key.pid).collect()
    }

    #[test]
    fn one_that_hangs_is_left_out_and_asked_again_once_it_answers() {
        let (release, released) = unbounded::<()>();
        let mut readers = readers(released);
        let all = asked([1, 100, 2]);
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
        let many = (100..100 + 2 * STUCK_MAX as u32).chain([1]);
        assert_eq!(pids(&readers.read(asked(many))), [0; 0]);
        assert_eq!(readers.stuck.len(), STUCK_MAX);
        let start = Instant::now();
        assert_eq!(pids(&readers.read(asked([1]))), [0; 0]);
        assert!(start.elapsed() < PATIENCE);
        drop(release);
    }
}
