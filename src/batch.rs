//! `ebtop -b`: the same model without a terminal, tick by tick, until enough were written or somebody says stop.

mod names;
mod needs;
mod net;
mod options;

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, at, never, select};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::app::column::{self, CgroupView, RowView};
use crate::app::details::hold_until_ns;
use crate::app::user_names::UserNames;
use crate::app::view::View;
use crate::collect::Collector;
use crate::export::stack::NamedStack;
use crate::export::{Report, Writer};
use crate::interrupt::Interrupt;
use crate::model::exited::{Ended, Exited};
use crate::model::owners::GoneOwners;
use crate::model::{Departed, Model, Row};
use crate::sample::{Command, Details, Domain, Health, ProcKey, Sample, Task, Update, Wants, Weight, printable};
use crate::symbols::{self, Symbols};
pub use net::NetSort;
pub use options::{BatchOptions, Format, OptionsError, known_names};

/// How long a tick waits for details; a process that hangs must not hold up the others.
const PATIENCE: Duration = Duration::from_secs(2);
/// Why a batch run ended early.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The collector gave up; it says what to do.
    #[error("{0}")]
    Source(String),
    /// The output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// Signals cannot be caught.
    #[error("cannot catch signals: {0}")]
    Signals(io::Error),
}

/// How a batch run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Ticks written.
    pub ticks: u64,
    /// Something the view shows did not work or lost events.
    pub partial: bool,
}

/// Writes ticks until there were enough, the source ends, the reader goes away, or SIGINT, SIGTERM or SIGHUP. A second signal
/// ends the process at once, even while the reader is stuck.
///
/// # Errors
/// The source failed for good, or `out` cannot be written (a reader that went away is no error).
pub fn run(collector: &Collector, options: &BatchOptions, out: &mut impl Write) -> Result<Outcome, BatchError> {
    run_with(collector, symbols::spawn(collector.origin), options, out)
}

/// The same, with a symbol thread that was started before: one that starts now gets no more rights than this thread has.
///
/// # Errors
/// As above.
pub fn run_with(collector: &Collector, symbols: Symbols, options: &BatchOptions, out: &mut impl Write) -> Result<Outcome, BatchError> {
    let interrupt = Interrupt::catch().map_err(BatchError::Signals)?;
    let names = (options.shown.view == View::Stacks).then(|| names::SymbolThread::new(symbols));
    Batch::new(collector, options, names, &interrupt.stopped).run(out)
}

struct Batch<'a> {
    collector: &'a Collector,
    options: &'a BatchOptions,
    stopped: &'a Receiver<()>,
    /// Updates that came while waiting for details.
    early: VecDeque<Update>,
    details: FxHashMap<ProcKey, Known>,
    /// Processes asked about last: their exec, and until when the answer holds.
    asked: FxHashMap<ProcKey, (u64, u32, u64)>,
    users: UserNames,
    names: Option<names::SymbolThread>,
}

/// Details, the exec and the user that they were read for, and when they are to be read again.
struct Known {
    exec_id: u64,
    uid: u32,
    again_ns: u64,
    details: Details,
}

/// What waiting came to.
enum Received {
    Update(Update),
    /// Told to stop.
    Stop,
    /// It took too long.
    Late,
}

impl<'a> Batch<'a> {
    fn new(collector: &'a Collector, options: &'a BatchOptions, names: Option<names::SymbolThread>, stopped: &'a Receiver<()>) -> Self {
        let (early, details, asked, users) = (VecDeque::new(), FxHashMap::default(), FxHashMap::default(), options.users.clone());
        Batch { collector, options, stopped, early, details, asked, users, names }
    }

    fn run(mut self, out: &mut impl Write) -> Result<Outcome, BatchError> {
        let wants = self.options.collects();
        if wants != Wants::default() {
            // The sample taken at the start lacks what is wanted only now: growth is counted from one that has it.
            let first = self.next_sample()?;
            self.collector.send(Command::Want(wants));
            match first.filter(|_| self.options.recorded) {
                // It holds what it holds from the start.
                Some(sample) => self.early.push_front(Update::Sample(sample)),
                None => self.collector.send(Command::SampleNow),
            }
        }
        let mut writer = self.options.writer.clone();
        let mut outcome = Outcome::default();
        let (mut prev, mut owners): (Option<Arc<Sample>>, _) = (None, GoneOwners::default());
        while self.options.iterations.is_none_or(|n| outcome.ticks < n) {
            let Some(sample) = self.next_sample()? else { break };
            if !self.learn_details(&sample) {
                break;
            }
            if let Some(prev) = &prev {
                let mut model = Model::between(Some(prev), Arc::clone(&sample));
                model.owners.remember(&owners);
                match self.write(&model, &mut writer, out) {
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                    result => result?,
                }
                owners = model.owners;
                outcome.ticks += 1;
                outcome.partial |= is_partial(prev, &sample, &self.options.domains()) || wants.cgroups && lacks_cgroups(&sample);
                // Whoever records does not look at these.
                outcome.partial |= self.options.recorded && wants.page_allocs;
            }
            prev = Some(sample);
        }
        Ok(outcome)
    }

    /// The next sample; `None` when the source ended or somebody said stop.
    fn next_sample(&mut self) -> Result<Option<Arc<Sample>>, BatchError> {
        loop {
            match self.early.pop_front().map_or_else(|| self.receive(&never()), Received::Update) {
                Received::Update(Update::Sample(sample)) => return Ok(Some(sample)),
                Received::Update(Update::Details(found)) => self.learn(found),
                Received::Update(Update::Inspected(..) | Update::Ready) => {}
                // On standard error, so that what reads the output is not left without a word.
                Received::Update(Update::Missed(why)) => eprintln!("ebtop: no sample this time: {}", printable(why.as_bytes())),
                Received::Update(Update::End(Some(reason))) => return Err(BatchError::Source(reason)),
                Received::Update(Update::End(None)) | Received::Stop | Received::Late => return Ok(None),
            }
        }
    }

    fn receive(&self, deadline: &Receiver<Instant>) -> Received {
        select! {
            recv(self.stopped) -> _ => Received::Stop,
            recv(self.collector.updates) -> update => {
                Received::Update(update.unwrap_or_else(|_| Update::End(Some("the collector stopped".into()))))
            }
            recv(deadline) -> _ => Received::Late,
        }
    }

    /// Learns the details of processes that are new, called exec or were not looked at for long, and forgets those of the gone.
    /// False when told to stop.
    fn learn_details(&mut self, sample: &Sample) -> bool {
        let exited: FxHashSet<ProcKey> = sample.exits.iter().map(|e| e.task.key).collect();
        let lives = |key: &ProcKey| sample.tasks.binary_search_by_key(key, |t| t.key).is_ok();
        self.details.retain(|key, _| lives(key) || exited.contains(key));
        let holds = |d: &Known, t: &Task| (d.exec_id, d.uid) == (t.exec_id, t.uid) && sample.at_ns < d.again_ns;
        let is_known = |t: &&Task| self.details.get(&t.key).is_some_and(|d| holds(d, t));
        let asked = |t: &Task| (t.key, (t.exec_id, t.uid, hold_until_ns(t, sample.at_ns)));
        self.asked = sample.tasks.iter().filter(|t| !is_known(t)).map(asked).collect();
        if self.asked.is_empty() {
            return true;
        }
        self.collector.send(Command::Details(self.asked.keys().copied().collect()));
        let deadline = at(Instant::now() + PATIENCE);
        loop {
            match self.receive(&deadline) {
                Received::Update(Update::Details(found)) => {
                    self.learn(found);
                    return true;
                }
                Received::Update(update) => {
                    let has_failed = matches!(update, Update::End(Some(_)));
                    self.early.push_back(update);
                    if has_failed {
                        return true;
                    }
                }
                Received::Late => return true,
                Received::Stop => return false,
            }
        }
    }

    fn learn(&mut self, found: Vec<(ProcKey, Details)>) {
        found.iter().for_each(|(_, details)| self.users.learn(details));
        let asked = &self.asked;
        let known = |(key, details)| asked.get(&key).map(|&(exec_id, uid, again_ns)| (key, Known { exec_id, uid, again_ns, details }));
        self.details.extend(found.into_iter().filter_map(known));
    }

    /// Writes a tick in one go, so that a reader sees whole ticks.
    fn write(&mut self, model: &Model, writer: &mut Writer, out: &mut impl Write) -> io::Result<()> {
        let departed: Vec<_> = model.departed.iter().copied().filter(|d| self.options.filter.matches(&self.departed(model, d))).collect();
        let exited = Exited::fold(model, model.ended().filter(|ended| self.options.filter.matches(&self.ended(model, *ended))));
        let stacks = self.stacks(model);
        let report = Report { stacks, ..self.report(model, &departed, &exited) };
        let mut out = BufWriter::with_capacity(1 << 16, out);
        writer.write(&report, &mut out)?;
        out.flush()
    }

    fn report<'m>(&'m self, model: &'m Model, departed: &'m [Departed], exited: &'m Exited) -> Report<'m> {
        let (by, descending) = self.options.sort;
        let mut report = Report::empty(model);
        report.live = model.rows.iter().map(|row| self.live(model, row)).filter(|row| self.options.filter.matches(row)).collect();
        report.exited = departed.iter().map(|d| self.departed(model, d)).collect();
        report.mixed = report.live.iter().filter(|row| !row.is_exited()).copied().collect();
        report.mixed.extend(exited.groups.iter().map(|group| RowView::exited(model, group)));
        for rows in [&mut report.live, &mut report.exited, &mut report.mixed] {
            column::sort(rows, by, descending);
        }
        report.cgroups = (self.options.shown.view == View::Cgroups).then(|| self.cgroups(model));
        report.disks = self.options.shown.view == View::Disk;
        self.add_net(model, &mut report);
        report
    }

    fn cgroups<'m>(&self, model: &'m Model) -> Vec<CgroupView<'m>> {
        let mut views: Vec<_> = CgroupView::all(model).filter(|view| self.options.filter.matches_cgroup(view)).collect();
        column::sort(&mut views, self.options.cgroup_sort.0, self.options.cgroup_sort.1);
        views
    }

    /// Stacks of the processes shown, named; `None` where the view has none.
    fn stacks(&mut self, model: &Model) -> Option<Vec<NamedStack>> {
        let mut names = self.names.take()?;
        names.turn_to(&model.sample.stacks);
        let live = model.rows.iter().map(|row| self.live(model, row));
        let shown: FxHashSet<ProcKey> = live
            .chain(model.departed.iter().map(|d| self.departed(model, d)))
            .filter(|row| self.options.filter.matches(row))
            .filter_map(|row| row.task().map(|t| t.key))
            .collect();
        let counts: Vec<_> =
            model.sample.stacks.counts.iter().filter(|s| s.weight == Weight::OnCpu && shown.contains(&s.key)).cloned().collect();
        let named = NamedStack::all(&counts, &mut names);
        self.names = Some(names);
        Some(named)
    }

    fn live<'m>(&'m self, model: &'m Model, row: &'m Row) -> RowView<'m> {
        RowView::live(model, row, self.details_of(model.task(row).key)).with_users(&self.users)
    }

    fn ended<'m>(&'m self, model: &'m Model, ended: Ended<'m>) -> RowView<'m> {
        RowView::ended(model, ended).with_details(self.details_of(ended.task(model).key)).with_users(&self.users)
    }

    fn departed<'m>(&'m self, model: &'m Model, departed: &'m Departed) -> RowView<'m> {
        RowView::departed(model, departed).with_details(self.details_of(departed.exit.task.key)).with_users(&self.users)
    }

    fn details_of(&self, key: ProcKey) -> Option<&Details> {
        self.details.get(&key).map(|known| &known.details)
    }
}

/// Control groups, or figures of some, are missing.
fn lacks_cgroups(sample: &Sample) -> bool {
    sample.cgroups.as_deref().is_none_or(|groups| groups.left_out > 0 || groups.trouble.is_some())
}

/// A domain that is shown works in part or not at all, or lost events within the tick.
fn is_partial(prev: &Sample, next: &Sample, domains: &[Domain]) -> bool {
    let lost_before = |domain| prev.status.iter().find(|s| s.domain == domain).map_or(0, |s| s.lost);
    next.status
        .iter()
        .filter(|s| domains.contains(&s.domain))
        .any(|s| matches!(s.health, Health::Degraded { .. } | Health::Off { .. }) || s.lost > lost_before(s.domain))
}
