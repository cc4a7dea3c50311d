//! What stacks are weighed by, and whose they are.

mod stack_world;

use ebtop::app::names::Names;
use ebtop::app::stacks::{StackAction, StacksView};
use ebtop::model::stacks::{Measure, Scope, StackHistory, StackTree};
use ebtop::sample::{Probe, ProcKey, Sample, StackQuality, Weight};
use stack_world::{NGINX, World, refresh};

const S: u64 = 1_000_000_000;
const OTHER: ProcKey = ProcKey { pid: 4113, start_ns: 8 };

/// A worker that burns, waits three ways, faults and sends.
fn world() -> World {
    let mut world = World::of(&[("main;burn", 49)]);
    let waits = [
        ("main;read;K:read", Weight::Blocked, 7_000_000),
        ("main;poll", Weight::Sleeping, 900_000_000),
        ("main;burn", Weight::Runnable, 3_000_000),
    ];
    let moved =
        [("main;alloc;K:fault", Weight::MinorFault, 12), ("main;map;K:fault", Weight::MajorFault, 12), ("main;send", Weight::Sent, 64_000)];
    for (stack, weight, value) in waits.into_iter().chain(moved) {
        let stack = world.add(NGINX, stack, 12);
        (stack.weight, stack.value) = (weight, value);
    }
    world
}

fn lines(tree: &StackTree) -> Vec<String> {
    let mut lines = Vec::new();
    let mut todo = vec![StackTree::ROOT];
    while let Some(id) = todo.pop() {
        let node = tree.node(id);
        lines.push(format!("{}{} {}", " ".repeat(node.depth()), tree.label(id).name, node.total));
        let children: Vec<_> = tree.children(id).collect();
        todo.extend(children.into_iter().rev());
    }
    lines
}

#[test]
fn each_measure_adds_up_its_own_weights_in_its_own_unit() {
    let mut history = StackHistory::default();
    (1..=3).for_each(|at| history.push(&world().sample(at)));
    let sums = Measure::ALL.map(|measure| {
        let window = history.window(&Scope::Machine, measure, 2 * S);
        (window.count, window.value)
    });
    assert_eq!(sums, [(98, 98), (72, 1_820_000_000), (48, 48), (0, 0), (24, 128_000)]);
}

#[test]
fn waits_of_three_kinds_are_told_apart() {
    let (mut view, mut history, mut names) = (StacksView::default(), StackHistory::default(), Names::default());
    history.push(&world().sample(1));
    view.open(Scope::Process(NGINX), "nginx");
    view.set_measure(Measure::OffCpu);
    refresh(&mut view, &history, &mut names, &world());
    let expected = [
        "all 910000000",
        " [asleep] 900000000",
        "  main 900000000",
        "   poll 900000000",
        " [blocked in the kernel] 7000000",
        "  main 7000000",
        "   read 7000000",
        "    read 7000000",
        " [waiting for a CPU] 3000000",
        "  main 3000000",
        "   burn 3000000",
    ];
    assert_eq!(lines(view.tree()), expected);
    view.set_measure(Measure::OnCpu);
    refresh(&mut view, &history, &mut names, &world());
    assert_eq!(lines(view.tree()), ["all 49", " main 49", "  burn 49"]);
}

#[test]
fn who_ended_a_wait_stands_below_it_when_asked_for() {
    let (mut view, mut history, mut names) = (StacksView::default(), StackHistory::default(), Names::default());
    let mut world = World::of(&[("main;burn", 49)]);
    world.add_waits();
    history.push(&world.sample(1));
    view.open(Scope::Process(NGINX), "nginx");
    let _ = view.act(StackAction::Wakers);
    assert_eq!(view.measure(), Measure::OffCpu);
    refresh(&mut view, &history, &mut names, &world);
    let waits = ["all 900000000", " [asleep] 900000000", "  main 900000000", "   poll 900000000", "    schedule 900000000"];
    let wakers = [
        "     [woken by backend (977)] 500000000",
        "      main 500000000",
        "       answer 500000000",
        "        wake_up 500000000",
        "     [woken by an interrupt] 300000000",
        "      timer 300000000",
    ];
    assert_eq!(lines(view.tree()), [&waits[..], &wakers].concat());
    // What goes on has time and no end: it is no wait yet.
    assert_eq!((view.summary().samples, view.summary().value), (2, 900_000_000));
    let own = |view: &StacksView, name: &str| view.functions().iter().find(|f| f.label.name == name).map(|f| f.own);
    assert_eq!((own(&view, "wake_up"), own(&view, "poll")), (Some(500_000_000), Some(100_000_000)));
    let with = view.profile(&history, &names, 0);
    let _ = view.act(StackAction::Wakers);
    refresh(&mut view, &history, &mut names, &world);
    assert_eq!(lines(view.tree()), waits);
    let without = view.profile(&history, &names, 0);
    let frames = |profile: &ebtop::export::profile::Profile| profile.stacks.iter().map(|s| s.frames.len()).collect::<Vec<_>>();
    assert_eq!((frames(&with), frames(&without)), (vec![7, 5, 3], vec![3, 3, 3]));
    let _ = view.act(StackAction::Weigh(Measure::OffCpu));
    refresh(&mut view, &history, &mut names, &world);
    assert_eq!(lines(view.tree()), ["all 49", " main 49", "  burn 49"], "time on the CPU again");
}

/// A wait that began before the span is in it for as long as that is.
#[test]
fn a_wait_that_goes_on_is_in_every_span() {
    let mut history = StackHistory::default();
    let mut world = World::default();
    world.add_waits();
    world.stacks.retain(|stack| stack.waker.is_none());
    (1..=9).for_each(|at| history.push(&world.sample(at)));
    let window = history.window(&Scope::Process(NGINX), Measure::OffCpu, 2 * S);
    assert_eq!((window.count, window.value, window.stacks.len()), (0, 200_000_000, 1));
}

/// Two processes in cgroups 5 and 6.
fn two_in_cgroups() -> (World, Sample) {
    let mut world = world();
    world.add(OTHER, "main;other", 30);
    let mut sample = world.sample(1);
    for task in sample.tasks.iter_mut() {
        task.cgroup_id = if task.key == NGINX { 5 } else { 6 };
    }
    (world, sample)
}

#[test]
fn a_scope_covers_its_processes_alone() {
    let mut history = StackHistory::default();
    history.push(&two_in_cgroups().1);
    let value = |scope: Scope| history.window(&scope, Measure::OnCpu, S).value;
    let stranger = ProcKey { pid: 1, start_ns: 1 };
    assert_eq!(
        [Scope::Machine, Scope::Process(OTHER), Scope::Set([OTHER, stranger].into()), Scope::Set([OTHER, NGINX].into())].map(value),
        [79, 30, 30, 79]
    );
    assert_eq!(
        [Scope::Cgroup(vec![5]), Scope::Cgroup(vec![6, 9]), Scope::Cgroup(vec![5, 6]), Scope::Cgroup(vec![0])].map(value),
        [49, 30, 79, 0]
    );
}

#[test]
fn why_stacks_are_cut_is_counted_in_the_unit_of_the_measure() {
    let mut world = world();
    world.stacks[0].quality = StackQuality::NoTable;
    world.stacks[1].quality = StackQuality::Deep;
    let mut history = StackHistory::default();
    history.push(&world.sample(1));
    let by_quality = |measure| history.window(&Scope::Machine, measure, S).by_quality;
    assert_eq!(by_quality(Measure::OnCpu), [0, 0, 0, 49, 0, 0]);
    assert_eq!(by_quality(Measure::OffCpu), [903_000_000, 0, 7_000_000, 0, 0, 0]);
}

#[test]
fn forged_values_do_not_overflow() {
    let mut world = world();
    for stack in &mut world.stacks {
        (stack.count, stack.value) = (u32::MAX, u64::MAX);
    }
    let (mut view, mut history, mut names) = (StacksView::default(), StackHistory::default(), Names::default());
    (1..=3).for_each(|at| history.push(&world.sample(at)));
    for measure in Measure::ALL {
        view.set_measure(measure);
        refresh(&mut view, &history, &mut names, &world);
        assert_eq!(view.tree().total(), view.summary().value);
    }
}

/// Waits with the scheduler's frames innermost, as the kernel gives them.
fn sleepers() -> World {
    let mut world = World::of(&[("main;burn", 49), ("main;K:__schedule", 7)]);
    let waits = [
        ("main;poll;K:do_poll;K:schedule_hrtimeout_range_clock;K:schedule;K:__schedule", 600),
        ("main;nap;K:do_nanosleep;K:schedule;K:__schedule.isra.0", 300),
        ("main;spin;K:asm_sysvec_apic_timer_interrupt;K:irqentry_exit_to_user_mode;K:exit_to_user_mode_loop;K:schedule;K:__schedule", 90),
        ("main;K:entry_SYSCALL_64_after_hwframe;K:do_syscall_64;K:syscall_exit_to_user_mode;K:schedule;K:__schedule", 80),
        ("K:schedule;K:__schedule", 100),
    ];
    for (stack, value) in waits {
        let stack = world.add(NGINX, stack, 1);
        (stack.weight, stack.value) = (Weight::Sleeping, value);
    }
    world
}

#[test]
fn a_wait_is_that_of_the_function_that_called_the_scheduler() {
    let (mut view, mut history, mut names) = (StacksView::default(), StackHistory::default(), Names::default());
    history.push(&sleepers().sample(1));
    view.open(Scope::Process(NGINX), "nginx");
    view.set_measure(Measure::OffCpu);
    refresh(&mut view, &history, &mut names, &sleepers());
    let own = |view: &StacksView| -> Vec<(String, u64)> {
        view.functions().iter().filter(|f| f.own > 0).map(|f| (f.label.name.clone(), f.own)).collect()
    };
    let expected = [("do_poll", 600), ("do_nanosleep", 300), ("__schedule", 100), ("spin", 90), ("main", 80)]
        .map(|(name, own)| (name.to_string(), own));
    assert_eq!(own(&view), expected, "with nobody above it, it is the scheduler's; who was made to wait is who ran");
    assert!(lines(view.tree()).iter().any(|line| line.trim_start().starts_with("__schedule.isra.0 300")), "the graph keeps the frames");
    view.set_measure(Measure::OnCpu);
    refresh(&mut view, &history, &mut names, &sleepers());
    assert!(own(&view).contains(&("__schedule".to_string(), 7)), "on the CPU it is its own time");
}

#[test]
fn the_span_of_a_probe_begins_with_it() {
    let mut history = StackHistory::default();
    let timed = World::of(&[("main;burn", 49)]);
    (1..=20).for_each(|at| history.push(&timed.sample(at)));
    let covered = |history: &StackHistory, measure| history.window(&Scope::Machine, measure, 10 * S).covered_ns / S;
    assert_eq!([Measure::OnCpu, Measure::Faults, Measure::OffCpu].map(|measure| covered(&history, measure)), [10, 0, 0]);
    history.probe_begins(Probe::Faults);
    (21..=22).for_each(|at| history.push(&timed.sample(at)));
    assert_eq!(
        [Measure::OnCpu, Measure::Faults, Measure::OffCpu].map(|measure| covered(&history, measure)),
        [10, 2, 0],
        "though nothing came"
    );
    (23..=25).for_each(|at| history.push(&sleepers().sample(at)));
    assert_eq!(covered(&history, Measure::OffCpu), 3, "it brought something since then");
    (26..=40).for_each(|at| history.push(&timed.sample(at)));
    assert_eq!(covered(&history, Measure::Faults), 10);
}
