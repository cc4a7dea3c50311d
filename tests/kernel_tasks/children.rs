//! What children move is theirs alone: the kernel adds it to who waits for them, too.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use ebtop::sample::Counter;

use super::{Watch, get, rungs};

/// Bytes that the child writes past the page cache's delay.
const BYTES: u64 = 32 << 20;

#[test]
#[ignore = "root"]
fn a_parent_has_not_written_what_its_children_wrote() {
    for &rung in rungs() {
        let mut watch = Watch::on(rung);
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let script =
            format!("dd if=/dev/zero of={}/file bs=1M count=32 conv=fsync 2>/dev/null; echo written; read line", dir.path().display());
        let mut shell = Command::new("/bin/sh").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(shell.stdout.take().unwrap());
        output.read_line(&mut String::new()).unwrap();
        watch.settle(shell.id());
        watch.read();
        let parent = watch.last.iter().find(|task| task.key.pid == shell.id()).unwrap();
        let children: u64 = watch.exits_of(shell.id()).map(|exit| get(&exit.task, Counter::WriteBytes)).sum();
        eprintln!("{rung:?}: children wrote {children}, the shell {}", get(parent, Counter::WriteBytes));
        assert!((BYTES..BYTES + (1 << 20)).contains(&children), "{children}");
        assert!(get(parent, Counter::WriteBytes) < 1 << 20, "{}", get(parent, Counter::WriteBytes));
        shell.stdin.take().unwrap().write_all(b"\n").unwrap();
        shell.wait().unwrap();
    }
}
