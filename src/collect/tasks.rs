//! Every process: what its threads have counted so far, and the last words of those that ended.
//!
//! The kernel counts run time, faults, switches and I/O anyway; [`Tasks::read`] only fetches the totals, once a tick, and adds
//! what dead threads left in `signal_struct`. Final counters come from `sched_process_free`, when a task has run for the last
//! time, so that a process born and dead between two readings loses nothing.

mod cputime;
mod fold;
mod kernel;
mod leaving;
mod row;
mod words;

use std::os::fd::BorrowedFd;

use super::choice::Choice;
use crate::clock::boottime_ns;
use crate::sample::{Domain, DomainStatus, Exit, Health, Task, TaskList, Thread};
use fold::Fold;
use kernel::Kernel;
pub use kernel::Rung;
use leaving::Leaving;
use row::Facts;

/// Ways to walk the list, best first.
const RUNGS: &[Rung] = &[Rung::OpenCoded, Rung::Iterator];

/// One reading of the task list.
#[derive(Clone, Debug, Default)]
pub struct TaskReading {
    /// When the walk ended, `CLOCK_BOOTTIME` ns.
    pub at_ns: u64,
    /// Processes, ascending by key.
    pub tasks: Vec<Task>,
    /// Processes that ended since the reading before. None of them is in `tasks`, now or later.
    pub exits: Vec<Exit>,
    /// Threads beside the leaders, where they are wanted.
    pub threads: Vec<Thread>,
}

/// The tasks domain, loaded into the kernel until it is dropped.
pub struct Tasks {
    kernel: Kernel,
    fold: Fold,
    leaving: Leaving,
    page_bytes: u64,
    facts: Facts,
    failed_walks: u64,
    fault: Option<String>,
}

impl Tasks {
    /// Loads and attaches in the best form this kernel takes. The error is one line: the cause and the fix.
    pub fn open() -> Result<Tasks, String> {
        Self::open_with(RUNGS)
    }

    /// The same, with these ways of walking only, tried in this order.
    pub fn open_with(rungs: &[Rung]) -> Result<Tasks, String> {
        Self::open_form(rungs, false)
    }

    /// As was asked for.
    pub(super) fn open_chosen(choice: &Choice) -> Result<Tasks, String> {
        let rung = choice.tasks.map(|rung| [rung]);
        Self::open_form(rung.as_ref().map_or(RUNGS, |rung| rung), choice.deaf)
    }

    fn open_form(rungs: &[Rung], deaf: bool) -> Result<Tasks, String> {
        let page_bytes = rustix::param::page_size() as u64;
        let kernel = Kernel::open(rungs, deaf)?;
        let mut tasks = Tasks {
            fold: Fold::new(page_bytes, kernel.deaf.is_none()),
            kernel,
            leaving: Leaving::default(),
            page_bytes,
            facts: Facts(0),
            failed_walks: 0,
            fault: None,
        };
        if let Ok([[first, ..], _]) = tasks.kernel.walk.rows() {
            tasks.facts = first.facts;
        }
        Ok(tasks)
    }

    /// Reads every process once, and the exits since the last time. Where the walk fails ([`Tasks::fault`]), there are exits alone, and the
    /// reading counts as lost.
    pub fn read(&mut self) -> TaskReading {
        if self.kernel.make_room() {
            self.fold.forget_rounds();
        }
        let rows = self.kernel.walk.rows();
        let at_ns = boottime_ns();
        // After the walk: what was freed since is reported as an exit and left out of the tasks.
        let leaving = &mut self.leaving;
        self.kernel.words.drain(|words| leaving.hear(words));
        let exits = leaving.take_exits(&self.fold, self.page_bytes);
        let gone = leaving.gone(&exits);
        let (tasks, threads) = match rows {
            Ok(rows) => {
                let folded = self.fold.fold(rows, &leaving.dying(), &gone);
                leaving.expire(&folded.limbo, at_ns);
                self.fault = None;
                (folded.tasks, folded.threads)
            }
            Err(error) => {
                self.fold.forget(&gone);
                self.failed_walks += 1;
                self.fault = Some(format!("the task list could not be walked ({error}); the next tick tries again"));
                (Vec::new(), Vec::new())
            }
        };
        TaskReading { at_ns, tasks, exits, threads }
    }

    /// Why the last walk failed, if it did: then nothing is known of any process.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Whether to tell of threads one by one.
    pub fn want_threads(&mut self, wanted: bool) {
        self.fold.wants_threads = wanted;
    }

    /// To be told what became of the processes read last, so that the next totals are held above them.
    pub fn remember(&mut self, tasks: TaskList) {
        if self.fault.is_none() {
            self.fold.remember(tasks);
        }
    }

    /// Readable when the last words fill a quarter of their ring: call [`Tasks::drain`] then.
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.kernel.words.wake_fd()
    }

    /// Takes last words out of the kernel; the next reading reports them.
    pub fn drain(&mut self) {
        let leaving = &mut self.leaving;
        self.kernel.words.drain(|words| leaving.hear(words));
    }

    /// How the domain is doing, and what it lost: last words (told by the kernel or found missing here), walks that failed.
    pub fn status(&self) -> DomainStatus {
        let deaf = self.kernel.deaf.as_ref().map(|why| format!("exits are not seen, their CPU is missing: {why}"));
        let health = match self.fault.clone().or(deaf) {
            Some(reason) => Health::Degraded { reason },
            None => Health::Live,
        };
        // One loss may show on both sides: words that found no room or were not spoken, a process that left without a word.
        let unheard = self.kernel.words.lost() + self.kernel.missed.runs();
        let lost = unheard.max(self.leaving.lost()) + self.failed_walks;
        DomainStatus { domain: Domain::Tasks, health, lost, cost: None }
    }

    /// Whether this kernel keeps (interrupt time, stolen time) out of tasks' run time. From the options it was built with.
    pub fn apart(&self) -> (Option<bool>, Option<bool>) {
        let has = |fact: Facts| Some(self.facts.0 & fact.0 != 0);
        (has(Facts::EB_IRQ_APART), has(Facts::EB_STEAL_APART))
    }
}
