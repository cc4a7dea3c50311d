//! What children move is theirs alone: the kernel adds it to who waits for them, too.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use ebtop::sample::Counter;

use super::{Watch, get, rungs};

/// Bytes that the child writes past the page cache's delay.
const BYTES: u64 = 32 << 20;

/// A shell that has said its first word, and ends when its standard input does.
fn start(script: &str) -> Child {
    let mut shell = Command::new("/bin/sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    shell
}

#[test]
#[ignore = "root"]
fn a_parent_has_not_written_what_its_children_wrote() {
    for &rung in rungs() {
        let mut watch = Watch::on(rung);
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let script =
            format!("dd if=/dev/zero of={}/file bs=1M count=32 conv=fsync 2>/dev/null; echo written; read line", dir.path().display());
        let mut shell = start(&script);
        watch.settle(shell.id());
        watch.read();
        let parent = watch.last.iter().find(|task| task.key.pid == shell.id()).unwrap();
        let children: u64 = watch.exits_of(shell.id()).map(|exit| get(&exit.task, Counter::WriteBytes)).sum();
        eprintln!("{rung:?}: children wrote {children}, the shell {}", get(parent, Counter::WriteBytes));
        assert!((BYTES..BYTES + (1 << 20)).contains(&children), "{children}");
        assert!(get(parent, Counter::WriteBytes) < 1 << 20, "{}", get(parent, Counter::WriteBytes));
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}

#[test]
#[ignore = "root"]
fn a_parent_has_not_cancelled_what_its_children_cancelled() {
    for &rung in rungs() {
        let mut watch = Watch::on(rung);
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        // Removed before the kernel has written it to the disk.
        let script =
            format!("dd if=/dev/zero of={0}/file bs=1M count=32 2>/dev/null; rm {0}/file; echo removed; read line", dir.path().display());
        let mut shell = start(&script);
        watch.settle(shell.id());
        watch.read();
        let parent = watch.last.iter().find(|task| task.key.pid == shell.id()).unwrap();
        let children: u64 = watch.exits_of(shell.id()).map(|exit| get(&exit.task, Counter::CancelledWriteBytes)).sum();
        eprintln!("{rung:?}: children cancelled {children}");
        assert!((BYTES / 2..=BYTES).contains(&children), "{children}");
        assert_eq!(get(parent, Counter::CancelledWriteBytes), 0);
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}
