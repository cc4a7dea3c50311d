//! A process may call itself anything; none of it reaches the terminal as a command.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::ebtop;

/// What an attacker would like the terminal to obey: a title, the clipboard, a cleared screen, C1 controls, text turned round.
const NAME: &str = "evil\x1b]0;t\x07\x1b[2J";
const ARGUMENT: &str = "evil\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b[31m\u{9b}5m\u{202e}\r\nevil";

struct Evil {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Evil {
    fn start() -> Evil {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join(NAME);
        symlink("/bin/sleep", &program).unwrap();
        let child = Command::new(&program).arg0(ARGUMENT).arg("60").stdin(Stdio::null()).spawn().unwrap();
        // exec closes the pipe that `spawn` waits on a moment before it sets the name.
        let end = Instant::now() + Duration::from_secs(5);
        while !fs::read(format!("/proc/{}/comm", child.id())).unwrap().starts_with(b"evil\x1b]0;") {
            assert!(Instant::now() < end, "the name did not take");
            thread::yield_now();
        }
        Evil { child, _folder: folder }
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Evil {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Sequences of the attacker's that are nobody else's.
fn obeyed(bytes: &[u8]) -> Vec<&'static str> {
    let patterns: [(&str, &[u8]); 6] = [
        ("title", b"\x1b]0;t"),
        ("clipboard", b"\x1b]52"),
        ("bell", b"\x07"),
        ("C1 control", "\u{9b}".as_bytes()),
        ("direction mark", "\u{202e}".as_bytes()),
        ("clear", b"evil\x1b[2J"),
    ];
    patterns.iter().filter(|(_, pattern)| bytes.windows(pattern.len()).any(|w| w == *pattern)).map(|(name, _)| *name).collect()
}

#[test]
fn hostile_names_never_reach_the_terminal() {
    let evil = Evil::start();
    let mut session = ebtop((160, 40), &["-d", "200ms", "-p", &evil.pid()]);
    session.wait_for_text("ZXZpbA==");
    assert!(String::from_utf8_lossy(&session.raw()).contains('\u{fffd}'), "what was taken out is marked");
    // Network has no rows without BPF. A column of its own tells that the view is the one that was asked for.
    for (view, column) in [("2", "USR%"), ("3", "ANON"), ("1", "WAIT%")] {
        session.keys(view);
        session.wait_for("the row", |screen| screen.contains(column) && screen.contains("evil"));
    }
    session.keys("\r");
    session.wait_for("its stacks, or why there are none", |screen| screen.contains("Stacks") && screen.contains("evil"));
    session.keys("q");
    session.wait_exit();
    assert_eq!(obeyed(&session.raw()), Vec::<&str>::new());
}

#[test]
fn hostile_names_never_reach_a_pipe() {
    let evil = Evil::start();
    for format in ["text", "csv", "json"] {
        let out = Command::new(env!("CARGO_BIN_EXE_ebtop"))
            .args(["--no-bpf", "-b", "-n", "1", "-d", "100ms", "-o", format, "-p", &evil.pid()])
            .output()
            .unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(text.contains("evil"), "{format}: {text}\n{}", String::from_utf8_lossy(&out.stderr));
        assert_eq!(obeyed(text.as_bytes()), Vec::<&str>::new(), "{format}");
        assert!(!text.contains('\x1b'), "{format}: {text:?}");
    }
}
