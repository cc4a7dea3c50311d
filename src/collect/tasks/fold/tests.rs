use super::*;

const PAGE: u64 = 4096;

fn thread(tgid: u32, tid: u32, run_ns: u64) -> Row {
    Row { tgid, tid, start_ns: 1000 + u64::from(tgid), run_ns, state: 1, facts: Facts(Facts::EB_HAS_WAIT.0), ..Row::default() }
}

fn words(tgid: u32, run_ns: u64) -> Row {
    Row { kind: Kind::EB_TASK_EXIT, ..thread(tgid, tgid, run_ns) }
}

fn cpu(task: &Task) -> u64 {
    task.counters.get(Counter::CpuNs).unwrap()
}

fn fold(fold: &mut Fold, walk: &[Row]) -> Vec<Task> {
    fold_all(fold, walk, &[], &FxHashSet::default()).tasks
}

fn fold_all(fold: &mut Fold, walk: &[Row], dying: &[Row], gone: &FxHashSet<ProcKey>) -> Folded {
    let folded = fold.fold(walk.split_at(walk.len() / 2).into(), dying, gone);
    fold.remember(folded.tasks.clone().into());
    folded
}

#[test]
fn threads_become_processes_in_key_order() {
    let walk = [thread(30, 30, 5), thread(10, 10, 1), thread(10, 40, 2), thread(30, 12, 7)];
    let tasks = fold(&mut Fold::new(PAGE, true), &walk);
    let found: Vec<_> = tasks.iter().map(|t| (t.key.pid, t.threads, cpu(t))).collect();
    assert_eq!(found, [(10, 2, 3), (30, 2, 12)]);
}

#[test]
fn threads_are_told_one_by_one_where_wanted() {
    let walk = [thread(30, 30, 5), thread(10, 10, 1), thread(10, 40, 2), thread(30, 12, 7)];
    let mut f = Fold::new(PAGE, true);
    assert_eq!(fold_all(&mut f, &walk, &[], &FxHashSet::default()).threads, []);
    f.wants_threads = true;
    let threads = fold_all(&mut f, &walk, &[], &FxHashSet::default()).threads;
    let found: Vec<_> = threads.iter().map(|t| (t.key.pid, t.tid, t.counters.get(Counter::CpuNs))).collect();
    assert_eq!(found, [(10, 40, Some(2)), (30, 12, Some(7))]);
}

/// A process of one thread whose row was written in a round of the open-coded walk.
fn idle(tgid: u32, run_ns: u64, changed: u32) -> Row {
    let facts = Facts(Facts::EB_HAS_WAIT.0 | Facts::EB_HAS_IO.0 | Facts::EB_HAS_MEMORY.0);
    Row {
        task: 0xffff_8880,
        changed,
        facts,
        wait_ns: 3,
        read_bytes: 4,
        anon_pages: 5,
        user_ns: 6,
        system_ns: 2,
        ..thread(tgid, tgid, run_ns)
    }
}

#[test]
fn what_did_not_change_is_taken_from_the_reading_before() {
    let mut f = Fold::new(PAGE, true);
    let mut first = fold(&mut f, &[idle(10, 100, 1), idle(20, 7, 1), thread(30, 30, 1)]);
    // Another domain has counted meanwhile.
    let mut counted = first.clone();
    counted[0].counters.set(Counter::TxBytes, 9);
    f.remember(counted.into());
    // If it were looked at, the run time would show.
    let second = fold(&mut f, &[idle(10, 555, 1), idle(20, 8, 2), thread(30, 30, 1)]);
    first[1].counters.set(Counter::CpuNs, 8);
    cputime::split(&mut first[1].counters, (6, 2), false, None);
    assert_eq!(second, first);
    assert_eq!(cpu(&fold(&mut f, &[idle(10, 556, 2)])[0]), 100, "as of a round that was folded");
    assert_eq!(cpu(&fold(&mut f, &[idle(10, 557, 3)])[0]), 557);
    f.forget_rounds();
    assert_eq!(cpu(&fold(&mut f, &[idle(10, 558, 1)])[0]), 558, "rounds are counted anew");
}

#[test]
fn what_lost_its_other_threads_is_looked_at() {
    let mut f = Fold::new(PAGE, true);
    fold(&mut f, &[idle(10, 100, 1), thread(10, 11, 50)]);
    assert_eq!(cpu(&fold(&mut f, &[idle(10, 160, 1)])[0]), 160);
    // What the other thread waited stays known beside the leader's own.
    assert_eq!(fold(&mut f, &[idle(10, 160, 1)])[0].counters.get(Counter::WaitNs), Some(3));
}

#[test]
fn shares_of_a_thread_never_run_backwards() {
    let mut f = Fold::new(PAGE, true);
    f.wants_threads = true;
    let mut shares = |run_ns, user_ns, system_ns| {
        let walk = [thread(10, 10, 1), Row { user_ns, system_ns, ..thread(10, 40, run_ns) }];
        let counters = f.fold([&walk, &[]], &[], &FxHashSet::default()).threads[0].counters;
        [Counter::UserNs, Counter::SystemNs].map(|counter| counters.get(counter).unwrap())
    };
    assert_eq!(shares(1000, 1, 1), [500, 500]);
    assert_eq!(shares(1100, 9, 1), [600, 500], "all ticks since were user time");
    assert_eq!(shares(200, 1, 1), [100, 100], "another thread with its id");
}

#[test]
fn a_reused_pid_is_another_process() {
    let newer = Row { start_ns: 9999, ..thread(10, 10, 2) };
    let tasks = fold(&mut Fold::new(PAGE, true), &[newer, thread(10, 10, 1)]);
    assert_eq!(tasks.iter().map(|t| t.key.start_ns).collect::<Vec<_>>(), [1010, 9999]);
}

#[test]
fn a_thread_that_leaves_mid_walk_is_counted_once() {
    let mut f = Fold::new(PAGE, true);
    fold(&mut f, &[thread(10, 10, 100), thread(10, 11, 50)]);
    // Neither on the walk nor in the sums yet.
    assert_eq!(cpu(&fold(&mut f, &[thread(10, 10, 110)])[0]), 150);
    // Now in the sums, which the leader's row holds.
    assert_eq!(cpu(&fold(&mut f, &[thread(10, 10, 120 + 55)])[0]), 175);
}

#[test]
fn a_thread_that_was_read_before_it_died_and_again_among_the_dead_is_counted_once() {
    let streamed = |run_ns, threads| Row { threads, ..thread(30, 30, run_ns) };
    let early = thread(30, 12, 7000);
    let mut f = Fold::new(PAGE, true);
    assert_eq!(cpu(&fold(&mut f, &[early, streamed(5, 2)])[0]), 7005);
    assert_eq!(cpu(&fold(&mut f, &[early, streamed(7006, 1)])[0]), 7005, "as before: 14006 is not true");
    assert_eq!(cpu(&fold(&mut f, &[streamed(7008, 1)])[0]), 7008, "made up for");
    // One that was born after the leader was read has a higher id, and is no reason to doubt.
    assert_eq!(cpu(&fold(&mut f, &[streamed(7009, 1), thread(30, 31, 4)])[0]), 7013);
}

#[test]
fn wait_grows_by_what_each_thread_waited() {
    let waited = |tid, wait_ns| Row { wait_ns, ..thread(10, tid, 0) };
    let wait = |tasks: Vec<Task>| tasks[0].counters.get(Counter::WaitNs);
    let mut f = Fold::new(PAGE, true);
    assert_eq!(wait(fold(&mut f, &[waited(10, 100), waited(11, 1000)])), Some(1100));
    assert_eq!(wait(fold(&mut f, &[waited(10, 105)])), Some(1105), "the dead thread's wait stays");
    assert_eq!(wait(fold(&mut f, &[waited(10, 105), waited(12, 7)])), Some(1112), "a new one's is added");
    let mut f = Fold::new(PAGE, true);
    assert_eq!(wait(fold(&mut f, &[waited(10, 100)])), Some(100));
    assert_eq!(wait(fold(&mut f, &[waited(10, 130)])), Some(130), "one thread: its wait is the total");
    assert_eq!(wait(fold(&mut f, &[waited(10, 131), waited(11, 4)])), Some(135), "until there are two");
    assert_eq!(wait(fold(&mut f, &[waited(11, 6)])), Some(137), "and the leader's stays when it goes");
}

#[test]
fn dying_processes_stay_in_limbo_until_gone() {
    let mut f = Fold::new(PAGE, true);
    fold(&mut f, &[thread(10, 10, 100), thread(20, 20, 1)]);
    let on_walk = fold_all(&mut f, &[thread(10, 10, 110), thread(20, 20, 1)], &[words(10, 105)], &FxHashSet::default());
    assert!(on_walk.limbo.is_empty(), "still on the walk");
    let off = fold_all(&mut f, &[thread(20, 20, 1)], &[words(10, 105)], &FxHashSet::default());
    assert_eq!((off.tasks[0].state, off.tasks[0].threads, cpu(&off.tasks[0])), (b'X', 0, 110));
    assert_eq!(off.limbo, [off.tasks[0].key]);
    let gone = FxHashSet::from_iter(off.limbo);
    assert_eq!(fold_all(&mut f, &[thread(20, 20, 1)], &[], &gone).tasks.len(), 1);
}

#[test]
fn one_born_and_dying_between_readings_is_in_limbo_too() {
    let off = fold_all(&mut Fold::new(PAGE, true), &[], &[words(10, 105)], &FxHashSet::default());
    assert_eq!((off.tasks.len(), cpu(&off.tasks[0]), off.limbo.len()), (1, 105, 1));
}

#[test]
fn one_that_vanishes_without_a_word_stays_until_gone() {
    let mut f = Fold::new(PAGE, true);
    fold(&mut f, &[thread(10, 10, 100), thread(20, 20, 1), thread(30, 30, 1)]);
    for _ in 0..2 {
        let off = fold_all(&mut f, &[thread(10, 10, 100), thread(30, 30, 1)], &[], &FxHashSet::default());
        assert!(off.tasks.is_sorted_by_key(|t| t.key));
        assert_eq!((off.tasks.len(), off.tasks[1].state, off.limbo.as_slice()), (3, b'X', [off.tasks[1].key].as_slice()));
    }
    let gone = FxHashSet::from_iter([thread(20, 20, 1).key()]);
    assert_eq!(fold_all(&mut f, &[thread(10, 10, 100), thread(30, 30, 1)], &[], &gone).tasks.len(), 2);
    assert_eq!(fold(&mut f, &[thread(10, 10, 100), thread(30, 30, 1)]).len(), 2, "and does not come back");
}

#[test]
fn one_that_was_reported_while_the_walk_failed_does_not_come_back() {
    let mut f = Fold::new(PAGE, true);
    fold(&mut f, &[thread(10, 10, 100), thread(20, 20, 1)]);
    f.forget(&FxHashSet::from_iter([thread(20, 20, 1).key()]));
    assert_eq!(fold(&mut f, &[thread(10, 10, 100)]).len(), 1);
}

#[test]
fn without_exit_hooks_nobody_waits_for_last_words() {
    let mut f = Fold::new(PAGE, false);
    fold(&mut f, &[thread(10, 10, 100), thread(20, 20, 1)]);
    assert_eq!(fold(&mut f, &[thread(20, 20, 1)]).len(), 1);
}

#[test]
fn freed_totals_are_held_above_the_last_reading() {
    let mut f = Fold::new(PAGE, true);
    fold(&mut f, &[Row { ppid: 7, ..thread(10, 10, 100) }]);
    let freed = f.finish(&Row { kind: Kind::EB_TASK_FREED, ..thread(10, 10, 90) });
    assert_eq!((cpu(&freed), freed.ppid, freed.state), (100, 7, b'X'));
}

#[test]
fn a_dead_leader_does_not_hide_its_threads() {
    let zombie = Row { state: 0x80 | 0x20 << 16, ..thread(10, 10, 1) };
    let alive = Row { state: 0, facts: Facts::EB_HAS_MEMORY, anon_pages: 3, ..thread(10, 11, 1) };
    let tasks = fold(&mut Fold::new(PAGE, true), &[zombie, alive]);
    assert_eq!((tasks[0].state, tasks[0].memory.unwrap().anon_bytes), (b'R', 3 * PAGE));
    assert_eq!(fold(&mut Fold::new(PAGE, true), &[zombie])[0].state, b'Z');
}

#[test]
fn unknown_counters_stay_unknown() {
    let tasks = fold(&mut Fold::new(PAGE, true), &[Row { facts: Facts(0), ..thread(10, 10, 1) }]);
    assert_eq!((tasks[0].counters.get(Counter::ReadBytes), tasks[0].counters.get(Counter::WaitNs)), (None, None));
}
