//! Very many processes that end at once: more last words within a moment than their ring holds.

use std::time::Duration;

use ebtop::sample::Counter;

use super::{Watch, Workload, assert_within, get, rungs};

const CROWD: usize = 12_000;

#[test]
#[ignore = "root"]
fn a_crowd_that_ends_at_once_is_heard_whole() {
    for &rung in rungs() {
        let mut watch = Watch::on(rung);
        let mut load = Workload::start(&["crowd", &CROWD.to_string()]);
        load.truth();
        watch.read();
        let alive = watch.last.iter().filter(|task| task.ppid == load.pid()).count();
        assert_eq!(alive, CROWD);
        load.go_on();
        let mut woken = 0;
        while !load.has_reported() {
            woken += watch.pause(Duration::from_secs(1));
        }
        let truth = load.truth();
        watch.settle(load.pid());
        let status = watch.tasks.status();
        eprintln!("{rung:?}: woken {woken} times, {} lost", status.lost);
        let exits: Vec<_> = watch.exits_of(load.pid()).collect();
        assert_eq!((exits.len(), status.lost), (CROWD, 0));
        assert!(exits.iter().all(|exit| exit.signal == 10), "SIGUSR1");
        assert_within("CPU", exits.iter().map(|exit| get(&exit.task, Counter::CpuNs)).sum(), truth.cpu_ns, 1.5);
        assert_eq!(exits.iter().map(|exit| get(&exit.task, Counter::MinorFaults)).sum::<u64>(), truth.minor);
        load.end();
    }
}
