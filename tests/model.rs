//! Rates of two samples: births, deaths, what stays unknown, and the CPU ledger.

mod common;

use std::sync::Arc;

use common::*;
use ebtop::model::Model;
use ebtop::model::machine::MemoryUse;
use ebtop::sample::Counter::*;
use ebtop::sample::*;
use proptest::prelude::*;

fn between(prev: &Sample, next: Sample) -> Model {
    Model::between(Some(prev), Arc::new(next))
}

/// What the process of a row gained.
fn grown(model: &Model, row: usize, counter: Counter) -> Option<u64> {
    model.growth(&model.rows[row]).get(counter)
}

#[test]
fn without_an_older_sample_nothing_is_known_to_have_grown() {
    let mut next = sample(10 * SECOND, [task(1, "init").with(CpuNs, 5)]);
    next.exits = vec![exit(task(2, "sh").with(CpuNs, 7), 10 * SECOND)];
    let model = Model::between(None, Arc::new(next));
    assert_eq!(model.elapsed_ns, 0);
    assert_eq!(grown(&model, 0, CpuNs), None);
    assert_eq!(model.departed[0].delta, Counters::default());
    assert_eq!((model.ledger.capacity_ns, model.ledger.gap_ns), (0, 0));
    assert_eq!(model.machine.wire_rx_per_sec, None);
}

#[test]
fn a_process_in_both_samples_grew_by_the_difference() {
    let prev = sample(10 * SECOND, [task(1, "a").with(CpuNs, 100), task(3, "gone"), task(5, "b").with(TxBytes, 10)]);
    let model = between(&prev, sample(12 * SECOND, [task(1, "a").with(CpuNs, 350), task(5, "b").with(TxBytes, 4)]));
    assert_eq!(model.elapsed_ns, 2 * SECOND);
    assert_eq!(grown(&model, 0, CpuNs), Some(250));
    assert_eq!(grown(&model, 1, TxBytes), Some(0), "a counter that shrank grew by nothing");
    assert_eq!(model.rows.iter().map(|r| r.task).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_reused_pid_is_another_process() {
    let prev = sample(10 * SECOND, [task(7, "old").with(CpuNs, 900)]);
    let model = between(&prev, sample(11 * SECOND, [task(7, "new").born(10 * SECOND + MS).with(CpuNs, 30)]));
    assert_eq!(grown(&model, 0, CpuNs), Some(30));
    assert!(model.rows[0].is_new());
}

#[test]
fn a_process_first_seen_counts_from_zero_only_if_it_was_born_since() {
    let prev = sample(10 * SECOND, []);
    let born_during_the_older_walk = task(1, "a").born(10 * SECOND - 5 * MS).with(CpuNs, 40);
    let long_alive = task(2, "b").born(3 * SECOND).with(CpuNs, 4 * SECOND);
    let model = between(&prev, sample(11 * SECOND, [born_during_the_older_walk, long_alive]));
    assert_eq!(grown(&model, 0, CpuNs), Some(40));
    assert_eq!(grown(&model, 1, CpuNs), None);
    assert_eq!(model.growth(&model.rows[0]).of_memory(Memory::rss_bytes), Some((4 * MIB) as i64));
    assert_eq!(model.growth(&model.rows[1]).of_memory(Memory::rss_bytes), None);
}

#[test]
fn a_probe_attached_midway_leaves_the_newborn_unknown() {
    let mut prev = sample(10 * SECOND, [task(1, "a")]);
    prev.status[Domain::Mem as usize].health = Health::Standby;
    prev.tasks[0].counters = Counters::default().with(CpuNs, 0);
    let newborn = task(2, "b").born(10 * SECOND + MS).with(PageAllocs, 9).with(TxBytes, 8);
    let model = between(&prev, sample(11 * SECOND, [task(1, "a").with(PageAllocs, 5), newborn]));
    assert_eq!(grown(&model, 0, PageAllocs), None, "counted since an unknown moment");
    assert_eq!(grown(&model, 1, PageAllocs), None, "the probe may have come after its birth");
    assert_eq!(grown(&model, 1, TxBytes), Some(8));
}

#[test]
fn the_exited_count_from_the_older_sample_or_their_birth() {
    let prev = sample(10 * SECOND, [task(1, "cc1").with(CpuNs, 100)]);
    let mut next = sample(11 * SECOND, []);
    next.exits = vec![
        exit(task(1, "cc1").with(CpuNs, 160), 10 * SECOND + 500 * MS),
        exit(task(2, "cc1").born(10 * SECOND + MS).with(CpuNs, 20), 10 * SECOND + 21 * MS),
        exit(task(3, "sh").born(2 * SECOND).with(CpuNs, 9 * SECOND), 11 * SECOND),
    ];
    next.exits[1].peak_rss_bytes = Some(9 * MIB);
    let model = between(&prev, next);
    let cpu: Vec<_> = model.departed.iter().map(|d| d.delta.get(CpuNs)).collect();
    assert_eq!(cpu, [Some(60), Some(20), None]);
    assert_eq!(model.ledger.exited_ns, 80);

    let groups: Vec<_> = model.exited.groups.iter().map(|g| (g.name.as_str(), g.count, g.delta.get(CpuNs), g.peak_rss_bytes)).collect();
    assert_eq!(groups, [("cc1", 2, Some(80), Some(9 * MIB)), ("sh", 1, None, Some(5 * MIB))]);
    assert_eq!((model.exited.total.name.as_str(), model.exited.total.count), ("exited: cc1 2 · sh 1", 3));
}

#[test]
fn the_ledger_adds_up_and_shows_its_gap() {
    let kernel = |cpu| Task { kernel_thread: true, ..task(2, "kswapd0").with(CpuNs, cpu) };
    let prev = sample(10 * SECOND, [task(1, "a"), kernel(0)]);
    let mut next = sample(11 * SECOND, [task(1, "a").with(CpuNs, 900 * MS), kernel(50 * MS)]);
    next.exits = vec![exit(task(9, "sh").born(10 * SECOND + MS).with(CpuNs, 30 * MS), 11 * SECOND)];
    next.machine.total =
        CpuTimes { idle_ns: 20_980 * MS, iowait_ns: 10 * MS, irq_ns: 5 * MS, softirq_ns: 5 * MS, steal_ns: 70 * MS, ..CpuTimes::default() };
    let l = between(&prev, next).ledger;
    assert_eq!((l.capacity_ns, l.processes_ns, l.kernel_ns, l.exited_ns), (2 * SECOND, 900 * MS, 50 * MS, 30 * MS));
    assert_eq!((l.irq_ns, l.idle_ns), (10 * MS, 990 * MS));
    assert_eq!((l.steal_ns, l.steal_inside, l.irq_inside), (0, true, false), "steal stands inside run time on this kernel");
    assert_eq!(l.gap_ns, (20 * MS) as i64);
}

#[test]
fn more_charged_than_passed_is_a_negative_gap() {
    let prev = sample(10 * SECOND, [task(1, "a")]);
    let l = between(&prev, sample(11 * SECOND, [task(1, "a").with(CpuNs, SECOND / 2)])).ledger;
    assert_eq!(l.gap_ns, -((SECOND / 2) as i64));
}

#[test]
fn cpu_bars_match_cpus_by_number() {
    let prev = sample(10 * SECOND, []);
    let mut next = sample(11 * SECOND, []);
    let busy = CpuTimes { user_ns: SECOND / 4, system_ns: SECOND / 4, idle_ns: 10 * SECOND + SECOND / 2, ..CpuTimes::default() };
    next.machine.cpus = vec![(1, busy), (2, busy)];
    let cpus = between(&prev, next).machine.cpus;
    let used = cpus[0].1.expect("CPU 1 is in both");
    assert_eq!((used.user, used.system, used.busy()), (0.25, 0.25, 0.5));
    assert_eq!(cpus[1], (2, None), "CPU 2 has just come online");
}

#[test]
fn memory_parts_sum_to_the_total_as_in_htop() {
    let m = MemoryUse::of(&machine(SECOND).memory);
    assert_eq!(m.used_bytes, 6 << 30);
    let parts = m.used_bytes + m.buffers_bytes + m.shared_bytes + m.cache_bytes + (4 << 30);
    assert_eq!(parts, m.total_bytes);
    let torn = MachineMemory { total_bytes: 10, free_bytes: 4, cache_bytes: 9, ..MachineMemory::default() };
    assert_eq!(MemoryUse::of(&torn).used_bytes, 6);
}

#[test]
fn sockets_match_by_cookie_and_owner() {
    let (a, b) = (ProcKey { pid: 1, start_ns: SECOND }, ProcKey { pid: 2, start_ns: SECOND });
    let shared = |owner, tx_bytes| Socket { tx_bytes, ..socket(77, Some(owner), "10.0.0.1:80", "10.0.0.2:4000") };
    let mut prev = sample(10 * SECOND, [task(1, "a"), task(2, "b")]);
    prev.sockets = vec![shared(a, 100), shared(b, 50)];
    let mut next = sample(11 * SECOND, [task(1, "a"), task(2, "b")]);
    let new = Socket { since_ns: 10 * SECOND + 1, ..shared(a, 9) };
    let seen_before_the_list = Socket { since_ns: 5 * SECOND, ..shared(a, 9) };
    next.sockets = vec![shared(b, 80), shared(a, 100), Socket { cookie: 78, ..new }, Socket { cookie: 79, ..seen_before_the_list }];
    let model = between(&prev, next);
    let tx: Vec<_> = model.sockets.iter().map(|s| s.tx_bytes).collect();
    assert_eq!(tx, [Some(30), Some(0), Some(9), None]);
    let retransmits: Vec<_> = model.sockets.iter().map(|s| s.retransmits).collect();
    assert_eq!(retransmits, [Some(0), Some(0), None, None], "TCP counts from before ebtop saw the socket");
}

#[test]
fn an_idle_socket_counts_from_nothing_for_whoever_moves_the_first_bytes() {
    let [a, b, c] = [1, 2, 3].map(|pid| ProcKey { pid, start_ns: SECOND });
    let of = |cookie, owner, tx_bytes| Socket { tx_bytes, since_ns: SECOND, ..socket(cookie, owner, "10.0.0.1:80", "10.0.0.2:4000") };
    let mut prev = sample(10 * SECOND, [task(1, "a"), task(2, "b")]);
    prev.sockets = vec![of(1, None, 0), of(2, Some(a), 0), of(3, Some(a), 50)];
    let mut next = sample(11 * SECOND, [task(1, "a"), task(2, "b")]);
    next.sockets = vec![of(1, Some(b), 1000), of(2, Some(b), 2000), of(3, Some(a), 60), of(3, Some(c), 70)];
    let model = between(&prev, next);
    let tx: Vec<_> = model.sockets.iter().map(|s| s.tx_bytes).collect();
    assert_eq!(tx, [Some(1000), Some(2000), Some(10), None], "of the last it is not known since when");
    assert_eq!(model.sockets[0].rx_bytes, Some(0));
    assert_eq!(model.sockets[0].retransmits, Some(0));
}

#[test]
fn sockets_of_processes_that_are_gone_have_their_names() {
    let [a, b, c, stranger] = [1, 2, 3, 4].map(|pid| task(pid, ["", "a", "b", "c", "d"][pid as usize]));
    let of = |owner: Task, closed| Socket { closed, ..socket(u64::from(owner.key.pid), Some(owner.key), "10.0.0.1:80", "10.0.0.2:4000") };
    let first = sample(10 * SECOND, [a, b]);
    let mut second = sample(11 * SECOND, [task(5, "e")]);
    second.sockets = vec![of(a, true), of(b, false), of(c, true), of(stranger, false)];
    // One was born and ended within the tick; of the other the last words are still to come.
    second.exits = vec![exit(Task { comm: Comm::new(b"a2"), ..a }, 11 * SECOND), exit(c, 11 * SECOND)];
    let names = |model: &Model| [a, b, c, stranger].map(|t| model.owner(t.key).map(|t| t.comm.to_string()));
    let known = [Some("a2".into()), Some("b".into()), Some("c".into()), None];
    let model = between(&first, second.clone());
    assert_eq!(names(&model), known);
    assert_eq!(model.find(b.key).map(|row| row.task), None);

    // TCP still has the other's socket long after.
    let mut third = sample(12 * SECOND, [task(5, "e")]);
    third.sockets = vec![of(b, false)];
    let mut later = between(&second, third);
    assert_eq!(names(&later), [const { None }; 4]);
    later.owners.remember(&model.owners);
    assert_eq!(names(&later), [None, Some("b".into()), None, None]);
}

/// The root and groups under it, each by its path and CPU time.
fn groups(at_ns: u64, list: &[(&str, u64)], left_out: u32, trouble: Option<&str>) -> Sample {
    let group = |(key, &(path, cpu_ns)): (u64, &(&str, u64))| Cgroup { path: path.into(), key, cpu_ns: Some(cpu_ns), ..Cgroup::default() };
    let list = (0..).zip(list).map(group).collect();
    Sample { cgroups: Some(Arc::new(Cgroups { at_ns, list, left_out, trouble: trouble.map(str::to_owned) })), ..sample(at_ns, []) }
}

#[test]
fn a_new_group_began_at_zero_unless_the_look_before_may_have_missed_it() {
    let growth = |before: &Sample, now: Sample| between(before, now).cgroups.last().and_then(|row| row.cpu_ns);
    let now = || groups(12 * SECOND, &[("/", 90), ("/new", 70)], 0, None);
    assert_eq!(growth(&groups(10 * SECOND, &[("/", 20)], 0, None), now()), Some(70));
    assert_eq!(growth(&groups(10 * SECOND, &[("/", 20)], 3, None), now()), None, "three were not read");
    assert_eq!(growth(&groups(10 * SECOND, &[("/", 20), ("/new", 60)], 3, None), now()), Some(10), "it was read, others were not");
    assert_eq!(growth(&groups(10 * SECOND, &[], 0, Some("late")), now()), None, "nothing at all was read");
    // A look that comes late is told as the one before it, once more; nothing of the time between is lost.
    let late = || Sample { at_ns: 11 * SECOND, ..groups(10 * SECOND, &[("/", 20)], 0, Some("late")) };
    assert_eq!(growth(&groups(10 * SECOND, &[("/", 20)], 0, None), late()), None);
    assert_eq!(growth(&late(), now()), Some(70));
}

#[test]
fn a_sample_that_is_not_newer_gives_no_rates() {
    let prev = sample(10 * SECOND, [task(1, "a")]);
    let model = between(&prev, sample(10 * SECOND, [task(1, "a").with(CpuNs, 5)]));
    assert_eq!((model.elapsed_ns, grown(&model, 0, CpuNs)), (0, None));
}

proptest! {
    /// Merging finds what a search by key finds, whatever lists of processes come.
    #[test]
    fn merging_is_searching(old in proptest::collection::btree_map(0u32..40, 0u64..1000, 0..30), new in proptest::collection::btree_map(0u32..40, 0u64..1000, 0..30)) {
        let tasks = |list: &std::collections::BTreeMap<u32, u64>| -> Vec<Task> { list.iter().map(|(pid, cpu)| task(*pid, "p").with(CpuNs, *cpu)).collect() };
        let model = between(&sample(10 * SECOND, tasks(&old)), sample(11 * SECOND, tasks(&new)));
        prop_assert_eq!(model.rows.len(), new.len());
        for (row, (pid, cpu)) in model.rows.iter().zip(&new) {
            let expected = old.get(pid).map(|before| cpu.saturating_sub(*before));
            prop_assert_eq!(model.growth(row).get(CpuNs), expected);
            prop_assert_eq!(model.task(row).key.pid, *pid);
        }
    }
}

#[test]
fn an_unknown_counter_adds_nothing_to_a_sum() {
    let mut counters = Counters::default().with(CpuNs, 5);
    counters.hold_above(&Counters::default().with(CpuNs, 7).with(WaitNs, 100));
    assert_eq!((counters.get(CpuNs), counters.get(WaitNs)), (Some(7), None));
    let mut sum = Counters::default().with(WaitNs, 1);
    sum.add(&counters);
    assert_eq!(sum.get(WaitNs), Some(1));
}
