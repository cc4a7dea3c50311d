//! Folds the threads of one walk into processes, in key order, with totals that never run backwards.
//!
//! A process's total is what its living threads counted plus what `signal_struct` holds of the dead. A thread that leaves while
//! the walk is under way may be missing from both, so totals are held above those of the reading before: it is made up for in
//! the next. Run-queue wait is the one counter that `signal_struct` does not hold: its growth is added up thread by thread
//! here, so what a thread waited between the last reading and its end is not known.

use rustc_hash::FxHashSet;

use super::cputime;
use super::row::{Facts, Kind, Row, activity};
use crate::sample::{Comm, Counter, Counters, ProcKey, Task};

/// What is remembered of a process from one reading to the next.
#[derive(Clone, Copy)]
struct Kept {
    key: ProcKey,
    ppid: u32,
    /// Where its threads begin in `Memo::waits`, and how many there are.
    first_wait: u32,
    threads: u32,
    counters: Counters,
}

/// A reading, as far as the next one needs it: by key, and by thread within a process.
#[derive(Default)]
struct Memo {
    kept: Vec<Kept>,
    waits: Vec<ThreadWait>,
}

#[derive(Clone, Copy)]
struct ThreadWait {
    tid: u32,
    wait_ns: u64,
}

/// The processes of one walk.
pub struct Folded {
    /// Ascending by key, each key once.
    pub tasks: Vec<Task>,
    /// Those among them that are dying and were no longer on the walk, ascending.
    pub limbo: Vec<ProcKey>,
}

/// Folds one reading after the other.
pub struct Fold {
    page_bytes: u64,
    order: Vec<u32>,
    last: Memo,
    next: Memo,
}

impl Fold {
    /// A fold that has seen nothing yet, for pages of this size.
    pub fn new(page_bytes: u64) -> Self {
        Fold { page_bytes, order: Vec::new(), last: Memo::default(), next: Memo::default() }
    }

    /// Folds the rows of a walk, in any order. `dying` are the last words of processes that are not yet freed: one that is not on
    /// the walk any more stays in limbo. Processes in `gone` are left out.
    pub fn fold(&mut self, walk: &[Row], dying: &[Row], gone: &FxHashSet<ProcKey>) -> Folded {
        let row = |i: u32| walk.get(i as usize).unwrap_or_else(|| &dying[i as usize - walk.len()]);
        self.order.clear();
        self.order.extend(0..(walk.len() + dying.len()) as u32);
        // Both walks come in a few ascending runs, which this sort only has to merge.
        self.order.sort_by_key(|&i| (row(i).tgid, row(i).start_ns, row(i).tid));

        let mut folded = Folded { tasks: Vec::with_capacity(self.last.kept.len() + 64), limbo: Vec::new() };
        self.next.kept.clear();
        self.next.waits.clear();
        let mut cursor = 0;
        let mut threads: Vec<&Row> = Vec::new();
        for group in self.order.chunk_by(|&a, &b| row(a).key() == row(b).key()) {
            let key = row(group[0]).key();
            if gone.contains(&key) {
                continue;
            }
            threads.clear();
            threads.extend(group.iter().map(|&i| row(i)).filter(|r| r.kind == Kind::EB_TASK_ROW));
            if threads.is_empty() {
                folded.limbo.push(key);
                threads.push(row(group[0]));
            }
            while self.last.kept.get(cursor).is_some_and(|k| k.key < key) {
                cursor += 1;
            }
            let before = self.last.kept.get(cursor).filter(|k| k.key == key);
            let task = self.last.task_of(&threads, before, self.page_bytes);
            self.next.remember(&task, &threads);
            folded.tasks.push(task);
        }
        std::mem::swap(&mut self.last, &mut self.next);
        folded
    }

    /// The final state of a process that was freed: its totals are in one row.
    pub fn finish(&self, freed: &Row) -> Task {
        let key = freed.key();
        let before = self.last.kept.binary_search_by_key(&key, |k| k.key).ok().map(|i| &self.last.kept[i]);
        let mut task = self.last.task_of(&[freed], before, self.page_bytes);
        if task.ppid == 0 {
            task.ppid = before.map_or(0, |k| k.ppid);
        }
        task
    }
}

impl Memo {
    fn remember(&mut self, task: &Task, threads: &[&Row]) {
        self.kept.push(Kept {
            key: task.key,
            ppid: task.ppid,
            first_wait: self.waits.len() as u32,
            threads: threads.len() as u32,
            counters: task.counters,
        });
        self.waits.extend(threads.iter().map(|r| ThreadWait { tid: r.tid, wait_ns: r.wait_ns }));
    }

    /// The process that these threads are (at least one, ascending by tid), given its reading before.
    fn task_of(&self, threads: &[&Row], before: Option<&Kept>, page_bytes: u64) -> Task {
        let leader = threads.iter().find(|r| r.is_leader()).unwrap_or(&threads[0]);
        let on_walk = leader.kind == Kind::EB_TASK_ROW;
        let kernel_thread = leader.has(Facts::EB_KTHREAD);
        let mut counters = sum(threads);
        if leader.has(Facts::EB_HAS_WAIT) {
            counters.set(Counter::WaitNs, self.wait_of(threads, before));
        }
        if let Some(before) = before {
            counters.hold_above(&before.counters);
        }
        let ticks = threads.iter().fold((0, 0), |(user, system), r| (r.user_ns.saturating_add(user), r.system_ns.saturating_add(system)));
        cputime::split(&mut counters, ticks, kernel_thread, before.map(|k| &k.counters));
        Task {
            key: leader.key(),
            ppid: leader.ppid,
            uid: leader.uid,
            comm: Comm(leader.comm),
            state: if on_walk { state_of(leader, threads) } else { b'X' },
            kernel_thread,
            nice: leader.nice(),
            threads: if on_walk { threads.len() as u32 } else { 0 },
            last_cpu: leader.cpu,
            exec_id: leader.exec_id,
            cgroup_id: leader.cgroup_id,
            counters,
            memory: on_walk.then(|| threads.iter().find_map(|r| r.memory(page_bytes))).flatten(),
        }
    }

    /// Wait so far: what it was plus the growth of every thread that is still there or new.
    fn wait_of(&self, threads: &[&Row], before: Option<&Kept>) -> u64 {
        let Some(before) = before else { return threads.iter().map(|r| r.wait_ns).sum() };
        let start = before.first_wait as usize;
        let mut earlier = self.waits[start..start + before.threads as usize].iter().peekable();
        let mut total = before.counters.get(Counter::WaitNs).unwrap_or(0);
        for row in threads {
            while earlier.next_if(|w| w.tid < row.tid).is_some() {}
            let was = earlier.next_if(|w| w.tid == row.tid).map_or(0, |w| w.wait_ns);
            total += row.wait_ns.saturating_sub(was);
        }
        total
    }
}

/// Counters that simply add up.
fn sum(threads: &[&Row]) -> Counters {
    let total = |of: fn(&Row) -> u64| threads.iter().map(|r| of(r)).fold(0, u64::saturating_add);
    let mut counters = Counters::default()
        .with(Counter::CpuNs, total(|r| r.run_ns))
        .with(Counter::VoluntarySwitches, total(|r| r.voluntary_count))
        .with(Counter::InvoluntarySwitches, total(|r| r.involuntary_count))
        .with(Counter::MinorFaults, total(|r| r.minor_count))
        .with(Counter::MajorFaults, total(|r| r.major_count));
    if threads[0].has(Facts::EB_HAS_IO) {
        counters.set(Counter::ReadBytes, total(|r| r.read_bytes));
        counters.set(Counter::WriteBytes, total(|r| r.write_bytes));
        counters.set(Counter::CancelledWriteBytes, total(|r| r.cancelled_bytes));
    }
    counters
}

/// The leader's state; where it is dead but has living threads, that of the busiest.
fn state_of(leader: &Row, threads: &[&Row]) -> u8 {
    let own = leader.state_letter();
    if !matches!(own, b'Z' | b'X') {
        return own;
    }
    threads.iter().map(|r| r.state_letter()).max_by_key(|&l| activity(l)).unwrap_or(own)
}
