//! Trees, their cursor, search and table.

use std::sync::Arc;

use ebtop::app::names::Names;
use ebtop::app::stacks::{After, StackAction, StackMode, StacksView};
use ebtop::model::stacks::{Measure, Scope, StackHistory, StackTree};
use ebtop::sample::{Comm, ProcKey, StackQuality};
use ebtop::symbols::FrameKind;

use crate::stack_world::{NGINX, World, refresh, view_of};
use crate::{S, hottest_of, outline, outline_of, sorted_outline};

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
