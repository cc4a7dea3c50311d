//! `ebtop stacks`: stacks of some processes over a span of time, named while the processes live, written for other tools.

mod error;
mod known;
mod members;
mod names;
mod naming;
mod output;
mod prepare;
mod programs;
mod progress;
mod tally;
mod trouble;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, at, select};
use rustc_hash::FxHashSet;

use crate::collect::Collector;
use crate::export::profile::{Profile, ProfileStack};
use crate::interrupt::Interrupt;
use crate::model::stacks::Measure;
use crate::sample::{Command, Health, ProcKey, Sample, Update, Watch};
use crate::symbols::Symbols;
use members::Members;
use names::Names;
use programs::Programs;
use progress::Progress;
use tally::Tally;
use trouble::{lost, troubles};

pub use error::ProfileError;
pub use members::Whose;
pub use output::{Form, Output, save};

/// Time between two readings: short, so that processes are named before they are gone.
pub const INTERVAL: Duration = Duration::from_millis(200);
/// How long the kernel half may take to answer at the start and at the end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to load a probe: a slow machine's verifier takes seconds for each of its programs.
const LOAD_PATIENCE: Duration = Duration::from_secs(60);
/// What is to be sampled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileOptions {
    /// Whose stacks.
    pub whose: Whose,
    /// By what.
    pub measure: Measure,
    /// For how long.
    pub time: Duration,
    /// Timed samples a second on each CPU.
    pub hz: u32,
    /// Below each wait, who ended it.
    pub wakers: bool,
}

impl ProfileOptions {
    fn title(&self) -> String {
        let title = match &self.whose {
            Whose::Pid(pid) => format!("pid {pid}"),
            Whose::Comm(name) => name.clone(),
            Whose::Cgroup(path) => path.clone(),
            Whose::Everyone => "machine".into(),
        };
        crate::sample::printable(title.as_bytes())
    }
}

/// Samples until the time is over, the process has ended, or SIGINT, SIGTERM or SIGHUP; a second signal ends everything at once.
///
/// # Errors
/// There is nothing to be sampled, or nothing was.
pub fn take(collector: &Collector, symbols: Symbols, options: &ProfileOptions) -> Result<Profile, ProfileError> {
    let interrupt = Interrupt::catch().map_err(ProfileError::Signals)?;
    let members = Members::new(&options.whose);
    let (programs, names, tally) = (Programs::default(), Names::default(), Tally::default());
    let session = Session { collector, symbols, options, members, programs, names, tally };
    session.run(&interrupt.stopped)
}

struct Session<'a> {
    collector: &'a Collector,
    symbols: Symbols,
    options: &'a ProfileOptions,
    members: Members,
    programs: Programs,
    names: Names,
    tally: Tally,
}

impl Session<'_> {
    fn run(mut self, stopped: &Receiver<()>) -> Result<Profile, ProfileError> {
        let first = self.begin()?;
        let began = Instant::now();
        let last = self.sample_until(began + self.options.time, stopped, &first)?;
        self.collector.send(Command::Watch(None));
        for trouble in troubles(&last, self.options.measure.domain()) {
            let _ = writeln!(io::stderr(), "ebtop: {trouble}");
        }
        self.finish_names();
        let domain = self.options.measure.domain();
        let lost = lost(&last, domain).saturating_sub(lost(&first, domain)) + self.tally.lost(|key| self.members.has(key));
        let duration_ns = last.at_ns.saturating_sub(first.at_ns);
        let profile = self.profile(&first, duration_ns, lost);
        match profile.stacks.is_empty() {
            true => Err(ProfileError::Nothing(self.why_nothing(duration_ns))),
            false => Ok(profile),
        }
    }

    /// Starts what is to be watched; the sample from which on stacks count.
    fn begin(&mut self) -> Result<Arc<Sample>, ProfileError> {
        let sample = self.next_sample(PATIENCE)?;
        self.look(&sample);
        if let Whose::Pid(pid) = self.options.whose
            && self.members.only().is_none()
        {
            return Err(ProfileError::NoProcess(pid));
        }
        if matches!(self.options.whose, Whose::Cgroup(_)) {
            self.wait_for_details();
        }
        let sample = self.prepare(sample)?;
        let Some(probe) = self.options.measure.probe() else { return self.working(sample) };
        self.collector.send(Command::Watch(Some(Watch { probe, who: self.members.watched(&sample) })));
        self.collector.send(Command::SampleNow);
        let deadline = Instant::now() + LOAD_PATIENCE;
        loop {
            let started = self.next_sample(deadline.saturating_duration_since(Instant::now()))?;
            // Samples from before the probe was there may still be under way.
            if !self.is_standby(&started) || !self.is_there(&started) {
                return self.working(started);
            }
        }
    }

    /// Whether what is wanted has not begun yet.
    fn is_standby(&self, sample: &Sample) -> bool {
        let mut status = sample.status.iter().filter(|status| status.domain == self.options.measure.domain());
        status.any(|status| status.health == Health::Standby)
    }

    /// The sample, if what is wanted works.
    fn working(&self, sample: Arc<Sample>) -> Result<Arc<Sample>, ProfileError> {
        let status = sample.status.iter().find(|status| status.domain == self.options.measure.domain());
        match status.map(|status| &status.health) {
            Some(Health::Off { reason }) => Err(ProfileError::Refused(reason.clone())),
            _ => Ok(sample),
        }
    }

    /// Takes samples in until `end`, and one more; gives the last.
    fn sample_until(&mut self, end: Instant, stopped: &Receiver<()>, first: &Arc<Sample>) -> Result<Arc<Sample>, ProfileError> {
        let mut last = Arc::clone(first);
        let mut progress = Progress::new(self.options.time);
        loop {
            select! {
                recv(stopped) -> _ => break,
                recv(at(end)) -> _ => break,
                recv(self.symbols.1) -> answer => match answer {
                    Ok(answer) => self.names.answer(answer),
                    Err(_) => self.symbols.1 = crossbeam_channel::never(),
                },
                recv(self.collector.updates) -> update => {
                    if let Some(sample) = self.take_in(update.map_err(|_| ended())?)? {
                        last = sample;
                        if !self.is_there(&last) {
                            return Ok(last);
                        }
                        progress.show(end, self.tally.count());
                    }
                }
            }
        }
        drop(progress);
        self.collector.send(Command::SampleNow);
        let deadline = Instant::now() + PATIENCE;
        let before = last.at_ns;
        while last.at_ns == before {
            match self.collector.updates.recv_deadline(deadline) {
                Ok(update) => last = self.take_in(update)?.unwrap_or(last),
                Err(_) => break,
            }
        }
        Ok(last)
    }

    /// The sample, if the update is one.
    fn take_in(&mut self, update: Update) -> Result<Option<Arc<Sample>>, ProfileError> {
        match update {
            Update::Details(found) => {
                self.members.learn(found);
                Ok(None)
            }
            Update::Inspected(..) | Update::Ready | Update::Missed(_) => Ok(None),
            Update::End(reason) => Err(reason.map_or_else(ended, ProfileError::Source)),
            Update::Sample(sample) => {
                let changed = self.look(&sample);
                let (members, what) = (&self.members, (self.options.measure, self.options.wakers));
                self.tally.add(&sample, what, &changed, &self.names, |key| members.may_have(key));
                self.ask_for_names();
                if let (Some(probe), Whose::Comm(_) | Whose::Cgroup(_)) = (self.options.measure.probe(), &self.options.whose) {
                    self.collector.send(Command::Watch(Some(Watch { probe, who: self.members.watched(&sample) })));
                }
                Ok(Some(sample))
            }
        }
    }

    /// Sees who is there, and asks about those who are new; who runs another program than before.
    fn look(&mut self, sample: &Sample) -> FxHashSet<ProcKey> {
        let changed = self.programs.changed(sample);
        self.tally.settle(&changed, &mut self.names);
        self.names.tick(sample);
        let new = self.members.look(sample);
        if !new.is_empty() {
            self.collector.send(Command::Details(new.into_iter().map(|(key, _)| key).collect()));
        }
        changed
    }

    /// Whether the one process lives, where there is only one. A zombie, which nobody has waited for yet, does nothing any more.
    fn is_there(&self, sample: &Sample) -> bool {
        let runs = |key| {
            let found = sample.tasks.binary_search_by_key(&key, |task| task.key);
            found.is_ok_and(|at| !matches!(sample.tasks[at].state, b'Z' | b'X'))
        };
        self.members.only().is_none_or(runs)
    }

    fn next_sample(&mut self, patience: Duration) -> Result<Arc<Sample>, ProfileError> {
        let deadline = Instant::now() + patience;
        loop {
            match self.collector.updates.recv_deadline(deadline) {
                Ok(Update::Sample(sample)) => return Ok(sample),
                Ok(Update::Details(found)) => self.members.learn(found),
                Ok(Update::Inspected(..) | Update::Ready | Update::Missed(_)) => {}
                Ok(Update::End(reason)) => return Err(reason.map_or_else(ended, ProfileError::Source)),
                Err(RecvTimeoutError::Timeout) => return Err(ProfileError::Source("the collector does not answer".into())),
                Err(RecvTimeoutError::Disconnected) => return Err(ended()),
            }
        }
    }

    fn wait_for_details(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(update) = self.collector.updates.recv_deadline(deadline) {
            if let Update::Details(found) = update {
                self.members.learn(found);
                return;
            }
        }
    }

    fn profile(&mut self, first: &Sample, duration_ns: u64, lost: u64) -> Profile {
        let stacks = std::mem::take(&mut self.tally).into_stacks();
        let wanted = stacks.into_iter().filter(|(stack, _)| self.members.has(stack.key));
        let named = wanted.map(|(stack, sums)| ProfileStack::new(&stack, sums, self.members.container(stack.key), &self.names));
        let hz = if self.options.measure == Measure::OnCpu { first.stacks.hz } else { 0 };
        Profile {
            title: self.options.title(),
            measure: self.options.measure,
            hz,
            began_unix_ms: first.unix_ms,
            duration_ns,
            lost,
            stacks: named.collect(),
        }
    }

    fn why_nothing(&self, duration_ns: u64) -> String {
        let (title, seconds) = (self.options.title(), duration_ns as f64 / 1e9);
        let nothing = match self.options.measure {
            Measure::OnCpu => "was on no CPU: --weight off shows what it waits for",
            Measure::OffCpu => "never left a CPU, or waited all the time for one thing that began before: ebtop shows its state",
            Measure::Faults => "had no page faults",
            Measure::Allocs => "had no pages allocated for it",
            Measure::Net => "moved no bytes over TCP or UDP",
        };
        format!("nothing was seen: in {seconds:.1} s {title} {nothing}")
    }
}

fn ended() -> ProfileError {
    ProfileError::Source("the collector stopped".into())
}
