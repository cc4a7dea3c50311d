//! What a user does first: look round, search, filter, ask for help, make the window small.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::ebtop;
use crate::session::Session;

/// A process that burns a CPU, killed when dropped.
struct Burner {
    child: Child,
    /// A word of its command line that no other process has in its own.
    word: String,
}

impl Burner {
    fn start() -> Burner {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let word = format!("burner-{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let child = Command::new("/bin/sh").args(["-c", "while :; do :; done", &word]).stdin(Stdio::null()).spawn().unwrap();
        Burner { child, word }
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The rows of the table.
fn rows(screen: &str) -> impl Iterator<Item = &str> {
    screen.lines().skip_while(|line| !line.contains("COMMAND")).skip(1)
}

/// The rows that are processes: they begin with a number.
fn processes(screen: &str) -> impl Iterator<Item = &str> {
    rows(screen).filter(|line| line.split_whitespace().next().is_some_and(|word| word.parse::<u32>().is_ok()))
}

/// Whether a process has a row.
fn has_row(screen: &str, pid: &str) -> bool {
    processes(screen).any(|line| line.split_whitespace().next() == Some(pid))
}

fn started(size: (u16, u16), args: &[&str]) -> Session {
    let session = ebtop(size, &[&["-d", "200ms"], args].concat());
    session.wait_for_text("COMMAND");
    session
}

#[test]
fn the_hottest_process_stands_on_top() {
    let burner = Burner::start();
    let session = started((100, 30), &["-p", &format!("1,2,{}", burner.pid())]);
    session.wait_for("the burner above the others", |screen| {
        has_row(screen, "1") && rows(screen).next().is_some_and(|line| line.contains(&burner.pid()))
    });
}

#[test]
fn every_view_opens_by_its_number_and_tab() {
    let session = started((140, 40), &[]);
    for (key, column) in
        [("2", "VCS/s"), ("3", "ANON"), ("4", "RX/s"), ("5", "CANCEL"), ("6", "THROTTLE%"), ("1", "TIME+"), ("\t", "VCS/s")]
    {
        session.keys(key);
        session.wait_for_text(column);
    }
}

#[test]
fn help_opens_and_escape_closes_it_without_quitting() {
    let mut session = started((100, 30), &[]);
    session.keys("?");
    session.wait_for("help in place of the table", |screen| screen.to_lowercase().contains("filter") && screen.contains("Esc"));
    session.keys("\x1b");
    session.wait_for_text("COMMAND");
    session.keys("\x1b");
    thread::sleep(Duration::from_millis(300));
    session.wait_for_text("COMMAND");
    session.keys("q");
    assert_eq!(session.wait_exit().exit_code(), 0);
}

#[test]
fn the_filter_keeps_what_matches_and_escape_takes_it_back() {
    let burner = Burner::start();
    let session = started((120, 60), &[]);
    session.wait_for("the burner among others", |screen| has_row(screen, &burner.pid()) && processes(screen).count() > 5);
    session.keys(&format!("\\{}\r", burner.word));
    session.wait_for("its row alone", |screen| has_row(screen, &burner.pid()) && processes(screen).count() == 1);
    session.keys("\x1b");
    session.wait_for("the others again", |screen| processes(screen).count() > 5);
}

#[test]
fn search_selects_without_hiding_the_rest() {
    let burner = Burner::start();
    let session = started((120, 40), &["-p", &format!("1,{}", burner.pid())]);
    let both = |screen: &str| has_row(screen, "1") && has_row(screen, &burner.pid());
    session.wait_for("both rows", both);
    // The last row, which is not the burner's.
    session.keys("\x1b[F");
    session.keys(&format!("/{}\r", burner.word));
    session.wait_for("both rows still", both);
    session.keys("\r");
    session.wait_for("the stacks of the one that was found", |screen| {
        screen.contains("Stacks") && screen.contains(&format!("({})", burner.pid()))
    });
}

#[test]
fn a_small_window_says_so_and_growing_brings_the_table_back() {
    let session = started((100, 30), &[]);
    session.resize((40, 8));
    session.wait_for("a word on the size", |screen| screen.contains("60") && !screen.contains("COMMAND"));
    session.resize((200, 50));
    session.wait_for("a table as wide as the window", |screen| {
        screen.contains("COMMAND") && screen.lines().any(|line| line.chars().count() > 150)
    });
}

#[test]
fn a_storm_of_sizes_and_keys_is_survived() {
    let mut session = started((100, 30), &[]);
    for (step, size) in [(1, 1), (500, 200), (60, 15), (3, 50), (300, 2), (80, 24)].into_iter().cycle().take(60).enumerate() {
        session.resize(size);
        session.keys(["\t", "\x1b[B", "\x1b[A", "\x1b[6~", "P", "M", "<", "I", "\x1b", "?"][step % 10]);
        thread::sleep(Duration::from_millis(10));
    }
    session.keys("\x1b\x1b1");
    session.resize((80, 24));
    session.keys("\x1b");
    session.wait_for_text("COMMAND");
    session.keys("q");
    assert_eq!(session.wait_exit().exit_code(), 0);
    assert_eq!(session.left_behind(), Vec::<&str>::new());
}

#[test]
fn a_long_burst_of_keys_arrives_whole() {
    let session = started((100, 30), &[]);
    session.keys(&("\x1b[B".repeat(600) + "?"));
    session.wait_for("help in place of the table", |screen| screen.to_lowercase().contains("filter") && screen.contains("Esc"));
}

#[test]
fn a_terminal_that_stops_reading_gets_the_present_when_it_reads_again() {
    let mut session = started((200, 50), &[]);
    session.stall(true);
    for size in [(199, 50), (200, 50)].into_iter().cycle().take(100) {
        session.resize(size);
        thread::sleep(Duration::from_millis(20));
    }
    session.keys("3");
    session.stall(false);
    session.wait_for_text("ANON");
    let asked = Instant::now();
    session.keys("q");
    assert_eq!(session.wait_exit().exit_code(), 0);
    assert!(asked.elapsed() < Duration::from_secs(2), "took {:?}", asked.elapsed());
}

#[test]
fn without_the_kernel_half_the_header_says_what_is_missing() {
    let session = started((120, 40), &[]);
    session.wait_for("why, on the screen", |screen| screen.contains("--no-bpf") || screen.to_lowercase().contains("bpf"));
}

#[test]
fn details_show_a_process_as_it_was_started_and_its_environment_when_asked() {
    let burner = Burner::start();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "while :; do sleep 1; done", &burner.word]).env("EBTOP_TEST_SECRET", &burner.word);
    let child = Burner { child: command.stdin(Stdio::null()).spawn().unwrap(), word: burner.word.clone() };
    let session = started((160, 60), &["-p", &child.pid()]);
    session.wait_for("its row", |screen| has_row(screen, &child.pid()));
    session.keys("i");
    let said = [format!("Details of sh ({})", child.pid()), format!("/bin/sh -c 'while :; do sleep 1; done' {}", child.word)];
    let screen = session.wait_for("all of it", |screen| {
        screen.contains("Open files") && screen.contains("/dev/null") && said.iter().all(|said| screen.contains(said))
    });
    assert!(!screen.contains("EBTOP_TEST_SECRET"));
    session.keys("e");
    session.wait_for_text(&format!("EBTOP_TEST_SECRET={}", child.word));
    session.keys("e");
    session.wait_for("it hidden", |screen| !screen.contains("EBTOP_TEST_SECRET"));
    session.keys("\x1b");
    session.wait_for_text("COMMAND");
}
