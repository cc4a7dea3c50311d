//! Whom keys are for: never anybody who is not on the screen, and never another than the one that was chosen.

mod ui_world;

use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ebtop::app::lines::LineKey;
use ebtop::app::view::View;
use ebtop::app::{App, Effect, Event};
use ebtop::control::{Change, Errand, Outcome, Setting, Target};
use ebtop::sample::*;
use ui_world::common::{SECOND, With};
use ui_world::*;

/// Pids that the errands among effects are for.
fn targets(effects: Vec<Effect>) -> Vec<u32> {
    let targets = |effect| match effect {
        Effect::Errand(Errand::Change(_, targets)) => Some(targets),
        _ => None,
    };
    effects.into_iter().filter_map(targets).flatten().map(|target| target.key.pid).collect()
}

/// Whom the next signal would go to.
fn aim(app: &mut App) -> Vec<u32> {
    targets(keys(app, "k\n"))
}

/// Another process is the busiest from now on.
fn overtaken_by(app: &mut App, pid: u32) {
    let mut next = server(true);
    next.at_ns += SECOND;
    next.tasks.iter_mut().filter(|t| t.key.pid == pid).for_each(|t| *t = t.with(Counter::CpuNs, 9000 * SECOND));
    show(app, next);
}

#[test]
fn a_search_given_up_goes_back_to_who_was_chosen() {
    let mut app = app(80, 24);
    press(&mut app, KeyCode::Down);
    let chosen = aim(&mut app);
    keys(&mut app, "/zzz");
    overtaken_by(&mut app, 1288);
    press(&mut app, KeyCode::Esc);
    assert_eq!(aim(&mut app), chosen, "though it stands elsewhere by now");
}

#[test]
fn a_search_given_up_chooses_nobody() {
    let mut app = app(80, 24);
    keys(&mut app, "/redis");
    press(&mut app, KeyCode::Esc);
    overtaken_by(&mut app, 1288);
    assert_eq!(aim(&mut app), [1288], "the busiest stays the first line");
}

#[test]
fn what_is_not_on_the_screen_cannot_be_done() {
    let mut app = app(80, 24);
    app.update(Event::Resize(50, 14));
    assert!(aim(&mut app).is_empty(), "no dialog can be seen");
    app.update(Event::Resize(80, 24));
    assert!(app.menu().is_none(), "and none was opened");
    keys(&mut app, "k");
    app.update(Event::Resize(50, 14));
    assert!(targets(keys(&mut app, "\n")).is_empty(), "the dialog cannot be seen any more");
    app.update(Event::Resize(80, 24));
    assert_eq!(targets(keys(&mut app, "\n")), [NGINX], "it was kept");
}

#[test]
fn a_screen_too_small_can_be_left() {
    let mut app = app(50, 14);
    assert_eq!(keys(&mut app, "q"), [Effect::Quit]);
    app.update(Event::Resize(80, 24));
    keys(&mut app, "/");
    app.update(Event::Resize(50, 14));
    assert_eq!(keys(&mut app, "q"), [], "meant for the text");
}

#[test]
fn details_are_of_one_process_whoever_is_tagged() {
    let mut app = app(120, 40);
    keys(&mut app, " ");
    let tagged = aim(&mut app);
    assert_eq!(tagged, [NGINX]);
    press(&mut app, KeyCode::Home);
    press(&mut app, KeyCode::Down);
    keys(&mut app, "i");
    let shown = aim(&mut app);
    assert_ne!(shown, tagged);
    keys(&mut app, "i");
    assert_eq!(aim(&mut app), tagged);
}

#[test]
fn tags_are_told_wherever_they_count() {
    let mut app = app(120, 40);
    let mut next = with_sockets(server(true), true);
    next.at_ns += SECOND;
    show(&mut app, next);
    keys(&mut app, " s");
    assert!(app.shows_sockets() && screen(&app).contains("1 tagged"), "{}", screen(&app));
}

#[test]
fn cpus_are_those_that_were_offered() {
    let mut app = app(80, 24);
    let nginx = Target { key: ProcKey { pid: NGINX, start_ns: SECOND }, name: "nginx".into() };
    app.update(Event::Outcome(Outcome::Seen(Setting::Cpus(vec![1]), vec![nginx.clone()])));
    let mut next = server(true);
    next.at_ns += SECOND;
    next.machine.cpus.remove(0);
    show(&mut app, next);
    let asked = keys(&mut app, "\n");
    assert_eq!(asked, [Effect::Errand(Errand::Change(Change::Cpus(vec![1]), vec![nginx]))], "though CPU 0 has gone meanwhile");
}

fn double_click(app: &mut App, row: u16) -> Vec<Effect> {
    let kind = MouseEventKind::Down(MouseButton::Left);
    app.update(Event::DoubleClick(MouseEvent { kind, column: 20, row, modifiers: KeyModifiers::NONE }))
}

#[test]
fn a_double_click_is_for_the_line_of_its_first_click_wherever_that_stands_by_now() {
    let mut app = app(80, 24);
    let row = app.layout().unwrap().body.y + 2;
    click(&mut app, 20, row);
    let Some((LineKey::Process(chosen), _)) = app.process_table().unwrap().current() else { panic!() };
    overtaken_by(&mut app, 1288);
    double_click(&mut app, row);
    assert_eq!(app.view(), View::Stacks);
    assert_eq!(app.stacks().whose(), Some(chosen));
}

#[test]
fn a_double_click_off_the_lines_is_a_click_and_in_a_list_it_accepts_nothing() {
    let mut app = app(80, 24);
    let layout = app.layout().unwrap();
    keys(&mut app, "\\cpu>5\n");
    double_click(&mut app, layout.body.bottom() - 1);
    assert_eq!(app.view(), View::Processes, "no line stands there: {}", screen(&app));
    let order = |app: &App| (app.process_table().unwrap().sort, app.process_table().unwrap().descending);
    let before = order(&app);
    double_click(&mut app, layout.headings.y);
    assert_ne!(order(&app), before, "a heading sorts");
    keys(&mut app, "k");
    let effects = double_click(&mut app, layout.body.y + 5);
    assert!(app.menu().is_some() && targets(effects).is_empty(), "{}", screen(&app));
}
