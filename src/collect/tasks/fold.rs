//! Folds the threads of one walk into processes, in key order, with totals that never run backwards.
//!
//! A process's total is what its living threads counted plus what `signal_struct` holds of the dead. A thread that leaves while
//! the walk is under way may be missing from both, so totals are held above those of the reading before: it is made up for in
//! the next. Nor is one counted twice: see [`may_count_twice`]. Run-queue wait is the one counter that `signal_struct` does not hold: its growth is added up thread by thread
//! here, so what a thread waited between the last reading and its end is not known.
//!
//! A process that is off the walk and not yet known to be freed is in limbo: it stays, with its last counters.

use rustc_hash::{FxHashMap, FxHashSet};

use super::cputime;
use super::row::{Facts, Kind, Row, activity};
use crate::sample::{Comm, Counter, CounterSet, Counters, ProcKey, Task, TaskList, Thread};

/// What is told of a process here; the rest is added by other domains.
const OWN: CounterSet = CounterSet::of(&[
    Counter::CpuNs,
    Counter::UserNs,
    Counter::SystemNs,
    Counter::WaitNs,
    Counter::VoluntarySwitches,
    Counter::InvoluntarySwitches,
    Counter::MinorFaults,
    Counter::MajorFaults,
    Counter::ReadBytes,
    Counter::WriteBytes,
    Counter::CancelledWriteBytes,
]);

/// What one reading leaves for the next; both ascending.
#[derive(Default)]
struct Memo {
    /// Shared with the sample that was made of it.
    tasks: TaskList,
    /// Only of processes whose total is not that of their one thread.
    waits: Vec<ThreadWait>,
}

#[derive(Clone, Copy)]
struct ThreadWait {
    key: ProcKey,
    tid: u32,
    wait_ns: u64,
}

/// A process in the reading before.
#[derive(Clone, Copy)]
struct Before<'a> {
    task: &'a Task,
    waits: &'a [ThreadWait],
}

/// The processes of one walk.
pub struct Folded {
    /// Ascending by key, each key once.
    pub tasks: Vec<Task>,
    /// Those among them that are in limbo, ascending.
    pub limbo: Vec<ProcKey>,
    /// Threads beside the leaders, ascending by process and id, where they are wanted.
    pub threads: Vec<Thread>,
}

/// Folds one reading after the other.
pub struct Fold {
    page_bytes: u64,
    hears_exits: bool,
    /// Tell of threads one by one.
    pub wants_threads: bool,
    order: Vec<u32>,
    last: Memo,
    waits: Vec<ThreadWait>,
    /// How the CPU time of threads was split in the reading before, as far as they are told one by one.
    splits: FxHashMap<(ProcKey, u32), Counters>,
    /// The newest round of the walk whose rows were folded: those that it or an earlier one wrote are known.
    round: u32,
}

impl Fold {
    /// A fold that has seen nothing yet, for pages of this size. Without `hears_exits`, no last words will ever come.
    pub fn new(page_bytes: u64, hears_exits: bool) -> Self {
        Fold {
            page_bytes,
            hears_exits,
            wants_threads: false,
            order: Vec::new(),
            last: Memo::default(),
            waits: Vec::new(),
            splits: FxHashMap::default(),
            round: 0,
        }
    }

    /// Folds the rows of a walk, in any order. `dying` are the words of those that began to exit and are not freed; `gone` are
    /// those that are out of the picture for good.
    pub fn fold(&mut self, walk: [&[Row]; 2], dying: &[Row], gone: &FxHashSet<ProcKey>) -> Folded {
        let all = [walk[0], walk[1], dying];
        self.bring_in_order(all);
        let row = |&i: &u32| row_at(all, i);
        let mut folded = Folded { tasks: Vec::with_capacity(room_for(self.last.tasks.len())), limbo: Vec::new(), threads: Vec::new() };
        self.waits.clear();
        let mut cursor = (0, 0);
        let mut threads: Vec<&Row> = Vec::new();
        for group in self.order.chunk_by(|a, b| row(a).key() == row(b).key()) {
            let key = row(&group[0]).key();
            if gone.contains(&key) {
                continue;
            }
            let before = self.last.before(key, &mut cursor);
            if let (Some(Before { task, waits }), [only]) = (before, group)
                && task.threads == 1
                && row(only).is_unchanged_since(self.round)
            {
                self.waits.extend_from_slice(waits);
                folded.tasks.push(Task { counters: task.counters.only(OWN), ..*task });
                continue;
            }
            threads.clear();
            threads.extend(group.iter().map(row).filter(|r| r.kind == Kind::EB_TASK_ROW));
            if threads.is_empty() {
                folded.limbo.push(key);
                threads.push(row(&group[0]));
            }
            if self.wants_threads {
                folded.threads.extend(threads.iter().filter(|r| !r.is_leader()).map(|r| thread_of(r, &self.splits)));
            }
            let task = task_of(&threads, before, self.page_bytes);
            if !tells_its_wait(&threads, task.counters.get(Counter::WaitNs)) {
                self.waits.extend(threads.iter().map(|r| ThreadWait { key, tid: r.tid, wait_ns: r.wait_ns }));
            }
            folded.tasks.push(task);
        }
        if self.hears_exits {
            self.keep_vanished(&mut folded, gone);
        }
        std::mem::swap(&mut self.last.waits, &mut self.waits);
        self.splits.clear();
        self.splits.extend(folded.threads.iter().map(|thread| ((thread.key, thread.tid), thread.counters)));
        self.round = walk.into_iter().flatten().map(|row| row.changed).fold(self.round, u32::max);
        folded
    }

    /// Sorts all rows, by their numbers, by process and thread.
    fn bring_in_order(&mut self, all: [&[Row]; 3]) {
        self.order.clear();
        self.order.extend(0..all.iter().map(|rows| rows.len()).sum::<usize>() as u32);
        // Each part comes in a few runs, up or down, which this sort only has to merge.
        self.order.sort_by_key(|&i| {
            let row = row_at(all, i);
            (row.tgid, row.start_ns, row.tid)
        });
    }

    /// To be told that rounds are counted anew: no row is known.
    pub fn forget_rounds(&mut self) {
        self.round = 0;
    }

    /// To be told what became of the processes folded last: the next are held above them.
    pub fn remember(&mut self, tasks: TaskList) {
        self.last.tasks = tasks;
    }

    /// Leaves `gone` out of the readings to come, where this one found no rows to fold.
    pub fn forget(&mut self, gone: &FxHashSet<ProcKey>) {
        self.last.tasks.retain(|task| !gone.contains(&task.key));
        self.last.waits.retain(|wait| !gone.contains(&wait.key));
    }

    /// Keeps those of the reading before that left without a word. A program that was preempted while it wrote into the ring
    /// holds up the words behind it.
    fn keep_vanished(&self, folded: &mut Folded, gone: &FxHashSet<ProcKey>) {
        let mut now = folded.tasks.iter().map(|t| t.key).peekable();
        let mut vanished = Vec::new();
        for task in self.last.tasks.iter() {
            while now.next_if(|&key| key < task.key).is_some() {}
            if now.peek() != Some(&task.key) && !gone.contains(&task.key) {
                vanished.push(Task { state: b'X', threads: 0, memory: None, ..*task });
            }
        }
        if !vanished.is_empty() {
            folded.limbo.extend(vanished.iter().map(|t| t.key));
            folded.limbo.sort();
            folded.tasks.append(&mut vanished);
            folded.tasks.sort_by_key(|t| t.key);
        }
    }

    /// The final state of a process that was freed: its totals are in one row.
    pub fn finish(&self, freed: &Row) -> Task {
        let key = freed.key();
        let mut cursor = (self.last.tasks.partition_point(|t| t.key < key), self.last.waits.partition_point(|w| w.key < key));
        let before = self.last.before(key, &mut cursor);
        let mut task = task_of(&[freed], before, self.page_bytes);
        if task.ppid == 0 {
            task.ppid = before.map_or(0, |b| b.task.ppid);
        }
        task
    }
}

impl Memo {
    /// Looks up a key no lower than the last one, moving the cursor (into tasks, into waits) up to it.
    fn before(&self, key: ProcKey, (task, wait): &mut (usize, usize)) -> Option<Before<'_>> {
        *task += self.tasks[*task..].iter().take_while(|t| t.key < key).count();
        *wait += self.waits[*wait..].iter().take_while(|w| w.key < key).count();
        let threads = self.waits[*wait..].iter().take_while(|w| w.key == key).count();
        let waits = &self.waits[*wait..*wait + threads];
        self.tasks.get(*task).filter(|t| t.key == key).map(|task| Before { task, waits })
    }
}

/// Row number `i` of several parts.
fn row_at(all: [&[Row]; 3], i: u32) -> &Row {
    let mut i = i as usize;
    let [first, second, last] = all;
    for part in [first, second] {
        match part.get(i) {
            Some(row) => return row,
            None => i -= part.len(),
        }
    }
    &last[i]
}

/// Room for as many processes as last time and some. In steps, so that the memory of one list fits the next: without them, ever
/// slightly larger ones leave holes that none fits, and the resident size nearly doubles.
fn room_for(count: usize) -> usize {
    (count + 64).next_multiple_of(512)
}

/// The process that these threads are (at least one, ascending by tid), given the reading before.
fn task_of(threads: &[&Row], before: Option<Before<'_>>, page_bytes: u64) -> Task {
    let leader = threads.iter().find(|r| r.is_leader()).unwrap_or(&threads[0]);
    let on_walk = leader.kind == Kind::EB_TASK_ROW;
    let kernel_thread = leader.has(Facts::EB_KTHREAD);
    let mut counters = sum(threads);
    if leader.has(Facts::EB_HAS_WAIT) {
        counters.set(Counter::WaitNs, wait_of(threads, before));
    }
    if let Some(before) = before {
        match may_count_twice(threads) {
            true => counters = before.task.counters.only(OWN),
            false => counters.hold_above(&before.task.counters),
        }
    }
    let ticks = threads.iter().fold((0u64, 0u64), |(user, system), r| (user.saturating_add(r.user_ns), system.saturating_add(r.system_ns)));
    cputime::split(&mut counters, ticks, kernel_thread, before.map(|b| &b.task.counters));
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

/// Whether one of the threads may be among the dead that the leader's row sums, too. The stream of `iter/task` goes by thread id: once
/// ids have come round, a thread with one below its leader's is read first, and may be gone when the leader is (or, by exec, be the
/// leader). Then fewer are left than were read.
fn may_count_twice(threads: &[&Row]) -> bool {
    let left = threads.iter().find(|row| row.is_leader()).map_or(0, |leader| leader.threads);
    left != 0 && !threads[0].is_leader() && threads.len() > left as usize
}

/// A thread that is not the leader: its row holds nothing but its own.
fn thread_of(row: &Row, splits: &FxHashMap<(ProcKey, u32), Counters>) -> Thread {
    let mut counters = sum(&[row]);
    if row.has(Facts::EB_HAS_WAIT) {
        counters.set(Counter::WaitNs, row.wait_ns);
    }
    // One that ran for less than before is another, with the id of one that ended.
    let is_same = |before: &&Counters| before.get(Counter::CpuNs) <= counters.get(Counter::CpuNs);
    let before = splits.get(&(row.key(), row.tid)).filter(is_same);
    cputime::split(&mut counters, (row.user_ns, row.system_ns), row.has(Facts::EB_KTHREAD), before);
    let (key, comm, state) = (row.key(), Comm(row.comm), row.state_letter());
    Thread { key, tid: row.tid, comm, state, nice: row.nice(), last_cpu: row.cpu, counters }
}

/// Whether the total says what each thread has waited: there is only the leader, and no thread before it left anything.
fn tells_its_wait(threads: &[&Row], total_ns: Option<u64>) -> bool {
    match threads {
        [only] => only.is_leader() && total_ns.is_none_or(|total| total == only.wait_ns),
        _ => total_ns.is_none(),
    }
}

/// Wait so far: what it was plus the growth of every thread that is still there or new.
fn wait_of(threads: &[&Row], before: Option<Before<'_>>) -> u64 {
    let Some(before) = before else { return threads.iter().map(|r| r.wait_ns).sum() };
    let mut earlier = before.waits.iter().peekable();
    let mut total = before.task.counters.get(Counter::WaitNs).unwrap_or(0);
    let of_leader = if before.waits.is_empty() { total } else { 0 };
    for row in threads {
        while earlier.next_if(|w| w.tid < row.tid).is_some() {}
        let was = earlier.next_if(|w| w.tid == row.tid).map_or(if row.is_leader() { of_leader } else { 0 }, |w| w.wait_ns);
        total += row.wait_ns.saturating_sub(was);
    }
    total
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

#[cfg(test)]
mod tests;
