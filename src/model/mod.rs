//! Pure data made of samples: rates, the CPU ledger, stack trees. No clock, no I/O, no terminal.

pub mod exited;
pub mod ledger;
pub mod machine;
pub mod sockets;
pub mod stacks;
pub mod sum;
pub mod threads;

use std::sync::Arc;

use crate::sample::{Counter, Counters, Domain, Exit, Health, ProcKey, Sample, Task};

/// A process absent from the older sample though born this little before its end: the walk had already passed its pid, or
/// /proc rounded its start down to 10 ms. Nothing of it was counted yet, so all its counters are growth.
const MISSED_BIRTH_NS: u64 = 100_000_000;

/// A live process and its growth over the tick.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row {
    /// Index of the process in `sample.tasks`.
    pub task: u32,
    /// First seen in this sample and born within the tick.
    pub is_new: bool,
    /// Growth over [`Model::elapsed_ns`]; for a process first seen, since its start if it was born within the tick, else unknown.
    pub delta: Counters,
    /// Growth of resident bytes; `None` where either end is unknown.
    pub rss_growth_bytes: Option<i64>,
    /// Growth of the address space, bytes.
    pub vm_growth_bytes: Option<i64>,
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
    /// Processes that ended.
    pub departed: Vec<Departed>,
    /// The same, folded by command.
    pub exited: exited::Exited,
    /// Where the machine's CPU time went.
    pub ledger: ledger::Ledger,
    /// Rates of what belongs to no process.
    pub machine: machine::MachineRates,
    /// Threads one by one, where the sample tells of them.
    pub threads: threads::Threads,
    /// One for each of `sample.sockets`, same order.
    pub sockets: Vec<sockets::SocketRow>,
}

impl Model {
    /// Compares two samples by merging their tasks, which stand in key order.
    pub fn between(prev: Option<&Sample>, next: Arc<Sample>) -> Model {
        let prev = prev.filter(|p| p.at_ns < next.at_ns);
        let elapsed_ns = prev.map_or(0, |p| next.at_ns - p.at_ns);
        let rows = rows(prev, &next.tasks);
        let departed: Vec<_> = next.exits.iter().map(|exit| depart(prev, exit)).collect();
        Model {
            elapsed_ns,
            exited: exited::Exited::fold(&departed),
            ledger: ledger::Ledger::of(prev, &next, &rows, &departed),
            machine: machine::MachineRates::between(prev.map(|p| &p.machine), &next.machine, elapsed_ns),
            threads: threads::Threads::between(prev, &next, &rows),
            sockets: sockets::rows(prev, &next),
            rows,
            departed,
            sample: next,
        }
    }

    /// The process of a row.
    pub fn task(&self, row: &Row) -> &Task {
        &self.sample.tasks[row.task as usize]
    }

    /// The row of a process, if it lives.
    pub fn find(&self, key: ProcKey) -> Option<&Row> {
        self.sample.tasks.binary_search_by_key(&key, |t| t.key).ok().and_then(|i| self.rows.get(i))
    }
}

/// Merges two task lists, both ascending by key.
fn rows(prev: Option<&Sample>, tasks: &[Task]) -> Vec<Row> {
    let births = prev.map(Births::after);
    let mut older = prev.map_or(&[][..], |p| &p.tasks).iter().peekable();
    // In steps, so that the memory of the last rows fits these.
    let mut rows = Vec::with_capacity(tasks.len().next_multiple_of(512));
    for (index, task) in tasks.iter().enumerate() {
        while older.next_if(|o| o.key < task.key).is_some() {}
        let mut row = match older.next_if(|o| o.key == task.key) {
            Some(before) => grown(before, task),
            None => first_seen(births.as_ref(), task),
        };
        row.task = index as u32;
        rows.push(row);
    }
    rows
}

fn grown(before: &Task, task: &Task) -> Row {
    let both = before.memory.zip(task.memory);
    Row {
        task: 0,
        is_new: false,
        delta: task.counters.since(&before.counters),
        rss_growth_bytes: both.map(|(b, a)| difference(b.rss_bytes(), a.rss_bytes())),
        vm_growth_bytes: both.map(|(b, a)| difference(b.vm_bytes, a.vm_bytes)),
    }
}

fn first_seen(births: Option<&Births>, task: &Task) -> Row {
    let delta = births.and_then(|b| b.growth(task));
    let memory = delta.and(task.memory);
    Row {
        task: 0,
        is_new: delta.is_some(),
        delta: delta.unwrap_or_default(),
        rss_growth_bytes: memory.map(|m| difference(0, m.rss_bytes())),
        vm_growth_bytes: memory.map(|m| difference(0, m.vm_bytes)),
    }
}

fn depart(prev: Option<&Sample>, exit: &Exit) -> Departed {
    let before = prev.and_then(|p| p.tasks.binary_search_by_key(&exit.task.key, |t| t.key).ok().map(|i| &p.tasks[i]));
    let delta = match before {
        Some(before) => exit.task.counters.since(&before.counters),
        None => prev.and_then(|p| Births::after(p).growth(&exit.task)).unwrap_or_default(),
    };
    Departed { exit: *exit, delta }
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

    /// All its counters, if it was born since.
    fn growth(&self, task: &Task) -> Option<Counters> {
        (task.key.start_ns >= self.since_ns).then(|| task.counters.since(&self.zeros))
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
