//! However ebtop ends, the terminal is as it was before.

use std::env;
use std::time::{Duration, Instant};

use ebtop::ui::terminal::Guard;
use rustix::process::Signal;

use crate::ebtop;
use crate::session::{Session, command};

const SIZE: (u16, u16) = (100, 30);
const PANIC_NOW: &str = "EBTOP_TEST_PANIC_NOW";

fn started() -> Session {
    let session = ebtop(SIZE, &["-d", "200ms"]);
    session.wait_for_text("COMMAND");
    assert!(session.is_taken(), "an interactive program takes the terminal");
    session
}

fn ends_cleanly_after(act: impl FnOnce(&Session)) {
    let mut session = started();
    act(&session);
    let status = session.wait_exit();
    assert_eq!(session.left_behind(), Vec::<&str>::new());
    assert_eq!(status.exit_code(), 0, "{status}");
}

#[test]
fn quitting_restores_the_terminal() {
    ends_cleanly_after(|session| session.keys("q"));
}

#[test]
fn f10_restores_the_terminal() {
    ends_cleanly_after(|session| session.keys("\x1b[21~"));
}

#[test]
fn control_c_restores_the_terminal() {
    ends_cleanly_after(|session| session.keys("\x03"));
}

#[test]
fn every_deadly_signal_restores_the_terminal() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT, Signal::BUS, Signal::ABORT] {
        let mut session = started();
        session.signal(signal);
        session.wait_exit();
        assert_eq!(session.left_behind(), Vec::<&str>::new(), "after {signal:?}");
    }
}

/// As when the owner of a file that is mapped cuts it short.
#[test]
fn a_bus_error_says_what_happened() {
    let mut session = started();
    session.signal(Signal::BUS);
    let status = session.wait_exit();
    assert_eq!((status.exit_code(), session.left_behind()), (1, vec![]));
    assert!(session.screen().contains("cut short"), "{}", session.screen());
}

#[test]
fn a_lost_terminal_ends_it_at_once() {
    let mut session = started();
    session.hang_up();
    let lost = Instant::now();
    session.wait_exit();
    assert!(lost.elapsed() < Duration::from_secs(2), "took {:?}", lost.elapsed());
}

#[test]
fn control_z_gives_the_shell_back_and_fg_returns() {
    let mut shell = command("/bin/bash");
    shell.args(["--norc", "--noprofile", "-i"]);
    let mut session = Session::start(SIZE, shell);
    session.wait_for_text("$");
    session.keys(&format!("{} --no-bpf -d 200ms\n", env!("CARGO_BIN_EXE_ebtop")));
    session.wait_for_text("COMMAND");

    session.keys("\x1a");
    session.wait_for_text("Stopped");
    assert!(!session.is_taken(), "{}", session.screen());
    session.keys("echo still-$((40 + 2))\n");
    session.wait_for_text("still-42");

    session.keys("fg\n");
    session.wait_for_text("COMMAND");
    session.wait_for("its own screen", |screen| !screen.contains("still-42"));
    session.keys("q");
    session.wait_for_text("still-42");
    session.keys("exit\n");
    session.wait_exit();
    assert_eq!(session.left_behind(), Vec::<&str>::new());
}

/// The test starts itself again in a terminal, and there takes it and panics.
#[test]
fn a_panic_restores_the_terminal_and_is_readable() {
    if env::var_os(PANIC_NOW).is_some() {
        let _guard = Guard::enter(true).expect("a terminal");
        panic!("on purpose");
    }
    let mut panicking = command(env::current_exe().unwrap());
    panicking.args(["--exact", "--nocapture", "restore::a_panic_restores_the_terminal_and_is_readable"]);
    panicking.env(PANIC_NOW, "1");
    let mut session = Session::start(SIZE, panicking);
    let status = session.wait_exit();
    assert!(!status.success());
    assert_eq!(session.left_behind(), Vec::<&str>::new());
    assert!(session.raw().windows(8).any(|w| w == b"\x1b[?1049h"), "it took the terminal first");
    assert!(session.screen().contains("on purpose"), "{}", session.screen());
}
