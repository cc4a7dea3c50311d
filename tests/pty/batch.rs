//! Batch output without rights: what is wrong with its arguments.

use std::process::{Command, Output};

fn batch(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebtop"));
    command.args(["--no-bpf", "-b", "-n", "1", "-d", "0.1"]).args(args).output().unwrap()
}

/// No pid is as large as that: the kernel's limit is 2²².
const NOBODY: &str = "99999999";

#[test]
fn a_process_that_is_not_there_is_an_error_and_one_of_several_a_warning() {
    let output = batch(&["-p", NOBODY]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("ebtop: there is no process {NOBODY}\n"));

    let own = std::process::id().to_string();
    let output = batch(&["-p", &format!("{NOBODY},{own}")]);
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(error.contains(&format!("warning: there is no process {NOBODY}")), "{error}");
    assert!(out.lines().any(|line| line.split_whitespace().next() == Some(&own)), "{out}");
}

#[test]
fn a_configuration_that_was_named_must_be_there() {
    let output = batch(&["--config", "/no/such/file.toml"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/file.toml"), "{output:?}");
}

fn ebtop(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ebtop")).args(args).output().unwrap()
}

/// Two samples of this machine, without BPF.
fn recording(dir: &tempfile::TempDir) -> String {
    let path = dir.path().join("recording").into_os_string().into_string().unwrap();
    let recorded = ebtop(&["record", "--no-bpf", "-n", "2", "-d", "0.2", "-o", &path]);
    assert!(recorded.status.success(), "{recorded:?}");
    path
}

#[test]
fn a_recording_plays_what_it_holds_from_its_first_sample_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = recording(&dir);
    let play = |view: &str| ebtop(&["replay", &path, "-d", "0.1", "-b", "--view", view, "--format", "json"]);
    let ticks = |played: &Output| -> Vec<serde_json::Value> {
        played.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    };
    let groups = play("cgroups");
    let told = ticks(&groups);
    assert_eq!(told.len(), 1, "rates of two samples: {groups:?}");
    let root = told[0]["cgroups"].as_array().and_then(|groups| groups.iter().find(|group| group["path"] == "/")).unwrap();
    assert!(root["cpu_ns"].is_number() && root["processes"].as_u64() > Some(0), "{root}");
    // Page allocations are not recorded.
    let memory = play("memory");
    assert_eq!((ticks(&memory).len(), memory.status.code()), (1, Some(4)), "{memory:?}");
    let sockets = play("sockets");
    assert_eq!((sockets.stdout.len(), sockets.status.code()), (0, Some(2)));
    assert!(String::from_utf8_lossy(&sockets.stderr).contains("a recording holds no sockets"), "{sockets:?}");
}

#[test]
fn users_of_a_recording_are_those_that_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = recording(&dir);
    let play = |user: &str| {
        let played = ebtop(&["replay", &path, "-d", "0.1", "-b", "-u", user, "--format", "csv", "--fields", "pid,user"]);
        assert!(matches!(played.status.code(), Some(0 | 4)), "{played:?}");
        String::from_utf8(played.stdout).unwrap()
    };
    let of_root = play("root");
    assert!(of_root.lines().skip(1).all(|line| line.ends_with(",root")) && of_root.lines().count() > 1, "{of_root}");
    assert_eq!(play("no \"such\" user").lines().count(), 1, "this machine need not know who it is");
}

#[test]
fn a_filter_for_another_table_is_told() {
    let groups = batch(&["--view", "cgroups", "-u", "root"]);
    assert!(String::from_utf8_lossy(&groups.stderr).contains("asks for `uid`, which --view cgroups does not have"), "{groups:?}");
    let processes = batch(&["-u", "root"]);
    assert!(processes.stderr.is_empty(), "{processes:?}");
}
