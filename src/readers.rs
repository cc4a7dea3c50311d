//! Threads that read, one at work at a time: one that hangs in a process is left behind, and another goes on without that process.
//!
//! Reading a process waits for the lock of its memory, reading its files for whoever serves them, and neither need ever answer. No signal
//! or deadline ends such a wait, so a thread is spent on it. Once it comes back the process is asked again: a disk that was only
//! slow has the pages at hand by then.

mod devices;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use rustc_hash::FxHashMap;

use crate::sample::ProcKey;
pub(crate) use devices::Devices;

/// How many times its patience one may take that does get on between its waits: a slow disk, or somebody who serves a file drop by drop.
const SLOW: u32 = 5;

/// How long a process may take, and how many may be left alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// A thread that slept so long without a break hangs. Time that it computes, or waits for a CPU, does not count.
    pub(crate) patience: Duration,
    /// Threads that hang, at most. Where there are so many nothing is read any more until one of them comes back.
    pub(crate) stuck: usize,
}

impl Limits {
    /// Where an answer takes microseconds.
    pub(crate) const USUAL: Limits = Limits { patience: Duration::from_millis(500), stuck: 8 };
}

/// Asks processes, however many hang: questions `Q`, answers `A`.
pub(crate) struct Readers<Q, A, N> {
    name: &'static str,
    limits: Limits,
    new_reader: Arc<N>,
    at_work: Option<Reader<Q, A>>,
    /// Processes that hang, each with the life of the thread that hangs in it.
    stuck: FxHashMap<ProcKey, Weak<Life>>,
}

/// A thread; it ends when this is dropped, or once what it hangs in lets go of it.
struct Reader<Q, A> {
    questions: Sender<(ProcKey, Q)>,
    answers: Receiver<A>,
    /// Lives as long as the thread.
    life: Weak<Life>,
}

/// Once the thread runs, its own `/proc/thread-self/status`, if that can be opened.
type Life = OnceLock<Option<File>>;

/// What a thread is seen to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// It runs, or will once it gets a CPU; or it has not begun yet.
    Runs,
    /// It has fallen asleep so many times.
    Sleeps(u64),
}

impl<Q, A, R, N> Readers<Q, A, N>
where
    Q: Clone + Send + 'static,
    A: Send + 'static,
    R: FnMut(ProcKey, Q) -> A,
    N: Fn() -> R + Send + Sync + 'static,
{
    /// Each thread has this name, and reads by what `new_reader` gives it.
    pub(crate) fn new(name: &'static str, new_reader: N) -> Self {
        Readers::with_limits(name, Limits::USUAL, new_reader)
    }

    /// The same with other limits.
    pub(crate) fn with_limits(name: &'static str, limits: Limits, new_reader: N) -> Self {
        Readers { name, limits, new_reader: Arc::new(new_reader), at_work: None, stuck: FxHashMap::default() }
    }

    /// The answers of those that do not hang.
    pub(crate) fn read(&mut self, asked: Vec<(ProcKey, Q)>) -> Vec<(ProcKey, A)> {
        self.stuck.retain(|_, life| life.strong_count() > 0);
        let mut all = Vec::new();
        let mut rest = asked;
        rest.retain(|(key, _)| !self.hangs(*key));
        while !rest.is_empty() && self.stuck.len() < self.limits.stuck {
            let Some(reader) = self.at_work.take().or_else(|| Reader::spawn(self.name, Arc::clone(&self.new_reader))) else { break };
            let answered = reader.read(&rest, self.limits.patience, &mut all);
            match rest.get(answered) {
                Some((hangs, _)) => drop(self.stuck.insert(*hangs, Weak::clone(&reader.life))),
                None => self.at_work = Some(reader),
            }
            rest.drain(..rest.len().min(answered + 1));
        }
        all
    }

    /// The answer of one; `None` where it hangs, or too many do.
    pub(crate) fn ask(&mut self, key: ProcKey, question: Q) -> Option<A> {
        self.read(vec![(key, question)]).pop().map(|(_, answer)| answer)
    }

    /// Whether a process did not answer when it was asked last.
    pub(crate) fn hangs(&self, key: ProcKey) -> bool {
        self.stuck.contains_key(&key)
    }
}

impl<Q: Clone + Send + 'static, A: Send + 'static> Reader<Q, A> {
    fn spawn<R, N>(name: &str, new_reader: Arc<N>) -> Option<Self>
    where
        R: FnMut(ProcKey, Q) -> A,
        N: Fn() -> R + Send + Sync + 'static,
    {
        let (questions, inbox) = unbounded::<(ProcKey, Q)>();
        let (outbox, answers) = unbounded();
        let lives = Arc::new(Life::new());
        let life = Arc::downgrade(&lives);
        let work = move || {
            let _ = lives.set(File::open("/proc/thread-self/status").ok());
            let mut read = new_reader();
            for (key, question) in inbox {
                if outbox.send(read(key, question)).is_err() {
                    break;
                }
            }
            // What it holds open may hang, too, when it is closed.
            drop(read);
            drop(lives);
        };
        std::thread::Builder::new().name(name.into()).spawn(work).ok()?;
        Some(Reader { questions, answers, life })
    }

    /// How many were answered before one hung.
    fn read(&self, asked: &[(ProcKey, Q)], patience: Duration, all: &mut Vec<(ProcKey, A)>) -> usize {
        for question in asked {
            // A thread that died answers nothing either.
            let _ = self.questions.send(question.clone());
        }
        for (answered, (key, _)) in asked.iter().enumerate() {
            match self.wait(patience) {
                Some(answer) => all.push((*key, answer)),
                None => return answered,
            }
        }
        asked.len()
    }

    /// The next answer; `None` where the thread hangs or has died.
    fn wait(&self, patience: Duration) -> Option<A> {
        let (began, mut before) = (Instant::now(), Some(Doing::Runs));
        loop {
            match self.answers.recv_timeout(patience / 2) {
                Ok(answer) => return Some(answer),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = self.doing();
            let is_slow = || began.elapsed() > SLOW * patience;
            if now != Some(Doing::Runs) && (now == before || is_slow()) {
                return None;
            }
            before = now;
        }
    }

    /// `None` where it cannot be told.
    fn doing(&self) -> Option<Doing> {
        let life = self.life.upgrade()?;
        let Some(status) = life.get() else { return Some(Doing::Runs) };
        let mut text = [0; 16 << 10];
        let len = status.as_ref()?.read_at(&mut text, 0).ok()?;
        doing(std::str::from_utf8(&text[..len]).ok()?)
    }
}

/// Of a thread's `status`. One that is not seen to run, and has not fallen asleep again since the look before, has not run in between.
fn doing(status: &str) -> Option<Doing> {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    match field("State:")?.starts_with('R') {
        true => Some(Doing::Runs),
        false => field("voluntary_ctxt_switches:")?.parse().ok().map(Doing::Sleeps),
    }
}

#[cfg(test)]
mod tests;
