//! Nothing stays in the kernel, however ebtop ends; nothing grows, whatever comes and goes.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::objects::{self, left_since};
use crate::program::{Batch, EBTOP, assert_nothing_lost, list, number};
use crate::span;
use crate::workload::Workload;

fn start(args: &[&str]) -> Child {
    Command::new(EBTOP).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
#[ignore = "root"]
fn ends_leave_nothing_behind() {
    let before = objects::all();
    for _ in 0..span(10, 200) {
        assert!(matches!(start(&["-b", "-n", "1", "-d", "0.1"]).wait().unwrap().code(), Some(0 | 4)));
    }
    assert_eq!(left_since(&before), objects::Objects::new());
}

#[test]
#[ignore = "root"]
fn kills_leave_nothing_behind() {
    let before = objects::all();
    let mut killed_loaded = 0;
    for i in 0..span(30, 200_u64) {
        let mut child = start(&["-b", "-d", "0.1", "--view", "sockets", "--fields", "pid"]);
        // Anywhere from before main to some ticks later, spread by a multiplier that shares no factor with the range.
        std::thread::sleep(Duration::from_millis(i * 263 % 600));
        killed_loaded += u32::from(!objects::of(child.id()).is_empty());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    println!("{killed_loaded} held BPF objects when they were killed");
    assert!(killed_loaded > 5);
    assert_eq!(left_since(&before), objects::Objects::new());
}

/// Waves of processes after which memory must have stopped growing.
const WAVES: usize = 6;

pub fn rss_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "root"]
fn a_flood_of_processes_grows_nothing() {
    let mut ebtop = Batch::start(&["--fields", "pid,ppid,exit_code"]);
    let all = span(2000, 12000);
    let wave = |ebtop: &mut Batch| {
        let begin = Instant::now();
        let mut load = Workload::start("tasks", &["storm", &all.to_string()]);
        load.usage();
        let took = begin.elapsed();
        let parent = u64::from(load.pid());
        load.end();
        // Where the kernel does not say that it freed a process, its exit comes some seconds late.
        let exited = |tick: &Value| list(tick, "exited").iter().filter(|row| number(row, "ppid") == parent).count();
        ebtop.read_until("every exit", |ebtop| ebtop.ticks.iter().map(exited).sum::<usize>() >= all);
        ebtop.settle();
        assert_eq!(ebtop.ticks.iter().map(exited).sum::<usize>(), all, "each once");
        took
    };
    // The first waves bring buffers to their size, which the greatest number of exits in one tick decides; then one must find room.
    wave(&mut ebtop);
    let size = |ebtop: &Batch| (rss_kib(ebtop.pid()), objects::map_entries(ebtop.pid()));
    let mut sizes = vec![size(&ebtop)];
    let has_settled = (0..WAVES).any(|_| {
        let took = wave(&mut ebtop);
        sizes.push(size(&ebtop));
        println!("{all} processes in {took:?}; resident KiB and map entries {sizes:?}");
        matches!(sizes[..], [.., before, after] if after.0 < before.0 + 1024 && after.1 <= before.1 + 16)
    });
    assert!(has_settled, "resident memory (KiB) or maps (entries) grew with every wave: {sizes:?}");
    assert_nothing_lost(&ebtop.stop(), "tasks");
}
