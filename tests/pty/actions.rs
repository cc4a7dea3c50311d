//! Changes to processes, from the key to the kernel. Only processes that the test started are touched.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use crate::ebtop;
use crate::session::Session;

/// A process that sleeps, killed when dropped.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Sleeper {
        Sleeper(Command::new("/bin/sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap())
    }

    fn nice(&self) -> i32 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().parse().unwrap()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// ebtop with nothing but these processes on its screen.
fn looking_at(sleepers: &[&Sleeper]) -> Session {
    let pids: Vec<String> = sleepers.iter().map(|s| s.0.id().to_string()).collect();
    let session = ebtop((100, 30), &["-d", "200ms", "-p", &pids.join(",")]);
    session.wait_for("their rows", |screen| screen.matches("sleep 1000").count() == pids.len());
    session
}

#[test]
fn a_process_is_killed_from_the_signal_menu() {
    let mut sleeper = Sleeper::start();
    let session = looking_at(&[&sleeper]);
    session.keys("k");
    session.wait_for_text(&format!("sleep ({})", sleeper.0.id()));
    session.keys("\x1b");
    session.wait_for("the dialog to close", |screen| !screen.contains("Send a signal"));
    assert!(sleeper.0.try_wait().unwrap().is_none(), "Esc sends nothing");
    session.keys("k");
    session.wait_for_text("Send a signal");
    session.keys("9\r");
    session.wait_for_text(&format!("SIGKILL sent to sleep ({})", sleeper.0.id()));
    assert_eq!(sleeper.0.wait().unwrap().signal(), Some(9));
}

#[test]
fn a_process_is_reniced() {
    let sleeper = Sleeper::start();
    let session = looking_at(&[&sleeper]);
    session.keys("[");
    session.wait_for_text("Nice value");
    session.keys("17\r");
    session.wait_for_text(&format!("nice 17 set for sleep ({})", sleeper.0.id()));
    assert_eq!(sleeper.nice(), 17);
}

#[test]
fn io_priority_and_cpus_are_shown_as_they_are() {
    let sleeper = Sleeper::start();
    let session = looking_at(&[&sleeper]);
    session.keys("X");
    session.wait_for_text("I/O priority");
    session.keys("idle\r");
    session.wait_for_text("I/O priority idle set for sleep");
    session.keys("X");
    session.wait_for("idle as the present", |screen| screen.lines().any(|line| line.contains("idle") && line.contains("now")));
    session.keys("\x1bC");
    session.wait_for_text("[x] CPU 0");
}

#[test]
fn all_that_are_tagged_get_the_signal() {
    let mut sleepers = [Sleeper::start(), Sleeper::start()];
    let session = looking_at(&[&sleepers[0], &sleepers[1]]);
    session.keys("  ");
    session.wait_for_text("2 tagged");
    session.keys("k");
    session.wait_for("both by name", |screen| sleepers.iter().all(|s| screen.contains(&format!("sleep ({})", s.0.id()))));
    session.keys("\r");
    session.wait_for_text("SIGTERM sent to 2 processes");
    for sleeper in &mut sleepers {
        assert_eq!(sleeper.0.wait().unwrap().signal(), Some(15));
    }
}

#[test]
fn a_tree_is_folded_and_grouped() {
    let mut shell = Command::new("/bin/sh").args(["-c", "sleep 1001; :"]).stdin(Stdio::null()).spawn().unwrap();
    let session = ebtop((120, 30), &["-d", "200ms", "-F", "command~\"sleep 1001\""]);
    session.wait_for("shell and child", |screen| screen.matches("sleep 1001").count() >= 3);
    session.keys("t");
    session.wait_for_text("─ sleep 1001");
    session.keys("*");
    session.wait_for("everything folded", |screen| !screen.contains("─ sleep 1001") && screen.contains('▸'));
    session.keys("gcommand\r");
    session.wait_for("groups", |screen| screen.contains("▸sleep") && screen.contains("▸sh"));
    // Tagging a group tags its members. The shell ends when its child does.
    session.keys("/sleep\r k");
    session.wait_for_text("Send a signal");
    session.keys("9\r");
    assert!(shell.wait().unwrap().success());
}
