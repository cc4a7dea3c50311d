//! Dialogs that change processes: what they show, whom they are for, what they ask for. No process is changed here.

mod ui_world;

use crossterm::event::KeyCode;
use ebtop::app::{App, Effect, Event, Start};
use ebtop::control::{Change, Errand, IoPriority, Outcome, Question, Report, Setting, Target};
use ebtop::sample::*;
use insta::assert_snapshot;
use ui_world::common::{SECOND, With, exit, sample, task};
use ui_world::*;

const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (200, 50)];

fn footer(app: &App) -> String {
    screen(app).lines().last().unwrap().to_string()
}

/// The errands among effects.
fn errands(effects: Vec<Effect>) -> Vec<Errand> {
    let errand = |effect| match effect {
        Effect::Errand(errand) => Some(errand),
        _ => None,
    };
    effects.into_iter().filter_map(errand).collect()
}

fn nginx() -> Target {
    Target { key: ProcKey { pid: NGINX, start_ns: SECOND }, name: "nginx".into() }
}

/// As if the kernel had answered.
fn seen(app: &mut App, setting: Setting) {
    app.update(Event::Outcome(Outcome::Seen(setting, vec![nginx()])));
}

#[test]
fn every_dialog_at_every_size() {
    for (width, height) in SIZES {
        let mut app = app(width, height);
        keys(&mut app, "k");
        assert_snapshot!(format!("signal_{width}x{height}"), screen(&app));
        keys(&mut app, "\x1b]");
        assert_snapshot!(format!("nice_{width}x{height}"), screen(&app));
        keys(&mut app, "\x1b");
        seen(&mut app, Setting::Io(IoPriority::ByNice));
        assert_snapshot!(format!("io_{width}x{height}"), screen(&app));
        keys(&mut app, "\x1b");
        seen(&mut app, Setting::Cpus(vec![1]));
        assert_snapshot!(format!("cpus_{width}x{height}"), screen(&app));
    }
}

#[test]
fn the_signal_is_15_unless_another_is_typed() {
    for (typed, number) in [("k\n", 15), ("k9\n", 9), ("kstop\n", 19), ("kusr2\n", 12)] {
        let mut app = app(80, 24);
        let asked = errands(keys(&mut app, typed));
        assert_eq!(asked, [Errand::Change(Change::Signal(number), vec![nginx()])], "{typed}");
        assert!(app.menu().is_none());
    }
}

#[test]
fn nothing_happens_without_enter() {
    let mut app = app(80, 24);
    assert_eq!(errands(keys(&mut app, "k9\x1b")), []);
    assert_eq!(errands(keys(&mut app, "]\x1b[\x1b")), []);
    keys(&mut app, "k");
    let placed = app.menu().unwrap().place(app.layout().unwrap().canvas());
    let list = placed.list;
    assert_eq!(errands(click(&mut app, list.x + 1, list.y + 2)), [], "a click only chooses");
    assert_eq!(app.menu().unwrap().chosen(), Some(placed.offset + 2));
    assert_eq!(errands(click(&mut app, 0, list.y)), []);
    assert!(app.menu().is_none(), "a click outside closes it");
}

#[test]
fn rows_that_move_or_go_do_not_change_the_target() {
    let mut app = app(80, 24);
    keys(&mut app, "k");
    let key = nginx().key;
    let mut next = sample(NOW + SECOND, [task(1, "systemd").with(Counter::CpuNs, 90 * SECOND), task(7, "other")]);
    next.exits = vec![exit(Task { key, ..task(NGINX, "nginx") }, NOW + SECOND - 1)];
    show(&mut app, next);
    assert!(screen(&app).contains("nginx (4112)"), "{}", screen(&app));
    assert_eq!(errands(keys(&mut app, "\n")), [Errand::Change(Change::Signal(15), vec![nginx()])]);
}

#[test]
fn nice_begins_a_step_from_where_it_is() {
    let mut app = app(80, 24);
    let nice = |app: &mut App, typed| match errands(keys(app, typed)).pop() {
        Some(Errand::Change(Change::Nice(nice), targets)) if targets == [nginx()] => nice,
        other => panic!("{other:?}"),
    };
    assert_eq!(nice(&mut app, "]\n"), -1);
    assert_eq!(nice(&mut app, "[\n"), 1);
    assert_eq!(nice(&mut app, "[19\n"), 19);
    press(&mut app, KeyCode::F(8));
    press(&mut app, KeyCode::PageDown);
    assert_eq!(nice(&mut app, "\n"), 11);
}

#[test]
fn io_and_cpus_are_looked_up_before_they_are_changed() {
    let mut app = app(80, 24);
    assert_eq!(errands(keys(&mut app, "X")), [Errand::Look(Question::Io, vec![nginx()])]);
    seen(&mut app, Setting::Io(IoPriority::BestEffort(4)));
    assert_eq!(app.menu().unwrap().chosen(), IoPriority::all().position(|p| p == IoPriority::BestEffort(4)));
    assert_eq!(errands(keys(&mut app, "idle\n")), [Errand::Change(Change::Io(IoPriority::Idle), vec![nginx()])]);

    assert_eq!(errands(keys(&mut app, "C")), [Errand::Look(Question::Cpus, vec![nginx()])]);
    seen(&mut app, Setting::Cpus(vec![0]));
    assert_eq!(errands(keys(&mut app, " \n")), [], "no CPU is left");
    assert!(footer(&app).contains("one at least"), "{}", footer(&app));
    press(&mut app, KeyCode::Down);
    assert_eq!(errands(keys(&mut app, " \n")), [Errand::Change(Change::Cpus(vec![1]), vec![nginx()])]);
}

#[test]
fn the_result_is_shown() {
    let mut app = app(80, 24);
    let report = Report { change: Change::Signal(15), done: vec![nginx()], refused: Vec::new() };
    app.update(Event::Outcome(Outcome::Changed(report)));
    assert_eq!(footer(&app), " SIGTERM sent to nginx (4112)");
    app.update(Event::Outcome(Outcome::Unseen("nginx (4112): it is gone".into())));
    assert_eq!(footer(&app), " nginx (4112): it is gone");
}

#[test]
fn readonly_opens_no_dialog() {
    let start = Start { readonly: true, ..Start::default() };
    let mut app = App::new(start, (80, 24));
    show(&mut app, server(false));
    show(&mut app, server(true));
    for key in ["k", "]", "[", "X", "C"] {
        assert_eq!(errands(keys(&mut app, key)), []);
        assert!(app.menu().is_none() && footer(&app).contains("Nothing can be changed"), "{}", footer(&app));
    }
}

#[test]
fn there_must_be_somebody_to_change() {
    let mut app = app(120, 40);
    press(&mut app, KeyCode::End);
    keys(&mut app, "\\exited\nk");
    assert!(app.menu().is_none() && footer(&app).contains("Choose a process"), "{}", footer(&app));
}

#[test]
fn the_owner_of_a_socket_is_the_target() {
    let mut app = fresh(80, 24);
    keys(&mut app, "4s");
    show(&mut app, with_sockets(server(false), false));
    show(&mut app, with_sockets(server(true), true));
    assert_eq!(errands(keys(&mut app, "k\n")), [Errand::Change(Change::Signal(15), vec![nginx()])]);
}
