//! In a pid namespace of its own, as in a container: what is seen is true, and what is not seen is said.

use std::process::Command;

use serde_json::Value;

use crate::assert_within;
use crate::program::{Batch, EBTOP, list, number, rows};
use crate::workload::Workload;

/// ebtop with a /proc that knows no other process.
fn alone(args: &[&str]) -> Batch {
    let own = ["-pf", "--mount-proc", "--kill-child", EBTOP, "-b", "-o", "json", "-d", "0.5", "--hz", "0"];
    Batch::start_by(Command::new("unshare").args(own).args(args))
}

/// A process outside that is busy for three seconds: its pid, its CPU time, ns, and the ticks of its life.
fn watch_a_hot_process(args: &[&str]) -> (u32, u64, Vec<Value>) {
    let mut ebtop = alone(args);
    ebtop.ticks.clear();
    let load = Workload::start("hot", &["3"]);
    let pid = load.pid();
    let used = load.end();
    ebtop.settle();
    let used_us: i64 = [used.ru_utime, used.ru_stime].into_iter().map(|time| time.tv_sec * 1_000_000 + time.tv_usec).sum();
    (pid, used_us as u64 * 1000, std::mem::take(&mut ebtop.ticks))
}

fn reason(tick: &Value) -> &str {
    tick["health"]["tasks"]["reason"].as_str().unwrap_or_default()
}

#[test]
#[ignore = "root"]
fn the_hosts_processes_are_counted_and_the_namespace_is_named() {
    let (pid, used_ns, ticks) = watch_a_hot_process(&[]);
    let cpu_ns = ticks.iter().flat_map(rows).filter(|row| row["pid"] == pid).map(|row| number(row, "cpu_ns")).sum();
    assert_within("CPU of a process outside", cpu_ns, used_ns, 2.0);
    let last = ticks.last().unwrap();
    assert!(reason(last).starts_with("in a pid namespace") && reason(last).ends_with("— start the container with --pid=host"), "{last}");
    for tick in &ticks {
        let ledger = &tick["ledger"];
        let parts = ["processes_ns", "kernel_ns", "exited_ns", "irq_ns", "steal_ns", "idle_ns"].map(|part| number(ledger, part));
        assert_eq!(number(ledger, "capacity_ns") as i64, parts.iter().sum::<u64>() as i64 + ledger["gap_ns"].as_i64().unwrap());
    }
}

/// What others use is in the gap: the ledger must not call it idle.
#[test]
#[ignore = "root"]
fn without_bpf_only_its_own_are_seen_and_that_is_said() {
    let (_, used_ns, ticks) = watch_a_hot_process(&["--no-bpf"]);
    let last = ticks.last().unwrap();
    assert!(list(last, "processes").iter().all(|row| number(row, "pid") < 10), "{last}");
    assert!(reason(last).starts_with("only this pid namespace is seen (a container); "), "{last}");
    let gap_ns: i64 = ticks.iter().map(|tick| tick["ledger"]["gap_ns"].as_i64().unwrap()).sum();
    // Idle time comes in clock ticks.
    assert!(gap_ns * 10 > used_ns as i64 * 9, "{gap_ns} of {used_ns}");
}

/// /proc is the host's in a namespace that did not mount its own: nothing is missing.
#[test]
#[ignore = "root"]
fn the_hosts_proc_in_a_namespace_is_enough() {
    let mut ebtop =
        Batch::start_by(Command::new("unshare").args(["-pf", "--kill-child", EBTOP, "-b", "-o", "json", "-d", "0.5", "--hz", "0"]));
    ebtop.settle();
    let last = ebtop.ticks.last().unwrap();
    assert_eq!(last["health"]["tasks"]["state"], "live", "{last}");
    assert!(
        rows(last).any(|row| row["pid"] == std::process::id() && row["cmdline"].as_str().is_some_and(|words| words.contains("kernel_e2e"))),
        "{last}"
    );
}
