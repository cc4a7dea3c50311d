//! Pure data made of samples: rates, the CPU ledger, stack trees. No clock, no I/O, no terminal.

pub mod cgroups;
pub mod disks;
pub mod exited;
pub mod growth;
pub mod ledger;
pub mod machine;
pub mod owners;
pub mod remotes;
pub mod sockets;
pub mod stacks;
pub mod sum;
pub mod threads;

mod changes;
mod interfaces;

use std::sync::Arc;

use crate::sample::{Counter, Counters, Domain, Exit, Health, InterfaceCounters, ProcKey, Sample, Task};
pub use changes::Changes;
use changes::Merged;
use growth::Growth;

/// A process absent from the older sample though born this little before its end: the walk had already passed its pid, or
/// /proc rounded its start down to 10 ms. Nothing of it was counted yet, so all its counters are growth.
const MISSED_BIRTH_NS: u64 = 100_000_000;

/// A live process and from where its growth over the tick counts: see [`Model::growth`].
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Index of the process in `sample.tasks`.
    pub task: u32,
    since: Since,
}

/// From where growth counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    /// It is as it was.
    Same,
    /// Index among those of the older sample that changed.
    Older(u32),
    /// First seen, and born within the tick.
    Birth,
    /// First seen, and not young.
    Unknown,
}

impl Row {
    /// First seen in this sample and born within the tick.
    pub fn is_new(&self) -> bool {
        self.since == Since::Birth
    }
}

/// A process that ended within the tick and what it used since the sample before.
#[derive(Clone, Copy, Debug)]
pub struct Departed {
    /// Its last words.
    pub exit: Exit,
    /// Growth from the sample before (or its birth) to its end.
    pub delta: Counters,
}

/// What happened between two samples.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The newer sample.
    pub sample: Arc<Sample>,
    /// Time between the two; 0 when there is no older one (then no delta is known).
    pub elapsed_ns: u64,
    /// One for each task, same order.
    pub rows: Vec<Row>,
    /// The processes of the older sample that changed since: of 10,000 nearly all idle, and a list of them all is megabytes.
    older: Vec<Task>,
    /// Those of the older sample that are not in this one.
    gone: Vec<Task>,
    /// Zeros of the counters that those born within the tick began with.
    zeros: Counters,
    /// Processes that ended.
    pub departed: Vec<Departed>,
    /// The same and those that are leaving, folded by command.
    pub exited: exited::Exited,
    /// Where the machine's CPU time went.
    pub ledger: ledger::Ledger,
    /// Rates of what belongs to no process.
    pub machine: machine::MachineRates,
    /// Threads one by one, where the sample tells of them.
    pub threads: threads::Threads,
    /// Owners of sockets that are gone.
    pub owners: owners::GoneOwners,
    /// One for each of `sample.sockets`, same order.
    pub sockets: Vec<sockets::SocketRow>,
    /// What each of `sample.machine.interfaces` gained, same order; `None` where its start is not known.
    pub interfaces: Vec<Option<InterfaceCounters>>,
    /// One for each control group of the sample, same order.
    pub cgroups: Vec<cgroups::CgroupRow>,
}

impl Model {
    /// Compares two samples by merging their tasks, which stand in key order.
    pub fn between(prev: Option<&Sample>, next: Arc<Sample>) -> Model {
        let prev = prev.filter(|p| p.at_ns < next.at_ns);
        let elapsed_ns = prev.map_or(0, |p| next.at_ns - p.at_ns);
        let births = prev.map(Births::after);
        let Merged { rows, changed, gone } = Merged::of(prev, births.as_ref(), &next.tasks);
        let departed: Vec<_> = next.exits.iter().map(|exit| depart(prev, births.as_ref(), exit)).collect();
        let mut model = Model {
            elapsed_ns,
            rows,
            older: changed,
            gone,
            zeros: births.map_or_else(Counters::default, |b| b.zeros),
            exited: exited::Exited::default(),
            ledger: ledger::Ledger::default(),
            machine: machine::MachineRates::between(prev.map(|p| &p.machine), &next.machine, elapsed_ns),
            threads: threads::Threads::default(),
            owners: owners::GoneOwners::between(prev, &next),
            sockets: sockets::rows(prev, &next),
            interfaces: interfaces::growth(prev, &next),
            cgroups: Vec::new(),
            departed,
            sample: next,
        };
        model.exited = exited::Exited::fold(&model, model.ended());
        model.ledger = ledger::Ledger::of(prev, &model);
        model.threads = threads::Threads::between(prev, &model);
        model.cgroups = cgroups::rows(prev, &model);
        model
    }

    /// The process of a row.
    pub fn task(&self, row: &Row) -> &Task {
        &self.sample.tasks[row.task as usize]
    }

    /// What a live process gained over [`Model::elapsed_ns`]; one first seen, since its start if it was born within the tick, else unknown.
    pub fn growth(&self, row: &Row) -> Growth<'_> {
        let now = self.task(row);
        match row.since {
            Since::Same => Growth::Since(now, now),
            Since::Older(index) => Growth::Since(&self.older[index as usize], now),
            Since::Birth => Growth::Birth(&self.zeros, now),
            Since::Unknown => Growth::Unknown,
        }
    }

    /// The rows of all that may have gained anything. Most of a machine's processes sleep, and to look at each takes waiting for memory.
    pub fn grown(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| matches!(row.since, Since::Older(_) | Since::Birth))
    }

    /// How the processes of the older sample were.
    pub fn changes(&self) -> Changes<'_> {
        changes::changes(&self.rows, &self.sample.tasks, &self.older, &self.gone)
    }

    /// A process: as it lives, or the last that is known of it where it is gone and owns a socket of the sample.
    pub fn owner(&self, key: ProcKey) -> Option<&Task> {
        self.find(key).map(|row| self.task(row)).or_else(|| self.owners.get(key))
    }

    /// The row of a process, if it lives.
    pub fn find(&self, key: ProcKey) -> Option<&Row> {
        self.sample.tasks.binary_search_by_key(&key, |t| t.key).ok().and_then(|i| self.rows.get(i))
    }
}

fn depart(prev: Option<&Sample>, births: Option<&Births>, exit: &Exit) -> Departed {
    let before = prev.and_then(|p| p.tasks.binary_search_by_key(&exit.task.key, |t| t.key).ok().map(|i| &p.tasks[i].counters));
    let zeros = births.filter(|b| b.include(&exit.task)).map(|b| &b.zeros);
    Departed { exit: *exit, delta: before.or(zeros).map(|from| exit.task.counters.since(from)).unwrap_or_default() }
}

/// What may count from zero in processes born after a sample.
struct Births {
    since_ns: u64,
    /// Zeros of the counters that were already being counted then.
    zeros: Counters,
}

impl Births {
    fn after(prev: &Sample) -> Births {
        let running = |domain| prev.status.iter().any(|s| s.domain == domain && matches!(s.health, Health::Live | Health::Degraded { .. }));
        let mut zeros = Counters::default();
        for counter in Counter::ALL {
            if domain_of(counter).is_none_or(running) {
                zeros.set(counter, 0);
            }
        }
        Births { since_ns: prev.at_ns.saturating_sub(MISSED_BIRTH_NS), zeros }
    }

    fn include(&self, task: &Task) -> bool {
        task.key.start_ns >= self.since_ns
    }
}

/// The probe that must have been running for a counter to start at its process's birth; `None` = the kernel always counts it.
fn domain_of(counter: Counter) -> Option<Domain> {
    use Counter::*;
    match counter {
        TxBytes | RxBytes | TxMessages | RxMessages | Retransmits => Some(Domain::Net),
        PageAllocs | PageAllocBytes => Some(Domain::Mem),
        _ => None,
    }
}

fn difference(before: u64, after: u64) -> i64 {
    i64::try_from(i128::from(after) - i128::from(before)).unwrap_or(i64::MAX)
}
