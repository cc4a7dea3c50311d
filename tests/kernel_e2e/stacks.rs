//! Names of hot functions, and how much of the time each took.

use std::collections::HashMap;

use serde_json::Value;

use crate::program::{Batch, assert_nothing_lost, list, number};
use crate::soak::trouble::turn_timers_off;
use crate::span;
use crate::workload::Workload;

#[test]
#[ignore = "root"]
fn hot_functions_have_their_shares() {
    // The default rate needs 20 s for so few points of error, a quick one 6.
    let (seconds, hz) = span(("6", "499"), ("20", "49"));
    let mut ebtop = Batch::start(&["--view", "stacks", "--hz", hz]);
    let mut load = Workload::start("hot", &[seconds]);
    let line = load.line();
    let truth: Vec<f64> = line.split_whitespace().map(|n| n.parse().unwrap()).collect();
    ebtop.settle();
    let ticks = ebtop.stop();
    let mut samples = HashMap::<&str, u64>::new();
    let mut called_right = 0;
    let of_load = |stack: &&Value| number(stack, "pid") == u64::from(load.pid());
    for stack in ticks.iter().flat_map(|tick| list(tick, "stacks")).filter(of_load) {
        let names: Vec<&str> = list(stack, "frames").iter().filter_map(|frame| frame["name"].as_str()).collect();
        let count = number(stack, "samples");
        *samples.entry(names.last().unwrap()).or_default() += count;
        if let [.., "main", "spend", leaf] = names[..] {
            called_right += if leaf.starts_with("hot_") { count } else { 0 };
        }
    }
    let all: u64 = samples.values().sum();
    let busy: f64 = truth[..3].iter().sum();
    for (name, ns) in ["hot_a", "hot_b", "hot_c"].iter().zip(&truth) {
        let (truth, seen) = (100.0 * ns / busy, 100.0 * samples[name] as f64 / all as f64);
        println!("{name}: {seen:.2} % of {all} samples, {truth:.2} % by its own clock");
        assert!((truth - seen).abs() < 3.0, "{name}: {seen} % of {all} samples, {truth} % by its own clock");
    }
    assert!(called_right * 100 > all * 95, "{called_right} of {all} have spend and main above a hot function");
    let expected = truth[3] / 1e9 * hz.parse::<f64>().unwrap();
    assert!((all as f64 - expected).abs() < expected * 0.02 + 3.0 * expected.sqrt(), "{all} samples, {expected:.0} expected");
    assert_nothing_lost(&ticks, "stacks");
}

/// A timer that somebody turned off is made anew, and ebtop says that it was away.
#[test]
#[ignore = "root"]
fn timers_that_were_turned_off_run_again() {
    let mut ebtop = Batch::start(&["-d", "0.2", "--hz", "99", "--view", "stacks"]);
    let load = Workload::start("hot", &["120"]);
    let samples = |tick: &Value| list(tick, "stacks").iter().any(|stack| number(stack, "pid") == u64::from(load.pid()));
    ebtop.read_until("samples", |ebtop| ebtop.ticks.iter().any(samples));
    assert!(turn_timers_off(ebtop.pid()) > 0);
    ebtop.read_until("a word about it", |ebtop| {
        let health = &ebtop.ticks.last().unwrap()["health"]["stacks"];
        health["state"] == "degraded" && health["reason"].as_str().unwrap().contains("runs again")
    });
    let from = ebtop.ticks.len();
    ebtop.read_until("samples again", |ebtop| ebtop.ticks[from..].iter().any(samples));
    ebtop.read_until("no more words", |ebtop| ebtop.ticks.last().unwrap()["health"]["stacks"]["state"] == "live");
    ebtop.stop();
}
