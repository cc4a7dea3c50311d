//! The samples of the last minutes in memory, to look back at: bounded in time and in bytes.
//!
//! The newest sample is there whole. Of each one before it is kept, in the encoding of recordings, what the step from it to the next
//! one changed: the processes that were other ones or are gone, and who was born. So a process that sleeps costs nothing, the way back
//! is a step at a time, and the oldest are dropped without a look at the others. Stacks are not here: they have a history of their own.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::groups;
use crate::model::Changes;
use crate::sample::{DomainStatus, Exit, Machine, ProcKey, Sample, Socket, Stacks, Task};

/// Bytes for each quarter of an hour that is asked for.
const BYTES_A_QUARTER: u64 = 4 << 20;
/// Seconds of that.
const QUARTER: u64 = 900;
/// Bytes at the least and at the most, however long somebody wants.
const BYTES: (u64, u64) = (1 << 20, 64 << 20);

/// A sample that is not the newest.
#[derive(Debug)]
struct Step {
    at_ns: u64,
    unix_ms: u64,
    /// How its processes were where the next sample has others.
    before: Box<[u8]>,
    /// Everything else of it.
    rest: Box<[u8]>,
}

impl Step {
    fn bytes(&self) -> usize {
        size_of::<Step>() + self.before.len() + self.rest.len()
    }
}

/// How processes were before a step.
#[derive(Serialize, Deserialize)]
struct Before<'a> {
    changed: Cow<'a, [Task]>,
    gone: Cow<'a, [Task]>,
    born: Cow<'a, [ProcKey]>,
}

impl Before<'_> {
    fn restore(self, tasks: &mut BTreeMap<ProcKey, Task>) {
        self.born.iter().for_each(|key| {
            tasks.remove(key);
        });
        tasks.extend(self.changed.iter().chain(self.gone.iter()).map(|task| (task.key, *task)));
    }
}

/// What belongs to no process, and what happened.
#[derive(Serialize, Deserialize)]
struct Rest<'a> {
    exits: Cow<'a, [Exit]>,
    sockets: Cow<'a, [Socket]>,
    machine: Cow<'a, Machine>,
    status: Cow<'a, [DomainStatus]>,
    own_cpu_ns: u64,
    hz: u32,
}

/// The last samples.
#[derive(Debug, Default)]
pub struct Past {
    reach_ns: u64,
    budget_bytes: usize,
    newest: Option<Arc<Sample>>,
    /// The oldest first.
    steps: VecDeque<Step>,
    bytes: usize,
    /// Memory, not time, was what ended the way back last.
    is_cut: bool,
}

impl Past {
    /// Keeps samples for so long, or as far back as 4 MiB for each quarter of an hour reach (1 MiB at the least, 64 at the most);
    /// zero keeps none.
    pub fn new(reach: Duration) -> Past {
        let bytes = (reach.as_secs().saturating_mul(BYTES_A_QUARTER) / QUARTER).clamp(BYTES.0, BYTES.1);
        Past {
            reach_ns: u64::try_from(reach.as_nanos()).unwrap_or(u64::MAX),
            budget_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            ..Past::default()
        }
    }

    /// Nothing is ever kept.
    pub fn is_off(&self) -> bool {
        self.reach_ns == 0
    }

    /// The newest sample; none before the first, and where nothing is kept.
    pub fn newest(&self) -> Option<&Arc<Sample>> {
        self.newest.as_ref()
    }

    /// Takes in the next sample, and how the processes changed since the one before. One that was taken in before adds nothing; one from
    /// another time begins anew.
    pub fn push(&mut self, sample: &Arc<Sample>, changes: &Changes<'_>) {
        if self.is_off() || self.newest.as_ref().is_some_and(|newest| newest.at_ns == sample.at_ns) {
            return;
        }
        let Some(earlier) = self.newest.replace(Arc::clone(sample)) else { return };
        if earlier.at_ns > sample.at_ns {
            return self.forget();
        }
        match encode(&earlier, changes) {
            Ok(step) => {
                self.bytes += step.bytes();
                self.steps.push_back(step);
            }
            // The way back ends here.
            Err(_) => self.forget(),
        }
        self.drop_oldest(sample.at_ns.saturating_sub(self.reach_ns));
    }

    fn drop_oldest(&mut self, before_ns: u64) {
        while self.steps.front().is_some_and(|step| self.bytes > self.budget_bytes || step.at_ns < before_ns) {
            self.is_cut = self.bytes > self.budget_bytes;
            self.bytes -= self.steps.pop_front().map_or(0, |step| step.bytes());
        }
    }

    /// Bytes that it may take, where those are why it reaches no further back.
    pub fn cut_by(&self) -> Option<usize> {
        self.is_cut.then_some(self.budget_bytes)
    }

    fn forget(&mut self) {
        self.steps.clear();
        self.bytes = 0;
    }

    /// Samples that are kept, the newest included.
    pub fn len(&self) -> usize {
        self.steps.len() + usize::from(self.newest.is_some())
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.newest.is_none()
    }

    /// Bytes taken, the newest sample not counted: the screen has that anyway.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// When each sample was taken, the oldest first: `CLOCK_BOOTTIME`, and Unix time in ms.
    pub fn times(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> {
        self.steps.iter().map(|step| (step.at_ns, step.unix_ms)).chain(self.newest.iter().map(|newest| (newest.at_ns, newest.unix_ms)))
    }

    /// The sample of that index, counted from the oldest, and the one before it, where that is kept.
    pub fn at(&self, index: usize) -> Option<(Option<Sample>, Arc<Sample>)> {
        let newest = self.newest.as_ref()?;
        let mut tasks: BTreeMap<ProcKey, Task> = newest.tasks.iter().map(|task| (task.key, *task)).collect();
        for step in self.steps.iter().skip(index).rev() {
            undo(step, &mut tasks)?;
        }
        let shown = match self.steps.get(index) {
            Some(step) => Arc::new(decode(step, &tasks)?),
            None => Arc::clone(newest),
        };
        let Some(earlier) = index.checked_sub(1).and_then(|index| self.steps.get(index)) else { return Some((None, shown)) };
        undo(earlier, &mut tasks)?;
        Some((Some(decode(earlier, &tasks)?), shown))
    }
}

fn encode(sample: &Sample, changes: &Changes<'_>) -> Result<Step, postcard::Error> {
    let before = Before { changed: changes.changed.into(), gone: changes.gone.into(), born: Cow::Borrowed(&changes.born) };
    let rest = Rest {
        exits: Cow::Borrowed(&sample.exits),
        sockets: Cow::Borrowed(&sample.sockets),
        machine: Cow::Borrowed(&sample.machine),
        status: Cow::Borrowed(&sample.status),
        own_cpu_ns: sample.own_cpu_ns,
        hz: sample.stacks.hz,
    };
    Ok(Step {
        at_ns: sample.at_ns,
        unix_ms: sample.unix_ms,
        before: postcard::to_allocvec(&before)?.into(),
        rest: postcard::to_allocvec(&(rest, sample.cgroups.as_deref()))?.into(),
    })
}

fn undo(step: &Step, tasks: &mut BTreeMap<ProcKey, Task>) -> Option<()> {
    postcard::from_bytes::<Before<'static>>(&step.before).ok()?.restore(tasks);
    Some(())
}

fn decode(step: &Step, tasks: &BTreeMap<ProcKey, Task>) -> Option<Sample> {
    let (rest, cgroups) = postcard::from_bytes::<(Rest<'static>, Option<groups::AsRead>)>(&step.rest).ok()?;
    Some(Sample {
        at_ns: step.at_ns,
        unix_ms: step.unix_ms,
        tasks: tasks.values().copied().collect(),
        threads: Vec::new(),
        exits: rest.exits.into_owned(),
        sockets: rest.sockets.into_owned(),
        cgroups: cgroups.map(|groups| Arc::new(groups.into())),
        stacks: Stacks { hz: rest.hz, ..Stacks::default() },
        machine: rest.machine.into_owned(),
        status: rest.status.into_owned(),
        own_cpu_ns: rest.own_cpu_ns,
    })
}

#[cfg(test)]
mod tests;
