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

#[test]
fn a_recording_holds_control_groups_from_its_first_sample_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recording");
    let ebtop = || Command::new(env!("CARGO_BIN_EXE_ebtop"));
    let recorded = ebtop().args(["record", "--no-bpf", "-n", "2", "-d", "0.2", "-o"]).arg(&path).output().unwrap();
    assert!(recorded.status.success(), "{recorded:?}");
    let played = ebtop().arg("replay").arg(&path).args(["-d", "0.1", "-b", "--view", "cgroups", "--format", "json"]).output().unwrap();
    let ticks: Vec<serde_json::Value> =
        played.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(ticks.len(), 1, "rates of two samples: {}", String::from_utf8_lossy(&played.stderr));
    let root = ticks[0]["cgroups"].as_array().and_then(|groups| groups.iter().find(|group| group["path"] == "/")).unwrap();
    assert!(root["cpu_ns"].is_number() && root["processes"].as_u64() > Some(0), "{root}");
}
