//! The first five minutes of somebody who knows htop and has read nothing, in one session.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use crate::config::ebtop_at_home;
use crate::session::Session;

/// A process that no other test starts; killed when dropped.
struct Started(Child);

impl Started {
    fn sleep(seconds: &str) -> Started {
        Started(Command::new("/bin/sleep").arg(seconds).stdin(Stdio::null()).spawn().unwrap())
    }

    /// A shell that burns a CPU.
    fn burner(word: &str) -> Started {
        Started(Command::new("/bin/sh").args(["-c", "while :; do :; done", word]).stdin(Stdio::null()).spawn().unwrap())
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// First words of the rows of the table: pids, from the top.
fn pids(screen: &str) -> Vec<&str> {
    let rows = screen.lines().skip_while(|line| !line.contains("COMMAND")).skip(1);
    rows.filter_map(|line| line.split_whitespace().next()).filter(|word| word.parse::<u32>().is_ok()).collect()
}

/// The place of a process in the table.
fn place(screen: &str, process: &Started) -> Option<usize> {
    pids(screen).iter().position(|pid| *pid == process.pid())
}

/// The heading of the table.
fn heading(screen: &str) -> &str {
    screen.lines().find(|line| line.contains("PID") && line.contains("COMMAND")).unwrap_or_default()
}

#[test]
fn the_first_five_minutes() {
    let home = tempfile::tempdir().unwrap();
    let burner = Started::burner("first-minutes-burner");
    let mut sleeper = Started::sleep("86399.25");
    let session = ebtop_at_home(home.path(), &[]);
    sort_and_find(&session, &burner, &sleeper);
    filter_tree_and_tag(&session, &burner, &sleeper);
    kill(&session, &mut sleeper);
    drill(&session, &burner);
    make_it_mine(&session);
    leave(session);
    let config = std::fs::read_to_string(home.path().join("ebtop/config.toml")).unwrap();
    assert!(config.contains("theme = \"mono\""), "{config}");
}

fn sort_and_find(session: &Session, burner: &Started, sleeper: &Started) {
    session.wait_for("the burner above all that sleeps", |screen| place(screen, burner).is_some_and(|place| place < 5));
    session.keys("N");
    session.wait_for("the order of pids", |screen| heading(screen).contains("▴PID") || heading(screen).contains("▾PID"));
    session.keys("I");
    session.wait_for("the order turned round", |screen| {
        let shown: Vec<u32> = pids(screen).iter().map(|pid| pid.parse().unwrap()).collect();
        shown.len() > 2 && (shown.is_sorted() || shown.is_sorted_by(|a, b| a >= b)) && heading(screen).contains("PID")
    });
    session.keys("M");
    session.wait_for("the order of memory", |screen| heading(screen).contains("RSS▾"));
    session.keys("/86399.25\r");
    session.wait_for("what was searched", |screen| place(screen, sleeper).is_some());
    session.keys("\x1bP");
    session.wait_for("the order of CPU", |screen| heading(screen).contains("▾CPU%"));
}

fn filter_tree_and_tag(session: &Session, burner: &Started, sleeper: &Started) {
    session.keys("\\first-minutes-burner or 86399.25\r");
    session
        .wait_for("the two alone", |screen| pids(screen).len() == 2 && place(screen, burner).is_some() && place(screen, sleeper).is_some());
    session.keys("t");
    session.wait_for("the tree", |screen| screen.lines().any(|line| line.contains("─ sleep 86399.25")));
    session.keys("t");
    session.wait_for("the table again", |screen| !screen.contains("─ sleep 86399.25"));
    session.keys("\x1b[H  ");
    session.wait_for_text("2 tagged");
    session.keys("U");
    session.wait_for("nothing tagged", |screen| !screen.contains("2 tagged"));
}

/// Esc in the dialog first: nothing is sent by mistake.
fn kill(session: &Session, sleeper: &mut Started) {
    session.keys("/sleep\r");
    session.keys("k");
    session.wait_for_text(&format!("sleep ({})", sleeper.pid()));
    session.keys("\x1b");
    session.wait_for("the dialog to close", |screen| !screen.contains("Send a signal"));
    assert!(sleeper.0.try_wait().unwrap().is_none(), "Esc sends nothing");
    session.keys("k");
    session.wait_for_text(&format!("sleep ({})", sleeper.pid()));
    session.keys("\r");
    session.wait_for_text(&format!("SIGTERM sent to sleep ({})", sleeper.pid()));
    assert_eq!(sleeper.0.wait().unwrap().signal(), Some(15));
    session.wait_for("its row to go", |screen| place(screen, sleeper).is_none());
}

/// Without its kernel half ebtop has no stacks, and says so in the place where they would be.
fn drill(session: &Session, burner: &Started) {
    session.wait_for("the burner alone", |screen| pids(screen) == [burner.pid()]);
    session.keys("\x1b[B\r");
    session.wait_for("its stacks, or why there are none", |screen| {
        screen.contains(&format!("({})", burner.pid())) && screen.contains("--no-bpf") && !screen.contains("COMMAND")
    });
    session.keys("\x1b");
    session.wait_for("its row again", |screen| place(screen, burner).is_some());
    session.keys("\x1b");
    session.wait_for("the others again", |screen| pids(screen).len() > 3);
}

fn make_it_mine(session: &Session) {
    session.keys("S");
    session.wait_for_text("Setup");
    session.keys("columns");
    session.keys("\r");
    session.wait_for_text("Columns of Processes");
    session.keys("ppid ");
    session.wait_for("the new column, before it is saved", |screen| heading(screen).contains("PPID"));
    session.keys("\r");
    session.wait_for_text("Saved in");
    session.keys("Stheme\r");
    session.wait_for_text("no colours: letters");
    session.keys("mono\r");
    session.wait_for("a screen without colour", |_| !session.is_coloured());
    session.keys("?");
    session.wait_for("help", |screen| screen.contains("Esc") && !screen.contains("COMMAND"));
    session.keys("\x1b");
    session.wait_for_text("COMMAND");
}

fn leave(mut session: Session) {
    session.keys("q");
    assert_eq!(session.wait_exit().exit_code(), 0);
    assert_eq!(session.left_behind(), Vec::<&str>::new());
}
