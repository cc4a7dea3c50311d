//! The program as a user runs it, against truth that the tests make themselves: `ebtop -b -o json`, read back.
//! Needs root: `cargo test --test kernel_e2e -- --ignored --test-threads=1`. `EBTOP_LONG=1` measures for minutes instead of seconds.

mod any_kernel;
mod containers;
mod cpu;
mod disk;
mod formats;
mod ledger;
mod lifecycle;
mod limits;
mod lockdown;
mod memory;
mod namespaces;
mod network;
mod objects;
mod program;
mod record;
mod rights;
#[path = "../pty/session.rs"]
#[allow(dead_code, reason = "the tests on the screen use the rest of it")]
mod session;
mod soak;
mod sockets;
mod stacks;
mod unprivileged;
mod workload;

/// `long` where time was given, else `short`.
fn span<T>(short: T, long: T) -> T {
    if std::env::var_os("EBTOP_LONG").is_some() { long } else { short }
}

fn assert_within(what: &str, value: u64, truth: u64, percent: f64) {
    let share = 100.0 * value as f64 / truth as f64;
    println!("{what}: {value} of {truth} = {share:.3} %");
    assert!((share - 100.0).abs() <= percent, "{what}: {value} is {share:.3} % of {truth}");
}
