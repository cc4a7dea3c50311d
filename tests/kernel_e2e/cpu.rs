//! CPU time, to the last process that lived for a millisecond.

use std::time::Duration;

use serde_json::Value;

use crate::program::{Batch, assert_nothing_lost, number, rows, sum};
use crate::workload::Workload;
use crate::{assert_within, span};

#[test]
#[ignore = "root"]
fn short_lived_processes_get_all_their_cpu() {
    let mut ebtop = Batch::start(&["--hz", "0", "-d", "0.5"]);
    let mut truths = Vec::new();
    for ms in ["100", "20", "5", "1"] {
        let mut parent = Workload::start("tasks", &["children", ms, span("3", "8")]);
        let usage = parent.usage();
        truths.push((ms, parent.pid(), usage));
        ebtop.settle();
        parent.end();
    }
    // Where the kernel does not say that it freed a process, its exit comes some seconds late.
    ebtop.read_for(Duration::from_secs(5));
    let ticks = ebtop.stop();
    for (ms, parent, usage) in truths {
        let of_parent = |row: &Value| number(row, "ppid") == u64::from(parent);
        assert_within(&format!("children of {ms} ms"), sum(&ticks, "cpu_ns", of_parent), usage.cpu_ns, 1.0);
        assert_eq!(sum(&ticks, "min_flt", of_parent), usage.minor, "minor faults of children of {ms} ms");
        let named = ticks.iter().flat_map(rows).filter(|row| of_parent(row)).all(|row| row["comm"] == "e2e-tasks");
        assert!(named, "children of {ms} ms");
    }
    assert_nothing_lost(&ticks, "tasks");
}

#[test]
#[ignore = "root"]
fn threads_that_come_and_go_stay_in_their_process() {
    let mut ebtop = Batch::start(&["--hz", "0", "-d", "0.5"]);
    for ms in ["20", "1"] {
        let mut load = Workload::start("tasks", &["threads", ms, span("3", "8")]);
        let usage = load.usage();
        ebtop.settle();
        let of_load = |row: &Value| number(row, "pid") == u64::from(load.pid());
        assert_within(&format!("threads of {ms} ms"), sum(&ebtop.ticks, "cpu_ns", of_load), usage.cpu_ns, 1.0);
        load.end();
    }
    assert_nothing_lost(&ebtop.stop(), "tasks");
}

/// What a workload logged of itself: instants and its CPU time then, ns.
struct Log(Vec<(u64, u64)>);

impl Log {
    fn of(load: &mut Workload) -> Log {
        let lines = std::iter::from_fn(|| Some(load.line()).filter(|line| line != "end"));
        let pair = |line: String| {
            let (time, cpu) = line.split_once(' ').unwrap();
            (time.parse().unwrap(), cpu.parse().unwrap())
        };
        Log(lines.map(pair).collect())
    }

    /// CPU time at an instant, between two entries by proportion. `None` outside of the log.
    fn cpu_at(&self, time: u64) -> Option<f64> {
        let next = self.0.partition_point(|&(t, _)| t < time);
        let (&(t0, c0), &(t1, c1)) = (self.0.get(next.checked_sub(1)?)?, self.0.get(next)?);
        Some(c0 as f64 + (c1 - c0) as f64 * (time - t0) as f64 / (t1 - t0) as f64)
    }
}

/// The three run side by side, so that they also get in each other's way.
#[test]
#[ignore = "root"]
fn percent_of_cpu_is_true() {
    let mut ebtop = Batch::start(&["--hz", "0", "-d", "0.5"]);
    let mut loads = ["burn", "half", "threads"].map(|shape| (shape, Workload::start("e2e", &[shape, "12"])));
    let logs: Vec<Log> = loads.iter_mut().map(|(_, load)| Log::of(load)).collect();
    ebtop.settle();
    for ((shape, load), log) in loads.into_iter().zip(logs) {
        let (mut seen_ns, mut true_ns, mut span_ns) = (0, 0.0, 0);
        for tick in &ebtop.ticks {
            let (at, interval) = (number(tick, "at_ns"), number(tick, "interval_ns"));
            let (Some(before), Some(after)) = (log.cpu_at(at - interval), log.cpu_at(at)) else { continue };
            let row = rows(tick).find(|row| number(row, "pid") == u64::from(load.pid())).unwrap();
            (seen_ns, true_ns, span_ns) = (seen_ns + number(row, "cpu_ns"), true_ns + after - before, span_ns + interval);
        }
        assert!(span_ns > 8_000_000_000, "{shape}: {span_ns} ns");
        let pct = |ns: f64| 100.0 * ns / span_ns as f64;
        println!("{shape}: {:.2} %CPU, {:.2} by its own clock", pct(seen_ns as f64), pct(true_ns));
        assert_within(shape, seen_ns, true_ns as u64, 1.0);
        load.end();
    }
    ebtop.stop();
}
