//! What is taken out of the screen: a recording that plays again, a line in the terminal's clipboard.

use std::process::Command;

use crate::session::{Session, command};

/// ebtop in that directory.
fn ebtop_in(directory: &std::path::Path, args: &[&str]) -> Session {
    let mut command = command(env!("CARGO_BIN_EXE_ebtop"));
    command.args(["--no-bpf", "-d", "300ms"]);
    command.args(args);
    command.cwd(directory);
    Session::start((100, 30), command)
}

fn recordings(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// Samples that it plays, and whether it knows the command line of ebtop itself.
fn played(recording: &std::path::Path, pid: u32) -> (usize, bool) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_ebtop")).args(["replay", "-b", "-o", "json", "-d", "100ms"]).arg(recording).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let is_named = |line: &serde_json::Value| {
        line["processes"].as_array().unwrap().iter().any(|p| p["pid"] == pid && p["cmdline"].as_str().unwrap().contains("--no-bpf"))
    };
    (lines.len(), lines.last().is_some_and(is_named))
}

#[test]
fn what_is_recorded_beside_the_screen_plays_again_however_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let mut session = ebtop_in(dir.path(), &[]);
    // Before the first sample there is nothing to be recorded.
    session.wait_for_text("tasks ");
    let pid = session.pid();
    let mut ends = 0;
    for end in ["R", "q"] {
        session.keys("R");
        session.wait_for_text("REC");
        std::thread::sleep(std::time::Duration::from_secs(4));
        session.keys(end);
        if end == "R" {
            session.wait_for_text("samples are in ebtop-");
        }
        ends += 1;
    }
    session.wait_exit();
    let recordings = recordings(dir.path());
    assert_eq!(recordings.len(), ends);
    for recording in recordings {
        let (samples, is_named) = played(&recording, pid);
        assert!(samples > 3 && is_named, "{samples} samples of {recording:?}");
    }
}

#[test]
fn a_copied_line_goes_to_the_terminal_as_osc_52() {
    let session = ebtop_in("/".as_ref(), &["-p", "1"]);
    session.wait_for_text("tasks ");
    session.keys("y");
    session.wait_for_text("Copied: 1 ");
    let raw = String::from_utf8_lossy(&session.raw()).into_owned();
    // `1 ` in base64 begins so.
    assert!(raw.contains("\x1b]52;c;MS"), "no OSC 52");
}
