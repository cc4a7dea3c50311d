//! The configuration, from the file to the screen and back.

use std::fs;
use std::path::Path;

use crate::session::{Session, command};

/// ebtop with a configuration directory of its own.
pub fn ebtop_at_home(home: &Path, args: &[&str]) -> Session {
    let mut command = command(env!("CARGO_BIN_EXE_ebtop"));
    command.env("XDG_CONFIG_HOME", home);
    command.args(["--no-bpf", "-d", "200ms"]);
    command.args(args);
    let session = Session::start((100, 30), command);
    session.wait_for_text("COMMAND");
    session
}

#[test]
fn what_is_chosen_is_there_the_next_time() {
    let home = tempfile::tempdir().unwrap();
    let mut session = ebtop_at_home(home.path(), &[]);
    session.wait_for_text("USER");
    session.keys("S");
    session.wait_for_text("Setup");
    session.keys("\r");
    session.wait_for_text("Columns of Processes");
    session.keys("user ");
    session.wait_for("the column to go", |screen| !screen.lines().any(|line| line.contains("PID") && line.contains("USER")));
    session.keys("\r");
    session.wait_for_text("Saved in");
    session.keys("q");
    assert_eq!(session.wait_exit().exit_code(), 0);
    let text = fs::read_to_string(home.path().join("ebtop/config.toml")).unwrap();
    assert!(text.contains("processes = [\"pid\", \"state\"") && text.contains("# Colours"), "{text}");

    let session = ebtop_at_home(home.path(), &[]);
    session.wait_for("the columns as they were chosen", |screen| {
        screen.lines().any(|line| line.contains("PID") && line.contains("COMMAND") && !line.contains("USER"))
    });
}

#[test]
fn a_mistake_in_the_file_is_told_with_its_line() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("ebtop")).unwrap();
    fs::write(home.path().join("ebtop/config.toml"), "theme = \"mono\"\n\nthme = 1\n").unwrap();
    let session = ebtop_at_home(home.path(), &[]);
    session.wait_for_text("line 3: there is no key thme");
    assert!(!session.is_coloured(), "the rest of the file holds");
}

fn has_pid_1(screen: &str) -> bool {
    screen.lines().any(|line| line.trim_start().starts_with("1 root"))
}

#[test]
fn keys_are_those_of_the_file_and_conflicts_are_told() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("ebtop")).unwrap();
    fs::write(home.path().join("ebtop/config.toml"), "[keys]\npreset = \"vim\"\nsetup = \"e\"\ndelay = \"e\"\n").unwrap();
    // A process that stays: the dialog is for the one that is selected.
    let mut session = ebtop_at_home(home.path(), &["-p", "1"]);
    session.wait_for_text("line 4: e is the key of setup already, by line 3");
    session.keys("e");
    session.wait_for_text("Setup");
    session.keys("\x1b");
    session.wait_for("its row", has_pid_1);
    session.keys("x");
    session.wait_for_text("Send a signal");
    session.keys("\x1b");
    session.keys(":quit\r");
    assert_eq!(session.wait_exit().exit_code(), 0);

    let session = ebtop_at_home(home.path(), &["--keys", "htop", "-p", "1"]);
    session.wait_for("its row", has_pid_1);
    session.keys("k");
    session.wait_for_text("Send a signal");
}
