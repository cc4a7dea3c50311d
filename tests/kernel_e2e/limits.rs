//! Under every limit that a shell or a service may set it starts with what is left, or says in a line which limit it is.

use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use crate::program::{EBTOP, ticks_of};
use crate::unprivileged::{NOBODY, public_copy};

/// A run of two samples under a limit of `prlimit`; one that hangs is ended, with code 124.
fn under(limit: &str, program: &str, user: u32) -> Output {
    let args = ["60", "prlimit", limit, program, "-b", "-o", "json", "-n", "2", "-d", "0.2"];
    Command::new("timeout").args(args).uid(user).gid(user).current_dir("/").stdin(Stdio::null()).output().unwrap()
}

/// Ticks, or one line that names the limit.
fn assert_starts_or_says_why(limit: &str, output: &Output) {
    let error = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0 | 4) => assert_eq!(ticks_of(&output.stdout).len(), 2, "{limit}: {error}"),
        code => {
            assert!(matches!(code, Some(1 | 3)), "{limit}: {code:?} {error}");
            assert!(error.lines().count() == 1 && error.contains("ulimit"), "{limit}: {error}");
        }
    }
}

#[test]
#[ignore = "root"]
fn few_open_files_are_told_and_never_hang() {
    let dir = tempfile::tempdir().unwrap();
    let copy = public_copy(dir.path());
    for files in [5, 12, 18, 20, 23, 30, 64, 95, 96, 110] {
        let limit = format!("--nofile={files}");
        let output = under(&limit, EBTOP, 0);
        assert_starts_or_says_why(&limit, &output);
        if let Some(last) = ticks_of(&output.stdout).pop() {
            let tasks = &last["health"]["tasks"];
            let reason = tasks["reason"].as_str().unwrap_or_default();
            assert_eq!(tasks["state"] == "live", files >= 96, "{files}: {reason}");
            assert!(files >= 96 || reason.contains(&format!("only {files} files")) && reason.ends_with("`ulimit -n 1024`"), "{reason}");
        }
        if files >= 30 {
            assert_eq!(output.status.code(), Some(if files < 96 { 4 } else { 0 }), "{files}");
        }
        assert_starts_or_says_why(&limit, &under(&limit, copy.to_str().unwrap(), NOBODY));
    }
}

/// Root is not bound by the number of processes.
#[test]
#[ignore = "root"]
fn few_threads_and_little_memory_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let copy = public_copy(dir.path());
    for limit in
        ["--nproc=1", "--nproc=2", "--nproc=3", "--nproc=4", "--nproc=6", "--nproc=10", "--as=40000000", "--as=60000000", "--as=400000000"]
    {
        assert_starts_or_says_why(limit, &under(limit, copy.to_str().unwrap(), NOBODY));
        assert_starts_or_says_why(limit, &under(limit, EBTOP, 0));
    }
}

/// What is said to be enough is enough for a probe, too.
#[test]
#[ignore = "root"]
fn the_least_limit_leaves_room_for_a_probe() {
    let args = ["60", "prlimit", "--nofile=96", EBTOP, "stacks", "-a", "-w", "off", "--for", "1s", "-f"];
    let output = Command::new("timeout").args(args).stdin(Stdio::null()).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 4)) && !output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
