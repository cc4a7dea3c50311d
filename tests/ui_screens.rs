//! What stands on the screen, as text, at the sizes people have.

mod ui_world;

use insta::assert_snapshot;
use ui_world::*;

const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (200, 50)];

#[test]
fn every_view_at_every_size() {
    for (width, height) in SIZES {
        let mut app = app(width, height);
        for (key, name) in [("1", "processes"), ("2", "cpu"), ("3", "memory"), ("4", "network")] {
            keys(&mut app, key);
            assert_snapshot!(format!("{name}_{width}x{height}"), screen(&app));
        }
    }
}

#[test]
fn disk() {
    for (width, height) in SIZES {
        let mut app = fresh(width, height);
        keys(&mut app, "5");
        show(&mut app, with_disks(server(false), false));
        show(&mut app, with_disks(server(true), true));
        assert_snapshot!(format!("disk_{width}x{height}"), screen(&app));
    }
}

#[test]
fn sockets() {
    for (width, height) in SIZES {
        let mut app = fresh(width, height);
        keys(&mut app, "4s");
        show(&mut app, with_sockets(server(false), false));
        show(&mut app, with_sockets(server(true), true));
        assert_snapshot!(format!("sockets_{width}x{height}"), screen(&app));
    }
}

#[test]
fn columns_that_nobody_has_anything_for_come_with_the_first_who_has() {
    use ebtop::app::Event;
    use ebtop::sample::{Container, Details, ProcKey, Update};

    let titles = |app: &ebtop::app::App| {
        let text = screen(app);
        let heads = text.lines().find(|line| line.contains(" PID ")).unwrap_or_default().to_owned();
        ["PID/NS", "UNIT", "CONTAINER", "POD"].map(|title| heads.split_whitespace().any(|word| word == title))
    };
    let mut app = fresh(300, 50);
    let tell = |app: &mut ebtop::app::App, details: Details| {
        app.update(Event::Update(Update::Details(vec![(ProcKey { pid: NGINX, start_ns: 1 }, details)])));
    };
    assert_eq!(titles(&app), [false; 4]);
    tell(&mut app, Details { cgroup: Some("/user".into()), ..Details::default() });
    assert_eq!(titles(&app), [false; 4]);
    tell(&mut app, Details { cgroup: Some("/system.slice/web.service".into()), ..Details::default() });
    assert_eq!(titles(&app), [false, true, false, false]);
    let container = Container { pod: Some("cart".into()), ..Container::default() };
    tell(&mut app, Details { container: Some(container.into()), inner_pid: Some(1), ..Details::default() });
    assert_eq!(titles(&app), [true; 4], "what was there once stays");
}

#[test]
fn tags_that_a_filter_hides_are_told() {
    let mut app = app(120, 40);
    keys(&mut app, "  ");
    assert!(screen(&app).contains("2 tagged") && !screen(&app).contains("not shown"), "{}", screen(&app));
    keys(&mut app, "\\pid=1288\n");
    assert!(screen(&app).contains("2 tagged, 2 not shown"), "{}", screen(&app));
}
