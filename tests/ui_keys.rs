//! Keys that take something out of the screen: recordings, files, the clipboard.

mod ui_world;

use std::sync::Arc;

use crossterm::event::KeyCode;
use ebtop::app::copy::Clipboard;
use ebtop::app::recording::Recorded;
use ebtop::app::{App, Content, Effect, Event, Start};
use ebtop::sample::*;
use ui_world::*;

fn footer(app: &App) -> String {
    screen(app).lines().last().unwrap().to_string()
}

fn title(app: &App) -> String {
    screen(app).lines().next().unwrap().to_string()
}

/// An app that has seen both samples, begun so.
fn begun(start: Start, samples: [Sample; 2]) -> App {
    let mut app = App::new(start, (100, 24));
    samples.into_iter().for_each(|sample| show(&mut app, sample));
    app
}

fn copied(effects: Vec<Effect>) -> Option<String> {
    effects.into_iter().find_map(|effect| if let Effect::Copy(text) = effect { Some(text) } else { None })
}

#[test]
fn a_recording_is_switched_on_and_off_and_the_header_says_so() {
    let mut app = app(80, 24);
    assert_eq!(keys(&mut app, "R"), [Effect::Record(Some("ebtop-web-07-20250726-200640".into()))]);
    assert!(!title(&app).contains("REC"), "it has not begun");
    let effects = app.update(Event::Recorded(Recorded::Begun("a.rec".into())));
    let wants = Wants { cgroups: true, cgroup_memory: true, ..Wants::NONE };
    assert!(effects.contains(&Effect::Command(Command::Want(wants))), "a recording holds the cgroups: {effects:?}");
    assert!(title(&app).contains("REC 1s · root · ● live"), "{}", title(&app));
    assert_eq!(footer(&app), " Recording to a.rec");
    keys(&mut app, "z");
    assert!(title(&app).contains("REC PAUSED 1s"), "{}", title(&app));
    assert_eq!(keys(&mut app, "R"), [Effect::Record(None)]);
    app.update(Event::Recorded(Recorded::Ended("it ended".into())));
    assert!(!title(&app).contains("REC") && footer(&app) == " it ended", "{}", footer(&app));
}

#[test]
fn a_recording_is_not_recorded_again_and_nothing_is_not_recorded() {
    let mut app = begun(Start { replay: true, readonly: true, ..Start::default() }, [server(false), server(true)]);
    assert_eq!(keys(&mut app, "R"), []);
    assert_eq!(footer(&app), " This is a recording already");
    let mut app = fresh(80, 24);
    assert_eq!(keys(&mut app, "R"), []);
}

#[test]
fn the_selected_line_is_copied() {
    let mut app = app(100, 24);
    assert_eq!(copied(keys(&mut app, "y")).as_deref(), Some("4112 nginx: worker process"));
    assert_eq!(footer(&app), " Copied: 4112 nginx: worker process");
    keys(&mut app, "gg");
    press(&mut app, KeyCode::Esc);
    keys(&mut app, "i");
    assert_eq!(copied(keys(&mut app, "y")).as_deref(), Some("4112 nginx: worker process"));
}

#[test]
fn a_socket_is_copied_with_its_addresses_and_owner() {
    let mut app = begun(Start::default(), [with_sockets(server(false), false), with_sockets(server(true), true)]);
    keys(&mut app, "4s");
    let text = copied(keys(&mut app, "y")).unwrap();
    assert_eq!(text, "tcp 10.0.0.7:443 203.0.113.9:52114 4112 nginx: worker process");
    keys(&mut app, "r");
    assert_eq!(copied(keys(&mut app, "y")).as_deref(), Some("203.0.113.9"));
}

#[test]
fn a_name_cannot_break_out_of_what_is_copied() {
    let evil = |later| {
        let mut sample = server(later);
        let busy = |task: &&mut Task| task.key.pid == NGINX;
        sample.tasks.iter_mut().filter(busy).for_each(|task| task.comm = Comm::new(b"a\x07\x1b]52;c;x\x1b\\"));
        sample
    };
    let mut app = App::new(Start::default(), (100, 24));
    for later in [false, true] {
        app.update(Event::Update(Update::Sample(Arc::new(evil(later)))));
    }
    let text = copied(keys(&mut app, "y")).unwrap();
    assert!(text.starts_with("4112 a") && !text.chars().any(char::is_control), "{text:?}");
}

#[test]
fn what_cannot_be_copied_is_said() {
    let mut app = begun(Start { clipboard: Clipboard::Nowhere, ..Start::default() }, [server(false), server(true)]);
    assert_eq!(copied(keys(&mut app, "y")), None);
    assert!(footer(&app).starts_with(" Nothing was copied: this terminal has no clipboard"), "{}", footer(&app));
    let mut app = begun(Start { clipboard: Clipboard::Tmux, ..Start::default() }, [server(false), server(true)]);
    assert!(copied(keys(&mut app, "y")).is_some());
    assert!(footer(&app).starts_with(" Copied (by tmux, if it has set-clipboard on): 4112"), "{}", footer(&app));
    keys(&mut app, "7");
    assert_eq!(copied(keys(&mut app, "Y")), None);
    assert_eq!(footer(&app), " Nothing is selected that could be copied");
}

/// Types a name at the prompt of `E`, and gives the table that would be written.
fn exported(app: &mut App, name: &str) -> Option<String> {
    keys(app, "E");
    app.update(Event::Key(crossterm::event::KeyEvent::new(KeyCode::Char('u'), crossterm::event::KeyModifiers::CONTROL)));
    let effects = keys(app, &format!("{name}\n"));
    effects.into_iter().find_map(|effect| match effect {
        Effect::Write(writing) => match writing.content {
            Content::Table(table) => Some(String::from_utf8(table).unwrap()),
            Content::Stacks(_) => None,
        },
        _ => None,
    })
}

#[test]
fn the_table_is_written_as_it_stands_on_the_screen() {
    let mut app = app(100, 24);
    keys(&mut app, "E");
    assert_eq!(footer(&app), " Write to: ebtop-web-07-processes-20250726-200640.csv");
    keys(&mut app, "\x1b\\cpu>20\n");
    let csv = exported(&mut app, "t.csv").unwrap();
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let at = |name: &str| lines[0].iter().position(|field| *field == name).unwrap();
    let shown: Vec<[&str; 2]> = lines[1..].iter().map(|line| [line[at("pid")], line[at("cpu_ns")]]).collect();
    assert_eq!(shown, [["4112", "884000000"], ["9920", "310000000"], ["15003", "225000000"]], "{csv}");

    let text = exported(&mut app, "t.txt").unwrap();
    let table: Vec<&str> = text.lines().skip_while(|line| !line.contains("COMMAND")).collect();
    assert!(table[1].contains("4112") && table[1].contains("88.4") && table[1].ends_with("nginx: worker process"), "{text}");
    assert_eq!(table.iter().filter(|line| !line.is_empty()).count(), 4, "{text}");

    let json: serde_json::Value = serde_json::from_str(&exported(&mut app, "t.JSON").unwrap()).unwrap();
    assert_eq!(json["processes"].as_array().unwrap().len(), 3);
}

#[test]
fn other_tables_are_written_too_and_the_exited_one_by_one() {
    let mut app = begun(Start::default(), [with_sockets(server(false), false), with_sockets(server(true), true)]);
    let csv = exported(&mut app, "t.csv").unwrap();
    assert_eq!(csv.lines().filter(|line| line.split(',').nth(2) == Some("true")).count(), 7, "{csv}");
    keys(&mut app, "4s");
    let csv = exported(&mut app, "t.csv").unwrap();
    assert_eq!((csv.lines().count(), csv.matches("10.0.0.7:443").count()), (5, 1), "{csv}");
    keys(&mut app, "r");
    assert!(exported(&mut app, "t.txt").unwrap().contains("203.0.113.9"));
}

#[test]
fn what_is_no_form_is_asked_again_and_nothing_is_not_written() {
    let mut app = app(100, 24);
    assert_eq!(exported(&mut app, "t.svg"), None);
    assert!(footer(&app).contains("end it in .csv (raw units)"), "{}", footer(&app));
    keys(&mut app, "\x1b\\nobody\n");
    assert_eq!(exported(&mut app, "t.csv"), None);
    assert_eq!(footer(&app), " Nothing to write: there is nothing in view");
}
