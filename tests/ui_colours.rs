//! What stands in which colour: each view, and what a user meets on the way.

mod styles;
mod ui_world;

use insta::assert_snapshot;
use styles::with_styles;
use ui_world::*;

const SIZE: (u16, u16) = (80, 24);

#[test]
fn every_view() {
    let mut app = app(SIZE.0, SIZE.1);
    for (key, name) in [("1", "processes"), ("2", "cpu"), ("3", "memory"), ("4", "network")] {
        keys(&mut app, key);
        assert_snapshot!(name, with_styles(&buffer(&app)));
    }
}

#[test]
fn disks_and_cgroups() {
    for (key, name) in [("5", "disk"), ("6", "cgroups")] {
        let mut app = fresh(SIZE.0, SIZE.1);
        keys(&mut app, key);
        for later in [false, true] {
            show(&mut app, cgroups::with_cgroups(with_disks(server(later), later), later));
        }
        assert_snapshot!(name, with_styles(&buffer(&app)));
    }
}

#[test]
fn what_is_tagged_searched_and_asked() {
    for (typed, name) in
        [("  ", "tagged"), ("/ng", "searched"), ("t", "tree"), ("k", "signal"), ("?", "help"), ("\\cpu>x", "mistaken_filter")]
    {
        let mut app = app(SIZE.0, SIZE.1);
        keys(&mut app, typed);
        assert_snapshot!(name, with_styles(&buffer(&app)));
    }
}
