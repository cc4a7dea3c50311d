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
