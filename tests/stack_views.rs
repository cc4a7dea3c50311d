//! What the keys and clicks of the Stacks view do, beyond walking.

mod stack_world;

use ebtop::app::names::Names;
use ebtop::app::stacks::boxes::Flame;
use ebtop::app::stacks::places::Places;
use ebtop::app::stacks::{After, Change, StackAction, StackMode, StacksView};
use ebtop::model::stacks::{Measure, Scope, StackHistory, StackTree};
use ebtop::sample::{Comm, ProcKey, Sample};
use proptest::prelude::*;
use ratatui::layout::{Position, Rect};
use stack_world::{NGINX, World, nginx, refresh, view_of};

const S: u64 = 1_000_000_000;

/// Paths below the root with their totals, names joined by `<`, sorted.
fn paths(tree: &StackTree) -> Vec<String> {
    let mut paths = Vec::new();
    let mut todo = vec![StackTree::ROOT];
    while let Some(id) = todo.pop() {
        let names: Vec<_> = tree.path(id).iter().map(|label| label.name.clone()).collect();
        if id != StackTree::ROOT {
            paths.push(format!("{} {}", names.join("<"), tree.node(id).total));
        }
        todo.extend(tree.children(id));
    }
    paths.sort();
    paths
}

fn tree_lines(view: &StacksView) -> Vec<String> {
    view.tree_rows().iter().map(|row| format!("{}{}", if row.folded { "+" } else { "" }, view.tree().label(row.node).name)).collect()
}

fn chosen(view: &StacksView) -> String {
    view.tree().label(view.chosen().unwrap()).name.clone()
}

fn act(view: &mut StacksView, actions: &[StackAction]) {
    for action in actions {
        assert_eq!(view.act(*action), After::Stay);
    }
}

#[test]
fn callers_stand_below_their_function() {
    use StackAction::{Callers, Down, NextMode, ZoomOut};
    let (mut view, history, mut names) = view_of(&World::of(&[("main;a;leaf", 5), ("main;b;leaf;deep", 3), ("main;a", 2)]));
    act(&mut view, &[Down, Down, Down]);
    assert_eq!(chosen(&view), "leaf");
    act(&mut view, &[Callers]);
    let of_leaf = ["leaf 8", "leaf<a 5", "leaf<a<main 5", "leaf<b 3", "leaf<b<main 3"];
    assert_eq!(paths(view.tree()), of_leaf);
    view.refresh(&history, &mut names);
    assert_eq!(paths(view.tree()), of_leaf, "after a refresh too");
    act(&mut view, &[NextMode, NextMode]);
    assert_eq!(view.mode(), StackMode::Flame, "the table is left out");
    act(&mut view, &[ZoomOut]);
    assert_eq!((view.callers(), chosen(&view).as_str()), (None, "leaf"));
}

#[test]
fn callers_of_a_recursive_function_count_a_stack_once() {
    let (mut view, ..) = view_of(&World::of(&[("main;fib;fib;fib", 6), ("main;other;fib", 3)]));
    act(&mut view, &[StackAction::NextMode, StackAction::Callers]);
    assert_eq!(paths(view.tree()), ["fib 9", "fib<main 6", "fib<other 3", "fib<other<main 3"]);
    assert_eq!(view.mode(), StackMode::Tree);
}

/// Ticks of 10 s, each with so many samples of `a` and of `b`.
fn ticks(counts: &[(u32, u32)]) -> (World, StackHistory) {
    let mut history = StackHistory::default();
    history.push(&Sample { at_ns: 10 * S, ..Sample::default() });
    for (at, &(a, b)) in (2..).zip(counts) {
        history.push(&World::of(&[("main;a", a), ("main;b", b)]).sample(10 * at));
    }
    (World::of(&[("main;a", 1), ("main;b", 1)]), history)
}

/// `name before now change` of each function.
fn changes(view: &StacksView) -> Vec<String> {
    let change = |change| match change {
        Change::Grew => "grew",
        Change::Shrank => "shrank",
        Change::Same => "same",
    };
    let line = |f: &ebtop::model::stacks::HotFunction| {
        format!("{} {} {} {}", f.label.name, f.before.0, f.own, change(view.change(f.before.0, f.own)))
    };
    view.functions().iter().filter(|f| f.own > 0 || f.before.0 > 0.0).map(line).collect()
}

#[test]
fn the_span_is_compared_with_all_the_time_before_scaled_to_its_length() {
    let (world, history) = ticks(&[(100, 10), (100, 10), (100, 10), (95, 90), (105, 90), (100, 90)]);
    let (mut view, mut names) = (StacksView::default(), Names::default());
    view.open(Scope::Process(NGINX), "nginx");
    act(&mut view, &[StackAction::Compare]);
    refresh(&mut view, &history, &mut names, &world);
    assert_eq!(view.baseline(), Some((30 * S, false)));
    assert_eq!(changes(&view), ["b 30 270 grew", "a 300 300 same"]);
    assert_eq!(view.rate(49.0 * 30.0), 100.0, "a core");
    // 240 in a minute before: half of them are expected in half the time.
    let (world, history) = ticks(&[(40, 0), (40, 0), (40, 0), (40, 0), (40, 0), (40, 0), (2, 0), (2, 0), (0, 7)]);
    view.open(Scope::Machine, "");
    view.open(Scope::Process(NGINX), "nginx");
    act(&mut view, &[StackAction::Compare]);
    refresh(&mut view, &history, &mut names, &world);
    assert_eq!(changes(&view), ["a 120 4 shrank", "b 0 7 grew"]);
    assert_eq!(view.act(StackAction::ZoomOut), After::Stay, "one step back ends the comparison");
    assert_eq!(view.baseline(), None);
}

#[test]
fn all_there_is_is_compared_half_by_half() {
    let (world, history) = ticks(&[(10, 50), (10, 50), (90, 50), (90, 50)]);
    let (mut view, mut names) = (StacksView::default(), Names::default());
    view.open(Scope::Process(NGINX), "nginx");
    act(&mut view, &[StackAction::Span(true), StackAction::Span(true), StackAction::Compare]);
    refresh(&mut view, &history, &mut names, &world);
    assert_eq!(changes(&view), ["a 20 180 grew", "b 100 100 same"]);
}

#[test]
fn a_mark_keeps_what_was_shown_even_when_the_history_forgets_it() {
    let world = World::of(&[("main;a", 60), ("main;b", 1)]);
    let (mut history, mut names, mut view) = (StackHistory::new(4 << 20, 40 * S), Names::default(), StacksView::default());
    history.push(&Sample { at_ns: 10 * S, ..Sample::default() });
    history.push(&world.sample(20));
    view.open(Scope::Process(NGINX), "nginx");
    act(&mut view, &[StackAction::Mark]);
    refresh(&mut view, &history, &mut names, &world);
    assert_eq!((view.baseline(), view.summary().value), (Some((10 * S, true)), 0));
    for at in 3..20 {
        history.push(&World::of(&[("main;a", 10), ("main;b", 60)]).sample(10 * at));
        refresh(&mut view, &history, &mut names, &world);
    }
    assert_eq!(changes(&view), ["b 3 180 grew", "a 180 30 shrank"]);
    // A mark is of one measure.
    view.set_measure(Measure::Net);
    assert_eq!(view.baseline(), None);
}

#[test]
fn what_is_written_is_what_is_shown() {
    let (world, history) = ticks(&[(10, 50), (10, 50), (90, 50), (90, 50)]);
    let (mut view, mut names) = (StacksView::default(), Names::default());
    view.open(Scope::Process(NGINX), "nginx");
    act(&mut view, &[StackAction::Span(true), StackAction::Span(true), StackAction::Compare]);
    refresh(&mut view, &history, &mut names, &world);
    let written = |view: &StacksView, history: &StackHistory, names: &Names| {
        let profile = view.profile(history, names, 60_000);
        (profile.value(), profile.duration_ns, profile.began_unix_ms)
    };
    assert_eq!(written(&view, &history, &names), (280, 20 * S, 40_000), "half of all is compared with the other half");
    let mut history = history;
    act(&mut view, &[StackAction::Mark]);
    refresh(&mut view, &history, &mut names, &world);
    history.push(&World::of(&[("main;a", 3)]).sample(60));
    refresh(&mut view, &history, &mut names, &world);
    assert_eq!((view.summary().value, written(&view, &history, &names)), (3, (3, 10 * S, 50_000)), "since the mark");
}

#[test]
fn threads_are_told_apart_on_request() {
    let mut world = World::of(&[("main;a", 3)]);
    let second = world.add(NGINX, "main;a", 4);
    (second.tid, second.comm) = (5000, Comm::new(b"pool-1"));
    let (mut view, history, mut names) = view_of(&world);
    assert_eq!(paths(view.tree()), ["main 7", "main<a 7"]);
    act(&mut view, &[StackAction::Threads]);
    refresh(&mut view, &history, &mut names, &world);
    let apart = [
        "nginx (4112) 3",
        "nginx (4112)<main 3",
        "nginx (4112)<main<a 3",
        "pool-1 (5000) 4",
        "pool-1 (5000)<main 4",
        "pool-1 (5000)<main<a 4",
    ];
    assert_eq!(paths(view.tree()), apart);
    view.set_search("pool");
    assert_eq!(view.matched(), 4);
}

#[test]
fn the_tree_folds_and_unfolds() {
    use StackAction::{Down, FoldBelow, Left, NextMode, Right, UnfoldAll, Up};
    let (mut view, history, mut names) = view_of(&World::of(&[("main;a;x", 9), ("main;a;y", 8), ("main;b;z", 7), ("main;b;w", 1)]));
    act(&mut view, &[NextMode, NextMode]);
    let all = ["all", "main", "a", "x", "y", "b", "z", "w"];
    assert_eq!(tree_lines(&view), all);
    act(&mut view, &[Down, Down, Left]);
    assert_eq!((tree_lines(&view), chosen(&view)), (["all", "main", "+a", "b", "z", "w"].map(String::from).to_vec(), "a".into()));
    view.refresh(&history, &mut names);
    assert_eq!(view.tree_rows().len(), 6, "stays folded");
    act(&mut view, &[Left]);
    assert_eq!(chosen(&view), "main", "a folded frame leads to its caller");
    act(&mut view, &[Down, Right]);
    assert_eq!((tree_lines(&view).len(), chosen(&view).as_str()), (all.len(), "a"));
    act(&mut view, &[Right]);
    assert_eq!(chosen(&view), "x");
    act(&mut view, &[Up, Up, FoldBelow]);
    assert_eq!(tree_lines(&view), ["all", "main", "+a", "+b"]);
    act(&mut view, &[Up, UnfoldAll]);
    assert_eq!(tree_lines(&view), all);
}

#[test]
fn what_is_too_small_for_a_line_is_counted() {
    let mut stacks = vec![("main;big".to_string(), 1000)];
    stacks.extend((0..7).map(|i| (format!("main;small{i}"), 1)));
    let stacks: Vec<_> = stacks.iter().map(|(stack, count)| (stack.as_str(), *count)).collect();
    let (mut view, ..) = view_of(&World::of(&stacks));
    act(&mut view, &[StackAction::NextMode, StackAction::NextMode]);
    assert_eq!(view.tree_rows().iter().map(|row| row.small).collect::<Vec<_>>(), [0, 7, 0]);
}

#[test]
fn inlined_code_is_told_from_what_is_called_anywhere() {
    let (view, ..) = view_of(&World::of(&[("main>both>only", 3), ("main;x;both", 1)]));
    let inlined: Vec<_> = view.functions().iter().map(|f| (f.label.name.as_str(), f.inlined)).collect();
    assert_eq!(inlined, [("only", true), ("both", false), ("main", false), ("x", false)]);
}

#[test]
fn processes_that_exited_can_be_opened_and_left_again() {
    let gone = ProcKey { pid: 7, start_ns: 1 };
    let mut world = World::of(&[("main;a", 3)]);
    world.add(gone, "main;b", 2);
    let mut history = StackHistory::default();
    let mut sample = world.sample(1);
    sample.tasks.iter_mut().for_each(|task| task.exec_id = 1);
    history.push(&sample);
    sample.tasks.retain(|task| task.key == NGINX);
    (sample.at_ns, sample.stacks.counts) = (5 * S, Vec::new());
    history.push(&sample);
    let (mut view, mut names) = (StacksView::default(), Names::default());
    act(&mut view, &[StackAction::Processes]);
    refresh(&mut view, &history, &mut names, &world);
    let listed: Vec<_> = view.listing().unwrap().0.iter().map(|p| (p.key, p.name.to_string(), p.value, p.last_ns, p.is_gone)).collect();
    assert_eq!(listed, [(NGINX, "nginx".into(), 3, S, false), (gone, "other".into(), 2, S, true)]);
    act(&mut view, &[StackAction::Last, StackAction::ZoomIn]);
    refresh(&mut view, &history, &mut names, &world);
    assert_eq!((view.title(), view.scope()), ("other (7)", &Scope::Process(gone)));
    assert_eq!(paths(view.tree()), ["main 2", "main<b 2"]);
    act(&mut view, &[StackAction::ZoomOut]);
    refresh(&mut view, &history, &mut names, &world);
    assert_eq!((view.scope(), view.listing().map(|(_, at)| at)), (&Scope::Machine, Some(1)));
    act(&mut view, &[StackAction::ZoomOut]);
    assert!(view.listing().is_none());
    assert_eq!(view.act(StackAction::ZoomOut), After::Leave);
}

const AREA: Rect = Rect { x: 0, y: 4, width: 120, height: 33 };

#[test]
fn a_click_chooses_and_a_second_one_zooms() {
    let (mut view, ..) = view_of(&nginx());
    let places = Places::of(&view, AREA);
    let row = |line: u16| Position::new(3, places.body.y + line);
    view.click(AREA, row(5));
    assert_eq!((chosen(&view).as_str(), view.zoomed()), ("ngx_http_process_request", StackTree::ROOT));
    view.click(AREA, row(5));
    assert_eq!(view.tree().label(view.zoomed()).name, "ngx_http_process_request");
    act(&mut view, &[StackAction::ZoomOut]);
    // The first function of the table below the graph.
    view.click(AREA, Position::new(30, Places::of(&view, AREA).table.y + 1));
    assert_eq!(chosen(&view), "deflate_slow");
    act(&mut view, &[StackAction::NextMode]);
    view.click(AREA, Position::new(30, AREA.y + 2 + 3));
    assert_eq!(view.function_index(), 2);
    act(&mut view, &[StackAction::NextMode]);
    view.click(AREA, Position::new(30, AREA.y + 2 + 4));
    assert_eq!(chosen(&view), "ngx_worker_process_cycle");
}

#[test]
fn the_graph_moves_with_the_mouse_until_a_key_chooses() {
    let (mut view, ..) = view_of(&nginx());
    let low = Rect { height: 14, ..AREA };
    let body = Places::of(&view, low).body;
    let above = |view: &StacksView| Flame::of(view, body.width, body.height).above;
    let at = |line: u16| Position::new(3, body.y + line);
    let deepest = Flame::of(&view, body.width, body.height).rows.len() + 1 - usize::from(body.height);
    assert!(deepest > 2, "{deepest}");
    act(&mut view, &[StackAction::First]);
    assert_eq!(above(&view), 0);
    view.press(low, at(8));
    let began = above(&view);
    view.drag(low, at(7));
    assert_eq!(above(&view), (began + 1).min(deepest));
    view.drag(low, at(0));
    view.drag(low, Position::new(3, 0));
    assert_eq!(above(&view), deepest, "no further than the graph goes");
    view.drag(low, Position::new(3, 1));
    assert_eq!(above(&view), deepest - 1, "turning round answers at once");
    view.release();
    assert_eq!(view.zoomed(), StackTree::ROOT, "moving it zooms nowhere");
    act(&mut view, &[StackAction::First]);
    assert_eq!(above(&view), 0);

    let at = Position::new(3, Places::of(&view, AREA).body.y + 3);
    view.press(AREA, at);
    let frame = chosen(&view);
    view.release();
    view.press(AREA, at);
    assert_eq!((view.zoomed(), chosen(&view)), (StackTree::ROOT, frame.clone()));
    view.release();
    assert_eq!(view.tree().label(view.zoomed()).name, frame);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_keys_and_clicks_panics(steps in prop::collection::vec((0..24usize, 0..130u16, 0..45u16), 1..60)) {
        use StackAction::*;
        let actions = [Up, Down, Left, Right, PageUp, PageDown, First, Last, ZoomIn, ZoomOut, NextMode, Span(true), Span(false), Callers,
            Threads, Compare, Mark, Processes, UnfoldAll, FoldBelow, NextMatch, PreviousMatch];
        let (mut view, mut history, mut names) = view_of(&nginx());
        view.set_search("ngx");
        for (i, (action, x, y)) in steps.into_iter().enumerate() {
            match actions.get(action) {
                Some(action) => { let _ = view.act(*action); }
                None if x % 3 == 0 => view.drag(AREA, Position::new(x, y)),
                None if x % 3 == 1 => view.press(AREA, Position::new(x, y)),
                None => view.click(AREA, Position::new(x, y)),
            }
            if i % 3 == 0 {
                let mut world = nginx();
                world.stacks.truncate(2 + i % 9);
                history.push(&world.sample(100 + 7 * i as u64));
            }
            refresh(&mut view, &history, &mut names, &nginx());
            let flame = Flame::of(&view, AREA.width, 20);
            prop_assert!(flame.rows.len() >= flame.above + flame.below);
            prop_assert!(view.tree_rows().iter().all(|row| view.tree().node(row.node).depth() >= view.tree().node(view.zoomed()).depth()));
        }
    }
}
