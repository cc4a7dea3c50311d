//! The collector thread: runs a source, hands its samples to the screen, takes commands.
//!
//! The thread keeps a fixed clock (a slow scan does not push the next tick away), wakes between ticks only for commands or when a
//! source's ring buffer fills, and never waits for the screen: a sample the screen had no time for is merged into the next.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError};
use rustc_hash::FxHashSet;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};

use super::details::{self, Question};
use super::inspect::Inspectors;
use super::source::{Ready, Source, SourceError};
use crate::sample::inspection::Ask;
use crate::sample::{Command, Domain, Origin, ProcKey, Sample, Update};

/// Room for answers; a screen that has not even taken the last sample gets no further one.
const UPDATES_IN_FLIGHT: usize = 16;
/// Between a sample that the screen wished for and its neighbours: rates over less are a matter of chance, and may stand for long.
const APART: Duration = Duration::from_millis(250);
/// How long the end of the thread is waited for. One that hangs in the kernel ends with the process.
const PATIENCE: Duration = Duration::from_secs(1);

/// The screen's end of a running collector. Dropping it stops the thread.
pub struct Collector {
    /// Samples and details.
    pub updates: Receiver<Update>,
    /// Whose addresses the samples hold.
    pub origin: Origin,
    commands: Sender<Command>,
    waker: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
    /// Closed by the end of the thread; nothing is ever sent.
    ended: Receiver<()>,
}

impl Collector {
    /// Starts the thread and builds the source inside it, since skeletons may not move; returns once it is ready or failed.
    ///
    /// # Errors
    /// There is no thread or event descriptor to be had, or `build` failed.
    pub fn start<F, S>(interval: Duration, build: F) -> anyhow::Result<Collector>
    where
        F: FnOnce() -> anyhow::Result<S> + Send + 'static,
        S: Source,
    {
        let (to_screen, updates) = crossbeam_channel::bounded(UPDATES_IN_FLIGHT);
        let (commands, inbox) = crossbeam_channel::unbounded();
        let (ready, is_ready) = crossbeam_channel::bounded(1);
        let (alive, ended) = crossbeam_channel::bounded(0);
        let waker = Arc::new(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let wake = Arc::clone(&waker);
        let work = move || {
            let _alive: Sender<()> = alive;
            match build() {
                Ok(source) => {
                    let _ = ready.send(Ok(source.origin()));
                    Loop::new(source, to_screen, inbox, wake).run(interval);
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        };
        let thread = std::thread::Builder::new().name("collector".into()).spawn(work)?;
        let origin = is_ready.recv()??;
        Ok(Collector { updates, origin, commands, waker, thread: Some(thread), ended })
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
        let has_ended = self.ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Disconnected);
        if let Some(thread) = self.thread.take().filter(|_| has_ended) {
            let _ = thread.join();
        }
    }
}

struct Loop<S> {
    source: S,
    to_screen: Sender<Update>,
    inbox: Receiver<Command>,
    wake: Arc<OwnedFd>,
    /// A sample that the screen had no time for.
    unsent: Option<Sample>,
    /// Events of unsent samples that were too many to keep, by domain, since the start.
    dropped: [u64; Domain::ALL.len()],
    questions: Sender<Question>,
    inspectors: Inspectors,
    /// Processes whose details could not be asked for, or found no room on the way to the screen.
    unanswered: FxHashSet<ProcKey>,
    /// When a sample beside the clock was asked for.
    extra: Option<Instant>,
    /// The clock stands still.
    is_held: bool,
    /// Samples that were wished for and are to be apart.
    apart: u32,
    /// When the last sample was taken.
    sampled: Instant,
}

impl<S: Source> Loop<S> {
    fn new(source: S, to_screen: Sender<Update>, inbox: Receiver<Command>, wake: Arc<OwnedFd>) -> Self {
        let questions = details::spawn(to_screen.clone());
        Loop {
            source,
            inspectors: Inspectors::new(to_screen.clone()),
            to_screen,
            inbox,
            wake,
            unsent: None,
            dropped: [0; Domain::ALL.len()],
            questions,
            unanswered: FxHashSet::default(),
            extra: None,
            is_held: false,
            apart: 0,
            sampled: Instant::now(),
        }
    }

    fn run(mut self, mut interval: Duration) {
        // None: the source ended, and only commands are left to be served.
        let mut next = Some(Instant::now());
        loop {
            let now = Instant::now();
            let is_extra = self.extra.take_if(|at| *at <= now).is_some();
            if let Some(at) = next.filter(|&at| is_extra || (at <= now && !self.is_held)) {
                let on_the_clock = |at| if at <= now { next_tick(at, interval, Instant::now()) } else { at };
                (self.sampled, self.apart) = (now, self.apart.saturating_sub(1));
                next = self.tick().then(|| on_the_clock(at));
            }
            self.source.soon().into_iter().for_each(|after| self.sample_in(after));
            if self.apart > 0 && self.extra.is_none() && !self.is_held {
                self.extra = next.and_then(|next| apart(Instant::now(), self.sampled, next));
            }
            let tick = next.filter(|_| !self.is_held);
            self.wait(next.and(tick.into_iter().chain(self.extra).min()));
            loop {
                match self.inbox.try_recv() {
                    Ok(Command::SetInterval(new)) => {
                        next = next.map(|at| at + new - interval);
                        interval = new;
                    }
                    Ok(Command::Want(wants)) => self.source.want(wants),
                    Ok(Command::Watch(watch)) => self.source.watch(watch),
                    Ok(Command::Prepare(processes)) => self.source.prepare(processes, Ready::new(self.to_screen.clone())),
                    Ok(Command::Details(wanted)) => self.answer(wanted),
                    Ok(Command::Inspect(ask)) => self.inspect(ask),
                    Ok(Command::SampleNow) => next = next.map(|_| Instant::now()),
                    Ok(Command::SampleSoon(after)) => self.sample_in(after),
                    Ok(Command::Hold(held)) => self.is_held = held,
                    Ok(Command::SamplesApart(count)) => self.apart = count,
                    Ok(Command::Quit) | Err(TryRecvError::Disconnected) => return,
                    Err(TryRecvError::Empty) => break,
                }
            }
        }
    }

    /// Sleeps until `next`, a command, or a ring that fills (which it drains).
    fn wait(&mut self, next: Option<Instant>) {
        let timeout = next.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = timeout.map(|t| Timespec { tv_sec: t.as_secs() as i64, tv_nsec: i64::from(t.subsec_nanos()) });
        let mut fds = vec![PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN)];
        if let Some(fd) = self.source.wake_fd() {
            fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
        }
        let _ = rustix::event::poll(&mut fds, timeout.as_ref());
        let ring = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
        drop(fds);
        let _ = rustix::io::read(&self.wake, &mut [0u8; 8]);
        if ring {
            self.source.drain();
        }
    }

    /// Asks for a sample beside the clock; of two such wishes the earlier counts.
    fn sample_in(&mut self, after: Duration) {
        let at = Instant::now() + after;
        self.extra = Some(self.extra.map_or(at, |extra| extra.min(at)));
    }

    /// One sample; false where there will be no more.
    fn tick(&mut self) -> bool {
        match self.source.sample() {
            Ok(sample) => self.offer(sample),
            // The screen keeps the sample that it has; without room it has other news.
            Err(SourceError::NotNow(why)) => !matches!(self.to_screen.try_send(Update::Missed(why)), Err(TrySendError::Disconnected(_))),
            Err(SourceError::End) => self.end(None),
            Err(SourceError::Failed(reason)) => self.end(Some(reason)),
        }
    }

    /// Hands the sample over, or keeps it for the next tick to swallow; false when the screen is gone.
    fn offer(&mut self, mut sample: Sample) -> bool {
        if let Some(earlier) = self.unsent.take() {
            for (domain, lost) in sample.keep_events_of(earlier) {
                self.dropped[domain as usize] += lost;
            }
        }
        // One update under way may be an answer that came just now; two are a screen that does not keep up.
        if self.to_screen.len() > 1 {
            self.unsent = Some(sample);
            return true;
        }
        let lives = |key: &ProcKey| sample.tasks.binary_search_by_key(key, |task| task.key).is_ok();
        let unanswered: Vec<_> = self.unanswered.drain().filter(lives).collect();
        let sent = self.to_screen.try_send(self.update_of(sample)).is_ok();
        if !unanswered.is_empty() {
            self.answer(unanswered);
        }
        sent
    }

    /// The sample with what was lost on the way.
    fn update_of(&self, mut sample: Sample) -> Update {
        for status in &mut sample.status {
            status.lost += self.dropped[status.domain as usize];
        }
        Update::Sample(Arc::new(sample))
    }

    /// Says why no more samples come, after the last of them.
    fn end(&mut self, reason: Option<String>) -> bool {
        let last = self.unsent.take().map(|sample| self.update_of(sample));
        for update in last.into_iter().chain([Update::End(reason)]) {
            if self.to_screen.send(update).is_err() {
                break;
            }
        }
        false
    }

    /// Has the details read, or takes them from the source.
    fn answer(&mut self, wanted: Vec<ProcKey>) {
        let unheard = match self.source.has_own_details() {
            true => {
                let found = wanted.iter().filter_map(|&key| Some((key, self.source.details(key)?))).collect();
                self.to_screen.try_send(Update::Details(found)).is_err().then_some(wanted)
            }
            false => self.questions.try_send(wanted).err().map(|refused| refused.into_inner()),
        };
        self.unanswered.extend(unheard.into_iter().flatten());
    }

    /// Has a process looked at; those of a recording are nowhere to be looked at.
    fn inspect(&mut self, ask: Option<Ask>) {
        match ask.filter(|_| self.source.has_own_details()) {
            Some(ask) => drop(self.to_screen.try_send(Update::Inspected(ask.key, None))),
            None => self.inspectors.ask(ask),
        }
    }
}

/// When to take a sample between two others; `None` where the next will do.
fn apart(now: Instant, last: Instant, next: Instant) -> Option<Instant> {
    let at = now.max(last + APART);
    (at + APART <= next).then_some(at)
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
    use crate::sample::{Details, DomainStatus, Exit, Health, Task, Wants};

    /// Counts its samples up to an end; each reports exits whose pids count on.
    struct Counting {
        samples: u32,
        end: u32,
        exits: u32,
    }

    impl Source for Counting {
        fn sample(&mut self) -> Result<Sample, SourceError> {
            self.samples += 1;
            if self.samples > self.end {
                return Err(SourceError::End);
            }
            let exit = |pid| Exit { task: Task { key: ProcKey { pid, start_ns: 0 }, ..Task::default() }, ..Exit::default() };
            let status = DomainStatus { domain: Domain::Tasks, health: Health::Live, lost: 5, cost: None };
            let exits = ((self.samples - 1) * self.exits..self.samples * self.exits).map(exit).collect();
            Ok(Sample { exits, status: vec![status], ..Sample::default() })
        }

        fn want(&mut self, _wants: Wants) {}

        fn details(&mut self, key: ProcKey) -> Option<Details> {
            Some(Details { cmdline: key.pid.to_string(), ..Details::default() })
        }

        fn has_own_details(&self) -> bool {
            true
        }
    }

    fn counting(interval_ms: u64, end: u32, exits: u32) -> Collector {
        Collector::start(Duration::from_millis(interval_ms), move || Ok(Counting { samples: 0, end, exits })).unwrap()
    }

    /// Samples until the end of the source.
    fn samples(collector: &Collector) -> Vec<Arc<Sample>> {
        let until_end = collector.updates.iter().take_while(|u| !matches!(u, Update::End(_)));
        until_end.filter_map(|u| if let Update::Sample(s) = u { Some(s) } else { None }).collect()
    }

    fn exited(samples: &[Arc<Sample>]) -> Vec<u32> {
        samples.iter().flat_map(|s| s.exits.iter().map(|e| e.task.key.pid).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn a_screen_that_sleeps_loses_no_exit() {
        let collector = counting(10, 8, 1);
        std::thread::sleep(Duration::from_millis(65));
        assert_eq!(exited(&samples(&collector)), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_screen_that_never_wakes_costs_bounded_memory_and_is_told_what_it_missed() {
        let (each, ticks) = (10_000, 8);
        let collector = counting(10, ticks, each);
        std::thread::sleep(Duration::from_millis(200));
        let samples = samples(&collector);
        let most = samples.iter().map(|s| s.exits.len()).max().unwrap();
        assert!(most < 4 * each as usize, "{most}");
        let lost = samples.last().unwrap().status[0].lost - 5;
        assert!(lost > 0);
        assert_eq!(exited(&samples).len() as u64 + lost, u64::from(each * ticks));
    }

    #[test]
    fn details_are_answered_after_the_end_of_a_recording() {
        let collector = counting(10, 1, 1);
        samples(&collector);
        let key = ProcKey { pid: 7, start_ns: 1 };
        collector.send(Command::Details(vec![key]));
        let answer = collector.updates.recv_timeout(Duration::from_secs(5)).unwrap();
        assert!(matches!(answer, Update::Details(found) if found[0].0 == key && found[0].1.cmdline == "7"));
    }

    #[test]
    fn a_clock_that_is_held_gives_what_is_asked_for_alone() {
        let collector = counting(10, 100, 1);
        collector.send(Command::Hold(true));
        std::thread::sleep(Duration::from_millis(50));
        let so_far = collector.updates.try_iter().count();
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(collector.updates.try_iter().count(), 0, "after {so_far}");
        collector.send(Command::SampleSoon(Duration::ZERO));
        assert!(matches!(collector.updates.recv_timeout(Duration::from_secs(5)), Ok(Update::Sample(_))));
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(collector.updates.try_iter().count(), 0);
        collector.send(Command::Hold(false));
        assert!(matches!(collector.updates.recv_timeout(Duration::from_secs(5)), Ok(Update::Sample(_))));
    }

    /// A source that has no second sample.
    struct Gap(Counting);

    impl Source for Gap {
        fn sample(&mut self) -> Result<Sample, SourceError> {
            let sample = self.0.sample();
            if self.0.samples == 2 { Err(SourceError::NotNow("out of memory".into())) } else { sample }
        }

        fn want(&mut self, _wants: Wants) {}
    }

    #[test]
    fn a_sample_that_failed_is_told_of_and_the_next_comes() {
        let source = || Ok(Gap(Counting { samples: 0, end: 3, exits: 1 }));
        let collector = Collector::start(Duration::from_millis(10), source).unwrap();
        let kinds: Vec<_> = collector.updates.iter().take(4).collect();
        let [Update::Sample(_), Update::Missed(why), Update::Sample(_), Update::End(None)] = &kinds[..] else { panic!("{kinds:?}") };
        assert_eq!(why, "out of memory");
    }

    /// A source in the kernel's hands.
    struct Stuck;

    impl Source for Stuck {
        fn sample(&mut self) -> Result<Sample, SourceError> {
            std::thread::sleep(Duration::from_secs(3600));
            Err(SourceError::End)
        }

        fn want(&mut self, _wants: Wants) {}
    }

    #[test]
    fn a_source_that_hangs_does_not_keep_the_user_from_leaving() {
        let collector = Collector::start(Duration::from_secs(1), || Ok(Stuck)).unwrap();
        let start = Instant::now();
        drop(collector);
        assert!(start.elapsed() < 10 * PATIENCE);
    }

    #[test]
    fn a_source_that_cannot_start_says_why() {
        let failed = Collector::start(Duration::from_secs(1), || anyhow::bail!("no BTF") as anyhow::Result<Counting>);
        assert_eq!(failed.err().unwrap().to_string(), "no BTF");
    }

    #[test]
    fn commands_do_not_wait_for_the_tick() {
        let collector = counting(3_600_000, 8, 1);
        let started = Instant::now();
        collector.updates.recv().unwrap();
        collector.send(Command::SampleNow);
        collector.updates.recv().unwrap();
        drop(collector);
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_sample_beside_the_clock_comes_once() {
        let collector = counting(3_600_000, 8, 1);
        collector.updates.recv().unwrap();
        collector.send(Command::SampleSoon(Duration::from_millis(10)));
        collector.updates.recv().unwrap();
        assert!(collector.updates.recv_timeout(Duration::from_millis(100)).is_err());
    }

    #[test]
    fn samples_that_somebody_wishes_for_are_apart() {
        let collector = counting(3_600_000, 8, 1);
        collector.updates.recv().unwrap();
        let began = Instant::now();
        collector.send(Command::SamplesApart(2));
        for nth in 1..=2 {
            collector.updates.recv_timeout(Duration::from_secs(60)).unwrap();
            // Each was taken a moment before it came here.
            assert!(began.elapsed() > nth * APART - APART / 4, "{nth}: {:?}", began.elapsed());
        }
        assert!(collector.updates.recv_timeout(2 * APART).is_err());
    }

    #[test]
    fn the_clock_serves_whoever_wishes_just_before_it() {
        let now = Instant::now();
        assert_eq!(apart(now, now, now + 2 * APART), Some(now + APART));
        assert_eq!(apart(now + 3 * APART, now, now + 4 * APART), Some(now + 3 * APART));
        assert_eq!(apart(now + 3 * APART, now, now + 4 * APART - APART / 2), None);
        assert_eq!(apart(now, now, now + APART), None, "ticks are close to each other anyway");
    }

    #[test]
    fn the_clock_is_fixed_and_skips_what_it_missed() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        assert_eq!(next_tick(start, second, start + second / 10), start + second);
        assert_eq!(next_tick(start, second, start + second * 5 / 2), start + second * 3);
    }
}
