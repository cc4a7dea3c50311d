//! The ledger: where the time of the machine went adds up.

use std::time::Duration;

use serde_json::Value;

use crate::program::{Batch, number};
use crate::span;
use crate::workload::Workload;

const PARTS: [&str; 6] = ["processes_ns", "kernel_ns", "exited_ns", "irq_ns", "steal_ns", "idle_ns"];

/// Measures while `load` runs.
fn gap_is_small(phase: &str, load: Option<Workload>) {
    let mut ebtop = Batch::start(&["--hz", "0"]);
    ebtop.read_for(Duration::from_secs(span(12, 60)));
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
    println!("{phase}: {} gap {:.4} cores; ms and gap of each tick {by_tick:?}", shares.join(" "), gap as f64 / span_ns as f64);
    assert!(gap.unsigned_abs() < span_ns / 100, "{phase}: {gap} ns of {span_ns} are unexplained");
    assert!(ticks.iter().all(|tick: &Value| tick["lost"]["tasks"] == 0));
}

#[test]
#[ignore = "root"]
fn gap_of_a_quiet_machine() {
    gap_is_small("quiet", None);
}

#[test]
#[ignore = "root"]
fn gap_of_a_busy_machine() {
    gap_is_small("busy", Some(Workload::start("e2e", &["threads", "100"])));
}

#[test]
#[ignore = "root"]
fn gap_of_a_fork_storm() {
    gap_is_small("fork storm", Some(Workload::start("tasks", &["storm", "100000000"])));
}
