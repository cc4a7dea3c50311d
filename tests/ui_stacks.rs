//! The Stacks view as text.

mod stack_world;

use ebtop::app::names::Names;
use ebtop::app::stacks::boxes::{self, FlameBox};
use ebtop::app::stacks::{StackAction, StacksView};
use ebtop::model::stacks::{Scope, StackHistory};
use ebtop::sample::{Health, ProcKey, Sample, StackQuality};
use ebtop::ui;
use ebtop::ui::theme::Theme;
use insta::assert_snapshot;
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use stack_world::{NGINX, World, nginx, refresh, view_of};

fn text(view: &StacksView, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| ui::stacks::draw(frame, frame.area(), view, Theme::default())).unwrap();
    let buffer = terminal.backend().buffer();
    let cells = |row| (0..width).map(move |x| buffer[(x, row)].symbol());
    (0..height).map(|row| cells(row).collect::<String>().trim_end().to_string() + "\n").collect()
}

#[test]
fn search_and_zoom() {
    let (mut view, ..) = view_of(&nginx());
    view.set_search("tcp_");
    let _ = view.act(StackAction::NextMatch);
    assert_snapshot!("search", text(&view, 100, 24));
    let _ = view.act(StackAction::ZoomIn);
    view.set_search("");
    assert_snapshot!("zoomed", text(&view, 100, 24));
}

/// The view of `NGINX` after one sample that `change` made different.
fn view_after(world: &World, change: impl Fn(&mut Sample)) -> StacksView {
    let (mut view, mut history, mut names) = (StacksView::default(), StackHistory::default(), Names::default());
    for at in [1, 31] {
        let mut sample = world.sample(at);
        change(&mut sample);
        history.push(&sample);
    }
    view.open(Scope::Process(NGINX), "nginx");
    refresh(&mut view, &history, &mut names, world);
    view
}

#[test]
fn empty_states_say_why() {
    let idle = World::default();
    let off = Health::Off { reason: "needs CAP_BPF: start ebtop with sudo".into() };
    let mut view = StacksView::default();
    view.open(Scope::Process(NGINX), "nginx");
    let states = [
        text(&view, 70, 12),
        text(&view_after(&idle, |_| {}), 70, 12),
        text(&view_after(&idle, |sample| sample.stacks.hz = 0), 70, 12),
        text(&view_after(&idle, |sample| sample.status[0].health = off.clone()), 70, 12),
        text(
            &view_after(&World::of(&[("main", 3)]), |sample| {
                if sample.at_ns > 2_000_000_000 {
                    sample.stacks.counts.clear()
                }
            }),
            70,
            12,
        ),
    ];
    assert_snapshot!(states.join("----\n"));
}

#[test]
fn remarks_tell_what_is_missing() {
    let world = World::of(&[("main;work", 3), ("main;K:fault", 1)]);
    let degraded = Health::Degraded { reason: "no kernel stacks: kernel.kptr_restrict is 2".into() };
    let mut view = view_after(&world, |sample| sample.status[0].health = degraded.clone());
    let mut lines = vec![text(&view, 100, 8)];
    view = StacksView::default();
    view.open(Scope::Process(NGINX), "nginx");
    let mut history = StackHistory::default();
    let mut sample = nginx().sample(1);
    sample.status[0].lost = 12;
    sample.stacks.counts[0].quality = StackQuality::Cut;
    history.push(&sample);
    view.refresh(&history, &mut Names::default());
    lines.push(text(&view, 100, 12));
    assert_snapshot!(lines.join("----\n"));
}

#[test]
fn machine_120x40() {
    let mut world = nginx();
    let postgres = ProcKey { pid: 9920, start_ns: 1 };
    world.add(postgres, "main;PostmasterMain;BackendRun;exec_simple_query;ExecScan;J:evalexpr_0", 700);
    world.add(
        postgres,
        "main;PostmasterMain;BackendRun;exec_simple_query;read@libc.so.6;K:do_syscall_64;K:ksys_read;K:copy_page_to_iter",
        300,
    );
    let mut history = StackHistory::default();
    history.push(&world.sample(1));
    let (mut view, mut names) = (StacksView::default(), Names::default());
    refresh(&mut view, &history, &mut names, &world);
    assert_snapshot!(text(&view, 120, 40));
}

#[test]
fn nothing_is_drawn_raw_or_panics_at_any_size() {
    let mut world = nginx();
    world.add(NGINX, "main;\u{1b}[2Jevil\u{202e}@\u{7}.so;日本語の関数;a::b<c>::d(e)", 400);
    let (mut view, ..) = view_of(&world);
    view.open(Scope::Process(NGINX), "\u{1b}]0;title\u{7}");
    view.set_search("\u{1b}[31m");
    for _ in 0..3 {
        for (width, height) in (0..90).map(|size| (size, 30)).chain((0..40).map(|size| (70, size))) {
            let text = text(&view, width.max(1), height.max(1));
            assert!(!text.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{text:?}");
        }
        let _ = view.act(StackAction::NextMode);
        let _ = view.act(StackAction::Last);
    }
}

fn stacks() -> impl Strategy<Value = Vec<(String, u32)>> {
    let stack = prop::collection::vec("[a-e]", 1..12).prop_map(|frames| frames.join(";"));
    prop::collection::vec((stack, 1..2000u32), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn boxes_stay_within_their_caller_and_are_worth_their_cells(stacks in stacks(), width in 0..240u16) {
        let stacks: Vec<(&str, u32)> = stacks.iter().map(|(stack, count)| (stack.as_str(), *count)).collect();
        let (view, ..) = view_of(&World::of(&stacks));
        let tree = view.tree();
        let rows = boxes::rows(tree, view.zoomed(), width);
        for pair in rows.windows(2) {
            for &FlameBox { node, x, width } in &pair[1] {
                let caller = pair[0].iter().find(|above| above.x <= x && x + width <= above.x + above.width);
                let Some(caller) = caller.and_then(|above| above.node) else { return Err(TestCaseError::fail("outside its caller")) };
                prop_assert!(width >= 1);
                if let Some(id) = node {
                    prop_assert_eq!(tree.node(id).parent, caller);
                }
            }
            prop_assert!(pair[1].windows(2).all(|two| two[0].x + two[0].width <= two[1].x), "overlap");
        }
        for FlameBox { node, width: cells, .. } in rows.iter().flatten() {
            let Some(id) = node else { continue };
            let worth = tree.node(*id).total as f64 * f64::from(width) / tree.total() as f64;
            // Each row rounds within its caller's cells, so errors add up with depth.
            prop_assert!((f64::from(*cells) - worth).abs() <= tree.node(*id).depth() as f64, "{} cells, worth {}", cells, worth);
        }
    }
}
