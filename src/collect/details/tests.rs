use super::*;
use crate::sample::Task;
use nix::unistd::{Uid, User};
use std::process::{Child, Command, Stdio};

fn key_of(pid: u32) -> ProcKey {
    let stat = stat::stat(&std::fs::read(format!("/proc/{pid}/stat")).unwrap()).unwrap();
    ProcKey { pid, start_ns: stat.start_ticks * tick_ns() + 3 }
}

fn sleeper() -> Child {
    Command::new("sleep").arg("100").stdin(Stdio::null()).spawn().unwrap()
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn reads_a_process_and_not_its_pid() {
    let child = sleeper();
    let key = key_of(child.id());
    let mut cache = DetailsCache::default();
    // The child may not have reached its exec yet: each exec id is read afresh.
    let mut exec_id = 0;
    while cache.get(key, exec_id).unwrap().cmdline != "sleep 100" {
        exec_id += 1;
    }
    let details = cache.get(key, exec_id).unwrap();
    assert_eq!(details.exe, std::fs::canonicalize(format!("/proc/{}/exe", child.id())).ok().map(|path| path.display().to_string()));
    let me = User::from_uid(Uid::effective()).unwrap().unwrap();
    assert_eq!(details.user, me.name);
    assert!(details.cgroup.is_none_or(|path| path.starts_with('/')));
    assert_eq!(cache.get(ProcKey { start_ns: key.start_ns + 60_000_000_000, ..key }, 0), None);
    end(child);
    assert!(cache.get(key, exec_id).is_some(), "known ones outlive their process");
    assert_eq!(DetailsCache::default().get(key, exec_id), None);
}

#[test]
fn arguments_are_joined_and_trimmed() {
    assert_eq!(join_arguments(b"a\0b c\0\0d\0"), "a b c  d");
    assert_eq!(join_arguments(b"postgres: writer   \0\0\0"), "postgres: writer");
    assert_eq!(join_arguments(b"\0\0"), "");
    assert_eq!(join_arguments(b"x\x1b]0;t\x07\xff"), "x\u{fffd}]0;t\u{fffd}\u{fffd}");
}

#[test]
fn what_is_gone_is_forgotten() {
    let mut cache = DetailsCache::default();
    let entry = || Entry { exec_id: 0, read_again: Instant::now(), details: Details::default() };
    let key = |pid| ProcKey { pid, start_ns: 1 };
    let sample = |pids: std::ops::Range<u32>| Sample {
        tasks: pids.map(|pid| Task { key: key(pid), ..Task::default() }).collect(),
        ..Sample::default()
    };
    for round in 0..40 {
        cache.entries.extend((round * 100..round * 100 + 200).map(|pid| (key(pid), entry())));
        cache.retain(&sample(round * 100..round * 100 + 200));
        assert!(cache.entries.len() <= 200 + 100 + PRUNE_STEP + 200);
    }
    assert!((39 * 100..41 * 100).all(|pid| cache.entries.contains_key(&key(pid))));
}
