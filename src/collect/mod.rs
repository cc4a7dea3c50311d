//! Turns kernel maps, iterators and /proc into [`Sample`]s, on a thread of its own.
//!
//! The thread keeps a fixed clock (a slow scan does not push the next tick away), wakes between ticks only for commands or when a
//! source's ring buffer fills, and never waits for the screen: a sample the screen had no time for is merged into the next.

pub mod check;
pub mod details;
pub mod live;
pub mod machine;
pub mod mem;
pub mod net;
mod proc_file;
pub mod proc_fs;
pub mod stacks;
pub mod start;
pub mod tasks;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};

use crate::sample::{Command, Details, ProcKey, Sample, Update, Wants};
use details::DetailsCache;

/// Why a source cannot go on. Each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The kernel half failed for good.
    #[error("{0}")]
    Failed(String),
    /// A replay ran out.
    #[error("end of the recording")]
    End,
}

/// Who makes samples: `Live`, `ProcFs` or `Replay`.
pub trait Source {
    /// Reads everything once.
    fn sample(&mut self) -> Result<Sample, SourceError>;

    /// Attaches and detaches what lives only as long as it is shown.
    fn want(&mut self, wants: Wants);

    /// Readable when rings should be drained before the next tick.
    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Drains rings into user memory; called when [`Source::wake_fd`] is readable.
    fn drain(&mut self) {}

    /// Details of processes, where they do not come from this machine's /proc.
    fn details(&mut self, _key: ProcKey, _exec_id: u64) -> Option<Details> {
        None
    }

    /// Whether `details` answers from the source itself.
    fn has_own_details(&self) -> bool {
        false
    }
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn sample(&mut self) -> Result<Sample, SourceError> {
        (**self).sample()
    }

    fn want(&mut self, wants: Wants) {
        (**self).want(wants);
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        (**self).wake_fd()
    }

    fn drain(&mut self) {
        (**self).drain();
    }

    fn details(&mut self, key: ProcKey, exec_id: u64) -> Option<Details> {
        (**self).details(key, exec_id)
    }

    fn has_own_details(&self) -> bool {
        (**self).has_own_details()
    }
}

/// The screen's end of a running collector. Dropping it stops the thread.
pub struct Collector {
    /// Samples and details.
    pub updates: Receiver<Update>,
    commands: Sender<Command>,
    waker: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    /// Starts the thread and builds the source inside it, since skeletons may not move; returns once it is ready or failed.
    pub fn start<F, S>(interval: Duration, build: F) -> anyhow::Result<Collector>
    where
        F: FnOnce() -> anyhow::Result<S> + Send + 'static,
        S: Source,
    {
        let (to_screen, updates) = crossbeam_channel::bounded(UPDATES_IN_FLIGHT);
        let (commands, inbox) = crossbeam_channel::unbounded();
        let (ready, is_ready) = crossbeam_channel::bounded(1);
        let waker = Arc::new(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let wake = Arc::clone(&waker);
        let thread = std::thread::Builder::new().name("collector".into()).spawn(move || match build() {
            Ok(source) => {
                let _ = ready.send(Ok(()));
                Loop {
                    source,
                    to_screen,
                    inbox,
                    wake,
                    unsent: None,
                    unanswered: Vec::new(),
                    details: DetailsCache::default(),
                    extra: None,
                }
                .run(interval);
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        })?;
        is_ready.recv()??;
        Ok(Collector { updates, commands, waker, thread: Some(thread) })
    }

    /// Sends a command; a collector that already ended ignores it.
    pub fn send(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            let _ = rustix::io::write(&self.waker, &1u64.to_ne_bytes());
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.send(Command::Quit);
        // A thread that waits to deliver its last update must see that nobody listens.
        self.updates = crossbeam_channel::never();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Room for answers; a screen that has not even taken the last sample gets no further one.
const UPDATES_IN_FLIGHT: usize = 16;

struct Loop<S> {
    source: S,
    to_screen: Sender<Update>,
    inbox: Receiver<Command>,
    wake: Arc<OwnedFd>,
    /// A sample that the screen had no time for.
    unsent: Option<Arc<Sample>>,
    /// Processes whose details found no room on the way to the screen.
    unanswered: Vec<(ProcKey, u64)>,
    details: DetailsCache,
    /// When a sample beside the clock was asked for.
    extra: Option<Instant>,
}

impl<S: Source> Loop<S> {
    fn run(mut self, mut interval: Duration) {
        let mut next = Instant::now();
        loop {
            let now = Instant::now();
            let is_extra = self.extra.take_if(|at| now >= *at).is_some();
            if now >= next || is_extra {
                if !self.tick() {
                    return;
                }
                if now >= next {
                    next = next_tick(next, interval, Instant::now());
                }
            }
            self.wait(self.extra.map_or(next, |at| at.min(next)));
            loop {
                match self.inbox.try_recv() {
                    Ok(Command::SetInterval(new)) => {
                        next = next + new - interval;
                        interval = new;
                    }
                    Ok(Command::Want(wants)) => self.source.want(wants),
                    Ok(Command::Details(wanted)) => self.answer_details(wanted),
                    Ok(Command::SampleNow) => next = Instant::now(),
                    Ok(Command::SampleSoon(after)) => self.extra = Some(Instant::now() + after),
                    Ok(Command::Quit) | Err(TryRecvError::Disconnected) => return,
                    Err(TryRecvError::Empty) => break,
                }
            }
        }
    }

    /// Sleeps until `next`, a command, or a ring that fills (which it drains).
    fn wait(&mut self, next: Instant) {
        let timeout = next.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: i64::from(timeout.subsec_nanos()) };
        let mut fds = vec![PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN)];
        if let Some(fd) = self.source.wake_fd() {
            fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
        }
        let _ = rustix::event::poll(&mut fds, Some(&timeout));
        let ring = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
        drop(fds);
        let _ = rustix::io::read(&self.wake, &mut [0u8; 8]);
        if ring {
            self.source.drain();
        }
    }

    fn tick(&mut self) -> bool {
        match self.source.sample() {
            Ok(mut sample) => {
                if let Some(earlier) = self.unsent.take() {
                    sample.keep_events_of(&earlier);
                }
                self.details.retain(&sample);
                self.offer(Arc::new(sample))
            }
            Err(SourceError::End) => self.end(None),
            Err(SourceError::Failed(reason)) => self.end(Some(reason)),
        }
    }

    /// Hands the sample over, or keeps it for the next tick to swallow; false when the screen is gone.
    fn offer(&mut self, sample: Arc<Sample>) -> bool {
        if !self.to_screen.is_empty() {
            self.unsent = Some(sample);
            return true;
        }
        let sent = self.to_screen.try_send(Update::Sample(sample)).is_ok();
        let unanswered = std::mem::take(&mut self.unanswered);
        if sent && !unanswered.is_empty() {
            self.answer_details(unanswered);
        }
        sent
    }

    fn end(&mut self, reason: Option<String>) -> bool {
        let last = self.unsent.take().map(Update::Sample);
        for update in last.into_iter().chain([Update::End(reason)]) {
            if self.to_screen.send(update).is_err() {
                break;
            }
        }
        false
    }

    fn answer_details(&mut self, wanted: Vec<(ProcKey, u64)>) {
        let mut found = Vec::with_capacity(wanted.len());
        for &(key, exec_id) in &wanted {
            let details = match self.source.has_own_details() {
                true => self.source.details(key, exec_id),
                false => self.details.get(key, exec_id),
            };
            found.extend(details.map(|d| (key, d)));
        }
        if self.to_screen.try_send(Update::Details(found)).is_err() {
            self.unanswered.extend(wanted);
        }
    }
}

/// The next tick on the fixed clock; ticks that were missed are skipped.
fn next_tick(last: Instant, interval: Duration, now: Instant) -> Instant {
    let mut next = last + interval;
    if next <= now {
        let behind = (now - next).as_nanos() / interval.as_nanos().max(1) + 1;
        next += interval * u32::try_from(behind).unwrap_or(u32::MAX);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Exit, Task};

    /// Counts its samples; each reports one exit whose pid is that count.
    struct Counting(u32);

    impl Source for Counting {
        fn sample(&mut self) -> Result<Sample, SourceError> {
            self.0 += 1;
            if self.0 > 8 {
                return Err(SourceError::End);
            }
            let task = Task { key: ProcKey { pid: self.0, start_ns: 0 }, ..Task::default() };
            Ok(Sample { exits: vec![Exit { task, ..Exit::default() }], ..Sample::default() })
        }

        fn want(&mut self, _wants: Wants) {}
    }

    fn exited(updates: impl Iterator<Item = Update>) -> Vec<u32> {
        let samples = updates.filter_map(|u| if let Update::Sample(s) = u { Some(s) } else { None });
        samples.flat_map(|s| s.exits.iter().map(|e| e.task.key.pid).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn a_screen_that_sleeps_loses_no_exit() {
        let collector = Collector::start(Duration::from_millis(10), || Ok(Counting(0))).unwrap();
        std::thread::sleep(Duration::from_millis(65));
        let seen = exited(collector.updates.iter());
        assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn a_source_that_cannot_start_says_why() {
        let failed = Collector::start(Duration::from_secs(1), || anyhow::bail!("no BTF") as anyhow::Result<Counting>);
        assert_eq!(failed.err().unwrap().to_string(), "no BTF");
    }

    #[test]
    fn commands_do_not_wait_for_the_tick() {
        let collector = Collector::start(Duration::from_secs(3600), || Ok(Counting(0))).unwrap();
        let started = Instant::now();
        collector.send(Command::SampleNow);
        assert_eq!(exited(collector.updates.iter().take(2)), [1, 2]);
        drop(collector);
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_sample_beside_the_clock_comes_once() {
        let collector = Collector::start(Duration::from_secs(3600), || Ok(Counting(0))).unwrap();
        collector.send(Command::SampleSoon(Duration::from_millis(10)));
        assert_eq!(exited(collector.updates.iter().take(2)), [1, 2]);
        assert!(collector.updates.recv_timeout(Duration::from_millis(100)).is_err());
    }

    #[test]
    fn the_clock_is_fixed_and_skips_what_it_missed() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        assert_eq!(next_tick(start, second, start + second / 10), start + second);
        assert_eq!(next_tick(start, second, start + second * 5 / 2), start + second * 3);
    }
}
