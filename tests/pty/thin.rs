//! Thin lines and odd terminals: 9,600 baud, other values of TERM, other locales, no colour; at the smallest size and the largest.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::session::{Session, command};

/// Of a line at 9,600 baud, with a start and a stop bit around each byte.
const BYTES_PER_SEC: u32 = 960;

/// ebtop without its kernel half, with these variables beside the usual ones.
fn ebtop_with(size: (u16, u16), args: &[&str], environment: &[(&str, &str)]) -> Session {
    let mut command = command(env!("CARGO_BIN_EXE_ebtop"));
    command.args(["--no-bpf"]);
    command.args(args);
    environment.iter().for_each(|(name, value)| command.env(name, value));
    Session::start(size, command)
}

/// Processes that each use some of a CPU, so that much of the screen changes at every refresh. They end with the test.
struct Busy(Vec<Child>);

impl Busy {
    /// Their command lines hold the mark.
    fn start(mark: &str) -> Busy {
        let work = |i: u32| format!("while : {mark}; do i=0; while [ $i -lt {} ]; do i=$((i+1)); done; sleep 0.1; done", 200 * (i % 7 + 1));
        let start = |i| Command::new("/bin/sh").args(["-c", &work(i)]).stdin(Stdio::null()).spawn().unwrap();
        Busy((0..12).map(start).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The first word of the line in reverse video.
fn selected(session: &Session) -> String {
    session.with_screen(|screen| {
        let (rows, columns) = (screen.size().0.get(), screen.size().1.get());
        let is_selected = |row: &u16| screen.cell(*row, columns / 2).is_some_and(vt100::Cell::inverse);
        let row = (6..rows).find(is_selected);
        row.map_or(String::new(), |row| screen.contents_between(row, 0, row, columns).split_whitespace().next().unwrap_or("").into())
    })
}

/// Something on the screen is not in the terminal's own colour.
fn has_colour(session: &Session) -> bool {
    session.with_screen(|screen| {
        let (rows, columns) = (screen.size().0.get(), screen.size().1.get());
        let mut cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        cells.any(|(row, column)| screen.cell(row, column).is_some_and(|cell| cell.fgcolor() != vt100::Color::Default))
    })
}

/// What a key took to show: bytes that came through the line, which a slow machine does not make more, and the time.
fn answer(session: &Session, key: &str, is_there: impl Fn(&str) -> bool) -> (usize, Duration) {
    let (before, pressed) = (session.raw().len(), Instant::now());
    session.keys(key);
    session.wait_for("the answer to a key", is_there);
    (session.raw().len() - before, pressed.elapsed())
}

#[test]
fn at_9600_baud_keys_answer_and_nothing_piles_up() {
    let _busy = Busy::start("slow-line");
    let session = ebtop_with((80, 24), &["--low-bandwidth", "-s", "pid", "-F", "name~\"while : slow-line\""], &[]);
    session.throttle(BYTES_PER_SEC);
    session.wait_for("all of them", |screen| screen.matches("sh -c while").count() >= 12);
    session.keys("\x1b[B");
    session.wait_for("a line to be selected", |_| !selected(&session).is_empty());
    let mut answers: Vec<_> = (0..8)
        .map(|step| {
            std::thread::sleep(Duration::from_millis(330));
            let before = selected(&session);
            let key = if step % 2 == 0 { "\x1b[B" } else { "\x1b[A" };
            answer(&session, key, |_| !selected(&session).is_empty() && selected(&session) != before)
        })
        .collect();
    answers.sort_unstable();
    println!("keys took {answers:?}");
    assert!(answers[4].0 < BYTES_PER_SEC as usize && answers[7].0 < 2 * BYTES_PER_SEC as usize, "seconds of the line: {answers:?}");
    // A held key: what it leads to is there soon after it is let go, not after all that lay between.
    for _ in 0..30 {
        session.keys("\x1b[B");
        std::thread::sleep(Duration::from_millis(33));
    }
    let whole = |screen: &str| screen.contains("Keys of Processes") && screen.contains("q quit");
    let (bytes, time) = answer(&session, "?", whole);
    println!("after a held key: {bytes} bytes, {time:?}");
    assert!(bytes < 4 * BYTES_PER_SEC as usize, "{bytes} bytes, of which the help is one screen");
    assert!(session.screen().is_ascii(), "{}", session.screen());
    assert!(!has_colour(&session), "colours take bytes");
}

/// The same keys without the option wait behind frames that nobody asked for: this is what it is for.
#[test]
fn without_the_option_such_a_line_is_flooded() {
    let _busy = Busy::start("flooded");
    let session = ebtop_with((200, 50), &["-d", "100ms"], &[]);
    session.wait_for_text("quit");
    session.throttle(BYTES_PER_SEC);
    std::thread::sleep(Duration::from_secs(3));
    let pressed = Instant::now();
    session.keys("?");
    std::thread::sleep(Duration::from_millis(1500));
    assert!(!session.screen().contains("Keys of Processes"), "after {:?}", pressed.elapsed());
    session.throttle(0);
    session.wait_for_text("Keys of Processes");
}

#[test]
fn odd_terminals_get_what_they_take() {
    for (environment, ascii, coloured) in [
        (&[("TERM", "xterm")][..], false, true),
        (&[("TERM", "screen")], false, true),
        (&[("TERM", "tmux-256color")], false, true),
        (&[("TERM", "linux")], true, true),
        (&[("TERM", "vt100")], true, true),
        (&[("LANG", "C")], true, true),
        (&[("LC_ALL", "POSIX"), ("LANG", "C.UTF-8")], true, true),
        (&[("NO_COLOR", "1")], false, false),
    ] {
        let mut session = ebtop_with((80, 24), &["-d", "500ms", "-p", "1"], environment);
        let screen = session.wait_for_text("quit");
        // Names of processes are not ours; that of pid 1 is plain.
        assert_eq!(screen.is_ascii(), ascii, "{environment:?}\n{screen}");
        assert_eq!(has_colour(&session), coloured, "{environment:?}");
        session.keys("q");
        assert_eq!(session.wait_exit().exit_code(), 0);
        assert_eq!(session.left_behind(), Vec::<&str>::new(), "{environment:?}");
    }
}

#[test]
fn every_size_from_the_smallest_to_the_largest_is_whole() {
    let session = ebtop_with((60, 15), &["-d", "500ms", "-p", "1"], &[]);
    session.wait_for_text("quit");
    for size in [(60, 15), (61, 16), (80, 24), (132, 43), (200, 50), (400, 120), (59, 15), (60, 15)] {
        session.resize(size);
        if size.0 < 60 {
            session.wait_for_text("ebtop needs 60×15");
            continue;
        }
        let name = fs::read_to_string("/proc/1/comm").unwrap();
        session.wait_for("header, row and footer", |screen| {
            screen.lines().next().is_some_and(|line| line.starts_with(" ebtop"))
                && screen.contains(name.trim())
                && screen.trim_end().ends_with("quit")
        });
        for key in ["4", "e", "e", "e", "1"] {
            session.keys(key);
        }
        session.wait_for("the table again", |screen| {
            screen.contains("CPU%") && screen.trim_end().ends_with("keeps it") || screen.trim_end().ends_with("quit")
        });
        session.keys("\x1b");
    }
}
