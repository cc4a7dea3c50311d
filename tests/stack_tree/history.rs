//! What is kept of stacks, and for how long.

use ebtop::model::stacks::{Measure, Scope, StackHistory};
use ebtop::sample::{Exit, Health, ProcKey};

use crate::S;
use crate::stack_world::{NGINX, World};

#[test]
fn history_counts_only_the_span_and_the_process() {
    let mut history = StackHistory::default();
    let mut world = World::of(&[("main", 2)]);
    world.add(ProcKey { pid: 1, start_ns: 0 }, "init", 7);
    for at in 1..=40 {
        history.push(&world.sample(at));
    }
    history.push(&world.sample(40));
    let samples = |scope: Scope, span_s| history.window(&scope, Measure::OnCpu, span_s * S).value;
    assert_eq!([1, 5, 30, 300].map(|span_s| samples(Scope::Process(NGINX), span_s)), [2, 10, 60, 80]);
    assert_eq!(samples(Scope::Machine, 5), 45);
    assert_eq!(history.window(&Scope::Machine, Measure::OnCpu, 5 * S).covered_ns, 5 * S);
    assert_eq!(history.window(&Scope::Machine, Measure::OnCpu, 300 * S).covered_ns, 39 * S);
    let folded = history.window(&Scope::Process(NGINX), Measure::OnCpu, 30 * S);
    assert_eq!(folded.stacks.iter().map(|s| (s.count, s.stack.user.len())).collect::<Vec<_>>(), [(60, 1)]);
    assert_eq!(samples(Scope::Process(ProcKey { pid: 4112, start_ns: 8 }), 300), 0);
}

#[test]
fn samples_of_a_program_that_began_and_ended_within_a_tick_are_not_the_former_ones() {
    let world = World::of(&[("main", 3)]);
    let seen = |at, exec_id| {
        let mut sample = world.sample(at);
        sample.tasks.iter_mut().for_each(|task| task.exec_id = exec_id);
        sample
    };
    let ended = |at, exec_id| {
        let mut sample = seen(at, exec_id);
        sample.exits = sample.tasks.iter().map(|task| Exit { task: *task, ..Exit::default() }).collect();
        sample.tasks = Vec::new().into();
        sample
    };
    for (exec_id, kept) in [(1, 6), (2, 0)] {
        let mut history = StackHistory::default();
        history.push(&seen(1, 1));
        history.push(&ended(2, exec_id));
        assert_eq!(history.window(&Scope::Machine, Measure::OnCpu, u64::MAX).value, kept, "it ended as {exec_id}");
    }
}

#[test]
fn history_forgets_after_five_minutes_and_when_time_runs_back() {
    let mut history = StackHistory::default();
    let world = World::of(&[("main", 1)]);
    for at in 1..=1000 {
        history.push(&world.sample(at));
    }
    assert_eq!(history.window(&Scope::Machine, Measure::OnCpu, u64::MAX).value, 300);
    history.push(&world.sample(3));
    assert_eq!(history.window(&Scope::Machine, Measure::OnCpu, u64::MAX).value, 1);
}

#[test]
fn history_stays_in_its_budget_and_says_how_far_it_reaches() {
    let budget = 100_000;
    let mut history = StackHistory::new(budget, 300 * S);
    for at in 1..=200u64 {
        let mut world = World::of(&[("main;steady", 3)]);
        for i in 0..20 {
            let stack = world.add(NGINX, "main", 1);
            stack.user = (0..30).map(|frame| at << 32 | i << 16 | frame).collect();
        }
        history.push(&world.sample(at));
        assert!(history.bytes() <= budget, "{} bytes at {at}", history.bytes());
    }
    let window = history.window(&Scope::Machine, Measure::OnCpu, u64::MAX);
    assert!((5 * S..20 * S).contains(&window.covered_ns), "{} ns", window.covered_ns);
    assert_eq!(window.value, 23 * window.covered_ns / S);
}

#[test]
fn a_steady_burner_costs_eight_bytes_a_tick() {
    let bytes_a_tick = |stacks: &[(&str, u32)]| {
        let (mut history, world) = (StackHistory::default(), World::of(stacks));
        history.push(&world.sample(1));
        let first = history.bytes();
        (2..=100).for_each(|at| history.push(&world.sample(at)));
        (history.bytes() - first) / 99
    };
    let (one, three) = (bytes_a_tick(&[("main;burn", 49)]), bytes_a_tick(&[("main;burn", 49), ("main;burn;leaf", 49), ("idle", 1)]));
    assert_eq!(three - one, 2 * 8);
    assert!(one <= 80, "{one} bytes a tick");
}

#[test]
fn losses_are_those_of_the_span() {
    let mut history = StackHistory::default();
    for (at, lost) in [(1, 5), (2, 5), (10, 7), (11, 8)] {
        let mut sample = World::of(&[("main", 1)]).sample(at);
        sample.status[0].lost = lost;
        history.push(&sample);
    }
    assert_eq!(history.window(&Scope::Machine, Measure::OnCpu, 5 * S).lost, 3);
    assert_eq!(history.window(&Scope::Machine, Measure::OnCpu, u64::MAX).lost, 8);
    assert_eq!(history.status(Measure::OnCpu).map(|s| &s.health), Some(&Health::Live));
}
