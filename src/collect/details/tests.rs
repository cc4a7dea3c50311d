use super::*;
use crate::clock::tick_ns;
use nix::unistd::{Uid, User};
use proptest::prelude::*;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

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
    let mut reader = DetailsReader::default();
    // The child may not have reached its exec yet.
    while reader.read(key).unwrap().cmdline != "sleep 100" {}
    let details = reader.read(key).unwrap();
    assert_eq!(details.exe, std::fs::canonicalize(format!("/proc/{}/exe", child.id())).ok().map(|path| path.display().to_string()));
    let me = User::from_uid(Uid::effective()).unwrap().unwrap();
    assert_eq!(details.user, me.name);
    assert!(details.cgroup.is_none_or(|path| path.starts_with('/')));
    for other in [key.start_ns + tick_ns(), key.start_ns - tick_ns(), key.start_ns + 60_000_000_000] {
        assert_eq!(reader.read(ProcKey { start_ns: other, ..key }), None);
    }
    end(child);
    assert_eq!(reader.read(key), None);
}

#[test]
fn questions_do_not_wait_for_a_process_that_hangs() {
    let (answers, answered) = crossbeam_channel::bounded(16);
    let (release, released) = crossbeam_channel::bounded::<()>(0);
    let new_reader = move || {
        let released = released.clone();
        move |_, ()| {
            let _ = released.recv();
            Some(Details::default())
        }
    };
    let questions = answer_with(Readers::new("test", new_reader), answers);
    let key = ProcKey { pid: 1, start_ns: 1 };
    let taken = (0..100).filter(|_| questions.try_send(vec![key]).is_ok()).count();
    assert!((QUESTIONS_WAITING..=QUESTIONS_WAITING + 1).contains(&taken), "{taken}");
    drop((release, questions));
    let all: Vec<Update> = std::iter::from_fn(|| answered.recv_timeout(Duration::from_secs(5)).ok()).collect();
    assert_eq!(all.len(), taken);
}

#[test]
fn arguments_are_joined_and_trimmed() {
    assert_eq!(join_arguments(b"a\0b c\0\0d\0"), "a b c  d");
    assert_eq!(join_arguments(b"postgres: writer   \0\0\0"), "postgres: writer");
    assert_eq!(join_arguments(b"\0\0"), "");
    assert_eq!(join_arguments(b"x\x1b]0;t\x07\xff"), "x\u{fffd}]0;t\u{fffd}\u{fffd}");
}

proptest! {
    #[test]
    fn any_arguments_are_fit_for_a_terminal(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let line = join_arguments(&bytes);
        prop_assert!(!line.chars().any(char::is_control) && !line.ends_with(' '));
    }
}
