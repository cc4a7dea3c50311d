//! Stack history, names and trees.

mod stack_world;

use std::collections::HashMap;
use std::sync::Arc;

use ebtop::app::names::Names;
use ebtop::app::stacks::{After, StackAction, StackMode, StacksView};
use ebtop::model::stacks::{Measure, Missing, Naming, NodeId, Scope, Shape, StackHistory, StackTree};
use ebtop::sample::{Comm, Health, INTERPRETED, InterpretedFrame, ProcKey, Sample, StackCount, StackQuality, Stacks, Task};
use ebtop::symbols::{Frame, FrameKind, Request};
use stack_world::{NGINX, World, refresh, view_of};

const S: u64 = 1_000_000_000;

/// The tree as lines `indent name total/own`.
fn outline(tree: &StackTree) -> String {
    fn add(tree: &StackTree, id: NodeId, out: &mut String) {
        let node = tree.node(id);
        *out += &format!("{}{} {}/{}\n", " ".repeat(node.depth()), tree.label(id).name, node.total, node.own);
        tree.children(id).for_each(|child| add(tree, child, out));
    }
    let mut out = String::new();
    add(tree, StackTree::ROOT, &mut out);
    out
}

/// Every path with its counts, whatever the order of siblings.
fn sorted_outline(tree: &StackTree) -> Vec<String> {
    let mut lines = Vec::new();
    let mut todo = vec![StackTree::ROOT];
    while let Some(id) = todo.pop() {
        let names: Vec<_> = tree.path(id).iter().map(|label| label.name.clone()).collect();
        lines.push(format!("{} {}/{}", names.join(";"), tree.node(id).total, tree.node(id).own));
        todo.extend(tree.children(id));
    }
    lines.sort();
    lines
}

fn outline_of(stacks: &[(&str, u32)]) -> String {
    outline(view_of(&World::of(stacks)).0.tree())
}

/// `name own/total` of the hottest functions.
fn hottest_of(view: &StacksView) -> Vec<String> {
    view.functions().iter().map(|f| format!("{} {}/{}", f.label.name, f.own, f.total)).collect()
}

#[test]
fn totals_are_sums_and_the_hottest_comes_first() {
    let outline = outline_of(&[("main;cold", 2), ("main;hot;leaf", 5), ("main;hot", 1), ("main", 4)]);
    assert_eq!(outline, "all 12/0\n main 12/4\n  hot 6/1\n   leaf 5/5\n  cold 2/2\n");
}

#[test]
fn kernel_frames_hang_below_the_user_frame_that_entered() {
    let outline = outline_of(&[("main;write;K:sys_write;K:copy", 3), ("main;write", 1)]);
    assert_eq!(outline, "all 4/0\n main 4/0\n  write 4/1\n   sys_write 3/0\n    copy 3/3\n");
}

#[test]
fn inlined_frames_are_nodes_of_their_own() {
    let outline = outline_of(&[("main>step>add", 2), ("main>step;K:fault", 1)]);
    assert_eq!(outline, "all 3/0\n main 3/0\n  step 3/0\n   add 2/2\n   fault 1/1\n");
}

#[test]
fn frames_merge_by_name_and_module_not_by_address() {
    // A leaf address and a return address of `work`, and the same name in two libraries.
    let outline = outline_of(&[("main;work", 1), ("main;work;leaf", 1), ("main;init@a.so", 2), ("main;init@b.so", 3)]);
    assert_eq!(outline, "all 7/0\n main 7/0\n  init 3/3\n  work 2/1\n   leaf 1/1\n  init 2/2\n");
}

#[test]
fn a_recursive_function_counts_once_per_stack() {
    let (view, ..) = view_of(&World::of(&[("main;fib;fib;fib", 6), ("main;fib;other;fib;leaf", 3)]));
    assert_eq!(hottest_of(&view), ["fib 6/9", "leaf 3/3", "main 0/9", "other 0/3"]);
}

#[test]
fn the_table_of_a_zoomed_frame_is_about_what_it_calls() {
    let (mut view, ..) = view_of(&World::of(&[("main;a;leaf", 3), ("main;b;leaf", 2)]));
    for action in [StackAction::Down, StackAction::Down, StackAction::Right, StackAction::ZoomIn] {
        assert_eq!(view.act(action), After::Stay);
    }
    assert_eq!(hottest_of(&view), ["leaf 2/2", "b 0/2"]);
    assert_eq!(view.act(StackAction::ZoomOut), After::Stay);
    assert_eq!(hottest_of(&view), ["leaf 5/5", "main 0/5", "a 0/3", "b 0/2"]);
    assert_eq!(view.act(StackAction::ZoomOut), After::Leave);
}

#[test]
fn a_function_shows_its_hottest_line() {
    let mut world = World::of(&[("main", 2)]);
    let mut other_line = world.add(NGINX, "main", 5).clone();
    other_line.user = Arc::new([other_line.user[0] + 0x20]);
    *world.stacks.last_mut().unwrap() = other_line;
    let (view, ..) = view_of(&world);
    assert_eq!(view.functions()[0].source.as_deref(), Some("main.c:148"));
}

#[test]
fn a_cut_stack_says_that_its_callers_are_unknown() {
    let mut world = World::of(&[("main;work", 3)]);
    world.add(NGINX, "lost", 2).quality = StackQuality::Cut;
    let (view, ..) = view_of(&world);
    assert_eq!(outline(view.tree()), "all 5/0\n main 3/0\n  work 3/3\n [callers unknown] 2/0\n  lost 2/2\n");
    assert_eq!((view.summary().value, view.summary().by_quality), (5, [3, 2, 0, 0, 0, 0]));
    assert_eq!(hottest_of(&view), ["work 3/3", "lost 2/2", "main 0/3"]);
}

#[test]
fn nameless_frames_show_module_and_offset_then_address() {
    let mut world = World::of(&[("?@libx.so", 2)]);
    world.add(NGINX, "main", 1).user = Arc::new([0xdead_beef]);
    let (view, ..) = view_of(&world);
    assert_eq!(outline(view.tree()), "all 3/0\n libx.so+0x10 2/2\n 0xdeadbeef 1/1\n");
}

#[test]
fn before_names_come_there_are_addresses_and_afterwards_names() {
    let world = World::of(&[("main;work;K:fault", 3)]);
    let (mut view, mut history, mut names) = (StacksView::default(), StackHistory::default(), Names::default());
    history.push(&world.sample(1));
    view.open(Scope::Process(NGINX), "nginx");
    let requests = view.refresh(&history, &mut names);
    let [work, main] = world.stacks[0].user[..] else { panic!() };
    let fault = world.stacks[0].kernel[0];
    assert_eq!(outline(view.tree()), format!("all 3/0\n 0x{:x} 3/0\n  0x{work:x} 3/0\n   0x{fault:x} 3/3\n", main));
    assert_eq!(view.summary().pending, 3);
    assert!(view.refresh(&history, &mut names).is_empty(), "asked twice");
    for request in requests {
        names.answer(world.answer(request));
    }
    assert!(view.refresh(&history, &mut names).is_empty());
    assert_eq!(outline(view.tree()), "all 3/0\n main 3/0\n  work 3/0\n   fault 3/3\n");
    assert_eq!(view.summary().pending, 0);
    assert_eq!(view.functions()[0].label.kind, Some(FrameKind::Kernel));
}

#[test]
fn the_machine_has_processes_below_the_root() {
    let mut world = World::of(&[("main;work", 3)]);
    let second = ProcKey { pid: 4113, start_ns: 8 };
    world.add(second, "main;poll", 4).comm = Comm::new(b"a thread");
    let mut history = StackHistory::default();
    history.push(&world.sample(1));
    let (mut view, mut names) = (StacksView::default(), Names::default());
    refresh(&mut view, &history, &mut names, &world);
    assert_eq!(outline(view.tree()), "all 7/0\n other 4/0\n  main 4/0\n   poll 4/4\n nginx 3/0\n  main 3/0\n   work 3/3\n");
    assert_eq!(hottest_of(&view), ["poll 4/4", "work 3/3", "main 0/7"]);
}

#[test]
fn an_updated_tree_is_the_tree_built_anew() {
    let (mut history, mut names) = (StackHistory::new(4 << 20, 20 * S), Names::default());
    let mut view = StacksView::default();
    view.open(Scope::Process(NGINX), "nginx");
    let all = [("main;a;x", 9), ("main;b", 4), ("main;a;y;z", 2), ("main;c>d;K:e", 7), ("other", 1)];
    for tick in 0..60 {
        let mut world = World::of(&all);
        world.stacks = vec![world.stacks[tick % 5].clone(), world.stacks[tick / 5 % 5].clone()];
        history.push(&world.sample(tick as u64 + 1));
        refresh(&mut view, &history, &mut names, &world);
        let mut fresh = StacksView::default();
        fresh.open(Scope::Process(NGINX), "nginx");
        refresh(&mut fresh, &history, &mut names, &world);
        assert_eq!(sorted_outline(view.tree()), sorted_outline(fresh.tree()), "tick {tick}");
        assert_eq!((view.functions(), view.summary()), (fresh.functions(), fresh.summary()), "tick {tick}");
    }
}

#[test]
fn near_equal_siblings_keep_their_places() {
    let mut history = StackHistory::default();
    let mut names = Names::default();
    let mut view = StacksView::default();
    view.open(Scope::Process(NGINX), "nginx");
    for (at, (a, b)) in [(100, 99), (90, 112), (95, 111), (90, 400)].into_iter().enumerate() {
        let world = World::of(&[("main;a", a), ("main;b", b)]);
        history.push(&world.sample(100 * at as u64 + 1));
        refresh(&mut view, &history, &mut names, &world);
        let tree = view.tree();
        let main = tree.children(StackTree::ROOT).next().unwrap();
        let first = tree.label(tree.children(main).next().unwrap()).name.clone();
        assert_eq!(first, if at < 3 { "a" } else { "b" }, "tick {at}");
    }
}

#[test]
fn the_cursor_stays_on_its_frame_as_others_overtake_it() {
    let (mut view, mut history, mut names) = view_of(&World::of(&[("main;a;leaf", 30), ("main;b", 20)]));
    for _ in 0..3 {
        let _ = view.act(StackAction::Down);
    }
    let chosen = |view: &StacksView| view.tree().label(view.chosen().unwrap()).name.clone();
    assert_eq!(chosen(&view), "leaf");
    let world = World::of(&[("main;a;leaf", 1), ("main;b", 900), ("main;c", 800)]);
    history.push(&world.sample(100));
    refresh(&mut view, &history, &mut names, &world);
    assert_eq!(chosen(&view), "leaf");
    // 5 s later it is gone from the span: its nearest caller stands in, and it comes back.
    let _ = view.act(StackAction::Span(false));
    let other = World::of(&[("main;b", 3)]);
    history.push(&other.sample(110));
    refresh(&mut view, &history, &mut names, &other);
    assert_eq!(chosen(&view), "main");
    history.push(&world.sample(111));
    refresh(&mut view, &history, &mut names, &world);
    assert_eq!(chosen(&view), "leaf");
}

#[test]
fn search_says_how_much_of_the_time_has_a_match() {
    let (mut view, ..) = view_of(&World::of(&[("main;tcp_a;tcp_b", 3), ("main;x;tcp_b", 2), ("main;x", 5), ("main;TCP", 1)]));
    view.set_search("tcp");
    assert_eq!(view.matched(), 6);
    view.set_search("TCP");
    assert_eq!(view.matched(), 1);
    let _ = view.act(StackAction::NextMatch);
    assert_eq!(view.tree().label(view.chosen().unwrap()).name, "TCP");
    view.set_search("no such");
    assert_eq!(view.matched(), 0);
    let _ = view.act(StackAction::PreviousMatch);
    assert_eq!(view.tree().label(view.chosen().unwrap()).name, "TCP");
}

#[test]
fn search_in_the_machine_finds_processes_too() {
    let mut world = World::of(&[("main;a", 3)]);
    world.add(ProcKey { pid: 1, start_ns: 0 }, "init", 7);
    world.stacks[1].quality = StackQuality::Cut;
    let (_, history, mut names) = view_of(&world);
    let mut view = StacksView::default();
    refresh(&mut view, &history, &mut names, &world);
    let mut matched = |text: &str| {
        view.set_search(text);
        view.matched()
    };
    assert_eq!([matched("other"), matched("ngin"), matched("all"), matched("callers")], [7, 3 + 7, 0, 0]);
}

#[test]
fn what_the_table_leaves_out_is_counted() {
    let stacks: Vec<_> = (1..=1234).map(|i| (format!("main;f{i}"), i)).collect();
    let stacks: Vec<_> = stacks.iter().map(|(stack, count)| (stack.as_str(), *count)).collect();
    let (view, ..) = view_of(&World::of(&stacks));
    assert_eq!((view.functions().len(), view.further_functions()), (1000, 235));
    assert_eq!((view.functions()[0].own, view.functions()[999].own), (1234, 235));
}

#[test]
fn an_exec_drops_the_samples_of_the_program_before() {
    let mut world = World::of(&[("main", 2)]);
    world.add(ProcKey { pid: 1, start_ns: 0 }, "init", 7);
    let mut history = StackHistory::default();
    let mut push = |at_s, exec_id| {
        let mut sample = world.sample(at_s);
        sample.tasks.iter_mut().filter(|t| t.key == NGINX).for_each(|t| t.exec_id = exec_id);
        history.push(&sample);
        [Scope::Process(NGINX), Scope::Machine].map(|scope| history.window(&scope, Measure::OnCpu, u64::MAX).value)
    };
    assert_eq!([push(1, 5), push(2, 5)], [[2, 9], [4, 18]]);
    assert_eq!(push(3, 6), [0, 21], "this tick's may be of either program");
    assert_eq!(push(4, 6), [2, 30]);
    let bytes = history.bytes();
    let mut fresh = StackHistory::default();
    (1..=4).for_each(|at| fresh.push(&world.sample(at)));
    assert!(bytes < fresh.bytes(), "dropped records are no longer counted");
}

#[test]
fn enter_in_the_table_zooms_the_graph_to_the_function() {
    let (mut view, ..) = view_of(&World::of(&[("main;a;leaf", 3), ("main;b;leaf", 4), ("main;b", 1)]));
    let _ = view.act(StackAction::NextMode);
    let _ = view.act(StackAction::ZoomIn);
    assert_eq!(view.mode(), StackMode::Flame);
    let names: Vec<_> = view.tree().path(view.zoomed()).iter().map(|label| label.name.clone()).collect();
    assert_eq!(names, ["main", "b", "leaf"]);
}

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

#[test]
fn requests_come_in_chunks_hottest_first_and_again_if_not_sent() {
    let mut world = World::default();
    for i in 0..3000u32 {
        world.add(NGINX, &format!("f{i}"), i + 1);
    }
    let (mut view, mut history, mut names) = (StacksView::default(), StackHistory::default(), Names::default());
    history.push(&world.sample(1));
    view.open(Scope::Process(NGINX), "nginx");
    let requests = view.refresh(&history, &mut names);
    assert_eq!(requests.iter().map(|r| r.user.len()).collect::<Vec<_>>(), [256; 8]);
    assert_eq!(requests[0].user[0], world.stacks[2999].user[0]);
    names.not_sent(&requests[7]);
    assert_eq!(view.refresh(&history, &mut names), requests[7..]);
    names.answer(world.answer(requests[0].clone()));
    let next: Vec<Request> = view.refresh(&history, &mut names);
    assert_eq!(next.iter().map(|r| r.user.len()).collect::<Vec<_>>(), [256]);
}

#[test]
fn names_outlive_their_process_but_not_its_program() {
    let world = World::of(&[("main", 1)]);
    let (mut view, history, mut names) = view_of(&world);
    let alive = |at_s: u64, exec_id| {
        let tasks = vec![Task { key: NGINX, exec_id, ..Task::default() }];
        Sample { at_ns: at_s * S, tasks: tasks.into(), ..Sample::default() }
    };
    names.tick(&alive(100, 1));
    names.tick(&Sample { at_ns: 500 * S, ..Sample::default() });
    assert!(view.refresh(&history, &mut names).is_empty());
    assert_eq!(view.functions()[0].label.name, "main");
    names.tick(&alive(600, 2));
    assert_eq!(view.refresh(&history, &mut names).len(), 1, "names of the old program must go");
}

#[test]
fn the_symbol_thread_is_told_of_processes_before_they_are_gone() {
    let mut world = World::default();
    let key = |pid| ProcKey { pid, start_ns: 7 };
    for pid in 1..=10 {
        world.add(key(pid), "main", pid);
    }
    let mut names = Names::default();
    let sample = |at_s, exec_id| {
        let mut sample = world.sample(at_s);
        sample.tasks.iter_mut().for_each(|task| task.exec_id = exec_id);
        sample
    };
    let mut told = |sample: &Sample| -> Vec<u32> {
        let requests = names.note(sample);
        assert!(requests.iter().all(|request| request.only_keep && request.user.len() == 1));
        if let Some(first) = requests.first().filter(|first| first.key.pid == 2) {
            names.not_sent(first);
        }
        requests.iter().map(|request| request.key.pid).collect()
    };
    assert_eq!(told(&sample(100, 1)), [10, 9, 8, 7, 6, 5, 4, 3], "the hottest first, and not all at once");
    assert_eq!(told(&sample(101, 1)), [2, 1]);
    assert_eq!(told(&sample(102, 1)), [2], "what could not be sent is sent again");
    assert_eq!(told(&sample(161, 1)).len(), 8, "they may have loaded more code");
    assert_eq!(told(&sample(162, 2)).len(), 8, "another program");
}

#[test]
fn lines_of_python_come_with_the_samples_and_outlive_the_process() {
    let world = World::of(&[("main;work", 1)]);
    let (mut view, mut history, mut names) = view_of(&world);
    let line = |function: &str, line| InterpretedFrame { function: function.into(), file: "/srv/app/tasks.py".into(), line };
    let mut sample = world.sample(101);
    let native = sample.stacks.counts[0].user.clone();
    sample.stacks.counts[0].user = [INTERPRETED + 1, INTERPRETED, native[1], INTERPRETED + 9].into();
    sample.stacks.interpreted = vec![(INTERPRETED, line("Job.run", 12)), (INTERPRETED + 1, line("<lambda>", 40))];
    history.push(&sample);
    names.tick(&sample);
    names.tick(&Sample { at_ns: 400 * S, ..Sample::default() });
    assert!(view.refresh(&history, &mut names).is_empty(), "nobody else can name them");
    let hot = view.functions().iter().find(|f| f.label.name == "<lambda>").unwrap();
    assert_eq!((hot.label.module.as_str(), hot.label.kind), ("tasks.py", Some(FrameKind::Python)));
    assert_eq!(hot.source.as_deref(), Some("/srv/app/tasks.py:40"));
    let text = outline(view.tree());
    let place = |name| text.find(name).unwrap_or_else(|| panic!("{name} in {text}"));
    assert!(place("0x8000000000000009") < place("Job.run") && place("Job.run") < place("<lambda>"), "{text}");
}

#[test]
fn control_characters_never_come_through() {
    let mut world = World::of(&[("ma\u{1b}[31min@li\u{7}b.so", 1)]);
    world.add(NGINX, "?@\u{202e}evil", 1);
    let (mut view, history, mut names) = view_of(&world);
    view.open(Scope::Process(ProcKey { pid: 9, start_ns: 1 }), "\u{1b}]0;x");
    assert!(!view.title().contains('\u{1b}'));
    view.open(Scope::Process(NGINX), "nginx");
    refresh(&mut view, &history, &mut names, &world);
    let text =
        format!("{}{:?}", outline(view.tree()).replace('\n', ""), view.functions().iter().map(|f| f.source.clone()).collect::<Vec<_>>());
    assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
    assert!(text.contains("ma\u{fffd}[31min"), "{text:?}");
}

#[test]
fn more_addresses_than_names_are_kept_are_not_asked_for_without_end() {
    let mut names = Names::default();
    let missing: Vec<Missing> = (0..40_000).map(|address| Missing { key: Some(NGINX), address, count: 1 }).collect();
    let unnamed = |names: &Names| -> Vec<Missing> { missing.iter().filter(|m| names.user(NGINX, m.address).is_none()).copied().collect() };
    loop {
        let requests = names.ask(&unnamed(&names));
        if requests.is_empty() {
            break;
        }
        requests.into_iter().for_each(|request| names.answer(World::default().answer(request)));
    }
    assert_eq!(unnamed(&names).len(), 40_000 - 32_768);
}

/// Names of even addresses.
struct Even(Vec<Frame>);

impl Even {
    fn frames(&self, address: u64) -> Option<&[Frame]> {
        address.is_multiple_of(2).then(|| std::slice::from_ref(&self.0[address as usize % self.0.len()]))
    }
}

impl Naming for Even {
    fn version(&self) -> u64 {
        1
    }

    fn user(&self, _key: ProcKey, address: u64) -> Option<&[Frame]> {
        self.frames(address)
    }

    fn kernel(&self, address: u64) -> Option<&[Frame]> {
        self.frames(address)
    }
}

#[test]
fn thousands_of_stacks_are_counted_as_each_alone() {
    let frame = |at: u64| Frame { function: Some(format!("f{at}")), module: "m".into(), offset: at, kind: FrameKind::Native, source: None };
    let names = Even((0..40).map(frame).collect());
    let mut seed = 7u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut stack = |_| {
        let mut frames = |depth: u64| (0..depth).rev().map(|at| 4 * (at % 9) + random(3)).collect::<Arc<[u64]>>();
        let (user, kernel) = (frames(12), frames(2));
        let value = random(5) + 1;
        StackCount {
            key: NGINX,
            tid: 1 + random(2) as u32,
            user,
            kernel,
            count: value as u32,
            value,
            quality: StackQuality::Complete,
            ..StackCount::default()
        }
    };
    let counts: Vec<StackCount> = (0..2000).map(&mut stack).collect();
    let (mut totals, mut owns, mut missing) = (HashMap::new(), HashMap::new(), HashMap::new());
    for StackCount { user, kernel, value, .. } in &counts {
        let way = user.iter().rev().map(|a| (Some(NGINX), *a)).chain(kernel.iter().rev().map(|a| (None, *a)));
        let mut path = String::new();
        *totals.entry(path.clone()).or_insert(0) += value;
        for (key, address) in way {
            let name = if address % 2 == 0 { format!("f{address}") } else { format!("0x{address:x}") };
            path = if path.is_empty() { name } else { format!("{path};{name}") };
            *totals.entry(path.clone()).or_insert(0) += value;
            if address % 2 != 0 {
                *missing.entry((key, address)).or_insert(0) += value;
            }
        }
        *owns.entry(path).or_insert(0u64) += value;
    }
    let line = |(path, total): (&String, &u64)| format!("{path} {total}/{}", owns.get(path).copied().unwrap_or(0));
    let mut expected: Vec<String> = totals.iter().map(line).collect();
    expected.sort();
    let mut history = StackHistory::default();
    history.push(&Sample { at_ns: S, stacks: Stacks { hz: 49, counts, interpreted: Vec::new() }, ..Sample::default() });
    let window = history.window(&Scope::Process(NGINX), Measure::OnCpu, S);
    assert!(window.stacks.len() > 1000, "{} distinct stacks", window.stacks.len());
    let mut tree = StackTree::new(Shape::default());
    tree.update(&window, None, &names);
    assert_eq!(sorted_outline(&tree), expected);
    let found: HashMap<_, _> = tree.missing().into_iter().map(|m| ((m.key, m.address), m.count)).collect();
    assert_eq!(found, missing);
    let mut by_thread = StackTree::new(Shape { threads: true, ..Shape::default() });
    by_thread.update(&window, None, &names);
    assert_eq!((by_thread.missing(), by_thread.total()), (tree.missing(), tree.total()));
}
