//! Picking what to sort by and whose processes to see, columns that have no room, and columns that explain themselves.

mod ui_world;

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ebtop::app::bindings::BINDINGS;
use ebtop::app::column::{Column, Columns, SocketColumn};
use ebtop::app::keymap::{KeyMap, Preset};
use ebtop::app::keys::Action;
use ebtop::app::user_names::UserNames;
use ebtop::app::view::View;
use ebtop::app::{App, Effect, Event, Start};
use ebtop::sample::{Task, Update};
use insta::assert_snapshot;
use ui_world::common::sample;
use ui_world::*;

fn headings(app: &App) -> Vec<String> {
    let line = screen(app).lines().nth(app.layout().unwrap().headings.y.into()).unwrap().to_string();
    line.replace(['▾', '▴'], " ").split_whitespace().map(str::to_string).collect()
}

fn body(app: &App) -> Vec<String> {
    let body = app.layout().unwrap().body;
    screen(app).lines().skip(body.y.into()).take(body.height.into()).map(str::to_string).collect()
}

#[test]
fn each_list_at_every_size() {
    for (width, height) in [(60, 15), (80, 24), (120, 40), (200, 50)] {
        let mut app = app(width, height);
        press(&mut app, KeyCode::F(6));
        assert_snapshot!(format!("sort_{width}x{height}"), screen(&app));
        keys(&mut app, "\x1bu");
        assert_snapshot!(format!("users_{width}x{height}"), screen(&app));
        keys(&mut app, "\x1b:");
        assert_snapshot!(format!("palette_{width}x{height}"), screen(&app));
        keys(&mut app, "sort");
        assert_snapshot!(format!("palette_typed_{width}x{height}"), screen(&app));
    }
}

#[test]
fn the_list_sorts_and_keeps_the_order_of_what_is_sorted_already() {
    let mut app = app(80, 24);
    keys(&mut app, ">age\n");
    let table = app.process_table().unwrap();
    assert_eq!((table.sort, table.descending), (Column::Age, Column::Age.descends()));
    keys(&mut app, "I<\n");
    let table = app.process_table().unwrap();
    assert_eq!((table.sort, table.descending), (Column::Age, !Column::Age.descends()), "Enter on the same column changes nothing");
    keys(&mut app, "4s>rtt\n");
    assert!(app.socket_table().is_some_and(|t| t.sort == SocketColumn::Rtt));
}

#[test]
fn no_match_keeps_the_list_open() {
    let mut app = app(80, 24);
    keys(&mut app, ">qqqq\n");
    assert!(app.menu().is_some());
    keys(&mut app, "\x1buqqqq\n");
    assert!(app.menu().is_some());
}

#[test]
fn a_user_is_picked_beside_a_filter_and_let_go() {
    let mut app = app(120, 40);
    keys(&mut app, "\\cpu>0 or nginx\n");
    let all = app.line_count();
    keys(&mut app, "u");
    press(&mut app, KeyCode::Down);
    keys(&mut app, "\n");
    assert_eq!(app.filter_text(), "(cpu>0 or nginx) and uid=0");
    assert!(app.line_count() > 0 && app.line_count() < all, "{} of {all}", app.line_count());
    keys(&mut app, "ueverybody\n");
    assert_eq!((app.filter_text(), app.line_count()), ("cpu>0 or nginx", all));
}

#[test]
fn users_have_their_names_before_anybody_looked_at_their_processes() {
    let users = UserNames::new([(0, "root".into()), (33, "www-data".into())]);
    let start = Start { interval: Duration::from_secs(1), users, ..Start::default() };
    let mut app = App::new(start, (120, 40));
    let mut sample = server(true);
    sample.tasks = sample
        .tasks
        .iter()
        .map(|task| Task { uid: if task.key.pid.is_multiple_of(2) { 33 } else { 0 }, ..*task })
        .collect::<Vec<_>>()
        .into();
    // Nobody answers what is asked about processes.
    app.update(Event::Update(Update::Sample(Arc::new(sample))));
    keys(&mut app, "u");
    let names: Vec<&str> = app.menu().unwrap().items().iter().map(|item| item.label.as_str()).collect();
    assert_eq!(names, ["everybody", "root", "www-data"]);
}

#[test]
fn columns_without_room_come_from_the_right() {
    for (width, height) in [(60, 15), (80, 24)] {
        let mut app = app(width, height);
        let before = headings(&app);
        let mut seen = before.clone();
        for _ in 0..Column::all().len() {
            press(&mut app, KeyCode::Right);
            let now = headings(&app);
            assert_eq!(now.iter().find(|h| *h != "<").map(String::as_str), Some("PID"), "{now:?}");
            assert_eq!(now.last().map(String::as_str), Some("COMMAND"));
            seen.extend(now);
        }
        for column in app.process_table().unwrap().all() {
            assert!(seen.iter().any(|h| h.trim_start_matches('<') == column.spec().title), "{column:?} at {width}");
        }
        (0..100).for_each(|_| drop(press(&mut app, KeyCode::Left)));
        assert_eq!(headings(&app), before);
    }
}

#[test]
fn long_command_lines_are_read_to_their_end() {
    let mut app = app(60, 15);
    let starts = |app: &App| body(app).iter().any(|line| line.contains("nginx: worker"));
    assert!(starts(&app), "{}", screen(&app));
    let steps = app.process_table().unwrap().all().len() - 1;
    (0..steps).for_each(|_| drop(press(&mut app, KeyCode::Right)));
    assert!(!starts(&app) && body(&app).iter().any(|line| line.contains("ker process")), "{}", screen(&app));
    (0..2000).for_each(|_| drop(press(&mut app, KeyCode::Right)));
    show(&mut app, sample(1, []));
    screen(&app);
}

#[test]
fn every_column_explains_itself() {
    for spec in Column::all().iter().map(|c| c.spec()).chain(SocketColumn::all().iter().map(|c| c.spec())) {
        assert!(spec.help.ends_with('.') && spec.explained().contains(spec.name), "{}", spec.title);
    }
}

#[test]
fn the_help_goes_to_the_sorted_column_and_a_right_click_to_any() {
    let mut app = app(80, 24);
    keys(&mut app, "M??");
    let first = body(&app).remove(0);
    assert!(screen(&app).contains("Resident bytes"), "{}", screen(&app));
    keys(&mut app, "?");
    assert!(app.help().is_none(), "{first}");

    let headings = app.layout().unwrap().headings;
    let line: Vec<char> = screen(&app).lines().nth(headings.y.into()).unwrap().chars().collect();
    let at = line.windows(5).position(|w| w.iter().collect::<String>() == "FLT/s").unwrap();
    let click =
        MouseEvent { kind: MouseEventKind::Down(MouseButton::Right), column: at as u16, row: headings.y, modifiers: KeyModifiers::NONE };
    app.update(Event::Mouse(click));
    assert!(screen(&app).contains("not bytes: one may map 4 KiB or 2 MiB"), "{}", screen(&app));
    assert_eq!(app.process_table().unwrap().sort, Column::Rss, "nothing is sorted yet");
    keys(&mut app, "\n");
    assert_eq!(app.process_table().unwrap().sort, Column::Faults);
}

#[test]
fn the_palette_does_what_it_names() {
    let mut app = app(80, 24);
    keys(&mut app, ":sort-by-rss\n");
    assert_eq!(app.process_table().unwrap().sort, Column::Rss);
    keys(&mut app, ":view-stacks\n");
    assert_eq!(app.view(), View::Stacks);
    let mode = app.stacks().mode();
    keys(&mut app, ":form\n");
    assert_ne!(app.stacks().mode(), mode);
    assert!(keys(&mut app, ":quit\n").contains(&Effect::Quit));
}

#[test]
fn every_action_of_a_screen_is_in_its_palette() {
    for setup in ["1", "4", "4s", "5", "6", "7"] {
        let mut app = app(120, 40);
        keys(&mut app, setup);
        let places = app.places();
        keys(&mut app, ":");
        let menu = app.menu().unwrap();
        for binding in BINDINGS.iter().filter(|b| places.contains(&b.place) && b.action != Action::Palette) {
            assert!(menu.items().iter().any(|item| item.label == binding.action.name()), "{:?} after {setup}", binding.action);
        }
    }
}

#[test]
fn tree_and_threads_from_the_start() {
    let start = Start { tree: true, threads: true, ..Start::default() };
    let mut app = App::new(start, (120, 40));
    show(&mut app, server(false));
    show(&mut app, server(true));
    assert!(screen(&app).contains("tree · threads"), "{}", screen(&app));
}

#[test]
fn footer_help_and_palette_tell_the_keys_that_are_live() {
    let start = Start { keys: KeyMap::new(Preset::Vim, &[]), ..Start::default() };
    let mut app = App::new(start, (80, 24));
    show(&mut app, server(false));
    show(&mut app, server(true));
    keys(&mut app, "jj");
    assert_eq!(app.process_table().unwrap().cursor(), 2);
    keys(&mut app, "gl");
    assert!(app.process_table().unwrap().is_shifted());
    assert!(screen(&app).lines().last().unwrap().contains("x signal"), "{}", screen(&app));
    keys(&mut app, "?");
    let mut all = String::new();
    for _ in 0..10 {
        all += &screen(&app);
        press(&mut app, KeyCode::PageDown);
    }
    assert!(all.lines().any(|line| line.starts_with(" x F9 ") && line.contains("choose a signal")), "{all}");
    assert!(all.lines().any(|line| line.starts_with(" ? F1 ")), "h is not for help here: {all}");
    keys(&mut app, "\x1b:signal");
    assert!(screen(&app).contains(" x F9 "), "{}", screen(&app));
}
