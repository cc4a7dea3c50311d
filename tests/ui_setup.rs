//! The setup: what it shows, what is seen at once, what is kept and what is taken back.

mod ui_world;

use crossterm::event::KeyCode;
use ebtop::app::look::{Look, Palette, Units};
use ebtop::app::net::NetTable;
use ebtop::app::view::{Shown, View};
use ebtop::app::{App, Effect, Event, Start};
use ebtop::ui::theme::Theme;
use insta::assert_snapshot;
use ratatui::style::Color;
use ui_world::*;

fn headings(app: &App) -> Vec<String> {
    let line = screen(app).lines().nth(app.layout().unwrap().headings.y.into()).unwrap().to_string();
    line.replace(['▾', '▴'], " ").split_whitespace().map(str::to_string).collect()
}

fn saved(effects: Vec<Effect>) -> Option<Look> {
    effects.into_iter().find_map(|effect| match effect {
        Effect::Save(look) => Some(look),
        _ => None,
    })
}

#[test]
fn every_list_at_every_size() {
    for (width, height) in [(60, 15), (80, 24), (120, 40), (200, 50)] {
        let mut app = app(width, height);
        for (typed, name) in [("S", "setup"), ("\n", "columns"), ("\x1bStheme\n", "theme"), ("\x1bSunits\n", "units")] {
            keys(&mut app, typed);
            assert_snapshot!(format!("{name}_{width}x{height}"), screen(&app));
        }
    }
}

#[test]
fn columns_change_at_once_and_escape_takes_them_back() {
    let mut app = app(120, 40);
    let before = headings(&app);
    keys(&mut app, "Scolumns\n");
    keys(&mut app, "user");
    keys(&mut app, " ");
    assert!(!screen(&app).contains(" USER     S "), "{}", screen(&app));
    press(&mut app, KeyCode::Esc);
    assert_eq!(headings(&app), before);
}

#[test]
fn columns_are_moved_and_saved() {
    let mut app = app(120, 40);
    keys(&mut app, "Scolumns\n");
    // PID is the first; it goes behind USER, which then goes away.
    keys(&mut app, ">");
    press(&mut app, KeyCode::Home);
    let look = saved(keys(&mut app, " \n")).unwrap();
    assert_eq!(look.columns.len(), 1);
    assert_eq!(look.columns[0].1[..3], ["pid", "state", "cpu"]);
    assert_eq!(headings(&app)[..2], ["PID", "S"]);
    keys(&mut app, "2");
    assert!(headings(&app).contains(&"VCS/s".to_string()), "other views keep theirs");
    app.update(Event::Saved("Saved in /home/me/.config/ebtop/config.toml".into()));
    assert!(screen(&app).contains("Saved in /home"));
}

#[test]
fn columns_of_every_table_are_chosen_kept_and_taken_back() {
    let net = |table: NetTable| Shown::from(table);
    let tables = [
        ("1", View::Processes.into()),
        ("2", View::Cpu.into()),
        ("3", View::Memory.into()),
        ("4", View::Network.into()),
        ("4s", net(NetTable::Sockets)),
        ("4l", net(NetTable::Listeners)),
        ("4r", net(NetTable::Remotes)),
        ("4w", net(NetTable::Interfaces)),
        ("5", View::Disk.into()),
        ("6", View::Cgroups.into()),
    ];
    assert!(tables.iter().map(|(_, shown)| *shown).eq(Shown::with_columns()));
    for (way, shown) in tables {
        let mut app = app(120, 40);
        keys(&mut app, way);
        let before = headings(&app);
        keys(&mut app, "Scolumns\n");
        // The list stands aside: the headings on the left of it are seen.
        keys(&mut app, ">");
        assert_eq!(headings(&app)[..2], [before[1].as_str(), before[0].as_str()], "{shown:?}");
        press(&mut app, KeyCode::Esc);
        assert_eq!(headings(&app), before, "{shown:?}");
        let look = saved(keys(&mut app, "Scolumns\n> \n")).unwrap();
        // Where there is room now, one comes back that had none.
        let has_lost_the_first = |app: &App| headings(app)[0] == before[1] && !headings(app).contains(&before[0]);
        assert!(has_lost_the_first(&app), "{shown:?}: {:?}", headings(&app));
        assert_eq!(look.columns.iter().map(|(of, _)| *of).collect::<Vec<_>>(), [shown]);

        let mut anew = App::new(Start { look, ..Start::default() }, (120, 40));
        show(&mut anew, server(false));
        show(&mut anew, server(true));
        keys(&mut anew, way);
        assert!(has_lost_the_first(&anew), "{shown:?}: {:?}", headings(&anew));
    }
}

#[test]
fn stacks_have_no_columns() {
    let mut app = app(80, 24);
    keys(&mut app, "7Scolumns\n");
    assert!(app.menu().is_none() && screen(&app).contains("Stacks has no columns to choose"), "{}", screen(&app));
}

#[test]
fn chosen_columns_hold_from_the_start_and_drop_where_there_is_no_room() {
    let look = Look { columns: vec![(View::Processes.into(), vec!["cgroup", "pid", "age"])], ..Look::default() };
    let at = |width| {
        let mut app = App::new(Start { look: look.clone(), ..Start::default() }, (width, 24));
        show(&mut app, server(false));
        show(&mut app, server(true));
        app
    };
    assert_eq!(headings(&at(120)), ["CGROUP", "PID", "AGE", "CPU%", "COMMAND"], "the sorted column is always there");
    assert!(headings(&at(60)).contains(&"COMMAND".to_string()));
    let mut app = at(120);
    keys(&mut app, "M");
    assert!(screen(&app).contains("no column RSS"));
}

#[test]
fn a_theme_is_seen_before_it_is_kept() {
    let mut app = app(80, 24);
    let colours = |app: &App| buffer(app).content.iter().filter(|cell| cell.fg != Color::Reset).count();
    let before = buffer(&app);
    keys(&mut app, "Stheme\n");
    press(&mut app, KeyCode::End);
    assert_eq!(colours(&app), 0, "mono");
    press(&mut app, KeyCode::Esc);
    assert_eq!(buffer(&app), before);
    let look = saved(keys(&mut app, "Stheme\nlight\n")).unwrap();
    assert_eq!(look.palette, Palette::Light);
    assert!(colours(&app) > 0 && buffer(&app) != before);
    let plain = buffer_in(&app, Theme { colour: false, ..Theme::default() });
    assert!(plain.content.iter().all(|cell| cell.fg == Color::Reset), "NO_COLOR is stronger");
}

#[test]
fn no_theme_hides_anything() {
    for palette in Palette::ALL {
        let look = Look { palette, ..Look::default() };
        let mut app = App::new(Start { look, ..Start::default() }, (120, 40));
        show(&mut app, server(false));
        show(&mut app, server(true));
        for cell in &buffer(&app).content {
            assert!(cell.fg != cell.bg || cell.fg == Color::Reset, "{palette:?} {cell:?}");
        }
    }
}

#[test]
fn units_are_those_chosen() {
    let mut app = app(80, 24);
    assert!(screen(&app).contains("6.0G/16.0G"));
    let look = saved(keys(&mut app, "Sunits\nsi\n")).unwrap();
    assert_eq!(look.units, Units::Si);
    assert!(screen(&app).contains("6.4G/17.2G") && screen(&app).contains("↓50.3M"), "{}", screen(&app));
}

#[test]
fn a_notice_stands_until_a_key_comes() {
    let start = Start { notice: Some("config.toml line 3: there is no key x".into()), ..Start::default() };
    let mut app = App::new(start, (80, 24));
    show(&mut app, server(false));
    assert!(screen(&app).contains("line 3"));
    press(&mut app, KeyCode::Down);
    assert!(!screen(&app).contains("line 3"));
}
