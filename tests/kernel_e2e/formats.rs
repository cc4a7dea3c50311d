//! Text, CSV and JSON tell the same: one recording, played in each.

use std::time::Duration;

use serde_json::Value;

use crate::program::{Batch, list, number, rows, run, ticks_of};
use crate::workload::Workload;

/// What CSV shall say of one tick.
fn sums(tick: &Value, field: &str) -> u64 {
    rows(tick).filter_map(|row| row[field].as_u64()).sum()
}

#[test]
#[ignore = "root"]
fn text_csv_and_json_agree() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("load.rec");
    let file = file.to_str().unwrap();
    let storm = Workload::start("tasks", &["children", "5", "100"]);
    assert!(run(&["record", "-o", file, "-n", "5", "-d", "0.5", "--hz", "0"]).status.success());
    drop(storm);
    let play = |format: &str, more: &[&str]| {
        let output = run(&[&["replay", file, "-b", "-d", "0.1", "-o", format], more].concat());
        let (code, error) = (output.status.code(), String::from_utf8_lossy(&output.stderr));
        assert!(matches!(code, Some(0 | 4)) && error.is_empty(), "{code:?} {error}");
        output.stdout
    };
    let json = ticks_of(&play("json", &[]));
    assert_eq!(json.len(), 4);
    assert!(json.iter().any(|tick| !list(tick, "exited").is_empty()), "children ended");

    let fields = ["pid", "cpu_ns", "min_flt", "tx_bytes", "rss_bytes"];
    let csv = String::from_utf8(play("csv", &["--fields", &fields.join(",")])).unwrap();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("at_ns,interval_ns,exited,pid,cpu_ns,min_flt,tx_bytes,rss_bytes"));
    let cells: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    for tick in &json {
        let at = tick["at_ns"].to_string();
        let of_tick: Vec<_> = cells.iter().filter(|line| line[0] == at).collect();
        assert_eq!(of_tick.len(), rows(tick).count());
        assert_eq!(of_tick.iter().filter(|line| line[2] == "true").count(), list(tick, "exited").len());
        for (i, field) in fields.iter().enumerate() {
            let csv: u64 = of_tick.iter().filter_map(|line| line[3 + i].parse::<u64>().ok()).sum();
            assert_eq!(csv, sums(tick, field), "{field}");
        }
    }

    let text = String::from_utf8(play("text", &["--fields", "cpu,command"])).unwrap();
    let tables: Vec<&str> = text.split("ebtop 2").skip(1).collect();
    assert_eq!(tables.len(), json.len());
    for (table, tick) in tables.iter().zip(&json) {
        let body: Vec<&str> = table.lines().skip_while(|line| !line.contains("CPU%")).skip(1).filter(|line| !line.is_empty()).collect();
        let pct: f64 = body.iter().map(|line| line.split_whitespace().next().unwrap().parse::<f64>().unwrap_or(0.0)).sum();
        let truth = 100.0 * sums(tick, "cpu_ns") as f64 / number(tick, "interval_ns") as f64;
        // Each line is rounded to a tenth.
        assert!((pct - truth).abs() <= 0.05 * body.len() as f64, "{pct} % in the table, {truth} % in JSON");
        let cores = number(&tick["ledger"], "exited_ns") as f64 / number(tick, "interval_ns") as f64;
        assert!(table.contains(&format!("+ exited {cores:.3} +")), "{cores} in {table}");
    }
}

/// A reader that goes away is no error, and no reason to stay.
#[test]
#[ignore = "root"]
fn a_reader_that_leaves_ends_it() {
    let mut shell = std::process::Command::new("sh");
    let script = format!("{{ timeout 20 {} -b -d 0.1; echo $? >&2; }} | head -n 1", crate::program::EBTOP);
    let output = shell.args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "0\n");
    assert!(output.stdout.starts_with(b"ebtop "));
}

#[test]
#[ignore = "root"]
fn ticks_keep_to_the_clock() {
    let mut ebtop = Batch::start(&["-d", "0.5"]);
    ebtop.read_for(Duration::from_secs(4));
    let at: Vec<u64> = ebtop.ticks.iter().map(|tick| number(tick, "at_ns")).collect();
    let mean = (at[at.len() - 1] - at[0]) / (at.len() as u64 - 1);
    // Ticks may be late, and may be merged on a machine that has no time, but their clock does not drift.
    assert!((480_000_000..=650_000_000).contains(&mean), "{mean} ns between ticks: {at:?}");
    for (tick, pair) in ebtop.ticks[1..].iter().zip(at.windows(2)) {
        assert_eq!(number(tick, "interval_ns"), pair[1] - pair[0]);
    }
    ebtop.stop();
}
