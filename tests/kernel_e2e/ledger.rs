//! The ledger: where the time of the machine went adds up.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Batch, number, rows};
use crate::span;
use crate::workload::Workload;

const PARTS: [&str; 6] = ["processes_ns", "kernel_ns", "exited_ns", "irq_ns", "steal_ns", "idle_ns"];

/// On-CPU time of every process in /proc, ns.
fn cpu_of_all() -> BTreeMap<u64, u64> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let cpu = |pid: u64| {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let texts = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok());
        texts.filter_map(|text| text.split(' ').next()?.parse::<u64>().ok()).sum()
    };
    pids.map(|pid| (pid, cpu(pid))).collect()
}

/// Measures while `load` runs. Some hosts hide a process of theirs from BPF: what it used is in the gap, and rightly so.
fn gap_is_small(phase: &str, load: Vec<Workload>) {
    let mut ebtop = Batch::start(&["--hz", "0"]);
    let before = cpu_of_all();
    ebtop.read_for(Duration::from_secs(span(12, 60)));
    let mut hidden = cpu_of_all();
    hidden.retain(|pid, _| before.contains_key(pid) && !ebtop.ticks.iter().flat_map(rows).any(|row| row["pid"] == *pid));
    let hidden_ns: u64 = hidden.iter().map(|(pid, cpu)| cpu.saturating_sub(before[pid])).sum();
    // Killed when it is dropped: what it does matters, not what it says.
    drop(load);
    let ticks = ebtop.stop();
    let total = |field: &str| ticks.iter().map(|tick| number(&tick["ledger"], field)).sum::<u64>();
    let gaps: Vec<i64> = ticks.iter().map(|tick| tick["ledger"]["gap_ns"].as_i64().unwrap()).collect();
    let (gap, span_ns) = (gaps.iter().sum::<i64>(), ticks.iter().map(|tick| number(tick, "interval_ns")).sum::<u64>());
    assert_eq!(total("capacity_ns") as i64, PARTS.iter().map(|part| total(part) as i64).sum::<i64>() + gap, "{phase}");
    let cores = ticks[0]["host"]["cores"].as_u64().unwrap();
    assert_eq!(total("capacity_ns"), cores * span_ns);
    let shares = PARTS.map(|part| format!("{} {:.4}", part.trim_end_matches("_ns"), total(part) as f64 / span_ns as f64));
    let by_tick = ticks.iter().map(|tick| number(tick, "interval_ns") / 1_000_000).zip(gaps).collect::<Vec<_>>();
    println!("{phase}: {hidden_ns} ns hidden in {:?}", hidden.keys());
    println!("{phase}: {} gap {:.4} cores; ms and gap of each tick {by_tick:?}", shares.join(" "), gap as f64 / span_ns as f64);
    let unexplained = gap - hidden_ns as i64;
    assert!(unexplained.unsigned_abs() < span_ns / 100, "{phase}: {unexplained} ns of {span_ns} are unexplained");
    assert!(ticks.iter().all(|tick: &Value| tick["lost"]["tasks"] == 0));
}

fn burners() -> Workload {
    Workload::start("e2e", &["threads", "100"])
}

#[test]
#[ignore = "root"]
fn gap_of_a_quiet_machine() {
    gap_is_small("quiet", Vec::new());
}

#[test]
#[ignore = "root"]
fn gap_of_a_busy_machine() {
    gap_is_small("busy", vec![burners()]);
}

#[test]
#[ignore = "root"]
fn gap_of_a_fork_storm() {
    // With burners beside it, so that no CPU idles: a task that wakes an idle CPU is charged from the wake-up on, while the CPU
    // still counts as idle (`rq_clock_skip_update()` in the kernel's `wakeup_preempt()`).
    gap_is_small("fork storm", vec![burners(), Workload::start("tasks", &["storm", "100000000"])]);
}
