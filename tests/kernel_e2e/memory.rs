//! Faults and resident memory.

use serde_json::Value;

use crate::assert_within;
use crate::program::{Batch, list, number, sum};
use crate::workload::Workload;

fn kib(text: &str, name: &str) -> u64 {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "root"]
fn faults_and_rss_are_true_alive_and_after() {
    let mut ebtop = Batch::start(&["--hz", "0", "-d", "0.5"]);
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e-faults.bin");
    let mut load = Workload::start("tasks", &["faults", "64", file.to_str().unwrap()]);
    let (pid, truth) = (load.pid(), load.usage());
    ebtop.settle();
    let of_load = |row: &Value| number(row, "pid") == u64::from(pid);
    let row = list(ebtop.ticks.last().unwrap(), "processes").iter().find(|row| of_load(row)).unwrap();
    assert_eq!([number(row, "min_flt_total"), number(row, "maj_flt_total")], [truth.minor, truth.major]);
    assert!(truth.major > 0, "the file was read from memory");
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    assert_within("rss", number(row, "rss_bytes"), kib(&rollup, "Rss:") * 1024, 2.0);
    assert_within("anonymous", number(row, "rss_anon_bytes"), kib(&rollup, "Anonymous:") * 1024, 2.0);

    let usage = load.end();
    ebtop.settle();
    let ticks = ebtop.stop();
    let truth = [usage.ru_minflt as u64, usage.ru_majflt as u64];
    let exits: Vec<_> = ticks.iter().flat_map(|tick| list(tick, "exited")).filter(|row| of_load(row)).collect();
    let [exit] = exits[..] else { panic!("{exits:?}") };
    assert_eq!([number(exit, "min_flt_total"), number(exit, "maj_flt_total")], truth);
    assert_eq!(["min_flt", "maj_flt"].map(|field| sum(&ticks, field, of_load)), truth, "growth adds up to the total");
    assert_eq!(number(exit, "peak_rss_bytes"), usage.ru_maxrss as u64 * 1024);
    assert_eq!([&exit["exit_code"], &exit["exit_signal"]], [0, 0]);
}
