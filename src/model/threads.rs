//! Threads between two samples, in the form of processes.
//!
//! A process's counters hold those of its dead threads, which only its leader's row could hold too. So the leader is the process less
//! its other threads: growth then adds up exactly, with what threads used that ended within the tick in the leader's.

use super::growth::Gain;
use super::{Model, Row};
use crate::sample::{Counters, ProcKey, Sample, Task, Thread};

/// A thread.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Its process.
    pub key: ProcKey,
    /// Its id.
    pub tid: u32,
    /// What it is, with its id in place of the process's. Memory and network belong to the process and stay with the leader.
    pub task: Task,
    /// Index of the process in the model.
    pub process: u32,
    /// Born within the tick.
    pub is_new: bool,
    /// What it gained.
    pub gain: Gain,
}

impl Part {
    /// It is the thread that gives the process its id.
    pub fn is_leader(&self) -> bool {
        self.tid == self.key.pid
    }
}

/// The threads of the processes that have several.
#[derive(Clone, Debug, Default)]
pub struct Threads {
    /// The leaders of these processes, ascending by the index of the process.
    pub leaders: Vec<Part>,
    /// The other threads, ascending by process and id.
    pub others: Vec<Part>,
}

impl Threads {
    /// Compares threads by merging; the processes of the model are compared already.
    pub(super) fn between(prev: Option<&Sample>, model: &Model) -> Threads {
        let next = &model.sample;
        let mut threads = Threads::default();
        for group in next.threads.chunk_by(|a, b| a.key == b.key) {
            let Ok(index) = next.tasks.binary_search_by_key(&group[0].key, |task| task.key) else { continue };
            let Some(row) = model.rows.get(index) else { continue };
            threads.add(model, row, &Before::of(prev, group[0].key, row.is_new()), group);
        }
        threads
    }

    fn add(&mut self, model: &Model, row: &Row, before: &Before<'_>, group: &[Thread]) {
        let process = model.task(row);
        let mut leader = Part {
            key: process.key,
            tid: process.key.pid,
            task: Task { threads: 1, ..*process },
            process: row.task,
            is_new: row.is_new(),
            gain: model.growth(row).work_out(),
        };
        for thread in group {
            let counters = before.growth(thread);
            leader.task.counters = leader.task.counters.without(&thread.counters);
            leader.gain.counters = counters.map_or_else(Counters::default, |part| leader.gain.counters.without(&part));
            self.others.push(Part {
                tid: thread.tid,
                task: task_of(process, thread),
                is_new: before.is_new(thread),
                gain: Gain { counters: counters.unwrap_or_default(), memory: None },
                ..leader
            });
        }
        self.leaders.push(leader);
    }
}

fn task_of(process: &Task, thread: &Thread) -> Task {
    Task {
        key: ProcKey { pid: thread.tid, ..process.key },
        ppid: process.key.pid,
        comm: thread.comm,
        state: thread.state,
        nice: thread.nice,
        threads: 1,
        last_cpu: thread.last_cpu,
        counters: thread.counters,
        memory: None,
        ..*process
    }
}

/// The threads of a process in the sample before.
struct Before<'a> {
    /// Other than the leader; `None` where nobody looked.
    threads: Option<&'a [Thread]>,
}

impl<'a> Before<'a> {
    fn of(prev: Option<&'a Sample>, key: ProcKey, is_new: bool) -> Before<'a> {
        let Some(prev) = prev else { return Before { threads: None } };
        let from = prev.threads.partition_point(|t| t.key < key);
        let count = prev.threads[from..].iter().take_while(|t| t.key == key).count();
        let threads = &prev.threads[from..from + count];
        let had_none = || prev.tasks.binary_search_by_key(&key, |t| t.key).is_ok_and(|i| prev.tasks[i].threads == 1);
        Before { threads: (!threads.is_empty() || is_new || had_none()).then_some(threads) }
    }

    fn find(&self, thread: &Thread) -> Option<&'a Thread> {
        let threads = self.threads?;
        threads.binary_search_by_key(&thread.tid, |t| t.tid).ok().map(|i| &threads[i])
    }

    /// One that was not there has grown by all it has.
    fn growth(&self, thread: &Thread) -> Option<Counters> {
        self.threads?;
        Some(self.find(thread).map_or(thread.counters, |before| thread.counters.since(&before.counters)))
    }

    fn is_new(&self, thread: &Thread) -> bool {
        self.threads.is_some() && self.find(thread).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Counter;
    use std::sync::Arc;

    const KEY: ProcKey = ProcKey { pid: 10, start_ns: 1 };

    fn cpu(ns: u64) -> Counters {
        Counters::default().with(Counter::CpuNs, ns)
    }

    /// A process with that CPU time of which the other threads have these.
    fn sample(at_ns: u64, cpu_ns: u64, others: &[(u32, u64)]) -> Sample {
        let task = Task { key: KEY, counters: cpu(cpu_ns), threads: 1 + others.len() as u32, ..Task::default() };
        let thread = |&(tid, ns): &(u32, u64)| Thread { key: KEY, tid, counters: cpu(ns), ..Thread::default() };
        Sample { at_ns, tasks: vec![task].into(), threads: others.iter().map(thread).collect(), ..Sample::default() }
    }

    fn growth(prev: &Sample, next: Sample) -> (Option<u64>, Vec<Option<u64>>) {
        let threads = Model::between(Some(prev), Arc::new(next)).threads;
        let cpu = |part: &Part| part.gain.counters.get(Counter::CpuNs);
        (threads.leaders.first().and_then(cpu), threads.others.iter().map(cpu).collect())
    }

    #[test]
    fn threads_add_up_to_their_process() {
        let grown = growth(&sample(1, 100, &[(11, 30), (12, 50)]), sample(2, 190, &[(11, 60), (12, 90)]));
        assert_eq!(grown, (Some(20), vec![Some(30), Some(40)]));
    }

    #[test]
    fn what_a_thread_that_ended_used_is_in_the_leaders() {
        let grown = growth(&sample(1, 100, &[(11, 30), (12, 50)]), sample(2, 125, &[(11, 40)]));
        assert_eq!(grown, (Some(15), vec![Some(10)]));
    }

    #[test]
    fn a_new_thread_counts_from_its_start_where_that_is_known() {
        assert_eq!(growth(&sample(1, 100, &[(11, 30)]), sample(2, 120, &[(11, 30), (13, 12)])), (Some(8), vec![Some(0), Some(12)]));
        assert_eq!(growth(&sample(1, 100, &[]), sample(2, 120, &[(13, 12)])), (Some(8), vec![Some(12)]), "it had no other");
        let mut unseen = sample(1, 100, &[(11, 30)]);
        unseen.threads.clear();
        assert_eq!(growth(&unseen, sample(2, 120, &[(11, 35)])), (None, vec![None]), "nobody looked before");
    }

    #[test]
    fn threads_of_nobody_are_left_out() {
        let mut next = sample(2, 120, &[(11, 35)]);
        next.tasks.clear();
        assert_eq!(growth(&sample(1, 100, &[]), next), (None, vec![]));
    }
}
