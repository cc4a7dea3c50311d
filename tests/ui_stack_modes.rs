//! Flame graph, table, tree and comparison at the four sizes that ebtop is designed for, with their colours.

mod stack_world;
mod styles;

use ebtop::app::names::Names;
use ebtop::app::stacks::{StackAction, StackMode, StacksView};
use ebtop::model::stacks::{Measure, Scope, StackHistory};
use ebtop::sample::{ProcKey, StackQuality, Weight};
use ebtop::ui;
use ebtop::ui::theme::Theme;
use insta::assert_snapshot;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use stack_world::{NGINX, World, nginx, refresh};

/// What the view may use of a screen of 60×15, 80×24, 120×40 and 200×50.
const SIZES: [(&str, u16, u16); 4] = [("60x15", 60, 8), ("80x24", 80, 17), ("120x40", 120, 33), ("200x50", 200, 43)];

fn drawn(view: &StacksView, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| ui::stacks::draw(frame, frame.area(), view, Theme::default())).unwrap();
    terminal.backend().buffer().clone()
}

fn with_styles(view: &StacksView, width: u16, height: u16) -> String {
    styles::with_styles(&drawn(view, width, height))
}

fn assert_sizes(name: &str, view: &StacksView) {
    for (size, width, height) in SIZES {
        assert_snapshot!(format!("{name}_{size}"), with_styles(view, width, height));
    }
}

/// The web server with some inlined and interpreted code, and some stacks that are cut.
fn server() -> World {
    let mut world = nginx();
    world.add(NGINX, "_start;main;ngx_worker_process_cycle;py_run>PyEval;P:handler.render;P:handler.escape", 90);
    world.add(NGINX, "memcpy@libc.so.6", 12).quality = StackQuality::NoTable;
    world.add(NGINX, "J:?", 30).quality = StackQuality::Jit;
    world
}

fn shown(world: &World, mode: StackMode) -> StacksView {
    let (mut view, mut history, mut names) = (StacksView::default(), StackHistory::default(), Names::default());
    for at in [60, 90] {
        history.push(&world.sample(at));
    }
    view.open(Scope::Process(NGINX), "nginx");
    while view.mode() != mode {
        let _ = view.act(StackAction::NextMode);
    }
    refresh(&mut view, &history, &mut names, world);
    view
}

#[test]
fn flame() {
    assert_sizes("flame", &shown(&server(), StackMode::Flame));
}

#[test]
fn table() {
    let mut view = shown(&server(), StackMode::Table);
    let _ = view.act(StackAction::Down);
    assert_sizes("table", &view);
}

#[test]
fn tree() {
    let mut view = shown(&server(), StackMode::Tree);
    for step in [StackAction::Down; 5] {
        let _ = view.act(step);
    }
    let _ = view.act(StackAction::FoldBelow);
    assert_sizes("tree", &view);
}

/// Compression has become much more, epoll less, after two quiet minutes.
fn compared(mode: StackMode) -> StacksView {
    let (mut view, mut history, mut names) = (StacksView::default(), StackHistory::default(), Names::default());
    let (quiet, mut busy) = (server(), server());
    busy.stacks[0].count *= 3;
    busy.stacks.retain(|stack| stack.count != 88);
    busy.stacks.iter_mut().for_each(|stack| stack.value = stack.count.into());
    (1..=4).for_each(|at| history.push(&quiet.sample(30 * at)));
    history.push(&busy.sample(150));
    view.open(Scope::Process(NGINX), "nginx");
    while view.mode() != mode {
        let _ = view.act(StackAction::NextMode);
    }
    let _ = view.act(StackAction::Compare);
    refresh(&mut view, &history, &mut names, &quiet);
    view
}

#[test]
fn comparison() {
    assert_sizes("diff", &compared(StackMode::Flame));
    for (mode, name) in [(StackMode::Table, "diff_table"), (StackMode::Tree, "diff_tree")] {
        assert_snapshot!(name, with_styles(&compared(mode), 80, 17));
    }
}

#[test]
fn callers_of_a_function() {
    let mut view = shown(&server(), StackMode::Table);
    let _ = view.act(StackAction::First);
    for _ in 0..4 {
        let _ = view.act(StackAction::Down);
    }
    let _ = view.act(StackAction::Callers);
    assert_snapshot!("callers", with_styles(&view, 80, 17));
}

#[test]
fn processes_with_samples() {
    let mut world = server();
    for pid in [9920, 15_003] {
        world.add(ProcKey { pid, start_ns: 8 }, "main;work", 10 + pid % 7);
    }
    let (mut view, mut history, mut names) = (StacksView::default(), StackHistory::default(), Names::default());
    let mut sample = world.sample(60);
    sample.tasks.iter_mut().for_each(|task| task.exec_id = 1);
    history.push(&sample);
    (sample.at_ns, sample.stacks.counts) = (72_000_000_000, sample.stacks.counts[..3].to_vec());
    sample.tasks.retain(|task| task.key.pid != 15_003);
    history.push(&sample);
    let _ = view.act(StackAction::Processes);
    refresh(&mut view, &history, &mut names, &world);
    let _ = view.act(StackAction::Down);
    assert_snapshot!("processes", with_styles(&view, 80, 17));
}

#[test]
fn every_measure_in_its_unit() {
    let mut world = World::of(&[("main;work", 49)]);
    let measured = [
        ("main;read;K:io_schedule", Weight::Blocked, 1_240_000_000),
        ("main;poll;K:schedule", Weight::Sleeping, 26_000_000_000),
        ("main;work", Weight::Runnable, 310_000_000),
        ("main;touch;K:handle_mm_fault", Weight::MinorFault, 1200),
        ("main;read;K:filemap_fault", Weight::MajorFault, 1200),
        ("main;touch;K:__alloc_pages", Weight::Alloc, 52 << 20),
        ("main;send;K:tcp_sendmsg", Weight::Sent, 7 << 20),
        ("main;recv;K:tcp_recvmsg", Weight::Received, 900 << 10),
    ];
    for (stack, weight, value) in measured {
        let stack = world.add(NGINX, stack, 1200);
        (stack.weight, stack.value) = (weight, value);
    }
    let mut view = shown(&world, StackMode::Tree);
    let mut screens = Vec::new();
    let mut history = StackHistory::default();
    (0..=1).for_each(|at| history.push(&world.sample(60 + 30 * at)));
    for measure in Measure::ALL {
        view.set_measure(measure);
        refresh(&mut view, &history, &mut Names::default(), &world);
        let buffer = drawn(&view, 100, 16);
        let line = |y| (0..100).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_string();
        screens.push((0..16).map(line).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"));
    }
    assert_snapshot!("measures", screens.join("\n----\n"));
}
